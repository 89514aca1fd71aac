//! Frames that are relayed between clients of two servers, and what becomes of them when a server or
//! NATS is killed.

use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{
    ClientMessage, RelayClosedReason, RelayFrame, ServerMessage, relay_cost,
};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, signal, tag};
use crate::nats::Nats;
use crate::running::Running;
use crate::{HOST, cluster, eventually, secret, seen};

const A: [u8; 32] = secret(1);
const B: [u8; 32] = secret(2);
/// Bytes of a frame: of those that clients send, the longest.
const LEN: usize = 16 * 1024;
/// As Welcome says.
const WINDOW: u32 = 64 * 1024;
/// What both hear when something was lost between servers.
const GONE: RelayClosedReason = RelayClosedReason::Gone;
/// In what time a server that was killed is missed by the others, on a busy machine.
const MISSED: Duration = Duration::from_secs(8);

fn frame(n: u32, len: usize) -> RelayFrame {
    let mut bytes = n.to_be_bytes().to_vec();
    bytes.resize(len, n as u8);
    RelayFrame::new(bytes).unwrap()
}

/// Two at two servers that have signalled each other.
async fn pair(servers: &[Running]) -> (Client, Client) {
    let mut a = Client::connect_as(servers[0].address, HOST).await;
    let mut b = Client::connect_as(servers[1].address, HOST).await;
    reachable(&mut a, A).await;
    reachable(&mut b, B).await;
    meet(&mut a, &mut b).await;
    (a, b)
}

/// Listens, and waits until other servers can know that: NATS takes one step after the other.
async fn reachable(client: &mut Client, r: [u8; 32]) {
    client.listen(r).await;
    seen(client).await;
}

async fn meet(a: &mut Client, b: &mut Client) {
    a.tell(&signal(tag(B), b"initiate")).await;
    assert!(matches!(b.hear().await, ServerMessage::Delivered { .. }));
    b.tell(&signal(tag(A), b"answer")).await;
    assert!(matches!(a.hear().await, ServerMessage::Delivered { .. }));
}

async fn tell(a: &mut Client, n: u32, len: usize) {
    let (to, frame) = (tag(B), frame(n, len));
    a.tell(&ClientMessage::Relay { to, frame }).await;
}

/// Sends so many frames as credit allows; if the pair ends meanwhile, why.
async fn send(a: &mut Client, credit: &mut u32, count: u32) -> Option<RelayClosedReason> {
    for n in 0..count {
        let cost = relay_cost(&frame(n, LEN));
        while *credit < cost {
            match a.hear().await {
                ServerMessage::RelayCredit { bytes, to } if to == tag(B) => *credit += bytes,
                ServerMessage::RelayClosed { to, reason } if to == tag(B) => return Some(reason),
                other => panic!("no credit but {other:?}"),
            }
        }
        *credit -= cost;
        tell(a, n, LEN).await;
    }
    None
}

async fn receive(b: &mut Client, numbers: std::ops::Range<u32>, len: usize) {
    for n in numbers {
        let (from, frame) = (tag(A), frame(n, len));
        let heard = b.hear().await;
        assert!(
            heard == ServerMessage::Relay { from, frame },
            "not frame {n}"
        );
    }
}

/// Whether that frame comes soon; what was sent before it may be late.
async fn arrived(b: &mut Client, number: u32) -> bool {
    let (from, frame) = (tag(A), frame(number, LEN));
    let expected = ServerMessage::Relay { from, frame };
    let heard = async { while b.hear().await != expected {} };
    tokio::time::timeout(Duration::from_secs(2), heard)
        .await
        .is_ok()
}

