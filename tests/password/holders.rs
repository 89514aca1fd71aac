//! Who lets in by the password: admins and inviting members, as soon as they are such.

use peer_group::crypto::FAKE;
use peer_group::error::Code;
use peer_group::names::Role;

use crate::{RIGHT, enter, hosted, member, world};

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
