//! `npm run bench -- join`: how long the texts and credentials are that let somebody in, and what a join
//! costs both sides.
//!
//! Timed is all that a page computes between a link and membership: what the link says, a session, the
//! handshake with what both sides show in it, every signature, the admission. Not timed are the network
//! and WebRTC. One join is timed at a time, by a link of the creator's, who lets it in; the middle of 30 is
//! told.

use crate::stage::Stage;
use peer_group::crypto::noise::{self, Terms};
use peer_group::crypto::{Crypto, REAL};
use peer_group::engine::command::{NewGroup, NewInvitation};
use peer_group::engine::context::{Context, Ids, Requests};
use peer_group::graph::security::Security as _;
use peer_group::graph::session::OwnSession;
use peer_group::group::Group;
use peer_group::group::identity::Identity;
use peer_group::group::invitation::Invitation;
use peer_group::group::state::GroupState;
use peer_group::names::{NodeIndex, Role};
use peer_group::random::Random;
use peer_group::time::Now;
use peer_group::wire::codec::Wire as _;
use peer_group::wire::link::Purpose;
use std::collections::VecDeque;

const CRYPTO: Crypto = &REAL;
const JOINS: usize = 30;
/// Members of a group that is not small.
const MANY: usize = 100;
const WARM_UP: usize = 10;
const NOW: Now = Now {
    monotonic: 1,
    wall: 1_800_000_000_000,
};
const SERVER: &str = "wss://rendezvous.example";

pub(crate) fn run(stage: &mut Stage<'_>) {
    let mut random = Random::new([7; 32]);
    let (mut creator, _) = create(&mut random);
    sizes(stage, &mut creator, &mut random);
    for members in [1, MANY] {
        let (joiner, member) = joins(stage, &mut random, members);
        let group = format!("a join, where {members} are members");
        stage.figure(&format!("{group}: the joiner's side"), joiner, "ms");
        stage.figure(&format!("{group}: the member's side"), member, "ms");
    }
}

/// Milliseconds of both sides when a group has so many members by then.
fn joins(stage: &Stage<'_>, random: &mut Random, members: usize) -> (f64, f64) {
    let (mut creator, identity) = create(random);
    for _ in 1..members {
        let text = invite(&mut creator, random, None, Role::Member);
        join(&mut creator, &identity, random, &text, stage.now);
    }
    let key = GroupState::key(creator.state.group, creator.state.peer);
    let kept = creator.to_stored(random, 0, [].iter());
    let (mut joiner, mut member) = (Vec::new(), Vec::new());
    for at in 0..WARM_UP + JOINS {
        let state = GroupState::from_stored(CRYPTO, &identity, &key, &kept).expect("kept");
        let mut creator = Group::open(CRYPTO, identity.clone(), state);
        // It has been there for a while: what it knows is verified.
        assert!(creator.control().len() > members);
        let text = invite(&mut creator, random, None, Role::Member);
        let (ours, theirs) = join(&mut creator, &identity, random, &text, stage.now);
        if at >= WARM_UP {
            joiner.push(ours);
            member.push(theirs);
        }
    }
    (middle(joiner), middle(member))
}

fn sizes(stage: &mut Stage<'_>, creator: &mut Group, random: &mut Random) {
    let proof = &creator.state.proof;
    let one = proof
        .first()
        .map_or(0, |credential| credential.to_bytes().len());
    stage.figure("a credential", one as f64, "bytes");

    let admin = invited(creator, random, Role::Admin);
    let (mut admin, text) = (admin.0, admin.1);
    let bound = |text: &str| text.chars().count() as f64;
    stage.figure(
        "an invitation bound to one identity, by the creator",
        bound(&text),
        "characters",
    );
    let (member, text) = invited(&mut admin, random, Role::Member);
    stage.figure(
        "a chain of 3",
        member.state.proof.to_bytes().len() as f64,
        "bytes",
    );
    stage.figure(
        "an invitation bound to one identity, by an admin",
        bound(&text),
        "characters",
    );

    let link = invite(creator, random, None, Role::Member);
    stage.figure("a link, by the creator", bound(&link), "characters");
    let link = invite(&mut admin, random, None, Role::Member);
    stage.figure("a link, by an admin", bound(&link), "characters");
}

