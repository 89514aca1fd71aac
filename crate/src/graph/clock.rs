//! Peer time: the group's clock. Each node keeps how far it is from its own; fewer than half of those
//! it hears cannot move it, and nobody can move it fast.

use crate::limits::{ANTI_ENTROPY_MS, PEER_TIME_CLAMP_MS, PEER_TIME_STEP_MS};
use crate::time::{Millis, Now};

/// Peer time at one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerClock {
    offset_ms: i64,
    moved: Option<Millis>,
}

impl PeerClock {
    /// A clock that is that far from this machine's.
    #[must_use]
    pub fn new(offset_ms: i64) -> Self {
        Self {
            offset_ms: clamped(offset_ms),
            moved: None,
        }
    }

    /// Peer time minus this machine's wall clock.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// Peer time, in milliseconds since 1970.
    #[must_use]
    pub fn at(&self, now: Now) -> Millis {
        now.wall.saturating_add_signed(self.offset_ms)
    }

    /// Takes over the time of those who let us in, once.
    pub fn adopt(&mut self, votes: &[i64]) {
        if let Some(offset) = median(votes, self.offset_ms) {
            self.offset_ms = clamped(offset);
        }
    }

    /// Moves a step towards the median of what others say and our own; at most once a minute.
    pub fn move_towards(&mut self, now: Now, others: &[i64]) {
        let early = |moved| now.monotonic < moved + ANTI_ENTROPY_MS;
        if self.moved.is_some_and(early) {
            return;
        }
        self.moved = Some(now.monotonic);
        let votes: Vec<i64> = others.iter().copied().chain([self.offset_ms]).collect();
        if let Some(goal) = median(&votes, self.offset_ms) {
            let step = (goal - self.offset_ms).clamp(-PEER_TIME_STEP_MS, PEER_TIME_STEP_MS);
            self.offset_ms = clamped(self.offset_ms + step);
        }
    }
}

fn clamped(offset_ms: i64) -> i64 {
    offset_ms.clamp(-PEER_TIME_CLAMP_MS, PEER_TIME_CLAMP_MS)
}

/// The middle vote; of two middle ones that nearer to `own`.
fn median(votes: &[i64], own: i64) -> Option<i64> {
    let mut votes: Vec<i64> = votes.iter().map(|vote| clamped(*vote)).collect();
    votes.sort_unstable();
    let high = votes.get(votes.len() / 2).copied()?;
    let low = votes.get((votes.len() - 1) / 2).copied()?;
    Some(if (low - own).abs() < (high - own).abs() {
        low
    } else {
        high
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: u64) -> Now {
        Now {
            monotonic: n * ANTI_ENTROPY_MS,
            wall: 1_800_000_000_000 + n * ANTI_ENTROPY_MS,
        }
    }

    #[test]
    fn fewer_than_half_cannot_move_it() {
        let mut clock = PeerClock::new(100);
        for n in 0..100 {
            clock.move_towards(minute(n), &[100, 90, 110, 500_000, 500_000, 500_000]);
            assert!((90..=110).contains(&clock.offset_ms()), "{clock:?}");
        }
        let mut alone = PeerClock::new(0);
        alone.move_towards(minute(0), &[300_000]);
        assert_eq!(alone.offset_ms(), 0);
    }

    #[test]
    fn a_majority_moves_it_gently_and_not_beyond_the_clamp() {
        let mut clock = PeerClock::new(0);
        clock.move_towards(minute(0), &[i64::MAX, i64::MAX]);
        assert_eq!(clock.offset_ms(), PEER_TIME_STEP_MS);
        clock.move_towards(minute(0), &[i64::MAX, i64::MAX]);
        assert_eq!(clock.offset_ms(), PEER_TIME_STEP_MS, "twice in a minute");
        for n in 1..10_000 {
            clock.move_towards(minute(n), &[i64::MAX, i64::MAX]);
        }
        assert_eq!(clock.offset_ms(), PEER_TIME_CLAMP_MS);
    }

    #[test]
    fn a_newcomer_takes_it_over() {
        let mut clock = PeerClock::new(0);
        clock.adopt(&[]);
        assert_eq!(clock.offset_ms(), 0);
        clock.adopt(&[4_000]);
        assert_eq!(clock.offset_ms(), 4_000);
        clock.adopt(&[i64::MIN]);
        assert_eq!(clock.offset_ms(), -PEER_TIME_CLAMP_MS);
    }
}
