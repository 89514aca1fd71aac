//! Renewals and other roles: at once, everywhere, by admins alone.

use peer_group::crypto::FAKE;
use peer_group::engine::command::{
    Command, Expiry, NewCredential, NewInvitation, NewRecord, RecordUpdate,
};
use peer_group::engine::event::{Answer, Event};
use peer_group::error::{Code, Error};
use peer_group::group::invitation::preview;
use peer_group::names::{PeerId, RecordId, Role};
use peer_group_tests::sim::world::World;

use super::{code, peer, refused, world};

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 86_400;

/// Machine 0 makes a group; the others come in by links of their own, as what is said.
pub(crate) fn group(roles: &[(Role, Option<u64>)]) -> World {
    let mut world = world(roles.len() + 3);
    group_in(&mut world, roles);
    world
}

pub(crate) fn group_in(world: &mut World, roles: &[(Role, Option<u64>)]) {
    world.create(0);
    assert!(world.connect(0).is_ok());
    for (at, (role, life_s)) in roles.iter().enumerate() {
        let expires = life_s.map(|life_s| world.wall() / 1000 + life_s);
        let invitation = NewInvitation {
            role: *role,
            expires,
            ..NewInvitation::default()
        };
        let text = world.invitation(0, invitation);
        assert!(world.join(at + 1, &text).is_ok());
        world.trust(at + 1);
        let online = world.connect(at + 1);
        assert!(online.is_ok(), "{online:?}");
    }
    let linked = |world: &World| (0..=roles.len()).all(|m| world.neighbor_count(m) == roles.len());
    assert!(world.run_until(30_000, linked), "the group is not whole");
}

pub(crate) fn to(peer: PeerId) -> NewCredential {
    NewCredential {
        peer,
        role: None,
        until: None,
        publish: true,
    }
}

