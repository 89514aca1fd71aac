//! Groups in which nobody reaches anybody but over the server: that all works there, and that a server
//! which drops, repeats, reorders, changes or invents relayed frames can cut links and no more.

use std::collections::BTreeMap;

use peer_group::crypto::REAL;
use peer_group::engine::command::{Command, NewInvitation, OpenOptions, Target};
use peer_group::engine::event::{Answer, ConnectionInfo, ConnectionStatus, Event, Path};
use peer_group::error::{Code, Stage};
use peer_group::names::{ConnectionId, ConnectionKind};
use peer_group::wire::rendezvous::{ClientMessage, RelayClosedReason, RelayFrame, ServerMessage};
use peer_group_tests::sim::dice::Dice;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

use crate::hostile_server::{Down, Up, honest_down, honest_up, set};

/// Messages of that many bytes take two pieces.
const MESSAGE_BYTES: usize = 20_000;
const SENDING_MS: u64 = 60_000;

fn without_a_way(nodes: usize) -> World {
    let options = Options {
        no_way_per_mille: 1000,
        ..Options::plain(11, &REAL, nodes)
    };
    World::new(options)
}

fn infos(world: &World, machine: usize, kind: ConnectionKind) -> Vec<ConnectionInfo> {
    let of = &world.machines[machine];
    let infos = of.engine().connections(of.app.handle(), Some(kind));
    infos.unwrap_or_default()
}

fn is_relayed(world: &World, machine: usize) -> bool {
    let infos = infos(world, machine, ConnectionKind::Neighbor);
    !infos.is_empty() && infos.iter().all(|info| info.path == Path::Relay)
}

/// Message `n` of a sender's connection: every byte of it says so.
fn message(connection: ConnectionId, n: u64) -> Vec<u8> {
    let mut bytes = Dice::new(connection.0 << 32 | n, "message")
        .bytes::<32>()
        .to_vec();
    bytes = bytes.iter().copied().cycle().take(MESSAGE_BYTES).collect();
    bytes[..8].copy_from_slice(&connection.0.to_le_bytes());
    bytes[8..16].copy_from_slice(&n.to_le_bytes());
    bytes
}

/// Of the first machine's connections, how many messages the second one got: in order, whole, and none
/// left out.
fn arrived(world: &World) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for inbox in world.machines[1].app.inbox.values() {
        for (n, (_, data)) in inbox.iter().enumerate() {
            let id = data.first_chunk().expect("it has a head");
            let connection = ConnectionId(u64::from_le_bytes(*id));
            assert!(
                *data == message(connection, n as u64),
                "message {n} is not what was sent"
            );
            counts.insert(connection.0, n as u64 + 1);
        }
    }
    counts
}

/// The first machine sends over whatever link it has to the second.
fn send_for(world: &mut World, time: u64, next: &mut BTreeMap<ConnectionId, u64>) {
    let end = world.now + time;
    while world.now < end {
        world.run_for(200);
        world.require_sound();
        let to = world.machines[1].app.peer;
        let all = infos(world, 0, ConnectionKind::Neighbor);
        let Some(info) = all.iter().find(|info| Some(info.peer) == to) else {
            continue;
        };
        let n = next.entry(info.id).or_default();
        let send = Command::Send {
            handle: world.machines[0].app.handle(),
            connection: info.id,
            kind: "m".to_owned(),
            data: message(info.id, *n),
        };
        *n += 1;
        world.command(0, send).expect("the link is open");
    }
    world.run_for(5_000);
}

/// What came of sending while the server did that to what it relays.
///
/// Returns how many links there were.
fn under(up: Up, down: Down) -> usize {
    let mut next = BTreeMap::new();
    let mut world = without_a_way(2);
    world.group_of(2);
    assert!(is_relayed(&world, 0) && is_relayed(&world, 1));
    set(&mut world, up, down);
    send_for(&mut world, SENDING_MS, &mut next);
    // Once it is honest again, all is well again.
    world.server.tamper = None;
    let whole = |world: &World| (0..2).all(|machine| is_relayed(world, machine));
    assert!(world.run_until(120_000, whole), "not linked again");
    let before: u64 = arrived(&world).values().sum();
    send_for(&mut world, SENDING_MS, &mut next);
    let after = arrived(&world);
    let heard = world.machines[1].heard.iter();
    let links = heard.filter(|(_, event)| {
        matches!(event, Event::NeighborConnection { change, .. } if change.status == ConnectionStatus::Connected)
    });
    let links = links.count();
    assert!(
        after.values().sum::<u64>() >= before + 250,
        "{before}, then {after:?}"
    );
    world.require_sound();
    links
}

