//! How records lie in storage and in an exported database: sealed, so that what is read back is what
//! this identity's engine verified before.

use super::model::Record;
use super::store::{Kept, Store};
use crate::base::HEX;
use crate::crypto::{Crypto, head};
use crate::error::{Code, Error};
use crate::limits::{CONTROL_ITEM_BYTES, CONTROL_ITEMS, DATABASE_BYTES};
use crate::names::{GroupId, PeerId, RecordHash, RecordId};
use crate::time::Millis;
use crate::wire::codec::{Bytes, List, Malformed, Reader, Wire};
use crate::wire::numbers::stored;
use crate::wire_struct;

/// Bytes of a seal.
const SEAL: usize = 16;

/// How the keys of all records begin that one identity holds of one group or graph.
#[must_use]
pub fn prefix_of(scope: GroupId, peer: PeerId) -> String {
    format!("record/{scope}/{peer}/")
}

/// What seals the records of one identity in one group or graph, and names them in storage.
#[derive(Clone)]
pub struct Seal {
    crypto: Crypto,
    key: [u8; 32],
    scope: GroupId,
    peer: PeerId,
}

/// A record as it was held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Names this version.
    pub hash: RecordHash,
    /// What was seen of all versions.
    pub kept: Kept,
}

/// What an exported database holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Database {
    /// Peer time minus this machine's, in milliseconds.
    pub offset: i64,
    /// Credentials and what else the records rest on.
    pub control: Vec<Vec<u8>>,
    /// The records, tombstones included.
    pub records: Vec<Stored>,
}

impl Wire for Kept {
    fn encode(&self, out: &mut Vec<u8>) {
        self.expires.encode(out);
        self.bytes.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            expires: Millis::decode(input)?,
            bytes: u64::decode(input)?,
        })
    }
}

wire_struct! {
    /// A record in an exported database.
    struct Exported {
        kept: Kept,
        record: Record,
    }

    /// An exported database before its seal.
    struct Whole {
        version: u8,
        scope: GroupId,
        peer: PeerId,
        offset: i64,
        control: List<Bytes<CONTROL_ITEM_BYTES>, CONTROL_ITEMS>,
        // Each is larger than a byte, so this is no bound of its own.
        records: List<Exported, DATABASE_BYTES>,
    }
}

impl Seal {
    /// The seal of the identity that has this seed.
    #[must_use]
    pub fn new(crypto: Crypto, scope: GroupId, peer: PeerId, seed: &[u8; 32]) -> Self {
        Self {
            crypto,
            key: crypto.derive(seed, "stored records", &[&scope.0]),
            scope,
            peer,
        }
    }

    /// How the keys of all records begin.
    #[must_use]
    pub fn prefix(&self) -> String {
        prefix_of(self.scope, self.peer)
    }

    /// The key of one version: two pages of one browser, each with another version, do not
    /// overwrite one another's.
    #[must_use]
    pub fn key(&self, id: &RecordId, hash: &RecordHash) -> String {
        let (version, _) = hash.0.split_at(8);
        format!("{}{id}.{}", self.prefix(), HEX.encode(version))
    }

    /// Key and value of a version.
    #[must_use]
    pub fn write(&self, record: &Record, hash: &RecordHash, kept: Kept) -> (String, Vec<u8>) {
        let mut value = self.of_record(record, hash, kept).to_vec();
        kept.encode(&mut value);
        record.encode(&mut value);
        (self.key(&record.body.id, hash), value)
    }

    /// What was written under a key, if it was this that was written.
    #[must_use]
    pub fn read(&self, key: &str, value: &[u8]) -> Option<Stored> {
        let (seal, rest) = value.split_at_checked(SEAL)?;
        let Exported { kept, record } = Exported::from_bytes(rest).ok()?;
        let hash = record.hash(self.crypto, self.scope);
        let right = self.of_record(&record, &hash, kept) == *seal;
        (right && self.key(&record.body.id, &hash) == key).then_some(Stored { record, hash, kept })
    }

    /// All that is held, and what it rests on, in one piece.
    pub fn export(
        &self,
        offset: i64,
        control: Vec<Vec<u8>>,
        store: &Store,
    ) -> Result<Vec<u8>, Error> {
        let too_much = || Error::new(Code::OutOfMemory);
        let control: Option<Vec<_>> = control
            .into_iter()
            .map(Bytes::<CONTROL_ITEM_BYTES>::new)
            .collect();
        let mut out = Vec::new();
        stored::DATABASE.encode(&mut out);
        self.scope.encode(&mut out);
        self.peer.encode(&mut out);
        offset.encode(&mut out);
        control
            .and_then(List::<_, CONTROL_ITEMS>::new)
            .ok_or_else(too_much)?
            .encode(&mut out);
        // Written one by one: a copy of all records would be as large as the database.
        (store.len() as u64).encode(&mut out);
        for entry in store.iter() {
            entry.kept().encode(&mut out);
            entry.record().encode(&mut out);
        }
        let seal = self.of(b"database", &[&out]);
        out.extend_from_slice(&seal);
        Ok(out)
    }

    /// What was exported by this identity from this group.
    pub fn import(&self, data: &[u8]) -> Result<Database, Error> {
        let invalid = |why: &str| Error::new(Code::InvalidDatabase).detail(why);
        let split = data.len().checked_sub(SEAL);
        let (whole, seal) = split
            .and_then(|at| data.split_at_checked(at))
            .ok_or_else(|| invalid("it is cut off"))?;
        match whole.first() {
            Some(&stored::DATABASE) => {}
            _ => return Err(invalid("it is of a version that is not known")),
        }
        let mut start = Reader::new(whole.get(1..).unwrap_or_default());
        let named = (GroupId::decode(&mut start), PeerId::decode(&mut start));
        if named != (Ok(self.scope), Ok(self.peer)) {
            return Err(invalid("it is of another group or identity"));
        }
        if self.of(b"database", &[whole]) != *seal {
            return Err(invalid("it is damaged"));
        }
        let whole = Whole::from_bytes(whole).map_err(|_| invalid("it is damaged"))?;
        Ok(Database {
            offset: whole.offset,
            control: whole
                .control
                .into_vec()
                .into_iter()
                .map(Bytes::into_vec)
                .collect(),
            records: whole
                .records
                .into_vec()
                .into_iter()
                .map(|Exported { kept, record }| Stored {
                    hash: record.hash(self.crypto, self.scope),
                    record,
                    kept,
                })
                .collect(),
        })
    }

    /// The hash stands for what is signed, so that a large record is hashed once.
    fn of_record(&self, record: &Record, hash: &RecordHash, kept: Kept) -> [u8; SEAL] {
        self.of(b"record", &[&hash.0, &record.signature, &kept.to_bytes()])
    }

    /// Cut to a quarter of the hash's length: nobody can go on from it without the key.
    fn of(&self, what: &[u8], parts: &[&[u8]]) -> [u8; SEAL] {
        let mut all: Vec<&[u8]> = vec![&self.key, what];
        all.extend_from_slice(parts);
        head(&self.crypto.hash(&all))
    }
}

#[cfg(test)]
mod tests;
