//! Build steps of peer-group that need Rust's own tools: `xtask wasm` and `xtask wasm-test`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to its user"
)]

mod imports;
mod wasm;

use std::process::ExitCode;

const USAGE: &str = "\
usage:
  xtask wasm [--out DIR] [--features A,B] [--package P]
                                            build the engine, or package P with it, for
                                            browsers into DIR (default js/src/generated)
  xtask wasm-test FILE [ARGS]               run a wasm test file; the runner for
                                            `cargo test --target wasm32-unknown-unknown`";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((step, rest)) if step == "wasm" => wasm::Order::parse(rest).and_then(|o| o.build()),
        Some((step, rest)) if step == "wasm-test" => {
            let named = std::iter::once("wasm-bindgen-test-runner".to_owned());
            wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(
                named.chain(rest.iter().cloned()),
            )
            .map_err(|error| format!("{error:#}"))
        }
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("xtask: {words}");
            ExitCode::FAILURE
        }
    }
}
