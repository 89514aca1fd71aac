//! Searching records by their attributes and built-in fields.

use super::model::Body;
use crate::engine::command::{Compare, Search};
use crate::error::{Code, Error};
use crate::limits::{SEARCH_CLAUSES, SEARCH_DEPTH};
use crate::names::{PeerId, RecordId};
use crate::time::Millis;
use crate::wire::attributes::{BUILT_IN, Value, is_name};
use core::cmp::Ordering;
use core::str::Chars;

const CREATOR: &str = "peercreatorid";
const MODIFIER: &str = "peerlastmodifiedby";
const CREATED: &str = "peercreationtime";
const MODIFIED: &str = "peerlastmodificationtime";
const ID: &str = "peerrecordid";
const KIND: &str = "peerrecordtype";

/// Whether a search is one that can be made.
pub fn check(search: &Search) -> Result<(), Error> {
    let mut clauses = SEARCH_CLAUSES;
    check_part(search, SEARCH_DEPTH, &mut clauses)
}

fn check_part(search: &Search, depth: usize, clauses: &mut usize) -> Result<(), Error> {
    let invalid = |why: &str| Err(Error::new(Code::InvalidSearch).detail(why));
    match search {
        Search::And(parts) | Search::Or(parts) => {
            if parts.is_empty() {
                return invalid("`and` and `or` hold at least one clause");
            }
            let Some(depth) = depth.checked_sub(1) else {
                return invalid("its clauses are nested too deeply");
            };
            parts
                .iter()
                .try_for_each(|part| check_part(part, depth, clauses))
        }
        Search::Clause {
            attribute,
            compare,
            value,
        } => {
            let Some(left) = clauses.checked_sub(1) else {
                return invalid("it has too many clauses");
            };
            *clauses = left;
            if !is_name(attribute) {
                return invalid("an attribute's name has 1 to 40 letters and digits");
            }
            let is_text = matches!(value, Value::Text(_));
            if *compare == Compare::Like && !is_text {
                return invalid("a pattern is a text");
            }
            let is_date = matches!(value, Value::Date(_));
            match attribute.as_str() {
                CREATED | MODIFIED if !is_date => {
                    return invalid("that field of a record is a date");
                }
                CREATOR | MODIFIER | ID | KIND if !is_text => {
                    return invalid("that field of a record is a text");
                }
                _ => {}
            }
            if !value.is_in_range() {
                return invalid("a value is too long or out of range");
            }
            match value {
                Value::Text(pattern) if *compare == Compare::Like => check_pattern(pattern),
                _ => Ok(()),
            }
        }
    }
}

fn check_pattern(pattern: &str) -> Result<(), Error> {
    let mut rest = pattern.chars();
    while let Some(letter) = rest.next() {
        if letter == '\\' && !matches!(rest.next(), Some('*' | '?' | '\\')) {
            return Err(Error::new(Code::InvalidArgument)
                .detail("in a pattern a backslash stands before *, ? or another backslash"));
        }
    }
    Ok(())
}

/// Whether a record is one that is looked for.
#[must_use]
pub fn matches(search: &Search, body: &Body) -> bool {
    match search {
        Search::And(parts) => parts.iter().all(|part| matches(part, body)),
        Search::Or(parts) => parts.iter().any(|part| matches(part, body)),
        Search::Clause {
            attribute,
            compare,
            value,
        } => {
            let fits = |own: &Value| fits(own, *compare, value);
            if BUILT_IN.contains(&attribute.as_str()) {
                field(attribute, body).is_some_and(|own| fits(&own))
            } else {
                body.attributes.get(attribute).iter().any(fits)
            }
        }
    }
}

/// A field that every record has, as searches see it.
fn field(name: &str, body: &Body) -> Option<Value> {
    let date = |ms: Millis| Value::Date(i64::try_from(ms).unwrap_or(i64::MAX));
    Some(match name {
        CREATOR => Value::Text(body.creator.to_string()),
        MODIFIER => Value::Text(body.modified_by()?.to_string()),
        CREATED => date(body.created.ms()),
        MODIFIED => date(body.modified().ms()),
        ID => Value::Text(body.id.to_string()),
        KIND => Value::Text(body.kind.to_string()),
        _ => return None,
    })
}

