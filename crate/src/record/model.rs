//! A record as it is signed, and the rules of form that hold for everybody at any time.

use super::reserved::{self, RESERVED};
use crate::crypto::{Crypto, head, signed_bytes};
use crate::engine::event::RecordInfo;
use crate::error::{Code, Error};
use crate::limits::{RECORD_BYTES, RECORD_LIFE_MS, RECORD_TYPE_BYTES};
use crate::names::{GroupId, PeerId, RecordHash, RecordId};
use crate::random::Random;
use crate::time::Millis;
use crate::wire::attributes::Attributes;
use crate::wire::codec::{Bytes, Malformed, Reader, Text, Wire};
use crate::wire::numbers::record;
use crate::{wire_enum, wire_struct};

/// The name of a record's type.
pub type TypeName = Text<RECORD_TYPE_BYTES>;
/// What a record carries.
pub type Data = Bytes<RECORD_BYTES>;

/// A hybrid logical clock's reading: 48 bits of milliseconds since 1970 in peer time, 16 bits that
/// tell apart what happened within one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The first reading of a millisecond; a clock beyond 48 bits reads as their last.
    #[must_use]
    pub fn at(ms: Millis) -> Self {
        Self(ms.min(u64::MAX >> 16) << 16)
    }

    /// Its milliseconds.
    #[must_use]
    pub fn ms(self) -> Millis {
        self.0 >> 16
    }

    /// The reading that follows `self`, at `now` or later.
    #[must_use]
    pub fn next(self, now: Millis) -> Self {
        Self(self.0.saturating_add(1)).max(Self::at(now))
    }
}

impl Wire for Stamp {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.array().map(u64::from_be_bytes).map(Self)
    }
}

wire_enum! {
    /// The last change of a record.
    pub enum Change {
        /// None: the first version.
        Original = record::ORIGINAL {},
        /// By its creator.
        ByCreator = record::BY_CREATOR {
            /// Counts changes; the first version is 1.
            version: u32,
            /// When.
            at: Stamp,
        },
        /// By somebody else.
        ByOther = record::BY_OTHER {
            /// Counts changes; the first version is 1.
            version: u32,
            /// When.
            at: Stamp,
            /// By whom.
            peer: PeerId,
        },
    }
}

wire_struct! {
    /// What is signed.
    pub struct Body {
        /// The form of this.
        pub form: u8,
        /// Bits of [`record`].
        pub flags: u8,
        /// Which record.
        pub id: RecordId,
        /// Its type.
        pub kind: TypeName,
        /// Who made it.
        pub creator: PeerId,
        /// When it was made.
        pub created: Stamp,
        /// Its last change.
        pub change: Change,
        /// Its end, in milliseconds since 1970 in peer time.
        pub expires: Millis,
        /// For searching.
        pub attributes: Attributes,
        /// What it carries.
        pub data: Data,
    }

    /// A record.
    pub struct Record {
        /// What is signed.
        pub body: Body,
        /// By whoever changed it last.
        pub signature: [u8; 64],
    }
}

/// Which of two versions of a record wins: the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Order {
    /// First by this.
    pub version: u32,
    /// Then by this.
    pub modified: Stamp,
    /// Last by this: two that are equal in it are the same.
    pub hash: RecordHash,
}

/// A new id in the name of `creator`.
#[must_use]
pub fn new_id(crypto: Crypto, creator: PeerId, random: &mut Random) -> RecordId {
    reserved::random_id(crypto, "", creator, random)
}

impl Body {
    /// Counts changes from 1.
    #[must_use]
    pub fn version(&self) -> u32 {
        match self.change {
            Change::Original {} => 1,
            Change::ByCreator { version, .. } | Change::ByOther { version, .. } => version,
        }
    }

    /// When it was changed last, or made.
    #[must_use]
    pub fn modified(&self) -> Stamp {
        match self.change {
            Change::Original {} => self.created,
            Change::ByCreator { at, .. } | Change::ByOther { at, .. } => at,
        }
    }

    /// Who changed it last, if anybody did.
    #[must_use]
    pub fn modified_by(&self) -> Option<PeerId> {
        match self.change {
            Change::Original {} => None,
            Change::ByCreator { .. } => Some(self.creator),
            Change::ByOther { peer, .. } => Some(peer),
        }
    }

