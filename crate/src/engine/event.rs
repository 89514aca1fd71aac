//! What the app hears. Types only.

use crate::error::Error;
use crate::names::{
    ConnectionId, ConnectionKind, GroupId, HandleId, NodeAddress, NodeId, NodeIndex, PeerId,
    RecordId, RequestId, Role,
};
use crate::time::Millis;
use crate::wire::attributes::Attributes;

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
    /// Over the rendezvous server.
    Relay,
}

impl Path {
    /// The name the app sees.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Turn => "turn",
            Self::Relay => "relay",
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

/// A group in a list of groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupInfo {
    /// Names it.
    pub group: GroupId,
    /// What people call it; empty where what is stored of it cannot be read.
    pub friendly_name: String,
}

/// An identity as the app sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentityInfo {
    /// Names it.
    pub peer: PeerId,
    /// What people call it; may be empty.
    pub name: String,
    /// A short readable kind; may be empty.
    pub classifier: String,
    /// What it shows of itself, as a text.
    pub card: String,
}

/// A record as the app sees it. Times are milliseconds since 1970 in peer time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordInfo {
    /// Names it.
    pub id: RecordId,
    /// Its type.
    pub kind: String,
    /// Counts changes from 1.
    pub version: u32,
    /// Who made it.
    pub creator: PeerId,
    /// Who changed it last, if anybody did.
    pub modified_by: Option<PeerId>,
    /// When it was made.
    pub created: Millis,
    /// When it was changed last.
    pub modified: Millis,
    /// When it ends.
    pub expires: Millis,
    /// Its life is extended while its creator is online.
    pub auto_refresh: bool,
    /// For searching.
    pub attributes: Attributes,
    /// What it carries.
    pub data: Vec<u8>,
}

/// What happened to a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordChange {
    /// It is new here.
    Added,
    /// A newer version came.
    Updated,
    /// It was deleted, or its author lost the right to it.
    Deleted,
    /// It came to its end.
    Expired,
}

impl RecordChange {
    /// The name the app sees.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
        }
    }
}

/// A node by which a member is present.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberNode {
    /// Names it.
    pub node_id: NodeId,
    /// Where it is reached.
    pub address: NodeAddress,
    /// Nobody looks at it now.
    pub away: bool,
    /// What its app says of it.
    pub attributes: String,
}

/// What makes somebody a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CredentialInfo {
    /// Who gave it: a member, or the group's own key.
    pub issuer: [u8; 32],
    /// It was the group's own key.
    pub issued_by_group: bool,
    /// When it begins, in wall seconds since 1970.
    pub from: u64,
    /// When it ends; None: never.
    pub until: Option<u64>,
}

/// A member as the app sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberInfo {
    /// Names it.
    pub peer: PeerId,
    /// What people call it; may be empty.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The nodes by which it is present: those that somebody looks at first, of these the newest.
    pub nodes: Vec<MemberNode>,
    /// What makes it a member.
    pub credential: CredentialInfo,
}

/// What happened to a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemberChange {
    /// It is new.
    Joined,
    /// The first of its nodes is present.
    Connected,
    /// The last of its nodes is not present any more.
    Disconnected,
    /// Something else about it.
    Updated,
    /// It gave its membership up.
    Left,
    /// Its membership was ended by somebody else.
    Revoked,
}

impl MemberChange {
    /// The name the app sees.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Updated => "updated",
            Self::Left => "left",
            Self::Revoked => "revoked",
        }
    }
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
    /// To `AddRecord`.
    RecordAdded(RecordId),
    /// To `GetRecord`.
    Record(Box<RecordInfo>),
    /// To `ListRecords` and `SearchRecords`.
    Records(Vec<RecordInfo>),
    /// To `ListGroups`.
    Groups(Vec<GroupInfo>),
    /// To `Identities`: one of them.
    Identity(Box<IdentityInfo>),
    /// To `Identities`: all of them.
    Identities(Vec<IdentityInfo>),
    /// To `ExportConfig`, and to `Identities`: one of them as a sealed text.
    Exported(String),
    /// To `ImportConfig`: the group and whose it is.
    Imported(GroupId, PeerId),
    /// To `ExportDatabase`.
    Database(Vec<u8>),
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
    /// A group's properties are others, or are known for the first time.
    PropertiesChanged {
        /// At which node.
        node: NodeIndex,
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
    /// A record came, changed or went. It may have changed again since.
    RecordChanged {
        /// At which node.
        node: NodeIndex,
        /// What happened.
        change: RecordChange,
        /// To which.
        id: RecordId,
        /// Of which type.
        kind: String,
    },
    /// Somebody is a member, or present, or is not any more, or shows something else of itself.
    MemberChanged {
        /// In the group of which node.
        node: NodeIndex,
        /// What happened.
        change: MemberChange,
        /// To whom.
        peer: PeerId,
    },
    /// Graphs: every record of a type that was wanted first is here.
    TypeSynchronized {
        /// At which node.
        node: NodeIndex,
        /// The type.
        kind: String,
    },
    /// What others wrote could not be stored; it is kept in memory and tried again.
    StorageFailed {
        /// Of which node.
        node: NodeIndex,
        /// Why.
        error: Error,
    },
    /// Going online failed.
    ConnectionFailed {
        /// Which node.
        node: NodeIndex,
        /// Why.
        error: Error,
    },
    /// A member said that the password is wrong. `GivePassword` and `Connect` try another one.
    AuthenticationFailed {
        /// At which node.
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
