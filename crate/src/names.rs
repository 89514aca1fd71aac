//! Names of things: newtypes for keys and ids, and how they read as text.

use core::fmt;
use core::str::FromStr;

use crate::base::{BASE32, HEX};

use crate::error::{Code, Error};

macro_rules! key_name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = self.to_string();
                write!(f, concat!(stringify!($name), "({}..)"), text.get(..8).unwrap_or_default())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                let wrong = || {
                    Error::new(Code::InvalidPeerName)
                        .detail(concat!($what, " is 52 characters, a to z and 2 to 7"))
                };
                let bytes = BASE32.decode(text).ok_or_else(wrong)?;
                bytes.try_into().map(Self).map_err(|_| wrong())
            }
        }
    };
}

key_name!(
    /// An identity: an Ed25519 public key. Whether the bytes are a usable key is checked by
    /// [`crate::crypto::Primitives::is_public_key`] wherever one comes from outside.
    PeerId,
    "a peer id"
);
key_name!(
    /// A group: the Ed25519 public key made for it when it was created.
    GroupId,
    "a group id"
);

macro_rules! byte_name {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEX.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

byte_name!(
    /// One open session of an identity: the first bytes of the hash of its session key.
    NodeId,
    8
);
byte_name!(
    /// Where a node is reached on one rendezvous server. Whoever knows it may send it signals.
    Tag,
    16
);
byte_name!(
    /// An X25519 public key that lives as long as one open session.
    SessionKey,
    32
);
byte_name!(
    /// A rendezvous topic: an Ed25519 public key derived from a secret that the members share.
    Topic,
    32
);
byte_name!(
    /// A record. The first half is a hash of its creator, so nobody can take an id of another's.
    RecordId,
    16
);
byte_name!(
    /// One version of a record: a hash of what is signed, whatever the signature looks like.
    RecordHash,
    32
);
byte_name!(
    /// Names one link attempt in signals: the first bytes of its first handshake message.
    Attempt,
    8
);

impl FromStr for NodeId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        HEX.decode(text)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| {
                Error::new(Code::InvalidPeerName).detail("a node id is 16 hexadecimal digits")
            })
    }
}

impl FromStr for RecordId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        HEX.decode(text)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| {
                Error::new(Code::InvalidArgument).detail("a record id is 32 hexadecimal digits")
            })
    }
}

macro_rules! number_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_name!(
    /// A neighbor or direct connection, as this node counts them. Never reused, never zero.
    ConnectionId
);
number_name!(
    /// One open handle of the app on a group or graph.
    HandleId
);
impl HandleId {
    /// A handle on a graph or on a group: the lowest bit keeps which, so that a closed one still
    /// says whether the graph or the group is invalid.
    #[must_use]
    pub fn new(number: u64, is_graph: bool) -> Self {
        Self(number << 1 | u64::from(is_graph))
    }

    /// Whether it is on a graph.
    #[must_use]
    pub fn is_graph(self) -> bool {
        self.0 & 1 == 1
    }
}

number_name!(
    /// A node of this engine: one per (storage, identity, group), behind one or several handles.
    NodeIndex
);
number_name!(
    /// Correlates a command with the one event that answers it.
    RequestId
);
number_name!(
    /// One peer connection of the driver. A new attempt is a new number, so that late news of an
    /// old one is recognised: this is the link's epoch.
    LinkId
);
number_name!(
    /// One socket of the driver to a rendezvous server. A reconnect is a new number.
    SocketId
);
number_name!(
    /// A question to the app.
    AskId
);
number_name!(
    /// A storage operation.
    StorageId
);
number_name!(
    /// A password that is being stretched.
    StretchId
);
number_name!(
    /// Work that is being done.
    WorkId
);

/// The two kinds of connections.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConnectionKind {
    /// Kept up by the engine to carry the group.
    Neighbor,
    /// Opened by the app for its own messages.
    Direct,
}

/// Where a node can be reached.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeAddress {
    /// Rendezvous servers, as URLs.
    pub rendezvous: Vec<String>,
    /// The node's tag there. One tag per server, in the order of `rendezvous`.
    pub tags: Vec<Tag>,
    /// The key that handshakes with it are sealed to.
    pub session: SessionKey,
}

impl NodeAddress {
    /// The node's tag at one of its servers.
    #[must_use]
    pub fn tag_at(&self, url: &str) -> Option<Tag> {
        let here = self.rendezvous.iter().position(|other| other == url)?;
        self.tags.get(here).copied()
    }
}

/// What a member may do. A role includes those below it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum Role {
    /// Publishes.
    #[default]
    Member = 1,
    /// Invites members and inviting members too.
    InvitingMember = 2,
    /// Everything but the properties, which are the creator's.
    Admin = 3,
}

impl Role {
    /// The name the app sees.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::InvitingMember => "inviting-member",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Member, Self::InvitingMember, Self::Admin];
        all.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether it may make somebody else a member of that role.
    #[must_use]
    pub fn may_issue(self, role: Self) -> bool {
        self >= Self::InvitingMember && role <= self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_read_back_and_refuse_other_spellings() {
        let id = PeerId([7; 32]);
        let text = id.to_string();
        assert_eq!(text.len(), 52);
        assert_eq!(text.parse::<PeerId>(), Ok(id));
        assert!(text.to_uppercase().parse::<PeerId>().is_err());
        assert!(text.get(1..).is_some_and(|t| t.parse::<PeerId>().is_err()));
        // The last character carries four unused bits: only the zero form is accepted.
        let mut other = text.clone();
        other.pop();
        other.push('b');
        assert!(other.parse::<PeerId>().is_err());
    }

    #[test]
    fn node_ids_are_sixteen_hex_digits() {
        assert_eq!(
            "00ff00ff00ff00ff".parse(),
            Ok(NodeId([0, 255, 0, 255, 0, 255, 0, 255]))
        );
        assert!("00FF00ff00ff00ff".parse::<NodeId>().is_err());
        assert!("00ff".parse::<NodeId>().is_err());
    }
}