fn fits(own: &Value, compare: Compare, value: &Value) -> bool {
    let order = match (own, value) {
        (Value::Text(own), Value::Text(pattern)) if compare == Compare::Like => {
            return is_like(own, pattern);
        }
        (Value::Text(own), Value::Text(value)) => own.as_bytes().cmp(value.as_bytes()),
        (Value::Number(own), Value::Number(value)) | (Value::Date(own), Value::Date(value)) => {
            own.cmp(value)
        }
        _ => return false,
    };
    match compare {
        Compare::Equal => order == Ordering::Equal,
        Compare::NotEqual => order != Ordering::Equal,
        Compare::Like => false,
        Compare::Below => order == Ordering::Less,
        Compare::AtMost => order != Ordering::Greater,
        Compare::Above => order == Ordering::Greater,
        Compare::AtLeast => order != Ordering::Less,
    }
}

/// One step of a pattern.
enum Step {
    Run,
    One,
    Just(char),
}

fn step(pattern: &mut Chars<'_>) -> Option<Step> {
    Some(match pattern.next()? {
        '*' => Step::Run,
        '?' => Step::One,
        '\\' => Step::Just(pattern.next()?),
        letter => Step::Just(letter),
    })
}

/// Whether a text fits a pattern. Only the latest `*` is ever tried again, since whatever an earlier
/// one could take this one can: the steps are text times pattern at most.
fn is_like(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    let mut again: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let (mut next, mut steps) = (text.clone(), pattern.clone());
        let goes_on = match step(&mut steps) {
            None => {
                if next.next().is_none() {
                    return true;
                }
                false
            }
            Some(Step::Run) => {
                again = Some((text.clone(), steps.clone()));
                true
            }
            Some(Step::One) => next.next().is_some(),
            Some(Step::Just(letter)) => next.next() == Some(letter),
        };
        if goes_on {
            (text, pattern) = (next, steps);
            continue;
        }
        let Some((from, after)) = &mut again else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        (text, pattern) = (from.clone(), after.clone());
    }
}

/// A field by which the store finds all that a search can find.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Field<'a> {
    /// Nothing can be found.
    Nothing,
    /// This one.
    Id(RecordId),
    /// Of this creator.
    Creator(PeerId),
    /// Last changed by.
    Modifier(PeerId),
    /// Of this type.
    Kind(&'a str),
    /// Made between these, both included.
    Created(Millis, Millis),
    /// Changed or made between these, both included.
    Modified(Millis, Millis),
}

impl Field<'_> {
    /// The lower, the fewer are expected.
    fn rank(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Id(_) => 1,
            Self::Creator(_) | Self::Modifier(_) => 2,
            Self::Kind(_) => 3,
            Self::Created(..) | Self::Modified(..) => 4,
        }
    }

    /// What both find, as far as one of them can say it: from when until when.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Created(from, to), Self::Created(later, sooner)) => {
                Self::Created(from.max(later), to.min(sooner))
            }
            (Self::Modified(from, to), Self::Modified(later, sooner)) => {
                Self::Modified(from.max(later), to.min(sooner))
            }
            (own, _) => own,
        }
    }
}

/// The best field by which to find all that a search can find.
pub(super) fn narrow(search: &Search) -> Option<Field<'_>> {
    match search {
        Search::And(parts) => {
            let best = parts.iter().filter_map(narrow).min_by_key(Field::rank)?;
            Some(parts.iter().filter_map(narrow).fold(best, Field::and))
        }
        Search::Or(parts) => match parts.as_slice() {
            [one] => narrow(one),
            _ => None,
        },
        Search::Clause {
            attribute,
            compare,
            value,
        } => match (attribute.as_str(), compare, value) {
            (name, Compare::Equal, Value::Text(text)) => match name {
                ID => Some(named(text, Field::Id)),
                CREATOR => Some(named(text, Field::Creator)),
                MODIFIER => Some(named(text, Field::Modifier)),
                KIND => Some(Field::Kind(text)),
                _ => None,
            },
            (CREATED, _, Value::Date(ms)) => span(*compare, *ms, Field::Created),
            (MODIFIED, _, Value::Date(ms)) => span(*compare, *ms, Field::Modified),
            _ => None,
        },
    }
}

/// The field of a name; no record has a name that reads otherwise.
fn named<'a, T: core::str::FromStr>(text: &str, field: fn(T) -> Field<'a>) -> Field<'a> {
    text.parse().map_or(Field::Nothing, field)
}

fn span<'a>(
    compare: Compare,
    ms: i64,
    field: fn(Millis, Millis) -> Field<'a>,
) -> Option<Field<'a>> {
    let at = u64::try_from(ms).unwrap_or(0);
    match compare {
        Compare::Equal => Some(field(at, at)),
        Compare::Below | Compare::AtMost => Some(field(0, at)),
        Compare::Above | Compare::AtLeast => Some(field(at, Millis::MAX)),
        Compare::NotEqual | Compare::Like => None,
    }
}

#[cfg(test)]
mod tests;
