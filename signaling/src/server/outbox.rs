//! What waits to be sent on one socket: bounded, and ended when its reader is too slow.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::SocketLimits;

/// A queue with one reader, the socket's task, and the hall as its writer.
pub(super) struct Outbox {
    limits: SocketLimits,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
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
    Frame(Vec<u8>),
    End(End),
}

impl Outbox {
    pub(super) fn new(limits: SocketLimits) -> Self {
        Self {
            limits,
            queue: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Adds a frame; false if that was one too many and the socket is cut.
    pub(super) fn push(&self, frame: Vec<u8>) -> bool {
        let mut queue = self.lock();
        if queue.end.is_some() {
            return true;
        }
        let bytes = queue.bytes + frame.len();
        let fits =
            queue.frames.len() < self.limits.queue_frames && bytes <= self.limits.queue_bytes;
        if fits {
            queue.bytes = bytes;
            queue.frames.push_back(frame);
        } else {
            *queue = Queue {
                end: Some(End::Cut),
                ..Queue::default()
            };
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
            queue.bytes -= frame.len();
            if queue.frames.is_empty() {
                // An idle socket keeps no memory for its busy times.
                queue.frames = VecDeque::new();
            }
            return Some(Next::Frame(frame));
        }
        queue.end.map(Next::End)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No panic can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(SocketLimits {
            queue_frames: 3,
            queue_bytes: 10,
            ..SocketLimits::default()
        })
    }

    #[tokio::test]
    async fn what_waits_is_sent_before_the_end() {
        let outbox = outbox();
        assert!(outbox.push(vec![1]));
        outbox.close(1000, "done");
        outbox.close(1001, "too late to say so");
        assert!(outbox.push(vec![2]), "what comes after the end is dropped");
        assert_eq!(outbox.next().await, Next::Frame(vec![1]));
        assert_eq!(outbox.next().await, Next::End(End::Close(1000, "done")));
    }

    #[tokio::test]
    async fn frames_and_bytes_are_bounded_and_reading_makes_room() {
        let frames = outbox();
        for n in 0..3 {
            assert!(frames.push(vec![n]));
        }
        assert_eq!(frames.next().await, Next::Frame(vec![0]));
        assert!(frames.push(vec![3]));
        assert!(!frames.push(vec![4]));
        frames.cut().await;
        assert_eq!(frames.next().await, Next::End(End::Cut));

        let bytes = outbox();
        assert!(bytes.push(vec![0; 10]));
        assert_eq!(bytes.next().await, Next::Frame(vec![0; 10]));
        assert!(bytes.push(vec![0; 9]));
        assert!(!bytes.push(vec![0; 2]));
    }
}
