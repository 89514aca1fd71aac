//! Many seeds on all cores; a failing one is named by the line that replays it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use peer_group::crypto::{Crypto, FAKE, REAL};

use super::bounds::Peaks;
use super::universe::{Figures, run};

/// A seed that takes longer is named.
const SLOW_S: f64 = 5.0;

/// As is one whose members agree later.
const LATE_MS: u64 = 30_000;

/// A seed that failed, and how.
pub struct Failed {
    /// Which.
    pub seed: u64,
    /// With the real primitives.
    pub real: bool,
    /// Why.
    pub text: String,
}

impl Failed {
    /// What to type to see it again.
    #[must_use]
    pub fn replay_line(&self) -> String {
        let crypto = if self.real { "SIM_CRYPTO=real " } else { "" };
        format!(
            "SIM_SEED={} {crypto}cargo test --profile sim -p peer-group-tests --test sim replay -- --nocapture",
            self.seed
        )
    }
}

/// The primitives by name.
#[must_use]
pub fn crypto_of(real: bool) -> Crypto {
    if real { &REAL } else { &FAKE }
}

/// A number from the environment.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    )
}

/// Whether `SIM_CRYPTO` asks for the real primitives.
#[must_use]
pub fn wants_real() -> bool {
    std::env::var("SIM_CRYPTO").is_ok_and(|name| name == "real")
}

/// Runs one seed; a panic of the engine is a failure like others.
pub fn attempt(seed: u64, real: bool) -> Result<Figures, Failed> {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, crypto_of(real))));
    let text = match outcome {
        Ok(Ok(figures)) => return Ok(figures),
        Ok(Err(failure)) => {
            format!(
                "after {}.{:03} s: {}",
                failure.at / 1000,
                failure.at % 1000,
                failure.text
            )
        }
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            format!("panicked: {}", words.unwrap_or_default())
        }
    };
    Err(Failed { seed, real, text })
}

/// Runs these seeds on every core, prints what they took, and gives back those that failed.
pub fn attempt_all(name: &str, seeds: &[u64], real: bool) -> Vec<Failed> {
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let results = Mutex::new((Vec::<Figures>::new(), Vec::<Failed>::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let seed = usize::try_from(index)
                        .ok()
                        .and_then(|index| seeds.get(index));
                    let Some(seed) = seed else { break };
                    let begun = Instant::now();
                    let result = attempt(*seed, real);
                    let took = begun.elapsed().as_secs_f64();
                    if took > SLOW_S {
                        println!("seed {seed} took {took:.1} s");
                    }
                    if let Ok(figures) = &result
                        && figures.agreed_ms.max(figures.spread_ms) > LATE_MS
                    {
                        let (agreed, spread) = (figures.agreed_ms, figures.spread_ms);
                        println!("seed {seed} agreed after {agreed} ms, then after {spread} ms");
                    }
                    let mut results = results.lock().unwrap();
                    match result {
                        Ok(figures) => results.0.push(figures),
                        Err(failed) => {
                            println!(
                                "seed {} failed {}\n  {}",
                                failed.seed,
                                failed.text,
                                failed.replay_line()
                            );
                            results.1.push(failed);
                        }
                    }
                }
            });
        }
    });
    let (figures, failed) = results.into_inner().unwrap();
    let total = |of: fn(&Figures) -> u64| figures.iter().map(of).sum::<u64>();
    let waits = |of: fn(&Figures) -> u64| -> String {
        let mut waits: Vec<u64> = figures.iter().map(of).collect();
        waits.sort_unstable();
        let at = |percent: usize| {
            let wait = waits.get(waits.len().saturating_sub(1) * percent / 100);
            wait.copied().unwrap_or(0) as f64 / 1000.0
        };
        format!(
            "{:.1} s median, {:.1} s p99, {:.1} s at most",
            at(50),
            at(99),
            at(100)
        )
    };
    println!(
        "{name}: {} seeds, {} failed, {} crypto; {:.1} s real, {:.1} h virtual, {} steps, {} link ends, \
         {} records in the end\n  whole after {}\n  then agreed after {}\n  last changes everywhere after {}",
        seeds.len(),
        failed.len(),
        if real { "real" } else { "fake" },
        started.elapsed().as_secs_f64(),
        total(|of| of.virtual_ms) as f64 / 3_600_000.0,
        total(|of| of.steps),
        total(|of| of.links),
        total(|of| of.records),
        waits(|of| of.converged_ms),
        waits(|of| of.agreed_ms),
        waits(|of| of.spread_ms),
    );
    if std::env::var_os("SIM_BOUNDS").is_some() {
        let peaks: Vec<Peaks> = figures.iter().map(|of| of.peaks).collect();
        println!("  most of what is bounded:{}", Peaks::table(&peaks));
    }
    failed
}
