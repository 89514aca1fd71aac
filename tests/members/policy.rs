//! What a group's properties say about members and presence, what records of the engine's own may not
//! be used for, and what they cost.

use peer_group::engine::command::{
    Command, Expiry, NewGroup, NewRecord, PresenceChange, RecordUpdate,
};
use peer_group::engine::event::{Answer, Event};
use peer_group::error::Code;
use peer_group::limits::PRESENCE_ATTRIBUTES_BYTES;
use peer_group::record::reserved::{MEMBER, PRESENCE, member_id, presence_id};
use peer_group_tests::sim::world::World;

use crate::{group_like, node, peer, set_presence, shown, shows, until, world};

fn quiet_group() -> NewGroup {
    NewGroup {
        presence_disabled: true,
        member_data_optional: true,
        ..World::new_group()
    }
}

fn note(handle: peer_group::names::HandleId) -> Command {
    Command::AddRecord {
        handle,
        record: NewRecord {
            kind: "note".to_owned(),
            data: vec![1],
            attributes: Vec::new(),
            expires: Expiry::In(3_600_000),
            auto_refresh: false,
        },
    }
}

#[test]
fn where_presence_is_disabled_only_those_are_present_who_ask_for_it() {
    let mut world = world(2);
    let group = NewGroup {
        presence_disabled: true,
        ..World::new_group()
    };
    group_like(&mut world, group, 2);
    world.run_for(30_000);
    assert!(!shows(&world, 0, 1) && !shows(&world, 1, 0) && !shows(&world, 1, 1));
    assert!(shown(&world, 0, 1).is_some());
    set_presence(&mut world, 1, Some(true), Some("here"));
    until(&mut world, "it is seen", |world| shows(world, 0, 1));
    assert_eq!(shown(&world, 0, 1).unwrap().nodes[0].attributes, "here");
    assert!(!shows(&world, 1, 0));
}

#[test]
fn where_member_data_is_optional_members_are_listed_once_they_do_something() {
    let mut world = world(3);
    group_like(&mut world, quiet_group(), 3);
    world.run_for(30_000);
    assert!(shown(&world, 1, 2).is_none() && shown(&world, 2, 1).is_none());
    // Itself it always sees, and whoever let others in has done something.
    assert!(shown(&world, 1, 1).is_some());
    assert!(shown(&world, 1, 0).is_some());
    let handle = world.machines[2].app.handle();
    world.ask(2, note(handle)).unwrap();
    until(&mut world, "it wrote", |world| shown(world, 1, 2).is_some());
    set_presence(&mut world, 1, Some(true), None);
    until(&mut world, "it is present", |world| {
        shown(world, 2, 1).is_some()
    });
}

#[test]
fn apps_neither_see_nor_write_records_of_the_engines_own() {
    let mut world = world(2);
    world.group_of(2);
    until(&mut world, "presence", |world| {
        shows(world, 0, 1) && shows(world, 1, 0)
    });
    let handle = world.machines[0].app.handle();
    let list = |kind: Option<&str>| Command::ListRecords {
        handle,
        kind: kind.map(str::to_owned),
        creator: None,
    };
    for kind in [None, Some(MEMBER), Some(PRESENCE)] {
        assert_eq!(world.read(0, list(kind)), Ok(Answer::Records(Vec::new())));
    }
    let crypto = world.options.crypto;
    let own = peer(&world, 0);
    let ids = [
        member_id(crypto, own),
        presence_id(crypto, own, node(&world, 0)),
    ];
    for id in ids {
        // It is there.
        assert!(
            world.machines[0]
                .engine()
                .held(handle, id)
                .unwrap()
                .is_some()
        );
        let refused = [
            Command::GetRecord { handle, id },
            Command::DeleteRecord { handle, id },
            Command::UpdateRecord {
                handle,
                id,
                update: RecordUpdate {
                    data: Some(vec![1]),
                    attributes: None,
                    expires: None,
                    if_version: None,
                },
            },
        ];
        for command in refused {
            let error = world.ask(0, command).unwrap_err();
            assert_eq!(error.code, Code::RecordNotFound);
        }
    }
    let told = world.machines.iter().flat_map(|of| &of.heard);
    let records = told.filter(|(_, event)| matches!(event, Event::RecordChanged { .. }));
    assert_eq!(records.count(), 0);
}

#[test]
fn presence_is_not_stored_and_names_are() {
    let mut world = world(2);
    world.group_of(2);
    until(&mut world, "presence", |world| {
        shows(world, 0, 1) && shows(world, 1, 0)
    });
    world.run_for(5_000);
    let keys: Vec<&String> = world.machines[0].disk.keys().map(|(_, key)| key).collect();
    let has =
        |id: peer_group::names::RecordId| keys.iter().any(|key| key.contains(&id.to_string()));
    let crypto = world.options.crypto;
    for machine in 0..2 {
        let of = peer(&world, machine);
        assert!(has(member_id(crypto, of)));
        assert!(!has(presence_id(crypto, of, node(&world, machine))));
    }
}

#[test]
fn attributes_have_a_bound_and_graphs_no_members() {
    let mut world = world(1);
    world.create(0);
    let handle = world.machines[0].app.handle();
    let set = |attributes: String| Command::SetPresence {
        handle,
        change: PresenceChange {
            present: None,
            attributes: Some(attributes),
        },
    };
    let most = "é".repeat(PRESENCE_ATTRIBUTES_BYTES / 2);
    assert_eq!(world.ask(0, set(most.clone())), Ok(Answer::Done));
    let error = world.ask(0, set(most + "x")).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    let graph = Command::CreateGraph {
        options: world.open_options(),
        graph: "g".to_owned(),
    };
    let Ok(Answer::Opened(graph)) = world.ask(0, graph) else {
        panic!("no graph");
    };
    let engine = world.machines[0].engine();
    let error = engine.members(graph.handle, None, None).unwrap_err();
    assert_eq!(error.code, Code::InvalidGroup);
}
