//! What a group costs in which nothing happens.

use peer_group_tests::sim::world::World;

use crate::{shows, until, world};

/// Bytes that all links carried.
fn carried(world: &World) -> u64 {
    world.net.ends.iter().map(|end| end.carried).sum()
}

/// Bytes per second that one node sends over all its links while nothing happens.
fn idle(nodes: usize) -> f64 {
    let mut world = world(nodes);
    world.group_of(nodes);
    until(&mut world, "presence", |world| {
        (0..nodes).all(|at| (0..nodes).all(|of| shows(world, at, of)))
    });
    world.run_for(300_000);
    let before = carried(&world);
    let time = 1_800;
    assert!(world.run_for(time * 1000));
    let all = (carried(&world) - before) as f64 / time as f64;
    // Whoever is there was shown all the time.
    assert!((0..nodes).all(|at| (0..nodes).all(|of| shows(&world, at, of))));
    all / nodes as f64
}

#[test]
fn a_group_of_eight_costs_next_to_nothing() {
    let (two, eight) = (idle(2), idle(8));
    println!("idle: {two:.1} B/s sent by each of 2 nodes, {eight:.1} B/s by each of 8");
    assert!(eight < 100.0, "{eight:.1} B/s by each of 8 nodes");
}
