//! What is held when there is too much.

use super::order::{shuffle, versions};
use super::*;
use crate::limits::RECORD_CUTS;
use crate::sorted::Map;
use proptest::prelude::*;

/// What the rules of `quota` say of all versions that ever came, said without any store.
fn expected(all: &[Body], quotas: Quotas) -> Vec<RecordId> {
    struct One {
        body: Body,
        bytes: u64,
    }
    let mut records: Map<RecordId, One> = Map::new();
    for body in all {
        let bytes = signed(body.clone()).0.to_bytes().len() as u64;
        let before = records.get(&body.id).map_or(0, |one| one.bytes);
        let one = One {
            body: body.clone(),
            bytes: bytes.max(before),
        };
        records.insert(body.id, one);
    }
    let mut sorted: Vec<&One> = records.values().collect();
    sorted.sort_by_key(|one| (one.body.created, one.body.id));
    // Sums up to and with each record, and what is cut, by creator and type.
    type Pair = (PeerId, TypeName);
    let mut sums: Map<Pair, (usize, u64, bool)> = Map::new();
    let mut heights: Vec<(&One, u64, bool)> = Vec::new();
    for one in sorted {
        let own = sums.or_default((one.body.creator, one.body.kind.clone()));
        own.0 += 1;
        own.1 += one.bytes;
        own.2 |= own.0 > quotas.records || own.1 > quotas.author_bytes;
        let cut = own.2;
        heights.push((one, charge(&sums, one.body.creator, quotas), cut));
    }
    let creators: Set<PeerId> = sums.keys().map(|(creator, _)| *creator).collect();
    let charges: Vec<u64> = creators
        .iter()
        .map(|creator| charge(&sums, *creator, quotas))
        .collect();
    let fits = |level: u64| charges.iter().map(|c| (*c).min(level)).sum::<u64>() <= quotas.bytes;
    let most = charges.iter().copied().max().unwrap_or(0);
    let level = if fits(most) {
        u64::MAX
    } else {
        (0..most).rev().find(|level| fits(*level)).unwrap_or(0)
    };
    let mut held: Vec<RecordId> = heights
        .into_iter()
        .filter(|(_, height, cut)| !cut && *height <= level)
        .map(|(one, ..)| one.body.id)
        .collect();
    held.sort_unstable();
    held
}

fn charge(
    sums: &Map<(PeerId, TypeName), (usize, u64, bool)>,
    creator: PeerId,
    quotas: Quotas,
) -> u64 {
    sums.iter()
        .filter(|((own, _), _)| *own == creator)
        .map(|(_, (count, bytes, cut))| match *cut {
            true => quotas.author_bytes + quotas.records as u64 * quotas.beside,
            false => *bytes + *count as u64 * quotas.beside,
        })
        .sum()
}

