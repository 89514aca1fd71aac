//! An identity moves to another machine.

use peer_group::crypto::FAKE;
use peer_group::engine::command::IdentityCall;
use peer_group::engine::event::{Answer, IdentityInfo};
use peer_group::error::Code;
use peer_group::group::identity::Card;
use peer_group::wire::text::{self, TextKind};
use peer_group_tests::sim::world::World;

use crate::{call, code, list, named, one, password, world};

fn exported(world: &mut World, machine: usize, of: &IdentityInfo, under: &str) -> String {
    let export = IdentityCall::Export {
        peer: of.peer,
        password: password(under),
    };
    match world.ask(machine, call(export)) {
        Ok(Answer::Exported(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn import(text: &str, under: &str) -> IdentityCall {
    IdentityCall::Import {
        text: text.to_owned(),
        password: password(under),
    }
}

#[test]
fn it_is_the_same_person_there() {
    let mut world = world(2);
    let anna = one(&mut world, 0, named("Anna"));
    let text = exported(&mut world, 0, &anna, "open sesame");
    assert!(text.starts_with("pg-identity:"), "{text}");
    assert_ne!(
        text,
        exported(&mut world, 0, &anna, "open sesame"),
        "a new salt each time"
    );
    let there = one(&mut world, 1, import(&format!(" {text}\n"), "open sesame"));
    assert_eq!(there, anna);
    assert_eq!(Card::parse(&FAKE, &there.card).unwrap().peer, anna.peer);
    // Nobody was there before: it is who acts where nobody is named.
    assert_eq!(one(&mut world, 1, IdentityCall::Default), anna);
    world.crash(1);
    world.start(1);
    assert_eq!(list(&mut world, 1), [anna]);
}

#[test]
fn it_takes_nobodys_place() {
    let mut world = world(2);
    let anna = one(&mut world, 0, named("Anna"));
    let text = exported(&mut world, 0, &anna, "p");
    let own = one(&mut world, 1, IdentityCall::Default);
    assert_eq!(one(&mut world, 1, import(&text, "p")), anna);
    assert_eq!(one(&mut world, 1, IdentityCall::Default), own);
    assert_eq!(
        code(world.ask(1, call(import(&text, "p")))),
        Code::AlreadyExists
    );
    // A deleted one may come back.
    let delete = IdentityCall::Delete { peer: anna.peer };
    assert_eq!(world.ask(1, call(delete)), Ok(Answer::Done));
    assert_eq!(one(&mut world, 1, import(&text, "p")), anna);
}

#[test]
fn what_cannot_be_imported_says_why() {
    let mut world = world(2);
    let anna = one(&mut world, 0, named("Anna"));
    let text = exported(&mut world, 0, &anna, "open sesame");
    let cut = &text[..text.len() - 1];
    let bytes = text::decode(TextKind::Identity, &text, Code::Internal).unwrap();
    // Sealed, but of other bytes than were written.
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    // Asks for gigabytes: the number behind the version, in three bytes, as in ours.
    let mut greedy = bytes;
    greedy[1..4].copy_from_slice(&[0xff, 0xff, 0x7f]);
    let again = |bytes: &[u8]| text::encode(TextKind::Identity, bytes);
    for (what, text, under, expected) in [
        ("wrong", text.as_str(), "open sesam", Code::WrongPassword),
        ("cut", cut, "open sesame", Code::InvalidArgument),
        ("a card", &anna.card, "open sesame", Code::InvalidArgument),
        (
            "changed",
            &again(&other),
            "open sesame",
            Code::WrongPassword,
        ),
        (
            "greedy",
            &again(&greedy),
            "open sesame",
            Code::UnsupportedVersion,
        ),
    ] {
        assert_eq!(
            code(world.ask(1, call(import(text, under)))),
            expected,
            "{what}"
        );
    }
    assert_eq!(list(&mut world, 1), []);
}
