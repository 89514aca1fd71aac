//! A group: the security and the discovery of a graph. Credentials decide who may be here.

pub mod credential;
pub mod discovery;
pub mod identity;
pub mod invitation;
pub mod open;
pub mod properties;
pub mod state;

use std::collections::BTreeMap;

use crate::crypto::Crypto;
use crate::engine::command::{NewGroup, NewInvitation};
use crate::engine::context::Context;
use crate::error::{Code, Error};
use crate::graph::security::{Absorbed, Psk, Security};
use crate::graph::session::Session;
use crate::limits;
use crate::names::{GroupId, PeerId};
use crate::random::Random;
use crate::time::Now;
use crate::wire::codec::{List, Text, Wire as _};
use crate::wire::link::Purpose;
use crate::wire::numbers::{control, invitation as invitation_kind, stored};
use crate::wire::rendezvous::Url;
use crate::wire::seconds::{Clock, Seconds};
use crate::{wire_enum, wire_struct};

use credential::{Body, CameWith, Credential, Credentials, Judge, Member, Role};
use identity::Identity;
use invitation::{Bearer, BearerBody, Name};
use properties::SignedProperties;
use state::{Epoch, GroupState};

wire_enum! {
    /// What members keep telling one another until all know it.
    enum Control {
        /// Who is a member and why.
        Credential = control::CREDENTIAL {
            /// It.
            credential: Credential,
        },
        /// What the group is like.
        Properties = control::PROPERTIES {
            /// Them.
            properties: SignedProperties,
        },
    }
}

wire_struct! {
    /// What somebody gets at the door.
    struct AtDoor {
        /// Proves its membership from now on.
        proof: Credentials,
        /// The newest first.
        epochs: List<Epoch, 3>,
    }
}

/// One identity's part in a group.
pub struct Group {
    /// What is kept of it.
    pub state: GroupState,
    /// The wall clock minus the rendezvous server's, once known.
    pub offset_ms: Option<i64>,
    /// Control items that we made or learned ourselves, for the neighbors.
    pub news: Vec<Vec<u8>>,
    crypto: Crypto,
    identity: Identity,
    /// Credentials by hash: what we know beyond our own proof.
    known: BTreeMap<[u8; 32], Credential>,
}

impl Group {
    /// The state of a new group, whose creator the identity is.
    pub fn create(
        crypto: Crypto,
        random: &mut Random,
        now: Now,
        identity: &Identity,
        new: &NewGroup,
        rendezvous: &[String],
    ) -> Result<GroupState, Error> {
        let group_seed = random.bytes();
        let group = GroupId(crypto.public_key(&group_seed));
        let peer = identity.peer(crypto);
        let from = Seconds(now.wall_seconds());
        let properties = SignedProperties::new(crypto, &group_seed, peer, from, new)?;
        let membership = Body::Membership {
            subject: peer,
            sealing: identity.sealing_key(crypto),
            role: Role::Admin,
            from,
            until: Seconds::NEVER,
            issuer: group.0,
            serial: random.bytes(),
        };
        let credential = Credential::sign(crypto, group, &group_seed, membership);
        Ok(GroupState {
            version: stored::GROUP,
            group,
            peer,
            group_seed: Some(group_seed),
            friendly_name: properties.properties.friendly_name.clone(),
            rendezvous: urls(rendezvous),
            door: random.bytes(),
            epochs: List::first(vec![Epoch {
                number: 0,
                secret: random.bytes(),
            }]),
            proof: List::first(vec![credential]),
            synchronized: true,
            properties: Some(properties),
            credentials: List::default(),
        })
    }

    /// The state of a group that the identity was invited to and has not met yet.
    pub fn join(
        crypto: Crypto,
        random: &mut Random,
        now: Now,
        identity: &Identity,
        text: &str,
        rendezvous: &[String],
    ) -> Result<GroupState, Error> {
        let bearer = Bearer::parse(crypto, text)?;
        let (_, _, _, usable_until) = bearer.terms(crypto)?;
        Clock::new(now, None).check(Seconds(0), usable_until)?;
        let peer = identity.peer(crypto);
        let membership =
            bearer.membership(crypto, peer, identity.sealing_key(crypto), random.bytes())?;
        let mut proof = bearer.body.credentials.clone().into_vec();
        proof.push(membership);
        let body = bearer.body;
        let named: Vec<String> = body.rendezvous.iter().map(|url| url.to_string()).collect();
        Ok(GroupState {
            version: stored::GROUP,
            group: body.group,
            peer,
            group_seed: None,
            friendly_name: body.friendly_name,
            rendezvous: urls(if rendezvous.is_empty() {
                &named
            } else {
                rendezvous
            }),
            door: body.door,
            epochs: List::default(),
            proof: List::new(proof).ok_or_else(|| Error::new(Code::ChainTooLong))?,
            synchronized: false,
            properties: None,
            credentials: List::default(),
        })
    }

