//! Memberships and their time: what ends, what is renewed at the door, and what a wrong clock makes of
//! it.

use peer_group::engine::command::{Command, NewCredential, NewInvitation};
use peer_group::engine::event::{Answer, Event, State};
use peer_group::error::{Code, Error};
use peer_group::names::Role;
use peer_group_tests::sim::world::World;

use super::issuing::{add, everywhere, group, issue, to};
use super::{peer, refused};

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 86_400;
const MINUTE_MS: i64 = 60_000;
/// 10 minutes, an hour and a day, in both directions.
const WRONG_MS: [i64; 6] = [
    10 * MINUTE_MS,
    60 * MINUTE_MS,
    24 * 60 * MINUTE_MS,
    -10 * MINUTE_MS,
    -60 * MINUTE_MS,
    -24 * 60 * MINUTE_MS,
];

fn renew(world: &mut World, machine: usize) {
    let renewal = NewCredential {
        until: Some(world.wall() / 1000 + 30 * DAY_S),
        ..to(peer(world, machine))
    };
    issue(world, 0, renewal).unwrap();
}

/// That a clock is named, and by how much it is off.
fn names_clock(error: &Error, offset: i64) {
    assert_eq!(error.code, Code::ClockSkew, "{offset} ms: {error:?}");
    let evidence = error.evidence.as_ref();
    let told = evidence.and_then(|evidence| evidence.clock_offset_ms);
    let told = told.expect("the offset is part of the evidence");
    assert!(
        (told - offset).abs() < 5_000,
        "off by {offset} ms, told {told} ms"
    );
}

/// What an event told a machine's app about why it does not get on.
fn told(world: &World, machine: usize, code: Code) -> Option<Error> {
    let mut heard = world.machines[machine].heard.iter();
    heard.find_map(|(_, event)| match event {
        Event::ConnectionFailed { error, .. } if error.code == code => Some(error.clone()),
        _ => None,
    })
}

#[test]
fn whose_time_is_over_fetches_its_renewal_at_the_door() {
    let mut world = group(&[(Role::Member, Some(HOUR_S)), (Role::Member, None)]);
    world.crash(1);
    world.run_for(60_000);
    renew(&mut world, 1);
    world.run_for(2 * HOUR_S * 1000);
    // Any member lets it in, the issuer need not be there.
    world.crash(0);
    world.run_for(60_000);
    world.reopen(1);
    let online = world.connect(1);
    assert!(online.is_ok(), "{online:?}");
    let linked = |world: &World| (1..3).all(|m| world.state(m) == Some(State::Online));
    assert!(world.run_until(30_000, linked));
    let id = add(&mut world, 1, HOUR_S).unwrap();
    world.reopen(0);
    assert!(world.connect(0).is_ok());
    everywhere(&mut world, 3, id, b"data");
    // From now on it is a member like others, also after a crash.
    world.crash(1);
    world.run_for(60_000);
    world.reopen(1);
    assert!(world.connect(1).is_ok());
    world.require_sound();
}

#[test]
fn without_a_renewal_it_hears_that_its_time_is_over() {
    let mut world = group(&[(Role::Member, Some(HOUR_S)), (Role::Member, None)]);
    world.crash(1);
    world.run_for(2 * HOUR_S * 1000);
    world.reopen(1);
    let error = refused(world.connect(1));
    assert_eq!(error.code, Code::InvalidTimePeriod, "{}", error.detail);
    assert_eq!(world.neighbor_count(1), 0);
    assert_eq!(world.state(1), Some(State::Disconnected));
    // The same call works once there is one.
    renew(&mut world, 1);
    world.run_for(2_000);
    let online = world.connect(1);
    assert!(online.is_ok(), "{online:?}");
    // Where nobody is, that is why it does not get on.
    let mut world = group(&[(Role::Member, Some(HOUR_S))]);
    world.crash(1);
    world.crash(0);
    world.run_for(2 * HOUR_S * 1000);
    world.reopen(1);
    assert_eq!(refused(world.connect(1)).code, Code::InvalidTimePeriod);
    world.require_sound();
}

#[test]
fn a_membership_ends_while_its_holder_is_there() {
    let mut world = group(&[(Role::Member, Some(HOUR_S)), (Role::Member, None)]);
    world.run_for((HOUR_S - 60) * 1000);
    assert!((0..3).all(|machine| world.neighbor_count(machine) == 2));
    world.run_for(10 * 60_000);
    assert_eq!(world.state(1), Some(State::Disconnected));
    assert!([0, 2].iter().all(|at| world.neighbor_count(*at) == 1));
    assert!(told(&world, 1, Code::InvalidTimePeriod).is_some());
    renew(&mut world, 1);
    world.run_for(2_000);
    let online = world.connect(1);
    assert!(online.is_ok(), "{online:?}");
    world.require_sound();
}

