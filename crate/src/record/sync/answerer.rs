//! The end that is asked in a comparison, and finds the differences.

use crate::gauge::{Held, See};
use crate::limits::{SYNC_DEPTH, SYNC_PARTS, SYNC_SYMBOLS, SYNC_SYMBOLS_KEPT};
use crate::record::sync::asker::say_ids;
use crate::record::sync::budget::Budget;
use crate::record::sync::key::Key;
use crate::record::sync::snapshot::Snapshot;
use crate::record::sync::symbols::{Difference, Row, growth, peel, subtract};
use crate::record::sync::{Checked, Finished, Holdings, ITEMS, Step};
use crate::sorted::Map;
use crate::wire::codec::List;
use crate::wire::sync::{Answer, Digest, Message, Part, ShortId, Symbol};

/// Parts of an honest asker that differ and are not done.
pub(crate) const OPEN: usize = SYNC_DEPTH as usize * SYNC_PARTS * 16;

/// The answerer's side of one comparison.
pub(crate) struct Answerer {
    round: u16,
    snapshot: Snapshot,
    open: Map<Part, Answered>,
    budget: Budget,
    pushed: u32,
    wanted: u32,
    /// Symbols of all parts.
    kept: usize,
    /// Everything was asked for.
    everything: bool,
    has_ended: bool,
    /// Nothing came since the last look.
    is_old: bool,
}

/// What came of a part.
enum Answered {
    /// Nothing yet.
    Nothing,
    /// Symbols, the first of them without ours.
    Symbols { row: Row, symbols: Vec<Symbol> },
    /// Ids. How many of ours were passed, and the last one that came.
    Ids { passed: usize, before: Option<u64> },
}

impl Answerer {
    /// What an end expects that gave `answer` to somebody with `count` items.
    pub(crate) fn new(
        round: u16,
        key: Key,
        count: u32,
        answer: &Answer,
        holdings: &dyn Holdings,
    ) -> Option<Self> {
        let everything = match answer {
            Answer::Same {} => return None,
            Answer::Differs { .. } => false,
            Answer::Everything { .. } => true,
        };
        let snapshot = if everything {
            Snapshot::empty(key)
        } else {
            Snapshot::new(key, holdings)
        };
        let mut budget = Budget::new(snapshot.len());
        budget.claimed(count);
        let open = (!everything).then_some((Part::ALL, Answered::Nothing));
        Some(Self {
            round,
            snapshot,
            open: open.into_iter().collect(),
            budget,
            pushed: 0,
            wanted: 0,
            kept: 0,
            everything,
            has_ended: everything,
            is_old: false,
        })
    }

    /// Shows what is kept.
    pub(crate) fn gauges(&self, see: &mut See<'_>) {
        see(Held::SyncItems, self.snapshot.len(), ITEMS);
        see(Held::SyncAnswered, self.open.len(), OPEN);
        see(Held::SyncSymbols, self.kept, SYNC_SYMBOLS_KEPT);
    }

    pub(crate) fn round(&self) -> u16 {
        self.round
    }

    /// Whether nothing is left to find out.
    #[cfg(test)]
    pub(crate) fn knows_all(&self) -> bool {
        self.open.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    fn finished(&self, complete: bool) -> Finished {
        Finished {
            asker: false,
            complete,
            pushed: self.pushed,
            wanted: self.wanted,
            // What this end has and the other has not, nobody looked at.
            again: self.everything && complete,
        }
    }

    pub(crate) fn take(
        &mut self,
        message: Message,
        out: &mut Vec<Step>,
    ) -> Result<Option<Finished>, &'static str> {
        let from = out.len();
        let fits = self.budget.spend(&message);
        self.is_old = false;
        match message {
            Message::Split { part, digests, .. } => self.split(part, &digests, out)?,
            Message::Symbols {
                part,
                symbols,
                last,
                ..
            } => self.symbols(part, &symbols, last, out)?,
            Message::Ids {
                part, ids, last, ..
            } => self.ids(part, &ids, last, out)?,
            Message::End { complete, .. } => {
                if complete && !self.open.is_empty() {
                    return Err("it ended before all was said");
                }
                return Ok(Some(self.finished(complete)));
            }
            _ => {}
        }
        if self.open.len() > OPEN {
            return Err("it splits and does not go on");
        }
        if self.open.is_empty() && !self.has_ended {
            self.has_ended = true;
            self.snapshot.clear();
            out.push(Step::Say(self.end(true)));
        }
        let said = out.get(from..).unwrap_or_default();
        if fits && self.budget.spend_all(said) && self.kept <= SYNC_SYMBOLS_KEPT {
            return Ok(None);
        }
        out.truncate(from);
        out.push(Step::Say(self.end(false)));
        Ok(Some(self.finished(false)))
    }

    /// Gives up if nothing came since this was asked before.
    pub(crate) fn grow_old(&mut self, out: &mut Vec<Step>) -> Option<Finished> {
        let was_old = core::mem::replace(&mut self.is_old, true);
        // Somebody whose items are on their way need not say anything.
        if !was_old || self.has_ended {
            return None;
        }
        out.push(Step::Say(self.end(false)));
        Some(self.finished(false))
    }

    fn end(&self, complete: bool) -> Message {
        Message::End {
            round: self.round,
            asker: false,
            complete,
        }
    }

