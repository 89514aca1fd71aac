//! What is held when there is more than the quotas allow.
//!
//! Three rules make it the same in whatever order records arrive:
//!
//! - What a creator has of one type is kept in the order of (made, id), as far as the quota goes. The
//!   first that does not fit is the cut: from there on nothing is taken, even if it would fit.
//! - When all together are too much, every creator may have the same: the greatest share with which
//!   all fit. Whoever has more is cut where its records, in the same order, exceed the share. Types that
//!   are cut count in full here, since it is not known how much went.
//! - A record counts as its largest version, so that more versions never make room again. Towards all
//!   together it also counts for the tables it stands in, so that their bound is one of memory.
//!
//! So more records only ever lower the cuts, and what is beyond a cut is nobody's loss. Cuts are lifted
//! when records end; but where a tombstone fell behind one, not before that tombstone's end, since
//! what it deletes must not come back.

use super::{BY_CREATOR, BY_PAIR, Entry, Gone, Record, Store, TypeName, halves, within};
use crate::limits::{
    DATABASE_BYTES, RECORD_BYTES_PER_AUTHOR, RECORD_CUTS, RECORD_TABLE_BYTES, RECORDS_PER_AUTHOR,
};
use crate::names::{PeerId, RecordId};
use crate::time::Millis;

/// How much is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quotas {
    /// Records of one creator and type.
    pub records: usize,
    /// Bytes of the records of one creator and type.
    pub author_bytes: u64,
    /// Bytes of all records, with those that each takes besides.
    pub bytes: u64,
    /// They.
    pub beside: u64,
}

impl Quotas {
    /// What a type of a creator counts as that is cut: as much as may be held of it.
    fn in_full(&self) -> u64 {
        let tables = self.beside.saturating_mul(self.records as u64);
        self.author_bytes.saturating_add(tables)
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            records: RECORDS_PER_AUTHOR,
            author_bytes: RECORD_BYTES_PER_AUTHOR as u64,
            bytes: DATABASE_BYTES as u64,
            beside: RECORD_TABLE_BYTES as u64,
        }
    }
}

/// A place among the records of a creator: when made, and which.
pub(super) type Place = (u64, u64);

pub(super) fn place(record: &Record) -> Place {
    (record.body.created.0, halves(&record.body.id.0).1)
}

/// From where on nothing is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cut {
    at: Place,
    /// It is not lifted before.
    until: Millis,
}

/// What a creator has, of a type or in all. There is one while it has records or is cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Share {
    count: usize,
    bytes: u64,
    cut: Option<Cut>,
}

impl Share {
    fn is_cut_at(&self, place: Place) -> bool {
        self.cut.is_some_and(|cut| cut.at <= place)
    }

    /// What it counts as towards all together.
    fn weight(&self, store: &Store) -> u64 {
        self.bytes + store.quotas.beside * self.count as u64
    }

    /// What a type that is cut counts beyond what is held, as long as anything is.
    fn missing(&self, store: &Store) -> u64 {
        match self.count {
            0 => 0,
            _ => store.quotas.in_full().saturating_sub(self.weight(store)),
        }
    }

    fn is_over(&self) -> bool {
        self.count == 0 && self.cut.is_none()
    }
}

impl Store {
    pub(super) fn count(&mut self, entry: &Entry) {
        let bytes = entry.bytes();
        self.len += 1;
        self.bytes += bytes + self.quotas.beside;
        for share in [
            self.pairs.or_default((entry.creator, entry.kind)),
            self.creators.or_default(entry.creator),
        ] {
            share.count += 1;
            share.bytes += bytes;
        }
    }

    pub(super) fn discount(&mut self, entry: &Entry) {
        let bytes = entry.bytes();
        let pair = (entry.creator, entry.kind);
        self.len -= 1;
        self.bytes -= bytes + self.quotas.beside;
        if let Some(share) = self.pairs.get_mut(&pair) {
            share.count -= 1;
            share.bytes -= bytes;
            if share.is_over() {
                self.pairs.remove(&pair);
            }
        }
        if let Some(share) = self.creators.get_mut(&entry.creator) {
            share.count -= 1;
            share.bytes -= bytes;
            if share.is_over() {
                self.creators.remove(&entry.creator);
            }
        }
    }

    /// Whether a new record lies behind a cut: refused at once, so that a flood costs little.
    pub(super) fn is_cut(&mut self, new: &Entry) -> bool {
        let body = &new.record.body;
        let place = new.place();
        let Some(creator) = self.peers.get(&body.creator) else {
            return false;
        };
        let kind = self.kinds.get(&body.kind);
        let pair = kind.and_then(|kind| self.pairs.get_mut(&(creator, kind)));
        let until = if body.is_deleted() {
            new.kept_until()
        } else {
            0
        };
        for share in [pair, self.creators.get_mut(&creator)]
            .into_iter()
            .flatten()
        {
            if let Some(cut) = &mut share.cut
                && cut.at <= place
            {
                cut.until = cut.until.max(until);
                return true;
            }
        }
        false
    }

