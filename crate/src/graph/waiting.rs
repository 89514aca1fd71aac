//! Records that came and cannot be taken or refused yet: their author is not known, they are ahead of
//! time, or the app has not decided.

use std::collections::VecDeque;

use crate::limits::{VALIDATIONS, WAITING_BYTES, WAITING_RECORDS, WAITING_RECORDS_PER_AUTHOR};
use crate::names::{AskId, LinkId, RecordHash};
use crate::record::model::Record;
use crate::time::Millis;

/// What a record waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Its author to be known.
    Author,
    /// That moment in peer time.
    Due(Millis),
    /// The app's word.
    Verdict(AskId),
    /// The app to be asked again.
    AskedAgain,
}

/// A record that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parked {
    /// It. Its form and signature are good.
    pub record: Record,
    /// Names this version of it.
    pub hash: RecordHash,
    /// Over which link it came.
    pub from: Option<LinkId>,
    /// For what.
    pub until: Until,
}

/// The records that wait, the oldest first.
#[derive(Default)]
pub struct Waiting {
    parked: VecDeque<Parked>,
    bytes: usize,
}

impl Waiting {
    /// Lets a record wait. Where there are too many the oldest go: they come again.
    pub fn park(&mut self, parked: Parked) {
        if self.contains(&parked.hash) {
            return;
        }
        let asked = matches!(parked.until, Until::Verdict(_));
        let author = parked.record.body.author();
        let of_author = |other: &Parked| other.record.body.author() == author && !is_asked(other);
        if !asked {
            while self.parked.iter().filter(|other| of_author(other)).count()
                >= WAITING_RECORDS_PER_AUTHOR
            {
                self.drop_first(of_author);
            }
            while self.parked.iter().filter(|other| !is_asked(other)).count() >= WAITING_RECORDS {
                self.drop_first(|other| !is_asked(other));
            }
        }
        self.bytes += size(&parked);
        self.parked.push_back(parked);
        while self.parked.len() > VALIDATIONS + WAITING_RECORDS || self.bytes > WAITING_BYTES {
            self.drop_first(|_| true);
        }
    }

    /// Whether that version of a record waits.
    #[must_use]
    pub fn contains(&self, hash: &RecordHash) -> bool {
        self.parked.iter().any(|parked| parked.hash == *hash)
    }

    /// Takes those out that need not wait any longer.
    pub fn take(&mut self, ready: impl Fn(&Parked) -> bool) -> Vec<Parked> {
        let (taken, stays): (VecDeque<Parked>, VecDeque<Parked>) =
            core::mem::take(&mut self.parked)
                .into_iter()
                .partition(ready);
        self.parked = stays;
        self.bytes = self.parked.iter().map(size).sum();
        taken.into()
    }

    /// Forgets those the app was asked about: they come again.
    pub fn forget_asked(&mut self) {
        self.take(is_asked);
    }

    /// The earliest moment in peer time that one waits for.
    #[must_use]
    pub fn next_due(&self) -> Option<Millis> {
        let dues = self.parked.iter().filter_map(|parked| match parked.until {
            Until::Due(due) => Some(due),
            _ => None,
        });
        dues.min()
    }

    /// How many records wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parked.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_first(&mut self, which: impl Fn(&Parked) -> bool) {
        if let Some(at) = self.parked.iter().position(which)
            && let Some(dropped) = self.parked.remove(at)
        {
            self.bytes -= size(&dropped);
        }
    }
}

fn is_asked(parked: &Parked) -> bool {
    matches!(parked.until, Until::Verdict(_))
}

fn size(parked: &Parked) -> usize {
    let body = &parked.record.body;
    body.size() + body.attributes.beside() + body.kind.len() + size_of::<Parked>()
}
