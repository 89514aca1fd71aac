//! How much anybody can have.

use super::*;

fn ask(place: &mut Place, address: &str, tag: u8) -> u16 {
    let peer = place.peer(address, tag);
    peer.ask(place, method::ALLOCATE, &[UDP]).code()
}

#[test]
fn allocations_are_bounded_by_user_by_network_and_in_all() {
    let mut place = Place::new(Limits {
        allocations: 5,
        per_user: 2,
        per_address: 3,
        ..Limits::default()
    });
    assert_eq!(ask(&mut place, "192.0.2.1:1", 1), 0);
    assert_eq!(ask(&mut place, "192.0.2.2:1", 1), 0);
    assert_eq!(ask(&mut place, "192.0.2.3:1", 1), 486);
    // One network of IPv6 counts as one address.
    assert_eq!(ask(&mut place, "[2001:db8::1]:1", 2), 0);
    assert_eq!(ask(&mut place, "[2001:db8::2]:1", 2), 0);
    assert_eq!(ask(&mut place, "[2001:db8::3]:1", 3), 0);
    assert_eq!(ask(&mut place, "[2001:db8::4]:1", 4), 486);
    assert_eq!(ask(&mut place, "[2001:db8:0:1::4]:1", 4), 508);
    assert_eq!(place.turn.counts().allocations, 5);

    // All of it is free again once nobody refreshes.
    place.pass(600_000);
    assert_eq!(ask(&mut place, "192.0.2.1:1", 1), 0);
    assert_eq!(place.turn.counts().allocations, 1);
    assert_eq!(
        (place.turn.per_user.len(), place.turn.per_network.len()),
        (1, 1)
    );
    let turn = &place.turn;
    assert_eq!(
        (turn.relayed.len(), turn.due.len(), turn.quiet.len()),
        (1, 1, 1)
    );
}

#[test]
fn one_allocation_lets_in_so_many_and_sends_so_fast() {
    let mut place = Place::new(Limits {
        permissions: 2,
        bytes: Rate {
            per_second: 1000,
            burst: 2000,
        },
        ..Limits::default()
    });
    let (a, at_a) = place.allocated("192.0.2.1:1", 1);
    let others: Vec<_> = (2..5)
        .map(|n| place.allocated(&format!("192.0.2.{n}:1"), n))
        .collect();
    let permit = |place: &mut Place, to: SocketAddr| {
        a.ask(place, method::CREATE_PERMISSION, &[Part::Peer(to)])
            .code()
    };
    assert_eq!(permit(&mut place, others[0].1), 0);
    assert_eq!(permit(&mut place, others[1].1), 0);
    assert_eq!(permit(&mut place, others[2].1), 508);
    assert_eq!(permit(&mut place, others[0].1), 0);
    let bind = [channel(0x4000), Part::Peer(others[2].1)];
    assert_eq!(a.ask(&mut place, method::CHANNEL_BIND, &bind).code(), 508);

    let (b, at_b) = &others[0];
    assert_eq!(
        b.ask(&mut place, method::CREATE_PERMISSION, &[Part::Peer(at_a)])
            .code(),
        0
    );
    let sent = |place: &mut Place| {
        let sent = std::iter::repeat_with(|| a.send(place, *at_b, &[7; 500]));
        sent.take_while(Option::is_some).count()
    };
    assert_eq!(sent(&mut place), 4);
    place.pass(999);
    assert_eq!(sent(&mut place), 1);
    place.pass(60_000);
    assert_eq!(sent(&mut place), 4);
}

#[test]
fn strangers_are_answered_so_often_and_users_meanwhile_too() {
    let mut place = Place::new(Limits {
        strangers: Rate {
            per_second: 1,
            burst: 10,
        },
        ..Limits::default()
    });
    let (user, _) = place.allocated("192.0.2.1:1", 1);
    let stranger = Client {
        address: "192.0.2.1:2".parse().unwrap(),
        wrote_to: None,
        stream: None,
    };
    let binding = unsigned(Class::Request, method::BINDING, &[]);
    let refresh = unsigned(Class::Request, method::REFRESH, &[]);
    let answered = (0..100)
        .filter(|n| {
            let asked = if n % 2 == 0 { &binding } else { &refresh };
            place.packet(stranger, asked).is_some()
        })
        .count();
    // The user's own first request was a stranger's too.
    assert_eq!(answered, 9);
    assert_eq!(user.ask(&mut place, method::REFRESH, &[]).code(), 0);
    let elsewhere = Client {
        address: "192.0.2.2:2".parse().unwrap(),
        wrote_to: None,
        stream: None,
    };
    assert!(place.packet(elsewhere, &binding).is_some());
    place.pass(1000);
    assert!(place.packet(stranger, &binding).is_some());
    assert!(place.packet(stranger, &binding).is_none());
}

/// What a forged source address can be sent is about what was sent from it.
#[test]
fn an_answer_to_a_stranger_is_not_much_longer_than_its_question() {
    let mut place = Place::new(Limits::default());
    let client = Client {
        address: "[2001:db8::1]:2".parse().unwrap(),
        wrote_to: None,
        stream: None,
    };
    for (kind, parts, most) in [
        (method::BINDING, vec![], 44),
        (method::ALLOCATE, vec![UDP], 104),
    ] {
        let asked = unsigned(Class::Request, kind, &parts);
        let answer = place.request(client, &asked);
        assert!(
            answer.bytes.len() <= most,
            "{} for {}",
            answer.bytes.len(),
            asked.len()
        );
    }
}

/// Browsers allocate for every link, and most links then go another way.
#[test]
fn what_nothing_goes_through_makes_room_for_others() {
    let mut place = Place::new(Limits {
        allocations: 3,
        ..Limits::default()
    });
    let (a, at_a) = place.allocated("192.0.2.1:1", 1);
    let (b, at_b) = place.allocated("192.0.2.2:1", 2);
    let (spare, _) = place.allocated("192.0.2.3:1", 3);
    a.ask(&mut place, method::CREATE_PERMISSION, &[Part::Peer(at_b)]);
    b.ask(&mut place, method::CREATE_PERMISSION, &[Part::Peer(at_a)]);
    for _ in 0..11 {
        assert_eq!(ask(&mut place, "192.0.2.4:1", 4), 508);
        place.pass(5_000);
        assert!(a.send(&mut place, at_b, b"still here").is_some());
    }
    place.pass(5_000);
    assert_eq!(ask(&mut place, "192.0.2.4:1", 4), 0);
    assert_eq!(spare.ask(&mut place, method::REFRESH, &[]).code(), 437);
    assert_eq!(ask(&mut place, "192.0.2.5:1", 5), 508);
    assert!(a.send(&mut place, at_b, b"still here").is_some());
    assert!(b.send(&mut place, at_a, b"here too").is_some());
}
