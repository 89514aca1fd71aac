//! Records at the engine's facade: what calls answer, every refusal with its code, and what two members
//! make of each other's records.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where something is wrong"
)]

mod graphs;

use peer_group::crypto::FAKE;
use peer_group::engine::command::{
    Command, Compare, Expiry, NewGroup, NewInvitation, NewRecord, RecordUpdate, Search,
};
use peer_group::engine::event::{Answer, Event, RecordInfo};
use peer_group::error::{Code, Error};
use peer_group::limits;
use peer_group::names::{HandleId, RecordId};
use peer_group::wire::attributes::Value;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

const HOUR_MS: u64 = 3_600_000;

fn world(nodes: usize) -> World {
    World::new(Options::plain(3, &FAKE, nodes))
}

fn code(result: Result<Answer, Error>) -> Code {
    result.expect_err("it must be refused").code
}

fn record(kind: &str) -> NewRecord {
    NewRecord {
        kind: kind.to_owned(),
        data: b"data".to_vec(),
        attributes: vec![("priority".to_owned(), vec![Value::Number(2)])],
        expires: Expiry::In(HOUR_MS),
        auto_refresh: false,
    }
}

fn nothing() -> RecordUpdate {
    RecordUpdate {
        data: None,
        attributes: None,
        expires: None,
        if_version: None,
    }
}

/// A group of its creator alone, online.
fn alone() -> (World, HandleId) {
    let mut world = world(1);
    world.group_of(1);
    let handle = world.machines[0].app.handle();
    (world, handle)
}

fn add(world: &mut World, machine: usize, record: NewRecord) -> RecordId {
    let handle = world.machines[machine].app.handle();
    match world.ask(machine, Command::AddRecord { handle, record }) {
        Ok(Answer::RecordAdded(id)) => id,
        other => panic!("{other:?}"),
    }
}

fn get(world: &mut World, machine: usize, id: RecordId) -> Result<RecordInfo, Code> {
    let handle = world.machines[machine].app.handle();
    match world.ask(machine, Command::GetRecord { handle, id }) {
        Ok(Answer::Record(record)) => Ok(*record),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.code),
    }
}

fn list(world: &mut World, machine: usize) -> Vec<RecordInfo> {
    let handle = world.machines[machine].app.handle();
    let all = Command::ListRecords {
        handle,
        kind: None,
        creator: None,
    };
    match world.ask(machine, all) {
        Ok(Answer::Records(records)) => records,
        other => panic!("{other:?}"),
    }
}

/// Lets time pass until a record is as it should be at a machine.
fn until(
    world: &mut World,
    machine: usize,
    id: RecordId,
    good: impl Fn(&Result<RecordInfo, Code>) -> bool,
) {
    for _ in 0..600 {
        if good(&get(world, machine, id)) {
            return;
        }
        world.run_for(100);
    }
    panic!("it stays {:?}", get(world, machine, id));
}

#[test]
fn an_added_record_is_read_listed_and_found() {
    let (mut world, handle) = alone();
    let id = add(&mut world, 0, record("task"));
    let read = get(&mut world, 0, id).unwrap();
    assert_eq!((read.version, read.kind.as_str()), (1, "task"));
    assert_eq!(read.creator, world.machines[0].app.peer.unwrap());
    assert_eq!((read.modified_by, read.created), (None, read.modified));
    assert_eq!(read.data, b"data");
    assert_eq!(list(&mut world, 0), vec![read.clone()]);
    let clause = |compare, number| Search::Clause {
        attribute: "priority".to_owned(),
        compare,
        value: Value::Number(number),
    };
    let mut found = |search| match world.ask(0, Command::SearchRecords { handle, search }) {
        Ok(Answer::Records(records)) => records,
        other => panic!("{other:?}"),
    };
    assert_eq!(found(clause(Compare::AtLeast, 2)), vec![read]);
    assert_eq!(found(clause(Compare::Above, 2)), vec![]);
}

