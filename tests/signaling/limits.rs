//! What one address may take of the server, and what is left to the others.

use std::net::SocketAddr;

use peer_group::wire::rendezvous::{ClientMessage, ErrorReason, ServerMessage};
use peer_group_signaling::rooms::{Config, Limits, Rate};
use peer_group_signaling::server::{Settings, SocketLimits};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{self, Client, request, soon};
use crate::served::Served;

/// A connection from an address of this machine, `127.0.0.n`.
async fn dial_from(n: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, n], 0))).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn connections_that_say_nothing_make_room() {
    let served = Served::start(Settings {
        sockets: SocketLimits {
            plain_connections: 12,
            plain_connections_per_address: 8,
            ..SocketLimits::default()
        },
        ..Settings::default()
    })
    .await;
    let mut mute = Vec::new();
    for _ in 0..30 {
        mute.push(dial_from(2, served.address).await);
    }
    let mut rest = Vec::new();
    for tcp in &mut mute[..22] {
        let ended = soon("the end of an old one", tcp.read_to_end(&mut rest)).await;
        // Closed or reset, as the system likes.
        assert!(ended.is_ok_and(|read| read == 0) || rest.is_empty());
    }
    // Whoever speaks is served, from this address too.
    let host = served.address.to_string();
    for n in [2, 3] {
        let tcp = dial_from(n, served.address).await;
        let mut client = Client::connect_over(tcp, &host).await;
        let pong = client.ask(&ClientMessage::Ping {}).await;
        assert_eq!(pong, ServerMessage::Pong {});
    }
}

#[tokio::test]
async fn one_address_has_so_many_sockets_and_is_told_when_to_come_back() {
    let served = Served::start(Settings {
        rooms: Config {
            limits: Limits {
                connections_per_address: 3,
                opened_per_address: Rate {
                    per_second: 1,
                    burst: 4,
                },
                ..Limits::default()
            },
            ..Config::default()
        },
        ..Settings::default()
    })
    .await;
    let host = served.address.to_string();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let tcp = dial_from(2, served.address).await;
        clients.push(Client::connect_over(tcp, &host).await);
    }
    let refused = async || {
        let tcp = dial_from(2, served.address).await;
        let mut client = Client {
            socket: client::open(tcp, request(&host)).await.unwrap(),
            origin: host.clone(),
            welcome: ServerMessage::Pong {},
        };
        let ServerMessage::Error {
            reason: ErrorReason::Rate,
            retry_after_ms,
        } = client.hear().await
        else {
            panic!("the fourth was let in")
        };
        assert_eq!(client.close_code().await, 1013);
        retry_after_ms
    };
    assert_eq!(refused().await, 30_000, "as many as may be open");
    let other = dial_from(3, served.address).await;
    Client::connect_over(other, &host).await;
}
