//! Engines at three servers of a cluster, behind a balancer without affinity: what becomes of them
//! when a server ends without a word.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use peer_group_signaling::server::{Server, Settings, Turn};
use peer_group_signaling::settings::ClusterUrls;
use tokio::runtime::{Builder, Runtime};

use crate::balancer::Balancer;
use crate::engines::Engines;
use crate::metrics::numbers;
use crate::nats::Nats;

const MACHINES: usize = 3;
const MEMBERS: usize = 6;
/// In what time all are back, on a busy machine.
const SECONDS: Duration = Duration::from_secs(15);

/// A server with threads of its own, so that it can end as if it were killed: no task of it does
/// anything any more, and the system closes its sockets.
struct Machine {
    address: SocketAddr,
    metrics: SocketAddr,
    runtime: Option<Runtime>,
}

impl Machine {
    async fn start(nats: &Nats) -> Self {
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            cluster: Some(ClusterUrls::parse(&nats.url()).unwrap()),
            metrics: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            turn: Turn::Off,
            ..Settings::default()
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime
            .spawn(Server::bind(settings))
            .await
            .unwrap()
            .unwrap();
        let (address, metrics) = (server.address(), server.metrics_address().unwrap());
        runtime.spawn(server.run(std::future::pending()));
        Self {
            address,
            metrics,
            runtime: Some(runtime),
        }
    }

    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    async fn number(&self, name: &str) -> f64 {
        numbers(self.metrics).await[&format!("peer_group_{name}")]
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How much of that there is at all of them.
async fn sum(machines: &[&Machine], name: &str) -> f64 {
    let mut sum = 0.0;
    for machine in machines {
        sum += machine.number(name).await;
    }
    sum
}

/// Waits until there is so much of each of these at all of them together.
async fn become_so(machines: &[&Machine], expected: &[(&str, f64)]) {
    let end = Instant::now() + SECONDS;
    for (name, value) in expected {
        loop {
            let now = sum(machines, name).await;
            if now.total_cmp(value).is_eq() {
                break;
            }
            assert!(Instant::now() < end, "{now} {name}, not {value}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn engines_whose_server_is_killed_are_back_within_seconds_and_stand_once() {
    let nats = Nats::start();
    let mut machines = Vec::new();
    for _ in 0..MACHINES {
        machines.push(Machine::start(&nats).await);
    }
    let all: Vec<&Machine> = machines.iter().collect();
    let others = (MACHINES * (MACHINES - 1)) as f64;
    become_so(&all, &[("cluster_machines", others)]).await;
    let addresses = machines.iter().map(|machine| machine.address);
    let balancer = Balancer::start(addresses.collect()).await;

    let mut engines = Engines::new(&balancer.address.to_string());
    let invitation = engines.create().await;
    for _ in 1..MEMBERS {
        let (_, joined) = engines.join(&invitation, 30_000).await;
        joined.unwrap();
    }
    let members = MEMBERS as f64;
    engines.until(become_so(&all, &[("tags", members)])).await;
    // Door and members, and around midnight those of two days: each of them stands in all.
    let topics = machines[0].number("topics").await;
    assert!([2.0, 4.0].contains(&topics), "{topics} topics");
    let stand = [("announcements", topics * members), ("tags", members)];
    engines.until(become_so(&all, &stand)).await;
    let used = balancer.used();
    assert!(used.iter().all(|count| *count >= 2), "{used:?}");

    let lost = machines[1].number("tags").await;
    assert!(lost >= 2.0, "{lost} of {members} were there");
    machines[1].kill();
    let began = Instant::now();
    let left = [&machines[0], &machines[2]];
    engines.until(become_so(&left, &[("tags", members)])).await;
    println!(
        "{lost} engines were back {:?} after their server was killed",
        began.elapsed()
    );
    // Each stands where it stood, and nowhere twice.
    engines.until(become_so(&left, &stand)).await;

    // Who comes now finds somebody to let it in, and no ghost keeps it from that.
    let (_, joined) = engines.join(&invitation, 30_000).await;
    joined.unwrap();
    engines
        .until(become_so(&left, &[("tags", members + 1.0)]))
        .await;
}
