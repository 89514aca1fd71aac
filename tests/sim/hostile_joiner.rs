//! Holders of a link who want more than it says, and joiners whose clock is wrong.

use peer_group::crypto::REAL;
use peer_group::engine::command::NewInvitation;
use peer_group::error::Code;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

fn world(nodes: usize) -> World {
    World::new(Options::plain(11, &REAL, nodes))
}

fn hosted(world: &mut World, invitation: NewInvitation) -> String {
    world.create(0);
    let text = world.invitation(0, invitation);
    let online = world.connect(0);
    assert!(online.is_ok(), "{online:?}");
    text
}

/// Nobody trusts this machine: that it sees no description is checked at every step.
fn try_to_join(world: &mut World, machine: usize, text: &str) -> Code {
    let outcome = world
        .join(machine, text)
        .and_then(|_| world.connect(machine));
    world.require_sound();
    let error = outcome.expect_err("it was let in");
    for member in 0..world.machines.len() {
        let open = world.machines[member].app.connections.values();
        let with_it = open
            .filter(|(_, c)| c.peer == world.machines[machine].app.peer)
            .count();
        assert_eq!(with_it, 0, "a member is linked with it");
    }
    error.code
}

#[test]
fn a_link_admits_as_often_as_it_says() {
    let mut world = world(4);
    let invitation = NewInvitation {
        max_uses: 2,
        ..NewInvitation::default()
    };
    let text = hosted(&mut world, invitation);
    for guest in 1..3 {
        assert!(world.join(guest, &text).is_ok());
        world.trust(guest);
        let online = world.connect(guest);
        assert!(online.is_ok(), "{online:?}");
    }
    world.run_for(10_000);
    assert_eq!(try_to_join(&mut world, 3, &text), Code::InvitationUsedUp);
    // Those who were let in come and go as they like.
    world.crash(2);
    world.run_for(5_000);
    assert!(world.join(2, &text).is_ok());
    let online = world.connect(2);
    assert!(online.is_ok(), "{online:?}");
    world.require_sound();
}

#[test]
fn a_member_who_did_not_admit_anybody_refuses_a_used_up_link_too() {
    let mut world = world(4);
    let invitation = NewInvitation {
        max_uses: 2,
        ..NewInvitation::default()
    };
    let text = hosted(&mut world, invitation);
    for guest in 1..3 {
        assert!(world.join(guest, &text).is_ok());
        world.trust(guest);
        assert!(world.connect(guest).is_ok());
    }
    assert!(world.run_until(30_000, |world| world.neighbor_count(2) == 2));
    world.run_for(2_000);
    // The creator goes; whoever answers now has learned of the admissions from others.
    world.crash(0);
    world.run_for(60_000);
    assert_eq!(try_to_join(&mut world, 3, &text), Code::InvitationUsedUp);
}

#[test]
fn a_link_ends_when_it_says() {
    let mut world = world(2);
    let until = world.wall() / 1000 + 3_600;
    let invitation = NewInvitation {
        max_uses: 9,
        usable_until: Some(until),
        ..NewInvitation::default()
    };
    let text = hosted(&mut world, invitation);
    // The joiner's own clock says there is time: the member decides.
    world.run_for(2 * 3_600_000);
    world.machines[1].wall_offset = -2 * 3_600_000;
    let code = try_to_join(&mut world, 1, &text);
    assert!(
        [Code::InvalidTimePeriod, Code::ClockSkew].contains(&code),
        "{code}"
    );
}

#[test]
fn a_link_that_ended_is_refused_by_its_holders_own_engine() {
    let mut world = world(2);
    let until = world.wall() / 1000 + 3_600;
    let invitation = NewInvitation {
        max_uses: 9,
        usable_until: Some(until),
        ..NewInvitation::default()
    };
    let text = hosted(&mut world, invitation);
    world.run_for(2 * 3_600_000);
    assert_eq!(try_to_join(&mut world, 1, &text), Code::InvalidTimePeriod);
}

#[test]
fn a_changed_link_is_not_trusted() {
    let mut world = world(2);
    let invitation = NewInvitation::default();
    let text = hosted(&mut world, invitation);
    let prefix = "pg-invite:".len();
    for at in (prefix..text.len()).step_by(37) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).expect("ASCII");
        let error = world
            .join(1, &changed)
            .expect_err("a changed text was taken");
        assert_eq!(error.code, Code::InvitationNotTrusted, "changed at {at}");
    }
}

/// A clock that is wrong by more than the grace is named, with how far it is off.
#[test]
fn a_wrong_clock_is_named_with_its_offset() {
    const MINUTE: i64 = 60_000;
    for offset in [10, 60, 24 * 60, -10, -60, -24 * 60].map(|minutes: i64| minutes * MINUTE) {
        let mut world = world(2);
        let invitation = NewInvitation::default();
        let text = hosted(&mut world, invitation);
        world.machines[1].wall_offset = offset;
        let outcome = world.join(1, &text).and_then(|_| {
            world.trust(1);
            world.connect(1)
        });
        world.require_sound();
        let error = outcome.expect_err("a clock that wrong cannot be right");
        assert_eq!(error.code, Code::ClockSkew, "{offset} ms: {error:?}");
        let told = error
            .evidence
            .as_ref()
            .and_then(|evidence| evidence.clock_offset_ms);
        let told = told.expect("the offset is part of the evidence");
        assert!(
            (told - offset).abs() < 5_000,
            "off by {offset} ms, told {told} ms"
        );
        // Set right, the same link works.
        world.machines[1].wall_offset = 0;
        let again = world.join(1, &text).and_then(|_| world.connect(1));
        assert!(again.is_ok(), "{offset} ms: {again:?}");
    }
}
