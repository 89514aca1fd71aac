//! What the app asks of the engine. Types only.

mod search;

pub use search::{Compare, Search};

use crate::crypto::stretch::Password;
use crate::names::{
    ConnectionId, GroupId, HandleId, NodeAddress, NodeId, PeerId, RecordId, RequestId, Role,
};
use crate::time::Millis;
use crate::wire::attributes::Value;

/// Where a group or an identity is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Store {
    /// The durable store of this user.
    #[default]
    Default,
    /// Gone with the engine.
    Memory,
    /// A durable store of its own, so that one person can be two on one machine.
    Named(String),
}

/// A STUN or TURN server that the app brings along.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IceServer {
    /// Where it is.
    pub urls: Vec<String>,
    /// For TURN; empty otherwise.
    pub username: String,
    /// For TURN; empty otherwise.
    pub credential: String,
}

/// How to open a group or graph.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OpenOptions {
    /// Where it is kept.
    pub store: Store,
    /// Whose it is. None: the default identity's, which is made when there is none.
    pub identity: Option<PeerId>,
    /// Rendezvous servers, tried in turn. Empty: those of the invitation or of the last time.
    pub rendezvous: Vec<String>,
    /// Used besides those that the rendezvous server hands out.
    pub ice_servers: Vec<IceServer>,
    /// Hide this machine's addresses from other members: only TURN candidates are used.
    pub relay_only: bool,
    /// Graphs: the app answers [`Question::ValidateRecord`](super::effect::Question) for every record.
    pub validates: bool,
    /// Graphs: types of records that a newcomer wants first.
    pub sync_precedence: Vec<String>,
}

impl OpenOptions {
    /// For what is not opened, but belongs to somebody.
    #[must_use]
    pub fn of(store: Store, identity: Option<PeerId>) -> Self {
        Self {
            store,
            identity,
            ..Self::default()
        }
    }
}

/// What a new identity is called.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewIdentity {
    /// What people call it; may be empty.
    pub name: String,
    /// A short readable kind; may be empty.
    pub classifier: String,
}

/// What is asked of the identities of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IdentityCall {
    /// Makes one. Answered with `Identity`.
    Create(NewIdentity),
    /// The default one, made when there is none. Answered with `Identity`.
    Default,
    /// All of them, the default one first. Answered with `Identities`.
    List,
    /// Takes one over that was exported elsewhere. Answered with `Identity`.
    Import {
        /// As exported.
        text: String,
        /// Under which it is sealed.
        password: Password,
    },
    /// Writes one down for another machine. Answered with `Exported`.
    Export {
        /// Which.
        peer: PeerId,
        /// To seal it under.
        password: Password,
    },
    /// Calls one by another name. Answered with `Identity`.
    Rename {
        /// Which.
        peer: PeerId,
        /// May be empty.
        name: String,
    },
    /// Deletes one that has no groups. Answered with `Done`.
    Delete {
        /// Which.
        peer: PeerId,
    },
}

/// What a new group is to be like.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewGroup {
    /// What people call it.
    pub friendly_name: String,
    /// More about it.
    pub comment: String,
    /// A short readable kind.
    pub classifier: String,
    /// While a member is not connected, nothing expires at it.
    pub defer_expiration: bool,
    /// Bytes of data and attributes that a record may have. None: 1 MiB.
    pub max_record_size: Option<u32>,
    /// Members publish who they are only once they do something.
    pub member_data_optional: bool,
    /// Nobody publishes its presence unless its app asks for it.
    pub presence_disabled: bool,
    /// Seconds that what a member publishes of itself lives. None: 28 days.
    pub member_data_lifetime: Option<u32>,
    /// Seconds that a presence lives. None: 300.
    pub presence_lifetime: Option<u32>,
    /// Whoever knows it may join. None: nobody joins by a password.
    pub password: Option<Password>,
    /// What it makes of them: no admin.
    pub password_role: Role,
}

