//! One, two and three servers over NATS on this machine: what being a cluster costs, and adds.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use peer_group::wire::rendezvous::ClientMessage;

use crate::forward::{self, Most};
use crate::process::{Cores, Running, command};
use crate::{Bench, figure, joins, ours, progress};

/// Servers; none: one that is in no cluster.
const MACHINES: [usize; 4] = [0, 1, 2, 3];
/// Servers hear of each other once a second.
const MEET: Duration = Duration::from_secs(3);
/// Of whom it is seen what each takes.
const CLIENTS: usize = 8_000;

pub(crate) async fn run(bench: &Bench) {
    figure(
        "processors that all of them and their clients share",
        &cores(),
    );
    subscriptions(bench, false).await;
    subscriptions(bench, true).await;
    for machines in MACHINES {
        let what = match machines {
            0 => "alone".to_owned(),
            n => format!("{n} in a cluster"),
        };
        let nats = start_nats().await;
        let url = format!("--cluster=nats://{}", nats.address);
        let mut arguments = forward::UNLIMITED.to_vec();
        arguments.extend(joins::UNLIMITED);
        // Both leave TURN out.
        arguments.retain(|argument| *argument != "--turn=off");
        arguments.push("--turn=off");
        if machines > 0 {
            arguments.push(&url);
        }
        let start = |_| Running::start(&bench.server, Cores::All, &arguments);
        let servers: Vec<Running> = (0..machines.max(1)).map(start).collect();
        tokio::time::sleep(MEET).await;
        for (unit, words) in [
            ("signals", "from one server to the next"),
            ("joins", "in rooms of two"),
        ] {
            progress(&format!("{what}: {unit}"));
            let before = nats.used().cpu;
            let Most { count, wall, cpu } = match unit {
                "signals" => forward::most(&servers).await,
                _ => joins::most(&servers).await,
            };
            let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
            figure(
                &format!("{what}: {unit} a second, {words}"),
                &format!(
                    "{:>6.0}   ({:.0} us of servers for each, NATS busy {:.0} ms in all)",
                    count as f64 / wall.as_secs_f64(),
                    each(cpu),
                    (nats.used().cpu - before).as_secs_f64() * 1e3
                ),
            );
        }
    }
}

/// What it takes that a client can be reached, and stands in a topic of its own: in our server, and
/// in NATS, which has a subscription for each tag and each topic.
async fn subscriptions(bench: &Bench, in_cluster: bool) {
    let what = if in_cluster { "in a cluster" } else { "alone" };
    progress(&format!("{CLIENTS} clients, {what}"));
    let nats = start_nats().await;
    let url = format!("--cluster=nats://{}", nats.address);
    let connections = format!("--connections={CLIENTS}");
    let mut arguments = vec!["--listen=127.0.0.1:0", &connections];
    arguments.extend(joins::UNLIMITED);
    if in_cluster {
        arguments.push(&url);
    }
    let server = Running::start(&bench.server, Cores::All, &arguments);
    tokio::time::sleep(MEET).await;
    let way = ours::way(server.address, None);
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(ours::Client::connect(&way, number).await);
    }
    for step in ["a tag", "a topic and its announcement"] {
        let before = (server.used(), nats.used());
        for (number, client) in clients.iter_mut().enumerate() {
            let message = match step {
                "a tag" => ours::framed(&ClientMessage::Listen {
                    r: ours::secret(number),
                }),
                _ => client.join(number, number),
            };
            client.ask(message).await;
        }
        // What is said to NATS may be under way.
        tokio::time::sleep(MEET).await;
        let (own, other) = (server.used(), nats.used());
        let each = CLIENTS as f64;
        figure(
            &format!("{what}: {step} adds KiB to the server, and to NATS"),
            &format!(
                "{:.2}, {:.2}   ({:.0} and {:.0} us of a core)",
                (own.kib - before.0.kib) / each,
                (other.kib - before.1.kib) / each,
                (own.cpu - before.0.cpu).as_secs_f64() * 1e6 / each,
                (other.cpu - before.1.cpu).as_secs_f64() * 1e6 / each
            ),
        );
    }
}

/// This process keeps to one of them, so it cannot ask for itself.
fn cores() -> String {
    let all = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = all
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    count.to_string()
}

async fn start_nats() -> Running {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], free.port()));
    // Debian keeps it where only root's PATH looks.
    let debian = Path::new("/usr/sbin/nats-server");
    let program = if debian.exists() {
        debian
    } else {
        Path::new("nats-server")
    };
    let mut nats = command(program, Cores::All);
    nats.args(["--addr", "127.0.0.1", "--port", &address.port().to_string()]);
    Running::start_other(nats, address).await
}
