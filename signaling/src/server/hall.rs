//! The rooms behind one lock, and the way from them to each socket.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use peer_group::crypto::REAL;
use peer_group::time::{Millis, Now};
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::ErrorReason;
use tracing::{debug, info};

use super::outbox::Outbox;
use super::{Settings, SocketLimits};
use crate::rooms::{ConnId, Out, Rooms};

/// Close codes: those below 4000 are WebSocket's own.
mod code {
    pub(super) const PROTOCOL: u16 = 1002;
    pub(super) const RESTART: u16 = 1012;
    pub(super) const TRY_LATER: u16 = 1013;
    pub(super) const SUPERSEDED: u16 = 4001;
}

/// Over how long clients are spread when the server stops: a base, and more for each.
const SPREAD_MS: Millis = 1_000;
const SPREAD_PER_CLIENT_MS: Millis = 1;

/// Shared by all sockets. The lock is held for one message at a time and never across a wait.
pub(super) struct Hall {
    started: Instant,
    limits: SocketLimits,
    inner: Mutex<Inner>,
}

struct Inner {
    rooms: Rooms,
    outboxes: BTreeMap<ConnId, Arc<Outbox>>,
    last: u64,
    stopping: bool,
}

/// A socket's place in the hall; given up when dropped.
pub(super) struct Seat {
    hall: Arc<Hall>,
    conn: ConnId,
    /// What is to be sent.
    pub(super) outbox: Arc<Outbox>,
}

impl Hall {
    pub(super) fn new(settings: &Settings, seed: [u8; 32]) -> Self {
        Self {
            started: Instant::now(),
            limits: settings.sockets,
            inner: Mutex::new(Inner {
                rooms: Rooms::new(settings.rooms.clone(), seed, &REAL),
                outboxes: BTreeMap::new(),
                last: 0,
                stopping: false,
            }),
        }
    }

    /// A new socket, whose client dialled `origin`.
    pub(super) fn enter(self: &Arc<Self>, origin: String) -> Seat {
        let outbox = Arc::new(Outbox::new(self.limits));
        let mut inner = self.lock();
        inner.last += 1;
        let conn = ConnId(inner.last);
        debug!(conn = conn.0, "socket opened");
        if inner.stopping {
            outbox.close(code::RESTART, "the server is about to stop");
        } else {
            inner.outboxes.insert(conn, Arc::clone(&outbox));
            inner.rooms.connected(self.now(), conn, origin);
            inner.pass_on();
        }
        drop(inner);
        Seat {
            hall: Arc::clone(self),
            conn,
            outbox,
        }
    }

    /// Does what is due.
    pub(super) fn tick(&self) {
        let mut inner = self.lock();
        inner.rooms.tick(self.now());
        inner.pass_on();
    }

    /// Says goodbye to everybody; how many they were.
    pub(super) fn send_away(&self) -> usize {
        let mut inner = self.lock();
        inner.stopping = true;
        let sockets = inner.outboxes.len();
        let spread = SPREAD_MS + SPREAD_PER_CLIENT_MS * sockets as u64;
        inner.rooms.go_away(self.now(), spread, &List::default());
        inner.pass_on();
        for outbox in inner.outboxes.values() {
            outbox.close(code::RESTART, "the server is about to stop");
        }
        sockets
    }

    fn now(&self) -> Now {
        let millis = |time: std::time::Duration| Millis::try_from(time.as_millis()).unwrap_or(0);
        Now {
            monotonic: millis(self.started.elapsed()),
            wall: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, millis),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // If one message made the rules panic, that socket's task is gone; the others go on.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Puts what the rooms have to say where the sockets find it.
    fn pass_on(&mut self) {
        while let Some(out) = self.rooms.poll() {
            match out {
                Out::Send { conn, bytes } => {
                    let fits = self.outboxes.get(&conn).is_none_or(|o| o.push(bytes));
                    if !fits {
                        info!(conn = conn.0, "socket cut: it reads too slowly");
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
    /// A message came in.
    pub(super) fn received(&self, bytes: &[u8]) {
        let mut inner = self.hall.lock();
        inner.rooms.received(self.hall.now(), self.conn, bytes);
        inner.pass_on();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.hall.lock();
        inner.outboxes.remove(&self.conn);
        inner.rooms.disconnected(self.hall.now(), self.conn);
        inner.pass_on();
        debug!(conn = self.conn.0, "socket closed");
    }
}

/// The close code and words that go with the last error.
fn farewell(reason: ErrorReason) -> (u16, &'static str) {
    match reason {
        ErrorReason::Version => (code::PROTOCOL, "this version is not spoken here"),
        ErrorReason::Full | ErrorReason::Rate => (code::TRY_LATER, "the server is full"),
        ErrorReason::Superseded => (code::SUPERSEDED, "a newer socket took over"),
        _ => (
            code::PROTOCOL,
            "not a message of this protocol, or out of order",
        ),
    }
}