/// Does something to every relayed frame that goes down.
fn to_frames(
    mut change: impl FnMut(u64, ServerMessage) -> Vec<ServerMessage> + Send + 'static,
) -> Down {
    let mut count = 0;
    Box::new(move |conn, message| {
        if !matches!(message, ServerMessage::Relay { .. }) {
            return vec![(conn, message)];
        }
        count += 1;
        let out = change(count, message);
        out.into_iter().map(|message| (conn, message)).collect()
    })
}

#[test]
fn a_group_without_any_other_way_meets_over_the_server() {
    let mut world = without_a_way(4);
    world.group_of(4);
    for machine in 0..4 {
        assert!(is_relayed(&world, machine));
    }
    let to = Target::Peer(world.machines[2].app.peer.expect("it is open"));
    let open = Command::OpenDirect {
        handle: world.machines[0].app.handle(),
        to,
        label: String::new(),
        timeout_ms: 5_000,
    };
    let Ok(Answer::Connected(info)) = world.ask(0, open) else {
        panic!("no direct connection");
    };
    assert_eq!(info.path, Path::Relay);
    // More than all windows together, at once: it takes its time and comes whole.
    let begun = world.now;
    let sends: Vec<_> = (0..50)
        .map(|n| Command::Send {
            handle: world.machines[0].app.handle(),
            connection: info.id,
            kind: "m".to_owned(),
            data: message(info.id, n),
        })
        .collect();
    let sends: Vec<_> = sends
        .into_iter()
        .map(|send| world.command(0, send).expect("it is open"))
        .collect();
    let done = |world: &World| {
        let answers = &world.machines[0].app.answers;
        sends
            .iter()
            .all(|send| answers.get(send) == Some(&Ok(Answer::Done)))
    };
    assert!(world.run_until(20_000, done));
    let took = world.now - begun;
    println!("{} bytes over the relay in {took} ms", 50 * MESSAGE_BYTES);
    assert!(took > 2_000, "faster than the server allows: {took} ms");
    let inbox = world.machines[2]
        .app
        .inbox
        .values()
        .next()
        .expect("it came");
    let came = inbox.iter().enumerate();
    assert!(
        came.clone().count() == 50
            && came
                .into_iter()
                .all(|(n, (_, data))| *data == message(info.id, n as u64))
    );
    // Nothing is closed for being idle, and one that leaves is heard at once.
    world.run_for(600_000);
    for machine in 0..4 {
        assert_eq!(world.neighbor_count(machine), 3);
    }
    let handle = world.machines[3].app.handle();
    assert_eq!(world.ask(3, Command::Close { handle }), Ok(Answer::Done));
    let heard = |world: &World| (0..3).all(|machine| world.neighbor_count(machine) == 2);
    assert!(world.run_until(1_000, heard));
    world.require_sound();
}

/// Where TURN alone may be used and there is none, nothing is waited for.
#[test]
fn who_may_not_be_seen_and_has_no_turn_meets_over_the_server_at_once() {
    let mut world = without_a_way(2);
    let hidden = |world: &World| OpenOptions {
        relay_only: true,
        ..world.open_options()
    };
    world.start(0);
    let options = hidden(&world);
    let group = World::new_group();
    assert!(
        world
            .ask(0, Command::CreateGroup { options, group })
            .is_ok()
    );
    world.trust(0);
    let invitation = world.invitation(0, NewInvitation::default());
    assert!(world.connect(0).is_ok());
    world.start(1);
    let options = hidden(&world);
    let join = Command::JoinGroup {
        options,
        invitation,
    };
    assert!(world.ask(1, join).is_ok());
    world.trust(1);
    let begun = world.now;
    assert!(world.connect(1).is_ok());
    let took = world.now - begun;
    assert!(took < 1_000, "{took} ms");
    assert!(is_relayed(&world, 0) && is_relayed(&world, 1));
    world.require_sound();
}

#[test]
fn a_server_that_restarts_takes_relayed_links_with_it_and_they_come_again() {
    let mut world = without_a_way(3);
    world.group_of(3);
    for _ in 0..3 {
        world.restart_server(500);
        world.run_for(1_000);
        assert!((0..3).all(|machine| world.neighbor_count(machine) == 0));
        let whole = |world: &World| (0..3).all(|machine| world.neighbor_count(machine) == 2);
        assert!(world.run_until(60_000, whole));
    }
    world.require_sound();
}

#[test]
fn frames_that_come_again_change_nothing() {
    let mut old: Vec<ServerMessage> = Vec::new();
    let again = to_frames(move |_, message| {
        let mut out = vec![message.clone(); 2];
        out.extend(old.iter().rev().step_by(7).take(5).cloned());
        old.push(message);
        out
    });
    let links = under(honest_up(), again);
    assert_eq!(links, 1, "a link was cut");
}

