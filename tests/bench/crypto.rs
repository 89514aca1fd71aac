//! `npm run bench -- crypto`: how many handshakes and signatures a second one core does.

use crate::stage::Stage;
use peer_group::crypto::noise::{self, Terms};
use peer_group::crypto::pake::{Answerer, Joiner, Party, Run};
use peer_group::crypto::stretch::Cost;
use peer_group::crypto::work::solve;
use peer_group::crypto::{Crypto, Primitives as _, REAL};
use peer_group::names::{GroupId, PeerId, SessionKey};
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

    stage.millis("a password stretched", || {
        black_box(REAL.stretch(black_box(b"three green teapots"), &[7; 16], Cost::OURS));
    });
    stage.per_second("password runs, both sides", 1, || password(&mut random));
    let mut from = 0;
    stage.per_second("tries at the work for a guess", 1024, || {
        from += 1024;
        black_box(solve(&REAL, black_box(&[7; 32]), 64, from, 1024));
    });
}

/// Shares, proofs and keys.
fn password(random: &mut Random) {
    let party = |byte| Party {
        peer: PeerId([byte; 32]),
        session: SessionKey([byte; 32]),
    };
    let run = Run {
        crypto: &REAL,
        group: &GroupId([1; 32]),
        password: &[2; 32],
        id: &[3; 64],
    };
    let (joiner, share) = Joiner::new(run, random, party(4));
    let (answerer, back) =
        Answerer::new(run, random, party(5), party(4), &share).expect("an element");
    let (proof, doubt) = joiner.prove(party(5), &back, &[6; 64]).expect("an element");
    let (proof, key) = answerer.check(&proof, &[6; 64]).expect("the same password");
    assert!(doubt.check(&proof) == Some(key));
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
