//! Signatures whose verdicts are known from how they were made: honest ones, spoilt ones, and those on
//! which implementations of Ed25519 differ.

use crate::Case;
use crate::reference::{Curve, Point, bytes};
use num_bigint::BigUint;
use peer_group::crypto::{Primitives as _, REAL};

const MESSAGE: &[u8] = b"three may keep a secret";

/// Everything below.
pub(crate) fn all(curve: &Curve) -> Vec<Case> {
    let torsion = torsion(curve);
    [
        honest_and_spoilt(curve),
        small_order(curve, &torsion),
        mixed_order(curve, &torsion),
    ]
    .concat()
}

fn case(name: String, key: [u8; 32], r: [u8; 32], s: &BigUint, good: bool) -> Case {
    let signature: Vec<u8> = [r, bytes(s)].concat();
    Case {
        name,
        key,
        message: MESSAGE.to_vec(),
        signature: signature.try_into().expect("64 bytes"),
        good,
    }
}

fn honest_and_spoilt(curve: &Curve) -> Vec<Case> {
    let mut all = Vec::new();
    for seed in 1..=8u8 {
        let key = REAL.public_key(&[seed; 32]);
        let signature = REAL.sign(&[seed; 32], MESSAGE);
        let (r, s) = signature.split_at(32);
        let r: [u8; 32] = r.try_into().expect("32 bytes");
        let s = BigUint::from_bytes_le(s);
        let one = BigUint::from(1u32);
        let nowhere = nowhere(curve);
        let mut other = r;
        other[0] ^= 1;
        all.extend([
            case(format!("honest {seed}"), key, r, &s, true),
            case(format!("s + 1, {seed}"), key, r, &(&s + one), false),
            case(
                format!("s + order, {seed}"),
                key,
                r,
                &(&s + &curve.order),
                false,
            ),
            case(format!("another R, {seed}"), key, other, &s, false),
            case(
                format!("another key, {seed}"),
                REAL.public_key(&[9; 32]),
                r,
                &s,
                false,
            ),
            case(format!("R on no point, {seed}"), key, nowhere, &s, false),
            case(format!("key on no point, {seed}"), nowhere, r, &s, false),
        ]);
    }
    all
}

/// Bytes that name no point.
fn nowhere(curve: &Curve) -> [u8; 32] {
    let found = (2..=255u8).map(|y| bytes(&BigUint::from(y)));
    found
        .into_iter()
        .find(|bytes| curve.read(bytes).is_none())
        .expect("half of all y are on no point")
}

/// The eight points that eight times are nothing, each a multiple of the one before.
fn torsion(curve: &Curve) -> Vec<Point> {
    let eighth = (2..=255u8)
        .filter_map(|y| curve.read(&bytes(&BigUint::from(y))))
        .map(|point| curve.times(&curve.order, &point))
        .find(|point| !curve.is_identity(&curve.times(&BigUint::from(4u32), point)))
        .expect("half of all points have such a part");
    let multiple = |count: u32| curve.times(&BigUint::from(count), &eighth);
    (0..8).map(multiple).collect()
}

/// Points of small order in all their spellings, with s = 0: the cofactor makes every pair valid.
fn small_order(curve: &Curve, torsion: &[Point]) -> Vec<Case> {
    let spellings: Vec<[u8; 32]> = torsion
        .iter()
        .flat_map(|point| curve.spellings(point))
        .collect();
    assert_eq!(
        spellings.len(),
        14,
        "8 points, 6 of them in a second spelling"
    );
    let zero = BigUint::default();
    let mut all = Vec::new();
    for (a, key) in spellings.iter().enumerate() {
        for (b, r) in spellings.iter().enumerate() {
            all.push(case(format!("small order {a}, {b}"), *key, *r, &zero, true));
        }
        let one = BigUint::from(1u32);
        all.push(case(
            format!("small order {a}, s = 1"),
            *key,
            spellings[0],
            &one,
            false,
        ));
    }
    all
}

/// A key and an R with a part of small order each: valid by the cofactor, whatever the parts.
fn mixed_order(curve: &Curve, torsion: &[Point]) -> Vec<Case> {
    let secret = BigUint::from_bytes_le(&[0x51; 31]);
    let once = BigUint::from_bytes_le(&[0x2e; 31]);
    let make = |number: &BigUint, part: &Point| {
        let pure = curve.times(number, curve.generator());
        curve.spellings(&curve.sum(&pure, part))[0]
    };
    let mut all = Vec::new();
    for (a, key_part) in torsion.iter().enumerate() {
        let key = make(&secret, key_part);
        for (b, r_part) in torsion.iter().enumerate() {
            let r = make(&once, r_part);
            let k = curve.challenge(&r, &key, MESSAGE);
            let s = (&once + k * &secret) % &curve.order;
            all.push(case(format!("mixed order {a}, {b}"), key, r, &s, true));
            let off = (s + BigUint::from(8u32)) % &curve.order;
            all.push(case(
                format!("mixed order {a}, {b}, s + 8"),
                key,
                r,
                &off,
                false,
            ));
        }
    }
    all
}