#[test]
fn what_is_wrong_with_a_new_record_is_named() {
    let (mut world, handle) = alone();
    let too_long = "t".repeat(limits::RECORD_TYPE_BYTES + 1);
    let text = |len| vec![("a".to_owned(), vec![Value::Text("x".repeat(len))])];
    let many = vec![Value::Number(1); limits::ATTRIBUTE_VALUES + 1];
    let large = vec![0; limits::RECORD_BYTES_DEFAULT + 1];
    let beyond = limits::RECORD_LIFE_MS + 1;
    let ours = |kind: &str| NewRecord {
        kind: kind.to_owned(),
        ..record("")
    };
    let named = |attributes| NewRecord {
        attributes,
        ..record("task")
    };
    let ends = |expires| NewRecord {
        expires,
        ..record("task")
    };
    let cases = [
        (ours(""), Code::InvalidArgument),
        (ours(&too_long), Code::InvalidArgument),
        (ours("peer-group/presence"), Code::NotAuthorized),
        (
            named(vec![("peerrecordid".to_owned(), vec![Value::Number(1)])]),
            Code::InvalidAttributes,
        ),
        (
            named(vec![("no spaces".to_owned(), vec![Value::Number(1)])]),
            Code::InvalidAttributes,
        ),
        (
            named(text(limits::ATTRIBUTE_VALUE_BYTES + 1)),
            Code::InvalidAttributes,
        ),
        (named(vec![("a".to_owned(), many)]), Code::TooManyAttributes),
        (
            NewRecord {
                data: large,
                ..record("task")
            },
            Code::MaxRecordSizeExceeded,
        ),
        (ends(Expiry::At(0)), Code::InvalidRecordExpiration),
        (ends(Expiry::In(0)), Code::InvalidRecordExpiration),
        (ends(Expiry::In(beyond)), Code::InvalidRecordExpiration),
        (
            NewRecord {
                auto_refresh: true,
                ..ends(Expiry::In(limits::AUTO_REFRESH_LIFE_MS - 1))
            },
            Code::InvalidRecordExpiration,
        ),
    ];
    for (record, expected) in cases {
        let about = format!("{expected:?} {}", record.kind);
        let refused = world.ask(0, Command::AddRecord { handle, record });
        assert_eq!(code(refused), expected, "{about}");
    }
    assert_eq!(list(&mut world, 0), vec![]);
}

#[test]
fn a_group_has_the_record_size_it_was_made_with() {
    let mut world = world(1);
    world.start(0);
    let make = |world: &mut World, max_record_size| {
        let group = NewGroup {
            max_record_size: Some(max_record_size),
            ..World::new_group()
        };
        let options = world.open_options();
        world.ask(0, Command::CreateGroup { options, group })
    };
    for size in [limits::RECORD_BYTES_MIN - 1, limits::RECORD_BYTES + 1] {
        let refused = make(&mut world, u32::try_from(size).unwrap());
        assert_eq!(code(refused), Code::InvalidGroupProperties);
    }
    let Ok(Answer::Opened(opened)) = make(&mut world, 1024) else {
        panic!("it is within bounds")
    };
    let of = |bytes: usize| NewRecord {
        data: vec![0; bytes],
        attributes: Vec::new(),
        ..record("task")
    };
    let handle = opened.handle;
    let mut add = |record| world.ask(0, Command::AddRecord { handle, record });
    assert!(matches!(add(of(1024)), Ok(Answer::RecordAdded(_))));
    assert_eq!(code(add(of(1025))), Code::MaxRecordSizeExceeded);
}

#[test]
fn a_change_counts_and_the_end_only_moves_later() {
    let (mut world, handle) = alone();
    let id = add(&mut world, 0, record("task"));
    let before = get(&mut world, 0, id).unwrap();
    let mut update = |update| world.ask(0, Command::UpdateRecord { handle, id, update });
    let sooner = RecordUpdate {
        expires: Some(Expiry::At(before.expires - 1)),
        ..nothing()
    };
    assert_eq!(code(update(sooner)), Code::InvalidRecordExpiration);
    let stale = RecordUpdate {
        if_version: Some(2),
        ..nothing()
    };
    assert_eq!(code(update(stale)), Code::InvalidRecord);
    let bad = RecordUpdate {
        attributes: Some(vec![("a".to_owned(), Vec::new())]),
        ..nothing()
    };
    assert_eq!(code(update(bad)), Code::InvalidAttributes);
    let large = RecordUpdate {
        data: Some(vec![0; limits::RECORD_BYTES_DEFAULT + 1]),
        ..nothing()
    };
    assert_eq!(code(update(large)), Code::MaxRecordSizeExceeded);
    let good = RecordUpdate {
        data: Some(b"more".to_vec()),
        expires: Some(Expiry::At(before.expires + HOUR_MS)),
        if_version: Some(1),
        attributes: None,
    };
    assert_eq!(update(good), Ok(Answer::Done));
    let after = get(&mut world, 0, id).unwrap();
    assert_eq!((after.version, after.data.as_slice()), (2, &b"more"[..]));
    assert_eq!(after.attributes, before.attributes);
    assert_eq!(after.expires, before.expires + HOUR_MS);
    assert_eq!(after.modified_by, Some(after.creator));
    assert!(after.modified >= before.modified && after.created == before.created);
}

