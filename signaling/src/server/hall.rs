//! The rooms behind one lock, and the way from them to each socket.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use peer_group::crypto::REAL;
use peer_group::names::{Tag, Topic};
use peer_group::time::{Millis, Now};
use peer_group::wire::rendezvous::{ErrorReason, RefusedReason};
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tracing::debug;

use super::metrics::{Tally, count};
use super::outbox::{Account, Frame, Outbox};
use super::{Settings, SocketLimits};
use crate::clock::Clock;
use crate::rooms::{
    Address, Asked, ConnId, Counts, Crowd, Far, Machine, Note, Out, Receipt, Rooms, Search,
};

/// Close codes: those below 4000 are WebSocket's own.
mod code {
    pub(super) const PROTOCOL: u16 = 1002;
    pub(super) const RESTART: u16 = 1012;
    pub(super) const TRY_LATER: u16 = 1013;
    pub(super) const SUPERSEDED: u16 = 4001;
}

/// How often the rules get to do what is due: as seldom as that, when nothing is, and no more often
/// than this.
const TICK_MAX_MS: Millis = 1_000;
const TICK_MIN_MS: Millis = 10;
/// Bytes of signals and frames that wait for other machines; beyond it they are not carried.
const FAR_BYTES: usize = 64 * 1024 * 1024;
/// Over how long clients are spread when the server stops: a base, and more for each.
const SPREAD_MS: Millis = 1_000;
const SPREAD_PER_CLIENT_MS: Millis = 1;

/// Shared by all sockets. The lock is held for one message at a time and never across a wait.
pub(super) struct Hall {
    clock: Clock,
    limits: SocketLimits,
    /// What sockets count.
    pub(super) tally: Arc<Tally>,
    /// Something is due sooner than whoever calls [`Hall::tick`] knows.
    pub(super) sooner: Notify,
    inner: Mutex<Inner>,
}

struct Inner {
    rooms: Rooms,
    /// To other machines, and how much waits for them.
    far: Option<Sender<Far>>,
    far_bytes: usize,
    outboxes: BTreeMap<ConnId, Arc<Outbox>>,
    /// What waits for everybody, and for those of each address.
    waiting: Arc<Account>,
    waiting_at: BTreeMap<Address, Arc<Account>>,
    last: u64,
    stopping: bool,
    /// When the next tick will come.
    tick_at: Millis,
}

/// A socket's place in the hall; given up when dropped.
pub(super) struct Seat {
    hall: Arc<Hall>,
    conn: ConnId,
    address: Address,
    /// What is to be sent.
    pub(super) outbox: Arc<Outbox>,
}

impl Hall {
    pub(super) fn new(settings: &Settings, seed: [u8; 32]) -> Self {
        Self {
            clock: Clock::new(),
            limits: settings.sockets,
            tally: Arc::default(),
            sooner: Notify::new(),
            inner: Mutex::new(Inner {
                rooms: Rooms::new(settings.rooms.clone(), seed, &REAL),
                far: None,
                far_bytes: 0,
                outboxes: BTreeMap::new(),
                waiting: Arc::new(Account::new(settings.sockets.queue_bytes_in_all)),
                waiting_at: BTreeMap::new(),
                last: 0,
                stopping: false,
                tick_at: 0,
            }),
        }
    }

    /// A new socket, whose client dialled `origin`.
    pub(super) fn enter(self: &Arc<Self>, origin: String, address: Address) -> Seat {
        let mut inner = self.lock();
        let outbox = Arc::new(Outbox::new(
            self.limits,
            inner.accounts(address, self.limits),
        ));
        inner.last += 1;
        let conn = ConnId(inner.last);
        debug!(conn = conn.0, from = %address, "socket opened");
        if inner.stopping {
            outbox.close(code::RESTART, "the server is about to stop");
        } else {
            inner.outboxes.insert(conn, Arc::clone(&outbox));
            inner
                .rooms
                .connected(self.clock.now(), conn, origin, address);
            self.pass_on(&mut inner);
        }
        drop(inner);
        Seat {
            hall: Arc::clone(self),
            conn,
            address,
            outbox,
        }
    }

