//! The password is another one: the old one opens nothing, whoever knows the new one comes in by any text.

use peer_group::crypto::{Crypto, FAKE, REAL};
use peer_group::error::Code;
use peer_group::names::Role;

use crate::{RIGHT, code, enter, give, hosted, member, set_password, told_wrong, world};

const NEW: &str = "four blue saucers";

#[test]
fn the_old_password_opens_nothing_and_the_old_text_asks_for_the_new_one() {
    for crypto in [&REAL as Crypto, &FAKE] {
        let mut world = world(crypto, 4);
        let text = hosted(&mut world);
        member(&mut world, 1, Role::InvitingMember);
        assert!(set_password(&mut world, 0, NEW).is_ok());
        world.run_for(20_000);
        for away in [None, Some(0)] {
            if let Some(away) = away {
                world.crash(away);
                world.run_for(60_000);
            }
            let guest = if away.is_none() { 2 } else { 3 };
            // It stretches for the generation that its text says, is told of the new one, and stretches again.
            assert_eq!(
                code(enter(&mut world, guest, &text, "three green teacups")),
                Code::WrongPassword
            );
            assert!(give(&mut world, guest, NEW).is_ok());
            world.trust(guest);
            let online = world.connect(guest);
            assert!(online.is_ok(), "{online:?}");
            assert_eq!(told_wrong(&world, guest), 1);
        }
        world.require_sound();
    }
}

#[test]
fn a_weak_one_and_one_by_somebody_else_are_refused() {
    let mut world = world(&FAKE, 2);
    hosted(&mut world);
    member(&mut world, 1, Role::Admin);
    let error = set_password(&mut world, 0, "abcdefghijkl").unwrap_err();
    assert_eq!(error.code, Code::PasswordDoesNotMeetPolicy);
    assert_eq!(code(set_password(&mut world, 1, NEW)), Code::NotAuthorized);
}

/// The machine ends as soon as the change was answered: it seals the new password when it is back.
#[test]
fn a_change_is_finished_after_a_crash() {
    let mut world = world(&FAKE, 2);
    let text = hosted(&mut world);
    assert!(set_password(&mut world, 0, NEW).is_ok());
    world.crash(0);
    world.run_for(5_000);
    world.start(0);
    let group = world.machines[0].app.group.unwrap();
    let options = world.open_options();
    let open = peer_group::engine::command::Command::OpenGroup { options, group };
    assert!(world.ask(0, open).is_ok());
    assert!(world.connect(0).is_ok());
    assert_eq!(
        code(enter(&mut world, 1, &text, RIGHT)),
        Code::WrongPassword
    );
    assert!(give(&mut world, 1, NEW).is_ok());
    let online = world.connect(1);
    assert!(online.is_ok(), "{online:?}");
}
