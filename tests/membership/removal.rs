//! Removing somebody, voiding invitations, leaving: who may, what follows, and how one comes back.

use peer_group::engine::command::{Command, EndCall, NewInvitation, Revoke, Store};
use peer_group::engine::event::{Answer, Event, MemberChange, State};
use peer_group::error::{Code, Error};
use peer_group::names::{PeerId, RecordId, Role};
use peer_group_tests::sim::world::World;

use super::{code, peer, refused, world};

fn end(world: &mut World, machine: usize, call: EndCall) -> Result<Answer, Error> {
    let handle = world.machines[machine].app.handle();
    world.ask(machine, Command::End { handle, call })
}

fn removal(world: &World, whom: usize) -> Revoke {
    Revoke {
        peer: Some(peer(world, whom)),
        reason: "spam".to_owned(),
        records_stay: true,
        ..Revoke::default()
    }
}

fn remove(world: &mut World, by: usize, whom: usize) -> Result<Answer, Error> {
    let removal = removal(world, whom);
    let of = peer(world, whom);
    world.removed.insert(of);
    end(world, by, EndCall::Revoke(removal))
}

fn void(world: &mut World, by: usize, text: &str) -> Result<Answer, Error> {
    let revoke = Revoke {
        invitation: Some(text.to_owned()),
        records_stay: true,
        ..Revoke::default()
    };
    end(world, by, EndCall::Revoke(revoke))
}

fn link(world: &mut World, by: usize, role: Role, max_uses: u32) -> String {
    let invitation = NewInvitation {
        role,
        max_uses,
        ..NewInvitation::default()
    };
    world.invitation(by, invitation)
}

/// Machine 0 made the group, 1 and 2 are admins, 3 is a member.
fn office() -> World {
    let mut world = world(6);
    world.create(0);
    assert!(world.connect(0).is_ok());
    for machine in 1..4 {
        let role = if machine < 3 {
            Role::Admin
        } else {
            Role::Member
        };
        let text = link(&mut world, 0, role, 1);
        // One is an admin before the other.
        world.run_for(2_000);
        world.let_in(machine, &text);
    }
    let whole = |world: &World| (0..4).all(|m| world.neighbor_count(m) == 3);
    assert!(world.run_until(30_000, whole));
    world.run_for(5_000);
    world
}

fn shows(world: &mut World, machine: usize, id: RecordId) -> bool {
    let handle = world.machines[machine].app.handle();
    world
        .ask(machine, Command::GetRecord { handle, id })
        .is_ok()
}

/// How often an app was told of that change of somebody.
fn told(world: &World, machine: usize, of: PeerId, what: MemberChange) -> usize {
    let heard = world.machines[machine].heard.iter();
    heard
        .filter(|(_, event)| {
            matches!(event, Event::MemberChanged { change, peer, .. } if *change == what && *peer == of)
        })
        .count()
}

#[test]
fn members_remove_nobody_and_admins_no_senior() {
    let mut world = office();
    assert_eq!(code(remove(&mut world, 3, 1)), Code::NotAuthorized);
    assert_eq!(code(remove(&mut world, 2, 1)), Code::NotAuthorized);
    assert_eq!(code(remove(&mut world, 1, 0)), Code::NotAuthorized);
    let own = refused(remove(&mut world, 1, 1));
    assert_eq!(own.code, Code::InvalidArgument);
    assert!(own.detail.contains("leave"), "{own:?}");
    let nobody = Revoke {
        peer: Some(PeerId([9; 32])),
        ..Revoke::default()
    };
    let result = end(&mut world, 0, EndCall::Revoke(nobody));
    assert_eq!(code(result), Code::IdentityNotFound);
    let long = Revoke {
        reason: "x".repeat(256),
        ..removal(&world, 3)
    };
    let result = end(&mut world, 0, EndCall::Revoke(long));
    assert_eq!(code(result), Code::InvalidArgument);
    assert!(world.run_for(10_000));
    assert!((0..4).all(|m| world.neighbor_count(m) == 3));
}

#[test]
fn whoever_is_removed_hears_why_and_is_off_at_once() {
    let mut world = office();
    let theirs = world.add_note(3, "note").unwrap();
    world.run_for(1_000);
    assert!(remove(&mut world, 1, 3).is_ok());
    assert!(world.run_until(5_000, |world| world.state(3) == Some(State::Disconnected)));
    let heard = world.machines[3].heard.iter().rev();
    let told = heard.clone().find_map(|(_, event)| match event {
        Event::ConnectionFailed { error, .. } => Some(error.clone()),
        _ => None,
    });
    let told = told.expect("it is told");
    assert_eq!(told.code, Code::CredentialRevoked);
    assert!(told.detail.contains("spam"), "{told:?}");
    let of = peer(&world, 3);
    world.run_for(2_000);
    for machine in 0..3 {
        assert_eq!(self::told(&world, machine, of, MemberChange::Revoked), 1);
        assert_eq!(self::told(&world, machine, of, MemberChange::Left), 0);
    }
    assert_eq!(code(world.connect(3)), Code::CredentialRevoked);
    // It need not ask again when it starts anew.
    world.run_for(1_000);
    world.crash(3);
    world.reopen(3);
    world.set_cut(3, 0, true);
    world.net.server_cut[3] = true;
    assert_eq!(code(world.connect(3)), Code::CredentialRevoked);
    // What it has it keeps; the others keep what it wrote.
    assert!(shows(&mut world, 3, theirs));
    assert!((0..3).all(|m| shows(&mut world, m, theirs)));
    world.require_sound();
}

