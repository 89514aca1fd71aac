//! Somebody with a link that was not meant for it: let in no more often, no later and with no more rights
//! than the link says.

use std::collections::VecDeque;

use peer_group::crypto::{Primitives as _, REAL};
use peer_group::engine::command::{Command, EndCall, NewInvitation, Revoke, Store};
use peer_group::engine::context::{Context, Ids, Requests};
use peer_group::engine::event::{Answer, Event};
use peer_group::error::{Code, Error};
use peer_group::graph::security::Security as _;
use peer_group::graph::session::OwnSession;
use peer_group::group::Group;
use peer_group::group::credential::{Body, Credential, Credentials};
use peer_group::group::identity::Identity;
use peer_group::group::invitation::Invitation;
use peer_group::group::state::GroupState;
use peer_group::names::{NodeIndex, Role};
use peer_group::random::Random;
use peer_group::time::Now;
use peer_group::wire::codec::Wire as _;
use peer_group::wire::link::Purpose;
use peer_group::wire::seconds::Seconds;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

use super::issuing::{add, everywhere};
use super::{code, peer};

const HOUR_S: u64 = 3_600;

fn world(machines: usize) -> World {
    World::new(Options::plain(13, &REAL, machines))
}

fn link(uses: u32) -> NewInvitation {
    NewInvitation {
        max_uses: uses,
        ..NewInvitation::default()
    }
}

fn turned_away(world: &mut World, machine: usize, text: &str) -> Code {
    let outcome = world
        .join(machine, text)
        .and_then(|_| world.connect(machine));
    world.require_sound();
    assert_eq!(world.neighbor_count(machine), 0);
    code(outcome)
}

/// A member as its disk has it, asked by somebody whose program holds itself to nothing.
struct Door {
    member: Group,
    now: Now,
    random: Random,
}

impl Door {
    fn of(world: &World, machine: usize) -> Self {
        let identity = world.identity(machine).unwrap();
        let group = world.machines[machine].app.group.unwrap();
        let key = GroupState::key(group, peer(world, machine));
        let bytes = &world.machines[machine].disk[&(Store::Default, key.clone())];
        let state = GroupState::from_stored(&REAL, &identity, &key, bytes).unwrap();
        Self {
            member: Group::open(&REAL, identity, state),
            now: world.clock(machine),
            random: Random::new([4; 32]),
        }
    }

    /// Shows what it likes, signed with its own key; what the member says.
    fn knock(&mut self, thief: &Identity, shown: Vec<Credential>) -> Result<(), Error> {
        let group = self.member.state.group;
        let session =
            OwnSession::new(&REAL, &mut self.random, &thief.seed, group, self.now).session;
        let proof = Credentials::new(shown).unwrap().to_bytes();
        let (mut ids, mut requests) = (Ids::default(), Requests::default());
        let (mut effects, mut events) = (VecDeque::new(), VecDeque::new());
        let mut cx = Context {
            now: self.now,
            crypto: &REAL,
            random: &mut self.random,
            ids: &mut ids,
            requests: &mut requests,
            effects: &mut effects,
            events: &mut events,
            node: NodeIndex(1),
        };
        let member = &mut self.member;
        member.judge(&mut cx, &session, &proof, Purpose::Join)?;
        member.grant(&mut cx, &session, &proof).map(|_| ())
    }
}

/// What somebody with the link makes of it: a membership with these rights.
fn membership(text: &str, thief: &Identity, role: Role, until: Seconds) -> Vec<Credential> {
    let Ok(Invitation::Bearer(bearer)) = Invitation::parse(&REAL, text) else {
        panic!("not a link");
    };
    let (_, from, _, _) = bearer.terms(&REAL).unwrap();
    let body = Body::Membership {
        subject: thief.peer(&REAL),
        sealing: thief.sealing_key(&REAL),
        role,
        from,
        until,
        issuer: REAL.public_key(&bearer.seed),
        serial: [1; 8],
    };
    let group = bearer.body.head.group;
    let mut all = bearer.body.credentials.to_vec();
    all.push(Credential::sign(&REAL, group, &bearer.seed, body));
    all
}

fn thief() -> Identity {
    Identity::new(&mut Random::new([5; 32]), 0)
}

#[test]
fn a_thief_gets_no_more_than_the_link_says() {
    let mut world = world(3);
    world.create(0);
    let until = world.wall() / 1000 + 24 * HOUR_S;
    let invitation = NewInvitation {
        role: Role::InvitingMember,
        expires: Some(until),
        ..link(9)
    };
    let text = world.invitation(0, invitation);
    assert!(world.connect(0).is_ok());
    world.run_for(2_000);
    let ends = Seconds(until);
    let knock = |shown| {
        Door::of(&world, 0)
            .knock(&thief(), shown)
            .map_err(|e| e.code)
    };
    let fits = membership(&text, &thief(), Role::InvitingMember, ends);
    assert_eq!(knock(fits), Ok(()));
    let higher = membership(&text, &thief(), Role::Admin, ends);
    assert_eq!(knock(higher), Err(Code::InvitationNotTrusted));
    let longer = membership(&text, &thief(), Role::Member, Seconds(until + 1));
    assert_eq!(knock(longer), Err(Code::InvitationNotTrusted));
    // What somebody else took of the link is of no use.
    let others = Identity::new(&mut Random::new([6; 32]), 0);
    let stolen = membership(&text, &others, Role::Member, ends);
    assert_eq!(knock(stolen), Err(Code::InvitationNotTrusted));
    // Nor is the link after its key was changed for another.
    let Ok(Invitation::Bearer(bearer)) = Invitation::parse(&REAL, &text) else {
        panic!("not a link");
    };
    let foreign = peer_group::group::invitation::Bearer::text(
        &REAL,
        &thief().seed,
        bearer.body.clone(),
        [8; 32],
    );
    let error = Invitation::parse(&REAL, &foreign).err().unwrap();
    assert_eq!(error.code, Code::InvitationNotTrusted);
}

