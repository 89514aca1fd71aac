//! Work that costs whoever does it time, and whoever checks it none.

use super::{Crypto, label};

/// Whether an answer makes a puzzle's hash begin with so many zero bits.
#[must_use]
pub fn is_solved(crypto: Crypto, puzzle: &[u8; 32], answer: u64, bits: u8) -> bool {
    let hash = crypto.hash(&[&label("work"), puzzle, &answer.to_be_bytes()]);
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]).leading_zeros() >= u32::from(bits)
}

/// Tries so many answers from one on: the one that solves the puzzle, if it is among them.
#[must_use]
pub fn solve(crypto: Crypto, puzzle: &[u8; 32], bits: u8, from: u64, tries: u64) -> Option<u64> {
    let to = from.saturating_add(tries);
    (from..to).find(|answer| is_solved(crypto, puzzle, *answer, bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{FAKE, REAL};

    #[test]
    fn an_answer_is_found_and_fits_no_other_puzzle() {
        for crypto in [&REAL as Crypto, &FAKE] {
            let answer = solve(crypto, &[1; 32], 12, 0, 1 << 18).expect("one of 2^18");
            assert!(is_solved(crypto, &[1; 32], answer, 12));
            assert!(!is_solved(crypto, &[2; 32], answer, 12));
            let mut before = 0..answer;
            assert!(before.all(|other| !is_solved(crypto, &[1; 32], other, 12)));
        }
    }
}
