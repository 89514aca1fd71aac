//! Who is in a group and present, at the engine's facade: what members show of themselves, when, and
//! for how long.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says what it measured"
)]

mod direct;
mod policy;
mod presence;
mod traffic;

use peer_group::crypto::FAKE;
use peer_group::engine::command::{
    Command, IdentityCall, NewGroup, NewInvitation, OpenOptions, PresenceChange, Store,
};
use peer_group::engine::event::{Answer, Event, MemberChange, MemberInfo};
use peer_group::names::{NodeId, PeerId};
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

pub(crate) fn world(machines: usize) -> World {
    World::new(Options::plain(7, &FAKE, machines))
}

pub(crate) fn peer(world: &World, machine: usize) -> PeerId {
    world.machines[machine].app.peer.unwrap()
}

pub(crate) fn node(world: &World, machine: usize) -> NodeId {
    world.machines[machine].app.node_id.unwrap()
}

/// What a machine shows of the member that another one is.
pub(crate) fn shown(world: &World, machine: usize, of: usize) -> Option<MemberInfo> {
    world.members_of(machine).remove(&peer(world, of))
}

/// Whether a machine shows the node that another one is now.
pub(crate) fn shows(world: &World, machine: usize, of: usize) -> bool {
    shows_node(world, machine, of, node(world, of))
}

pub(crate) fn shows_node(world: &World, machine: usize, of: usize, node: NodeId) -> bool {
    let nodes = shown(world, machine, of).map(|info| info.nodes);
    nodes.is_some_and(|nodes| nodes.iter().any(|of| of.node_id == node))
}

/// What a machine heard of the member that another one is, from event number `from` on.
pub(crate) fn heard(world: &World, machine: usize, of: usize, from: usize) -> Vec<MemberChange> {
    let of = peer(world, of);
    let heard = world.machines[machine].heard.iter().skip(from);
    let changes = heard.filter_map(|(_, event)| match event {
        Event::MemberChanged { change, peer, .. } if *peer == of => Some(*change),
        _ => None,
    });
    changes.collect()
}

pub(crate) fn name(world: &mut World, machine: usize, name: &str) {
    let call = IdentityCall::Rename {
        peer: peer(world, machine),
        name: name.to_owned(),
    };
    let store = Store::Default;
    let answer = world.ask(machine, Command::Identities { store, call });
    assert!(matches!(answer, Ok(Answer::Identity(_))), "{answer:?}");
}

pub(crate) fn set_presence(
    world: &mut World,
    machine: usize,
    present: Option<bool>,
    attributes: Option<&str>,
) {
    let command = Command::SetPresence {
        handle: world.machines[machine].app.handle(),
        change: PresenceChange {
            present,
            attributes: attributes.map(str::to_owned),
        },
    };
    assert_eq!(world.ask(machine, command), Ok(Answer::Done));
}

/// The first `count` machines are a group of that kind and online; the text admits whoever follows.
pub(crate) fn group_like(world: &mut World, group: NewGroup, count: usize) -> String {
    world.start(0);
    let options = world.open_options();
    let made = world.ask(0, Command::CreateGroup { options, group });
    assert!(matches!(made, Ok(Answer::Opened(_))), "{made:?}");
    world.trust(0);
    let invitation = NewInvitation {
        max_uses: 100,
        ..NewInvitation::default()
    };
    let text = world.invitation(0, invitation);
    world.connect(0).unwrap();
    for machine in 1..count {
        world.join(machine, &text).unwrap();
        world.trust(machine);
        world.connect(machine).unwrap();
    }
    let whole = |world: &World| (0..count).all(|m| world.neighbor_count(m) == count - 1);
    assert!(world.run_until(30_000, whole));
    text
}

/// A machine that has been in the group comes back.
pub(crate) fn come_back(world: &mut World, machine: usize) {
    world.start(machine);
    let group = world.machines[machine].app.group.unwrap();
    let options = OpenOptions {
        ..world.open_options()
    };
    let opened = world.ask(machine, Command::OpenGroup { options, group });
    assert!(matches!(opened, Ok(Answer::Opened(_))), "{opened:?}");
    world.connect(machine).unwrap();
}

pub(crate) fn close(world: &mut World, machine: usize) {
    let handle = world.machines[machine].app.handle();
    assert_eq!(
        world.ask(machine, Command::Close { handle }),
        Ok(Answer::Done)
    );
}

pub(crate) fn until(world: &mut World, what: &str, done: impl FnMut(&World) -> bool) {
    assert!(world.run_until(10_000, done), "{what}");
    world.require_sound();
}
