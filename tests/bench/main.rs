//! The benchmarks as a native program: `peer-group-bench NAME` writes a line of JSON for each figure.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark says its figures"
)]

use peer_group_bench::stage::Stage;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let start = Instant::now();
    let mut stage = Stage {
        now: &|| start.elapsed().as_secs_f64() * 1000.0,
        // What Rust writes with {:?} for text of letters is JSON.
        say: &mut |what, value, unit| {
            println!("{{\"what\":{what:?},\"value\":{value},\"unit\":{unit:?}}}");
        },
    };
    if peer_group_bench::run(&name, &mut stage) {
        ExitCode::SUCCESS
    } else {
        eprintln!("there is no benchmark \"{name}\"");
        ExitCode::FAILURE
    }
}
