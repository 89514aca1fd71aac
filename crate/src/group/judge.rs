//! Who is a member, by a set of credentials: worked out from the group key upwards.
//!
//! Each link may only narrow roles and time. A membership that an invitation's key signed is void
//! without an admission by a member from outside that invitation, and only the earliest admissions
//! count, as many as the invitation allows. A credential is looked at only once its issuer is a
//! member, and its signature is verified once: what strangers add to a set costs next to nothing.
//! Which revocations count is worked out in `judge/removal.rs`.

mod findings;
mod member;
mod removal;
mod verified;

pub use findings::Standing;

use crate::sorted::{Map, Set};

use member::Rank;
pub use member::{CameWith, Member};
use removal::Removal;
pub use removal::removed;
pub use verified::Verified;

use super::credential::{Body, Credential, Role, Vouched};
use crate::crypto::Crypto;
use crate::error::{Code, Error};
use crate::limits::CHAIN_LINKS;
use crate::names::{GroupId, PeerId};
use crate::wire::seconds::{Clock, Seconds};

/// Time and hash of an admission, what it rests on, and the rank of whoever admitted.
type Admitted = (Seconds, [u8; 32], Set<usize>, Rank);

const BEYOND: &str = "it goes beyond its issuer's";

/// Why a credential makes nobody a member.
enum Why {
    /// For a reason of its own.
    Fault(Error),
    /// Because somebody it rests on is none.
    Needs(PeerId),
}

/// Who came in with one invitation.
#[derive(Default)]
struct Uses {
    max: u32,
    admitted: Set<(Seconds, [u8; 32], PeerId)>,
}

/// Judges a set of credentials.
pub struct Judge<'a> {
    crypto: Crypto,
    group: GroupId,
    clock: Clock,
    credentials: Vec<&'a Credential>,
    ids: Vec<[u8; 32]>,
    hashes: Vec<[u8; 32]>,
    memberships: Vec<usize>,
    delegations: Map<[u8; 32], Vec<usize>>,
    admissions: Map<[u8; 32], Vec<usize>>,
    revocations: Vec<usize>,
    vouches: Map<Vouched, usize>,
    /// What ends memberships, by member.
    removals: Map<PeerId, Vec<Removal>>,
    /// And by the invitation that somebody came with.
    voided: Map<[u8; 32], Vec<Removal>>,
    good: Map<usize, bool>,
    /// More than one where somebody came in with several invitations: knowing of another one must
    /// not make it less of a member.
    members: Map<PeerId, Vec<Member>>,
    /// The admissions by which uses are counted, and what they rest on, by the membership they admit:
    /// whoever counts must know them, though the membership may rest on later ones.
    counted: Map<[u8; 32], Set<usize>>,
    /// Who came after an invitation's last use, with that invitation, and how many it lets in.
    outnumbered: Map<(PeerId, [u8; 32]), u32>,
}

impl<'a> Judge<'a> {
    /// Works out who is a member by these credentials.
    #[must_use]
    pub fn new(
        crypto: Crypto,
        group: GroupId,
        clock: &Clock,
        credentials: impl IntoIterator<Item = &'a Credential>,
        verified: &mut Verified,
    ) -> Self {
        let mut judge = Self {
            crypto,
            group,
            clock: *clock,
            credentials: Vec::new(),
            ids: Vec::new(),
            hashes: Vec::new(),
            memberships: Vec::new(),
            delegations: Map::new(),
            admissions: Map::new(),
            revocations: Vec::new(),
            vouches: Map::new(),
            removals: Map::new(),
            voided: Map::new(),
            good: Map::new(),
            members: Map::new(),
            counted: Map::new(),
            outnumbered: Map::new(),
        };
        // The same one may be stored and shown: twice in a proof, it would be four times in the next.
        let mut seen = Set::new();
        for credential in credentials {
            let id = credential.id(crypto);
            if seen.insert(id) {
                let hash = verified.hash(&id);
                let hash = hash.unwrap_or_else(|| credential.hash(crypto, group));
                judge.credentials.push(credential);
                judge.ids.push(id);
                judge.hashes.push(hash);
            }
        }
        judge.index();
        judge.settle(verified);
        judge
    }

    fn index(&mut self) {
        for (at, credential) in self.credentials.iter().enumerate() {
            match &credential.body {
                Body::Membership { .. } => self.memberships.push(at),
                Body::Delegation { key, .. } => self.delegations.or_default(*key).push(at),
                Body::Admission { membership, .. } => {
                    self.admissions.or_default(*membership).push(at);
                }
                Body::Revocation { .. } => self.revocations.push(at),
                Body::Vouch { .. } => {
                    self.vouches.insert(self.vouched_name(at), at);
                }
            }
        }
        // The result must not depend on the order in which credentials came.
        let hashes = &self.hashes;
        let ordered: Set<_> = self
            .memberships
            .iter()
            .map(|at| (hashes.get(*at), *at))
            .collect();
        self.memberships = ordered.into_iter().map(|(_, at)| at).collect();
    }

