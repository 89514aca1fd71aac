//! This machine's clocks, as the rules take time: they have none of their own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use peer_group::time::{Millis, Now};

/// Counts from when it was made.
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// One that begins now.
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Now {
        let millis = |time: Duration| Millis::try_from(time.as_millis()).unwrap_or(0);
        Now {
            monotonic: millis(self.started.elapsed()),
            wall: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, millis),
        }
    }
}
