//! TURN, for clients that have credentials: any sequence of signed requests, whatever they carry,
//! and of packets to each other.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use peer_group::time::{Millis, Now};
use peer_group::wire::codec::Reader;
use peer_group_signaling::rooms::Rate;
use peer_group_signaling::turn::{Client, Limits, PACKET_BYTES, Secret, Turn};
use stun_types::attribute::{
    AttributeType, ErrorCode, Nonce, RawAttribute, Realm, Username, XorSocketAddr,
};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageIntegrityCredentials,
    MessageType, MessageWriteVec, Method,
};
use stun_types::prelude::{MessageWrite as _, MessageWriteExt as _};

const ALLOCATE: u16 = 3;
const REFRESH: u16 = 4;
const SEND: u16 = 6;
const CREATE_PERMISSION: u16 = 8;
const CHANNEL_BIND: u16 = 9;
const CHANNEL_NUMBER: u16 = 0x000C;
const LIFETIME: u16 = 0x000D;
const PEER: u16 = 0x0012;
const PAYLOAD: u16 = 0x0013;
const RELAYED: u16 = 0x0016;
const TRANSPORT: u16 = 0x0019;

/// Which that library writes in its own way only: both kinds of signatures, and a checksum.
const SIGNATURES: [u16; 3] = [0x0008, 0x001C, 0x8028];

const STEPS: usize = 64;
/// Where clients are; the third is behind the address of the first.
const CLIENTS: [(&str, Option<u64>); 4] = [
    ("192.0.2.1:5", None),
    ("[2001:db8::1]:5", None),
    ("192.0.2.1:6", Some(1)),
    ("192.0.2.3:5", Some(2)),
];
/// Whom nobody may reach from here.
const ELSEWHERE: [&str; 6] = [
    "127.0.0.1:80",
    "10.0.0.1:80",
    "169.254.169.254:80",
    "8.8.8.8:53",
    "240.0.0.1:49152",
    "[::1]:80",
];
const ALLOCATIONS: usize = 3;

/// The server, and what its clients know.
struct Scene {
    turn: Turn,
    secret: Secret,
    now: Millis,
    clients: [Client; 4],
    nonces: [String; 4],
    /// What each last got.
    relayed: [Option<SocketAddr>; 4],
    /// All that were ever given.
    given: BTreeSet<SocketAddr>,
    /// Who lets whom in, or did.
    permitted: BTreeSet<(usize, SocketAddr)>,
    requests: u128,
    out: Vec<u8>,
    relays: bool,
}

impl Scene {
    fn new() -> Self {
        let limits = Limits {
            allocations: ALLOCATIONS,
            per_user: 2,
            permissions: 2,
            bytes: Rate {
                per_second: 100,
                burst: 200,
            },
            ..Limits::default()
        };
        let secret = Secret::new("north");
        let clients = CLIENTS.map(|(address, stream)| Client {
            address: address.parse().expect("an address"),
            wrote_to: None,
            stream,
        });
        Self {
            turn: Turn::new(limits, secret.clone(), [1; 32]),
            secret,
            now: 5,
            clients,
            nonces: Default::default(),
            relayed: [None; 4],
            given: BTreeSet::new(),
            permitted: BTreeSet::new(),
            requests: 0,
            out: Vec::new(),
            relays: false,
        }
    }

    fn now(&self) -> Now {
        Now {
            monotonic: self.now,
            wall: 1_790_000_000_000 + self.now,
        }
    }

    /// To whom the answer goes.
    fn give(&mut self, client: usize, packet: &[u8]) -> Option<usize> {
        self.out.clear();
        let from = self.clients[client];
        let to = self
            .turn
            .received(self.now(), from, packet, &mut self.out)?;
        assert!(self.out.len() <= PACKET_BYTES + 64, "a long answer");
        let at = self.clients.iter().position(|known| *known == to);
        Some(at.expect("sent to a stranger"))
    }