    /// Does what is due; in what time to do so again, unless it becomes [`Self::sooner`].
    pub(super) fn tick(&self) -> Duration {
        let mut inner = self.lock();
        let now = self.clock.now();
        inner.rooms.tick(now);
        let next = inner.rooms.next_timeout().unwrap_or(Millis::MAX);
        let pause = next
            .saturating_sub(now.monotonic)
            .clamp(TICK_MIN_MS, TICK_MAX_MS);
        inner.tick_at = now.monotonic + pause;
        self.pass_on(&mut inner);
        Duration::from_millis(pause)
    }

    fn pass_on(&self, inner: &mut Inner) {
        let now = self.clock.now();
        inner.pass_on(&self.tally);
        while let Some(far) = inner.rooms.poll_far() {
            if let Some(far) = inner.send_far(far) {
                count(&self.tally.between.lost);
                inner.rooms.missed(now, far);
                inner.pass_on(&self.tally);
            }
        }
        let next = inner.rooms.next_timeout().unwrap_or(Millis::MAX);
        if next.saturating_add(TICK_MIN_MS) < inner.tick_at {
            // Told once; the tick itself says when the next one is.
            inner.tick_at = next;
            self.sooner.notify_one();
        }
    }

    /// Says goodbye to everybody; how many they were.
    pub(super) fn send_away(&self) -> usize {
        let mut inner = self.lock();
        inner.stopping = true;
        let sockets = inner.outboxes.len();
        let spread = SPREAD_MS + SPREAD_PER_CLIENT_MS * sockets as u64;
        inner.rooms.go_away(self.clock.now(), spread);
        self.pass_on(&mut inner);
        for outbox in inner.outboxes.values() {
            outbox.close(code::RESTART, "the server is about to stop");
        }
        sockets
    }

    /// From now on, what is for other machines goes there.
    pub(super) fn reach_out(&self, far: Sender<Far>) {
        self.lock().far = Some(far);
    }

    /// So many bytes wait for other machines no more.
    pub(super) fn carried(&self, bytes: usize) {
        if bytes > 0 {
            self.lock().far_bytes -= bytes;
        }
    }

    /// Another machine says something to a tag that is reached through here.
    pub(super) fn noted(&self, to: Tag, note: Note) -> Option<RefusedReason> {
        self.with_rooms(|rooms, now| rooms.noted(now, to, note))
    }

    /// Another machine asks who stands in a topic here.
    pub(super) fn searched(&self, topic: Topic, search: Search) -> Crowd {
        self.with_rooms(|rooms, now| rooms.searched(now, topic, search))
    }

    /// What other machines said to a question.
    pub(super) fn found(&self, asked: Asked, crowds: Vec<Crowd>) {
        self.with_rooms(|rooms, now| rooms.found(now, asked, crowds));
    }

    /// What another machine did with a signal.
    pub(super) fn signalled(&self, conn: ConnId, to: Tag, refused: Option<RefusedReason>) {
        self.with_rooms(|rooms, now| rooms.signalled(now, conn, to, refused));
    }

    /// Nobody hears what a pair carries.
    pub(super) fn lost(&self, pair: u64) {
        self.with_rooms(|rooms, now| rooms.lost(now, pair));
    }

    /// That machine is no more, or none can be reached.
    pub(super) fn parted(&self, machine: Option<Machine>) {
        self.with_rooms(|rooms, now| rooms.parted(now, machine));
    }

    /// Other machines may not know what was claimed here.
    pub(super) fn claim_again(&self) {
        self.with_rooms(Rooms::claim_again);
    }

    fn with_rooms<T>(&self, work: impl FnOnce(&mut Rooms, Now) -> T) -> T {
        let mut inner = self.lock();
        let done = work(&mut inner.rooms, self.clock.now());
        self.pass_on(&mut inner);
        done
    }

    /// What the rules have counted.
    pub(super) fn counts(&self) -> Counts {
        self.lock().rooms.counts()
    }

    /// Bytes that wait for other machines.
    pub(super) fn far_bytes(&self) -> usize {
        self.lock().far_bytes
    }

