//! The primitives behind one trait: the real ones, and a fast fake for bulk simulation.

use crate::limits::RECORDS_PER_FRAME;
use crate::names::{NodeId, SessionKey, Tag};
use crate::random::Random;
use stretch::Cost;

pub mod fake;
pub mod noise;
pub mod pake;
pub mod real;
pub mod stretch;
pub mod work;

/// What the engine asks of cryptography. Every function is pure; randomness comes as arguments.
pub trait Primitives: Send + Sync {
    /// The public half of a signing seed.
    fn public_key(&self, seed: &[u8; 32]) -> [u8; 32];
    /// Signs with a seed.
    fn sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64];
    /// Whether `key` signed `message`, by the one rule (ZIP 215) that decides validity everywhere.
    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;
    /// Whether every one of them verifies singly, found out together, which costs less. `random` must be
    /// unknown to whoever signed: who can guess it can make faults that cancel out.
    fn verify_batch(&self, items: &[Signed<'_>], random: [u8; 32]) -> bool {
        let _ = random;
        items
            .iter()
            .all(|item| self.verify(item.key, item.message, item.signature))
    }
    /// Whether the bytes are the one encoding of a public key that somebody can sign with.
    fn is_public_key(&self, key: &[u8; 32]) -> bool;
    /// The public half of a key-exchange secret.
    fn exchange_public(&self, secret: &[u8; 32]) -> [u8; 32];
    /// The shared secret, unless the public key forces it to a known value.
    fn exchange(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]>;
    /// Encrypts and authenticates; `extra` is authenticated only. A nonce is used once per key.
    fn seal(&self, key: &[u8; 32], nonce: &[u8; 12], extra: &[u8], plain: &[u8]) -> Vec<u8>;
    /// Undoes [`seal`](Self::seal), or nothing if a bit was changed.
    fn open(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        extra: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>>;
    /// SHA-512 of the parts, one after the other.
    fn hash(&self, parts: &[&[u8]]) -> [u8; 64];
    /// HKDF-SHA-512: a key for `purpose`, bound to the context parts.
    fn derive(&self, secret: &[u8], purpose: &str, context: &[&[u8]]) -> [u8; 32];
    /// Argon2id: a key from a password, at a cost that whoever tries a list of passwords pays for each.
    /// The salt has 8 bytes at least. Nothing where there is not the memory for it.
    fn stretch(&self, password: &[u8], salt: &[u8], cost: Cost) -> Option<[u8; 32]>;
    /// Uniform bytes as an element of the ristretto255 group: nobody knows how it follows from another.
    fn element(&self, uniform: &[u8; 64]) -> [u8; 32];
    /// A multiple of an element, unless that is no element or the multiple is nothing.
    fn multiply(&self, scalar: &[u8; 32], element: &[u8; 32]) -> Option<[u8; 32]>;
}

/// A message and what is said to be its signature.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// Of whoever is said to have signed.
    pub key: &'a [u8; 32],
    /// What was signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8; 64],
}

/// The primitives an engine runs on.
pub type Crypto = &'static dyn Primitives;

/// The real primitives.
pub static REAL: real::Real = real::Real;
/// Primitives that keep their shape and none of their strength: for simulation only.
pub static FAKE: fake::Fake = fake::Fake;