    /// A group as it was kept.
    #[must_use]
    pub fn open(crypto: Crypto, identity: Identity, state: GroupState) -> Self {
        let group = state.group;
        let known = state
            .credentials
            .iter()
            .map(|c| (c.hash(crypto, group), c.clone()))
            .collect();
        Self {
            state,
            offset_ms: None,
            news: Vec::new(),
            crypto,
            identity,
            known,
        }
    }

    /// What is to be kept.
    #[must_use]
    pub fn to_stored(&mut self) -> Vec<u8> {
        self.state.credentials = List::first(self.known.values().cloned().collect());
        self.state.to_bytes()
    }

    /// Our own membership, if it holds now.
    pub fn own_membership(&self, clock: &Clock) -> Result<Member, Error> {
        let proof = &self.state.proof;
        Judge::new(self.crypto, self.state.group, clock, proof)
            .member(self.state.peer, !self.state.synchronized)
    }

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
        let role = Role::Member;
        if !own.role.may_issue(role) {
            return Err(Error::new(Code::NotAuthorized).detail("members cannot invite"));
        }
        if new.max_uses == 0 || new.max_uses > limits::INVITATION_USES {
            return Err(Error::new(Code::InvalidArgument)
                .detail(format!("maxUses is 1 to {}", limits::INVITATION_USES)));
        }
        let usable = new
            .usable_until
            .unwrap_or(clock.wall_s + limits::INVITATION_USABLE_S);
        let until = new.expires.map_or(own.until, Seconds);
        if usable <= clock.wall_s || until.0 <= clock.wall_s {
            return Err(Error::new(Code::InvalidTimePeriod)
                .detail("the invitation would have ended already"));
        }
        if until > own.until {
            return Err(Error::new(Code::InvalidCredentialInfo)
                .detail("nobody can invite beyond the end of the own membership"));
        }
        let seed = random.bytes();
        let delegation = Body::Delegation {
            key: self.crypto.public_key(&seed),
            role,
            from: Seconds(clock.wall_s),
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
            kind: invitation_kind::BEARER,
            group,
            friendly_name: self.friendly_name().clone(),
            issuer: self.state.peer,
            issuer_name: Text::new(self.identity.name.to_string()).unwrap_or_default(),
            rendezvous: self.state.rendezvous.clone(),
            door: self.state.door,
            // The joiner's own membership, its admission and the admitter's chain come on top.
            credentials: List::new(chain)
                .filter(|chain: &Credentials| chain.len() + 2 <= limits::PROOF_CREDENTIALS)
                .ok_or_else(|| Error::new(Code::ChainTooLong))?,
        };
        Ok(Bearer::text(self.crypto, &self.identity.seed, body, seed))
    }

    /// What people call the group.
    #[must_use]
    pub fn friendly_name(&self) -> &Name {
        let signed = self.state.properties.as_ref();
        signed.map_or(&self.state.friendly_name, |signed| {
            &signed.properties.friendly_name
        })
    }

    /// A secret for links, and its name, from a shared secret.
    fn link_psk(&self, secret: &[u8]) -> Psk {
        let group = &self.state.group.0;
        let id = self.crypto.derive(secret, "link-id", &[group]);
        Psk {
            id: core::array::from_fn(|i| id.get(i).copied().unwrap_or_default()),
            secret: self.crypto.derive(secret, "link", &[group]),
        }
    }

    /// Everything we know and what somebody shows, as one set to judge by.
    fn evidence(&self, shown: &[Credential]) -> Vec<Credential> {
        let mut all: BTreeMap<[u8; 32], &Credential> = self
            .known
            .iter()
            .map(|(hash, credential)| (*hash, credential))
            .collect();
        let group = self.state.group;
        for credential in self.state.proof.iter().chain(shown) {
            all.insert(credential.hash(self.crypto, group), credential);
        }
        all.into_values().cloned().collect()
    }

    /// Admissions by an invitation that hold, in the order in which they count.
    fn admissions(
        &self,
        clock: &Clock,
        evidence: &[Credential],
        serial: [u8; 8],
    ) -> Vec<(Seconds, [u8; 32])> {
        let mut judge = Judge::new(self.crypto, self.state.group, clock, evidence);
        let subjects = evidence
            .iter()
            .filter_map(|credential| match &credential.body {
                Body::Membership { subject, .. } => Some(*subject),
                _ => None,
            });
        let mut admissions: Vec<(Seconds, [u8; 32])> = subjects
            .filter_map(|subject| judge.member(subject, false).ok()?.came_with)
            .filter(|came_with| came_with.serial == serial)
            .filter_map(|came_with| came_with.admission)
            .collect();
        admissions.sort_unstable();
        admissions.dedup();
        admissions
    }

    /// Whether an invitation has room for whoever came with it: the earliest admissions count.
    fn check_uses(
        &self,
        clock: &Clock,
        evidence: &[Credential],
        came_with: &CameWith,
    ) -> Result<(), Error> {
        let mut admissions = self.admissions(clock, evidence, came_with.serial);
        if let Some(own) = came_with.admission {
            admissions.retain(|admission| *admission < own);
        }
        if admissions.len() >= came_with.max_uses as usize {
            return Err(Error::new(Code::InvitationUsedUp).detail(format!(
                "it let {} in",
                if came_with.max_uses == 1 {
                    "one person".to_owned()
                } else {
                    format!("{} people", came_with.max_uses)
                }
            )));
        }
        Ok(())
    }

    /// Remembers a credential that is signed; true if it is news.
    fn remember(&mut self, credential: &Credential) -> bool {
        let hash = credential.hash(self.crypto, self.state.group);
        let own = self.state.proof.iter().any(|c| c.body == credential.body);
        if own || self.known.contains_key(&hash) || self.known.len() >= limits::CONTROL_ITEMS {
            return false;
        }
        self.known.insert(hash, credential.clone());
        true
    }

    /// Remembers credentials that somebody proved itself with, and tells the neighbors.
    fn learn(&mut self, credentials: &[Credential]) {
        for credential in credentials {
            if self.remember(credential) {
                self.news.push(
                    Control::Credential {
                        credential: credential.clone(),
                    }
                    .to_bytes(),
                );
            }
        }
    }

    fn judge_member(
        &self,
        clock: &Clock,
        peer: PeerId,
        shown: &[Credential],
        at_door: bool,
    ) -> Result<Member, Error> {
        let judged =
            Judge::new(self.crypto, self.state.group, clock, shown).member(peer, at_door)?;
        if let Some(came_with) = &judged.came_with {
            self.check_uses(clock, &self.evidence(shown), came_with)?;
        }
        Ok(judged)
    }
}

