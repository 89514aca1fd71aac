//! What a store answers, keeps, shows and forgets.
#![allow(clippy::expect_used, reason = "a test stops where something is wrong")]

mod model;
mod order;
mod quotas;

use super::*;
use crate::crypto::FAKE;
use crate::engine::command::{Compare, Search};
use crate::names::GroupId;
use crate::random::Random;
use crate::record::model::{Body, Change, Data, new_id};
use crate::wire::attributes::{Attributes, Value};
use crate::wire::numbers::record as flags;

pub(super) const SCOPE: GroupId = GroupId([9; 32]);
/// A moment to count from, so that lives of every length fit before it.
pub(super) const START: Millis = 1_000_000_000;

pub(super) fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

pub(super) fn id(creator: u8, number: u32) -> RecordId {
    let mut id = new_id(&FAKE, peer(creator), &mut Random::new([0; 32]));
    let (_, own) = id.0.split_at_mut(8);
    own.fill(0);
    let (_, last) = own.split_at_mut(4);
    last.copy_from_slice(&number.to_be_bytes());
    id
}

/// The first version of record `number` of a creator, made at `created` after the start.
pub(super) fn original(creator: u8, number: u32, created: Millis, life: Millis) -> Body {
    Body {
        form: flags::FORM,
        flags: 0,
        id: id(creator, number),
        kind: TypeName::new("note").expect("short"),
        creator: peer(creator),
        created: Stamp::at(START + created),
        change: Change::Original {},
        expires: START + created + life,
        attributes: Attributes::default(),
        data: Data::default(),
    }
}

/// A later version, changed at `at` after the start.
pub(super) fn changed(body: &Body, version: u32, at: Millis, by: u8, expires: Millis) -> Body {
    let at = Stamp::at(START + at);
    let change = if peer(by) == body.creator {
        Change::ByCreator { version, at }
    } else {
        Change::ByOther {
            version,
            at,
            peer: peer(by),
        }
    };
    Body {
        change,
        expires: START + expires,
        ..body.clone()
    }
}

pub(super) fn deleted(body: &Body, version: u32, at: Millis, by: u8, expires: Millis) -> Body {
    Body {
        flags: flags::DELETED,
        attributes: Attributes::default(),
        data: Data::default(),
        ..changed(body, version, at, by, expires)
    }
}

pub(super) fn with_data(body: Body, bytes: Vec<u8>) -> Body {
    Body {
        data: Data::new(bytes).expect("short"),
        ..body
    }
}

pub(super) fn of_kind(body: Body, kind: &str) -> Body {
    Body {
        kind: TypeName::new(kind).expect("short"),
        ..body
    }
}

/// A record of a right form, whatever its signature.
pub(super) fn signed(body: Body) -> (Record, RecordHash) {
    body.check_form(&FAKE, 1 << 20).expect("a right form");
    let record = Record {
        body,
        signature: [7; 64],
    };
    let hash = record.hash(&FAKE, SCOPE);
    (record, hash)
}

/// Offers a version `after` the start: what became of it, and what went.
pub(super) fn offer(store: &mut Store, body: &Body, after: Millis) -> (Inserted, Vec<Gone>) {
    let (record, hash) = signed(body.clone());
    let mut gone = Vec::new();
    let inserted = store.insert(record, hash, START + after, &mut gone);
    (inserted, gone)
}

fn take(store: &mut Store, body: &Body, after: Millis) -> Inserted {
    offer(store, body, after).0
}

fn ids(found: &[&Entry]) -> Vec<RecordId> {
    found.iter().map(|entry| entry.record().body.id).collect()
}