#[test]
fn a_deleted_record_is_gone_and_cannot_be_changed() {
    let (mut world, handle) = alone();
    let id = add(&mut world, 0, record("task"));
    let delete = Command::DeleteRecord { handle, id };
    assert_eq!(world.ask(0, delete.clone()), Ok(Answer::Done));
    assert_eq!(get(&mut world, 0, id), Err(Code::RecordNotFound));
    assert_eq!(list(&mut world, 0), vec![]);
    assert_eq!(code(world.ask(0, delete)), Code::RecordNotFound);
    let update = nothing();
    let update = Command::UpdateRecord { handle, id, update };
    assert_eq!(code(world.ask(0, update)), Code::RecordNotFound);
}

#[test]
fn changes_follow_each_other_without_waiting_for_storage() {
    let (mut world, handle) = alone();
    let id = add(&mut world, 0, record("task"));
    let calls: Vec<_> = (0..10u8)
        .map(|n| RecordUpdate {
            data: Some(vec![n]),
            ..nothing()
        })
        .map(|update| Command::UpdateRecord { handle, id, update })
        .map(|command| world.command(0, command).unwrap())
        .collect();
    world.run_until(60_000, |world| {
        calls
            .iter()
            .all(|call| world.machines[0].app.answers.contains_key(call))
    });
    let after = get(&mut world, 0, id).unwrap();
    assert_eq!((after.version, after.data), (11, vec![9]));
}

#[test]
fn before_the_first_synchronisation_records_are_not_ready() {
    let mut world = world(2);
    world.create(0);
    let new = NewInvitation::default();
    let invitation = world.invitation(0, new);
    world.start(1);
    let options = world.open_options();
    let join = Command::JoinGroup {
        options,
        invitation,
    };
    let Ok(Answer::Opened(opened)) = world.ask(1, join) else {
        panic!("joining is local")
    };
    let handle = opened.handle;
    let id = RecordId([1; 16]);
    let update = nothing();
    for command in [
        Command::AddRecord {
            handle,
            record: record("task"),
        },
        Command::UpdateRecord { handle, id, update },
        Command::DeleteRecord { handle, id },
        Command::GetRecord { handle, id },
        Command::ExportDatabase { handle },
    ] {
        assert_eq!(code(world.ask(1, command)), Code::GroupNotReady);
    }
    let engine = &world.machines[1].engine;
    let time = engine.as_ref().unwrap().peer_time_offset(handle);
    assert_eq!(time.unwrap_err().code, Code::GroupNotReady);
    // What is here may be looked at: nothing.
    let search = Search::And(Vec::new());
    let bad = world.ask(1, Command::SearchRecords { handle, search });
    assert_eq!(code(bad), Code::InvalidSearch);
}

#[test]
fn what_the_first_synchronisation_tells_of_is_read_at_once() {
    let mut world = world(2);
    let invitation = world.group_of(1);
    let large = NewRecord {
        data: vec![7; 500_000],
        ..record("file")
    };
    for record in [record("task"), large] {
        add(&mut world, 0, record);
    }
    assert!(world.join(1, &invitation).is_ok());
    world.trust(1);
    let handle = world.machines[1].app.handle();
    let connect = Command::Connect {
        handle,
        timeout_ms: 30_000,
        addresses: Vec::new(),
    };
    world.command(1, connect).unwrap();
    let told = |world: &World| {
        let mut heard = world.machines[1].heard.iter();
        heard.find_map(|(_, event)| match event {
            Event::RecordChanged { id, .. } => Some(*id),
            _ => None,
        })
    };
    assert!(world.run_until(30_000, |world| told(world).is_some()));
    let record = record("late");
    let add = world.ask(1, Command::AddRecord { handle, record });
    assert_eq!(code(add), Code::GroupNotReady, "more is on the way");
    let id = told(&world).unwrap();
    assert_eq!(get(&mut world, 1, id).unwrap().id, id);
    world.require_sound();
}

