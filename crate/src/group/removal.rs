//! Ending memberships: removing somebody, voiding an invitation, leaving.

use super::credential::{Body, Credential, How, Revoked, Vouched};
use super::invitation::Invitation;
use super::{Control, Group};
use crate::crypto::head;
use crate::error::{Code, Error};
use crate::limits::{CLOCK_GRACE_S, FAREWELL_CREDENTIALS, REASON_CHARS, VOUCHED, VOUCHES};
use crate::names::PeerId;
use crate::random::Random;
use crate::time::Now;
use crate::wire::codec::{List, Text};
use crate::wire::seconds::Seconds;

/// A revocation to be made.
pub struct Removal {
    /// Whose membership ends.
    pub what: Revoked,
    /// How.
    pub how: How,
    /// For people.
    pub reason: String,
    /// All of its own records stay.
    pub records_stay: bool,
    /// These of its records do.
    pub records: Vec<Vouched>,
}

impl Group {
    /// Whose memberships the revocation of an invitation ends. One that is bound to somebody is that
    /// person's membership.
    pub fn revoked_by(&self, invitation: &str) -> Result<Revoked, Error> {
        let invitation = Invitation::parse(self.crypto, invitation)?;
        if invitation.head().group != self.state.group {
            return Err(
                Error::new(Code::InvalidArgument).detail("the invitation is to another group")
            );
        }
        match &invitation {
            Invitation::Bound(bound) => Ok(Revoked::Member {
                peer: bound.body.subject,
            }),
            Invitation::ByPassword(_) => Err(Error::new(Code::InvalidArgument)
                .detail("it only says where the group is: change the password instead")),
            Invitation::Bearer(bearer) => {
                let delegation = bearer.body.credentials.last();
                let hash = delegation.map(|d| d.hash(self.crypto, self.state.group));
                let hash = hash.ok_or(Code::InvitationNotTrusted)?;
                Ok(Revoked::Invitation { hash })
            }
        }
    }

    /// Who is meant.
    pub fn subjects(&mut self, what: &Revoked) -> Vec<PeerId> {
        match what {
            Revoked::Member { peer } => vec![*peer],
            Revoked::Invitation { hash } => self.with_judge(|judge| judge.came_with(hash)),
        }
    }

    /// Whether somebody is a member, or was one.
    pub fn was_member(&mut self, peer: &PeerId) -> bool {
        self.ever().rights.contains_key(peer)
    }

    /// Why somebody is no member any more, if it was one.
    pub fn former(&mut self, peer: &PeerId) -> Option<Error> {
        if let Some((_, why)) = self.ever().former.get(peer) {
            return Some(why.clone());
        }
        if *peer == self.state.peer {
            self.expelled()
        } else {
            None
        }
    }

    /// Whether our own membership would end by it.
    pub(super) fn is_about_us(&mut self, what: &Revoked) -> bool {
        let own = self.state.peer;
        match what {
            Revoked::Member { peer } => *peer == own,
            Revoked::Invitation { .. } => self.subjects(what).contains(&own),
        }
    }

    /// Why we are no member any more, by what we were told of that: what stays of us is for others to
    /// know.
    fn expelled(&mut self) -> Option<Error> {
        let credential = self.state.expelled.clone()?;
        let Body::Revocation {
            what,
            at,
            how,
            reason,
            issuer,
            ..
        } = &credential.body
        else {
            return None;
        };
        let own = self.state.peer;
        let began = self.with_judge(|judge| judge.began(&own));
        if *how == How::Left || !self.is_senior(issuer, &own) || began > *at {
            return None;
        }
        let by_invitation = matches!(what, Revoked::Invitation { .. });
        Some(super::judge::removed(by_invitation, reason))
    }