/// A group and its creator.
fn create(random: &mut Random) -> (Group, Identity) {
    let identity = Identity::new(random, NOW.wall);
    let new = NewGroup {
        friendly_name: "Tea at five".to_owned(),
        ..NewGroup::default()
    };
    let servers = [SERVER.to_owned()];
    let state = Group::create(CRYPTO, random, NOW, &identity, &new, &servers).expect("a group");
    (Group::open(CRYPTO, identity.clone(), state), identity)
}

fn invite(group: &mut Group, random: &mut Random, to: Option<String>, role: Role) -> String {
    let new = NewInvitation {
        role,
        to,
        ..NewInvitation::default()
    };
    group.invite(random, NOW, &new).expect("an invitation")
}

/// Somebody who was invited by its card, as a member.
fn invited(group: &mut Group, random: &mut Random, role: Role) -> (Group, String) {
    let identity = Identity::new(random, NOW.wall);
    let text = invite(group, random, Some(identity.card(CRYPTO)), role);
    let invitation = Invitation::parse(CRYPTO, &text).expect("an invitation");
    let mut state = Group::join(CRYPTO, random, &identity, &invitation, &[]).expect("opened");
    state.synchronized = true;
    (Group::open(CRYPTO, identity, state), text)
}

/// Milliseconds of a join by a link: the joiner's and the member's.
fn join(
    member: &mut Group,
    host: &Identity,
    random: &mut Random,
    text: &str,
    now: &dyn Fn() -> f64,
) -> (f64, f64) {
    let scope = member.state.group;
    let identity = Identity::new(random, NOW.wall);
    let other = OwnSession::new(CRYPTO, random, &host.seed, scope, NOW);
    let secret: [u8; 32] = random.bytes();
    let remote = CRYPTO.exchange_public(&secret);
    let psk = member.psk(Purpose::Join).expect("a door").secret;
    let terms = Terms {
        prologue: &other.session.hash(CRYPTO),
        psk: &psk,
    };

    let start = now();
    let invitation = Invitation::parse(CRYPTO, text).expect("an invitation");
    let state = Group::join(CRYPTO, random, &identity, &invitation, &[]).expect("opened");
    let own = OwnSession::new(CRYPTO, random, &identity.seed, scope, NOW);
    let mut joiner = Group::open(CRYPTO, identity, state);
    joiner.own_membership(&joiner.clock(NOW)).expect("invited");
    let shown = (own.session, joiner.proof());
    let key: [u8; 32] = random.bytes();
    let payload = [shown.0.to_bytes(), shown.1.clone()].concat();
    let (mut first, message) =
        noise::initiate(CRYPTO, random, &key, &remote, &terms, &payload).expect("message 1");
    let half = now();

    let (_, second) = noise::respond(CRYPTO, random, &secret, &terms, &message).expect("read");
    let clock = member.clock(NOW);
    shown.0.verify(CRYPTO, scope, &clock).expect("a session");
    let granted = with(random, |cx| {
        member.judge(cx, &shown.0, &shown.1, Purpose::Join)?;
        member.grant(cx, &shown.0, &shown.1)
    });
    let granted = granted.expect("let in");
    let answer = [other.session.to_bytes(), member.proof(), granted.clone()].concat();
    let (message, _) = second.answer(&answer).expect("message 2");
    let answered = now();

    first.finish(&message).expect("message 2 read");
    other
        .session
        .verify(CRYPTO, scope, &clock)
        .expect("a session");
    with(random, |cx| {
        joiner.judge(cx, &other.session, &member.proof(), Purpose::Neighbor)?;
        joiner.accept(cx, &granted)
    })
    .expect("let in");
    let end = now();
    (half - start + end - answered, answered - half)
}

fn with<T>(random: &mut Random, work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let (mut ids, mut requests) = (Ids::default(), Requests::default());
    let (mut effects, mut events) = (VecDeque::new(), VecDeque::new());
    work(&mut Context {
        now: NOW,
        crypto: CRYPTO,
        random,
        ids: &mut ids,
        requests: &mut requests,
        effects: &mut effects,
        events: &mut events,
        node: NodeIndex(1),
    })
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
