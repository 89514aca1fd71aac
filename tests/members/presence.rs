//! Nodes come, go, end without a word, and come back.

use peer_group::engine::command::Command;
use peer_group::engine::event::MemberChange::{Connected, Disconnected, Joined, Updated};
use peer_group::engine::input::Input;
use peer_group::limits::{JOINED_WAIT_MS, PRESENCE_LIFETIME_MIN_S, PRESENCE_PAUSE_MS};
use peer_group::names::Role;

use crate::{
    close, come_back, group_like, heard, name, node, peer, set_presence, shown, shows, shows_node,
    until, world,
};
use peer_group_tests::sim::world::World;

const LIFE_MS: u64 = PRESENCE_LIFETIME_MIN_S as u64 * 1000;

#[test]
fn members_are_listed_offline_and_their_own_first() {
    let mut world = world(1);
    world.create(0);
    let own = shown(&world, 0, 0).unwrap();
    assert_eq!((own.role, own.nodes.len()), (Role::Admin, 0));
    assert!(own.credential.issued_by_group && own.credential.until.is_none());
    assert_eq!(
        own.credential.issuer,
        world.machines[0].app.group.unwrap().0
    );
}

#[test]
fn a_new_member_is_told_of_with_its_name_and_then_as_present() {
    let mut world = world(2);
    let text = world.group_of(1);
    let before = world.machines[0].heard.len();
    world.join(1, &text).unwrap();
    world.trust(1);
    name(&mut world, 1, "Ada");
    world.connect(1).unwrap();
    until(&mut world, "both show both", |world| {
        (0..2).all(|at| (0..2).all(|of| shows(world, at, of)))
    });
    // By the time it is told of, its name is known.
    until(&mut world, "it is told of", |world| {
        heard(world, 0, 1, before).contains(&Joined)
    });
    let ada = shown(&world, 0, 1).unwrap();
    assert_eq!((ada.name.as_str(), ada.role), ("Ada", Role::Member));
    assert_eq!(ada.credential.issuer, peer(&world, 0).0);
    assert!(!ada.credential.issued_by_group);
    assert_eq!(heard(&world, 0, 1, before), [Joined, Connected]);
    // Who was there before has not joined because somebody hears of it.
    assert!(!heard(&world, 1, 0, 0).contains(&Joined));
    assert!(heard(&world, 1, 0, 0).contains(&Connected));
}

#[test]
fn whoever_does_not_say_its_name_is_told_of_after_a_while() {
    let mut world = world(2);
    let text = world.group_of(1);
    let before = world.machines[0].heard.len();
    world.join(1, &text).unwrap();
    world.trust(1);
    let connect = Command::Connect {
        handle: world.machines[1].app.handle(),
        timeout_ms: 30_000,
        addresses: Vec::new(),
    };
    world.command(1, connect).unwrap();
    // It ends as soon as it was let in.
    until(&mut world, "it was let in", |world| {
        world.neighbor_count(0) == 1
    });
    world.crash(1);
    world.run_for(JOINED_WAIT_MS / 2);
    // Neither told of nor shown.
    assert_eq!(heard(&world, 0, 1, before), []);
    assert!(shown(&world, 0, 1).is_none());
    world.run_for(JOINED_WAIT_MS);
    assert_eq!(heard(&world, 0, 1, before), [Joined]);
    assert!(shown(&world, 0, 1).is_some());
}

#[test]
fn a_name_changes_live() {
    let mut world = world(2);
    world.group_of(2);
    until(&mut world, "presence", |world| shows(world, 1, 0));
    let before = world.machines[1].heard.len();
    name(&mut world, 0, "Bob");
    until(&mut world, "the name", |world| {
        shown(world, 1, 0).is_some_and(|info| info.name == "Bob")
    });
    assert_eq!(heard(&world, 1, 0, before), [Updated]);
    assert_eq!(shown(&world, 0, 0).unwrap().name, "Bob");
}

#[test]
fn a_node_that_leaves_is_not_present_at_once() {
    let mut world = world(3);
    world.group_of(3);
    until(&mut world, "presence", |world| {
        (0..3).all(|at| (0..3).all(|of| shows(world, at, of)))
    });
    let (gone, before) = (node(&world, 2), world.machines[0].heard.len());
    close(&mut world, 2);
    world.run_for(200);
    for other in 0..2 {
        assert!(!shows_node(&world, other, 2, gone));
        assert!(shown(&world, other, 2).is_some());
    }
    assert_eq!(heard(&world, 0, 2, before), [Disconnected]);
}