    fn message(&mut self, class: MessageClass, method: u16) -> MessageWriteVec {
        self.requests += 1;
        let kind = MessageType::from_class_method(class, Method::new(method));
        Message::builder(kind, self.requests.into(), MessageWriteVec::new())
    }

    /// Asks with credentials; whether it was granted.
    fn ask(&mut self, client: usize, user: u8, method: u16, parts: &[(u16, Vec<u8>)]) -> bool {
        let name = format!("1800000000:{user:x}");
        let password = self.secret.password(name.as_bytes());
        let mut asked = self.message(MessageClass::Request, method);
        for (kind, value) in parts {
            let raw = RawAttribute::new(AttributeType::new(*kind), value);
            if asked.add_attribute(&raw).is_err() {
                return false;
            }
        }
        let realm = "peer-group".to_owned();
        let sealed = Username::new(&name).and_then(|attribute| {
            asked.add_attribute(&attribute).ok();
            asked.add_attribute(&Realm::new(&realm)?).ok();
            asked.add_attribute(&Nonce::new(&self.nonces[client])?).ok();
            Ok(())
        });
        sealed.expect("short texts");
        let key = LongTermKeyCredentials::new(name, password, realm);
        let key = MessageIntegrityCredentials::LongTerm(key);
        if asked
            .add_message_integrity(&key, IntegrityAlgorithm::Sha1)
            .is_err()
        {
            return false;
        }
        let packet = asked.finish();
        let Some(to) = self.give(client, &packet) else {
            return false;
        };
        assert!(to == client, "answered to another");
        let answer = Message::from_bytes(&self.out).expect("an answer");
        if let Ok(nonce) = answer.attribute::<Nonce>() {
            self.nonces[client] = nonce.nonce().to_owned();
        }
        if answer.attribute::<ErrorCode>().is_ok() {
            return false;
        }
        if method != 1 {
            let signed = answer.validate_integrity(&key);
            assert!(signed.is_ok(), "not signed: {signed:?}");
        }
        if let Some(raw) = answer.raw_attribute(AttributeType::new(RELAYED)) {
            let relayed = XorSocketAddr::from_raw(&raw).expect("an address");
            let relayed = relayed.addr(answer.transaction_id());
            assert!(self.given.insert(relayed), "given twice");
            self.permitted.retain(|(of, _)| *of != client);
            self.relayed[client] = Some(relayed);
        }
        true
    }

    /// A relayed address of a client, or what is none.
    fn peer(&self, number: u8) -> SocketAddr {
        let number = usize::from(number);
        let known = self.relayed.get(number).copied().flatten();
        known.unwrap_or_else(|| {
            let elsewhere = ELSEWHERE[number % ELSEWHERE.len()];
            elsewhere.parse().expect("an address")
        })
    }

    fn masked(&self, peer: SocketAddr) -> Vec<u8> {
        let address = XorSocketAddr::new(peer, (self.requests + 1).into());
        address.to_raw(AttributeType::new(PEER)).value.to_vec()
    }

    /// What came of a packet that a client sent to others.
    fn passes(&mut self, client: usize, packet: &[u8], data: &[u8]) {
        let Some(to) = self.give(client, packet) else {
            return;
        };
        self.relays = true;
        let ends = [self.relayed[client], self.relayed[to]];
        let [Some(from), Some(own)] = ends else {
            panic!("relayed without a relayed address");
        };
        let lets = [(client, own), (to, from)].map(|pair| self.permitted.contains(&pair));
        assert!(lets == [true; 2], "relayed to who was not let in");
        let carries = self.out.windows(data.len().max(1)).any(|at| at == data);
        assert!(data.is_empty() || carries, "something else was relayed");
    }

