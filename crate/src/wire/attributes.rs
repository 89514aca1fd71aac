//! Attributes of records: names with one or several values, in the one order of their encoding.

use super::codec::{Malformed, Reader, Wire, put_varint};
use super::numbers::value;
use crate::error::{Code, Error};
use crate::limits::{
    ATTRIBUTE_NAME_CHARS, ATTRIBUTE_TABLE_BYTES, ATTRIBUTE_VALUE_BYTES, ATTRIBUTE_VALUES,
    VALUE_TABLE_BYTES,
};

/// The greatest integer that JavaScript counts exactly.
pub const SAFE_INTEGER: i64 = (1 << 53) - 1;
/// The latest moment that a JavaScript date can name, in milliseconds since 1970; also the earliest,
/// negated.
pub const LATEST_DATE_MS: i64 = 8_640_000_000_000_000;

/// The names under which a search sees a record's own fields; attributes may not take them.
pub const BUILT_IN: [&str; 6] = [
    "peercreatorid",
    "peerlastmodifiedby",
    "peercreationtime",
    "peerlastmodificationtime",
    "peerrecordid",
    "peerrecordtype",
];

/// One value of an attribute. Values of different kinds are never equal nor in any order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Text, compared by its UTF-8 bytes.
    Text(String),
    /// A safe integer.
    Number(i64),
    /// Milliseconds since 1970, in peer time.
    Date(i64),
}

impl Value {
    pub(crate) fn is_in_range(&self) -> bool {
        match self {
            Self::Text(text) => text.len() <= ATTRIBUTE_VALUE_BYTES,
            Self::Number(number) => (-SAFE_INTEGER..=SAFE_INTEGER).contains(number),
            Self::Date(ms) => (-LATEST_DATE_MS..=LATEST_DATE_MS).contains(ms),
        }
    }
}

impl Wire for Value {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                out.push(value::TEXT);
                put_varint(out, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Number(number) => {
                out.push(value::NUMBER);
                number.encode(out);
            }
            Self::Date(ms) => {
                out.push(value::DATE);
                ms.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let read = match input.array()? {
            [value::TEXT] => {
                let len = input.length(ATTRIBUTE_VALUE_BYTES)?;
                let text = core::str::from_utf8(input.take(len)?).map_err(|_| Malformed)?;
                Self::Text(text.to_owned())
            }
            [value::NUMBER] => Self::Number(i64::decode(input)?),
            [value::DATE] => Self::Date(i64::decode(input)?),
            _ => return Err(Malformed),
        };
        if read.is_in_range() {
            Ok(read)
        } else {
            Err(Malformed)
        }
    }
}

/// Attributes as they are signed: names in ascending order, each once, each with at least one value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes(Vec<(String, Vec<Value>)>);

impl Attributes {
    /// Puts what the app gave in order, or says what is wrong with it.
    pub fn new(mut named: Vec<(String, Vec<Value>)>) -> Result<Self, Error> {
        let invalid = |detail: String| Err(Error::new(Code::InvalidAttributes).detail(detail));
        let values: usize = named.iter().map(|(_, values)| values.len()).sum();
        if values > ATTRIBUTE_VALUES {
            return Err(Error::new(Code::TooManyAttributes)
                .detail(format!("{values} values of {ATTRIBUTE_VALUES} at most")));
        }
        for (name, values) in &named {
            if BUILT_IN.contains(&name.as_str()) {
                return invalid(format!("{name} names a field that every record has"));
            }
            if !is_name(name) {
                return invalid(format!(
                    "a name has 1 to {ATTRIBUTE_NAME_CHARS} letters and digits: {name:?}"
                ));
            }
            if values.is_empty() {
                return invalid(format!("{name} has no value: leave it out"));
            }
            if let Some(value) = values.iter().find(|value| !value.is_in_range()) {
                return invalid(match value {
                    Value::Text(_) => {
                        format!("{name}: a text has at most {ATTRIBUTE_VALUE_BYTES} bytes")
                    }
                    Value::Number(_) => format!("{name}: not a safe integer"),
                    Value::Date(_) => format!("{name}: not a date"),
                });
            }
        }
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        let twice = named.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if a == b => Some(a.clone()),
            _ => None,
        });
        match twice {
            Some(name) => invalid(format!("{name} stands twice: give it a list of values")),
            None => Ok(Self(named)),
        }
    }

    /// The names in order, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.0
            .iter()
            .map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// The values under a name; none if there is no such name.
    #[must_use]
    pub fn get(&self, name: &str) -> &[Value] {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map_or(&[], |(_, values)| values)
    }

    /// Bytes that they count for: those of their encoding, or 0 if there are none.
    #[must_use]
    pub fn size(&self) -> usize {
        if self.is_empty() {
            0
        } else {
            self.to_bytes().len()
        }
    }

    /// Bytes that they take in memory besides those of their encoding.
    #[must_use]
    pub fn beside(&self) -> usize {
        let values: usize = self.0.iter().map(|(_, values)| values.len()).sum();
        self.0.len() * ATTRIBUTE_TABLE_BYTES + values * VALUE_TABLE_BYTES
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    (1..=ATTRIBUTE_NAME_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Wire for Attributes {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        for (name, values) in &self.0 {
            put_varint(out, name.len() as u64);
            out.extend_from_slice(name.as_bytes());
            put_varint(out, values.len() as u64);
            for value in values {
                value.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let names = input.length(ATTRIBUTE_VALUES)?;
        let mut read: Vec<(String, Vec<Value>)> = Vec::new();
        let mut room = ATTRIBUTE_VALUES;
        for _ in 0..names {
            let len = input.length(ATTRIBUTE_NAME_CHARS)?;
            let name = core::str::from_utf8(input.take(len)?).map_err(|_| Malformed)?;
            let in_order = read.last().is_none_or(|(last, _)| last.as_str() < name);
            if !is_name(name) || BUILT_IN.contains(&name) || !in_order {
                return Err(Malformed);
            }
            let count = input.length(room)?;
            room -= count;
            if count == 0 {
                return Err(Malformed);
            }
            let values: Result<Vec<Value>, Malformed> =
                (0..count).map(|_| Value::decode(input)).collect();
            let mut values = values?;
            // Kept for long: no room for more.
            values.shrink_to_fit();
            read.push((name.to_owned(), values));
        }
        read.shrink_to_fit();
        Ok(Self(read))
    }
}

#[cfg(test)]
mod tests;