#[test]
fn a_node_that_ends_without_a_word_is_shown_for_the_life_of_its_presence() {
    let mut world = world(3);
    world.group_of(3);
    until(&mut world, "presence", |world| {
        shows(world, 0, 2) && shows(world, 1, 2)
    });
    let gone = node(&world, 2);
    world.crash(2);
    world.run_for(60_000);
    assert!(shows_node(&world, 0, 2, gone) && shows_node(&world, 1, 2, gone));
    let before = world.machines[0].heard.len();
    world.run_for(LIFE_MS);
    assert!(!shows_node(&world, 0, 2, gone) && !shows_node(&world, 1, 2, gone));
    assert_eq!(heard(&world, 0, 2, before), [Disconnected]);
    // Who is there stays so, however long.
    world.run_for(3 * LIFE_MS);
    assert!(shows(&world, 0, 1) && shows(&world, 1, 0));
    assert_eq!(heard(&world, 0, 1, before), []);
}

#[test]
fn who_is_alone_does_not_show_the_others_for_ever() {
    let mut world = world(2);
    let group = peer_group::engine::command::NewGroup {
        defer_expiration: true,
        ..World::new_group()
    };
    group_like(&mut world, group, 2);
    until(&mut world, "presence", |world| shows(world, 0, 1));
    let gone = node(&world, 1);
    world.crash(1);
    world.run_for(LIFE_MS + 120_000);
    // Nothing of apps ends while it is alone.
    assert!(!shows_node(&world, 0, 1, gone));
    assert!(shows(&world, 0, 0));
}

#[test]
fn a_node_that_comes_back_takes_the_place_of_the_one_before_at_once() {
    let mut world = world(3);
    world.group_of(3);
    until(&mut world, "presence", |world| {
        shows(world, 0, 2) && shows(world, 1, 2)
    });
    for _ in 0..3 {
        let before = node(&world, 2);
        world.crash(2);
        world.run_for(1_000);
        come_back(&mut world, 2);
        assert_ne!(node(&world, 2), before);
        until(&mut world, "the new one", |world| {
            (0..3).all(|at| shows(world, at, 2) && !shows_node(world, at, 2, before))
        });
        assert_eq!(shown(&world, 0, 2).unwrap().nodes.len(), 1);
    }
}

#[test]
fn a_copied_storage_does_not_make_two_nodes_fight() {
    let mut world = world(3);
    world.group_of(2);
    until(&mut world, "presence", |world| shows(world, 0, 1));
    world.machines[2].disk = world.machines[1].disk.clone();
    world.machines[2].app.group = world.machines[1].app.group;
    come_back(&mut world, 2);
    until(&mut world, "both nodes of one member", |world| {
        let nodes = shown(world, 0, 1).map_or(0, |info| info.nodes.len());
        nodes == 2
    });
    // What the copy takes for its own predecessor is withdrawn once, and says that it is there.
    world.run_for(10_000);
    assert_eq!(shown(&world, 0, 1).unwrap().nodes.len(), 2);
    let before = world.machines[0].heard.len();
    name(&mut world, 1, "Ada");
    name(&mut world, 2, "Eve");
    world.run_for(10_000);
    assert!(heard(&world, 0, 1, before).len() <= 3);
    let before = world.machines[0].heard.len();
    world.run_for(60_000);
    assert_eq!(heard(&world, 0, 1, before), []);
}

#[test]
fn a_hidden_page_is_away_and_back_when_it_is_seen() {
    let mut world = world(2);
    world.group_of(2);
    until(&mut world, "presence", |world| shows(world, 1, 0));
    let is_away = |world: &World| shown(world, 1, 0).is_some_and(|info| info.nodes[0].away);
    assert!(!is_away(&world));
    let before = world.machines[1].heard.len();
    world.run_for(PRESENCE_PAUSE_MS);
    world.input(0, Input::Seen { visible: false });
    until(&mut world, "away", is_away);
    world.input(0, Input::Seen { visible: true });
    until(&mut world, "back", |world| !is_away(world));
    assert_eq!(heard(&world, 1, 0, before), [Updated, Updated]);
}

#[test]
fn what_an_app_sets_often_travels_once_a_second() {
    let mut world = world(2);
    world.group_of(2);
    until(&mut world, "presence", |world| shows(world, 1, 0));
    world.run_for(PRESENCE_PAUSE_MS);
    let before = world.machines[1].heard.len();
    for count in 0..200 {
        set_presence(&mut world, 0, None, Some(&format!("at {count}")));
        world.run_for(10);
    }
    until(&mut world, "the last", |world| {
        shown(world, 1, 0).is_some_and(|info| info.nodes[0].attributes == "at 199")
    });
    let changes = heard(&world, 1, 0, before).len();
    assert!((3..=4).contains(&changes), "{changes} changes in 2 s");
}

#[test]
fn who_does_not_want_to_be_seen_is_not() {
    let mut world = world(2);
    world.group_of(2);
    until(&mut world, "presence", |world| shows(world, 1, 0));
    set_presence(&mut world, 0, Some(false), None);
    until(&mut world, "unseen", |world| !shows(world, 1, 0));
    world.run_for(LIFE_MS);
    assert!(!shows(&world, 1, 0));
    set_presence(&mut world, 0, Some(true), None);
    until(&mut world, "seen", |world| shows(world, 1, 0));
}
