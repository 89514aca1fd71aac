//! CPace over ristretto255 with SHA-512, as draft-irtf-cfrg-cpace has it, with mutual confirmation: two
//! ends learn whether they know the same password, and nobody learns more.
//!
//! 1. The joiner sends its share.
//! 2. The answerer sends its own share: a random element whatever the password.
//! 3. The joiner proves that it knows the password.
//! 4. Only now does the answerer prove the same: who came without the password has seen nothing that
//!    depends on it, and each run tests one guess.
//!
//! Both keys and proofs cover who each end says it is, and its session: nobody can stand between. Proofs
//! also cover the handshake that carries them, whose hash is known only after both shares: they fit no other.
//! Every step consumes what the one before gave, so that no run is answered twice.

use super::{Crypto, label};
use crate::names::{GroupId, PeerId, SessionKey};
use crate::random::Random;

#[cfg(test)]
mod tests;

/// Bytes that SHA-512 takes in at once.
const BLOCK: usize = 128;
/// Names the group in everything that is hashed.
const SUITE: &[u8] = b"CPaceRistretto255";
const SUITE_KEY: &[u8] = b"CPaceRistretto255_ISK";
const SUITE_MAC: &[u8] = b"CPaceMac";

/// A share of a run: an element of the group.
pub type Share = [u8; 32];
/// What shows that its maker knows the password.
pub type Proof = [u8; 32];
/// What both ends share after a run, and nobody else has.
pub type Key = [u8; 32];

/// What both ends agree on before a run.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The primitives.
    pub crypto: Crypto,
    /// The group that is to be joined.
    pub group: &'a GroupId,
    /// The password, stretched.
    pub password: &'a [u8; 32],
    /// Names this run among all others: never twice the same.
    pub id: &'a [u8],
}

/// One end of a run: who it says it is, and the session that it runs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Party {
    /// The identity.
    pub peer: PeerId,
    /// Its session.
    pub session: SessionKey,
}

impl Party {
    fn bytes(&self) -> [u8; 64] {
        let mut out = [0; 64];
        let both = self.peer.0.iter().chain(&self.session.0);
        out.iter_mut().zip(both).for_each(|(to, from)| *to = *from);
        out
    }
}

impl Run<'_> {
    fn generator(&self) -> [u8; 32] {
        let mut channel = label("password");
        channel.extend_from_slice(&self.group.0);
        generator(self.crypto, self.password, &channel, self.id)
    }

    fn share(&self, random: &mut Random) -> ([u8; 32], Share) {
        let generator = self.generator();
        loop {
            let scalar = scalar(random);
            // Nothing comes out for one scalar of 2^252.
            if let Some(share) = self.crypto.multiply(&scalar, &generator) {
                return (scalar, share);
            }
        }
    }
}

/// The end that wants to be let in.
pub struct Joiner {
    crypto: Crypto,
    id: Vec<u8>,
    party: Party,
    scalar: [u8; 32],
    share: Share,
}

impl Joiner {
    /// Begins a run, with the share to send.
    pub fn new(run: Run<'_>, random: &mut Random, party: Party) -> (Self, Share) {
        let (scalar, share) = run.share(random);
        let joiner = Self {
            crypto: run.crypto,
            id: run.id.to_vec(),
            party,
            scalar,
            share,
        };
        (joiner, share)
    }

    /// The proof to send, and what checks the answerer's. Nothing if its share is none.
    #[must_use]
    pub fn prove(self, answerer: Party, share: &Share, handshake: &[u8]) -> Option<(Proof, Doubt)> {
        let shared = self.crypto.multiply(&self.scalar, share)?;
        let ours = Said::new(&self.share, &self.party);
        let theirs = Said::new(share, &answerer);
        let agreed = Agreed::new(self.crypto, &self.id, &shared, ours, theirs);
        let expected = agreed.answerers(handshake);
        let key = agreed.key;
        Some((agreed.joiners(handshake), Doubt { expected, key }))
    }
}

/// A joiner that has proved itself and not heard the answerer's proof yet.
pub struct Doubt {
    expected: Proof,
    key: Key,
}

