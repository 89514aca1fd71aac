//! Honest clients that measure how long their signals take while others misbehave.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use peer_group::wire::rendezvous::ServerMessage;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep_until};

use crate::attacks::dial_from;
use crate::client::{Client, signal, tag};

/// Between two signals of one client: below what each may send.
const EVERY: Duration = Duration::from_millis(70);

/// The secret of one of them.
pub(crate) const SOMEBODY: [u8; 32] = [1; 32];

/// Two that signal each other, from an address of their own.
pub(crate) struct Pair {
    a: Client,
    b: Client,
    names: [[u8; 32]; 2],
}

/// The pairs; none of them comes from an address that attacks.
pub(crate) async fn pairs(server: SocketAddr, count: u8) -> Vec<Pair> {
    let mut all = Vec::new();
    for n in 1..=count {
        let host = server.to_string();
        let names = [[n; 32], [n + 100; 32]];
        let [mut a, mut b] = [
            Client::connect_over(dial_from([127, 0, 1, n], server).await, &host).await,
            Client::connect_over(dial_from([127, 0, 1, n], server).await, &host).await,
        ];
        a.listen(names[0]).await;
        b.listen(names[1]).await;
        all.push(Pair { a, b, names });
    }
    all
}

/// Lets every pair signal both ways until `end`; gives back the pairs and how long each way took.
pub(crate) async fn signal_until(pairs: Vec<Pair>, end: Instant) -> (Vec<Pair>, Vec<Duration>) {
    let mut tasks = JoinSet::new();
    for mut pair in pairs {
        tasks.spawn(async move {
            let mut times = Vec::new();
            let mut pace = interval(EVERY);
            while Instant::now() < end {
                tokio::select! {
                    _ = pace.tick() => {}
                    () = sleep_until(end.into()) => break,
                }
                let Pair { a, b, names } = &mut pair;
                times.push(one_way(a, b, names[1]).await);
                times.push(one_way(b, a, names[0]).await);
            }
            (pair, times)
        });
    }
    let (mut pairs, mut times) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (pair, of_pair) = done.unwrap();
        pairs.push(pair);
        times.extend(of_pair);
    }
    (pairs, times)
}

async fn one_way(from: &mut Client, to: &mut Client, name: [u8; 32]) -> Duration {
    let began = Instant::now();
    from.tell(&signal(tag(name), &[7; 300])).await;
    let heard = to.hear().await;
    assert!(
        matches!(heard, ServerMessage::Delivered { .. }),
        "{heard:?}"
    );
    began.elapsed()
}

/// The time that 99 of 100 stay below.
pub(crate) fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[(times.len() * 99 / 100).min(times.len() - 1)]
}
