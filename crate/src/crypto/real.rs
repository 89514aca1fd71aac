//! The real primitives: thin over well-kept crates.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity as _;
use ed25519_zebra::{Signature, SigningKey, VerificationKey, VerificationKeyBytes, batch};
use hkdf::Hkdf;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sha2::{Digest as _, Sha512};
use x25519_dalek::{PublicKey, StaticSecret};

use super::stretch::Cost;
use super::{Primitives, Signed};

/// Ed25519 by ZIP 215, X25519, ChaCha20-Poly1305, SHA-512, Argon2id, ristretto255.
pub struct Real;

impl Primitives for Real {
    fn public_key(&self, seed: &[u8; 32]) -> [u8; 32] {
        VerificationKeyBytes::from(&SigningKey::from(*seed)).into()
    }

    fn sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
        SigningKey::from(*seed).sign(message).to_bytes()
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        VerificationKey::try_from(*key).is_ok_and(|key| {
            key.verify(&Signature::from_bytes(signature), message)
                .is_ok()
        })
    }

    fn verify_batch(&self, items: &[Signed<'_>], random: [u8; 32]) -> bool {
        let mut batch = batch::Verifier::new();
        for item in items {
            let key = VerificationKeyBytes::from(*item.key);
            batch.queue((key, Signature::from_bytes(item.signature), item.message));
        }
        batch.verify(ChaCha20Rng::from_seed(random)).is_ok()
    }

    fn is_public_key(&self, key: &[u8; 32]) -> bool {
        CompressedEdwardsY(*key)
            .decompress()
            .is_some_and(|point| !point.is_small_order() && point.compress().0 == *key)
    }

    fn exchange_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
    }

    fn exchange(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        let shared = StaticSecret::from(*secret).diffie_hellman(&PublicKey::from(*public));
        shared.was_contributory().then(|| shared.to_bytes())
    }

    fn seal(&self, key: &[u8; 32], nonce: &[u8; 12], extra: &[u8], plain: &[u8]) -> Vec<u8> {
        // Fails only for plaintexts of 256 GiB.
        ChaCha20Poly1305::new(&Key::from(*key))
            .encrypt(
                &Nonce::from(*nonce),
                Payload {
                    msg: plain,
                    aad: extra,
                },
            )
            .unwrap_or_default()
    }

    fn open(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        extra: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        ChaCha20Poly1305::new(&Key::from(*key))
            .decrypt(
                &Nonce::from(*nonce),
                Payload {
                    msg: sealed,
                    aad: extra,
                },
            )
            .ok()
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 64] {
        let mut hash = Sha512::new();
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn derive(&self, secret: &[u8], purpose: &str, context: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        let label = super::label(purpose);
        let mut info: Vec<&[u8]> = vec![&label];
        info.extend_from_slice(context);
        // Fails only for outputs of more than 255 hashes.
        let _ = Hkdf::<Sha512>::new(None, secret).expand_multi_info(&info, &mut out);
        out
    }

    fn stretch(&self, password: &[u8], salt: &[u8], cost: Cost) -> Option<[u8; 32]> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, Some(32)).ok()?;
        let mut out = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password, salt, &mut out)
            .ok()?;
        Some(out)
    }

    fn element(&self, uniform: &[u8; 64]) -> [u8; 32] {
        RistrettoPoint::from_uniform_bytes(uniform)
            .compress()
            .to_bytes()
    }

    fn multiply(&self, scalar: &[u8; 32], element: &[u8; 32]) -> Option<[u8; 32]> {
        let scalar = Scalar::from_bytes_mod_order(*scalar);
        let multiple = CompressedRistretto(*element).decompress()? * scalar;
        (!multiple.is_identity()).then(|| multiple.compress().to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_order_and_second_spellings_are_no_public_keys() {
        assert!(Real.is_public_key(&Real.public_key(&[1; 32])));
        // The identity, and a point of order 8.
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(!Real.is_public_key(&identity));
        assert!(!Real.is_public_key(&[0; 32]));
        // y = p + 1 is a second spelling of y = 1.
        let mut twice = [0xff; 32];
        twice[0] = 0xee;
        twice[31] = 0x7f;
        assert!(!Real.is_public_key(&twice));
    }

    #[test]
    fn exchange_refuses_keys_that_force_the_result() {
        assert_eq!(Real.exchange(&[5; 32], &[0; 32]), None);
        let (a, b) = ([1; 32], [2; 32]);
        assert_eq!(
            Real.exchange(&a, &Real.exchange_public(&b)),
            Real.exchange(&b, &Real.exchange_public(&a))
        );
    }

    #[test]
    fn derivations_differ_by_purpose_and_context() {
        let one = Real.derive(b"s", "a", &[b"x"]);
        assert_ne!(one, Real.derive(b"s", "b", &[b"x"]));
        assert_ne!(one, Real.derive(b"s", "a", &[b"y"]));
        assert_ne!(one, Real.derive(b"t", "a", &[b"x"]));
    }
}
