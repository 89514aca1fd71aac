//! `npm run bench -- store`: what a node does with 100 000 records of 300 bytes.

use crate::stage::Stage;
use peer_group::crypto::{Crypto, FAKE};
use peer_group::engine::command::{Compare, Search};
use peer_group::names::{GroupId, PeerId, RecordHash};
use peer_group::random::Random;
use peer_group::record::model::{Body, Change, Data, Record, Stamp, TypeName, new_id};
use peer_group::record::store::{Inserted, Quotas, Store};
use peer_group::wire::attributes::{Attributes, Value};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::numbers::record;
use std::hint::black_box;

/// Keys and signatures do not matter to a store.
const CRYPTO: Crypto = &FAKE;
const SCOPE: GroupId = GroupId([3; 32]);
const RECORDS: u64 = 100_000;
const AUTHORS: u64 = 10;
const DATA_BYTES: usize = 300;
const MADE_MS: u64 = 1_800_000_000_000;
const NOW_MS: u64 = MADE_MS + 1_000_000;

/// More than a node has by default: it counts what records take in memory besides.
const ENOUGH: Quotas = Quotas {
    records: RECORDS as usize,
    author_bytes: 1 << 26,
    bytes: 1 << 28,
    beside: 0,
};

type Named = (Record, RecordHash);

pub(crate) fn run(stage: &mut Stage<'_>) {
    let mut random = Random::new([7; 32]);
    let records: Vec<Named> = (0..RECORDS)
        .map(|number| made(number, number % AUTHORS, &mut random))
        .collect();
    let store = filled(&records, ENOUGH);
    assert_eq!(store.len() as u64, RECORDS);
    stage.figure("encoded", store.bytes() as f64 / 1e6, "MB");
    stage.millis("100 000 records inserted into an empty store", || {
        black_box(filled(&records, ENOUGH));
    });
    read(stage, &store);
    change(stage, store, &records, &mut random);
    stage.millis("as many inserted into one that holds a quarter", || {
        let quotas = Quotas {
            bytes: 12_000_000,
            ..ENOUGH
        };
        let store = filled(&records, quotas);
        assert!(store.bytes() <= quotas.bytes && store.bytes() > quotas.bytes / 2);
    });
}

/// Reading.
fn read(stage: &mut Stage<'_>, store: &Store) {
    stage.millis("all listed", || {
        assert_eq!(store.list(None, None).len() as u64, RECORDS);
    });
    stage.millis("100 of a type listed", || {
        assert_eq!(store.list(Some("rare"), None).len(), 100);
    });
    stage.millis("10 000 of a creator listed", || {
        assert_eq!(store.list(None, Some(peer(1))).len(), 10_000);
    });
    stage.millis("all named for a comparison", || {
        let mut sum = 0u8;
        store.hashes(NOW_MS).for_each(|hash| sum ^= hash.0[0]);
        black_box(sum);
    });
    let clause = |attribute: &str, compare, value| Search::Clause {
        attribute: attribute.to_owned(),
        compare,
        value,
    };
    let made = |compare, ms: u64| clause("peercreationtime", compare, Value::Date(ms as i64));
    let between = Search::And(vec![
        made(Compare::AtLeast, MADE_MS + 50_000),
        made(Compare::Below, MADE_MS + 50_100),
    ]);
    stage.millis("100 searched by when they were made", || {
        assert_eq!(store.search(&between).len(), 100);
    });
    let number = clause("number", Compare::Equal, Value::Number(77));
    stage.millis("one searched by its attribute", || {
        assert_eq!(store.search(&number).len(), 1);
    });
    let title = Value::Text("*record * 77 *".to_owned());
    let title = clause("title", Compare::Like, title);
    stage.millis("one searched by a pattern", || {
        assert_eq!(store.search(&title).len(), 1);
    });
}

/// Changing what is there.
fn change(stage: &mut Stage<'_>, mut store: Store, records: &[Named], random: &mut Random) {
    let mut number = 0;
    stage.per_second("records changed", 1, || {
        number = (number + 1) % records.len();
        let (old, _) = &records[number];
        let now = store.any(&old.body.id).expect("held").record();
        let mut new = now.clone();
        new.body.change = Change::ByCreator {
            version: now.body.version() + 1,
            at: now.body.modified().next(NOW_MS),
        };
        let hash = new.hash(CRYPTO, SCOPE);
        let inserted = store.insert(new, hash, NOW_MS, &mut Vec::new());
        assert_eq!(inserted, Inserted::Updated);
    });
    stage.per_second("records removed and inserted again", 1, || {
        number = (number + 1) % records.len();
        let (record, hash) = &records[number];
        store.remove(&record.body.id).expect("held");
        store.insert(record.clone(), *hash, NOW_MS, &mut Vec::new());
    });
    stage.per_second("records inserted and swept", 100, || {
        for _ in 0..100 {
            let (mut record, _) = made(0, 1, random);
            record.body.expires = NOW_MS + 1;
            let hash = record.hash(CRYPTO, SCOPE);
            store.insert(record, hash, NOW_MS, &mut Vec::new());
        }
        assert_eq!(store.sweep(NOW_MS + 1).len(), 100);
    });
}

fn filled(records: &[Named], quotas: Quotas) -> Store {
    let mut store = Store::with_quotas(quotas);
    let mut gone = Vec::new();
    for (record, hash) in records {
        store.insert(record.clone(), *hash, NOW_MS, &mut gone);
        gone.clear();
    }
    store
}

fn peer(author: u64) -> PeerId {
    PeerId([author as u8; 32])
}

fn made(number: u64, author: u64, random: &mut Random) -> Named {
    let creator = peer(author);
    let kind = if number % 1000 == 1 { "rare" } else { "note" };
    let attributes = vec![
        ("number".to_owned(), vec![Value::Number(number as i64)]),
        (
            "title".to_owned(),
            vec![Value::Text(format!("The record of number {number} of all"))],
        ),
    ];
    let body = Body {
        form: record::FORM,
        flags: 0,
        id: new_id(CRYPTO, creator, random),
        kind: TypeName::new(kind).expect("short"),
        creator,
        created: Stamp::at(MADE_MS + number),
        change: Change::Original {},
        expires: MADE_MS + 86_400_000 + random.below(1_000_000),
        attributes: Attributes::new(attributes).expect("attributes"),
        data: Data::new(vec![5; DATA_BYTES]).expect("small"),
    };
    body.check_form(CRYPTO, 1 << 20).expect("a right form");
    let record = Record {
        body,
        signature: [0; 64],
    };
    let hash = record.hash(CRYPTO, SCOPE);
    assert!(record.to_bytes().len() > DATA_BYTES);
    (record, hash)
}
