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
    /// Carry a frame to the other end of a pair.
    pub const RELAY: u8 = 9;
    /// Hand out what TURN servers ask for.
    pub const TURN: u8 = 10;
    /// Work that the server has asked for.
    pub const WORK: u8 = 11;
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
    /// A frame from the other end of a pair.
    pub const RELAY: u8 = 11;
    /// More may be sent to the other end of a pair.
    pub const RELAY_CREDIT: u8 = 12;
    /// A pair carries nothing any more.
    pub const RELAY_CLOSED: u8 = 13;
    /// Answer to Turn.
    pub const TURN: u8 = 14;
    /// Work is asked for before requests are looked at.
    pub const WORK: u8 = 15;
}

/// Why a signal was refused.
pub mod refused {
    /// Nobody is reachable under the tag.
    pub const GONE: u8 = 1;
    /// Too many signals.
    pub const QUOTA: u8 = 2;
}

/// Why a pair carries nothing any more.
pub mod relay_closed {
    /// Nobody is reachable under the tag, or another socket is by now.
    pub const GONE: u8 = 1;
    /// The other end has not written.
    pub const UNASKED: u8 = 2;
    /// More was sent than may be.
    pub const QUOTA: u8 = 3;
    /// Nothing was sent for long.
    pub const IDLE: u8 = 4;
    /// This server relays nothing.
    pub const OFF: u8 = 5;
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
    /// Not let in.
    pub const FORBIDDEN: u8 = 8;
}

/// What travels inside signals.
pub mod signal {
    /// First handshake message.
    pub const INITIATE: u8 = 1;
    /// Second handshake message.
    pub const ANSWER: u8 = 2;
    /// Sealed by the keys of the handshake.
    pub const SEALED: u8 = 3;
    /// The secret of a first message is not known.
    pub const UNKNOWN: u8 = 4;
}

/// What a handshake is for.
pub mod purpose {
    /// A link between members.
    pub const NEIGHBOR: u8 = 1;
    /// A newcomer, or a member with an old epoch, at the door.
    pub const JOIN: u8 = 2;
    /// A link for direct connections only.
    pub const DIRECT: u8 = 3;
    /// Somebody at the door who has a password and no membership yet.
    pub const PASSWORD: u8 = 4;
    /// A member at the door.
    pub const RETURN: u8 = 5;
}

/// The second handshake message's payload.
pub mod reply {
    /// Let us.
    pub const ACCEPT: u8 = 1;
    /// Rather not.
    pub const REFUSE: u8 = 2;
    /// Prove that you know the password.
    pub const CHALLENGE: u8 = 3;
}

/// What is said to whoever comes with a password.
pub mod challenge {
    /// The answerer's share of the run.
    pub const SHARE: u8 = 1;
    /// The password has another generation.
    pub const GENERATION: u8 = 2;
    /// Work first.
    pub const WORK: u8 = 3;
    /// Not now.
    pub const LATER: u8 = 4;
}

/// What is sealed beside the data channel.
pub mod trickle {
    /// A candidate.
    pub const CANDIDATE: u8 = 1;
    /// The answer to an offer that came in message 2.
    pub const ANSWER: u8 = 2;
    /// The attempt is given up.
    pub const ABANDON: u8 = 3;
    /// Who asks proves that it knows the password.
    pub const PROOF: u8 = 4;
    /// Who answers proves the same, and lets it in.
    pub const ADMITTED: u8 = 5;
    // 6 and 7 are kept for ICE restarts.
    /// A piece of a link's packet, where the link goes over the rendezvous server.
    pub const PIECE: u8 = 8;
}

/// Frames on a link.
pub mod frame {
    /// First frame.
    pub const CONFIRM: u8 = 1;
    /// Are you there?
    pub const PING: u8 = 2;
    /// Yes.
    pub const PONG: u8 = 3;
    /// The link ends.
    pub const BYE: u8 = 4;
    /// Control items.
    pub const CONTROL: u8 = 5;
    // 6 was the end of the control items, before they were compared.
    /// Open a direct connection.
    pub const DIRECT_OPEN: u8 = 7;
    /// It is accepted.
    pub const DIRECT_ACCEPT: u8 = 8;
    /// It is refused.
    pub const DIRECT_REFUSE: u8 = 9;
    /// It is closed.
    pub const DIRECT_CLOSE: u8 = 10;
    /// A message of the app.
    pub const DATA: u8 = 11;
    /// Messages were taken.
    pub const TAKEN: u8 = 12;
    /// Something of a comparison.
    pub const SYNC: u8 = 13;
    /// Records.
    pub const RECORDS: u8 = 14;
    /// A piece of a large record.
    pub const RECORD_PART: u8 = 15;
    /// Frames of items were taken in.
    pub const ITEMS_TAKEN: u8 = 16;
}

/// What is compared.
pub mod scope {
    /// Control items.
    pub const CONTROL: u8 = 1;
    /// Records.
    pub const DATA: u8 = 2;
}

