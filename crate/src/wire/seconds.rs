//! Wall times of credentials, and what to say when they do not hold now.

use crate::error::{Code, Error, Evidence, Stage};
use crate::limits::{CLOCK_GRACE_S, CLOCK_SKEW_MS};
use crate::time::Now;
use crate::wire::codec::{Malformed, Reader, Wire};

/// Seconds since 1970 UTC in 40 bits; all ones means never.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Seconds(pub u64);

impl Seconds {
    /// No end.
    pub const NEVER: Self = Self((1 << 40) - 1);
}

impl Wire for Seconds {
    fn encode(&self, out: &mut Vec<u8>) {
        let value = self.0.min(Self::NEVER.0);
        out.extend(value.to_le_bytes().into_iter().take(5));
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let [a, b, c, d, e] = input.array()?;
        Ok(Self(u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])))
    }
}

/// This machine's wall clock, and how far it is from the rendezvous server's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// Now, by this machine.
    pub wall_s: u64,
    /// This machine's clock minus the server's, once a server has told its time.
    pub offset_ms: Option<i64>,
    /// Every time is good: for what does not depend on when somebody looks.
    pub timeless: bool,
}

impl Clock {
    /// A clock by which every span of time holds.
    pub const TIMELESS: Self = Self {
        wall_s: 0,
        offset_ms: None,
        timeless: true,
    };

    /// The clock at `now`.
    #[must_use]
    pub fn new(now: Now, offset_ms: Option<i64>) -> Self {
        Self {
            wall_s: now.wall_seconds(),
            offset_ms,
            timeless: false,
        }
    }

    /// Whether a time span holds now, with some grace; a failure that a wrong clock would explain
    /// says so. The server's time explains, it never decides.
    pub fn check(&self, from: Seconds, until: Seconds) -> Result<(), Error> {
        let ahead = from
            .0
            .saturating_sub(self.wall_s.saturating_add(CLOCK_GRACE_S));
        let over = self
            .wall_s
            .saturating_sub(until.0.saturating_add(CLOCK_GRACE_S));
        if self.timeless || (ahead == 0 && (over == 0 || until == Seconds::NEVER)) {
            return Ok(());
        }
        let skewed = self
            .offset_ms
            .filter(|offset| offset.unsigned_abs() > CLOCK_SKEW_MS);
        // Nothing is issued for the future, so a credential of the future means a wrong clock.
        if ahead > 0 || skewed.is_some() {
            return Err(self.skew_error(from.0.abs_diff(self.wall_s)));
        }
        Err(Error::new(Code::InvalidTimePeriod).detail(format!(
            "it ended {} ago",
            span(self.wall_s.saturating_sub(until.0))
        )))
    }

    fn skew_error(&self, apart_s: u64) -> Error {
        let detail = match self.offset_ms {
            Some(offset) if offset.unsigned_abs() > CLOCK_SKEW_MS => format!(
                "this device's clock is {} {} according to the rendezvous server",
                span(offset.unsigned_abs() / 1000),
                if offset > 0 { "ahead" } else { "behind" },
            ),
            Some(_) => format!(
                "this device's clock agrees with the rendezvous server; the other one's is \
                 {} ahead",
                span(apart_s)
            ),
            None => format!(
                "this device's clock is {} behind the clock that signed it, or that one is ahead",
                span(apart_s)
            ),
        };
        let mut evidence = Evidence::at(Stage::Handshake);
        evidence.clock_offset_ms = self.offset_ms;
        Error::new(Code::ClockSkew)
            .detail(detail)
            .evidence(evidence)
    }
}

/// A span of time in the largest unit that fits.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_bits_and_back() {
        for value in [0, 1, 1_800_000_000, Seconds::NEVER.0] {
            assert_eq!(
                Seconds::from_bytes(&Seconds(value).to_bytes()),
                Ok(Seconds(value))
            );
        }
    }

    #[test]
    fn the_grace_holds_and_a_wrong_clock_is_named() {
        let now = 1_800_000_000;
        let clock = |offset_ms| Clock {
            wall_s: now,
            offset_ms,
            timeless: false,
        };
        let (from, until) = (Seconds(now + CLOCK_GRACE_S), Seconds(now + 1000));
        assert_eq!(clock(None).check(from, until), Ok(()));
        assert_eq!(
            clock(None).check(Seconds(0), Seconds(now - CLOCK_GRACE_S)),
            Ok(())
        );
        assert_eq!(clock(None).check(Seconds(0), Seconds::NEVER), Ok(()));

        let ended = clock(Some(10))
            .check(Seconds(0), Seconds(now - 4000))
            .unwrap_err();
        assert_eq!(ended.code, Code::InvalidTimePeriod);
        assert!(ended.detail.contains("66 minutes"), "{}", ended.detail);

        let early = clock(Some(-3_600_000))
            .check(Seconds(now + 3600), until)
            .unwrap_err();
        assert_eq!(early.code, Code::ClockSkew);
        assert_eq!(early.evidence.unwrap().clock_offset_ms, Some(-3_600_000));
        assert!(
            early.detail.contains("60 minutes behind"),
            "{}",
            early.detail
        );
    }
}
