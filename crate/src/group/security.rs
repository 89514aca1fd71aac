//! A group as the security of its graph: who may link, what somebody gets at the door, whose records
//! are kept.

use super::Group;
use super::credential::{Body, Credential, Credentials, Role};
use super::epoch::Secret;
use super::judge::CameWith;
use super::password::verifier::Verifier;
use super::properties::SignedProperties;
use crate::engine::command::PropertiesChange;
use crate::engine::context::Context;
use crate::error::{Code, Error};
use crate::graph::password::Passwords;
use crate::graph::security::{Absorbed, Psk, Rights, Rules, Security, Shown};
use crate::graph::session::Session;
use crate::limits;
use crate::names::PeerId;
use crate::sorted::Set;
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
        /// A secret that members share.
        Secret = control::SECRET {
            /// It.
            secret: Secret,
        },
    }
}

wire_struct! {
    /// What somebody gets at the door.
    struct AtDoor {
        /// Proves its membership from now on.
        proof: Credentials,
        /// The newest first.
        epochs: List<Secret, 2>,
        /// The door, where it was replaced.
        doors: List<Secret, 2>,
        /// What those rest on who signed the secrets.
        credentials: Credentials,
    }
}

/// Of ourselves, before we know what the group is like.
const NOTHING_SHOWN: Shown = Shown {
    presence: false,
    presence_ms: limits::PRESENCE_LIFETIME_MIN_S as u64 * 1000,
    members_when_active: true,
    member_ms: limits::MEMBER_DATA_LIFETIME_MIN_S as u64 * 1000,
};

impl Security for Group {
    fn psk(&self, purpose: Purpose) -> Option<Psk> {
        if purpose.is_at_door() {
            return Some(self.link_psk(&self.state.door));
        }
        self.epoch().map(|secret| self.link_psk(secret))
    }

