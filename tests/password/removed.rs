//! Somebody who held the password is out: what it holds opens nothing any more, and it does not come back
//! by the password.

use peer_group::crypto::{Crypto, FAKE, REAL};
use peer_group::engine::command::{Command, EndCall, Revoke, Store};
use peer_group::engine::event::Answer;
use peer_group::error::{Code, Error};
use peer_group::names::Role;
use peer_group_tests::sim::world::World;

use crate::{RIGHT, code, come, enter, hosted, member, world};

fn remove(world: &mut World, by: usize, whom: usize) -> Result<Answer, Error> {
    let peer = world.machines[whom].app.peer.unwrap();
    world.removed.insert(peer);
    let revoke = Revoke {
        peer: Some(peer),
        reason: "spam".to_owned(),
        records_stay: true,
        ..Revoke::default()
    };
    let handle = world.machines[by].app.handle();
    let call = EndCall::Revoke(revoke);
    world.ask(by, Command::End { handle, call })
}

fn generation(world: &World, machine: usize) -> u32 {
    let handle = world.machines[machine].app.handle();
    let (_, found) = world.machines[machine].engine().properties(handle).unwrap();
    found.password.as_ref().unwrap().generation
}

#[test]
fn the_password_is_stretched_anew_and_those_who_stay_let_in_by_it() {
    for crypto in [&REAL as Crypto, &FAKE] {
        let mut world = world(crypto, 5);
        let text = hosted(&mut world);
        member(&mut world, 1, Role::InvitingMember);
        member(&mut world, 2, Role::InvitingMember);
        world.run_for(10_000);
        assert_eq!(generation(&world, 2), 1);
        let removed = remove(&mut world, 0, 1);
        assert!(removed.is_ok(), "{removed:?}");
        world.run_for(20_000);
        assert_eq!((generation(&world, 0), generation(&world, 2)), (2, 2));
        // The text of before, and the password as it was.
        let online = enter(&mut world, 3, &text, RIGHT);
        assert!(online.is_ok(), "{online:?}");
        world.crash(0);
        world.run_for(60_000);
        let online = enter(&mut world, 4, &text, RIGHT);
        assert!(online.is_ok(), "{online:?}");
        world.require_sound();
    }
}

/// The creator is away: the stretched password is in the hands of somebody who is out, so nobody lets in
/// by it before the creator has replaced it.
#[test]
fn nobody_lets_in_by_what_somebody_outside_holds() {
    let mut world = world(&FAKE, 4);
    let text = hosted(&mut world);
    member(&mut world, 1, Role::InvitingMember);
    member(&mut world, 2, Role::Admin);
    world.run_for(10_000);
    world.crash(0);
    world.run_for(60_000);
    assert!(remove(&mut world, 2, 1).is_ok());
    world.run_for(5_000);
    assert!(come(&mut world, 3, &text, RIGHT).is_ok());
    assert_eq!(
        code(world.connect_within(3, 10_000)),
        Code::NoMemberConnections
    );
    world.start(0);
    let group = world.machines[2].app.group.unwrap();
    let options = world.open_options();
    assert!(world.ask(0, Command::OpenGroup { options, group }).is_ok());
    assert!(world.connect(0).is_ok());
    world.run_for(20_000);
    assert_eq!((generation(&world, 0), generation(&world, 2)), (2, 2));
    world.trust(3);
    let online = world.connect(3);
    assert!(online.is_ok(), "{online:?}");
    world.require_sound();
}

/// It forgets that it was a member, and comes as a stranger with the right password.
#[test]
fn who_was_removed_does_not_come_back_by_the_password() {
    let mut world = world(&FAKE, 3);
    let text = hosted(&mut world);
    member(&mut world, 1, Role::Member);
    world.run_for(10_000);
    assert!(remove(&mut world, 0, 1).is_ok());
    world.run_for(5_000);
    let (group, identity) = {
        let app = &world.machines[1].app;
        (app.group.unwrap(), app.peer)
    };
    let store = Store::Default;
    let delete = Command::DeleteGroup {
        store,
        identity,
        group,
    };
    assert_eq!(world.ask(1, delete), Ok(Answer::Done));
    let joined = come(&mut world, 1, &text, RIGHT);
    assert!(joined.is_ok(), "{joined:?}");
    assert_eq!(world.machines[1].app.peer, identity);
    assert_eq!(code(world.connect(1)), Code::CredentialRevoked);
    world.require_sound();
}
