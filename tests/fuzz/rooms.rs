//! The rendezvous server's rules: any sequence of sockets, messages, times and slow readers.

use std::collections::{BTreeMap, VecDeque};

use peer_group::crypto::work::solve;
use peer_group::crypto::{FAKE, Primitives as _, tag_of};
use peer_group::names::{Tag, Topic};
use peer_group::time::{Millis, Now};
use peer_group::wire::codec::{Bytes, Reader, Wire as _};
use peer_group::wire::rendezvous::{
    ClientMessage, Payload, RefusedReason, ServerMessage, join_signed_bytes, resolve_signed_bytes,
};
use peer_group_signaling::rooms::{
    Address, Config, ConnId, Limits, Machine, Note, Out, Rate, Receipt, Rooms, Work,
};

use crate::attempt::held;
use crate::model::{ALWAYS, Model, Step};

const ORIGIN: &str = "a:1";
/// Steps of one script: more take time and find no more.
const STEPS: usize = 64;
/// Sockets and secrets that a script may name.
const NAMES: u8 = 6;
/// Bytes that a server without anybody may hold: queues keep what they once needed.
const EMPTY_BYTES: usize = 32 * 1024;

/// Bounds that a short script can reach.
fn limits(work: Work) -> Limits {
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
        work,
        ..Limits::default()
    }
}

/// The secret of a name, and its tag.
pub(crate) fn secret(name: u8) -> ([u8; 32], Tag) {
    let r = [name % NAMES; 32];
    (r, tag_of(&FAKE, &r))
}

/// One server, and what must be true of it.
pub(crate) struct Scene {
    pub(crate) rooms: Rooms,
    pub(crate) model: Model,
    now: Millis,
    /// The newest socket of each name.
    names: BTreeMap<u8, ConnId>,
    sockets: u64,
    sent: u32,
    receipts: VecDeque<Receipt>,
    pub(crate) granted: bool,
}

impl Scene {
    pub(crate) fn new(machine: Option<Machine>, work: Work) -> Self {
        let limits = limits(work);
        let config = Config {
            limits,
            machine,
            ..Config::default()
        };
        let seed = [machine.map_or(5, |[first, ..]| first); 32];
        Self {
            rooms: Rooms::new(config, seed, &FAKE),
            model: Model::new(limits, machine.is_some()),
            now: 1_000,
            names: BTreeMap::new(),
            sockets: 0,
            sent: 0,
            receipts: VecDeque::new(),
            granted: false,
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            monotonic: self.now,
            wall: 1_790_000_000_000 + self.now,
        }
    }

    /// Does what the rules say, and checks it.
    pub(crate) fn drain(&mut self, mut step: Step) {
        self.rooms.tick(self.now());
        let due = self.rooms.next_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due for ever");
        while let Some(out) = self.rooms.poll() {
            match out {
                Out::Send {
                    conn,
                    bytes,
                    receipt,
                } => {
                    let message = ServerMessage::from_bytes(&bytes);
                    let message = message.expect("the server said what is no message");
                    let is_frame = matches!(message, ServerMessage::Relay { .. });
                    assert!(is_frame == receipt.is_some(), "a receipt for each frame");
                    self.granted |= matches!(message, ServerMessage::Welcome { .. });
                    self.model.hears(self.now, &mut step, conn, message);
                    self.receipts.extend(receipt);
                }
                Out::Close { conn, .. } => self.model.closed(conn),
            }
        }
        self.model.ends(self.now, &step, self.rooms.counts());
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, ms: Millis) {
        self.now += ms;
        self.drain(Step::default());
    }

    fn come(&mut self, name: u8, address: u8) {
        self.sockets += 1;
        let conn = ConnId(self.sockets);
        self.names.insert(name, conn);
        self.model.opened(conn);
        let address = Address::V4([192, 0, 2, address % 3]);
        self.rooms
            .connected(self.now(), conn, ORIGIN.to_owned(), address);
        self.drain(Step::default());
    }

    fn go(&mut self, conn: ConnId) {
        self.model.closed(conn);
        self.rooms.disconnected(self.now(), conn);
        self.drain(Step::default());
    }

    fn say(&mut self, conn: ConnId, bytes: &[u8]) {
        let step = match ClientMessage::from_bytes(bytes) {
            Ok(message) => self.model.asks(conn, message),
            Err(_) => Step::default(),
        };
        self.rooms.received(self.now(), conn, bytes);
        self.drain(step);
    }

    /// A step of a script; none when it is at its end.
    pub(crate) fn step(&mut self, step: [u8; 3], script: &mut Reader<'_>) -> Option<()> {
        let [what, who, other] = step;
        let name = who % NAMES;
        // Where nobody of that name came, one that never did.
        let conn = self.names.get(&name).copied().unwrap_or(ConnId(0));
        match what % 16 {
            0 => self.come(name, other),
            1 => self.go(conn),
            // Seconds, and now and then minutes.
            2 => self.wait(Millis::from(who) * Millis::from(other % 8) * 50),
            3 if other == 255 => {
                self.rooms.go_away(self.now(), 5_000);
                self.drain(Step::default());
            }
            3 => {
                if let Some(receipt) = self.receipts.pop_front() {
                    self.rooms.taken(self.now(), receipt);
                }
                self.drain(Step::default());
            }
            4 => {
                let len = script.length(256).ok()?;
                self.say(conn, script.take(len).ok()?);
            }
            _ => {
                let message = self.message(step, conn)?;
                self.say(conn, &message.to_bytes());
            }
        }
        Some(())
    }