    fn psk_named(&self, id: &[u8; 8], purpose: Purpose, now: Now) -> Option<[u8; 32]> {
        if !self.state.synchronized {
            return None;
        }
        // Outstanding invitations end with their door; members may have slept.
        let old_door = self.state.old_door.filter(|_| purpose == Purpose::Return);
        let epochs = self.state.epochs.iter().map(|epoch| &epoch.body.secret);
        let old_counts = now.monotonic < self.old_epoch_until;
        let all: Vec<Psk> = if purpose.is_at_door() {
            let doors = core::iter::once(self.state.door).chain(old_door);
            doors.map(|door| self.link_psk(&door)).collect()
        } else {
            let epochs = epochs.take(if old_counts { 2 } else { 1 });
            epochs.map(|secret| self.link_psk(secret)).collect()
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
        // Whoever comes back is known: an invitation that was never used does not count there.
        let shown = match purpose {
            Purpose::Return => &[],
            _ => &shown[..],
        };
        let (_, support) = self.judged(&clock, session.body.peer, shown, at_door)?;
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
            shown.push(self.admission(&clock, peer, &came_with)?);
        }
        let (_, support) = self.judged(&clock, peer, &shown, false)?;
        let proof = Credentials::new(support.clone()).ok_or(Code::ChainTooLong)?;
        self.learn(support);
        let epochs = self.state.epochs.first().cloned();
        let doors = self.state.doors.first().cloned();
        let issuers = epochs.iter().chain(&doors).map(|s| PeerId(s.body.issuer));
        let issuers: Set<PeerId> = issuers.collect();
        let credentials = self.with_judge(|judge| {
            let support = issuers.iter().flat_map(|issuer| judge.ever_support(issuer));
            support.collect()
        });
        Ok(AtDoor {
            proof,
            epochs: List::first(epochs.into_iter().collect()),
            doors: List::first(doors.into_iter().collect()),
            credentials: List::first(credentials),
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
        let proof = Credentials::new(support).ok_or(Code::ChainTooLong)?;
        // Whoever signed the secrets may be nobody by now, but was an admin: by all that is known.
        let admins = self.admins_with(proof.iter().chain(grant.credentials.iter()));
        let secrets = || grant.epochs.iter().chain(grant.doors.iter());
        let is_good = |secret: &Secret| {
            admins.contains(&secret.body.issuer) && secret.is_signed(self.crypto, self.state.group)
        };
        if !secrets().all(is_good) {
            return Err(broken("no admin made the secret we got"));
        }
        if grant.epochs.is_empty() && self.epoch().is_none() {
            return Err(broken("we got no epoch"));
        }
        self.state.proof = proof;
        self.changed();
        for credential in grant.credentials.iter() {
            self.consider(credential.clone());
        }
        self.sift();
        for secret in secrets() {
            self.take_secret(cx.now, secret.clone());
        }
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
            shown: Some(properties.map_or(NOTHING_SHOWN, |properties| Shown {
                presence: !properties.presence_disabled,
                presence_ms: u64::from(properties.presence_lifetime) * 1000,
                members_when_active: properties.member_data_optional,
                member_ms: u64::from(properties.member_data_lifetime) * 1000,
            })),
        }
    }

    fn control(&mut self) -> Vec<Vec<u8>> {
        let properties = self.state.properties.iter().cloned();
        let properties = properties.map(|properties| Control::Properties { properties }.to_bytes());
        let mut items: Vec<Vec<u8>> = properties.collect();
        let secrets = [self.state.epochs.first(), self.state.doors.first()];
        let secrets = secrets.into_iter().flatten().cloned();
        items.extend(secrets.map(|secret| Control::Secret { secret }.to_bytes()));
        let support = self.ever().support.iter().cloned();
        items.extend(support.map(|credential| Control::Credential { credential }.to_bytes()));
        let verifiers = self.state.verifiers.iter().cloned();
        items.extend(verifiers.map(|verifier| Control::Verifier { verifier }.to_bytes()));
        items
    }

    fn absorb(&mut self, cx: &mut Context<'_>, items: &[&[u8]]) -> Absorbed {
        for item in items {
            // A newer version may have kinds of items that we do not know.
            if let Ok(item) = Control::from_bytes(item)
                && !self.take(item)
            {
                return Absorbed::Bad;
            }
        }
        self.settle_items(cx.now);
        Absorbed::Good
    }

    fn out(&mut self, peer: PeerId, now: Now) -> Option<Error> {
        if !self.state.synchronized {
            return None;
        }
        if let Some(error) = self.former(&peer) {
            return Some(error);
        }
        let end = self.ever().ends.get(&peer).copied();
        let clock = self.clock(now);
        if end.is_some_and(|end| clock.check(Seconds(0), end).is_ok()) {
            return None;
        }
        self.judged(&clock, peer, &[], false).err()
    }

    fn farewell(&mut self, peer: PeerId) -> Vec<Vec<u8>> {
        let why = self.farewell_to(&peer).into_iter();
        why.map(|credential| Control::Credential { credential }.to_bytes())
            .collect()
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
    pub fn take_effect(&mut self, now: Now, items: Vec<Control>) {
        for item in items {
            self.take(item);
        }
        self.settle_items(now);
    }

    /// Control items were taken: what they change takes its course.
    fn settle_items(&mut self, now: Now) {
        if self.unsifted {
            self.sift();
        }
        if core::mem::take(&mut self.own_is_new) {
            self.show_best(now);
        }
        self.settle_secrets(now);
    }

    /// Puts a control item where it belongs; false if it is forged.
    fn take(&mut self, item: Control) -> bool {
        match item {
            Control::Credential { credential } => self.consider(credential),
            Control::Properties { properties } => self.consider_properties(properties),
            Control::Verifier { verifier } => self.consider_verifier(verifier),
            Control::Secret { secret } => self.consider_secret(&secret),
        }
    }

    /// Our word that somebody may come in with an invitation.
    fn admission(
        &mut self,
        clock: &Clock,
        peer: PeerId,
        came_with: &CameWith,
    ) -> Result<Credential, Error> {
        clock.check(Seconds(0), came_with.usable_until)?;
        let own = self.own_membership(clock)?;
        if own.invitations.contains(&came_with.invitation) {
            return Err(Error::new(Code::NotAuthorized).detail(
                "somebody who came with the same invitation cannot admit: another member must",
            ));
        }
        if came_with.makes_admins && own.role != Role::Admin {
            return Err(Error::new(Code::NotAuthorized)
                .detail("the invitation can make admins: an admin must let its holder in"));
        }
        let body = Body::Admission {
            membership: came_with.membership,
            // Whoever comes again after it left comes later, also within one second.
            at: self
                .not_before(&peer, Seconds(clock.wall_s))
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