pub(crate) fn issue(
    world: &mut World,
    machine: usize,
    new: NewCredential,
) -> Result<String, Error> {
    let handle = world.machines[machine].app.handle();
    match world.ask(machine, Command::IssueCredentials { handle, new })? {
        Answer::Invitation(text) => Ok(text),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn invite(world: &mut World, machine: usize, role: Role) -> Result<Answer, Error> {
    let handle = world.machines[machine].app.handle();
    let invitation = NewInvitation {
        role,
        ..NewInvitation::default()
    };
    world.ask(machine, Command::CreateInvitation { handle, invitation })
}

pub(crate) fn add(world: &mut World, machine: usize, life_s: u64) -> Result<RecordId, Error> {
    let handle = world.machines[machine].app.handle();
    let record = NewRecord {
        kind: "note".to_owned(),
        data: b"data".to_vec(),
        attributes: Vec::new(),
        expires: Expiry::In(life_s * 1000),
        auto_refresh: false,
    };
    match world.ask(machine, Command::AddRecord { handle, record })? {
        Answer::RecordAdded(id) => Ok(id),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn change(world: &mut World, machine: usize, id: RecordId) -> Result<Answer, Error> {
    let handle = world.machines[machine].app.handle();
    let update = RecordUpdate {
        data: Some(b"changed".to_vec()),
        attributes: None,
        expires: None,
        if_version: None,
    };
    world.ask(machine, Command::UpdateRecord { handle, id, update })
}

pub(crate) fn has(world: &mut World, machine: usize, id: RecordId, data: &[u8]) -> bool {
    matches!(read(world, machine, id), Ok(Answer::Record(record)) if record.data == data)
}

pub(crate) fn read(world: &mut World, machine: usize, id: RecordId) -> Result<Answer, Error> {
    let handle = world.machines[machine].app.handle();
    world.ask(machine, Command::GetRecord { handle, id })
}

/// Lets time pass until a record is everywhere as it should be.
pub(crate) fn everywhere(world: &mut World, count: usize, id: RecordId, data: &[u8]) {
    for machine in 0..count {
        for _ in 0..100 {
            if has(world, machine, id, data) {
                break;
            }
            world.run_for(100);
        }
        assert!(has(world, machine, id, data), "not at machine {machine}");
    }
}

/// How often a machine lost a connection.
fn breaks(world: &World, machine: usize) -> usize {
    let heard = world.machines[machine].heard.iter();
    let ended = |event: &Event| {
        matches!(event, Event::NeighborConnection { change, .. }
            if change.status == peer_group::engine::event::ConnectionStatus::Disconnected)
    };
    heard.filter(|(_, event)| ended(event)).count()
}

#[test]
fn a_renewal_holds_at_once_and_everywhere() {
    let mut world = group(&[(Role::Member, Some(HOUR_S)), (Role::Member, None)]);
    let berta = peer(&world, 1);
    let too_long = add(&mut world, 1, 2 * HOUR_S);
    assert!(too_long.is_err(), "it would outlive the membership");
    let until = world.wall() / 1000 + 7 * DAY_S;
    let renewal = NewCredential {
        until: Some(until),
        ..to(berta)
    };
    let text = issue(&mut world, 0, renewal).unwrap();
    let shown = preview(&FAKE, &text).unwrap();
    assert_eq!((shown.kind, shown.subject), ("bound", Some(berta)));
    assert_eq!(
        (shown.roles, shown.not_after),
        (vec![Role::Member], Some(until))
    );
    world.run_for(2_000);
    let id = add(&mut world, 1, 2 * HOUR_S).unwrap();
    everywhere(&mut world, 3, id, b"data");
    assert!((0..3).all(|machine| breaks(&world, machine) == 0));
    // Long after the first one has ended it comes and goes as it likes, also with those who forgot.
    world.run_for(2 * HOUR_S * 1000);
    world.crash(1);
    world.run_for(60_000);
    world.crash(0);
    world.start(1);
    let (group, options) = (world.machines[2].app.group.unwrap(), world.open_options());
    let opened = world.ask(1, Command::OpenGroup { options, group });
    assert!(opened.is_ok(), "{opened:?}");
    let online = world.connect(1);
    assert!(online.is_ok(), "{online:?}");
    assert!(world.run_until(30_000, |world| world.neighbor_count(1) == 1));
    world.require_sound();
}

#[test]
fn without_an_end_it_lasts_as_long_as_the_one_before() {
    let mut world = group(&[(Role::Member, Some(DAY_S)), (Role::Member, None)]);
    world.run_for(HOUR_S * 1000);
    let now = world.wall() / 1000;
    let (limited, endless) = (peer(&world, 1), peer(&world, 2));
    let ends = |text: String| preview(&FAKE, &text).unwrap().not_after;
    let text = issue(&mut world, 0, to(limited)).unwrap();
    let end = ends(text).unwrap();
    assert!(end.abs_diff(now + DAY_S) < 60, "{end}, now {now}");
    let text = issue(&mut world, 0, to(endless)).unwrap();
    assert_eq!(ends(text), None);
}

#[test]
fn a_promotion_holds_without_reconnecting() {
    let mut world = group(&[(Role::Member, None), (Role::Member, None)]);
    let berta = peer(&world, 1);
    let id = add(&mut world, 2, HOUR_S).unwrap();
    everywhere(&mut world, 3, id, b"data");
    assert_eq!(
        code(invite(&mut world, 1, Role::Member)),
        Code::NotAuthorized
    );
    assert_eq!(refused(change(&mut world, 1, id)).code, Code::NotAuthorized);

    let inviting = NewCredential {
        role: Some(Role::InvitingMember),
        ..to(berta)
    };
    issue(&mut world, 0, inviting).unwrap();
    world.run_for(2_000);
    let Ok(Answer::Invitation(text)) = invite(&mut world, 1, Role::InvitingMember) else {
        panic!("she may invite");
    };
    assert_eq!(
        code(invite(&mut world, 1, Role::Admin)),
        Code::NotAuthorized
    );
    assert_eq!(refused(change(&mut world, 1, id)).code, Code::NotAuthorized);

    let admin = NewCredential {
        role: Some(Role::Admin),
        ..to(berta)
    };
    issue(&mut world, 0, admin).unwrap();
    world.run_for(2_000);
    assert_eq!(change(&mut world, 1, id), Ok(Answer::Done));
    everywhere(&mut world, 3, id, b"changed");
    assert!((0..3).all(|machine| breaks(&world, machine) == 0));
    // Whom she invited with the role of before comes in while nobody else is there.
    world.crash(0);
    world.crash(2);
    world.run_for(60_000);
    assert!(world.join(3, &text).is_ok());
    world.trust(3);
    let online = world.connect(3);
    assert!(online.is_ok(), "{online:?}");
    world.require_sound();
}

#[test]
fn an_unpublished_credential_comes_by_joining_again() {
    let mut world = group(&[(Role::Member, None), (Role::Member, None)]);
    let berta = peer(&world, 1);
    let quiet = NewCredential {
        role: Some(Role::InvitingMember),
        publish: false,
        ..to(berta)
    };
    let text = issue(&mut world, 0, quiet).unwrap();
    world.run_for(60_000);
    assert_eq!(
        code(invite(&mut world, 1, Role::Member)),
        Code::NotAuthorized
    );
    // The text is of no use to anybody else.
    let stolen = world.join(2, &text);
    assert_eq!(code(stolen), Code::InvitationNotTrusted);
    // It brings the group there is, which knows of it from then on: another handle on the same node.
    let before = (world.machines[1].app.node, world.machines[1].app.group);
    assert!(world.join(1, &text).is_ok());
    let after = (world.machines[1].app.node, world.machines[1].app.group);
    assert_eq!(before, after);
    assert!(invite(&mut world, 1, Role::Member).is_ok());
    assert_eq!(breaks(&world, 1), 0);
    // It is kept.
    world.crash(1);
    world.start(1);
    let (group, options) = (world.machines[2].app.group.unwrap(), world.open_options());
    assert!(world.ask(1, Command::OpenGroup { options, group }).is_ok());
    let Ok(Answer::Invitation(link)) = invite(&mut world, 1, Role::Member) else {
        panic!("she may still invite");
    };
    // And others have heard of it.
    assert!(world.join(3, &link).is_ok());
    world.trust(3);
    let online = world.connect(3);
    assert!(online.is_ok(), "{online:?}");
    world.require_sound();
}

#[test]
fn a_group_that_is_not_open_takes_a_credential_in_too() {
    let mut world = group(&[(Role::Member, None)]);
    let berta = peer(&world, 1);
    let quiet = NewCredential {
        role: Some(Role::InvitingMember),
        publish: false,
        ..to(berta)
    };
    let text = issue(&mut world, 0, quiet).unwrap();
    world.crash(1);
    for _ in 0..2 {
        assert!(world.join(1, &text).is_ok());
        assert!(invite(&mut world, 1, Role::Member).is_ok());
        world.crash(1);
    }
}

#[test]
fn a_credential_that_cannot_be_stored_is_none() {
    let mut world = group(&[(Role::Member, None)]);
    let inviting = NewCredential {
        role: Some(Role::InvitingMember),
        ..to(peer(&world, 1))
    };
    world.machines[0].disk_full = true;
    let error = issue(&mut world, 0, inviting.clone()).unwrap_err();
    assert_eq!(error.code, Code::StorageFull);
    world.run_for(5_000);
    assert_eq!(
        code(invite(&mut world, 1, Role::Member)),
        Code::NotAuthorized
    );
    // Who joins again, and cannot keep what it got, has not joined again.
    world.machines[0].disk_full = false;
    let quiet = NewCredential {
        publish: false,
        ..inviting
    };
    let text = issue(&mut world, 0, quiet).unwrap();
    world.machines[1].disk_full = true;
    assert_eq!(code(world.join(1, &text)), Code::StorageFull);
    assert_eq!(
        code(invite(&mut world, 1, Role::Member)),
        Code::NotAuthorized
    );
    world.machines[1].disk_full = false;
    assert!(world.join(1, &text).is_ok());
    assert!(invite(&mut world, 1, Role::Member).is_ok());
}

#[test]
fn what_cannot_be_issued_is_refused_by_name() {
    let roles = [
        (Role::Admin, Some(DAY_S)),
        (Role::InvitingMember, None),
        (Role::Member, None),
        (Role::Admin, None),
    ];
    let mut world = group(&roles);
    let (creator, admin, member) = (peer(&world, 0), peer(&world, 1), peer(&world, 3));
    let mut refuses = |machine, credential, expected| {
        let error = issue(&mut world, machine, credential).unwrap_err();
        assert_eq!(error.code, expected, "{}", error.detail);
    };
    // Admins alone.
    refuses(2, to(member), Code::NotAuthorized);
    refuses(3, to(member), Code::NotAuthorized);
    refuses(0, to(PeerId([1; 32])), Code::IdentityNotFound);
    refuses(0, to(creator), Code::InvalidArgument);
    // Whoever made us a member rests on nobody below it, and loses nothing by us.
    refuses(4, to(creator), Code::CircularChain);
    refuses(1, to(creator), Code::NotAuthorized);
    let quietly_less = NewCredential {
        publish: false,
        role: Some(Role::Member),
        ..to(admin)
    };
    refuses(0, quietly_less, Code::InvalidArgument);
    let ends = |until| NewCredential {
        until: Some(until),
        ..to(member)
    };
    refuses(0, ends(1), Code::InvalidTimePeriod);
    // Nobody gives what it does not have.
    refuses(1, ends(4_000_000_000), Code::InvalidCredentialInfo);
    let longest = issue(&mut world, 1, to(member)).unwrap();
    let (shown, own) = (
        preview(&FAKE, &longest).unwrap(),
        issue(&mut world, 0, to(admin)),
    );
    assert!(shown.not_after <= preview(&FAKE, &own.unwrap()).unwrap().not_after);
    // A joiner knows nobody yet.
    let link = world.invitation(0, NewInvitation::default());
    assert!(world.join(5, &link).is_ok());
    let early = issue(&mut world, 5, to(member)).unwrap_err();
    assert_eq!(early.code, Code::GroupNotReady);
    world.require_sound();
}

#[test]
fn a_group_that_sleeps_gets_a_renewal_with_the_rest() {
    let mut world = group(&[(Role::Member, None), (Role::Member, None)]);
    world.crash(2);
    world.run_for(60_000);
    let inviting = NewCredential {
        role: Some(Role::InvitingMember),
        ..to(peer(&world, 1))
    };
    issue(&mut world, 0, inviting).unwrap();
    world.run_for(2_000);
    // Whoever slept hears it from whoever it concerns.
    world.crash(0);
    world.start(2);
    let (group, options) = (world.machines[1].app.group.unwrap(), world.open_options());
    assert!(world.ask(2, Command::OpenGroup { options, group }).is_ok());
    assert!(world.connect(2).is_ok());
    assert!(world.run_until(60_000, |world| world.neighbor_count(2) == 1));
    let Ok(Answer::Invitation(link)) = invite(&mut world, 1, Role::Member) else {
        panic!("she may invite");
    };
    world.run_for(5_000);
    world.crash(1);
    world.run_for(60_000);
    // It lets in whom she invited, without her.
    assert!(world.join(3, &link).is_ok());
    world.trust(3);
    let online = world.connect(3);
    assert!(online.is_ok(), "{online:?}");
}

#[test]
fn a_lower_role_holds_at_once_and_takes_nothing_else() {
    let mut world = group(&[(Role::Admin, None), (Role::Member, None)]);
    let berta = peer(&world, 1);
    let theirs = add(&mut world, 2, HOUR_S).unwrap();
    everywhere(&mut world, 3, theirs, b"data");
    let own = add(&mut world, 1, HOUR_S).unwrap();
    assert_eq!(change(&mut world, 1, theirs), Ok(Answer::Done));
    everywhere(&mut world, 3, theirs, b"changed");
    // She has let somebody in, and a link of hers is out.
    let Ok(Answer::Invitation(used)) = invite(&mut world, 1, Role::Member) else {
        panic!("she may invite");
    };
    assert!(world.join(3, &used).is_ok());
    world.trust(3);
    assert!(world.connect(3).is_ok());
    let Ok(Answer::Invitation(unused)) = invite(&mut world, 1, Role::Member) else {
        panic!("she may invite");
    };
    world.run_for(5_000);
    let before: Vec<usize> = (0..4).map(|machine| breaks(&world, machine)).collect();

    let lower = NewCredential {
        role: Some(Role::Member),
        ..to(berta)
    };
    issue(&mut world, 0, lower.clone()).unwrap();
    world.run_for(5_000);
    assert_eq!(
        code(invite(&mut world, 1, Role::Member)),
        Code::NotAuthorized
    );
    assert_eq!(
        refused(change(&mut world, 1, theirs)).code,
        Code::NotAuthorized
    );
    assert_eq!(change(&mut world, 1, own), Ok(Answer::Done));
    everywhere(&mut world, 4, own, b"changed");
    // What she did stays done, and whom she let in stays.
    everywhere(&mut world, 4, theirs, b"changed");
    let newer = add(&mut world, 3, HOUR_S).unwrap();
    everywhere(&mut world, 4, newer, b"data");
    let after: Vec<usize> = (0..4).map(|machine| breaks(&world, machine)).collect();
    assert_eq!(before, after);
    // The link that nobody used is of no use any more.
    let late = world.join(4, &unused).and_then(|_| world.connect(4));
    assert_eq!(code(late), Code::InvitationNotTrusted);
    // Up again.
    let higher = NewCredential {
        role: Some(Role::Admin),
        ..to(berta)
    };
    issue(&mut world, 0, higher).unwrap();
    world.run_for(5_000);
    assert_eq!(change(&mut world, 1, newer), Ok(Answer::Done));
    everywhere(&mut world, 4, newer, b"changed");
    // And down for good, also for herself after a crash.
    issue(&mut world, 0, lower).unwrap();
    world.run_for(5_000);
    world.crash(1);
    world.start(1);
    let (group, options) = (world.machines[2].app.group.unwrap(), world.open_options());
    assert!(world.ask(1, Command::OpenGroup { options, group }).is_ok());
    assert_eq!(
        code(invite(&mut world, 1, Role::Member)),
        Code::NotAuthorized
    );
    assert!(world.connect(1).is_ok());
    world.require_sound();
}

#[test]
fn an_earlier_end_holds_too() {
    let mut world = group(&[(Role::Member, None), (Role::Member, None)]);
    let until = world.wall() / 1000 + HOUR_S;
    let shorter = NewCredential {
        until: Some(until),
        ..to(peer(&world, 1))
    };
    let own = add(&mut world, 1, 2 * DAY_S).unwrap();
    everywhere(&mut world, 3, own, b"data");
    issue(&mut world, 0, shorter).unwrap();
    world.run_for(5_000);
    // What is there stays, nothing new outlives the membership.
    everywhere(&mut world, 3, own, b"data");
    assert!(add(&mut world, 1, 2 * HOUR_S).is_err());
    let id = add(&mut world, 1, HOUR_S / 2).unwrap();
    everywhere(&mut world, 3, id, b"data");
    world.require_sound();
}

#[test]
fn admins_lower_their_juniors_alone() {
    let mut world = group(&[(Role::Admin, None), (Role::Admin, None)]);
    let (first, second) = (peer(&world, 1), peer(&world, 2));
    let lower = |peer| NewCredential {
        role: Some(Role::Member),
        ..to(peer)
    };
    let error = issue(&mut world, 2, lower(first)).unwrap_err();
    assert_eq!(error.code, Code::NotAuthorized);
    assert!(issue(&mut world, 1, lower(second)).is_ok());
    world.run_for(5_000);
    assert_eq!(
        code(invite(&mut world, 2, Role::Member)),
        Code::NotAuthorized
    );
    world.require_sound();
}
