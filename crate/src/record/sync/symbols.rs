//! Rateless coded symbols: an endless row of sums over a set, whose difference to another set's row
//! tells what differs as soon as there is some more of it than there are differences.
//!
//! The row is that of Yang, Gilad and Alizadeh (SIGCOMM 2024): symbol i has an item in it with
//! probability 1 / (1 + i / 2), so the first has all, and each item is in few.

use crate::wire::sync::Symbol;

/// Where an item's next symbol is.
#[derive(Clone, Copy)]
struct Walk {
    id: u64,
    check: u16,
    at: u64,
    state: u64,
}

impl Walk {
    fn new(id: u64) -> Self {
        let check = check(id);
        Self {
            id,
            check: (check >> 48) as u16,
            at: 0,
            state: check,
        }
    }

    /// Steps to the item's next symbol.
    fn step(&mut self) {
        // A Weyl sequence through a mixing of its own: 64 good bits from each step.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let bits = (mixed ^ mixed >> 32) >> 11;
        // Between 0 (not included) and 1. Square roots and quotients are the same on all machines.
        let random = (bits + 1) as f64 / (1_u64 << 53) as f64;
        let gap = (self.at as f64 + 1.5) * (1.0 / random.sqrt() - 1.0);
        self.at = self.at.saturating_add((gap.ceil() as u64).max(1));
    }

    /// Where it is, if that is before `end`.
    fn within(&self, end: usize) -> Option<usize> {
        usize::try_from(self.at).ok().filter(|at| *at < end)
    }

    /// Whether it comes by a place.
    fn goes_to(mut self, at: usize) -> bool {
        while self.within(at).is_some() {
            self.step();
        }
        self.within(at + 1).is_some()
    }

    fn put(&self, symbol: &mut Symbol, sign: u8) {
        symbol.ids ^= self.id;
        symbol.checks ^= self.check;
        symbol.count = symbol.count.wrapping_add(sign);
    }
}

/// What checks an id, and decides into which symbols it goes. Ids are keyed, so they are as good as
/// random already to those who are not at either end: each bit need only depend on all of them.
fn check(id: u64) -> u64 {
    let odd: [u64; 2] = [0x9fb2_1c65_1e98_df25, 0xd6e8_feb8_6659_fd93];
    let mixed = odd
        .iter()
        .fold(id, |id, odd| (id ^ id >> 32).wrapping_mul(*odd));
    mixed ^ mixed >> 32
}

/// The row of a set, as far as it was needed.
pub(crate) struct Row {
    walks: Vec<Walk>,
    /// How much of it there was.
    len: usize,
}

impl Row {
    pub(crate) fn new(ids: impl Iterator<Item = u64>) -> Self {
        Self {
            walks: ids.map(Walk::new).collect(),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The next `more` symbols.
    pub(crate) fn next(&mut self, more: usize) -> Vec<Symbol> {
        let mut symbols = vec![Symbol::default(); more];
        for walk in &mut self.walks {
            while let Some(at) = walk.within(self.len + more) {
                if let Some(symbol) = symbols.get_mut(at - self.len) {
                    walk.put(symbol, 1);
                }
                walk.step();
            }
        }
        self.len += more;
        symbols
    }
}

/// Their symbols without ours.
pub(crate) fn subtract(theirs: &mut Symbol, ours: &Symbol) {
    theirs.ids ^= ours.ids;
    theirs.checks ^= ours.checks;
    theirs.count = theirs.count.wrapping_sub(ours.count);
}

/// What differs.
#[derive(Default)]
pub(crate) struct Difference {
    /// Ids that only the other end has, ascending.
    pub(crate) theirs: Vec<u64>,
    /// Ids that only we have, ascending.
    pub(crate) ours: Vec<u64>,
}

/// Takes items out of the differences of symbols for as long as one is alone in a symbol; nothing if
/// something is left.
pub(crate) fn peel(symbols: &[Symbol]) -> Option<Difference> {
    let mut symbols = symbols.to_vec();
    let mut open: Vec<usize> = (0..symbols.len()).rev().collect();
    let mut found = Difference::default();
    while let Some(at) = open.pop() {
        let symbol = symbols.get(at).copied().unwrap_or_default();
        let Some(mut walk) = alone(&symbol, at) else {
            continue;
        };
        // Each item empties a symbol, but in a liar's.
        if found.theirs.len() + found.ours.len() >= symbols.len() {
            return None;
        }
        if symbol.count == 1 {
            found.theirs.push(symbol.ids);
        } else {
            found.ours.push(symbol.ids);
        }
        while let Some(at) = walk.within(symbols.len()) {
            if let Some(other) = symbols.get_mut(at) {
                walk.put(other, symbol.count.wrapping_neg());
            }
            open.push(at);
            walk.step();
        }
    }
    found.theirs.sort_unstable();
    found.ours.sort_unstable();
    symbols
        .iter()
        .all(|symbol| *symbol == Symbol::default())
        .then_some(found)
}

/// The item that is alone in the symbol at a place, if one is: its check fits, and it belongs there.
fn alone(symbol: &Symbol, at: usize) -> Option<Walk> {
    if symbol.count != 1 && symbol.count != u8::MAX {
        return None;
    }
    let walk = Walk::new(symbol.ids);
    (walk.check == symbol.checks && walk.goes_to(at)).then_some(walk)
}

/// How many symbols an asker begins with, for about so many differences: enough to tell them in nine
/// of ten cases, as an estimate may be a fifth too low. Few differences need relatively more.
pub(crate) fn burst(differences: u32) -> usize {
    let spare = differences / 5 * 3 + 2 * differences.isqrt() + 3;
    differences as usize + spare as usize
}

/// How many follow when so many were not enough.
pub(crate) fn growth(len: usize) -> usize {
    (len / 5).max(6)
}
