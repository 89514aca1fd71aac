//! Finding out over one link how two sets differ, in few bytes and few round trips whatever their
//! size, and within bounds whatever the other end says.
//!
//! The asker tells a digest of what it holds (the first time inside the handshake) and learns about
//! how much differs. It sends as many coded symbols as that needs; the answerer subtracts its own,
//! reads the differences off, pushes what the asker lacks and says what it lacks itself. Where that
//! is too much for symbols, or does not work because somebody lies, the same happens in each of 16
//! parts of the set. After differences the asker begins once more, to see that nothing is left.
//!
//! Items are hashes here. Sending them, and what comes in, is the graph's. It sends messages that
//! [`Message::follows_items`] behind the items that were pushed before, and hands such a message to
//! [`Reconciler::receive`] when it has taken in the items that came before it.

mod answerer;
mod asker;
mod budget;
mod key;
mod sketch;
mod snapshot;
mod symbols;

pub use key::Key;

use crate::gauge::See;
use crate::limits::{LANE_RECORDS, REFUSED_RECORDS, SYNC_BEGUN, SYNC_FEW, SYNC_ROUNDS};
use crate::names::RecordHash;
use crate::wire::sync::{Answer, Digest, First, Message};
use answerer::Answerer;
use asker::Asker;

/// What is compared.
pub trait Holdings {
    /// Shows the hash of each item once, in any order.
    fn each(&self, visit: &mut dyn FnMut(&RecordHash));
}

/// What the graph must do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Send this to the other end.
    Say(Message),
    /// Send these items to the other end; those that are gone meanwhile do not matter.
    Push(Vec<RecordHash>),
    /// Send everything to the other end, these types first, each followed by its `TypeEnd`.
    PushAll {
        /// They.
        first: First,
    },
    /// A comparison is over.
    Finished(Finished),
    /// No honest end does that.
    Fault(&'static str),
}

/// How a comparison ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finished {
    /// Whether this end asked.
    pub asker: bool,
    /// All differences were found, and what this end lacked has come.
    pub complete: bool,
    /// How many items were pushed to the other end, unless all were.
    pub pushed: u32,
    /// How many the answerer lacked and asked for; the asker does not know.
    pub wanted: u32,
    /// Begin another one, to see that nothing is left.
    pub again: bool,
}

/// Items of a comparison at most: a database, and what was refused.
const ITEMS: usize = LANE_RECORDS + REFUSED_RECORDS;

const TWICE: &str = "it asks for everything twice";

/// Why the other end is at fault, or nothing.
type Checked = Result<(), &'static str>;

/// One end of the comparisons over one link, of one scope.
pub struct Reconciler {
    first_key: Key,
    later_key: Key,
    first: First,
    asker: Option<Asker>,
    answerer: Option<Answerer>,
    round: u16,
    /// Comparisons in a row that found differences, and how many the last one found, about.
    row: (u32, u32),
    /// Everything is asked for once: what was not taken then, would come again and again.
    asked_all: bool,
    sent_all: bool,
    /// How often the other end may still begin.
    begun_left: u32,
}

impl Reconciler {
    /// One end of a new link: with the key of its handshake's comparison, that of later ones, and the
    /// types that shall come first when this end asks for everything.
    #[must_use]
    pub fn new(first_key: Key, later_key: Key, first: First) -> Self {
        Self {
            first_key,
            later_key,
            first,
            asker: None,
            answerer: None,
            round: 0,
            row: (0, 0),
            asked_all: false,
            sent_all: false,
            begun_left: SYNC_BEGUN,
        }
    }

    /// What a handshake's first message says.
    #[must_use]
    pub fn digest(key: &Key, holdings: &dyn Holdings) -> Digest {
        snapshot::digest(key, holdings)
    }

    /// What its second message says to that.
    #[must_use]
    pub fn answer(key: &Key, digest: &Digest, holdings: &dyn Holdings, first: &First) -> Answer {
        let own = snapshot::digest(key, holdings);
        if own == *digest {
            Answer::Same {}
        } else if has_few(own.count, digest.count) {
            Answer::Everything {
                first: first.clone(),
            }
        } else {
            Answer::Differs {
                count: own.count,
                sketch: snapshot::sketch(key, holdings),
            }
        }
    }

    /// The link is open, and this end got `answer` in the handshake.
    pub fn begin_with_answer(
        &mut self,
        answer: Answer,
        holdings: &dyn Holdings,
        out: &mut Vec<Step>,
    ) {
        self.asker = Some(Asker::new(0, self.first_key));
        self.receive(Message::Answer { round: 0, answer }, holdings, out);
    }

    /// The link is open, and this end gave `answer` to `digest` in the handshake.
    pub fn expect(&mut self, digest: &Digest, answer: &Answer, holdings: &dyn Holdings) {
        self.asked_all |= matches!(answer, Answer::Everything { .. });
        self.answerer = Answerer::new(0, self.first_key, digest.count, answer, holdings);
    }

    /// Shows what is kept.
    pub fn gauges(&self, see: &mut See<'_>) {
        if let Some(asker) = &self.asker {
            asker.gauges(see);
        }
        if let Some(answerer) = &self.answerer {
            answerer.gauges(see);
        }
    }

