//! A group: the security and the discovery of a graph. Credentials decide who may be here.

pub mod credential;
pub mod discovery;
mod gauges;
pub mod identity;
pub mod invitation;
pub mod judge;
pub mod open;
pub mod password;
pub mod properties;
pub mod sealed;
mod security;
pub mod state;
#[cfg(test)]
mod tests;

use crate::sorted::Map;
use std::collections::VecDeque;

use crate::crypto::Crypto;
use crate::crypto::stretch::Password;
use crate::engine::command::{NewGroup, NewInvitation};
use crate::error::{Code, Error};
use crate::graph::security::{Psk, Rights, Security};
use crate::limits;
use crate::names::{GroupId, PeerId};
use crate::random::Random;
use crate::time::Now;
use crate::wire::codec::{Bytes, List, Text, Wire as _};
use crate::wire::numbers::{invitation as invitation_kind, stored};
use crate::wire::rendezvous::Url;
use crate::wire::seconds::{Clock, Seconds};

use credential::{Body, Credential, Credentials, Role};
use identity::{Card, Identity};
use invitation::{
    Bearer, BearerBody, Bound, BoundBody, ByPassword, ByPasswordBody, Head, Inside, Invitation,
    Invitee, Name,
};
use judge::{Judge, Member, Verified};
use password::tending::Holder;
use password::{Gate, Joining};
use properties::SignedProperties;
pub use security::Control;
use state::{Chosen, Epoch, GroupState};

/// What our credentials say, whenever somebody looks.
struct Ever {
    /// Who may do what with records.
    rights: Map<PeerId, Vec<Rights>>,
    /// What memberships rest on: the same at everybody who knows the same, or more that is of no use.
    support: Vec<Credential>,
    /// Who came by no link, so may admit whoever comes by any.
    admit_all: Vec<PeerId>,
    /// Who may let others in.
    holders: Map<PeerId, Holder>,
}

