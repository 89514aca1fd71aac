//! What was written reads back, and nothing else.
#![allow(clippy::expect_used, reason = "a test stops where something is wrong")]

use super::*;
use crate::crypto::{Primitives as _, REAL};
use crate::random::Random;
use crate::record::model::{Body, Change, Data, Stamp, TypeName, new_id};
use crate::record::store::{Entry, Inserted};
use crate::wire::attributes::{Attributes, Value};
use proptest::prelude::*;

const SEED: [u8; 32] = [5; 32];
const SCOPE: GroupId = GroupId([6; 32]);
const NOW: Millis = 1_000_000;

fn seal_of(scope: GroupId, seed: &[u8; 32]) -> Seal {
    Seal::new(&REAL, scope, PeerId(REAL.public_key(seed)), seed)
}

fn seal() -> Seal {
    seal_of(SCOPE, &SEED)
}

fn filled() -> Store {
    let creator = PeerId(REAL.public_key(&SEED));
    let mut random = Random::new([7; 32]);
    let mut store = Store::new();
    for number in 0..4u8 {
        let attributes = vec![("n".to_owned(), vec![Value::Number(number.into())])];
        let first = Body {
            form: 1,
            flags: 0,
            id: new_id(&REAL, creator, &mut random),
            kind: TypeName::new("note").expect("short"),
            creator,
            created: Stamp::at(NOW),
            change: Change::Original {},
            expires: NOW + 1000,
            attributes: Attributes::new(attributes).expect("attributes"),
            data: Data::new(vec![number; 40]).expect("short"),
        };
        let change = Change::ByCreator {
            version: 2,
            at: Stamp::at(NOW + 1),
        };
        let tombstone = Body {
            flags: 1,
            change,
            expires: NOW + 500,
            attributes: Attributes::default(),
            data: Data::default(),
            ..first.clone()
        };
        let versions = [Some(first), (number == 0).then_some(tombstone)];
        for body in versions.into_iter().flatten() {
            let record = Record::sign(&REAL, SCOPE, &SEED, body);
            let hash = record.hash(&REAL, SCOPE);
            let inserted = store.insert(record, hash, NOW, &mut Vec::new());
            assert!(matches!(inserted, Inserted::Added | Inserted::Deleted));
        }
    }
    store
}

fn write(entry: &Entry) -> (String, Vec<u8>) {
    seal().write(entry.record(), &entry.hash(), entry.kept())
}

fn stored(store: &Store) -> Vec<Stored> {
    store
        .iter()
        .map(|entry| Stored {
            record: entry.record().clone(),
            hash: entry.hash(),
            kept: entry.kept(),
        })
        .collect()
}

#[test]
fn what_is_written_reads_back_and_is_named_by_its_version() {
    let store = filled();
    let seal = seal();
    let expected = stored(&store);
    for (entry, expected) in store.iter().zip(expected) {
        let (key, value) = write(entry);
        assert!(key.starts_with(&seal.prefix()));
        let hash = entry.hash().to_string();
        let end = format!("{}.{}", entry.record().body.id, &hash[..16]);
        assert_eq!(key.strip_prefix(&seal.prefix()), Some(end.as_str()));
        assert_eq!(seal.read(&key, &value), Some(expected));
    }
    // A tombstone remembers the end of what it deletes.
    let entry = store.iter().find(|e| e.record().body.is_deleted());
    let kept = entry.map(|e| (e.kept().expires, e.record().body.expires));
    assert_eq!(kept, Some((NOW + 1000, NOW + 500)));
}

#[test]
fn what_was_not_written_by_this_identity_here_is_not_read() {
    let store = filled();
    let mut written = store.iter().map(write);
    let (key, value) = written.next().expect("a record");
    let (other, _) = written.next().expect("another");
    assert!(seal().read(&key, &value).is_some());
    assert_eq!(seal().read(&other, &value), None);
    assert_eq!(seal_of(GroupId([8; 32]), &SEED).read(&key, &value), None);
    assert_eq!(seal_of(SCOPE, &[8; 32]).read(&key, &value), None);
    for at in 0..value.len() {
        let mut bad = value.clone();
        bad[at] ^= 1;
        assert_eq!(seal().read(&key, &bad), None, "byte {at}");
        assert_eq!(seal().read(&key, &value[..at]), None, "cut at {at}");
    }
    assert_eq!(seal().read(&key, &[value, vec![0]].concat()), None);
}

#[test]
fn a_database_goes_out_and_comes_back_whole() {
    let store = filled();
    let control = vec![vec![1, 2, 3], vec![]];
    let data = seal()
        .export(-42, control.clone(), &store)
        .expect("exported");
    let expected = Database {
        offset: -42,
        control,
        records: stored(&store),
    };
    assert_eq!(seal().import(&data), Ok(expected));
    let large = vec![vec![0; CONTROL_ITEM_BYTES + 1]];
    let error = seal().export(0, large, &store).err();
    assert_eq!(error.map(|e| e.code), Some(Code::OutOfMemory));
}

#[test]
fn a_database_of_others_or_with_a_bit_changed_is_refused() {
    let store = filled();
    let data = seal()
        .export(7, vec![vec![9; 30]], &store)
        .expect("exported");
    let code = |seal: &Seal, data: &[u8]| seal.import(data).err().map(|error| error.code);
    let invalid = Some(Code::InvalidDatabase);
    assert_eq!(code(&seal(), &data), None);
    assert_eq!(code(&seal_of(GroupId([8; 32]), &SEED), &data), invalid);
    assert_eq!(code(&seal_of(SCOPE, &[8; 32]), &data), invalid);
    for at in 0..data.len() {
        let mut bad = data.clone();
        bad[at] ^= 0x80;
        assert_eq!(code(&seal(), &bad), invalid, "byte {at}");
        assert_eq!(code(&seal(), &data[..at]), invalid, "cut at {at}");
    }
    assert_eq!(code(&seal(), &[data, vec![0]].concat()), invalid);
}

proptest! {
    #[test]
    fn nothing_that_anybody_puts_there_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let seal = seal();
        let key = seal.key(&RecordId([1; 16]), &RecordHash([2; 32]));
        prop_assert_eq!(seal.read(&key, &bytes), None);
        prop_assert!(seal.import(&bytes).is_err());
    }
}
