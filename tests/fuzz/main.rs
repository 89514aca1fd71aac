//! Fuzzing: real messages, changed, for every decoder of bytes from outside and for live engines.
//!
//! The engine of the search is our own, of a few hundred lines, because it must run in `npm test`
//! where nothing but Rust and Node is installed: libFuzzer and AFL want a C++ compiler, and most
//! tools around them a nightly compiler. The stable compiler can count edges by itself (`covered.sh`,
//! `coverage.rs`), so the search is guided by coverage on Linux; where a build has no counters, it
//! changes the corpus at random.
#![allow(clippy::expect_used, reason = "what is not as expected is a finding")]

mod attempt;
mod cluster;
mod corpus;
mod coverage;
mod decoders;
mod heads;
mod model;
mod mutate;
mod pair;
mod passwords;
mod records;
mod relays;
mod rooms;
mod samples;
mod search;
mod trail;
mod turn;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use corpus::Corpus;
use decoders::{TARGETS, Target};
use samples::Samples;
use search::{Outcome, search};
use trail::Trail;

const HELP: &str = "\
npm test -- fuzz                                   replays the corpus and fuzzes 30 s
PEER_GROUP_FUZZ_SECONDS=1200 npm test -- fuzz      the same for 20 minutes

cargo run --profile sim -p peer-group-fuzz -- ...  one of these, here without coverage
  [--seconds N] [--seed N] [--keep] [TARGET ...]   fuzzes; --keep writes what the corpus lacks into it
  replay FILE ...                                  runs inputs again; their folder or name says for what
With coverage: set RUSTC_WORKSPACE_WRAPPER to the full path of tests/fuzz/covered.sh

A finding is written to tests/fuzz/found/; moved into tests/fuzz/corpus/TARGET/ it is replayed for
ever. An input that kills the process is left as tests/fuzz/found/TARGET-last.";

struct Options {
    seconds: u64,
    seed: u64,
    keep: bool,
    replay: bool,
    names: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        seconds: 30,
        seed: 1,
        keep: false,
        replay: false,
        names: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().unwrap_or_default();
            value
                .parse()
                .map_err(|_| format!("{word} takes a number, not \"{value}\""))
        };
        match word.as_str() {
            "--seconds" => options.seconds = number()?,
            "--seed" => options.seed = number()?,
            "--keep" => options.keep = true,
            "--help" => return Err(HELP.to_owned()),
            "replay" => options.replay = true,
            _ => options.names.push(word),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let outcome = options().and_then(|options| {
        attempt::keep_panics();
        let corpus = Corpus::find().map_err(|error| error.to_string())?;
        if options.replay {
            replay(&options.names)
        } else {
            fuzz(&options, &corpus)
        }
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            println!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(options: &Options, corpus: &Corpus) -> Result<bool, String> {
    let chosen = chosen(&options.names)?;
    let samples = Samples::new();
    let shares: u32 = chosen.iter().map(|target| target.share).sum();
    let guided = coverage::Coverage::new().is_there();
    println!(
        "seed {}, {}",
        options.seed,
        if guided {
            "guided by coverage"
        } else {
            "not guided"
        }
    );
    let (mut executions, mut findings) = (0, 0);
    for target in chosen.iter().copied() {
        let time = Duration::from_secs(options.seconds) * target.share / shares;
        let said = |error: std::io::Error| format!("{}: {error}", target.name);
        let mut inputs = samples.of(target);
        inputs.extend(corpus.read(target).map_err(said)?);
        let mut trail = Trail::new(&corpus.found(), target.name).map_err(said)?;
        let outcome = search(target, inputs, time, options.seed, &mut trail);
        trail.end();
        println!("{}", line(target, &outcome));
        executions += outcome.executions;
        if let Some(finding) = &outcome.finding {
            findings += 1;
            let path = corpus.write_finding(target, &finding.input).map_err(said)?;
            println!(
                "{}: {}\n  again: {REPLAY} {path}",
                target.name, finding.text
            );
        } else if options.keep && guided {
            let kept = search::widest(target, &outcome.pool, corpus::FILES, corpus::ROOM);
            corpus.write(target, &kept).map_err(said)?;
        }
    }
    let word = if findings == 0 { "ok" } else { "FAILED" };
    let count = chosen.len();
    println!("test result: {word}. {count} targets, {executions} executions, {findings} findings");
    Ok(findings == 0)
}

const REPLAY: &str = "cargo run --profile sim -p peer-group-fuzz -- replay";

fn chosen(names: &[String]) -> Result<Vec<&'static Target>, String> {
    let unknown = |name: &&String| TARGETS.iter().all(|target| target.name != name.as_str());
    if let Some(name) = names.iter().find(unknown) {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(format!(
            "there is no target \"{name}\"; there are {}",
            known.join(", ")
        ));
    }
    let wanted =
        |target: &&Target| names.is_empty() || names.iter().any(|name| name == target.name);
    Ok(TARGETS.iter().filter(wanted).collect())
}

fn line(target: &Target, outcome: &Outcome) -> String {
    let seconds = outcome.time.as_secs_f64().max(0.001);
    let findings = usize::from(outcome.finding.is_some());
    let edges = if outcome.edges > 0 {
        format!("{:6} edges", outcome.edges)
    } else {
        String::new()
    };
    format!(
        "{:15} {:10} executions {:8.0}/s {:3.0}% taken {:5} inputs{edges} {:5.1}x memory {findings} findings",
        target.name,
        outcome.executions,
        outcome.executions as f64 / seconds,
        outcome.taken as f64 * 100.0 / outcome.executions.max(1) as f64,
        outcome.pool.len(),
        attempt::take_worst(),
    )
}

/// Runs files again: the target is what their folder or the beginning of their name says.
fn replay(files: &[String]) -> Result<bool, String> {
    let mut fine = true;
    for file in files {
        let path = Path::new(file);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        let of_it = |target: &&Target| {
            folder == target.name
                || name
                    .rsplit_once('-')
                    .is_some_and(|(head, _)| head == target.name)
        };
        let target = TARGETS
            .iter()
            .find(of_it)
            .ok_or(format!("for which target is {file}?"))?;
        let input = trail::input_of(path).map_err(|error| format!("{file}: {error}"))?;
        let result = attempt::attempt(target.run, &input);
        println!("{file}: {result:?}");
        fine &= result.is_ok();
    }
    Ok(fine)
}