impl Security for Group {
    fn psk(&self, purpose: Purpose) -> Option<Psk> {
        match purpose {
            Purpose::Join => Some(self.link_psk(&self.state.door)),
            Purpose::Neighbor | Purpose::Direct => self
                .state
                .epochs
                .first()
                .map(|epoch| self.link_psk(&epoch.secret)),
        }
    }

    fn psk_named(&self, id: &[u8; 8], purpose: Purpose) -> Option<[u8; 32]> {
        if !self.state.synchronized {
            return None;
        }
        let all: Vec<Psk> = match purpose {
            Purpose::Join => vec![self.link_psk(&self.state.door)],
            Purpose::Neighbor | Purpose::Direct => self
                .state
                .epochs
                .iter()
                .map(|epoch| self.link_psk(&epoch.secret))
                .collect(),
        };
        all.into_iter()
            .find(|psk| psk.id == *id)
            .map(|psk| psk.secret)
    }

    fn proof(&self) -> Vec<u8> {
        self.state.proof.to_bytes()
    }

    fn clock(&self, now: Now) -> Clock {
        Clock::new(now, self.offset_ms)
    }

    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        session: &Session,
        proof: &[u8],
        purpose: Purpose,
    ) -> Result<(), Error> {
        let shown = Credentials::from_bytes(proof).map_err(|_| {
            Error::new(Code::ConnectionNotAuthenticated).detail("the proof is not well-formed")
        })?;
        let at_door = purpose == Purpose::Join;
        let clock = self.clock(cx.now);
        self.judge_member(&clock, session.body.peer, &shown, at_door)?;
        if !at_door && self.state.synchronized {
            self.learn(&shown);
        }
        Ok(())
    }

    fn grant(
        &mut self,
        cx: &mut Context<'_>,
        session: &Session,
        proof: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let shown = Credentials::from_bytes(proof)
            .map_err(|_| Error::new(Code::ConnectionNotAuthenticated))?;
        let clock = self.clock(cx.now);
        let peer = session.body.peer;
        let member = self.judge_member(&clock, peer, &shown, true)?;
        let mut proof = shown.clone().into_vec();
        if let Some(came_with) = member.came_with.filter(|c| c.admission.is_none()) {
            let admission = self.admission(&clock, &came_with)?;
            proof.push(admission);
            for credential in self.state.proof.iter() {
                if !proof.iter().any(|known| known.body == credential.body) {
                    proof.push(credential.clone());
                }
            }
        }
        let proof = Credentials::new(proof).ok_or_else(|| Error::new(Code::ChainTooLong))?;
        self.learn(&proof);
        Ok(AtDoor {
            proof,
            epochs: List::first(self.state.epochs.to_vec()),
        }
        .to_bytes())
    }

    fn accept(&mut self, cx: &mut Context<'_>, grant: &[u8]) -> Result<(), Error> {
        let broken = |why: &str| Error::new(Code::ConnectionNotAuthenticated).detail(why);
        let grant = AtDoor::from_bytes(grant).map_err(|_| broken("what we got is malformed"))?;
        let clock = self.clock(cx.now);
        Judge::new(self.crypto, self.state.group, &clock, &grant.proof)
            .member(self.state.peer, false)
            .map_err(|_| broken("the admission we got does not hold"))?;
        if grant.epochs.is_empty() {
            return Err(broken("we got no epoch"));
        }
        self.state.proof = grant.proof;
        self.state.epochs = grant.epochs;
        Ok(())
    }

    fn control(&self) -> Vec<Vec<u8>> {
        let properties = self.state.properties.iter().cloned();
        let properties = properties.map(|properties| Control::Properties { properties }.to_bytes());
        let credentials = self.state.proof.iter().chain(self.known.values());
        let credentials = credentials.map(|c| {
            Control::Credential {
                credential: c.clone(),
            }
            .to_bytes()
        });
        properties.chain(credentials).collect()
    }

    fn absorb(&mut self, _cx: &mut Context<'_>, item: &[u8]) -> Absorbed {
        let news = |is_news| {
            if is_news {
                Absorbed::News
            } else {
                Absorbed::Known
            }
        };
        match Control::from_bytes(item) {
            Ok(Control::Credential { credential }) => {
                let hash = credential.hash(self.crypto, self.state.group);
                if self.known.contains_key(&hash) {
                    return Absorbed::Known;
                }
                if !credential.is_signed(self.crypto, self.state.group) {
                    return Absorbed::Bad;
                }
                news(self.remember(&credential))
            }
            Ok(Control::Properties { properties }) => {
                let revision = self
                    .state
                    .properties
                    .as_ref()
                    .map(|p| p.properties.revision);
                if revision >= Some(properties.properties.revision) {
                    return Absorbed::Known;
                }
                if !properties.is_signed(self.crypto, self.state.group) {
                    return Absorbed::Bad;
                }
                self.state.properties = Some(properties);
                Absorbed::News
            }
            // A newer version may have kinds of items that we do not know.
            Err(_) => Absorbed::Known,
        }
    }
}

impl Group {
    /// Our word that somebody may come in with an invitation.
    fn admission(&self, clock: &Clock, came_with: &CameWith) -> Result<Credential, Error> {
        clock.check(Seconds(0), came_with.usable_until)?;
        let own = self.own_membership(clock)?;
        if own.invitations.contains(&came_with.serial) {
            return Err(Error::new(Code::NotAuthorized).detail(
                "somebody who came with the same invitation cannot admit: another member must",
            ));
        }
        let body = Body::Admission {
            membership: came_with.membership,
            at: Seconds(clock.wall_s.min(came_with.usable_until.0)),
            issuer: self.state.peer.0,
        };
        Ok(Credential::sign(
            self.crypto,
            self.state.group,
            &self.identity.seed,
            body,
        ))
    }
}

/// Rendezvous URLs as they are kept. They were parsed before, so each fits.
pub fn urls(texts: &[String]) -> List<Url, { limits::RENDEZVOUS_SERVERS }> {
    List::first(
        texts
            .iter()
            .filter_map(|text| Text::new(text.as_str()))
            .collect(),
    )
}