#[test]
fn records_go_where_that_was_asked_for() {
    let mut world = office();
    let theirs = world.add_note(3, "note").unwrap();
    world.run_for(1_000);
    let of = peer(&world, 3);
    world.removed.insert(of);
    let gone = Revoke {
        records_stay: false,
        ..removal(&world, 3)
    };
    assert!(end(&mut world, 0, EndCall::Revoke(gone)).is_ok());
    world.run_for(5_000);
    assert!((0..3).all(|m| !shows(&mut world, m, theirs)));
    world.require_sound();
}

#[test]
fn only_an_admins_new_invitation_lets_somebody_in_again() {
    let mut world = office();
    let inviting = link(&mut world, 0, Role::InvitingMember, 1);
    world.let_in(4, &inviting);
    let old = link(&mut world, 4, Role::Member, 5);
    assert!(remove(&mut world, 1, 3).is_ok());
    world.run_for(5_000);
    let card = card_of(&mut world, 3);
    let bound = |card: &str| NewInvitation {
        to: Some(card.to_owned()),
        ..NewInvitation::default()
    };
    // Not the inviting member, not a link: the identity is what was removed.
    let handle = world.machines[4].app.handle();
    let invitation = bound(&card);
    let refusal = world.ask(4, Command::CreateInvitation { handle, invitation });
    assert_eq!(code(refusal), Code::NotAuthorized);
    forget(&mut world, 3);
    assert!(world.join(3, &old).is_ok());
    assert_eq!(code(world.connect(3)), Code::CredentialRevoked);
    forget(&mut world, 3);
    let again = world.invitation(1, bound(&card));
    assert!(world.join(3, &again).is_ok());
    world.run_for(2_000);
    let back = world.connect(3);
    assert!(back.is_ok(), "{back:?}");
    assert!(world.run_until(30_000, |world| world.neighbor_count(3) == 4));
    world.require_sound();
}

fn card_of(world: &mut World, machine: usize) -> String {
    let store = Store::Default;
    let call = peer_group::engine::command::IdentityCall::Default;
    match world.ask(machine, Command::Identities { store, call }) {
        Ok(Answer::Identity(info)) => info.card.clone(),
        other => panic!("{other:?}"),
    }
}

/// The group is deleted here, as the person would to begin anew.
fn forget(world: &mut World, machine: usize) {
    let group = world.machines[machine].app.group.unwrap();
    let forget = Command::DeleteGroup {
        store: Store::Default,
        identity: None,
        group,
    };
    assert!(world.ask(machine, forget).is_ok());
}

#[test]
fn a_revoked_link_admits_nobody_and_ends_what_it_gave() {
    let mut world = office();
    let text = link(&mut world, 1, Role::Member, 5);
    world.let_in(4, &text);
    world.run_for(5_000);
    let of = peer(&world, 4);
    world.removed.insert(of);
    assert_eq!(code(void(&mut world, 3, &text)), Code::NotAuthorized);
    assert!(void(&mut world, 1, &text).is_ok());
    assert!(world.run_until(5_000, |world| world.state(4) == Some(State::Disconnected)));
    assert_eq!(code(world.connect(4)), Code::InvitationRevoked);
    assert!(world.join(5, &text).is_ok());
    assert_eq!(code(world.connect(5)), Code::InvitationRevoked);
    world.require_sound();
}

#[test]
fn a_link_is_revoked_before_anybody_used_it() {
    let mut world = office();
    let text = link(&mut world, 1, Role::Member, 5);
    assert!(void(&mut world, 1, &text).is_ok());
    world.run_for(5_000);
    // Whoever made it is off: the others know it too.
    world.crash(1);
    assert!(world.join(5, &text).is_ok());
    assert_eq!(code(world.connect(5)), Code::InvitationRevoked);
}

#[test]
fn a_text_that_is_no_invitation_of_this_group_is_not_revoked() {
    let mut world = office();
    let garbage = void(&mut world, 1, "pg-invite:nonsense");
    assert_eq!(code(garbage), Code::InvitationNotTrusted);
    let mut other = super::world(1);
    other.options.seed = 77;
    other.create(0);
    let foreign = link(&mut other, 0, Role::Member, 1);
    let error = refused(void(&mut world, 1, &foreign));
    assert_eq!(error.code, Code::InvalidArgument, "{error:?}");
}

