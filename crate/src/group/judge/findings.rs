//! What a judge has found: everybody's rights, and the credentials they rest on.

use super::{Judge, Member};
use crate::graph::security::Rights;
use crate::group::credential::{Body, Credential, Role};
use crate::group::password::tending::Holder;
use crate::limits::PROOF_CREDENTIALS;
use crate::names::PeerId;
use crate::sorted::{Map, Set};

impl Judge<'_> {
    /// What every member may do with records.
    #[must_use]
    pub fn rights(&self) -> Map<PeerId, Vec<Rights>> {
        let rights = |member: &Member| Rights {
            others: member.role == Role::Admin,
            from: member.from,
            until: member.until,
        };
        let members = self.members.iter();
        members
            .map(|(peer, held)| (*peer, held.iter().map(rights).collect()))
            .collect()
    }

    /// Who is a member without any invitation that many may hold.
    #[must_use]
    pub fn admit_all(&self) -> Vec<PeerId> {
        let came_by_none = |held: &Vec<Member>| held.iter().any(|m| m.invitations.is_empty());
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
            let rests = |member: &Member| member.support.contains(at);
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
