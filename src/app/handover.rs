//! From one process of the service to the next: which connections come from the one before, and which are left to the one
//! after. `sys/parked` packs them for the service manager, `transport/parked_record` writes down what they are in the middle of.

use crate::domain::notice::{Level, Notice};
use crate::i18n::{self, Text};
use crate::sys::log::Log;
use crate::sys::service::Service;
use crate::sys::sockets::Inherited;
use crate::sys::{clock, parked};
use crate::transport::listener_context::ListenerContext;
use crate::transport::parked_record;
use crate::transport::threads::Threads;
use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// What the process before this one has left in the service manager's store besides its listeners.
#[derive(Default)]
pub(super) struct Predecessor {
    /// Its connections.
    parked: Vec<parked::ParkedConnection>,
    /// Why they are lost, if they are.
    error: Option<io::Error>,
}

impl Predecessor {
    /// Takes it out of the store.
    pub(super) fn of(inherited: &mut Inherited, service: &Service) -> Predecessor {
        let files = inherited.take_parked();
        if files.is_empty() {
            return Predecessor::default();
        }
        let before = match parked::unpack(files) {
            Ok(parked) => Predecessor { parked, error: None },
            Err(error) => Predecessor { parked: Vec::new(), error: Some(error) },
        };
        // As long as the manager holds them too, a connection that we close does not end.
        service.give_up(parked::NAME);
        before
    }

    /// The monitors that stand for its connections.
    pub(super) fn monitors(&self) -> HashSet<String> {
        self.parked.iter().filter_map(parked_record::own_monitor).map(|id| id.to_string()).collect()
    }

    /// Has the reactors go on with its connections.
    pub(super) fn resume(self, threads: &Threads, contexts: &[Arc<ListenerContext>], log: &Log) {
        if let Some(error) = self.error {
            super::warn(log, "connections_lost", i18n::app::connections_lost(&error));
        }
        let all = self.parked.len();
        if all > 0 {
            let taken = threads.resume(self.parked, contexts);
            inform(log, "connections_taken", i18n::app::connections_taken_over(&taken, &(all - taken)));
        }
    }
}

/// Leaves connections to the next process, and returns once the manager has them.
pub(super) fn leave(parked: Vec<parked::ParkedConnection>, service: &Service, log: &Log) {
    let all = parked.len();
    let left = match parked::pack(parked) {
        Ok((files, without_room)) => {
            service.keep(parked::NAME, &files.iter().map(AsFd::as_fd).collect::<Vec<_>>());
            service.barrier();
            all - without_room.len()
        }
        Err(error) => {
            super::warn(log, "connections_lost", i18n::app::connections_lost(&error));
            0
        }
    };
    inform(log, "connections_left", i18n::app::connections_left(&left, &(all - left)));
}

fn inform(log: &Log, kind: &'static str, text: Text) {
    log.notice(clock::wall(), Notice::Other { level: Level::Info, kind, text });
}
