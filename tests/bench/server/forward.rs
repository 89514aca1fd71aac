//! Signals: how many a core passes on, and how long they take when half as many are sent.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use peer_group::wire::rendezvous::{ClientMessage, ServerMessage};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};
use tokio_tungstenite::tungstenite::Message;

use crate::process::{Cores, Running};
use crate::{Bench, figure, ours, progress};

/// Pairs that signal one way.
const PAIRS: usize = 200;
/// Bytes of a signal: a description with what seals it.
const BYTES: usize = 1_000;
/// Under way at a time for each pair, where it is asked for the most.
const WINDOW: usize = 8;
const SPAN: Duration = Duration::from_secs(5);
pub(crate) const UNLIMITED: [&str; 5] = [
    "--listen=127.0.0.1:0",
    "--turn=off",
    "--signals=1000000/1000000",
    "--signals-per-address=10000000/10000000",
    "--inbox=1000000/1000000",
];

pub(crate) async fn run(bench: &Bench) {
    let server = Running::start(&bench.server, Cores::One, &UNLIMITED);
    progress(&format!("as many signals as go, {} s", SPAN.as_secs()));
    let servers = [server];
    let Most { count, wall, cpu } = most(&servers).await;
    let [server] = servers;
    let each = cpu.as_secs_f64() / count as f64;
    figure(
        "signals of 1 000 bytes a second of its core's time",
        &format!("{:.0}   ({:.0} us for each)", 1.0 / each, each * 1e6),
    );
    figure(
        "signals a second by the clock, server on one core, clients too",
        &format!(
            "{:.0}   (the server's core is busy {:.0} %)",
            count as f64 / wall.as_secs_f64(),
            100.0 * cpu.as_secs_f64() / wall.as_secs_f64()
        ),
    );
    // What the clock showed has the clients' own slowness in it, and half of that is a load at which
    // neither has to wait for the other; a tenth shows what the clients' timers alone add.
    for (part, words) in [(2.0, "half of that"), (10.0, "a tenth of that")] {
        at_load(&server, count as f64 / wall.as_secs_f64() / part, words).await;
    }
}

async fn at_load(server: &Running, rate: f64, words: &str) {
    progress(&format!("{rate:.0} signals a second, {} s", SPAN.as_secs()));
    let before = server.used().cpu;
    let began = Instant::now();
    let mut times = paced(server, rate).await;
    let busy = (server.used().cpu - before).as_secs_f64() / began.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 1000].as_secs_f64() * 1e3;
    figure(
        &format!("signals at {words}, {rate:.0}/s: p50 / p99 / p99.9"),
        &format!(
            "{:.2} / {:.2} / {:.2} ms   (the core is busy {:.0} %)",
            at(500),
            at(990),
            at(999),
            busy * 100.0
        ),
    );
}

/// Two that can be reached, each at the next server in turn.
async fn pair(servers: &[Running], n: usize) -> [ours::Client; 2] {
    let way = |n: usize| ours::way(servers[n % servers.len()].address, None);
    let mut pair = [
        ours::Client::connect(&way(n), 2 * n).await,
        ours::Client::connect(&way(n + 1), 2 * n + 1).await,
    ];
    for (client, number) in pair.iter_mut().zip(2 * n..) {
        let listen = ClientMessage::Listen {
            r: ours::secret(number),
        };
        client.ask(ours::framed(&listen)).await;
    }
    pair
}

/// What was done, in what time, and for how much of all servers'.
pub(crate) struct Most {
    pub(crate) count: usize,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// How many signals arrive in [`SPAN`] when each pair has a window full under way.
pub(crate) async fn most(servers: &[Running]) -> Most {
    let mut all = JoinSet::new();
    let mut pairs = Vec::new();
    for n in 0..PAIRS {
        pairs.push(pair(servers, n).await);
    }
    let used = || {
        servers
            .iter()
            .map(|server| server.used().cpu)
            .sum::<Duration>()
    };
    let (began, before) = (Instant::now(), used());
    for (n, [mut from, mut to]) in pairs.into_iter().enumerate() {
        all.spawn(async move {
            let frame = ours::signal(ours::tag(2 * n + 1), vec![7; BYTES]);
            for _ in 0..WINDOW {
                from.socket.send(frame.clone()).await;
            }
            let end = Instant::now() + SPAN;
            let mut count = 0;
            while Instant::now() < end {
                heard(&to.socket.hear().await);
                count += 1;
                from.socket.send(frame.clone()).await;
            }
            for _ in 0..WINDOW {
                heard(&to.socket.hear().await);
            }
            count
        });
    }
    let count = all.join_all().await.into_iter().sum();
    Most {
        count,
        wall: began.elapsed(),
        cpu: used() - before,
    }
}

fn heard(message: &Message) {
    let message = ours::read(message);
    assert!(
        matches!(message, ServerMessage::Delivered { .. }),
        "{message:?}"
    );
}

/// How long each signal took when `rate` of them are sent each second, evenly.
async fn paced(server: &Running, rate: f64) -> Vec<Duration> {
    let every = Duration::from_secs_f64(PAIRS as f64 / rate);
    let mut all = JoinSet::new();
    let zero = Instant::now();
    for n in 0..PAIRS {
        let [from, mut to] = pair(std::slice::from_ref(server), n).await;
        all.spawn(async move {
            let begin = tokio::time::Instant::now()
                + Duration::from_millis(200)
                + every * n as u32 / PAIRS as u32;
            let mut pace = interval_at(begin, every);
            pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let count = (SPAN.as_secs_f64() / every.as_secs_f64()) as usize;
            let (mut write, mut read) = from.socket.split();
            let sender = async move {
                for _ in 0..count {
                    // From when it was due: a wait of this side counts as well.
                    let due = pace.tick().await.into_std().duration_since(zero);
                    let mut payload = vec![7; BYTES];
                    payload[..8].copy_from_slice(&(due.as_nanos() as u64).to_le_bytes());
                    let frame = ours::signal(ours::tag(2 * n + 1), payload);
                    write.send(frame).await.expect("sent");
                }
                write
            };
            let receiver = async move {
                let mut times = Vec::with_capacity(count);
                while times.len() < count {
                    let ServerMessage::Delivered { payload, .. } =
                        ours::read(&to.socket.hear().await)
                    else {
                        panic!("no signal")
                    };
                    let sent = u64::from_le_bytes(payload[..8].try_into().unwrap());
                    times.push(zero.elapsed().saturating_sub(Duration::from_nanos(sent)));
                }
                times
            };
            let pongs = async move { while let Some(Ok(_)) = read.next().await {} };
            tokio::select! {
                (_, times) = async { tokio::join!(sender, receiver) } => times,
                () = pongs => panic!("the server closed a socket"),
            }
        });
    }
    all.join_all().await.into_iter().flatten().collect()
}
