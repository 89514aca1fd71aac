//! A rendezvous server that edits, replays, redirects, invents and withholds: it may cut members
//! off, and no more than that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use peer_group::crypto::REAL;
use peer_group::engine::command::NewInvitation;
use peer_group::error::{Code, Error, Stage};
use peer_group::names::{Tag, Topic};
use peer_group::wire::codec::{Bytes, List, Wire as _};
use peer_group::wire::link::{Signal, SignalBody};
use peer_group::wire::rendezvous::{ClientMessage, Entry, Payload, ServerMessage};
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::server::Tamper;
use peer_group_tests::sim::world::World;

pub(crate) type Up = Box<dyn FnMut(u64, ClientMessage) -> Vec<(u64, ClientMessage)> + Send>;
pub(crate) type Down = Box<dyn FnMut(u64, ServerMessage) -> Vec<(u64, ServerMessage)> + Send>;

/// A server that does what two functions say.
struct Wire {
    up: Up,
    down: Down,
}

impl Tamper for Wire {
    fn up(&mut self, conn: u64, bytes: Vec<u8>) -> Vec<(u64, Vec<u8>)> {
        let message = ClientMessage::from_bytes(&bytes).expect("engines write well");
        let out = (self.up)(conn, message);
        out.into_iter()
            .map(|(conn, message)| (conn, message.to_bytes()))
            .collect()
    }

    fn down(&mut self, conn: u64, bytes: Vec<u8>) -> Vec<(u64, Vec<u8>)> {
        let message = ServerMessage::from_bytes(&bytes).expect("rooms write well");
        let out = (self.down)(conn, message);
        out.into_iter()
            .map(|(conn, message)| (conn, message.to_bytes()))
            .collect()
    }
}

pub(crate) fn honest_up() -> Up {
    Box::new(|conn, message| vec![(conn, message)])
}

pub(crate) fn honest_down() -> Down {
    Box::new(|conn, message| vec![(conn, message)])
}

pub(crate) fn set(world: &mut World, up: Up, down: Down) {
    world.server.tamper = Some(Box::new(Wire { up, down }));
}

fn world(nodes: usize) -> World {
    World::new(Options::plain(7, &REAL, nodes))
}

/// The first of so many machines are a group; the next one has its invitation and is not online.
fn group_and_joiner(members: usize) -> World {
    let mut world = world(members + 1);
    let text = world.group_of(members);
    let joined = world.join(members, &text);
    assert!(joined.is_ok(), "{joined:?}");
    world.trust(members);
    world
}

/// The joiner is told why, the members notice nothing, and nobody is linked with it.
fn require_kept_out(world: &mut World, joiner: usize, codes: &[Code], stages: &[Stage]) {
    let before: Vec<usize> = (0..joiner)
        .map(|machine| world.neighbor_count(machine))
        .collect();
    let error: Error = world
        .connect(joiner)
        .expect_err("nobody honest was reachable");
    world.require_sound();
    assert!(codes.contains(&error.code), "{error:?}");
    let stage = error.evidence.as_ref().map(|evidence| evidence.stage);
    assert!(
        stage.is_some_and(|stage| stages.contains(&stage)),
        "{error:?}"
    );
    assert_eq!(world.neighbor_count(joiner), 0);
    let after: Vec<usize> = (0..joiner)
        .map(|machine| world.neighbor_count(machine))
        .collect();
    assert_eq!(before, after);
}

const CUT_OFF: &[Code] = &[
    Code::ConnectionNotAuthenticated,
    Code::NoMemberConnections,
    Code::NoMembersFound,
];
const BEFORE_ICE: &[Stage] = &[Stage::Discovery, Stage::Handshake];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    First,
    Second,
}

fn part_of(payload: &[u8]) -> Option<Part> {
    match Signal::from_bytes(payload) {
        Ok(Signal(SignalBody::Initiate { .. })) => Some(Part::First),
        Ok(Signal(SignalBody::Answer { .. })) => Some(Part::Second),
        _ => None,
    }
}

/// Every region of both handshake messages, from the first byte to the last.
const REGIONS: u64 = 24;

fn flip(payload: &Payload, region: u64) -> Payload {
    let mut bytes = payload.to_vec();
    let last = bytes.len() as u64 - 1;
    let at = usize::try_from(last * region / (REGIONS - 1)).expect("small");
    bytes[at] ^= 1 << (region % 8);
    Payload::new(bytes).expect("no longer than before")
}

fn bit_flips_keep_out(part: Part) {
    for region in 0..REGIONS {
        let mut world = group_and_joiner(2);
        let down: Down = Box::new(move |conn, message| match message {
            ServerMessage::Delivered { from, payload } if part_of(&payload) == Some(part) => {
                let payload = flip(&payload, region);
                vec![(conn, ServerMessage::Delivered { from, payload })]
            }
            other => vec![(conn, other)],
        });
        set(&mut world, honest_up(), down);
        require_kept_out(&mut world, 2, CUT_OFF, BEFORE_ICE);
    }
}

