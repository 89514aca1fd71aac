//! Canonical encoding: one way to write each value, and nothing else is read.
//!
//! Integers are little-endian base-128 in the fewest bytes, or fixed where every bit is used;
//! sequences carry their length and their bound is part of their type. Decoding consumes all
//! input, so decode then encode always gives the same bytes.

use crate::limits;
use crate::names::{
    Attempt, GroupId, NodeAddress, NodeId, PeerId, RecordHash, RecordId, SessionKey, Tag, Topic,
};

/// The bytes are not a message of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// Takes values off the front of a byte slice.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    /// An integer in the fewest bytes.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                // A trailing zero byte would be a second spelling of the same number.
                return if byte == 0 && shift > 0 {
                    Err(Malformed)
                } else {
                    Ok(value)
                };
            }
        }
        Err(Malformed)
    }

    /// How many items or bytes follow, at most `max`.
    pub fn length(&mut self, max: usize) -> Result<usize, Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        if len > max { Err(Malformed) } else { Ok(len) }
    }

    /// Whatever is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Succeeds when nothing is left.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

/// A value with one encoding.
pub trait Wire: Sized {
    /// Appends the value's encoding.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads one value.
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// The encoding alone.
    fn to_bytes(&self) -> Vec<u8> {
        // Enough for most, so that it need not grow byte by byte.
        let mut out = Vec::with_capacity(256);
        self.encode(&mut out);
        out
    }

    /// The value that `bytes`, all of them, encode.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Reader::new(bytes);
        let value = Self::decode(&mut input)?;
        input.end()?;
        Ok(value)
    }
}

/// Appends an integer in the fewest bytes.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

macro_rules! wire_varint {
    ($($int:ty),*) => {$(
        impl Wire for $int {
            fn encode(&self, out: &mut Vec<u8>) {
                put_varint(out, u64::from(*self));
            }
            fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                Self::try_from(input.varint()?).map_err(|_| Malformed)
            }
        }
    )*};
}
wire_varint!(u16, u32, u64);

/// Small magnitudes of either sign in few bytes: 0, -1, 1, -2 are 0, 1, 2, 3.
impl Wire for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, ((*self << 1) ^ (*self >> 63)) as u64);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let value = input.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

impl Wire for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.array().map(|[byte]| byte)
    }
}

impl Wire for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match input.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Malformed),
        }
    }
}

impl<const N: usize> Wire for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.array()
    }
}

macro_rules! wire_newtype {
    ($($name:ident),*) => {$(
        impl Wire for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
            fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                Wire::decode(input).map(Self)
            }
        }
    )*};
}
wire_newtype!(
    PeerId, GroupId, NodeId, Tag, SessionKey, Topic, Attempt, RecordId, RecordHash
);

impl<T: Wire> Wire for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        bool::decode(input)?.then(|| T::decode(input)).transpose()
    }
}

impl<T: Wire> Wire for Box<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_ref().encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        T::decode(input).map(Box::new)
    }
}

/// At most `MAX` bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Bytes<const MAX: usize>(Vec<u8>);

impl<const MAX: usize> Bytes<MAX> {
    /// The bytes, unless there are more than `MAX`.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= MAX).then_some(Self(bytes))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl<const MAX: usize> core::ops::Deref for Bytes<MAX> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const MAX: usize> Wire for Bytes<MAX> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        out.extend_from_slice(&self.0);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = input.length(MAX)?;
        Ok(Self(input.take(len)?.to_vec()))
    }
}

/// Text of at most `MAX` bytes of UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text, unless it is longer than `MAX` bytes.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (text.len() <= MAX).then_some(Self(text))
    }

    /// The text itself.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> core::ops::Deref for Text<MAX> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Wire for Text<MAX> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        out.extend_from_slice(self.0.as_bytes());
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = input.length(MAX)?;
        let text = core::str::from_utf8(input.take(len)?).map_err(|_| Malformed)?;
        Ok(Self(text.to_owned()))
    }
}

/// At most `MAX` values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> List<T, MAX> {
    /// The values, unless there are more than `MAX`.
    #[must_use]
    pub fn new(values: Vec<T>) -> Option<Self> {
        (values.len() <= MAX).then_some(Self(values))
    }

    /// The first `MAX` of the values.
    #[must_use]
    pub fn first(mut values: Vec<T>) -> Self {
        values.truncate(MAX);
        Self(values)
    }

    /// The values themselves.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> core::ops::Deref for List<T, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Wire, const MAX: usize> Wire for List<T, MAX> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        for value in &self.0 {
            value.encode(out);
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = input.length(MAX)?;
        // Grown as values arrive: a claimed length alone allocates nothing.
        let mut values = Vec::new();
        for _ in 0..len {
            values.push(T::decode(input)?);
        }
        Ok(Self(values))
    }
}