    /// One round: everybody who is a member, then those whom an invitation has no room for. True if
    /// another round is needed without them.
    fn resolve(&mut self, verified: &mut Verified) -> bool {
        self.members.clear();
        self.counted.clear();
        let mut open = self.memberships.clone();
        loop {
            let before = open.len();
            open.retain(|at| match self.membership(*at, false, verified) {
                Ok(member) => {
                    self.hold(*at, member);
                    false
                }
                Err(_) => true,
            });
            if open.len() == before {
                break;
            }
        }
        let mut uses: Map<[u8; 32], Uses> = Map::new();
        let invited: Vec<(PeerId, CameWith)> = self
            .members
            .iter()
            .flat_map(|(peer, held)| held.iter().map(|member| (*peer, member.came_with)))
            .filter_map(|(peer, came_with)| Some((peer, came_with?)))
            .collect();
        for (peer, came_with) in invited {
            // Counted by the earliest of all, whichever the membership was found to rest on.
            let all = self
                .admissions
                .get(&came_with.membership)
                .cloned()
                .unwrap_or_default();
            let earliest = all
                .into_iter()
                .filter_map(|at| self.admission(at, &came_with, true, verified).ok())
                .min();
            let uses = uses.or_default(came_with.invitation);
            uses.max = came_with.max_uses;
            if let Some((time, hash, support, _)) = earliest {
                uses.admitted.insert((time, hash, peer));
                self.counted.insert(came_with.membership, support);
            }
        }
        let before = self.outnumbered.len();
        for (invitation, uses) in uses {
            let late = uses.admitted.into_iter().skip(uses.max as usize);
            self.outnumbered
                .extend(late.map(|(_, _, peer)| ((peer, invitation), uses.max)));
        }
        self.outnumbered.len() > before
    }

    /// Notes a membership that holds, unless another one of the same peer is worth as much.
    fn hold(&mut self, at: usize, mut member: Member) {
        let Some(subject) = self.subject(at) else {
            return;
        };
        let ended = self.endings(&subject, &member).next().is_some();
        member.ended = ended;
        let held = self.members.or_default(subject);
        if !held.iter().any(|other| other.covers(&member)) {
            held.retain(|other| !member.covers(other));
            held.push(member);
        }
    }

    /// The best membership of `peer` that counts.
    fn best(&self, peer: &PeerId) -> Option<&Member> {
        let held = self.members.get(peer)?.iter().filter(|m| !m.ended);
        held.max_by_key(|m| (m.role, m.until, core::cmp::Reverse(m.rank)))
    }

    fn subject(&self, at: usize) -> Option<PeerId> {
        match self.credentials.get(at)?.body {
            Body::Membership { subject, .. } => Some(subject),
            _ => None,
        }
    }

    /// The membership of `peer`, or why it has none.
    pub fn member(&mut self, peer: PeerId, verified: &mut Verified) -> Result<Member, Error> {
        match self.best(&peer) {
            Some(member) => Ok(member.clone()),
            None => Err(self.reason(peer, verified)),
        }
    }

    /// The membership of somebody at the door: its own admission may be missing, that is what it
    /// comes for. There must be room for it.
    pub fn at_door(&mut self, peer: PeerId, verified: &mut Verified) -> Result<Member, Error> {
        if let Some(member) = self.best(&peer) {
            return Ok(member.clone());
        }
        let own: Vec<usize> = self
            .memberships
            .iter()
            .copied()
            .filter(|at| self.subject(*at) == Some(peer))
            .collect();
        let mut error = self.reason(peer, verified);
        for at in own {
            match self.membership(at, true, verified) {
                Ok(member) if self.endings(&peer, &member).next().is_some() => {
                    error = self.ended(&peer, &member);
                }
                Ok(member) => match self.room(&member) {
                    Ok(()) => return Ok(member),
                    Err(full) => error = full,
                },
                Err(Why::Fault(fault)) => error = fault,
                Err(Why::Needs(_)) => {}
            }
        }
        Err(error)
    }

    /// Whether the invitation that somebody came with lets one more in.
    fn room(&self, member: &Member) -> Result<(), Error> {
        let Some(came_with) = &member.came_with else {
            return Ok(());
        };
        let same = |other: &&Member| {
            other
                .came_with
                .is_some_and(|other| other.invitation == came_with.invitation)
        };
        let used = self.members.values().flatten().filter(same).count();
        if used >= came_with.max_uses as usize {
            Err(used_up(came_with.max_uses))
        } else {
            Ok(())
        }
    }

