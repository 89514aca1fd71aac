//! Golden bytes of records: worked out by hand from the rules in `wire/codec.rs`, so that a change of
//! format is a change of this file. What is hashed and signed was hashed and signed by another
//! program.

// A value that does not fit its type is a fault of the test.
#![allow(clippy::expect_used)]

mod golden;

use golden::{bytes, golden};
use peer_group::crypto::{Primitives as _, REAL};
use peer_group::names::{GroupId, PeerId, RecordHash, RecordId};
use peer_group::random::Random;
use peer_group::record::model::{Body, Change, Data, Record, Stamp, TypeName, new_id};
use peer_group::wire::attributes::{Attributes, LATEST_DATE_MS, SAFE_INTEGER, Value};
use peer_group::wire::codec::Wire;
use peer_group::wire::numbers::record;
use proptest::prelude::*;

/// In bytes of 48 bits: 01 a3 18 5c 50 00.
const MADE_MS: u64 = 1_800_000_000_000;
const SEED: [u8; 32] = [1; 32];
const SCOPE: GroupId = GroupId([8; 32]);

/// The public half of `SEED`.
const CREATOR: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
/// The first bytes of the SHA-512 of "record" and the creator.
const CREATOR_HALF: &str = "88318108c122aaa6";

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn attributes(named: &[(&str, &[Value])]) -> Attributes {
    let own = |(name, values): &(&str, &[Value])| ((*name).to_owned(), values.to_vec());
    Attributes::new(named.iter().map(own).collect()).expect("allowed")
}

/// Never changed, without attributes.
fn body() -> Body {
    let id = bytes(&format!("{CREATOR_HALF} 0102030405060708"));
    Body {
        form: record::FORM,
        flags: record::AUTO_REFRESH,
        id: RecordId(id.try_into().expect("16 bytes")),
        kind: TypeName::new("chat").expect("short"),
        creator: PeerId(bytes(CREATOR).try_into().expect("32 bytes")),
        created: Stamp(MADE_MS << 16 | 7),
        change: Change::Original {},
        expires: MADE_MS + 86_400_000,
        attributes: Attributes::default(),
        data: Data::new(vec![9, 9]).expect("small"),
    }
}

fn body_bytes() -> String {
    let head = format!("01 02 {CREATOR_HALF} 0102030405060708 04 63686174 {CREATOR}");
    format!("{head} 01a3185c50000007 00 80d88aecb134 00 02 0909")
}

#[test]
fn values() {
    golden(&text(""), "01 00");
    golden(&text("hé"), "01 03 68c3a9");
    golden(&text(&"x".repeat(200)), "01 c801 78*200");
    // Integers go 0, -1, 1, -2 ... so that small ones of either sign are short.
    golden(&Value::Number(0), "02 00");
    golden(&Value::Number(-1), "02 01");
    golden(&Value::Number(1), "02 02");
    golden(&Value::Number(-64), "02 7f");
    golden(&Value::Number(64), "02 8001");
    golden(&Value::Number(SAFE_INTEGER), "02 fe ff*6 1f");
    golden(&Value::Number(-SAFE_INTEGER), "02 fd ff*6 1f");
    golden(&Value::Date(0), "03 00");
    golden(&Value::Date(MADE_MS as i64), "03 80c0e285e368");
    golden(&Value::Date(LATEST_DATE_MS), "03 8080e0ad9882d91e");
    golden(&Value::Date(-LATEST_DATE_MS), "03 ffffdfad9882d91e");
    // One beyond the last safe integer and the last date, and kinds that there are not.
    for refused in [
        "02 80*7 20",
        "02 ff*7 1f",
        "03 8280e0ad9882d91e",
        "00 00",
        "04 00",
    ] {
        assert!(Value::from_bytes(&bytes(refused)).is_err(), "{refused}");
    }
}

#[test]
fn attributes_in_order_of_their_names() {
    golden(&Attributes::default(), "00");
    let given = attributes(&[
        ("b", &[text("x"), Value::Number(-2)]),
        ("a1", &[Value::Date(1)]),
        ("B", &[text("")]),
    ]);
    golden(
        &given,
        "03 01 42 01 0100 02 6131 01 0302 01 62 02 010178 0203",
    );
}