    fn step(&mut self, script: &mut Reader<'_>) -> Option<()> {
        let [what, who, other]: [u8; 3] = script.array().ok()?;
        let (client, user) = (usize::from(who % 4), who >> 2 & 1);
        let peer = self.peer(other % 8);
        let masked = self.masked(peer);
        let number = 0x4000 + u16::from(other >> 3 & 3);
        match what % 12 {
            0 => {
                let asked = [(TRANSPORT, vec![17, 0, 0, 0])];
                self.ask(client, user, ALLOCATE, &asked);
            }
            1 => {
                let seconds = u32::from(other) * 10;
                let asked = [(LIFETIME, seconds.to_be_bytes().to_vec())];
                self.ask(client, user, REFRESH, &asked);
            }
            2 | 3 => {
                let mut asked = vec![(PEER, masked)];
                let method = if what % 12 == 2 {
                    CREATE_PERMISSION
                } else {
                    let channel = (u32::from(number) << 16).to_be_bytes();
                    asked.push((CHANNEL_NUMBER, channel.to_vec()));
                    CHANNEL_BIND
                };
                if self.ask(client, user, method, &asked) {
                    assert!(
                        self.given.contains(&peer),
                        "let in what is not ours: {peer}"
                    );
                    self.permitted.insert((client, peer));
                }
            }
            4 | 5 => {
                let data = [b'd'; 40];
                let mut message = self.message(MessageClass::Indication, SEND);
                for (kind, value) in [(PEER, masked.as_slice()), (PAYLOAD, data.as_slice())] {
                    let raw = RawAttribute::new(AttributeType::new(kind), value);
                    message.add_attribute(&raw).ok()?;
                }
                self.passes(client, &message.finish(), &data);
            }
            6 => {
                let head = [number.to_be_bytes(), [0, 8]].concat();
                self.passes(client, &[&head[..], b"12345678"].concat(), b"12345678");
            }
            7 => {
                self.now += Millis::from(who) * Millis::from(other % 16) * 200;
                self.turn.tick(self.now());
            }
            8 => self.turn.disconnected(self.clients[client]),
            // Anything, properly signed.
            9 => {
                let kind = u16::from_be_bytes(script.array().ok()?);
                let len = script.length(64).ok()?;
                let value = script.take(len).ok()?.to_vec();
                let method = u16::from(other % 12);
                let asked = [(TRANSPORT, vec![17, 0, 0, 0]), (kind, value)];
                // A permission that came of it is one that we do not know of.
                let permits = [CREATE_PERMISSION, CHANNEL_BIND].contains(&method) && kind == PEER;
                if !permits && !SIGNATURES.contains(&kind) {
                    self.ask(client, user, method, &asked);
                }
            }
            // And anything that is not.
            _ => {
                let len = script.length(256).ok()?;
                let packet = script.take(len).ok()?.to_vec();
                self.give(client, &packet);
            }
        }
        Some(())
    }
}

/// Runs a script; true if something was relayed in it.
pub(crate) fn run(script: &[u8]) -> bool {
    let mut scene = Scene::new();
    let mut script = Reader::new(script);
    for _ in 0..STEPS {
        if scene.step(&mut script).is_none() {
            break;
        }
        assert!(scene.turn.counts().allocations <= ALLOCATIONS);
    }
    scene.now += 3_600_000;
    scene.turn.tick(scene.now());
    assert!(scene.turn.counts().allocations == 0, "allocated for ever");
    scene.relays
}

/// Two that let each other in, and talk.
pub(crate) fn scripts() -> Vec<Vec<u8>> {
    let allocate = [[0, 0, 0], [0, 0, 0], [0, 7, 0], [0, 7, 0]];
    let permit = [[2, 0, 3], [2, 7, 0], [4, 0, 3], [4, 7, 0]];
    let bind = [[3, 0, 3], [3, 7, 0x18], [6, 0, 0], [6, 7, 0x18]];
    let end = [[7, 100, 15], [1, 0, 60], [1, 7, 0], [8, 3, 0]];
    let all = [&allocate[..], &permit, &bind, &end];
    (1..=all.len())
        .map(|parts| all[..parts].concat().concat())
        .collect()
}
