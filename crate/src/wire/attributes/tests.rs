//! What attributes an app may give, and that only those, written in one way, are read.

use super::*;
use proptest::prelude::*;

/// What an app gives.
type Given = Vec<(String, Vec<Value>)>;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn named(names: &[(&str, &[Value])]) -> Given {
    let own = |(name, values): &(&str, &[Value])| ((*name).to_owned(), values.to_vec());
    names.iter().map(own).collect()
}

fn numbers(count: usize) -> Vec<Value> {
    vec![Value::Number(0); count]
}

#[test]
fn what_the_rules_allow_is_taken() {
    let longest = "a1".repeat(ATTRIBUTE_NAME_CHARS / 2);
    let kept: &[&[(&str, &[Value])]] = &[
        &[],
        &[("0", &[text("")])],
        &[(&longest, &[text(&"é".repeat(ATTRIBUTE_VALUE_BYTES / 2))])],
        &[(
            "n",
            &[Value::Number(SAFE_INTEGER), Value::Number(-SAFE_INTEGER)],
        )],
        &[(
            "d",
            &[Value::Date(LATEST_DATE_MS), Value::Date(-LATEST_DATE_MS)],
        )],
        &[("same", &[text("x"), text("x"), Value::Number(1)])],
        // Names are told apart by case, and only the exact names of built-in fields are taken.
        &[
            ("a", &[text("")]),
            ("A", &[text("")]),
            ("PeerRecordId", &[text("")]),
        ],
        &[("most", &numbers(ATTRIBUTE_VALUES))],
    ];
    for names in kept {
        let given = named(names);
        let mut in_order = given.clone();
        in_order.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        let made = Attributes::new(given).unwrap();
        let held: Given = made
            .iter()
            .map(|(name, values)| (name.to_owned(), values.to_vec()))
            .collect();
        assert_eq!(held, in_order);
        assert_eq!(made.is_empty(), names.is_empty());
        assert_eq!(Attributes::from_bytes(&made.to_bytes()), Ok(made));
    }
}

#[test]
fn values_are_found_by_name() {
    let made = Attributes::new(named(&[
        ("b", &[Value::Number(2), text("two")]),
        ("a", &[Value::Date(1)]),
    ]))
    .unwrap();
    assert_eq!(made.get("b"), [Value::Number(2), text("two")]);
    assert_eq!(made.get("a"), [Value::Date(1)]);
    assert_eq!(made.get("c"), []);
    assert_eq!(made.get("B"), []);
}

#[test]
fn they_count_for_what_they_take_up() {
    assert_eq!(Attributes::default().size(), 0);
    let made = Attributes::new(named(&[("ab", &[text("xyz"), Value::Number(-1)])])).unwrap();
    // One name: its length, itself, two values; a kind, a length and a text; a kind and a number.
    assert_eq!(made.size(), 1 + (1 + 2 + 1) + (1 + 1 + 3) + (1 + 1));
}

#[test]
fn too_many_values_are_told_from_other_faults() {
    let many = [
        named(&[("a", &numbers(ATTRIBUTE_VALUES + 1))]),
        named(&[("a", &numbers(ATTRIBUTE_VALUES)), ("b", &numbers(1))]),
        // Said first, whatever else is wrong.
        named(&[("", &numbers(ATTRIBUTE_VALUES + 1))]),
    ];
    for given in many {
        let error = Attributes::new(given).unwrap_err();
        assert_eq!(
            error,
            Error::new(Code::TooManyAttributes).detail("129 values of 128 at most")
        );
    }
}

#[test]
fn every_fault_of_names_and_values_is_named() {
    let one = [text("x")];
    let long_name = "a".repeat(ATTRIBUTE_NAME_CHARS + 1);
    let long_text = [text("x"), text(&"é".repeat(ATTRIBUTE_VALUE_BYTES / 2 + 1))];
    let letters = |name: &str| format!("a name has 1 to 40 letters and digits: {name:?}");
    let mut faults: Vec<(Given, String)> = BUILT_IN
        .iter()
        .map(|name| {
            let why = format!("{name} names a field that every record has");
            (named(&[("a", &one), (name, &one)]), why)
        })
        .collect();
    for name in ["", "a b", "a-b", "a_b", "é", "a\n", "ａ", &long_name] {
        faults.push((named(&[(name, &one)]), letters(name)));
    }
    let no_number = "n: not a safe integer".to_owned();
    let no_date = "d: not a date".to_owned();
    for number in [SAFE_INTEGER + 1, -SAFE_INTEGER - 1, i64::MAX, i64::MIN] {
        faults.push((named(&[("n", &[Value::Number(number)])]), no_number.clone()));
    }
    for ms in [LATEST_DATE_MS + 1, -LATEST_DATE_MS - 1, i64::MAX, i64::MIN] {
        faults.push((named(&[("d", &[Value::Date(ms)])]), no_date.clone()));
    }
    faults.push((
        named(&[("t", &long_text)]),
        "t: a text has at most 4096 bytes".to_owned(),
    ));
    faults.push((
        named(&[("a", &one), ("none", &[])]),
        "none has no value: leave it out".to_owned(),
    ));
    faults.push((
        named(&[("a", &one), ("b", &one), ("a", &[text("y")])]),
        "a stands twice: give it a list of values".to_owned(),
    ));
    for (given, why) in faults {
        let error = Attributes::new(given.clone()).unwrap_err();
        assert_eq!(
            error,
            Error::new(Code::InvalidAttributes).detail(why),
            "{given:?}"
        );
    }
}

