//! The rendezvous server without sockets or clocks: who is reachable, who stands where, and who
//! hears what.
//!
//! Whoever drives it reports what happened ([`Rooms::connected`], [`Rooms::received`],
//! [`Rooms::taken`], [`Rooms::disconnected`]), calls [`Rooms::tick`] no later than [`Rooms::next_timeout`], and does
//! what [`Rooms::poll`] says. A connection that was told to close is forgotten at once; whatever is
//! reported of it later changes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peer_group::crypto::Crypto;
use peer_group::names::{Tag, Topic};
use peer_group::random::Random;
use peer_group::time::{Millis, Now};
use peer_group::wire::codec::{List, Wire as _};
use peer_group::wire::rendezvous::{ClientMessage, ErrorReason, ServerMessage};

mod address;
pub(crate) mod bucket;
mod callers;
mod config;
mod counts;
mod far;
mod relay;
mod requests;
mod tags;
#[cfg(test)]
mod tests;
mod topics;
mod work;

pub use address::Address;
use bucket::Bucket;
use callers::Callers;
pub use config::{Config, Limits, Rate};
pub use counts::Counts;
use far::Afar;
pub use far::{Asked, Crowd, Far, Machine, Note, Search};
pub use relay::{Half, Halves, Receipt};
use relay::{PairId, Pairs};
use tags::Tags;
use topics::Topics;
pub use work::Work;

/// One socket of the server. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u64);

/// What whoever drives the machine must do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Out {
    /// Send one frame.
    Send {
        /// On this connection.
        conn: ConnId,
        /// A [`ServerMessage`].
        bytes: Vec<u8>,
        /// To be given back to [`Rooms::taken`] when the socket has taken the frame.
        receipt: Option<Receipt>,
    },
    /// Close the connection, after what was sent on it before.
    Close {
        /// Which one.
        conn: ConnId,
        /// As the last message on it says.
        reason: ErrorReason,
    },
}

/// The server's state and rules.
pub struct Rooms {
    config: Config,
    crypto: Crypto,
    random: Random,
    connections: BTreeMap<ConnId, Connection>,
    hellos_due: BTreeSet<(Millis, ConnId)>,
    callers: Callers,
    tags: Tags,
    topics: Topics,
    pairs: Pairs,
    /// Requests of everybody.
    requests: Bucket,
    /// Whether these are many.
    load: work::Load,
    /// Bytes relayed for everybody.
    relayed: Bucket,
    counts: Counts,
    out: VecDeque<Out>,
    /// Other machines.
    afar: Afar,
}

struct Connection {
    /// The server's host and port as this client dialled them.
    origin: String,
    address: Address,
    stage: Stage,
    tag: Option<Tag>,
    topics: BTreeSet<Topic>,
    pairs: BTreeSet<PairId>,
    requests: Bucket,
    signals: Bucket,
    work: work::Account,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Nothing was said yet; Hello must come by then.
    Silent(Millis),
    /// Welcome was sent, with this challenge.
    Welcomed([u8; 32]),
}

/// Why a message is answered with an error.
struct Failure {
    reason: ErrorReason,
    retry_after_ms: u32,
}

impl From<ErrorReason> for Failure {
    fn from(reason: ErrorReason) -> Self {
        Self {
            reason,
            retry_after_ms: 0,
        }
    }
}

/// When to come back to a server that has no room for one more connection, in milliseconds.
const FULL_RETRY_MS: u32 = 30_000;

/// The longest that a connection is not read, in milliseconds: pings wait as well.
const PAUSE_MS: Millis = 1_000;

