//! Making invitations: for whoever holds the text, for one identity, and for whoever knows the password.

use super::Group;
use super::credential::{Body, Credential, Credentials, How, Role};
use super::identity::Card;
use super::invitation::{
    Bearer, BearerBody, Bound, BoundBody, ByPassword, ByPasswordBody, Inside, Invitee,
};
use crate::engine::command::NewInvitation;
use crate::error::{Code, Error};
use crate::graph::security::Security as _;
use crate::limits;
use crate::random::Random;
use crate::time::Now;
use crate::wire::codec::{Bytes, List};
use crate::wire::numbers::invitation as invitation_kind;
use crate::wire::seconds::Seconds;

impl Group {
    /// An invitation that lets whoever holds it in.
    pub fn invite(
        &mut self,
        random: &mut Random,
        now: Now,
        new: &NewInvitation,
    ) -> Result<String, Error> {
        if !self.state.synchronized {
            return Err(Code::GroupNotReady.into());
        }
        let clock = self.clock(now);
        let own = self.own_membership(&clock)?;
        let role = new.role;
        if !own.role.may_issue(role) {
            let why = if own.role.may_issue(Role::Member) {
                "nobody gives a role above the own one"
            } else {
                "members cannot invite"
            };
            return Err(Error::new(Code::NotAuthorized).detail(why));
        }
        let until = new.expires.map_or(own.until, Seconds);
        if until.0 <= clock.wall_s {
            return Err(Error::new(Code::InvalidTimePeriod)
                .detail("the membership would have ended already"));
        }
        if until > own.until {
            return Err(Error::new(Code::InvalidCredentialInfo)
                .detail("nobody can invite beyond the end of the own membership"));
        }
        // Never earlier than our own, should the clock have been set back.
        let from = own.from.max(Seconds(clock.wall_s));
        if let Some(card) = &new.to {
            let card = Card::parse(self.crypto, card)?;
            if card.peer == self.state.peer {
                return Err(Error::new(Code::InvalidArgument)
                    .detail("the card is your own: hand it to whoever invites you"));
            }
            let was_removed = |(how, _): &(How, Error)| *how == How::Removed;
            if own.role != Role::Admin
                && self.ever().former.get(&card.peer).is_some_and(was_removed)
            {
                return Err(Error::new(Code::NotAuthorized)
                    .detail("an admin has removed it: only admins can let it in again"));
            }
            let from = self.not_before(&card.peer, from);
            let invitee = Invitee {
                peer: card.peer,
                sealing: card.sealing,
                role,
                from,
                until,
            };
            return Ok(self.bound_text(random, &invitee)?.0);
        }
        if new.max_uses == 0 || new.max_uses > limits::INVITATION_USES {
            return Err(Error::new(Code::InvalidArgument)
                .detail(format!("maxUses is 1 to {}", limits::INVITATION_USES)));
        }
        let usable = new
            .usable_until
            .unwrap_or(clock.wall_s + limits::INVITATION_USABLE_S);
        if usable <= clock.wall_s {
            return Err(Error::new(Code::InvalidTimePeriod)
                .detail("the invitation would have ended already"));
        }
        let seed = random.bytes();
        let delegation = Body::Delegation {
            key: self.crypto.public_key(&seed),
            role,
            from,
            until,
            issuer: self.state.peer.0,
            serial: random.bytes(),
            max_uses: new.max_uses,
            usable_until: Seconds(usable),
        };
        let group = self.state.group;
        let delegation = Credential::sign(self.crypto, group, &self.identity.seed, delegation);
        let mut chain = self.state.proof.clone().into_vec();
        chain.push(delegation);
        let body = BearerBody {
            head: self.invitation_head(invitation_kind::BEARER),
            door: self.state.door,
            // The joiner's own membership, its admission and the admitter's chain come on top.
            credentials: List::new(chain)
                .filter(|chain: &Credentials| chain.len() + 2 <= limits::PROOF_CREDENTIALS)
                .ok_or_else(|| Error::new(Code::ChainTooLong))?,
        };
        Ok(Bearer::text(self.crypto, &self.identity.seed, body, seed))
    }

    /// An invitation that lets one identity in, and the membership that is in it.
    pub(super) fn bound_text(
        &self,
        random: &mut Random,
        invitee: &Invitee,
    ) -> Result<(String, Credential), Error> {
        let (group, seed) = (self.state.group, &self.identity.seed);
        let membership = invitee.membership(self.crypto, group, seed, random.bytes());
        let mut chain = self.state.proof.clone().into_vec();
        chain.push(membership.clone());
        let inside = Inside {
            door: self.state.door,
            credentials: List::new(chain).ok_or_else(|| Error::new(Code::ChainTooLong))?,
        };
        let body = BoundBody {
            head: self.invitation_head(invitation_kind::BOUND),
            subject: invitee.peer,
            role: invitee.role,
            from: invitee.from,
            until: invitee.until,
            half: [0; 32],
            sealed: Bytes::default(),
        };
        let text = Bound::text(self.crypto, random, seed, invitee.sealing, body, &inside)?;
        Ok((text, membership))
    }

    /// An invitation for whoever knows the password: it says where, and holds no secret of it.
    pub fn invite_by_password(&mut self, now: Now) -> Result<String, Error> {
        if !self.state.synchronized {
            return Err(Code::GroupNotReady.into());
        }
        let Some(rule) = self.rule().cloned() else {
            return Err(Error::new(Code::InvalidGroupProperties)
                .detail("the group was made without a password"));
        };
        let clock = self.clock(now);
        if !self.own_membership(&clock)?.role.may_issue(Role::Member) {
            return Err(Error::new(Code::NotAuthorized).detail("members cannot invite"));
        }
        let body = ByPasswordBody {
            head: self.invitation_head(invitation_kind::PASSWORD),
            door: self.state.door,
            role: rule.role,
            generation: rule.generation,
            made: Seconds(clock.wall_s),
        };
        Ok(ByPassword::text(self.crypto, &self.identity.seed, body))
    }
}