/// The encoding of names with their values, by the rules of order and content or not.
fn written(names: &[(&str, &[Value])]) -> Vec<u8> {
    Attributes(named(names)).to_bytes()
}

#[test]
fn what_the_rules_do_not_allow_is_not_read() {
    let one: &[Value] = &[Value::Number(0)];
    let long_name = "a".repeat(ATTRIBUTE_NAME_CHARS + 1);
    let mut refused = vec![
        written(&[("b", one), ("a", one)]),
        written(&[("a", one), ("a", one)]),
        written(&[("a", one), ("B", one)]),
        written(&[("", one)]),
        written(&[("a b", one)]),
        written(&[("é", one)]),
        written(&[(&long_name, one)]),
        written(&[("a", &[])]),
        written(&[("a", &numbers(ATTRIBUTE_VALUES + 1))]),
        written(&[("a", &numbers(ATTRIBUTE_VALUES)), ("b", one)]),
        written(&[("a", &[text(&"x".repeat(ATTRIBUTE_VALUE_BYTES + 1))])]),
        written(&[("a", &[Value::Number(SAFE_INTEGER + 1)])]),
        written(&[("a", &[Value::Number(-SAFE_INTEGER - 1)])]),
        written(&[("a", &[Value::Date(LATEST_DATE_MS + 1)])]),
        written(&[("a", &[Value::Date(-LATEST_DATE_MS - 1)])]),
        // A name that is not UTF-8, a text that is not, kinds that are not known, a number written
        // longer than it need be, and something behind the end.
        vec![1, 1, 0xff, 1, value::NUMBER, 0],
        vec![1, 1, b'a', 1, value::TEXT, 1, 0xff],
        vec![1, 1, b'a', 1, 0, 0],
        vec![1, 1, b'a', 1, value::DATE + 1, 0],
        vec![1, 1, b'a', 1, value::NUMBER, 0x80, 0],
        vec![1, 1, b'a', 1, value::NUMBER, 0, 0],
        vec![0x81, 0, 1, b'a', 1, value::NUMBER, 0],
    ];
    refused.extend(BUILT_IN.map(|name| written(&[(name, one)])));
    // More names than there may be values: refused before any is read.
    refused.push((ATTRIBUTE_VALUES as u64 + 1).to_bytes());
    for bytes in refused {
        assert_eq!(Attributes::from_bytes(&bytes), Err(Malformed), "{bytes:?}");
    }
    // The sound ones that the faults were made from.
    for bytes in [
        written(&[("B", one), ("a", one)]),
        written(&[("a", &numbers(ATTRIBUTE_VALUES - 1)), ("b", one)]),
        vec![1, 1, b'a', 1, value::NUMBER, 0],
        vec![1, 1, b'a', 1, value::TEXT, 1, b'x'],
    ] {
        assert!(Attributes::from_bytes(&bytes).is_ok(), "{bytes:?}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".{0,12}".prop_map(Value::Text),
        (-SAFE_INTEGER..=SAFE_INTEGER).prop_map(Value::Number),
        (-LATEST_DATE_MS..=LATEST_DATE_MS).prop_map(Value::Date),
    ]
}

fn any_names() -> impl Strategy<Value = Given> {
    let values = proptest::collection::vec(any_value(), 1..5);
    proptest::collection::btree_map("[a-zA-Z0-9]{1,40}", values, 0..6)
        .prop_map(|names| names.into_iter().collect())
}

proptest! {
    #[test]
    fn they_are_written_in_one_way_whatever_order_they_are_given_in(
        names in any_names().prop_flat_map(|names| (Just(names.clone()), Just(names).prop_shuffle())),
    ) {
        let (ordered, shuffled) = names;
        let made = Attributes::new(ordered).unwrap();
        prop_assert_eq!(&Attributes::new(shuffled).unwrap(), &made);
        prop_assert_eq!(Attributes::from_bytes(&made.to_bytes()), Ok(made));
    }

    /// Bytes that are nearly attributes, which random ones seldom are.
    #[test]
    fn what_is_read_could_have_been_given_and_is_written_the_same(
        names in any_names(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut bytes = Attributes::new(names).unwrap().to_bytes();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        if let Ok(read) = Attributes::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
            let names = read.iter().map(|(name, values)| (name.to_owned(), values.to_vec()));
            prop_assert_eq!(Attributes::new(names.collect()).ok(), Some(read.clone()));
        }
    }
}
