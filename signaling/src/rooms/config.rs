//! Every bound of the rules, with its unit and its reason.

use peer_group::limits::{ANNOUNCEMENT_BYTES, ANNOUNCEMENT_TTL_S, ICE_SERVERS, SIGNAL_BYTES};
use peer_group::time::Millis;
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::{IceServer, ServerLimits};

use super::{Machine, Work};
use crate::turn::Offer;

/// What an operator decides.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What the server allows.
    pub limits: Limits,
    /// STUN and TURN servers that clients are told to use.
    pub ice: List<IceServer, ICE_SERVERS>,
    /// What those who ask for TURN are given; None: nothing.
    pub turn: Option<Offer>,
    /// Which machine of a cluster this is; None: it is alone.
    pub machine: Option<Machine>,
}

/// What the server allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sockets open at once. Each idle one costs about 5 KiB here, 12 with TLS, and some
    /// more in the kernel (`npm run bench -- server`).
    pub connections: usize,
    /// Sockets open at once from one address: a school behind one address has some hundreds.
    pub connections_per_address: usize,
    /// Sockets opened from one address.
    pub opened_per_address: Rate,
    /// Addresses without a socket that are remembered until they have all their rates again.
    pub resting_addresses: usize,
    /// From the opening of a socket to its Hello, in milliseconds.
    pub hello_ms: Millis,
    /// Topics that one connection may stand in at a time: door and members, two epochs, two days.
    pub topics_per_connection: u16,
    /// Topics with somebody in them.
    pub topics: usize,
    /// Announcements in one topic. Each costs at most about 1.2 KiB.
    pub entries_per_topic: usize,
    /// Seconds an announcement may stand without a refresh.
    pub ttl_s: u16,
    /// Correspondents per tag who hear that it is gone.
    pub correspondents: usize,
    /// Requests of one connection that cost a signature or a sample: Listen, Join, Resolve,
    /// Refresh, Leave.
    pub requests: Rate,
    /// The same requests from one address.
    pub requests_per_address: Rate,
    /// The same requests in all: a signature takes some 50 microseconds of a core.
    pub requests_in_all: Rate,
    /// When clients have to work before the same requests, but Refresh and Leave, are looked at.
    pub work: Work,
    /// What is many, if they have to work when there are many.
    pub work_above: Rate,
    /// Signals and pings of one connection; a signal counts again for each 4 KiB of it.
    pub signals: Rate,
    /// The same from one address.
    pub signals_per_address: Rate,
    /// Signals to one tag, so that strangers cannot make it drown.
    pub inbox: Rate,
    /// Whether frames are relayed at all.
    pub relay: bool,
    /// Bytes that one end of a pair may send before it is given credit. Twice this may wait in
    /// memory for each pair.
    pub relay_bytes: u32,
    /// Bytes relayed for one pair, both ways together.
    pub relay_per_pair: Rate,
    /// Bytes relayed from one address.
    pub relay_per_address: Rate,
    /// Bytes relayed in all.
    pub relay_in_all: Rate,
    /// Pairs of one connection.
    pub pairs_per_connection: usize,
    /// Pairs in all. Each costs some 300 bytes while it is idle.
    pub pairs: usize,
    /// Milliseconds after which a pair that nothing is sent on is closed.
    pub pair_idle_ms: Millis,
}

/// So many a second, after a burst.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// In the long run.
    pub per_second: u32,
    /// At once after a pause.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 256,
            opened_per_address: Rate {
                per_second: 20,
                burst: 256,
            },
            resting_addresses: 65_536,
            hello_ms: 10_000,
            topics_per_connection: 16,
            topics: 100_000,
            entries_per_topic: 16_384,
            ttl_s: ANNOUNCEMENT_TTL_S,
            correspondents: 32,
            requests: Rate {
                per_second: 2,
                burst: 24,
            },
            requests_per_address: Rate {
                per_second: 50,
                burst: 2_000,
            },
            requests_in_all: Rate {
                per_second: 8_000,
                burst: 16_000,
            },
            work: Work::Auto,
            work_above: Rate {
                per_second: 4_000,
                burst: 8_000,
            },
            signals: Rate {
                per_second: 20,
                burst: 100,
            },
            signals_per_address: Rate {
                per_second: 500,
                burst: 8_000,
            },
            inbox: Rate {
                per_second: 50,
                burst: 200,
            },
            relay: true,
            relay_bytes: 64 * 1024,
            relay_per_pair: Rate {
                per_second: 256 * 1024,
                burst: 256 * 1024,
            },
            relay_per_address: Rate {
                per_second: 1024 * 1024,
                burst: 1024 * 1024,
            },
            relay_in_all: Rate {
                per_second: 64 * 1024 * 1024,
                burst: 64 * 1024 * 1024,
            },
            pairs_per_connection: 32,
            pairs: 65_536,
            pair_idle_ms: 120_000,
        }
    }
}

impl Limits {
    /// What clients are told, so that they need not run into the limits.
    #[must_use]
    pub fn told(&self) -> ServerLimits {
        ServerLimits {
            announcement_bytes: ANNOUNCEMENT_BYTES as u32,
            signal_bytes: SIGNAL_BYTES as u32,
            ttl_s: self.ttl_s,
            topics: self.topics_per_connection,
            turn_s: 0,
            relay_bytes: if self.relay { self.relay_bytes } else { 0 },
        }
    }
}
