//! What two ends of a link say to find out how what they hold differs.
//!
//! Items have keyed ids of 8 bytes, which mean something to these two ends alone. The end that began
//! is the asker; a comparison has a number, so that nothing of an older one is taken for it.

use crate::limits::{
    RECORD_TYPE_BYTES, SYNC_DEPTH, SYNC_IDS_PER_FRAME, SYNC_PRECEDENCE, SYNC_SYMBOLS_PER_FRAME,
};
use crate::wire::codec::{List, Malformed, Reader, Text, Wire, put_varint};
use crate::wire::numbers::{compared, sync};
use crate::{wire_enum, wire_struct};

/// Names an item to the two ends of one link.
pub type ShortId = [u8; 8];
/// Types that come first.
pub type First = List<Text<RECORD_TYPE_BYTES>, SYNC_PRECEDENCE>;
/// Ids of one frame, ascending.
pub type Ids = List<ShortId, SYNC_IDS_PER_FRAME>;
/// Bit planes of a sketch.
pub const SKETCH_PLANES: usize = 8;
/// Bytes of a symbol.
pub const SYMBOL_BYTES: usize = 11;

wire_struct! {
    /// What an end holds, in few bytes: equal digests mean equal sets. Two of them and the answer
    /// are at most 40 bytes.
    pub struct Digest {
        /// How many items.
        pub count: u32,
        /// Sum of their keyed hashes.
        pub fingerprint: [u8; 14],
    }

    /// Digests of both scopes, in the first message of a handshake.
    pub struct Digests {
        /// Of the control items.
        pub control: Digest,
        /// Of the records.
        pub data: Digest,
    }

    /// The answers to them, in the second.
    pub struct Answers {
        /// About the control items.
        pub control: Answer,
        /// About the records.
        pub data: Answer,
    }

    /// For each bit of the ids, how many of them have it, modulo 256: lowest bits of all 64 counts
    /// first. The differences of two sketches tell about how many items differ.
    pub struct Sketch {
        /// Little-endian words, one for each bit of the counts.
        pub planes: [u8; SKETCH_PLANES * 8],
    }
}

wire_enum! {
    /// How a digest compares with what the answerer holds.
    pub enum Answer {
        /// No difference.
        Same = compared::SAME {},
        /// There are differences.
        Differs = compared::DIFFERS {
            /// How many items the answerer holds.
            count: u32,
            /// About which.
            sketch: Sketch,
        },
        /// The answerer holds so little that it wants everything.
        Everything = compared::EVERYTHING {
            /// Types that shall come first.
            first: First,
        },
    }
}

/// The items whose ids begin with some number of 4-bit digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Part {
    depth: u32,
    digits: u32,
}

impl Part {
    /// All items.
    pub const ALL: Self = Self {
        depth: 0,
        digits: 0,
    };

    /// Its 16 parts, unless it is too small already.
    #[must_use]
    pub fn split(self) -> Option<[Self; 16]> {
        (self.depth < SYNC_DEPTH).then(|| {
            core::array::from_fn(|digit| Self {
                depth: self.depth + 1,
                digits: self.digits << 4 | digit as u32,
            })
        })
    }

    /// The lowest id in it.
    #[must_use]
    pub fn lowest(self) -> u64 {
        self.shifted(u64::from(self.digits))
    }

    /// The highest id in it.
    #[must_use]
    pub fn highest(self) -> u64 {
        self.shifted(u64::from(self.digits) + 1).wrapping_sub(1)
    }

    fn shifted(self, digits: u64) -> u64 {
        digits.checked_shl(64 - 4 * self.depth).unwrap_or_default()
    }

    /// Whether an id is in it.
    #[must_use]
    pub fn has(self, id: u64) -> bool {
        (self.lowest()..=self.highest()).contains(&id)
    }
}

/// A one, then the digits: its place tells how many there are.
impl Wire for Part {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(1 << (4 * self.depth) | self.digits));
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let value = u32::decode(input)?;
        let bits = value.checked_ilog2().ok_or(Malformed)?;
        let depth = bits / 4;
        if bits % 4 != 0 || depth > SYNC_DEPTH {
            return Err(Malformed);
        }
        Ok(Self {
            depth,
            digits: value ^ 1 << bits,
        })
    }
}

/// The sum of some items of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Symbol {
    /// Exclusive or of their ids.
    pub ids: u64,
    /// Exclusive or of checks of their ids. Two bytes are enough because an id must also belong into
    /// the symbol in which it is found alone.
    pub checks: u16,
    /// How many there are, modulo 256.
    pub count: u8,
}

