//! What makes a record one that an honest node writes and passes on, and everything that does not.

use super::*;
use crate::crypto::{FAKE, Primitives as _, REAL};
use crate::wire::attributes::Value;
use proptest::prelude::*;

const MADE_MS: Millis = 1_800_000_000_000;
const CREATOR: [u8; 32] = [1; 32];
const SCOPE: GroupId = GroupId([9; 32]);
const MAX: usize = 1024;

fn peer(seed: &[u8; 32]) -> PeerId {
    PeerId(FAKE.public_key(seed))
}

/// A record of one hour that breaks no rule.
fn body() -> Body {
    let creator = peer(&CREATOR);
    Body {
        form: record::FORM,
        flags: 0,
        id: new_id(&FAKE, creator, &mut Random::new([5; 32])),
        kind: TypeName::new("chat").unwrap(),
        creator,
        created: Stamp::at(MADE_MS),
        change: Change::Original {},
        expires: MADE_MS + 3_600_000,
        attributes: Attributes::default(),
        data: Data::new(vec![7; 10]).unwrap(),
    }
}

fn with(edit: impl FnOnce(&mut Body)) -> Body {
    let mut body = body();
    edit(&mut body);
    body
}

fn by_creator(version: u32, at: Stamp) -> Change {
    Change::ByCreator { version, at }
}

fn by_other(version: u32, at: Stamp) -> Change {
    let peer = peer(&[2; 32]);
    Change::ByOther { version, at, peer }
}

fn later(ms: Millis) -> Stamp {
    Stamp::at(MADE_MS + ms)
}

fn bury(body: &mut Body, change: Change) {
    body.flags = record::DELETED;
    body.change = change;
    body.data = Data::default();
}

fn attributes(text: &str) -> Attributes {
    Attributes::new(vec![("a".to_owned(), vec![Value::Text(text.to_owned())])]).unwrap()
}

#[test]
fn what_keeps_the_rules_is_taken() {
    let kept = [
        body(),
        with(|b| b.flags = record::AUTO_REFRESH),
        with(|b| b.change = by_creator(2, Stamp(b.created.0 + 1))),
        with(|b| b.change = by_other(u32::MAX, later(1))),
        with(|b| bury(b, by_creator(2, later(1)))),
        with(|b| bury(b, by_other(3, later(1)))),
        with(|b| b.expires = MADE_MS + 1),
        with(|b| b.expires = MADE_MS + RECORD_LIFE_MS),
        // A change begins a new life.
        with(|b| {
            b.change = by_creator(2, later(1000));
            b.expires = MADE_MS + 1000 + RECORD_LIFE_MS;
        }),
        with(|b| b.kind = TypeName::new("é".repeat(RECORD_TYPE_BYTES / 2)).unwrap()),
        with(|b| b.data = Data::new(vec![0; MAX]).unwrap()),
        // Seven bytes around the text: how many names, the name's length, the name, how many values,
        // the kind, the text's length in two.
        with(|b| {
            b.attributes = attributes(&"x".repeat(MAX - 10 - 7));
        }),
    ];
    for body in kept {
        assert_eq!(body.check_form(&FAKE, MAX), Ok(()), "{body:?}");
    }
}

#[test]
fn every_rule_of_form_is_kept_up() {
    const FORM: &str = "it has a form that is not known";
    const CHANGE: &str = "a change is later than what it changes";
    const BURIED: &str = "it is deleted and carries something";
    const LIFE: &str = "it ends before its last change, or more than 400 days after";
    const LARGE: &str = "it is larger than the group allows";
    let broken = [
        (with(|b| b.form = 0), FORM),
        (with(|b| b.form = record::FORM + 1), FORM),
        (with(|b| b.flags = 4), FORM),
        (with(|b| b.flags = 0x80 | record::AUTO_REFRESH), FORM),
        (with(|b| b.id.0[0] ^= 1), "its id is not of its creator"),
        (with(|b| b.id.0[7] ^= 0x80), "its id is not of its creator"),
        (
            with(|b| b.creator = peer(&[2; 32])),
            "its id is not of its creator",
        ),
        (with(|b| b.kind = TypeName::default()), "it has no type"),
        (with(|b| bury(b, Change::Original {})), "it begins deleted"),
        (
            with(|b| {
                b.change = Change::ByOther {
                    version: 2,
                    at: later(1),
                    peer: b.creator,
                };
            }),
            "its creator is not somebody else",
        ),
        (with(|b| b.change = by_creator(0, later(1))), CHANGE),
        (with(|b| b.change = by_creator(1, later(1))), CHANGE),
        (with(|b| b.change = by_other(1, later(1))), CHANGE),
        (with(|b| b.change = by_creator(2, later(0))), CHANGE),
        (with(|b| b.change = by_other(2, later(0))), CHANGE),
        (
            with(|b| b.change = by_other(2, Stamp(b.created.0 - 1))),
            CHANGE,
        ),
        (
            with(|b| {
                bury(b, by_creator(2, later(1)));
                b.flags |= record::AUTO_REFRESH;
            }),
            BURIED,
        ),
        (
            with(|b| {
                bury(b, by_creator(2, later(1)));
                b.data = Data::new(vec![0]).unwrap();
            }),
            BURIED,
        ),
        (
            with(|b| {
                bury(b, by_other(2, later(1)));
                b.attributes = attributes("");
            }),
            BURIED,
        ),
        (with(|b| b.expires = 0), LIFE),
        (with(|b| b.expires = MADE_MS), LIFE),
        (with(|b| b.expires = MADE_MS + RECORD_LIFE_MS + 1), LIFE),
        (with(|b| b.expires = u64::MAX), LIFE),
        (
            with(|b| {
                b.change = by_creator(2, later(1000));
                b.expires = MADE_MS + 1000;
            }),
            LIFE,
        ),
        (
            with(|b| b.data = Data::new(vec![0; MAX + 1]).unwrap()),
            LARGE,
        ),
        (
            with(|b| b.attributes = attributes(&"x".repeat(MAX - 10 - 6))),
            LARGE,
        ),
    ];
    for (body, why) in broken {
        let error = body.check_form(&FAKE, MAX).unwrap_err();
        assert_eq!(
            error,
            Error::new(Code::InvalidRecord).detail(why),
            "{body:?}"
        );
    }
}