    /// Bytes that wait for slow clients.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.waiting()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // If one message made the rules panic, that socket's task is gone; the others go on.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn accounts(&mut self, address: Address, limits: SocketLimits) -> [Arc<Account>; 2] {
        let of_address = self
            .waiting_at
            .entry(address)
            .or_insert_with(|| Arc::new(Account::new(limits.queue_bytes_per_address)));
        [Arc::clone(of_address), Arc::clone(&self.waiting)]
    }

    /// Forgets the account of an address that has no other socket than the one that ends.
    fn forget_account(&mut self, address: Address) {
        // One is kept here, the other by the socket's own outbox.
        let last = |account: &Arc<Account>| Arc::strong_count(account) <= 2;
        if self.waiting_at.get(&address).is_some_and(last) {
            self.waiting_at.remove(&address);
        }
    }

    /// Puts what is for other machines where it is carried from; what cannot wait there comes back.
    fn send_far(&mut self, far: Far) -> Option<Far> {
        let to = self.far.as_ref()?;
        let bytes = far.bytes();
        if self.far_bytes + bytes > FAR_BYTES {
            return Some(far);
        }
        match to.try_send(far) {
            Ok(()) => {
                self.far_bytes += bytes;
                None
            }
            // Too many wait, or the server stops.
            Err(TrySendError::Full(far) | TrySendError::Closed(far)) => Some(far),
        }
    }

    /// Puts what the rooms have to say where the sockets find it.
    fn pass_on(&mut self, tally: &Tally) {
        while let Some(out) = self.rooms.poll() {
            match out {
                Out::Send {
                    conn,
                    bytes,
                    receipt,
                } => {
                    let outbox = self.outboxes.get(&conn);
                    let fits = outbox.is_none_or(|o| o.push(Frame { bytes, receipt }));
                    if !fits {
                        // Counted, not told: somebody could fill the log with it.
                        count(&tally.cut);
                        debug!(conn = conn.0, "socket cut: it reads too slowly");
                    }
                }
                Out::Close { conn, reason } => {
                    debug!(conn = conn.0, ?reason, "socket refused");
                    if let Some(outbox) = self.outboxes.remove(&conn) {
                        let (code, words) = farewell(reason);
                        outbox.close(code, words);
                    }
                }
            }
        }
    }
}

impl Seat {
    /// A message came in. For how long the socket is better not read.
    pub(super) fn received(&self, bytes: &[u8]) -> Duration {
        let began = Instant::now();
        let mut inner = self.hall.lock();
        let pause = inner
            .rooms
            .received(self.hall.clock.now(), self.conn, bytes);
        self.hall.pass_on(&mut inner);
        drop(inner);
        self.hall.tally.took.add(began.elapsed());
        Duration::from_millis(pause)
    }

    /// Nothing was heard for too long.
    pub(super) fn was_silent(&self) {
        count(&self.hall.tally.silent);
        debug!(conn = self.conn.0, "socket silent for too long");
    }

    /// A frame that came with a receipt is with the system.
    pub(super) fn taken(&self, receipt: Receipt) {
        let mut inner = self.hall.lock();
        inner.rooms.taken(self.hall.clock.now(), receipt);
        self.hall.pass_on(&mut inner);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.hall.lock();
        inner.outboxes.remove(&self.conn);
        inner.forget_account(self.address);
        inner.rooms.disconnected(self.hall.clock.now(), self.conn);
        self.hall.pass_on(&mut inner);
        debug!(conn = self.conn.0, "socket closed");
    }
}

/// The close code and words that go with the last error.
fn farewell(reason: ErrorReason) -> (u16, &'static str) {
    match reason {
        ErrorReason::Version => (code::PROTOCOL, "this version is not spoken here"),
        ErrorReason::Full => (code::TRY_LATER, "the server is full"),
        ErrorReason::Rate => (code::TRY_LATER, "too many connections from this address"),
        ErrorReason::Superseded => (code::SUPERSEDED, "a newer socket took over"),
        _ => (
            code::PROTOCOL,
            "not a message of this protocol, or out of order",
        ),
    }
}
