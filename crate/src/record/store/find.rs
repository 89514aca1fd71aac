//! Reading the store: by name, by order, by what a search looks for.

use super::{
    BY_AUTHOR, BY_CREATION, BY_CREATOR, BY_HASH, BY_ID, BY_INSERTION, BY_KIND, BY_PAIR, Entry,
    Store, TypeName, all, halves, within,
};
use crate::engine::command::Search;
use crate::names::{PeerId, RecordHash, RecordId};
use crate::record::model::Stamp;
use crate::record::search::{Field, matches, narrow};
use crate::time::Millis;

impl Store {
    /// A record that the app sees.
    #[must_use]
    pub fn get(&self, id: &RecordId) -> Option<&Entry> {
        self.any(id).filter(|entry| entry.shown)
    }

    /// A record that is held, tombstones and what else is out of sight included.
    #[must_use]
    pub fn any(&self, id: &RecordId) -> Option<&Entry> {
        self.entry(self.slot(id)?)
    }

    /// The record that is held in just this version.
    #[must_use]
    pub fn by_hash(&self, hash: &RecordHash) -> Option<&Entry> {
        let (high, low) = halves(&hash.0);
        let slot = self.index.get(&[within(BY_HASH, 0, 0), high, low])?;
        self.entry(slot).filter(|entry| entry.hash == *hash)
    }

