//! What a link carries of control items and records: control first, then what is new, then what
//! synchronisation found; a window at a time, so that neither end holds more than that.

use std::collections::VecDeque;

use crate::gauge::{Held, See};
use crate::limits::{
    CONTROL_ITEM_BYTES, CONTROL_ITEMS, CONTROL_ITEMS_PER_FRAME, LANE_MARKS, LANE_RECORDS,
    RECORDS_FRAME_BYTES, RECORDS_PER_AUTHOR, RECORDS_PER_FRAME, RECORDS_WINDOW_BYTES, STALLED_MS,
};
use crate::names::RecordId;
use crate::record::store::Store;
use crate::sorted::Set;
use crate::time::Millis;
use crate::wire::codec::{Bytes, List, Wire as _};
use crate::wire::link::Frame;

/// The smallest items have a signature.
const LEAST_ITEM_BYTES: usize = 64;

/// A control item as it travels.
pub type ControlItem = Bytes<CONTROL_ITEM_BYTES>;

/// Something of the slow queue.
enum Bulk {
    /// A record.
    Record(RecordId),
    /// Says that everything before it has been sent.
    Mark(Frame),
}

/// Something of the control queue.
enum Control {
    Item(ControlItem),
    Mark(Frame),
}

/// A large record on its way, and how much of it has been sent.
struct Cut {
    bytes: Vec<u8>,
    sent: usize,
}

/// The items of one link, in both directions.
#[derive(Default)]
pub struct Lane {
    control: VecDeque<Control>,
    /// The items in `control`.
    control_items: Set<ControlItem>,
    fresh: VecDeque<RecordId>,
    bulk: VecDeque<Bulk>,
    /// Marks in `bulk`.
    bulk_marks: usize,
    /// Records in `fresh` and in `bulk` that are still to be sent.
    fresh_ids: Set<RecordId>,
    bulk_ids: Set<RecordId>,
    cut: Option<Cut>,
    in_flight: VecDeque<usize>,
    in_flight_bytes: usize,
    full_since: Option<Millis>,
    /// Records of which our version was told lately.
    answered: Set<RecordId>,
    arriving: Vec<u8>,
    arriving_rest: usize,
}

/// The pieces of a large record do not fit together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Misfit;

impl Lane {
    /// Sends control items. Where there are too many, as with records: a comparison finds the rest.
    pub fn control(&mut self, items: impl IntoIterator<Item = ControlItem>) {
        for item in items {
            let full = self.control_items.len() >= CONTROL_ITEMS;
            if !full && self.control_items.insert(item.clone()) {
                self.control.push_back(Control::Item(item));
            }
        }
    }

    /// Sends a frame once all control items so far have been sent.
    pub fn control_mark(&mut self, frame: Frame) {
        self.control.push_back(Control::Mark(frame));
    }

    /// Sends a record soon.
    pub fn fresh(&mut self, id: RecordId) {
        let full = self.fresh_ids.len() >= LANE_RECORDS;
        if !full && self.fresh_ids.insert(id) {
            self.fresh.push_back(id);
        }
        // What was forgotten and came again stands there twice.
        if self.fresh.len() > 2 * self.fresh_ids.len() + 64 {
            self.fresh = self.fresh_ids.iter().copied().collect();
        }
    }

    /// Whether the other end is to be told of our version of a record now: once between two calls of
    /// [`forget_answers`](Self::forget_answers), however often it sends an older one.
    pub fn answer_once(&mut self, id: RecordId) -> bool {
        self.answered.len() < RECORDS_PER_AUTHOR && self.answered.insert(id)
    }

    /// Lets answers be given again.
    pub fn forget_answers(&mut self) {
        self.answered.clear();
    }

    /// Whether the other end has taken nothing, or next to nothing, for long though the window is full.
    pub fn is_stalled(&self, now: Millis) -> bool {
        let full = self
            .full_since
            .is_some_and(|since| now >= since + STALLED_MS);
        full || self.marks() > LANE_MARKS
    }

    fn marks(&self) -> usize {
        self.control.len() - self.control_items.len() + self.bulk_marks
    }

    /// Whether everything has been sent, and taken.
    pub fn is_idle(&self) -> bool {
        self.control.is_empty()
            && self.fresh_ids.is_empty()
            && self.bulk.is_empty()
            && self.cut.is_none()
            && self.in_flight.is_empty()
    }

