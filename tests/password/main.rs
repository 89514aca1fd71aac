//! Groups that admit by password: who comes in, who is told what, and what guessing costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says what it found"
)]

mod changing;
mod guessing;
mod holders;
mod removed;
mod transcript;

use peer_group::crypto::stretch::Password;
use peer_group::crypto::{Crypto, FAKE, REAL};
use peer_group::engine::command::{Command, NewGroup, NewInvitation, PropertiesChange};
use peer_group::engine::event::{Answer, Event, State};
use peer_group::error::{Code, Error};
use peer_group::group::invitation::preview;
use peer_group::names::Role;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

/// What the group of these tests asks for.
pub(crate) const RIGHT: &str = "three green teapots";

pub(crate) fn password(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

pub(crate) fn world(crypto: Crypto, machines: usize) -> World {
    World::new(Options::plain(5, crypto, machines))
}

pub(crate) fn code(result: Result<Answer, Error>) -> Code {
    result.expect_err("it must be refused").code
}

/// Machine 0 makes a group that asks for a password.
pub(crate) fn create(
    world: &mut World,
    change: impl FnOnce(&mut NewGroup),
) -> Result<Answer, Error> {
    world.start(0);
    let mut group = World::new_group();
    group.password = Some(password(RIGHT));
    change(&mut group);
    let options = world.open_options();
    let made = world.ask(0, Command::CreateGroup { options, group });
    world.trust(0);
    made
}

pub(crate) fn invitation(world: &mut World, machine: usize) -> Result<String, Error> {
    let handle = world.machines[machine].app.handle();
    match world.ask(machine, Command::CreatePasswordInvitation { handle })? {
        Answer::Invitation(text) => Ok(text),
        other => panic!("{other:?}"),
    }
}

/// Machine 0 serves a group that asks for a password: the text of its invitation.
pub(crate) fn hosted(world: &mut World) -> String {
    let made = create(world, |_| {});
    assert!(made.is_ok(), "{made:?}");
    let online = world.connect(0);
    assert!(online.is_ok(), "{online:?}");
    world.run_for(1_000);
    invitation(world, 0).unwrap()
}

/// A machine takes an invitation, with that password.
pub(crate) fn come(
    world: &mut World,
    machine: usize,
    text: &str,
    with: &str,
) -> Result<Answer, Error> {
    world.start(machine);
    let options = world.open_options();
    let join = Command::JoinWithPassword {
        options,
        invitation: text.to_owned(),
        password: password(with),
    };
    world.ask(machine, join)
}

/// And goes online.
pub(crate) fn enter(
    world: &mut World,
    machine: usize,
    text: &str,
    with: &str,
) -> Result<Answer, Error> {
    let joined = come(world, machine, text, with);
    assert!(joined.is_ok(), "{joined:?}");
    if with == RIGHT {
        world.trust(machine);
    }
    world.connect(machine)
}

pub(crate) fn give(world: &mut World, machine: usize, with: &str) -> Result<Answer, Error> {
    let handle = world.machines[machine].app.handle();
    let password = password(with);
    world.ask(machine, Command::GivePassword { handle, password })
}

pub(crate) fn set_password(world: &mut World, machine: usize, to: &str) -> Result<Answer, Error> {
    let handle = world.machines[machine].app.handle();
    let change = PropertiesChange {
        password: Some(password(to)),
        ..PropertiesChange::default()
    };
    world.ask(machine, Command::SetProperties { handle, change })
}

/// Somebody who comes by a link and may let others in, or may not.
pub(crate) fn member(world: &mut World, machine: usize, role: Role) {
    let link = NewInvitation {
        role,
        ..NewInvitation::default()
    };
    let text = world.invitation(0, link);
    let joined = world.join(machine, &text);
    assert!(joined.is_ok(), "{joined:?}");
    world.trust(machine);
    let online = world.connect(machine);
    assert!(online.is_ok(), "{online:?}");
}

pub(crate) fn told_wrong(world: &World, machine: usize) -> usize {
    let heard = world.machines[machine].heard.iter();
    let wrong = |event: &Event| matches!(event, Event::AuthenticationFailed { error, .. } if error.code == Code::WrongPassword);
    heard.filter(|(_, event)| wrong(event)).count()
}

#[test]
fn who_knows_the_password_is_a_member() {
    for crypto in [&REAL as Crypto, &FAKE] {
        let mut world = world(crypto, 2);
        let text = hosted(&mut world);
        let online = enter(&mut world, 1, &text, RIGHT);
        assert!(online.is_ok(), "{online:?}");
        assert_eq!(world.state(1), Some(State::Online));
        assert_eq!(world.neighbor_count(0), 1);
        // It needs no password to come back, and its machine does not keep it.
        world.crash(1);
        world.run_for(60_000);
        world.start(1);
        let group = world.machines[0].app.group.unwrap();
        let options = world.open_options();
        assert!(world.ask(1, Command::OpenGroup { options, group }).is_ok());
        let online = world.connect(1);
        assert!(online.is_ok(), "{online:?}");
        world.require_sound();
    }
}

#[test]
fn a_wrong_password_is_told_within_two_seconds_and_another_one_may_be_tried() {
    for crypto in [&REAL as Crypto, &FAKE] {
        let mut world = world(crypto, 2);
        let text = hosted(&mut world);
        let before = world.now;
        let refused = enter(&mut world, 1, &text, "three green teacups");
        assert_eq!(code(refused), Code::WrongPassword);
        assert!(world.now - before < 2_000, "{} ms", world.now - before);
        assert_eq!(told_wrong(&world, 1), 1);
        assert_eq!(world.state(1), Some(State::Disconnected));
        // Nothing is tried again by itself, nor without another word.
        assert_eq!(code(world.connect(1)), Code::WrongPassword);
        assert_eq!(told_wrong(&world, 1), 1, "there was nothing to ask with");
        assert_eq!(give(&mut world, 1, RIGHT), Ok(Answer::Done));
        world.trust(1);
        let online = world.connect(1);
        assert!(online.is_ok(), "{online:?}");
        world.require_sound();
    }
}

#[test]
fn what_the_password_makes_of_somebody_is_the_creators_choice() {
    let mut world = world(&FAKE, 3);
    let made = create(&mut world, |new| new.password_role = Role::InvitingMember);
    assert!(made.is_ok(), "{made:?}");
    assert!(world.connect(0).is_ok());
    world.run_for(1_000);
    let text = invitation(&mut world, 0).unwrap();
    let shown = preview(&FAKE, &text).unwrap();
    assert_eq!(
        (shown.kind, &shown.roles[..]),
        ("password", &[Role::InvitingMember][..])
    );
    assert!(enter(&mut world, 1, &text, RIGHT).is_ok());
    // It may invite, by the password too.
    world.run_for(5_000);
    let text = invitation(&mut world, 1).unwrap();
    assert!(enter(&mut world, 2, &text, RIGHT).is_ok());
}

#[test]
fn what_does_not_fit_is_refused_at_once() {
    let mut world = world(&FAKE, 3);
    for (weak, why) in [("short", "fewer than 8"), ("password1", "many people")] {
        let error = create(&mut world, |new| new.password = Some(password(weak))).unwrap_err();
        assert_eq!(error.code, Code::PasswordDoesNotMeetPolicy);
        assert!(error.detail.contains(why), "{}", error.detail);
    }
    let admin = create(&mut world, |new| new.password_role = Role::Admin);
    assert_eq!(code(admin), Code::InvalidGroupProperties);
    let made = create(&mut world, |new| new.password = None);
    assert!(made.is_ok(), "{made:?}");
    assert!(world.connect(0).is_ok());
    let error = invitation(&mut world, 0).unwrap_err();
    assert_eq!(error.code, Code::InvalidGroupProperties);
    let changed = set_password(&mut world, 0, RIGHT);
    assert_eq!(code(changed), Code::InvalidGroupProperties);
    // Each kind of invitation is taken as what it is.
    let link = world.invitation(0, NewInvitation::default());
    assert_eq!(
        code(come(&mut world, 1, &link, RIGHT)),
        Code::InvalidArgument
    );
    let mut other = self::world(&FAKE, 2);
    let text = hosted(&mut other);
    assert_eq!(code(other.join(1, &text)), Code::InvalidArgument);
}

#[test]
fn plain_members_make_no_invitations() {
    let mut world = world(&FAKE, 2);
    hosted(&mut world);
    member(&mut world, 1, Role::Member);
    world.run_for(5_000);
    assert_eq!(
        invitation(&mut world, 1).unwrap_err().code,
        Code::NotAuthorized
    );
}
