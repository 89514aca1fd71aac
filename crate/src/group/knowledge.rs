//! What a node knows of memberships, and what it makes of credentials that come.

use super::credential::{Body, Credential};
use super::judge::{Judge, Member};
use super::security::Control;
use super::{Ever, Group, issuing};
use crate::error::Error;
use crate::limits;
use crate::names::PeerId;
use crate::wire::codec::Wire as _;
use crate::wire::seconds::Clock;

impl Group {
    /// Somebody's membership by all we know and what it shows, and what that rests on.
    pub(super) fn judged(
        &mut self,
        clock: &Clock,
        peer: PeerId,
        shown: &[Credential],
        at_door: bool,
    ) -> Result<(Member, Vec<Credential>), Error> {
        let all = self
            .state
            .proof
            .iter()
            .chain(self.known.values())
            .chain(shown);
        let (group, verified) = (self.state.group, &mut self.verified);
        let mut judge = Judge::new(self.crypto, group, clock, all, verified);
        let member = if at_door {
            judge.at_door(peer, verified)
        } else {
            judge.member(peer, verified)
        }?;
        let support = judge.support(&member);
        Ok((member, support))
    }

    /// Looks at all we know, whatever the time.
    pub(super) fn with_judge<T>(&mut self, look: impl FnOnce(&Judge<'_>) -> T) -> T {
        let all = self.state.proof.iter().chain(self.known.values());
        let (group, verified) = (self.state.group, &mut self.verified);
        look(&Judge::new(
            self.crypto,
            group,
            &Clock::TIMELESS,
            all,
            verified,
        ))
    }

    /// The group key, and whoever is an admin or was one: by all we know, what waits, and what somebody
    /// shows.
    pub(super) fn admins_with<'a>(
        &'a mut self,
        shown: impl Iterator<Item = &'a Credential>,
    ) -> Vec<[u8; 32]> {
        let known = self.state.proof.iter().chain(self.known.values());
        let all = known.chain(&self.pending).chain(shown);
        let (group, verified) = (self.state.group, &mut self.verified);
        let judge = Judge::new(self.crypto, group, &Clock::TIMELESS, all, verified);
        let mut admins = judge.admins(true);
        admins.push(group.0);
        admins
    }

    pub(super) fn ever(&mut self) -> &Ever {
        let all = self.state.proof.iter().chain(self.known.values());
        let (group, verified) = (self.state.group, &mut self.verified);
        self.ever.get_or_insert_with(|| {
            let judge = Judge::new(self.crypto, group, &Clock::TIMELESS, all, verified);
            Ever {
                rights: judge.rights(),
                support: judge.all_support(),
                admit_all: judge.admit_all(),
                holders: judge.holders(),
                standings: judge.standings(),
                former: judge.former(),
                ends: judge.ends(),
                admins: judge.admins(false),
                revocations: judge.removals(),
            }
        })
    }

    /// What we know of memberships is another: so may be everybody's rights.
    pub(super) fn changed(&mut self) {
        self.ever = None;
        self.revision += 1;
    }

    /// Keeps what somebody's membership rests on, and tells the neighbors what is new of it.
    pub(super) fn learn(&mut self, support: Vec<Credential>) {
        // However many members somebody makes, admins can end memberships.
        let ordinary = limits::CONTROL_ITEMS - limits::REMOVAL_ITEMS;
        let mut admins = Vec::new();
        if self.known.len() + support.len() > ordinary {
            admins = self.admins_with(support.iter());
        }
        for credential in support {
            let id = credential.id(self.crypto);
            let ends = matches!(
                credential.body,
                Body::Revocation { .. } | Body::Vouch { .. }
            );
            let room = if ends && admins.contains(credential.issuer()) {
                limits::CONTROL_ITEMS
            } else {
                ordinary
            };
            if self.known.len() < room
                && !self.known.contains_key(&id)
                && !self.state.proof.contains(&credential)
            {
                let own = issuing::is_about(&credential, &self.state.peer);
                self.news.push(
                    Control::Credential {
                        credential: credential.clone(),
                    }
                    .to_bytes(),
                );
                self.known.insert(id, credential);
                // What waits may rest on it.
                self.unsifted = true;
                self.own_is_new |= own;
                self.changed();
            }
        }
    }

    /// Puts a credential that came from a neighbor where it can be judged; false if it is forged.
    pub(super) fn consider(&mut self, credential: Credential) -> bool {
        let known = self.known.contains_key(&credential.id(self.crypto))
            || self.state.proof.contains(&credential)
            || self.pending.contains(&credential);
        if known {
            return true;
        }
        if !self
            .verified
            .check(self.crypto, self.state.group, &credential)
        {
            return false;
        }
        if let Body::Revocation { what, .. } = &credential.body
            && self.is_about_us(what)
        {
            self.state.expelled = Some(credential.clone());
            self.changed();
        }
        if self.pending.len() >= limits::PENDING_CREDENTIALS {
            self.pending.pop_front();
        }
        self.unsifted |= self.may_hold(&credential);
        self.pending.push_back(credential);
        true
    }

    /// Whether somebody issued a credential whom we know: anybody can sign one, and judging all costs
    /// time.
    pub(super) fn may_hold(&mut self, credential: &Credential) -> bool {
        let issuer = *credential.issuer();
        let invited = |other: &Credential| matches!(other.body, Body::Delegation { key, .. } if key == issuer);
        let held = self.state.proof.iter().chain(self.known.values());
        issuer == self.state.group.0
            || held.chain(&self.pending).any(invited)
            || self.ever().rights.contains_key(&PeerId(issuer))
    }

    /// Learns those of the waiting credentials that a membership rests on by now.
    pub(super) fn sift(&mut self) {
        self.unsifted = false;
        if self.pending.is_empty() {
            return;
        }
        let all = self
            .state
            .proof
            .iter()
            .chain(self.known.values())
            .chain(&self.pending);
        let judge = Judge::new(
            self.crypto,
            self.state.group,
            // Those of members whose time is over too: all members keep the same.
            &Clock::TIMELESS,
            all,
            &mut self.verified,
        );
        let support = judge.all_support();
        self.pending
            .retain(|credential| !support.contains(credential));
        self.learn(support);
    }
}
