//! Connections that are no WebSocket (yet): pages being loaded, handshakes, and those that say
//! nothing. When there are too many, of one address or in all, the oldest makes room: an honest one
//! is through in a moment, so it is one of those that stay without a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use super::SocketLimits;
use crate::rooms::Address;

/// Everybody on it.
pub(super) struct Doorstep {
    limits: SocketLimits,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By age. Whoever has no address here is a trusted proxy.
    waiting: BTreeMap<u64, (Option<Address>, AbortHandle)>,
    by_address: BTreeSet<(Address, u64)>,
    /// Those that did not say yet who they are.
    reserved: BTreeSet<u64>,
    last: u64,
    turned_away: u64,
}

/// A place on it; given up when dropped.
pub(super) struct Place {
    doorstep: Arc<Doorstep>,
    number: u64,
}

impl Doorstep {
    pub(super) fn new(limits: SocketLimits) -> Self {
        Self {
            limits,
            inner: Mutex::default(),
        }
    }

    /// The number of a new connection's place.
    pub(super) fn reserve(self: &Arc<Self>) -> Place {
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        inner.reserved.insert(number);
        Place {
            doorstep: Arc::clone(self),
            number,
        }
    }

    /// Takes the place `number`, making room for it, unless it was given up already.
    pub(super) fn take(&self, number: u64, address: Option<Address>, task: AbortHandle) {
        let mut inner = self.lock();
        if !inner.reserved.remove(&number) {
            return;
        }
        inner.waiting.insert(number, (address, task));
        if let Some(address) = address {
            inner.by_address.insert((address, number));
            let mut own = inner.by_address.range((address, 0)..=(address, u64::MAX));
            let oldest = own.next().map(|(_, number)| *number);
            // The first is known: this counts the others.
            if own.count() >= self.limits.plain_connections_per_address {
                inner.turn_away(oldest);
            }
        }
        if inner.waiting.len() > self.limits.plain_connections {
            let oldest = inner.waiting.keys().next().copied();
            inner.turn_away(oldest);
        }
    }

    /// How many there are, and how many had to make room since the start.
    pub(super) fn counts(&self) -> (usize, u64) {
        let inner = self.lock();
        (inner.waiting.len(), inner.turned_away)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No panic can leave it half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn turn_away(&mut self, number: Option<u64>) {
        if let Some(task) = number.and_then(|number| self.leave(number)) {
            task.abort();
            self.turned_away += 1;
        }
    }

    fn leave(&mut self, number: u64) -> Option<AbortHandle> {
        self.reserved.remove(&number);
        let (address, task) = self.waiting.remove(&number)?;
        if let Some(address) = address {
            self.by_address.remove(&(address, number));
        }
        Some(task)
    }
}

impl Place {
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.doorstep.lock().leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn address(n: u8) -> Address {
        Address::V4([192, 0, 2, n])
    }

    fn doorstep() -> Arc<Doorstep> {
        Arc::new(Doorstep::new(SocketLimits {
            plain_connections: 4,
            plain_connections_per_address: 2,
            ..SocketLimits::default()
        }))
    }

    /// A connection that says nothing for ever; whether it is still there.
    fn come(doorstep: &Arc<Doorstep>, from: Option<Address>) -> tokio::task::JoinHandle<()> {
        let place = doorstep.reserve();
        let number = place.number();
        let task = tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(place);
        });
        doorstep.take(number, from, task.abort_handle());
        task
    }

    #[tokio::test]
    async fn the_oldest_of_an_address_makes_room_for_its_next() {
        let doorstep = doorstep();
        let first = come(&doorstep, Some(address(1)));
        let other = come(&doorstep, Some(address(2)));
        let second = come(&doorstep, Some(address(1)));
        assert_eq!(doorstep.counts(), (3, 0));
        let third = come(&doorstep, Some(address(1)));
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(doorstep.counts(), (3, 1));
        assert!(!other.is_finished() && !second.is_finished() && !third.is_finished());
    }

    #[tokio::test]
    async fn when_all_is_full_the_oldest_of_all_goes_and_proxies_have_no_share_of_their_own() {
        let doorstep = doorstep();
        let first = come(&doorstep, None);
        let mut rest: Vec<_> = (0..3).map(|_| come(&doorstep, None)).collect();
        assert_eq!(doorstep.counts(), (4, 0));
        rest.push(come(&doorstep, Some(address(3))));
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(doorstep.counts(), (4, 1));
        assert!(rest.iter().all(|task| !task.is_finished()));
        for task in rest {
            task.abort();
            assert!(task.await.is_err());
        }
        assert_eq!(doorstep.counts(), (0, 1));
        // One that ended before it had its place leaves nothing either.
        let place = doorstep.reserve();
        let number = place.number();
        drop(place);
        let task = tokio::spawn(async {}).abort_handle();
        doorstep.take(number, Some(address(1)), task);
        assert_eq!(doorstep.counts(), (0, 1));
        let inner = doorstep.lock();
        assert!(inner.by_address.is_empty() && inner.reserved.is_empty());
    }
}
