//! What a graph holds, beside its bounds.

use super::Graph;
use super::link::{HELD_FRAMES, Link};
use super::opening::{CANDIDATES, EARLY_SIGNALS};
use super::records::{RECORD_HEAD_BYTES, Records};
use crate::gauge::{Held, See};
use crate::limits as most;

/// Links at most: with the driver, and those that only talk through the server.
const LINKS: usize = most::PEER_CONNECTIONS + most::HALF_OPEN_LINKS + most::PENDING_CONNECTS;

impl Graph {
    /// Shows how much there is of everything that may grow; records are as large as `max_record`.
    pub fn gauges(&self, max_record: usize, see: &mut See<'_>) {
        let links = self.links.values();
        let half_open = links.clone().filter(|l| !l.initiator && !l.is_open());
        see(Held::Links, self.links.len(), LINKS);
        see(
            Held::HalfOpenLinks,
            half_open.count(),
            most::HALF_OPEN_LINKS,
        );
        let directs = LINKS * most::DIRECT_PER_LINK;
        see(Held::Directs, self.directs.len(), directs);
        see(Held::Asks, self.asks.len(), most::ASKS);
        see(Held::Verdicts, self.verdicts.len(), most::VALIDATIONS);
        see(
            Held::Superseded,
            self.superseded.len(),
            most::PENDING_CONNECTS,
        );
        see(Held::Attempts, self.seen.len(), most::REMEMBERED_ATTEMPTS);
        see(
            Held::Attempts,
            self.seen_set.len(),
            most::REMEMBERED_ATTEMPTS,
        );
        see(Held::Attempts, self.attempts.len(), LINKS);
        see(Held::Signals, self.signals.len(), most::WAITING_SIGNALS);
        see(Held::RelayPairs, self.relays.pairs(), most::RELAY_PAIRS);
        // Five of each link, two of each connection, one of each question, five of the graph.
        let timers = 5 * LINKS + 2 * directs + most::ASKS + most::VALIDATIONS + 5;
        see(Held::Timers, self.timers.len(), timers);
        see(
            Held::Precedence,
            self.precedence.len(),
            most::SYNC_PRECEDENCE,
        );
        self.overlay.gauges(see);
        self.records.gauges(see);
        for link in links {
            gauges_of_link(link, max_record, see);
        }
        for direct in self.directs.values() {
            direct.flow.gauges(see);
        }
    }
}

fn gauges_of_link(link: &Link, max_record: usize, see: &mut See<'_>) {
    see(Held::HeldFrames, link.held_frames(), HELD_FRAMES);
    let candidates = link.candidates_in.len().max(link.candidates_out.len());
    see(Held::Candidates, candidates, CANDIDATES);
    see(Held::EarlySignals, link.early.len(), EARLY_SIGNALS);
    if let Some(relayed) = &link.relayed {
        let most_waiting = most::RELAY_QUEUE_MOST_BYTES + most::FRAME_BYTES;
        see(Held::RelayWaiting, relayed.waiting(), most_waiting);
        see(Held::RelayArriving, relayed.arriving(), most::FRAME_BYTES);
    }
    link.flow.gauges(see);
    link.lane.gauges(max_record + RECORD_HEAD_BYTES, see);
    if let Some(syncing) = &link.syncing {
        syncing.gauges(see);
    }
}

impl Records {
    fn gauges(&self, see: &mut See<'_>) {
        let waiting = most::VALIDATIONS + most::WAITING_RECORDS;
        see(Held::WaitingRecords, self.waiting.len(), waiting);
        see(
            Held::WaitingBytes,
            self.waiting.bytes(),
            most::WAITING_BYTES,
        );
        let (records, authors) = self.pace.held();
        see(Held::PacedRecords, records, most::RECORDS_PER_AUTHOR);
        see(Held::PacedAuthors, authors, most::PACED_AUTHORS);
        see(Held::Refused, self.refused.len(), most::REFUSED_RECORDS);
        // What storage lacks is in the store, and what it has too much was.
        see(Held::Unstored, self.unstored.len(), 2 * most::LANE_RECORDS);
        let writes = self.writes.len() + self.writing.len();
        let own = self.refreshing.len();
        see(Held::Writes, writes, most::REQUESTS + own);
        see(Held::Refreshing, own, most::LANE_RECORDS);
        self.store.gauges(see);
    }
}
