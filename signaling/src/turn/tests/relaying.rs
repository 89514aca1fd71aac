//! What goes from one allocation to another, and that nothing goes anywhere else.

use super::*;

/// Peers that are no allocation of this server.
pub(super) const ELSEWHERE: [&str; 16] = [
    "127.0.0.1:22",
    "0.0.0.0:80",
    "10.0.0.1:80",
    "172.16.0.1:80",
    "192.168.1.1:80",
    "100.64.0.1:80",
    "169.254.169.254:80",
    "224.0.0.1:80",
    "255.255.255.255:80",
    "8.8.8.8:53",
    "240.0.0.1:50000",
    "[::1]:80",
    "[fe80::1]:80",
    "[fd00::1]:80",
    "[2001:4860:4860::8888]:53",
    "[::ffff:127.0.0.1]:80",
];

pub(super) fn heard_in_message(bytes: &[u8]) -> (SocketAddr, &[u8]) {
    let message = Message::read(bytes).unwrap();
    assert_eq!(
        (message.class, message.method),
        (Class::Indication, method::DATA)
    );
    let from = message.unmasked(message.value(attribute::XOR_PEER_ADDRESS).unwrap());
    (from.unwrap(), message.value(attribute::DATA).unwrap())
}

#[test]
fn two_allocations_that_let_each_other_in_exchange_packets() {
    let mut place = Place::new(Limits::default());
    let (a, at_a) = place.allocated("192.0.2.1:1000", 1);
    let (b, at_b) = place.allocated("198.51.100.2:2000", 2);
    assert_ne!(at_a.ip(), at_b.ip());

    assert_eq!(a.send(&mut place, at_b, b"too early"), None);
    assert_eq!(
        a.ask(&mut place, method::CREATE_PERMISSION, &[Part::Peer(at_b)])
            .code(),
        0
    );
    assert_eq!(a.send(&mut place, at_b, b"not let in"), None);
    assert_eq!(
        b.ask(&mut place, method::CREATE_PERMISSION, &[Part::Peer(at_a)])
            .code(),
        0
    );

    let (to, bytes) = a.send(&mut place, at_b, b"hello").unwrap();
    assert_eq!(
        (to, heard_in_message(&bytes)),
        (b.client, (at_a, b"hello".as_slice()))
    );
    let (to, bytes) = b.send(&mut place, at_a, b"hi").unwrap();
    assert_eq!(
        (to, heard_in_message(&bytes)),
        (a.client, (at_b, b"hi".as_slice()))
    );

    // Another port of the same address is nobody's.
    let beside = SocketAddr::new(at_b.ip(), at_b.port() ^ 1);
    assert_eq!(a.send(&mut place, beside, b"beside"), None);
    let counts = place.turn.counts();
    assert_eq!(
        (counts.allocations, counts.packets, counts.bytes),
        (2, 2, 7)
    );
}

#[test]
fn channels_are_each_ends_own_and_padded_where_there_is_a_stream() {
    let mut place = Place::new(Limits::default());
    let (a, at_a) = place.allocated("192.0.2.1:1000", 1);
    let stream = Client {
        address: "198.51.100.2:2000".parse().unwrap(),
        wrote_to: None,
        stream: Some(5),
    };
    let b = place.peer_at(stream, 2);
    let at_b = b
        .ask(&mut place, method::ALLOCATE, &[UDP])
        .address(attribute::XOR_RELAYED_ADDRESS);
    let bind = |place: &mut Place, peer: &Peer, number, to| {
        peer.ask(
            place,
            method::CHANNEL_BIND,
            &[channel(number), Part::Peer(to)],
        )
        .code()
    };
    assert_eq!(bind(&mut place, &a, 0x4001, at_b), 0);
    assert_eq!(bind(&mut place, &b, 0x4abc, at_a), 0);

    let sent = place.packet(a.client, b"\x40\x01\0\x05hello");
    assert_eq!(
        sent,
        Some((b.client, b"\x4a\xbc\0\x05hello\0\0\0".to_vec()))
    );
    let sent = place.packet(b.client, b"\x4a\xbc\0\x02hi\0\0");
    assert_eq!(sent, Some((a.client, b"\x40\x01\0\x02hi".to_vec())));

    // Not this client's channel; a length that is not there; no allocation.
    assert_eq!(place.packet(a.client, b"\x4a\xbc\0\x02hi"), None);
    assert_eq!(place.packet(a.client, b"\x40\x01\0\x06hello"), None);
    assert_eq!(place.packet(a.client, b"\x40\x01"), None);
    let nobody = Client {
        address: "192.0.2.9:1".parse().unwrap(),
        wrote_to: None,
        stream: None,
    };
    assert_eq!(place.packet(nobody, b"\x40\x01\0\x02hi"), None);

    // A number leads to one peer, and a peer has one number.
    let (_, at_c) = place.allocated("192.0.2.3:3000", 3);
    assert_eq!(bind(&mut place, &a, 0x4001, at_c), 400);
    assert_eq!(bind(&mut place, &a, 0x4002, at_b), 400);
    assert_eq!(bind(&mut place, &a, 0x4001, at_b), 0);
    assert_eq!(bind(&mut place, &a, 0x3fff, at_c), 400);
    assert_eq!(bind(&mut place, &a, 0x5000, at_c), 400);
}

