//! What the rules have counted, for whoever watches the server.

/// Counted since the start, or as it is now; which, the names say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Sockets open now.
    pub sockets: u64,
    /// Addresses that have a socket now.
    pub addresses: u64,
    /// Tags reachable now.
    pub tags: u64,
    /// Topics with somebody in them now.
    pub topics: u64,
    /// Announcements that stand now.
    pub announcements: u64,
    /// Pairs that are relayed for now.
    pub pairs: u64,
    /// Sockets opened since the start.
    pub sockets_opened: u64,
    /// Sockets refused since the start: the server or the address had enough.
    pub sockets_refused: u64,
    /// Messages of clients since the start.
    pub messages: u64,
    /// Those that were none, or out of order.
    pub malformed: u64,
    /// Requests to join that were granted.
    pub joins: u64,
    /// Signatures that did not fit.
    pub bad_signatures: u64,
    /// Requests and signals refused because they came too fast, or were not worked for.
    pub rate_limited: u64,
    /// Times that a client was asked for work.
    pub work_asked: u64,
    /// Right answers to that.
    pub work_done: u64,
    /// Signals passed on.
    pub signals: u64,
    /// Signals refused: nobody there, or too many.
    pub signals_refused: u64,
    /// Frames relayed.
    pub relayed_frames: u64,
    /// Bytes of those frames.
    pub relayed_bytes: u64,
    /// Pairs closed because an end sent more than it may.
    pub relay_overruns: u64,
    /// Tags that other machines were told to be reached through here.
    pub claims_told: u64,
    /// Tags that were left to another machine, their sockets ended.
    pub claims_yielded: u64,
}
