//! What storage has yet to be told of records: versions that it lacks, and versions that it has and
//! should not. One that came and went before storage heard of it is nothing to tell: with a disk that
//! takes nothing, no more is remembered than is held and was stored before.

use crate::names::{RecordHash, RecordId};
use crate::sorted::Map;

/// Names a version of a record.
pub type Version = (RecordId, RecordHash);

/// What storage has of a version that it is to be told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum There {
    /// Nothing.
    Nothing,
    /// The version, perhaps with less of what was seen of earlier ones.
    Version,
}

/// Versions of which storage has yet to be told.
#[derive(Default)]
pub struct Unstored {
    versions: Map<Version, There>,
}

impl Unstored {
    /// Whether storage knows everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// How many versions it has yet to be told of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// They, those of one record together.
    pub fn iter(&self) -> impl Iterator<Item = (Version, There)> {
        self.versions
            .iter()
            .map(|(version, there)| (*version, *there))
    }

    /// A version is new here: storage lacks it.
    pub fn came(&mut self, version: Version) {
        if !self.versions.contains_key(&version) {
            self.versions.insert(version, There::Nothing);
        }
    }

    /// Something about a version has changed that storage has, unless it was not told yet.
    pub fn changed(&mut self, version: Version) {
        if !self.versions.contains_key(&version) {
            self.versions.insert(version, There::Version);
        }
    }

    /// A version is not held any more.
    pub fn went(&mut self, version: Version) {
        if self.versions.get(&version) == Some(&There::Nothing) {
            self.versions.remove(&version);
        } else {
            self.versions.insert(version, There::Version);
        }
    }

    /// Storage is being told of a version.
    pub fn told(&mut self, version: &Version) {
        self.versions.remove(version);
    }

    /// Storage could not take what it was told of a version, and has what it had before.
    pub fn not_taken(&mut self, version: Version, there: There, is_held: bool) {
        if there == There::Nothing {
            // What was noted meanwhile took it for stored.
            self.versions.remove(&version);
            if is_held {
                self.came(version);
            }
        } else {
            self.changed(version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(n: u8) -> Version {
        (RecordId([n; 16]), RecordHash([n; 32]))
    }

    #[test]
    fn what_came_and_went_unstored_is_forgotten() {
        let mut unstored = Unstored::default();
        for n in 0..200 {
            unstored.came(version(n));
            unstored.went(version(n));
        }
        assert!(unstored.is_empty());
        // Storage has this one.
        unstored.went(version(1));
        assert_eq!(unstored.iter().next(), Some((version(1), There::Version)));
        // It comes again before storage hears that it went.
        unstored.came(version(1));
        unstored.went(version(1));
        assert_eq!(unstored.len(), 1);
    }

    #[test]
    fn what_storage_did_not_take_is_as_it_was() {
        let mut unstored = Unstored::default();
        for (n, held) in [(1, true), (2, false)] {
            unstored.came(version(n));
            unstored.told(&version(n));
            if !held {
                unstored.went(version(n));
            }
            unstored.not_taken(version(n), There::Nothing, held);
        }
        let left: Vec<_> = unstored.iter().collect();
        assert_eq!(left, [(version(1), There::Nothing)]);
        unstored.told(&version(1));
        unstored.went(version(1));
        unstored.told(&version(1));
        unstored.not_taken(version(1), There::Version, false);
        assert_eq!(unstored.iter().next(), Some((version(1), There::Version)));
    }
}
