//! What stores of records really take of memory, beside what they count for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says what it found"
)]

use peak_alloc::PeakAlloc;
use peer_group::crypto::{Crypto, FAKE};
use peer_group::limits;
use peer_group::names::{GroupId, PeerId};
use peer_group::random::Random;
use peer_group::record::model::{Body, Change, Data, Record, Stamp, TypeName, new_id};
use peer_group::record::store::{Gone, Quotas, Store};
use peer_group::wire::attributes::{Attributes, Value};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::numbers::record;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const CRYPTO: Crypto = &FAKE;
const SCOPE: GroupId = GroupId([3; 32]);
const NOW_MS: u64 = 1_800_000_000_000;
/// One more than a power of two: vectors have just grown.
const RECORDS: u64 = 8193;

/// What records are like.
struct Kind {
    name: &'static str,
    creators: u64,
    types: u64,
    attributes: fn() -> Attributes,
    data: usize,
}

fn none() -> Attributes {
    Attributes::default()
}

/// As many attributes as there may be, each of one short text.
fn names() -> Attributes {
    let value = || vec![Value::Text("a".to_owned())];
    let named = (0..limits::ATTRIBUTE_VALUES).map(|n| (n.to_string(), value()));
    Attributes::new(named.collect()).unwrap()
}

/// One attribute of as many values as there may be.
fn values() -> Attributes {
    let values = (0..limits::ATTRIBUTE_VALUES).map(|_| Value::Text(String::new()));
    Attributes::new(vec![("a".to_owned(), values.collect())]).unwrap()
}

const KINDS: [Kind; 7] = [
    Kind {
        name: "smallest",
        creators: 4,
        types: 1,
        attributes: none,
        data: 0,
    },
    Kind {
        name: "300 bytes",
        creators: 4,
        types: 1,
        attributes: none,
        data: 300,
    },
    Kind {
        name: "each of its own type",
        creators: 4,
        types: RECORDS,
        attributes: none,
        data: 0,
    },
    Kind {
        name: "each of its own creator",
        creators: RECORDS,
        types: 1,
        attributes: none,
        data: 0,
    },
    Kind {
        name: "each of its own creator and type",
        creators: RECORDS,
        types: RECORDS,
        attributes: none,
        data: 0,
    },
    Kind {
        name: "many attributes",
        creators: 4,
        types: 1,
        attributes: names,
        data: 0,
    },
    Kind {
        name: "many values",
        creators: 4,
        types: 1,
        attributes: values,
        data: 0,
    },
];

/// A record as it comes over a link, made at that time and with that life.
fn came(kind: &Kind, number: u64, at: u64, life: u64, random: &mut Random) -> Record {
    let creator = CRYPTO.hash(&[&(number % kind.creators).to_be_bytes()]);
    let creator = PeerId(*creator.first_chunk().unwrap());
    let body = Body {
        form: record::FORM,
        flags: 0,
        id: new_id(CRYPTO, creator, random),
        kind: TypeName::new(format!("{:064}", number % kind.types)).unwrap(),
        creator,
        created: Stamp::at(NOW_MS + at),
        change: Change::Original {},
        expires: NOW_MS + at + life,
        attributes: (kind.attributes)(),
        data: Data::new(vec![7; kind.data]).unwrap(),
    };
    let signature = random.bytes();
    Record::from_bytes(&Record { body, signature }.to_bytes()).unwrap()
}

fn take(store: &mut Store, record: Record, gone: &mut Vec<Gone>) {
    let hash = record.hash(CRYPTO, SCOPE);
    store.insert(record, hash, NOW_MS, gone);
    gone.clear();
}

fn everything() -> Quotas {
    Quotas {
        records: usize::MAX / 2,
        author_bytes: 1 << 40,
        bytes: 1 << 60,
        ..Quotas::default()
    }
}

/// What a store takes now that began with so much, beside what it counts.
fn require_honest(what: &str, store: &Store, before: usize) {
    let took = (MEMORY.current_usage() - before) as u64;
    let held = store.len() as u64;
    println!(
        "{what}: {held} records take {} bytes each and count as {}",
        took / held,
        store.bytes() / held
    );
    assert!(took <= store.bytes(), "{what}: {took} bytes");
}

/// One test, as the memory is everybody's.
#[test]
fn a_store_takes_no_more_memory_than_it_counts() {
    let random = &mut Random::new([5; 32]);
    let gone = &mut Vec::with_capacity(64);
    for kind in &KINDS {
        for shuffled in [false, true] {
            let before = MEMORY.current_usage();
            let mut store = Store::with_quotas(everything());
            for number in 0..RECORDS {
                let at = if shuffled {
                    random.below(1 << 30)
                } else {
                    number
                };
                take(&mut store, came(kind, number, at, 1 << 32, random), gone);
            }
            let order = if shuffled { "at random" } else { "in order" };
            require_honest(&format!("{}, {order}", kind.name), &store, before);
        }
    }
    few_survivors_of_many(random, gone);
}

/// Of each thousand records that are held one stays: what the others stood in is given back.
fn few_survivors_of_many(random: &mut Random, gone: &mut Vec<Gone>) {
    let before = MEMORY.current_usage();
    let mut store = Store::with_quotas(everything());
    let mut at = 0;
    for _ in 0..20 {
        for number in 0..10_000_u64 {
            at += 1;
            let life = if number.is_multiple_of(100) {
                1 << 32
            } else {
                1 << 20
            };
            take(&mut store, came(&KINDS[0], number, at, life, random), gone);
        }
        // The store looks at the time that it is told.
        drop(store.sweep(NOW_MS + at + (1 << 20)));
    }
    // The free places of the most that were ever held stay: 16 bytes each.
    require_honest("few survivors of many", &store, before + 10_000 * 32);
}
