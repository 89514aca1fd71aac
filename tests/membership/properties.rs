//! What a group is like: chosen by its creator, changed by nobody else, and the same everywhere.

use peer_group::engine::command::{Command, NewGroup, PropertiesChange};
use peer_group::engine::event::{Answer, Event};
use peer_group::error::{Code, Error};
use peer_group::group::properties::Properties;
use peer_group::limits;
use peer_group_tests::sim::world::World;

use super::{code, refused, world};

fn properties(world: &World, machine: usize) -> Properties {
    let handle = world.machines[machine].app.handle();
    let (group, found) = world.machines[machine].engine().properties(handle).unwrap();
    assert_eq!(Some(group), world.machines[machine].app.group);
    found.clone()
}

fn set(world: &mut World, machine: usize, change: PropertiesChange) -> Result<Answer, Error> {
    let handle = world.machines[machine].app.handle();
    world.ask(machine, Command::SetProperties { handle, change })
}

fn called(name: &str) -> PropertiesChange {
    PropertiesChange {
        friendly_name: Some(name.to_owned()),
        ..PropertiesChange::default()
    }
}

fn create(world: &mut World, change: impl FnOnce(&mut NewGroup)) -> Result<Answer, Error> {
    world.start(0);
    let mut group = World::new_group();
    change(&mut group);
    let options = world.open_options();
    world.ask(0, Command::CreateGroup { options, group })
}

fn times_told(world: &World, machine: usize) -> usize {
    let heard = world.machines[machine].heard.iter();
    heard
        .filter(|(_, event)| matches!(event, Event::PropertiesChanged { .. }))
        .count()
}

#[test]
fn what_is_not_chosen_is_as_the_interface_says() {
    let mut world = world(1);
    assert!(create(&mut world, |_| {}).is_ok());
    let found = properties(&world, 0);
    assert_eq!(Some(found.creator), world.machines[0].app.peer);
    assert!(!found.member_data_optional && !found.presence_disabled && !found.defer_expiration);
    assert_eq!(found.member_data_lifetime, 2_419_200);
    assert_eq!(found.presence_lifetime, 300);
    assert_eq!(found.max_record_size, 1_048_576);
    assert_eq!(found.password, None);
}

#[test]
fn what_is_chosen_is_kept() {
    let mut world = world(1);
    let made = create(&mut world, |new| {
        new.comment = "at five".to_owned();
        new.classifier = "social".to_owned();
        new.member_data_optional = true;
        new.presence_disabled = true;
        new.defer_expiration = true;
        new.member_data_lifetime = Some(28_800);
        new.presence_lifetime = Some(86_400);
        new.max_record_size = Some(2_000);
    });
    assert!(made.is_ok(), "{made:?}");
    let found = properties(&world, 0);
    let texts = (&*found.comment, &*found.classifier);
    assert_eq!(texts, ("at five", "social"));
    assert!(found.member_data_optional && found.presence_disabled && found.defer_expiration);
    let numbers = (
        found.member_data_lifetime,
        found.presence_lifetime,
        found.max_record_size,
    );
    assert_eq!(numbers, (28_800, 86_400, 2_000));
}

#[test]
fn a_number_out_of_its_range_is_refused_by_name() {
    let mut world = world(1);
    let mut refuses = |name: &str, change: &dyn Fn(&mut NewGroup)| {
        let error = refused(create(&mut world, change));
        assert_eq!(error.code, Code::InvalidGroupProperties, "{name}");
        assert!(error.detail.contains(name), "{}", error.detail);
    };
    for seconds in [28_799, 315_360_001] {
        refuses("memberDataLifetime", &|new| {
            new.member_data_lifetime = Some(seconds);
        });
    }
    for seconds in [0, 299, 86_401] {
        refuses("presenceLifetime", &|new| {
            new.presence_lifetime = Some(seconds);
        });
    }
    for bytes in [1_023, 62_914_561] {
        refuses("maxRecordSize", &|new| new.max_record_size = Some(bytes));
    }
}

