//! Credentials: who says that somebody is a member, link by link from the group key.
//!
//! Each link may only narrow roles and time. A membership that an invitation's key signed is void
//! without an admission by a member from outside that invitation.

use std::collections::BTreeMap;

use crate::crypto::{Crypto, head, signed_bytes};
use crate::error::{Code, Error};
use crate::limits::{CHAIN_LINKS, PROOF_CREDENTIALS};
use crate::names::{GroupId, PeerId};
use crate::wire::codec::{List, Malformed, Reader, Wire};
use crate::wire::numbers::credential;
use crate::wire::seconds::{Clock, Seconds};
use crate::{wire_enum, wire_struct};

/// What a member may do. A role includes those below it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Role {
    /// Publishes.
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

    /// Whether it may make somebody else a member of that role.
    #[must_use]
    pub fn may_issue(self, role: Self) -> bool {
        self >= Self::InvitingMember && role <= self
    }
}

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

    /// Names it, whatever its signature looks like.
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
            | Body::Admission { issuer, .. } => issuer,
        }
    }

    /// Whether the issuer signed it for this group.
    #[must_use]
    pub fn is_signed(&self, crypto: Crypto, group: GroupId) -> bool {
        let bytes = signed_bytes("credential", &group.0, &self.body.to_bytes());
        crypto.is_public_key(self.issuer()) && crypto.verify(self.issuer(), &bytes, &self.signature)
    }
}

/// A membership that holds, and what it rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// What it may do.
    pub role: Role,
    /// Not before.
    pub from: Seconds,
    /// Not after.
    pub until: Seconds,
    /// Serials of the invitations along its chain, the nearest to the group key first.
    pub invitations: Vec<[u8; 8]>,
    /// Links from the group key.
    pub links: usize,
    /// The invitation that the member itself came with.
    pub came_with: Option<CameWith>,
}

/// How a member came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CameWith {
    /// The invitation's serial.
    pub serial: [u8; 8],
    /// How many it lets in.
    pub max_uses: u32,
    /// Until when it lets somebody in.
    pub usable_until: Seconds,
    /// Hash of the membership that awaits or has its admission.
    pub membership: [u8; 32],
    /// The admission's time and hash, once admitted.
    pub admission: Option<(Seconds, [u8; 32])>,
}

/// Judges memberships by a set of credentials.
pub struct Judge<'a> {
    crypto: Crypto,
    group: GroupId,
    clock: &'a Clock,
    credentials: &'a [Credential],
    /// Peers on the path being judged: a second visit is a circle.
    path: Vec<PeerId>,
    judged: BTreeMap<PeerId, Member>,
}

impl<'a> Judge<'a> {
    /// A judge that knows nothing but these credentials.
    #[must_use]
    pub fn new(
        crypto: Crypto,
        group: GroupId,
        clock: &'a Clock,
        credentials: &'a [Credential],
    ) -> Self {
        Self {
            crypto,
            group,
            clock,
            credentials,
            path: Vec::new(),
            judged: BTreeMap::new(),
        }
    }

    /// The membership of `peer`, or why it has none. With `at_door`, its own admission may be
    /// missing: that is what it comes for.
    pub fn member(&mut self, peer: PeerId, at_door: bool) -> Result<Member, Error> {
        if let Some(member) = self.judged.get(&peer) {
            return Ok(member.clone());
        }
        if self.path.contains(&peer) {
            return Err(Code::CircularChain.into());
        }
        if self.path.len() >= CHAIN_LINKS {
            return Err(Code::ChainTooLong.into());
        }
        self.path.push(peer);
        let result = self.find(peer, at_door);
        self.path.pop();
        let member = result?;
        if !at_door {
            self.judged.insert(peer, member.clone());
        }
        Ok(member)
    }

