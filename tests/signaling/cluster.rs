//! Several servers as one, with a real NATS between them: what clients see of it, and what they see
//! when a machine or NATS is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod across;
mod balancer;
#[allow(dead_code, reason = "other suites need the rest of it")]
mod client;
mod nats;
#[allow(dead_code, reason = "other suites need the rest of it")]
mod running;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use peer_group::crypto::{Primitives as _, REAL};
use peer_group::names::{Tag, Topic};
use peer_group::wire::rendezvous::{
    ClientMessage, RefusedReason, ServerMessage, resolve_signed_bytes,
};

use tokio_tungstenite::tungstenite::Message;

use balancer::Balancer;
use client::{Client, signal, soon, tag};
use nats::Nats;
use running::Running;

const KEY: [u8; 32] = [42; 32];
/// A name of the servers that is none of theirs, as behind a balancer.
const HOST: &str = "rendezvous.example";
/// What a cluster may need to notice something, on a busy machine.
const NOTICED: Duration = Duration::from_secs(20);

const fn secret(n: u8) -> [u8; 32] {
    [n; 32]
}

/// Servers of one cluster, all of which know of each other.
async fn cluster(nats: &Nats, count: usize) -> Vec<Running> {
    let url = nats.url();
    let arguments = ["--cluster", &url, "--turn", "off"];
    let servers: Vec<Running> = (0..count).map(|_| Running::start(&arguments)).collect();
    know_each_other(&servers).await;
    servers
}

/// Waits until a signal passes from each server to each other one.
async fn know_each_other(servers: &[Running]) {
    // Each pair has names of its own: the last one's sockets may not be gone yet.
    let mut names = [100, 200];
    for from in servers {
        for to in servers {
            let mut a = Client::connect_as(from.address, HOST).await;
            let mut b = Client::connect_as(to.address, HOST).await;
            names = names.map(|name| name + 1);
            a.listen(secret(names[0])).await;
            b.listen(secret(names[1])).await;
            eventually("a signal between servers", async || {
                a.tell(&signal(tag(secret(names[1])), b"there?")).await;
                a.tell(&ClientMessage::Ping {}).await;
                let mut refused = false;
                while a.hear().await != (ServerMessage::Pong {}) {
                    refused = true;
                }
                // Whether it arrived shows at the other end, or it was refused, sooner or later.
                !refused && delivered(&mut b).await
            })
            .await;
        }
    }
}

/// Waits until the socket has ended without a word.
async fn ended(client: &mut Client) {
    while let Some(Ok(message)) = soon("the end of a socket", client.socket.next()).await {
        assert!(matches!(message, Message::Ping(_)), "{message:?}");
    }
}

/// Whether a signal comes soon; nothing else may.
async fn delivered(client: &mut Client) -> bool {
    match tokio::time::timeout(Duration::from_secs(2), client.hear()).await {
        Ok(ServerMessage::Delivered { .. }) => true,
        Ok(other) => panic!("no signal but {other:?}"),
        Err(_) => false,
    }
}

/// Of two claims within a tenth of a second any may stay; a client does not come back so soon.
async fn no_longer_at_once() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// Tries until something is so.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + NOTICED;
    while !is_so().await {
        assert!(Instant::now() < end, "{what} did not come to be");
        // No faster than anybody may ask in the long run.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn join(server: &Running, n: u8) -> (Client, ServerMessage) {
    let mut client = Client::connect_as(server.address, HOST).await;
    let join = client.join(&KEY, secret(n));
    let joined = client.ask(&join).await;
    (client, joined)
}

/// Who stands in the topic, as somebody sees it who does not.
async fn seen(client: &mut Client) -> Vec<Tag> {
    let topic = Topic(REAL.public_key(&KEY));
    let signed = resolve_signed_bytes(topic, HOST, &client.challenge());
    let resolve = ClientMessage::Resolve {
        topic,
        signature: REAL.sign(&KEY, &signed),
        want: 16,
    };
    loop {
        match client.ask(&resolve).await {
            ServerMessage::Peers { sample, .. } => {
                return sample.iter().map(|entry| entry.tag).collect();
            }
            ServerMessage::Error { retry_after_ms, .. } if retry_after_ms > 0 => {
                tokio::time::sleep(Duration::from_millis(retry_after_ms.into())).await;
            }
            other => panic!("no peers but {other:?}"),
        }
    }
}

/// Waits until just these stand in the topic: on a busy machine a server may be heard too late to be
/// counted in.
async fn all_seen(client: &mut Client, numbers: &[u8]) {
    let mut last = Vec::new();
    let end = Instant::now() + NOTICED;
    while last != tags(numbers) {
        assert!(
            Instant::now() < end,
            "{last:?} instead of {:?}",
            tags(numbers)
        );
        last = sorted(seen(client).await);
    }
}

fn sorted(mut tags: Vec<Tag>) -> Vec<Tag> {
    tags.sort_unstable();
    tags
}

fn tags(numbers: &[u8]) -> Vec<Tag> {
    sorted(numbers.iter().map(|n| tag(secret(*n))).collect())
}

