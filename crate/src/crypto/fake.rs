//! Primitives with the shape of the real ones and none of their strength: bulk simulation only.

use super::Primitives;
use super::stretch::Cost;

/// Deterministic and fast; anybody could forge anything.
pub struct Fake;

/// Keys are their own public halves under this mask, so that they still differ from the secrets.
const MASK: u8 = 0x5a;
const TAG_BYTES: usize = 16;

impl Primitives for Fake {
    fn public_key(&self, seed: &[u8; 32]) -> [u8; 32] {
        seed.map(|byte| byte ^ MASK)
    }

    fn sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
        self.hash(&[b"sign", &self.public_key(seed), message])
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        self.hash(&[b"sign", key, message]) == *signature
    }

    fn is_public_key(&self, _key: &[u8; 32]) -> bool {
        true
    }

    fn exchange_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        self.public_key(secret)
    }

    fn exchange(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        let mut pair = [*secret, public.map(|byte| byte ^ MASK)];
        pair.sort_unstable();
        let [low, high] = pair;
        Some(super::head(&self.hash(&[b"exchange", &low, &high])))
    }

    fn seal(&self, key: &[u8; 32], nonce: &[u8; 12], extra: &[u8], plain: &[u8]) -> Vec<u8> {
        // What is sealed twice must not lie open again, as it would with XOR.
        let mut out: Vec<u8> = plain.iter().map(|byte| byte.wrapping_add(MASK)).collect();
        let tag = self.hash(&[b"seal", key, nonce, extra, plain]);
        out.extend_from_slice(&super::head::<TAG_BYTES>(&tag));
        out
    }

    fn open(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        extra: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let (body, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG_BYTES)?)?;
        let plain: Vec<u8> = body.iter().map(|byte| byte.wrapping_sub(MASK)).collect();
        let right = self.hash(&[b"seal", key, nonce, extra, &plain]);
        (tag == super::head::<TAG_BYTES>(&right)).then_some(plain)
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 64] {
        // FNV-1a over eight bytes at a time, then spread by splitmix64.
        let mut state = 0xcbf2_9ce4_8422_2325u64;
        for part in parts {
            for chunk in part.chunks(8) {
                let mut word = [0; 8];
                word.iter_mut()
                    .zip(chunk)
                    .for_each(|(to, from)| *to = *from);
                state = (state ^ u64::from_le_bytes(word) ^ (chunk.len() as u64) << 56)
                    .wrapping_mul(0x0000_0100_0000_01b3)
                    .rotate_left(29);
            }
        }
        let mut out = [0; 64];
        for word in out.chunks_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
        }
        out
    }

    fn derive(&self, secret: &[u8], purpose: &str, context: &[&[u8]]) -> [u8; 32] {
        let mut parts: Vec<&[u8]> = vec![b"derive", secret, purpose.as_bytes()];
        parts.extend_from_slice(context);
        super::head(&self.hash(&parts))
    }

    fn stretch(&self, password: &[u8], salt: &[u8], cost: Cost) -> Option<[u8; 32]> {
        let (memory, passes) = (cost.memory_kib.to_le_bytes(), cost.passes.to_le_bytes());
        Some(super::head(
            &self.hash(&[b"stretch", password, salt, &memory, &passes]),
        ))
    }

    fn element(&self, uniform: &[u8; 64]) -> [u8; 32] {
        super::head(uniform)
    }

    fn multiply(&self, scalar: &[u8; 32], element: &[u8; 32]) -> Option<[u8; 32]> {
        let moved: [u8; 32] = super::head(&self.hash(&[b"multiply", scalar]));
        let mut out = *element;
        out.iter_mut().zip(moved).for_each(|(to, by)| *to ^= by);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_shape_of_the_real_ones() {
        let (a, b) = ([1; 32], [2; 32]);
        assert_eq!(
            Fake.exchange(&a, &Fake.exchange_public(&b)),
            Fake.exchange(&b, &Fake.exchange_public(&a))
        );
        let signature = Fake.sign(&a, b"m");
        assert!(Fake.verify(&Fake.public_key(&a), b"m", &signature));
        assert!(!Fake.verify(&Fake.public_key(&b), b"m", &signature));
        let sealed = Fake.seal(&a, &[0; 12], b"x", b"plain");
        assert_eq!(
            Fake.open(&a, &[0; 12], b"x", &sealed).as_deref(),
            Some(b"plain".as_slice())
        );
        assert_eq!(Fake.open(&b, &[0; 12], b"x", &sealed), None);
        let twice = |x, y| {
            let once = Fake.multiply(x, &Fake.element(&[7; 64]))?;
            Fake.multiply(y, &once)
        };
        assert_eq!(twice(&a, &b), twice(&b, &a));
    }
}
