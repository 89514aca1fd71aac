//! A flood of Joins from many addresses, each below what an address may ask: honest newcomers get in
//! where clients have to work while there are many requests, and hardly ever where they do not.

// What goes wrong in a test is to end it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use peer_group::crypto::REAL;
use peer_group::crypto::work::solve;
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{ClientMessage, ErrorReason, ServerMessage, work_puzzle};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use tokio_tungstenite::tungstenite::Message;

#[allow(dead_code, reason = "shared with tests that attack in more ways")]
mod attacks;
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod client;
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod running;

use attacks::dial_from;
use client::Client;
use running::Running;

/// What a server of this test grants in all: far less than one has by default, so that this machine
/// can make a flood for it.
const LIMITS: [&str; 2] = ["--requests-in-all=20/20", "--work-above=10/10"];
const ADDRESSES: u8 = 100;
const SOCKETS_EACH: usize = 8;
/// Between two Joins of one: little more than a socket may ask in the long run.
const EVERY: Duration = Duration::from_millis(400);
/// Honest newcomers, each from an address of its own, and how long each tries.
const NEWCOMERS: u8 = 10;
const PATIENCE: Duration = Duration::from_secs(5);
/// The shortest pause between two tries of one.
const PAUSE: Duration = Duration::from_millis(100);

/// A client from that address, and the work that it is asked for.
async fn arrive(from: [u8; 4], at: SocketAddr) -> (Client, u8) {
    let tcp = dial_from(from, at).await;
    let mut client = Client::connect_over(tcp, &at.to_string()).await;
    let ServerMessage::Work { bits } = client.welcome else {
        return (client, 0);
    };
    client.welcome = client.hear().await;
    (client, bits)
}

/// Asks to join over all sockets until the end; counts what is refused.
async fn flood(at: SocketAddr, refused: Arc<AtomicUsize>, end: Arc<AtomicBool>) {
    let mut sockets = JoinSet::new();
    let began = Instant::now() + EVERY;
    for address in 1..=ADDRESSES {
        for n in 0..SOCKETS_EACH {
            let (client, _) = arrive([127, 0, 8, address], at).await;
            let mut own = [97; 32];
            own[..2].copy_from_slice(&[address, u8::try_from(n).unwrap()]);
            let join = client.join(&[42; 32], own).to_bytes();
            let (mut write, mut read) = client.socket.split();
            let (end, refused) = (Arc::clone(&end), Arc::clone(&refused));
            // Each at its own time: a wave would leave gaps.
            let number = usize::from(address) * SOCKETS_EACH + n;
            let start = began + EVERY.mul_f64((number * 37 % 100) as f64 / 100.0);
            sockets.spawn(async move {
                let mut pace = interval_at(start.into(), EVERY);
                pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
                while !end.load(Ordering::Relaxed) {
                    tokio::select! {
                        _ = pace.tick() => {
                            let join = Message::Binary(join.clone().into());
                            if write.send(join).await.is_err() {
                                return;
                            }
                        }
                        heard = read.next() => match heard {
                            Some(Ok(Message::Binary(bytes))) => {
                                let said = ServerMessage::from_bytes(&bytes).unwrap();
                                if matches!(said, ServerMessage::Error { .. }) {
                                    refused.fetch_add(1, Ordering::Relaxed);
                                }
                            }
                            Some(Ok(_)) => {}
                            _ => return,
                        },
                    }
                }
            });
        }
    }
    while sockets.join_next().await.is_some() {}
}

/// How long it took somebody honest to be in; no longer than it tries.
async fn comes(at: SocketAddr, n: u8) -> Duration {
    let began = Instant::now();
    let (mut client, mut asked) = arrive([127, 0, 9, n], at).await;
    let mut solved = 0;
    let join = client.join(&[7; 32], [n; 32]);
    while began.elapsed() < PATIENCE {
        let bits = std::mem::take(&mut asked);
        if bits > 0 {
            let puzzle = work_puzzle(&client.challenge(), solved);
            solved += 1;
            let answer = solve(&REAL, &puzzle, bits, 0, u64::MAX).unwrap();
            client.tell(&ClientMessage::Work { answer }).await;
        }
        client.tell(&join).await;
        let answer = loop {
            match client.hear().await {
                ServerMessage::Work { bits } => asked = bits,
                answer => break answer,
            }
        };
        match answer {
            ServerMessage::Joined { .. } => return began.elapsed(),
            ServerMessage::Error {
                reason: ErrorReason::Rate,
                retry_after_ms,
            } if asked == 0 => {
                sleep(PAUSE.max(Duration::from_millis(retry_after_ms.into()))).await;
            }
            ServerMessage::Error {
                reason: ErrorReason::Rate,
                ..
            } => {}
            other => panic!("not refused but {other:?}"),
        }
    }
    PATIENCE
}

/// How long newcomers take while there is a flood.
async fn under_flood(work: &str) -> Vec<Duration> {
    let arguments = [LIMITS[0], LIMITS[1], "--work", work];
    let running = Running::start_with(&arguments, "warn", Stdio::null());
    let at = running.address;
    let (refused, end) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    // On a thread of its own: honest clients do not wait for attackers' own work.
    let attacker = std::thread::spawn({
        let (refused, end) = (Arc::clone(&refused), Arc::clone(&end));
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(flood(at, refused, end));
        }
    });
    // As often as there are sockets: all of them are at it.
    let all = usize::from(ADDRESSES) * SOCKETS_EACH;
    while refused.load(Ordering::Relaxed) < all {
        assert!(!attacker.is_finished(), "the attacker is not well");
        sleep(Duration::from_millis(20)).await;
    }
    let newcomers: JoinSet<Duration> = (1..=NEWCOMERS).map(|n| comes(at, n)).collect();
    let mut times = newcomers.join_all().await;
    end.store(true, Ordering::Relaxed);
    attacker.join().unwrap();
    running.signal("TERM");
    assert!(running.end().await.0);
    times.sort_unstable();
    times
}

#[tokio::test]
async fn newcomers_get_in_through_a_flood_of_joins_where_clients_have_to_work() {
    let mut table = String::new();
    let mut medians = Vec::new();
    let mut in_time = 0;
    for work in ["off", "auto"] {
        let times = under_flood(work).await;
        let median = times[times.len() / 2];
        in_time = times.iter().filter(|time| **time < PATIENCE).count();
        table += &format!(
            "--work {work:4}  {in_time} of {NEWCOMERS} in within {PATIENCE:?}, median {median:?}, \
             slowest {:?}\n",
            times[times.len() - 1],
        );
        medians.push(median);
    }
    // Written whole, so that other output does not come between.
    std::io::stdout().write_all(table.as_bytes()).unwrap();
    assert_eq!(in_time, usize::from(NEWCOMERS), "some did not get in");
    assert!(medians[1] * 2 < medians[0], "the flood was none");
}
