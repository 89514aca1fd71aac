//! STUN and TURN over real sockets: what clients are handed out, and how far it gets them.

use std::net::SocketAddr;

use peer_group::engine::event::Path;
use peer_group::error::Code;
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::{ClientMessage, ErrorReason, ServerMessage, Url};
use peer_group_signaling::server::{Settings, Turn};
use peer_group_signaling::turn::{Limits, Secret};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::client::{Client, soon};
use crate::engines::{Engines, Way};
use crate::served::{Served, error};
use crate::stun::{Relay, Wire, credentials, node, seen_from};

fn with(turn: Turn) -> Settings {
    Settings {
        turn,
        ..Settings::default()
    }
}

#[tokio::test]
async fn one_port_answers_stun_over_udp_and_tcp_beside_everything_else() {
    let served = Served::start(Settings::default()).await;
    for mut wire in [
        Wire::udp(served.address).await,
        Wire::tcp(served.address).await,
    ] {
        let own = wire.own_address();
        assert_eq!(seen_from(&mut wire).await, own);
    }
    let mut page = TcpStream::connect(served.address).await.unwrap();
    page.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    soon("the page", page.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(answer.ends_with("ok\n"), "{answer}");
}

/// A client takes only what comes from where it wrote to, and a machine may have many addresses.
#[tokio::test]
async fn udp_is_answered_from_the_address_that_was_asked() {
    for (listen, asked) in [
        ("0.0.0.0:0", &["127.0.0.1", "127.0.0.2"][..]),
        ("[::]:0", &["127.0.0.1", "127.0.0.2", "::1"]),
    ] {
        let served = Served::start(with(Turn::Here {
            listen: Some(listen.parse().unwrap()),
            host: None,
        }))
        .await;
        let (urls, user, password) = credentials(served.address, node(1)).await;
        let port = urls[0].split([':', '?']).nth(2).unwrap().parse().unwrap();
        for ip in asked {
            let at = SocketAddr::new(ip.parse().unwrap(), port);
            let mut wire = Wire::udp(at).await;
            let own = wire.own_address();
            assert_eq!(seen_from(&mut wire).await, own, "at {at}");
            Relay::allocate(wire, user.clone(), password.clone())
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn two_clients_relay_to_each_other_over_any_wire() {
    let served = Served::start(Settings::default()).await;
    let server = served.address;
    let mut a = Relay::start(server, Wire::udp(server).await, node(1)).await;
    let mut b = Relay::start(server, Wire::tcp(server).await, node(2)).await;
    a.permit(b.relayed).await.unwrap();
    b.permit(a.relayed).await.unwrap();
    a.send(b.relayed, b"over a message").await;
    assert_eq!(b.hear().await, (a.relayed, b"over a message".to_vec()));
    b.send(a.relayed, b"and back").await;
    assert_eq!(a.hear().await, (b.relayed, b"and back".to_vec()));

    a.bind(0x4001, b.relayed).await.unwrap();
    b.bind(0x4002, a.relayed).await.unwrap();
    a.wire.send(b"\x40\x01\0\x05hello").await;
    assert_eq!(b.wire.hear().await, b"\x40\x02\0\x05hello\0\0\0");
    // Two at once, and one in two pieces: a stream has no ends of its own.
    b.wire.send(b"\x40\x02\0\x02hi\0\0\x40\x02\0\x04ther").await;
    assert_eq!(a.wire.hear().await, b"\x40\x01\0\x02hi");
    assert_eq!(a.wire.hear().await, b"\x40\x01\0\x04ther");
    let Wire::Tcp(stream) = &mut b.wire else {
        panic!("not TCP")
    };
    stream.set_nodelay(true).unwrap();
    stream.write_all(b"\x40\x02\0").await.unwrap();
    stream.write_all(b"\x03end\0").await.unwrap();
    assert_eq!(a.wire.hear().await, b"\x40\x01\0\x03end");

    // An address goes with its connection.
    let at_b = b.relayed;
    drop(b);
    let gone = soon("the end of an allocation", async {
        loop {
            if let Err(code) = a.permit(at_b).await {
                return code;
            }
        }
    });
    assert_eq!(gone.await, 403);
}

#[tokio::test]
async fn nothing_but_another_allocation_is_reached() {
    let served = Served::start(Settings::default()).await;
    let server = served.address;
    let victim = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let victim_tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at_victim = victim.local_addr().unwrap();
    let mapped = SocketAddr::new("::ffff:127.0.0.1".parse().unwrap(), at_victim.port());
    let mut a = Relay::start(server, Wire::udp(server).await, node(1)).await;
    let fixed = [
        "10.0.0.1:80",
        "172.16.0.1:80",
        "192.168.0.1:80",
        "100.64.0.1:80",
        "169.254.169.254:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "0.0.0.0:80",
        "1.1.1.1:53",
        "8.8.8.8:53",
        "[::1]:80",
        "[fe80::1]:80",
        "[fd00::1]:80",
        "[ff02::1]:80",
        "[2001:4860:4860::8888]:53",
    ];
    let fixed = fixed.into_iter().map(|target| target.parse().unwrap());
    let own = a.wire.own_address();
    let here = [
        at_victim,
        victim_tcp.local_addr().unwrap(),
        server,
        mapped,
        own,
    ];
    for target in fixed.chain(here) {
        let refused = Err(if target.is_ipv4() { 403 } else { 443 });
        assert_eq!(a.permit(target).await, refused, "{target}");
        assert_eq!(a.bind(0x4000, target).await, refused, "{target}");
        a.send(target, b"out").await;
        a.wire.send(b"\x40\0\0\x03out").await;
    }
    // The server has answered, so it is through with all of that; only this gets to the victim.
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    other.send_to(b"marker", at_victim).await.unwrap();
    let mut packet = [0; 64];
    let len = soon("the marker", victim.recv(&mut packet)).await.unwrap();
    assert_eq!(&packet[..len], b"marker");
    // And nothing to ourselves: a question is answered with its answer alone.
    assert_eq!(seen_from(&mut a.wire).await, own);
}

#[tokio::test]
async fn credentials_are_for_those_who_are_reachable_and_for_their_server() {
    let served = Served::start(Settings::default()).await;
    let mut silent = Client::connect(served.address).await;
    assert_eq!(
        silent.ask(&ClientMessage::Turn {}).await,
        error(ErrorReason::Tag)
    );

    let (urls, user, password) = credentials(served.address, node(1)).await;
    let ways = ["udp", "tcp"];
    assert_eq!(
        urls,
        ways.map(|way| format!("turn:{}?transport={way}", served.address))
    );
    // A node has one user, whichever socket it asks on.
    let (_, again, _) = credentials(served.address, node(1)).await;
    let (_, other, _) = credentials(served.address, node(2)).await;
    let id = |user: &str| user.split_once(':').unwrap().1.to_owned();
    assert_eq!(id(&user), id(&again));
    assert_ne!(id(&user), id(&other));
    let tag = crate::stun::tag(1).to_string();
    assert!(!tag.contains(&id(&user)), "{user} tells of {tag}");

    let elsewhere = Served::start(Settings::default()).await;
    let wire = Wire::udp(elsewhere.address).await;
    let refused = Relay::allocate(wire, user.clone(), password.clone()).await;
    assert_eq!(refused.err(), Some(401));
    let ended = user.replacen(|c: char| c.is_ascii_digit(), "0", 1);
    let wire = Wire::udp(served.address).await;
    let refused = Relay::allocate(wire, ended, password).await;
    assert_eq!(refused.err(), Some(401));
}

#[tokio::test]
async fn one_node_has_so_many_allocations() {
    let limits = Limits {
        per_user: 2,
        ..Limits::default()
    };
    let served = Served::start(Settings {
        turn_limits: limits,
        ..Settings::default()
    })
    .await;
    let server = served.address;
    let (_, user, password) = credentials(server, node(1)).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let wire = Wire::udp(server).await;
        kept.push(
            Relay::allocate(wire, user.clone(), password.clone())
                .await
                .unwrap(),
        );
    }
    let third = Relay::allocate(Wire::tcp(server).await, user, password).await;
    assert_eq!(third.err(), Some(486));
    Relay::start(server, Wire::udp(server).await, node(2)).await;
}

#[tokio::test]
async fn one_address_has_so_many_connections_to_turn() {
    let served = Served::start(Settings {
        turn_limits: Limits {
            streams_per_address: 2,
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    let server = served.address;
    let mut kept = [Wire::tcp(server).await, Wire::tcp(server).await];
    for wire in &mut kept {
        let own = wire.own_address();
        assert_eq!(seen_from(wire).await, own);
    }
    let mut third = TcpStream::connect(server).await.unwrap();
    third.write_all(&[0, 1, 0, 0]).await.unwrap();
    let mut rest = Vec::new();
    let _ = soon("the end of one too many", third.read_to_end(&mut rest)).await;
    assert!(rest.is_empty(), "{rest:?}");
    // Packets need no connection, pages are another thing, and a place that is left is free.
    let mut wire = Wire::udp(server).await;
    assert_eq!(seen_from(&mut wire).await, wire.own_address());
    Client::connect(server).await;
    drop(kept);
    soon("a free place", async {
        loop {
            let mut next = TcpStream::connect(server).await.unwrap();
            let asked = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
            next.write_all(&asked).await.unwrap();
            if matches!(next.read(&mut [0]).await, Ok(1)) {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn turn_may_be_elsewhere_or_off() {
    let off = Served::start(with(Turn::Off)).await;
    let mut client = Client::connect(off.address).await;
    let ServerMessage::Welcome { limits, ice, .. } = &client.welcome else {
        panic!("no welcome")
    };
    assert_eq!((limits.turn_s, ice.len()), (0, 0));
    client.listen(node(1)).await;
    let nothing = ServerMessage::Turn {
        urls: List::default(),
        user: Url::default(),
        password: Url::default(),
        seconds: 0,
    };
    assert_eq!(client.ask(&ClientMessage::Turn {}).await, nothing);

    let coturn = "turn:turn.example.org:3478";
    let elsewhere = Served::start(with(Turn::At {
        urls: List::first(vec![Url::new(coturn).unwrap()]),
        secret: Secret::new("north"),
    }))
    .await;
    let (urls, user, password) = credentials(elsewhere.address, node(1)).await;
    assert_eq!(urls, [coturn]);
    assert_eq!(password, Secret::new("north").password(user.as_bytes()));

    // A port of its own, for UDP and TCP, under a name of its own.
    let own = Served::start(with(Turn::Here {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        host: Some("turn.example.org".into()),
    }))
    .await;
    let (urls, user, password) = credentials(own.address, node(1)).await;
    let port = urls[0].split([':', '?']).nth(2).unwrap().parse().unwrap();
    assert!(urls[0].starts_with("turn:turn.example.org:"), "{urls:?}");
    assert_ne!(port, own.address.port());
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    for wire in [Wire::udp(at).await, Wire::tcp(at).await] {
        Relay::allocate(wire, user.clone(), password.clone())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_is_no_turn_ends_only_its_own_connection() {
    let served = Served::start(Settings::default()).await;
    let mut other = Relay::start(served.address, Wire::tcp(served.address).await, node(1)).await;
    for wrong in [
        [&[0, 1, 0xff, 0xfc][..], &[0; 64]].concat(),
        [&[0, 1, 0, 0][..], &[0; 16], &[0x80, 0, 0, 0]].concat(),
    ] {
        let mut tcp = TcpStream::connect(served.address).await.unwrap();
        tcp.write_all(&wrong).await.unwrap();
        let mut rest = Vec::new();
        // Closed with unread bytes in it, a connection is reset.
        let _ = soon("the end of a connection", tcp.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "{rest:?}");
    }
    let wire = Wire::udp(served.address).await;
    let Wire::Udp(socket) = &wire else {
        panic!("not UDP")
    };
    for len in [0, 1, 19, 20, 2048, 2049, 9000] {
        socket.send(&vec![0; len]).await.unwrap();
        socket.send(&vec![0x40; len]).await.unwrap();
        socket.send(&vec![0xff; len]).await.unwrap();
    }
    let mut wire = wire;
    assert_eq!(seen_from(&mut wire).await, wire.own_address());
    let own = other.relayed;
    other.permit(own).await.unwrap();
    served.stop().await;
    let mut rest = Vec::new();
    let Wire::Tcp(stream) = &mut other.wire else {
        panic!("not TCP")
    };
    soon(
        "the end of the server's connections",
        stream.read_to_end(&mut rest),
    )
    .await
    .unwrap();
}

/// The URLs that a link was opened with, and whether their credentials are taken.
async fn usable(server: SocketAddr, way: &Way) -> Vec<String> {
    let turn = way
        .servers
        .iter()
        .find(|one| one.urls[0].starts_with("turn:"));
    let turn = turn.expect("a TURN server").clone();
    let wire = Wire::udp(server).await;
    Relay::allocate(wire, turn.username, turn.credential)
        .await
        .unwrap();
    way.servers
        .iter()
        .flat_map(|one| one.urls.clone())
        .collect()
}

#[tokio::test]
async fn engines_open_links_with_what_the_server_hands_out() {
    let served = Served::start(Settings::default()).await;
    let host = served.address.to_string();
    let mut engines = Engines::new(&host);
    let invitation = engines.create().await;
    engines.relay_only = true;
    let (hidden, joined) = engines.join(&invitation, 10_000).await;
    joined.unwrap();
    let [open, hidden] = [0, hidden].map(|node| engines.ways(node)[0].clone());
    assert_eq!((open.relay_only, hidden.relay_only), (false, true));
    // Who may be seen needs no second allocation for every link.
    let stun = format!("stun:{host}");
    let [udp, tcp] = ["udp", "tcp"].map(|way| format!("turn:{host}?transport={way}"));
    assert_eq!(
        usable(served.address, &open).await,
        [stun.clone(), udp.clone()]
    );
    assert_eq!(usable(served.address, &hidden).await, [stun, udp, tcp]);
}

#[tokio::test]
async fn who_may_not_be_seen_goes_over_the_server_where_there_is_no_turn() {
    let served = Served::start(with(Turn::Off)).await;
    let mut engines = Engines::new(&served.address.to_string());
    engines.blocked = true;
    engines.relay_only = true;
    let invitation = engines.create().await;
    let (joiner, joined) = engines.join(&invitation, 4_000).await;
    joined.unwrap();
    assert_eq!(engines.paths(0), [Path::Relay]);
    assert_eq!(engines.paths(joiner), [Path::Relay]);
}

#[tokio::test]
async fn who_would_be_seen_without_turn_or_relay_is_told_so_at_once() {
    let mut settings = with(Turn::Off);
    settings.rooms.limits.relay = false;
    let served = Served::start(settings).await;
    let mut engines = Engines::new(&served.address.to_string());
    let invitation = engines.create().await;
    engines.relay_only = true;
    let (hidden, joined) = engines.join(&invitation, 10_000).await;
    let refused = joined.unwrap_err();
    assert_eq!(refused.code, Code::ServiceNotAvailable);
    assert!(
        refused.detail.contains("needs a TURN server"),
        "{}",
        refused.detail
    );
    assert_eq!(engines.ways(hidden).len(), 0);
}
