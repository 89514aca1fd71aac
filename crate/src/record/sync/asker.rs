//! The end that began a comparison.

use crate::gauge::{Held, See};
use crate::limits::{SYNC_IDS_PER_FRAME, SYNC_PARTS, SYNC_SYMBOLS, SYNC_SYMBOLS_PER_FRAME};
use crate::record::sync::answerer::OPEN;
use crate::record::sync::budget::Budget;
use crate::record::sync::key::Key;
use crate::record::sync::sketch::estimate;
use crate::record::sync::snapshot::Snapshot;
use crate::record::sync::symbols::{Row, burst, growth};
use crate::record::sync::{Finished, Holdings, ITEMS, Step, has_few};
use crate::sorted::Map;
use crate::wire::codec::List;
use crate::wire::sync::{Answer, First, Ids, Message, Part, SYMBOL_BYTES, ShortId, Sketch};

/// Bytes of an id.
const ID: usize = size_of::<ShortId>();

/// The asker's side of one comparison.
pub(crate) struct Asker {
    round: u16,
    snapshot: Snapshot,
    stage: Stage,
    /// Parts that differ and come later, with how much, about.
    later: Vec<(Part, u32)>,
    open: Map<Part, Asked>,
    budget: Budget,
    pushed: u32,
    differences: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The digest was told.
    Holds,
    /// Everything was asked for.
    All,
    /// Parts are under way.
    Parts,
    /// All parts are done, and what the other end asked for is on its way.
    Ended,
}

/// What was said about a part.
enum Asked {
    /// The digests of its parts.
    Split,
    /// Symbols.
    Symbols {
        row: Row,
        /// When it is better split.
        limit: usize,
    },
    /// All ids, or enough to be asked for some. The last one that was.
    Wanted(Option<u64>),
}

impl Asker {
    pub(crate) fn new(round: u16, key: Key) -> Self {
        Self {
            round,
            budget: Budget::new(0),
            snapshot: Snapshot::empty(key),
            stage: Stage::Holds,
            later: Vec::new(),
            open: Map::new(),
            pushed: 0,
            differences: 0,
        }
    }

    /// Shows what is kept. Parts are 16 at a time, those that are split stand aside.
    pub(crate) fn gauges(&self, see: &mut See<'_>) {
        see(Held::SyncItems, self.snapshot.len(), ITEMS);
        see(Held::SyncAsked, self.open.len(), OPEN);
        see(Held::SyncAsked, self.later.len(), OPEN);
    }

    pub(crate) fn round(&self) -> u16 {
        self.round
    }

    pub(crate) fn differences(&self) -> u32 {
        self.differences
    }

    /// There are differences, and the other end has `count` items: looks at what this end has. Until
    /// then nothing of it needs be kept. Whether this end has next to nothing.
    pub(crate) fn look(&mut self, count: u32, holdings: &dyn Holdings) -> bool {
        if self.stage != Stage::Holds {
            return false;
        }
        self.snapshot = Snapshot::new(self.snapshot.key(), holdings);
        self.budget = Budget::new(self.snapshot.len());
        self.budget.claimed(count);
        has_few(self.snapshot.len() as u32, count)
    }

    /// Asks for everything instead.
    pub(crate) fn send_all(&mut self, first: &First) -> Message {
        self.stage = Stage::All;
        self.snapshot.clear();
        self.differences = u32::MAX;
        Message::SendAll {
            round: self.round,
            first: first.clone(),
        }
    }

    fn end(&self, complete: bool) -> Message {
        Message::End {
            round: self.round,
            asker: true,
            complete,
        }
    }

    pub(crate) fn give_up(&self) -> Message {
        self.end(false)
    }

    pub(crate) fn finished(&self, complete: bool) -> Finished {
        Finished {
            asker: true,
            complete,
            pushed: self.pushed,
            wanted: 0,
            again: complete && self.differences > 0,
        }
    }

