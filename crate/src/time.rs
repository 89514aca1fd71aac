//! Time as an argument: what the engine is told instead of asking a clock.

use crate::sorted::Map;

/// Milliseconds, of whichever clock the name says.
pub type Millis = u64;

/// The two clocks of one moment, read by the driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Never goes back; from an origin that the driver picks. Timers run on it.
    pub monotonic: Millis,
    /// Milliseconds since 1970 UTC as this machine believes. Credentials are judged by it.
    pub wall: Millis,
}

impl Now {
    /// Wall time in whole seconds, as credentials count it.
    #[must_use]
    pub fn wall_seconds(self) -> u64 {
        self.wall / 1000
    }
}

/// Deadlines by name: arming one again replaces it.
#[derive(Debug)]
pub struct Timers<T> {
    deadlines: Map<T, Millis>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            deadlines: Map::new(),
        }
    }
}

impl<T: Ord + Clone> Timers<T> {
    /// Sets the deadline of `timer`, replacing an earlier one.
    pub fn arm(&mut self, timer: T, at: Millis) {
        self.deadlines.insert(timer, at);
    }

    /// Sets the deadline of `timer`, unless it has one.
    pub fn arm_first(&mut self, timer: T, at: Millis) {
        if !self.deadlines.contains_key(&timer) {
            self.arm(timer, at);
        }
    }

    /// Forgets `timer`.
    pub fn disarm(&mut self, timer: &T) {
        self.deadlines.remove(timer);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Millis> {
        self.deadlines.values().min().copied()
    }

    /// Takes the timer that is due first, if one is due.
    pub fn pop_due(&mut self, now: Millis) -> Option<T> {
        let (timer, _) = self
            .deadlines
            .iter()
            .filter(|(_, at)| **at <= now)
            .min_by_key(|(_, at)| **at)?;
        let timer = timer.clone();
        self.deadlines.remove(&timer);
        Some(timer)
    }
}

/// The pause before try number `tries` (from 0) of something that keeps failing: by 1.6 from `min`
/// to `max`.
#[must_use]
pub fn backoff(min: Millis, max: Millis, tries: u32) -> Millis {
    (0..tries)
        .fold(min, |pause, _| (pause.saturating_mul(8) / 5).min(max))
        .min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_of_deadline_and_once() {
        let mut timers = Timers::default();
        timers.arm("b", 20);
        timers.arm("a", 10);
        timers.arm("c", 30);
        timers.arm("c", 15);
        assert_eq!(timers.next(), Some(10));
        assert_eq!(timers.pop_due(9), None);
        assert_eq!(timers.pop_due(100), Some("a"));
        assert_eq!(timers.pop_due(100), Some("c"));
        assert_eq!(timers.pop_due(100), Some("b"));
        assert_eq!(timers.pop_due(100), None);
    }
}