#[test]
fn a_bit_of_message_1_is_changed() {
    bit_flips_keep_out(Part::First);
}

#[test]
fn a_bit_of_message_2_is_changed() {
    bit_flips_keep_out(Part::Second);
}

/// What follows the handshake is candidates: edited ones are none, and no other end comes up.
#[test]
fn a_bit_of_what_follows_the_handshake_is_changed() {
    for region in 0..REGIONS {
        let mut world = group_and_joiner(2);
        let down: Down = Box::new(move |conn, message| match message {
            ServerMessage::Delivered { from, payload } if part_of(&payload).is_none() => {
                let payload = flip(&payload, region);
                vec![(conn, ServerMessage::Delivered { from, payload })]
            }
            other => vec![(conn, other)],
        });
        set(&mut world, honest_up(), down);
        let outcome = world.connect(2);
        world.require_sound();
        if let Err(error) = outcome {
            assert!(CUT_OFF.contains(&error.code), "{error:?}");
        }
    }
}

#[test]
fn the_same_edit_once_delays_and_does_no_harm() {
    let mut world = group_and_joiner(2);
    let mut left = 1;
    let down: Down = Box::new(move |conn, message| match message {
        ServerMessage::Delivered { from, payload } if left > 0 && part_of(&payload).is_some() => {
            left -= 1;
            let payload = flip(&payload, REGIONS / 2);
            vec![(conn, ServerMessage::Delivered { from, payload })]
        }
        other => vec![(conn, other)],
    });
    set(&mut world, honest_up(), down);
    let outcome = world.connect(2);
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(world.run_until(60_000, |world| world.neighbor_count(2) == 2));
    world.require_sound();
}

/// Every signal comes three times, and the old ones again whenever a new one comes.
#[test]
fn every_signal_comes_three_times_and_again_later() {
    let mut world = group_and_joiner(2);
    let old: Arc<Mutex<Vec<(u64, ServerMessage)>>> = Arc::default();
    let down: Down = Box::new(move |conn, message| {
        if !matches!(message, ServerMessage::Delivered { .. }) {
            return vec![(conn, message)];
        }
        let mut old = old.lock().expect("one thread");
        let mut out = vec![(conn, message.clone()); 3];
        out.extend(old.iter().rev().take(20).cloned());
        old.push((conn, message));
        out
    });
    set(&mut world, honest_up(), down);
    let outcome = world.connect(2);
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(world.run_until(30_000, |world| (0..3).all(|m| world.neighbor_count(m) == 2)));
    world.run_for(60_000);
    world.require_sound();
    let links = world.machines[2].model.live_links();
    assert_eq!(links, 2, "a replay opened a link");
}

/// Messages 1 and 2 of an earlier session of the same member are shown again later.
#[test]
fn a_handshake_of_an_earlier_session_is_shown_again() {
    let mut world = group_and_joiner(2);
    let old: Arc<Mutex<Vec<ServerMessage>>> = Arc::default();
    let record = Arc::clone(&old);
    let down: Down = Box::new(move |conn, message| {
        if matches!(message, ServerMessage::Delivered { .. }) {
            record.lock().expect("one thread").push(message.clone());
        }
        vec![(conn, message)]
    });
    set(&mut world, honest_up(), down);
    let outcome = world.connect(2);
    assert!(outcome.is_ok(), "{outcome:?}");
    world.run_for(10_000);
    // The joiner comes back with a new session; everything of the old one is thrown at everybody.
    world.crash(2);
    world.run_for(40_000);
    let group = world.machines[2].app.group.expect("it was in");
    world.start(2);
    let options = world.open_options();
    let open = peer_group::engine::command::Command::OpenGroup { options, group };
    let opened = world.ask(2, open);
    assert!(opened.is_ok(), "{opened:?}");
    let conns: Vec<u64> = world.server.conns.keys().copied().collect();
    let mut pending = Some(());
    let down: Down = Box::new(move |conn, message| {
        let mut out = vec![(conn, message)];
        if pending.take().is_some() {
            let old = old.lock().expect("one thread");
            out.extend(
                conns
                    .iter()
                    .flat_map(|conn| old.iter().map(|m| (*conn, m.clone()))),
            );
        }
        out
    });
    set(&mut world, honest_up(), down);
    let outcome = world.connect(2);
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(world.run_until(60_000, |world| (0..3).all(|m| world.neighbor_count(m) == 2)));
    world.require_sound();
}