#[test]
fn calls_of_graphs_and_groups_are_not_mixed_and_closed_handles_are_named() {
    let (mut world, handle) = alone();
    let id = RecordId([1; 16]);
    let ids = Vec::new();
    assert_eq!(
        code(world.ask(0, Command::DeleteLocal { handle, id })),
        Code::InvalidGraph
    );
    assert_eq!(
        code(world.ask(0, Command::ValidateDeferred { handle, ids })),
        Code::InvalidGraph
    );
    let data = Vec::new();
    assert_eq!(
        code(world.ask(0, Command::ImportDatabase { handle, data })),
        Code::GroupInUse
    );
    assert_eq!(world.ask(0, Command::Close { handle }), Ok(Answer::Done));
    assert_eq!(
        code(world.ask(0, Command::GetRecord { handle, id })),
        Code::InvalidGroup
    );
}

#[test]
fn only_the_creator_and_admins_change_a_record() {
    let mut world = world(2);
    world.group_of(2);
    let by_admin = add(&mut world, 0, record("task"));
    let by_member = add(&mut world, 1, record("task"));
    until(&mut world, 1, by_admin, Result::is_ok);
    until(&mut world, 0, by_member, Result::is_ok);
    let member = world.machines[1].app.handle();
    let refused = Command::DeleteRecord {
        handle: member,
        id: by_admin,
    };
    assert_eq!(code(world.ask(1, refused)), Code::NotAuthorized);
    let admin = world.machines[0].app.handle();
    let deleted = Command::DeleteRecord {
        handle: admin,
        id: by_member,
    };
    assert_eq!(world.ask(0, deleted), Ok(Answer::Done));
    until(&mut world, 1, by_member, Result::is_err);
    world.require_sound();
}

#[test]
fn a_large_record_travels_in_pieces() {
    let mut world = world(2);
    world.group_of(2);
    let data: Vec<u8> = (0..1_000_000u32).map(|n| (n / 7) as u8).collect();
    let large = NewRecord {
        data: data.clone(),
        ..record("file")
    };
    let id = add(&mut world, 0, large);
    until(&mut world, 1, id, Result::is_ok);
    assert_eq!(get(&mut world, 1, id).unwrap().data, data);
    world.require_sound();
}

#[test]
fn storage_that_is_full_refuses_and_nothing_else_breaks() {
    let (mut world, handle) = alone();
    let kept = add(&mut world, 0, record("task"));
    world.machines[0].disk_full = true;
    let refused = Command::AddRecord {
        handle,
        record: record("task"),
    };
    assert_eq!(code(world.ask(0, refused)), Code::StorageFull);
    let delete = Command::DeleteRecord { handle, id: kept };
    assert_eq!(code(world.ask(0, delete)), Code::StorageFull);
    assert_eq!(
        list(&mut world, 0).len(),
        1,
        "a call that fails leaves no trace"
    );
    world.machines[0].disk_full = false;
    add(&mut world, 0, record("task"));
    assert_eq!(list(&mut world, 0).len(), 2);
}

/// A handle of the only machine on its group, opened anew and not online.
fn reopened(world: &mut World) -> HandleId {
    let handle = world.machines[0].app.handle();
    assert_eq!(world.ask(0, Command::Close { handle }), Ok(Answer::Done));
    let group = world.machines[0].app.group.unwrap();
    let options = world.open_options();
    let opened = world.ask(0, Command::OpenGroup { options, group });
    assert!(matches!(opened, Ok(Answer::Opened(_))), "{opened:?}");
    world.trust(0);
    world.machines[0].app.handle()
}