    fn message(&mut self, [what, who, other]: [u8; 3], conn: ConnId) -> Option<ClientMessage> {
        let (r, tag) = secret(other);
        let key = [who % 3; 32];
        let topic = Topic(FAKE.public_key(&key));
        let challenge = self.model.challenge(conn);
        Some(match what % 16 {
            5 => ClientMessage::Hello {
                version: 1,
                features: 0,
            },
            6 => ClientMessage::Listen { r },
            7 => {
                // From nothing to more than it may be.
                let ttl_s = u16::from(what / 16) * 20;
                ClientMessage::Join {
                    topic,
                    signature: FAKE.sign(
                        &key,
                        &join_signed_bytes(topic, ORIGIN, &challenge, tag, ttl_s),
                    ),
                    tag,
                    r,
                    ttl_s,
                    want: other,
                    announcement: Bytes::default(),
                }
            }
            8 => ClientMessage::Resolve {
                topic,
                signature: FAKE.sign(&key, &resolve_signed_bytes(topic, ORIGIN, &challenge)),
                want: other,
            },
            9 => ClientMessage::Refresh {
                topic,
                tag,
                announcement: (what >= 128).then(Bytes::default),
                want: 2,
            },
            10 | 11 => ClientMessage::Signal {
                to: tag,
                payload: self.payload(usize::from(what / 32) * 2048)?,
            },
            12 if what >= 128 => {
                let (puzzle, bits) = self.model.puzzle(conn);
                let answer = solve(&FAKE, &puzzle, bits.min(2), 0, 64);
                ClientMessage::Work {
                    answer: answer.unwrap_or_default() ^ u64::from(other == 255),
                }
            }
            12 => ClientMessage::Leave { tag },
            13 if what >= 128 => ClientMessage::Turn {},
            13 => ClientMessage::Ping {},
            _ => ClientMessage::Relay {
                to: tag,
                frame: Bytes::new(vec![7; usize::from(other) * 4])?,
            },
        })
    }

    /// Like no other.
    fn payload(&mut self, more: usize) -> Option<Payload> {
        self.sent += 1;
        let mut bytes = vec![0; more];
        bytes.extend(self.sent.to_be_bytes());
        Bytes::new(bytes)
    }

    /// Something comes from another machine; what is answered.
    pub(crate) fn noted(&mut self, to: Tag, note: Note) -> Option<RefusedReason> {
        let step = match &note {
            Note::Signal { from, payload } => self.model.passes_on(*from, to, payload.clone()),
            Note::Relay {
                from,
                frame: Some(frame),
                ..
            } => self.model.carries(*from, to, frame.clone()),
            _ => Step::default(),
        };
        let answer = self.rooms.noted(self.now(), to, note);
        self.drain(step);
        answer
    }

    /// All go: nothing of them is left, and nothing is waited for.
    pub(crate) fn all_go(&mut self) {
        for conn in self.model.open() {
            self.go(conn);
        }
        self.wait(3_600_000);
        let counts = self.rooms.counts();
        let left = [
            counts.sockets,
            counts.addresses,
            counts.tags,
            counts.topics,
            counts.announcements,
            counts.pairs,
        ];
        assert!(left == [0; 6], "left behind: {left:?}");
        assert!(self.rooms.next_timeout().is_none(), "waits for nothing");
    }
}

/// Runs a script; true if somebody was welcomed in it.
pub(crate) fn run(script: &[u8]) -> bool {
    play(script, Work::Off)
}

/// The same where they have to work.
pub(crate) fn run_working(script: &[u8]) -> bool {
    play(script, ALWAYS)
}

fn play(script: &[u8], work: Work) -> bool {
    let before = held();
    let mut scene = Scene::new(None, work);
    let mut script = Reader::new(script);
    for _ in 0..STEPS {
        let Ok(step) = script.array() else { break };
        if scene.step(step, &mut script).is_none() {
            break;
        }
    }
    scene.all_go();
    let Scene { rooms, granted, .. } = scene;
    let bytes = held().saturating_sub(before);
    assert!(bytes <= EMPTY_BYTES, "{bytes} bytes held for nobody");
    drop(rooms);
    granted
}

/// The same, of those who work before they ask.
pub(crate) fn working_scripts() -> Vec<Vec<u8>> {
    let work = [128 + 12, 1, 0, 128 + 12, 2, 0];
    let mut all = scripts();
    for script in &mut all {
        // Behind the two that come, and their Hello.
        let rest = script.split_off(12.min(script.len()));
        script.extend(work);
        script.extend(rest);
    }
    all
}

/// Two that meet, signal and relay, in as few steps as it takes.
pub(crate) fn scripts() -> Vec<Vec<u8>> {
    let meet = [
        [0, 1, 0],
        [0, 2, 1],
        [5, 1, 0],
        [5, 2, 0],
        [7 + 16 * 3, 1, 1],
        [7 + 16 * 3, 2, 2],
    ];
    let talk = [[10, 1, 2], [10, 2, 1], [14, 1, 2], [14, 2, 1], [3, 0, 0]];
    let end = [[9, 1, 1], [2, 200, 7], [12, 1, 1], [1, 2, 0]];
    let all = [&meet[..], &talk[..], &end[..]];
    (1..=all.len())
        .map(|parts| all[..parts].concat().concat())
        .collect()
}
