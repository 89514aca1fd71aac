//! Messages over one connection: a window of what the far side has not taken yet, in both directions.

use std::collections::VecDeque;

use crate::gauge::{Held, See};
use crate::limits::{SEND_WINDOW_BYTES, SEND_WINDOW_MESSAGES};
use crate::names::RequestId;

/// A message that waits for room in the window.
pub struct Outgoing {
    /// The call that sends it.
    pub request: RequestId,
    /// Its type.
    pub kind: String,
    /// It.
    pub data: Vec<u8>,
}

/// The messages of one connection.
#[derive(Default)]
pub struct Flow {
    waiting: VecDeque<Outgoing>,
    in_flight: VecDeque<(RequestId, usize)>,
    in_flight_bytes: usize,
    waiting_bytes: usize,
    untaken: VecDeque<usize>,
    untaken_bytes: usize,
    /// App bytes sent.
    pub sent: u64,
    /// App bytes received.
    pub received: u64,
}

/// More came than the window allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overrun;

impl Flow {
    /// Queues a message.
    pub fn push(&mut self, message: Outgoing) {
        self.waiting_bytes += message.data.len();
        self.waiting.push_back(message);
    }

    /// The next message that fits the window: it counts as on its way from now on.
    pub fn release(&mut self) -> Option<Outgoing> {
        let len = self.waiting.front()?.data.len();
        let full = self.in_flight.len() >= SEND_WINDOW_MESSAGES
            || (self.in_flight_bytes + len > SEND_WINDOW_BYTES && !self.in_flight.is_empty());
        if full {
            return None;
        }
        let message = self.waiting.pop_front()?;
        self.waiting_bytes -= len;
        self.in_flight.push_back((message.request, len));
        self.in_flight_bytes += len;
        self.sent += len as u64;
        Some(message)
    }

    /// The far side took the oldest message on its way: the call that sent it.
    pub fn taken(&mut self) -> Option<RequestId> {
        let (request, len) = self.in_flight.pop_front()?;
        self.in_flight_bytes -= len;
        Some(request)
    }

    /// Forgets a message that has not left yet.
    pub fn abandon(&mut self, request: RequestId) {
        self.waiting.retain(|message| message.request != request);
        self.waiting_bytes = self.waiting.iter().map(|message| message.data.len()).sum();
    }

    /// Every call whose message was not taken.
    pub fn drain(&mut self) -> Vec<RequestId> {
        let on_the_way = self.in_flight.drain(..).map(|(request, _)| request);
        on_the_way
            .chain(self.waiting.drain(..).map(|message| message.request))
            .collect()
    }

    /// A message came.
    pub fn arrived(&mut self, len: usize) -> Result<(), Overrun> {
        let full = self.untaken.len() >= SEND_WINDOW_MESSAGES
            || (self.untaken_bytes + len > SEND_WINDOW_BYTES && !self.untaken.is_empty());
        if full {
            return Err(Overrun);
        }
        self.untaken.push_back(len);
        self.untaken_bytes += len;
        self.received += len as u64;
        Ok(())
    }

    /// The app took up to `messages`: how many there were to take.
    pub fn take(&mut self, messages: u32) -> u32 {
        let mut count = 0;
        while count < messages {
            let Some(len) = self.untaken.pop_front() else {
                break;
            };
            self.untaken_bytes -= len;
            count += 1;
        }
        count
    }

    /// Shows what is on its way and what was not taken; what waits is the app's own.
    pub fn gauges(&self, see: &mut See<'_>) {
        let bytes = SEND_WINDOW_BYTES;
        see(
            Held::SentMessages,
            self.in_flight.len(),
            SEND_WINDOW_MESSAGES,
        );
        see(Held::SentBytes, self.in_flight_bytes, bytes);
        see(
            Held::UntakenMessages,
            self.untaken.len(),
            SEND_WINDOW_MESSAGES,
        );
        see(Held::UntakenBytes, self.untaken_bytes, bytes);
    }

    /// Bytes held here.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.waiting_bytes + self.untaken_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: u64, len: usize) -> Outgoing {
        Outgoing {
            request: RequestId(n),
            kind: String::new(),
            data: vec![0; len],
        }
    }

    #[test]
    fn the_window_holds_back_and_opens_in_order() {
        let mut flow = Flow::default();
        for n in 0..3 {
            flow.push(message(n, SEND_WINDOW_BYTES / 2));
        }
        assert_eq!(flow.release().map(|m| m.request), Some(RequestId(0)));
        assert_eq!(flow.release().map(|m| m.request), Some(RequestId(1)));
        assert!(flow.release().is_none());
        assert_eq!(flow.taken(), Some(RequestId(0)));
        assert_eq!(flow.release().map(|m| m.request), Some(RequestId(2)));
        assert_eq!(flow.drain(), vec![RequestId(1), RequestId(2)]);
    }

    #[test]
    fn a_sender_that_ignores_the_window_is_found_out() {
        let mut flow = Flow::default();
        for _ in 0..SEND_WINDOW_MESSAGES {
            assert_eq!(flow.arrived(1), Ok(()));
        }
        assert_eq!(flow.arrived(1), Err(Overrun));
        assert_eq!(flow.take(1), 1);
        assert_eq!(flow.arrived(1), Ok(()));
        assert_eq!(flow.take(u32::MAX) as usize, SEND_WINDOW_MESSAGES);
    }
}
