//! What storage holds of identities, and what happens when it does not do what it should.

use peer_group::crypto::{FAKE, Primitives as _, REAL};
use peer_group::engine::command::{Command, Expiry, IdentityCall, NewRecord, OpenOptions, Store};
use peer_group::engine::effect::Effect;
use peer_group::engine::event::{Answer, Event};
use peer_group::engine::input::{Input, StorageFault};
use peer_group::engine::{Config, Engine};
use peer_group::error::Code;
use peer_group::group::identity::{ALONE, Identity, stored_key};
use peer_group::group::state::{GraphState, GroupState};
use peer_group::names::PeerId;
use peer_group::time::Now;
use peer_group::wire::codec::Wire as _;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

use crate::{call, code, create_group, list, named, one, opened, world};

fn keys(world: &World) -> Vec<String> {
    let disk = world.machines[0].disk.keys();
    disk.map(|(_, key)| key.clone()).collect()
}

fn place(key: &str) -> (Store, String) {
    (Store::Default, key.to_owned())
}

/// As the first version stored it: one identity, its version, seed and an empty name.
#[test]
fn the_first_form_is_read_and_written_anew() {
    let mut world = world(1);
    let seed = [5; 32];
    let peer = PeerId(FAKE.public_key(&seed));
    let bytes = [[1].as_slice(), &seed, &[0]].concat();
    world.machines[0].disk.insert(place(ALONE), bytes.clone());
    // A disk that is full keeps nobody out.
    world.machines[0].disk_full = true;
    assert_eq!(one(&mut world, 0, IdentityCall::Default).peer, peer);
    assert_eq!(keys(&world), [ALONE]);
    world.machines[0].disk_full = false;
    assert_eq!(one(&mut world, 0, IdentityCall::Default).peer, peer);
    assert_eq!(keys(&world), [stored_key(peer)]);
    let make = create_group(&world, None);
    assert_eq!(opened(world.ask(0, make)).peer, peer);
}

#[test]
fn what_cannot_be_read_is_nobody_else() {
    let mut world = world(1);
    let anna = one(&mut world, 0, named("Anna"));
    let berta = one(&mut world, 0, named("Berta"));
    let key = place(&stored_key(anna.peer));
    // Under Anna's key lies what is nobody's, then what is Berta's.
    let of_berta = world.machines[0].disk[&place(&stored_key(berta.peer))].clone();
    for damaged in [vec![1, 2, 3], of_berta] {
        world.machines[0].disk.insert(key.clone(), damaged.clone());
        assert_eq!(
            code(world.ask(0, call(IdentityCall::Default))),
            Code::InvalidDatabase
        );
        let make = create_group(&world, None);
        assert_eq!(code(world.ask(0, make)), Code::InvalidDatabase);
        assert_eq!(list(&mut world, 0), std::slice::from_ref(&berta));
        let make = create_group(&world, Some(berta.peer));
        assert_eq!(opened(world.ask(0, make)).peer, berta.peer);
        assert_eq!(
            world.machines[0].disk[&key], damaged,
            "it stays for who can mend it"
        );
    }
}

#[test]
fn nothing_changes_while_storage_is_full() {
    let mut world = world(1);
    let anna = one(&mut world, 0, named("Anna"));
    world.machines[0].disk_full = true;
    let rename = IdentityCall::Rename {
        peer: anna.peer,
        name: "Anne".to_owned(),
    };
    let delete = IdentityCall::Delete { peer: anna.peer };
    for refused in [named("Berta"), rename, delete] {
        let name = format!("{refused:?}");
        assert_eq!(
            code(world.ask(0, call(refused))),
            Code::StorageFull,
            "{name}"
        );
        assert_eq!(list(&mut world, 0), std::slice::from_ref(&anna), "{name}");
    }
    world.machines[0].disk_full = false;
    one(&mut world, 0, named("Berta"));
}

/// Another page has the same storage: what it does is seen by the next call.
#[test]
fn identities_are_read_anew_for_each_call() {
    let mut world = world(2);
    let anna = one(&mut world, 0, named("Anna"));
    world.machines[1].disk = world.machines[0].disk.clone();
    assert_eq!(list(&mut world, 1), std::slice::from_ref(&anna));
    let delete = IdentityCall::Delete { peer: anna.peer };
    assert_eq!(world.ask(1, call(delete)), Ok(Answer::Done));
    world.machines[0].disk = world.machines[1].disk.clone();
    let make = create_group(&world, Some(anna.peer));
    assert_eq!(code(world.ask(0, make)), Code::IdentityNotFound);
}

