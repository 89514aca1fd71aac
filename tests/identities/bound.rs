//! Bound invitations and roles: for one identity, and never more than whoever invites may give.

use peer_group::crypto::FAKE;
use peer_group::engine::command::{Command, NewInvitation};
use peer_group::engine::event::Answer;
use peer_group::error::Code;
use peer_group::group::invitation::preview;
use peer_group::names::Role;
use peer_group_tests::sim::world::World;

use super::{call, code, list, named, one, world};

/// A group of machine 0, online, and the card of machine 1's identity.
fn group_and_card() -> (World, String) {
    let mut world = world(3);
    world.group_of(1);
    let card = one(&mut world, 1, named("Berta")).card;
    (world, card)
}

fn to(card: &str, role: Role) -> NewInvitation {
    NewInvitation {
        role,
        to: Some(card.to_owned()),
        ..NewInvitation::default()
    }
}

fn refused(world: &mut World, machine: usize, invitation: NewInvitation) -> Code {
    let handle = world.machines[machine].app.handle();
    code(world.ask(machine, Command::CreateInvitation { handle, invitation }))
}

fn join(world: &mut World, machine: usize, text: &str) -> Result<Answer, peer_group::error::Error> {
    let mut options = world.open_options();
    options.identity = list(world, machine).first().map(|identity| identity.peer);
    let invitation = text.to_owned();
    world.ask(
        machine,
        Command::JoinGroup {
            options,
            invitation,
        },
    )
}

#[test]
fn a_bound_invitation_lets_its_identity_in_with_its_role() {
    let (mut world, card) = group_and_card();
    let text = world.invitation(0, to(&card, Role::InvitingMember));
    let shown = preview(&FAKE, &text).unwrap();
    let berta = list(&mut world, 1)[0].peer;
    assert_eq!((shown.kind, shown.subject), ("bound", Some(berta)));
    assert_eq!(shown.roles, [Role::InvitingMember]);
    let joined = join(&mut world, 1, &text);
    assert!(matches!(joined, Ok(Answer::Opened(_))), "{joined:?}");
    world.trust(1);
    let online = world.connect(1);
    assert!(online.is_ok(), "{online:?}");
    // She may invite, up to her own role, and whoever she invites comes in.
    assert_eq!(
        refused(
            &mut world,
            1,
            NewInvitation {
                role: Role::Admin,
                ..NewInvitation::default()
            }
        ),
        Code::NotAuthorized
    );
    let text = world.invitation(1, NewInvitation::default());
    let carla = one(&mut world, 2, named("Carla"));
    assert!(join(&mut world, 2, &text).is_ok());
    world.trust(2);
    assert_eq!(world.machines[2].app.peer, Some(carla.peer));
    let online = world.connect(2);
    assert!(online.is_ok(), "{online:?}");
    assert_eq!(
        refused(&mut world, 2, NewInvitation::default()),
        Code::NotAuthorized,
        "a plain member does not invite"
    );
    world.require_sound();
}

#[test]
fn a_stolen_bound_invitation_is_of_no_use() {
    let (mut world, card) = group_and_card();
    let text = world.invitation(0, to(&card, Role::Admin));
    one(&mut world, 2, named("Thief"));
    assert_eq!(code(join(&mut world, 2, &text)), Code::InvitationNotTrusted);
    // It cannot be made to be for the thief either, and it says less than a link does: the door is
    // sealed.
    let bytes = peer_group::wire::text::decode(
        peer_group::wire::text::TextKind::Invitation,
        &text,
        Code::Internal,
    )
    .unwrap();
    let thief = list(&mut world, 2)[0].peer;
    let victim = list(&mut world, 1)[0].peer;
    let at = bytes
        .windows(32)
        .position(|window| window == victim.0)
        .expect("whom it is for stands in clear");
    let mut forged = bytes;
    forged[at..at + 32].copy_from_slice(&thief.0);
    let forged =
        peer_group::wire::text::encode(peer_group::wire::text::TextKind::Invitation, &forged);
    assert_eq!(
        code(join(&mut world, 2, &forged)),
        Code::InvitationNotTrusted
    );
    assert!(
        join(&mut world, 1, &text).is_ok(),
        "the right one still can"
    );
}

#[test]
fn cards_that_are_none_and_the_own_one_are_refused() {
    let (mut world, card) = group_and_card();
    let own = list(&mut world, 0)[0].card.clone();
    assert_eq!(
        refused(&mut world, 0, to(&own, Role::Member)),
        Code::InvalidArgument
    );
    let spoilt = card.replace("pg-card:", "pg-node:");
    assert_eq!(
        refused(&mut world, 0, to(&spoilt, Role::Member)),
        Code::InvalidPeerName
    );
    let past = NewInvitation {
        expires: Some(1),
        ..to(&card, Role::Member)
    };
    assert_eq!(refused(&mut world, 0, past), Code::InvalidTimePeriod);
    assert!(matches!(
        world.ask(0, call(named("still here"))),
        Ok(Answer::Identity(_))
    ));
}

#[test]
fn a_link_can_give_more_than_membership() {
    let (mut world, _) = group_and_card();
    let text = world.invitation(
        0,
        NewInvitation {
            role: Role::Admin,
            ..NewInvitation::default()
        },
    );
    assert_eq!(preview(&FAKE, &text).unwrap().roles, [Role::Admin]);
    assert!(join(&mut world, 1, &text).is_ok());
    world.trust(1);
    assert!(world.connect(1).is_ok());
    let text = world.invitation(
        1,
        NewInvitation {
            role: Role::Admin,
            ..NewInvitation::default()
        },
    );
    assert_eq!(preview(&FAKE, &text).unwrap().roles, [Role::Admin]);
    world.require_sound();
}
