//! Who holds the stretched password: a control item for each, sealed to it. Nobody else can open one,
//! and who can could let others in anyway.

use super::super::Group;
use super::super::credential::{Body, Role};
use super::super::identity::Identity;
use super::super::properties::PasswordRule;
use super::super::security::Control;
use super::id_of;
use crate::crypto::{Crypto, signed_bytes};
use crate::limits::{PENDING_VERIFIERS, VERIFIERS};
use crate::names::{GroupId, PeerId};
use crate::random::Random;
use crate::wire::codec::{List, Wire as _};
use crate::wire_struct;

/// The key to which it is sealed is made for it alone, so nothing else is ever sealed with it.
const NONCE: [u8; 12] = [0; 12];

wire_struct! {
    /// What the issuer of a verifier signs.
    pub struct VerifierBody {
        /// Of which generation of the password.
        pub generation: u32,
        /// Who holds it.
        pub holder: PeerId,
        /// The issuer's half of the key that seals it.
        pub half: [u8; 32],
        /// The stretched password, with the seal's tag.
        pub sealed: [u8; 48],
        /// The group key, or an admin who holds it too.
        pub issuer: [u8; 32],
    }

    /// The stretched password, sealed to somebody who may let others in by it.
    pub struct Verifier {
        /// What is signed.
        pub body: VerifierBody,
        /// By the issuer.
        pub signature: [u8; 64],
    }
}

fn bytes(group: GroupId, body: &VerifierBody) -> Vec<u8> {
    signed_bytes("verifier", &group.0, &body.to_bytes())
}

fn key(crypto: Crypto, shared: &[u8; 32], group: GroupId, holder: PeerId) -> [u8; 32] {
    crypto.derive(shared, "verifier", &[&group.0, &holder.0])
}

impl Verifier {
    /// The stretched password, sealed and signed. Nothing if nothing can be sealed to that key.
    #[must_use]
    pub fn seal(
        crypto: Crypto,
        random: &mut Random,
        group: GroupId,
        issuer: &[u8; 32],
        (holder, sealing): (PeerId, &[u8; 32]),
        (generation, password): (u32, &[u8; 32]),
    ) -> Option<Self> {
        let secret: [u8; 32] = random.bytes();
        let shared = crypto.exchange(&secret, sealing)?;
        let seal_key = key(crypto, &shared, group, holder);
        let sealed = crypto.seal(&seal_key, &NONCE, &[], password);
        let body = VerifierBody {
            generation,
            holder,
            half: crypto.exchange_public(&secret),
            sealed: sealed.try_into().ok()?,
            issuer: crypto.public_key(issuer),
        };
        let signature = crypto.sign(issuer, &bytes(group, &body));
        Some(Self { body, signature })
    }

    /// The stretched password, for its holder.
    #[must_use]
    pub fn open(&self, crypto: Crypto, group: GroupId, identity: &Identity) -> Option<[u8; 32]> {
        let secret = identity.sealing_secret(crypto);
        let shared = crypto.exchange(&secret, &self.body.half)?;
        let seal_key = key(crypto, &shared, group, self.body.holder);
        let opened = crypto.open(&seal_key, &NONCE, &[], &self.body.sealed)?;
        opened.try_into().ok()
    }

    fn is_signed(&self, crypto: Crypto, group: GroupId) -> bool {
        let issuer = &self.body.issuer;
        crypto.is_public_key(issuer)
            && crypto.verify(issuer, &bytes(group, &self.body), &self.signature)
    }

    /// Which of two for the same holder counts, the same for everybody.
    fn rank(&self, crypto: Crypto, group: GroupId) -> (bool, [u8; 32]) {
        let by_group = self.body.issuer == group.0;
        (by_group, id_of(crypto, &self.to_bytes()))
    }
}

impl Group {
    /// How somebody comes in by a password, if anybody does.
    pub(in super::super) fn rule(&self) -> Option<&PasswordRule> {
        let signed = self.state.properties.as_ref()?;
        signed.properties.password.as_ref()
    }

