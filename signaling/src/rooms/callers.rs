//! What each address has open and has left to ask.

use std::collections::{BTreeMap, BTreeSet};

use peer_group::time::Millis;

use super::address::Address;
use super::bucket::Bucket;
use super::config::{Limits, Rate};

/// When an address may open another socket, if it has as many as it may.
const CROWDED_RETRY_MS: u32 = 30_000;

/// All addresses that have a socket, and for a while those that had one.
#[derive(Default)]
pub(super) struct Callers {
    callers: BTreeMap<Address, Caller>,
    /// Those without a socket, by when their buckets are full and they can be forgotten.
    resting: BTreeSet<(Millis, Address)>,
}

/// One address.
pub(super) struct Caller {
    sockets: usize,
    rests_until: Option<Millis>,
    opened: Bucket,
    pub(super) requests: Bucket,
    pub(super) signals: Bucket,
    pub(super) relayed: Bucket,
}

impl Caller {
    fn new(now: Millis, limits: &Limits) -> Self {
        Self {
            sockets: 0,
            rests_until: None,
            opened: Bucket::new(now, limits.opened_per_address),
            requests: Bucket::new(now, limits.requests_per_address),
            signals: Bucket::new(now, limits.signals_per_address),
            relayed: Bucket::new(now, limits.relay_per_address),
        }
    }

    fn full_in(&mut self, now: Millis, limits: &Limits) -> Millis {
        let buckets: [(&mut Bucket, Rate); 4] = [
            (&mut self.opened, limits.opened_per_address),
            (&mut self.requests, limits.requests_per_address),
            (&mut self.signals, limits.signals_per_address),
            (&mut self.relayed, limits.relay_per_address),
        ];
        let waits = buckets.map(|(bucket, rate)| bucket.full_in(now, rate));
        waits.into_iter().max().unwrap_or(0)
    }
}

impl Callers {
    /// One socket more, or after how many milliseconds it may be tried again.
    pub(super) fn enter(
        &mut self,
        now: Millis,
        limits: &Limits,
        address: Address,
    ) -> Result<(), u32> {
        let caller = self
            .callers
            .entry(address)
            .or_insert_with(|| Caller::new(now, limits));
        if let Some(until) = caller.rests_until.take() {
            self.resting.remove(&(until, address));
        }
        let entered = if caller.sockets >= limits.connections_per_address {
            Err(CROWDED_RETRY_MS)
        } else {
            caller.opened.take(now, limits.opened_per_address)
        };
        if entered.is_ok() {
            caller.sockets += 1;
        } else {
            self.rest(now, limits, address);
        }
        entered
    }

    /// One socket less.
    pub(super) fn leave(&mut self, now: Millis, limits: &Limits, address: Address) {
        if let Some(caller) = self.callers.get_mut(&address) {
            caller.sockets = caller.sockets.saturating_sub(1);
            self.rest(now, limits, address);
        }
    }

    /// Lets an address without sockets be forgotten, once that gives it nothing new.
    fn rest(&mut self, now: Millis, limits: &Limits, address: Address) {
        let Some(caller) = self.callers.get_mut(&address) else {
            return;
        };
        if caller.sockets > 0 {
            return;
        }
        let until = now.saturating_add(caller.full_in(now, limits));
        caller.rests_until = Some(until);
        self.resting.insert((until, address));
        while self.resting.len() > limits.resting_addresses {
            self.forget_first();
        }
    }

    /// Forgets those whose rest is over.
    pub(super) fn expire(&mut self, now: Millis) {
        while self.resting.first().is_some_and(|(until, _)| *until <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, address)) = self.resting.pop_first() {
            self.callers.remove(&address);
        }
    }

    /// What `address`, which has a socket, has left.
    pub(super) fn of(&mut self, address: Address) -> Option<&mut Caller> {
        self.callers.get_mut(&address)
    }

    /// When the first one can be forgotten.
    pub(super) fn next_timeout(&self) -> Option<Millis> {
        self.resting.first().map(|(until, _)| *until)
    }

    /// How many addresses have a socket.
    pub(super) fn present(&self) -> usize {
        self.callers.len() - self.resting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address::V4([192, 0, 2, 1]);

    fn limits() -> Limits {
        Limits {
            connections_per_address: 2,
            opened_per_address: Rate {
                per_second: 1,
                burst: 3,
            },
            ..Limits::default()
        }
    }

    #[test]
    fn sockets_of_an_address_are_few_and_come_slowly() {
        let (mut callers, limits) = (Callers::default(), limits());
        assert_eq!(callers.enter(0, &limits, A), Ok(()));
        assert_eq!(callers.enter(0, &limits, A), Ok(()));
        assert_eq!(callers.enter(0, &limits, A), Err(CROWDED_RETRY_MS));
        callers.leave(0, &limits, A);
        assert_eq!(callers.enter(0, &limits, A), Ok(()));
        callers.leave(0, &limits, A);
        assert_eq!(callers.enter(0, &limits, A), Err(1_000), "three at once");
        let other = Address::V4([192, 0, 2, 2]);
        assert_eq!(callers.enter(0, &limits, other), Ok(()));
        assert_eq!(callers.present(), 2);
    }

    #[test]
    fn leaving_and_coming_back_fills_no_bucket() {
        let (mut callers, limits) = (Callers::default(), limits());
        for _ in 0..3 {
            assert_eq!(callers.enter(0, &limits, A), Ok(()));
            callers.leave(0, &limits, A);
        }
        callers.expire(2_999);
        assert!(callers.enter(0, &limits, A).is_err(), "forgotten too early");
        assert_eq!(callers.present(), 0);
        assert_eq!(callers.next_timeout(), Some(3_000));
        callers.expire(3_000);
        assert!(callers.callers.is_empty() && callers.resting.is_empty());
    }

    #[test]
    fn addresses_that_left_are_remembered_within_a_bound() {
        let limits = Limits {
            resting_addresses: 10,
            ..limits()
        };
        let mut callers = Callers::default();
        for n in 0..100 {
            let address = Address::V6([n; 8]);
            assert_eq!(callers.enter(u64::from(n), &limits, address), Ok(()));
            callers.leave(u64::from(n), &limits, address);
        }
        assert_eq!(callers.callers.len(), 10);
        assert!(callers.of(Address::V6([99; 8])).is_some());
    }
}
