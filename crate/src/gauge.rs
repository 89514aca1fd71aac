//! How much an engine holds of what, beside what it may hold at most: for tests that see to it that
//! nobody can fill its memory.

/// Something that an engine holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Held {
    /// Groups and graphs.
    Nodes,
    /// Handles.
    Handles,
    /// Calls under way.
    Requests,
    /// Storage operations under way.
    Operations,
    /// Calls that wait for identities, of all stores.
    Wishes,
    /// Passwords that are being stretched.
    Stretchings,
    /// Identities that were deleted and are remembered.
    Deleted,
    /// Links of any kind and stage, of one node like what follows.
    Links,
    /// Handshakes that others began and that are not confirmed.
    HalfOpenLinks,
    /// Direct connections.
    Directs,
    /// Questions to the app about connections.
    Asks,
    /// Questions to the app about records.
    Verdicts,
    /// Calls whose dial gave way to the other side's.
    Superseded,
    /// First handshake messages that are remembered.
    Attempts,
    /// Signals that wait for a server.
    Signals,
    /// Other ends that frames are relayed to.
    RelayPairs,
    /// Deadlines.
    Timers,
    /// Nodes that are known.
    Known,
    /// Nodes that are kept away.
    Banned,
    /// Types that are wanted first.
    Precedence,
    /// Places where it is announced.
    Places,
    /// Credentials of others.
    Credentials,
    /// Credentials that wait for what they rest on.
    PendingCredentials,
    /// Who holds the password.
    Verifiers,
    /// Words about that which wait for what they rest on.
    PendingVerifiers,
    /// Own wrong passwords that are remembered.
    Guesses,
    /// Work that has bought something.
    SpentWork,
    /// Signatures that are remembered.
    Signatures,
    /// Frames of one link that came out of order, like what follows of one link.
    HeldFrames,
    /// Candidates that wait, in either direction.
    Candidates,
    /// Signals that came before they could be read.
    EarlySignals,
    /// Bytes that wait for a relay's credit.
    RelayWaiting,
    /// Bytes of a relayed packet that arrives.
    RelayArriving,
    /// Messages to the far side, on the way.
    SentMessages,
    /// Their bytes.
    SentBytes,
    /// Messages from the far side that the app has not taken.
    UntakenMessages,
    /// Their bytes.
    UntakenBytes,
    /// Control items to send.
    LaneControl,
    /// New records to send.
    LaneFresh,
    /// Other records to send.
    LaneBulk,
    /// Words that wait behind them.
    LaneMarks,
    /// Bytes of records on the way.
    LaneBytes,
    /// Frames of records on the way.
    LaneFrames,
    /// Records of which the other end was told our version lately.
    LaneAnswered,
    /// Bytes of a large record that arrives.
    LaneArriving,
    /// Control items that were told of when hands were shaken.
    SyncTold,
    /// Items of a comparison.
    SyncItems,
    /// Parts of a comparison that are under way, at the end that began.
    SyncAsked,
    /// And at the other end.
    SyncAnswered,
    /// Symbols that wait for more.
    SyncSymbols,
    /// Records that wait: for time, author or app.
    WaitingRecords,
    /// Their bytes.
    WaitingBytes,
    /// Records that wait to be flooded.
    PacedRecords,
    /// Authors whose rates are remembered.
    PacedAuthors,
    /// Refused versions that are remembered.
    Refused,
    /// Versions of which storage has yet to be told.
    Unstored,
    /// Own changes that storage has not confirmed.
    Writes,
    /// Own records that refresh themselves.
    Refreshing,
    /// Bytes of records.
    StoreBytes,
    /// Places for records, free ones too.
    StoreSlots,
    /// Names of types and members in records.
    StoreNames,
    /// Types of members that are cut.
    StoreCutTypes,
    /// Members who are cut.
    StoreCutCreators,
    /// Members that are listed, and those that have shown nothing of themselves yet.
    Members,
}

impl Held {
    /// How many there are.
    pub const COUNT: usize = Self::Members as usize + 1;
}

/// Hears how much is held of something, and how much there may be.
pub type See<'a> = dyn FnMut(Held, usize, usize) + 'a;