    /// The first membership of `peer` that holds, else why the last one does not.
    fn find(&mut self, peer: PeerId, at_door: bool) -> Result<Member, Error> {
        let mut error = untrusted("it holds no membership");
        for credential in self.credentials {
            if matches!(&credential.body, Body::Membership { subject, .. } if *subject == peer) {
                match self.membership(credential, at_door) {
                    Ok(member) => return Ok(member),
                    Err(why) => error = why,
                }
            }
        }
        Err(error)
    }

    fn membership(&mut self, credential: &Credential, at_door: bool) -> Result<Member, Error> {
        let Body::Membership {
            role,
            from,
            until,
            issuer,
            ..
        } = credential.body
        else {
            return Err(untrusted("not a membership"));
        };
        self.signed(credential)?;
        self.clock.check(from, until)?;
        let invited = self
            .credentials
            .iter()
            .find(|other| matches!(&other.body, Body::Delegation { key, .. } if *key == issuer));
        let (parent, came_with) = match invited {
            Some(delegation) => {
                let (parent, came_with) = self.invited(credential, delegation, at_door)?;
                (parent, Some(came_with))
            }
            None => (self.issuer(&issuer)?, None),
        };
        if !parent.role.may_issue(role) && invited.is_none() {
            return Err(untrusted("the issuer's role does not allow it"));
        }
        if role > parent.role || from < parent.from || until > parent.until {
            return Err(untrusted("it goes beyond its issuer's"));
        }
        let links = parent.links + 1;
        if links > CHAIN_LINKS {
            return Err(Code::ChainTooLong.into());
        }
        Ok(Member {
            role,
            from,
            until,
            invitations: parent.invitations,
            links,
            came_with,
        })
    }

    /// What a delegation allows, and how the membership stands to it.
    fn invited(
        &mut self,
        membership: &Credential,
        delegation: &Credential,
        at_door: bool,
    ) -> Result<(Member, CameWith), Error> {
        let Body::Delegation {
            role,
            from,
            until,
            issuer,
            serial,
            max_uses,
            usable_until,
            ..
        } = delegation.body
        else {
            return Err(untrusted("not a delegation"));
        };
        self.signed(delegation)?;
        self.clock.check(from, until)?;
        let parent = self.issuer(&issuer)?;
        if !parent.role.may_issue(role) || from < parent.from || until > parent.until {
            return Err(untrusted("the invitation goes beyond its issuer's rights"));
        }
        let hash = membership.hash(self.crypto, self.group);
        let admission = self.admission(&hash, serial, usable_until)?;
        if admission.is_none() && !at_door {
            return Err(untrusted("no member has admitted it"));
        }
        let mut invitations = parent.invitations;
        invitations.push(serial);
        let links = parent.links + 1;
        let came_with = CameWith {
            serial,
            max_uses,
            usable_until,
            membership: hash,
            admission,
        };
        let granted = Member {
            role,
            from,
            until,
            invitations,
            links,
            came_with: None,
        };
        Ok((granted, came_with))
    }

    /// The admission of a membership, if there is one that holds.
    fn admission(
        &mut self,
        hash: &[u8; 32],
        serial: [u8; 8],
        usable_until: Seconds,
    ) -> Result<Option<(Seconds, [u8; 32])>, Error> {
        for credential in self.credentials {
            let Body::Admission {
                membership,
                at,
                issuer,
            } = &credential.body
            else {
                continue;
            };
            if membership != hash {
                continue;
            }
            self.signed(credential)?;
            if *at > usable_until {
                return Err(untrusted("it was admitted after the invitation had ended"));
            }
            let admitter = self.member(PeerId(*issuer), false)?;
            if admitter.invitations.contains(&serial) {
                return Err(untrusted("somebody from the same invitation admitted it"));
            }
            return Ok(Some((*at, credential.hash(self.crypto, self.group))));
        }
        Ok(None)
    }

    /// The rights of whoever issued something: the group key has them all, for ever.
    fn issuer(&mut self, issuer: &[u8; 32]) -> Result<Member, Error> {
        if *issuer == self.group.0 {
            return Ok(Member {
                role: Role::Admin,
                from: Seconds(0),
                until: Seconds::NEVER,
                invitations: Vec::new(),
                links: 0,
                came_with: None,
            });
        }
        self.member(PeerId(*issuer), false)
    }

