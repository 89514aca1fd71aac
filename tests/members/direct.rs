//! Direct connections to a member find its nodes by their presence.

use peer_group::engine::command::{Command, Target};
use peer_group::engine::event::Answer;
use peer_group::engine::input::Input;
use peer_group::names::NodeId;
use peer_group_tests::sim::world::World;

use crate::{come_back, node, peer, shown, until, world};

fn open(world: &mut World, from: usize, to: usize) -> NodeId {
    let command = Command::OpenDirect {
        handle: world.machines[from].app.handle(),
        to: Target::Peer(peer(world, to)),
        label: "talk".to_owned(),
        timeout_ms: 25_000,
    };
    match world.ask(from, command) {
        Ok(Answer::Connected(info)) => info.node_id,
        other => panic!("{other:?}"),
    }
}

/// Machine 1's member has a second node, machine 2, which is newer.
fn two_nodes() -> World {
    let mut world = world(3);
    world.group_of(2);
    world.machines[2].disk = world.machines[1].disk.clone();
    world.machines[2].app.group = world.machines[1].app.group;
    come_back(&mut world, 2);
    until(&mut world, "two nodes", |world| {
        shown(world, 0, 1).is_some_and(|info| info.nodes.len() == 2)
    });
    world.run_for(5_000);
    world
}

#[test]
fn the_newest_node_is_taken_that_somebody_looks_at() {
    let mut world = two_nodes();
    let (older, newer) = (node(&world, 1), node(&world, 2));
    assert_eq!(open(&mut world, 0, 1), newer);
    world.input(2, Input::Seen { visible: false });
    until(&mut world, "the newer is away", |world| {
        shown(world, 0, 1).is_some_and(|info| info.nodes[1].away)
    });
    assert_eq!(open(&mut world, 0, 1), older);
}

#[test]
fn where_the_newest_ended_without_a_word_the_next_is_tried() {
    let mut world = two_nodes();
    let older = node(&world, 1);
    world.crash(2);
    // Its links are given up, and its presence lingers.
    world.run_for(60_000);
    assert_eq!(shown(&world, 0, 1).unwrap().nodes.len(), 2);
    assert_eq!(open(&mut world, 0, 1), older);
}

#[test]
fn a_member_is_reached_that_is_no_neighbor() {
    let mut world = world(12);
    let text = world.group_of(8);
    for machine in 8..12 {
        world.join(machine, &text).unwrap();
        world.trust(machine);
        world.connect(machine).unwrap();
    }
    world.run_for(60_000);
    let handle = world.machines[0].app.handle();
    let engine = world.machines[0].engine();
    let linked: Vec<NodeId> = engine
        .connections(handle, None)
        .unwrap()
        .iter()
        .map(|info| info.node_id)
        .collect();
    let far: Vec<usize> = (1..12)
        .filter(|other| !linked.contains(&node(&world, *other)))
        .collect();
    assert!(!far.is_empty(), "everybody is everybody's neighbor");
    for other in far {
        assert_eq!(open(&mut world, 0, other), node(&world, other));
    }
}