    /// The current verifier of somebody. None at all counts once one of their holders may let nobody in
    /// any more: it could come back as another by what it holds.
    pub(super) fn verifier_of(&mut self, peer: PeerId) -> Option<Verifier> {
        let generation = self.rule()?.generation;
        let is_current = |of: &&Verifier| of.body.generation == generation;
        let current = self.state.verifiers.iter().filter(is_current);
        let found = current.clone().find(|of| of.body.holder == peer).cloned()?;
        (!self.is_spoiled()).then_some(found)
    }

    /// Whether somebody holds the password, by what it was, who may let nobody in by what it is now.
    pub(super) fn is_spoiled(&mut self) -> bool {
        let Some(generation) = self.rule().map(|rule| rule.generation) else {
            return false;
        };
        let current = self.state.verifiers.iter();
        let current = current.filter(|of| of.body.generation == generation);
        let holders: Vec<PeerId> = current.map(|of| of.body.holder).collect();
        holders
            .into_iter()
            .any(|holder| !self.ever().holders.contains_key(&holder) && self.once_held(holder))
    }

    /// Whether we know of a membership by which somebody might have let others in.
    fn once_held(&self, peer: PeerId) -> bool {
        let mut all = self.state.proof.iter().chain(self.known.values());
        all.any(|credential| {
            matches!(credential.body, Body::Membership { subject, role, .. }
                if subject == peer && role >= Role::InvitingMember)
        })
    }

    /// The stretched password as it is now, if we hold it.
    pub(super) fn password_key(&mut self) -> Option<[u8; 32]> {
        let own = self.verifier_of(self.state.peer)?;
        own.open(self.crypto, self.state.group, &self.identity)
    }

    /// Takes a verifier that came from a neighbor; false if it is forged.
    pub(in super::super) fn consider_verifier(&mut self, verifier: Verifier) -> bool {
        let (crypto, group) = (self.crypto, self.state.group);
        let current = self.rule().map_or(0, |rule| rule.generation);
        let pending = &self.gate.tending.pending;
        if verifier.body.generation < current
            || self.state.verifiers.contains(&verifier)
            || pending.contains(&verifier)
        {
            return true;
        }
        if !verifier.is_signed(crypto, group) {
            return false;
        }
        self.keep_verifier(verifier);
        true
    }

    /// Keeps a signed verifier if its issuer may issue it, and lets it wait for that otherwise.
    pub(super) fn keep_verifier(&mut self, verifier: Verifier) {
        let (crypto, group) = (self.crypto, self.state.group);
        let issuer = PeerId(verifier.body.issuer);
        let role = self.ever().holders.get(&issuer).map(|holder| holder.role);
        if issuer.0 != group.0 && role != Some(Role::Admin) {
            let pending = &mut self.gate.tending.pending;
            if pending.len() >= PENDING_VERIFIERS {
                pending.pop_front();
            }
            pending.push_back(verifier);
            return;
        }
        let (generation, holder) = (verifier.body.generation, verifier.body.holder);
        let same = |of: &Verifier| of.body.generation == generation && of.body.holder == holder;
        let mut all = self.state.verifiers.clone().into_vec();
        let known = all.iter().find(|of| same(of));
        if known.is_some_and(|known| known.rank(crypto, group) >= verifier.rank(crypto, group)) {
            return;
        }
        all.retain(|of| !same(of));
        // Where there are too many, those of the newest generation stay.
        if all.len() >= VERIFIERS {
            all.sort_by_key(|of| of.body.generation);
            if all
                .first()
                .is_some_and(|of| of.body.generation >= generation)
            {
                return;
            }
            all.remove(0);
        }
        self.news.push(
            Control::Verifier {
                verifier: verifier.clone(),
            }
            .to_bytes(),
        );
        all.push(verifier);
        self.state.verifiers = List::first(all);
        self.revision += 1;
    }
}