#[test]
fn what_is_offered_is_added_then_updated_then_deleted() {
    let mut store = Store::new();
    let first = original(1, 1, 0, 1000);
    let second = with_data(changed(&first, 2, 10, 1, 1000), vec![1]);
    let tombstone = deleted(&first, 3, 20, 2, 1000);

    assert_eq!(take(&mut store, &first, 0), Inserted::Added);
    assert_eq!(take(&mut store, &first, 0), Inserted::Same);
    let (inserted, gone) = offer(&mut store, &second, 10);
    assert_eq!(inserted, Inserted::Updated);
    let hashes: Vec<_> = gone.iter().map(|g| (g.hash, g.shown, g.held)).collect();
    assert_eq!(hashes, [(signed(first.clone()).1, false, false)]);
    assert_eq!(take(&mut store, &first, 10), Inserted::Older);
    assert_eq!(
        store.get(&first.id).map(|e| e.record().body.clone()),
        Some(second.clone())
    );

    let (inserted, gone) = offer(&mut store, &tombstone, 20);
    assert_eq!(inserted, Inserted::Deleted);
    assert_eq!(gone.len(), 1);
    assert!(store.get(&first.id).is_none());
    assert!(store.any(&first.id).is_some_and(|e| !e.is_shown()));
    assert_eq!(take(&mut store, &second, 20), Inserted::Older);
    assert_eq!(store.len(), 1);
    assert_eq!(store.latest_stamp(), Stamp::at(START + 20));
}

#[test]
fn what_is_deleted_before_it_is_known_is_never_shown() {
    let mut store = Store::new();
    let first = original(1, 1, 0, 1000);
    assert_eq!(
        take(&mut store, &deleted(&first, 2, 20, 1, 1000), 30),
        Inserted::Hidden
    );
    assert_eq!(take(&mut store, &first, 30), Inserted::Older);
    assert!(store.list(None, None).is_empty());
    // A change of the same record that somebody made at the same time can win over it.
    let change = changed(&first, 3, 25, 2, 1000);
    assert_eq!(take(&mut store, &change, 30), Inserted::Added);
    assert!(store.get(&first.id).is_some());
}

#[test]
fn of_two_versions_of_one_number_the_later_wins_then_the_greater_hash() {
    let first = original(1, 1, 0, 1000);
    let early = with_data(changed(&first, 2, 10, 1, 1000), vec![1]);
    let late = with_data(changed(&first, 2, 11, 2, 1000), vec![2]);
    let other = with_data(changed(&first, 2, 11, 2, 1000), vec![3]);
    let greater = if signed(late.clone()).1 > signed(other.clone()).1 {
        late.clone()
    } else {
        other.clone()
    };
    for order in [[&early, &late, &other], [&other, &late, &early]] {
        let mut store = Store::new();
        for body in order {
            take(&mut store, body, 20);
        }
        assert_eq!(
            store.get(&first.id).map(|e| e.record().body.clone()),
            Some(greater.clone())
        );
    }
}

#[test]
fn what_has_ended_is_not_taken() {
    let mut store = Store::new();
    let first = original(1, 1, 0, 100);
    assert_eq!(take(&mut store, &first, 100), Inserted::Ended);
    assert_eq!(take(&mut store, &first, 99), Inserted::Added);
    // A tombstone is remembered a little longer, for clocks that are a little off.
    let tombstone = deleted(&original(1, 2, 0, 100), 2, 10, 1, 100);
    assert_eq!(
        take(&mut store, &tombstone, 100 + TOMBSTONE_MARGIN_MS),
        Inserted::Ended
    );
    assert_eq!(take(&mut store, &tombstone, 100), Inserted::Hidden);
    assert_eq!(store.hashes(START + 100).count(), 0);
}