    /// Why somebody is no member: the fault may lie with somebody it rests on.
    fn reason(&mut self, peer: PeerId, verified: &mut Verified) -> Error {
        let mut path = Set::new();
        let mut next = peer;
        loop {
            if let Some(member) = self.members.get(&next).and_then(|held| held.first()) {
                return self.ended(&next, member);
            }
            if !path.insert(next) {
                return Code::CircularChain.into();
            }
            if path.len() > CHAIN_LINKS {
                return Code::ChainTooLong.into();
            }
            let mut why = Why::Fault(untrusted("it holds no membership"));
            for at in self.memberships.clone() {
                if self.subject(at) == Some(next)
                    && let Err(found) = self.membership(at, false, verified)
                {
                    why = found;
                }
            }
            match why {
                Why::Fault(error) => return error,
                Why::Needs(peer) => next = peer,
            }
        }
    }

    fn membership(
        &mut self,
        at: usize,
        at_door: bool,
        verified: &mut Verified,
    ) -> Result<Member, Why> {
        let Some(credential) = self.credentials.get(at).copied() else {
            return Err(Why::Fault(untrusted("not a membership")));
        };
        let Body::Membership {
            role,
            from,
            until,
            issuer,
            ..
        } = credential.body
        else {
            return Err(Why::Fault(untrusted("not a membership")));
        };
        self.clock.check(from, until).map_err(Why::Fault)?;
        let invitations = self.delegations.get(&issuer).cloned().unwrap_or_default();
        let mut found = Err(Why::Needs(PeerId(issuer)));
        if invitations.is_empty() {
            found = self.issued(&issuer, at, role, from, until);
            if let Ok(parent) = &mut found {
                parent.issuer = issuer;
            }
        }
        for delegation in invitations {
            found = self.invited(at, delegation, at_door, verified);
            if found.is_ok() {
                break;
            }
        }
        let mut member = found?;
        if role > member.role || from < member.from || until > member.until {
            return Err(Why::Fault(untrusted(BEYOND)));
        }
        member.links += 1;
        if member.links > CHAIN_LINKS {
            return Err(Why::Fault(Code::ChainTooLong.into()));
        }
        self.signed(at, verified)?;
        member.support.insert(at);
        member.rank = Rank {
            links: member.rank.links + 1,
            from,
            hash: self.hashes.get(at).copied().unwrap_or_default(),
        };
        Ok(Member {
            role,
            from,
            until,
            ..member
        })
    }

    /// The issuer's membership that allows to give these rights.
    fn issued(
        &self,
        issuer: &[u8; 32],
        at: usize,
        role: Role,
        from: Seconds,
        until: Seconds,
    ) -> Result<Member, Why> {
        let mut why = Err(Why::Needs(PeerId(*issuer)));
        for parent in self.issuers(issuer, at)? {
            if !parent.role.may_issue(role) {
                why = Err(Why::Fault(untrusted("the issuer's role does not allow it")));
            } else if from < parent.from || until > parent.until {
                why = Err(Why::Fault(untrusted(BEYOND)));
            } else {
                return Ok(parent);
            }
        }
        why
    }

    /// What a delegation allows the holder of its key, and how a membership stands to it.
    fn invited(
        &mut self,
        membership: usize,
        at: usize,
        at_door: bool,
        verified: &mut Verified,
    ) -> Result<Member, Why> {
        let fault = |why| Err(Why::Fault(untrusted(why)));
        let Some(delegation) = self.credentials.get(at).copied() else {
            return fault("not a delegation");
        };
        let Body::Delegation {
            role,
            from,
            until,
            issuer,
            max_uses,
            usable_until,
            ..
        } = delegation.body
        else {
            return fault("not a delegation");
        };
        self.clock.check(from, until).map_err(Why::Fault)?;
        let mut parent = self.issued(&issuer, at, role, from, until)?;
        self.signed(at, verified)?;
        let invitation = self.hashes.get(at).copied().unwrap_or_default();
        let subject = self.subject(membership);
        let late = subject.and_then(|subject| self.outnumbered.get(&(subject, invitation)));
        if let Some(max_uses) = late {
            return Err(Why::Fault(used_up(*max_uses)));
        }
        let hash = self.hashes.get(membership).copied().unwrap_or_default();
        let mut came_with = CameWith {
            invitation,
            max_uses,
            begin: from,
            usable_until,
            makes_admins: role == Role::Admin,
            membership: hash,
            admission: None,
        };
        let mut why = Why::Fault(untrusted("no member has admitted it"));
        let mut earliest: Option<Admitted> = None;
        for admission in self.admissions.get(&hash).cloned().unwrap_or_default() {
            match self.admission(admission, &came_with, false, verified) {
                Ok(found) => earliest = Some(earliest.map_or(found.clone(), |e| e.min(found))),
                Err(found) => why = found,
            }
        }
        // One admission is enough to rest on: more would only make proofs longer.
        if let Some((time, hash, support, rank)) = earliest {
            came_with.admission = Some((time, hash));
            parent.support.extend(support);
            parent.rank = parent.rank.max(rank);
        }
        if came_with.admission.is_none() && !at_door {
            return Err(why);
        }
        parent.support.insert(at);
        parent.invitations.insert(invitation);
        let links = parent.links + 1;
        Ok(Member {
            role,
            from,
            until,
            issuer,
            links,
            came_with: Some(came_with),
            by_admin: false,
            ..parent
        })
    }

