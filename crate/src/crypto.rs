//! The primitives behind one trait: the real ones, and a fast fake for bulk simulation.

use crate::names::{NodeId, SessionKey, Tag};

pub mod fake;
pub mod noise;
pub mod real;

/// What the engine asks of cryptography. Every function is pure; randomness comes as arguments.
pub trait Primitives: Send + Sync {
    /// The public half of a signing seed.
    fn public_key(&self, seed: &[u8; 32]) -> [u8; 32];
    /// Signs with a seed.
    fn sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64];
    /// Whether `key` signed `message`, by the one rule (ZIP 215) that decides validity everywhere.
    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;
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
}

/// The primitives an engine runs on.
pub type Crypto = &'static dyn Primitives;

/// The real primitives.
pub static REAL: real::Real = real::Real;
/// Primitives that keep their shape and none of their strength: for simulation only.
pub static FAKE: fake::Fake = fake::Fake;

/// The bytes that a signature for `purpose` within `scope` covers.
#[must_use]
pub fn signed_bytes(purpose: &str, scope: &[u8; 32], body: &[u8]) -> Vec<u8> {
    let mut out = label(purpose);
    out.extend_from_slice(scope);
    out.extend_from_slice(body);
    out
}

/// The domain separation of every signature and derivation.
fn label(purpose: &str) -> Vec<u8> {
    let mut out = b"peer-group/1/".to_vec();
    out.extend_from_slice(purpose.as_bytes());
    // No purpose is a prefix of another one's bytes.
    out.push(0);
    out
}

/// The first `N` bytes of a hash.
#[must_use]
pub fn head<const N: usize>(hash: &[u8; 64]) -> [u8; N] {
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
