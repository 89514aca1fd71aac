//! Joins, each a signature to verify, an announcement to keep and a sample: how many a core does.

use std::time::{Duration, Instant};

use peer_group::wire::rendezvous::{ClientMessage, ServerMessage};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::forward::Most;
use crate::process::{Cores, Running};
use crate::{Bench, figure, ours, progress};

const CLIENTS: usize = 1_000;
/// Topics that each joins in a round, two to a topic.
const TOPICS: usize = 16;
const ROUNDS: usize = 5;
/// Rates are for one client or address; here it is asked what the machine can do.
pub(crate) const UNLIMITED: [&str; 5] = [
    "--requests=1000000/1000000",
    "--requests-per-address=1000000/1000000",
    "--requests-in-all=1000000/1000000",
    "--turn=off",
    // What a join costs is asked here, and not what keeps joins away.
    "--work=off",
];

pub(crate) async fn run(bench: &Bench) {
    let mut arguments = vec!["--listen=127.0.0.1:0"];
    arguments.extend(UNLIMITED);
    let server = Running::start(&bench.server, Cores::One, &arguments);
    let Most { count, wall, cpu } = most(&[server]).await;
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    figure(
        "joins a second of its core's time",
        &format!("{:.0}", rate(cpu)),
    );
    figure(
        "joins a second by the clock, server on one core, clients too",
        &format!("{:.0}", rate(wall)),
    );
    figure(
        "CPU for each join",
        &format!("{:.0} us", cpu.as_secs_f64() * 1e6 / count as f64),
    );
}

/// The middle of some rounds of joins as fast as they go, clients at the next server in turn.
pub(crate) async fn most(servers: &[Running]) -> Most {
    progress(&format!("{CLIENTS} clients connect and sign"));
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let way = ours::way(servers[number % servers.len()].address, None);
        let client = ours::Client::connect(&way, number).await;
        let joins: Vec<Message> = (0..TOPICS)
            .map(|topic| client.join(number / 2 * TOPICS + topic, number))
            .collect();
        clients.push((number, client, joins));
    }
    let used = || {
        servers
            .iter()
            .map(|server| server.used().cpu)
            .sum::<Duration>()
    };
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        progress(&format!("round {round} of {ROUNDS}"));
        let (began, before) = (Instant::now(), used());
        let mut busy = JoinSet::new();
        for (number, mut client, joins) in clients.drain(..) {
            busy.spawn(async move {
                for join in &joins {
                    client.socket.send(join.clone()).await;
                }
                for _ in &joins {
                    let answer = ours::read(&client.socket.hear().await);
                    assert!(matches!(answer, ServerMessage::Joined { .. }), "{answer:?}");
                }
                (number, client, joins)
            });
        }
        clients.extend(busy.join_all().await);
        rounds.push((began.elapsed(), used() - before));
        for (number, client, _) in &mut clients {
            let tag = ours::tag(*number);
            let leave = ours::framed(&ClientMessage::Leave { tag });
            client.socket.send(leave).await;
        }
    }
    rounds.sort_by_key(|(_, cpu)| *cpu);
    let (wall, cpu) = rounds[ROUNDS / 2];
    Most {
        count: CLIENTS * TOPICS,
        wall,
        cpu,
    }
}