    /// An admission that holds, or held: a use stays used, though whoever admitted may be removed.
    fn admission(
        &mut self,
        at: usize,
        came_with: &CameWith,
        counting: bool,
        verified: &mut Verified,
    ) -> Result<Admitted, Why> {
        let fault = |why| Err(Why::Fault(untrusted(why)));
        let Some(credential) = self.credentials.get(at).copied() else {
            return fault("not an admission");
        };
        let Body::Admission {
            at: time, issuer, ..
        } = credential.body
        else {
            return fault("not an admission");
        };
        if time > came_with.usable_until {
            return fault("it was admitted after the invitation had ended");
        }
        // One that is dated ahead only counts later; one from before the invitation would count first.
        if time < came_with.begin {
            return fault("it was admitted before the invitation was made");
        }
        let admitter = PeerId(issuer);
        let Some(admitters) = self.members.get(&admitter) else {
            return Err(Why::Needs(admitter));
        };
        let may_admit = |member: &&Member| {
            // Whoever also came in another way is not only from this invitation.
            let from_outside = !member.invitations.contains(&came_with.invitation);
            let admin = member.role == Role::Admin;
            from_outside
                && (admin || !came_with.makes_admins)
                && ((counting && came_with.makes_admins) || self.counts(&admitter, member, at))
        };
        let Some(admitter) = admitters.iter().find(may_admit).cloned() else {
            return fault(if came_with.makes_admins {
                "it can make admins, so an admin from outside must admit with it"
            } else {
                "no member from outside the invitation admitted it"
            });
        };
        self.signed(at, verified)?;
        let mut support = admitter.support;
        support.insert(at);
        let hash = self.hashes.get(at).copied().unwrap_or_default();
        Ok((time, hash, support, admitter.rank))
    }

    /// The memberships by which somebody may have issued a credential: the group key's hold for ever.
    fn issuers(&self, issuer: &[u8; 32], at: usize) -> Result<Vec<Member>, Why> {
        if *issuer == self.group.0 {
            return Ok(vec![Member::group_key()]);
        }
        let issuer = PeerId(*issuer);
        let Some(held) = self.members.get(&issuer) else {
            return Err(Why::Needs(issuer));
        };
        let counted = held
            .iter()
            .filter(|member| self.counts(&issuer, member, at));
        let all: Vec<Member> = counted
            .map(|member| Member {
                came_with: None,
                by_admin: member.role == Role::Admin,
                ..member.clone()
            })
            .collect();
        match held.first() {
            Some(ended) if all.is_empty() => Err(Why::Fault(self.ended(&issuer, ended))),
            _ => Ok(all),
        }
    }

    fn signed(&mut self, at: usize, verified: &mut Verified) -> Result<(), Why> {
        let good = match (self.good.get(&at), self.credentials.get(at)) {
            (Some(good), _) => *good,
            (None, Some(credential)) => {
                let id = self.ids.get(at).copied().unwrap_or_default();
                verified.check_named(self.crypto, self.group, id, credential)
            }
            (None, None) => false,
        };
        self.good.insert(at, good);
        if good {
            Ok(())
        } else {
            Err(Why::Fault(untrusted("a signature does not fit")))
        }
    }
}

fn untrusted(why: &str) -> Error {
    Error::new(Code::InvitationNotTrusted).detail(why)
}

fn used_up(max_uses: u32) -> Error {
    let people = match max_uses {
        1 => "one person".to_owned(),
        many => format!("{many} people"),
    };
    Error::new(Code::InvitationUsedUp).detail(format!("it has let {people} in"))
}

#[cfg(test)]
mod tests;
