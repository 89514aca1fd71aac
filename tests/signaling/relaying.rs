//! Frames that the server carries between two clients.

use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{ClientMessage, RelayFrame, ServerMessage, relay_cost};
use peer_group_signaling::server::Settings;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, signal, tag};
use crate::served::Served;

const A: [u8; 32] = [1; 32];
const B: [u8; 32] = [2; 32];
const LEN: usize = 4096 - 64;

fn frame(n: u32) -> RelayFrame {
    let mut bytes = vec![0; LEN];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    RelayFrame::new(bytes).unwrap()
}

/// Two that have signalled each other.
async fn meet(served: &Served, b: Client) -> (Client, Client) {
    let (mut a, mut b) = (Client::connect(served.address).await, b);
    a.listen(A).await;
    b.listen(B).await;
    a.tell(&signal(tag(B), b"initiate")).await;
    b.hear().await;
    b.tell(&signal(tag(A), b"answer")).await;
    a.hear().await;
    (a, b)
}

fn window(client: &Client) -> u32 {
    match &client.welcome {
        ServerMessage::Welcome { limits, .. } => limits.relay_bytes,
        other => panic!("no welcome but {other:?}"),
    }
}

/// Sends frames as credit allows, from number `next` up to `end`.
async fn send(a: &mut Client, credit: &mut u32, next: u32, end: u32) {
    let cost = relay_cost(&frame(0));
    for n in next..end {
        while *credit < cost {
            match a.hear().await {
                ServerMessage::RelayCredit { bytes, to } if to == tag(B) => *credit += bytes,
                other => panic!("no credit but {other:?}"),
            }
        }
        *credit -= cost;
        let (to, frame) = (tag(B), frame(n));
        a.tell(&ClientMessage::Relay { to, frame }).await;
    }
}

async fn receive(b: &mut Client, count: u32) {
    for n in 0..count {
        let from = tag(A);
        let expected = ServerMessage::Relay {
            from,
            frame: frame(n),
        };
        assert_eq!(b.hear().await, expected, "frame {n}");
    }
}

#[tokio::test]
async fn frames_arrive_in_order_and_no_faster_than_a_pair_may() {
    let served = Served::start(Settings::default()).await;
    let b = Client::connect(served.address).await;
    let (mut a, mut b) = meet(&served, b).await;
    let mut credit = window(&a);
    assert_eq!(credit, 65_536);
    // A burst of a quarter MiB, then as much again in a second, less a window.
    let count = 128;
    let began = Instant::now();
    tokio::join!(send(&mut a, &mut credit, 0, count), receive(&mut b, count));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(700), "{took:?}");
    assert!(took <= Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn who_reads_slowly_is_not_cut_and_loses_nothing() {
    let served = Served::start(Settings::default()).await;
    // With a small buffer the system does not read for long on behalf of one that does not.
    let tcp = TcpSocket::new_v4().unwrap();
    tcp.set_recv_buffer_size(4096).unwrap();
    let tcp = tcp.connect(served.address).await.unwrap();
    let slow = Client::connect_over(tcp, &served.address.to_string()).await;
    let (mut a, mut b) = meet(&served, slow).await;
    let mut credit = window(&a);
    // All that may be under way goes at once, whether it is read or not.
    send(&mut a, &mut credit, 0, 16).await;
    // Signals and frames of others get through meanwhile.
    a.tell(&ClientMessage::Ping {}).await;
    let answered = loop {
        match a.hear().await {
            ServerMessage::RelayCredit { bytes, .. } => credit += bytes,
            other => break other,
        }
    };
    assert_eq!(answered, ServerMessage::Pong {});
    tokio::join!(send(&mut a, &mut credit, 16, 96), receive(&mut b, 96));
}

#[tokio::test]
async fn who_sends_without_credit_is_stopped() {
    let served = Served::start(Settings::default()).await;
    let b = Client::connect(served.address).await;
    let (mut a, b) = meet(&served, b).await;
    // Nobody reads at the other end: no credit can come back for more than the buffers hold.
    let stopped = loop {
        for _ in 0..64 {
            let (to, frame) = (tag(B), frame(0));
            let frame = ClientMessage::Relay { to, frame }.to_bytes();
            a.socket.feed(Message::Binary(frame.into())).await.unwrap();
        }
        a.socket.flush().await.unwrap();
        match a.hear().await {
            ServerMessage::RelayCredit { .. } => {}
            other => break other,
        }
    };
    let ServerMessage::RelayClosed { to, reason } = stopped else {
        panic!("not stopped but {stopped:?}")
    };
    assert_eq!(to, tag(B));
    assert_eq!(
        reason,
        peer_group::wire::rendezvous::RelayClosedReason::Quota
    );
    drop(b);
}
