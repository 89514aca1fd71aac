//! Sees to it that whoever may let others in by the password can, and nobody else: re-seals the stretched
//! password for those who are new, and replaces it when somebody who held it is out.

use std::collections::VecDeque;

use super::super::Group;
use super::super::credential::Role;
use super::super::security::Control;
use super::super::state::Chosen;
use super::verifier::Verifier;
use super::{Want, salt};
use crate::crypto::stretch::Password;
use crate::engine::context::Context;
use crate::limits;
use crate::names::PeerId;
use crate::time::Millis;
use crate::wire::codec::{List, Wire as _};

/// Somebody who may let others in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// What it is.
    pub role: Role,
    /// Where things are sealed to it.
    pub sealing: [u8; 32],
    /// Until when, in wall seconds.
    pub until: u64,
}

/// What is left to do.
#[derive(Default)]
pub struct Tending {
    /// Verifiers that wait until we know that their issuers may issue them.
    pub(in super::super) pending: VecDeque<Verifier>,
    /// What was known when all was done.
    done: Option<u64>,
    /// What was known when there was nothing to stretch.
    settled: Option<u64>,
    /// When to look again, on the monotonic clock.
    due: Option<Millis>,
    /// When somebody who lacks a verifier, since then, gets it from an admin.
    missed: Option<Millis>,
    /// The password as its creator stretched it, and for which generation.
    key: Option<(u32, [u8; 32])>,
    /// Before then it is not replaced again.
    rests_until: Millis,
}

impl Group {
    /// The group's password as it is now, at its creator. On another machine it may have been changed.
    fn kept(&self) -> Option<&Chosen> {
        let generation = self.rule()?.generation;
        let kept = self.state.password.as_ref();
        let kept = kept.filter(|kept| kept.generation == generation);
        kept.filter(|_| self.state.group_seed.is_some())
    }

    /// What the driver must compute for us now, the joiner's part included.
    pub fn wants(&mut self) -> Option<Want> {
        if let Some(want) = self.joining_wants() {
            return Some(want);
        }
        let kept = self.kept()?;
        let generation = kept.generation;
        let password = Password::new(kept.text.to_string()).ok()?;
        let tending = &self.gate.tending;
        let known = tending.key.is_some_and(|(of, _)| of == generation);
        if known || tending.settled == Some(self.revision) {
            return None;
        }
        if self.has_own() || self.is_spoiled() {
            self.gate.tending.settled = Some(self.revision);
            return None;
        }
        let salt = salt(self.crypto, self.state.group, generation);
        Some(Want::Stretch(password, salt))
    }

    /// Whether the group key has sealed the password to us.
    fn has_own(&mut self) -> bool {
        let group = self.state.group.0;
        let own = self.verifier_of(self.state.peer);
        own.is_some_and(|own| own.body.issuer == group)
    }

    /// A password was stretched with that salt.
    pub fn stretched(&mut self, with: [u8; 16], key: [u8; 32]) {
        self.joining_stretched(with, key);
        let Some(generation) = self.kept().map(|kept| kept.generation) else {
            return;
        };
        if salt(self.crypto, self.state.group, generation) == with {
            self.gate.tending.key = Some((generation, key));
            self.gate.tending.done = None;
        }
    }

    /// Does what is to be done by now; returns when to look again.
    pub fn tend(&mut self, cx: &mut Context<'_>) -> Option<Millis> {
        let now = cx.now.monotonic;
        let tending = &self.gate.tending;
        let is_due = tending.due.is_some_and(|due| due <= now);
        if !self.state.synchronized || (tending.done == Some(self.revision) && !is_due) {
            return self.gate.tending.due;
        }
        self.gate.tending.due = None;
        let generation = self.rule()?.generation;
        self.forget_old(generation);
        for verifier in core::mem::take(&mut self.gate.tending.pending) {
            self.keep_verifier(verifier);
        }
        if self.is_spoiled() {
            self.replace(cx);
        } else {
            self.seal_for_others(cx);
        }
        self.gate.tending.done = Some(self.revision);
        self.gate.tending.due
    }

