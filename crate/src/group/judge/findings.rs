//! What a judge has found: everybody's rights, and the credentials they rest on.

use super::{Judge, Member};
use crate::crypto::head;
use crate::error::Error;
use crate::graph::security::Rights;
use crate::group::credential::{Body, Credential, How, Role};
use crate::group::epoch::Covered;
use crate::group::password::tending::Holder;
use crate::limits::PROOF_CREDENTIALS;
use crate::names::PeerId;
use crate::sorted::{Map, Set};
use crate::wire::seconds::Seconds;
use std::sync::Arc;

/// A membership, as far as others look at it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Standing {
    /// What it may do.
    pub role: Role,
    /// Not after.
    pub until: Seconds,
    /// Not before.
    pub from: Seconds,
    /// Who gave it: a member, or the group's own key.
    pub issuer: [u8; 32],
}

impl Judge<'_> {
    /// What every member may do with records, and what stays of those who were members.
    #[must_use]
    pub fn rights(&self) -> Map<PeerId, Vec<Rights>> {
        let members = self.members.iter();
        members
            .map(|(peer, held)| (*peer, held.iter().flat_map(|m| self.of(peer, m)).collect()))
            .collect()
    }

    fn of(&self, peer: &PeerId, member: &Member) -> Vec<Rights> {
        let all = Rights {
            others: member.role == Role::Admin,
            from: member.from,
            until: member.until,
            only: None,
        };
        if !member.ended {
            return vec![all];
        }
        let (own, listed) = self.stays(peer, member);
        let own = own.then(|| Rights {
            others: false,
            ..all.clone()
        });
        // Even if nothing is listed: somebody who was removed is not unknown.
        let listed = Rights {
            only: Some(Arc::new(listed)),
            ..all
        };
        own.into_iter().chain([listed]).collect()
    }

    /// When the last membership of everybody ends who is a member.
    #[must_use]
    pub fn ends(&self) -> Map<PeerId, Seconds> {
        let end = |(peer, held): (&PeerId, &Vec<Member>)| {
            let ends = held.iter().filter(|m| !m.ended).map(|m| m.until);
            Some((*peer, ends.max()?))
        };
        self.members.iter().filter_map(end).collect()
    }

    /// Who was a member and is none now, and why.
    #[must_use]
    pub fn former(&self) -> Map<PeerId, (How, Error)> {
        let all = self.members.iter();
        let ended = all.filter(|(_, held)| held.iter().all(|member| member.ended));
        let how = |peer, held: &Vec<Member>| {
            let member = held.first()?;
            let how = self
                .endings(peer, member)
                .map(|removal| removal.how())
                .min()?;
            Some((*peer, (how, self.ended(peer, member))))
        };
        ended.filter_map(|(peer, held)| how(peer, held)).collect()
    }

    /// Who is an admin, or was one, the most senior first.
    #[must_use]
    pub fn admins(&self, ever: bool) -> Vec<[u8; 32]> {
        let ranked = self.members.iter().filter_map(|(peer, held)| {
            let admins = held.iter().filter(|m| m.role == Role::Admin);
            let ranks = admins.filter(|m| ever || !m.ended).map(|m| m.rank);
            Some((ranks.min()?, peer.0))
        });
        let ranked: Set<_> = ranked.collect();
        ranked.into_iter().map(|(_, key)| key).collect()
    }

    /// All removals, the newest first.
    #[must_use]
    pub fn removals(&self) -> Vec<Covered> {
        let all: Set<_> = self.removed().collect();
        all.iter().rev().map(|(_, hash)| head(hash)).collect()
    }

    /// When somebody's latest membership that counts began.
    #[must_use]
    pub fn began(&self, peer: &PeerId) -> Seconds {
        let held = self.members.get(peer).into_iter().flatten();
        let began = held.filter(|m| !m.ended).map(|m| m.from);
        began.max().unwrap_or(Seconds(0))
    }

    /// Who came with an invitation.
    #[must_use]
    pub fn came_with(&self, invitation: &[u8; 32]) -> Vec<PeerId> {
        let came = |member: &Member| {
            member
                .came_with
                .is_some_and(|c| c.invitation == *invitation)
        };
        let members = self.members.iter();
        members
            .filter(|(_, held)| held.iter().any(came))
            .map(|(peer, _)| *peer)
            .collect()
    }

    /// The credentials that somebody's removal rests on.
    #[must_use]
    pub fn why_removed(&self, peer: &PeerId) -> Vec<Credential> {
        let held = self.members.get(peer).into_iter().flatten();
        let removals = held.flat_map(|member| self.endings(peer, member));
        // What stays is for others to know.
        let places = removals.filter_map(|removal| removal.places().next());
        let mut all = self.listed(&places.collect());
        // Whoever did it may have become an admin since the other one heard of us last.
        let issuers: Set<_> = all.iter().map(|c| PeerId(*c.issuer())).collect();
        for issuer in issuers.iter() {
            all.extend(self.ever_support(issuer));
        }
        all
    }

    /// What shows somebody who came with an invitation after its last use that others came before.
    #[must_use]
    pub fn why_outnumbered(&self, peer: &PeerId) -> Vec<Credential> {
        let late = self.outnumbered.iter().map(|(late, _)| late);
        let with: Set<[u8; 32]> = late.filter(|(of, _)| of == peer).map(|(_, i)| *i).collect();
        let came = self.members.values().flatten().filter(|member| {
            let came_with = member.came_with.as_ref();
            came_with.is_some_and(|came_with| with.contains(&came_with.invitation))
        });
        let places = came.flat_map(|member| {
            let membership = member.came_with.map(|came_with| came_with.membership);
            let counted = membership.and_then(|membership| self.counted.get(&membership));
            member
                .support
                .iter()
                .chain(counted.into_iter().flat_map(|set| set.iter()))
        });
        self.listed(&places.copied().collect())
    }

    /// What somebody's memberships rest on, whether they count or not.
    #[must_use]
    pub fn ever_support(&self, peer: &PeerId) -> Vec<Credential> {
        let held = self.members.get(peer).into_iter().flatten();
        let all = held.flat_map(|member| member.support.iter().copied());
        self.listed(&all.collect())
    }

    /// Every membership that counts of every member.
    #[must_use]
    pub fn standings(&self) -> Map<PeerId, Vec<Standing>> {
        let standing = |member: &Member| Standing {
            role: member.role,
            from: member.from,
            until: member.until,
            issuer: member.issuer,
        };
        let members = self.members.iter();
        let counted = |held: &Vec<Member>| -> Vec<Standing> {
            let counted = held.iter().filter(|member| !member.ended);
            counted.map(standing).collect()
        };
        members
            .map(|(peer, held)| (*peer, counted(held)))
            .filter(|(_, held)| !held.is_empty())
            .collect()
    }

    /// Who is a member without any invitation that many may hold.
    #[must_use]
    pub fn admit_all(&self) -> Vec<PeerId> {
        let came_by_none = |held: &Vec<Member>| {
            let mut held = held.iter().filter(|m| !m.ended);
            held.any(|m| m.invitations.is_empty())
        };
        let members = self.members.iter();
        members
            .filter(|(_, held)| came_by_none(held))
            .map(|(peer, _)| *peer)
            .collect()
    }

    /// Who may let others in, and where things are sealed to them: where somebody has several such
    /// memberships, by the one that lasts longest.
    #[must_use]
    pub fn holders(&self) -> Map<PeerId, Holder> {
        let mut holders: Map<PeerId, Holder> = Map::new();
        for at in &self.memberships {
            let credential = self.credentials.get(*at).map(|credential| &credential.body);
            let Some(Body::Membership {
                subject,
                sealing,
                role,
                until,
                ..
            }) = credential
            else {
                continue;
            };
            let rests = |member: &Member| !member.ended && member.support.contains(at);
            let holds = self
                .members
                .get(subject)
                .is_some_and(|held| held.iter().any(rests));
            let known = holders.get(subject);
            let better = known.is_none_or(|known| (known.role, known.until) < (*role, until.0));
            if holds && better && *role >= Role::InvitingMember {
                let holder = Holder {
                    role: *role,
                    sealing: *sealing,
                    until: until.0,
                };
                holders.insert(*subject, holder);
            }
        }
        holders
    }

    /// The credentials that a membership rests on, and those by which its use of an invitation is
    /// counted where they fit into a proof.
    #[must_use]
    pub fn support(&self, member: &Member) -> Vec<Credential> {
        let came_with = member.came_with.as_ref();
        let counted = came_with.and_then(|came_with| self.counted.get(&came_with.membership));
        let mut all = member.support.clone();
        all.extend(
            counted
                .into_iter()
                .flat_map(|counted| counted.iter().copied()),
        );
        if all.len() > PROOF_CREDENTIALS {
            all = member.support.clone();
        }
        self.listed(&all)
    }

    /// The credentials that anybody's membership rests on, and those by which uses are counted.
    #[must_use]
    pub fn all_support(&self) -> Vec<Credential> {
        let members = self.members.values().flatten();
        let supports = members.map(|member| &member.support);
        let all: Set<usize> = supports
            .chain(self.counted.values())
            .flat_map(|places| places.iter().copied())
            .chain(self.removal_places())
            .collect();
        self.listed(&all)
    }

    fn listed(&self, places: &Set<usize>) -> Vec<Credential> {
        let credentials = places.iter().filter_map(|at| self.credentials.get(*at));
        credentials
            .map(|credential| (*credential).clone())
            .collect()
    }
}
