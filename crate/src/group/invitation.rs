//! Invitations: texts that let somebody become a member.

mod bound;
mod by_password;

pub use by_password::{ByPassword, ByPasswordBody};

pub use bound::{Bound, BoundBody, Inside, Invitee};

use super::credential::{Body, Credential, Credentials, Role};
use crate::crypto::{Crypto, signed_bytes};
use crate::error::{Code, Error};
use crate::limits::{FRIENDLY_NAME_CHARS, RENDEZVOUS_SERVERS};
use crate::names::{GroupId, PeerId};
use crate::wire::codec::{List, Text, Wire};
use crate::wire::numbers::invitation;
use crate::wire::rendezvous::Url;
use crate::wire::seconds::Seconds;
use crate::wire::text::{self, TextKind};
use crate::wire_struct;

/// A name in an invitation.
pub type Name = Text<{ FRIENDLY_NAME_CHARS * 4 }>;

wire_struct! {
    /// What an invitation of any kind begins with.
    pub struct Head {
        /// Which kind of invitation.
        pub kind: u8,
        /// The group.
        pub group: GroupId,
        /// What people call it.
        pub friendly_name: Name,
        /// Who invites.
        pub issuer: PeerId,
        /// What people call whoever invites.
        pub issuer_name: Name,
        /// Where members are found.
        pub rendezvous: List<Url, RENDEZVOUS_SERVERS>,
    }

    /// A bearer invitation without what makes it one: what the issuer signs.
    pub struct BearerBody {
        /// Its kind is bearer.
        pub head: Head,
        /// The secret of the door.
        pub door: [u8; 16],
        /// The issuer's chain, with the delegation to this invitation's key.
        pub credentials: Credentials,
    }

    /// A bearer invitation: whoever holds it joins.
    pub struct Bearer {
        /// What is signed.
        pub body: BearerBody,
        /// By the issuer's identity.
        pub signature: [u8; 64],
        /// The seed of the invitation's key.
        pub seed: [u8; 32],
    }
}

/// What an invitation says, for somebody who thinks about taking it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preview {
    /// bearer: whoever holds the text joins; bound: one identity does; password: who knows it does.
    pub kind: &'static str,
    /// The group.
    pub group: GroupId,
    /// What people call it.
    pub friendly_name: String,
    /// Who invites.
    pub issuer: PeerId,
    /// What people call whoever invites.
    pub issuer_name: String,
    /// For whom it is; None: for whoever holds it.
    pub subject: Option<PeerId>,
    /// What it makes of them.
    pub roles: Vec<Role>,
    /// Wall seconds since 1970 when the membership begins.
    pub not_before: u64,
    /// Wall seconds since 1970 when the membership ends; None: never.
    pub not_after: Option<u64>,
    /// Where members are found.
    pub rendezvous: Vec<String>,
}

/// An invitation of either kind.
#[derive(Clone)]
pub enum Invitation {
    /// Whoever holds it joins.
    Bearer(Bearer),
    /// One identity joins.
    Bound(Bound),
    /// Whoever knows the password joins.
    ByPassword(ByPassword),
}

impl Invitation {
    /// Reads a text and checks that its issuer wrote all of it.
    pub fn parse(crypto: Crypto, text: &str) -> Result<Self, Error> {
        let bytes = text::decode(TextKind::Invitation, text, Code::InvitationNotTrusted)?;
        let broken = |_| Error::new(Code::InvitationNotTrusted);
        let (read, signed, signature) = match bytes.first() {
            Some(&invitation::BEARER) => {
                let bearer = Bearer::from_bytes(&bytes).map_err(broken)?;
                let signed = signed_by_issuer(&bearer.body.head, &bearer.body);
                let signature = bearer.signature;
                (Self::Bearer(bearer), signed, signature)
            }
            Some(&invitation::BOUND) => {
                let bound = Bound::from_bytes(&bytes).map_err(broken)?;
                let signed = signed_by_issuer(&bound.body.head, &bound.body);
                let signature = bound.signature;
                (Self::Bound(bound), signed, signature)
            }
            Some(&invitation::PASSWORD) => {
                let open = ByPassword::from_bytes(&bytes).map_err(broken)?;
                let signed = signed_by_issuer(&open.body.head, &open.body);
                let signature = open.signature;
                (Self::ByPassword(open), signed, signature)
            }
            _ => {
                return Err(Error::new(Code::UnsupportedVersion)
                    .detail("the invitation is of a kind that this version does not know"));
            }
        };
        let issuer = read.head().issuer.0;
        if !crypto.is_public_key(&issuer) || !crypto.verify(&issuer, &signed, &signature) {
            return Err(Error::new(Code::InvitationNotTrusted)
                .detail("its issuer's signature does not fit"));
        }
        Ok(read)
    }

