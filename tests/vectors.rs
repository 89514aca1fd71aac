//! Cryptography as others have it: signatures, and what passwords go through.
//!
//! Signatures get the verdict that ZIP 215 has for them, alone and in every batch, by three judges:
//! verdicts known from how a signature was made, a reference that shares nothing with
//! the engine's crates, and published vectors (Wycheproof, CCTV) where the environment variable
//! PEER_GROUP_VECTORS names a folder with them.
#![allow(clippy::expect_used, reason = "a test stops where something is wrong")]

#[path = "vectors/cases.rs"]
mod cases;
#[path = "vectors/password.rs"]
mod password;
#[path = "vectors/reference.rs"]
mod reference;

use peer_group::crypto::{Crypto, REAL, Signed, verify_all};
use peer_group::limits::RECORDS_PER_FRAME;
use peer_group::random::Random;
use reference::Curve;
use serde_json::Value;
use std::io::Write as _;
use std::path::PathBuf;

const CRYPTO: Crypto = &REAL;

/// The point of x = 0 and y = 1 with a sign, which zero does not have: RFC 8032 refuses it, and so does
/// Wycheproof; ZIP 215 takes every spelling of a point.
const MINUS_ZERO: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes[31] = 0x80;
    bytes
};

/// A signature and the verdict it must get.
#[derive(Clone)]
struct Case {
    name: String,
    key: [u8; 32],
    message: Vec<u8>,
    signature: [u8; 64],
    good: bool,
}

impl Case {
    fn signed(&self) -> Signed<'_> {
        Signed {
            key: &self.key,
            message: &self.message,
            signature: &self.signature,
        }
    }
}

/// Six signatures that nobody doubts, by two authors.
fn undoubted() -> Vec<Case> {
    let made = |number: u8| {
        let seed = [number % 2; 32];
        let message = vec![number; 20];
        Case {
            name: format!("undoubted {number}"),
            key: CRYPTO.public_key(&seed),
            signature: CRYPTO.sign(&seed, &message),
            message,
            good: true,
        }
    };
    (0..6).map(made).collect()
}

/// Every case alone, alone in a batch, among good ones, and all in batches.
fn check(cases: &[Case]) {
    let mut random = Random::new([5; 32]);
    let good = undoubted();
    let (before, behind) = good.split_at(3);
    for case in cases {
        let (name, one) = (&case.name, case.signed());
        let single = CRYPTO.verify(&case.key, &case.message, &case.signature);
        assert_eq!(single, case.good, "{name}, singly");
        let alone = CRYPTO.verify_batch(&[one], random.bytes());
        assert_eq!(alone, case.good, "{name}, alone in a batch");
        let twice = CRYPTO.verify_batch(&[one, one], random.bytes());
        assert_eq!(twice, case.good, "{name}, twice in a batch");
        let among: Vec<Signed<'_>> = before
            .iter()
            .chain([case])
            .chain(behind)
            .map(Case::signed)
            .collect();
        let among = CRYPTO.verify_batch(&among, random.bytes());
        assert_eq!(among, case.good, "{name}, among good ones");
    }
    let valid: Vec<Signed<'_>> = cases.iter().filter(|c| c.good).map(Case::signed).collect();
    for batch in valid.chunks(RECORDS_PER_FRAME) {
        assert!(CRYPTO.verify_batch(batch, random.bytes()));
    }
    let mixed: Vec<Signed<'_>> = cases.iter().map(Case::signed).collect();
    let verdicts: Vec<bool> = cases.iter().map(|case| case.good).collect();
    assert_eq!(verify_all(CRYPTO, &mixed, &mut random), verdicts);
}

/// The cases whose verdict is not what the reference finds.
fn disputed(curve: &Curve, cases: &[Case]) -> Vec<String> {
    let differs =
        |case: &&Case| curve.verify(&case.key, &case.message, &case.signature) != case.good;
    let names = cases.iter().filter(differs).map(|case| case.name.clone());
    names.collect()
}

#[test]
fn verdicts_known_from_how_a_signature_was_made() {
    let curve = Curve::new();
    let cases = cases::all(&curve);
    assert_eq!(disputed(&curve, &cases), [""; 0]);
    check(&cases);
}

