//! A token bucket: how often somebody may ask, or how many bytes may pass.

use peer_group::time::Millis;

use super::config::Rate;

/// Thousandths of a token, so that a rate per second is a whole number per millisecond.
const TOKEN: i64 = 1000;

/// What is left to one asker; less than nothing once it was charged for more.
#[derive(Debug)]
pub(crate) struct Bucket {
    level: i64,
    at: Millis,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(now: Millis, rate: Rate) -> Self {
        Self {
            level: full(rate),
            at: now,
        }
    }

    /// Takes one token, or says in how many milliseconds there will be one.
    pub(crate) fn take(&mut self, now: Millis, rate: Rate) -> Result<(), u32> {
        self.wait(now, rate, 1)?;
        self.level -= TOKEN;
        Ok(())
    }

    /// Takes so many tokens, or all that a full one holds if that is less, or says in how many
    /// milliseconds they will be there.
    pub(crate) fn take_all(&mut self, now: Millis, rate: Rate, tokens: u32) -> Result<(), u32> {
        let tokens = tokens.min(rate.burst);
        self.wait(now, rate, tokens)?;
        self.level -= i64::from(tokens) * TOKEN;
        Ok(())
    }

    /// Takes tokens for what has passed already, whether they are there or not.
    pub(crate) fn charge(&mut self, now: Millis, rate: Rate, tokens: u32) {
        self.fill(now, rate);
        let tokens = i64::from(tokens) * TOKEN;
        self.level = self.level.saturating_sub(tokens);
    }

    /// Says in how many milliseconds so many tokens will be there, unless they are.
    pub(crate) fn wait(&mut self, now: Millis, rate: Rate, tokens: u32) -> Result<(), u32> {
        self.fill(now, rate);
        let missing = i64::from(tokens) * TOKEN - self.level;
        if missing <= 0 {
            return Ok(());
        }
        let wait = missing.unsigned_abs().div_ceil(per_ms(rate));
        Err(u32::try_from(wait).unwrap_or(u32::MAX))
    }

    /// How many tokens it is short of nothing.
    pub(crate) fn debt(&mut self, now: Millis, rate: Rate) -> u64 {
        self.fill(now, rate);
        self.level.min(0).unsigned_abs() / TOKEN.unsigned_abs()
    }

    /// In how many milliseconds it is as good as new.
    pub(crate) fn full_in(&mut self, now: Millis, rate: Rate) -> Millis {
        self.fill(now, rate);
        (full(rate) - self.level).unsigned_abs() / per_ms(rate)
    }

    fn fill(&mut self, now: Millis, rate: Rate) {
        let grown = now
            .saturating_sub(self.at)
            .saturating_mul(u64::from(rate.per_second));
        let grown = i64::try_from(grown).unwrap_or(i64::MAX);
        self.level = self.level.saturating_add(grown).min(full(rate));
        self.at = self.at.max(now);
    }
}

fn full(rate: Rate) -> i64 {
    i64::from(rate.burst) * TOKEN
}

/// Thousandths that come in a millisecond.
fn per_ms(rate: Rate) -> u64 {
    u64::from(rate.per_second).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate_and_the_wait_it_names_is_enough() {
        let rate = Rate {
            per_second: 3,
            burst: 2,
        };
        let mut bucket = Bucket::new(50, rate);
        assert_eq!(bucket.take(50, rate), Ok(()));
        assert_eq!(bucket.take(50, rate), Ok(()));
        let wait = bucket.take(50, rate).unwrap_err();
        assert_eq!(wait, 334);
        assert!(bucket.take(50 + u64::from(wait) - 1, rate).is_err());
        assert_eq!(bucket.take(50 + u64::from(wait), rate), Ok(()));
        // A long pause fills it up to the burst and no further.
        assert_eq!(bucket.take(1_000_000, rate), Ok(()));
        assert_eq!(bucket.take(1_000_000, rate), Ok(()));
        assert!(bucket.take(1_000_000, rate).is_err());
    }

    #[test]
    fn several_tokens_are_taken_together_or_not_at_all() {
        let rate = Rate {
            per_second: 10,
            burst: 4,
        };
        let mut bucket = Bucket::new(0, rate);
        assert_eq!(bucket.take_all(0, rate, 3), Ok(()));
        assert_eq!(bucket.take_all(0, rate, 2), Err(100));
        assert_eq!(bucket.take_all(0, rate, 1), Ok(()));
        // More than it can ever hold is as much as it holds.
        assert_eq!(bucket.take_all(399, rate, 5), Err(1));
        assert_eq!(bucket.take_all(400, rate, 5), Ok(()));
    }

    #[test]
    fn what_passed_already_is_paid_for_before_more_may() {
        let rate = Rate {
            per_second: 100,
            burst: 50,
        };
        let mut bucket = Bucket::new(0, rate);
        bucket.charge(0, rate, 80);
        assert_eq!(bucket.debt(0, rate), 30);
        assert_eq!(bucket.wait(0, rate, 0), Err(300));
        assert_eq!(bucket.full_in(0, rate), 800);
        assert_eq!(bucket.wait(299, rate, 0), Err(1));
        assert_eq!(bucket.wait(300, rate, 0), Ok(()));
        assert_eq!(bucket.debt(300, rate), 0);
        assert_eq!(bucket.take(300, rate), Err(10));
        assert_eq!(bucket.full_in(800, rate), 0);
    }
}