#[test]
fn a_clock_that_stands_still_or_goes_back_still_goes_on() {
    let noon = Stamp::at(MADE_MS);
    assert_eq!(noon.ms(), MADE_MS);
    assert_eq!(noon.next(MADE_MS), Stamp(noon.0 + 1));
    assert_eq!(noon.next(MADE_MS - 5000), Stamp(noon.0 + 1));
    assert_eq!(noon.next(MADE_MS + 1), Stamp::at(MADE_MS + 1));
    // More than 65 536 readings of one millisecond borrow from the next.
    let last = Stamp(noon.0 | 0xffff);
    assert_eq!(last.next(MADE_MS), Stamp::at(MADE_MS + 1));
    // At the end of 48 bits it stays there instead of beginning again.
    assert_eq!(Stamp(u64::MAX).next(0), Stamp(u64::MAX));
    assert_eq!(Stamp::at(1 << 48), Stamp::at((1 << 48) - 1));
}

#[test]
fn versions_are_told_by_their_last_change() {
    let other = peer(&[2; 32]);
    let original = body();
    assert_eq!((original.version(), original.modified()), (1, later(0)));
    assert_eq!(
        (original.modified_by(), original.author()),
        (None, original.creator)
    );
    let own = with(|b| b.change = by_creator(7, later(3)));
    assert_eq!((own.version(), own.modified()), (7, later(3)));
    assert_eq!(
        (own.modified_by(), own.author()),
        (Some(own.creator), own.creator)
    );
    let others = with(|b| b.change = by_other(8, later(4)));
    assert_eq!((others.version(), others.modified()), (8, later(4)));
    assert_eq!(
        (others.modified_by(), others.author()),
        (Some(other), other)
    );
    assert!(!own.is_deleted() && !own.auto_refresh() && !own.is_reserved());
    assert!(with(|b| b.flags = record::DELETED).is_deleted());
    assert!(with(|b| b.flags = record::AUTO_REFRESH).auto_refresh());
    assert!(with(|b| b.kind = TypeName::new(RESERVED).unwrap()).is_reserved());
    assert!(!with(|b| b.kind = TypeName::new("peer-group").unwrap()).is_reserved());
}

#[test]
fn ids_are_bound_to_their_creators_and_never_the_same() {
    let mut random = Random::new([6; 32]);
    let ids: Vec<RecordId> = [1, 1, 2]
        .map(|seed| new_id(&FAKE, peer(&[seed; 32]), &mut random))
        .to_vec();
    assert_eq!(ids[0].0[..8], ids[1].0[..8]);
    assert_ne!(ids[0].0[..8], ids[2].0[..8]);
    assert_ne!(ids[0].0[8..], ids[1].0[8..]);
    assert_eq!(with(|b| b.id = ids[1]).check_form(&FAKE, MAX), Ok(()));
    assert!(with(|b| b.id = ids[2]).check_form(&FAKE, MAX).is_err());
}

#[test]
fn a_signature_holds_in_one_group_and_for_every_bit() {
    let creator = PeerId(REAL.public_key(&CREATOR));
    let made = Record::sign(&REAL, SCOPE, &CREATOR, with(|b| b.creator = creator));
    let holds = |record: &Record, scope| {
        REAL.verify(
            &record.body.author().0,
            &record.signed(scope),
            &record.signature,
        )
    };
    assert!(holds(&made, SCOPE));
    assert!(!holds(&made, GroupId([8; 32])));
    let bytes = made.body.to_bytes();
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        if let Ok(body) = Body::from_bytes(&bytes) {
            let signature = made.signature;
            let record = Record { body, signature };
            assert!(!holds(&record, SCOPE), "byte {at} is not signed");
        }
    }
}

