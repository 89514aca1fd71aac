//! Questions to other machines that are not answered yet, each with its time.

use std::collections::BTreeMap;
use std::time::Duration;

use peer_group::names::Tag;
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::RefusedReason;
use tokio::time::Instant;

use super::super::hall::Hall;
use super::super::metrics::count;
use crate::rooms::{Asked, ConnId, Crowd};

/// How long machines have to say who stands in a topic: it is not known which of them will.
const SEARCH: Duration = Duration::from_millis(50);
/// How long one has to say whether it passed a signal on; then it is taken for gone.
const SIGNAL: Duration = Duration::from_secs(1);

/// All of them. Those of a kind have the same time, so the oldest is due first.
#[derive(Default)]
pub(super) struct Open {
    searches: BTreeMap<u64, (Instant, Asked, Vec<Crowd>)>,
    signals: BTreeMap<u64, (Instant, ConnId, Tag)>,
    last: u64,
}

impl Open {
    pub(super) fn search(&mut self, asked: Asked) -> u64 {
        self.last += 1;
        let due = Instant::now() + SEARCH;
        self.searches.insert(self.last, (due, asked, Vec::new()));
        self.last
    }

    pub(super) fn signal(&mut self, conn: ConnId, to: Tag) -> u64 {
        self.last += 1;
        let due = Instant::now() + SIGNAL;
        self.signals.insert(self.last, (due, conn, to));
        self.last
    }

    /// When the next one's time is over.
    pub(super) fn due(&self) -> Option<Instant> {
        let search = self.searches.values().next().map(|(due, ..)| *due);
        let signal = self.signals.values().next().map(|(due, ..)| *due);
        search.into_iter().chain(signal).min()
    }

    /// Ends those whose time is over with what was heard.
    pub(super) fn expire(&mut self, hall: &Hall, now: Instant) {
        let unanswered = &hall.tally.between.unanswered;
        while let Some(first) = self.searches.first_entry().filter(|e| e.get().0 <= now) {
            let (_, asked, crowds) = first.remove();
            // Machines where nobody stands in the topic have no answer.
            if crowds.is_empty() {
                count(unanswered);
            }
            hall.found(asked, crowds);
        }
        while let Some(first) = self.signals.first_entry().filter(|e| e.get().0 <= now) {
            count(unanswered);
            let (_, conn, to) = first.remove();
            hall.signalled(conn, to, Some(RefusedReason::Gone));
        }
    }

    /// Ends all.
    pub(super) fn give_up(&mut self, hall: &Hall) {
        for (_, asked, crowds) in std::mem::take(&mut self.searches).into_values() {
            hall.found(asked, crowds);
        }
        for (_, conn, to) in std::mem::take(&mut self.signals).into_values() {
            hall.signalled(conn, to, Some(RefusedReason::Gone));
        }
    }

    /// Nobody hears of what a question is about.
    pub(super) fn nobody(&mut self, hall: &Hall, id: u64) {
        if let Some((_, asked, crowds)) = self.searches.remove(&id) {
            hall.found(asked, crowds);
        }
        if let Some((_, conn, to)) = self.signals.remove(&id) {
            hall.signalled(conn, to, Some(RefusedReason::Gone));
        }
    }

    /// Takes an answer; of those about a topic, one from each of the others is `all`, if they are
    /// known.
    pub(super) fn answered(&mut self, hall: &Hall, id: u64, bytes: &[u8], all: Option<usize>) {
        if let Some((_, conn, to)) = self.signals.remove(&id) {
            let refused = Option::<RefusedReason>::from_bytes(bytes);
            return hall.signalled(conn, to, refused.unwrap_or(Some(RefusedReason::Gone)));
        }
        let Some((_, _, crowds)) = self.searches.get_mut(&id) else {
            return;
        };
        crowds.extend(Crowd::from_bytes(bytes).ok());
        if all.is_some_and(|all| crowds.len() >= all)
            && let Some((_, asked, crowds)) = self.searches.remove(&id)
        {
            hall.found(asked, crowds);
        }
    }
}