fn tags_seen(tags: &Arc<Mutex<BTreeSet<Tag>>>, message: &ClientMessage) {
    if let ClientMessage::Join { tag, .. } = message {
        tags.lock().expect("one thread").insert(*tag);
    }
}

/// A signal for one member is given to another one.
#[test]
fn signals_are_redirected_to_another_member() {
    let mut world = world(4);
    let tags: Arc<Mutex<BTreeSet<Tag>>> = Arc::default();
    let seen = Arc::clone(&tags);
    let up: Up = Box::new(move |conn, message| {
        tags_seen(&seen, &message);
        vec![(conn, message)]
    });
    set(&mut world, up, honest_down());
    let text = world.group_of(3);
    let joined = world.join(3, &text);
    assert!(joined.is_ok(), "{joined:?}");
    world.trust(3);
    let up: Up = Box::new(move |conn, message| match message {
        ClientMessage::Signal { to, payload } => {
            let tags = tags.lock().expect("one thread");
            let other = tags
                .range(to..)
                .nth(1)
                .or(tags.first())
                .copied()
                .unwrap_or(to);
            vec![(conn, ClientMessage::Signal { to: other, payload })]
        }
        other => vec![(conn, other)],
    });
    set(&mut world, up, honest_down());
    require_kept_out(&mut world, 3, CUT_OFF, BEFORE_ICE);
}

/// The sender that the server names is another one than it was.
#[test]
fn the_senders_of_signals_are_exchanged() {
    let mut world = world(4);
    let tags: Arc<Mutex<BTreeSet<Tag>>> = Arc::default();
    let seen = Arc::clone(&tags);
    let up: Up = Box::new(move |conn, message| {
        tags_seen(&seen, &message);
        vec![(conn, message)]
    });
    let down: Down = Box::new(move |conn, message| match message {
        ServerMessage::Delivered { from, payload } => {
            let tags = tags.lock().expect("one thread");
            let from = tags
                .range(from..)
                .nth(1)
                .or(tags.first())
                .copied()
                .unwrap_or(from);
            vec![(conn, ServerMessage::Delivered { from, payload })]
        }
        other => vec![(conn, other)],
    });
    let text = world.group_of(3);
    let joined = world.join(3, &text);
    assert!(joined.is_ok(), "{joined:?}");
    world.trust(3);
    set(&mut world, up, down);
    let outcome = world.connect(3);
    world.require_sound();
    if let Err(error) = outcome {
        assert!(CUT_OFF.contains(&error.code), "{error:?}");
    }
}

fn with_sample(
    message: ServerMessage,
    edit: impl FnOnce(Topic, Vec<Entry>) -> Vec<Entry>,
) -> ServerMessage {
    match message {
        ServerMessage::Joined {
            topic,
            ttl_s,
            size_bucket,
            sample,
        } => {
            let sample = List::first(edit(topic, sample.into_vec()));
            ServerMessage::Joined {
                topic,
                ttl_s,
                size_bucket,
                sample,
            }
        }
        ServerMessage::Peers { topic, sample } => {
            let sample = List::first(edit(topic, sample.into_vec()));
            ServerMessage::Peers { topic, sample }
        }
        other => other,
    }
}

/// Two groups; whoever looks into a topic is shown those who stand in others.
#[test]
fn announcements_of_one_topic_are_shown_in_another() {
    let mut world = world(4);
    let shown: Arc<Mutex<BTreeMap<Topic, Entry>>> = Arc::default();
    let record = Arc::clone(&shown);
    let up: Up = Box::new(move |conn, message| {
        if let ClientMessage::Join {
            topic,
            tag,
            announcement,
            ..
        } = &message
        {
            let entry = Entry {
                tag: *tag,
                announcement: announcement.clone(),
            };
            record.lock().expect("one thread").insert(*topic, entry);
        }
        vec![(conn, message)]
    });
    let down: Down = Box::new(move |conn, message| {
        let message = with_sample(message, |topic, _| {
            let shown = shown.lock().expect("one thread");
            shown
                .iter()
                .filter(|(of, _)| **of != topic)
                .map(|(_, e)| e.clone())
                .collect()
        });
        vec![(conn, message)]
    });
    set(&mut world, up, down);
    // Each alone is a group of its own; the fourth has the invitation of the first.
    for creator in 0..3 {
        world.create(creator);
    }
    let uses = NewInvitation {
        max_uses: 5,
        ..NewInvitation::default()
    };
    let text = world.invitation(0, uses);
    for creator in 0..3 {
        let online = world.connect(creator);
        assert!(online.is_ok(), "{online:?}");
    }
    let joined = world.join(3, &text);
    assert!(joined.is_ok(), "{joined:?}");
    world.trust(3);
    require_kept_out(&mut world, 3, CUT_OFF, BEFORE_ICE);
    for machine in 0..3 {
        assert_eq!(world.neighbor_count(machine), 0, "two groups were joined");
    }
}

