//! The rendezvous server's rules: any sequence of sockets, messages, times and slow readers.

use std::collections::{BTreeMap, VecDeque};

use peer_group::crypto::{FAKE, Primitives as _, tag_of};
use peer_group::names::Topic;
use peer_group::time::{Millis, Now};
use peer_group::wire::codec::{Bytes, Reader, Wire as _};
use peer_group::wire::rendezvous::{
    ClientMessage, ServerMessage, join_signed_bytes, resolve_signed_bytes,
};
use peer_group_signaling::rooms::{Address, Config, ConnId, Limits, Out, Rate, Receipt, Rooms};

const ORIGIN: &str = "a:1";
/// Steps of one script: more take time and find no more.
const STEPS: usize = 64;
/// Sockets and secrets that a script may name.
const NAMES: u8 = 6;

/// Bounds that a short script can reach.
fn limits() -> Limits {
    let rate = |per_second, burst| Rate { per_second, burst };
    Limits {
        connections: 5,
        connections_per_address: 3,
        opened_per_address: rate(1, 6),
        resting_addresses: 1,
        topics_per_connection: 2,
        topics: 3,
        entries_per_topic: 3,
        correspondents: 2,
        requests: rate(2, 8),
        requests_per_address: rate(2, 12),
        requests_in_all: rate(2, 20),
        inbox: rate(2, 6),
        relay_bytes: 2048,
        relay_per_pair: rate(1024, 2048),
        relay_per_address: rate(2048, 3072),
        relay_in_all: rate(2048, 4096),
        pairs_per_connection: 2,
        pairs: 3,
        ..Limits::default()
    }
}

/// The rules, and what they said.
struct Scene {
    rooms: Rooms,
    now: Millis,
    challenges: BTreeMap<ConnId, [u8; 32]>,
    receipts: VecDeque<Receipt>,
    open: Vec<ConnId>,
    granted: bool,
}

impl Scene {
    fn now(&self) -> Now {
        Now {
            monotonic: self.now,
            wall: 1_790_000_000_000 + self.now,
        }
    }

    /// Does what the rules say, and checks what can be seen from outside.
    fn drain(&mut self) {
        while let Some(out) = self.rooms.poll() {
            match out {
                Out::Send {
                    conn,
                    bytes,
                    receipt,
                } => {
                    let message = ServerMessage::from_bytes(&bytes);
                    assert!(message.is_ok(), "the server said what is no message");
                    if let Ok(ServerMessage::Welcome { challenge, .. }) = message {
                        self.challenges.insert(conn, challenge);
                        self.granted = true;
                    }
                    self.receipts.extend(receipt);
                }
                Out::Close { conn, .. } => self.open.retain(|open| *open != conn),
            }
        }
        let (limits, counts) = (limits(), self.rooms.counts());
        assert!(counts.sockets == self.open.len() as u64);
        assert!(counts.sockets <= limits.connections as u64);
        assert!(counts.tags <= counts.sockets, "a tag without a socket");
        assert!(counts.topics <= limits.topics as u64);
        assert!(
            counts.announcements <= counts.tags * 2,
            "nobody stands there"
        );
        assert!(counts.pairs <= limits.pairs as u64);
        let under_way: usize = self.receipts.len();
        // Each costs at least its head; two windows for each of the pairs that there were.
        assert!(under_way <= STEPS, "more frames than were sent");
    }

