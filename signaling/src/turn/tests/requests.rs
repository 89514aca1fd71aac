//! Who is answered, and with what.

use super::*;

#[test]
fn who_asks_where_it_is_seen_from_is_told() {
    let mut place = Place::new(Limits::default());
    for (seen, told) in [
        ("192.0.2.1:1000", "192.0.2.1:1000"),
        ("[2001:db8::1]:1000", "[2001:db8::1]:1000"),
        ("[::ffff:192.0.2.1]:1000", "192.0.2.1:1000"),
    ] {
        let client = Client {
            address: seen.parse().unwrap(),
            wrote_to: None,
            stream: None,
        };
        let answer = place.request(client, &unsigned(Class::Request, method::BINDING, &[]));
        assert_eq!(
            answer.address(attribute::XOR_MAPPED_ADDRESS),
            told.parse().unwrap()
        );
    }
}

#[test]
fn an_allocation_has_an_address_that_is_routed_nowhere() {
    let mut place = Place::new(Limits::default());
    let peer = place.peer("192.0.2.1:1000", 1);
    let asked = peer.signed(method::ALLOCATE, [1; 12], &[UDP]);
    let first = place.request(peer.client, &asked);
    let relayed = first.address(attribute::XOR_RELAYED_ADDRESS);
    let SocketAddr::V4(address) = relayed else {
        panic!("{relayed}")
    };
    assert!((240..248).contains(&address.ip().octets()[0]), "{relayed}");
    assert!(address.port() >= 49_152, "{relayed}");
    assert_eq!(first.message().number(attribute::LIFETIME), Some(600));
    assert_eq!(
        first.address(attribute::XOR_MAPPED_ADDRESS),
        peer.client.address
    );
    // The same request again, as its answer may have been lost; another one is one too many.
    let again = place.request(peer.client, &asked);
    assert_eq!(again.address(attribute::XOR_RELAYED_ADDRESS), relayed);
    assert_eq!(peer.ask(&mut place, method::ALLOCATE, &[UDP]).code(), 437);
    assert_eq!(place.turn.counts().allocations, 1);
}

#[test]
fn without_the_right_credentials_nothing_is_done() {
    let mut place = Place::new(Limits::default());
    let right = place.peer("192.0.2.1:1000", 1);
    let other = place.peer("192.0.2.1:1000", 2);
    let ask = |place: &mut Place, peer: &Peer| peer.ask(place, method::ALLOCATE, &[UDP]).code();
    let with = |edit: fn(&mut Peer)| {
        let mut peer = right.clone();
        edit(&mut peer);
        peer
    };
    let wrong = with(|peer| peer.password.push('x'));
    assert_eq!(ask(&mut place, &wrong), 401);
    let name = with(|peer| peer.user = "admin".into());
    assert_eq!(ask(&mut place, &name), 401);
    let mut swapped = right.clone();
    swapped.user.clone_from(&other.user);
    assert_eq!(ask(&mut place, &swapped), 401);
    let longer = with(|peer| peer.user = format!("9{}", peer.user));
    assert_eq!(ask(&mut place, &longer), 401);
    let stale = with(|peer| peer.nonce[20] ^= 1);
    assert_eq!(ask(&mut place, &stale), 438);
    let mut moved = right.clone();
    moved.client.address.set_port(1001);
    assert_eq!(ask(&mut place, &moved), 438);

    // Signed, but without a name.
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, Class::Request, method::ALLOCATE, [1; 12]);
    writer.sign(&Key::new(b"", "peer-group", ""));
    assert_eq!(place.request(right.client, &bytes).code(), 400);

    // Changed on the way.
    let mut changed = right.signed(method::ALLOCATE, [1; 12], &[UDP]);
    changed[27] ^= 1;
    assert_eq!(place.request(right.client, &changed).code(), 401);
    assert_eq!(place.turn.counts().allocations, 0);
    assert_eq!(ask(&mut place, &right), 0);
}

