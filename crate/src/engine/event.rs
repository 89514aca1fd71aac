//! What the app hears. Types only.

use crate::error::Error;
use crate::names::{
    ConnectionId, ConnectionKind, GroupId, HandleId, NodeAddress, NodeId, NodeIndex, PeerId,
    RequestId,
};
use crate::time::Millis;

/// How far a group is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// Not on the network: neither discoverable nor accepting anybody.
    Disconnected,
    /// Looking for the rendezvous server and for members.
    Connecting,
    /// Linked to a member for the first time, getting the group's state.
    Synchronizing,
    /// Discoverable, alone.
    Listening,
    /// With neighbors.
    Online,
    /// The machine slept.
    Suspended,
    /// The handle is closed.
    Closed,
}

impl State {
    /// The name the app sees.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Synchronizing => "synchronizing",
            Self::Listening => "listening",
            Self::Online => "online",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

/// A group's or graph's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// How far it is.
    pub state: State,
    /// Discoverable, accepts members, alone or not.
    pub listening: bool,
    /// At least one neighbor.
    pub has_connections: bool,
    /// Synchronised at least once.
    pub synchronized: bool,
}

/// How a connection's bytes travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// From machine to machine.
    Direct,
    /// Over a TURN server.
    Turn,
}

impl Path {
    /// The name the app sees.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Turn => "turn",
        }
    }
}

/// A snapshot of one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionInfo {
    /// Its id at this node.
    pub id: ConnectionId,
    /// Neighbor or direct.
    pub kind: ConnectionKind,
    /// The identity at the other end.
    pub peer: PeerId,
    /// The node at the other end.
    pub node_id: NodeId,
    /// Where that node is reached.
    pub address: NodeAddress,
    /// How bytes travel.
    pub path: Path,
    /// The last measured round trip.
    pub rtt_ms: Option<Millis>,
    /// Wall milliseconds since 1970 when it opened.
    pub opened_at: Millis,
    /// App bytes sent and taken by the far side or on their way.
    pub bytes_sent: u64,
    /// App bytes received.
    pub bytes_received: u64,
}

/// What happened to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionStatus {
    /// It is open.
    Connected,
    /// It was open and is no more.
    Disconnected,
    /// It did not come up.
    Failed,
}

/// A change of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionChange {
    /// What happened.
    pub status: ConnectionStatus,
    /// To which.
    pub connection: ConnectionId,
    /// The node at the other end, where known.
    pub node_id: Option<NodeId>,
    /// The identity at the other end, where known.
    pub peer: Option<PeerId>,
    /// The attempt that follows a failed one.
    pub next: Option<ConnectionId>,
    /// Why it failed or ended, where there is more to say than that it did.
    pub reason: Option<Error>,
    /// The other side opened it.
    pub incoming: bool,
    /// What a direct connection is for.
    pub label: String,
}

/// A group or graph that was created, opened or joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The handle on it.
    pub handle: HandleId,
    /// The node behind it: handles on the same one hear the same events.
    pub node: NodeIndex,
    /// The group, or the graph's id as a key.
    pub group: GroupId,
    /// The identity.
    pub peer: PeerId,
    /// This node.
    pub node_id: NodeId,
}

/// The answer to a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To creating, opening and joining.
    Opened(Box<Opened>),
    /// To `Connect`.
    Status(Status),
    /// To `Listen`.
    Listening(NodeAddress),
    /// To `ConnectNode` and `OpenDirect`.
    Connected(Box<ConnectionInfo>),
    /// To `CreateInvitation`.
    Invitation(String),
    /// To the others.
    Done,
}

/// What the app hears. Events of a node are for every handle on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A command is answered: once, whatever happens.
    Answered {
        /// Which.
        request: RequestId,
        /// How.
        result: Result<Answer, Error>,
    },
    /// A node's status is another.
    StatusChanged {
        /// Which node.
        node: NodeIndex,
        /// Its status now.
        status: Status,
    },
    /// A neighbor came, went or could not be reached.
    NeighborConnection {
        /// Of which node.
        node: NodeIndex,
        /// What happened.
        change: Box<ConnectionChange>,
    },
    /// A direct connection opened, closed or did not come up.
    DirectConnection {
        /// Of which node.
        node: NodeIndex,
        /// What happened.
        change: Box<ConnectionChange>,
    },
    /// A message came. It counts against the sender's window until it is taken.
    IncomingData {
        /// To which node.
        node: NodeIndex,
        /// Over which connection.
        connection: ConnectionId,
        /// From whom.
        from: PeerId,
        /// Its type.
        kind: String,
        /// The message.
        data: Vec<u8>,
    },
    /// Going online failed.
    ConnectionFailed {
        /// Which node.
        node: NodeIndex,
        /// Why.
        error: Error,
    },
    /// A handle was closed: by `Close`, `Shutdown`, or for the reason given.
    Closed {
        /// Which.
        handle: HandleId,
        /// Why, if the app did not ask for it.
        reason: Option<Error>,
    },
}
