//! Which revocations count, what they end, and what stays of those who are removed.
//!
//! A member is removed by any admin, an admin by a senior one only, and admins rest on their seniors: so
//! the revocations are settled from the most senior admin down, each with those of its seniors applied.
//! What was signed by somebody whose membership has ended counts where a vouch lists it. So it matters
//! neither what came first nor what date anything bears.

use super::{Judge, Member, Rank, Verified};
use crate::crypto::head;
use crate::error::{Code, Error};
use crate::group::credential::{Body, Credential, How, Revoked, Role, Vouched};
use crate::limits::REVOKING_ADMINS;
use crate::names::PeerId;
use crate::sorted::Set;
use crate::wire::seconds::Seconds;

/// A revocation that counts.
pub(super) struct Removal {
    how: How,
    at: Seconds,
    /// Whoever is as senior is not meant.
    by: Rank,
    reason: String,
    /// What of its holder's credentials and records counts.
    vouched: Set<Vouched>,
    /// All of its own records do.
    records_stay: bool,
    /// The revocation and its vouches.
    places: Vec<usize>,
}

impl Removal {
    pub(super) fn how(&self) -> How {
        self.how
    }

    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.places.iter().copied()
    }

    /// Whether it ends a membership of the member that it is about.
    fn ends(&self, member: &Member) -> bool {
        let senior = member.role == Role::Admin && member.rank <= self.by;
        match self.how {
            How::Removed => !senior && (member.from <= self.at || !member.by_admin),
            How::Replaced => !senior && member.from <= self.at,
            How::Left => member.began() <= self.at,
        }
    }
}

