//! The listeners from the sockets to the threads that serve them, those included whose address comes later.

use super::{Daemon, StartError, failure, handover::Predecessor, warn};
use crate::config::Settings;
use crate::domain::address::Protocol;
use crate::domain::notice::{Level, Notice};
use crate::domain::sentence::Sentence;
use crate::sys::clock;
use crate::sys::service::{self, Service};
use crate::sys::sockets::absent::{Absent, Arrived};
use crate::sys::sockets::control::ControlSocket;
use crate::sys::sockets::{self, Inherited, ListenerWanted, Listening, Opened, Socket, SocketFile};
use crate::transport::listener_context::{ListenerContext, ListenerOptions};
use crate::transport::threads::Threads;
use crate::transport::tls::server::Acceptor;
use crate::wire::forwarded::Proxies;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often to look for an address before the start fails, where a service manager would only start us again.
const LOOKS_MAX: u32 = 10;
/// How long to wait between these.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Arrivals that may wait for the main loop.
const ARRIVALS_MAX: usize = 4;

/// What arrived, and what is still absent.
pub(super) type AddressArrival = (Arrived, Vec<Sentence>);

/// Makes the listeners of the configuration.
pub(super) fn open(
    settings: &Settings,
    inherited: Inherited,
    service: &Service,
) -> Result<Opened, StartError> {
    let wanted: Vec<ListenerWanted> = settings
        .listen
        .iter()
        .map(|listen| ListenerWanted {
            name: listen.name.clone(),
            address: listen.address.clone(),
            unasked: listen.unasked,
        })
        .collect();
    let give_up = || {
        service.give_up(sockets::KEPT);
        service.barrier();
    };
    let lang = settings.lang;
    let of_socket = |e: sockets::SocketError| failure(e.sentence(lang), e.exit_code());
    let mut opened = sockets::open(&wanted, inherited, give_up).map_err(of_socket)?;
    // A person who typed a wrong address is told at once. A manager would start us again and again.
    let looks = if service::managed() { LOOKS_MAX } else { 0 };
    for _ in 0..looks {
        if opened.nothing_there().is_none() {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
        opened.look_again();
    }
    opened.nothing_there().map_or(Ok(opened), |error| Err(of_socket(error)))
}

/// Has a thread look for what is absent. It ends when all has come; what it finds is received.
pub(super) fn await_absent(absent: Absent) -> std::io::Result<mpsc::Receiver<AddressArrival>> {
    let (sender, receiver) = mpsc::channel(ARRIVALS_MAX);
    if !absent.is_empty() {
        let watch = move || absent.watch(|arrived, left| sender.blocking_send((arrived, left)).is_ok());
        std::thread::Builder::new().name("listen".into()).spawn(watch)?;
    }
    Ok(receiver)
}

impl Daemon {
    /// Has every socket served, gives the manager to keep what it may, and goes on with the connections of the process
    /// before us; what comes back keeps the files of unix sockets until it is dropped.
    pub(super) fn open_listeners(
        &mut self,
        threads: &mut Threads,
        service: &Service,
        before: Predecessor,
    ) -> Vec<SocketFile> {
        let listening = std::mem::take(&mut self.listening);
        let mut files = Vec::new();
        let all: Vec<_> = listening.into_iter().map(|one| self.prepare(one, service, &mut files)).collect();
        let contexts: Vec<Arc<ListenerContext>> = all.iter().map(|(_, context)| context.clone()).collect();
        before.resume(threads, &contexts, &self.log);
        for (socket, context) in all {
            threads.listen(socket, context);
        }
        if let Some(ControlSocket { socket, file, .. }) = self.control.take() {
            let address = format!("unix:{}", file.path().display());
            let context =
                ListenerContext::of_control(self.engine.clone(), self.permits.clone(), self.started, address);
            threads.listen(socket, Arc::new(context));
            files.push(file);
        }
        files
    }

    /// Says what is not there yet, in the log and wherever people look.
    pub(super) fn tell_absent(&self) {
        let reasons = self.absent.reasons();
        for reason in &reasons {
            warn(&self.log, "listener_absent", reason.own().clone());
        }
        self.engine.set_absent_listeners(reasons);
    }

    /// Serves what has come meanwhile.
    pub(super) fn arrived(
        &mut self,
        (arrived, left): AddressArrival,
        threads: &mut Threads,
        service: &Service,
        files: &mut Vec<SocketFile>,
    ) {
        for text in arrived.news {
            self.log.notice(clock::wall(), Notice::Other { level: Level::Info, kind: "listener", text });
        }
        for one in arrived.listening {
            let (socket, context) = self.prepare(one, service, files);
            threads.listen(socket, context);
        }
        self.engine.set_absent_listeners(left);
    }

    /// A socket with all that its connections share.
    fn prepare(
        &mut self,
        listening: Listening,
        service: &Service,
        files: &mut Vec<SocketFile>,
    ) -> (Socket, Arc<ListenerContext>) {
        if service.keeps_files() && !listening.inherited {
            service.keep(sockets::KEPT, &[listening.socket.as_fd()]);
        }
        let Listening { name, wanted, socket, address, port, file, .. } = listening;
        files.extend(file);
        let configured = self.settings.listen.get(wanted);
        let proxies = configured
            .map(|l| Proxies { networks: l.proxies.clone(), unix: l.proxy_unix, header: l.proxy_header })
            .unwrap_or_default();
        let acceptor =
            configured.and_then(|l| l.tls.as_ref()).map(|tls| Arc::new(Acceptor::new(tls.config.clone())));
        self.acceptors.extend(acceptor.clone().map(|acceptor| (wanted, acceptor)));
        let options = ListenerOptions {
            name,
            address: address.clone(),
            protocol: configured.map_or(Protocol::Http, |l| l.protocol),
            keepalive: configured.and_then(|l| l.keepalive),
            proxies,
            fast_path: configured.is_none_or(|l| l.fast_path),
            tls: acceptor,
        };
        let context = ListenerContext::new(self.engine.clone(), self.permits.clone(), self.started, options);
        self.log.notice(clock::wall(), Notice::Started { address, port });
        (socket, Arc::new(context))
    }
}
