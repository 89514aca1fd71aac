//! Credentials for those who are members already: a later end, or another role.

use super::credential::{Body, Credential, Credentials, How, Revoked, Role, Vouched};
use super::identity::Identity;
use super::invitation::{Invitation, Invitee};
use super::removal::Removal;
use super::state::GroupState;
use super::{Control, Group};
use crate::crypto::Crypto;
use crate::engine::command::NewCredential;
use crate::error::{Code, Error};
use crate::graph::security::Security as _;
use crate::names::PeerId;
use crate::random::Random;
use crate::time::Now;
use crate::wire::codec::List;
use crate::wire::seconds::{Clock, Seconds};

/// What somebody's membership says.
#[derive(Clone, Copy)]
struct Terms {
    role: Role,
    from: Seconds,
    until: Seconds,
}

impl Group {
    /// Another membership for a member, as a text and as what members are to be told. It begins after
    /// the one it follows; where it gives less, that one ends. `written` are the records that are its
    /// last word.
    pub fn issue(
        &mut self,
        random: &mut Random,
        now: Now,
        new: &NewCredential,
        written: Vec<Vouched>,
    ) -> Result<(String, Vec<Control>), Error> {
        if !self.state.synchronized {
            return Err(Code::GroupNotReady.into());
        }
        let clock = self.clock(now);
        let own = self.own_membership(&clock)?;
        if own.role != Role::Admin {
            return Err(Error::new(Code::NotAuthorized).detail("only admins issue credentials"));
        }
        let subject = new.peer;
        if subject == self.state.peer {
            return Err(Error::new(Code::InvalidArgument)
                .detail("nobody issues the own credential: another admin does"));
        }
        let (last, sealing) = self.last_of(&clock, &subject).ok_or_else(|| {
            Error::new(Code::IdentityNotFound).detail("nobody of that id is or was a member")
        })?;
        let from = self.last_begin(&subject, now).0.saturating_add(1);
        let from = self.not_before(&subject, own.from.max(Seconds(from)));
        let as_long = match last.until {
            Seconds::NEVER => own.until,
            until => Seconds(from.0.saturating_add(until.0.saturating_sub(last.from.0))),
        };
        let until = new.until.map_or(as_long.min(own.until), Seconds);
        if until.0 <= clock.wall_s || until <= from {
            return Err(Error::new(Code::InvalidTimePeriod)
                .detail("the membership would have ended already"));
        }
        if until > own.until {
            return Err(Error::new(Code::InvalidCredentialInfo)
                .detail("nobody can issue beyond the end of the own membership"));
        }
        let role = new.role.unwrap_or(last.role);
        let current = self.judged(&clock, subject, &[], false).ok();
        let lowers = current.is_some_and(|(now, _)| role < now.role || until < now.until);
        let ends = if lowers {
            let shortens = until < last.until;
            self.ends_before(random, now, new, shortens, written)?
        } else {
            Vec::new()
        };
        if self.rests_on(&subject) {
            return Err(Error::new(Code::CircularChain).detail("the own membership is from it"));
        }
        let invitee = Invitee {
            peer: subject,
            sealing,
            role,
            from,
            until,
        };
        let (text, credential) = self.bound_text(random, &invitee)?;
        // First what follows: nobody is without a membership in between.
        let mut items = vec![Control::Credential { credential }];
        items.extend(ends);
        Ok((text, items))
    }

    /// What ends a membership in whose place another comes.
    fn ends_before(
        &mut self,
        random: &mut Random,
        now: Now,
        new: &NewCredential,
        shortens: bool,
        records: Vec<Vouched>,
    ) -> Result<Vec<Control>, Error> {
        if !new.publish {
            return Err(Error::new(Code::InvalidArgument)
                .detail("what takes something away must be published"));
        }
        let removal = Removal {
            what: Revoked::Member { peer: new.peer },
            how: How::Replaced,
            reason: String::new(),
            // With all of its own records, those to come would stay beyond the new end.
            records_stay: !shortens,
            records,
        };
        self.removal(random, now, removal)
    }