impl Wire for Symbol {
    fn encode(&self, out: &mut Vec<u8>) {
        self.ids.to_le_bytes().encode(out);
        self.checks.to_le_bytes().encode(out);
        out.push(self.count);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            ids: u64::from_le_bytes(input.array()?),
            checks: u16::from_le_bytes(input.array()?),
            count: u8::decode(input)?,
        })
    }
}

wire_enum! {
    /// A message of a comparison.
    pub enum Message {
        /// The asker begins.
        Holds = sync::HOLDS {
            /// Which comparison of its own.
            round: u16,
            /// What it holds.
            digest: Digest,
        },
        /// The answerer answers that.
        Answer = sync::ANSWER {
            /// Which comparison.
            round: u16,
            /// It.
            answer: Answer,
        },
        /// The asker begins anew with the 16 parts of a part.
        Split = sync::SPLIT {
            /// Which comparison.
            round: u16,
            /// Which part.
            part: Part,
            /// What it holds in each of them.
            digests: List<Digest, 16>,
        },
        /// The answerer answers that; nothing wants everything.
        Parts = sync::PARTS {
            /// Which comparison.
            round: u16,
            /// Which part.
            part: Part,
            /// For each of its parts.
            answers: List<Answer, 16>,
        },
        /// The asker's symbols of a part, in order.
        Symbols = sync::SYMBOLS {
            /// Which comparison.
            round: u16,
            /// Which part.
            part: Part,
            /// They.
            symbols: List<Symbol, SYNC_SYMBOLS_PER_FRAME>,
            /// The asker waits now.
            last: bool,
        },
        /// The answerer needs more of them.
        More = sync::MORE {
            /// Which comparison.
            round: u16,
            /// Which part.
            part: Part,
        },
        /// All that the asker holds of a part, where that is shorter than symbols.
        Ids = sync::IDS {
            /// Which comparison.
            round: u16,
            /// Which part.
            part: Part,
            /// They.
            ids: Ids,
            /// No more of them.
            last: bool,
        },
        /// What the answerer lacks of a part.
        Want = sync::WANT {
            /// Which comparison.
            round: u16,
            /// Which part.
            part: Part,
            /// They.
            ids: Ids,
            /// No more of them: the part is done.
            last: bool,
        },
        /// The asker holds so little that it wants everything.
        SendAll = sync::SEND_ALL {
            /// Which comparison.
            round: u16,
            /// Types that shall come first.
            first: First,
        },
        /// Everything of a type was sent to somebody who asked for everything.
        TypeEnd = sync::TYPE_END {
            /// Which type.
            kind: Text<RECORD_TYPE_BYTES>,
        },
        /// Everything that the other end lacks was sent.
        End = sync::END {
            /// Which comparison.
            round: u16,
            /// Whether the sender is the asker.
            asker: bool,
            /// False if the sender gave up before it knew all differences.
            complete: bool,
        },
    }
}

impl Message {
    /// Whether it must come after the items that were sent before it: all other messages may
    /// overtake them.
    #[must_use]
    pub fn follows_items(&self) -> bool {
        matches!(
            self,
            Self::Holds { .. } | Self::TypeEnd { .. } | Self::End { .. }
        )
    }

    /// About how many bytes it takes, without what encoding it would cost.
    #[must_use]
    pub fn weight(&self) -> usize {
        let answer = |answer: &Answer| match answer {
            Answer::Same {} => 1,
            Answer::Differs { .. } => 5 + SKETCH_PLANES * 8,
            Answer::Everything { first } => 2 + first.len() * RECORD_TYPE_BYTES,
        };
        let body = match self {
            Self::Holds { .. } => 18,
            Self::Answer { answer: one, .. } => answer(one),
            Self::Split { digests, .. } => digests.len() * 18,
            Self::Parts { answers, .. } => answers.iter().map(answer).sum(),
            Self::Symbols { symbols, .. } => symbols.len() * SYMBOL_BYTES,
            Self::Ids { ids, .. } | Self::Want { ids, .. } => ids.len() * 8,
            Self::SendAll { first, .. } => first.len() * RECORD_TYPE_BYTES,
            Self::TypeEnd { kind } => kind.len(),
            Self::More { .. } | Self::End { .. } => 0,
        };
        body + 8
    }
}
