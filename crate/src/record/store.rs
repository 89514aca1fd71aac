//! The records that a node holds: at most one version of each, found without looking at all.
//!
//! Whatever the order in which the same records come, the same are held in the end:
//!
//! - Of two versions the one of the greater [`Order`] stays, as long as any version would have: an
//!   older one cannot come back after a newer one ended early. A version that has ended takes the
//!   place of one that is held, but is not held for its own sake. So whoever holds such a version
//!   answers an older one with it ([`Inserted::Older`]).
//! - What is held within the quotas does not depend on arrival either: see `quota`.

mod find;
mod gauges;
mod index;
mod numbers;
mod quota;
#[cfg(test)]
mod tests;

use index::{Index, Key};
use numbers::Numbers;
pub use quota::Quotas;
use quota::Share;

use super::model::{Order, Record, Stamp, TypeName};
use crate::limits::TOMBSTONE_MARGIN_MS;
use crate::names::{PeerId, RecordHash, RecordId};
use crate::sorted::{Map, Set};
use crate::time::Millis;
use crate::wire::codec::Wire as _;

/// What is remembered of all versions of a record that were seen before they ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The latest end.
    pub expires: Millis,
    /// Bytes of the largest one: it counts as that large until its end, so that a quota that its
    /// author observes is observed in whatever order versions arrive.
    pub bytes: u64,
}

impl Kept {
    /// What is remembered where only this version was seen.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            expires: record.body.expires,
            bytes: weight(record),
        }
    }
}

/// What a version counts as: its bytes, and what its attributes take in memory besides.
fn weight(record: &Record) -> u64 {
    (record.to_bytes().len() + record.body.attributes.beside()) as u64
}

/// A record that is held.
#[derive(Clone, Debug)]
pub struct Entry {
    record: Record,
    hash: RecordHash,
    kept: Kept,
    size: u64,
    shown: bool,
    insertion: u64,
    creator: u32,
    kind: u32,
    author: u32,
}

impl Entry {
    /// The record.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Names this version.
    #[must_use]
    pub fn hash(&self) -> RecordHash {
        self.hash
    }

    /// Where it stands among the versions of its record.
    #[must_use]
    pub fn order(&self) -> Order {
        self.record.order(self.hash)
    }

    /// What was seen of all versions.
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// Until when it is held.
    #[must_use]
    pub fn kept_until(&self) -> Millis {
        end(self.kept.expires, &self.record)
    }

    /// What this version counts as.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that it counts as.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.size.max(self.kept.bytes)
    }

    /// Whether the app sees it.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.shown
    }

    /// Whether it takes part in synchronisation.
    #[must_use]
    pub fn is_offered(&self, now: Millis) -> bool {
        self.record.body.expires > now
    }

    /// Counts what this store took, from 1.
    #[must_use]
    pub fn insertion(&self) -> u64 {
        self.insertion
    }

    /// The moment at which something happens to it.
    fn due(&self) -> Millis {
        if self.shown {
            self.record.body.expires
        } else {
            self.kept_until()
        }
    }

    /// Its place among the records of its creator.
    fn place(&self) -> quota::Place {
        quota::place(&self.record)
    }
}

/// Until when a version is remembered whose record was seen to end at `expires`.
fn end(expires: Millis, record: &Record) -> Millis {
    let margin = if record.body.is_deleted() {
        TOMBSTONE_MARGIN_MS
    } else {
        0
    };
    expires.saturating_add(margin)
}

/// What became of a record that was offered to a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// It is new to the app.
    Added,
    /// The app saw an older version.
    Updated,
    /// It is a tombstone, and the app saw what it deletes.
    Deleted,
    /// The app saw an older version, and this one has ended already.
    Expired,
    /// It is held, and the app saw nothing of it before or after.
    Hidden,
    /// It is what we hold.
    Same,
    /// Ours is newer. If ours is not offered any more, whoever sent this needs it as an answer.
    Older,
    /// As `Older`; and ours is kept longer, or counts as larger, than it did: it must be stored anew.
    Raised,
    /// It has ended and nothing of it is here.
    Ended,
    /// It is beyond a quota. A version that was held went with it, and is among what is gone.
    Full,
}

