//! Which edges of the engine an execution took: counters that the compiler keeps (see covered.sh).
//!
//! The only unsafe code of the project: the counters are a part of the program's memory that only
//! the linker knows the place of. Built without covered.sh there are none, and nothing is guided.
#![allow(unsafe_code, reason = "see above")]

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

const CHUNK: usize = 64;

static START: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static LEN: AtomicUsize = AtomicUsize::new(0);

/// LLVM's code calls this before `main` with where the counters begin and end.
// SAFETY: the name is LLVM's own for this, and nothing else defines it.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    START.store(start, Ordering::Relaxed);
    LEN.store(stop.addr() - start.addr(), Ordering::Relaxed);
}

/// What was seen so far, to tell what is new.
pub(crate) struct Coverage {
    now: Vec<u8>,
    /// For each counter, the classes of counts that were seen.
    seen: Vec<u8>,
}

impl Coverage {
    /// Nothing seen.
    pub(crate) fn new() -> Self {
        let len = LEN.load(Ordering::Relaxed);
        Self {
            now: vec![0; len],
            seen: vec![0; len],
        }
    }

    /// Whether the program was built with counters.
    pub(crate) fn is_there(&self) -> bool {
        !self.now.is_empty()
    }

    /// Forgets what was counted: an execution begins.
    pub(crate) fn reset(&self) {
        if self.is_there() {
            let start = START.load(Ordering::Relaxed);
            // SAFETY: `now` is as long as the counters, which live as long as the program; this
            // program has one thread.
            unsafe { std::ptr::write_bytes(start, 0, self.now.len()) };
        }
    }

    /// Whether the execution since `reset` took an edge that none did before, or as often as none did.
    pub(crate) fn is_new(&mut self) -> bool {
        self.read();
        let mut new = false;
        for (counts, seen) in self.now.chunks(CHUNK).zip(self.seen.chunks_mut(CHUNK)) {
            // Most of the engine rests: looked at together, these cost next to nothing.
            if counts.iter().fold(0, |all, count| all | count) == 0 {
                continue;
            }
            for (count, seen) in counts.iter().zip(seen) {
                let class = class_of(*count);
                new |= *seen & class != class;
                *seen |= class;
            }
        }
        new
    }

    /// How much of the execution since `reset` is new. It stays so.
    pub(crate) fn gain(&mut self) -> usize {
        self.read();
        let both = self.now.iter().zip(&self.seen);
        both.filter(|(count, seen)| class_of(**count) & !**seen != 0)
            .count()
    }

    fn read(&mut self) {
        if self.is_there() {
            let start = START.load(Ordering::Relaxed);
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(start, self.now.as_mut_ptr(), self.now.len()) };
        }
    }

    /// How many edges were seen.
    pub(crate) fn edges(&self) -> usize {
        self.seen.iter().filter(|seen| **seen != 0).count()
    }
}

/// Counts that differ little are one class; each class is a bit.
fn class_of(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..8 => 8,
        8..16 => 16,
        16..32 => 32,
        32..128 => 64,
        128.. => 128,
    }
}
