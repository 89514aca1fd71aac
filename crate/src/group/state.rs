//! What a node keeps of a group between visits.

use super::credential::{Credential, Credentials};
use super::epoch::Secret;
use super::identity::Identity;
use super::invitation::Name;
use super::password::verifier::Verifier;
use super::properties::SignedProperties;
use crate::crypto::Crypto;
use crate::error::{Code, Error};
use crate::limits::{
    CONTROL_ITEMS, EARLIER_NODES, PASSWORD_BYTES, RENDEZVOUS_SERVERS, VERIFIERS, WAITING_SECRETS,
};
use crate::names::{GroupId, NodeId, PeerId};
use crate::random::Random;
use crate::wire::codec::{List, Text, Wire as _};
use crate::wire::numbers::{exported, stored};
use crate::wire::rendezvous::Url;
use crate::wire_struct;

/// Secrets kept of each kind: the one in use, and the one before it.
const SECRETS: usize = 2;

wire_struct! {
    /// A password as its creator chose it.
    pub struct Chosen {
        /// For which generation.
        pub generation: u32,
        /// It.
        pub text: Text<PASSWORD_BYTES>,
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
        /// The one before it: members that have slept come back by it.
        pub old_door: Option<[u8; 16]>,
        /// Who says that this is the door, since it was replaced.
        pub doors: List<Secret, SECRETS>,
        /// The newest first; none before somebody let us in.
        pub epochs: List<Secret, SECRETS>,
        /// Those that do not count yet.
        pub secrets: List<Secret, WAITING_SECRETS>,
        /// What proves our own membership.
        pub proof: Credentials,
        /// What ended it, as far as we were told.
        pub expelled: Option<Credential>,
        /// We have had the group's state once.
        pub synchronized: bool,
        /// Peer time minus this machine's wall clock, in milliseconds.
        pub peer_time_offset: i64,
        /// The group's properties.
        pub properties: Option<SignedProperties>,
        /// Credentials of others that we know.
        pub credentials: List<Credential, CONTROL_ITEMS>,
        /// The generation of the password that an invitation asks for, until we are let in.
        pub asks_for: Option<u32>,
        /// The group's password: its creator's alone.
        pub password: Option<Chosen>,
        /// Who holds the stretched password.
        pub verifiers: List<Verifier, VERIFIERS>,
        /// Nodes of this storage whose presence may stand, the newest first.
        pub nodes: List<NodeId, EARLIER_NODES>,
    }
}

wire_struct! {
    /// What is taken along of a membership.
    struct Config {
        version: u8,
        state: GroupState,
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

    /// The group of such a key, if the identity's.
    #[must_use]
    pub fn group_of(key: &str, peer: PeerId) -> Option<GroupId> {
        let (group, of) = key.strip_prefix(Self::PREFIX)?.split_once('/')?;
        (of.parse() == Ok(peer)).then(|| group.parse().ok())?
    }

    /// What is stored of it: sealed by its identity, for there are secrets in it, and the group's own key
    /// at its creator.
    #[must_use]
    pub fn to_stored(&self, crypto: Crypto, identity: &Identity, random: &mut Random) -> Vec<u8> {
        let key = Self::key(self.group, self.peer);
        let nonce = random.bytes();
        let sealed = crypto.seal(
            &sealing_key(crypto, identity, &key),
            &nonce,
            &[],
            &self.to_bytes(),
        );
        let mut out = vec![stored::GROUP_SEALED];
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// What was stored under a key, if it is one. The first form was not sealed.
    #[must_use]
    pub fn from_stored(
        crypto: Crypto,
        identity: &Identity,
        key: &str,
        bytes: &[u8],
    ) -> Option<Self> {
        let state = match bytes.split_first() {
            Some((&stored::GROUP_SEALED, rest)) => {
                let (nonce, sealed) = rest.split_first_chunk()?;
                let sealing = sealing_key(crypto, identity, key);
                let opened = crypto.open(&sealing, nonce, &[], sealed)?;
                Self::from_bytes(&opened).ok()?
            }
            _ => Self::from_bytes(bytes).ok()?,
        };
        let is_right = state.version == stored::GROUP && Self::key(state.group, state.peer) == key;
        is_right.then_some(state)
    }

    /// What is taken along of it, to be sealed: what others hand out again is left, and what was
    /// measured by this machine's clock.
    #[must_use]
    pub fn to_exported(&self) -> Vec<u8> {
        let mut state = self.clone();
        state.credentials = List::default();
        state.verifiers = List::default();
        state.peer_time_offset = 0;
        state.nodes = List::default();
        let version = exported::CONFIG;
        Config { version, state }.to_bytes()
    }

    /// What was taken along, on another machine.
    pub fn from_exported(crypto: Crypto, bytes: &[u8]) -> Result<Self, Error> {
        let read = Config::from_bytes(bytes).ok();
        let state = read
            .filter(|read| read.version == exported::CONFIG)
            .map(|read| read.state)
            .filter(|state| state.version == stored::GROUP)
            .ok_or(Code::UnsupportedVersion)?;
        let is_key = |seed: &[u8; 32]| crypto.public_key(seed) == state.group.0;
        if !state.group_seed.as_ref().is_none_or(is_key) {
            return Err(
                Error::new(Code::InvalidArgument).detail("the key in it is of another group")
            );
        }
        Ok(state)
    }

    /// What people call the group, as far as we know.
    #[must_use]
    pub fn name(&self) -> &str {
        let known = self.properties.as_ref();
        known.map_or(&self.friendly_name, |of| &of.properties.friendly_name)
    }
}

/// What seals that under one key of the storage.
fn sealing_key(crypto: Crypto, identity: &Identity, key: &str) -> [u8; 32] {
    crypto.derive(&identity.seed, "stored group", &[key.as_bytes()])
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