#[test]
fn a_version_that_ends_early_keeps_older_ones_away_until_their_end() {
    let first = original(1, 1, 0, 1000);
    let shorter = changed(&first, 2, 10, 1, 500);
    let mut store = Store::new();
    take(&mut store, &first, 0);
    take(&mut store, &shorter, 10);
    let gone = store.sweep(START + 500);
    assert_eq!(
        gone.iter().map(|g| (g.shown, g.held)).collect::<Vec<_>>(),
        [(true, true)]
    );
    assert!(store.get(&first.id).is_none());
    assert_eq!(store.hashes(START + 500).count(), 0);
    assert_eq!(take(&mut store, &first, 600), Inserted::Older);
    assert_eq!(store.next_sweep(), Some(START + 1000));
    let gone = store.sweep(START + 1000);
    assert_eq!(
        gone.iter().map(|g| (g.shown, g.held)).collect::<Vec<_>>(),
        [(false, false)]
    );
    assert!(store.is_empty());

    // It came when nothing was known of the older one, whose end is heard of later.
    let mut store = Store::new();
    assert_eq!(take(&mut store, &shorter, 20), Inserted::Added);
    assert_eq!(take(&mut store, &first, 20), Inserted::Raised);
    assert_eq!(
        store.any(&first.id).map(Entry::kept_until),
        Some(START + 1000)
    );
    assert_eq!(take(&mut store, &first, 20), Inserted::Older);

    // It came after its own end, where the older one was held.
    let mut store = Store::new();
    take(&mut store, &first, 600);
    assert_eq!(take(&mut store, &shorter, 600), Inserted::Expired);
    assert!(store.get(&first.id).is_none());
    assert_eq!(take(&mut store, &first, 600), Inserted::Older);
}

#[test]
fn a_tombstone_stays_until_all_it_deletes_has_ended() {
    let first = original(1, 1, 0, 1000);
    let longer = changed(&first, 2, 5, 2, 2000);
    let tombstone = deleted(&first, 3, 10, 1, 1000);
    let mut store = Store::new();
    take(&mut store, &tombstone, 10);
    assert_eq!(take(&mut store, &longer, 20), Inserted::Raised);
    assert!(store.sweep(START + 1000 + TOMBSTONE_MARGIN_MS).is_empty());
    assert_eq!(store.sweep(START + 2000 + TOMBSTONE_MARGIN_MS).len(), 1);
    assert_eq!(store.next_sweep(), None);
}

#[test]
fn nothing_ends_for_the_app_while_nobody_sweeps() {
    let mut store = Store::new();
    let first = original(1, 1, 0, 100);
    take(&mut store, &first, 0);
    assert!(store.get(&first.id).is_some());
    assert_eq!(store.list(Some("note"), Some(peer(1))).len(), 1);
    // But it is not offered to anybody.
    assert_eq!(store.hashes(START + 100).count(), 0);
    assert_eq!(store.sweep(START + 99), []);
    assert_eq!(store.sweep(START + 5000).len(), 1);
    assert!(store.get(&first.id).is_none());
}

#[test]
fn records_are_found_by_each_order() {
    let mut store = Store::new();
    let bodies = [
        of_kind(original(1, 1, 30, 1000), "a"),
        of_kind(original(1, 2, 20, 1000), "b"),
        of_kind(original(2, 3, 10, 1000), "a"),
    ];
    for body in &bodies {
        take(&mut store, body, 40);
    }
    let change = changed(&bodies[2], 2, 50, 1, 1000);
    take(&mut store, &change, 50);
    let [one, two, three] = bodies.each_ref().map(|body| body.id);
    assert_eq!(ids(&store.list(None, None)), [three, two, one]);
    assert_eq!(ids(&store.list(Some("a"), None)), [three, one]);
    assert_eq!(ids(&store.list(None, Some(peer(1)))), [two, one]);
    assert_eq!(ids(&store.list(Some("b"), Some(peer(1)))), [two]);
    assert!(store.list(Some("b"), Some(peer(2))).is_empty());
    assert!(store.list(Some("c"), None).is_empty());
    assert!(store.list(None, Some(peer(3))).is_empty());
    assert_eq!(store.by_author(peer(1)), [two, one, three]);
    assert_eq!(store.by_author(peer(2)), []);
    assert_eq!(store.authors().collect::<Vec<_>>(), [peer(1)]);
    let wanted = |names: &[&str]| {
        let types: Vec<_> = names
            .iter()
            .filter_map(|name| TypeName::new(*name))
            .collect();
        store.ids_by_precedence(&types, START + 60)
    };
    assert_eq!(wanted(&["b", "none", "b"]), [two, three, one]);
    assert_eq!(wanted(&[]), [three, one, two]);
    let since: Vec<_> = store.since(2).map(|e| e.record().body.id).collect();
    assert_eq!(since, [three]);
    assert_eq!(store.insertions(), 4);
    let (_, hash) = signed(change);
    assert_eq!(
        store.by_hash(&hash).map(|e| e.record().body.id),
        Some(three)
    );
    assert!(store.by_hash(&signed(bodies[2].clone()).1).is_none());
    assert!(store.remove(&one).is_some_and(|gone| gone.shown));
    assert_eq!(store.remove(&one), None);
    assert_eq!(ids(&store.list(Some("a"), None)), [three]);
}