    /// Evicts what the record in `slot` made too much.
    pub(super) fn enforce(&mut self, slot: u32, gone: &mut Vec<Gone>) {
        let Some((creator, kind)) = self.entry(slot).map(|entry| (entry.creator, entry.kind))
        else {
            return;
        };
        let (from, to) = super::all(within(BY_PAIR, creator, kind));
        while let Some(([_, made, id], last)) = self.index.last(from, to) {
            let Quotas {
                records,
                author_bytes,
                ..
            } = self.quotas;
            let fits = self.pairs.get(&(creator, kind)).is_none_or(|share| {
                share.count <= records
                    && share.bytes <= author_bytes
                    && !share.is_cut_at((made, id))
            });
            if fits {
                break;
            }
            self.evict(last, Some(kind), gone);
        }
        self.enforce_of(creator, u64::MAX, gone);
        self.enforce_all(gone);
    }

    /// Evicts what lies behind a creator's cut or exceeds its share.
    fn enforce_of(&mut self, creator: u32, level: u64, gone: &mut Vec<Gone>) {
        let (from, to) = super::all(within(BY_CREATOR, creator, 0));
        while let Some(([_, made, id], last)) = self.index.last(from, to) {
            let fits = self.creators.get(&creator).is_none_or(|share| {
                !share.is_cut_at((made, id)) && {
                    let held = share.weight(self);
                    held.saturating_add(self.missing(creator, (made, id))) <= level
                }
            });
            if fits {
                break;
            }
            self.evict(last, None, gone);
        }
    }

    fn enforce_all(&mut self, gone: &mut Vec<Gone>) {
        // As much as all can count as, at most.
        let uncounted = self
            .quotas
            .in_full()
            .saturating_mul(self.cut_pairs.len() as u64);
        let all = self.bytes.saturating_add(uncounted);
        if self.cut_creators.is_empty() && all <= self.quotas.bytes {
            return;
        }
        let charges = self.charges();
        let all = charges.iter().map(|(_, charge)| *charge).collect();
        let before = self.level.unwrap_or(u64::MAX);
        let level = level(all, self.quotas.bytes).min(before);
        if level < u64::MAX {
            self.level = Some(level);
        }
        for (creator, charge) in charges {
            if charge > level {
                self.enforce_of(creator, level, gone);
            }
        }
    }

    /// Cuts a creator, or what it has of one type, at the record in `slot`.
    fn evict(&mut self, slot: u32, kind: Option<u32>, gone: &mut Vec<Gone>) {
        let Some(entry) = self.entry(slot) else {
            return;
        };
        let creator = entry.creator;
        let deleted = entry.record.body.is_deleted();
        let until = if deleted { entry.kept_until() } else { 0 };
        let at = entry.place();
        let share = match kind {
            Some(kind) => self.pairs.get_mut(&(creator, kind)),
            None => self.creators.get_mut(&creator),
        };
        if let Some(share) = share {
            let old = share.cut.replace(Cut {
                at: share.cut.map_or(at, |cut| cut.at.min(at)),
                until: share.cut.map_or(until, |cut| cut.until.max(until)),
            });
            if old.is_none() {
                // A cut outlives the last record.
                self.peers.again(creator);
                if let Some(kind) = kind {
                    self.kinds.again(kind);
                    self.cut_pairs.insert((creator, kind));
                    self.forget_a_cut();
                } else {
                    self.cut_creators.insert(creator);
                    self.forget_a_cut_creator();
                }
            }
        }
        if let Some(entry) = self.take_out(slot) {
            gone.push(entry.gone(entry.shown));
        }
    }

    pub(super) fn is_cut_anywhere(&self) -> bool {
        !self.cut_pairs.is_empty() || !self.cut_creators.is_empty()
    }

    /// Lifts the cuts that need not stand any more: since there is room again, or since what they
    /// waited for has ended.
    pub(super) fn lift(&mut self, freed: bool, now: Millis) {
        let stands = |share: &Share| {
            let until = share.cut.map_or(0, |cut| cut.until);
            until > now || until == 0 && !freed
        };
        let pairs = self.cut_pairs.iter().copied();
        let pairs = pairs.filter(|pair| !self.pairs.get(pair).is_some_and(stands));
        for pair in pairs.collect::<Vec<_>>() {
            self.lift_pair(pair);
        }
        let creators = self.cut_creators.iter().copied();
        let creators = creators.filter(|number| !self.creators.get(number).is_some_and(stands));
        for creator in creators.collect::<Vec<_>>() {
            self.lift_creator(creator);
        }
    }

    fn lift_creator(&mut self, creator: u32) {
        if let Some(share) = self.creators.get_mut(&creator) {
            share.cut = None;
            if share.is_over() {
                self.creators.remove(&creator);
            }
        }
        self.cut_creators.remove(&creator);
        self.peers.release(creator);
        self.level = None;
    }

    fn lift_pair(&mut self, pair: (u32, u32)) {
        if let Some(share) = self.pairs.get_mut(&pair) {
            share.cut = None;
            if share.is_over() {
                self.pairs.remove(&pair);
            }
        }
        self.cut_pairs.remove(&pair);
        self.peers.release(pair.0);
        self.kinds.release(pair.1);
        self.level = None;
    }