/// What is to be different about a group. None: stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PropertiesChange {
    /// What people call it.
    pub friendly_name: Option<String>,
    /// More about it.
    pub comment: Option<String>,
    /// Seconds that a presence lives.
    pub presence_lifetime: Option<u32>,
    /// Another password, of a group that has one.
    pub password: Option<Password>,
}

/// What an invitation may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewInvitation {
    /// What it makes of whoever joins by it.
    pub role: Role,
    /// The card of the one identity that it lets in. None: whoever holds the text joins.
    pub to: Option<String>,
    /// How often it lets somebody in.
    pub max_uses: u32,
    /// Wall seconds since 1970 until which it lets somebody in. None: seven days from now.
    pub usable_until: Option<u64>,
    /// Wall seconds since 1970 at which the membership it gives ends. None: the issuer's own end.
    pub expires: Option<u64>,
}

impl Default for NewInvitation {
    fn default() -> Self {
        Self {
            role: Role::Member,
            to: None,
            max_uses: 1,
            usable_until: None,
            expires: None,
        }
    }
}

/// What of a group is to end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EndCall {
    /// A membership, or what an invitation gives.
    Revoke(Revoke),
    /// All invitations that are out.
    VoidInvitations,
    /// The own membership: the group is told, and it is forgotten here.
    Leave,
}

/// Whose membership is to end: a member's, or that of everybody who came with an invitation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Revoke {
    /// The member.
    pub peer: Option<PeerId>,
    /// The invitation's text.
    pub invitation: Option<String>,
    /// For people.
    pub reason: String,
    /// What we know of their records stays; else nothing of them does.
    pub records_stay: bool,
}

/// Another credential for a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewCredential {
    /// Whose.
    pub peer: PeerId,
    /// What it may do from then on. None: what it may do now.
    pub role: Option<Role>,
    /// Wall seconds since 1970 at which it ends. None: it lasts as long as the one before.
    pub until: Option<u64>,
    /// Members are told, so that it holds at once; else only the text brings it.
    pub publish: bool,
}

/// When a record ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// Milliseconds since 1970 in peer time.
    At(Millis),
    /// Milliseconds from now.
    In(Millis),
}

/// Attributes as the app gives them: names with their values.
pub type NamedValues = Vec<(String, Vec<Value>)>;

/// A record to add.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRecord {
    /// Its type.
    pub kind: String,
    /// What it carries.
    pub data: Vec<u8>,
    /// For searching.
    pub attributes: NamedValues,
    /// Its end.
    pub expires: Expiry,
    /// Its life is extended while its creator is online.
    pub auto_refresh: bool,
}

/// What is to be different about a record. None: stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordUpdate {
    /// What it carries.
    pub data: Option<Vec<u8>>,
    /// For searching.
    pub attributes: Option<NamedValues>,
    /// Its end: only ever later.
    pub expires: Option<Expiry>,
    /// Only if this is still its version.
    pub if_version: Option<u32>,
}

/// What is to be different about what a node shows of itself. None: stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PresenceChange {
    /// It is shown to be present, or not, whatever the group has.
    pub present: Option<bool>,
    /// Whatever the app wants to say.
    pub attributes: Option<String>,
}

/// To whom a direct connection goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Any node of that identity, the newest first.
    Peer(PeerId),
    /// That node.
    Node(NodeId),
    /// Whoever is reached there.
    Address(NodeAddress),
}

