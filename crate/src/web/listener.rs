//! A listener that detaches itself when dropped, before its closure is freed.

use gloo_events::EventListener;
use web_sys::{Event, EventTarget};

use super::count::{Count, Counted};

/// Calls a closure for every event of one type, as long as it lives.
pub(super) struct Listener {
    _listener: EventListener,
    _count: Count,
}

impl Listener {
    /// Listens from now on.
    pub(super) fn new(
        target: &EventTarget,
        kind: &'static str,
        heard: impl FnMut(&Event) + 'static,
    ) -> Self {
        Self {
            _listener: EventListener::new(target, kind, heard),
            _count: Count::new(Counted::Listeners),
        }
    }
}
