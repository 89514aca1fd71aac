//! How many items differ, about, from few bytes: for each bit of the keyed ids, how many have it.
//!
//! An item that both hold cancels; one that only one end holds moves each count by a fair coin, so
//! the mean square of the 64 moves is the number of such items (Alon, Matias, Szegedy).

use crate::wire::sync::{SKETCH_PLANES, Sketch};

/// The 64 counts modulo 256, one plane for each bit of them: adding is a few operations on words.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    planes: [u64; SKETCH_PLANES],
}

impl Counts {
    pub(crate) fn add(&mut self, id: u64) {
        let mut carry = id;
        for plane in &mut self.planes {
            let both = *plane & carry;
            *plane ^= carry;
            carry = both;
        }
    }

    pub(crate) fn sketch(&self) -> Sketch {
        let mut planes = [0; SKETCH_PLANES * 8];
        for (to, from) in planes.chunks_exact_mut(8).zip(self.planes) {
            to.copy_from_slice(&from.to_le_bytes());
        }
        Sketch { planes }
    }
}

/// How often bit `bit` is set, modulo 256.
fn count(sketch: &Sketch, bit: usize) -> i64 {
    let planes = sketch.planes.chunks_exact(8).enumerate();
    planes.fold(0, |sum, (power, plane)| {
        let byte = plane.get(bit / 8).copied().unwrap_or_default();
        sum | i64::from(byte >> (bit % 8) & 1) << power
    })
}

/// About how many items differ between two ends; exactly, if it is one. Above some 15 000 the counts
/// overflow and the answer is at least that, about.
pub(crate) fn estimate(ours: (u32, &Sketch), theirs: (u32, &Sketch)) -> u32 {
    let more = i64::from(ours.0) - i64::from(theirs.0);
    let squares: i64 = (0..64)
        .map(|bit| {
            // As a move of +1 with the bit and -1 without, between -256 and 255.
            let moved = 2 * (count(ours.1, bit) - count(theirs.1, bit)) - more;
            let moved = (moved + 256).rem_euclid(512) - 256;
            moved * moved
        })
        .sum();
    let mean = u32::try_from((squares + 32) / 64).unwrap_or(u32::MAX);
    let least = u32::try_from(more.unsigned_abs()).unwrap_or(u32::MAX);
    mean.max(least).max(1)
}