#[test]
fn a_database_goes_out_and_comes_back() {
    let (mut world, handle) = alone();
    let lost = add(&mut world, 0, record("task"));
    let deleted = add(&mut world, 0, record("task"));
    let Ok(Answer::Database(data)) = world.ask(0, Command::ExportDatabase { handle }) else {
        panic!("it has been synchronised")
    };
    let delete = Command::DeleteRecord {
        handle,
        id: deleted,
    };
    assert_eq!(world.ask(0, delete), Ok(Answer::Done));
    assert_eq!(world.ask(0, Command::Close { handle }), Ok(Answer::Done));
    let name = lost.to_string();
    let before = world.machines[0].disk.len();
    world.machines[0]
        .disk
        .retain(|(_, key), _| !key.contains(&name));
    assert_eq!(world.machines[0].disk.len(), before - 1);
    let group = world.machines[0].app.group.unwrap();
    let options = world.open_options();
    let opened = world.ask(0, Command::OpenGroup { options, group });
    assert!(matches!(opened, Ok(Answer::Opened(_))), "{opened:?}");
    world.trust(0);
    assert_eq!(get(&mut world, 0, lost), Err(Code::RecordNotFound));
    let handle = world.machines[0].app.handle();
    let mut import = |data: Vec<u8>| world.ask(0, Command::ImportDatabase { handle, data });
    assert_eq!(code(import(Vec::new())), Code::InvalidDatabase);
    let mut changed = data.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(code(import(changed)), Code::InvalidDatabase);
    assert_eq!(import(data), Ok(Answer::Done));
    assert!(get(&mut world, 0, lost).is_ok());
    // What was deleted since stays deleted.
    assert_eq!(get(&mut world, 0, deleted), Err(Code::RecordNotFound));
    // What was imported is stored.
    world.require_sound();
    reopened(&mut world);
    assert!(get(&mut world, 0, lost).is_ok());
    assert_eq!(get(&mut world, 0, deleted), Err(Code::RecordNotFound));
}

#[test]
fn a_clock_from_before_the_membership_is_named() {
    let (mut world, handle) = alone();
    world.machines[0].wall_offset = -86_400_000;
    let add = |record| Command::AddRecord { handle, record };
    let error = world.ask(0, add(record("task"))).expect_err("too early");
    assert_eq!(error.code, Code::ClockSkew);
    let offset = error.evidence.and_then(|evidence| evidence.clock_offset_ms);
    let day = -86_400_000 - 60_000..=-86_400_000 + 60_000;
    assert!(
        offset.is_some_and(|offset| day.contains(&offset)),
        "{offset:?}"
    );
    world.machines[0].wall_offset = 0;
    let added = world.ask(0, add(record("task")));
    assert!(matches!(added, Ok(Answer::RecordAdded(_))), "{added:?}");
}

#[test]
fn a_record_that_refreshes_itself_stays_and_another_ends() {
    let (mut world, _) = alone();
    let life = Expiry::In(limits::AUTO_REFRESH_LIFE_MS);
    let refreshing = NewRecord {
        auto_refresh: true,
        expires: life,
        ..record("presence")
    };
    let stays = add(&mut world, 0, refreshing);
    let ends = add(
        &mut world,
        0,
        NewRecord {
            expires: life,
            ..record("presence")
        },
    );
    world.run_for(20 * 60_000);
    assert!(get(&mut world, 0, stays).unwrap().version > 4);
    assert_eq!(get(&mut world, 0, ends), Err(Code::RecordNotFound));
}

#[test]
fn what_ends_while_nobody_is_there_stays_where_a_group_defers_it() {
    let mut world = world(1);
    world.start(0);
    let group = NewGroup {
        defer_expiration: true,
        ..World::new_group()
    };
    let options = world.open_options();
    let created = world.ask(0, Command::CreateGroup { options, group });
    assert!(matches!(created, Ok(Answer::Opened(_))), "{created:?}");
    world.trust(0);
    let short = NewRecord {
        expires: Expiry::In(60_000),
        ..record("task")
    };
    let id = add(&mut world, 0, short);
    world.run_for(10 * 60_000);
    assert!(
        get(&mut world, 0, id).is_ok(),
        "nothing ends while it is alone"
    );
    reopened(&mut world);
    assert!(
        get(&mut world, 0, id).is_ok(),
        "nor when it is opened again"
    );
    world.require_sound();
}