    pub(crate) fn take(
        &mut self,
        message: Message,
        out: &mut Vec<Step>,
    ) -> Result<Option<Finished>, &'static str> {
        let from = out.len();
        let fits = self.budget.spend(&message);
        let finished = self.read(message, out)?;
        if finished.is_some() {
            return Ok(finished);
        }
        self.go_on(out);
        let said = out.get(from..).unwrap_or_default();
        if fits && self.budget.spend_all(said) {
            return Ok(None);
        }
        out.truncate(from);
        out.push(Step::Say(self.give_up()));
        Ok(Some(self.finished(false)))
    }

    fn read(
        &mut self,
        message: Message,
        out: &mut Vec<Step>,
    ) -> Result<Option<Finished>, &'static str> {
        match message {
            Message::Answer { answer, .. } => return self.answered(answer, out),
            Message::Parts { part, answers, .. } => self.told_parts(part, &answers)?,
            Message::More { part, .. } => self.asked_for_more(part, out)?,
            Message::Want {
                part, ids, last, ..
            } => self.asked_for(part, &ids, last, out)?,
            Message::End { complete, .. } => {
                let is_over = matches!(self.stage, Stage::All | Stage::Ended);
                if !complete || is_over {
                    return Ok(Some(self.finished(complete)));
                }
                return Err("it ended before all was said");
            }
            _ => {}
        }
        Ok(None)
    }

    fn answered(
        &mut self,
        answer: Answer,
        out: &mut Vec<Step>,
    ) -> Result<Option<Finished>, &'static str> {
        if self.stage != Stage::Holds {
            return Err("it answered what was not asked");
        }
        match answer {
            Answer::Same {} => Ok(Some(self.finished(true))),
            Answer::Differs { count, sketch } => {
                self.stage = Stage::Parts;
                self.differences = self.differ(Part::ALL, count, &sketch);
                Ok(None)
            }
            Answer::Everything { first } => {
                out.push(Step::PushAll { first });
                out.push(Step::Say(self.end(true)));
                Ok(Some(self.finished(true)))
            }
        }
    }

    /// A part differs: about how much.
    fn differ(&mut self, part: Part, count: u32, sketch: &Sketch) -> u32 {
        let own = self.snapshot.part(part).len() as u32;
        let differences = estimate((own, &self.snapshot.sketch(part)), (count, sketch));
        self.later.push((part, differences));
        differences
    }

    fn told_parts(&mut self, part: Part, answers: &[Answer]) -> Result<(), &'static str> {
        let parts = match self.open.remove(&part) {
            Some(Asked::Split) if answers.len() == 16 => part.split(),
            _ => None,
        };
        for (part, answer) in parts.ok_or("it told parts of nothing")?.iter().zip(answers) {
            match answer {
                Answer::Same {} => {}
                Answer::Differs { count, sketch } => {
                    self.differ(*part, *count, sketch);
                }
                Answer::Everything { .. } => return Err("it wants everything of a part"),
            }
        }
        Ok(())
    }

    /// Says something about parts that differ, of a few at once; or that all is said.
    fn go_on(&mut self, out: &mut Vec<Step>) {
        while self.open.len() < SYNC_PARTS
            && let Some((part, differences)) = self.later.pop()
        {
            let symbols = burst(differences);
            // More than this is taken for a lie, or for an estimate that was far too low.
            let limit = (3 * differences as usize + 64).clamp(96, SYNC_SYMBOLS);
            if self.snapshot.part(part).len() * ID <= symbols * SYMBOL_BYTES {
                self.say_ids(part, out);
            } else if symbols > limit {
                self.say_split(part, out);
            } else {
                let ids = self.snapshot.part(part).iter().map(|item| item.id);
                let mut row = Row::new(ids);
                self.say_symbols(part, &mut row, symbols, out);
                self.open.insert(part, Asked::Symbols { row, limit });
            }
        }
        if self.stage == Stage::Parts && self.open.is_empty() {
            self.stage = Stage::Ended;
            self.snapshot.clear();
            out.push(Step::Say(self.end(true)));
        }
    }

    fn say_symbols(&self, part: Part, row: &mut Row, more: usize, out: &mut Vec<Step>) {
        let symbols = row.next(more);
        let mut chunks = symbols.chunks(SYNC_SYMBOLS_PER_FRAME).peekable();
        while let Some(chunk) = chunks.next() {
            out.push(Step::Say(Message::Symbols {
                round: self.round,
                part,
                symbols: List::first(chunk.to_vec()),
                last: chunks.peek().is_none(),
            }));
        }
    }

    fn say_ids(&mut self, part: Part, out: &mut Vec<Step>) {
        let items = self.snapshot.part(part);
        let ids: Vec<ShortId> = items.iter().map(|item| item.id.to_be_bytes()).collect();
        say_ids(ids, out, |ids, last| Message::Ids {
            round: self.round,
            part,
            ids,
            last,
        });
        self.open.insert(part, Asked::Wanted(None));
    }

    fn say_split(&mut self, part: Part, out: &mut Vec<Step>) {
        let Some(parts) = part.split() else {
            return self.say_ids(part, out);
        };
        let digests = parts.map(|part| self.snapshot.digest(part));
        out.push(Step::Say(Message::Split {
            round: self.round,
            part,
            digests: List::first(digests.to_vec()),
        }));
        self.open.insert(part, Asked::Split);
    }

    fn asked_for_more(&mut self, part: Part, out: &mut Vec<Step>) -> Result<(), &'static str> {
        let Some(Asked::Symbols { mut row, limit }) = self.open.remove(&part) else {
            return Err("it wants more of nothing");
        };
        let more = growth(row.len());
        if self.snapshot.part(part).len() * ID <= more * SYMBOL_BYTES {
            self.say_ids(part, out);
        } else if row.len() + more > limit {
            self.say_split(part, out);
        } else {
            self.say_symbols(part, &mut row, more, out);
            self.open.insert(part, Asked::Symbols { row, limit });
        }
        Ok(())
    }

    fn asked_for(
        &mut self,
        part: Part,
        ids: &[ShortId],
        last: bool,
        out: &mut Vec<Step>,
    ) -> Result<(), &'static str> {
        let mut before = match self.open.remove(&part) {
            Some(Asked::Wanted(before)) => before,
            Some(Asked::Symbols { .. }) => None,
            Some(Asked::Split) | None => return Err("it wants what was not offered"),
        };
        let mut hashes = Vec::new();
        for id in ids {
            let id = u64::from_be_bytes(*id);
            if !part.has(id) || before.is_some_and(|before| before >= id) {
                return Err("it wants something twice, or out of order");
            }
            before = Some(id);
            hashes.extend(self.snapshot.find(id).map(|item| item.hash));
        }
        if !last {
            self.open.insert(part, Asked::Wanted(before));
        }
        self.pushed += hashes.len() as u32;
        if !hashes.is_empty() {
            out.push(Step::Push(hashes));
        }
        Ok(())
    }
}

/// Says ids in as many messages as they need, at least one.
pub(crate) fn say_ids(ids: Vec<ShortId>, out: &mut Vec<Step>, say: impl Fn(Ids, bool) -> Message) {
    let mut chunks = ids.chunks(SYNC_IDS_PER_FRAME).peekable();
    loop {
        let chunk = chunks.next().unwrap_or_default();
        let last = chunks.peek().is_none();
        out.push(Step::Say(say(List::first(chunk.to_vec()), last)));
        if last {
            return;
        }
    }
}
