//! Secrets that members share: epochs, a new one with every removal, and the door.
//!
//! They are control items, which travel over links between members only. Who is removed never gets the
//! next epoch: its links close as soon as its removal is known, and a node makes nothing of an epoch before it
//! knows the removals that the epoch covers. Of several the greatest number counts, then the greatest
//! hash, if an admin or the group key signed it.

use super::Group;
use super::credential::Role;
use super::security::Control;
use crate::crypto::{Crypto, head, signed_bytes};
use crate::error::{Code, Error};
use crate::graph::security::Security as _;
use crate::limits::{COVERED_REMOVALS, EPOCH_GRACE_MS, WAITING_SECRETS};
use crate::names::GroupId;
use crate::random::Random;
use crate::sorted::Set;
use crate::time::{Millis, Now};
use crate::wire::codec::{List, Wire as _};
use crate::wire::numbers::secret;
use crate::{wire_numbers, wire_struct};

wire_numbers! {
    /// What a secret is for.
    SecretKind {
        /// Members find and link one another with it.
        Epoch = secret::EPOCH,
        /// Newcomers, and members with old secrets, find members with it.
        Door = secret::DOOR,
    }
}

/// The first bytes of a revocation's hash.
pub type Covered = [u8; 8];

wire_struct! {
    /// What is signed.
    pub struct SecretBody {
        /// What it is for.
        pub kind: SecretKind,
        /// Counts them from 0.
        pub number: u32,
        /// It. Of a door's, the first half counts.
        pub secret: [u8; 32],
        /// The newest removals when it was made.
        pub covers: List<Covered, COVERED_REMOVALS>,
        /// The group key or an admin.
        pub issuer: [u8; 32],
    }

    /// A secret as members pass it on.
    pub struct Secret {
        /// What is signed.
        pub body: SecretBody,
        /// By the issuer.
        pub signature: [u8; 64],
    }
}

impl Secret {
    /// A secret signed with the issuer's seed.
    #[must_use]
    pub fn sign(crypto: Crypto, group: GroupId, seed: &[u8; 32], body: SecretBody) -> Self {
        let signature = crypto.sign(seed, &signed_bytes("secret", &group.0, &body.to_bytes()));
        Self { body, signature }
    }

    /// Whether its issuer signed it.
    #[must_use]
    pub fn is_signed(&self, crypto: Crypto, group: GroupId) -> bool {
        let (body, issuer) = (&self.body, &self.body.issuer);
        let bytes = signed_bytes("secret", &group.0, &body.to_bytes());
        crypto.is_public_key(issuer) && crypto.verify(issuer, &bytes, &self.signature)
    }

    /// Of two secrets the greater one counts.
    fn order(&self, crypto: Crypto) -> (u32, [u8; 32]) {
        (
            self.body.number,
            head(&crypto.hash(&[&self.body.to_bytes()])),
        )
    }
}

impl Group {
    /// Notes a secret that came; false if it is forged.
    pub(super) fn consider_secret(&mut self, secret: &Secret) -> bool {
        if self.held(secret.body.kind).contains(&secret) || self.secrets.contains(secret) {
            return true;
        }
        if !secret.is_signed(self.crypto, self.state.group) {
            return false;
        }
        if self.secrets.len() >= WAITING_SECRETS {
            let goes = self.most_dispensable();
            self.secrets.remove(goes);
        }
        self.secrets.push(secret.clone());
        true
    }

    /// Of the secrets that wait: anybody can sign some, so first those of nobody we know as an admin,
    /// then those of the admin that made the most, the oldest first.
    fn most_dispensable(&mut self) -> usize {
        let issuers: Vec<[u8; 32]> = self.secrets.iter().map(|s| s.body.issuer).collect();
        let mut goes = (0, 0);
        for (at, issuer) in issuers.iter().enumerate() {
            let made = issuers.iter().filter(|other| *other == issuer).count();
            let weight = if self.in_office(issuer) {
                made
            } else {
                WAITING_SECRETS + 1
            };
            if weight > goes.0 {
                goes = (weight, at);
            }
        }
        goes.1
    }

    /// The one in use and the one before.
    fn held(&self, kind: SecretKind) -> Vec<&Secret> {
        match kind {
            SecretKind::Epoch => self.state.epochs.iter().collect(),
            SecretKind::Door => self.state.doors.iter().collect(),
        }
    }

    /// Takes the secrets that count by what is known now.
    pub(super) fn settle_secrets(&mut self, now: Now) {
        if self.secrets.is_empty() {
            return;
        }
        let crypto = self.crypto;
        let known = self.ever().revocations.clone();
        for kind in [SecretKind::Epoch, SecretKind::Door] {
            let mut good = self.secrets.clone();
            good.retain(|secret| {
                let covered = secret.body.covers.iter().all(|of| known.contains(of));
                secret.body.kind == kind && covered && self.in_office(&secret.body.issuer)
            });
            let Some(best) = good.into_iter().max_by_key(|secret| secret.order(crypto)) else {
                continue;
            };
            let current = self.held(kind).first().map(|secret| (*secret).clone());
            let current = current.filter(|current| self.in_office(&current.body.issuer));
            if current.is_none_or(|current| best.order(crypto) > current.order(crypto)) {
                self.adopt(now, best);
            }
        }
        let (epochs, doors) = (&self.state.epochs, &self.state.doors);
        self.secrets
            .retain(|secret| !epochs.contains(secret) && !doors.contains(secret));
    }