    fn signed(&self, credential: &Credential) -> Result<(), Error> {
        if credential.is_signed(self.crypto, self.group) {
            Ok(())
        } else {
            Err(untrusted("a signature does not fit"))
        }
    }
}

fn untrusted(why: &str) -> Error {
    Error::new(Code::InvitationNotTrusted).detail(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Primitives as _, REAL};

    const NOW: u64 = 1_800_000_000;
    const CREATOR: [u8; 32] = [1; 32];
    const GROUP: [u8; 32] = [9; 32];

    fn key(seed: &[u8; 32]) -> [u8; 32] {
        REAL.public_key(seed)
    }

    fn group() -> GroupId {
        GroupId(key(&GROUP))
    }

    fn membership(issuer: &[u8; 32], subject: &[u8; 32], role: Role, until: Seconds) -> Credential {
        let body = Body::Membership {
            subject: PeerId(key(subject)),
            sealing: [0; 32],
            role,
            from: Seconds(NOW - 1000),
            until,
            issuer: key(issuer),
            serial: [0; 8],
        };
        Credential::sign(&REAL, group(), issuer, body)
    }

    fn delegation(issuer: &[u8; 32], invitation: &[u8; 32], role: Role) -> Credential {
        let body = Body::Delegation {
            key: key(invitation),
            role,
            from: Seconds(NOW - 1000),
            until: Seconds(NOW + 9000),
            issuer: key(issuer),
            serial: [invitation[0]; 8],
            max_uses: 1,
            usable_until: Seconds(NOW + 500),
        };
        Credential::sign(&REAL, group(), issuer, body)
    }

    fn admission(admitter: &[u8; 32], membership: &Credential, at: u64) -> Credential {
        let body = Body::Admission {
            membership: membership.hash(&REAL, group()),
            at: Seconds(at),
            issuer: key(admitter),
        };
        Credential::sign(&REAL, group(), admitter, body)
    }

    fn creator() -> Credential {
        membership(&GROUP, &CREATOR, Role::Admin, Seconds::NEVER)
    }

    fn judge(set: &[Credential], peer: &[u8; 32], at_door: bool) -> Result<Member, Error> {
        let clock = Clock {
            wall_s: NOW,
            offset_ms: None,
        };
        Judge::new(&REAL, group(), &clock, set).member(PeerId(key(peer)), at_door)
    }

    /// The invited and its credentials without an admission.
    fn invited(invitation: &[u8; 32], peer: &[u8; 32]) -> (Vec<Credential>, Credential) {
        let came = membership(invitation, peer, Role::Member, Seconds(NOW + 9000));
        let chain = vec![
            creator(),
            delegation(&CREATOR, invitation, Role::Member),
            came.clone(),
        ];
        (chain, came)
    }

    #[test]
    fn the_creator_is_an_admin_and_a_stranger_is_nobody() {
        assert_eq!(
            judge(&[creator()], &CREATOR, false).map(|m| m.role),
            Ok(Role::Admin)
        );
        assert_eq!(
            judge(&[creator()], &[7; 32], false).unwrap_err().code,
            Code::InvitationNotTrusted
        );
    }

    #[test]
    fn an_invited_member_needs_an_admission_except_at_the_door() {
        let (mut set, came) = invited(&[20; 32], &[2; 32]);
        assert!(
            judge(&set, &[2; 32], false)
                .unwrap_err()
                .detail
                .contains("admitted")
        );
        assert!(judge(&set, &[2; 32], true).is_ok());
        set.push(admission(&CREATOR, &came, NOW));
        let member = judge(&set, &[2; 32], false).unwrap();
        assert_eq!(
            (member.role, member.invitations),
            (Role::Member, vec![[20; 8]])
        );
        // Whatever the order in which the credentials come.
        set.reverse();
        assert!(judge(&set, &[2; 32], false).is_ok());
    }

    #[test]
    fn whoever_came_with_an_invitation_cannot_admit_by_it() {
        let (mut set, first) = invited(&[20; 32], &[2; 32]);
        set.push(admission(&CREATOR, &first, NOW));
        let second = membership(&[20; 32], &[3; 32], Role::Member, Seconds(NOW + 9000));
        set.push(second.clone());
        set.push(admission(&[2; 32], &second, NOW));
        let error = judge(&set, &[3; 32], false).unwrap_err();
        assert!(error.detail.contains("same invitation"), "{error:?}");
    }

    #[test]
    fn two_who_admit_each_other_are_a_circle() {
        let (mut set, a) = invited(&[20; 32], &[2; 32]);
        let (more, b) = invited(&[21; 32], &[3; 32]);
        set.extend(more);
        set.push(admission(&[3; 32], &a, NOW));
        set.push(admission(&[2; 32], &b, NOW));
        assert_eq!(
            judge(&set, &[2; 32], false).unwrap_err().code,
            Code::CircularChain
        );
    }

    #[test]
    fn an_admission_after_the_invitation_ended_is_void() {
        let (mut set, came) = invited(&[20; 32], &[2; 32]);
        set.push(admission(&CREATOR, &came, NOW + 501));
        assert!(
            judge(&set, &[2; 32], false)
                .unwrap_err()
                .detail
                .contains("had ended")
        );
    }

    #[test]
    fn links_only_narrow_roles_and_time() {
        // A member who is no inviter makes a member.
        let (mut set, came) = invited(&[20; 32], &[2; 32]);
        set.push(admission(&CREATOR, &came, NOW));
        set.push(membership(
            &[2; 32],
            &[4; 32],
            Role::Member,
            Seconds(NOW + 10),
        ));
        assert!(judge(&set, &[4; 32], false).is_err());
        // Somebody makes himself an admin by a member's invitation.
        let came = membership(&[20; 32], &[5; 32], Role::Admin, Seconds(NOW + 10));
        set.push(came.clone());
        set.push(admission(&CREATOR, &came, NOW));
        assert!(
            judge(&set, &[5; 32], false)
                .unwrap_err()
                .detail
                .contains("beyond")
        );
        // Or a member for longer than the invitation says.
        let came = membership(&[20; 32], &[6; 32], Role::Member, Seconds::NEVER);
        set.push(came.clone());
        set.push(admission(&CREATOR, &came, NOW));
        assert!(
            judge(&set, &[6; 32], false)
                .unwrap_err()
                .detail
                .contains("beyond")
        );
    }

    #[test]
    fn every_bit_of_a_chain_is_signed() {
        let (mut set, came) = invited(&[20; 32], &[2; 32]);
        set.push(admission(&CREATOR, &came, NOW));
        for index in 0..set.len() {
            let bytes = set[index].to_bytes();
            for at in 0..bytes.len() {
                let mut edited = bytes.clone();
                edited[at] ^= 1;
                let Ok(credential) = Credential::from_bytes(&edited) else {
                    continue;
                };
                let mut forged = set.clone();
                forged[index] = credential;
                assert!(
                    judge(&forged, &[2; 32], false).is_err(),
                    "credential {index}, byte {at}"
                );
            }
        }
    }

    #[test]
    fn chains_end_at_twenty_four_links() {
        let mut set = vec![creator()];
        let mut issuer = CREATOR;
        for n in 0..CHAIN_LINKS as u8 {
            let subject = [100 + n; 32];
            set.push(membership(
                &issuer,
                &subject,
                Role::Admin,
                Seconds(NOW + 10),
            ));
            issuer = subject;
        }
        assert!(judge(&set, &[100 + CHAIN_LINKS as u8 - 2; 32], false).is_ok());
        let error = judge(&set, &[100 + CHAIN_LINKS as u8 - 1; 32], false).unwrap_err();
        assert_eq!(error.code, Code::ChainTooLong);
    }
}
