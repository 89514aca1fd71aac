//! Membership at the engine's facade and between members: what a group is like and who may do what in
//! it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where something is wrong"
)]

mod issuing;
mod properties;
mod removal;
mod roles;
mod thief;
mod time;

use peer_group::crypto::FAKE;
use peer_group::engine::event::Answer;
use peer_group::error::{Code, Error};
use peer_group::names::PeerId;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

pub(crate) fn world(machines: usize) -> World {
    World::new(Options::plain(3, &FAKE, machines))
}

pub(crate) fn refused(result: Result<Answer, Error>) -> Error {
    result.expect_err("it must be refused")
}

pub(crate) fn code(result: Result<Answer, Error>) -> Code {
    refused(result).code
}

pub(crate) fn peer(world: &World, machine: usize) -> PeerId {
    world.machines[machine].app.peer.unwrap()
}
