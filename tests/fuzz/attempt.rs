//! One execution: what a target does with an input, and what counts as a finding.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a decoder may hold at once for each byte of its input: an empty text in a list is one byte
/// on the wire and a `String` in a growing `Vec` here.
const BYTES_PER_BYTE: usize = 96;
/// And besides, for words of an error.
const BYTES_BESIDES: usize = 2048;

/// The most bytes that one input byte cost since last asked, in tenths.
static WORST: AtomicUsize = AtomicUsize::new(0);
static UNDER_WAY: AtomicBool = AtomicBool::new(false);
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Panics of attempts are kept, not printed: [`attempt`] tells of them.
pub(crate) fn keep_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if !UNDER_WAY.load(Ordering::Relaxed) {
            usual(info);
        } else if let Ok(mut last) = PANIC.lock() {
            *last = info.to_string();
        }
    }));
}

/// What the target says of the input (whether it was taken), or how it panicked.
pub(crate) fn attempt(run: fn(&[u8]) -> bool, input: &[u8]) -> Result<bool, String> {
    UNDER_WAY.store(true, Ordering::Relaxed);
    let result = catch_unwind(AssertUnwindSafe(|| run(input)));
    UNDER_WAY.store(false, Ordering::Relaxed);
    result.map_err(|_| PANIC.lock().map(|last| last.clone()).unwrap_or_default())
}

/// Decodes, and panics if that takes more memory than `input` justifies.
pub(crate) fn bounded<T>(input: &[u8], decode: impl FnOnce() -> T) -> T {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let decoded = decode();
    let used = MEMORY.peak_usage().saturating_sub(before);
    let allowed = input.len() * BYTES_PER_BYTE + BYTES_BESIDES;
    assert!(used <= allowed, "{used} bytes held for {}", input.len());
    if input.len() >= 64 {
        WORST.fetch_max(used * 10 / input.len(), Ordering::Relaxed);
    }
    decoded
}

/// Bytes held now.
pub(crate) fn held() -> usize {
    MEMORY.current_usage()
}

/// The most memory that a decoder took for a byte of an input since this was last asked.
pub(crate) fn take_worst() -> f64 {
    WORST.swap(0, Ordering::Relaxed) as f64 / 10.0
}