#[test]
fn nothing_but_an_allocation_of_this_server_can_be_reached() {
    let mut place = Place::new(Limits::default());
    let (a, own) = place.allocated("192.0.2.1:1000", 1);
    let server: SocketAddr = "192.0.2.77:3478".parse().unwrap();
    let unused = SocketAddr::new([245, 1, 2, 3].into(), own.port());
    let elsewhere = ELSEWHERE.map(|address| address.parse().unwrap());
    for target in elsewhere
        .into_iter()
        .chain([server, unused, a.client.address])
    {
        let refused = if target.is_ipv4() { 403 } else { 443 };
        let permit = a.ask(&mut place, method::CREATE_PERMISSION, &[Part::Peer(target)]);
        assert_eq!(permit.code(), refused, "{target}");
        let bind = a.ask(
            &mut place,
            method::CHANNEL_BIND,
            &[channel(0x4000), Part::Peer(target)],
        );
        assert_eq!(bind.code(), refused, "{target}");
        assert_eq!(a.send(&mut place, target, b"out"), None, "{target}");
        assert_eq!(place.packet(a.client, b"\x40\0\0\x03out"), None, "{target}");
    }
    assert_eq!(place.turn.counts().forbidden, 2 * 19);
    assert_eq!(place.turn.counts().packets, 0);

    // One wrong peer spoils the others of its request.
    let (b, at_b) = place.allocated("192.0.2.2:1000", 2);
    let both = [Part::Peer(at_b), Part::Peer("10.0.0.1:1".parse().unwrap())];
    assert_eq!(
        a.ask(&mut place, method::CREATE_PERMISSION, &both).code(),
        403
    );
    assert_eq!(
        b.ask(&mut place, method::CREATE_PERMISSION, &[Part::Peer(own)])
            .code(),
        0
    );
    assert_eq!(a.send(&mut place, at_b, b"hello"), None);
}

#[test]
fn who_may_send_is_asked_again_after_five_minutes_and_an_address_goes_with_its_allocation() {
    let mut place = Place::new(Limits::default());
    let (a, at_a) = place.allocated("192.0.2.1:1000", 1);
    let (b, at_b) = place.allocated("192.0.2.2:1000", 2);
    let permit = |place: &mut Place| {
        assert_eq!(
            a.ask(place, method::CREATE_PERMISSION, &[Part::Peer(at_b)])
                .code(),
            0
        );
        assert_eq!(
            b.ask(place, method::CREATE_PERMISSION, &[Part::Peer(at_a)])
                .code(),
            0
        );
    };
    permit(&mut place);
    place.pass(299_999);
    assert!(a.send(&mut place, at_b, b"still").is_some());
    place.pass(1);
    assert_eq!(a.send(&mut place, at_b, b"over"), None);
    permit(&mut place);
    assert!(a.send(&mut place, at_b, b"again").is_some());

    let gone = b.ask(
        &mut place,
        method::REFRESH,
        &[Part::Number(attribute::LIFETIME, 0)],
    );
    assert_eq!(gone.message().number(attribute::LIFETIME), Some(0));
    assert_eq!(a.send(&mut place, at_b, b"gone"), None);
    assert_eq!(
        a.ask(&mut place, method::CREATE_PERMISSION, &[Part::Peer(at_b)])
            .code(),
        403
    );
    place.turn.disconnected(a.client);
    assert_eq!(place.turn.counts().allocations, 0);
}