/// A version that is not held any more, or not shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Of which record.
    pub id: RecordId,
    /// Its type.
    pub kind: TypeName,
    /// Who made it.
    pub creator: PeerId,
    /// Which version.
    pub hash: RecordHash,
    /// The app saw the record, and does not any more.
    pub shown: bool,
    /// It is still held, out of sight, to keep older versions away.
    pub held: bool,
}

/// The records that a node holds of one group or graph. All of them passed `Body::check_form`.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// In boxes: a growing vector of entries would take their room twice.
    slots: Vec<Option<Box<Entry>>>,
    free: Vec<u32>,
    index: Index,
    peers: Numbers<PeerId>,
    kinds: Numbers<TypeName>,
    /// By numbers of creator and type.
    pairs: Map<(u32, u32), Share>,
    /// By number.
    creators: Map<u32, Share>,
    cut_pairs: Set<(u32, u32)>,
    cut_creators: Set<u32>,
    /// What every creator may have, while that is less than some would.
    level: Option<u64>,
    quotas: Quotas,
    len: usize,
    bytes: u64,
    insertions: u64,
}

// The orders of the index. In each key the first number also names whose or which they are within.
const BY_ID: u64 = 1;
const BY_HASH: u64 = 2;
const BY_INSERTION: u64 = 3;
const BY_CREATION: u64 = 4;
const BY_CHANGE: u64 = 5;
const BY_END: u64 = 6;
const BY_KIND: u64 = 7;
const BY_AUTHOR: u64 = 8;
const BY_CREATOR: u64 = 9;
const BY_PAIR: u64 = 10;

/// The first number of a key: an order, and up to two numbers of names.
fn within(order: u64, one: u32, two: u32) -> u64 {
    // As many names as records at most, and those are far fewer than 2^28.
    order << 56 | u64::from(one) << 28 | u64::from(two)
}

/// All keys that begin like this.
fn all(first: u64) -> (Key, Key) {
    ([first, 0, 0], [first, u64::MAX, u64::MAX])
}

/// Sixteen bytes as two numbers of the same order.
fn halves(bytes: &[u8]) -> (u64, u64) {
    let number = |part: &[u8]| part.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let (high, rest) = bytes.split_at(8.min(bytes.len()));
    let (low, _) = rest.split_at(8.min(rest.len()));
    (number(high), number(low))
}