#[test]
fn credentials_let_in_for_ten_minutes_and_who_is_in_stays() {
    let mut place = Place::new(Limits::default());
    let early = place.peer("192.0.2.1:1000", 1);
    let late = place.peer("192.0.2.2:1000", 1);
    assert_eq!(early.ask(&mut place, method::ALLOCATE, &[UDP]).code(), 0);
    place.pass(599_000);
    assert_eq!(early.ask(&mut place, method::REFRESH, &[]).code(), 0);
    place.pass(2_000);
    assert_eq!(late.ask(&mut place, method::ALLOCATE, &[UDP]).code(), 401);
    for _ in 0..5 {
        assert_eq!(early.ask(&mut place, method::REFRESH, &[]).code(), 0);
        place.pass(599_000);
    }
    // Renewed credentials are the same user's.
    let mut renewed = place.peer("192.0.2.2:1000", 1);
    assert_eq!(renewed.id(), early.id());
    renewed.client = early.client;
    renewed.hear_nonce(&mut place);
    assert_eq!(renewed.ask(&mut place, method::REFRESH, &[]).code(), 0);
    place.pass(600_000);
    assert_eq!(place.turn.counts().allocations, 1);
    place.turn.tick(place.now);
    assert_eq!(place.turn.counts().allocations, 0);
    assert_eq!(early.ask(&mut place, method::REFRESH, &[]).code(), 438);
}

#[test]
fn an_allocation_is_its_users_only() {
    let mut place = Place::new(Limits::default());
    let (owner, own) = place.allocated("192.0.2.1:1000", 1);
    let thief = place.peer_at(owner.client, 2);
    for (kind, parts) in [
        (method::REFRESH, vec![Part::Number(attribute::LIFETIME, 0)]),
        (method::CREATE_PERMISSION, vec![Part::Peer(own)]),
        (method::CHANNEL_BIND, vec![channel(0x4000), Part::Peer(own)]),
    ] {
        assert_eq!(thief.ask(&mut place, kind, &parts).code(), 441);
    }
    assert_eq!(thief.ask(&mut place, method::ALLOCATE, &[UDP]).code(), 437);
    assert_eq!(owner.ask(&mut place, method::REFRESH, &[]).code(), 0);
    let elsewhere = place.peer("192.0.2.1:1001", 1);
    assert_eq!(elsewhere.ask(&mut place, method::REFRESH, &[]).code(), 437);
}

#[test]
fn what_is_not_offered_is_refused_by_its_number() {
    let mut place = Place::new(Limits::default());
    let peer = place.peer("192.0.2.1:1000", 1);
    let family = |number: u32| Part::Number(attribute::REQUESTED_ADDRESS_FAMILY, number << 24);
    let tcp = Part::Number(attribute::REQUESTED_TRANSPORT, 6 << 24);
    for (parts, code) in [
        (vec![], 400),
        (vec![tcp], 442),
        (vec![UDP, family(2)], 440),
        // EVEN-PORT and DONT-FRAGMENT are not understood, which the answer says by number.
        (
            vec![UDP, Part::Number(0x0018, 0), Part::Number(0x001A, 0)],
            420,
        ),
        (vec![UDP, family(1), Part::Number(0x8022, 0)], 0),
    ] {
        let answer = peer.ask(&mut place, method::ALLOCATE, &parts);
        assert_eq!(answer.code(), code);
        let unknown = answer.message().value(attribute::UNKNOWN_ATTRIBUTES);
        assert_eq!(
            unknown,
            (code == 420).then_some([0, 0x18, 0, 0x1A].as_slice())
        );
    }
    assert_eq!(
        peer.ask(&mut place, method::CREATE_PERMISSION, &[]).code(),
        400
    );
    assert_eq!(
        peer.ask(&mut place, method::CHANNEL_BIND, &[channel(0x4000)])
            .code(),
        400
    );
    assert_eq!(peer.ask(&mut place, 0x00A, &[]).code(), 400);
    // Answers are nobody's question.
    let (client, success) = (peer.client, unsigned(Class::Success, method::BINDING, &[]));
    assert_eq!(place.packet(client, &success), None);
    assert_eq!(place.packet(client, b""), None);
    assert_eq!(place.packet(client, &[0; 20]), None);
    assert_eq!(place.packet(client, &[0xff; 20]), None);
}
