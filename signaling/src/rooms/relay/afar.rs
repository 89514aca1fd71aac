//! Pairs whose other end is reached through another machine: a half at each.
//!
//! Each half has a name that is never used twice, and every note of a pair names both halves as far as
//! its sender knows them, so what comes late of an earlier pair ends no later one. Frames are
//! numbered: one that came before is dropped, one that is missing ends the pair, and both clients
//! hear so. What was taken is told in all, so it does not matter which note of it is lost; a half that
//! waits for that asks, and without an answer it ends. Nothing is sent twice and nothing kept to be.

use peer_group::names::Tag;
use peer_group::time::{Millis, Now};
use peer_group::wire::rendezvous::{RelayClosedReason, RelayFrame, relay_cost};
use peer_group::wire_struct;

use super::super::far::{Far, Machine, Note};
use super::super::{ConnId, Rooms};
use super::{Ending, PairId, named};

/// Between two looks whether what was sent has been taken.
pub(super) const LOOK_MS: Millis = 5_000;
/// Questions that may stay without an answer.
const QUESTIONS: u8 = 3;

wire_struct! {
    /// Names a half of a pair.
    pub struct Half {
        /// Whose.
        pub machine: Machine,
        /// The machine's own number for it; later ones are greater.
        pub pair: u64,
    }

    /// The halves of a pair.
    pub struct Halves {
        /// The sender's, if it has one.
        pub mine: Option<Half>,
        /// The other, if the sender knows it.
        pub yours: Option<Half>,
    }
}

/// The way from a half to the other.
#[derive(Default)]
pub(super) struct Way {
    /// The other half, once something was heard of it.
    theirs: Option<Half>,
    /// Frames.
    sent: u64,
    heard: u64,
    /// As credit counts: what was sent, what of it was taken, and what was told to have been taken of
    /// what was heard.
    sent_bytes: u64,
    taken_bytes: u64,
    told_bytes: u64,
    /// Questions without an answer.
    asked: u8,
}

impl Rooms {
    /// Whether a connection may have one more note sent to it knows not whom: it counts as a signal.
    pub(super) fn pay_for_note(&mut self, now: Now, conn: Option<ConnId>) -> bool {
        conn.is_some_and(|conn| self.take_signals(now.monotonic, conn, 1).is_ok())
    }

    fn half(&self, id: PairId) -> Option<Half> {
        let machine = self.afar.machine?;
        Some(Half {
            machine,
            pair: id.0,
        })
    }

    fn way(&mut self, id: PairId) -> Option<&mut Way> {
        self.pairs.pairs.get_mut(&id)?.way.as_deref_mut()
    }

    /// Sends a frame, or a question, to the other half.
    pub(super) fn carry(&mut self, id: PairId, from: Tag, to: Tag, frame: Option<RelayFrame>) {
        let mine = self.half(id);
        let Some(way) = self.way(id) else {
            return;
        };
        let note = Note::Relay {
            from,
            halves: Halves {
                mine,
                yours: way.theirs.clone(),
            },
            number: way.sent,
            frame: frame.clone(),
        };
        if let Some(frame) = frame {
            way.sent += 1;
            way.sent_bytes += u64::from(relay_cost(&frame));
        }
        let pair = id.0;
        self.afar.push(Far::Carry { pair, to, note });
    }

    /// Tells the other half that so much more was taken here.
    pub(super) fn tell_taken(&mut self, id: PairId, more: u32) {
        let mine = self.half(id);
        let Some(pair) = self.pairs.pairs.get_mut(&id) else {
            return;
        };
        let (from, to) = pair.here_and_there();
        let Some(way) = pair.way.as_deref_mut() else {
            return;
        };
        way.told_bytes += u64::from(more);
        let note = Note::Taken {
            from,
            halves: Halves {
                mine,
                yours: way.theirs.clone(),
            },
            bytes: way.told_bytes,
        };
        self.afar.push(Far::Tell { to, note });
    }

    /// Tells the other half that this one has ended.
    pub(super) fn tell_closed(
        &mut self,
        id: PairId,
        way: &Way,
        (to, from): (Tag, Tag),
        why: RelayClosedReason,
        unask: bool,
    ) {
        let note = Note::Closed {
            from,
            halves: Halves {
                mine: self.half(id),
                yours: way.theirs.clone(),
            },
            why,
            unask,
        };
        self.afar.push(Far::Tell { to, note });
    }

    /// Tells a half that its other one is not here.
    fn refuse(&mut self, (to, from): (Tag, Tag), half: Option<Half>, why: RelayClosedReason) {
        let note = Note::Closed {
            from,
            halves: Halves {
                mine: None,
                yours: half,
            },
            why,
            unask: false,
        };
        self.afar.push(Far::Tell { to, note });
    }

    /// Asks whether what was sent has come, if nothing is known of it.
    pub(super) fn look_afar(&mut self, id: PairId) {
        let Some(pair) = self.pairs.pairs.get_mut(&id) else {
            return;
        };
        let (from, to) = pair.here_and_there();
        let Some(way) = pair.way.as_deref_mut() else {
            return;
        };
        if way.sent_bytes == way.taken_bytes {
            way.asked = 0;
        } else if way.asked >= QUESTIONS {
            self.close_pair(id, Ending::Broken);
        } else {
            way.asked += 1;
            self.carry(id, from, to, None);
        }
    }

    /// The pair that a note from `from` to `to` is of; the note may be what makes the other half known.
    fn met(&mut self, (from, to): (Tag, Tag), halves: &Halves) -> Option<PairId> {
        let id = self.pair_of(from, to)?;
        let own = self.half(id);
        let way = self.way(id)?;
        let is_known = halves.yours.is_none() || halves.yours == own;
        if way.theirs.is_none() && is_known {
            way.theirs.clone_from(&halves.mine);
        }
        (is_known && way.theirs.is_some() && way.theirs == halves.mine).then_some(id)
    }