    fn split(&mut self, part: Part, digests: &[Digest], out: &mut Vec<Step>) -> Checked {
        match self.open.remove(&part) {
            Some(Answered::Nothing) => {}
            Some(Answered::Symbols { symbols, .. }) => self.kept -= symbols.len(),
            Some(Answered::Ids { .. }) | None => return Err("it splits what does not differ"),
        }
        let parts = part
            .split()
            .filter(|_| digests.len() == 16)
            .ok_or("it splits no further")?;
        let mut answers = Vec::new();
        for (part, digest) in parts.iter().zip(digests) {
            let own = self.snapshot.digest(*part);
            answers.push(if own == *digest {
                Answer::Same {}
            } else {
                self.open.insert(*part, Answered::Nothing);
                Answer::Differs {
                    count: own.count,
                    sketch: self.snapshot.sketch(*part),
                }
            });
        }
        out.push(Step::Say(Message::Parts {
            round: self.round,
            part,
            answers: List::first(answers),
        }));
        Ok(())
    }

    fn symbols(&mut self, part: Part, more: &[Symbol], last: bool, out: &mut Vec<Step>) -> Checked {
        let (mut row, mut symbols) = match self.open.remove(&part) {
            Some(Answered::Nothing) => {
                let ids = self.snapshot.part(part).iter().map(|item| item.id);
                (Row::new(ids), Vec::new())
            }
            Some(Answered::Symbols { row, symbols }) => (row, symbols),
            Some(Answered::Ids { .. }) | None => return Err("symbols of what does not differ"),
        };
        symbols.extend_from_slice(more);
        self.kept += more.len();
        if symbols.len() > SYNC_SYMBOLS || more.is_empty() {
            return Err("too many symbols, or none");
        }
        if last {
            let came = symbols.len() - row.len();
            if row.len() > 0 && came != growth(row.len()) {
                return Err("not as many symbols as were asked for");
            }
            let new = symbols.iter_mut().skip(row.len());
            let ours = row.next(came);
            new.zip(&ours)
                .for_each(|(theirs, ours)| subtract(theirs, ours));
            if let Some(found) = peel(&symbols).filter(|found| self.can_be(part, found)) {
                self.kept -= symbols.len();
                self.found(part, &found, out);
                return Ok(());
            }
            out.push(Step::Say(Message::More {
                round: self.round,
                part,
            }));
        }
        self.open.insert(part, Answered::Symbols { row, symbols });
        Ok(())
    }

    /// Whether a difference fits what we hold: a liar's need not.
    fn can_be(&self, part: Part, found: &Difference) -> bool {
        let holds = |id: &u64| self.snapshot.find(*id).is_some();
        let theirs = found.theirs.iter();
        theirs.clone().all(|id| part.has(*id) && !holds(id))
            && theirs.clone().zip(theirs.skip(1)).all(|(a, b)| a < b)
            && found.ours.iter().all(|id| part.has(*id) && holds(id))
            && found
                .ours
                .iter()
                .zip(found.ours.iter().skip(1))
                .all(|(a, b)| a < b)
    }

    fn found(&mut self, part: Part, found: &Difference, out: &mut Vec<Step>) {
        let ours = found.ours.iter().filter_map(|id| self.snapshot.find(*id));
        let hashes: Vec<_> = ours.map(|item| item.hash).collect();
        self.pushed += hashes.len() as u32;
        let wanted = found.theirs.iter().map(|id| id.to_be_bytes()).collect();
        self.want(part, wanted, out);
        if !hashes.is_empty() {
            out.push(Step::Push(hashes));
        }
    }

    /// Says what we lack, and that this is all.
    fn want(&mut self, part: Part, wanted: Vec<ShortId>, out: &mut Vec<Step>) {
        self.wanted += wanted.len() as u32;
        say_ids(wanted, out, |ids, last| Message::Want {
            round: self.round,
            part,
            ids,
            last,
        });
    }

    fn ids(&mut self, part: Part, ids: &[ShortId], last: bool, out: &mut Vec<Step>) -> Checked {
        let (mut passed, mut before) = match self.open.remove(&part) {
            Some(Answered::Nothing) => (0, None),
            Some(Answered::Symbols { symbols, .. }) => {
                self.kept -= symbols.len();
                (0, None)
            }
            Some(Answered::Ids { passed, before }) => (passed, before),
            None => return Err("ids of what does not differ"),
        };
        let ours = self.snapshot.part(part);
        let (mut wanted, mut hashes) = (Vec::new(), Vec::new());
        for bytes in ids {
            let id = u64::from_be_bytes(*bytes);
            if !part.has(id) || before.is_some_and(|before| before >= id) {
                return Err("ids twice, or out of order");
            }
            before = Some(id);
            let mut is_ours = false;
            while let Some(item) = ours.get(passed).filter(|item| item.id <= id) {
                if item.id == id {
                    is_ours = true;
                } else {
                    hashes.push(item.hash);
                }
                passed += 1;
            }
            if !is_ours {
                wanted.push(*bytes);
            }
        }
        if last {
            let rest = ours.get(passed..).unwrap_or_default();
            hashes.extend(rest.iter().map(|item| item.hash));
            self.want(part, wanted, out);
        } else {
            self.open.insert(part, Answered::Ids { passed, before });
            self.wanted += wanted.len() as u32;
            if !wanted.is_empty() {
                out.push(Step::Say(Message::Want {
                    round: self.round,
                    part,
                    ids: List::first(wanted),
                    last: false,
                }));
            }
        }
        self.pushed += hashes.len() as u32;
        if !hashes.is_empty() {
            out.push(Step::Push(hashes));
        }
        Ok(())
    }
}