    /// Takes what we were given at the door, if it counts more than what we have.
    pub(super) fn take_secret(&mut self, now: Now, secret: Secret) {
        let order = secret.order(self.crypto);
        let held = self.held(secret.body.kind).into_iter().next();
        if held.is_none_or(|held| order > held.order(self.crypto)) {
            self.adopt(now, secret);
        }
    }

    /// A secret is the one in use from now on.
    fn adopt(&mut self, now: Now, secret: Secret) {
        self.news.push(
            Control::Secret {
                secret: secret.clone(),
            }
            .to_bytes(),
        );
        let place = match secret.body.kind {
            SecretKind::Epoch => {
                self.old_epoch_until = now.monotonic.saturating_add(EPOCH_GRACE_MS);
                &mut self.state.epochs
            }
            SecretKind::Door => {
                let door = secret.body.secret;
                let door = head(&door);
                if door != self.state.door {
                    self.state.old_door = Some(core::mem::replace(&mut self.state.door, door));
                }
                &mut self.state.doors
            }
        };
        let before = place.first().cloned();
        *place = List::first(core::iter::once(secret).chain(before).collect());
        self.moved = true;
        self.revision += 1;
    }

    /// The secret of the epoch, once we are in.
    pub(super) fn epoch(&self) -> Option<&[u8; 32]> {
        self.state.epochs.first().map(|epoch| &epoch.body.secret)
    }

    /// A new epoch that covers what is known and what is about to be.
    pub(super) fn next_epoch(
        &mut self,
        random: &mut Random,
        now: Now,
        news: &[Covered],
    ) -> Result<Secret, Error> {
        self.next_secret(now, SecretKind::Epoch, random.bytes(), news)
    }

    /// Another door: invitations that are out lead nowhere from then on.
    pub fn next_door(&mut self, random: &mut Random, now: Now) -> Result<Control, Error> {
        let secret = self.next_secret(now, SecretKind::Door, random.bytes(), &[])?;
        Ok(Control::Secret { secret })
    }

    /// Makes a new epoch, and says whose the door is if whoever said so is no admin any more.
    pub fn rotate(&mut self, random: &mut Random, now: Now) -> Result<(), Error> {
        let epoch = self.next_epoch(random, now, &[])?;
        self.adopt(now, epoch);
        let door = self.state.doors.first().map(|door| door.body.clone());
        if let Some(door) = door.filter(|door| !self.in_office(&door.issuer)) {
            let door = self.next_secret(now, SecretKind::Door, door.secret, &[])?;
            self.adopt(now, door);
        }
        Ok(())
    }

    fn next_secret(
        &mut self,
        now: Now,
        kind: SecretKind,
        secret: [u8; 32],
        news: &[Covered],
    ) -> Result<Secret, Error> {
        let issuer = self.authority(now)?;
        let numbers = self.held(kind).into_iter().chain(&self.secrets);
        let numbers = numbers.filter(|s| s.body.kind == kind);
        let last = numbers.map(|s| s.body.number).max();
        let known = self.ever().revocations.iter();
        let body = SecretBody {
            kind,
            number: last.map_or(0, |last| last.saturating_add(1)),
            secret,
            covers: List::first(news.iter().chain(known).copied().collect()),
            issuer: self.crypto.public_key(&issuer),
        };
        Ok(Secret::sign(self.crypto, self.state.group, &issuer, body))
    }

    /// What we sign an admin's acts with: the group key where we have it, so that nobody is senior.
    pub(super) fn authority(&mut self, now: Now) -> Result<[u8; 32], Error> {
        if !self.state.synchronized {
            return Err(Code::GroupNotReady.into());
        }
        if let Some(seed) = self.state.group_seed {
            return Ok(seed);
        }
        let clock = self.clock(now);
        if self.own_membership(&clock)?.role != Role::Admin {
            return Err(Error::new(Code::NotAuthorized).detail("only admins may"));
        }
        Ok(self.identity.seed)
    }

    /// How long to wait before making a new epoch, if the one in use does not fit the removals that
    /// are known and we are an admin: the most senior one that is online does it.
    pub fn rotates_in(&mut self, random: &mut Random) -> Option<Millis> {
        if !self.state.synchronized || self.fits() {
            return None;
        }
        let own = self.state.peer.0;
        let at = self.ever().admins.iter().position(|admin| *admin == own)?;
        let step = crate::limits::ROTATE_MS;
        Some(random.jitter(step * (1 + at.min(15) as Millis), 50))
    }

    /// Whether the epoch covers what it should, and those in office say what the secrets are.
    pub fn fits(&mut self) -> bool {
        let newest = self
            .ever()
            .revocations
            .iter()
            .take(COVERED_REMOVALS)
            .copied();
        let removals: Set<Covered> = newest.collect();
        let Some(epoch) = self.state.epochs.first().cloned() else {
            return true;
        };
        let covers: Set<Covered> = epoch.body.covers.iter().copied().collect();
        let door = self.state.doors.first().cloned();
        let issuers = core::iter::once(&epoch).chain(&door);
        let mut issuers = issuers.map(|secret| secret.body.issuer);
        removals == covers && issuers.all(|issuer| self.in_office(&issuer))
    }

    fn in_office(&mut self, issuer: &[u8; 32]) -> bool {
        *issuer == self.state.group.0 || self.ever().admins.contains(issuer)
    }
}