fn keys(entry: &Entry, slot: u32) -> [Key; 10] {
    let body = &entry.record.body;
    let own = u64::from(slot);
    let (created, modified) = (body.created.0, body.modified().0);
    let (id_high, id_low) = halves(&body.id.0);
    let (hash_high, hash_low) = halves(&entry.hash.0);
    let pair = within(BY_PAIR, entry.creator, entry.kind);
    [
        [within(BY_ID, 0, 0), id_high, id_low],
        [within(BY_HASH, 0, 0), hash_high, hash_low],
        [within(BY_INSERTION, 0, 0), entry.insertion, 0],
        [within(BY_CREATION, 0, 0), created, own],
        [within(BY_CHANGE, 0, 0), modified, own],
        [within(BY_END, 0, 0), entry.due(), own],
        [within(BY_KIND, entry.kind, 0), created, own],
        [within(BY_AUTHOR, entry.author, 0), modified, own],
        // Ids of one creator differ in their second half.
        [within(BY_CREATOR, entry.creator, 0), created, id_low],
        [pair, created, id_low],
    ]
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store with other quotas.
    #[must_use]
    pub fn with_quotas(quotas: Quotas) -> Self {
        Self {
            quotas,
            ..Self::default()
        }
    }

    /// How many records are held, tombstones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that all records together count as.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of the latest insertion.
    #[must_use]
    pub fn insertions(&self) -> u64 {
        self.insertions
    }

    /// Takes a record, or a version of one, that is known to be valid. What it pushed out is added
    /// to `gone`.
    pub fn insert(
        &mut self,
        record: Record,
        hash: RecordHash,
        now: Millis,
        gone: &mut Vec<Gone>,
    ) -> Inserted {
        let kept = Kept::of(&record);
        self.take(record, hash, kept, kept.bytes, now, gone)
    }

    /// Takes a record as it was held before the page was reloaded.
    pub fn restore(
        &mut self,
        record: Record,
        hash: RecordHash,
        kept: Kept,
        now: Millis,
        gone: &mut Vec<Gone>,
    ) -> Inserted {
        let size = weight(&record);
        self.take(record, hash, kept, size, now, gone)
    }

    fn take(
        &mut self,
        record: Record,
        hash: RecordHash,
        kept: Kept,
        size: u64,
        now: Millis,
        gone: &mut Vec<Gone>,
    ) -> Inserted {
        if size.max(kept.bytes) > self.quotas.author_bytes {
            return Inserted::Full;
        }
        let body = &record.body;
        let shown = !body.is_deleted() && body.expires > now && !body.is_reserved();
        let new = Entry {
            record,
            hash,
            kept,
            size,
            shown,
            insertion: 0,
            creator: 0,
            kind: 0,
            author: 0,
        };
        match self.slot(&new.record.body.id) {
            Some(slot) => self.meet(slot, new, now, gone),
            None => self.add(new, now, gone),
        }
    }

    /// Takes a version of a record of which nothing is held.
    fn add(&mut self, new: Entry, now: Millis, gone: &mut Vec<Gone>) -> Inserted {
        if new.kept_until() <= now {
            return Inserted::Ended;
        }
        if self.is_cut(&new) {
            return Inserted::Full;
        }
        let (hash, shown) = (new.hash, new.shown);
        let slot = self.put(new);
        let before = gone.len();
        self.enforce(slot, gone);
        match take_own(gone, before, hash) {
            Some(_) => Inserted::Full,
            None if shown => Inserted::Added,
            None => Inserted::Hidden,
        }
    }

    /// Takes a version of a record of which another one is held.
    fn meet(&mut self, slot: u32, mut new: Entry, now: Millis, gone: &mut Vec<Gone>) -> Inserted {
        let Some(old) = self.entry(slot) else {
            return Inserted::Ended;
        };
        // What has ended leaves no trace unless it wins: else it would depend on when it came.
        let kept = if new.kept_until() > now {
            Kept {
                expires: old.kept.expires.max(new.kept.expires),
                bytes: old.kept.bytes.max(new.kept.bytes),
            }
        } else {
            old.kept
        };
        let wins = new.order() > old.order();
        if !wins && kept == old.kept {
            return if new.hash == old.hash {
                Inserted::Same
            } else {
                Inserted::Older
            };
        }
        let Some(old) = self.take_out(slot) else {
            return Inserted::Ended;
        };
        let (was, insertion) = (old.gone(false), old.insertion);
        let (was_shown, shown) = (old.shown, new.shown);
        if wins {
            new.kept = kept;
        } else {
            new = Entry { kept, ..old };
        }
        let (hash, deleted) = (new.hash, new.record.body.is_deleted());
        let slot = if wins {
            self.put(new)
        } else {
            self.put_as(new, insertion)
        };
        let before = gone.len();
        self.enforce(slot, gone);
        if take_own(gone, before, hash).is_some() {
            gone.push(Gone {
                shown: was_shown,
                ..was
            });
            return Inserted::Full;
        }
        if !wins {
            return Inserted::Raised;
        }
        gone.push(was);
        match (was_shown, shown) {
            (true, true) => Inserted::Updated,
            (true, false) if deleted => Inserted::Deleted,
            (true, false) => Inserted::Expired,
            (false, true) => Inserted::Added,
            (false, false) => Inserted::Hidden,
        }
    }

    /// Drops a record here, whatever its version.
    pub fn remove(&mut self, id: &RecordId) -> Option<Gone> {
        let entry = self.take_out(self.slot(id)?)?;
        self.lift(true, 0);
        Some(entry.gone(entry.shown))
    }

    /// Hides what has ended, and forgets what need not be remembered any more.
    pub fn sweep(&mut self, now: Millis) -> Vec<Gone> {
        let mut gone = Vec::new();
        let from = within(BY_END, 0, 0);
        let due: Vec<u32> = self
            .index
            .range([from, 0, 0], [from, now, u64::MAX])
            .map(|(_, slot)| slot)
            .collect();
        for slot in due {
            let Some(mut entry) = self.take_out(slot) else {
                continue;
            };
            let mut was = entry.gone(entry.shown);
            if entry.kept_until() > now {
                was.held = true;
                entry.shown = false;
                let insertion = entry.insertion;
                self.put_as(entry, insertion);
            }
            gone.push(was);
        }
        self.lift(!gone.is_empty(), now);
        gone
    }

    /// When something is to be swept.
    #[must_use]
    pub fn next_sweep(&self) -> Option<Millis> {
        let (from, to) = all(within(BY_END, 0, 0));
        let first = self.index.range(from, to).next();
        let due = first.map(|([_, due, _], _)| due);
        due.into_iter().chain(self.next_lift()).min()
    }

    /// The latest moment at which any record here was made or changed.
    #[must_use]
    pub fn latest_stamp(&self) -> Stamp {
        let (from, to) = all(within(BY_CHANGE, 0, 0));
        let last = self.index.last(from, to);
        Stamp(last.map_or(0, |([_, at, _], _)| at))
    }

    fn slot(&self, id: &RecordId) -> Option<u32> {
        let (high, low) = halves(&id.0);
        self.index.get(&[within(BY_ID, 0, 0), high, low])
    }

    fn entry(&self, slot: u32) -> Option<&Entry> {
        self.slots.get(slot as usize)?.as_deref()
    }

    /// Holds what is new.
    fn put(&mut self, entry: Entry) -> u32 {
        self.insertions += 1;
        self.put_as(entry, self.insertions)
    }

    fn put_as(&mut self, mut entry: Entry, insertion: u64) -> u32 {
        entry.insertion = insertion;
        let body = &entry.record.body;
        entry.creator = self.peers.take(&body.creator);
        entry.author = self.peers.take(&body.author());
        entry.kind = self.kinds.take(&body.kind);
        self.count(&entry);
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                (self.slots.len() - 1) as u32
            }
        };
        for key in keys(&entry, slot) {
            self.index.insert(key, slot);
        }
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(Box::new(entry));
        }
        slot
    }

    fn take_out(&mut self, slot: u32) -> Option<Entry> {
        let entry = self.slots.get_mut(slot as usize)?.take()?;
        for key in keys(&entry, slot) {
            self.index.remove(&key);
        }
        self.free.push(slot);
        self.discount(&entry);
        self.peers.release(entry.creator);
        self.peers.release(entry.author);
        self.kinds.release(entry.kind);
        Some(*entry)
    }
}

impl Entry {
    fn gone(&self, shown: bool) -> Gone {
        Gone {
            id: self.record.body.id,
            kind: self.record.body.kind.clone(),
            creator: self.record.body.creator,
            hash: self.hash,
            shown,
            held: false,
        }
    }
}

/// Takes the version `hash` out of what went since `before`.
fn take_own(gone: &mut Vec<Gone>, before: usize, hash: RecordHash) -> Option<Gone> {
    let at = gone.iter().skip(before).position(|one| one.hash == hash)?;
    Some(gone.remove(before + at))
}
