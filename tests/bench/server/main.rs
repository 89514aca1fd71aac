//! `npm run bench -- server`: what the rendezvous server costs, beside others that do its work.
//!
//! `peer-group-bench-server SERVER RIVALS [PART ...]`: SERVER is a release build of the program,
//! RIVALS a folder in which other servers are installed. Servers are processes of their own, and this
//! one is their clients, from many addresses of the loopback. Figures go to standard output, what is
//! being done to standard error.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark says its figures, and stops when something is wrong"
)]

mod cluster;
mod forward;
mod idle;
mod joins;
mod ours;
mod process;
mod restart;
mod rivals;
mod socket;

use std::path::PathBuf;
use std::time::Instant;

/// What is there to measure with.
struct Bench {
    /// A release build of the server.
    server: PathBuf,
    /// Where other servers are installed.
    rivals: PathBuf,
}

/// All parts, in the order in which they run; what each is, for people.
const PARTS: [(&str, &str); 6] = [
    ("idle", "memory of sockets that wait"),
    ("joins", "joins"),
    ("forward", "signals passed on"),
    ("rivals", "one scenario, five servers"),
    ("cluster", "one, two and three servers over NATS"),
    ("restart", "a restart under 5 000 clients"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(rivals)) = (arguments.next(), arguments.next()) else {
        panic!("peer-group-bench-server SERVER RIVALS [PART ...]");
    };
    let wanted: Vec<String> = arguments.collect();
    let bench = Bench {
        server: server.into(),
        rivals: rivals.into(),
    };
    process::stand_aside();
    let began = Instant::now();
    for (part, what) in PARTS {
        if !wanted.is_empty() && !wanted.iter().any(|one| one == part) {
            continue;
        }
        println!("\n{what} ({part})");
        match part {
            "idle" => idle::run(&bench).await,
            "joins" => joins::run(&bench).await,
            "forward" => forward::run(&bench).await,
            "cluster" => cluster::run(&bench).await,
            "rivals" => rivals::run(&bench).await,
            _ => restart::run(&bench).await,
        }
        progress(&format!("{:.0} s so far", began.elapsed().as_secs_f64()));
    }
}

/// Says what is being done.
fn progress(words: &str) {
    eprintln!("  ... {words}");
}

/// Says a figure.
fn figure(what: &str, value: &str) {
    println!("  {what:<62} {value}");
}