/// Waits for the end of the pair; frames and credit may come before.
async fn ended(client: &mut Client) -> RelayClosedReason {
    loop {
        match client.hear().await {
            ServerMessage::RelayClosed { reason, .. } => return reason,
            ServerMessage::Relay { .. } | ServerMessage::RelayCredit { .. } => {}
            other => panic!("no end but {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_megabyte_arrives_whole_and_in_order_however_slowly_it_is_read_at_first() {
    let nats = Nats::start();
    let servers = cluster(&nats, 2).await;
    let (mut a, mut b) = pair(&servers).await;
    let mut credit = WINDOW;
    // All that may be under way, and nobody reads.
    assert_eq!(send(&mut a, &mut credit, 3).await, None);
    tell(&mut a, 3, 15 * 1024).await;
    a.tell(&ClientMessage::Ping {}).await;
    while a.hear().await != (ServerMessage::Pong {}) {}
    receive(&mut b, 0..3, LEN).await;
    receive(&mut b, 3..4, 15 * 1024).await;

    // A new pair, with all its credit.
    drop(a);
    assert_eq!(ended(&mut b).await, GONE);
    assert_eq!(b.hear().await, ServerMessage::Gone { tag: tag(A) });
    let mut a = Client::connect_as(servers[0].address, HOST).await;
    reachable(&mut a, A).await;
    meet(&mut a, &mut b).await;
    let (mut credit, began) = (WINDOW, Instant::now());
    let count = 64;
    let (end, ()) = tokio::join!(
        send(&mut a, &mut credit, count),
        receive(&mut b, 0..count, LEN)
    );
    assert_eq!(end, None);
    let took = began.elapsed();
    println!("1 MiB relayed between two servers in {took:?}");
    // A burst of a quarter, and three times as much at a quarter a second, less two windows.
    assert!(took >= Duration::from_millis(2_200), "{took:?}");
    assert!(took <= Duration::from_secs(8), "{took:?}");
}

#[tokio::test]
async fn a_window_of_the_smallest_frames_arrives_however_quickly_it_comes() {
    let nats = Nats::start();
    let servers = cluster(&nats, 2).await;
    let (mut a, mut b) = pair(&servers).await;
    let count = WINDOW / relay_cost(&frame(0, 4));
    for n in 0..count {
        let (to, frame) = (tag(B), frame(n, 4));
        let frame = ClientMessage::Relay { to, frame }.to_bytes();
        a.socket.feed(Message::Binary(frame.into())).await.unwrap();
    }
    a.socket.flush().await.unwrap();
    receive(&mut b, 0..count, 4).await;
}

#[tokio::test]
async fn when_a_server_is_killed_the_other_end_is_told() {
    let nats = Nats::start();
    let mut servers = cluster(&nats, 2).await;
    let (mut a, b) = pair(&servers).await;
    // One pair with frames under way, and one without.
    let mut idle = Client::connect_as(servers[0].address, HOST).await;
    reachable(&mut idle, secret(3)).await;
    let (to, frame) = (tag(secret(3)), frame(0, 100));
    let mut c = Client::connect_as(servers[1].address, HOST).await;
    reachable(&mut c, secret(4)).await;
    idle.tell(&signal(tag(secret(4)), b"come")).await;
    c.hear().await;
    c.tell(&ClientMessage::Relay { to, frame }).await;
    assert!(matches!(idle.hear().await, ServerMessage::Relay { .. }));

    let mut credit = WINDOW;
    let (reason, ()) = tokio::join!(
        // Nobody reads: it waits for credit until it is told.
        send(&mut a, &mut credit, u32::MAX),
        async { servers.remove(1).signal("KILL") }
    );
    assert_eq!(reason, Some(GONE));
    let began = Instant::now();
    assert_eq!(ended(&mut idle).await, GONE);
    println!("a pair without traffic ends {:?} later", began.elapsed());
    assert!(began.elapsed() < MISSED);
    tell(&mut a, 0, LEN).await;
    assert_eq!(ended(&mut a).await, GONE);
    drop((b, c));
}

#[tokio::test]
async fn when_nats_is_killed_both_ends_are_told_and_begin_anew_when_it_is_back() {
    let mut nats = Nats::start();
    let servers = cluster(&nats, 2).await;
    let (mut a, mut b) = pair(&servers).await;
    let mut credit = WINDOW;
    let receiving = async {
        receive(&mut b, 0..20, LEN).await;
        nats.kill();
        ended(&mut b).await
    };
    let (at_a, at_b) = tokio::join!(send(&mut a, &mut credit, u32::MAX), receiving);
    assert_eq!((at_a, at_b), (Some(GONE), GONE));
    tell(&mut a, 0, LEN).await;
    assert_eq!(ended(&mut a).await, GONE);
    nats.start_again();
    let mut credit = WINDOW;
    let mut number = 100;
    eventually("frames after an outage", async || {
        number += 1;
        tell(&mut a, number, LEN).await;
        arrived(&mut b, number).await
    })
    .await;
    // What was refused meanwhile.
    a.tell(&ClientMessage::Ping {}).await;
    while a.hear().await != (ServerMessage::Pong {}) {}
    credit -= relay_cost(&frame(0, LEN));
    assert_eq!(send(&mut a, &mut credit, 3).await, None);
    receive(&mut b, 0..3, LEN).await;
}
