//! Runs of the password exchange between two groups, without a network: who gets what, and what each
//! guess costs.

use std::collections::VecDeque;

use super::{Want, salt};
use crate::crypto::pake::{Answerer, Party, Run, generator};
use crate::crypto::stretch::{Cost, Password};
use crate::crypto::work::solve;
use crate::crypto::{Crypto, FAKE, Primitives as _, REAL, label};
use crate::engine::command::NewGroup;
use crate::engine::context::{Context, Ids, Requests};
use crate::error::{Code, Error};
use crate::graph::password::{Guesses, Passwords as _, RunId};
use crate::graph::security::{Absorbed, Security as _};
use crate::graph::session::OwnSession;
use crate::group::credential::{Body, Credential, Credentials, Role};
use crate::group::identity::Identity;
use crate::group::invitation::Invitation;
use crate::group::{Control, Group};
use crate::limits;
use crate::names::{NodeIndex, PeerId};
use crate::random::Random;
use crate::time::Now;
use crate::wire::codec::Wire as _;
use crate::wire::password::{Asking, Challenge, Worked};
use crate::wire::seconds::Seconds;
use crate::wire::text::{self, TextKind};

const RIGHT: &str = "three green teapots";
const WRONG: &str = "three green teacups";
const HANDSHAKE: [u8; 64] = [6; 64];

/// One end: what it is in the group, and its session.
struct End {
    group: Group,
    own: OwnSession,
}

impl End {
    fn party(&self) -> Party {
        let own = &self.own.session.body;
        Party {
            peer: own.peer,
            session: own.key,
        }
    }
}

/// A creator with a password, and time.
struct Scene {
    crypto: Crypto,
    random: Random,
    now: Now,
    host: End,
    text: String,
    runs: u8,
}

impl Scene {
    fn new(crypto: Crypto) -> Self {
        let mut random = Random::new([1; 32]);
        let now = Now {
            monotonic: 1,
            wall: 1_800_000_000_000,
        };
        let identity = Identity::new(&mut random, 0);
        let new = NewGroup {
            friendly_name: "tea".to_owned(),
            password: Some(password(RIGHT)),
            ..NewGroup::default()
        };
        let state = Group::create(crypto, &mut random, now, &identity, &new, &[]).unwrap();
        let own = OwnSession::new(crypto, &mut random, &identity.seed, state.group, now);
        let group = Group::open(crypto, identity, state);
        let host = End { group, own };
        let text = String::new();
        let mut scene = Self {
            crypto,
            random,
            now,
            host,
            text,
            runs: 0,
        };
        scene.tend();
        scene.text = scene.host.group.invite_by_password(now).unwrap();
        scene
    }

