//! Changes to messages of the kinds that break decoders: bits, lengths, cuts, splices.

/// Choices drawn from a seed, alike on every machine.
pub(crate) struct Dice(u64);

/// Bytes at which integers and lengths change their form.
const EDGES: [u8; 12] = [0, 1, 2, 3, 0x0a, 0x3a, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff];

impl Dice {
    /// Choices of that seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() as usize).checked_rem(bound).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        match self.below(3) {
            0 => EDGES[self.below(EDGES.len())],
            1 => b' ' + self.below(95) as u8,
            _ => self.next() as u8,
        }
    }

    /// A range within something of that length, short more often than long.
    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let most = (len - start).min(1 << self.below(9));
        start..start + self.below(most + 1)
    }
}

/// Changes `bytes` in one to eight ways; pieces of `other`, another message, may end up in it.
pub(crate) fn mutate(bytes: &mut Vec<u8>, other: &[u8], max_len: usize, dice: &mut Dice) {
    for _ in 0..1 << dice.below(4) {
        change(bytes, other, dice);
        bytes.truncate(max_len);
    }
}

fn change(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    let range = dice.range(bytes.len());
    match dice.below(12) {
        0 => set(bytes, at, |byte| byte ^ 1 << (at % 8)),
        1 => {
            let bit = dice.below(8);
            set(bytes, at, |byte| byte ^ 1 << bit);
        }
        2 => {
            let value = dice.byte();
            set(bytes, at, |_| value);
        }
        // Numbers and lengths a little more or less.
        3 => {
            let by = dice.below(16) as u8;
            set(bytes, at, |byte| byte.wrapping_add(8).wrapping_sub(by));
        }
        4 => bytes.truncate(at),
        5 => {
            bytes.drain(range);
        }
        // The same again, as list items are.
        6 => {
            let piece = bytes[range.clone()].to_vec();
            splice(bytes, range.end, &piece);
        }
        7 => {
            let piece: Vec<u8> = (0..=dice.below(8)).map(|_| dice.byte()).collect();
            splice(bytes, at, &piece);
        }
        8 => {
            let value = dice.byte();
            bytes[range].fill(value);
        }
        9 => {
            let from = dice.range(other.len());
            splice(bytes, at, &other[from]);
        }
        10 => {
            let from = dice.range(other.len());
            for (to, from) in bytes[at..].iter_mut().zip(&other[from]) {
                *to = *from;
            }
        }
        _ => {
            let from = dice.below(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
}

fn set(bytes: &mut [u8], at: usize, value: impl Fn(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = value(*byte);
    }
}

fn splice(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}