    /// What ends memberships: control items for everybody. A removal brings the next epoch with it.
    pub fn removal(
        &mut self,
        random: &mut Random,
        now: Now,
        removal: Removal,
    ) -> Result<Vec<Control>, Error> {
        if !self.state.synchronized {
            return Err(Code::GroupNotReady.into());
        }
        let seed = if removal.how == How::Left {
            self.identity.seed
        } else {
            self.authority(now)?
        };
        let (crypto, group) = (self.crypto, self.state.group);
        let issuer = crypto.public_key(&seed);
        self.check_removal(&removal, &issuer)?;
        let subjects = self.subjects(&removal.what);
        let at = subjects.iter().map(|peer| self.last_begin(peer, now));
        let at = at.max().unwrap_or(Seconds(now.wall_seconds()));
        let mut hashes = self.issued_by(&subjects);
        hashes.extend(removal.records);
        let vouches = hashes.chunks(VOUCHED).take(VOUCHES).map(|hashes| {
            let hashes = List::first(hashes.to_vec());
            Credential::sign(crypto, group, &seed, Body::Vouch { hashes, issuer })
        });
        let mut items: Vec<Credential> = vouches.collect();
        let names = items.iter().map(|vouch| self.vouched_name(vouch));
        let body = Body::Revocation {
            what: removal.what,
            at,
            how: removal.how,
            records_stay: removal.records_stay,
            vouches: List::first(names.collect()),
            reason: Text::new(removal.reason).unwrap_or_default(),
            issuer,
            serial: random.bytes(),
        };
        let revocation = Credential::sign(crypto, group, &seed, body);
        let hash = revocation.hash(crypto, group);
        items.push(revocation);
        let items = items.into_iter();
        let mut items: Vec<Control> = items
            .map(|credential| Control::Credential { credential })
            .collect();
        if removal.how == How::Removed {
            let secret = self.next_epoch(random, now, &[head(&hash)])?;
            items.push(Control::Secret { secret });
        }
        Ok(items)
    }

    /// What cannot be done, said before anything is.
    fn check_removal(&mut self, removal: &Removal, issuer: &[u8; 32]) -> Result<(), Error> {
        if removal.reason.chars().count() > REASON_CHARS {
            return Err(Error::new(Code::InvalidArgument).detail(format!(
                "the reason is longer than {REASON_CHARS} characters"
            )));
        }
        let Revoked::Member { peer } = &removal.what else {
            return Ok(());
        };
        if removal.how == How::Left {
            return Ok(());
        }
        if *peer == self.state.peer {
            return Err(Error::new(Code::InvalidArgument)
                .detail("nobody removes the own membership: leave() gives it up"));
        }
        if !self.is_senior(issuer, peer) {
            return Err(Error::new(Code::NotAuthorized).detail(
                "only an admin who is closer to the creator, or became one earlier, can do that to an admin",
            ));
        }
        Ok(())
    }

    /// Whether an admin, or the group key, may end somebody's membership.
    fn is_senior(&mut self, admin: &[u8; 32], to: &PeerId) -> bool {
        let (group, admins) = (self.state.group, &self.ever().admins);
        let place = |key: &[u8; 32]| admins.iter().position(|admin| admin == key);
        let other = place(&to.0);
        *admin == group.0
            || place(admin).is_some_and(|place| other.is_none_or(|other| place < other))
    }

    /// What of the credentials that somebody issued stays: all that we know by now.
    fn issued_by(&mut self, subjects: &[PeerId]) -> Vec<Vouched> {
        let support = self.ever().support.clone();
        let theirs = support.iter().filter(|credential| {
            let issuer = PeerId(*credential.issuer());
            subjects.contains(&issuer) && !matches!(credential.body, Body::Vouch { .. })
        });
        theirs
            .map(|credential| self.vouched_name(credential))
            .collect()
    }

    fn vouched_name(&self, credential: &Credential) -> Vouched {
        head(&credential.hash(self.crypto, self.state.group))
    }

    /// From when a new membership of somebody counts, whose earlier one was ended.
    pub(super) fn not_before(&self, peer: &PeerId, from: Seconds) -> Seconds {
        let ends = self
            .known
            .values()
            .filter_map(|credential| match &credential.body {
                Body::Revocation {
                    what: Revoked::Member { peer: of },
                    at,
                    ..
                } if of == peer => Some(Seconds(at.0.saturating_add(1))),
                _ => None,
            });
        ends.fold(from, Ord::max)
    }

    /// Now, or when somebody's last membership begins, should our clock be behind that of its issuer.
    pub(super) fn last_begin(&mut self, peer: &PeerId, now: Now) -> Seconds {
        let now = now.wall_seconds();
        let rights = self.ever().rights.get(peer).into_iter().flatten();
        let begins = rights.map(|rights| rights.from);
        // What begins later is not in force: nobody moves an end far ahead with it.
        let near = begins.filter(|from| from.0 <= now.saturating_add(CLOCK_GRACE_S));
        near.fold(Seconds(now), Ord::max)
    }

    /// What tells somebody that it is no member any more.
    pub(super) fn farewell_to(&mut self, peer: &PeerId) -> Vec<Credential> {
        self.with_judge(|judge| {
            let mut why = judge.why_removed(peer);
            why.extend(judge.why_outnumbered(peer));
            why.truncate(FAREWELL_CREDENTIALS);
            why
        })
    }
}