fn held(store: &Store) -> Vec<RecordId> {
    store.iter().map(|entry| entry.record().body.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_held_is_what_the_rules_say(
        seed: [u8; 32],
        records in 1usize..12,
        author_bytes in 500u64..4000,
        bytes in 4000u64..12_000,
        beside in 0u64..300,
    ) {
        let mut random = Random::new(seed);
        let mut all = versions(&mut random, 40, &["a", "b", "c"]);
        all.retain(|body| body.expires > START + 400);
        let quotas = Quotas { records, author_bytes, bytes, beside };
        all.retain(|body| signed(body.clone()).0.to_bytes().len() as u64 <= author_bytes);
        let expected = expected(&all, quotas);
        shuffle(&mut all, &mut random);
        let mut store = Store::with_quotas(quotas);
        let mut known: Set<RecordHash> = Set::new();
        for body in &all {
            let (_, hash) = signed(body.clone());
            let before = store.any(&body.id).map(Entry::hash);
            let (inserted, gone) = offer(&mut store, body, 400);
            // The caller can follow: what it was told is all that happened.
            for one in &gone {
                prop_assert!(known.remove(&one.hash), "{inserted:?} {one:?}");
            }
            match inserted {
                Inserted::Same | Inserted::Older | Inserted::Raised => {
                    prop_assert_eq!(store.any(&body.id).map(Entry::hash), before);
                }
                Inserted::Full | Inserted::Ended => {
                    prop_assert!(store.by_hash(&hash).is_none());
                }
                _ => prop_assert!(known.insert(hash)),
            }
            prop_assert!(store.bytes() <= bytes);
        }
        prop_assert_eq!(held(&store), expected);
        let hashes: Set<RecordHash> = store.iter().map(Entry::hash).collect();
        prop_assert_eq!(hashes, known);
    }
}

#[test]
fn the_earliest_made_are_held_and_room_says_so() {
    let quotas = Quotas {
        records: 2,
        ..Quotas::default()
    };
    let mut store = Store::with_quotas(quotas);
    let note = TypeName::new("note").expect("short");
    let bodies: Vec<Body> = (0..4).map(|n| original(1, n, u64::from(n), 1000)).collect();
    assert!(store.has_room(peer(1), &note, 500));
    assert_eq!(take(&mut store, &bodies[1], 10), Inserted::Added);
    assert_eq!(take(&mut store, &bodies[2], 10), Inserted::Added);
    assert!(!store.has_room(peer(1), &note, 500));
    assert!(store.has_room(peer(2), &note, 500));
    assert!(store.has_room(peer(1), &TypeName::new("other").expect("short"), 500));
    assert_eq!(take(&mut store, &bodies[3], 10), Inserted::Full);
    let (inserted, gone) = offer(&mut store, &bodies[0], 10);
    assert_eq!(inserted, Inserted::Added);
    assert_eq!(
        gone.iter().map(|g| (g.id, g.shown)).collect::<Vec<_>>(),
        [(bodies[2].id, true)]
    );
    // Newer versions of what is held are taken all the same.
    let change = changed(&bodies[1], 2, 20, 1, 1100);
    assert_eq!(take(&mut store, &change, 20), Inserted::Updated);
    let tombstone = deleted(&bodies[0], 2, 20, 1, 1100);
    assert_eq!(take(&mut store, &tombstone, 20), Inserted::Deleted);
    assert!(store.remove(&bodies[1].id).is_some());
    assert!(store.has_room(peer(1), &note, 500));
    assert_eq!(take(&mut store, &bodies[3], 20), Inserted::Added);
}

#[test]
fn a_change_that_outgrows_the_quota_takes_its_record_along() {
    let quotas = Quotas {
        author_bytes: 1000,
        ..Quotas::default()
    };
    let mut store = Store::with_quotas(quotas);
    let first = original(1, 1, 0, 1000);
    let second = original(1, 2, 1, 1000);
    take(&mut store, &first, 10);
    take(&mut store, &second, 10);
    assert!(store.has_room_for_change(&second.id, 800));
    assert!(!store.has_room_for_change(&second.id, 900));
    assert!(!store.has_room_for_change(&id(1, 3), 1));
    let large = with_data(changed(&second, 2, 5, 1, 1000), vec![0; 800]);
    let (inserted, gone) = offer(&mut store, &large, 10);
    assert_eq!(inserted, Inserted::Full);
    let told: Vec<_> = gone.iter().map(|g| (g.hash, g.shown)).collect();
    assert_eq!(told, [(signed(second.clone()).1, true)]);
    // Neither version comes back while the cut stands.
    assert_eq!(take(&mut store, &second, 10), Inserted::Full);
    // What alone is too large for anybody is refused and cuts nothing.
    let huge = with_data(changed(&first, 2, 5, 1, 1000), vec![0; 1000]);
    assert_eq!(offer(&mut store, &huge, 10), (Inserted::Full, vec![]));
    assert!(store.get(&first.id).is_some());
}

#[test]
fn a_deleted_record_counts_until_its_end() {
    let mut store = Store::new();
    let first = with_data(original(1, 1, 0, 1000), vec![0; 500]);
    take(&mut store, &first, 0);
    let full = store.bytes();
    take(&mut store, &deleted(&first, 2, 10, 1, 1000), 10);
    assert_eq!(store.bytes(), full);
    store.sweep(START + 1000 + TOMBSTONE_MARGIN_MS);
    assert_eq!(store.bytes(), 0);
}

#[test]
fn who_has_most_gives_way_to_who_has_little() {
    let quotas = Quotas {
        bytes: 4000,
        beside: 0,
        ..Quotas::default()
    };
    let mut store = Store::with_quotas(quotas);
    let record = |creator, number| {
        with_data(
            original(creator, number, u64::from(number), 1000),
            vec![0; 100],
        )
    };
    let size = signed(record(1, 0)).0.to_bytes().len() as u64;
    let note = TypeName::new("note").expect("short");
    for number in 0..100 {
        take(&mut store, &record(1, number), 100);
    }
    assert!(store.bytes() <= 4000 && store.bytes() + size > 4000);
    assert!(!store.has_room(peer(1), &note, size));
    assert!(store.has_room(peer(2), &note, size));
    for number in 0..3 {
        assert_eq!(take(&mut store, &record(2, number), 100), Inserted::Added);
    }
    assert_eq!(store.list(None, Some(peer(2))).len(), 3);
    // Both may have half.
    for number in 3..100 {
        take(&mut store, &record(2, number), 100);
    }
    let half = (2000 / size) as usize;
    assert_eq!(store.list(None, Some(peer(1))).len(), half);
    assert_eq!(store.list(None, Some(peer(2))).len(), half);
}

#[test]
fn what_fell_behind_a_cut_deleted_does_not_come_back_when_there_is_room() {
    let quotas = Quotas {
        records: 2,
        ..Quotas::default()
    };
    let mut store = Store::with_quotas(quotas);
    let victim = original(1, 9, 50, 10_000);
    take(&mut store, &victim, 60);
    take(&mut store, &deleted(&victim, 2, 55, 2, 10_000), 60);
    // Its creator makes room for it to be forgotten, with records that end soon.
    for number in 0..2 {
        take(&mut store, &original(1, number, 0, 500), 60);
    }
    assert!(store.any(&victim.id).is_none());
    store.sweep(START + 600);
    assert!(store.is_empty());
    assert_eq!(take(&mut store, &victim, 600), Inserted::Full);
    // Another type is free, and so is this one once the tombstone would have ended.
    let other = of_kind(original(1, 10, 600, 1000), "other");
    assert_eq!(take(&mut store, &other, 600), Inserted::Added);
    assert_eq!(store.sweep(START + 1600).len(), 1);
    let end = 50 + 10_000 + TOMBSTONE_MARGIN_MS;
    assert_eq!(store.next_sweep(), Some(START + end));
    assert_eq!(store.sweep(START + end), []);
    assert_eq!(store.next_sweep(), None);
    let late = original(1, 11, end, 100);
    assert_eq!(take(&mut store, &late, end), Inserted::Added);
}

#[test]
fn only_so_many_cuts_are_remembered() {
    let quotas = Quotas {
        records: 1,
        ..Quotas::default()
    };
    let mut store = Store::with_quotas(quotas);
    let cuts = RECORD_CUTS as u32;
    for number in 0..cuts + 10 {
        let kind = number.to_string();
        let victim = of_kind(original(1, number, 50, 100_000), &kind);
        take(&mut store, &victim, 60);
        let end = 100_000 + u64::from(number);
        take(&mut store, &deleted(&victim, 2, 55, 1, end), 60);
        let early = of_kind(original(1, number + 10_000, 10, 90), &kind);
        assert_eq!(take(&mut store, &early, 60), Inserted::Added);
        store.sweep(START + 100);
        assert!(store.is_empty());
    }
    assert_eq!(store.cut_pairs.len(), RECORD_CUTS);
    assert_eq!(store.pairs.len(), RECORD_CUTS);
    // Those that end first were forgotten.
    let first = of_kind(original(1, 0, 50, 100_000), "0");
    assert_eq!(take(&mut store, &first, 100), Inserted::Added);
    let last = (cuts + 9).to_string();
    let last = of_kind(original(1, cuts + 9, 50, 100_000), &last);
    assert_eq!(take(&mut store, &last, 100), Inserted::Full);
}

#[test]
fn a_flood_leaves_nothing_behind() {
    let quotas = Quotas {
        records: 20,
        author_bytes: 8000,
        bytes: 60_000,
        beside: 0,
    };
    let mut store = Store::with_quotas(quotas);
    let mut random = Random::new([4; 32]);
    let mut most = 0;
    for number in 0..20_000u32 {
        let now = u64::from(number);
        let creator = 1 + random.below(20) as u8;
        let made = now - random.below(now.min(100) + 1);
        let body = original(creator, number, made, 1500 + random.below(2000));
        let body = with_data(body, vec![0; random.below(200) as usize]);
        // Half have a type of their own.
        let kind = match random.below(2) {
            0 => "note".to_owned(),
            _ => number.to_string(),
        };
        take(&mut store, &of_kind(body, &kind), now);
        if number % 50 == 0 {
            store.sweep(START + now);
        }
        assert!(store.bytes() <= quotas.bytes);
        most = most.max(store.len());
        // Each of at least 133 bytes, one slot each, and no name that is in nobody's record or cut.
        assert!(store.slots.len() <= quotas.bytes as usize / 133 + 1);
        assert!(store.pairs.len() <= store.len() + store.cut_pairs.len());
        assert!(store.creators.len() <= 20);
    }
    assert!(most > 200, "{most}");
    store.sweep(START + 100_000);
    assert!(store.is_empty());
    assert_eq!(store.bytes(), 0);
    assert!(store.pairs.is_empty() && store.creators.is_empty());
    assert!(store.cut_pairs.is_empty() && store.cut_creators.is_empty());
    assert_eq!(store.kinds.iter().count() + store.peers.iter().count(), 0);
    assert_eq!(store.next_sweep(), None);
}
