//! Hello, limits and going away.

use peer_group::wire::rendezvous::{IceServer, ServerLimits, Url};

use super::*;
use crate::turn::{Offer, Secret, Servers};

#[test]
fn welcome_tells_the_time_the_limits_and_a_new_challenge() {
    let mut server = Server::new(Limits::default());
    let conn = ConnId(1);
    server.rooms.config.ice = List::new(vec![IceServer {
        urls: List::new(vec![Url::new("stun:stun.example").unwrap()]).unwrap(),
        username: Url::default(),
        credential: Url::default(),
    }])
    .unwrap();
    server.connect(1, HOME);
    let hello = ClientMessage::Hello {
        version: 1,
        features: 0,
    };
    let [
        ServerMessage::Welcome {
            challenge,
            time_ms,
            limits,
            ice,
        },
    ] = &server.tell(conn, &hello)[..]
    else {
        panic!("no welcome")
    };
    assert_eq!(*time_ms, 1_790_000_000_000);
    let told = ServerLimits {
        announcement_bytes: 1024,
        signal_bytes: 16_384,
        ttl_s: 120,
        topics: 16,
        turn_s: 0,
        relay_bytes: 65_536,
    };
    assert_eq!(*limits, told);
    assert_eq!(ice.len(), 1);
    assert_ne!(*challenge, server.open(2).challenge);
}

#[test]
fn hello_comes_first_once_in_time_and_in_a_version_spoken_here() {
    let mut server = Server::new(Limits::default());
    let hello = |version| ClientMessage::Hello {
        version,
        features: 0,
    };
    let ping = ClientMessage::Ping {};

    server.connect(1, HOME);
    assert_eq!(server.tell(ConnId(1), &ping), error(ErrorReason::Malformed));
    server.connect(2, HOME);
    assert_eq!(
        server.tell(ConnId(2), &hello(0)),
        error(ErrorReason::Version)
    );
    let twice = server.open(3);
    assert_eq!(
        server.tell(twice.conn, &hello(1)),
        error(ErrorReason::Malformed)
    );
    let garbage = server.open(4);
    assert_eq!(
        server.raw(garbage.conn, &[0xff, 1]),
        error(ErrorReason::Malformed)
    );
    server.connect(5, HOME);
    server.pass(9_999);
    assert_eq!(server.heard(ConnId(5)), []);
    server.pass(1);
    assert_eq!(server.heard(ConnId(5)), error(ErrorReason::Malformed));

    let mut closed = [ErrorReason::Malformed; 5];
    closed[1] = ErrorReason::Version;
    assert_eq!(
        server.closed,
        (1..).map(ConnId).zip(closed).collect::<Vec<_>>()
    );
    // What is said on a closed connection, nobody hears.
    assert_eq!(server.tell(ConnId(1), &hello(1)), []);
    assert_eq!(server.rooms.connections(), 0);
    assert_eq!(server.rooms.next_timeout(), None);
}

#[test]
fn too_many_requests_wait_as_long_as_they_are_told() {
    let rate = |per_second, burst| Rate { per_second, burst };
    let mut server = Server::new(Limits {
        requests: rate(1, 2),
        signals: rate(10, 3),
        ..Limits::default()
    });
    let (a, b) = (server.open(1), server.open(2));
    server.join(&a, [1; 32]);
    server.tell(b.conn, &ClientMessage::Listen { r: [2; 32] });
    assert_eq!(server.tell(a.conn, &refresh([1; 32])).len(), 1);
    let rate_error = |retry_after_ms| ServerMessage::Error {
        reason: ErrorReason::Rate,
        retry_after_ms,
    };
    assert_eq!(server.paused, 0);
    assert_eq!(server.tell(a.conn, &refresh([1; 32])), [rate_error(1_000)]);
    assert_eq!(
        server.paused, 1_000,
        "it is not read before it may ask again"
    );
    server.pass(1_000);
    assert!(matches!(
        server.tell(a.conn, &refresh([1; 32]))[..],
        [ServerMessage::Peers { .. }]
    ));

    let word = signal(tag([1; 32]), b"hi");
    for _ in 0..3 {
        assert_eq!(server.tell(b.conn, &word), []);
    }
    let refused = ServerMessage::Refused {
        to: tag([1; 32]),
        reason: RefusedReason::Quota,
    };
    assert_eq!(server.tell(b.conn, &word), [refused, rate_error(100)]);
    assert_eq!(server.paused, 100);
    assert_eq!(server.heard(a.conn).len(), 3);
    // The connection stays, and so does everybody else's share.
    assert_eq!(
        server.tell(a.conn, &ClientMessage::Ping {}),
        [ServerMessage::Pong {}]
    );
    assert_eq!(server.closed, []);
}