#[test]
fn missing_frames_cut_links_and_never_leave_a_hole() {
    for every in [3, 20, 100] {
        let drop = to_frames(move |n, message| match n % every {
            0 => Vec::new(),
            _ => vec![message],
        });
        let links = under(honest_up(), drop);
        assert!(links > 1, "nothing was missed");
    }
}

#[test]
fn frames_in_another_order_cut_links_and_never_change_messages() {
    let mut late = None;
    let swap = to_frames(move |n, message| match n % 25 {
        0 => {
            late = Some(message);
            Vec::new()
        }
        _ => core::iter::once(message).chain(late.take()).collect(),
    });
    let links = under(honest_up(), swap);
    assert!(links > 1, "no link was cut");
}

#[test]
fn changed_frames_cut_links_and_never_change_messages() {
    let flip = to_frames(move |n, message| match message {
        ServerMessage::Relay { from, frame } if n % 20 == 0 => {
            let mut bytes = frame.to_vec();
            let at = (n * 131) as usize % bytes.len();
            bytes[at] ^= 1 << (n % 8);
            let frame = RelayFrame::new(bytes).expect("as long as before");
            vec![ServerMessage::Relay { from, frame }]
        }
        other => vec![other],
    });
    let links = under(honest_up(), flip);
    assert!(links > 1, "no link was cut");
}

/// What one end wrote is shown to itself, and what it gets is said to be from somebody else.
#[test]
fn frames_go_to_others_than_they_are_for() {
    let mut seen: Vec<(u64, ServerMessage)> = Vec::new();
    let down: Down = Box::new(move |conn, message| {
        let mut out = vec![(conn, message.clone())];
        if matches!(message, ServerMessage::Relay { .. }) {
            let others = seen.iter().rev().filter(|(of, _)| *of != conn);
            out.extend(others.take(3).map(|(_, message)| (conn, message.clone())));
            seen.push((conn, message));
        }
        out
    });
    let links = under(honest_up(), down);
    assert_eq!(links, 1, "a link was cut");
}

/// It gives credit that it does not have, and calls pairs closed that are not.
#[test]
fn invented_credit_and_endings_cut_links_at_most() {
    for reason in [
        RelayClosedReason::Gone,
        RelayClosedReason::Unasked,
        RelayClosedReason::Quota,
        RelayClosedReason::Idle,
        RelayClosedReason::Off,
    ] {
        let lie = to_frames(move |n, message| {
            let ServerMessage::Relay { from, .. } = message else {
                return vec![message];
            };
            let bytes = u32::MAX;
            let mut out = vec![message, ServerMessage::RelayCredit { to: from, bytes }];
            if n % 30 == 0 {
                out.push(ServerMessage::RelayClosed { to: from, reason });
            }
            out
        });
        under(honest_up(), lie);
    }
}

#[test]
fn a_server_that_drops_all_it_relays_keeps_a_joiner_out_and_it_is_told() {
    let mut world = without_a_way(3);
    let text = world.group_of(2);
    assert!(world.join(2, &text).is_ok());
    world.trust(2);
    let up: Up = Box::new(|conn, message| match message {
        ClientMessage::Relay { .. } => Vec::new(),
        other => vec![(conn, other)],
    });
    set(&mut world, up, honest_down());
    let error = world.connect(2).expect_err("nothing gets through");
    world.require_sound();
    assert_eq!(error.code, Code::NoMemberConnections);
    let evidence = error.evidence.expect("it is a connection failure");
    assert_eq!(
        (evidence.turn_tried, evidence.relay_tried),
        (Some(false), Some(true))
    );
}

#[test]
fn a_server_that_relays_nothing_leaves_the_old_failure_with_its_evidence() {
    let mut world = without_a_way(2);
    let down: Down = Box::new(|conn, message| match message {
        ServerMessage::Welcome {
            challenge,
            time_ms,
            mut limits,
            ice,
        } => {
            limits.relay_bytes = 0;
            let welcome = ServerMessage::Welcome {
                challenge,
                time_ms,
                limits,
                ice,
            };
            vec![(conn, welcome)]
        }
        other => vec![(conn, other)],
    });
    set(&mut world, honest_up(), down);
    let text = world.group_of(1);
    assert!(world.join(1, &text).is_ok());
    world.trust(1);
    let begun = world.now;
    let error = world.connect(1).expect_err("there is no way");
    assert!(world.now - begun <= 30_000);
    world.require_sound();
    assert_eq!(error.code, Code::NoMemberConnections);
    assert!(error.detail.contains("TURN"), "{}", error.detail);
    let evidence = error.evidence.expect("it is a connection failure");
    assert_eq!(
        (evidence.stage, evidence.turn_tried, evidence.relay_tried),
        (Stage::Ice, Some(false), Some(false))
    );
}
