//! Peer time: the group's clock. Each node keeps how far it is from its own; fewer than half of those
//! it hears cannot move it, and nobody can move it fast.

use crate::limits::{ANTI_ENTROPY_MS, CLOCK_SET_MS, PEER_TIME_CLAMP_MS, PEER_TIME_STEP_MS};
use crate::time::{Millis, Now};

/// Peer time at one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerClock {
    offset_ms: i64,
    moved: Option<Millis>,
    /// How far the wall clock is from the monotonic one.
    apart_ms: Option<i64>,
    /// The wall clock was set since others were last heard, or may have been: what we were off by
    /// says nothing.
    astray: bool,
}

impl PeerClock {
    /// A clock that was that far from this machine's when it was last looked at.
    #[must_use]
    pub fn new(offset_ms: i64) -> Self {
        Self {
            offset_ms: clamped(offset_ms),
            astray: true,
            ..Self::default()
        }
    }

    /// Whether others must be asked soon.
    #[must_use]
    pub fn is_astray(&self) -> bool {
        self.astray
    }

    /// By how much the wall clock was set since the last look, if it was. (A machine that slept may
    /// look like that too: then what others say confirms what we have.)
    pub fn set_by(&mut self, now: Now) -> Option<i64> {
        let signed = |ms: Millis| i64::try_from(ms).unwrap_or(i64::MAX);
        let apart = signed(now.wall).saturating_sub(signed(now.monotonic));
        let before = self.apart_ms.replace(apart)?;
        let by = apart.saturating_sub(before);
        let set = by.saturating_abs() > CLOCK_SET_MS;
        self.astray |= set;
        set.then_some(by)
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

    /// Takes over the time of those who let us in, once. Of two that differ the one nearer to our own
    /// clock: what it was off by before is no measure.
    pub fn adopt(&mut self, votes: &[i64]) {
        self.astray &= votes.is_empty();
        if let Some(offset) = median(votes, 0) {
            self.offset_ms = clamped(offset);
        }
    }

    /// Moves a step towards the median of what others say and our own; at most once a minute. After
    /// our wall clock was set it is as at the beginning: their time is taken over.
    pub fn move_towards(&mut self, now: Now, others: &[i64]) {
        if self.astray && !others.is_empty() {
            self.moved = Some(now.monotonic);
            return self.adopt(others);
        }
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

/// The rendezvous server's time, as a vote about peer time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServerTime {
    /// Its clock minus ours when it was last told.
    told: Option<i64>,
    /// By how much our clock may have been set ahead since.
    ahead: i64,
}

impl ServerTime {
    /// It told its time: that is how far it is from our clock.
    pub fn tell(&mut self, offset_ms: Option<i64>) {
        *self = Self {
            told: offset_ms,
            ahead: 0,
        };
    }

    /// Our wall clock moved against the monotonic one. Back, it was set. Ahead, that may also be a
    /// sleep in which the monotonic clock stood still: then nothing moved.
    pub fn moved(&mut self, by: i64) {
        if by < 0 {
            self.told = self.told.map(|told| told.saturating_sub(by));
        } else if self.ahead == 0 {
            self.ahead = by;
        } else {
            self.told = None;
        }
    }

    /// How far it is from our clock; of two that it may be, the one that others bear out.
    #[must_use]
    pub fn vote(&self, others: &[i64]) -> Option<i64> {
        let told = self.told?;
        let moved = told.saturating_sub(self.ahead);
        let said = median(others, 0)?;
        let from = |vote: i64| clamped(vote).abs_diff(said);
        Some(if from(moved) < from(told) {
            moved
        } else {
            told
        })
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
        let mut clock = PeerClock::default();
        clock.adopt(&[100]);
        for n in 0..100 {
            clock.move_towards(minute(n), &[100, 90, 110, 500_000, 500_000, 500_000]);
            assert!((90..=110).contains(&clock.offset_ms()), "{clock:?}");
        }
        let mut alone = PeerClock::default();
        alone.move_towards(minute(0), &[300_000]);
        assert_eq!(alone.offset_ms(), 0);
    }

    #[test]
    fn a_majority_moves_it_gently_and_not_beyond_the_clamp() {
        let mut clock = PeerClock::default();
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
    fn a_clock_that_is_set_right_is_right_at_once() {
        let mut clock = PeerClock::default();
        clock.adopt(&[-600_000]);
        let late = |n: u64, by: i64| Now {
            wall: minute(n).wall.saturating_add_signed(by),
            ..minute(n)
        };
        assert_eq!(clock.set_by(late(0, 3_600_000)), None);
        assert_eq!(clock.set_by(late(1, 3_600_100)), None, "clocks drift");
        assert_eq!(clock.set_by(minute(2)), Some(-3_600_100));
        clock.move_towards(minute(2), &[]);
        assert_eq!(clock.offset_ms(), -600_000, "nobody has said anything yet");
        clock.move_towards(minute(2), &[10, 20, 600_000]);
        assert_eq!(clock.offset_ms(), 20);
        clock.move_towards(minute(3), &[9_000, 9_000]);
        assert_eq!(clock.offset_ms(), 20 + PEER_TIME_STEP_MS);
    }

    #[test]
    fn the_server_is_believed_after_a_sleep_and_after_a_clock_was_set() {
        let mut server = ServerTime::default();
        server.moved(5_000);
        assert_eq!(server.vote(&[1]), None, "it has told nothing");
        server.tell(Some(20));
        assert_eq!(server.vote(&[300_000]), Some(20));
        // Ahead by a minute: set, if others say so, else a sleep. A lone liar cannot make it worse.
        server.moved(60_000);
        assert_eq!(server.vote(&[-60_010]), Some(20 - 60_000));
        assert_eq!(server.vote(&[5]), Some(20));
        assert_eq!(server.vote(&[i64::MAX]), Some(20));
        server.moved(-3_600_000);
        assert_eq!(server.vote(&[600_000]), Some(20 + 3_600_000));
        server.moved(70_000);
        assert_eq!(server.vote(&[0]), None, "twice is too much to tell");
        server.tell(Some(7));
        assert_eq!(server.vote(&[0]), Some(7));
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
