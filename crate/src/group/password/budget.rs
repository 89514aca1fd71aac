//! What a guess costs: so many at each member, so many in a group, and beyond that work for each.

use std::collections::VecDeque;

use crate::crypto::{Crypto, work};
use crate::graph::password::Guesses;
use crate::limits;
use crate::names::SessionKey;
use crate::time::{Millis, Now};
use crate::wire::password::Worked;

/// Runs of one member that lets others in.
#[derive(Default)]
pub struct Budget {
    /// When all that were begun would have begun, one each pause.
    paid_until: Millis,
    /// Our own runs of the last hour that came to nothing.
    failures: VecDeque<Millis>,
    /// Work that has bought a run.
    spent: VecDeque<[u8; 32]>,
}

/// What somebody has to work on: nobody but who made it can make it, for that session and moment.
#[must_use]
pub fn puzzle(crypto: Crypto, secret: &[u8; 32], joiner: SessionKey, at: Millis) -> [u8; 32] {
    crypto.derive(secret, "puzzle", &[&joiner.0, &at.to_be_bytes()])
}

impl Budget {
    /// How many wrong passwords, and how much work, it remembers.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.failures.len(), self.spent.len())
    }

    /// Takes a run; None if there is one to take, else milliseconds until there is. The right password
    /// costs one too: a member that answers says nothing faster to who knows it.
    pub fn take(&mut self, now: Now) -> Option<u32> {
        let paid = self.paid_until.max(now.monotonic);
        let ahead = paid - now.monotonic;
        let most = limits::GUESS_PAUSE_MS * (limits::GUESS_BURST - 1);
        if ahead > most {
            return Some(u32::try_from(ahead - most).unwrap_or(u32::MAX));
        }
        self.paid_until = paid + limits::GUESS_PAUSE_MS;
        None
    }

    /// A run came to nothing.
    pub fn failed(&mut self, now: Now) {
        self.forget(now);
        if self.failures.len() < limits::GUESSES_KEPT {
            self.failures.push_back(now.monotonic);
        }
    }

    fn forget(&mut self, now: Now) {
        let old = |at: &Millis| at.saturating_add(limits::GUESS_LIFE_MS) <= now.monotonic;
        while self.failures.front().is_some_and(old) {
            self.failures.pop_front();
        }
    }

    /// Whether there were so many wrong passwords that each further one must be worked for. Our own are
    /// counted here before they are written down.
    pub fn demands_work(&mut self, now: Now, guesses: Guesses) -> bool {
        self.forget(now);
        guesses.others + guesses.own.max(self.failures.len()) >= limits::GUESSES_PER_HOUR
    }

    /// The puzzle that somebody has solved, if it buys a run: what has bought one, or is old, buys none.
    #[must_use]
    pub fn solved(
        &self,
        crypto: Crypto,
        now: Now,
        secret: &[u8; 32],
        joiner: SessionKey,
        work: &Worked,
    ) -> Option<[u8; 32]> {
        let Worked { at, answer } = work;
        let fresh = *at <= now.wall && now.wall - at <= limits::WORK_LIFE_MS;
        let puzzle = puzzle(crypto, secret, joiner, *at);
        let good = fresh
            && !self.spent.contains(&puzzle)
            && work::is_solved(crypto, &puzzle, *answer, limits::WORK_BITS);
        good.then_some(puzzle)
    }

    /// A solved puzzle has bought a run.
    pub fn spend(&mut self, puzzle: [u8; 32]) {
        // More than can be begun while one of them is fresh.
        if self.spent.len() >= limits::WORK_SPENT {
            self.spent.pop_front();
        }
        self.spent.push_back(puzzle);
    }
}
