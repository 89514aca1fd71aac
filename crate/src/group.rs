//! A group: the security and the discovery of a graph. Credentials decide who may be here.

pub mod credential;
pub mod discovery;
pub mod epoch;
mod gauges;
pub mod identity;
pub mod invitation;
mod inviting;
mod issuing;
pub mod judge;
mod knowledge;
pub mod open;
pub mod password;
pub mod properties;
pub mod removal;
pub mod roster;
pub mod sealed;
mod security;
pub mod state;
#[cfg(test)]
mod tests;

use crate::sorted::Map;
use std::collections::VecDeque;

use crate::crypto::stretch::Password;
use crate::crypto::{Crypto, head};
use crate::engine::command::NewGroup;
use crate::error::{Code, Error};
use crate::graph::security::{Psk, Rights};
use crate::limits;
use crate::names::{GroupId, PeerId};
use crate::random::Random;
use crate::time::{Millis, Now};
use crate::wire::codec::{List, Text};
use crate::wire::numbers::stored;
use crate::wire::rendezvous::Url;
use crate::wire::seconds::{Clock, Seconds};

use credential::{Body, Credential, How, Role};
use epoch::{Covered, Secret, SecretBody, SecretKind};
use identity::Identity;
use invitation::{Head, Invitation, Name};
use judge::{Member, Standing, Verified};
use password::tending::Holder;
use password::{Gate, Joining};
use properties::SignedProperties;
pub use security::Control;
use state::{Chosen, GroupState};

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
    /// Who was a member and is none any more, and why.
    former: Map<PeerId, (How, Error)>,
    /// When the last membership of everybody ends who is a member.
    ends: Map<PeerId, Seconds>,
    /// Admins, the most senior first.
    admins: Vec<[u8; 32]>,
    /// All removals.
    revocations: Vec<Covered>,
    /// Who is a member.
    standings: Map<PeerId, Vec<Standing>>,
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
    /// There is a membership of our own that may be better than the one we show.
    own_is_new: bool,
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
    /// Secrets that wait until we know that they count.
    secrets: Vec<Secret>,
    /// Until when links are accepted that are keyed with the last epoch.
    old_epoch_until: Millis,
    /// Where members are found has changed.
    pub moved: bool,
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
        let epoch = SecretBody {
            kind: SecretKind::Epoch,
            number: 0,
            secret: random.bytes(),
            covers: List::default(),
            issuer: group.0,
        };
        Ok(GroupState {
            version: stored::GROUP,
            group,
            peer,
            group_seed: Some(group_seed),
            friendly_name: properties.properties.friendly_name.clone(),
            rendezvous: urls(rendezvous),
            door: random.bytes(),
            old_door: None,
            doors: List::default(),
            epochs: List::first(vec![Secret::sign(crypto, group, &group_seed, epoch)]),
            secrets: List::default(),
            expelled: None,
            proof: List::first(vec![credential]),
            synchronized: true,
            peer_time_offset: 0,
            properties: Some(properties),
            credentials: List::default(),
            asks_for: None,
            password: chosen(new.password.as_ref(), 1),
            verifiers: List::default(),
            nodes: List::default(),
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
            old_door: None,
            doors: List::default(),
            epochs: List::default(),
            secrets: List::default(),
            expelled: None,
            proof: List::new(proof).ok_or_else(|| Error::new(Code::ChainTooLong))?,
            synchronized: false,
            peer_time_offset: 0,
            properties: None,
            credentials: List::default(),
            asks_for: asks_for(invitation),
            password: None,
            verifiers: List::default(),
            nodes: List::default(),
        })
    }

    /// A group as it was kept.
    #[must_use]
    pub fn open(crypto: Crypto, identity: Identity, mut state: GroupState) -> Self {
        let known = state
            .credentials
            .iter()
            .map(|c| (c.id(crypto), c.clone()))
            .collect();
        let secrets = core::mem::take(&mut state.secrets).into_vec();
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
            own_is_new: false,
            verified: Verified::default(),
            ever: None,
            revision: 0,
            joining: None,
            gate: Gate::default(),
            chosen: None,
            secrets,
            old_epoch_until: 0,
            moved: false,
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
        let mut waiting = self.secrets.clone();
        for control in decided {
            match control {
                Control::Credential { credential } => credentials.push(credential.clone()),
                Control::Properties { properties } => {
                    self.state.password = self.password_of(properties);
                    self.state.properties = Some(properties.clone());
                }
                Control::Verifier { .. } => {}
                Control::Secret { secret } => waiting.push(secret.clone()),
            }
        }
        credentials.extend(self.known.values().cloned());
        self.state.credentials = List::first(credentials);
        self.state.secrets = List::first(waiting);
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
            id: head(&id),
            secret: self.crypto.derive(secret, "link", &[group]),
        }
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