    /// One step of a script; none when it is at its end.
    fn step(&mut self, script: &mut Reader<'_>) -> Option<()> {
        let [what, who, other] = script.array().ok()?;
        let (conn, key) = (ConnId(u64::from(who % NAMES)), [who % 3; 32]);
        let r = [other % NAMES; 32];
        let (topic, tag) = (Topic(FAKE.public_key(&key)), tag_of(&FAKE, &r));
        let challenge = self.challenges.get(&conn).copied().unwrap_or_default();
        let message = match what % 16 {
            0 => {
                self.open.retain(|open| *open != conn);
                self.open.push(conn);
                let address = Address::V4([192, 0, 2, other % 3]);
                self.rooms
                    .connected(self.now(), conn, ORIGIN.to_owned(), address);
                return Some(());
            }
            1 => {
                self.open.retain(|open| *open != conn);
                self.rooms.disconnected(self.now(), conn);
                return Some(());
            }
            2 => {
                // Seconds, and now and then minutes.
                self.now += Millis::from(who) * Millis::from(other % 8) * 50;
                self.rooms.tick(self.now());
                return Some(());
            }
            3 => {
                if let Some(receipt) = self.receipts.pop_front() {
                    self.rooms.taken(self.now(), receipt);
                }
                return Some(());
            }
            4 => {
                let len = script.length(256).ok()?;
                self.rooms
                    .received(self.now(), conn, script.take(len).ok()?);
                return Some(());
            }
            5 => ClientMessage::Hello {
                version: 1,
                features: 0,
            },
            6 => ClientMessage::Listen { r },
            7 => ClientMessage::Join {
                topic,
                signature: FAKE.sign(&key, &join_signed_bytes(topic, ORIGIN, &challenge, tag, 60)),
                tag,
                r,
                ttl_s: 60,
                want: other,
                announcement: Bytes::default(),
            },
            8 => ClientMessage::Resolve {
                topic,
                signature: FAKE.sign(&key, &resolve_signed_bytes(topic, ORIGIN, &challenge)),
                want: other,
            },
            9 => ClientMessage::Refresh {
                topic,
                tag,
                announcement: None,
                want: 2,
            },
            10 | 11 => ClientMessage::Signal {
                to: tag,
                payload: Bytes::default(),
            },
            12 => ClientMessage::Leave { tag },
            13 => ClientMessage::Ping {},
            _ => ClientMessage::Relay {
                to: tag,
                frame: Bytes::new(vec![7; usize::from(other) * 4])?,
            },
        };
        self.rooms.received(self.now(), conn, &message.to_bytes());
        Some(())
    }
}

/// Runs a script; true if somebody was welcomed in it.
pub(crate) fn run(script: &[u8]) -> bool {
    let config = Config {
        limits: limits(),
        ..Config::default()
    };
    let mut scene = Scene {
        rooms: Rooms::new(config, [5; 32], &FAKE),
        now: 1_000,
        challenges: BTreeMap::new(),
        receipts: VecDeque::new(),
        open: Vec::new(),
        granted: false,
    };
    let mut script = Reader::new(script);
    for _ in 0..STEPS {
        let went_on = scene.step(&mut script).is_some();
        scene.drain();
        if !went_on {
            break;
        }
    }
    // When all have gone, nothing of them is left, and nothing is waited for.
    for conn in std::mem::take(&mut scene.open) {
        scene.rooms.disconnected(scene.now(), conn);
    }
    scene.now += 3_600_000;
    scene.rooms.tick(scene.now());
    scene.drain();
    let counts = scene.rooms.counts();
    let left = [
        counts.sockets,
        counts.addresses,
        counts.tags,
        counts.topics,
        counts.announcements,
        counts.pairs,
    ];
    assert!(left == [0; 6], "left behind: {left:?}");
    assert!(scene.rooms.next_timeout().is_none(), "waits for nothing");
    scene.granted
}

/// Two that meet, signal and relay, in as few steps as it takes.
pub(crate) fn scripts() -> Vec<Vec<u8>> {
    let meet = [
        [0, 1, 0],
        [0, 2, 1],
        [5, 1, 0],
        [5, 2, 0],
        [7, 1, 1],
        [7, 2, 2],
    ];
    let talk = [[10, 1, 2], [10, 2, 1], [14, 1, 2], [14, 2, 1], [3, 0, 0]];
    let end = [[9, 1, 1], [2, 200, 7], [12, 1, 1], [1, 2, 0]];
    let all = [&meet[..], &talk[..], &end[..]];
    (1..=all.len())
        .map(|parts| all[..parts].concat().concat())
        .collect()
}
