//! Ids and sums of hashes that nobody can predict who does not know the key of the link.

use siphasher::sip128::SipHasher13;

use crate::names::RecordHash;

/// A key of one link. Items that collide under one key do not under another, so nobody prepares
/// two sets that look the same.
#[derive(Clone, Copy)]
pub struct Key([u8; 16]);

/// What becomes of an item's hash under a key.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) id: u64,
    /// The whole of it, for sums.
    pub(crate) whole: u128,
}

impl Key {
    /// A key from derived bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn mark(&self, hash: &RecordHash) -> Mark {
        let whole = SipHasher13::new_with_key(&self.0).hash(&hash.0);
        Mark {
            id: whole.h1,
            whole: whole.as_u128(),
        }
    }
}