    /// Whose signature it must carry.
    #[must_use]
    pub fn author(&self) -> PeerId {
        self.modified_by().unwrap_or(self.creator)
    }

    /// Whether it is a tombstone.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.flags & record::DELETED != 0
    }

    /// Whether its creator's nodes extend its life.
    #[must_use]
    pub fn auto_refresh(&self) -> bool {
        self.flags & record::AUTO_REFRESH != 0
    }

    /// Whether it is of a type that the engine keeps for itself.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.kind.starts_with(RESERVED)
    }

    /// What counts against a group's `maxRecordSize`: data and attributes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.data.len() + self.attributes.size()
    }

    /// The rules that hold for every record whoever looks at it and when: an honest node neither
    /// writes nor passes on one that breaks them.
    pub fn check_form(&self, crypto: Crypto, max_size: usize) -> Result<(), Error> {
        let broken = |why: &str| Err(Error::new(Code::InvalidRecord).detail(why));
        if self.form != record::FORM || self.flags & !(record::DELETED | record::AUTO_REFRESH) != 0
        {
            return broken("it has a form that is not known");
        }
        let (ours, _) = self.id.0.split_at(8);
        if ours != reserved::id_half(crypto, &self.kind, self.creator) {
            return broken("its id is not of its creator");
        }
        if self.kind.is_empty() {
            return broken("it has no type");
        }
        match self.change {
            Change::Original {} if self.is_deleted() => return broken("it begins deleted"),
            Change::Original {} => {}
            Change::ByOther { peer, .. } if peer == self.creator => {
                return broken("its creator is not somebody else");
            }
            Change::ByCreator { version, at } | Change::ByOther { version, at, .. } => {
                if version < 2 || at <= self.created {
                    return broken("a change is later than what it changes");
                }
            }
        }
        if self.is_deleted()
            && (self.auto_refresh() || !self.data.is_empty() || !self.attributes.is_empty())
        {
            return broken("it is deleted and carries something");
        }
        let modified = self.modified().ms();
        if self.expires <= modified || self.expires - modified > RECORD_LIFE_MS {
            return broken("it ends before its last change, or more than 400 days after");
        }
        if self.is_reserved() {
            return match reserved::fault(crypto, self) {
                Some(why) => broken(why),
                None => Ok(()),
            };
        }
        if self.size() > max_size {
            return broken("it is larger than the group allows");
        }
        Ok(())
    }
}

impl Record {
    /// A record signed with its author's seed.
    #[must_use]
    pub fn sign(crypto: Crypto, scope: GroupId, seed: &[u8; 32], body: Body) -> Self {
        let signature = crypto.sign(seed, &signed(scope, &body));
        Self { body, signature }
    }

    /// What its signature covers.
    #[must_use]
    pub fn signed(&self, scope: GroupId) -> Vec<u8> {
        signed(scope, &self.body)
    }

    /// Names this version of it.
    #[must_use]
    pub fn hash(&self, crypto: Crypto, scope: GroupId) -> RecordHash {
        RecordHash(head(&crypto.hash(&[&self.signed(scope)])))
    }

    /// Where it stands among the versions of its record.
    #[must_use]
    pub fn order(&self, hash: RecordHash) -> Order {
        Order {
            version: self.body.version(),
            modified: self.body.modified(),
            hash,
        }
    }
}

impl From<&Record> for RecordInfo {
    fn from(record: &Record) -> Self {
        let body = &record.body;
        Self {
            id: body.id,
            kind: body.kind.to_string(),
            version: body.version(),
            creator: body.creator,
            modified_by: body.modified_by(),
            created: body.created.ms(),
            modified: body.modified().ms(),
            expires: body.expires,
            auto_refresh: body.auto_refresh(),
            attributes: body.attributes.clone(),
            data: body.data.to_vec(),
        }
    }
}

fn signed(scope: GroupId, body: &Body) -> Vec<u8> {
    signed_bytes("record", &scope.0, &body.to_bytes())
}

#[cfg(test)]
mod tests;
