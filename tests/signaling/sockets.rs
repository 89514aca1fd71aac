//! Sockets that misbehave, and those that only wait.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use peer_group::wire::rendezvous::{ClientMessage, ErrorReason, RefusedReason, ServerMessage};
use peer_group_signaling::rooms::{Config, Limits, Rate};
use peer_group_signaling::server::{Settings, SocketLimits};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{self, Client, request, signal, soon, tag};
use crate::served::{Served, error};

const A: [u8; 32] = [1; 32];
const B: [u8; 32] = [2; 32];

async fn dial(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

#[tokio::test]
async fn text_and_frames_too_large_end_only_the_socket_they_came_on() {
    let served = Served::start(Settings::default()).await;
    let mut other = Client::connect(served.address).await;
    for (frame, code) in [
        (Message::text("hello"), 1003),
        (Message::binary(vec![6; 17_000]), 1009),
        (Message::binary(vec![6; 1_000_000]), 1009),
    ] {
        let mut client = Client::connect(served.address).await;
        // What is too large is not read to its end, so sending it may fail.
        let _ = client.socket.send(frame).await;
        assert_eq!(client.close_code().await, code);
    }
    assert_eq!(
        other.ask(&ClientMessage::Ping {}).await,
        ServerMessage::Pong {}
    );
}

#[tokio::test]
async fn other_protocols_are_not_spoken() {
    let served = Served::start(Settings::default()).await;
    let host = served.address.to_string();
    for protocol in [None, Some("peer-group.2")] {
        let mut request = request(&host);
        request.headers_mut().remove("Sec-WebSocket-Protocol");
        if let Some(protocol) = protocol {
            let headers = request.headers_mut();
            headers.insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
        }
        match client::open(dial(served.address).await, request).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), StatusCode::BAD_REQUEST),
            other => panic!("{protocol:?} was answered with {other:?}"),
        }
    }
}

#[tokio::test]
async fn who_reads_too_slowly_is_cut_and_others_go_on() {
    let plenty = Rate {
        per_second: 1_000_000,
        burst: 1_000_000,
    };
    let limits = Limits {
        signals: plenty,
        inbox: plenty,
        ..Limits::default()
    };
    let served = Served::start(Settings {
        rooms: Config {
            limits,
            ..Config::default()
        },
        ..Settings::default()
    })
    .await;
    // With a small buffer the system does not read for long on behalf of one that does not.
    let tcp = TcpSocket::new_v4().unwrap();
    tcp.set_recv_buffer_size(4096).unwrap();
    let tcp = tcp.connect(served.address).await.unwrap();
    let mut slow = Client::connect_over(tcp, &served.address.to_string()).await;
    slow.listen(A).await;
    let mut quick = Client::connect(served.address).await;
    quick.listen(B).await;

    let flood = signal(tag(A), &[7; 16_384]);
    let mut sent = 0;
    let heard = soon("the cut", async {
        loop {
            quick.tell(&flood).await;
            sent += 1;
            // An answer to each tells at once when the slow one is gone.
            match quick.ask(&ClientMessage::Ping {}).await {
                ServerMessage::Pong {} => {}
                other => return other,
            }
        }
    })
    .await;
    assert_eq!(heard, ServerMessage::Gone { tag: tag(A) });
    // A megabyte waits in the server; the system may hold some more.
    assert!((64..1024).contains(&sent), "cut after {sent} signals");
    // The last signal may have been too late.
    while quick.hear().await != (ServerMessage::Pong {}) {}
    assert_eq!(
        quick.ask(&flood).await,
        ServerMessage::Refused {
            to: tag(A),
            reason: RefusedReason::Gone
        }
    );
}

#[tokio::test]
async fn a_socket_lives_as_long_as_it_answers_pings() {
    let served = Served::start(Settings {
        sockets: SocketLimits {
            ping_every: Duration::from_millis(20),
            silent_for: Duration::from_millis(400),
            ..SocketLimits::default()
        },
        ..Settings::default()
    })
    .await;
    let mut dead = Client::connect(served.address).await;
    dead.listen(A).await;
    let mut living = Client::connect(served.address).await;
    living.listen(B).await;
    living.tell(&signal(tag(A), b"are you there?")).await;

    let mut pings = 0;
    soon("the end of the dead one", async {
        loop {
            // Reading answers pings; the dead one never reads again.
            match living.socket.next().await {
                Some(Ok(Message::Ping(_))) => pings += 1,
                Some(Ok(Message::Binary(_))) => return,
                other => panic!("the living one heard {other:?}"),
            }
        }
    })
    .await;
    assert!(pings >= 400 / 20 / 2, "only {pings} pings");
    assert_eq!(
        living.ask(&ClientMessage::Ping {}).await,
        ServerMessage::Pong {}
    );
}

#[tokio::test]
async fn who_says_nothing_is_shown_the_door() {
    let served = Served::start(Settings {
        rooms: Config {
            limits: Limits {
                hello_ms: 50,
                ..Limits::default()
            },
            ..Config::default()
        },
        sockets: SocketLimits {
            request_within: Duration::from_millis(50),
            ..SocketLimits::default()
        },
        ..Settings::default()
    })
    .await;
    let mut mute = dial(served.address).await;
    let mut rest = Vec::new();
    soon(
        "the end of a connection without a request",
        mute.read_to_end(&mut rest),
    )
    .await
    .unwrap();

    let request = request(&served.address.to_string());
    let mut client = Client {
        socket: client::open(dial(served.address).await, request)
            .await
            .unwrap(),
        origin: String::new(),
        welcome: ServerMessage::Pong {},
    };
    assert_eq!(client.hear().await, error(ErrorReason::Malformed));
    assert_eq!(client.close_code().await, 1002);
}

#[tokio::test]
async fn a_client_that_closes_is_answered_and_gone_at_once() {
    let served = Served::start(Settings::default()).await;
    let mut friend = Client::connect(served.address).await;
    friend.listen(B).await;
    let mut client = Client::connect(served.address).await;
    client.listen(A).await;
    client.tell(&signal(tag(B), b"bye")).await;
    assert!(matches!(
        friend.hear().await,
        ServerMessage::Delivered { .. }
    ));
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    client
        .socket
        .send(Message::Close(Some(frame)))
        .await
        .unwrap();
    assert_eq!(friend.hear().await, ServerMessage::Gone { tag: tag(A) });
    // Without the answer, a browser calls it an abnormal end.
    assert_eq!(client.close_code().await, 1000);
}
