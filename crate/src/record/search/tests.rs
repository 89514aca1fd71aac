//! Each rule of searching.
#![allow(clippy::expect_used, reason = "a test stops where something is wrong")]

use super::*;
use crate::limits::{ATTRIBUTE_NAME_CHARS, ATTRIBUTE_VALUE_BYTES};
use crate::record::model::{Change, Data, Stamp, TypeName};
use crate::wire::attributes::Attributes;
use proptest::prelude::*;

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn body() -> Body {
    let attributes = vec![
        ("color".to_owned(), vec![text("red"), text("blue")]),
        ("size".to_owned(), vec![Value::Number(3), text("3")]),
        ("due".to_owned(), vec![Value::Date(1000)]),
        ("word".to_owned(), vec![text("Straße*\\?")]),
    ];
    Body {
        form: 1,
        flags: 0,
        id: RecordId([0xab; 16]),
        kind: TypeName::new("note").expect("short"),
        creator: PeerId([1; 32]),
        created: Stamp(5000 << 16 | 7),
        change: Change::ByOther {
            version: 2,
            at: Stamp::at(6000),
            peer: PeerId([2; 32]),
        },
        expires: 9000,
        attributes: Attributes::new(attributes).expect("attributes"),
        data: Data::default(),
    }
}

fn clause(attribute: &str, compare: Compare, value: Value) -> Search {
    Search::Clause {
        attribute: attribute.to_owned(),
        compare,
        value,
    }
}

fn finds(attribute: &str, compare: Compare, value: Value) -> bool {
    let search = clause(attribute, compare, value);
    assert_eq!(check(&search), Ok(()), "{search:?}");
    matches(&search, &body())
}

fn refused(search: &Search) -> Option<Code> {
    check(search).err().map(|error| error.code)
}

#[test]
fn any_value_of_an_attribute_may_match() {
    use Compare::{Equal, NotEqual};
    assert!(finds("color", Equal, text("red")));
    assert!(finds("color", Equal, text("blue")));
    assert!(!finds("color", Equal, text("Red")));
    assert!(finds("color", NotEqual, text("red")), "blue is not red");
    assert!(!finds("due", NotEqual, Value::Date(1000)));
    assert!(!finds("none", Equal, text("red")));
    assert!(!finds("none", NotEqual, text("red")), "there is no value");
    assert!(
        !finds("Color", Equal, text("red")),
        "names have one spelling"
    );
}

#[test]
fn values_of_other_kinds_never_match() {
    use Compare::{AtLeast, Equal, NotEqual};
    assert!(finds("size", Equal, Value::Number(3)));
    assert!(finds("size", Equal, text("3")));
    assert!(!finds("size", Equal, Value::Date(3)));
    assert!(!finds("size", NotEqual, Value::Date(4)));
    assert!(!finds("due", Equal, Value::Number(1000)));
    assert!(!finds("due", AtLeast, text("")));
    assert!(!finds("color", NotEqual, Value::Number(1)));
}

#[test]
fn comparisons_are_by_number_by_time_and_by_bytes() {
    use Compare::{Above, AtLeast, AtMost, Below};
    for (compare, less, same, more) in [
        (Below, false, false, true),
        (AtMost, false, true, true),
        (Above, true, false, false),
        (AtLeast, true, true, false),
    ] {
        for (at, expected) in [(999, less), (1000, same), (1001, more)] {
            assert_eq!(finds("due", compare, Value::Date(at)), expected);
        }
        for (than, expected) in [(-3, less), (3, same), (20, more)] {
            assert_eq!(finds("size", compare, Value::Number(than)), expected);
        }
        // "9" is above "10", and every letter beyond ASCII is above it.
        for (than, expected) in [("10", less), ("3", same), ("30", more), ("é", more)] {
            assert_eq!(finds("size", compare, text(than)), expected, "{than}");
        }
    }
}

#[test]
fn every_field_of_a_record_can_be_searched() {
    use Compare::{Above, Below, Equal, Like, NotEqual};
    assert!(finds(
        "peercreatorid",
        Equal,
        text(&PeerId([1; 32]).to_string())
    ));
    assert!(!finds(
        "peercreatorid",
        Equal,
        text(&PeerId([2; 32]).to_string())
    ));
    assert!(finds(
        "peerlastmodifiedby",
        Equal,
        text(&PeerId([2; 32]).to_string())
    ));
    assert!(finds("peercreationtime", Equal, Value::Date(5000)));
    assert!(finds("peerlastmodificationtime", Equal, Value::Date(6000)));
    assert!(finds("peerlastmodificationtime", Above, Value::Date(5999)));
    assert!(!finds("peerlastmodificationtime", Below, Value::Date(-1)));
    assert!(finds("peerrecordid", Equal, text(&"ab".repeat(16))));
    assert!(!finds("peerrecordid", Equal, text(&"AB".repeat(16))));
    assert!(finds("peerrecordtype", Equal, text("note")));
    assert!(finds("peerrecordtype", NotEqual, text("other")));
    assert!(finds("peerrecordtype", Like, text("n*")));
}

#[test]
fn nobody_changed_a_first_version() {
    let mut first = body();
    first.change = Change::Original {};
    let by = |compare| clause("peerlastmodifiedby", compare, text("x"));
    assert!(!matches(&by(Compare::NotEqual), &first));
    assert!(matches(&by(Compare::NotEqual), &body()));
    let since = clause(
        "peerlastmodificationtime",
        Compare::Equal,
        Value::Date(5000),
    );
    assert!(matches(&since, &first));
}