#[test]
fn another_door_voids_what_is_out_and_keeps_members_in() {
    let mut world = office();
    let text = link(&mut world, 1, Role::Member, 5);
    let card = {
        world.start(5);
        card_of(&mut world, 5)
    };
    let bound = NewInvitation {
        to: Some(card),
        ..NewInvitation::default()
    };
    let bound = world.invitation(1, bound);
    // One sleeps through it.
    world.freeze(2, 10 * 60_000, true, false);
    let denied = end(&mut world, 3, EndCall::VoidInvitations);
    assert_eq!(code(denied), Code::NotAuthorized);
    assert!(end(&mut world, 1, EndCall::VoidInvitations).is_ok());
    world.run_for(60_000);
    assert!(world.join(4, &text).is_ok());
    assert_eq!(code(world.connect(4)), Code::InvitationRevoked);
    assert!(world.join(5, &bound).is_ok());
    assert_eq!(code(world.connect(5)), Code::InvitationRevoked);
    let fresh = link(&mut world, 1, Role::Member, 1);
    forget(&mut world, 4);
    world.let_in(4, &fresh);
    let back =
        |world: &World| world.state(2) == Some(State::Online) && world.neighbor_count(2) == 4;
    assert!(
        world.run_until(20 * 60_000, back),
        "the sleeper is not back"
    );
    world.require_sound();
}

#[test]
fn whoever_leaves_is_gone_everywhere_and_may_be_invited_again() {
    let mut world = office();
    let theirs = world.add_note(3, "note").unwrap();
    world.run_for(1_000);
    let of = peer(&world, 3);
    // From before it leaves, as the one on a website would be.
    let text = link(&mut world, 1, Role::Member, 5);
    let handle = world.machines[3].app.handle();
    world.removed.insert(of);
    assert!(end(&mut world, 3, EndCall::Leave).is_ok());
    let gone = world.machines[3].engine().status(handle).unwrap_err();
    assert_eq!(gone.code, Code::InvalidGroup);
    let list = Command::ListGroups {
        store: Store::Default,
        identity: None,
    };
    assert!(matches!(world.ask(3, list), Ok(Answer::Groups(groups)) if groups.is_empty()));
    assert!(world.run_until(5_000, |world| (0..3).all(|m| world.neighbor_count(m) == 2)));
    for machine in 0..3 {
        assert_eq!(told(&world, machine, of, MemberChange::Left), 1);
        assert_eq!(told(&world, machine, of, MemberChange::Revoked), 0);
    }
    // What it wrote stays, and its old secrets lead nowhere: its membership has ended.
    assert!((0..3).all(|m| shows(&mut world, m, theirs)));
    // At once, by the same link.
    world.let_in(3, &text);
    assert_eq!(peer(&world, 3), of);
    world.require_sound();
}

/// Somebody was let in by one half of a group while the other half moved on to new secrets.
#[test]
fn whom_nobody_here_knows_comes_back_by_the_door_all_the_same() {
    let mut world = office();
    // Its chain is too long for what is announced at the door.
    let text = link(&mut world, 1, Role::Member, 5);
    world.run_for(1_000);
    for machine in 0..3 {
        world.crash(machine);
    }
    world.run_for(200_000);
    world.let_in(4, &text);
    world.run_for(2_000);
    for machine in 3..5 {
        world.crash(machine);
    }
    world.run_for(200_000);
    world.come_back(0);
    world.come_back(1);
    let of = peer(&world, 2);
    world.removed.insert(of);
    assert!(remove(&mut world, 0, 2).is_ok());
    world.run_for(15 * 60_000);
    world.let_in(5, &text);
    world.run_for(2_000);
    for machine in [0, 1, 5] {
        world.crash(machine);
    }
    world.run_for(200_000);
    // Neither has ever heard of the other, and one has the old secret.
    world.come_back(5);
    world.come_back(4);
    assert!(world.run_until(60_000, |world| world.neighbor_count(4) == 1));
    world.require_sound();
}

#[test]
fn leaving_without_a_network_forgets_the_group_here() {
    let mut world = world(1);
    world.create(0);
    let handle = world.machines[0].app.handle();
    assert!(end(&mut world, 0, EndCall::Leave).is_ok());
    let gone = world.machines[0].engine().status(handle).unwrap_err();
    assert_eq!(gone.code, Code::InvalidGroup);
}

#[test]
fn two_admins_who_remove_each_other_end_with_the_senior_one() {
    let mut world = office();
    for (one, other) in [(1, 2), (2, 1)] {
        world.set_cut(one, other, true);
    }
    let of = peer(&world, 2);
    world.removed.insert(of);
    // The junior one's program would refuse: its word is not asked for, its records are.
    assert_eq!(code(remove(&mut world, 2, 1)), Code::NotAuthorized);
    assert!(remove(&mut world, 1, 2).is_ok());
    assert!(world.run_until(20_000, |world| world.state(2) == Some(State::Disconnected)));
    assert_eq!(code(world.connect(2)), Code::CredentialRevoked);
}