#[test]
fn members_end_links_with_somebody_whose_time_is_over_though_it_says_otherwise() {
    let mut world = group(&[(Role::Member, Some(HOUR_S)), (Role::Member, None)]);
    world.run_for((HOUR_S - 60) * 1000);
    // Its clock is set back: by that there is time.
    world.machines[1].wall_offset = -24 * 60 * MINUTE_MS;
    world.run_for(15 * 60_000);
    assert!([0, 2].iter().all(|at| world.neighbor_count(*at) == 1));
    assert_eq!(world.neighbor_count(1), 0);
}

#[test]
fn a_returning_members_wrong_clock_is_named() {
    for offset in WRONG_MS {
        for life in [None, Some(12 * HOUR_S)] {
            let mut world = group(&[(Role::Member, life)]);
            world.crash(1);
            world.run_for(60_000);
            world.machines[1].wall_offset = offset;
            world.reopen(1);
            // By its clock it may be a member, and waits for others: then an event tells.
            let outcome = world.connect(1);
            let is_told = |world: &World| told(world, 1, Code::ClockSkew).is_some();
            assert!(
                world.run_until(120_000, is_told),
                "{offset} ms: {outcome:?}"
            );
            names_clock(&told(&world, 1, Code::ClockSkew).unwrap(), offset);
            assert_eq!(world.neighbor_count(0), 0);
            world.machines[1].wall_offset = 0;
            let online = world.connect(1);
            assert!(online.is_ok(), "{offset} ms: {online:?}");
            let linked = |world: &World| world.neighbor_count(1) == 1;
            assert!(world.run_until(120_000, linked), "{offset} ms");
            let id = add(&mut world, 1, HOUR_S).unwrap();
            everywhere(&mut world, 2, id, b"data");
            world.require_sound();
        }
    }
}

#[test]
fn a_joiners_wrong_clock_is_named_also_where_the_membership_is_short() {
    for offset in WRONG_MS {
        let mut world = group(&[]);
        let invitation = NewInvitation {
            expires: Some(world.wall() / 1000 + 12 * HOUR_S),
            ..NewInvitation::default()
        };
        let link = world.invitation(0, invitation);
        world.machines[1].wall_offset = offset;
        assert!(world.join(1, &link).is_ok());
        world.trust(1);
        names_clock(&refused(world.connect(1)), offset);
        world.machines[1].wall_offset = 0;
        let online = world.join(1, &link).and_then(|_| world.connect(1));
        assert!(online.is_ok(), "{offset} ms: {online:?}");
        world.require_sound();
    }
}

#[test]
fn what_an_admin_with_a_wrong_clock_signs_is_never_worth_more() {
    for offset in WRONG_MS {
        let mut world = group(&[(Role::Member, None)]);
        world.run_for(2 * DAY_S * 1000);
        world.machines[0].wall_offset = offset;
        let link = world.invitation(0, NewInvitation::default());
        let inviting = NewCredential {
            role: Some(Role::InvitingMember),
            ..to(peer(&world, 1))
        };
        assert!(issue(&mut world, 0, inviting.clone()).is_ok());
        world.run_for(2_000);
        world.machines[0].wall_offset = 0;
        // What is signed for later holds later; what is signed for earlier begins with the membership.
        let handle = world.machines[1].app.handle();
        let invite = |world: &mut World| {
            let invitation = NewInvitation::default();
            world.ask(1, Command::CreateInvitation { handle, invitation })
        };
        let promoted = invite(&mut world);
        let joined = world.join(2, &link).and_then(|_| {
            world.trust(2);
            world.connect(2)
        });
        if offset > 0 {
            assert_eq!(refused(promoted).code, Code::NotAuthorized);
            assert_eq!(refused(joined).code, Code::ClockSkew);
            world.run_for(u64::try_from(offset).unwrap());
            assert!(matches!(invite(&mut world), Ok(Answer::Invitation(_))));
            let joined = world.connect(2);
            assert!(joined.is_ok(), "{offset} ms: {joined:?}");
        } else {
            assert!(matches!(promoted, Ok(Answer::Invitation(_))));
            assert!(joined.is_ok(), "{offset} ms: {joined:?}");
        }
    }
}

#[test]
fn a_clock_that_is_set_wrong_while_online_ends_nothing() {
    for offset in WRONG_MS {
        let mut world = group(&[(Role::Member, Some(12 * HOUR_S)), (Role::Member, None)]);
        world.machines[2].wall_offset = offset;
        world.run_for(20 * 60_000);
        world.machines[2].wall_offset = 0;
        assert!(
            world.run_until(120_000, |world| (0..3)
                .all(|m| world.neighbor_count(m) == 2)),
            "{offset} ms"
        );
    }
}
