//! Anything at any time: no packet breaks a bound or what is counted, and none goes astray.

use peer_group::random::Random;

use super::*;
use crate::turn::PACKET_BYTES;

const STEPS: usize = 30_000;

fn limits() -> Limits {
    Limits {
        allocations: 6,
        per_user: 3,
        per_address: 4,
        permissions: 3,
        bytes: Rate {
            per_second: 5_000,
            burst: 10_000,
        },
        ..Limits::default()
    }
}

fn pick<T: Copy>(random: &mut Random, from: &[T]) -> Option<T> {
    let at = random.below(from.len() as u64);
    from.get(usize::try_from(at).unwrap()).copied()
}

/// A packet as one of the peers would send it.
fn packet(random: &mut Random, peer: &Peer, relayed: &[SocketAddr]) -> Vec<u8> {
    let elsewhere = "10.0.0.1:1".parse().unwrap();
    let to = pick(random, relayed).unwrap_or(elsewhere);
    let number = 0x4000 + random.below(4) as u16;
    let transaction = random.bytes();
    match random.below(10) {
        0 | 1 => peer.signed(method::ALLOCATE, transaction, &[UDP]),
        2 => {
            let lifetime = Part::Number(attribute::LIFETIME, 600 * random.below(2) as u32);
            peer.signed(method::REFRESH, transaction, &[lifetime])
        }
        3 | 4 => peer.signed(method::CREATE_PERMISSION, transaction, &[Part::Peer(to)]),
        5 | 6 => peer.signed(
            method::CHANNEL_BIND,
            transaction,
            &[channel(number), Part::Peer(to)],
        ),
        7 => unsigned(Class::Request, method::BINDING, &[]),
        8 => unsigned(
            Class::Indication,
            method::SEND,
            &[Part::Peer(to), Part::Data(b"data")],
        ),
        _ => [&number.to_be_bytes()[..], &[0, 4], b"data"].concat(),
    }
}

/// The same with some of it changed.
fn spoil(random: &mut Random, mut packet: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.below(4) {
        let at = random.below(packet.len() as u64 + 1) as usize;
        match random.below(4) {
            0 => packet.truncate(at),
            1 => packet.extend(random.bytes::<8>()),
            2 => packet.insert(at, random.bytes::<1>()[0]),
            _ => packet
                .get_mut(at)
                .into_iter()
                .for_each(|byte| *byte ^= 1 << random.below(8)),
        }
    }
    packet
}

fn check(place: &Place) {
    let turn = &place.turn;
    let count = turn.allocations.len();
    assert!(count <= turn.limits.allocations);
    assert_eq!(
        (turn.relayed.len(), turn.due.len(), turn.quiet.len()),
        (count, count, count)
    );
    assert_eq!(turn.per_user.values().sum::<usize>(), count);
    assert_eq!(turn.per_network.values().sum::<usize>(), count);
    assert!(
        turn.per_user
            .values()
            .all(|held| (1..=turn.limits.per_user).contains(held))
    );
    assert!(
        turn.per_network
            .values()
            .all(|held| (1..=turn.limits.per_address).contains(held))
    );
    for (client, own) in &turn.allocations {
        assert_eq!(turn.relayed.get(own.relayed.ip()), Some(client));
        assert!(
            own.until > place.now.monotonic,
            "an allocation that has ended"
        );
    }
}

#[test]
fn no_packet_breaks_a_bound_and_none_goes_to_who_does_not_let_it_in() {
    let mut random = Random::new([3; 32]);
    let mut place = Place::new(limits());
    let mut peers: Vec<Peer> = (0..8u8)
        .map(|n| {
            let client = Client {
                address: format!("192.0.2.{}:{}", n / 3, 1000 + u16::from(n))
                    .parse()
                    .unwrap(),
                wrote_to: None,
                stream: (n % 2 == 1).then_some(u64::from(n)),
            };
            place.peer_at(client, n / 2)
        })
        .collect();
    let (mut relayed_packets, mut most) = (0, 0);
    for step in 0..STEPS {
        let turn = &place.turn;
        let relayed: Vec<SocketAddr> = turn
            .allocations
            .values()
            .map(|own| own.relayed.into())
            .collect();
        let peer = peers[random.below(8) as usize].clone();
        let mut sent = packet(&mut random, &peer, &relayed);
        if random.below(3) == 0 {
            sent = spoil(&mut random, sent);
        }
        let from = peer.client;
        let was = place.turn.counts().packets;
        if let Some((to, out)) = place.packet(from, &sent) {
            assert!(out.len() <= PACKET_BYTES + 64, "{} bytes", out.len());
            if place.turn.counts().packets > was {
                relayed_packets += 1;
                let now = place.now.monotonic;
                let ends = [from, to].map(|end| place.turn.allocations.get(&end).unwrap());
                assert!(ends[1].lets_in(now, *ends[0].relayed.ip()));
                assert!(ends[0].lets_in(now, *ends[1].relayed.ip()));
            } else {
                assert_eq!(to, from, "an answer to who did not ask");
            }
        }
        check(&place);
        most = most.max(place.turn.counts().allocations);
        place.pass(random.below(200));
        if random.below(500) == 0 {
            place.pass(random.below(700_000));
            place.turn.tick(place.now);
            check(&place);
        }
        if step % 1000 == 0 {
            // New credentials and nonces, as clients get them.
            peers = peers
                .iter()
                .enumerate()
                .map(|(n, peer)| place.peer_at(peer.client, n as u8 / 2))
                .collect();
        }
        if random.below(200) == 0 {
            place.turn.disconnected(from);
        }
    }
    assert_eq!(most, limits().allocations);
    assert!(relayed_packets > 100, "only {relayed_packets} were relayed");
}