    /// Sends records when nothing new is to be sent.
    pub fn bulk(&mut self, ids: impl IntoIterator<Item = RecordId>) {
        for id in ids {
            if self.bulk_ids.len() < LANE_RECORDS && self.bulk_ids.insert(id) {
                self.bulk.push_back(Bulk::Record(id));
            }
        }
        // As with those that are new.
        if self.bulk.len() > 2 * self.bulk_ids.len() + self.bulk_marks + 64 {
            let mut left = self.bulk_ids.clone();
            self.bulk.retain(|of| match of {
                Bulk::Record(id) => left.remove(id),
                Bulk::Mark(_) => true,
            });
        }
    }

    /// Sends a frame once all records so far have been sent.
    pub fn bulk_mark(&mut self, frame: Frame) {
        self.bulk.push_back(Bulk::Mark(frame));
        self.bulk_marks += 1;
    }

    /// The far side has a record: it need not be sent.
    pub fn forget(&mut self, id: RecordId) {
        self.fresh_ids.remove(&id);
        self.bulk_ids.remove(&id);
    }

    /// The next frame that fits the window. Records are read at the last moment: whatever changed
    /// while it waited travels once.
    pub fn next(&mut self, store: &Store, now: Millis) -> Option<Frame> {
        if self.in_flight_bytes >= RECORDS_WINDOW_BYTES {
            self.full_since.get_or_insert(now);
            return None;
        }
        if let Some(frame) = self.next_control() {
            return Some(frame);
        }
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < RECORDS_PER_FRAME && bytes < RECORDS_FRAME_BYTES {
            let Some(id) = self.next_record() else { break };
            let Some(record) = store.any(&id).map(|entry| entry.record().to_bytes()) else {
                continue;
            };
            if record.len() > RECORDS_FRAME_BYTES {
                if self.cut.is_some() {
                    self.fresh_ids.insert(id);
                    self.fresh.push_front(id);
                    break;
                }
                self.cut = Some(Cut {
                    bytes: record,
                    sent: 0,
                });
                break;
            }
            bytes += record.len();
            records.extend(Bytes::new(record));
        }
        if !records.is_empty() {
            self.sent(bytes);
            let records = List::first(records);
            return Some(Frame::Records { records });
        }
        if let Some(piece) = self.next_piece() {
            return Some(piece);
        }
        match self.bulk.front() {
            Some(Bulk::Mark(_)) => match self.bulk.pop_front() {
                Some(Bulk::Mark(frame)) => {
                    self.bulk_marks -= 1;
                    Some(frame)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn next_control(&mut self) -> Option<Frame> {
        let mut items = Vec::new();
        let mut bytes = 0;
        while items.len() < CONTROL_ITEMS_PER_FRAME && bytes < RECORDS_FRAME_BYTES {
            match self.control.pop_front() {
                Some(Control::Item(item)) => {
                    self.control_items.remove(&item);
                    bytes += item.len();
                    items.push(item);
                }
                Some(Control::Mark(frame)) if items.is_empty() => return Some(frame),
                Some(mark) => {
                    self.control.push_front(mark);
                    break;
                }
                None => break,
            }
        }
        if items.is_empty() {
            return None;
        }
        self.sent(bytes);
        let items = List::first(items);
        Some(Frame::Control { items })
    }

    /// The next record to send: new ones first, and none of the others while a large one is on its
    /// way, so that a mark never overtakes it.
    fn next_record(&mut self) -> Option<RecordId> {
        while let Some(id) = self.fresh.pop_front() {
            if self.fresh_ids.remove(&id) {
                self.bulk_ids.remove(&id);
                return Some(id);
            }
        }
        while self.cut.is_none() {
            let Some(Bulk::Record(id)) = self.bulk.front() else {
                return None;
            };
            let id = *id;
            self.bulk.pop_front();
            if self.bulk_ids.remove(&id) {
                return Some(id);
            }
        }
        None
    }

    fn next_piece(&mut self) -> Option<Frame> {
        let cut = self.cut.as_mut()?;
        let rest = cut.bytes.get(cut.sent..).unwrap_or_default();
        let piece = rest.get(..RECORDS_FRAME_BYTES).unwrap_or(rest);
        let (len, rest) = (piece.len(), rest.len() - piece.len());
        let frame = Frame::RecordPart {
            rest: u32::try_from(rest).unwrap_or(u32::MAX),
            piece: Bytes::new(piece.to_vec()).unwrap_or_default(),
        };
        cut.sent += len;
        if rest == 0 {
            self.cut = None;
        }
        self.sent(len);
        Some(frame)
    }

    fn sent(&mut self, bytes: usize) {
        self.in_flight.push_back(bytes);
        self.in_flight_bytes += bytes;
    }

    /// The far side took the oldest frames.
    pub fn taken(&mut self, frames: u32) {
        for _ in 0..frames {
            let Some(bytes) = self.in_flight.pop_front() else {
                return;
            };
            self.in_flight_bytes -= bytes;
            self.full_since = None;
        }
    }

    /// A piece of a large record came: the whole, if it was the last.
    pub fn piece(
        &mut self,
        piece: &[u8],
        rest: usize,
        max: usize,
    ) -> Result<Option<Vec<u8>>, Misfit> {
        let expected = self.arriving_rest.saturating_sub(piece.len());
        let first = self.arriving.is_empty();
        if piece.is_empty()
            || (first && piece.len().saturating_add(rest) > max)
            || (!first && (piece.len() > self.arriving_rest || rest != expected))
        {
            return Err(Misfit);
        }
        self.arriving.extend_from_slice(piece);
        self.arriving_rest = rest;
        Ok((rest == 0).then(|| core::mem::take(&mut self.arriving)))
    }

    /// Shows how much waits, is on its way and arrives.
    pub fn gauges(&self, max_record: usize, see: &mut See<'_>) {
        see(Held::LaneControl, self.control_items.len(), CONTROL_ITEMS);
        see(Held::LaneFresh, self.fresh.len(), 2 * LANE_RECORDS + 64);
        see(Held::LaneFresh, self.fresh_ids.len(), LANE_RECORDS);
        let bulk = self.bulk.len() - self.bulk_marks;
        see(Held::LaneBulk, bulk, 2 * LANE_RECORDS + 64);
        see(Held::LaneBulk, self.bulk_ids.len(), LANE_RECORDS);
        // Looked at once a minute, or later where timers are late.
        see(Held::LaneMarks, self.marks(), 2 * LANE_MARKS);
        let bytes = RECORDS_WINDOW_BYTES + 2 * RECORDS_FRAME_BYTES;
        see(Held::LaneBytes, self.in_flight_bytes, bytes);
        see(
            Held::LaneFrames,
            self.in_flight.len(),
            bytes / LEAST_ITEM_BYTES,
        );
        see(Held::LaneAnswered, self.answered.len(), RECORDS_PER_AUTHOR);
        let cut = self.cut.as_ref().map_or(0, |cut| cut.bytes.len());
        see(Held::LaneArriving, self.arriving.len().max(cut), max_record);
    }

    /// Bytes held here.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let control: usize = self.control_items.iter().map(|item| item.len()).sum();
        control + self.arriving.len() + self.cut.as_ref().map_or(0, |cut| cut.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> RecordId {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(n as u64).to_be_bytes());
        RecordId(id)
    }

    fn within_bounds(lane: &Lane) -> bool {
        let mut all = true;
        lane.gauges(1 << 20, &mut |_, held, bound| all &= held <= bound);
        all
    }

    #[test]
    fn who_takes_next_to_nothing_does_not_fill_the_memory() {
        let mut lane = Lane::default();
        for n in 0..2 * LANE_RECORDS {
            lane.fresh(id(n));
            lane.bulk([id(n)]);
        }
        assert!(within_bounds(&lane) && lane.fresh_ids.len() == LANE_RECORDS);
        // It shows that it has them, and then asks for them again.
        let mut lane = Lane::default();
        for n in 0..10_000 {
            lane.forget(id(n % 100));
            lane.fresh(id(n % 100));
            lane.bulk([id(n % 100)]);
        }
        assert!(lane.fresh.len() < 300 && lane.bulk.len() < 300);
        assert!(!lane.is_stalled(0));
        for _ in 0..LANE_MARKS {
            lane.bulk_mark(Frame::Ping { token: 1 });
            lane.control_mark(Frame::Ping { token: 1 });
        }
        assert!(lane.is_stalled(0) && within_bounds(&lane));
    }

    #[test]
    fn what_is_asked_for_again_stands_before_its_marks() {
        let mut lane = Lane::default();
        let store = Store::new();
        lane.bulk([id(1)]);
        lane.bulk_mark(Frame::Ping { token: 1 });
        for n in 0..1000 {
            lane.forget(id(2 + n));
            lane.bulk([id(2 + n)]);
            lane.forget(id(2 + n));
        }
        lane.bulk([id(1)]);
        assert!(lane.bulk.len() < 100);
        assert_eq!(lane.next(&store, 0), Some(Frame::Ping { token: 1 }));
        assert_eq!(lane.next(&store, 0), None);
        assert_eq!(lane.bulk_marks, 0);
        assert!(lane.bulk_ids.is_empty());
    }
}
