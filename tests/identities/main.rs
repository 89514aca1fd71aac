//! Identities at the engine's facade: what calls answer, every refusal with its code, and what is stored.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where something is wrong"
)]

mod bound;
mod groups;
mod moving;
mod stored;

use peer_group::crypto::FAKE;
use peer_group::crypto::stretch::Password;
use peer_group::engine::command::{
    Command, IdentityCall, NewIdentity, NewInvitation, OpenOptions, Store,
};
use peer_group::engine::event::{Answer, IdentityInfo, Opened};
use peer_group::error::{Code, Error};
use peer_group::group::invitation::preview;
use peer_group::limits;
use peer_group::names::{GroupId, PeerId};
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

pub(crate) fn world(machines: usize) -> World {
    let mut world = World::new(Options::plain(3, &FAKE, machines));
    for machine in 0..machines {
        world.start(machine);
    }
    world
}

pub(crate) fn code(result: Result<Answer, Error>) -> Code {
    result.expect_err("it must be refused").code
}

pub(crate) fn password(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

pub(crate) fn call(call: IdentityCall) -> Command {
    let store = Store::Default;
    Command::Identities { store, call }
}

pub(crate) fn named(name: &str) -> IdentityCall {
    IdentityCall::Create(NewIdentity {
        name: name.to_owned(),
        classifier: String::new(),
    })
}

pub(crate) fn one(world: &mut World, machine: usize, asked: IdentityCall) -> IdentityInfo {
    match world.ask(machine, call(asked)) {
        Ok(Answer::Identity(info)) => *info,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn list(world: &mut World, machine: usize) -> Vec<IdentityInfo> {
    match world.ask(machine, call(IdentityCall::List)) {
        Ok(Answer::Identities(all)) => all,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn create_group(world: &World, identity: Option<PeerId>) -> Command {
    Command::CreateGroup {
        options: OpenOptions {
            identity,
            ..world.open_options()
        },
        group: World::new_group(),
    }
}

pub(crate) fn opened(result: Result<Answer, Error>) -> Opened {
    match result {
        Ok(Answer::Opened(opened)) => *opened,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn delete_group(world: &mut World, group: GroupId, identity: Option<PeerId>) {
    let delete = Command::DeleteGroup {
        store: Store::Default,
        identity,
        group,
    };
    assert_eq!(world.ask(0, delete), Ok(Answer::Done));
}

#[test]
fn the_default_identity_is_made_once() {
    let mut world = world(1);
    let two = [(); 2].map(|()| world.command(0, call(IdentityCall::Default)).unwrap());
    let first = one(&mut world, 0, IdentityCall::Default);
    for request in two {
        let answer = world.machines[0].app.answers[&request].clone();
        assert_eq!(answer, Ok(Answer::Identity(Box::new(first.clone()))));
    }
    assert_eq!(first.name, "");
    let group = create_group(&world, None);
    assert_eq!(opened(world.ask(0, group)).peer, first.peer);
    world.crash(0);
    world.start(0);
    assert_eq!(one(&mut world, 0, IdentityCall::Default), first);
}

#[test]
fn the_first_of_a_store_is_its_default_and_the_others_are_not() {
    let mut world = world(1);
    assert_eq!(list(&mut world, 0), [], "looking makes none");
    let anna = one(&mut world, 0, named("Anna"));
    world.run_for(1_000);
    let berta = one(&mut world, 0, named("Berta"));
    assert_eq!(one(&mut world, 0, IdentityCall::Default), anna);
    assert_eq!(list(&mut world, 0), [anna.clone(), berta.clone()]);
    // Nobody becomes another person unasked: after it comes a new one.
    let delete = IdentityCall::Delete { peer: anna.peer };
    assert_eq!(world.ask(0, call(delete)), Ok(Answer::Done));
    let new = one(&mut world, 0, IdentityCall::Default);
    assert!(new.peer != anna.peer && new.peer != berta.peer);
    assert_eq!(list(&mut world, 0), [new, berta]);
}

#[test]
fn every_identity_has_groups_of_its_own() {
    let mut world = world(1);
    let anna = one(&mut world, 0, named("Anna")).peer;
    let berta = one(&mut world, 0, named("Berta")).peer;
    let make = create_group(&world, Some(berta));
    let group = opened(world.ask(0, make));
    assert_eq!(group.peer, berta);
    let open = |identity| Command::OpenGroup {
        options: OpenOptions {
            identity,
            ..OpenOptions::default()
        },
        group: group.group,
    };
    assert_eq!(opened(world.ask(0, open(Some(berta)))).peer, berta);
    for other in [Some(anna), None] {
        assert_eq!(code(world.ask(0, open(other))), Code::NotFound);
    }
}

#[test]
fn a_name_goes_into_cards_and_invitations() {
    let mut world = world(1);
    let before = one(&mut world, 0, named("Anna"));
    let make = create_group(&world, None);
    let handle = opened(world.ask(0, make)).handle;
    let rename = IdentityCall::Rename {
        peer: before.peer,
        name: "Anne".to_owned(),
    };
    let after = one(&mut world, 0, rename);
    assert_eq!((after.peer, after.name.as_str()), (before.peer, "Anne"));
    assert_ne!(after.card, before.card);
    let invitation = NewInvitation::default();
    let Ok(Answer::Invitation(text)) =
        world.ask(0, Command::CreateInvitation { handle, invitation })
    else {
        panic!("no invitation")
    };
    assert_eq!(preview(&FAKE, &text).unwrap().issuer_name, "Anne");
    world.crash(0);
    world.start(0);
    assert_eq!(list(&mut world, 0), [after]);
}

#[test]
fn names_and_classifiers_that_are_too_long() {
    let mut world = world(1);
    let long = "x".repeat(limits::FRIENDLY_NAME_CHARS + 1);
    assert_eq!(
        code(world.ask(0, call(named(&long)))),
        Code::InvalidFriendlyName
    );
    let anna = one(&mut world, 0, named("Anna"));
    let rename = IdentityCall::Rename {
        peer: anna.peer,
        name: long,
    };
    assert_eq!(code(world.ask(0, call(rename))), Code::InvalidFriendlyName);
    let classified = IdentityCall::Create(NewIdentity {
        name: String::new(),
        classifier: "x".repeat(limits::CLASSIFIER_CHARS + 1),
    });
    assert_eq!(
        code(world.ask(0, call(classified))),
        Code::InvalidClassifier
    );
    assert_eq!(list(&mut world, 0), [anna]);
}

#[test]
fn a_store_keeps_so_many_and_no_more() {
    let mut world = world(1);
    for _ in 0..limits::IDENTITIES {
        one(&mut world, 0, named("One of many"));
    }
    assert_eq!(
        code(world.ask(0, call(named("One more")))),
        Code::TooManyIdentities
    );
    assert_eq!(list(&mut world, 0).len(), limits::IDENTITIES);
    // The first of them is the default: nothing has to be made for that.
    let first = one(&mut world, 0, IdentityCall::Default).peer;
    let gone = call(IdentityCall::Delete { peer: first });
    assert_eq!(world.ask(0, gone), Ok(Answer::Done));
    one(&mut world, 0, named("One more"));
    let make = create_group(&world, None);
    assert_eq!(code(world.ask(0, make)), Code::TooManyIdentities);
}

fn on_one(peer: PeerId) -> Vec<Command> {
    vec![
        call(IdentityCall::Rename {
            peer,
            name: String::new(),
        }),
        call(IdentityCall::Export {
            peer,
            password: password("a password"),
        }),
        call(IdentityCall::Delete { peer }),
    ]
}

#[test]
fn calls_on_an_identity_that_is_not_there_or_not_any_more() {
    let mut world = world(1);
    let anna = one(&mut world, 0, named("Anna")).peer;
    let delete = call(IdentityCall::Delete { peer: anna });
    assert_eq!(world.ask(0, delete), Ok(Answer::Done));
    for (peer, expected) in [
        (anna, Code::IdentityDeleted),
        (PeerId([7; 32]), Code::IdentityNotFound),
    ] {
        let opening = create_group(&world, Some(peer));
        for command in on_one(peer).into_iter().chain([opening]) {
            let name = format!("{command:?}");
            assert_eq!(code(world.ask(0, command)), expected, "{name}");
        }
    }
    // Another store knows nothing of it.
    let elsewhere = Command::Identities {
        store: Store::Named("other".to_owned()),
        call: IdentityCall::Delete { peer: anna },
    };
    assert_eq!(code(world.ask(0, elsewhere)), Code::IdentityNotFound);
}

#[test]
fn an_identity_with_groups_is_not_deleted() {
    let mut world = world(1);
    let anna = one(&mut world, 0, named("Anna")).peer;
    let berta = one(&mut world, 0, named("Berta")).peer;
    let make = create_group(&world, Some(anna));
    let group = opened(world.ask(0, make));
    let handle = group.handle;
    let delete = |peer| call(IdentityCall::Delete { peer });
    assert_eq!(code(world.ask(0, delete(anna))), Code::GroupsExist);
    assert_eq!(world.ask(0, Command::Close { handle }), Ok(Answer::Done));
    assert_eq!(code(world.ask(0, delete(anna))), Code::GroupsExist);
    assert_eq!(
        world.ask(0, delete(berta)),
        Ok(Answer::Done),
        "another's do not count"
    );
    delete_group(&mut world, group.group, Some(anna));
    assert_eq!(world.ask(0, delete(anna)), Ok(Answer::Done));
}

/// The group is not stored yet when its identity is to be deleted.
#[test]
fn an_identity_whose_group_is_being_made_is_not_deleted() {
    let mut world = world(1);
    let anna = one(&mut world, 0, named("Anna")).peer;
    let make = world.command(0, create_group(&world, Some(anna))).unwrap();
    let delete = world
        .command(0, call(IdentityCall::Delete { peer: anna }))
        .unwrap();
    world.run_for(10_000);
    let answers = &world.machines[0].app.answers;
    opened(answers[&make].clone());
    assert_eq!(code(answers[&delete].clone()), Code::GroupsExist);
}

#[test]
fn after_shutdown_every_call_under_way_says_so() {
    let mut world = world(1);
    let anna = one(&mut world, 0, named("Anna")).peer;
    let mut calls = on_one(anna);
    calls.push(call(IdentityCall::List));
    calls.push(call(named("Berta")));
    let requests: Vec<_> = calls
        .into_iter()
        .map(|call| world.command(0, call).unwrap())
        .collect();
    assert_eq!(world.ask(0, Command::Shutdown), Ok(Answer::Done));
    world.run_for(10_000);
    for request in requests {
        let answer = world.machines[0].app.answers[&request].clone();
        assert_eq!(code(answer), Code::NotInitialized);
    }
    assert_eq!(one(&mut world, 0, IdentityCall::Default).peer, anna);
}