/// For each item whether it verifies: in batches, and singly where a batch fails. Halving a failed batch
/// would save a little where one is bad and cost much where many are, as a hostile neighbor sends them.
#[must_use]
pub fn verify_all(crypto: Crypto, items: &[Signed<'_>], random: &mut Random) -> Vec<bool> {
    let mut verdicts = Vec::with_capacity(items.len());
    for batch in items.chunks(RECORDS_PER_FRAME) {
        let all = batch.len() > 1 && crypto.verify_batch(batch, random.bytes());
        verdicts.extend(
            batch
                .iter()
                .map(|item| all || crypto.verify(item.key, item.message, item.signature)),
        );
    }
    verdicts
}

/// The bytes that a signature for `purpose` within `scope` covers.
#[must_use]
pub fn signed_bytes(purpose: &str, scope: &[u8; 32], body: &[u8]) -> Vec<u8> {
    let mut out = label(purpose);
    out.reserve(scope.len() + body.len());
    out.extend_from_slice(scope);
    out.extend_from_slice(body);
    out
}

/// The domain separation of every signature and derivation.
pub(crate) fn label(purpose: &str) -> Vec<u8> {
    let mut out = b"peer-group/1/".to_vec();
    out.extend_from_slice(purpose.as_bytes());
    // No purpose is a prefix of another one's bytes.
    out.push(0);
    out
}

/// The first `N` bytes of a hash.
#[must_use]
pub fn head<const N: usize>(hash: &[u8]) -> [u8; N] {
    core::array::from_fn(|i| hash.get(i).copied().unwrap_or_default())
}

/// The tag that the secret `r` entitles to. Shown together with `r`, so that nobody else can take it.
#[must_use]
pub fn tag_of(crypto: Crypto, r: &[u8; 32]) -> Tag {
    Tag(head(&crypto.hash(&[b"tag", r])))
}

/// Names a node by its session key.
#[must_use]
pub fn node_of(crypto: Crypto, session: SessionKey) -> NodeId {
    NodeId(head(&crypto.hash(&[&session.0])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What was spoilt in an item.
    #[derive(Clone, Copy, Debug)]
    enum Fault {
        Key,
        Message,
        Signature(usize),
    }

    fn fault() -> impl Strategy<Value = Fault> {
        prop_oneof![
            Just(Fault::Key),
            Just(Fault::Message),
            (0..64usize).prop_map(Fault::Signature)
        ]
    }

    /// Verdicts of `count` items by three authors, of which some are spoilt.
    fn verdicts(crypto: Crypto, count: usize, faults: &[(usize, Fault)]) -> Vec<bool> {
        let mut items: Vec<([u8; 32], Vec<u8>, [u8; 64])> = (0..count)
            .map(|i| {
                let seed = [(i % 3) as u8; 32];
                let message = vec![i as u8; i];
                let signature = crypto.sign(&seed, &message);
                (crypto.public_key(&seed), message, signature)
            })
            .collect();
        for (at, fault) in faults {
            let (key, message, signature) = &mut items[*at];
            match fault {
                Fault::Key => *key = crypto.public_key(&[9; 32]),
                Fault::Message => message.push(1),
                Fault::Signature(byte) => signature[*byte] ^= 4,
            }
        }
        let signed: Vec<Signed<'_>> = items
            .iter()
            .map(|(key, message, signature)| Signed {
                key,
                message,
                signature,
            })
            .collect();
        verify_all(crypto, &signed, &mut Random::new([7; 32]))
    }

    #[test]
    fn nothing_to_verify_is_no_failure() {
        for crypto in [&REAL as Crypto, &FAKE] {
            assert!(crypto.verify_batch(&[], [0; 32]));
            assert!(verdicts(crypto, 0, &[]).is_empty());
        }
    }

    #[test]
    fn the_ends_of_batches_are_found() {
        let count = 2 * RECORDS_PER_FRAME + 1;
        for bad in [0, 63, 64, 127, 128] {
            let right: Vec<bool> = (0..count).map(|i| i != bad).collect();
            assert_eq!(verdicts(&REAL, count, &[(bad, Fault::Message)]), right);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn exactly_the_spoilt_are_found(
            count in 1..100usize,
            faults in proptest::collection::btree_map(0..100usize, fault(), 0..4),
        ) {
            let faults: Vec<(usize, Fault)> = faults.into_iter().filter(|(at, _)| *at < count).collect();
            let right: Vec<bool> = (0..count).map(|i| faults.iter().all(|(at, _)| *at != i)).collect();
            prop_assert_eq!(verdicts(&REAL, count, &faults), right.clone());
            prop_assert_eq!(verdicts(&FAKE, count, &faults), right);
        }
    }
}