#[test]
fn patterns_fit_whole_texts() {
    for (pattern, fits) in [
        ("red", true),
        ("re", false),
        ("r*", true),
        ("*d", true),
        ("*", true),
        ("**", true),
        ("r?d", true),
        ("r??", true),
        ("r?", false),
        ("?red", false),
        ("*r*e*d*", true),
        ("*x*", false),
        ("b*u*", true),
        ("", false),
    ] {
        assert_eq!(
            finds("color", Compare::Like, text(pattern)),
            fits,
            "{pattern}"
        );
    }
    for (pattern, fits) in [
        ("Stra?e\\*\\\\\\?", true),
        ("Stra??e*", false),
        ("*\\*\\\\\\?", true),
        ("*\\**", true),
        ("*\\?", true),
        ("*\\\\", false),
        ("*\\*", false),
    ] {
        assert_eq!(
            finds("word", Compare::Like, text(pattern)),
            fits,
            "{pattern}"
        );
    }
    assert!(!finds("due", Compare::Like, text("*")), "a date is no text");
}

#[test]
fn a_backslash_stands_before_what_it_protects() {
    for pattern in ["\\", "a\\", "\\a", "*\\n", "\\\\\\"] {
        let search = clause("color", Compare::Like, text(pattern));
        assert_eq!(refused(&search), Some(Code::InvalidArgument), "{pattern}");
        // Elsewhere it is a letter like any other.
        assert_eq!(
            refused(&clause("color", Compare::Equal, text(pattern))),
            None
        );
    }
}

#[test]
fn all_and_any() {
    let yes = || clause("color", Compare::Equal, text("red"));
    let no = || clause("color", Compare::Equal, text("green"));
    let found = |search: Search| {
        assert_eq!(check(&search), Ok(()));
        matches(&search, &body())
    };
    assert!(found(Search::And(vec![yes(), yes()])));
    assert!(!found(Search::And(vec![yes(), no()])));
    assert!(found(Search::Or(vec![no(), yes()])));
    assert!(!found(Search::Or(vec![no(), no()])));
    assert!(found(Search::And(vec![
        Search::Or(vec![no(), yes()]),
        yes()
    ])));
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let one = || clause("color", Compare::Equal, text("red"));
    let deep = |levels| (0..levels).fold(one(), |inner, _| Search::And(vec![inner]));
    let invalid = Some(Code::InvalidSearch);
    assert_eq!(refused(&Search::And(vec![])), invalid);
    assert_eq!(refused(&Search::Or(vec![])), invalid);
    assert_eq!(
        refused(&Search::And(vec![one(), Search::Or(vec![])])),
        invalid
    );
    assert_eq!(refused(&deep(SEARCH_DEPTH)), None);
    assert_eq!(refused(&deep(SEARCH_DEPTH + 1)), invalid);
    let many = |count| Search::Or(vec![Search::And(vec![one(); count / 2]); 2]);
    assert_eq!(refused(&many(SEARCH_CLAUSES)), None);
    assert_eq!(refused(&many(SEARCH_CLAUSES + 2)), invalid);
    for name in ["", "with space", "ä", &"a".repeat(ATTRIBUTE_NAME_CHARS + 1)] {
        let search = clause(name, Compare::Equal, text("x"));
        assert_eq!(refused(&search), invalid, "{name}");
    }
    for (name, compare, value) in [
        ("color", Compare::Like, Value::Number(1)),
        ("color", Compare::Like, Value::Date(1)),
        ("color", Compare::Equal, Value::Number(1 << 53)),
        ("color", Compare::Equal, Value::Date(i64::MAX)),
        (
            "color",
            Compare::Equal,
            text(&"x".repeat(ATTRIBUTE_VALUE_BYTES + 1)),
        ),
        ("peercreationtime", Compare::Above, text("2026-01-31")),
        ("peerlastmodificationtime", Compare::Above, Value::Number(1)),
        ("peerrecordtype", Compare::Equal, Value::Number(1)),
        ("peercreatorid", Compare::Equal, Value::Date(1)),
        ("peerlastmodifiedby", Compare::Equal, Value::Date(1)),
        ("peerrecordid", Compare::Equal, Value::Number(1)),
    ] {
        let search = clause(name, compare, value);
        assert_eq!(refused(&search), invalid, "{search:?}");
    }
}

#[test]
fn the_worst_pattern_is_done_in_time() {
    let text = "a".repeat(ATTRIBUTE_VALUE_BYTES);
    let pattern = "*a".repeat(ATTRIBUTE_VALUE_BYTES / 2) + "b";
    // Where every `*` is tried with every length this does not end.
    assert!(!is_like(&text, &pattern));
}

/// Patterns as they are defined, which takes exponential time.
fn defined(text: &[char], pattern: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['*', rest @ ..], text) => (0..=text.len()).any(|n| defined(&text[n..], rest)),
        (['?', rest @ ..], [_, text @ ..]) => defined(text, rest),
        (['\\', letter, rest @ ..], [own, text @ ..]) => own == letter && defined(text, rest),
        ([letter, rest @ ..], [own, text @ ..]) => own == letter && defined(text, rest),
        (_, []) => false,
    }
}

proptest! {
    #[test]
    fn patterns_do_what_they_are_defined_to(text in "[aä*?]{0,8}", pattern in "([aä*?*]|\\\\\\*|\\\\\\?|\\\\\\\\){0,8}") {
        check_pattern(&pattern).expect("escapes are whole");
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(is_like(&text, &pattern), defined(&chars(&text), &chars(&pattern)));
    }
}