#[test]
fn long_signals_count_more_than_short_ones() {
    let mut server = Server::new(Limits {
        signals: Rate {
            per_second: 1,
            burst: 12,
        },
        ..Limits::default()
    });
    let (a, b) = (server.open(1), server.open(2));
    server.tell(a.conn, &ClientMessage::Listen { r: [1; 32] });
    server.tell(b.conn, &ClientMessage::Listen { r: [2; 32] });
    let long = signal(tag([2; 32]), &[7; 16_384]);
    for _ in 0..2 {
        assert_eq!(server.tell(a.conn, &long), []);
    }
    assert_eq!(
        server.tell(a.conn, &long).len(),
        2,
        "refused, and when to come back"
    );
    let short = signal(tag([2; 32]), &[7; 4_095]);
    for _ in 0..2 {
        assert_eq!(server.tell(a.conn, &short), []);
    }
    assert_eq!(server.tell(a.conn, &short).len(), 2);
    assert_eq!(server.heard(b.conn).len(), 4);
}

#[test]
fn strangers_together_cannot_flood_one_tag() {
    let mut server = Server::new(Limits {
        inbox: Rate {
            per_second: 1,
            burst: 4,
        },
        ..Limits::default()
    });
    let target = server.open(1);
    server.tell(target.conn, &ClientMessage::Listen { r: [1; 32] });
    for n in 2..=6 {
        let stranger = server.open(u64::from(n));
        server.tell(stranger.conn, &ClientMessage::Listen { r: [n; 32] });
        let answer = server.tell(stranger.conn, &signal(tag([1; 32]), b"hi"));
        let refused = ServerMessage::Refused {
            to: tag([1; 32]),
            reason: RefusedReason::Quota,
        };
        assert_eq!(answer, if n == 6 { vec![refused] } else { vec![] });
    }
    assert_eq!(server.heard(target.conn).len(), 4);
}

#[test]
fn a_full_server_says_so() {
    let mut server = Server::new(Limits {
        connections: 2,
        topics_per_connection: 1,
        ..Limits::default()
    });
    let a = server.open(1);
    server.open(2);
    server.connect(3, HOME);
    server.drain();
    assert!(matches!(
        server.heard(ConnId(3))[..],
        [ServerMessage::Error {
            reason: ErrorReason::Full,
            retry_after_ms: 1..
        }]
    ));
    assert_eq!(server.closed, [(ConnId(3), ErrorReason::Full)]);
    server.join(&a, [1; 32]);
    let second = a.join(&[43; 32], [1; 32]);
    assert_eq!(server.tell(a.conn, &second), error(ErrorReason::Full));
    // Where it stands already, there is room for it.
    assert_eq!(server.join(&a, [1; 32]), []);
    // Room made is room to use.
    server.disconnect(&a);
    let c = server.open(4);
    assert_eq!(server.join(&c, [3; 32]), []);
}

#[test]
fn going_away_spreads_the_clients_over_the_given_time() {
    let mut server = Server::new(Limits::default());
    let clients: Vec<Client> = (0..200).map(|n| server.open(n)).collect();
    server.rooms.go_away(server.now, 5_000);
    server.drain();
    let mut delays = Vec::new();
    for client in &clients {
        match &server.heard(client.conn)[..] {
            [ServerMessage::GoAway { delay_ms, .. }] => delays.push(*delay_ms),
            other => panic!("no go-away but {other:?}"),
        }
    }
    assert!(delays.iter().all(|delay| *delay < 5_000));
    // 200 draws: each fifth of the time gets 40 give or take; fewer than 15 is one in 10^6.
    for fifth in 0..5 {
        let share = delays.iter().filter(|d| **d / 1_000 == fifth).count();
        assert!(share >= 15, "{share} clients in fifth {fifth}");
    }
    assert_eq!(server.closed, []);
}

