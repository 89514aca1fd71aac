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

/// Adds up digests.
#[derive(Default)]
struct Sum {
    count: u32,
    fingerprint: u128,
}

impl Sum {
    fn add(&mut self, mark: Mark) {
        self.count = self.count.wrapping_add(1);
        self.fingerprint = self.fingerprint.wrapping_add(mark.whole);
    }

    fn digest(&self) -> Digest {
        let mut fingerprint = [0; 14];
        for (to, from) in fingerprint.iter_mut().zip(self.fingerprint.to_le_bytes()) {
            *to = from;
        }
        Digest {
            count: self.count,
            fingerprint,
        }
    }
}

/// The digest of everything.
pub(crate) fn digest(key: &Key, holdings: &dyn Holdings) -> Digest {
    let mut sum = Sum::default();
    holdings.each(&mut |hash| sum.add(key.mark(hash)));
    sum.digest()
}

/// The sketch of everything.
pub(crate) fn sketch(key: &Key, holdings: &dyn Holdings) -> Sketch {
    let mut counts = Counts::default();
    holdings.each(&mut |hash| counts.add(key.mark(hash).id));
    counts.sketch()
}

impl Snapshot {
    /// Nothing yet.
    pub(crate) fn empty(key: Key) -> Self {
        Self {
            key,
            items: Vec::new(),
        }
    }

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

    pub(crate) fn digest(&self, part: Part) -> Digest {
        let mut sum = Sum::default();
        for item in self.part(part) {
            sum.add(self.key.mark(&item.hash));
        }
        sum.digest()
    }

    pub(crate) fn sketch(&self, part: Part) -> Sketch {
        let mut counts = Counts::default();
        for item in self.part(part) {
            counts.add(item.id);
        }
        counts.sketch()
    }
}
