//! The search: change what led somewhere new before, keep what leads somewhere new, stop in time.

use std::time::{Duration, Instant};

use crate::attempt::attempt;
use crate::coverage::Coverage;
use crate::decoders::Target;
use crate::mutate::{Dice, mutate};
use crate::trail::Trail;

/// Inputs kept at most: a newer one takes the place of an older one.
const POOL: usize = 4096;
/// Executions that a finding is made shorter with.
const SHORTER: usize = 5000;

/// An input that must not do what it does.
pub(crate) struct Finding {
    pub(crate) input: Vec<u8>,
    pub(crate) text: String,
}

/// How a search went.
pub(crate) struct Outcome {
    pub(crate) executions: u64,
    pub(crate) taken: u64,
    pub(crate) time: Duration,
    pub(crate) edges: usize,
    /// What it started with, and what led somewhere new.
    pub(crate) pool: Vec<Vec<u8>>,
    pub(crate) finding: Option<Finding>,
}

/// Replays `corpus`, then searches for that long, or until something is found.
pub(crate) fn search(
    target: &Target,
    corpus: Vec<Vec<u8>>,
    time: Duration,
    seed: u64,
    trail: &mut Trail,
) -> Outcome {
    let start = Instant::now();
    let mut coverage = Coverage::new();
    let mut dice = Dice::new(seed);
    let mut outcome = Outcome {
        executions: 0,
        taken: 0,
        time: Duration::ZERO,
        edges: 0,
        pool: Vec::new(),
        finding: None,
    };
    let mut waiting = corpus.into_iter();
    while outcome.finding.is_none() {
        let replayed = waiting.next();
        let is_corpus = replayed.is_some();
        if !is_corpus && start.elapsed() >= time {
            break;
        }
        let input = replayed.unwrap_or_else(|| changed(&outcome.pool, target, &mut dice));
        trail.note(&input);
        coverage.reset();
        let result = attempt(target.run, &input);
        outcome.executions += 1;
        match result {
            Ok(taken) => {
                outcome.taken += u64::from(taken);
                if coverage.is_new() || is_corpus {
                    keep(&mut outcome.pool, input, &mut dice);
                }
            }
            Err(text) => outcome.finding = Some(shorter(target, Finding { input, text })),
        }
    }
    outcome.time = start.elapsed();
    outcome.edges = coverage.edges();
    outcome
}

fn changed(pool: &[Vec<u8>], target: &Target, dice: &mut Dice) -> Vec<u8> {
    // The newest quarter half of the time: what was new last is explored least.
    let newest = pool.len() - pool.len() / 4;
    let from = if dice.below(2) == 0 { newest } else { 0 };
    let index = from + dice.below(pool.len() - from);
    let mut input = pool.get(index).cloned().unwrap_or_default();
    let other = pool
        .get(dice.below(pool.len()))
        .map_or(&[][..], |other| other);
    mutate(&mut input, other, target.longest, dice);
    input
}

fn keep(pool: &mut Vec<Vec<u8>>, input: Vec<u8>, dice: &mut Dice) {
    if pool.len() < POOL {
        pool.push(input);
    } else {
        let index = dice.below(pool.len());
        pool[index] = input;
    }
}

/// Cuts pieces out as long as it still fails.
fn shorter(target: &Target, mut finding: Finding) -> Finding {
    let mut piece = finding.input.len() / 2;
    let mut executions = 0;
    while piece > 0 {
        let mut at = 0;
        while at < finding.input.len() && executions < SHORTER {
            let mut input = finding.input.clone();
            input.drain(at..(at + piece).min(input.len()));
            executions += 1;
            match attempt(target.run, &input) {
                Err(text) => finding = Finding { input, text },
                Ok(_) => at += piece,
            }
        }
        piece /= 2;
    }
    finding
}

/// At most so many of the inputs, in at most so many bytes, that together lead to most places.
pub(crate) fn widest(
    target: &Target,
    inputs: &[Vec<u8>],
    most: usize,
    room: usize,
) -> Vec<Vec<u8>> {
    let mut coverage = Coverage::new();
    let mut left = room;
    let mut kept: Vec<Vec<u8>> = Vec::new();
    while kept.len() < most {
        let mut gain = |input: &Vec<u8>| {
            coverage.reset();
            let fits = input.len() <= left && attempt(target.run, input).is_ok();
            let gain = if fits { coverage.gain() } else { 0 };
            // Of two that are alike, the shorter.
            (gain, core::cmp::Reverse(input.len()))
        };
        let Some((input, (1.., _))) = inputs
            .iter()
            .map(|input| (input, gain(input)))
            .max_by_key(|(_, gain)| *gain)
        else {
            break;
        };
        left -= input.len();
        kept.push(input.clone());
        coverage.reset();
        let _ = attempt(target.run, input);
        coverage.is_new();
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::*;
    use crate::attempt::{bounded, keep_panics};
    use peer_group::wire::codec::{Reader, Wire as _};
    use peer_group::wire::link::{Frame, Packet};

    /// Counters and memory are the whole program's: one search at a time.
    fn alone() -> MutexGuard<'static, ()> {
        static ONE: Mutex<()> = Mutex::new(());
        keep_panics();
        ONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(run: fn(&[u8]) -> bool) -> Option<Finding> {
        let target = Target {
            name: "planted",
            run,
            longest: 100,
            share: 1,
        };
        let folder = std::env::temp_dir();
        let mut trail = Trail::new(&folder, &format!("planted-{}", std::process::id())).unwrap();
        let frame = Frame::Ping { token: 1 };
        let corpus = vec![Packet { sequence: 1, frame }.to_bytes()];
        let outcome = search(&target, corpus, Duration::from_secs(20), 1, &mut trail);
        trail.end();
        outcome.finding
    }

    #[test]
    fn a_rare_value_of_another_message_is_found() {
        let _alone = alone();
        let finding = found(|bytes| match Packet::from_bytes(bytes) {
            Ok(Packet {
                frame: Frame::Taken { to: 3, messages },
                ..
            }) => panic!("{messages} taken"),
            other => other.is_ok(),
        });
        let packet = Packet::from_bytes(&finding.unwrap().input).unwrap();
        assert!(matches!(packet.frame, Frame::Taken { to: 3, .. }));
    }

    #[test]
    fn memory_for_a_claimed_length_is_found() {
        let _alone = alone();
        let finding = found(|bytes| {
            let claimed = Reader::new(bytes).varint().unwrap_or(0).min(1 << 20);
            bounded(bytes, || Vec::<u8>::with_capacity(claimed as usize)).is_empty()
        });
        let finding = finding.unwrap();
        assert!(finding.text.contains("bytes held"), "{}", finding.text);
    }

    #[test]
    fn every_target_bears_nothing_at_all() {
        let _alone = alone();
        for target in crate::decoders::TARGETS {
            assert_eq!(attempt(target.run, &[]).err(), None, "{}", target.name);
        }
    }
}
