//! The front: a thread that owns listeners and connections in a bare readiness loop and answers plain beats.
//!
//! It is a loop of its own and not tasks of a runtime because that is what a beat costs: at this load a task to wake,
//! schedule and poll for every request takes as much time as everything we do with the beat, and twelve times the
//! memory while idle. Whatever needs more than "read a beat, answer it" is handed to a general thread.
//!
//! A connection is accepted by the thread that has its listener and stays there, unless that one has many more than
//! another: then it is dealt to the one with the fewest, and stays there. That keeps its state on one core, and needs
//! neither SO_REUSEPORT, whose queues are lost when a socket closes, nor a wake-up of every thread for every newcomer.
//! The order of the loop: wait, read what is ready, keep by one write what all those beats have changed, answer them, take
//! orders, and once a second look for whose time is up.

mod connection;
mod desk;
mod give_up;
mod handle;
mod http;
mod link;
mod parked;
mod preamble;
mod shake;
mod talk;
mod ws;

use crate::domain::access::{Denied, Wish};
use crate::domain::address::{Peer, Protocol};
use crate::domain::beat::Transport;
use crate::domain::limits::STOP_MAX;
use crate::domain::notice::Notice;
use crate::domain::policy::Policy;
use crate::domain::time::Mono;
use crate::engine::stats::{BeatResult, Turned};
use crate::engine::{Engine, Refused};
use crate::sys::clock;
use crate::sys::lot::Parcel;
use crate::transport::census::Place;
use crate::transport::door::{Arrival, Door, turn_away};
use crate::transport::general::General;
use crate::transport::site::Site;
use crate::transport::stream::FrontStream;
use connection::Connection;
pub use connection::Role;
use desk::{Desk, Moment, NEVER, Next};
use give_up::give_up;
use handle::{Gauge, WAKER};
pub use handle::{Handle, Home, Order, Prepared, prepare};
use link::Link;
use mio::{Events, Interest, Poll, Token};
pub use parked::{Returning, own_monitor, unpark};
use preamble::Preamble;
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// Readiness events fetched at once.
const EVENTS_MAX: usize = 256;
/// Connections let in through one door before others are served.
const ARRIVALS_MAX: usize = 64;
/// Connections that a front may have more than the one with the fewest, besides half as many again, before it deals
/// newcomers out: a hand-over costs more than a little imbalance, and fronts in step displace each other more often.
const LOAD_SLACK: usize = 16;
/// Connections let in through a door that is about to close.
const LAST_ARRIVALS_MAX: usize = 65_536;

const DOORS: usize = usize::MAX / 2;

/// A front's thread.
pub struct Front {
    here: usize,
    fronts: Arc<[Handle]>,
    general: Arc<General>,
    engine: Arc<Engine>,
    poll: Poll,
    outlet: Receiver<Order>,
    gauge: Arc<Gauge>,
    doors: Vec<Door>,
    connections: Slab<Connection>,
    /// Connections with more to read than their turn allowed.
    again: Vec<usize>,
    /// Doors behind which more people wait than one turn lets in.
    crowded: Vec<usize>,
    /// Doors behind which people wait for whom the system had no room.
    barred: Vec<usize>,
    desk: Desk,
    /// Connections whose answers wait on the desk, how many each, and whether to come back to it.
    unanswered: Vec<(usize, usize, bool)>,
    /// Connections to look at when nothing more has come for a moment, and when that is, in milliseconds of the thread.
    quiets: VecDeque<(u64, usize)>,
    began: Mono,
    swept_s: u32,
    draining_since_s: Option<u32>,
    makes_room: bool,
    /// The policy by which all its connections have been judged.
    judged_by: Arc<Policy>,
}

