//! Randomness as an argument: one seeded generator per engine.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A generator of unpredictable bytes, as good as the seed it was made from.
pub struct Random(ChaCha20Rng);

impl Random {
    /// A generator that gives the same bytes for the same seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A number below `bound`, or 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // 64 bits against bounds far below 2^32: the bias is below 2^-32.
        u64::from_le_bytes(self.bytes())
            .checked_rem(bound)
            .unwrap_or(0)
    }

    /// `value` moved by up to `percent` per cent either way, so that many nodes do not act at once.
    pub fn jitter(&mut self, value: u64, percent: u64) -> u64 {
        let spread = value.saturating_mul(percent) / 100;
        value
            .saturating_sub(spread)
            .saturating_add(self.below(spread.saturating_mul(2) + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let (mut a, mut b) = (Random::new([1; 32]), Random::new([1; 32]));
        assert_eq!(a.bytes::<16>(), b.bytes::<16>());
        assert_ne!(a.bytes::<16>(), Random::new([2; 32]).bytes::<16>());
    }

    #[test]
    fn jitter_stays_within_its_spread() {
        let mut random = Random::new([3; 32]);
        let values: Vec<u64> = (0..1000).map(|_| random.jitter(1000, 20)).collect();
        assert!(values.iter().all(|v| (800..=1200).contains(v)));
        assert!(values.iter().any(|v| *v < 850) && values.iter().any(|v| *v > 1150));
    }
}
