//! Every choice of a universe: drawn from its seed, for one purpose at a time.

use peer_group::random::Random;

/// A source of choices.
pub struct Dice(Random);

impl Dice {
    /// Choices for one purpose: what another purpose draws does not move them.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut bytes = [0; 32];
        let label = purpose.bytes().chain(core::iter::repeat(0));
        for (to, from) in bytes
            .iter_mut()
            .zip(seed.to_le_bytes().into_iter().chain(label))
        {
            *to = from;
        }
        Self(Random::new(bytes))
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high.saturating_sub(low) + 1)
    }

    /// True so many times in a thousand.
    pub fn per_mille(&mut self, times: u64) -> bool {
        self.0.below(1000) < times
    }

    /// An index into something of that length.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.0.below(len as u64)).unwrap_or(0)
    }

    /// One of several.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())].clone()
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        self.0.bytes()
    }
}