/// The server announces itself: it knows tags and topics, and no secret to announce with.
#[test]
fn the_server_invents_announcements() {
    for len in [0, 1, 16, 48, 200, 1024] {
        let mut world = group_and_joiner(2);
        let down: Down = Box::new(move |conn, message| {
            let message = with_sample(message, |_, _| {
                let announcement = Bytes::new(vec![0x5a; len]).expect("short enough");
                vec![
                    Entry {
                        tag: Tag([9; 16]),
                        announcement
                    };
                    16
                ]
            });
            vec![(conn, message)]
        });
        set(&mut world, honest_up(), down);
        require_kept_out(&mut world, 2, &[Code::NoMembersFound], &[Stage::Discovery]);
    }
}

/// A member's announcement is shown under the server's own tag, edited at every region.
#[test]
fn the_server_edits_announcements() {
    for region in 0..REGIONS {
        let mut world = group_and_joiner(2);
        let down: Down = Box::new(move |conn, message| {
            let message = with_sample(message, |_, mut entries| {
                for entry in &mut entries {
                    let mut bytes = entry.announcement.to_vec();
                    let last = bytes.len() as u64 - 1;
                    let at = usize::try_from(last * region / (REGIONS - 1)).expect("small");
                    bytes[at] ^= 1;
                    entry.announcement = Bytes::new(bytes).expect("as long as before");
                }
                entries
            });
            vec![(conn, message)]
        });
        set(&mut world, honest_up(), down);
        require_kept_out(&mut world, 2, CUT_OFF, BEFORE_ICE);
    }
}

#[test]
fn the_server_shows_nobody() {
    let mut world = group_and_joiner(2);
    let down: Down =
        Box::new(|conn, message| vec![(conn, with_sample(message, |_, _| Vec::new()))]);
    set(&mut world, honest_up(), down);
    require_kept_out(&mut world, 2, &[Code::NoMembersFound], &[Stage::Discovery]);
}

#[test]
fn the_server_never_says_welcome() {
    let mut world = group_and_joiner(2);
    set(&mut world, honest_up(), Box::new(|_, _| Vec::new()));
    require_kept_out(
        &mut world,
        2,
        &[Code::ServiceNotAvailable],
        &[Stage::Rendezvous],
    );
}

/// An announcement of a session that is over is shown instead of the new one, and what is sent
/// there reaches the new one.
#[test]
fn an_old_session_is_shown_for_a_new_one() {
    let mut world = world(2);
    let first: Arc<Mutex<BTreeMap<Topic, Entry>>> = Arc::default();
    let newest: Arc<Mutex<BTreeMap<Topic, Tag>>> = Arc::default();
    let (keep, track) = (Arc::clone(&first), Arc::clone(&newest));
    let up: Up = Box::new(move |conn, message| {
        if let ClientMessage::Join {
            topic,
            tag,
            announcement,
            ..
        } = &message
        {
            let entry = Entry {
                tag: *tag,
                announcement: announcement.clone(),
            };
            keep.lock()
                .expect("one thread")
                .entry(*topic)
                .or_insert(entry);
            track.lock().expect("one thread").insert(*topic, *tag);
        }
        vec![(conn, message)]
    });
    set(&mut world, up, honest_down());
    let text = world.group_of(1);
    world.run_for(5_000);
    world.crash(0);
    world.run_for(1_000);
    world.start(0);
    let options = world.open_options();
    let group = world.machines[0].app.group.expect("it made one");
    let open = peer_group::engine::command::Command::OpenGroup { options, group };
    assert!(world.ask(0, open).is_ok());
    assert!(world.connect(0).is_ok());
    let joined = world.join(1, &text);
    assert!(joined.is_ok(), "{joined:?}");
    world.trust(1);
    let old = Arc::clone(&first);
    let up: Up = Box::new(move |conn, message| match message {
        ClientMessage::Signal { to, payload } => {
            let old = old.lock().expect("one thread");
            let topic = old
                .iter()
                .find(|(_, entry)| entry.tag == to)
                .map(|(topic, _)| *topic);
            let newest = newest.lock().expect("one thread");
            let to = topic
                .and_then(|topic| newest.get(&topic).copied())
                .unwrap_or(to);
            vec![(conn, ClientMessage::Signal { to, payload })]
        }
        other => vec![(conn, other)],
    });
    let down: Down = Box::new(move |conn, message| {
        let message = with_sample(message, |topic, _| {
            first
                .lock()
                .expect("one thread")
                .get(&topic)
                .cloned()
                .into_iter()
                .collect()
        });
        vec![(conn, message)]
    });
    set(&mut world, up, down);
    require_kept_out(&mut world, 1, CUT_OFF, BEFORE_ICE);
}
