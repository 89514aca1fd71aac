//! One ordered index under all orders of the store.
//!
//! A sorted vector moves megabytes per insertion at 100 000 records; a tree costs its code once more
//! per type in what browsers download. Sorted pieces of bounded length cost neither.

/// What it is ordered by: which order and within what, then two numbers.
pub(super) type Key = [u64; 3];

/// A piece of this length is split before it grows. Short ones in tests, so that there are many.
const PIECE: usize = if cfg!(test) { 4 } else { 256 };

/// Slots by key.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Ascending, none empty.
    pieces: Vec<Vec<(Key, u32)>>,
}

impl Index {
    /// The piece in which a key is, or would be.
    fn piece(&self, key: &Key) -> usize {
        let after = self
            .pieces
            .partition_point(|piece| piece.first().is_some_and(|(first, _)| first <= key));
        after.saturating_sub(1)
    }

    /// Sets the slot of a key.
    pub(super) fn insert(&mut self, key: Key, slot: u32) {
        let at = self.piece(&key);
        let Some(piece) = self.pieces.get_mut(at) else {
            self.pieces.push(vec![(key, slot)]);
            return;
        };
        match piece.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(found) => {
                if let Some(entry) = piece.get_mut(found) {
                    entry.1 = slot;
                }
            }
            Err(place) if piece.len() < PIECE => piece.insert(place, (key, slot)),
            Err(place) => {
                // What comes in order fills pieces; else both halves get room.
                let middle = if place == PIECE { PIECE } else { PIECE / 2 };
                let mut upper = piece.split_off(middle);
                if place > middle || upper.is_empty() {
                    upper.insert(place - middle, (key, slot));
                } else {
                    piece.insert(place, (key, slot));
                }
                self.pieces.insert(at + 1, upper);
            }
        }
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, key: &Key) {
        let at = self.piece(key);
        let Some(piece) = self.pieces.get_mut(at) else {
            return;
        };
        let Ok(found) = piece.binary_search_by(|(other, _)| other.cmp(key)) else {
            return;
        };
        piece.remove(found);
        if piece.is_empty() {
            self.pieces.remove(at);
        } else if piece.len() <= PIECE / 4 && !self.joins(at) {
            self.joins(at.wrapping_sub(1));
        }
    }

    /// Makes one of a piece and the next if both are short: few survivors of many take little.
    fn joins(&mut self, at: usize) -> bool {
        let len = |at| self.pieces.get(at).map(Vec::len);
        let (Some(one), Some(two)) = (len(at), len(at.wrapping_add(1))) else {
            return false;
        };
        let short = one + two <= PIECE / 2;
        if short {
            let next = self.pieces.remove(at + 1);
            if let Some(piece) = self.pieces.get_mut(at) {
                piece.extend(next);
            }
        }
        short
    }

    /// The slot of a key.
    pub(super) fn get(&self, key: &Key) -> Option<u32> {
        let piece = self.pieces.get(self.piece(key))?;
        let found = piece.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        piece.get(found).map(|(_, slot)| *slot)
    }

    /// Keys and slots from `from` to `to`, both included.
    pub(super) fn range(&self, from: Key, to: Key) -> impl Iterator<Item = (Key, u32)> {
        let at = self.piece(&from);
        let pieces = self.pieces.get(at..).unwrap_or_default();
        let skipped = pieces
            .first()
            .map_or(0, |piece| piece.partition_point(|(key, _)| *key < from));
        pieces
            .iter()
            .flatten()
            .skip(skipped)
            .copied()
            .take_while(move |(key, _)| *key <= to)
    }

    /// The greatest key from `from` to `to`, both included.
    pub(super) fn last(&self, from: Key, to: Key) -> Option<(Key, u32)> {
        let piece = self.pieces.get(self.piece(&to))?;
        let end = piece.partition_point(|(key, _)| *key <= to);
        let found = piece.get(end.checked_sub(1)?)?;
        (found.0 >= from).then_some(*found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn an_index_does_what_a_tree_does(
            steps in proptest::collection::vec((0u64..6, 0u64..9, 0u32..9, 0u8..3), 0..300),
        ) {
            let (mut ours, mut tree) = (Index::default(), BTreeMap::new());
            for (one, two, slot, step) in steps {
                let key = [one, two, two % 2];
                if step == 0 {
                    ours.remove(&key);
                    tree.remove(&key);
                } else {
                    ours.insert(key, slot);
                    tree.insert(key, slot);
                }
                prop_assert_eq!(ours.get(&key), tree.get(&key).copied());
                prop_assert!(ours.pieces.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
                let (from, to) = ([one, 0, 1], [one + u64::from(slot) / 4, 5, 0]);
                let expected: Vec<_> = tree.range(from..=to).map(|(k, s)| (*k, *s)).collect();
                prop_assert_eq!(ours.last(from, to), expected.last().copied());
                prop_assert_eq!(ours.range(from, to).collect::<Vec<_>>(), expected);
            }
        }
    }
}