    /// What somebody's membership says now, or said at last, and where things are sealed to it.
    fn last_of(&mut self, clock: &Clock, peer: &PeerId) -> Option<(Terms, [u8; 32])> {
        let all = self.ever().support.iter().filter_map(|credential| {
            let Body::Membership {
                subject,
                sealing,
                role,
                from,
                until,
                ..
            } = credential.body
            else {
                return None;
            };
            let terms = Terms { role, from, until };
            (subject == *peer).then_some((terms, sealing))
        });
        let (last, sealing) = all.max_by_key(|(terms, _)| {
            let holds = clock.check(terms.from, terms.until).is_ok();
            (holds, terms.from, terms.until)
        })?;
        let terms = match self.judged(clock, *peer, &[], false) {
            Ok((member, _)) => Terms {
                role: member.role,
                from: member.from,
                until: member.until,
            },
            Err(_) => last,
        };
        Some((terms, sealing))
    }

    /// Whether our own chain goes over somebody.
    fn rests_on(&self, peer: &PeerId) -> bool {
        let proof = &self.state.proof;
        let mut key = self.state.peer.0;
        // Each step goes up one link.
        for _ in 0..proof.len() {
            let above = proof.iter().find_map(|credential| match &credential.body {
                Body::Membership {
                    subject, issuer, ..
                } if subject.0 == key => Some(*issuer),
                Body::Delegation {
                    key: of, issuer, ..
                } if *of == key => Some(*issuer),
                _ => None,
            });
            match above {
                Some(above) if above == peer.0 => return true,
                Some(above) => key = above,
                None => return false,
            }
        }
        false
    }

    /// What an invitation brings for whoever is a member already: a better credential may be in it.
    pub fn brought(&self, invitation: &Invitation) -> Result<Vec<Control>, Error> {
        let Invitation::Bound(bound) = invitation else {
            return Ok(Vec::new());
        };
        let inside = bound.open(self.crypto, &self.identity)?;
        let items = inside.credentials.into_vec().into_iter();
        Ok(items
            .map(|credential| Control::Credential { credential })
            .collect())
    }

    /// A group that is not open takes what an invitation brings: what is to be stored of it then.
    pub fn joined_again(
        crypto: Crypto,
        identity: Identity,
        now: Now,
        state: GroupState,
        invitation: &Invitation,
    ) -> Result<GroupState, Error> {
        let mut group = Self::open(crypto, identity, state);
        let brought = group.brought(invitation)?;
        group.take_effect(now, brought);
        group.state.credentials = List::first(group.known.into_values().collect());
        Ok(group.state)
    }

    /// Shows the best of our memberships from now on.
    pub(super) fn show_best(&mut self, now: Now) {
        let (clock, peer) = (self.clock(now), self.state.peer);
        let Ok((_, support)) = self.judged(&clock, peer, &[], false) else {
            return;
        };
        let is_same = |proof: &Credentials| {
            proof.len() == support.len() && support.iter().all(|c| proof.contains(c))
        };
        if is_same(&self.state.proof) {
            return;
        }
        let Some(proof) = Credentials::new(support) else {
            return;
        };
        let before = core::mem::replace(&mut self.state.proof, proof);
        // What was issued by the one before rests on it still.
        for credential in before.into_vec() {
            self.known.insert(credential.id(self.crypto), credential);
        }
        self.changed();
    }
}

/// Whether a credential makes somebody a member, or ends that.
pub(super) fn is_about(credential: &Credential, peer: &PeerId) -> bool {
    match &credential.body {
        Body::Membership { subject, .. } => subject == peer,
        Body::Revocation {
            what: Revoked::Member { peer: of },
            ..
        } => of == peer,
        _ => false,
    }
}
