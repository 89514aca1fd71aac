//! Credentials: who says that somebody is a member. What they are worth is judged in `judge.rs`.

use crate::crypto::{Crypto, head, signed_bytes};
use crate::limits::{PROOF_CREDENTIALS, REASON_CHARS, VOUCHED, VOUCHES};
pub use crate::names::Role;
use crate::names::{GroupId, PeerId};
use crate::wire::codec::{List, Malformed, Reader, Text, Wire};
use crate::wire::numbers::{credential, how, revoked};
use crate::wire::seconds::Seconds;
use crate::{wire_enum, wire_numbers, wire_struct};

impl Wire for Role {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match input.array()? {
            [1] => Ok(Self::Member),
            [2] => Ok(Self::InvitingMember),
            [3] => Ok(Self::Admin),
            _ => Err(Malformed),
        }
    }
}

wire_enum! {
    /// Whose membership a revocation ends.
    pub enum Revoked {
        /// A member's.
        Member = revoked::MEMBER {
            /// It.
            peer: PeerId,
        },
        /// That of everybody who came with an invitation, or would.
        Invitation = revoked::INVITATION {
            /// Hash of its delegation.
            hash: [u8; 32],
        },
    }
}

/// The first half of a credential's or record's hash: names what stays.
pub type Vouched = [u8; 16];

wire_enum! {
    /// What is signed.
    pub enum Body {
        /// Makes its subject a member.
        Membership = credential::MEMBERSHIP {
            /// The member.
            subject: PeerId,
            /// Where things are sealed to it.
            sealing: [u8; 32],
            /// What it may do.
            role: Role,
            /// Not before.
            from: Seconds,
            /// Not after.
            until: Seconds,
            /// The group key, a member's identity or an invitation's key.
            issuer: [u8; 32],
            /// Tells two of the same issuer apart.
            serial: [u8; 8],
        },
        /// Lets an invitation's key make members.
        Delegation = credential::DELEGATION {
            /// The invitation's key.
            key: [u8; 32],
            /// The most they may become.
            role: Role,
            /// Not before.
            from: Seconds,
            /// When the memberships it gives end.
            until: Seconds,
            /// The group key or a member's identity.
            issuer: [u8; 32],
            /// Names the invitation.
            serial: [u8; 8],
            /// How many it lets in.
            max_uses: u32,
            /// Until when it lets somebody in.
            usable_until: Seconds,
        },
        /// A member lets somebody in who came with an invitation.
        Admission = credential::ADMISSION {
            /// Hash of the membership that the invitation's key signed.
            membership: [u8; 32],
            /// When.
            at: Seconds,
            /// The member.
            issuer: [u8; 32],
        },
        /// Ends memberships. What their holders signed counts from then on only where a vouch lists it,
        /// so that nobody gains by dating something back, and it never matters what came first.
        Revocation = credential::REVOCATION {
            /// Whose.
            what: Revoked,
            /// Those that began later are not meant.
            at: Seconds,
            /// How.
            how: How,
            /// The records of its own stay, all of them.
            records_stay: bool,
            /// Without these it does not count yet.
            vouches: List<Vouched, VOUCHES>,
            /// For people.
            reason: Text<{ REASON_CHARS * 4 }>,
            /// The group key, an admin, or the one who leaves.
            issuer: [u8; 32],
            /// Tells two of the same issuer apart.
            serial: [u8; 8],
        },
        /// What stays of somebody: credentials and records.
        Vouch = credential::VOUCH {
            /// Their hashes.
            hashes: List<Vouched, VOUCHED>,
            /// Whoever signs the revocation.
            issuer: [u8; 32],
        },
    }
}

wire_numbers! {
    /// How a membership ends.
    How {
        /// Somebody was removed: only an admin lets it in again.
        Removed = how::REMOVED,
        /// Another membership takes its place, with other rights.
        Replaced = how::REPLACED,
        /// It left by itself.
        Left = how::LEFT,
    }
}

wire_struct! {
    /// A credential.
    pub struct Credential {
        /// What is signed.
        pub body: Body,
        /// By the issuer.
        pub signature: [u8; 64],
    }
}

/// Credentials that prove one membership: the chain, and that of whoever admitted along it.
pub type Credentials = List<Credential, PROOF_CREDENTIALS>;

impl Credential {
    /// A credential signed with the issuer's seed.
    #[must_use]
    pub fn sign(crypto: Crypto, group: GroupId, seed: &[u8; 32], body: Body) -> Self {
        let signature = crypto.sign(
            seed,
            &signed_bytes("credential", &group.0, &body.to_bytes()),
        );
        Self { body, signature }
    }

    /// Names these very bytes, signature included.
    #[must_use]
    pub fn id(&self, crypto: Crypto) -> [u8; 32] {
        head(&crypto.hash(&[&self.to_bytes()]))
    }

    /// Names what it says, whatever its signature looks like.
    #[must_use]
    pub fn hash(&self, crypto: Crypto, group: GroupId) -> [u8; 32] {
        head(&crypto.hash(&[&signed_bytes("credential", &group.0, &self.body.to_bytes())]))
    }

    /// Whose signature it must carry.
    #[must_use]
    pub fn issuer(&self) -> &[u8; 32] {
        match &self.body {
            Body::Membership { issuer, .. }
            | Body::Delegation { issuer, .. }
            | Body::Admission { issuer, .. }
            | Body::Revocation { issuer, .. }
            | Body::Vouch { issuer, .. } => issuer,
        }
    }

    /// Whether the issuer signed it for this group.
    #[must_use]
    pub fn is_signed(&self, crypto: Crypto, group: GroupId) -> bool {
        let bytes = signed_bytes("credential", &group.0, &self.body.to_bytes());
        crypto.is_public_key(self.issuer()) && crypto.verify(self.issuer(), &bytes, &self.signature)
    }
}
