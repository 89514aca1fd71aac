//! Every number on the wire, in one file, so that none is used twice. Removed ones stay, marked.

/// The version that link handshakes begin with.
pub const LINK_VERSION: u8 = 1;
/// The version that Hello begins with.
pub const RENDEZVOUS_VERSION: u8 = 1;

/// Messages from a client to the rendezvous server.
pub mod client {
    /// First message.
    pub const HELLO: u8 = 1;
    /// Be reachable under a tag.
    pub const LISTEN: u8 = 2;
    /// Announce oneself in a topic.
    pub const JOIN: u8 = 3;
    /// Look into a topic.
    pub const RESOLVE: u8 = 4;
    /// Keep an announcement standing.
    pub const REFRESH: u8 = 5;
    /// Pass a signal on.
    pub const SIGNAL: u8 = 6;
    /// Be reachable no more.
    pub const LEAVE: u8 = 7;
    /// Are you there?
    pub const PING: u8 = 8;
    // 9 and 10 are kept for Relay and Turn.
}

/// Messages from the rendezvous server to a client.
pub mod server {
    /// Answer to Hello.
    pub const WELCOME: u8 = 1;
    /// Answer to Listen.
    pub const LISTENING: u8 = 2;
    /// Answer to Join.
    pub const JOINED: u8 = 3;
    /// Answer to Resolve and Refresh.
    pub const PEERS: u8 = 4;
    /// A signal from somebody.
    pub const DELIVERED: u8 = 5;
    /// A signal could not be passed on.
    pub const REFUSED: u8 = 6;
    /// A recent correspondent went away.
    pub const GONE: u8 = 7;
    /// Answer to Ping.
    pub const PONG: u8 = 8;
    /// The server is about to stop.
    pub const GO_AWAY: u8 = 9;
    /// A request failed.
    pub const ERROR: u8 = 10;
    // 11 to 14 are kept for Relay, RelayCredit, RelayClosed and Turn.
}

/// Why a signal was refused.
pub mod refused {
    /// Nobody is reachable under the tag.
    pub const GONE: u8 = 1;
    /// Too many signals.
    pub const QUOTA: u8 = 2;
}

/// Why a request of a client failed.
pub mod server_error {
    /// Not a message of this protocol, or out of order.
    pub const MALFORMED: u8 = 1;
    /// The version is not spoken here.
    pub const VERSION: u8 = 2;
    /// The signature does not fit the topic, origin, challenge and tag.
    pub const SIGNATURE: u8 = 3;
    /// The tag does not fit the secret shown with it.
    pub const TAG: u8 = 4;
    /// Too many requests.
    pub const RATE: u8 = 5;
    /// The server is full.
    pub const FULL: u8 = 6;
    /// A newer socket with the same secret took the tag over.
    pub const SUPERSEDED: u8 = 7;
}
