//! How fast records are flooded: each author's have a rate of their own, ours too. What comes faster
//! waits its turn, nothing is refused.

use std::collections::VecDeque;

use crate::limits::{FLOODED_BURST, FLOODED_PER_SECOND, PACED_AUTHORS, RECORDS_PER_AUTHOR};
use crate::names::{LinkId, PeerId, RecordId};
use crate::sorted::{Map, Set};
use crate::time::Millis;

/// Between two looks at what waits.
pub const PACE_MS: Millis = 100;

/// A record to flood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flood {
    /// Which.
    pub id: RecordId,
    /// Whose rate it counts against.
    pub author: PeerId,
    /// The link it came over: there it is known.
    pub except: Option<LinkId>,
    /// When it came.
    pub at: Millis,
}

/// Thousandths of a record that may be flooded, as of a moment.
struct Bucket {
    room: u64,
    at: Millis,
}

/// What waits to be flooded.
#[derive(Default)]
pub struct Pace {
    buckets: Map<PeerId, Bucket>,
    waiting: VecDeque<Flood>,
    queued: Set<RecordId>,
}

impl Pace {
    /// The record, if it may be flooded now; else it waits.
    pub fn now_or_later(&mut self, flood: Flood, now: Millis) -> Option<Flood> {
        if self.queued.contains(&flood.id) {
            let mut same = self.waiting.iter_mut().filter(|other| other.id == flood.id);
            if let Some(other) = same.next() {
                // A newer version: no link is known to have it, but whence it came.
                other.at = flood.at;
                if other.except != flood.except {
                    other.except = None;
                }
            }
            return None;
        }
        if self.waiting.is_empty() && self.has_room(flood.author, now) {
            return Some(flood);
        }
        // Comparing with neighbors finds what is dropped here.
        if self.waiting.len() >= RECORDS_PER_AUTHOR
            && let Some(dropped) = self.waiting.pop_front()
        {
            self.queued.remove(&dropped.id);
        }
        self.queued.insert(flood.id);
        self.waiting.push_back(flood);
        None
    }

    /// Those that may be flooded by now.
    pub fn due(&mut self, now: Millis) -> Vec<Flood> {
        let mut due = Vec::new();
        let mut full: Set<PeerId> = Set::new();
        for flood in core::mem::take(&mut self.waiting) {
            if !full.contains(&flood.author) && self.has_room(flood.author, now) {
                self.queued.remove(&flood.id);
                due.push(flood);
            } else {
                full.insert(flood.author);
                self.waiting.push_back(flood);
            }
        }
        self.forget_rested(now);
        due
    }

    /// Forgets authors who may flood as much as anybody.
    fn forget_rested(&mut self, now: Millis) {
        let rested = |bucket: &Bucket| refill(bucket, now) >= FLOODED_BURST * 1000;
        self.buckets.retain(|_, bucket| !rested(bucket));
    }

    /// How many records wait, and how many authors are remembered.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.waiting.len(), self.buckets.len())
    }

    /// Whether something waits.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn has_room(&mut self, author: PeerId, now: Millis) -> bool {
        if !self.buckets.contains_key(&author) {
            let room = FLOODED_BURST * 1000;
            if self.buckets.len() >= PACED_AUTHORS {
                self.forget_rested(now);
            }
            if self.buckets.len() >= PACED_AUTHORS {
                return false;
            }
            self.buckets.insert(author, Bucket { room, at: now });
        }
        let Some(bucket) = self.buckets.get_mut(&author) else {
            return false;
        };
        bucket.room = refill(bucket, now);
        bucket.at = now;
        let has = bucket.room >= 1000;
        if has {
            bucket.room -= 1000;
        }
        has
    }
}

fn refill(bucket: &Bucket, now: Millis) -> u64 {
    let more = now
        .saturating_sub(bucket.at)
        .saturating_mul(FLOODED_PER_SECOND);
    bucket.room.saturating_add(more).min(FLOODED_BURST * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood(author: u8, n: u64) -> Flood {
        let mut id = [author; 16];
        id[8..].copy_from_slice(&n.to_be_bytes());
        Flood {
            id: RecordId(id),
            author: PeerId([author; 32]),
            except: None,
            at: 0,
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_its_rate() {
        let mut pace = Pace::default();
        let at_once = (0..3000).filter(|n| pace.now_or_later(flood(1, *n), 0).is_some());
        assert_eq!(at_once.count() as u64, FLOODED_BURST);
        assert!(pace.due(0).is_empty());
        assert_eq!(pace.due(1000).len() as u64, FLOODED_PER_SECOND);
        let all: usize = (2..20).map(|second| pace.due(second * 1000).len()).sum();
        assert_eq!(all as u64, 3000 - FLOODED_BURST - FLOODED_PER_SECOND);
        assert!(!pace.is_waiting());
    }

    #[test]
    fn one_author_does_not_slow_another() {
        let mut pace = Pace::default();
        for n in 0..2000 {
            pace.now_or_later(flood(1, n), 0);
        }
        pace.now_or_later(flood(2, 0), 0);
        let due = pace.due(PACE_MS);
        assert!(due.contains(&flood(2, 0)));
    }

    #[test]
    fn of_many_authors_only_those_who_flood_are_remembered() {
        let mut pace = Pace::default();
        let author = |n: u64| {
            let mut peer = [0; 32];
            peer[..8].copy_from_slice(&n.to_be_bytes());
            Flood {
                author: PeerId(peer),
                ..flood(0, n)
            }
        };
        let many = 3 * PACED_AUTHORS as u64;
        for n in 0..many {
            assert!(pace.now_or_later(author(n), n * 10).is_some());
        }
        assert!(pace.buckets.len() <= PACED_AUTHORS);
        // All within a moment: those beyond wait until others have rested.
        let now = many * 10;
        let at_once = (0..many).filter(|n| {
            let flood = author(many + n);
            pace.now_or_later(flood, now).is_some()
        });
        assert!(at_once.count() <= PACED_AUTHORS);
        assert_eq!(pace.buckets.len(), PACED_AUTHORS);
        assert!(!pace.due(now + 1000).is_empty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut pace = Pace::default();
        for n in 0..50_000 {
            pace.now_or_later(flood(1, n), 0);
        }
        assert_eq!(pace.waiting.len(), RECORDS_PER_AUTHOR);
        assert_eq!(pace.queued.len(), RECORDS_PER_AUTHOR);
    }
}