fn delivery(from: u8, payload: &[u8]) -> ServerMessage {
    match signal(tag(secret(from)), payload) {
        ClientMessage::Signal { to: from, payload } => ServerMessage::Delivered { from, payload },
        _ => unreachable!(),
    }
}

fn gone(n: u8) -> ServerMessage {
    ServerMessage::Refused {
        to: tag(secret(n)),
        reason: RefusedReason::Gone,
    }
}

#[tokio::test]
async fn who_joined_at_one_server_is_found_and_signalled_through_another() {
    let nats = Nats::start();
    let servers = cluster(&nats, 3).await;
    let (mut a, _) = join(&servers[0], 1).await;
    let mut b = Client::connect_as(servers[1].address, HOST).await;
    let join_b = b.join(&KEY, secret(2));
    // The other server may be too busy to be counted in at first.
    eventually("a Join that names who is elsewhere", async || {
        match b.ask(&join_b).await {
            ServerMessage::Joined {
                size_bucket,
                sample,
                ..
            } => size_bucket == 1 && sample.len() == 1 && sample[0].tag == tag(secret(1)),
            other => panic!("not joined but {other:?}"),
        }
    })
    .await;
    let (mut c, _) = join(&servers[2], 3).await;
    let mut looker = Client::connect_as(servers[1].address, HOST).await;
    all_seen(&mut looker, &[1, 2, 3]).await;

    // Stamped with the sender's own tag, and answered the same way.
    a.tell(&signal(tag(secret(2)), b"offer")).await;
    assert_eq!(b.hear().await, delivery(1, b"offer"));
    b.tell(&signal(tag(secret(1)), b"answer")).await;
    assert_eq!(a.hear().await, delivery(2, b"answer"));
    c.tell(&signal(tag(secret(9)), b"nobody")).await;
    assert_eq!(c.hear().await, gone(9));

    // Who corresponded hears that one has left, whatever server it is at; others do not.
    let left = tag(secret(1));
    a.tell(&ClientMessage::Leave { tag: left }).await;
    assert_eq!(b.hear().await, ServerMessage::Gone { tag: left });
    all_seen(&mut looker, &[2, 3]).await;
    assert_eq!(c.ask(&ClientMessage::Ping {}).await, ServerMessage::Pong {});
}

#[tokio::test]
async fn a_client_that_comes_back_elsewhere_stands_once() {
    let nats = Nats::start();
    let servers = cluster(&nats, 2).await;
    let (mut friend, _) = join(&servers[0], 1).await;
    let (mut before, _) = join(&servers[0], 2).await;
    friend.tell(&signal(tag(secret(2)), b"hello")).await;
    assert_eq!(before.hear().await, delivery(1, b"hello"));
    // Its old socket is half open, as after a change of networks.
    no_longer_at_once().await;
    let (mut after, _) = join(&servers[1], 2).await;
    assert_eq!(
        before.hear().await,
        ServerMessage::Error {
            reason: peer_group::wire::rendezvous::ErrorReason::Superseded,
            retry_after_ms: 0
        }
    );
    assert_eq!(before.close_code().await, 4001);
    all_seen(&mut friend, &[2]).await;
    let mut looker = Client::connect_as(servers[0].address, HOST).await;
    all_seen(&mut looker, &[1, 2]).await;
    // Nobody heard that it was gone, and it is reached where it is now.
    friend.tell(&signal(tag(secret(2)), b"again")).await;
    assert_eq!(after.hear().await, delivery(1, b"again"));
    assert_eq!(
        friend.ask(&ClientMessage::Ping {}).await,
        ServerMessage::Pong {}
    );
}

#[tokio::test]
async fn a_killed_server_takes_only_its_own_sockets_with_it() {
    let nats = Nats::start();
    let mut servers = cluster(&nats, 3).await;
    let (mut stays, _) = join(&servers[0], 1).await;
    let (_lost, _) = join(&servers[1], 2).await;
    let (mut other, _) = join(&servers[2], 3).await;
    servers.remove(1).signal("KILL");
    let began = Instant::now();
    all_seen(&mut other, &[1]).await;
    println!(
        "a killed server's clients are gone after {:?}",
        began.elapsed()
    );
    stays.tell(&signal(tag(secret(2)), b"gone?")).await;
    assert_eq!(stays.hear().await, gone(2));
    stays.tell(&signal(tag(secret(3)), b"still")).await;
    assert_eq!(other.hear().await, delivery(1, b"still"));
    // Its client returns to another one.
    let (mut back, _) = join(&servers[1], 2).await;
    stays.tell(&signal(tag(secret(2)), b"welcome back")).await;
    assert_eq!(back.hear().await, delivery(1, b"welcome back"));
    all_seen(&mut stays, &[2, 3]).await;
}

