//! What one comparison may cost at one end, whatever the other end says.

use crate::limits::{SYNC_BYTES, SYNC_BYTES_PER_ITEM, SYNC_ITEMS, SYNC_MESSAGES};
use crate::record::sync::Step;
use crate::wire::sync::Message;

/// What is left of it.
pub(crate) struct Budget {
    bytes: usize,
    messages: usize,
}

impl Budget {
    pub(crate) fn new(own: usize) -> Self {
        let mut budget = Self {
            bytes: SYNC_BYTES,
            messages: SYNC_MESSAGES,
        };
        budget.grow(own);
        budget
    }

    /// The other end says that it has this many.
    pub(crate) fn claimed(&mut self, count: u32) {
        self.grow(count.min(SYNC_ITEMS) as usize);
    }

    fn grow(&mut self, items: usize) {
        self.bytes += items.saturating_mul(SYNC_BYTES_PER_ITEM);
        self.messages += items / 8;
    }

    /// Whether a message may still come or go.
    pub(crate) fn spend(&mut self, message: &Message) -> bool {
        let (bytes, messages) = (
            self.bytes.checked_sub(message.weight()),
            self.messages.checked_sub(1),
        );
        self.bytes = bytes.unwrap_or_default();
        self.messages = messages.unwrap_or_default();
        bytes.is_some() && messages.is_some()
    }

    /// Whether all that is said in `steps` may still go.
    pub(crate) fn spend_all(&mut self, steps: &[Step]) -> bool {
        steps.iter().all(|step| match step {
            Step::Say(message) => self.spend(message),
            _ => true,
        })
    }
}
