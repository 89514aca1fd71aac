//! Who is a member, by a set of credentials: worked out from the group key upwards.
//!
//! Each link may only narrow roles and time. A membership that an invitation's key signed is void
//! without an admission by a member from outside that invitation, and only the earliest admissions
//! count, as many as the invitation allows. A credential is looked at only once its issuer is a
//! member, and its signature is verified once: what strangers add to a set costs next to nothing.

mod findings;

use crate::sorted::{Map, Set};

use super::credential::{Body, Credential, Role};
use crate::crypto::Crypto;
use crate::error::{Code, Error};
use crate::limits::{CHAIN_LINKS, VERIFIED_CREDENTIALS};
use crate::names::{GroupId, PeerId};
use crate::wire::seconds::{Clock, Seconds};

/// A membership that holds, and what it rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// What it may do.
    pub role: Role,
    /// Not before.
    pub from: Seconds,
    /// Not after.
    pub until: Seconds,
    /// The invitations along its chain.
    pub invitations: Set<[u8; 32]>,
    /// The invitation that the member itself came with.
    pub came_with: Option<CameWith>,
    links: usize,
    support: Set<usize>,
}

/// How a member came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CameWith {
    /// Hash of the delegation: names the invitation.
    pub invitation: [u8; 32],
    /// How many it lets in.
    pub max_uses: u32,
    /// From when it lets somebody in.
    pub begin: Seconds,
    /// Until when it lets somebody in.
    pub usable_until: Seconds,
    /// Hash of the membership that awaits or has its admission.
    pub membership: [u8; 32],
    /// The earliest admission's time and hash, once admitted.
    pub admission: Option<(Seconds, [u8; 32])>,
}