impl Doubt {
    /// The key, if the answerer knows the password too.
    #[must_use]
    pub fn check(self, proof: &Proof) -> Option<Key> {
        is_same(&self.expected, proof).then_some(self.key)
    }
}

/// The end that lets somebody in who knows the password.
pub struct Answerer(Agreed);

impl Answerer {
    /// Answers a joiner's share, with the share to send. Nothing if the joiner's is none.
    pub fn new(
        run: Run<'_>,
        random: &mut Random,
        party: Party,
        joiner: Party,
        share: &Share,
    ) -> Option<(Self, Share)> {
        let (scalar, own) = run.share(random);
        let shared = run.crypto.multiply(&scalar, share)?;
        let theirs = Said::new(share, &joiner);
        let ours = Said::new(&own, &party);
        let agreed = Agreed::new(run.crypto, run.id, &shared, theirs, ours);
        Some((Self(agreed), own))
    }

    /// The proof to send and the key, if the joiner knows the password. If not, there is nothing to send.
    #[must_use]
    pub fn check(self, proof: &Proof, handshake: &[u8]) -> Option<(Proof, Key)> {
        let Self(agreed) = self;
        is_same(&agreed.joiners(handshake), proof)
            .then(|| (agreed.answerers(handshake), agreed.key))
    }
}

/// What one end said in a run: its share, and who it is.
struct Said(Vec<u8>);

impl Said {
    fn new(share: &Share, party: &Party) -> Self {
        Self(lengthened(&[share, &party.bytes()]))
    }
}

/// What the ends of a run have in common, if they know the same password.
struct Agreed {
    crypto: Crypto,
    mac_key: [u8; 64],
    joiner: Said,
    answerer: Said,
    key: Key,
}

impl Agreed {
    fn new(crypto: Crypto, id: &[u8], shared: &[u8; 32], joiner: Said, answerer: Said) -> Self {
        let said = [joiner.0.as_slice(), &answerer.0].concat();
        let key = session_key(crypto, id, shared, &said);
        Self {
            crypto,
            mac_key: crypto.hash(&[SUITE_MAC, id, &key]),
            joiner,
            answerer,
            key: crypto.derive(&key, "password-key", &[]),
        }
    }

    // HKDF is the MAC: it is made of HMAC, and the engine has it already.
    fn joiners(&self, handshake: &[u8]) -> Proof {
        let said = [self.joiner.0.as_slice(), handshake];
        self.crypto.derive(&self.mac_key, "password-joiner", &said)
    }

    fn answerers(&self, handshake: &[u8]) -> Proof {
        let said = [self.answerer.0.as_slice(), handshake];
        self.crypto
            .derive(&self.mac_key, "password-answerer", &said)
    }
}

/// The element that a password stands for in one run.
#[must_use]
pub fn generator(crypto: Crypto, password: &[u8], channel: &[u8], id: &[u8]) -> [u8; 32] {
    // The password fills the hash's first block, so that what follows takes the same time for all.
    let before = lengthened(&[SUITE, password]).len();
    let zeros = vec![0; (BLOCK - 1).saturating_sub(before)];
    let text = lengthened(&[SUITE, password, &zeros, channel, id]);
    crypto.element(&crypto.hash(&[&text]))
}

/// What both ends of a run derive from what they share and from what was said, the joiner first.
#[must_use]
pub fn session_key(crypto: Crypto, id: &[u8], shared: &[u8; 32], said: &[u8]) -> [u8; 64] {
    crypto.hash(&[&lengthened(&[SUITE_KEY, id, shared]), said])
}

/// The parts one after the other, each behind its length.
#[must_use]
pub fn lengthened(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        // LEB128: seven bits a byte, the lowest first.
        let mut length = part.len();
        while length >= 0x80 {
            out.push(0x80 | length.to_le_bytes()[0]);
            length >>= 7;
        }
        out.push(length.to_le_bytes()[0]);
        out.extend_from_slice(part);
    }
    out
}

/// A number of 252 random bits.
fn scalar(random: &mut Random) -> [u8; 32] {
    let mut bytes: [u8; 32] = random.bytes();
    bytes[31] &= 0x0f;
    bytes
}

/// In the same time wherever they differ.
fn is_same(a: &Proof, b: &Proof) -> bool {
    a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}
