//! Benchmarks that run twice: natively, and as wasm in Node, compiled as browsers get the engine.
//!
//! `npm run bench -- verify` builds this package for both, runs the benchmark of that name in each
//! and prints the figures side by side (`run.mjs`). The wasm is built by the same steps as the
//! product's: the same profile, wasm-bindgen, wasm-opt.
//!
//! To add one:
//!
//! 1. a file here with a function `pub(crate) fn run(stage: &mut Stage<'_>)` that prepares what it
//!    needs and calls [`Stage::per_second`], [`Stage::millis`] or [`Stage::figure`];
//! 2. a row in [`BENCHMARKS`], and one in `xtask/run/bench.mjs`;
//! 3. where it is to be compared with something of JavaScript, a file `NAME.mjs` that exports
//!    `rivals()`: an array of `{ what, value, unit }`. Every wasm figure of the same unit is then
//!    also shown as a multiple of each. Rivals in Rust are dependencies of this package only, and
//!    say their figures like everything else here.
//!
//! What takes sockets is no such benchmark: `server/` is a program of its own, which `npm run bench --
//! server` builds and runs.
//!
//! The engine's own bounds and types are used as they are: nothing here may be kinder to it than a
//! hostile peer would be.
#![allow(
    clippy::expect_used,
    reason = "a benchmark stops when something is wrong"
)]

mod crypto;
mod join;
pub mod stage;
mod store;
mod sync;
mod verify;
#[cfg(target_arch = "wasm32")]
pub mod web;

use stage::Stage;

/// A benchmark.
pub struct Benchmark {
    /// What `npm run bench -- name` calls it.
    pub name: &'static str,
    /// Says its figures.
    pub run: fn(&mut Stage<'_>),
}

/// All of them.
pub const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "crypto",
        run: crypto::run,
    },
    Benchmark {
        name: "join",
        run: join::run,
    },
    Benchmark {
        name: "store",
        run: store::run,
    },
    Benchmark {
        name: "sync",
        run: sync::run,
    },
    Benchmark {
        name: "verify",
        run: verify::run,
    },
];

/// Runs the one of that name, if there is one.
pub fn run(name: &str, stage: &mut Stage<'_>) -> bool {
    let found = BENCHMARKS.iter().find(|benchmark| benchmark.name == name);
    if let Some(benchmark) = found {
        (benchmark.run)(stage);
    }
    found.is_some()
}
