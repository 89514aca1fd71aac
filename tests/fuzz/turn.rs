//! STUN and TURN: any packets from two clients that have no credentials.

use peer_group::time::Now;
use peer_group_signaling::turn::{Client, Counts, Limits, PACKET_BYTES, Secret, Turn};

/// A question to the server, one for an allocation with all that should go with it, and others.
const PACKETS: [&[u8]; 5] = [
    b"\x00\x01\x00\x00\x21\x12\xa4\x42transactions",
    b"\x00\x03\x00\x44\x21\x12\xa4\x42transactions\x00\x19\x00\x04\x11\x00\x00\x00\
      \x00\x06\x00\x03a:1\x00\x00\x14\x00\x0apeer-group\x00\x00\x00\x15\x00\x04\x30\x30\x30\x30\
      \x00\x08\x00\x1401234567890123456789",
    b"\x00\x08\x00\x0c\x21\x12\xa4\x42transactions\x00\x12\x00\x08\x00\x01\x11\x12\xd1\x12\xa4\x43",
    b"\x00\x16\x00\x14\x21\x12\xa4\x42transactions\x00\x12\x00\x08\x00\x01\x11\x12\xd1\x12\xa4\x43\
      \x00\x13\x00\x04data",
    b"\x40\x00\x00\x04data",
];

/// Each packet goes behind its length; the first bit of that says from whom.
pub(crate) fn run(mut script: &[u8]) -> bool {
    let mut turn = Turn::new(Limits::default(), Secret::new("north"), [1; 32]);
    let clients = [("[::1]:5", None), ("192.0.2.1:5", Some(1))].map(|(address, stream)| Client {
        address: address.parse().unwrap_or(([0, 0, 0, 0], 0).into()),
        wrote_to: None,
        stream,
    });
    let now = Now {
        monotonic: 5,
        wall: 1_790_000_000_000,
    };
    let mut out = Vec::new();
    let mut answered = false;
    while let Some((head, rest)) = script.split_first_chunk::<2>() {
        let head = u16::from_be_bytes(*head);
        let len = usize::from(head & 0x7fff).min(rest.len());
        let (packet, rest) = rest.split_at(len);
        let from = clients[usize::from(head >> 15)];
        if let Some(to) = turn.received(now, from, packet, &mut out) {
            answered = true;
            assert!(to == from, "something was relayed without credentials");
            assert!(out.len() <= PACKET_BYTES, "a long answer");
        }
        script = rest;
    }
    let counts = turn.counts();
    assert!(
        counts == Counts::default(),
        "done without credentials: {counts:?}"
    );
    answered
}

/// Scripts to begin with.
pub(crate) fn scripts() -> Vec<Vec<u8>> {
    let framed = |from: u16, packet: &[u8]| {
        let len = u16::try_from(packet.len()).unwrap_or(0) | from << 15;
        [&len.to_be_bytes()[..], packet].concat()
    };
    let each = PACKETS.iter().map(|packet| framed(0, packet));
    let all = PACKETS
        .iter()
        .flat_map(|packet| framed(1, packet))
        .collect();
    each.chain([all]).collect()
}
