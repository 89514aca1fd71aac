//! Bound invitations: for one identity, which alone can read what lets it in. A stolen copy is useless.

use super::{Head, signed_by_issuer};
use crate::crypto::Crypto;
use crate::error::{Code, Error};
use crate::group::credential::{Body, Credential, Credentials, Role};
use crate::group::identity::Identity;
use crate::limits::SEALED_INVITATION_BYTES;
use crate::names::{GroupId, PeerId};
use crate::random::Random;
use crate::wire::codec::{Bytes, Wire as _};
use crate::wire::seconds::Seconds;
use crate::wire::text::{self, TextKind};
use crate::wire_struct;

/// The key to which an invitation is sealed is made for it alone, so nothing else is ever sealed with
/// it.
const NONCE: [u8; 12] = [0; 12];

wire_struct! {
    /// What anybody may read of a bound invitation: what the issuer signs.
    pub struct BoundBody {
        /// Its kind is bound.
        pub head: Head,
        /// Whom it lets in.
        pub subject: PeerId,
        /// What it makes of them.
        pub role: Role,
        /// When the membership begins.
        pub from: Seconds,
        /// When it ends.
        pub until: Seconds,
        /// The issuer's half of the key that seals the rest.
        pub half: [u8; 32],
        /// The rest.
        pub sealed: Bytes<{ SEALED_INVITATION_BYTES }>,
    }

    /// A bound invitation: one identity joins.
    pub struct Bound {
        /// What is signed.
        pub body: BoundBody,
        /// By the issuer's identity.
        pub signature: [u8; 64],
    }

    /// What only the invitee reads.
    pub struct Inside {
        /// The secret of the door.
        pub door: [u8; 16],
        /// The issuer's chain, with the membership.
        pub credentials: Credentials,
    }
}

/// Whom an invitation is for, and what it makes of them.
pub struct Invitee {
    /// It.
    pub peer: PeerId,
    /// The key to which things are sealed for it.
    pub sealing: [u8; 32],
    /// What it may do.
    pub role: Role,
    /// When the membership begins.
    pub from: Seconds,
    /// When it ends.
    pub until: Seconds,
}

impl Invitee {
    /// The membership, signed by whoever invites.
    #[must_use]
    pub fn membership(
        &self,
        crypto: Crypto,
        group: GroupId,
        issuer: &[u8; 32],
        serial: [u8; 8],
    ) -> Credential {
        let body = Body::Membership {
            subject: self.peer,
            sealing: self.sealing,
            role: self.role,
            from: self.from,
            until: self.until,
            issuer: crypto.public_key(issuer),
            serial,
        };
        Credential::sign(crypto, group, issuer, body)
    }
}

impl Bound {
    /// The invitation as a text, sealed to the invitee and signed by its issuer.
    pub fn text(
        crypto: Crypto,
        random: &mut Random,
        issuer: &[u8; 32],
        sealing: [u8; 32],
        mut body: BoundBody,
        inside: &Inside,
    ) -> Result<String, Error> {
        let secret: [u8; 32] = random.bytes();
        body.half = crypto.exchange_public(&secret);
        let unusable = || Error::new(Code::InvalidPeerName).detail("the card's key cannot be used");
        let shared = crypto.exchange(&secret, &sealing).ok_or_else(unusable)?;
        let key = body.key(crypto, &shared);
        let sealed = crypto.seal(&key, &NONCE, &[], &inside.to_bytes());
        body.sealed = Bytes::new(sealed).ok_or(Code::ChainTooLong)?;
        let signature = crypto.sign(issuer, &signed_by_issuer(&body.head, &body));
        let bound = Self { body, signature };
        Ok(text::encode(TextKind::Invitation, &bound.to_bytes()))
    }

    /// What is inside, for the identity that it is for.
    pub fn open(&self, crypto: Crypto, identity: &Identity) -> Result<Inside, Error> {
        let untrusted = |why: &str| Error::new(Code::InvitationNotTrusted).detail(why);
        if self.body.subject != identity.peer(crypto) {
            return Err(untrusted(
                "it is for somebody else: join with the identity whose card was given",
            ));
        }
        let secret = identity.sealing_secret(crypto);
        let key = crypto.exchange(&secret, &self.body.half);
        let key = key.map(|shared| self.body.key(crypto, &shared));
        let opened = key.and_then(|key| crypto.open(&key, &NONCE, &[], &self.body.sealed));
        opened
            .and_then(|bytes| Inside::from_bytes(&bytes).ok())
            .ok_or_else(|| untrusted("what is sealed in it cannot be opened"))
    }
}

impl BoundBody {
    /// The key that seals the rest, for this group, this invitee and this invitation only.
    fn key(&self, crypto: Crypto, shared: &[u8; 32]) -> [u8; 32] {
        let context: [&[u8]; 3] = [&self.head.group.0, &self.subject.0, &self.half];
        crypto.derive(shared, "bound-invitation", &context)
    }
}
