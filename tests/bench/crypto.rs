//! `npm run bench -- crypto`: how many handshakes and signatures a second one core does.

use crate::stage::Stage;
use peer_group::crypto::noise::{self, Terms};
use peer_group::crypto::{Crypto, Primitives as _, REAL};
use peer_group::random::Random;
use std::hint::black_box;

pub(crate) fn run(stage: &mut Stage<'_>) {
    let mut random = Random::new([7; 32]);
    let (a, b): ([u8; 32], [u8; 32]) = (random.bytes(), random.bytes());
    stage.per_second("handshakes, both sides", 1, || {
        handshake(&mut random, &a, &b);
    });

    let message = [5; 256];
    let signature = REAL.sign(&a, &message);
    let key = REAL.public_key(&a);
    stage.per_second("signatures made", 1, || {
        black_box(REAL.sign(&a, black_box(&message)));
    });
    stage.per_second("signatures verified, one by one", 1, || {
        assert!(REAL.verify(&key, black_box(&message), &signature));
    });
}

/// Two messages, each with a payload as large as a session description with its candidates.
fn handshake(random: &mut Random, a: &[u8; 32], b: &[u8; 32]) {
    let crypto: Crypto = &REAL;
    let terms = Terms {
        prologue: b"benchmark",
        psk: &[3; 32],
    };
    let payload = [9; 1024];
    let remote = crypto.exchange_public(b);
    let (mut first, message) =
        noise::initiate(crypto, random, a, &remote, &terms, &payload).expect("message 1");
    let (_, second) = noise::respond(crypto, random, b, &terms, &message).expect("message 1 read");
    let (message, keys) = second.answer(&payload).expect("message 2");
    let (_, other) = first.finish(&message).expect("message 2 read");
    assert_eq!(keys.hash, other.hash);
}
