//! Runs of the password exchange: honest ones, wrong ones, and what a list of passwords is good for.

use super::*;
use crate::crypto::stretch::Cost;
use crate::crypto::{FAKE, Primitives, REAL};
use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;

const GROUP: GroupId = GroupId([1; 32]);
const ID: [u8; 16] = [2; 16];
const HANDSHAKE: &[u8] = &[4; 64];

fn party(number: u8) -> Party {
    Party {
        peer: PeerId([number; 32]),
        session: SessionKey([number + 100; 32]),
    }
}

fn run(crypto: Crypto, password: &[u8; 32]) -> Run<'_> {
    Run {
        crypto,
        group: &GROUP,
        password,
        id: &ID,
    }
}

/// How one run is twisted on its way: what each end takes the other, the group and the run for.
#[derive(Clone, Copy)]
struct Twist {
    joiner_seen: Party,
    answerer_seen: Party,
    group: GroupId,
    id: [u8; 16],
    password: [u8; 32],
    handshake: &'static [u8],
}

impl Twist {
    const NONE: Self = Self {
        joiner_seen: Party {
            peer: PeerId([10; 32]),
            session: SessionKey([110; 32]),
        },
        answerer_seen: Party {
            peer: PeerId([20; 32]),
            session: SessionKey([120; 32]),
        },
        group: GROUP,
        id: ID,
        password: [9; 32],
        handshake: HANDSHAKE,
    };

    /// The keys of both ends. None: one of them refuses.
    fn run(self, crypto: Crypto) -> Option<(Key, Key)> {
        let mut random = Random::new([3; 32]);
        let (joiner, first) = Joiner::new(run(crypto, &[9; 32]), &mut random, party(10));
        let answering = Run {
            group: &self.group,
            password: &self.password,
            id: &self.id,
            crypto,
        };
        let (answerer, second) =
            Answerer::new(answering, &mut random, party(20), self.joiner_seen, &first)?;
        let (proof, doubt) = joiner.prove(self.answerer_seen, &second, HANDSHAKE)?;
        let (proof, theirs) = answerer.check(&proof, self.handshake)?;
        Some((doubt.check(&proof)?, theirs))
    }
}

#[test]
fn who_knows_the_password_shares_a_key() {
    for crypto in [&REAL as Crypto, &FAKE] {
        let (ours, theirs) = Twist::NONE.run(crypto).expect("both agree");
        assert_eq!(ours, theirs);
        assert_ne!(ours, [0; 32]);
    }
}

#[test]
fn whatever_differs_is_refused() {
    let none = Twist::NONE;
    let mut other_session = none.joiner_seen;
    other_session.session = SessionKey([7; 32]);
    let mut other_answerer = none.answerer_seen;
    other_answerer.peer = PeerId([8; 32]);
    for (what, twist) in [
        (
            "password",
            Twist {
                password: [8; 32],
                ..none
            },
        ),
        (
            "group",
            Twist {
                group: GroupId([6; 32]),
                ..none
            },
        ),
        (
            "run",
            Twist {
                id: [6; 16],
                ..none
            },
        ),
        (
            "handshake",
            Twist {
                handshake: &[5; 64],
                ..none
            },
        ),
        (
            "joiner",
            Twist {
                joiner_seen: party(11),
                ..none
            },
        ),
        (
            "joiner's session",
            Twist {
                joiner_seen: other_session,
                ..none
            },
        ),
        (
            "answerer",
            Twist {
                answerer_seen: other_answerer,
                ..none
            },
        ),
        (
            "the two swapped",
            Twist {
                joiner_seen: none.answerer_seen,
                answerer_seen: none.joiner_seen,
                ..none
            },
        ),
    ] {
        for crypto in [&REAL as Crypto, &FAKE] {
            assert!(twist.run(crypto).is_none(), "{what}");
        }
    }
}

#[test]
fn what_is_no_share_is_refused() {
    let password = [9; 32];
    let nothing = [0; 32];
    // Above the prime: a second spelling of an element, which the group does not have.
    let high = [0xff; 32];
    for share in [nothing, high] {
        let mut random = Random::new([3; 32]);
        let (joiner, _) = Joiner::new(run(&REAL, &password), &mut random, party(10));
        assert!(joiner.prove(party(20), &share, HANDSHAKE).is_none());
        let answerer = run(&REAL, &password);
        assert!(Answerer::new(answerer, &mut random, party(20), party(10), &share).is_none());
    }
}

