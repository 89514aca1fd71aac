//! What happened in the world. Types only: the driver reports, the engine decides.

use crate::error::{CandidateKind, Stage};
use crate::names::{AskId, LinkId, NodeIndex, SocketId, StorageId, StretchId, WorkId};

/// One of the two channels of a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Channel {
    /// Id 0: ordered, nothing is lost.
    Reliable,
    /// Id 1: unordered, never sent twice.
    Unreliable,
}

/// Why storage failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StorageFault {
    /// No room.
    Full,
    /// Not allowed, or broken.
    Blocked,
}

/// The app's word on a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Yes.
    Accept,
    /// No.
    Reject,
    /// Ask again later; to a question about a direct connection the same as no.
    Defer,
}

/// A stored value under its key.
pub type Entry = (String, Vec<u8>);

impl Input {
    /// The link whose peer connection it is about.
    #[must_use]
    pub fn link(&self) -> Option<LinkId> {
        match self {
            Self::LinkDescribed { link, .. }
            | Self::CandidateFound { link, .. }
            | Self::LinkOpened { link }
            | Self::LinkPath { link, .. }
            | Self::FrameReceived { link, .. }
            | Self::LinkLost { link }
            | Self::LinkRecovered { link }
            | Self::LinkFailed { link, .. }
            | Self::LinkClosed { link } => Some(*link),
            _ => None,
        }
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Time passed; whatever is due runs before any input in any case.
    Tick,
    /// Somebody looks at this page, or does not any more.
    Seen {
        /// Somebody does.
        visible: bool,
    },

    /// A socket is open.
    SocketOpened {
        /// Which.
        socket: SocketId,
    },
    /// A message came over a socket.
    SocketReceived {
        /// Which.
        socket: SocketId,
        /// As it came.
        bytes: Vec<u8>,
    },
    /// A socket closed, or could not be opened.
    SocketClosed {
        /// Which.
        socket: SocketId,
    },

    /// A link's own description is ready: the offer, or the answer to the remote one.
    LinkDescribed {
        /// Which.
        link: LinkId,
        /// As the browser wrote it.
        sdp: String,
    },
    /// A link found a candidate of its own; an empty one ends the list.
    CandidateFound {
        /// Which.
        link: LinkId,
        /// The candidate attribute's value.
        candidate: String,
    },
    /// Both channels of a link are open.
    LinkOpened {
        /// Which.
        link: LinkId,
    },
    /// Which way a link's bytes go.
    LinkPath {
        /// Which.
        link: LinkId,
        /// Over a TURN server.
        turn: bool,
    },
    /// A message came over a link.
    FrameReceived {
        /// Which.
        link: LinkId,
        /// Over which of its channels.
        channel: Channel,
        /// As it came.
        bytes: Vec<u8>,
    },
    /// A link's transport is interrupted; it may come back by itself.
    LinkLost {
        /// Which.
        link: LinkId,
    },
    /// An interrupted transport came back.
    LinkRecovered {
        /// Which.
        link: LinkId,
    },
    /// A link failed for good, or could not be made.
    LinkFailed {
        /// Which.
        link: LinkId,
        /// How far it had come.
        stage: Stage,
        /// Which kinds of candidates it had found.
        candidates: Vec<CandidateKind>,
    },
    /// A link's channel was closed by the other side.
    LinkClosed {
        /// Which.
        link: LinkId,
    },

    /// Stored values were read.
    Loaded {
        /// Which operation.
        storage: StorageId,
        /// In order of their keys.
        result: Result<Vec<Entry>, StorageFault>,
    },
    /// Values were stored, durably.
    Persisted {
        /// Which operation.
        storage: StorageId,
        /// Or not.
        result: Result<(), StorageFault>,
    },
    /// A password was stretched.
    Stretched {
        /// Which.
        stretch: StretchId,
        /// The key; None: there was not the memory.
        key: Option<[u8; 32]>,
    },
    /// Work was done.
    Worked {
        /// Which.
        work: WorkId,
        /// The answer.
        answer: u64,
    },
    /// The lock on a node was given, or somebody else has it.
    Locked {
        /// Of which node.
        node: NodeIndex,
        /// Given.
        granted: bool,
    },

    /// The app answered a question.
    Answered {
        /// Which.
        ask: AskId,
        /// Its answer.
        verdict: Verdict,
    },
}
