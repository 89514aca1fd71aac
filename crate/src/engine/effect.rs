//! What the driver must do. Types only: plain data, in order, each once.

use super::command::{IceServer, Store};
use super::event::{RecordChange, RecordInfo};
use super::input::Channel;
use crate::crypto::stretch::{Cost, Password};
use crate::names::{
    AskId, LinkId, NodeId, NodeIndex, PeerId, SocketId, StorageId, StretchId, WorkId,
};

/// Which end of a link describes itself first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// This one.
    Offer,
    /// The other one, like this.
    Answer {
        /// The remote offer.
        remote: String,
    },
}

/// A question to the app.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// May this member open a direct connection to us?
    AcceptDirect {
        /// Who asks.
        peer: PeerId,
        /// From which node.
        node_id: NodeId,
    },
    /// Is this record to be kept?
    ValidateRecord {
        /// It.
        record: Box<RecordInfo>,
        /// What became of it.
        change: RecordChange,
    },
}

/// A key and its new value; None removes.
pub type Change = (String, Option<Vec<u8>>);

/// How the keys begin under which secrets are stored: the driver wraps those values with a key of the
/// platform that cannot be taken out of it, where there is one.
pub const SECRETS: &str = "identity/";

/// What the driver must do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Open a WebSocket; report `SocketOpened`, then what comes, then `SocketClosed` once.
    OpenSocket {
        /// Its name.
        socket: SocketId,
        /// Where, a ws: or wss: URL.
        url: String,
        /// What to be let in by, for a second subprotocol; empty for none.
        token: String,
    },
    /// Send one binary message.
    SendSocket {
        /// Over which.
        socket: SocketId,
        /// As it is.
        bytes: Vec<u8>,
    },
    /// Close; nothing more is reported of it.
    CloseSocket {
        /// Which.
        socket: SocketId,
    },

    /// Make a peer connection with two negotiated channels (0 reliable, 1 unordered without
    /// retransmission) and describe it; report `LinkDescribed`, then candidates as they are found.
    OpenLink {
        /// Its name.
        link: LinkId,
        /// Who offers.
        role: Role,
        /// STUN and TURN servers to use.
        ice_servers: Vec<IceServer>,
        /// Use TURN candidates only.
        relay_only: bool,
    },
    /// Set the answer to a link's own offer.
    AnswerLink {
        /// Which.
        link: LinkId,
        /// The remote answer.
        remote: String,
    },
    /// Add a candidate of the other end. The remote description is set before.
    AddCandidate {
        /// Which.
        link: LinkId,
        /// The candidate attribute's value; empty at the end of the list.
        candidate: String,
    },
    /// Send one binary message.
    Transmit {
        /// Over which link.
        link: LinkId,
        /// Over which of its channels.
        channel: Channel,
        /// As it is.
        bytes: Vec<u8>,
    },
    /// Close and forget a link, letting what was transmitted before still leave; nothing more is
    /// reported of it.
    CloseLink {
        /// Which.
        link: LinkId,
    },

    /// Read every value whose key begins with `prefix`; report `Loaded`.
    Load {
        /// Its name.
        storage: StorageId,
        /// Where.
        store: Store,
        /// What the keys begin with.
        prefix: String,
    },
    /// Store or remove values, all or none; report `Persisted` once it is durable.
    Persist {
        /// Its name.
        storage: StorageId,
        /// Where.
        store: Store,
        /// What is to be different.
        changes: Vec<Change>,
        /// Wait until the bytes are on disk: keys and credentials.
        strict: bool,
    },
    /// Make a key of a password with [`stretch`](crate::crypto::Primitives::stretch); report `Stretched`.
    /// It takes some 100 ms and 19 MiB, so it is the driver who says when and in which thread.
    Stretch {
        /// Its name.
        stretch: StretchId,
        /// Of what.
        password: Password,
        /// With which salt.
        salt: [u8; 16],
        /// At what cost.
        cost: Cost,
    },
    /// Find an answer that [solves](crate::crypto::work::solve) a puzzle; report `Worked`. It takes some
    /// 2^bits tries, so the driver does it in pieces and keeps nobody waiting.
    Work {
        /// Its name.
        work: WorkId,
        /// What is to be solved.
        puzzle: [u8; 32],
        /// Zero bits to find.
        bits: u8,
    },
    /// Take the lock of that name, which one page of a browser may hold at a time; report `Locked`
    /// without waiting for another holder.
    Lock {
        /// For which node.
        node: NodeIndex,
        /// The name.
        name: String,
    },
    /// Give the lock back.
    Unlock {
        /// Of which node.
        node: NodeIndex,
    },

    /// Ask the app; report `Answered`. Silence is no.
    Ask {
        /// Its name.
        ask: AskId,
        /// On behalf of which node.
        node: NodeIndex,
        /// What.
        question: Question,
    },
}