#[test]
fn the_creator_changes_them_and_every_member_hears() {
    let mut world = world(4);
    let link = world.group_of(3);
    let before = properties(&world, 0);
    let told: Vec<usize> = (0..3).map(|machine| times_told(&world, machine)).collect();
    // Whoever joined was told once, when it came to know them; the creator knew them all along.
    assert_eq!(told, [0, 1, 1]);
    let change = PropertiesChange {
        comment: Some("at six".to_owned()),
        presence_lifetime: Some(600),
        ..called("Coffee")
    };
    assert_eq!(set(&mut world, 0, change), Ok(Answer::Done));
    let everywhere = |world: &World| (0..3).all(|m| properties(world, m).revision == 2);
    assert!(world.run_until(5_000, everywhere));
    for (machine, told) in told.into_iter().enumerate() {
        let after = properties(&world, machine);
        let texts = (&*after.friendly_name, &*after.comment);
        assert_eq!(texts, ("Coffee", "at six"));
        assert_eq!(after.presence_lifetime, 600);
        assert_eq!(after.classifier, before.classifier);
        assert_eq!(times_told(&world, machine), told + 1);
    }
    // They are there after a crash, and for those who come later.
    world.crash(2);
    world.start(2);
    let group = world.machines[0].app.group.unwrap();
    let options = world.open_options();
    let opened = world.ask(2, Command::OpenGroup { options, group });
    assert!(opened.is_ok(), "{opened:?}");
    assert_eq!(&*properties(&world, 2).friendly_name, "Coffee");
    assert!(world.join(3, &link).is_ok());
    world.trust(3);
    let handle = world.machines[3].app.handle();
    let early = world.machines[3].engine().properties(handle).unwrap_err();
    assert_eq!(early.code, Code::GroupNotReady);
    assert_eq!(times_told(&world, 3), 0);
    assert!(world.connect(3).is_ok());
    assert_eq!(&*properties(&world, 3).friendly_name, "Coffee");
    assert_eq!(times_told(&world, 3), 1);
    world.require_sound();
}

#[test]
fn nobody_else_changes_them() {
    let mut world = world(3);
    let link = world.group_of(2);
    assert_eq!(
        code(set(&mut world, 1, called("Mine"))),
        Code::NotAuthorized
    );
    assert!(world.join(2, &link).is_ok());
    assert_eq!(
        code(set(&mut world, 2, called("Mine"))),
        Code::GroupNotReady
    );
    world.run_for(5_000);
    assert_eq!(properties(&world, 0).revision, 1);
}

#[test]
fn a_change_out_of_range_changes_nothing() {
    let mut world = world(1);
    world.create(0);
    let before = properties(&world, 0);
    let changes = [
        (called(" "), Code::InvalidFriendlyName),
        (called(&"x".repeat(256)), Code::InvalidFriendlyName),
        (
            PropertiesChange {
                comment: Some("x".repeat(513)),
                ..called("Other")
            },
            Code::InvalidGroupProperties,
        ),
        (
            PropertiesChange {
                presence_lifetime: Some(limits::PRESENCE_LIFETIME_MIN_S - 1),
                ..called("Other")
            },
            Code::InvalidGroupProperties,
        ),
    ];
    for (change, expected) in changes {
        assert_eq!(code(set(&mut world, 0, change)), expected);
    }
    assert_eq!(properties(&world, 0), before);
    assert_eq!(times_told(&world, 0), 0);
}

#[test]
fn a_change_that_cannot_be_stored_is_none_and_the_next_one_is() {
    let mut world = world(2);
    world.group_of(2);
    world.machines[0].disk_full = true;
    assert_eq!(code(set(&mut world, 0, called("Lost"))), Code::StorageFull);
    world.run_for(5_000);
    for machine in 0..2 {
        assert_eq!(properties(&world, machine).revision, 1);
    }
    world.machines[0].disk_full = false;
    assert_eq!(set(&mut world, 0, called("Kept")), Ok(Answer::Done));
    let there = |world: &World| &*properties(world, 1).friendly_name == "Kept";
    assert!(world.run_until(5_000, there));
}

#[test]
fn changes_at_once_add_up() {
    let mut world = world(1);
    world.create(0);
    let handle = world.machines[0].app.handle();
    let comment = PropertiesChange {
        comment: Some("both".to_owned()),
        ..PropertiesChange::default()
    };
    let asked = [called("One"), comment, called("Two")].map(|change| {
        let set = Command::SetProperties { handle, change };
        world.command(0, set).unwrap()
    });
    let answered = |world: &World| {
        let answers = &world.machines[0].app.answers;
        asked.iter().all(|request| answers.contains_key(request))
    };
    assert!(world.run_until(5_000, answered));
    let found = properties(&world, 0);
    let texts = (&*found.friendly_name, &*found.comment);
    assert_eq!((found.revision, texts), (4, ("Two", "both")));
}