/// If all had the same weight, what one is too much and the other too little would cancel out.
#[test]
fn faults_of_a_batch_do_not_cancel_out() {
    let seed = [3; 32];
    let key = CRYPTO.public_key(&seed);
    let messages = [b"one", b"two"];
    let mut signatures = messages.map(|message| CRYPTO.sign(&seed, message));
    let order = Curve::new().order;
    let moved = |signature: &[u8; 64], by: num_bigint::BigUint| {
        let s = (num_bigint::BigUint::from_bytes_le(&signature[32..]) + by) % &order;
        let mut out = *signature;
        out[32..].copy_from_slice(&reference::bytes(&s));
        out
    };
    let one = num_bigint::BigUint::from(1u32);
    signatures[0] = moved(&signatures[0], one.clone());
    signatures[1] = moved(&signatures[1], &order - one);
    let items: Vec<Signed<'_>> = messages
        .iter()
        .zip(&signatures)
        .map(|(message, signature)| Signed {
            key: &key,
            message: *message,
            signature,
        })
        .collect();
    let mut random = Random::new([6; 32]);
    for _ in 0..20 {
        assert!(!CRYPTO.verify_batch(&items, random.bytes()));
    }
    assert_eq!(verify_all(CRYPTO, &items, &mut random), [false, false]);
}

/// Says something past the test runner, which hides what a good test prints.
fn said(words: &str) {
    let line = format!("vectors: {words}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("somebody listens");
}

/// A published file, if the folder is there.
fn published(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("PEER_GROUP_VECTORS") else {
        said(&format!(
            "{name} was not there (PEER_GROUP_VECTORS is not set)"
        ));
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().expect("text").as_bytes();
    let pair = |pair: &[u8]| {
        std::str::from_utf8(pair)
            .ok()
            .map(|p| u8::from_str_radix(p, 16))
    };
    digits
        .chunks(2)
        .map(|digits| pair(digits).expect("ascii").expect("hexadecimal"))
        .collect()
}

#[test]
fn wycheproof() {
    let Some(file) = published("ed25519-wycheproof.json") else {
        return;
    };
    let mut cases = Vec::new();
    let (mut unreadable, mut differing) = (0, 0);
    for group in file["testGroups"].as_array().expect("groups") {
        let key = hex(&group["publicKey"]["pk"]).try_into().expect("32 bytes");
        for test in group["tests"].as_array().expect("tests") {
            let valid = test["result"] == "valid";
            // A signature of another length cannot even be asked about.
            let Ok::<[u8; 64], _>(signature) = hex(&test["sig"]).try_into() else {
                assert!(!valid, "{test}");
                unreadable += 1;
                continue;
            };
            let good = valid || signature.starts_with(&MINUS_ZERO);
            differing += usize::from(good != valid);
            cases.push(Case {
                name: format!("Wycheproof {}", test["tcId"]),
                key,
                message: hex(&test["msg"]),
                signature,
                good,
            });
        }
    }
    let total = file["numberOfTests"].as_u64().expect("a count") as usize;
    assert_eq!(cases.len() + unreadable, total);
    assert_eq!(disputed(&Curve::new(), &cases), [""; 0]);
    check(&cases);
    said(&format!(
        "{total} of Wycheproof, {unreadable} of them no 64 bytes, {differing} where ZIP 215 differs"
    ));
}

#[test]
fn cctv() {
    let Some(file) = published("ed25519-cctv.json") else {
        return;
    };
    let cases: Vec<Case> = file
        .as_array()
        .expect("vectors")
        .iter()
        .map(|vector| {
            let flags = vector["flags"].as_array();
            let has = |name| flags.is_some_and(|flags| flags.iter().any(|flag| flag == name));
            // Made for who hashes other bytes than were sent; where the key is of small order, the
            // hash does not matter.
            let good = !has("reencoded_k") || has("low_order_A");
            Case {
                name: format!("CCTV {}", vector["number"]),
                key: hex(&vector["key"]).try_into().expect("32 bytes"),
                message: vector["msg"].as_str().expect("text").as_bytes().to_vec(),
                signature: hex(&vector["sig"]).try_into().expect("64 bytes"),
                good,
            }
        })
        .collect();
    assert_eq!(disputed(&Curve::new(), &cases), [""; 0]);
    check(&cases);
    let good = cases.iter().filter(|case| case.good).count();
    said(&format!(
        "{} of CCTV, {good} of them valid by ZIP 215",
        cases.len()
    ));
}
