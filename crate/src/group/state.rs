//! What a node keeps of a group between visits.

use super::credential::{Credential, Credentials};
use super::invitation::Name;
use super::properties::SignedProperties;
use crate::limits::{CONTROL_ITEMS, RENDEZVOUS_SERVERS};
use crate::names::{GroupId, PeerId};
use crate::wire::codec::{List, Wire as _};
use crate::wire::numbers::stored;
use crate::wire::rendezvous::Url;
use crate::wire_struct;

/// Epochs kept: the current one, and those before it that links may still be keyed with.
const EPOCHS: usize = 3;

wire_struct! {
    /// A secret that the members share until somebody is removed.
    pub struct Epoch {
        /// Counts removals.
        pub number: u32,
        /// It.
        pub secret: [u8; 32],
    }

    /// What is stored of a group for one identity.
    pub struct GroupState {
        /// Version of this form.
        pub version: u8,
        /// The group.
        pub group: GroupId,
        /// The identity.
        pub peer: PeerId,
        /// The seed of the group key: the creator's alone.
        pub group_seed: Option<[u8; 32]>,
        /// What people call the group, as far as we know before its properties.
        pub friendly_name: Name,
        /// Where members are found.
        pub rendezvous: List<Url, RENDEZVOUS_SERVERS>,
        /// The secret of the door.
        pub door: [u8; 16],
        /// The newest first; none before somebody let us in.
        pub epochs: List<Epoch, EPOCHS>,
        /// What proves our own membership.
        pub proof: Credentials,
        /// We have had the group's state once.
        pub synchronized: bool,
        /// Peer time minus this machine's wall clock, in milliseconds.
        pub peer_time_offset: i64,
        /// The group's properties.
        pub properties: Option<SignedProperties>,
        /// Credentials of others that we know.
        pub credentials: List<Credential, CONTROL_ITEMS>,
    }
}

impl GroupState {
    /// How the keys begin under which a store keeps groups.
    pub const PREFIX: &str = "group/";

    /// The key under which a store keeps it.
    #[must_use]
    pub fn key(group: GroupId, peer: PeerId) -> String {
        format!("{}{group}/{peer}", Self::PREFIX)
    }

    /// What was stored, if it is one.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(bytes)
            .ok()
            .filter(|state| state.version == stored::GROUP)
    }
}

wire_struct! {
    /// What is stored of a graph for one identity.
    pub struct GraphState {
        /// Version of this form.
        pub version: u8,
        /// We have had the graph's state once, or made it.
        pub synchronized: bool,
        /// Peer time minus this machine's wall clock, in milliseconds.
        pub peer_time_offset: i64,
        /// Where it is listened.
        pub rendezvous: List<Url, RENDEZVOUS_SERVERS>,
    }
}

impl GraphState {
    /// How the keys begin under which a store keeps graphs.
    pub const PREFIX: &str = "graph/";

    /// The key under which a store keeps it.
    #[must_use]
    pub fn key(graph: GroupId, peer: PeerId) -> String {
        format!("{}{graph}/{peer}", Self::PREFIX)
    }

    /// The graph of such a key.
    #[must_use]
    pub fn scope_of(key: &str) -> Option<GroupId> {
        let (scope, _) = key.strip_prefix(Self::PREFIX)?.split_once('/')?;
        scope.parse().ok()
    }

    /// What was stored, if it is one.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(bytes)
            .ok()
            .filter(|state| state.version == stored::GRAPH)
    }
}