#[test]
fn turn_is_handed_out_to_who_has_a_tag_at_the_price_of_a_request() {
    let offer = Offer {
        secret: Secret::new("north"),
        servers: Servers::Here {
            host: None,
            port: 3478,
            tls_port: None,
        },
    };
    let mut server = Server::new(Limits {
        requests: Rate {
            per_second: 1,
            burst: 3,
        },
        ..Limits::default()
    });
    server.rooms.config.turn = Some(offer.clone());
    let client = server.open(1);
    let ask = |server: &mut Server| server.tell(client.conn, &ClientMessage::Turn {});
    assert_eq!(ask(&mut server), error(ErrorReason::Tag));
    server.tell(client.conn, &ClientMessage::Listen { r: [1; 32] });
    let expected = offer.answer(ORIGIN, tag([1; 32]), server.now.wall);
    assert_eq!(ask(&mut server), [expected]);
    let [ServerMessage::Error { reason, .. }] = ask(&mut server)[..] else {
        panic!("no error")
    };
    assert_eq!(reason, ErrorReason::Rate);
}

#[test]
fn an_address_has_its_share_and_others_theirs() {
    let rate = |per_second, burst| Rate { per_second, burst };
    let mut server = Server::new(Limits {
        connections_per_address: 3,
        opened_per_address: rate(1, 5),
        requests_per_address: rate(1, 4),
        signals_per_address: rate(1, 2),
        ..Limits::default()
    });
    let (a, b) = (server.open(1), server.open(2));
    let other = server.open_from(9, [192, 0, 2, 2]);
    let slower = |retry_after_ms| ServerMessage::Error {
        reason: ErrorReason::Rate,
        retry_after_ms,
    };
    server.join(&a, [1; 32]);
    server.join(&b, [2; 32]);
    for _ in 0..2 {
        assert_eq!(server.tell(a.conn, &refresh([1; 32])).len(), 1);
    }
    assert_eq!(server.tell(b.conn, &refresh([2; 32])), [slower(1_000)]);
    server.join(&other, [9; 32]);
    let ping = ClientMessage::Ping {};
    assert_eq!(server.tell(a.conn, &ping), [ServerMessage::Pong {}]);
    assert_eq!(server.tell(b.conn, &ping), [ServerMessage::Pong {}]);
    assert_eq!(server.tell(b.conn, &ping), [slower(1_000)]);
    assert_eq!(server.tell(other.conn, &ping), [ServerMessage::Pong {}]);

    // One socket too many, then one too soon.
    server.open(3);
    server.connect(4, HOME);
    server.drain();
    assert_eq!(server.heard(ConnId(4)), [slower(30_000)]);
    for n in [1, 2, 3] {
        server.rooms.disconnected(server.now, ConnId(n));
    }
    server.open(5);
    server.open(6);
    server.connect(7, HOME);
    server.drain();
    assert_eq!(server.heard(ConnId(7)), [slower(1_000)]);
    let refused = [ConnId(4), ConnId(7)].map(|conn| (conn, ErrorReason::Rate));
    assert_eq!(server.closed, refused);
    assert_eq!(server.rooms.counts().sockets_refused, 2);
}

#[test]
fn everybody_together_makes_no_more_requests_than_the_server_can_take() {
    let mut server = Server::new(Limits {
        requests_in_all: Rate {
            per_second: 1,
            burst: 3,
        },
        ..Limits::default()
    });
    let mut granted = 0;
    for n in 1..=5 {
        let client = server.open_from(u64::from(n), [198, 51, 100, n]);
        let listen = ClientMessage::Listen { r: [n; 32] };
        granted += usize::from(server.tell(client.conn, &listen) == [ServerMessage::Listening {}]);
    }
    // The bucket of everybody has had time to fill before the first one came.
    assert_eq!(granted, 3);
    assert_eq!(server.rooms.counts().rate_limited, 2);
}