impl Rooms {
    /// An empty server. The seed must be unpredictable: challenges come from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], crypto: Crypto) -> Self {
        let limits = config.limits;
        let afar = Afar::new(config.machine);
        Self {
            config,
            crypto,
            random: Random::new(seed),
            connections: BTreeMap::new(),
            hellos_due: BTreeSet::new(),
            callers: Callers::default(),
            tags: Tags::default(),
            topics: Topics::default(),
            pairs: Pairs::default(),
            requests: Bucket::new(0, limits.requests_in_all),
            load: work::Load::new(Bucket::new(0, limits.work_above)),
            relayed: Bucket::new(0, limits.relay_in_all),
            counts: Counts::default(),
            out: VecDeque::new(),
            afar,
        }
    }

    /// A socket was opened from `address`; `origin` is the server's host and port as the client
    /// dialled them.
    pub fn connected(&mut self, now: Now, conn: ConnId, origin: String, address: Address) {
        self.tick(now);
        self.forget(now, conn);
        if let Err(failure) = self.admit(now, address) {
            self.counts.sockets_refused += 1;
            return self.hang_up(now, conn, &failure);
        }
        self.counts.sockets_opened += 1;
        let due = now.monotonic.saturating_add(self.config.limits.hello_ms);
        self.hellos_due.insert((due, conn));
        let connection = Connection {
            origin,
            address,
            stage: Stage::Silent(due),
            tag: None,
            topics: BTreeSet::new(),
            pairs: BTreeSet::new(),
            requests: Bucket::new(now.monotonic, self.config.limits.requests),
            signals: Bucket::new(now.monotonic, self.config.limits.signals),
            work: work::Account::default(),
        };
        self.connections.insert(conn, connection);
    }

    fn admit(&mut self, now: Now, address: Address) -> Result<(), Failure> {
        let limits = &self.config.limits;
        if self.connections.len() >= limits.connections {
            return Err(Failure {
                reason: ErrorReason::Full,
                retry_after_ms: FULL_RETRY_MS,
            });
        }
        let entered = self.callers.enter(now.monotonic, limits, address);
        entered.map_err(|retry_after_ms| Failure {
            reason: ErrorReason::Rate,
            retry_after_ms,
        })
    }

    /// A frame came in. Gives back for how many milliseconds the connection is better not read:
    /// whoever asks too much, or signs wrongly, is slowed down by its own full buffers, and costs
    /// nothing meanwhile.
    pub fn received(&mut self, now: Now, conn: ConnId, bytes: &[u8]) -> Millis {
        self.tick(now);
        if !self.connections.contains_key(&conn) {
            return 0;
        }
        self.counts.messages += 1;
        let answer = match ClientMessage::from_bytes(bytes) {
            Ok(message) => self.answer(now, conn, message),
            Err(_) => Err(ErrorReason::Malformed.into()),
        };
        let mut pause = 0;
        match answer {
            Ok(Some(message)) => self.send(conn, &message),
            Ok(None) => {}
            Err(failure) => {
                match failure.reason {
                    ErrorReason::Malformed => self.counts.malformed += 1,
                    ErrorReason::Signature => {
                        self.counts.bad_signatures += 1;
                        pause = PAUSE_MS;
                    }
                    ErrorReason::Rate => {
                        self.counts.rate_limited += 1;
                        pause = Millis::from(failure.retry_after_ms).min(PAUSE_MS);
                    }
                    _ => {}
                }
                if ends(failure.reason) {
                    self.hang_up(now, conn, &failure);
                } else {
                    self.send_error(conn, &failure);
                }
            }
        }
        pause
    }

    /// A socket is gone, by whichever side.
    pub fn disconnected(&mut self, now: Now, conn: ConnId) {
        self.tick(now);
        self.forget(now, conn);
    }

    /// Tells everybody that the server is about to stop, each with a delay of its own below
    /// `spread`, so that they do not come back at once.
    pub fn go_away(&mut self, now: Now, spread: Millis) {
        self.tick(now);
        let everybody: Vec<ConnId> = self.connections.keys().copied().collect();
        for conn in everybody {
            let delay = self.random.below(spread);
            let message = ServerMessage::GoAway {
                delay_ms: u32::try_from(delay).unwrap_or(u32::MAX),
                servers: List::default(),
            };
            self.send(conn, &message);
        }
    }

    /// Does what is due by now.
    pub fn tick(&mut self, now: Now) {
        while let Some((topic, tag)) = self.topics.expire(now.monotonic) {
            let connection = self
                .tags
                .conn(tag)
                .and_then(|conn| self.connections.get_mut(&conn));
            if let Some(connection) = connection {
                connection.topics.remove(&topic);
            }
            self.deserted(topic);
        }
        while let Some((due, conn)) = self.hellos_due.first().copied() {
            if due > now.monotonic {
                break;
            }
            self.hellos_due.remove(&(due, conn));
            self.hang_up(now, conn, &ErrorReason::Malformed.into());
        }
        self.tick_pairs(now);
        self.callers.expire(now.monotonic);
    }

    /// When [`tick`](Self::tick) is due, on the monotonic clock.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        let hello = self.hellos_due.first().map(|(due, _)| *due);
        let others = [
            self.topics.next_timeout(),
            self.pairs.next_timeout(),
            self.callers.next_timeout(),
        ];
        hello.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// What is to be done next, in this order.
    pub fn poll(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    /// What was counted, and how much of everything there is.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            sockets: self.connections.len() as u64,
            addresses: self.callers.present() as u64,
            tags: self.tags.len() as u64,
            topics: self.topics.len() as u64,
            announcements: self.topics.announcements() as u64,
            pairs: self.pairs.len() as u64,
            ..self.counts
        }
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn connection(&mut self, conn: ConnId) -> Result<&mut Connection, Failure> {
        // Every caller has just looked it up; a connection that is gone is answered into the void.
        self.connections
            .get_mut(&conn)
            .ok_or_else(|| ErrorReason::Malformed.into())
    }

    /// Fails unless `tag` is the connection's.
    fn own_tag(&mut self, conn: ConnId, tag: Tag) -> Result<(), Failure> {
        if self.connection(conn)?.tag == Some(tag) {
            Ok(())
        } else {
            Err(ErrorReason::Tag.into())
        }
    }

    /// Ends that the connection is reachable and stands anywhere.
    fn release(&mut self, conn: ConnId) {
        self.close_pairs_of(conn);
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let Some(tag) = connection.tag.take() else {
            return;
        };
        for topic in std::mem::take(&mut connection.topics) {
            self.topics.withdraw(topic, tag);
            self.deserted(topic);
        }
        if self.tags.conn(tag) == Some(conn) {
            self.afar.push(Far::Ignore(tag));
        }
        for to in self.tags.release(tag, conn) {
            match self.tags.conn(to) {
                Some(conn) => self.send(conn, &ServerMessage::Gone { tag }),
                None => self.afar.push(Far::Tell {
                    to,
                    note: Note::Gone { tag },
                }),
            }
        }
    }

    /// Others need not ask here any more, if nobody is left.
    fn deserted(&mut self, topic: Topic) {
        if self.topics.size(topic) == 0 {
            self.afar.push(Far::Desert(topic));
        }
    }

    fn forget(&mut self, now: Now, conn: ConnId) {
        self.release(conn);
        let Some(connection) = self.connections.remove(&conn) else {
            return;
        };
        if let Stage::Silent(due) = connection.stage {
            self.hellos_due.remove(&(due, conn));
        }
        self.callers
            .leave(now.monotonic, &self.config.limits, connection.address);
    }

    fn hang_up(&mut self, now: Now, conn: ConnId, failure: &Failure) {
        self.send_error(conn, failure);
        self.out.push_back(Out::Close {
            conn,
            reason: failure.reason,
        });
        self.forget(now, conn);
    }

    fn send_error(&mut self, conn: ConnId, failure: &Failure) {
        let message = ServerMessage::Error {
            reason: failure.reason,
            retry_after_ms: failure.retry_after_ms,
        };
        self.send(conn, &message);
    }

    fn send(&mut self, conn: ConnId, message: &ServerMessage) {
        self.out.push_back(Out::Send {
            conn,
            bytes: message.to_bytes(),
            receipt: None,
        });
    }
}

/// Whether a connection ends with this error.
fn ends(reason: ErrorReason) -> bool {
    matches!(
        reason,
        ErrorReason::Malformed | ErrorReason::Version | ErrorReason::Superseded
    )
}
