//! A token bucket: how often somebody may ask.

use peer_group::time::Millis;

use super::config::Rate;

/// Thousandths of a token, so that a rate per second is a whole number per millisecond.
const TOKEN: u64 = 1000;

/// What is left to one asker.
#[derive(Debug)]
pub(crate) struct Bucket {
    level: u64,
    at: Millis,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(now: Millis, rate: Rate) -> Self {
        Self {
            level: u64::from(rate.burst) * TOKEN,
            at: now,
        }
    }

    /// Takes one token, or says in how many milliseconds there will be one.
    pub(crate) fn take(&mut self, now: Millis, rate: Rate) -> Result<(), u32> {
        self.wait(now, rate, 1)?;
        self.level -= TOKEN;
        Ok(())
    }

    /// Takes tokens for what has passed already, as far as they are there.
    pub(crate) fn charge(&mut self, now: Millis, rate: Rate, tokens: u32) {
        self.fill(now, rate);
        self.level = self.level.saturating_sub(u64::from(tokens) * TOKEN);
    }

    /// Says in how many milliseconds so many tokens will be there, unless they are.
    pub(crate) fn wait(&mut self, now: Millis, rate: Rate, tokens: u32) -> Result<(), u32> {
        self.fill(now, rate);
        match (u64::from(tokens) * TOKEN).saturating_sub(self.level) {
            0 => Ok(()),
            missing => {
                let wait = missing.div_ceil(u64::from(rate.per_second).max(1));
                Err(u32::try_from(wait).unwrap_or(u32::MAX))
            }
        }
    }

    fn fill(&mut self, now: Millis, rate: Rate) {
        let full = u64::from(rate.burst) * TOKEN;
        let grown = now
            .saturating_sub(self.at)
            .saturating_mul(u64::from(rate.per_second));
        self.level = self.level.saturating_add(grown).min(full);
        self.at = self.at.max(now);
    }
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
}