#[tokio::test]
async fn without_nats_servers_go_on_alone_and_with_it_they_are_one_again() {
    let mut nats = Nats::start();
    let servers = cluster(&nats, 2).await;
    let (mut a, _) = join(&servers[0], 1).await;
    let (mut moves, _) = join(&servers[0], 2).await;
    nats.kill();

    // Alone, each answers at once for what it has itself.
    let (mut b, joined) = join(&servers[1], 3).await;
    assert!(
        matches!(&joined, ServerMessage::Joined { sample, .. } if sample.is_empty()),
        "{joined:?}"
    );
    let (mut c, _) = join(&servers[1], 4).await;
    c.tell(&signal(tag(secret(3)), b"here")).await;
    assert_eq!(b.hear().await, delivery(4, b"here"));
    c.tell(&signal(tag(secret(1)), b"there")).await;
    assert_eq!(c.hear().await, gone(1));
    // One moves meanwhile, and its old server cannot know.
    no_longer_at_once().await;
    let (mut moved, _) = join(&servers[1], 2).await;

    nats.start_again();
    all_seen(&mut a, &[2, 3, 4]).await;
    // It is where it came to last: its old socket was ended, and it stands once.
    let superseded = moves.hear().await;
    assert!(
        matches!(superseded, ServerMessage::Error { .. }),
        "{superseded:?}"
    );
    a.tell(&signal(tag(secret(2)), b"which?")).await;
    assert_eq!(moved.hear().await, delivery(1, b"which?"));
    c.tell(&signal(tag(secret(1)), b"and now")).await;
    assert_eq!(a.hear().await, delivery(4, b"and now"));
    let mut looker = Client::connect_as(servers[0].address, HOST).await;
    all_seen(&mut looker, &[1, 2, 3, 4]).await;
}

#[tokio::test]
async fn behind_a_balancer_without_affinity_everybody_finds_everybody() {
    let nats = Nats::start();
    let servers = cluster(&nats, 3).await;
    let balancer = Balancer::start(servers.iter().map(|server| server.address).collect()).await;
    let mut clients = Vec::new();
    for n in 1..=12 {
        let mut client = Client::connect_as(balancer.address, HOST).await;
        let join = client.join(&KEY, secret(n));
        client.ask(&join).await;
        clients.push((n, client));
    }
    for (n, client) in &mut clients {
        let others: Vec<u8> = (1..=12).filter(|other| other != n).collect();
        all_seen(client, &others).await;
    }
    // Everybody to everybody: each signal arrives once, and nothing else does.
    for (n, client) in &mut clients {
        for other in (1..=12).filter(|other| other != n) {
            client.tell(&signal(tag(secret(other)), &[*n, other])).await;
        }
    }
    for (n, client) in &mut clients {
        let mut heard = BTreeSet::new();
        for _ in 0..11 {
            match client.hear().await {
                ServerMessage::Delivered { from, payload } => {
                    assert_eq!((tag(secret(payload[0])), payload[1]), (from, *n));
                    assert!(heard.insert(from), "twice from {from:?}");
                }
                other => panic!("no signal but {other:?}"),
            }
        }
    }
    let used = balancer.used();
    assert!(used.iter().all(|count| *count >= 4), "{used:?}");
}

#[tokio::test]
async fn clients_of_a_killed_server_come_back_through_the_balancer_and_stand_once() {
    let nats = Nats::start();
    let servers = cluster(&nats, 3).await;
    let balancer = Balancer::start(servers.iter().map(|server| server.address).collect()).await;
    let mut clients = Vec::new();
    for n in 1..=9u8 {
        let mut client = Client::connect_as(balancer.address, HOST).await;
        let join = client.join(&KEY, secret(n));
        client.ask(&join).await;
        clients.push((n, client));
    }
    servers[1].signal("KILL");
    let began = Instant::now();
    // The balancer goes round, so every third was there.
    for (n, client) in &mut clients {
        if *n % 3 == 2 {
            ended(client).await;
            *client = Client::connect_as(balancer.address, HOST).await;
            let join = client.join(&KEY, secret(*n));
            client.ask(&join).await;
        }
    }
    let mut looker = Client::connect_as(balancer.address, HOST).await;
    all_seen(&mut looker, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).await;
    println!("all are seen again after {:?}", began.elapsed());
    let (_, mut stayed) = clients.remove(0);
    for n in [2, 5, 8u8] {
        stayed.tell(&signal(tag(secret(n)), b"back?")).await;
        let (_, back) = clients.iter_mut().find(|(own, _)| *own == n).unwrap();
        assert_eq!(back.hear().await, delivery(1, b"back?"));
    }
}

#[tokio::test]
async fn a_cluster_that_cannot_be_found_is_waited_for() {
    let mut nats = Nats::start();
    nats.kill();
    let url = nats.url();
    let arguments = ["--cluster", &url, "--turn", "off"];
    let servers = [Running::start(&arguments), Running::start(&arguments)];
    let (_a, joined) = join(&servers[0], 1).await;
    assert!(matches!(joined, ServerMessage::Joined { .. }), "{joined:?}");
    nats.start_again();
    let mut looker = Client::connect_as(servers[1].address, HOST).await;
    all_seen(&mut looker, &[1]).await;
}
