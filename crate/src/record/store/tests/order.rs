//! The same records, in whatever order they come, make the same store, byte by byte.

use super::*;

/// All that a store would tell anybody, but for the order of arrival and for when a cut is lifted.
pub(super) fn dump(store: &Store, now: Millis) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in store.iter() {
        entry.record().encode(&mut out);
        out.extend_from_slice(&entry.hash().0);
        entry.kept().expires.encode(&mut out);
        entry.kept().bytes.encode(&mut out);
        entry.is_shown().encode(&mut out);
        entry.kept_until().encode(&mut out);
    }
    let mut put = |ids: Vec<RecordId>| ids.iter().for_each(|id| id.encode(&mut out));
    put(ids(&store.list(None, None)));
    for number in 0..5 {
        put(ids(&store.list(None, Some(peer(number)))));
        put(ids(&store.list(Some("a"), Some(peer(number)))));
        let mut own = store.by_author(peer(number));
        own.sort_unstable();
        put(own);
    }
    store.hashes(now).for_each(|hash| hash.encode(&mut out));
    store.bytes().encode(&mut out);
    (store.len() as u64).encode(&mut out);
    store.latest_stamp().encode(&mut out);
    out
}

pub(super) fn shuffle<T>(values: &mut [T], random: &mut Random) {
    for at in (1..values.len()).rev() {
        values.swap(at, random.below(at as u64 + 1) as usize);
    }
}

/// Versions of records of several creators and types: changed by them and by others, twice under one
/// number, deleted, shortened, ended.
pub(super) fn versions(random: &mut Random, records: u32, types: &[&str]) -> Vec<Body> {
    let mut all = Vec::new();
    for number in 0..records {
        let creator = 1 + random.below(3) as u8;
        let kind = types.get(random.below(types.len() as u64) as usize);
        let created = random.below(100);
        let size = random.below(300) as usize;
        let body = original(creator, number, created, 2000 + random.below(2000));
        let first = of_kind(
            with_data(body, vec![1; size]),
            kind.copied().unwrap_or_default(),
        );
        for version in 2..2 + random.below(4) as u32 {
            let at = created + 1 + random.below(100);
            let by = 1 + random.below(4) as u8;
            let expires = 500 + random.below(4000);
            let one = changed(&first, version, at, by, expires);
            match random.below(4) {
                0 => all.push(deleted(&first, version, at, by, expires)),
                // Its author signs two of one number.
                _ => {
                    for filler in [2, 3] {
                        let data = vec![filler; random.below(300) as usize];
                        all.push(with_data(one.clone(), data));
                    }
                }
            }
        }
        all.push(first);
    }
    all
}

/// Stores after `orders` orders of the same versions; each is offered twice, as synchronisation
/// does with what is not held.
fn assert_same(all: &[Body], quotas: Quotas, random: &mut Random, orders: usize) -> Store {
    let now = 1000;
    let all: Vec<_> = all.iter().cloned().map(signed).collect();
    let mut expected: Option<(Store, Vec<u8>)> = None;
    for order in 0..orders {
        let mut store = Store::with_quotas(quotas);
        let mut gone = Vec::new();
        for _ in 0..2 {
            let mut left: Vec<_> = all.iter().collect();
            shuffle(&mut left, random);
            for (record, hash) in left {
                store.insert(record.clone(), *hash, START + now, &mut gone);
            }
        }
        let mut bytes = dump(&store, START + now);
        let at_once = store.clone();
        // Then time goes on.
        for after in [1600, 2500, 3500, 10_000] {
            store.sweep(START + after);
            bytes.extend(dump(&store, START + after));
        }
        match &expected {
            None => expected = Some((at_once, bytes)),
            Some((_, expected)) => assert!(bytes == *expected, "order {order} differs"),
        }
    }
    expected.expect("an order").0
}

#[test]
fn a_thousand_orders_of_the_same_records_make_the_same_store() {
    let mut random = Random::new([1; 32]);
    let all = versions(&mut random, 24, &["a", "b"]);
    let store = assert_same(&all, Quotas::default(), &mut random, 1000);
    // All kinds of fates are among them.
    assert!(store.len() > 15, "{}", store.len());
    let shown = store.list(None, None).len();
    assert!((5..store.len() - 2).contains(&shown), "{shown}");
    let longer = store
        .iter()
        .filter(|e| e.kept().expires > e.record().body.expires);
    assert!(longer.count() > 2);
    let ended = all.iter().filter(|body| body.expires <= START + 1000);
    assert!(ended.count() > 2);
}

#[test]
fn a_thousand_orders_of_too_many_records_make_the_same_store() {
    let mut random = Random::new([2; 32]);
    let mut all = versions(&mut random, 40, &["a", "b"]);
    all.retain(|body| body.expires > START + 1000);
    let few = Quotas {
        records: 5,
        ..Quotas::default()
    };
    let store = assert_same(&all, few, &mut random, 1000);
    assert!((20..=30).contains(&store.len()), "{}", store.len());
    let small = Quotas {
        author_bytes: 1500,
        ..Quotas::default()
    };
    let store = assert_same(&all, small, &mut random, 1000);
    assert!((10..35).contains(&store.len()), "{}", store.len());
    let together = Quotas {
        records: 6,
        author_bytes: 2500,
        bytes: 6000,
        beside: 0,
    };
    let store = assert_same(&all, together, &mut random, 1000);
    assert!((10..25).contains(&store.len()), "{}", store.len());
    assert!(store.bytes() <= 6000);
}

#[test]
fn orders_do_not_matter_where_versions_are_of_other_types() {
    let mut random = Random::new([3; 32]);
    let mut all = versions(&mut random, 12, &["a"]);
    let other = all.iter().step_by(3).cloned().enumerate();
    let moved: Vec<_> = other
        .map(|(number, body)| Body {
            created: Stamp(body.created.0 - 1 - number as u64),
            ..of_kind(body, "b")
        })
        .collect();
    all.extend(moved);
    assert_same(&all, Quotas::default(), &mut random, 200);
}
