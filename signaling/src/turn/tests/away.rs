//! Allocations of two machines of a cluster.

use super::relaying::{ELSEWHERE, heard_in_message};
use super::*;
use crate::turn::{Packet, part};

/// Two machines, of which the second has that part of addresses.
fn machines(second: u8) -> [Place; 2] {
    [(1, 7), (second, 8)].map(|(n, seed)| {
        let mut place = Place::new(Limits::default());
        place.turn = Turn::new(Limits::default(), Secret::new(NORTH), [seed; 32]).among([n; 16]);
        place
    })
}

/// What the other machine is to be sent.
fn away(place: &mut Place, peer: &Peer, to: SocketAddr, data: &'static [u8]) -> Option<Packet> {
    assert_eq!(peer.send(place, to, data), None, "sent from here");
    place.turn.poll_away()
}

fn came(place: &mut Place, packet: &Packet) -> Option<(Client, Vec<u8>)> {
    let mut out = Vec::new();
    let to = place.turn.came(place.now, packet, &mut out)?;
    Some((to, out))
}

fn permit(place: &mut Place, peer: &Peer, other: SocketAddr) -> u16 {
    let parts = [Part::Peer(other)];
    peer.ask(place, method::CREATE_PERMISSION, &parts).code()
}

#[test]
fn packets_go_from_machine_to_machine_if_both_ends_let_each_other_in() {
    // The same part of addresses costs a way for nothing, no more.
    for second in [2, 1] {
        let [mut near, mut far] = machines(second);
        let (a, at_a) = near.allocated("192.0.2.1:1000", 1);
        let (b, at_b) = far.allocated("198.51.100.2:2000", 2);
        assert_ne!(at_a, at_b);
        assert_eq!(away(&mut near, &a, at_b, b"too early"), None);
        assert_eq!(permit(&mut near, &a, at_b), 0);
        let packet = away(&mut near, &a, at_b, b"not let in").expect("a packet");
        assert_eq!(packet.part(), part([second; 16]));
        assert_eq!(came(&mut far, &packet), None);
        assert_eq!(permit(&mut far, &b, at_a), 0);
        let packet = away(&mut near, &a, at_b, b"hello").expect("a packet");
        let (to, bytes) = came(&mut far, &packet).expect("it is let in");
        assert_eq!(
            (to, heard_in_message(&bytes)),
            (b.client, (at_a, b"hello".as_slice()))
        );
        // By channel, back and into one.
        let bind = |number, to| [channel(number), Part::Peer(to)];
        for (place, peer, parts) in [
            (&mut near, &a, bind(0x4001, at_b)),
            (&mut far, &b, bind(0x4002, at_a)),
        ] {
            let answer = peer.ask(place, method::CHANNEL_BIND, &parts);
            assert_eq!(answer.code(), 0);
        }
        assert_eq!(far.packet(b.client, b"\x40\x02\0\x02hi"), None);
        let packet = far.turn.poll_away().expect("a packet");
        let (to, bytes) = came(&mut near, &packet).expect("it is let in");
        assert_eq!((to, &bytes[..]), (a.client, &b"\x40\x01\0\x02hi"[..]));
        assert_eq!(far.turn.poll_away(), None);
        // Counted where they came from: with the one that was not let in.
        let sent = [&near, &far].map(|place| place.turn.counts().packets);
        assert_eq!(sent, [2, 1]);
    }
}

#[test]
fn nothing_but_names_of_allocations_is_let_in_or_sent_anywhere() {
    let [mut near, _] = machines(2);
    let (a, _) = near.allocated("192.0.2.1:1000", 1);
    let out = ELSEWHERE.map(|target| target.parse::<SocketAddr>().unwrap());
    for target in out.into_iter().filter(|target| match target {
        SocketAddr::V4(target) => target.ip().octets()[0] != 240,
        SocketAddr::V6(_) => true,
    }) {
        let refused = if target.is_ipv4() { 403 } else { 443 };
        assert_eq!(permit(&mut near, &a, target), refused, "{target}");
        assert_eq!(away(&mut near, &a, target, b"out"), None);
    }
    // Right above and below all names.
    for target in ["239.255.255.255:1", "248.0.0.0:1"] {
        assert_eq!(permit(&mut near, &a, target.parse().unwrap()), 403);
    }
}

#[test]
fn what_another_machine_makes_up_reaches_only_who_let_it_in() {
    let [mut near, mut far] = machines(2);
    let (a, at_a) = near.allocated("192.0.2.1:1000", 1);
    let (b, at_b) = far.allocated("198.51.100.2:2000", 2);
    let (_, at_c) = far.allocated("198.51.100.3:2000", 3);
    assert_eq!(permit(&mut near, &a, at_b), 0);
    assert_eq!(permit(&mut far, &b, at_a), 0);
    let right = away(&mut near, &a, at_b, b"hello").expect("a packet");
    assert!(came(&mut far, &right).is_some());
    // As from another, to another, and to another port of the same name.
    let mut other_port = at_b;
    other_port.set_port(at_b.port() ^ 1);
    for (from, to) in [(at_c, at_b), (at_a, at_c), (at_a, other_port)] {
        let forged = right.between(from, to);
        assert_eq!(came(&mut far, &forged), None, "{from} to {to}");
    }
    // An address goes with its allocation.
    far.turn.disconnected(b.client);
    assert_eq!(came(&mut far, &right), None);
}

#[test]
fn addresses_run_out_within_a_bound_and_not_before() {
    let mut place = Place::new(Limits {
        allocations: 20_000,
        per_user: 20_000,
        per_address: 20_000,
        ..Limits::default()
    });
    place.turn.part = Some(5);
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..16_384u32 {
        let [a, b, c, d] = n.to_be_bytes();
        let (_, relayed) = place.allocated(&format!("10.{b}.{c}.{d}:{}", 1 + u16::from(a)), 1);
        let SocketAddr::V4(relayed) = relayed else {
            panic!("not IPv4")
        };
        assert_eq!(relayed.ip().octets()[..2], [0xF0, 5]);
        assert!(seen.insert(*relayed.ip()), "given twice");
    }
}