    /// What belongs to an earlier password is of no use to anybody.
    fn forget_old(&mut self, generation: u32) {
        let is_old = |of: &Verifier| of.body.generation < generation;
        self.gate.tending.pending.retain(|of| !is_old(of));
        if self.state.verifiers.iter().any(is_old) {
            let mut all = self.state.verifiers.clone().into_vec();
            all.retain(|of| !is_old(of));
            self.state.verifiers = List::first(all);
            self.revision += 1;
        }
    }

    /// The same password, stretched anew: what the one who is out holds opens nothing any more.
    fn replace(&mut self, cx: &mut Context<'_>) {
        let Some(mut kept) = self.kept().cloned() else {
            return;
        };
        let (Some(seed), Some(signed)) = (&self.state.group_seed, &self.state.properties) else {
            return;
        };
        let now = cx.now.monotonic;
        if self.gate.tending.rests_until > now {
            self.gate.tending.due = Some(self.gate.tending.rests_until);
            return;
        }
        self.gate.tending.rests_until = now + limits::REPLACE_PAUSE_MS;
        let properties = signed.with_next_password(self.crypto, seed);
        self.news.push(
            Control::Properties {
                properties: properties.clone(),
            }
            .to_bytes(),
        );
        kept.generation = kept.generation.saturating_add(1);
        self.state.password = Some(kept);
        self.state.properties = Some(properties);
        self.properties_are_new = true;
        self.changed();
    }

    /// Seals the password to those who may let others in and cannot yet. Its creator does so at once,
    /// admins after a while, so that not all do.
    fn seal_for_others(&mut self, cx: &mut Context<'_>) {
        let Some(generation) = self.rule().map(|rule| rule.generation) else {
            return;
        };
        let stretched = self.gate.tending.key.filter(|(of, _)| *of == generation);
        let Some(key) = stretched
            .map(|(_, key)| key)
            .or_else(|| self.password_key())
        else {
            return;
        };
        let own = self.state.peer;
        let (mut missing, mut may_issue) = (Vec::new(), self.state.group_seed.is_some());
        let wall_s = cx.now.wall_seconds();
        let holders = self.ever().holders.clone();
        for (peer, holder) in holders.iter().filter(|(_, holder)| holder.until > wall_s) {
            may_issue |= *peer == own && holder.role == Role::Admin;
            let mut all = self.state.verifiers.iter();
            let has = |of: &Verifier| of.body.holder == *peer && of.body.generation == generation;
            if !all.any(has) {
                missing.push((*peer, holder.sealing));
            }
        }
        if missing.is_empty() || !may_issue {
            self.gate.tending.missed = None;
            return;
        }
        if self.state.group_seed.is_none() && !self.is_time(cx) {
            return;
        }
        for (peer, sealing) in missing {
            self.seal_for(cx, (peer, &sealing), (generation, &key));
        }
    }

    /// Whether an admin has waited for others for long enough: the first one who is missed sets the time.
    fn is_time(&mut self, cx: &mut Context<'_>) -> bool {
        let now = cx.now.monotonic;
        let tending = &mut self.gate.tending;
        let pause = cx.random.jitter(limits::RESEAL_PAUSE_MS, 90);
        let due = *tending.missed.get_or_insert(now + pause);
        if due <= now {
            tending.missed = None;
            return true;
        }
        tending.due = Some(due);
        false
    }

    fn seal_for(&mut self, cx: &mut Context<'_>, to: (PeerId, &[u8; 32]), what: (u32, &[u8; 32])) {
        let issuer = self.state.group_seed.unwrap_or(self.identity.seed);
        let group = self.state.group;
        if let Some(verifier) = Verifier::seal(self.crypto, cx.random, group, &issuer, to, what) {
            self.keep_verifier(verifier);
        }
    }
}