#[test]
fn a_thief_who_admits_itself_or_dates_back_is_refused() {
    let mut world = world(3);
    world.create(0);
    assert!(world.connect(0).is_ok());
    let until = world.wall() / 1000 + HOUR_S;
    let invitation = NewInvitation {
        usable_until: Some(until),
        ..link(9)
    };
    let text = world.invitation(0, invitation);
    world.let_in(1, &text);
    world.run_for(2 * HOUR_S * 1000);
    let shown = membership(&text, &thief(), Role::Member, Seconds::NEVER);
    let late = Door::of(&world, 0).knock(&thief(), shown.clone());
    assert_eq!(late.unwrap_err().code, Code::InvalidTimePeriod);
    // It dates an admission back to when the link could be used: its own, and that of somebody who came
    // with the same link.
    let accomplice = world.identity(1).unwrap();
    let group = world.machines[0].app.group.unwrap();
    let admitted = shown.last().unwrap().hash(&REAL, group);
    for signer in [thief(), accomplice] {
        let body = Body::Admission {
            membership: admitted,
            at: Seconds(until - 60),
            issuer: signer.peer(&REAL).0,
        };
        let mut shown = shown.clone();
        shown.push(Credential::sign(&REAL, group, &signer.seed, body));
        let late = Door::of(&world, 0).knock(&thief(), shown);
        assert_eq!(late.unwrap_err().code, Code::InvalidTimePeriod);
    }
}

#[test]
fn each_refusal_has_its_own_code() {
    let mut world = world(6);
    world.create(0);
    assert!(world.connect(0).is_ok());
    let soon = world.wall() / 1000 + HOUR_S;
    let ending = NewInvitation {
        usable_until: Some(soon),
        ..link(9)
    };
    let [once, ending, revoked, voided] =
        [link(1), ending, link(9), link(9)].map(|new| world.invitation(0, new));
    world.let_in(1, &once);
    assert_eq!(turned_away(&mut world, 2, &once), Code::InvitationUsedUp);
    world.run_for(2 * HOUR_S * 1000);
    assert_eq!(turned_away(&mut world, 3, &ending), Code::InvalidTimePeriod);
    let handle = world.machines[0].app.handle();
    let revoke = Revoke {
        invitation: Some(revoked.clone()),
        ..Revoke::default()
    };
    assert_eq!(
        world.ask(
            0,
            Command::End {
                handle,
                call: EndCall::Revoke(revoke)
            }
        ),
        Ok(Answer::Done)
    );
    world.run_for(2_000);
    assert_eq!(
        turned_away(&mut world, 4, &revoked),
        Code::InvitationRevoked
    );
    let replaced = world.ask(
        0,
        Command::End {
            handle,
            call: EndCall::VoidInvitations,
        },
    );
    assert_eq!(replaced, Ok(Answer::Done));
    world.run_for(2_000);
    let code = turned_away(&mut world, 5, &voided);
    assert!(
        [Code::InvitationRevoked, Code::NoMembersFound].contains(&code),
        "{code}"
    );
}

/// Two halves that do not hear of each other let in as many as the link says, each of them.
#[test]
fn after_two_halves_met_as_many_remain_as_the_link_says() {
    for uses in [1, 2] {
        let count = uses as usize;
        let mut world = world(2 + 2 * count);
        let own = world.group_of(2);
        drop(own);
        let text = world.invitation(0, link(uses));
        let (first, second) = (2..2 + count, 2 + count..2 + 2 * count);
        world.crash(1);
        // Longer than what was announced at the server stands: it would tell.
        world.run_for(200_000);
        for machine in first.clone() {
            world.let_in(machine, &text);
        }
        world.run_for(5_000);
        for machine in core::iter::once(0).chain(first.clone()) {
            world.crash(machine);
        }
        world.run_for(200_000);
        world.come_back(1);
        for machine in second.clone() {
            world.let_in(machine, &text);
        }
        let theirs = add(&mut world, 2 + count, HOUR_S).unwrap();
        world.run_for(5_000);
        for machine in second.clone() {
            let late = peer(&world, machine);
            world.removed.insert(late);
        }
        for machine in core::iter::once(0).chain(first.clone()) {
            world.come_back(machine);
        }
        world.run_for(120_000);
        for machine in second.clone() {
            assert_eq!(
                world.neighbor_count(machine),
                0,
                "{uses}: machine {machine}"
            );
            let mut heard = world.machines[machine].heard.iter();
            let told = heard.any(|(_, event)| {
                matches!(event, Event::ConnectionFailed { error, .. } if error.code == Code::InvitationUsedUp)
            });
            assert!(told, "{uses}: machine {machine} was not told");
        }
        let members: Vec<usize> = [0, 1].into_iter().chain(first).collect();
        world.require_sound();
        for machine in &members {
            assert_eq!(world.neighbor_count(*machine), members.len() - 1);
        }
        // What the others wrote is gone, what these write is everywhere.
        let id = add(&mut world, 2, HOUR_S).unwrap();
        everywhere(&mut world, 2 + count, id, b"data");
        for machine in members {
            let handle = world.machines[machine].app.handle();
            let id = theirs;
            let read = world.ask(machine, Command::GetRecord { handle, id });
            assert_eq!(code(read), Code::RecordNotFound);
        }
    }
}
