//! What a link carries of control items and records: control first, then what is new, then what
//! synchronisation found; a window at a time, so that neither end holds more than that.

use std::collections::VecDeque;

use crate::limits::{
    CONTROL_ITEM_BYTES, CONTROL_ITEMS_PER_FRAME, RECORDS_FRAME_BYTES, RECORDS_PER_AUTHOR,
    RECORDS_PER_FRAME, RECORDS_WINDOW_BYTES, STALLED_MS,
};
use crate::names::RecordId;
use crate::record::store::Store;
use crate::sorted::Set;
use crate::time::Millis;
use crate::wire::codec::{Bytes, List, Wire as _};
use crate::wire::link::Frame;

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
    /// Sends control items.
    pub fn control(&mut self, items: impl IntoIterator<Item = ControlItem>) {
        for item in items {
            if self.control_items.insert(item.clone()) {
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
        if self.fresh_ids.insert(id) {
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

    /// Whether the other end has taken nothing for long though the window is full.
    pub fn is_stalled(&self, now: Millis) -> bool {
        self.full_since
            .is_some_and(|since| now >= since + STALLED_MS)
    }

    /// Sends records when nothing new is to be sent.
    pub fn bulk(&mut self, ids: impl IntoIterator<Item = RecordId>) {
        for id in ids {
            if self.bulk_ids.insert(id) {
                self.bulk.push_back(Bulk::Record(id));
            }
        }
    }

    /// Sends a frame once all records so far have been sent.
    pub fn bulk_mark(&mut self, frame: Frame) {
        self.bulk.push_back(Bulk::Mark(frame));
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
                Some(Bulk::Mark(frame)) => Some(frame),
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

    /// Bytes held here.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let control: usize = self.control_items.iter().map(|item| item.len()).sum();
        control + self.arriving.len() + self.cut.as_ref().map_or(0, |cut| cut.bytes.len())
    }
}
