//! Invitations: texts that let somebody become a member.

mod bound;

pub use bound::{Bound, BoundBody, Inside, Invitee};

use super::credential::{Body, Credential, Credentials, Role};
use crate::crypto::{Crypto, signed_bytes};
use crate::error::{Code, Error};
use crate::limits::{FRIENDLY_NAME_CHARS, RENDEZVOUS_SERVERS};
use crate::names::{GroupId, PeerId};
use crate::wire::codec::{List, Text, Wire as _};
use crate::wire::numbers::invitation;
use crate::wire::rendezvous::Url;
use crate::wire::seconds::Seconds;
use crate::wire::text::{self, TextKind};
use crate::wire_struct;

/// A name in an invitation.
pub type Name = Text<{ FRIENDLY_NAME_CHARS * 4 }>;

wire_struct! {
    /// A bearer invitation without what makes it one: what the issuer signs.
    pub struct BearerBody {
        /// Which kind of invitation: here always bearer.
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
    /// bearer: whoever holds the text joins; bound: one identity does.
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
pub enum Invitation {
    /// Whoever holds it joins.
    Bearer(Bearer),
    /// One identity joins.
    Bound(Bound),
}

impl Invitation {
    /// Reads a text and checks that its issuer wrote all of it.
    pub fn parse(crypto: Crypto, text: &str) -> Result<Self, Error> {
        let bytes = text::decode(TextKind::Invitation, text, Code::InvitationNotTrusted)?;
        let broken = |_| Error::new(Code::InvitationNotTrusted);
        let (read, issuer, signed, signature) = match bytes.first() {
            Some(&invitation::BEARER) => {
                let bearer = Bearer::from_bytes(&bytes).map_err(broken)?;
                let (body, signature) = (&bearer.body, bearer.signature);
                let signed = signed_bytes("invitation", &body.group.0, &body.to_bytes());
                (Self::Bearer(bearer.clone()), body.issuer, signed, signature)
            }
            Some(&invitation::BOUND) => {
                let bound = Bound::from_bytes(&bytes).map_err(broken)?;
                let (body, signature) = (&bound.body, bound.signature);
                let signed = signed_bytes("invitation", &body.group.0, &body.to_bytes());
                (Self::Bound(bound.clone()), body.issuer, signed, signature)
            }
            _ => {
                return Err(Error::new(Code::UnsupportedVersion)
                    .detail("the invitation is of a kind that this version does not know"));
            }
        };
        if !crypto.is_public_key(&issuer.0) || !crypto.verify(&issuer.0, &signed, &signature) {
            return Err(Error::new(Code::InvitationNotTrusted)
                .detail("its issuer's signature does not fit"));
        }
        Ok(read)
    }

    /// The group that it is for.
    #[must_use]
    pub fn group(&self) -> GroupId {
        match self {
            Self::Bearer(bearer) => bearer.body.group,
            Self::Bound(bound) => bound.body.group,
        }
    }

    /// What it says, without a group and without the network.
    pub fn preview(self, crypto: Crypto) -> Result<Preview, Error> {
        match self {
            Self::Bearer(bearer) => {
                let (role, from, until, _) = bearer.terms(crypto)?;
                let body = bearer.body;
                Ok(Preview {
                    kind: "bearer",
                    group: body.group,
                    friendly_name: body.friendly_name.into_string(),
                    issuer: body.issuer,
                    issuer_name: body.issuer_name.into_string(),
                    subject: None,
                    roles: vec![role],
                    not_before: from.0,
                    not_after: end(until),
                    rendezvous: texts(&body.rendezvous),
                })
            }
            Self::Bound(Bound { body, .. }) => Ok(Preview {
                kind: "bound",
                group: body.group,
                friendly_name: body.friendly_name.into_string(),
                issuer: body.issuer,
                issuer_name: body.issuer_name.into_string(),
                subject: Some(body.subject),
                roles: vec![body.role],
                not_before: body.from.0,
                not_after: end(body.until),
                rendezvous: texts(&body.rendezvous),
            }),
        }
    }
}

/// A membership's end for the app.
fn end(until: Seconds) -> Option<u64> {
    (until != Seconds::NEVER).then_some(until.0)
}

/// Rendezvous URLs for the app.
fn texts(urls: &List<Url, RENDEZVOUS_SERVERS>) -> Vec<String> {
    urls.iter().map(|url| url.to_string()).collect()
}

/// What an invitation says, without a group and without the network.
pub fn preview(crypto: Crypto, text: &str) -> Result<Preview, Error> {
    Invitation::parse(crypto, text)?.preview(crypto)
}

impl Bearer {
    /// The invitation as a text, signed by its issuer.
    #[must_use]
    pub fn text(crypto: Crypto, issuer: &[u8; 32], body: BearerBody, seed: [u8; 32]) -> String {
        let bytes = signed_bytes("invitation", &body.group.0, &body.to_bytes());
        let signature = crypto.sign(issuer, &bytes);
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
        Ok(Credential::sign(crypto, self.body.group, &self.seed, body))
    }
}
