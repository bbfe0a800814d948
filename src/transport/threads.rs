//! Starting and stopping the threads: as many fronts as cores, each with a general thread to hand over to.

use crate::domain::limits::STOP_MAX;
use crate::engine::{Engine, Pending};
use crate::sys::clock;
use crate::sys::lot::Parcel;
use crate::sys::sockets::Socket;
use crate::transport::door::Door;
use crate::transport::front::{self, Front, Handle, Order};
use crate::transport::general::General;
use crate::transport::site::Site;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a stopping daemon looks whether its threads are done.
const LOOK: Duration = Duration::from_millis(2);
/// How often a front is told something that it has no room for, before that is given up.
const TELLINGS_MAX: u32 = 500;

/// All threads that serve connections.
pub struct Threads {
    fronts: Arc<[Handle]>,
    generals: Vec<Arc<General>>,
    front_threads: Vec<JoinHandle<()>>,
    general_threads: Vec<JoinHandle<()>>,
    listeners: usize,
}

impl Threads {
    /// Starts `count` of each kind. Errors are the system's: no thread or no epoll to be had.
    pub fn start(count: usize, engine: &Arc<Engine>) -> io::Result<Threads> {
        let mut handles = Vec::new();
        let mut prepared = Vec::new();
        let mut threads = Threads {
            fronts: Arc::new([]),
            generals: Vec::new(),
            front_threads: Vec::new(),
            general_threads: Vec::new(),
            listeners: 0,
        };
        for index in 0..count {
            let (handle, ready) = front::prepare()?;
            handles.push(handle);
            prepared.push(ready);
            let stats = engine.clone();
            let (general, thread) = General::start(index, move || stats.stats().claim(count + index))?;
            threads.generals.push(Arc::new(general));
            threads.general_threads.push(thread);
        }
        threads.fronts = handles.into();
        for (index, ready) in prepared.into_iter().enumerate() {
            let (fronts, general) = (threads.fronts.clone(), threads.generals[index].clone());
            let engine = engine.clone();
            let thread = std::thread::Builder::new().name(format!("front-{index}")).spawn(move || {
                engine.stats().claim(index);
                Front::new(index, ready, fronts, general, engine).run();
            })?;
            threads.front_threads.push(thread);
        }
        Ok(threads)
    }

    /// How many sets of counters the threads of [`Threads::start`] use.
    pub fn stats_sets(count: usize) -> usize {
        2 * count
    }

    /// Opens a door on one of the fronts.
    pub fn listen(&mut self, socket: Socket, site: Arc<Site>) {
        let index = self.listeners % self.fronts.len().max(1);
        if let Some(front) = self.fronts.get(index) {
            self.listeners += 1;
            // An inbox that is full before anybody was let in cannot be.
            let _ = front.tell(Order::Open(Door::new(socket, site)));
        }
    }

    /// Has the fronts go on with connections of the process before us; returns how many of them they have.
    pub fn resume(&self, parcels: Vec<Parcel>, sites: &[Arc<Site>]) -> usize {
        let limits = sites.first().map(|site| site.engine.policy().limits.clone()).unwrap_or_default();
        let mut shares: Vec<Vec<_>> = self.fronts.iter().map(|_| Vec::new()).collect();
        let mut count = 0;
        let engine = sites.first().map(|site| &site.engine);
        let mut pending = Pending::new();
        for parcel in parcels {
            let own = front::own_monitor(&parcel);
            let Some(returning) = front::unpark(parcel, sites, &limits) else {
                if let (Some(own), Some(engine)) = (own, engine) {
                    engine.depart(clock::now(), own.as_ref(), false, &mut pending);
                }
                continue;
            };
            let front = count % shares.len().max(1);
            if let Some(share) = shares.get_mut(front) {
                share.push(returning);
            }
            count += 1;
        }
        if let Some(engine) = engine {
            // A failure has been noted and will be made good.
            let _ = engine.commit(clock::wall(), &mut pending);
        }
        for (front, share) in self.fronts.iter().zip(shares) {
            // An inbox that is full before anybody was let in cannot be.
            let _ = front.tell(Order::Resume(share));
        }
        count
    }

    /// Whether every listener is served.
    pub fn is_listening(&self) -> bool {
        self.fronts.iter().map(Handle::doors).sum::<usize>() == self.listeners
    }

    /// How many seconds each thread's loop has turned.
    pub fn pulses(&self) -> Vec<u64> {
        self.fronts.iter().map(Handle::pulse).chain(self.generals.iter().map(|g| g.pulse())).collect()
    }

    /// Stops accepting, answers what has arrived, ends the threads. Takes a little over [`STOP_MAX`] at most.
    ///
    /// Doors close first everywhere, so that nobody is dealt to a front that has gone; then the fronts end, which may
    /// still hand connections over; then the general threads.
    pub async fn stop(self) {
        self.tell_all(|| Order::CloseDoors);
        wait_until(|| self.fronts.iter().all(|front| front.doors() == 0), Duration::from_secs(1)).await;
        self.tell_all(|| Order::Drain);
        let most = Duration::from_millis(STOP_MAX.0 + 500);
        wait_until(|| self.front_threads.iter().all(JoinHandle::is_finished), most).await;
        for general in &self.generals {
            general.drain(false).await;
        }
        wait_until(|| self.general_threads.iter().all(JoinHandle::is_finished), most).await;
    }

    /// Ends the threads for a next process, and gives out the connections that are left to it. Takes a little over
    /// [`STOP_MAX`] at most.
    ///
    /// As long as somebody takes his time, with a request that is not whole yet or over TLS, the fronts take beats and
    /// let people in as ever. Only when nobody is left whom the next process cannot have do they stop.
    pub async fn hand_over(self) -> Vec<Parcel> {
        let soon = Duration::from_secs(1);
        self.tell_all(|| Order::MakeRoom);
        wait_until(|| self.fronts.iter().all(Handle::makes_room), soon).await;
        for general in &self.generals {
            general.drain(true).await;
        }
        let rest_is_gone = || {
            let parting: usize = self.fronts.iter().map(Handle::parting).sum();
            parting == 0 && self.general_threads.iter().all(JoinHandle::is_finished)
        };
        wait_until(rest_is_gone, Duration::from_millis(STOP_MAX.0 + 500)).await;
        // A front that is told to park gets no more newcomers from another one, or they would be lost with its inbox.
        self.tell_all(|| Order::CloseDoors);
        wait_until(|| self.fronts.iter().all(|front| front.doors() == 0), soon).await;
        let (post, lot) = std::sync::mpsc::channel();
        self.tell_all(|| Order::Park(post.clone()));
        wait_until(|| self.front_threads.iter().all(JoinHandle::is_finished), soon).await;
        lot.try_iter().collect()
    }

    fn tell_all(&self, order: impl Fn() -> Order) {
        for front in self.fronts.iter() {
            let mut order = order();
            for _ in 0..TELLINGS_MAX {
                match front.tell(order) {
                    Ok(()) => break,
                    Err(refused) => order = refused,
                }
                // Its inbox is full of newcomers, which it takes in one turn.
                std::thread::sleep(LOOK);
            }
        }
    }
}

async fn wait_until(done: impl Fn() -> bool, most: Duration) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let _ = tokio::time::timeout(most, waiting).await;
}