#[test]
fn a_version_is_named_by_what_is_signed_and_where() {
    let made = Record::sign(&FAKE, SCOPE, &CREATOR, body());
    let hash = made.hash(&FAKE, SCOPE);
    let resigned = Record {
        signature: [0; 64],
        ..made.clone()
    };
    assert_eq!(resigned.hash(&FAKE, SCOPE), hash);
    assert_ne!(made.hash(&FAKE, GroupId([8; 32])), hash);
    let other = Record::sign(&FAKE, SCOPE, &CREATOR, with(|b| b.expires += 1));
    assert_ne!(other.hash(&FAKE, SCOPE), hash);
    let order = made.order(hash);
    assert_eq!(
        (order.version, order.modified, order.hash),
        (1, later(0), hash)
    );
}

fn any_order() -> impl Strategy<Value = Order> {
    // Few values of each, so that all kinds of ties are met.
    (0..3u32, 0..3u64, 0..3u8).prop_map(|(version, modified, hash)| Order {
        version,
        modified: Stamp(modified),
        hash: RecordHash([hash; 32]),
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Original {}),
        (any::<u32>(), any::<u64>()).prop_map(|(version, at)| by_creator(version, Stamp(at))),
        (any::<u32>(), any::<u64>()).prop_map(|(version, at)| by_other(version, Stamp(at))),
    ]
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let value = prop_oneof![
        ".{0,8}".prop_map(Value::Text),
        (-1000..1000i64).prop_map(Value::Number),
        (-1000..1000i64).prop_map(Value::Date),
    ];
    let values = proptest::collection::vec(value, 1..4);
    proptest::collection::btree_map("[a-z0-9]{1,5}", values, 0..4)
        .prop_map(|named| Attributes::new(named.into_iter().collect()).unwrap())
}

prop_compose! {
    /// Anything that can be written down, by the rules of form or not.
    fn any_record()(
        (form, flags, id) in any::<(u8, u8, [u8; 16])>(),
        kind in ".{0,16}",
        (creator, created, expires) in any::<([u8; 32], u64, u64)>(),
        change in any_change(),
        attributes in any_attributes(),
        data in proptest::collection::vec(any::<u8>(), 0..40),
        signature in any::<[u8; 64]>(),
    ) -> Record {
        let body = Body {
            form,
            flags,
            id: RecordId(id),
            kind: TypeName::new(kind).unwrap(),
            creator: PeerId(creator),
            created: Stamp(created),
            change,
            expires,
            attributes,
            data: Data::new(data).unwrap(),
        };
        Record { body, signature }
    }
}

proptest! {
    #[test]
    fn records_read_back(record in any_record()) {
        prop_assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }

    /// Bytes that are nearly a record, which random ones never are.
    #[test]
    fn whatever_is_read_is_written_the_same(
        record in any_record(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut bytes = record.to_bytes();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(read) = Record::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }

    #[test]
    fn versions_are_in_one_order(a in any_order(), b in any_order()) {
        let places = |order: &Order| (order.version, order.modified.0, order.hash.0);
        prop_assert_eq!(a.cmp(&b), places(&a).cmp(&places(&b)));
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
    }

    #[test]
    fn the_winner_does_not_depend_on_who_came_first(
        mut orders in proptest::collection::vec(any_order(), 1..8),
        turn: prop::sample::Index,
    ) {
        let keep = |orders: &[Order]| {
            orders.iter().copied().reduce(|kept, next| if next > kept { next } else { kept })
        };
        let winner = keep(&orders);
        let turn = turn.index(orders.len());
        orders.rotate_left(turn);
        prop_assert_eq!(keep(&orders), winner);
        orders.reverse();
        prop_assert_eq!(keep(&orders), winner);
    }

    #[test]
    fn the_next_reading_is_the_first_that_is_late_enough(at in 0..1u64 << 62, now in 0..1u64 << 46) {
        let (at, now) = (Stamp(at), now);
        let next = at.next(now);
        prop_assert!(next > at && next.ms() >= now);
        let before = Stamp(next.0 - 1);
        prop_assert!(before == at || before.ms() < now);
    }

    #[test]
    fn readings_are_in_the_order_of_their_bytes(a: u64, b: u64) {
        let (left, right) = (Stamp(a), Stamp(b));
        prop_assert_eq!(left.cmp(&right), left.to_bytes().cmp(&right.to_bytes()));
        prop_assert_eq!(Stamp::from_bytes(&left.to_bytes()), Ok(left));
    }
}