#[test]
fn a_share_thrown_back_proves_nothing() {
    let password = [9; 32];
    let mut random = Random::new([3; 32]);
    let (joiner, share) = Joiner::new(run(&REAL, &password), &mut random, party(10));
    // Somebody without the password answers with what it got: share, identity, proof.
    let (proof, doubt) = joiner
        .prove(party(10), &share, HANDSHAKE)
        .expect("it is an element");
    assert!(doubt.check(&proof).is_none());
}

/// The real group, but with elements of which the test knows by what they follow from the base: so it
/// can say which scalar a share would have under another password. In the real group nobody can.
struct Open;

fn exponent(uniform: &[u8; 64]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(uniform)
}

impl Primitives for Open {
    fn element(&self, uniform: &[u8; 64]) -> [u8; 32] {
        RistrettoPoint::mul_base(&exponent(uniform))
            .compress()
            .to_bytes()
    }
    fn multiply(&self, scalar: &[u8; 32], element: &[u8; 32]) -> Option<[u8; 32]> {
        REAL.multiply(scalar, element)
    }
    fn hash(&self, parts: &[&[u8]]) -> [u8; 64] {
        REAL.hash(parts)
    }
    fn derive(&self, secret: &[u8], purpose: &str, context: &[&[u8]]) -> [u8; 32] {
        REAL.derive(secret, purpose, context)
    }
    fn stretch(&self, password: &[u8], salt: &[u8], cost: Cost) -> Option<[u8; 32]> {
        REAL.stretch(password, salt, cost)
    }
    fn public_key(&self, seed: &[u8; 32]) -> [u8; 32] {
        REAL.public_key(seed)
    }
    fn sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
        REAL.sign(seed, message)
    }
    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        REAL.verify(key, message, signature)
    }
    fn is_public_key(&self, key: &[u8; 32]) -> bool {
        REAL.is_public_key(key)
    }
    fn exchange_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        REAL.exchange_public(secret)
    }
    fn exchange(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        REAL.exchange(secret, public)
    }
    fn seal(&self, key: &[u8; 32], nonce: &[u8; 12], extra: &[u8], plain: &[u8]) -> Vec<u8> {
        REAL.seal(key, nonce, extra, plain)
    }
    fn open(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        extra: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        REAL.open(key, nonce, extra, sealed)
    }
}

static OPEN: Open = Open;

/// By what the element of a password follows from the base, and the element.
fn opened(password: &[u8; 32]) -> (Scalar, [u8; 32]) {
    let mut channel = label("password");
    channel.extend_from_slice(&GROUP.0);
    let before = lengthened(&[SUITE, password]).len();
    let zeros = vec![0; BLOCK - 1 - before];
    let text = lengthened(&[SUITE, password, &zeros, &channel, &ID]);
    let by = exponent(&REAL.hash(&[&text]));
    let element = run(&OPEN, password).generator();
    assert_eq!(RistrettoPoint::mul_base(&by).compress().to_bytes(), element);
    (by, element)
}

fn dictionary() -> Vec<[u8; 32]> {
    (0..64u8)
        .map(|word| REAL.derive(&[word], "word", &[]))
        .collect()
}