#[test]
fn a_search_finds_by_built_in_fields_what_a_look_at_all_finds() {
    let mut store = Store::new();
    for number in 0..40u32 {
        let creator = 1 + (number % 3) as u8;
        let at = u64::from(number) * 10;
        let body = original(creator, number, at, 5000);
        let body = of_kind(body, if number % 4 == 0 { "a" } else { "b" });
        take(&mut store, &body, 400);
        if number % 5 == 0 {
            take(&mut store, &changed(&body, 2, at + 7, 1, 6000), 400);
        }
        if number % 7 == 0 {
            take(&mut store, &deleted(&body, 3, at + 8, 1, 6000), 400);
        }
    }
    let text = |name: &str, value: &str| Search::Clause {
        attribute: name.to_owned(),
        compare: Compare::Equal,
        value: Value::Text(value.to_owned()),
    };
    let date = |name: &str, compare, after: Millis| Search::Clause {
        attribute: name.to_owned(),
        compare,
        value: Value::Date(i64::try_from(START + after).expect("a date")),
    };
    let span = Search::And(vec![
        date("peercreationtime", Compare::Above, 100),
        date("peercreationtime", Compare::AtMost, 200),
    ]);
    let clauses = [
        text("peerrecordid", &id(2, 1).to_string()),
        text("peerrecordid", "nonsense"),
        text("peerrecordtype", "a"),
        text("peerrecordtype", "none"),
        text("peercreatorid", &peer(3).to_string()),
        text("peerlastmodifiedby", &peer(1).to_string()),
        text("peerlastmodifiedby", &peer(8).to_string()),
        date("peercreationtime", Compare::Equal, 100),
        date("peercreationtime", Compare::NotEqual, 100),
        date("peerlastmodificationtime", Compare::Below, 107),
        date("peerlastmodificationtime", Compare::AtLeast, 107),
        span.clone(),
        Search::And(vec![text("peerrecordtype", "b"), span.clone()]),
        Search::Or(vec![text("peerrecordtype", "a"), span.clone()]),
        Search::Or(vec![span]),
    ];
    let mut found = 0;
    for search in clauses {
        crate::record::search::check(&search).expect("a search");
        let all: Vec<_> = store
            .list(None, None)
            .into_iter()
            .filter(|entry| crate::record::search::matches(&search, &entry.record().body))
            .collect();
        assert_eq!(ids(&store.search(&search)), ids(&all), "{search:?}");
        found += all.len();
    }
    assert!(found > 100, "the searches find nothing: {found}");
}

#[test]
fn what_was_held_is_held_again() {
    let first = original(1, 1, 0, 1000);
    let shorter = changed(&first, 2, 10, 1, 500);
    let mut store = Store::new();
    take(&mut store, &first, 0);
    take(&mut store, &shorter, 10);
    store.sweep(START + 600);
    let entry = store.any(&first.id).expect("held");
    let mut again = Store::new();
    let inserted = again.restore(
        entry.record().clone(),
        entry.hash(),
        entry.kept(),
        START + 600,
        &mut Vec::new(),
    );
    assert_eq!(inserted, Inserted::Hidden);
    assert_eq!(take(&mut again, &first, 600), Inserted::Older);
    assert_eq!(again.next_sweep(), Some(START + 1000));
}
