//! What waits to be sent on one socket: bounded, and ended when its reader is too slow.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::SocketLimits;
use crate::rooms::Receipt;

/// One message to be sent.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    /// Given back once the frame is with the system.
    pub(super) receipt: Option<Receipt>,
}

/// Bytes that wait for several sockets together.
pub(super) struct Account {
    bound: usize,
    waiting: AtomicUsize,
}

impl Account {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            bound,
            waiting: AtomicUsize::new(0),
        }
    }

    /// How many they are.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Adds bytes; whether there was room for them.
    fn add(&self, bytes: usize) -> bool {
        self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.bound
    }

    fn sub(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A queue with one reader, the socket's task, and the hall as its writer.
pub(super) struct Outbox {
    limits: SocketLimits,
    /// Of the socket's address, and of everybody.
    accounts: [Arc<Account>; 2],
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Those of them that the credit of relayed frames does not bound, and their bytes.
    unbound: [usize; 2],
    end: Option<End>,
}

/// How a socket ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// With a code and words, after what waits.
    Close(u16, &'static str),
    /// At once: the reader is too slow.
    Cut,
    /// As the far side asked for.
    Answer,
}

/// What the socket is to do next.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next {
    Frame(Frame),
    End(End),
}

impl Outbox {
    pub(super) fn new(limits: SocketLimits, accounts: [Arc<Account>; 2]) -> Self {
        Self {
            limits,
            accounts,
            queue: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Adds a frame; false if that was one too many and the socket is cut.
    pub(super) fn push(&self, frame: Frame) -> bool {
        let mut queue = self.lock();
        if queue.end.is_some() {
            return true;
        }
        let len = frame.bytes.len();
        queue.bytes += len;
        let mut fits = true;
        if frame.receipt.is_none() {
            queue.unbound[0] += 1;
            queue.unbound[1] += len;
            fits = queue.unbound[0] <= self.limits.queue_frames
                && queue.unbound[1] <= self.limits.queue_bytes;
        }
        let room = self.accounts.each_ref().map(|account| account.add(len));
        // Where all together have too much, those pay who read slowly.
        fits &= queue.frames.is_empty() || room.iter().all(|room| *room);
        if fits {
            queue.frames.push_back(frame);
        } else {
            self.empty(&mut queue);
            queue.end = Some(End::Cut);
        }
        drop(queue);
        self.changed.notify_one();
        fits
    }

    /// Ends the socket after what waits.
    pub(super) fn close(&self, code: u16, words: &'static str) {
        self.lock().end.get_or_insert(End::Close(code, words));
        self.changed.notify_one();
    }

    /// Waits for something to do. Nothing is lost when the wait is given up.
    pub(super) async fn next(&self) -> Next {
        loop {
            let changed = self.changed.notified();
            if let Some(next) = self.take() {
                return next;
            }
            changed.await;
        }
    }

    /// Waits until the socket is cut.
    pub(super) async fn cut(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().end == Some(End::Cut) {
                return;
            }
            changed.await;
        }
    }

    fn take(&self) -> Option<Next> {
        let mut queue = self.lock();
        if let Some(frame) = queue.frames.pop_front() {
            let len = frame.bytes.len();
            queue.bytes -= len;
            if frame.receipt.is_none() {
                queue.unbound[0] -= 1;
                queue.unbound[1] -= len;
            }
            for account in &self.accounts {
                account.sub(len);
            }
            if queue.frames.is_empty() {
                // An idle socket keeps no memory for its busy times.
                queue.frames = VecDeque::new();
            }
            return Some(Next::Frame(frame));
        }
        queue.end.map(Next::End)
    }

    fn empty(&self, queue: &mut Queue) {
        for account in &self.accounts {
            account.sub(queue.bytes);
        }
        *queue = Queue::default();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No panic can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let mut queue = std::mem::take(&mut *self.lock());
        self.empty(&mut queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> [Arc<Account>; 2] {
        [1 << 20, 1 << 20].map(|bound| Arc::new(Account::new(bound)))
    }

    fn outbox(accounts: &[Arc<Account>; 2]) -> Outbox {
        let limits = SocketLimits {
            queue_frames: 3,
            queue_bytes: 10,
            ..SocketLimits::default()
        };
        Outbox::new(limits, accounts.clone())
    }

    fn frame(bytes: &[u8]) -> Frame {
        Frame {
            bytes: bytes.to_vec(),
            receipt: None,
        }
    }

    #[tokio::test]
    async fn what_waits_is_sent_before_the_end() {
        let outbox = outbox(&accounts());
        assert!(outbox.push(frame(&[1])));
        outbox.close(1000, "done");
        outbox.close(1001, "too late to say so");
        assert!(
            outbox.push(frame(&[2])),
            "what comes after the end is dropped"
        );
        assert_eq!(outbox.next().await, Next::Frame(frame(&[1])));
        assert_eq!(outbox.next().await, Next::End(End::Close(1000, "done")));
    }

    #[tokio::test]
    async fn frames_and_bytes_are_bounded_and_reading_makes_room() {
        let accounts = accounts();
        let frames = outbox(&accounts);
        for n in 0..3 {
            assert!(frames.push(frame(&[n])));
        }
        assert_eq!(frames.next().await, Next::Frame(frame(&[0])));
        assert!(frames.push(frame(&[3])));
        assert!(!frames.push(frame(&[4])));
        frames.cut().await;
        assert_eq!(frames.next().await, Next::End(End::Cut));

        let bytes = outbox(&accounts);
        assert!(bytes.push(frame(&[0; 10])));
        assert_eq!(bytes.next().await, Next::Frame(frame(&[0; 10])));
        assert!(bytes.push(frame(&[0; 9])));
        assert_eq!(accounts[0].waiting(), 9);
        assert!(!bytes.push(frame(&[0; 2])));
        assert_eq!(accounts[0].waiting(), 0);
    }

    #[tokio::test]
    async fn what_credit_bounds_cuts_nobody_and_takes_no_room_from_the_rest() {
        let outbox = outbox(&accounts());
        for n in 0..20 {
            let receipt = Some(Receipt::any());
            let bytes = vec![n; 3];
            assert!(outbox.push(Frame { bytes, receipt }));
        }
        for n in 0..3 {
            assert!(outbox.push(frame(&[n])));
        }
        for _ in 0..21 {
            assert!(matches!(outbox.next().await, Next::Frame(_)));
        }
        assert!(outbox.push(frame(&[3])));
        assert!(!outbox.push(frame(&[4])));
    }

    #[tokio::test]
    async fn where_all_together_have_too_much_only_slow_ones_are_cut() {
        let address = Arc::new(Account::new(12));
        let all = Arc::new(Account::new(1 << 20));
        let own = [Arc::clone(&address), Arc::clone(&all)];
        let (slow, quick) = (outbox(&own), outbox(&own));
        assert!(slow.push(frame(&[0; 9])));
        // Nothing of the quick one waits: it may have its frame all the same.
        assert!(quick.push(frame(&[0; 9])));
        assert_eq!(quick.next().await, Next::Frame(frame(&[0; 9])));
        assert!(slow.push(frame(&[0; 1])));
        assert!(quick.push(frame(&[0; 9])));
        assert!(!slow.push(frame(&[])));
        assert_eq!((address.waiting(), all.waiting()), (9, 9));
        drop(quick);
        assert_eq!((address.waiting(), all.waiting()), (0, 0));
    }
}