#[test]
fn what_graphs_kept_goes_with_the_identity() {
    let mut world = world(1);
    let anna = one(&mut world, 0, named("Anna")).peer;
    let berta = one(&mut world, 0, named("Berta")).peer;
    let mut handles = Vec::new();
    for identity in [anna, berta] {
        let options = OpenOptions {
            identity: Some(identity),
            ..world.open_options()
        };
        let graph = "a graph".to_owned();
        let handle = opened(world.ask(0, Command::CreateGraph { options, graph })).handle;
        let record = NewRecord {
            kind: "note".to_owned(),
            data: b"data".to_vec(),
            attributes: Vec::new(),
            expires: Expiry::In(3_600_000),
            auto_refresh: false,
        };
        let added = world.ask(0, Command::AddRecord { handle, record });
        assert!(matches!(added, Ok(Answer::RecordAdded(_))), "{added:?}");
        handles.push(handle);
    }
    let of = |world: &World, peer: PeerId| {
        let name = peer.to_string();
        keys(world).iter().filter(|key| key.contains(&name)).count()
    };
    assert_eq!(
        (of(&world, anna), of(&world, berta)),
        (3, 3),
        "identity, graph, record"
    );
    let delete = IdentityCall::Delete { peer: anna };
    assert_eq!(world.ask(0, call(delete)), Ok(Answer::Done));
    assert_eq!((of(&world, anna), of(&world, berta)), (0, 3));
    let listen = |handle| Command::Listen { handle };
    assert_eq!(code(world.ask(0, listen(handles[0]))), Code::InvalidGraph);
    assert!(world.ask(0, listen(handles[1])).is_ok());
}

/// An engine whose storage fails at what is read under that prefix.
fn refused(prefix: &str, command: Command) -> Code {
    let mut engine = Engine::new(
        Config {
            crypto: &FAKE,
            ..Config::default()
        },
        [1; 32],
    );
    let now = Now::default();
    let request = engine.command(now, command).unwrap();
    let mut disk = std::collections::BTreeMap::new();
    let identity = [[1].as_slice(), &[5; 32], &[0]].concat();
    disk.insert(ALONE.to_owned(), identity);
    while let Some(effect) = engine.poll_effect() {
        let input = match effect {
            Effect::Load {
                storage,
                prefix: asked,
                ..
            } => {
                let found = disk.iter().filter(|(key, _)| key.starts_with(&asked));
                let found = found.map(|(key, value)| (key.clone(), value.clone()));
                let result = if asked.starts_with(prefix) {
                    Err(StorageFault::Blocked)
                } else {
                    Ok(found.collect())
                };
                Input::Loaded { storage, result }
            }
            Effect::Persist {
                storage, changes, ..
            } => {
                for (key, value) in changes {
                    match value {
                        Some(value) => disk.insert(key, value),
                        None => disk.remove(&key),
                    };
                }
                Input::Persisted {
                    storage,
                    result: Ok(()),
                }
            }
            other => panic!("{other:?}"),
        };
        engine.handle(now, input);
    }
    let events = std::iter::from_fn(|| engine.poll_event());
    let answers: Vec<Code> = events
        .filter_map(|event| match event {
            Event::Answered {
                request: of,
                result,
            } if of == request => Some(code(result)),
            _ => None,
        })
        .collect();
    assert_eq!(answers.len(), 1, "answered once");
    answers[0]
}

#[test]
fn keys_that_cannot_be_read_are_named() {
    let peer = PeerId(FAKE.public_key(&[5; 32]));
    for asked in [
        IdentityCall::Default,
        IdentityCall::List,
        named("Anna"),
        IdentityCall::Delete { peer },
    ] {
        assert_eq!(refused(ALONE, call(asked)), Code::NoKeyAccess);
    }
    for prefix in [GroupState::PREFIX, GraphState::PREFIX] {
        let delete = call(IdentityCall::Delete { peer });
        assert_eq!(refused(prefix, delete), Code::NoKeyAccess);
    }
}

/// The group's own key is nothing to read in a copy of the storage, and nothing for another identity.
#[test]
fn what_is_stored_of_a_group_is_sealed_by_its_identity() {
    // The fake primitives mask a sealed public key back into its seed.
    let mut world = World::new(Options::plain(3, &REAL, 1));
    world.start(0);
    let anna = one(&mut world, 0, named("Anna")).peer;
    let berta = one(&mut world, 0, named("Berta")).peer;
    let make = create_group(&world, Some(anna));
    let group = opened(world.ask(0, make)).group;
    let identity = |peer| {
        let key = stored_key(peer);
        Identity::from_stored(&key, &world.machines[0].disk[&place(&key)]).unwrap()
    };
    let (of_anna, of_berta) = (identity(anna), identity(berta));
    let key = GroupState::key(group, anna);
    let value = world.machines[0].disk[&place(&key)].clone();
    let read =
        |of: &Identity, key: &str, value: &[u8]| GroupState::from_stored(&REAL, of, key, value);
    let state = read(&of_anna, &key, &value).unwrap();
    let seed = state.group_seed.unwrap();
    assert!(!value.windows(32).any(|bytes| bytes == seed));
    assert_eq!(read(&of_berta, &key, &value), None);
    assert_eq!(read(&of_anna, &GroupState::key(group, berta), &value), None);
    // The first form was not sealed: it is read as it is.
    let clear = state.to_bytes();
    assert!(clear.windows(32).any(|bytes| bytes == seed));
    assert_eq!(read(&of_anna, &key, &clear), Some(state));
    world.crash(0);
    world.machines[0].disk.insert(place(&key), clear);
    world.start(0);
    let options = OpenOptions::of(Store::Default, Some(anna));
    let open = Command::OpenGroup { options, group };
    assert_eq!(opened(world.ask(0, open)).group, group);
}