/// What the app asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Makes a group. Answered with `Opened`.
    CreateGroup {
        /// How to open it.
        options: OpenOptions,
        /// What it is to be like.
        group: NewGroup,
    },
    /// Opens a group that the identity created or joined before. Answered with `Opened`.
    OpenGroup {
        /// How to open it.
        options: OpenOptions,
        /// Which.
        group: GroupId,
    },
    /// Takes an invitation. Local: `Connect` is what meets the group. Answered with `Opened`.
    JoinGroup {
        /// How to open it.
        options: OpenOptions,
        /// The text of the invitation.
        invitation: String,
    },
    /// Takes an invitation that asks for a password. Local, as `JoinGroup` is: a member checks the
    /// password when the group is met. Answered with `Opened`.
    JoinWithPassword {
        /// How to open it.
        options: OpenOptions,
        /// The text of the invitation.
        invitation: String,
        /// As somebody said it.
        password: Password,
    },
    /// Gives the password to come in with, as for another try after a wrong one: `Connect` is what tries.
    /// Members need none. Answered with `Done`, at once.
    GivePassword {
        /// Of a group.
        handle: HandleId,
        /// As somebody said it.
        password: Password,
    },
    /// Makes a graph, once ever per id. Answered with `Opened`.
    CreateGraph {
        /// How to open it.
        options: OpenOptions,
        /// Its id.
        graph: String,
    },
    /// Opens a graph. Answered with `Opened`.
    OpenGraph {
        /// How to open it.
        options: OpenOptions,
        /// Its id.
        graph: String,
    },
    /// Removes what is stored of a group; open handles on it become invalid. Answered with `Done`.
    DeleteGroup {
        /// Where it is kept.
        store: Store,
        /// Whose it is. None: the default identity's.
        identity: Option<PeerId>,
        /// Which.
        group: GroupId,
    },
    /// Writes down what a membership rests on, for another machine: the group key too where it is the
    /// creator's. Answered with `Exported`.
    ExportConfig {
        /// Of a group.
        handle: HandleId,
        /// To seal it under.
        password: Password,
    },
    /// Takes a membership over that was exported elsewhere; the identity must be here. Answered with
    /// `Imported`.
    ImportConfig {
        /// Where it is to be kept.
        store: Store,
        /// As exported.
        text: String,
        /// Under which it is sealed.
        password: Password,
        /// Also where the group is here already.
        overwrite: bool,
    },
    /// Lists the groups that an identity created or joined. Answered with `Groups`.
    ListGroups {
        /// Where they are kept.
        store: Store,
        /// Whose they are. None: the default identity's.
        identity: Option<PeerId>,
    },
    /// Works with identities. Answered as the call says.
    Identities {
        /// Where they are kept.
        store: Store,
        /// What is asked of them.
        call: IdentityCall,
    },
    /// Goes online. Answered with `Status` once the group is usable.
    Connect {
        /// Of a group.
        handle: HandleId,
        /// How long it may take.
        timeout_ms: Millis,
        /// Skip discovery and try these.
        addresses: Vec<NodeAddress>,
    },
    /// Makes a graph reachable. Answered with `Listening`.
    Listen {
        /// Of a graph.
        handle: HandleId,
    },
    /// Connects a graph to a node. Its connection id is known at once from
    /// [`Engine::connection_of`](super::Engine::connection_of). Answered with `Connected`.
    ConnectNode {
        /// Of a graph.
        handle: HandleId,
        /// Who must answer there; None: whoever does.
        peer: Option<PeerId>,
        /// Where.
        address: NodeAddress,
        /// How long it may take.
        timeout_ms: Millis,
    },
    /// Ends one handle; the last on a group or graph takes its node off the network. Answered with
    /// `Done`.
    Close {
        /// Of a group or graph.
        handle: HandleId,
    },
    /// Opens a direct connection. Its id is known at once from
    /// [`Engine::connection_of`](super::Engine::connection_of). Answered with `Connected`.
    OpenDirect {
        /// Of a group or graph.
        handle: HandleId,
        /// To whom.
        to: Target,
        /// What it is for, shown to the far side.
        label: String,
        /// How long it may take.
        timeout_ms: Millis,
    },
    /// Closes a direct connection, open or opening. Answered with `Done`, at once.
    CloseDirect {
        /// Of a group or graph.
        handle: HandleId,
        /// Which.
        connection: ConnectionId,
    },
    /// Sends a message over a neighbor or direct connection. Answered with `Done` once the far
    /// side's app took it.
    Send {
        /// Of a group or graph.
        handle: HandleId,
        /// Over which.
        connection: ConnectionId,
        /// The message's type.
        kind: String,
        /// The message.
        data: Vec<u8>,
    },
    /// The app took the oldest `messages` that came over a connection: their senders are told, and
    /// may send more. Answered with `Done`, at once.
    Take {
        /// Of a group or graph.
        handle: HandleId,
        /// Over which they came.
        connection: ConnectionId,
        /// How many.
        messages: u32,
    },
    /// Ends memberships or invitations.
    End {
        /// On which handle.
        handle: HandleId,
        /// Which.
        call: EndCall,
    },
    /// Makes an invitation. Answered with `Invitation`.
    CreateInvitation {
        /// Of a group.
        handle: HandleId,
        /// What it may do.
        invitation: NewInvitation,
    },
    /// Makes an invitation for whoever knows the group's password. Answered with `Invitation`.
    CreatePasswordInvitation {
        /// Of a group.
        handle: HandleId,
    },
    /// Gives a member another credential: a later end, another role. Answered with `Invitation`, a text
    /// for it alone, once that is durable.
    IssueCredentials {
        /// Of a group.
        handle: HandleId,
        /// Which.
        new: NewCredential,
    },
    /// Changes a group's properties: its creator may. Answered with `Done` once that is durable.
    SetProperties {
        /// Of a group.
        handle: HandleId,
        /// How.
        change: PropertiesChange,
    },
    /// Says what this node shows of itself. Answered with `Done`, at once.
    SetPresence {
        /// Of a group.
        handle: HandleId,
        /// How.
        change: PresenceChange,
    },
    /// Adds a record. Answered with `RecordAdded` once it is durable.
    AddRecord {
        /// Of a group or graph.
        handle: HandleId,
        /// It.
        record: NewRecord,
    },
    /// Changes a record. Answered with `Done` once that is durable.
    UpdateRecord {
        /// Of a group or graph.
        handle: HandleId,
        /// Which.
        id: RecordId,
        /// How.
        update: RecordUpdate,
    },
    /// Deletes a record everywhere. Answered with `Done` once that is durable.
    DeleteRecord {
        /// Of a group or graph.
        handle: HandleId,
        /// Which.
        id: RecordId,
    },
    /// Reads a record. Answered with `Record`, at once.
    GetRecord {
        /// Of a group or graph.
        handle: HandleId,
        /// Which.
        id: RecordId,
    },
    /// Reads the records there are. Answered with `Records`, at once.
    ListRecords {
        /// Of a group or graph.
        handle: HandleId,
        /// Of this type only.
        kind: Option<String>,
        /// Of this creator only.
        creator: Option<PeerId>,
    },
    /// Finds records among those this node holds. Answered with `Records`, at once.
    SearchRecords {
        /// Of a group or graph.
        handle: HandleId,
        /// Which.
        search: Search,
    },
    /// Drops a record here only; it comes back with the next synchronisation unless it is rejected.
    /// Answered with `Done`, at once.
    DeleteLocal {
        /// Of a graph.
        handle: HandleId,
        /// Which.
        id: RecordId,
    },
    /// Asks the app again about records that it deferred. Answered with `Done`, at once.
    ValidateDeferred {
        /// Of a graph.
        handle: HandleId,
        /// Which; none: all.
        ids: Vec<RecordId>,
    },
    /// Writes the records, and what they rest on, into one piece. Answered with `Database`, at once.
    ExportDatabase {
        /// Of a group or graph.
        handle: HandleId,
    },
    /// Takes what was exported from the same group and identity; not while online. Answered with
    /// `Done` once it is durable.
    ImportDatabase {
        /// Of a group or graph.
        handle: HandleId,
        /// As exported.
        data: Vec<u8>,
    },
    /// Gives a request up: it is answered with `aborted`. Answered with `Done`, at once.
    Abort {
        /// Which.
        request: RequestId,
    },
    /// Closes every handle; older handles answer `not-initialized` from now on. Answered with
    /// `Done`.
    Shutdown,
}
