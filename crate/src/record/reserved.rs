//! The engine's own records: who a member is, where each of its nodes is reached, and that somebody came
//! with a wrong password.
//!
//! Their ids begin otherwise than those of apps, so that none is ever the other; the rest is fixed by
//! whom they are about where there is to be one of each.

use super::model::{Body, Change};
use crate::crypto::{Crypto, head, node_of};
use crate::limits::{
    FRIENDLY_NAME_CHARS, GUESS_LIFE_MS, PRESENCE_ATTRIBUTES_BYTES, PRESENCE_LIFETIME_MAX_S,
};
use crate::names::{NodeAddress, NodeId, PeerId, RecordId};
use crate::random::Random;
use crate::wire::codec::{Text, Wire as _};
use crate::wire_struct;

/// Types whose names begin like this are the engine's own.
pub const RESERVED: &str = "peer-group/";
/// Who a member is: one per member.
pub const MEMBER: &str = "peer-group/member";
/// Where a node of a member is reached: one per node, and only while it is on the network.
pub const PRESENCE: &str = "peer-group/presence";
/// That somebody came with a wrong password: any number of them.
pub const GUESS: &str = "peer-group/guess";

wire_struct! {
    /// What a member shows of itself.
    pub struct MemberData {
        /// What people call it; may be empty.
        pub name: Text<{ FRIENDLY_NAME_CHARS * 4 }>,
    }

    /// What a node shows of itself.
    pub struct PresenceData {
        /// Where it is reached.
        pub address: NodeAddress,
        /// Nobody looks at it now.
        pub away: bool,
        /// As many of the nodes that it knew to be present got this from itself.
        pub told: u8,
        /// Whatever its app wants to say.
        pub attributes: Text<PRESENCE_ATTRIBUTES_BYTES>,
    }
}

/// Whether a reserved type is one that we know.
#[must_use]
pub fn is_known(kind: &str) -> bool {
    tells_of_members(kind) || kind == GUESS
}

/// Whether it is among what members show of themselves.
#[must_use]
pub fn tells_of_members(kind: &str) -> bool {
    kind == MEMBER || kind == PRESENCE
}

/// Whether records of a type are kept by storage.
#[must_use]
pub fn is_stored(kind: &str) -> bool {
    kind != PRESENCE
}

/// The first half of a record's id: apart for each type of the engine's, and those of apps.
#[must_use]
pub fn id_half(crypto: Crypto, kind: &str, creator: PeerId) -> [u8; 8] {
    let label = if kind.starts_with(RESERVED) {
        kind
    } else {
        "record"
    };
    head(&crypto.hash(&[label.as_bytes(), &creator.0]))
}

/// A new id for a record of that type by `creator`.
#[must_use]
pub fn random_id(crypto: Crypto, kind: &str, creator: PeerId, random: &mut Random) -> RecordId {
    fixed_id(crypto, kind, creator, &random.bytes())
}

fn fixed_id(crypto: Crypto, kind: &str, creator: PeerId, rest: &[u8; 8]) -> RecordId {
    let mut id = [0; 16];
    let (half, other) = id.split_at_mut(8);
    half.copy_from_slice(&id_half(crypto, kind, creator));
    other.copy_from_slice(rest);
    RecordId(id)
}

/// The id of what a member shows of itself.
#[must_use]
pub fn member_id(crypto: Crypto, peer: PeerId) -> RecordId {
    fixed_id(crypto, MEMBER, peer, &[0; 8])
}

/// The id of what a node of a member shows of itself.
#[must_use]
pub fn presence_id(crypto: Crypto, peer: PeerId, node: NodeId) -> RecordId {
    fixed_id(crypto, PRESENCE, peer, &node.0)
}

fn rest(id: &RecordId) -> &[u8] {
    id.0.split_at(8).1
}

/// The node that a presence is of.
#[must_use]
pub fn node_of_id(id: &RecordId) -> NodeId {
    let mut node = [0; 8];
    node.copy_from_slice(rest(id));
    NodeId(node)
}

/// What no honest node writes into a record of the engine's own.
pub(super) fn fault(crypto: Crypto, body: &Body) -> Option<&'static str> {
    if body.author() != body.creator {
        return Some("somebody else changed what a member shows of itself");
    }
    if body.auto_refresh() || !body.attributes.is_empty() {
        return Some("a record of the engine's own says what only an app does");
    }
    let deleted = body.is_deleted();
    let rest = rest(&body.id);
    let right = match &*body.kind {
        MEMBER => rest == [0; 8] && (deleted || MemberData::from_bytes(&body.data).is_ok()),
        PRESENCE => {
            let life = body.expires.saturating_sub(body.modified().ms());
            let is_of = |data: PresenceData| node_of(crypto, data.address.session).0 == rest;
            life <= u64::from(PRESENCE_LIFETIME_MAX_S) * 1000
                && (deleted || PresenceData::from_bytes(&body.data).is_ok_and(is_of))
        }
        // It says that there was one, and no more.
        GUESS => {
            let life = body.expires.saturating_sub(body.created.ms());
            body.flags == 0
                && body.change == Change::Original {}
                && body.size() == 0
                && life <= GUESS_LIFE_MS
        }
        _ => true,
    };
    (!right).then_some("a record of the engine's own is not well-formed")
}

#[cfg(test)]
mod tests;
