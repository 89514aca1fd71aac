//! What a password goes through: CPace as the draft's published vectors have it, Argon2id as the reference
//! implementation's tests have it.

use crate::{hex, published, said};
use peer_group::crypto::pake::{generator, lengthened, session_key};
use peer_group::crypto::stretch::Cost;
use peer_group::crypto::{Crypto, REAL};
use serde_json::Value;

const CRYPTO: Crypto = &REAL;

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().expect("the right length")
}

#[test]
fn cpace() {
    let Some(file) = published("cpace-draft.json") else {
        return;
    };
    // As the draft calls ristretto255 there.
    let run = &file["G_Coffee25519"];
    let id = hex(&run["sid"]);
    let element = generator(CRYPTO, &hex(&run["PRS"]), &hex(&run["CI"]), &id);
    assert_eq!(element, bytes(&run["g"]));
    let (a, b): ([u8; 32], [u8; 32]) = (bytes(&run["ya"]), bytes(&run["yb"]));
    let share_a = CRYPTO.multiply(&a, &element).expect("a share");
    let share_b = CRYPTO.multiply(&b, &element).expect("a share");
    assert_eq!(share_a, bytes(&run["Ya"]));
    assert_eq!(share_b, bytes(&run["Yb"]));
    let shared = CRYPTO.multiply(&a, &share_b).expect("an element");
    assert_eq!(CRYPTO.multiply(&b, &share_a), Some(shared));
    assert_eq!(shared, bytes(&run["K"]));
    let said_by_both = lengthened(&[&share_a, &hex(&run["ADa"]), &share_b, &hex(&run["ADb"])]);
    let key = session_key(CRYPTO, &id, &shared, &said_by_both);
    assert_eq!(key, bytes(&run["ISK_IR"]));

    let points = &file["G_Coffee25519_points"];
    let valid = &points["Valid"];
    let product = CRYPTO.multiply(&bytes(&valid["s"]), &bytes(&valid["X"]));
    assert_eq!(product, Some(bytes(&valid["G.scalar_mult_vfy(s,X)"])));
    for name in ["Invalid Y1", "Invalid Y2"] {
        assert_eq!(CRYPTO.multiply(&a, &bytes(&points[name])), None, "{name}");
    }
    said("the run and the 3 points of CPace's draft for ristretto255 and SHA-512");
}

/// From the reference implementation's own tests (phc-winner-argon2, src/test.c): Argon2id, version 0x13, one lane.
#[test]
fn argon2id() {
    for (passes, log_kib, password, salt, key) in [
        (
            2,
            16,
            "password",
            "somesalt",
            "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
        ),
        (
            2,
            8,
            "password",
            "somesalt",
            "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
        ),
        (
            1,
            16,
            "password",
            "somesalt",
            "f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98",
        ),
        (
            4,
            16,
            "password",
            "somesalt",
            "9025d48e68ef7395cca9079da4c4ec3affb3c8911fe4f86d1a2520856f63172c",
        ),
        (
            2,
            16,
            "differentpassword",
            "somesalt",
            "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde",
        ),
        (
            2,
            16,
            "password",
            "diffsalt",
            "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c",
        ),
    ] {
        let cost = Cost {
            memory_kib: 1 << log_kib,
            passes,
        };
        let made = CRYPTO.stretch(password.as_bytes(), salt.as_bytes(), cost);
        assert_eq!(
            made,
            Some(bytes(&Value::from(key))),
            "{passes} passes, 2^{log_kib} KiB, {password}, {salt}"
        );
    }
}