/// Signatures that were found good, so that they are verified once.
#[derive(Default)]
pub struct Verified(Set<[u8; 32]>);

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
    hashes: Vec<[u8; 32]>,
    memberships: Vec<usize>,
    delegations: Map<[u8; 32], Vec<usize>>,
    admissions: Map<[u8; 32], Vec<usize>>,
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
            hashes: Vec::new(),
            memberships: Vec::new(),
            delegations: Map::new(),
            admissions: Map::new(),
            good: Map::new(),
            members: Map::new(),
            counted: Map::new(),
            outnumbered: Map::new(),
        };
        // The same one may be stored and shown: twice in a proof, it would be four times in the next.
        let mut seen = Set::new();
        judge.credentials = credentials
            .into_iter()
            .filter(|credential| seen.insert(credential.id(crypto)))
            .collect();
        judge.index();
        // Whoever comes after an invitation's last use is out, and so is everybody who rests on it.
        while judge.resolve(verified) {}
        judge
    }

    fn index(&mut self) {
        for (at, credential) in self.credentials.iter().enumerate() {
            self.hashes.push(credential.hash(self.crypto, self.group));
            match &credential.body {
                Body::Membership { .. } => self.memberships.push(at),
                Body::Delegation { key, .. } => self.delegations.or_default(*key).push(at),
                Body::Admission { membership, .. } => {
                    self.admissions.or_default(*membership).push(at);
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
                .filter_map(|at| self.admission(at, &came_with, verified).ok())
                .min();
            let uses = uses.or_default(came_with.invitation);
            uses.max = came_with.max_uses;
            if let Some((time, hash, support)) = earliest {
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

    /// Notes a membership that holds, unless one of the same peer rests on no other invitations.
    fn hold(&mut self, at: usize, member: Member) {
        let Some(subject) = self.subject(at) else {
            return;
        };
        let held = self.members.or_default(subject);
        let rests_on_another = |other: &Member| {
            let mut invitations = other.invitations.iter();
            invitations.any(|invitation| !member.invitations.contains(invitation))
        };
        if held.iter().all(rests_on_another) {
            held.push(member);
        }
    }

    /// The membership of `peer` that was found first.
    fn first(&self, peer: &PeerId) -> Option<&Member> {
        self.members.get(peer)?.first()
    }

    fn subject(&self, at: usize) -> Option<PeerId> {
        match self.credentials.get(at)?.body {
            Body::Membership { subject, .. } => Some(subject),
            _ => None,
        }
    }

    /// The membership of `peer`, or why it has none.
    pub fn member(&mut self, peer: PeerId, verified: &mut Verified) -> Result<Member, Error> {
        match self.first(&peer) {
            Some(member) => Ok(member.clone()),
            None => Err(self.reason(peer, verified)),
        }
    }

    /// The membership of somebody at the door: its own admission may be missing, that is what it
    /// comes for. There must be room for it.
    pub fn at_door(&mut self, peer: PeerId, verified: &mut Verified) -> Result<Member, Error> {
        if let Some(member) = self.first(&peer) {
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
        let mut parent = Err(Why::Needs(PeerId(issuer)));
        if invitations.is_empty() {
            parent = self.issuer(&issuer).and_then(|parent| {
                if parent.role.may_issue(role) {
                    Ok(parent)
                } else {
                    Err(Why::Fault(untrusted("the issuer's role does not allow it")))
                }
            });
        }
        for delegation in invitations {
            parent = self.invited(at, delegation, at_door, verified);
            if parent.is_ok() {
                break;
            }
        }
        let mut member = parent?;
        if role > member.role || from < member.from || until > member.until {
            return Err(Why::Fault(untrusted("it goes beyond its issuer's")));
        }
        member.links += 1;
        if member.links > CHAIN_LINKS {
            return Err(Why::Fault(Code::ChainTooLong.into()));
        }
        self.signed(at, verified)?;
        member.support.insert(at);
        Ok(Member {
            role,
            from,
            until,
            ..member
        })
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
        let mut parent = self.issuer(&issuer)?;
        if !parent.role.may_issue(role) || from < parent.from || until > parent.until {
            return fault("the invitation goes beyond its issuer's rights");
        }
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
            membership: hash,
            admission: None,
        };
        let mut why = Why::Fault(untrusted("no member has admitted it"));
        let mut earliest: Option<(Seconds, [u8; 32], Set<usize>)> = None;
        for admission in self.admissions.get(&hash).cloned().unwrap_or_default() {
            match self.admission(admission, &came_with, verified) {
                Ok(found) => earliest = Some(earliest.map_or(found.clone(), |e| e.min(found))),
                Err(found) => why = found,
            }
        }
        // One admission is enough to rest on: more would only make proofs longer.
        if let Some((time, hash, support)) = earliest {
            came_with.admission = Some((time, hash));
            parent.support.extend(support);
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
            links,
            came_with: Some(came_with),
            ..parent
        })
    }

    /// An admission that holds: its time and hash, and what it rests on.
    fn admission(
        &mut self,
        at: usize,
        came_with: &CameWith,
        verified: &mut Verified,
    ) -> Result<(Seconds, [u8; 32], Set<usize>), Why> {
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
        let Some(admitters) = self.members.get(&PeerId(issuer)) else {
            return Err(Why::Needs(PeerId(issuer)));
        };
        // Whoever also came in another way is not only from this invitation.
        let from_outside =
            |admitter: &&Member| !admitter.invitations.contains(&came_with.invitation);
        let Some(admitter) = admitters.iter().find(from_outside).cloned() else {
            return fault("somebody from the same invitation admitted it");
        };
        self.signed(at, verified)?;
        let mut support = admitter.support;
        support.insert(at);
        Ok((
            time,
            self.hashes.get(at).copied().unwrap_or_default(),
            support,
        ))
    }

    /// The rights of whoever issued something: the group key has them all, for ever.
    fn issuer(&self, issuer: &[u8; 32]) -> Result<Member, Why> {
        if *issuer == self.group.0 {
            return Ok(Member {
                role: Role::Admin,
                from: Seconds(0),
                until: Seconds::NEVER,
                invitations: Set::new(),
                came_with: None,
                links: 0,
                support: Set::new(),
            });
        }
        match self.first(&PeerId(*issuer)) {
            Some(member) => Ok(Member {
                came_with: None,
                ..member.clone()
            }),
            None => Err(Why::Needs(PeerId(*issuer))),
        }
    }

    fn signed(&mut self, at: usize, verified: &mut Verified) -> Result<(), Why> {
        let good = match (self.good.get(&at), self.credentials.get(at)) {
            (Some(good), _) => *good,
            (None, Some(credential)) => verified.check(self.crypto, self.group, credential),
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

impl Verified {
    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a credential is signed by its issuer.
    pub fn check(&mut self, crypto: Crypto, group: GroupId, credential: &Credential) -> bool {
        let id = credential.id(crypto);
        if self.0.contains(&id) {
            return true;
        }
        let good = credential.is_signed(crypto, group);
        if good {
            if self.0.len() >= VERIFIED_CREDENTIALS {
                self.0.clear();
            }
            self.0.insert(id);
        }
        good
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