    fn with<T>(&mut self, run: impl FnOnce(&mut Self, &mut Context<'_>) -> T) -> T {
        let (mut ids, mut requests) = (Ids::default(), Requests::default());
        let (mut effects, mut events) = (VecDeque::new(), VecDeque::new());
        let mut random = Random::new(self.random.bytes());
        let mut cx = Context {
            now: self.now,
            crypto: self.crypto,
            random: &mut random,
            ids: &mut ids,
            requests: &mut requests,
            effects: &mut effects,
            events: &mut events,
            node: NodeIndex(1),
        };
        run(self, &mut cx)
    }

    /// The host does what is to be done, its driver too.
    fn tend(&mut self) {
        self.with(|scene, cx| {
            scene.host.group.tend(cx);
            compute(scene.crypto, &mut scene.host.group);
            scene.host.group.tend(cx);
        });
    }

    fn wait(&mut self, ms: u64) {
        self.now.monotonic += ms;
        self.now.wall += ms;
    }

    fn guest(&mut self, with: &str) -> End {
        let (crypto, now) = (self.crypto, self.now);
        let identity = Identity::new(&mut self.random, 0);
        let invitation = Invitation::parse(crypto, &self.text).unwrap();
        let state = Group::join(crypto, &mut self.random, &identity, &invitation, &[]).unwrap();
        let own = OwnSession::new(crypto, &mut self.random, &identity.seed, state.group, now);
        let mut group = Group::open(crypto, identity, state);
        group.come_with(password(with));
        compute(crypto, &mut group);
        End { group, own }
    }

    /// Message 1, and what the host says to it.
    fn knock(&mut self, guest: &mut End, guesses: Guesses) -> (RunId, Challenge) {
        self.runs += 1;
        let run = [self.runs; 64];
        let host = self.host.party();
        let asked = self.with(|_, cx| {
            let (own, session) = (guest.party(), host.session);
            guest.group.ask(cx, &run, own, session).unwrap()
        });
        (run, self.say(&run, guest, &asked, guesses).unwrap())
    }

    fn say(
        &mut self,
        run: &RunId,
        guest: &End,
        asked: &[u8],
        guesses: Guesses,
    ) -> Result<Challenge, Error> {
        let host = self.host.party();
        let joiner = guest.own.session.clone();
        let (said, goes_on) = self.with(|scene, cx| {
            let group = &mut scene.host.group;
            group.answer(cx, run, host, &joiner, asked, guesses)
        })?;
        let said = Challenge::from_bytes(&said).unwrap();
        assert_eq!(goes_on, matches!(said, Challenge::Share { .. }));
        Ok(said)
    }

    /// The guest hears what the host says.
    fn hear(&mut self, guest: &mut End, said: &Challenge) -> Result<[u8; 32], Error> {
        let chain = self.host.group.proof();
        let host = self.host.own.session.clone();
        let said = said.to_bytes();
        self.with(|_, cx| guest.group.prove(cx, &host, &chain, &said, &HANDSHAKE))
    }

    fn check(&mut self, proof: &[u8; 32]) -> Result<([u8; 32], Vec<u8>), Error> {
        self.with(|scene, cx| scene.host.group.check(cx, proof, &HANDSHAKE))
    }

    fn enter(&mut self, guest: &mut End) -> Result<(), Error> {
        let (_, said) = self.knock(guest, Guesses::default());
        let proof = self.hear(guest, &said)?;
        let (proof, grant) = self.check(&proof)?;
        self.with(|_, cx| guest.group.admitted(cx, &proof, &grant))
    }

    /// A run of a stranger's that comes to nothing.
    fn waste(&mut self) -> Challenge {
        let mut guest = self.guest(WRONG);
        let (_, said) = self.knock(&mut guest, Guesses::default());
        self.with(|scene, cx| scene.host.group.unfinished(cx));
        said
    }
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

/// What the driver does.
fn compute(crypto: Crypto, group: &mut Group) {
    while let Some(want) = group.wants() {
        match want {
            Want::Stretch(password, salt) => {
                let key = crypto.stretch(password.as_bytes(), &salt, Cost::OURS);
                group.stretched(salt, key.unwrap());
            }
            Want::Work(puzzle, bits) => {
                let answer = solve(crypto, &puzzle, bits, 0, u64::MAX).unwrap();
                assert!(group.worked(puzzle, answer).is_some());
            }
        }
    }
}

fn is_share(said: &Challenge) -> bool {
    matches!(said, Challenge::Share { .. })
}

#[test]
fn who_knows_the_password_becomes_a_member_and_keeps_nothing_of_it() {
    for crypto in [&REAL as Crypto, &FAKE] {
        let mut scene = Scene::new(crypto);
        let mut guest = scene.guest(RIGHT);
        scene.enter(&mut guest).unwrap();
        assert!(guest.group.joining.is_none() && !guest.group.joins_by_password());
        let clock = guest.group.clock(scene.now);
        let own = guest.group.own_membership(&clock).unwrap();
        assert_eq!((own.role, own.until), (Role::Member, Seconds::NEVER));
        let mut wrong = scene.guest(WRONG);
        let refused = scene.enter(&mut wrong).unwrap_err();
        assert_eq!(refused.code, Code::WrongPassword);
        assert!(wrong.group.state.proof.is_empty());
    }
}

#[test]
fn a_proof_fits_no_other_handshake() {
    let mut scene = Scene::new(&FAKE);
    let mut guest = scene.guest(RIGHT);
    let (_, said) = scene.knock(&mut guest, Guesses::default());
    let proof = scene.hear(&mut guest, &said).unwrap();
    let other = scene.with(|scene, cx| scene.host.group.check(cx, &proof, &[7; 64]));
    assert_eq!(other.unwrap_err().code, Code::WrongPassword);
    // And answers for one run: nothing is left to check it against.
    assert_eq!(
        scene.check(&proof).unwrap_err().code,
        Code::ConnectionNotAuthenticated
    );
}

#[test]
fn one_run_is_under_way_at_a_time() {
    let mut scene = Scene::new(&FAKE);
    let (mut first, mut second) = (scene.guest(RIGHT), scene.guest(RIGHT));
    let (_, said) = scene.knock(&mut first, Guesses::default());
    let (_, busy) = scene.knock(&mut second, Guesses::default());
    let after_ms = u32::try_from(limits::ANSWER_TIMEOUT_MS).unwrap();
    assert_eq!(busy, Challenge::Later { after_ms });
    let told = scene.hear(&mut second, &busy).unwrap_err();
    assert_eq!(
        (told.code, told.retry_after),
        (Code::RateLimited, Some(after_ms))
    );
    let proof = scene.hear(&mut first, &said).unwrap();
    assert!(scene.check(&proof).is_ok());
    assert!(is_share(&scene.knock(&mut second, Guesses::default()).1));
}

#[test]
fn a_run_that_nobody_ended_blocks_nobody_for_long_and_counts() {
    let mut scene = Scene::new(&FAKE);
    let mut guest = scene.guest(WRONG);
    assert!(is_share(&scene.knock(&mut guest, Guesses::default()).1));
    scene.wait(limits::ANSWER_TIMEOUT_MS - 1);
    let (_, busy) = scene.knock(&mut guest, Guesses::default());
    assert_eq!(busy, Challenge::Later { after_ms: 1 });
    scene.wait(1);
    assert_eq!(scene.host.group.gate.budget.held().0, 0);
    assert!(is_share(&scene.knock(&mut guest, Guesses::default()).1));
    assert_eq!(scene.host.group.gate.budget.held().0, 1);
    // Who comes then may find no run to take: however often it asks, the last one counts once.
    let mut scene = Scene::new(&FAKE);
    assert!(is_share(&scene.waste()) && is_share(&scene.waste()));
    assert!(is_share(&scene.knock(&mut guest, Guesses::default()).1));
    scene.wait(limits::ANSWER_TIMEOUT_MS);
    for _ in 0..3 {
        let (_, said) = scene.knock(&mut guest, Guesses::default());
        assert_eq!(said, Challenge::Later { after_ms: 5_000 });
        assert_eq!(scene.host.group.gate.budget.held().0, 3);
    }
}

#[test]
fn three_runs_at_once_and_one_each_ten_seconds() {
    let mut scene = Scene::new(&FAKE);
    for _ in 0..3 {
        assert!(is_share(&scene.waste()));
    }
    assert_eq!(scene.waste(), Challenge::Later { after_ms: 10_000 });
    scene.wait(9_999);
    assert_eq!(scene.waste(), Challenge::Later { after_ms: 1 });
    scene.wait(1);
    assert!(is_share(&scene.waste()));
    assert_eq!(scene.waste(), Challenge::Later { after_ms: 10_000 });
    // A long pause does not save more than three.
    scene.wait(3_600_000);
    for _ in 0..3 {
        assert!(is_share(&scene.waste()));
    }
    assert!(!is_share(&scene.waste()));
}

#[test]
fn from_twenty_failures_on_each_run_is_worked_for_and_bought_once() {
    let mut scene = Scene::new(&FAKE);
    for _ in 0..limits::GUESSES_PER_HOUR {
        assert!(is_share(&scene.waste()));
        scene.wait(limits::GUESS_PAUSE_MS);
    }
    let mut guest = scene.guest(RIGHT);
    let (_, demand) = scene.knock(&mut guest, Guesses::default());
    let Challenge::Work { bits, at, puzzle } = demand else {
        panic!("{demand:?}")
    };
    assert_eq!(bits, limits::WORK_BITS);
    assert_eq!(
        scene.hear(&mut guest, &demand).unwrap_err().code,
        Code::Aborted
    );
    assert!(!guest.group.may_knock(), "it works first");
    compute(&FAKE, &mut guest.group);
    let answer = solve(&FAKE, &puzzle, bits, 0, u64::MAX).unwrap();
    let asked = |group: &Group, answer: u64| {
        let asking = Asking {
            generation: 1,
            share: [9; 32],
            sealing: group.identity.sealing_key(&FAKE),
            work: Some(Worked { at, answer }),
        };
        asking.to_bytes()
    };
    let demands = |scene: &mut Scene, guest: &End, answer: u64| {
        let asked = asked(&guest.group, answer);
        let said = scene.say(&[9; 64], guest, &asked, Guesses::default());
        matches!(said.unwrap(), Challenge::Work { .. })
    };
    assert!(demands(&mut scene, &guest, answer + 1), "no answer to it");
    let other = scene.guest(RIGHT);
    assert!(
        demands(&mut scene, &other, answer),
        "worked for by somebody else"
    );
    // It is let in for it, once.
    scene.enter(&mut guest).unwrap();
    scene.wait(limits::GUESS_PAUSE_MS);
    assert!(demands(&mut scene, &guest, answer), "spent");
    // What others wrote down counts the same, and an hour later nothing does.
    scene.wait(limits::GUESS_LIFE_MS);
    assert!(is_share(&scene.waste()));
    let mut guest = scene.guest(RIGHT);
    let guesses = Guesses { own: 1, others: 18 };
    assert!(is_share(&scene.knock(&mut guest, guesses).1));
    scene.with(|scene, cx| scene.host.group.unfinished(cx));
    let (_, demand) = scene.knock(&mut guest, guesses);
    assert!(matches!(demand, Challenge::Work { .. }), "{demand:?}");
    // Work that was put off for long buys nothing.
    assert!(scene.hear(&mut guest, &demand).is_err());
    compute(&FAKE, &mut guest.group);
    scene.wait(limits::WORK_LIFE_MS + 1);
    let (_, again) = scene.knock(&mut guest, guesses);
    assert!(matches!(again, Challenge::Work { .. }), "{again:?}");
}

#[test]
fn nobody_makes_a_joiner_work_or_stretch_for_ever() {
    let mut scene = Scene::new(&FAKE);
    let mut guest = scene.guest(RIGHT);
    scene.knock(&mut guest, Guesses::default());
    let greedy = Challenge::Work {
        bits: limits::WORK_BITS_MAX + 1,
        at: 0,
        puzzle: [1; 32],
    };
    assert!(scene.hear(&mut guest, &greedy).is_err());
    assert_eq!(guest.group.wants(), None);
    let mut stretched = 0;
    for generation in 2..20 {
        scene.with(|scene, cx| {
            scene.host.group.unfinished(cx);
            let (own, to) = (guest.party(), scene.host.party().session);
            guest.group.ask(cx, &[1; 64], own, to)
        });
        assert!(
            scene
                .hear(&mut guest, &Challenge::Generation { generation })
                .is_err()
        );
        stretched += u32::from(guest.group.wants().is_some());
        compute(&FAKE, &mut guest.group);
    }
    assert_eq!(stretched, limits::GENERATIONS);
}

/// Who knows the password and is no member gets no proof; nor does a member that may let nobody in.
#[test]
fn an_impostor_that_knows_the_password_learns_nothing() {
    let mut scene = Scene::new(&FAKE);
    let key = scene.host.group.password_key().unwrap();
    let mut plain = scene.guest(RIGHT);
    scene.enter(&mut plain).unwrap();
    let stranger = scene.guest(RIGHT);
    let forged = {
        let (peer, seed) = (stranger.party().peer, stranger.group.identity.seed);
        let body = Body::Membership {
            subject: peer,
            sealing: stranger.group.identity.sealing_key(&FAKE),
            role: Role::Admin,
            from: Seconds(0),
            until: Seconds::NEVER,
            issuer: peer.0,
            serial: [0; 8],
        };
        let group = stranger.group.state.group;
        vec![Credential::sign(&FAKE, group, &seed, body)]
    };
    // Shown with its own session, the host's chain makes nobody else a member.
    let stolen = scene.host.group.state.proof.clone().into_vec();
    for (who, chain) in [
        (&stranger, Vec::new()),
        (&stranger, forged),
        (&stranger, stolen),
        (&plain, plain.group.state.proof.clone().into_vec()),
    ] {
        let mut victim = scene.guest(RIGHT);
        let run = [3; 64];
        let to = who.party();
        let asked = scene.with(|_, cx| {
            let own = victim.party();
            victim.group.ask(cx, &run, own, to.session).unwrap()
        });
        let share = Asking::from_bytes(&asked).unwrap().share;
        let terms = Run {
            crypto: &FAKE,
            group: &scene.host.group.state.group,
            password: &key,
            id: &run,
        };
        let random = &mut Random::new([2; 32]);
        let (_, share) = Answerer::new(terms, random, to, victim.party(), &share).unwrap();
        let chain = Credentials::new(chain).unwrap().to_bytes();
        let said = Challenge::Share { share }.to_bytes();
        let session = who.own.session.clone();
        let proof = scene.with(|_, cx| victim.group.prove(cx, &session, &chain, &said, &HANDSHAKE));
        assert!(proof.is_err(), "it showed its proof");
    }
}

#[test]
fn a_member_that_does_not_know_the_password_lets_nobody_in() {
    let mut scene = Scene::new(&FAKE);
    let mut guest = scene.guest(RIGHT);
    let (_, said) = scene.knock(&mut guest, Guesses::default());
    let proof = scene.hear(&mut guest, &said).unwrap();
    let (_, grant) = scene.check(&proof).unwrap();
    let taken = scene.with(|_, cx| guest.group.admitted(cx, &[0; 32], &grant));
    assert_eq!(taken.unwrap_err().code, Code::ConnectionNotAuthenticated);
    assert!(guest.group.joins_by_password());
}

#[test]
fn another_generation_is_no_wrong_password() {
    let mut scene = Scene::new(&FAKE);
    let mut guest = scene.guest(RIGHT);
    let seed = scene.host.group.state.group_seed.unwrap();
    let properties = scene.host.group.state.properties.as_ref().unwrap();
    let properties = properties.with_next_password(&FAKE, &seed);
    let control = Control::Properties { properties };
    scene.host.group.choose(&control, &password(RIGHT));
    let now = scene.now;
    scene.host.group.take_effect(now, vec![control]);
    scene.tend();
    let (_, said) = scene.knock(&mut guest, Guesses::default());
    assert_eq!(said, Challenge::Generation { generation: 2 });
    assert_eq!(
        scene.hear(&mut guest, &said).unwrap_err().code,
        Code::Aborted
    );
    let group = scene.host.group.state.group;
    let again = Want::Stretch(password(RIGHT), salt(&FAKE, group, 2));
    assert_eq!(guest.group.wants(), Some(again));
    compute(&FAKE, &mut guest.group);
    scene.enter(&mut guest).unwrap();
    // Who is ahead of a member waits for it.
    let mut early = scene.guest(RIGHT);
    early.group.joining.as_mut().unwrap().generation = 3;
    let (_, said) = scene.knock(&mut early, Guesses::default());
    assert!(matches!(said, Challenge::Later { .. }), "{said:?}");
}

#[test]
fn a_verifier_counts_from_the_group_key_and_from_admins_only() {
    let mut scene = Scene::new(&FAKE);
    let group = scene.host.group.state.group;
    let own = scene.host.group.state.verifiers.clone().into_vec();
    let stranger = [3; 32];
    let forged = |issuer: &[u8; 32], generation: u32| {
        let to = (PeerId(FAKE.public_key(&[4; 32])), &[5; 32]);
        let random = &mut Random::new([2; 32]);
        let what = (generation, &[6; 32]);
        super::verifier::Verifier::seal(&FAKE, random, group, issuer, to, what).unwrap()
    };
    let mut take = |verifier| {
        let item = Control::Verifier { verifier }.to_bytes();
        let taken = scene.with(|scene, cx| scene.host.group.absorb(cx, &[&item]));
        (taken, scene.host.group.state.verifiers.len())
    };
    assert_eq!(take(forged(&stranger, 1)), (Absorbed::Good, own.len()));
    let mut changed = own[0].clone();
    changed.body.half[0] ^= 1;
    assert_eq!(take(changed), (Absorbed::Bad, own.len()));
    let seed = scene.host.group.state.group_seed.unwrap();
    let mut take = |verifier| {
        let item = Control::Verifier { verifier }.to_bytes();
        scene.with(|scene, cx| scene.host.group.absorb(cx, &[&item]));
        scene.host.group.state.verifiers.len()
    };
    assert_eq!(take(forged(&seed, 0)), own.len(), "of an earlier password");
    assert_eq!(take(forged(&seed, 1)), own.len() + 1);
}

/// What an outsider with the invitation saw of its own run with a wrong password, what it sent, what a
/// plain member sees of who holds the password: for each word of a list, all that follows from the word.
#[test]
fn a_list_of_words_finds_nothing_to_check_against() {
    let mut scene = Scene::new(&REAL);
    let mut guest = scene.guest(WRONG);
    let (run, said) = scene.knock(&mut guest, Guesses::default());
    let (Challenge::Share { share }, host) = (&said, scene.host.party()) else {
        panic!("{said:?}")
    };
    let proof = scene.hear(&mut guest, &said).unwrap();
    let refusal = scene.check(&proof).unwrap_err();
    assert_eq!(refusal.code, Code::WrongPassword);
    let mut seen: Vec<Vec<u8>> = vec![said.to_bytes(), scene.host.group.proof()];
    seen.push(text::decode(TextKind::Invitation, &scene.text, Code::Internal).unwrap());
    seen.extend(scene.host.group.control());
    seen.push(format!("{refusal:?}").into_bytes());
    let group = scene.host.group.state.group;
    let channel = [label("password"), group.0.to_vec()].concat();
    let words = ["blue tea cup", WRONG, RIGHT, "four grey spoons"];
    let follows = |word: &str| {
        let key = REAL.stretch(word.as_bytes(), &salt(&REAL, group, 1), Cost::OURS);
        let key = key.unwrap();
        let element = generator(&REAL, &key, &channel, &run);
        let mut all = vec![word.as_bytes().to_vec(), key.to_vec(), element.to_vec()];
        all.push(REAL.hash(&[&key]).to_vec());
        all.push(REAL.hash(&[word.as_bytes()]).to_vec());
        all.push(REAL.exchange_public(&key).to_vec());
        all.push(REAL.public_key(&key).to_vec());
        all.extend(REAL.multiply(&key, &element).map(|e| e.to_vec()));
        all.extend(REAL.multiply(&key, share).map(|e| e.to_vec()));
        all.push(host.peer.0.iter().zip(key).map(|(a, b)| a ^ b).collect());
        all
    };
    let found = |seen: &[Vec<u8>]| -> Vec<&str> {
        let holds = |part: &Vec<u8>| {
            seen.iter()
                .any(|bytes| bytes.windows(part.len()).any(|at| at == &part[..]))
        };
        let words = words.iter().copied();
        words
            .filter(|word| follows(word).iter().any(holds))
            .collect()
    };
    assert_eq!(found(&seen), [""; 0]);
    // The same search finds the right word where anything that follows from it is shown.
    let key = scene.host.group.password_key().unwrap();
    seen.push([&[1; 5][..], &REAL.hash(&[&key])].concat());
    assert_eq!(found(&seen), [RIGHT]);
}