    /// Begins a comparison, unless one is under way that this end began.
    pub fn begin(&mut self, holdings: &dyn Holdings) -> Option<Message> {
        if self.asker.is_some() {
            return None;
        }
        self.round = self.round.wrapping_add(1);
        let round = self.round;
        let mut asker = Asker::new(round, self.later_key);
        let digest = Self::digest(&self.later_key, holdings);
        let message = if digest.count == 0 && !self.asked_all {
            self.asked_all = true;
            asker.send_all(&self.first)
        } else {
            Message::Holds { round, digest }
        };
        self.asker = Some(asker);
        Some(message)
    }

    /// Ends the comparison that this end began, as when the other end is silent.
    pub fn give_up(&mut self, out: &mut Vec<Step>) {
        if let Some(asker) = self.asker.take() {
            out.push(Step::Say(asker.give_up()));
            self.finish(asker.finished(false), 0, out);
        }
    }

    /// Lets the other end begin again as often as it may, and forgets what it began and said nothing
    /// of since the last time: to be called every [`ANTI_ENTROPY_MS`](crate::limits::ANTI_ENTROPY_MS).
    pub fn refill(&mut self, out: &mut Vec<Step>) {
        self.begun_left = SYNC_BEGUN;
        if let Some(finished) = self.answerer.as_mut().and_then(|one| one.grow_old(out)) {
            self.answerer = None;
            out.push(Step::Finished(finished));
        }
    }

    /// Takes a message of the other end.
    pub fn receive(&mut self, message: Message, holdings: &dyn Holdings, out: &mut Vec<Step>) {
        if let Err(why) = self.take(message, holdings, out) {
            self.asker = None;
            self.answerer = None;
            out.push(Step::Fault(why));
        }
    }

    fn take(&mut self, message: Message, holdings: &dyn Holdings, out: &mut Vec<Step>) -> Checked {
        match message {
            Message::Holds { round, digest } => self.asked(round, &digest, holdings, out),
            Message::SendAll { round, first } => {
                if core::mem::replace(&mut self.sent_all, true) {
                    return Err(TWICE);
                }
                self.answerer = None;
                out.push(Step::PushAll { first });
                out.push(Step::Say(Message::End {
                    round,
                    asker: false,
                    complete: true,
                }));
                Ok(())
            }
            Message::TypeEnd { .. } => Ok(()),
            Message::Answer { round, .. }
            | Message::Parts { round, .. }
            | Message::More { round, .. }
            | Message::Want { round, .. }
            | Message::End {
                round,
                asker: false,
                ..
            } => self.for_asker(round, message, holdings, out),
            Message::Split { round, .. }
            | Message::Symbols { round, .. }
            | Message::Ids { round, .. }
            | Message::End {
                round, asker: true, ..
            } => self.for_answerer(round, message, out),
        }
    }

    /// The other end begins.
    fn asked(
        &mut self,
        round: u16,
        digest: &Digest,
        holdings: &dyn Holdings,
        out: &mut Vec<Step>,
    ) -> Checked {
        let left = self.begun_left.checked_sub(1);
        self.begun_left = left.ok_or("it begins again and again")?;
        let mut answer = Self::answer(&self.later_key, digest, holdings, &self.first);
        if let Answer::Everything { .. } = answer
            && core::mem::replace(&mut self.asked_all, true)
        {
            answer = Answer::Differs {
                count: Self::digest(&self.later_key, holdings).count,
                sketch: snapshot::sketch(&self.later_key, holdings),
            };
        }
        self.answerer = Answerer::new(round, self.later_key, digest.count, &answer, holdings);
        out.push(Step::Say(Message::Answer { round, answer }));
        Ok(())
    }

    fn for_asker(
        &mut self,
        round: u16,
        message: Message,
        holdings: &dyn Holdings,
        out: &mut Vec<Step>,
    ) -> Checked {
        // Of an older one, or of none.
        let Some(asker) = self.asker.as_mut().filter(|asker| asker.round() == round) else {
            return Ok(());
        };
        match &message {
            Message::Answer {
                answer: Answer::Differs { count, .. },
                ..
            } => {
                let has_few = asker.look(*count, holdings);
                if has_few && !core::mem::replace(&mut self.asked_all, true) {
                    out.push(Step::Say(asker.send_all(&self.first)));
                    return Ok(());
                }
            }
            Message::Answer {
                answer: Answer::Everything { .. },
                ..
            } if core::mem::replace(&mut self.sent_all, true) => return Err(TWICE),
            _ => {}
        }
        if let Some(finished) = asker.take(message, out)? {
            let differences = asker.differences();
            self.asker = None;
            self.finish(finished, differences, out);
        }
        Ok(())
    }

    fn for_answerer(&mut self, round: u16, message: Message, out: &mut Vec<Step>) -> Checked {
        let Some(answerer) = self.answerer.as_mut().filter(|one| one.round() == round) else {
            return Ok(());
        };
        if let Some(finished) = answerer.take(message, out)? {
            self.answerer = None;
            out.push(Step::Finished(finished));
        }
        Ok(())
    }

    /// The comparison that this end began is over.
    fn finish(&mut self, mut finished: Finished, differences: u32, out: &mut Vec<Step>) {
        let (row, before) = self.row;
        // What the other end does not take, differs the next time too: no use to try at once.
        let helps = row == 0 || differences <= before / 2;
        if finished.again && row < SYNC_ROUNDS && helps {
            self.row = (row + 1, differences);
        } else {
            finished.again = false;
            self.row = (0, 0);
        }
        out.push(Step::Finished(finished));
    }
}

/// Whether `own` items are so few beside `others` that sending them twice costs less than comparing.
fn has_few(own: u32, others: u32) -> bool {
    own.saturating_mul(SYNC_FEW) <= others
}

#[cfg(test)]
mod tests;