impl Wire for NodeAddress {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.rendezvous.len() as u64);
        for (url, tag) in self.rendezvous.iter().zip(&self.tags) {
            put_varint(out, url.len() as u64);
            out.extend_from_slice(url.as_bytes());
            tag.encode(out);
        }
        self.session.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = input.length(limits::RENDEZVOUS_SERVERS)?;
        let mut address = Self {
            rendezvous: Vec::new(),
            tags: Vec::new(),
            session: SessionKey([0; 32]),
        };
        for _ in 0..len {
            address
                .rendezvous
                .push(Text::<{ limits::URL_BYTES }>::decode(input)?.into_string());
            address.tags.push(Tag::decode(input)?);
        }
        address.session = SessionKey::decode(input)?;
        Ok(address)
    }
}

/// Declares structs whose encoding is that of their fields in order.
#[macro_export]
macro_rules! wire_struct {
    ($($(#[$doc:meta])* $vis:vis struct $name:ident {
        $($(#[$field_doc:meta])* $field_vis:vis $field:ident: $type:ty),* $(,)?
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        $vis struct $name { $($(#[$field_doc])* $field_vis $field: $type),* }

        impl $crate::wire::codec::Wire for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::wire::codec::Wire::encode(&self.$field, out);)*
            }
            fn decode(
                input: &mut $crate::wire::codec::Reader<'_>,
            ) -> Result<Self, $crate::wire::codec::Malformed> {
                Ok(Self { $($field: $crate::wire::codec::Wire::decode(input)?),* })
            }
        }
    )*};
}

/// Declares an enum whose encoding is the number of its variant, then the fields in order.
#[macro_export]
macro_rules! wire_enum {
    ($(#[$doc:meta])* $vis:vis enum $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $number:path {
            $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)?
        }),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        // Messages live for one step: boxing a large variant would only cost an allocation.
        #[allow(clippy::large_enum_variant)]
        $vis enum $name {
            $($(#[$variant_doc])* $variant { $($(#[$field_doc])* $field: $type),* }),*
        }

        impl $crate::wire::codec::Wire for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant { $($field),* } => {
                        out.push($number);
                        $($crate::wire::codec::Wire::encode($field, out);)*
                    })*
                }
            }
            fn decode(
                input: &mut $crate::wire::codec::Reader<'_>,
            ) -> Result<Self, $crate::wire::codec::Malformed> {
                match input.array::<1>()? {
                    $([$number] => Ok(Self::$variant {
                        $($field: $crate::wire::codec::Wire::decode(input)?),*
                    }),)*
                    _ => Err($crate::wire::codec::Malformed),
                }
            }
        }
    };
}

/// Declares an enum without fields whose encoding is one number.
#[macro_export]
macro_rules! wire_numbers {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:path),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $crate::wire::codec::Wire for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(match self { $(Self::$variant => $number,)* });
            }
            fn decode(
                input: &mut $crate::wire::codec::Reader<'_>,
            ) -> Result<Self, $crate::wire::codec::Malformed> {
                match input.array()? {
                    $([$number] => Ok(Self::$variant),)*
                    _ => Err($crate::wire::codec::Malformed),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_have_one_spelling() {
        assert_eq!(u64::from_bytes(&[0x80, 0x00]), Err(Malformed));
        assert_eq!(u64::from_bytes(&[0x00]), Ok(0));
        assert_eq!(u64::from_bytes(&[0xff; 9]), Err(Malformed));
        assert_eq!(u64::from_bytes(&u64::MAX.to_bytes()), Ok(u64::MAX));
        let mut too_big = vec![0xff; 9];
        too_big.push(0x02);
        assert_eq!(u64::from_bytes(&too_big), Err(Malformed));
        assert_eq!(u16::from_bytes(&65_536u32.to_bytes()), Err(Malformed));
    }

    #[test]
    fn bounds_hold_before_anything_is_allocated() {
        assert_eq!(Bytes::<3>::from_bytes(&[4, 1, 2, 3, 4]), Err(Malformed));
        assert!(List::<u64, 1_000_000>::from_bytes(&900_000u64.to_bytes()).is_err());
        assert_eq!(bool::from_bytes(&[2]), Err(Malformed));
        assert_eq!(Text::<9>::from_bytes(&[1, 0xff]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn integers_read_back(value: u64) {
            prop_assert_eq!(u64::from_bytes(&value.to_bytes()), Ok(value));
        }

        #[test]
        fn whatever_is_read_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            type Mixed = List<Option<Bytes<20>>, 8>;
            if let Ok(value) = Mixed::from_bytes(&bytes) {
                prop_assert_eq!(value.to_bytes(), bytes.clone());
            }
            if let Ok(value) = NodeAddress::from_bytes(&bytes) {
                prop_assert_eq!(value.to_bytes(), bytes);
            }
        }
    }
}
