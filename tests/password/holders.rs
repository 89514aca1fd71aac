//! Who lets in by the password: admins and inviting members, as soon as they are such.

use peer_group::crypto::FAKE;
use peer_group::engine::command::Command;
use peer_group::engine::input::Input;
use peer_group::error::Code;
use peer_group::names::Role;
use peer_group::wire::numbers::server::{PEERS, PONG};

use crate::{RIGHT, come, enter, hosted, member, world};

/// The creator is away: whoever came after it lets in, the password sealed to it meanwhile.
#[test]
fn an_inviting_member_lets_in_while_the_creator_is_away() {
    for role in [Role::InvitingMember, Role::Admin] {
        let mut world = world(&FAKE, 4);
        let text = hosted(&mut world);
        member(&mut world, 1, role);
        world.run_for(10_000);
        world.crash(0);
        world.run_for(60_000);
        let online = enter(&mut world, 2, &text, RIGHT);
        assert!(online.is_ok(), "{role:?}: {online:?}");
        let refused = enter(&mut world, 3, &text, "three green teacups");
        assert_eq!(crate::code(refused), Code::WrongPassword);
        world.require_sound();
    }
}

/// An admin seals it to whoever becomes one while the creator is away.
#[test]
fn an_admin_passes_the_password_on_to_a_new_one() {
    let mut world = world(&FAKE, 4);
    let text = hosted(&mut world);
    member(&mut world, 1, Role::Admin);
    world.run_for(10_000);
    let link = peer_group::engine::command::NewInvitation {
        role: Role::InvitingMember,
        ..peer_group::engine::command::NewInvitation::default()
    };
    let link = world.invitation(1, link);
    world.crash(0);
    world.run_for(60_000);
    assert!(world.join(2, &link).is_ok());
    world.trust(2);
    let online = world.connect(2);
    assert!(online.is_ok(), "{online:?}");
    world.run_for(30_000);
    world.crash(1);
    world.run_for(60_000);
    let online = enter(&mut world, 3, &text, RIGHT);
    assert!(online.is_ok(), "{online:?}");
    world.require_sound();
}

/// Only a plain member is there: it lets nobody in, and the right password is not called wrong.
#[test]
fn a_plain_member_alone_lets_nobody_in() {
    let mut world = world(&FAKE, 3);
    let text = hosted(&mut world);
    member(&mut world, 1, Role::Member);
    world.run_for(10_000);
    world.crash(0);
    world.run_for(60_000);
    let refused = enter(&mut world, 2, &text, RIGHT);
    assert_eq!(crate::code(refused), Code::NoMemberConnections);
    world.require_sound();
}

/// The joiner is given the address of a plain member, and finds nobody by itself: that member sends it on
/// to those who let in.
#[test]
fn a_plain_member_passes_the_joiner_on() {
    let mut world = world(&FAKE, 3);
    let text = hosted(&mut world);
    member(&mut world, 1, Role::Member);
    world.run_for(10_000);
    let handle = world.machines[1].app.handle();
    let address = world.machines[1].engine().address(handle).unwrap().unwrap();
    assert!(come(&mut world, 2, &text, RIGHT).is_ok());
    world.trust(2);
    // Who looks at the door sees nobody there.
    world.arrives = Some(|input| {
        if let Input::SocketReceived { bytes, .. } = input
            && bytes.first() == Some(&PEERS)
        {
            bytes.clear();
            bytes.push(PONG);
        }
    });
    let handle = world.machines[2].app.handle();
    let connect = Command::Connect {
        handle,
        timeout_ms: 20_000,
        addresses: vec![address],
    };
    let online = world.ask(2, connect);
    assert!(online.is_ok(), "{online:?}");
    world.require_sound();
}