/// Who came with a wrong password has seen one share and no proof. Every word of the dictionary gives
/// that very share for some scalar of the answerer, all scalars being as likely: it says nothing of
/// which is right. The same of what a listener sees before the proofs.
#[test]
fn every_word_of_a_dictionary_explains_the_shares() {
    let words = dictionary();
    let (right, guess) = (&words[5], &words[40]);
    let mut random = Random::new([4; 32]);
    let (joiner, first) = Joiner::new(run(&OPEN, guess), &mut random, party(10));
    let mut answerer_random = Random::new([5; 32]);
    let scalar_of_answerer = Scalar::from_bytes_mod_order(scalar(&mut Random::new([5; 32])));
    let (answerer, second) = Answerer::new(
        run(&OPEN, right),
        &mut answerer_random,
        party(20),
        party(10),
        &first,
    )
    .expect("an element");
    let (proof, _) = joiner
        .prove(party(20), &second, HANDSHAKE)
        .expect("an element");
    assert!(
        answerer.check(&proof, HANDSHAKE).is_none(),
        "nothing is sent to a wrong guess"
    );

    let (by_right, _) = opened(right);
    for word in &words {
        let (by, element) = opened(word);
        let explaining = scalar_of_answerer * by_right * by.invert();
        let share = REAL.multiply(explaining.as_bytes(), &element);
        assert_eq!(share, Some(second));
    }
}

/// A false answerer takes the joiner's proof along, which is one test for one guess: the share it sent
/// is the multiple of one word's element that it knows. What it knows gives the same key whichever
/// word it tries afterwards, so the proof answers for the word it had chosen and for no other.
#[test]
fn a_run_tests_the_one_word_that_was_chosen_before() {
    let words = dictionary();
    let right = &words[5];
    let mut accepted = Vec::new();
    for (index, chosen) in words.iter().enumerate() {
        let mut random = Random::new([index as u8; 32]);
        let (joiner, first) = Joiner::new(run(&REAL, right), &mut random, party(10));
        let (imposter, second) = Answerer::new(
            run(&REAL, chosen),
            &mut random,
            party(20),
            party(10),
            &first,
        )
        .expect("an element");
        let (proof, doubt) = joiner
            .prove(party(20), &second, HANDSHAKE)
            .expect("an element");
        match imposter.check(&proof, HANDSHAKE) {
            Some((proof, _)) => {
                assert!(doubt.check(&proof).is_some());
                accepted.push(index);
            }
            None => assert_ne!(chosen, right),
        }
    }
    assert_eq!(accepted, [5]);
}

/// What somebody can work out from a whole honest run by the group's operations, for every word: none
/// of it makes the proofs. (That nothing else does either is the group's hardness, not a test's.)
#[test]
fn what_a_listener_can_compute_makes_no_proof() {
    let words = dictionary();
    let mut random = Random::new([6; 32]);
    let (joiner, first) = Joiner::new(run(&REAL, &words[5]), &mut random, party(10));
    let answering = run(&REAL, &words[5]);
    let (answerer, second) =
        Answerer::new(answering, &mut random, party(20), party(10), &first).expect("an element");
    let (proof, _) = joiner
        .prove(party(20), &second, HANDSHAKE)
        .expect("an element");
    let (back, _) = answerer
        .check(&proof, HANDSHAKE)
        .expect("the same password");
    let point = |bytes: &[u8; 32]| {
        CompressedRistretto(*bytes)
            .decompress()
            .expect("an element")
    };
    let (a, b) = (point(&first), point(&second));
    for word in &words {
        let run = run(&REAL, word);
        let generator = point(&run.generator());
        for guess in [
            a,
            b,
            a + b,
            a - b,
            generator,
            a + generator,
            b + generator,
            a + b - generator,
        ] {
            let shared = guess.compress().to_bytes();
            let agreed = Agreed::new(
                run.crypto,
                run.id,
                &shared,
                Said::new(&first, &party(10)),
                Said::new(&second, &party(20)),
            );
            assert_ne!(agreed.joiners(HANDSHAKE), proof);
            assert_ne!(agreed.answerers(HANDSHAKE), back);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn shares_and_proofs_from_anywhere_only_fail(share: [u8; 32], proof: [u8; 32], password: [u8; 32]) {
        let mut random = Random::new([3; 32]);
        let answering = run(&REAL, &password);
        if let Some((answerer, _)) =
            Answerer::new(answering, &mut random, party(20), party(10), &share)
        {
            prop_assert!(answerer.check(&proof, HANDSHAKE).is_none());
        }
        let (joiner, _) = Joiner::new(run(&REAL, &password), &mut random, party(10));
        if let Some((_, doubt)) = joiner.prove(party(20), &share, HANDSHAKE) {
            prop_assert!(doubt.check(&proof).is_none());
        }
    }
}
