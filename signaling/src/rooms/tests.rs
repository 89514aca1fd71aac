//! The rules of the server, one by one, with real signatures.

use peer_group::crypto::tag_of;
use peer_group::crypto::{Primitives as _, REAL};
use peer_group::names::{Tag, Topic};
use peer_group::wire::rendezvous::{
    Announcement, Entry, Payload, RefusedReason, join_signed_bytes, resolve_signed_bytes,
};

use super::*;

mod carrying;
mod far;
mod machines;
mod reaching;
mod relaying;
mod serving;
mod standing;
mod work;

const ORIGIN: &str = "rendezvous.example:443";
const HOME: [u8; 4] = [192, 0, 2, 1];
const KEY: [u8; 32] = [42; 32];

/// Rooms with a clock, and what they said so far by connection.
struct Server {
    rooms: Rooms,
    now: Now,
    said: BTreeMap<ConnId, Vec<ServerMessage>>,
    closed: Vec<(ConnId, ErrorReason)>,
    /// What the last message was followed by.
    paused: Millis,
    /// Of relayed frames that their sockets have not taken yet.
    receipts: VecDeque<Receipt>,
}

impl Server {
    fn new(limits: Limits) -> Self {
        Self::machine(limits, None)
    }

    /// One of a cluster, or not.
    fn machine(limits: Limits, machine: Option<Machine>) -> Self {
        let config = Config {
            limits,
            machine,
            ..Config::default()
        };
        Self {
            rooms: Rooms::new(config, [7; 32], &REAL),
            now: Now {
                monotonic: 1_000,
                wall: 1_790_000_000_000,
            },
            said: BTreeMap::new(),
            closed: Vec::new(),
            paused: 0,
            receipts: VecDeque::new(),
        }
    }

    fn drain(&mut self) {
        while let Some(out) = self.rooms.poll() {
            match out {
                Out::Send {
                    conn,
                    bytes,
                    receipt,
                } => {
                    self.receipts.extend(receipt);
                    let message = ServerMessage::from_bytes(&bytes).expect("a message of ours");
                    self.said.entry(conn).or_default().push(message);
                }
                Out::Close { conn, reason } => self.closed.push((conn, reason)),
            }
        }
    }

    /// Moves the clock, and ticks when the machine asks for it.
    fn pass(&mut self, ms: Millis) {
        let end = self.now.monotonic + ms;
        while let Some(at) = self.rooms.next_timeout().filter(|at| *at <= end) {
            assert!(at >= self.now.monotonic, "a timeout in the past");
            self.now.monotonic = at;
            self.rooms.tick(self.now);
        }
        self.now.monotonic = end;
        self.drain();
    }

    fn connect(&mut self, conn: u64, address: [u8; 4]) {
        let address = Address::V4(address);
        self.rooms
            .connected(self.now, ConnId(conn), ORIGIN.into(), address);
    }

    fn open(&mut self, conn: u64) -> Client {
        self.open_from(conn, HOME)
    }

    fn open_from(&mut self, conn: u64, address: [u8; 4]) -> Client {
        self.connect(conn, address);
        let conn = ConnId(conn);
        let hello = ClientMessage::Hello {
            version: 1,
            features: 0,
        };
        match &self.tell(conn, &hello)[..] {
            [ServerMessage::Welcome { challenge, .. }] => Client {
                conn,
                challenge: *challenge,
            },
            other => panic!("no welcome but {other:?}"),
        }
    }

    fn raw(&mut self, conn: ConnId, bytes: &[u8]) -> Vec<ServerMessage> {
        self.paused = self.rooms.received(self.now, conn, bytes);
        self.drain();
        self.heard(conn)
    }

    fn tell(&mut self, conn: ConnId, message: &ClientMessage) -> Vec<ServerMessage> {
        self.raw(conn, &message.to_bytes())
    }

    /// Says something whose answer is looked at later.
    fn tell_only(&mut self, conn: ConnId, message: &ClientMessage) {
        self.paused = self.rooms.received(self.now, conn, &message.to_bytes());
        self.drain();
    }

    fn heard(&mut self, conn: ConnId) -> Vec<ServerMessage> {
        self.said.remove(&conn).unwrap_or_default()
    }

    fn disconnect(&mut self, client: &Client) {
        self.rooms.disconnected(self.now, client.conn);
        self.drain();
    }

    /// Joins under the tag of `r`, wanting everybody; names those in the sample.
    fn join(&mut self, client: &Client, r: [u8; 32]) -> Vec<Tag> {
        let answer = self.tell(client.conn, &client.join(&KEY, r));
        match &answer[..] {
            [ServerMessage::Joined { sample, .. }] => tags_of(sample),
            other => panic!("not joined but {other:?}"),
        }
    }
}

struct Client {
    conn: ConnId,
    challenge: [u8; 32],
}

impl Client {
    fn join(&self, key: &[u8; 32], r: [u8; 32]) -> ClientMessage {
        self.join_at(key, r, tag(r), ORIGIN, 120)
    }

    fn join_at(
        &self,
        key: &[u8; 32],
        r: [u8; 32],
        tag: Tag,
        origin: &str,
        ttl_s: u16,
    ) -> ClientMessage {
        let topic = Topic(REAL.public_key(key));
        let signed = join_signed_bytes(topic, origin, &self.challenge, tag, ttl_s);
        ClientMessage::Join {
            topic,
            signature: REAL.sign(key, &signed),
            tag,
            r,
            ttl_s,
            want: 16,
            announcement: Announcement::new(r.to_vec()).unwrap(),
        }
    }

    fn resolve(&self, key: &[u8; 32], want: u8) -> ClientMessage {
        let topic = Topic(REAL.public_key(key));
        let signed = resolve_signed_bytes(topic, ORIGIN, &self.challenge);
        ClientMessage::Resolve {
            topic,
            signature: REAL.sign(key, &signed),
            want,
        }
    }
}

fn tag(r: [u8; 32]) -> Tag {
    tag_of(&REAL, &r)
}

fn tags_of(sample: &[Entry]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = sample.iter().map(|entry| entry.tag).collect();
    tags.sort_unstable();
    tags
}

fn topic() -> Topic {
    Topic(REAL.public_key(&KEY))
}

fn error(reason: ErrorReason) -> Vec<ServerMessage> {
    vec![ServerMessage::Error {
        reason,
        retry_after_ms: 0,
    }]
}

fn signal(to: Tag, payload: &[u8]) -> ClientMessage {
    ClientMessage::Signal {
        to,
        payload: Payload::new(payload.to_vec()).unwrap(),
    }
}

fn refresh(r: [u8; 32]) -> ClientMessage {
    ClientMessage::Refresh {
        topic: topic(),
        tag: tag(r),
        announcement: None,
        want: 16,
    }
}
