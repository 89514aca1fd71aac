//! The program under attack: its memory stays within bounds and honest clients hardly notice.

// What goes wrong in a test is to end it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use peer_group::names::Tag;
use peer_group::wire::rendezvous::ClientMessage;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

mod attacks;
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod client;
mod honest;
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod running;

use client::Client;
use honest::{SOMEBODY, p99, pairs, signal_until};
use running::Running;

/// How long each attack is measured.
const ATTACK: Duration = Duration::from_millis(2_000);
/// Honest pairs at each server: each signals some 14 times a second both ways.
const PAIRS: u8 = 12;
/// Connections that say nothing, of one address and of many. Both ends are files of this machine.
const HALF_OPEN: [usize; 2] = [10_000, 3_000];
/// What all attacks together may add to the program's memory at its highest: bounds of queues, of
/// waiting connections and of tables allow some 40 MiB to the few addresses that attack here.
const MEMORY_KIB: u64 = 64 * 1024;
/// What the p99 of honest clients may be besides twice that of clients of a server that nobody
/// attacks, measured at the same time on the same machine: its two cores do the attackers' work too.
const OWN_WORK: Duration = Duration::from_millis(30);

/// How many files this process may open, so that the half-open connections fit.
fn files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.unwrap_or(1024)
}

/// One attack of ten, until `end`: its name and what was done.
async fn attack(
    number: usize,
    at: SocketAddr,
    scene: &Scene,
    end: Instant,
) -> (&'static str, String) {
    let edited = |change: fn(&mut ClientMessage, Tag)| {
        let victim = client::tag(scene.victim);
        move |client: &Client| {
            let mut join = client.join(&[42; 32], [97; 32]);
            change(&mut join, victim);
            join
        }
    };
    match number {
        0 => (
            "half-open, one address",
            attacks::half_open(at, scene.half_open[0], 1, end).await,
        ),
        1 => (
            "half-open, 250 addresses",
            attacks::half_open(at, scene.half_open[1], 250, end).await,
        ),
        2 => ("slow readers", attacks::slow_readers(at, 60, end).await),
        3 => {
            let frame = Message::binary(vec![6; 1_000_000]);
            ("frames of 1 MB", attacks::frames(at, frame, end).await)
        }
        4 => {
            let frame = Message::text("hello");
            ("text frames", attacks::frames(at, frame, end).await)
        }
        5 => ("bad upgrades", attacks::bad_upgrades(at, end).await),
        6 => {
            let bad = edited(|join, _| {
                if let ClientMessage::Join { signature, .. } = join {
                    signature[0] ^= 1;
                }
            });
            ("bad signatures", attacks::flood(at, 50, bad, end).await)
        }
        7 => {
            let squat = edited(|join, victim| {
                if let ClientMessage::Join { tag, .. } = join {
                    *tag = victim;
                }
            });
            ("squatting a tag", attacks::flood(at, 50, squat, end).await)
        }
        8 => {
            let replay = |_: &Client| scene.replayed.clone();
            ("replayed Joins", attacks::flood(at, 50, replay, end).await)
        }
        _ => ("one address", attacks::many_sockets(at, 10_000, end).await),
    }
}

/// Runs the attacks one after the other as they are asked for, on a thread of its own: honest
/// clients do not wait for attackers' own work.
fn attacker(
    at: SocketAddr,
    scene: Scene,
    mut asked: mpsc::Receiver<(usize, Instant)>,
    done: mpsc::Sender<(&'static str, String)>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        while let Some((number, end)) = asked.recv().await {
            done.send(attack(number, at, &scene, end).await)
                .await
                .unwrap();
        }
    });
}

/// What attacks are made with.
struct Scene {
    half_open: [usize; 2],
    /// The secret of one that attackers try to stand in for.
    victim: [u8; 32],
    /// What that one has said.
    replayed: ClientMessage,
}

#[tokio::test]
async fn whatever_hostile_clients_do_memory_is_bounded_and_honest_ones_are_served() {
    let running = Running::start_with(&[], "warn", Stdio::null());
    // The same without attackers: whatever else this machine does, both feel it alike.
    let quiet = Running::start_with(&[], "warn", Stdio::null());
    let at = running.address;
    let mut honest = [pairs(at, PAIRS).await, pairs(quiet.address, PAIRS).await];
    let bystander = Client::connect(at).await;
    let scene = Scene {
        half_open: HALF_OPEN.map(|count| count.min(files().saturating_sub(500))),
        victim: SOMEBODY,
        replayed: bystander.join(&[42; 32], [98; 32]),
    };
    let (ask, asked) = mpsc::channel(1);
    let (done, mut answers) = mpsc::channel(1);
    let attacker = std::thread::spawn(move || attacker(at, scene, asked, done));
    let before = running.kib("VmRSS:").unwrap_or(0);
    let mut table = format!("files {}, memory before {before} KiB\n", files());
    let mut wrong = Vec::new();
    let mut all = [Vec::new(), Vec::new()];
    for number in 0..10 {
        let end = Instant::now() + ATTACK;
        ask.send((number, end)).await.unwrap();
        // That every signal arrives also shows that nobody took a tag of these.
        let [attacked, quiet] = honest;
        let (attacked, quiet) = tokio::join!(signal_until(attacked, end), signal_until(quiet, end));
        honest = [attacked.0, quiet.0];
        let mut times = [attacked.1, quiet.1];
        let [attacked, quiet] = times.each_mut().map(|times| p99(times));
        let (name, what) = answers.recv().await.expect("the attacker is well");
        let [rss, peak] = ["VmRSS:", "VmHWM:"].map(|line| running.kib(line).unwrap_or(0));
        writeln!(
            table,
            "{name:24} p99 {}  memory {rss} KiB, peak {peak} KiB  {what}",
            compared(attacked, quiet),
        )
        .unwrap();
        if peak > before + MEMORY_KIB {
            wrong.push(format!("{name}: {peak} KiB of memory"));
        }
        for (all, times) in all.iter_mut().zip(times) {
            all.extend(times);
        }
    }
    drop(ask);
    attacker.join().unwrap();
    let [attacked, quiet] = all.each_mut().map(|times| p99(times));
    writeln!(
        table,
        "{:24} p99 {}",
        "all together",
        compared(attacked, quiet)
    )
    .unwrap();
    // Written whole, so that other output does not come between.
    std::io::stdout().write_all(table.as_bytes()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(attacked <= 2 * quiet + OWN_WORK, "honest clients waited");
    running.signal("TERM");
    assert!(running.end().await.0);
}

fn compared(attacked: Duration, quiet: Duration) -> String {
    let [attacked, quiet] = [attacked, quiet].map(|time| time.as_secs_f64() * 1e3);
    let ratio = attacked / quiet;
    format!("{attacked:6.2} ms, beside no attack {quiet:6.2} ms ({ratio:4.1}x)")
}