    /// What it begins with.
    #[must_use]
    pub fn head(&self) -> &Head {
        match self {
            Self::Bearer(bearer) => &bearer.body.head,
            Self::Bound(bound) => &bound.body.head,
            Self::ByPassword(open) => &open.body.head,
        }
    }

    /// What it says, without a group and without the network.
    pub fn preview(&self, crypto: Crypto) -> Result<Preview, Error> {
        let (kind, subject, role, from, until) = match self {
            Self::Bearer(bearer) => {
                let (role, from, until, _) = bearer.terms(crypto)?;
                ("bearer", None, role, from, until)
            }
            Self::Bound(Bound { body, .. }) => {
                let subject = Some(body.subject);
                ("bound", subject, body.role, body.from, body.until)
            }
            // Whoever lets in says until when, by its own membership.
            Self::ByPassword(ByPassword { body, .. }) => {
                ("password", None, body.role, body.made, Seconds::NEVER)
            }
        };
        let head = self.head();
        Ok(Preview {
            kind,
            group: head.group,
            friendly_name: head.friendly_name.to_string(),
            issuer: head.issuer,
            issuer_name: head.issuer_name.to_string(),
            subject,
            roles: vec![role],
            not_before: from.0,
            not_after: (until != Seconds::NEVER).then_some(until.0),
            rendezvous: head.rendezvous.iter().map(|url| url.to_string()).collect(),
        })
    }
}

/// What an issuer signs of its invitation.
fn signed_by_issuer(head: &Head, body: &impl Wire) -> Vec<u8> {
    signed_bytes("invitation", &head.group.0, &body.to_bytes())
}

/// What an invitation says, without a group and without the network.
pub fn preview(crypto: Crypto, text: &str) -> Result<Preview, Error> {
    Invitation::parse(crypto, text)?.preview(crypto)
}

impl Bearer {
    /// The invitation as a text, signed by its issuer.
    #[must_use]
    pub fn text(crypto: Crypto, issuer: &[u8; 32], body: BearerBody, seed: [u8; 32]) -> String {
        let signature = crypto.sign(issuer, &signed_by_issuer(&body.head, &body));
        text::encode(
            TextKind::Invitation,
            &Self {
                body,
                signature,
                seed,
            }
            .to_bytes(),
        )
    }

    /// Role, begin and end of the membership it gives, and until when it lets somebody in.
    pub fn terms(&self, crypto: Crypto) -> Result<(Role, Seconds, Seconds, Seconds), Error> {
        let ours = crypto.public_key(&self.seed);
        self.body
            .credentials
            .iter()
            .find_map(|credential| match &credential.body {
                Body::Delegation {
                    key,
                    role,
                    from,
                    until,
                    usable_until,
                    ..
                } if *key == ours => Some((*role, *from, *until, *usable_until)),
                _ => None,
            })
            .ok_or_else(|| {
                Error::new(Code::InvitationNotTrusted).detail("it carries no right to invite")
            })
    }

    /// The membership that its holder makes for itself: void until a member admits it.
    pub fn membership(
        &self,
        crypto: Crypto,
        subject: PeerId,
        sealing: [u8; 32],
        serial: [u8; 8],
    ) -> Result<Credential, Error> {
        let (role, from, until, _) = self.terms(crypto)?;
        let issuer = crypto.public_key(&self.seed);
        let body = Body::Membership {
            subject,
            sealing,
            role,
            from,
            until,
            issuer,
            serial,
        };
        let group = self.body.head.group;
        Ok(Credential::sign(crypto, group, &self.seed, body))
    }
}
