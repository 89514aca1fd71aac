//! The simulator's runs: many seeds, one again, and servers and joiners that are not honest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says what it found"
)]

mod hostile_joiner;
mod hostile_relay;
mod hostile_server;
mod removal;
mod seeds;
mod siege;

use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::runs::{Failed, attempt_all, crypto_of, number, wants_real};
use peer_group_tests::sim::world::World;

/// Seeds of a usual run; `SIM_SEEDS` asks for more.
const FAKE_SEEDS: u64 = 200;
/// Seeds of a usual run with the real primitives.
const REAL_SEEDS: u64 = 20;

fn require_none(failed: &[Failed]) {
    let lines: Vec<String> = failed
        .iter()
        .map(|of| format!("{}\n    {}", of.text, of.replay_line()))
        .collect();
    assert!(
        failed.is_empty(),
        "{} seeds failed:\n{}",
        failed.len(),
        lines.join("\n")
    );
}

/// `SIM_SEEDS` of them, from `SIM_FROM` on, with `SIM_CRYPTO`.
#[test]
fn seeds_become_whole_again() {
    let count = number("SIM_SEEDS").unwrap_or(FAKE_SEEDS);
    let from = number("SIM_FROM").unwrap_or(1);
    let seeds: Vec<u64> = (from..from + count).collect();
    require_none(&attempt_all("sim", &seeds, wants_real()));
}

#[test]
fn seeds_become_whole_again_with_the_real_primitives() {
    let seeds: Vec<u64> = (100_001..=100_000 + REAL_SEEDS).collect();
    require_none(&attempt_all("sim", &seeds, true));
}

#[test]
fn seeds_that_failed_once_do_not_fail_again() {
    let of = |real| -> Vec<u64> {
        seeds::KEPT
            .iter()
            .filter(|kept| kept.1 == real)
            .map(|kept| kept.0)
            .collect()
    };
    require_none(&attempt_all("kept", &of(false), false));
    require_none(&attempt_all("kept", &of(true), true));
}

/// `SIM_SEED` names the universe; the whole log must be the same both times.
#[test]
fn replay() {
    let seed = number("SIM_SEED").unwrap_or(1);
    let run = || {
        let mut world = World::new(Options::of(seed, crypto_of(wants_real())));
        world.trace.keep();
        (world.live(), world.trace.lines)
    };
    let (outcome, log) = run();
    let (_, again) = run();
    let apart = log.iter().zip(&again).find(|(one, two)| one != two);
    assert_eq!(apart, None, "the same seed went another way");
    assert_eq!(log.len(), again.len());
    if let Err(failure) = outcome {
        let tail = log.len().saturating_sub(40);
        println!("{}", log[tail..].join("\n"));
        panic!("seed {seed} after {} ms: {}", failure.at, failure.text);
    }
}

/// The run itself can fail: machines that never reach the server are never whole.
#[test]
fn a_group_without_a_server_is_not_called_whole() {
    let mut options = Options::plain(1, crypto_of(false), 2);
    options.automatic = true;
    let mut world = World::new(options);
    world.server.up = false;
    world.start(0);
    world.run_for(20_000);
    assert!(!world.is_whole());
    assert!(world.failure.is_none(), "{:?}", world.failure);
}