    /// Where there are too many cuts behind which nothing is left, forgets the one that ends first.
    fn forget_a_cut(&mut self) {
        if self.cut_pairs.len() <= RECORD_CUTS {
            return;
        }
        let shares = self.cut_pairs.iter().filter_map(|pair| {
            let share = self.pairs.get(pair).filter(|share| share.count == 0)?;
            Some((share.cut?.until, *pair))
        });
        if let Some((_, pair)) = shares.min() {
            self.lift_pair(pair);
        }
    }

    /// As [`forget_a_cut`](Self::forget_a_cut): in a graph without an owner anybody can be many.
    fn forget_a_cut_creator(&mut self) {
        if self.cut_creators.len() <= RECORD_CUTS {
            return;
        }
        let shares = self.cut_creators.iter().filter_map(|creator| {
            let share = self.creators.get(creator).filter(|s| s.count == 0)?;
            Some((share.cut?.until, *creator))
        });
        if let Some((_, creator)) = shares.min() {
            self.lift_creator(creator);
        }
    }

    /// When the first cut ends that waits for something.
    pub(super) fn next_lift(&self) -> Option<Millis> {
        let pairs = self
            .cut_pairs
            .iter()
            .filter_map(|pair| self.pairs.get(pair));
        let creators = self.cut_creators.iter();
        let creators = creators.filter_map(|creator| self.creators.get(creator));
        let cuts = pairs.chain(creators).filter_map(|share| share.cut);
        cuts.map(|cut| cut.until).filter(|until| *until > 0).min()
    }

    /// What a creator's types that are cut before `place` count beyond what is held of them.
    fn missing(&self, creator: u32, place: Place) -> u64 {
        self.cut_pairs
            .iter()
            .filter(|(own, _)| *own == creator)
            .filter_map(|pair| self.pairs.get(pair))
            .filter(|share| share.is_cut_at(place))
            .map(|share| share.missing(self))
            .fold(0, u64::saturating_add)
    }

    /// What each creator counts as, in all, by number.
    fn charges(&self) -> Vec<(u32, u64)> {
        let mut charges: Vec<(u32, u64)> = self
            .creators
            .iter()
            .map(|(creator, share)| {
                let charge = share.cut.map_or_else(|| share.weight(self), |_| u64::MAX);
                (*creator, charge)
            })
            .collect();
        for pair in self.cut_pairs.iter() {
            let missing = self.pairs.get(pair).map_or(0, |share| share.missing(self));
            let at = charges.binary_search_by_key(&pair.0, |(creator, _)| *creator);
            if let Some((_, charge)) = at.ok().and_then(|at| charges.get_mut(at)) {
                *charge = charge.saturating_add(missing);
            }
        }
        charges
    }

    /// Whether a record that counts as `size` can be added without pushing anything of its
    /// creator's out.
    #[must_use]
    pub fn has_room(&self, creator: PeerId, kind: &TypeName, size: u64) -> bool {
        let creator = self.peers.get(&creator);
        let pair = creator.zip(self.kinds.get(kind));
        let share = pair.and_then(|pair| self.pairs.get(&pair));
        size <= self.quotas.author_bytes
            && share.is_none_or(|share| {
                share.cut.is_none()
                    && share.count < self.quotas.records
                    && share.bytes + size <= self.quotas.author_bytes
            })
            && self.has_bytes(creator, size + self.quotas.beside)
    }

    /// Whether a record that is held can have a version that counts as `size`.
    #[must_use]
    pub fn has_room_for_change(&self, id: &RecordId, size: u64) -> bool {
        let Some(entry) = self.slot(id).and_then(|slot| self.entry(slot)) else {
            return false;
        };
        let more = size.saturating_sub(entry.bytes());
        more == 0
            || (self
                .pairs
                .get(&(entry.creator, entry.kind))
                .is_none_or(|share| share.bytes + more <= self.quotas.author_bytes)
                && self.has_bytes(Some(entry.creator), more))
    }

    fn has_bytes(&self, creator: Option<u32>, more: u64) -> bool {
        if self.bytes + more <= self.quotas.bytes && !self.is_cut_anywhere() {
            return true;
        }
        let charges = self.charges();
        let own = charges.iter().find(|(number, _)| creator == Some(*number));
        let own = own.map_or(0, |(_, charge)| *charge).saturating_add(more);
        let others = charges
            .iter()
            .filter(|(number, _)| creator != Some(*number))
            .map(|(_, charge)| *charge);
        own <= level(others.chain([own]).collect(), self.quotas.bytes)
    }
}

/// The greatest level at which the charges, each counted up to it, add up to `room` at most.
fn level(mut charges: Vec<u64>, mut room: u64) -> u64 {
    charges.sort_unstable();
    let mut left = charges.len() as u64;
    for charge in charges {
        let Some(rest) = charge
            .checked_mul(left)
            .filter(|all| *all <= room)
            .map(|_| room - charge)
        else {
            return room / left;
        };
        room = rest;
        left -= 1;
    }
    u64::MAX
}