impl Front {
    /// The front number `here` of `fronts`, which hands over to `general`.
    pub fn new(
        here: usize,
        prepared: Prepared,
        fronts: Arc<[Handle]>,
        general: Arc<General>,
        engine: Arc<Engine>,
    ) -> Front {
        let judged_by = Arc::clone(&engine.policy());
        Front {
            here,
            fronts,
            general,
            engine,
            poll: prepared.poll,
            outlet: prepared.outlet,
            gauge: prepared.gauge,
            doors: Vec::new(),
            connections: Slab::new(),
            again: Vec::new(),
            crowded: Vec::new(),
            barred: Vec::new(),
            desk: Desk::new(),
            unanswered: Vec::new(),
            quiets: VecDeque::new(),
            began: clock::mono(),
            swept_s: 0,
            draining_since_s: None,
            makes_room: false,
            judged_by,
        }
    }

    /// The loop. Ends after [`Order::Drain`].
    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let engine = self.engine.clone();
        loop {
            let idle = self.again.is_empty() && self.crowded.is_empty();
            let pause = if idle { self.pause() } else { Duration::ZERO };
            match self.poll.poll(&mut events, Some(pause)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Its connections would hang, and nobody could tell why: whoever watches the daemon starts it anew.
                Err(error) => give_up(&engine, &error),
                Ok(()) => {}
            }
            // One policy and one reading of the clocks for all that is ready now.
            let policy = engine.policy();
            let moment = self.moment(&policy);
            engine.stats().busy(moment.now.mono);
            for key in std::mem::take(&mut self.again) {
                self.turn(key, &moment);
            }
            for door in std::mem::take(&mut self.crowded) {
                self.let_in(door, ARRIVALS_MAX, &moment);
            }
            for event in &events {
                match event.token() {
                    WAKER => {}
                    Token(door) if door >= DOORS => self.let_in(door - DOORS, ARRIVALS_MAX, &moment),
                    Token(key) => {
                        let connection = self.connections.get_mut(key).filter(|_| event.is_read_closed());
                        connection.into_iter().for_each(|c| c.link_mut().read_closed = true);
                        self.turn(key, &moment);
                    }
                }
            }
            self.look_for_quiet(&moment);
            self.settle(&moment);
            // Looking costs less than remembering whether the waker rang, and serves where it could not ring.
            let go_on = self.take_orders(&moment);
            self.settle(&moment);
            self.sweep(&moment);
            self.settle(&moment);
            if !Arc::ptr_eq(&self.judged_by, &policy) {
                self.judged_by = Arc::clone(&policy);
                self.judge_all(&moment);
                self.settle(&moment);
            }
            if self.makes_room {
                let parting = self.connections.iter().filter(|(_, c)| !parked::may_be(c)).count();
                self.gauge.parting.store(parting, Ordering::Release);
                self.gauge.makes_room.store(true, Ordering::Release);
            }
            engine.stats().idle();
            if !go_on || self.is_done() {
                return;
            }
        }
    }

    /// How long there is nothing to do if nothing comes. Deadlines are in whole seconds of this thread, so at the beginning
    /// of each one looks for whose time is up.
    fn pause(&self) -> Duration {
        let now_ms = clock::mono().since(self.began).0;
        let until_second = 1000 - now_ms % 1000;
        let until_quiet = self.quiets.front().map(|(at_ms, _)| at_ms.saturating_sub(now_ms));
        Duration::from_millis(until_quiet.unwrap_or(u64::MAX).min(until_second))
    }

    fn moment<'a>(&self, policy: &'a Policy) -> Moment<'a> {
        let now = clock::now();
        let now_ms = now.mono.since(self.began).0;
        let now_s = (now_ms / 1000) as u32;
        let (draining, next_follows) = (self.draining_since_s.is_some(), self.makes_room);
        Moment { policy, now, now_ms, now_s, draining, next_follows }
    }

    /// False when there is nobody left to give orders, or nothing more to do.
    fn take_orders(&mut self, moment: &Moment<'_>) -> bool {
        loop {
            match self.outlet.try_recv() {
                Ok(Order::Open(door)) => self.open(door, moment),
                Ok(Order::Serve(stream, peer, site, place)) => self.begin(stream, peer, site, place, moment),
                Ok(Order::Adopt(guest, role)) => {
                    self.admit(Connection::returned(*guest, role, moment), moment);
                }
                Ok(Order::Resume(returning)) => {
                    for returning in returning {
                        let own = returning.own_monitor();
                        match (Connection::resumed(returning, moment), own) {
                            (Some(connection), _) => self.admit(connection, moment),
                            (None, Some(own)) => {
                                self.engine.depart(moment.now, own.as_ref(), false, &mut self.desk.pending);
                            }
                            (None, None) => {}
                        }
                    }
                }
                Ok(Order::MakeRoom) => self.make_room(moment),
                Ok(Order::Park(lot)) => {
                    self.park(&lot, moment);
                    return false;
                }
                Ok(Order::CloseDoors) => {
                    if !self.makes_room {
                        for door in 0..self.doors.len() {
                            self.let_in(door, LAST_ARRIVALS_MAX, moment);
                        }
                    }
                    self.doors.clear();
                    self.gauge.doors.store(0, Ordering::Release);
                }
                Ok(Order::Drain) => {
                    self.draining_since_s = Some(moment.now_s);
                    self.drain(|_| true, &Moment { draining: true, ..*moment });
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Lets those connections go that have nothing in their sockets; what lies there has arrived, and is answered first.
    fn drain(&mut self, which: impl Fn(&Connection) -> bool, moment: &Moment<'_>) {
        let keys: Vec<usize> =
            self.connections.iter().filter(|(_, c)| which(c)).map(|(key, _)| key).collect();
        for key in &keys {
            self.turn(*key, moment);
        }
        self.settle(moment);
        for key in keys {
            if self.connections.get(key).is_some_and(|c| which(c) && c.is_idle()) {
                self.end(key, moment);
            }
        }
    }

    /// Begins to make room for the next process. Doors stay open and beats are taken as ever, so that nobody waits for
    /// those that take their time to end.
    fn make_room(&mut self, moment: &Moment<'_>) {
        for door in 0..self.doors.len() {
            // Whoever waits where nothing can be left to the next process is still let in.
            if self.doors.get(door).is_some_and(|door| !door.site.hands_over()) {
                self.let_in(door, LAST_ARRIVALS_MAX, moment);
            }
        }
        self.drain(|c| !parked::may_be(c), &Moment { draining: true, next_follows: true, ..*moment });
        self.makes_room = true;
    }

    /// Leaves all connections to the next process. What was read of them is answered, what lies in their sockets stays
    /// there, and so do those who wait at the doors.
    fn park(&mut self, lot: &Sender<Parcel>, moment: &Moment<'_>) {
        // Some came to this front only a moment ago, and what they said is not answered yet.
        self.settle(moment);
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            if self.connections.get(key).is_some_and(|c| !parked::may_be(c)) {
                self.end(key, moment);
                continue;
            }
            let Some(mut connection) = self.take(key) else { continue };
            // It can only fail where it was deregistered before.
            let _ = self.poll.registry().deregister(connection.source());
            // Nobody is there to hear it only when the daemon has given up waiting.
            parked::park(connection).into_iter().for_each(|parcel| drop(lot.send(parcel)));
        }
    }

    fn open(&mut self, mut door: Door, moment: &Moment<'_>) {
        let number = self.doors.len();
        if self.poll.registry().register(door.source(), Token(DOORS + number), Interest::READABLE).is_ok() {
            self.doors.push(door);
            self.gauge.doors.store(self.doors.len(), Ordering::Release);
            // Whoever came before the door was watched rings no bell.
            self.let_in(number, ARRIVALS_MAX, moment);
        }
    }

    /// Lets people in and deals them out. Readiness is told once, so a door with people left is noted.
    fn let_in(&mut self, number: usize, most: usize, moment: &Moment<'_>) {
        for _ in 0..most {
            let Some(door) = self.doors.get(number) else { return };
            if self.makes_room && !door.site.hands_over() {
                return;
            }
            match door.accept() {
                Arrival::Newcomer(stream, peer) => {
                    let site = door.site.clone();
                    // Whose connection a proxy brings it says only later.
                    if !site.setup.proxies.announces(peer) && self.denies(&site, peer, moment) {
                        continue;
                    }
                    match site.census.enter(peer, moment.policy.limits.connections_per_address) {
                        Ok(place) => self.deal(stream, peer, site, place, moment),
                        Err(why) => {
                            self.engine.stats().turned(why);
                            turn_away(stream, &site.setup, why);
                        }
                    }
                }
                Arrival::Lost => {}
                Arrival::Nobody => return,
                Arrival::NoRoom => return note(&mut self.barred, number),
            }
        }
        note(&mut self.crowded, number);
    }

    /// Whether somebody comes from where no beats may come from, and no other thing is there to be had.
    fn denies(&self, site: &Site, peer: Peer, moment: &Moment<'_>) -> bool {
        if site.setup.protocol != Protocol::Tcp {
            return false;
        }
        let Err(Denied::Network(key)) = moment.policy.access.check(Wish::Beat, peer, None) else {
            return false;
        };
        self.engine.stats().beats(Transport::Tcp, BeatResult::Denied, 1);
        self.engine.log().notice(moment.now.wall, Notice::ClientDenied { peer, key });
        true
    }

    fn deal(&mut self, stream: FrontStream, peer: Peer, site: Arc<Site>, place: Place, moment: &Moment<'_>) {
        let load = |index: usize| self.fronts[index].gauge.connections.load(Ordering::Relaxed);
        let least = (0..self.fronts.len()).min_by_key(|index| load(*index)).unwrap_or(self.here);
        let balanced = load(self.here) <= load(least) + load(least) / 2 + LOAD_SLACK;
        let index = if balanced { self.here } else { least };
        if index == self.here {
            return self.begin(stream, peer, site, place, moment);
        }
        // One that is far behind, in a crowd or on a busy machine, gets no more.
        let order = Order::Serve(stream, peer, site, place);
        if let Err(Order::Serve(stream, peer, site, place)) = self.fronts[index].tell(order) {
            self.begin(stream, peer, site, place, moment);
        }
    }

    fn begin(&mut self, stream: FrontStream, peer: Peer, site: Arc<Site>, place: Place, moment: &Moment<'_>) {
        let link = Link::new(stream, peer, site, place);
        if link.site.setup.proxies.announces(peer) {
            return self.admit(Connection::Preamble(Preamble::new(link, moment)), moment);
        }
        match link.under_tls() {
            Some(link) => self.admit(Connection::new(link, moment), moment),
            None => self.engine.stats().turned(Turned::Tls),
        }
    }

    /// A proxy has said whose connection it is: that one is judged as if it had come by itself.
    fn announced(&self, link: Link, moment: &Moment<'_>) -> Option<Link> {
        if self.denies(&link.site, link.peer, moment) {
            return None;
        }
        let Link { stream, peer, site, place, .. } = link;
        drop(place);
        match site.census.enter(peer, moment.policy.limits.connections_per_address) {
            Ok(place) => Link::new(stream, peer, site, place).under_tls().or_else(|| {
                self.engine.stats().turned(Turned::Tls);
                None
            }),
            Err(why) => {
                self.engine.stats().turned(why);
                turn_away(stream, &site.setup, why);
                None
            }
        }
    }

    /// Has everybody whom another policy let in judged by the one in force.
    fn judge_all(&mut self, moment: &Moment<'_>) {
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.judge(key, true, moment));
    }

    fn judge(&mut self, key: usize, changed: bool, moment: &Moment<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let moment = &for_one(connection, moment);
        let next = connection.judge(changed, moment);
        self.follow(key, next, moment);
    }

    fn admit(&mut self, connection: Connection, moment: &Moment<'_>) {
        let may_stay = connection.may_stay();
        self.engine.stats().connection(connection.transport(), 1);
        self.gauge.connections.fetch_add(1, Ordering::Relaxed);
        let key = self.connections.insert(connection);
        let registered = self.connections.get_mut(key).is_some_and(|connection| {
            self.poll.registry().register(connection.source(), Token(key), Interest::READABLE).is_ok()
        });
        // Whoever let it in, another thread or the process before us, may have done so under another policy.
        self.judge(key, false, moment);
        match (registered, may_stay) {
            (false, _) => self.end(key, moment),
            (true, false) => self.hand_over(key),
            // A client usually has sent its request by the time it is let in.
            (true, true) => self.turn(key, moment),
        }
    }

    /// Has a connection that has said whose it is, or shaken hands, begin what it is for.
    fn begin_in_earnest(&mut self, key: usize, moment: &Moment<'_>) {
        let link = match self.connections.try_remove(key) {
            Some(Connection::Shake(shake)) => shake.link,
            Some(Connection::Preamble(preamble)) => {
                let transport = Connection::transport_of(&preamble.link);
                match self.announced(preamble.link, moment) {
                    Some(link) => link,
                    None => {
                        self.engine.stats().connection(transport, -1);
                        self.gauge.connections.fetch_sub(1, Ordering::Relaxed);
                        return;
                    }
                }
            }
            _ => return,
        };
        let mut connection = Connection::new(link, moment);
        let may_stay = connection.may_stay();
        // The place that was given back last is the next one to be taken; if it were not, the loop would have to know.
        let place = self.connections.vacant_key();
        let known = place == key
            || self.poll.registry().reregister(connection.source(), Token(place), Interest::READABLE).is_ok();
        self.connections.insert(connection);
        self.judge(place, false, moment);
        match (known, may_stay) {
            (false, _) => self.end(place, moment),
            (true, false) => self.hand_over(place),
            (true, true) => self.turn(place, moment),
        }
    }

    fn turn(&mut self, key: usize, moment: &Moment<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        // One thing after the other: its last beats are not answered yet.
        if connection.link().awaits_answers {
            return self.again.push(key);
        }
        let moment = &for_one(connection, moment);
        let next = connection.turn(&mut self.desk, moment);
        self.quiets.extend(connection.note_quiet().map(|at_ms| (at_ms, key)));
        self.follow(key, next, moment);
    }

    /// Whoever has sent nothing more for a moment has sent something whole. What came meanwhile has been read before.
    fn look_for_quiet(&mut self, moment: &Moment<'_>) {
        while self.quiets.front().is_some_and(|(at_ms, _)| *at_ms <= moment.now_ms) {
            let Some((_, key)) = self.quiets.pop_front() else { return };
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.link().awaits_answers {
                // One thing after the other; then it is looked at again.
                self.quiets.push_back((moment.now_ms + 1, key));
                continue;
            }
            let moment = &for_one(connection, moment);
            let next = connection.look_for_quiet(&mut self.desk, moment);
            self.quiets.extend(connection.note_quiet().map(|at_ms| (at_ms, key)));
            self.follow(key, next, moment);
        }
    }

    /// Keeps what the beats of this turn have changed, by one write, and then answers them.
    fn settle(&mut self, moment: &Moment<'_>) {
        if self.unanswered.is_empty() && self.desk.pending.is_empty() {
            return;
        }
        if self.engine.commit(moment.now.wall, &mut self.desk.pending).is_err() {
            let refuse = self.engine.refuses_unstored();
            for answer in &mut self.desk.answers {
                self.engine.stats().unstored(answer.acknowledges());
                answer.not_stored(refuse);
            }
        }
        let mut unanswered = std::mem::take(&mut self.unanswered);
        let mut answered = 0;
        for (key, count, again) in unanswered.drain(..) {
            let range = answered..answered + count;
            answered = range.end;
            let Some(connection) = self.connections.get_mut(key) else { continue };
            let moment = &for_one(connection, moment);
            let next = connection.answer(&mut self.desk, range, moment);
            let go_on = again && next == Next::Wait && connection.reads_on();
            self.follow(key, next, moment);
            if go_on {
                self.again.push(key);
            }
        }
        self.desk.answers.clear();
        self.unanswered = unanswered;
    }

    fn follow(&mut self, key: usize, next: Next, moment: &Moment<'_>) {
        if matches!(next, Next::Wait | Next::Again | Next::Answers(..) | Next::HandOver) {
            let Some(connection) = self.connections.get_mut(key) else { return };
            if let Err(why) = connection.account(moment.policy.limits.memory) {
                return self.shed(key, why, moment);
            }
        }
        match next {
            Next::Close => self.end(key, moment),
            Next::HandOver => self.hand_over(key),
            Next::Begin => self.begin_in_earnest(key, moment),
            Next::Again => self.again.push(key),
            Next::Answers(count, again) => self.unanswered.push((key, count, again)),
            Next::Wait => {
                let Some(connection) = self.connections.get_mut(key) else { return };
                let blocked = connection.is_blocked();
                if blocked == connection.link().awaits_write {
                    return;
                }
                connection.link_mut().awaits_write = blocked;
                let interest =
                    if blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
                if self.poll.registry().reregister(connection.source(), Token(key), interest).is_err() {
                    self.end(key, moment);
                }
            }
        }
    }

    /// Ends a connection for which there is no room, and says so.
    fn shed(&mut self, key: usize, why: Turned, moment: &Moment<'_>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        self.engine.stats().turned(why);
        if let Some(host) = connection.link().place.held.shed_host() {
            self.engine.note_refused(moment.now, Refused::Memory, host);
        }
        connection.shed(why);
        self.end(key, moment);
    }

    fn hand_over(&mut self, key: usize) {
        if self.makes_room {
            // The next process will hand it over to threads of its own.
            if let Some(connection) = self.connections.get_mut(key).filter(|c| parked::may_be(c)) {
                let _ = self.poll.registry().deregister(connection.source());
                connection.link_mut().due_s = NEVER;
                return;
            }
        }
        let Some(mut connection) = self.take(key) else { return };
        // Deregistering can only fail where the socket is broken, which hyper will find.
        let _ = self.poll.registry().deregister(connection.source());
        let home = Home { fronts: self.fronts.clone(), here: self.here };
        let Some(guest) = connection.into_guest(home) else { return };
        if self.general.serve(Box::new(guest)).is_err() {
            self.engine.stats().turned(Turned::Total);
        }
    }

    fn end(&mut self, key: usize, moment: &Moment<'_>) {
        // Closing the socket takes it out of the loop.
        if let Some(mut connection) = self.take(key) {
            connection.part(&mut self.desk.pending, moment);
            connection.link_mut().stream.take_leave();
        }
    }

    fn take(&mut self, key: usize) -> Option<Connection> {
        let connection = self.connections.try_remove(key)?;
        self.engine.stats().connection(connection.transport(), -1);
        self.gauge.connections.fetch_sub(1, Ordering::Relaxed);
        Some(connection)
    }

    /// Once a second: whose time is up, who holds most where there is no room left, and who waits at a door that had none.
    fn sweep(&mut self, moment: &Moment<'_>) {
        if moment.now_s == self.swept_s {
            return;
        }
        self.swept_s = moment.now_s;
        self.gauge.pulse.fetch_add(1, Ordering::Relaxed);
        let is_due = |c: &Connection| c.is_due(moment.now_s);
        let holds_most = |c: &Connection| c.link().place.held.shed_host().is_some();
        let found = self.connections.iter().filter(|(_, c)| is_due(c) || holds_most(c));
        let found: Vec<usize> = found.map(|(key, _)| key).collect();
        for key in found {
            if let Some(connection) = self.connections.get_mut(key).filter(|c| is_due(c)) {
                let next = connection.time_out(moment);
                self.follow(key, next, moment);
            }
            if self.connections.get(key).is_some_and(holds_most) {
                self.shed(key, Turned::Shed, moment);
            }
        }
        for door in std::mem::take(&mut self.barred) {
            self.let_in(door, ARRIVALS_MAX, moment);
        }
    }

    /// Whether a draining front has nothing left to do, or no time left to do it.
    fn is_done(&self) -> bool {
        self.draining_since_s.is_some_and(|since_s| {
            self.connections.is_empty()
                || u64::from(self.swept_s.saturating_sub(since_s)) * 1000 >= STOP_MAX.0
        })
    }
}

/// The circumstances for one connection: while room is made for a next process, those stop that cannot be left to it.
fn for_one<'a>(connection: &Connection, moment: &Moment<'a>) -> Moment<'a> {
    let draining = moment.draining || (moment.next_follows && !parked::may_be(connection));
    Moment { draining, ..*moment }
}

fn note(doors: &mut Vec<usize>, number: usize) {
    if !doors.contains(&number) {
        doors.push(number);
    }
}
