//! Groups of an identity: listed, and moved to another machine together with it.

use peer_group::crypto::FAKE;
use peer_group::engine::command::{Command, IdentityCall, OpenOptions, Store};
use peer_group::engine::event::{Answer, GroupInfo};
use peer_group::error::{Code, Error};
use peer_group::group::state::GroupState;
use peer_group::names::{GroupId, HandleId, PeerId};
use peer_group::wire::text::{self, TextKind};
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

use crate::{call, code, create_group, delete_group, list, named, one, opened, password, world};

fn groups(world: &mut World, identity: Option<PeerId>) -> Vec<GroupInfo> {
    let store = Store::Default;
    match world.ask(0, Command::ListGroups { store, identity }) {
        Ok(Answer::Groups(groups)) => groups,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_identity_has_its_groups_in_a_list() {
    let mut world = world(1);
    assert_eq!(groups(&mut world, None), []);
    assert_eq!(list(&mut world, 0), [], "for looking nobody is made");
    let anna = one(&mut world, 0, named("Anna")).peer;
    let berta = one(&mut world, 0, named("Berta")).peer;
    let make = create_group(&world, Some(berta));
    let group = opened(world.ask(0, make)).group;
    let info = GroupInfo {
        group,
        friendly_name: World::new_group().friendly_name,
    };
    assert_eq!(groups(&mut world, Some(berta)), [info]);
    for other in [None, Some(anna)] {
        assert_eq!(groups(&mut world, other), []);
    }
    // What cannot be read is still there, to be deleted.
    let key = GroupState::key(group, berta);
    world.machines[0]
        .disk
        .insert((Store::Default, key), vec![9]);
    let found = groups(&mut world, Some(berta));
    assert_eq!(
        (found[0].group, found[0].friendly_name.as_str()),
        (group, "")
    );
    delete_group(&mut world, group, Some(berta));
    assert_eq!(groups(&mut world, Some(berta)), []);
}

fn export(handle: HandleId) -> Command {
    Command::ExportConfig {
        handle,
        password: password("p"),
    }
}

fn exported(result: Result<Answer, Error>) -> String {
    match result {
        Ok(Answer::Exported(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn import(text: &str, under: &str, overwrite: bool) -> Command {
    Command::ImportConfig {
        store: Store::Default,
        text: text.to_owned(),
        password: password(under),
        overwrite,
    }
}

/// Takes the identity of a machine to another one.
fn bring(world: &mut World, from: usize, to: usize, peer: PeerId) {
    let export = call(IdentityCall::Export {
        peer,
        password: password("p"),
    });
    let text = exported(world.ask(from, export));
    let import = IdentityCall::Import {
        text,
        password: password("p"),
    };
    assert_eq!(one(world, to, import).peer, peer);
}

fn open(world: &World, group: GroupId) -> Command {
    Command::OpenGroup {
        options: world.open_options(),
        group,
    }
}

/// The creator and a member move, each to a machine of its own, and meet there.
#[test]
fn memberships_move_to_other_machines() {
    let mut world = World::new(Options::plain(3, &FAKE, 4));
    world.group_of(2);
    let group = world.machines[0].app.group.unwrap();
    for (from, to) in [(0, 2), (1, 3)] {
        world.start(to);
        let peer = world.machines[from].app.peer.unwrap();
        let handle = world.machines[from].app.handle();
        bring(&mut world, from, to, peer);
        let text = exported(world.ask(from, export(handle)));
        assert!(text.starts_with("pg-config:"), "{text}");
        let imported = world.ask(to, import(&text, "p", false));
        assert_eq!(imported, Ok(Answer::Imported(group, peer)));
        assert_eq!(world.ask(from, Command::Close { handle }), Ok(Answer::Done));
    }
    for machine in [2, 3] {
        let open = open(&world, group);
        let handle = opened(world.ask(machine, open)).handle;
        let connect = Command::Connect {
            handle,
            timeout_ms: 30_000,
            addresses: Vec::new(),
        };
        let connected = world.ask(machine, connect);
        assert!(matches!(connected, Ok(Answer::Status(_))), "{connected:?}");
    }
    world.run_for(10_000);
    let handle = world.machines[3].app.handle();
    let links = world.machines[3].engine().connections(handle, None);
    let peers: Vec<PeerId> = links.unwrap().iter().map(|link| link.peer).collect();
    assert_eq!(peers, [world.machines[2].app.peer.unwrap()]);
}

#[test]
fn what_of_a_group_cannot_be_moved_says_why() {
    let mut world = world(2);
    let anna = one(&mut world, 0, named("Anna")).peer;
    let make = create_group(&world, None);
    let made = opened(world.ask(0, make));
    let text = exported(world.ask(0, export(made.handle)));
    let strange = text::encode(TextKind::Config, &[1; 60]);
    for (what, text, under, expected) in [
        ("wrong", text.as_str(), "q", Code::WrongPassword),
        ("cut", &text[..text.len() - 1], "p", Code::InvalidArgument),
        ("other", &strange, "p", Code::UnsupportedVersion),
        ("nobody's", text.as_str(), "p", Code::IdentityNotFound),
    ] {
        assert_eq!(
            code(world.ask(1, import(text, under, false))),
            expected,
            "{what}"
        );
    }
    bring(&mut world, 0, 1, anna);
    assert!(world.ask(1, import(&text, "p", false)).is_ok());
    assert_eq!(
        code(world.ask(1, import(&text, "p", false))),
        Code::AlreadyExists
    );
    assert!(world.ask(1, import(&text, "p", true)).is_ok());
    let open = open(&world, made.group);
    let there = opened(world.ask(1, open));
    assert_eq!(
        code(world.ask(1, import(&text, "p", true))),
        Code::GroupInUse
    );
    // The creator's own key came along: it may let people in as before.
    assert!(there.peer == anna && there.group == made.group);
    let handle = there.handle;
    assert_eq!(world.ask(1, Command::Close { handle }), Ok(Answer::Done));
    assert_eq!(code(world.ask(1, export(handle))), Code::InvalidGroup);
    world.machines[1].disk_full = true;
    assert_eq!(
        code(world.ask(1, import(&text, "p", true))),
        Code::StorageFull
    );
}

#[test]
fn a_graph_has_nothing_of_a_group() {
    let mut world = world(1);
    let options = OpenOptions::default();
    let graph = "a graph".to_owned();
    let made = opened(world.ask(0, Command::CreateGraph { options, graph }));
    assert_eq!(code(world.ask(0, export(made.handle))), Code::InvalidGroup);
}

/// The handle closes while the password is being stretched.
#[test]
fn an_export_ends_with_its_handle() {
    let mut world = world(1);
    let make = create_group(&world, None);
    let handle = opened(world.ask(0, make)).handle;
    let request = world.command(0, export(handle)).unwrap();
    assert_eq!(world.ask(0, Command::Close { handle }), Ok(Answer::Done));
    world.run_for(10_000);
    let answer = world.machines[0].app.answers[&request].clone();
    assert_eq!(code(answer), Code::InvalidGroup);
}
