//! How many handshakes and signatures a second one core does: `npm run bench -- crypto`.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints its figures and stops when something is wrong"
)]

use peer_group::crypto::noise::{self, Terms};
use peer_group::crypto::{Crypto, Primitives as _, REAL};
use peer_group::random::Random;
use std::hint::black_box;
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(200);
const MEASURED: Duration = Duration::from_secs(1);

fn main() {
    let mut random = Random::new([7; 32]);
    let (a, b): ([u8; 32], [u8; 32]) = (random.bytes(), random.bytes());
    report("handshakes, both sides", || handshake(&mut random, &a, &b));

    let message = [5; 256];
    let signature = REAL.sign(&a, &message);
    let key = REAL.public_key(&a);
    report("signatures made", || {
        black_box(REAL.sign(&a, black_box(&message)));
    });
    report("signatures verified, one by one", || {
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

fn report(what: &str, mut work: impl FnMut()) {
    repeat(WARM_UP, &mut work);
    let (count, time) = repeat(MEASURED, &mut work);
    println!(
        "crypto: {what}: {:.0} per second",
        f64::from(count) / time.as_secs_f64()
    );
}

fn repeat(span: Duration, work: &mut impl FnMut()) -> (u32, Duration) {
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < span {
        work();
        count += 1;
    }
    (count, start.elapsed())
}