/// One identity's part in a group.
pub struct Group {
    /// What is kept of it.
    pub state: GroupState,
    /// The wall clock minus the rendezvous server's, once known.
    pub offset_ms: Option<i64>,
    /// Control items that we made or learned ourselves, for the neighbors.
    pub news: Vec<Vec<u8>>,
    /// The app has not heard of the properties yet.
    pub properties_are_new: bool,
    crypto: Crypto,
    identity: Identity,
    /// What others' memberships rest on, by id.
    known: Map<[u8; 32], Credential>,
    /// What came before what it rests on.
    pending: VecDeque<Credential>,
    /// Something of `pending` may be of use by now.
    unsifted: bool,
    verified: Verified,
    /// Worked out when it is asked for.
    ever: Option<Ever>,
    revision: u64,
    /// While we want in by a password.
    joining: Option<Joining>,
    /// While we let others in by it.
    gate: Gate,
    /// A password that its creator has chosen and that is not in effect yet.
    chosen: Option<Chosen>,
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
            peer_time_offset: 0,
            properties: Some(properties),
            credentials: List::default(),
            asks_for: None,
            password: chosen(new.password.as_ref(), 1),
            verifiers: List::default(),
        })
    }

    /// The state of a group that the identity was invited to and has not met yet.
    pub fn join(
        crypto: Crypto,
        random: &mut Random,
        identity: &Identity,
        invitation: &Invitation,
        rendezvous: &[String],
    ) -> Result<GroupState, Error> {
        let peer = identity.peer(crypto);
        let (door, proof) = match invitation {
            Invitation::Bearer(bearer) => {
                let sealing = identity.sealing_key(crypto);
                let membership = bearer.membership(crypto, peer, sealing, random.bytes())?;
                let mut proof = bearer.body.credentials.to_vec();
                proof.push(membership);
                (bearer.body.door, proof)
            }
            Invitation::Bound(bound) => {
                let inside = bound.open(crypto, identity)?;
                (inside.door, inside.credentials.into_vec())
            }
            Invitation::ByPassword(open) => (open.body.door, Vec::new()),
        };
        let head = invitation.head();
        let rendezvous = match rendezvous {
            [] => head.rendezvous.clone(),
            given => urls(given),
        };
        Ok(GroupState {
            version: stored::GROUP,
            group: head.group,
            peer,
            group_seed: None,
            friendly_name: head.friendly_name.clone(),
            rendezvous,
            door,
            epochs: List::default(),
            proof: List::new(proof).ok_or_else(|| Error::new(Code::ChainTooLong))?,
            synchronized: false,
            peer_time_offset: 0,
            properties: None,
            credentials: List::default(),
            asks_for: asks_for(invitation),
            password: None,
            verifiers: List::default(),
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
            properties_are_new: false,
            crypto,
            identity,
            known,
            pending: VecDeque::new(),
            unsifted: false,
            verified: Verified::default(),
            ever: None,
            revision: 0,
            joining: None,
            gate: Gate::default(),
            chosen: None,
        }
    }

    /// The identity is called differently from now on.
    pub fn rename(&mut self, name: identity::Name) {
        self.identity.name = name;
    }

    /// What is to be kept, with what was decided and is not in effect yet.
    #[must_use]
    pub fn to_stored<'a>(
        &mut self,
        random: &mut Random,
        peer_time_offset: i64,
        decided: impl Iterator<Item = &'a Control>,
    ) -> Vec<u8> {
        self.state.peer_time_offset = peer_time_offset;
        let mut credentials: Vec<Credential> = Vec::new();
        let ours = (self.state.properties.clone(), self.state.password.clone());
        for control in decided {
            match control {
                Control::Credential { credential } => credentials.push(credential.clone()),
                Control::Properties { properties } => {
                    self.state.password = self.password_of(properties);
                    self.state.properties = Some(properties.clone());
                }
                Control::Verifier { .. } => {}
            }
        }
        credentials.extend(self.known.values().cloned());
        self.state.credentials = List::first(credentials);
        let stored = self.state.to_stored(self.crypto, &self.identity, random);
        (self.state.properties, self.state.password) = ours;
        stored
    }

    /// Our own membership, if it holds now.
    pub fn own_membership(&mut self, clock: &Clock) -> Result<Member, Error> {
        let peer = self.state.peer;
        let at_door = !self.state.synchronized;
        self.judged(clock, peer, &[], at_door)
            .map(|(member, _)| member)
    }

    /// Whether we are one of the few who may admit everybody: they always stand at the door.
    pub(super) fn keeps_door(&mut self) -> bool {
        let peer = self.state.peer;
        let admit_all = &self.ever().admit_all;
        admit_all.len() <= limits::SAMPLE && admit_all.contains(&peer)
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
        let role = new.role;
        if !own.role.may_issue(role) {
            let why = if own.role.may_issue(Role::Member) {
                "nobody gives a role above the own one"
            } else {
                "members cannot invite"
            };
            return Err(Error::new(Code::NotAuthorized).detail(why));
        }
        let until = new.expires.map_or(own.until, Seconds);
        if until.0 <= clock.wall_s {
            return Err(Error::new(Code::InvalidTimePeriod)
                .detail("the membership would have ended already"));
        }
        if until > own.until {
            return Err(Error::new(Code::InvalidCredentialInfo)
                .detail("nobody can invite beyond the end of the own membership"));
        }
        // Never earlier than our own, should the clock have been set back.
        let from = own.from.max(Seconds(clock.wall_s));
        if let Some(card) = &new.to {
            let card = Card::parse(self.crypto, card)?;
            let invitee = Invitee {
                card,
                role,
                from,
                until,
            };
            return self.invite_bound(random, &invitee);
        }
        if new.max_uses == 0 || new.max_uses > limits::INVITATION_USES {
            return Err(Error::new(Code::InvalidArgument)
                .detail(format!("maxUses is 1 to {}", limits::INVITATION_USES)));
        }
        let usable = new
            .usable_until
            .unwrap_or(clock.wall_s + limits::INVITATION_USABLE_S);
        if usable <= clock.wall_s {
            return Err(Error::new(Code::InvalidTimePeriod)
                .detail("the invitation would have ended already"));
        }
        let seed = random.bytes();
        let delegation = Body::Delegation {
            key: self.crypto.public_key(&seed),
            role,
            from,
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
            head: self.invitation_head(invitation_kind::BEARER),
            door: self.state.door,
            // The joiner's own membership, its admission and the admitter's chain come on top.
            credentials: List::new(chain)
                .filter(|chain: &Credentials| chain.len() + 2 <= limits::PROOF_CREDENTIALS)
                .ok_or_else(|| Error::new(Code::ChainTooLong))?,
        };
        Ok(Bearer::text(self.crypto, &self.identity.seed, body, seed))
    }

    /// An invitation that lets one identity in.
    fn invite_bound(&self, random: &mut Random, invitee: &Invitee) -> Result<String, Error> {
        if invitee.card.peer == self.state.peer {
            return Err(Error::new(Code::InvalidArgument)
                .detail("the card is your own: hand it to whoever invites you"));
        }
        let (group, seed) = (self.state.group, &self.identity.seed);
        let membership = invitee.membership(self.crypto, group, seed, random.bytes());
        let mut chain = self.state.proof.clone().into_vec();
        chain.push(membership);
        let inside = Inside {
            door: self.state.door,
            credentials: List::new(chain).ok_or_else(|| Error::new(Code::ChainTooLong))?,
        };
        let body = BoundBody {
            head: self.invitation_head(invitation_kind::BOUND),
            subject: invitee.card.peer,
            role: invitee.role,
            from: invitee.from,
            until: invitee.until,
            half: [0; 32],
            sealed: Bytes::default(),
        };
        Bound::text(
            self.crypto,
            random,
            seed,
            invitee.card.sealing,
            body,
            &inside,
        )
    }

    /// An invitation for whoever knows the password: it says where, and holds no secret of it.
    pub fn invite_by_password(&mut self, now: Now) -> Result<String, Error> {
        if !self.state.synchronized {
            return Err(Code::GroupNotReady.into());
        }
        let Some(rule) = self.rule().cloned() else {
            return Err(Error::new(Code::InvalidGroupProperties)
                .detail("the group was made without a password"));
        };
        let clock = self.clock(now);
        if !self.own_membership(&clock)?.role.may_issue(Role::Member) {
            return Err(Error::new(Code::NotAuthorized).detail("members cannot invite"));
        }
        let body = ByPasswordBody {
            head: self.invitation_head(invitation_kind::PASSWORD),
            door: self.state.door,
            role: rule.role,
            generation: rule.generation,
            made: Seconds(clock.wall_s),
        };
        Ok(ByPassword::text(self.crypto, &self.identity.seed, body))
    }

    /// The password that goes with properties of ours.
    fn password_of(&self, properties: &SignedProperties) -> Option<Chosen> {
        let generation = properties.properties.password.as_ref()?.generation;
        let chosen = self
            .chosen
            .as_ref()
            .filter(|of| of.generation == generation);
        chosen.or(self.state.password.as_ref()).cloned()
    }

    /// Notes the password that goes with properties which are about to be stored.
    pub fn choose(&mut self, control: &Control, password: &Password) {
        if let Control::Properties { properties } = control
            && let Some(rule) = &properties.properties.password
        {
            self.chosen = chosen(Some(password), rule.generation);
        }
    }

    /// What an invitation of ours begins with.
    fn invitation_head(&self, kind: u8) -> Head {
        Head {
            kind,
            group: self.state.group,
            friendly_name: self.friendly_name().clone(),
            issuer: self.state.peer,
            issuer_name: self.identity.name.clone(),
            rendezvous: self.state.rendezvous.clone(),
        }
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

    fn ever(&mut self) -> &Ever {
        let all = self.state.proof.iter().chain(self.known.values());
        let (group, verified) = (self.state.group, &mut self.verified);
        self.ever.get_or_insert_with(|| {
            let judge = Judge::new(self.crypto, group, &Clock::TIMELESS, all, verified);
            Ever {
                rights: judge.rights(),
                support: judge.all_support(),
                admit_all: judge.admit_all(),
                holders: judge.holders(),
            }
        })
    }

    /// What we know of memberships is another: so may be everybody's rights.
    fn changed(&mut self) {
        self.ever = None;
        self.revision += 1;
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
                // What waits may rest on it.
                self.unsifted = true;
                self.changed();
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
        self.unsifted |= self.may_hold(&credential);
        self.pending.push_back(credential);
        true
    }

    /// Whether somebody issued a credential whom we know: anybody can sign one, and judging all costs
    /// time.
    fn may_hold(&mut self, credential: &Credential) -> bool {
        let issuer = *credential.issuer();
        let invited = |other: &Credential| matches!(other.body, Body::Delegation { key, .. } if key == issuer);
        let held = self.state.proof.iter().chain(self.known.values());
        issuer == self.state.group.0
            || held.chain(&self.pending).any(invited)
            || self.ever().rights.contains_key(&PeerId(issuer))
    }

    /// Learns those of the waiting credentials that a membership rests on by now.
    fn sift(&mut self) {
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

fn chosen(password: Option<&Password>, generation: u32) -> Option<Chosen> {
    let text = Text::new(password?.as_str())?;
    Some(Chosen { generation, text })
}

fn asks_for(invitation: &Invitation) -> Option<u32> {
    match invitation {
        Invitation::ByPassword(open) => Some(open.body.generation),
        _ => None,
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