/// Messages of a comparison.
pub mod sync {
    /// What the sender holds.
    pub const HOLDS: u8 = 1;
    /// Answer to it.
    pub const ANSWER: u8 = 2;
    /// What the sender holds in each of the parts of a part.
    pub const SPLIT: u8 = 3;
    /// Answer to it.
    pub const PARTS: u8 = 4;
    /// Coded symbols of a part.
    pub const SYMBOLS: u8 = 5;
    /// They do not tell the difference yet.
    pub const MORE: u8 = 6;
    /// All ids of a part.
    pub const IDS: u8 = 7;
    /// Those of a part that the sender lacks.
    pub const WANT: u8 = 8;
    /// The sender wants everything.
    pub const SEND_ALL: u8 = 9;
    /// All of a type was sent.
    pub const TYPE_END: u8 = 10;
    /// All was sent.
    pub const END: u8 = 11;
}

/// How what one holds compares with what somebody else does.
pub mod compared {
    /// Nothing differs.
    pub const SAME: u8 = 1;
    /// Something differs.
    pub const DIFFERS: u8 = 2;
    /// The sender has so little that it wants everything.
    pub const EVERYTHING: u8 = 3;
}

/// Why a link ends.
pub mod bye {
    /// The node goes off the network.
    pub const LEAVING: u8 = 1;
    /// The link is not needed.
    pub const UNNEEDED: u8 = 2;
    /// A newer link to the same node replaced it.
    pub const REPLACED: u8 = 3;
    /// The other side broke a rule.
    pub const FAULT: u8 = 4;
    /// The other side is no longer a member.
    pub const REMOVED: u8 = 5;
}

/// Kinds of credentials.
pub mod credential {
    /// Makes its subject a member.
    pub const MEMBERSHIP: u8 = 1;
    /// Lets an invitation's key make members.
    pub const DELEGATION: u8 = 2;
    /// A member lets somebody in who came with an invitation.
    pub const ADMISSION: u8 = 3;
    /// Ends memberships.
    pub const REVOCATION: u8 = 4;
    /// What stays of somebody whose membership ends.
    pub const VOUCH: u8 = 5;
}

/// Control items.
pub mod control {
    /// A credential.
    pub const CREDENTIAL: u8 = 1;
    /// The group's properties.
    pub const PROPERTIES: u8 = 2;
    /// A secret that members share.
    pub const SECRET: u8 = 3;
    /// The stretched password, sealed to somebody who may let others in by it.
    pub const VERIFIER: u8 = 5;
}

/// What secrets are for.
pub mod secret {
    /// Members find and link one another.
    pub const EPOCH: u8 = 1;
    /// Newcomers find members.
    pub const DOOR: u8 = 2;
}

/// How a membership ends.
pub mod how {
    /// Somebody was removed.
    pub const REMOVED: u8 = 1;
    /// Another membership takes its place.
    pub const REPLACED: u8 = 2;
    /// It left by itself.
    pub const LEFT: u8 = 3;
}

/// What a revocation is about.
pub mod revoked {
    /// A member.
    pub const MEMBER: u8 = 1;
    /// Everybody who came with an invitation.
    pub const INVITATION: u8 = 2;
}

/// Kinds of attribute values.
pub mod value {
    /// Text.
    pub const TEXT: u8 = 1;
    /// A safe integer.
    pub const NUMBER: u8 = 2;
    /// A date.
    pub const DATE: u8 = 3;
}

/// Records.
pub mod record {
    /// The form of what is signed.
    pub const FORM: u8 = 1;
    /// Flag: a tombstone.
    pub const DELETED: u8 = 1;
    /// Flag: its creator's nodes extend its life while they are online.
    pub const AUTO_REFRESH: u8 = 2;
    /// Never changed.
    pub const ORIGINAL: u8 = 0;
    /// Last changed by its creator.
    pub const BY_CREATOR: u8 = 1;
    /// Last changed by somebody else.
    pub const BY_OTHER: u8 = 2;
}

/// Versions of what is stored.
pub mod stored {
    /// The one identity that a store had.
    pub const IDENTITY_ALONE: u8 = 1;
    /// An identity.
    pub const IDENTITY: u8 = 2;
    /// A group.
    pub const GROUP: u8 = 3;
    /// A group, sealed by its identity.
    pub const GROUP_SEALED: u8 = 2;
    /// A graph.
    pub const GRAPH: u8 = 1;
    /// An exported database.
    pub const DATABASE: u8 = 1;
}

/// Versions of what is taken along under a password.
pub mod exported {
    /// An identity.
    pub const IDENTITY: u8 = 1;
    /// A membership.
    pub const CONFIG: u8 = 1;
}

/// Texts sealed under a password.
pub mod sealed {
    /// Argon2id and ChaCha20-Poly1305.
    pub const VERSION: u8 = 1;
}

/// What an identity shows of itself.
pub mod card {
    /// The form of it.
    pub const VERSION: u8 = 1;
}

/// Kinds of invitations.
pub mod invitation {
    /// One identity joins.
    pub const BOUND: u8 = 1;
    /// Whoever holds the text joins.
    pub const BEARER: u8 = 2;
    /// Whoever knows the group's password joins.
    pub const PASSWORD: u8 = 3;
}
