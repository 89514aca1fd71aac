//! A group: the security and the discovery of a graph. Credentials decide who may be here.

pub mod credential;
pub mod discovery;
pub mod identity;
pub mod invitation;
pub mod judge;
pub mod open;
pub mod properties;
pub mod state;
#[cfg(test)]
mod tests;

use crate::sorted::Map;
use std::collections::VecDeque;

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

use credential::{Body, Credential, Credentials, Role};
use identity::Identity;
use invitation::{Bearer, BearerBody, Name};
use judge::{CameWith, Judge, Member, Verified};
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
    /// What others' memberships rest on, by id.
    known: Map<[u8; 32], Credential>,
    /// What came before what it rests on.
    pending: VecDeque<Credential>,
    verified: Verified,
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
        identity: &Identity,
        text: &str,
        rendezvous: &[String],
    ) -> Result<GroupState, Error> {
        let bearer = Bearer::parse(crypto, text)?;
        bearer.terms(crypto)?;
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
        let known = state
            .credentials
            .iter()
            .map(|c| (c.id(crypto), c.clone()))
            .collect();
        Self {
            state,
            offset_ms: None,
            news: Vec::new(),
            crypto,
            identity,
            known,
            pending: VecDeque::new(),
            verified: Verified::default(),
        }
    }

    /// What is to be kept.
    #[must_use]
    pub fn to_stored(&mut self) -> Vec<u8> {
        self.state.credentials = List::first(self.known.values().cloned().collect());
        self.state.to_bytes()
    }

    /// Our own membership, if it holds now.
    pub fn own_membership(&mut self, clock: &Clock) -> Result<Member, Error> {
        let peer = self.state.peer;
        let at_door = !self.state.synchronized;
        self.judged(clock, peer, &[], at_door)
            .map(|(member, _)| member)
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
            // Never earlier than our own, should the clock have been set back.
            from: own.from.max(Seconds(clock.wall_s)),
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

    /// Somebody's membership by all we know and what it shows, and what that rests on.
    fn judged(
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

    /// Keeps what somebody's membership rests on, and tells the neighbors what is new of it.
    fn learn(&mut self, support: Vec<Credential>) {
        for credential in support {
            let id = credential.id(self.crypto);
            let full = self.known.len() >= limits::CONTROL_ITEMS;
            if !full && !self.known.contains_key(&id) && !self.state.proof.contains(&credential) {
                self.news.push(
                    Control::Credential {
                        credential: credential.clone(),
                    }
                    .to_bytes(),
                );
                self.known.insert(id, credential);
            }
        }
    }

    /// Puts a credential that came from a neighbor where it can be judged; false if it is forged.
    fn consider(&mut self, credential: Credential) -> bool {
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
        if self.pending.len() >= limits::PENDING_CREDENTIALS {
            self.pending.pop_front();
        }
        self.pending.push_back(credential);
        true
    }

    /// Learns those of the waiting credentials that a membership rests on by now.
    fn sift(&mut self, clock: &Clock) {
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
            clock,
            all,
            &mut self.verified,
        );
        let support = judge.all_support();
        self.pending
            .retain(|credential| !support.contains(credential));
        self.learn(support);
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
        let (_, support) = self.judged(&clock, session.body.peer, &shown, at_door)?;
        if !at_door && self.state.synchronized {
            self.learn(support);
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
        let (member, _) = self.judged(&clock, peer, &shown, true)?;
        let mut shown = shown.into_vec();
        if let Some(came_with) = member.came_with.filter(|c| c.admission.is_none()) {
            shown.push(self.admission(&clock, &came_with)?);
        }
        let (_, support) = self.judged(&clock, peer, &shown, false)?;
        let proof = Credentials::new(support.clone()).ok_or(Code::ChainTooLong)?;
        self.learn(support);
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
        let (_, support) = self
            .judged(&clock, self.state.peer, &grant.proof, false)
            .map_err(|_| broken("the admission we got does not hold"))?;
        if grant.epochs.is_empty() {
            return Err(broken("we got no epoch"));
        }
        self.state.proof = Credentials::new(support).ok_or(Code::ChainTooLong)?;
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

    fn absorb(&mut self, cx: &mut Context<'_>, items: &[&[u8]]) -> Absorbed {
        for item in items {
            let good = match Control::from_bytes(item) {
                Ok(Control::Credential { credential }) => self.consider(credential),
                Ok(Control::Properties { properties }) => self.consider_properties(properties),
                // A newer version may have kinds of items that we do not know.
                Err(_) => true,
            };
            if !good {
                return Absorbed::Bad;
            }
        }
        let clock = self.clock(cx.now);
        self.sift(&clock);
        Absorbed::Good
    }
}

impl Group {
    /// Takes newer properties; false if they are forged.
    fn consider_properties(&mut self, properties: SignedProperties) -> bool {
        let ours = self
            .state
            .properties
            .as_ref()
            .map(|p| p.properties.revision);
        if ours >= Some(properties.properties.revision) {
            return true;
        }
        if !properties.is_signed(self.crypto, self.state.group) {
            return false;
        }
        self.news.push(
            Control::Properties {
                properties: properties.clone(),
            }
            .to_bytes(),
        );
        self.state.properties = Some(properties);
        true
    }

    /// Our word that somebody may come in with an invitation.
    fn admission(&mut self, clock: &Clock, came_with: &CameWith) -> Result<Credential, Error> {
        clock.check(Seconds(0), came_with.usable_until)?;
        let own = self.own_membership(clock)?;
        if own.invitations.contains(&came_with.invitation) {
            return Err(Error::new(Code::NotAuthorized).detail(
                "somebody who came with the same invitation cannot admit: another member must",
            ));
        }
        let body = Body::Admission {
            membership: came_with.membership,
            at: Seconds(clock.wall_s)
                .max(came_with.begin)
                .min(came_with.usable_until),
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