    /// All that is held, in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.under(within(BY_ID, 0, 0))
    }

    /// What the app sees, the oldest first: of one type, of one creator.
    #[must_use]
    pub fn list(&self, kind: Option<&str>, creator: Option<PeerId>) -> Vec<&Entry> {
        let kind = kind.map(|kind| self.kind(kind));
        let creator = creator.map(|creator| self.peers.get(&creator));
        let first = match (kind, creator) {
            (None, None) => within(BY_CREATION, 0, 0),
            (Some(Some(kind)), None) => within(BY_KIND, kind, 0),
            (None, Some(Some(creator))) => within(BY_CREATOR, creator, 0),
            (Some(Some(kind)), Some(Some(creator))) => within(BY_PAIR, creator, kind),
            _ => return Vec::new(),
        };
        self.shown(first)
    }

    /// What the app sees and a search finds, the oldest first. The search was
    /// [checked](crate::record::search::check).
    #[must_use]
    pub fn search(&self, search: &Search) -> Vec<&Entry> {
        let mut candidates = match narrow(search) {
            Some(Field::Id(id)) => self.get(&id).into_iter().collect(),
            Some(Field::Kind(kind)) => self.list(Some(kind), None),
            Some(Field::Creator(creator)) => self.list(None, Some(creator)),
            Some(Field::Modifier(peer)) => match self.peers.get(&peer) {
                Some(peer) => self.shown(within(BY_AUTHOR, peer, 0)),
                None => Vec::new(),
            },
            Some(Field::Nothing) => Vec::new(),
            Some(Field::Created(from, to)) => self.between(BY_CREATION, from, to),
            Some(Field::Modified(from, to)) => self.between(super::BY_CHANGE, from, to),
            None => self.list(None, None),
        };
        candidates.retain(|entry| matches(search, &entry.record.body));
        candidates
    }

    /// What was taken after that many insertions and is still held, in the order in which it came.
    pub fn since(&self, insertion: u64) -> impl Iterator<Item = &Entry> {
        let first = within(BY_INSERTION, 0, 0);
        let from = [first, insertion.saturating_add(1), 0];
        self.index
            .range(from, [first, u64::MAX, u64::MAX])
            .filter_map(|(_, slot)| self.entry(slot))
    }

    /// All that is held of one type, in sight or not.
    pub fn all_of(&self, kind: &str) -> impl Iterator<Item = &Entry> {
        let kind = self.kind(kind);
        kind.into_iter()
            .flat_map(|kind| self.under(within(BY_KIND, kind, 0)))
    }

    /// What records of one of the engine's own types say now: of everybody, or of one member.
    pub fn said(
        &self,
        kind: &str,
        creator: Option<PeerId>,
        now: Millis,
    ) -> impl Iterator<Item = &Entry> {
        let creator = creator.map(|creator| self.peers.get(&creator));
        let first = match (self.kind(kind), creator) {
            (Some(kind), None) => Some(within(BY_KIND, kind, 0)),
            (Some(kind), Some(Some(creator))) => Some(within(BY_PAIR, creator, kind)),
            _ => None,
        };
        let held = first.into_iter().flat_map(|first| self.under(first));
        held.filter(move |entry| !entry.record.body.is_deleted() && entry.is_offered(now))
    }

    /// What takes part in synchronisation, in the order of ids: all but what has ended by itself.
    /// (Of that, older versions are answered with it: [`super::Inserted::Older`].)
    pub fn offered(&self, now: Millis) -> impl Iterator<Item = &Entry> {
        self.iter().filter(move |entry| entry.is_offered(now))
    }

    /// The names of what takes part in synchronisation.
    pub fn hashes(&self, now: Millis) -> impl Iterator<Item = RecordHash> {
        self.offered(now).map(|entry| entry.hash)
    }

    /// What takes part in synchronisation: first these types, in this order, then all others; the
    /// oldest first within each.
    #[must_use]
    pub fn ids_by_precedence(&self, types: &[TypeName], now: Millis) -> Vec<RecordId> {
        let mut kinds: Vec<u32> = Vec::new();
        let first = types.iter().filter_map(|kind| self.kinds.get(kind));
        for kind in first.chain(self.kinds.iter().map(|(_, kind)| kind)) {
            // Only the few that are wanted first can come twice.
            let wanted = kinds.get(..types.len().min(kinds.len()));
            if !wanted.unwrap_or_default().contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
            .iter()
            .flat_map(|kind| self.under(within(BY_KIND, *kind, 0)))
            .filter(|entry| entry.is_offered(now))
            .map(|entry| entry.record.body.id)
            .collect()
    }

    /// Everybody who changed, or made, something last.
    pub fn authors(&self) -> impl Iterator<Item = PeerId> {
        self.peers.iter().filter_map(|(peer, number)| {
            let (from, to) = all(within(BY_AUTHOR, number, 0));
            self.index.range(from, to).next().map(|_| *peer)
        })
    }

    /// What somebody changed, or made, last, tombstones included.
    #[must_use]
    pub fn by_author(&self, author: PeerId) -> Vec<RecordId> {
        let Some(number) = self.peers.get(&author) else {
            return Vec::new();
        };
        self.under(within(BY_AUTHOR, number, 0))
            .map(|entry| entry.record.body.id)
            .collect()
    }

    /// What somebody changed, or made, last, at a later moment than that.
    #[must_use]
    pub fn by_author_after(&self, author: PeerId, moment: Stamp) -> Vec<&Entry> {
        let Some(number) = self.peers.get(&author) else {
            return Vec::new();
        };
        let first = within(BY_AUTHOR, number, 0);
        let from = [first, moment.0.saturating_add(1), 0];
        self.index
            .range(from, [first, u64::MAX, u64::MAX])
            .filter_map(|(_, slot)| self.entry(slot))
            .collect()
    }

    fn kind(&self, kind: &str) -> Option<u32> {
        self.kinds.get(&TypeName::new(kind)?)
    }

    /// All that is held under one beginning of keys.
    fn under(&self, first: u64) -> impl Iterator<Item = &Entry> {
        let (from, to) = all(first);
        self.index
            .range(from, to)
            .filter_map(|(_, slot)| self.entry(slot))
    }

    /// What the app sees under one beginning of keys, the oldest first.
    fn shown(&self, first: u64) -> Vec<&Entry> {
        in_order(self.under(first).filter(|entry| entry.shown).collect())
    }

    /// What the app sees with a time between two, both included, the oldest first.
    fn between(&self, order: u64, from: Millis, to: Millis) -> Vec<&Entry> {
        let first = within(order, 0, 0);
        let latest = to.min(u64::MAX >> 16) << 16 | 0xffff;
        let earliest = from.min(u64::MAX >> 16) << 16;
        let found = self
            .index
            .range([first, earliest, 0], [first, latest, u64::MAX])
            .filter_map(|(_, slot)| self.entry(slot))
            .filter(|entry| entry.shown);
        in_order(found.collect())
    }
}

/// The oldest first, whatever the order of arrival.
fn in_order(mut found: Vec<&Entry>) -> Vec<&Entry> {
    found.sort_by_key(|entry| (entry.record.body.created, entry.record.body.id));
    found
}