impl Judge<'_> {
    /// Works out who is a member and which revocations count.
    pub(super) fn settle(&mut self, verified: &mut Verified) {
        let (left, mut open): (Vec<usize>, Vec<usize>) = core::mem::take(&mut self.revocations)
            .into_iter()
            .partition(|at| self.leaves(*at));
        for at in left {
            self.apply(at, Rank::GROUP, verified);
        }
        for _ in 0..REVOKING_ADMINS {
            self.resolve_all(verified);
            let in_office = open.iter().filter_map(|at| {
                let issuer = *self.credentials.get(*at)?.issuer();
                Some((self.office(&issuer, *at)?, issuer))
            });
            let Some((rank, issuer)) = in_office.min() else {
                return;
            };
            let mut later = Vec::new();
            for at in open {
                let by = self
                    .credentials
                    .get(at)
                    .map(|credential| *credential.issuer());
                if by == Some(issuer) && self.office(&issuer, at).is_some() {
                    self.apply(at, rank, verified);
                } else {
                    later.push(at);
                }
            }
            open = later;
        }
        self.resolve_all(verified);
    }

    /// Whoever comes after an invitation's last use is out, and so is everybody who rests on it.
    fn resolve_all(&mut self, verified: &mut Verified) {
        self.outnumbered.clear();
        while self.resolve(verified) {}
    }

    /// The best rank by which somebody's revocation counts.
    fn office(&self, issuer: &[u8; 32], at: usize) -> Option<Rank> {
        if *issuer == self.group.0 {
            return Some(Rank::GROUP);
        }
        let issuer = PeerId(*issuer);
        let held = self.members.get(&issuer)?.iter();
        let admins = held.filter(|m| m.role == Role::Admin && self.counts(&issuer, m, at));
        admins.map(|member| member.rank).min()
    }

    /// Whether somebody says it of itself.
    fn leaves(&self, at: usize) -> bool {
        self.credentials
            .get(at)
            .is_some_and(|credential| leaves(credential))
    }

    /// Notes a revocation, if it is whole.
    fn apply(&mut self, at: usize, by: Rank, verified: &mut Verified) {
        let Some(credential) = self.credentials.get(at).copied() else {
            return;
        };
        let Body::Revocation {
            what,
            at: time,
            how,
            records_stay,
            vouches,
            reason,
            issuer,
            ..
        } = &credential.body
        else {
            return;
        };
        if (*how == How::Left && !leaves(credential)) || self.signed(at, verified).is_err() {
            return;
        }
        let mut removal = Removal {
            how: *how,
            at: *time,
            by,
            reason: reason.to_string(),
            vouched: Set::new(),
            records_stay: *records_stay,
            places: vec![at],
        };
        for name in vouches.iter() {
            let Some(place) = self.vouches.get(name).copied() else {
                return;
            };
            let vouch = self.credentials.get(place).map(|vouch| &vouch.body);
            let Some(Body::Vouch { hashes, issuer: by }) = vouch else {
                return;
            };
            if by != issuer || self.signed(place, verified).is_err() {
                return;
            }
            removal.vouched.extend(hashes.iter().copied());
            removal.places.push(place);
        }
        match what {
            Revoked::Member { peer } => self.removals.or_default(*peer).push(removal),
            Revoked::Invitation { hash } => self.voided.or_default(*hash).push(removal),
        }
    }

    /// What ends a membership. Somebody's own word that it left says nothing beside an admin's.
    pub(super) fn endings<'s>(
        &'s self,
        subject: &PeerId,
        member: &'s Member,
    ) -> impl Iterator<Item = &'s Removal> {
        let invitation = member.came_with.map(|came_with| came_with.invitation);
        let own = self.removals.get(subject).into_iter();
        let voided = invitation.and_then(|hash| self.voided.get(&hash));
        let all = own.chain(voided).flatten();
        let ends = move |removal: &&Removal| removal.ends(member);
        let removed = all.clone().any(|r| r.how != How::Left && r.ends(member));
        all.filter(ends)
            .filter(move |removal| !removed || removal.how != How::Left)
    }

    /// Whether a membership of somebody makes a credential count that it issued.
    pub(super) fn counts(&self, issuer: &PeerId, member: &Member, at: usize) -> bool {
        let name = self.vouched_name(at);
        !member.ended
            || self
                .endings(issuer, member)
                .any(|removal| removal.vouched.contains(&name))
    }

    /// What a vouch calls a credential.
    pub(super) fn vouched_name(&self, at: usize) -> Vouched {
        let hash = self.hashes.get(at).copied().unwrap_or_default();
        head(&hash)
    }

    /// What to tell somebody whose membership has ended.
    pub(super) fn ended(&self, subject: &PeerId, member: &Member) -> Error {
        let Some(removal) = self.endings(subject, member).next() else {
            return Code::CredentialRevoked.into();
        };
        let own = self.removals.get(subject);
        let by_invitation = !own.is_some_and(|own| own.iter().any(|r| r.ends(member)));
        match removal.how {
            How::Left => Error::new(Code::CredentialRevoked).detail("it has left the group"),
            _ => removed(by_invitation, &removal.reason),
        }
    }

    /// What stays of the records of somebody whose membership has ended: all of its own, and those
    /// that are listed.
    pub(super) fn stays(&self, subject: &PeerId, member: &Member) -> (bool, Set<Vouched>) {
        let mut own = false;
        let mut listed = Set::new();
        for removal in self.endings(subject, member) {
            own |= removal.records_stay;
            listed.extend(removal.vouched.iter().copied());
        }
        (own, listed)
    }

    /// The places of all revocations that count, with their vouches.
    pub(super) fn removal_places(&self) -> impl Iterator<Item = usize> {
        let left = |peer: &PeerId| self.members.contains_key(peer);
        let members = self.removals.iter().flat_map(move |(peer, removals)| {
            // Of strangers it means nothing that they left.
            let counts = move |removal: &&Removal| removal.how != How::Left || left(peer);
            removals.iter().filter(counts)
        });
        let all = members.chain(self.voided.values().flatten());
        all.flat_map(Removal::places)
    }

    /// Who was removed, by the hash of what says so: whatever else they know, they know old secrets.
    pub(super) fn removed(&self) -> impl Iterator<Item = (Seconds, [u8; 32])> {
        let all = self.removals.values().chain(self.voided.values()).flatten();
        all.filter(|removal| removal.how == How::Removed)
            .filter_map(|removal| {
                let hash = self.hashes.get(*removal.places.first()?)?;
                Some((removal.at, *hash))
            })
    }
}

/// What somebody is told who was removed.
#[must_use]
pub fn removed(by_invitation: bool, reason: &str) -> Error {
    let code = if by_invitation {
        Code::InvitationRevoked
    } else {
        Code::CredentialRevoked
    };
    Error::new(code).detail(match reason {
        "" => String::new(),
        reason => format!("the reason given: {reason}"),
    })
}

/// Whether a revocation is of the one who signs it.
fn leaves(credential: &Credential) -> bool {
    let Body::Revocation {
        what: Revoked::Member { peer },
        how: How::Left,
        issuer,
        ..
    } = &credential.body
    else {
        return false;
    };
    peer.0 == *issuer
}

#[cfg(test)]
mod tests;
