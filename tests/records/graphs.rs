//! Records of graphs, where no credentials say what is kept: the app may.

use peer_group::engine::command::{Command, OpenOptions};
use peer_group::engine::event::Answer;
use peer_group::engine::input::Verdict;
use peer_group::error::Code;
use peer_group::names::RecordId;
use peer_group_tests::sim::world::World;

use crate::{add, code, get, list, record, until, world};

/// The first machine's graph, listening, with records of two types; the second's, opened with the
/// options, and connected.
fn graph_pair(options: impl FnOnce(OpenOptions) -> OpenOptions, verdict: Option<Verdict>) -> World {
    let mut world = world(2);
    let graph = || "a graph".to_owned();
    world.start(0);
    let plain = world.open_options();
    let create = Command::CreateGraph {
        options: plain,
        graph: graph(),
    };
    let created = world.ask(0, create);
    assert!(matches!(created, Ok(Answer::Opened(_))), "{created:?}");
    world.trust(0);
    for kind in ["second", "first", "second", "first"] {
        add(&mut world, 0, record(kind));
    }
    let handle = world.machines[0].app.handle();
    let Ok(Answer::Listening(address)) = world.ask(0, Command::Listen { handle }) else {
        panic!("it listens")
    };
    world.start(1);
    world.machines[1].app.about_records = verdict;
    let options = options(world.open_options());
    let open = Command::OpenGraph {
        options,
        graph: graph(),
    };
    let opened = world.ask(1, open);
    assert!(matches!(opened, Ok(Answer::Opened(_))), "{opened:?}");
    world.trust(1);
    let connect = Command::ConnectNode {
        handle: world.machines[1].app.handle(),
        peer: None,
        address,
        timeout_ms: 10_000,
    };
    let connected = world.ask(1, connect);
    assert!(
        matches!(connected, Ok(Answer::Connected(_))),
        "{connected:?}"
    );
    world.run_for(10_000);
    world
}

fn kinds(world: &mut World, machine: usize) -> Vec<String> {
    list(world, machine)
        .into_iter()
        .map(|record| record.kind)
        .collect()
}

fn validating(options: OpenOptions) -> OpenOptions {
    OpenOptions {
        validates: true,
        ..options
    }
}

#[test]
fn a_graph_says_which_wanted_types_are_complete() {
    let first = |options: OpenOptions| OpenOptions {
        sync_precedence: vec!["first".to_owned(), "none".to_owned()],
        ..options
    };
    let mut world = graph_pair(first, Some(Verdict::Accept));
    assert_eq!(world.machines[1].app.complete, ["first", "none"]);
    let mut kinds = kinds(&mut world, 1);
    kinds.sort();
    assert_eq!(kinds, ["first", "first", "second", "second"]);
    world.require_sound();
}

#[test]
fn the_app_of_a_graph_decides_what_is_kept() {
    let mut taken = graph_pair(validating, Some(Verdict::Accept));
    assert_eq!(kinds(&mut taken, 1).len(), 4);
    let mut refused = graph_pair(validating, Some(Verdict::Reject));
    refused.run_for(200_000);
    assert_eq!(list(&mut refused, 1), vec![]);
    // Silence is no.
    let mut silent = graph_pair(validating, None);
    silent.run_for(10_000);
    assert_eq!(list(&mut silent, 1), vec![]);
    for world in [taken, refused, silent] {
        world.require_sound();
    }
}

#[test]
fn what_the_app_defers_is_asked_about_again_when_it_says_so() {
    let mut world = graph_pair(validating, Some(Verdict::Defer));
    assert_eq!(list(&mut world, 1), vec![]);
    world.machines[1].app.about_records = Some(Verdict::Accept);
    let ids: Vec<RecordId> = list(&mut world, 0).iter().map(|record| record.id).collect();
    let handle = world.machines[1].app.handle();
    let some = Command::ValidateDeferred {
        handle,
        ids: ids[..1].to_vec(),
    };
    assert_eq!(world.ask(1, some), Ok(Answer::Done));
    until(&mut world, 1, ids[0], Result::is_ok);
    assert_eq!(list(&mut world, 1).len(), 1);
    let all = Command::ValidateDeferred {
        handle,
        ids: Vec::new(),
    };
    assert_eq!(world.ask(1, all), Ok(Answer::Done));
    until(&mut world, 1, ids[3], Result::is_ok);
    assert_eq!(list(&mut world, 1).len(), 4);
    world.require_sound();
}

#[test]
fn what_is_deleted_here_only_comes_back() {
    let mut world = graph_pair(|options| options, Some(Verdict::Accept));
    let id = list(&mut world, 0)[0].id;
    let handle = world.machines[1].app.handle();
    let delete = Command::DeleteLocal { handle, id };
    assert_eq!(world.ask(1, delete.clone()), Ok(Answer::Done));
    assert_eq!(get(&mut world, 1, id), Err(Code::RecordNotFound));
    assert_eq!(code(world.ask(1, delete)), Code::RecordNotFound);
    assert!(get(&mut world, 0, id).is_ok());
    // Neighbors compare once a minute.
    world.run_for(200_000);
    assert!(get(&mut world, 1, id).is_ok());
    world.require_sound();
}

#[test]
fn nobody_changes_anothers_record_in_a_graph_that_validates_nothing() {
    let mut world = graph_pair(|options| options, Some(Verdict::Accept));
    let id = list(&mut world, 1)[0].id;
    let handle = world.machines[1].app.handle();
    let delete = Command::DeleteRecord { handle, id };
    assert_eq!(code(world.ask(1, delete)), Code::NotAuthorized);
}
