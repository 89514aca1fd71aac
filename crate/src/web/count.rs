//! What a leak test counts: open peer connections, channels and listeners, and live bytes.
//!
//! Without the feature `test-hooks` a count is nothing and costs nothing.

/// What is counted.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    /// Peer connections that are not closed.
    Connections,
    /// Data channels that are not closed.
    Channels,
    /// Listeners that are attached.
    Listeners,
    /// Sockets that are not closed.
    Sockets,
}

/// One live thing: counted from its making to its drop.
pub(super) struct Count(#[cfg(feature = "test-hooks")] Counted);

impl Count {
    /// Counts one more.
    #[cfg(feature = "test-hooks")]
    pub(super) fn new(what: Counted) -> Self {
        hooks::add(what, 1);
        Self(what)
    }

    /// Counts nothing.
    #[cfg(not(feature = "test-hooks"))]
    pub(super) fn new(_what: Counted) -> Self {
        Self()
    }
}

#[cfg(feature = "test-hooks")]
impl Drop for Count {
    fn drop(&mut self) {
        hooks::add(self.0, -1);
    }
}

#[cfg(feature = "test-hooks")]
mod hooks {
    use super::Counted;
    use crate::web::plain::{Plain as _, plain};
    use core::cell::Cell;
    use peak_alloc::PeakAlloc;
    use wasm_bindgen::JsValue;
    use wasm_bindgen::prelude::wasm_bindgen;

    #[global_allocator]
    static ALLOCATOR: PeakAlloc = PeakAlloc;

    thread_local! {
        static COUNTS: [Cell<i32>; 4] = const { [const { Cell::new(0) }; 4] };
    }

    pub(super) fn add(what: Counted, change: i32) {
        COUNTS.with(|counts| {
            if let Some(count) = counts.get(what as usize) {
                count.set(count.get() + change);
            }
        });
    }

    fn count(what: Counted) -> f64 {
        COUNTS.with(|counts| {
            counts
                .get(what as usize)
                .map_or(0.0, |count| f64::from(count.get()))
        })
    }

    plain! {
        /// What is alive in the driver now.
        LiveCounts {
            /// Peer connections that are not closed.
            connections: f64 => "connections" ":" "number",
            /// Data channels that are not closed.
            channels: f64 => "channels" ":" "number",
            /// Listeners that are attached.
            listeners: f64 => "listeners" ":" "number",
            /// Sockets that are not closed.
            sockets: f64 => "sockets" ":" "number",
            /// Bytes allocated and not freed.
            live_bytes: f64 => "liveBytes" ":" "number",
        }
    }

    /// What is alive now.
    #[wasm_bindgen(js_name = liveCounts, unchecked_return_type = "LiveCounts")]
    #[must_use]
    #[allow(unreachable_pub, reason = "public to JavaScript")]
    pub fn live_counts() -> JsValue {
        LiveCounts {
            connections: count(Counted::Connections),
            channels: count(Counted::Channels),
            listeners: count(Counted::Listeners),
            sockets: count(Counted::Sockets),
            live_bytes: ALLOCATOR.current_usage() as f64,
        }
        .plain()
        .unwrap_or(JsValue::UNDEFINED)
    }
}