#[test]
fn clocks() {
    golden(&Stamp(0), "00*8");
    golden(&Stamp::at(MADE_MS), "01a3185c5000 0000");
    golden(&Stamp((MADE_MS + 1) << 16 | 0xffff), "01a3185c5001 ffff");
}

#[test]
fn changes() {
    let at = Stamp(MADE_MS << 16 | 1);
    golden(&Change::Original {}, "00");
    golden(
        &Change::ByCreator { version: 300, at },
        "01 ac02 01a3185c50000001",
    );
    let change = Change::ByOther {
        version: 2,
        at,
        peer: PeerId([6; 32]),
    };
    golden(&change, "02 02 01a3185c50000001 06*32");
}

#[test]
fn records() {
    golden(&body(), &body_bytes());
    let tombstone = Body {
        flags: record::DELETED,
        change: Change::ByCreator {
            version: 2,
            at: Stamp::at(MADE_MS + 1),
        },
        data: Data::default(),
        ..body()
    };
    let head = format!("01 01 {CREATOR_HALF} 0102030405060708 04 63686174 {CREATOR}");
    golden(
        &tombstone,
        &format!("{head} 01a3185c50000007 01 02 01a3185c50010000 80d88aecb134 00 00"),
    );
    let carrying = Record {
        body: Body {
            attributes: attributes(&[("a", &[text("x")])]),
            data: Data::new(vec![5; 200]).expect("small"),
            ..body()
        },
        signature: [4; 64],
    };
    let head = format!("01 02 {CREATOR_HALF} 0102030405060708 04 63686174 {CREATOR}");
    golden(
        &carrying,
        &format!("{head} 01a3185c50000007 00 80d88aecb134 01 01 61 01 010178 c801 05*200 04*64"),
    );
}

#[test]
fn ids_begin_with_their_creator() {
    let id = new_id(&REAL, body().creator, &mut Random::new([0; 32]));
    assert_eq!(id.0[..8], bytes(CREATOR_HALF));
}

#[test]
fn what_is_signed_names_purpose_and_group() {
    let made = Record::sign(&REAL, SCOPE, &SEED, body());
    // "peer-group/1/record" and a zero, the group, the body.
    let label = "706565722d67726f75702f312f7265636f7264 00";
    let signed = bytes(&format!("{label} 08*32 {}", body_bytes()));
    assert_eq!(made.signed(SCOPE), signed);
    let hash = bytes("db0ff72903e2adeb1c426e5bc116fe30d9626e17f046a410104563a36cedf6c3");
    let hash = RecordHash(hash.try_into().expect("32 bytes"));
    assert_eq!(made.hash(&REAL, SCOPE), hash);
    let signature = "dfa44e25b61e05ae20ad7b462bdc60c7a7184385ba348d6c239954b27b20d3ec \
                     0bb56859cc1ceb9270009e8e2227b13b5069390dd3501238c8c59dcc797d7e0f";
    assert_eq!(made.signature.as_slice(), bytes(signature));
    assert!(REAL.verify(&made.body.author().0, &signed, &made.signature));
    golden(&made, &format!("{} {signature}", body_bytes()));
}

fn one<T: Wire>(input: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = T::from_bytes(input) {
        prop_assert_eq!(value.to_bytes(), input);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn random_bytes_never_panic_and_have_one_spelling(
        input in proptest::collection::vec(any::<u8>(), 0..400),
        kind in 0u8..5,
    ) {
        let mut input = input;
        // Half of them begin like a value or a change, so that more is read than the first byte.
        if input.len() > 2 && input[0] & 1 == 0 {
            input[0] = kind;
            input[1] &= 0x0f;
        }
        one::<Record>(&input)?;
        one::<Body>(&input)?;
        one::<Change>(&input)?;
        one::<Attributes>(&input)?;
        one::<Value>(&input)?;
        one::<Stamp>(&input)?;
        // Behind a sound head, what stands in the way of random bytes is only what varies.
        let head = bytes(&body_bytes());
        let (head, _) = head.split_at(head.len() - 4);
        one::<Body>(&[head, &input].concat())?;
    }
}