    /// Whether a half that a note is from came to be before the one that is known here.
    fn is_late(&mut self, (from, to): (Tag, Tag), halves: &Halves) -> bool {
        let id = self.pair_of(from, to);
        let theirs = id.and_then(|id| self.way(id)?.theirs.clone());
        theirs
            .zip(halves.mine.as_ref())
            .is_some_and(|(theirs, mine)| theirs.machine == mine.machine && theirs.pair > mine.pair)
    }

    /// The other machine sends a frame, or asks whether all before it have come.
    pub(in crate::rooms) fn relayed_afar(
        &mut self,
        now: Now,
        ends: (Tag, Tag),
        halves: Halves,
        number: u64,
        frame: Option<RelayFrame>,
    ) {
        let (from, to) = ends;
        let (id, is_new) = match self.met(ends, &halves) {
            Some(id) => (id, false),
            None if self.is_late(ends, &halves) => return,
            None => match self.begin_afar(now, ends, &halves, number, frame.is_some()) {
                Ok(id) => (id, true),
                Err(why) => return self.refuse(ends, halves.mine, why),
            },
        };
        let Some(way) = self.way(id) else {
            return;
        };
        if number > way.heard {
            return self.close_pair(id, Ending::Broken);
        }
        let Some(frame) = frame else {
            // All of it, so that nobody asks again about the same.
            self.grant(now, id, named(from, to).1, 1);
            return self.tell_taken(id, 0);
        };
        if number < way.heard {
            return;
        }
        way.heard += 1;
        if self.pass(now, id, named(from, to).1, frame) && is_new {
            // So the other machine knows this half, and what happens to it.
            self.tell_taken(id, 0);
        }
    }

    /// Begins a half, for the first frame of the other.
    fn begin_afar(
        &mut self,
        now: Now,
        (from, to): (Tag, Tag),
        halves: &Halves,
        number: u64,
        is_frame: bool,
    ) -> Result<PairId, RelayClosedReason> {
        let is_first = halves.yours.is_none() && halves.mine.is_some() && number == 0 && is_frame;
        if !is_first || self.tags.conn(from).is_some() {
            return Err(RelayClosedReason::Gone);
        }
        if let Some(before) = self.pair_of(from, to) {
            // Its other half has ended, and what said so was lost.
            self.close_pair(before, Ending::Told(RelayClosedReason::Gone));
        }
        let id = self.open_pair(now, from, to)?;
        if let Some(way) = self.way(id) {
            way.theirs.clone_from(&halves.mine);
        }
        Ok(id)
    }

    /// The other machine says what was taken there.
    pub(in crate::rooms) fn taken_afar(
        &mut self,
        now: Now,
        ends: (Tag, Tag),
        halves: Halves,
        bytes: u64,
    ) {
        let (from, to) = ends;
        let Some(id) = self.met(ends, &halves) else {
            if !self.is_late(ends, &halves) {
                self.refuse(ends, halves.mine, RelayClosedReason::Gone);
            }
            return;
        };
        let Some(way) = self.way(id) else {
            return;
        };
        way.asked = 0;
        if bytes > way.sent_bytes || bytes < way.taken_bytes {
            // Not to be believed, or told long ago.
            return;
        }
        let more = u32::try_from(bytes - way.taken_bytes).unwrap_or(u32::MAX);
        way.taken_bytes = bytes;
        let own = named(to, from).1;
        if let Some(pair) = self.pairs.pairs.get_mut(&id) {
            let end = pair.end(own);
            end.taken = end.taken.saturating_add(more);
            self.grant(now, id, own, self.least_credit());
        }
    }

    /// The other machine has ended its half, or has none.
    pub(in crate::rooms) fn closed_afar(
        &mut self,
        ends: (Tag, Tag),
        halves: Halves,
        why: RelayClosedReason,
        unask: bool,
    ) {
        let (from, to) = ends;
        let Some(id) = self.pair_of(from, to) else {
            return;
        };
        let own = self.half(id);
        let Some(way) = self.way(id) else {
            return;
        };
        let names_own = halves.yours.is_some() && halves.yours == own;
        let names_theirs = halves.mine.is_some() && halves.mine == way.theirs;
        if names_own || names_theirs {
            if unask {
                self.tags.unask(to, from);
            }
            self.close_pair(id, Ending::Told(why));
        }
    }

    /// Nobody heard what was carried for a pair.
    pub fn lost(&mut self, now: Now, pair: u64) {
        self.tick(now);
        if self.way(PairId(pair)).is_some() {
            self.close_pair(PairId(pair), Ending::Broken);
        }
    }

    /// Another machine is no more, or none can be reached: the pairs with it end.
    pub fn parted(&mut self, now: Now, machine: Option<Machine>) {
        self.tick(now);
        let is_of = |way: &Way| {
            machine.is_none_or(|gone| {
                let theirs = way.theirs.as_ref();
                theirs.is_some_and(|half| half.machine == gone)
            })
        };
        let pairs = self.pairs.pairs.iter();
        let ended: Vec<PairId> = pairs
            .filter(|(_, pair)| pair.way.as_deref().is_some_and(is_of))
            .map(|(id, _)| *id)
            .collect();
        for id in ended {
            self.close_pair(id, Ending::Broken);
        }
    }
}

#[cfg(test)]
impl Rooms {
    /// Of the only pair.
    pub(in crate::rooms) fn halves(&self) -> Halves {
        let (id, pair) = self.pairs.pairs.first_key_value().expect("a pair");
        Halves {
            mine: self.half(*id),
            yours: pair.way.as_ref().and_then(|way| way.theirs.clone()),
        }
    }
}
