//! What an end held when a comparison began, in the order of the keyed ids.

use crate::names::RecordHash;
use crate::record::sync::Holdings;
use crate::record::sync::key::{Key, Mark};
use crate::record::sync::sketch::Counts;
use crate::wire::sync::{Digest, Part, Sketch};

/// One item.
#[derive(Clone, Copy)]
pub(crate) struct Item {
    pub(crate) id: u64,
    pub(crate) hash: RecordHash,
}

/// All items at one time. Later changes are flooded, and compared the next time.
pub(crate) struct Snapshot {
    key: Key,
    items: Vec<Item>,
}

/// Adds up what digests and sketches are made of.
#[derive(Default)]
pub(crate) struct Sum {
    count: u32,
    fingerprint: u128,
    counts: Counts,
}

impl Sum {
    pub(crate) fn of(key: &Key, holdings: &dyn Holdings) -> Self {
        let mut sum = Self::default();
        holdings.each(&mut |hash| sum.add(key.mark(hash)));
        sum
    }

    fn add(&mut self, mark: Mark) {
        self.count = self.count.wrapping_add(1);
        self.fingerprint = self.fingerprint.wrapping_add(mark.whole);
        self.counts.add(mark.id);
    }

    pub(crate) fn digest(&self) -> Digest {
        let mut fingerprint = [0; 14];
        for (to, from) in fingerprint.iter_mut().zip(self.fingerprint.to_le_bytes()) {
            *to = from;
        }
        Digest {
            count: self.count,
            fingerprint,
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn sketch(&self) -> Sketch {
        self.counts.sketch()
    }
}

impl Snapshot {
    pub(crate) fn new(key: Key, holdings: &dyn Holdings) -> Self {
        let mut items = Vec::new();
        holdings.each(&mut |hash| {
            items.push(Item {
                id: key.mark(hash).id,
                hash: *hash,
            });
        });
        items.sort_unstable_by_key(|item| item.id);
        Self { key, items }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// Nothing is looked up any more: the memory is free.
    pub(crate) fn clear(&mut self) {
        self.items = Vec::new();
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The items of a part.
    pub(crate) fn part(&self, part: Part) -> &[Item] {
        let from = self.items.partition_point(|item| item.id < part.lowest());
        let to = self.items.partition_point(|item| item.id <= part.highest());
        self.items.get(from..to).unwrap_or_default()
    }

    pub(crate) fn find(&self, id: u64) -> Option<&Item> {
        let at = self.items.binary_search_by_key(&id, |item| item.id).ok()?;
        self.items.get(at)
    }

    pub(crate) fn sum(&self, part: Part) -> Sum {
        let mut sum = Sum::default();
        for item in self.part(part) {
            sum.add(self.key.mark(&item.hash));
        }
        sum
    }
}
