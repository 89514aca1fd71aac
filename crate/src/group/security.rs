//! A group as the security of its graph: who may link, what somebody gets at the door, whose records
//! are kept.

use super::Group;
use super::credential::{Body, Credential, Credentials};
use super::judge::CameWith;
use super::password::verifier::Verifier;
use super::properties::SignedProperties;
use super::state::Epoch;
use crate::engine::command::PropertiesChange;
use crate::engine::context::Context;
use crate::error::{Code, Error};
use crate::graph::password::Passwords;
use crate::graph::security::{Absorbed, Psk, Rights, Rules, Security};
use crate::graph::session::Session;
use crate::limits;
use crate::names::PeerId;
use crate::time::Now;
use crate::wire::codec::{List, Wire as _};
use crate::wire::link::Purpose;
use crate::wire::numbers::control;
use crate::wire::seconds::{Clock, Seconds};
use crate::{wire_enum, wire_struct};

wire_enum! {
    /// What members keep telling one another until all know it.
    pub enum Control {
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
        /// Who holds the stretched password.
        Verifier = control::VERIFIER {
            /// It, sealed to its holder.
            verifier: Verifier,
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

impl Security for Group {
    fn psk(&self, purpose: Purpose) -> Option<Psk> {
        match purpose {
            Purpose::Join | Purpose::Password => Some(self.link_psk(&self.state.door)),
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
            Purpose::Join | Purpose::Password => vec![self.link_psk(&self.state.door)],
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
        self.changed();
        Ok(())
    }

    fn passwords(&mut self) -> Option<&mut dyn Passwords> {
        Some(self)
    }

    fn rights(&mut self, peer: PeerId) -> Vec<Rights> {
        let rights = &self.ever().rights;
        rights.get(&peer).cloned().unwrap_or_default()
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn rules(&self) -> Rules {
        let signed = self.state.properties.as_ref();
        let properties = signed.map(|signed| &signed.properties);
        Rules {
            // Not known yet: whatever a group may allow.
            max_record_size: properties.map_or(limits::RECORD_BYTES, |properties| {
                properties.max_record_size as usize
            }),
            defer_expiration: properties.is_some_and(|properties| properties.defer_expiration),
            asks_app: false,
        }
    }

    fn control(&mut self) -> Vec<Vec<u8>> {
        let properties = self.state.properties.iter().cloned();
        let properties = properties.map(|properties| Control::Properties { properties }.to_bytes());
        let mut items: Vec<Vec<u8>> = properties.collect();
        let support = self.ever().support.iter().cloned();
        items.extend(support.map(|credential| Control::Credential { credential }.to_bytes()));
        let verifiers = self.state.verifiers.iter().cloned();
        items.extend(verifiers.map(|verifier| Control::Verifier { verifier }.to_bytes()));
        items
    }

    fn absorb(&mut self, _cx: &mut Context<'_>, items: &[&[u8]]) -> Absorbed {
        for item in items {
            // A newer version may have kinds of items that we do not know.
            if let Ok(item) = Control::from_bytes(item)
                && !self.take(item)
            {
                return Absorbed::Bad;
            }
        }
        if self.unsifted {
            self.sift();
        }
        Absorbed::Good
    }
}

impl Group {
    /// Takes properties that count more than ours; false if they are forged.
    fn consider_properties(&mut self, properties: SignedProperties) -> bool {
        let (crypto, group) = (self.crypto, self.state.group);
        let ours = self.state.properties.as_ref();
        if ours.map(|ours| ours.rank(crypto, group)) >= Some(properties.rank(crypto, group)) {
            return true;
        }
        if !properties.is_signed(crypto, group) {
            return false;
        }
        // Signed by a creator whose program allows more than ours: nobody's fault, and not for us.
        if properties.properties.check().is_err() {
            return true;
        }
        self.news.push(
            Control::Properties {
                properties: properties.clone(),
            }
            .to_bytes(),
        );
        self.state.password = self.password_of(&properties);
        self.state.properties = Some(properties);
        self.properties_are_new = true;
        self.changed();
        true
    }

    /// Other properties from now on: what their creator is to store and to tell.
    pub fn change_properties<'a>(
        &'a self,
        decided: impl Iterator<Item = &'a Control>,
        change: &PropertiesChange,
    ) -> Result<Control, Error> {
        let ours = self.state.properties.as_ref();
        let latest = decided.filter_map(|control| match control {
            Control::Properties { properties } => Some(properties),
            _ => None,
        });
        let latest = latest.chain(ours).filter(|_| self.state.synchronized);
        let latest = latest
            .max_by_key(|signed| signed.rank(self.crypto, self.state.group))
            .ok_or_else(|| Error::from(Code::GroupNotReady))?;
        let Some(seed) = &self.state.group_seed else {
            return Err(Error::new(Code::NotAuthorized)
                .detail("the creator alone changes a group's properties"));
        };
        let properties = latest.changed(self.crypto, seed, change)?;
        Ok(Control::Properties { properties })
    }

    /// What we decided ourselves is stored: it holds from now on, and members are told.
    pub fn take_effect(&mut self, items: Vec<Control>) {
        for item in items {
            self.take(item);
        }
        if self.unsifted {
            self.sift();
        }
    }

    /// Puts a control item where it belongs; false if it is forged.
    fn take(&mut self, item: Control) -> bool {
        match item {
            Control::Credential { credential } => self.consider(credential),
            Control::Properties { properties } => self.consider_properties(properties),
            Control::Verifier { verifier } => self.consider_verifier(verifier),
        }
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
