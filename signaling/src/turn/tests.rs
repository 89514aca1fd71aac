//! The rules of TURN, packet by packet.

use std::net::SocketAddr;

use peer_group::names::Tag;
use peer_group::time::Now;
use peer_group::wire::rendezvous::ServerMessage;

use super::credentials::User;
use super::stun::{Class, Key, Message, Writer, attribute, method};
use super::{Client, Limits, Offer, Secret, Servers, Turn};
use crate::rooms::Rate;

mod away;
mod bounds;
mod random;
mod relaying;
mod requests;

const START: u64 = 1_700_000_000_000;
const NORTH: &str = "north";

/// A server, and the time there.
struct Place {
    turn: Turn,
    now: Now,
}

/// A client with credentials.
#[derive(Clone)]
struct Peer {
    client: Client,
    user: String,
    password: String,
    nonce: Vec<u8>,
}

/// An answer: its class, and what it says.
#[derive(Debug)]
struct Answer {
    class: Class,
    bytes: Vec<u8>,
}

impl Answer {
    fn message(&self) -> Message<'_> {
        Message::read(&self.bytes).unwrap()
    }

    /// 0 for a success.
    fn code(&self) -> u16 {
        if self.class == Class::Success {
            return 0;
        }
        let value = self.message().value(attribute::ERROR_CODE).unwrap();
        u16::from(value[2]) * 100 + u16::from(value[3])
    }

    fn address(&self, kind: u16) -> SocketAddr {
        let message = self.message();
        message.unmasked(message.value(kind).unwrap()).unwrap()
    }
}

impl Place {
    fn new(limits: Limits) -> Self {
        Self {
            turn: Turn::new(limits, Secret::new(NORTH), [7; 32]),
            now: Now {
                monotonic: 0,
                wall: START,
            },
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now.monotonic += ms;
        self.now.wall += ms;
    }

    /// What a packet leads to.
    fn packet(&mut self, from: Client, packet: &[u8]) -> Option<(Client, Vec<u8>)> {
        let mut out = Vec::new();
        let to = self.turn.received(self.now, from, packet, &mut out)?;
        Some((to, out))
    }

    /// What a request is answered with.
    fn request(&mut self, from: Client, packet: &[u8]) -> Answer {
        let (to, bytes) = self.packet(from, packet).expect("an answer");
        assert_eq!(to, from);
        let (asked, answer) = (
            Message::read(packet).unwrap(),
            Message::read(&bytes).unwrap(),
        );
        assert_eq!(answer.transaction, asked.transaction);
        assert_eq!(answer.method, asked.method);
        let class = answer.class;
        assert!(matches!(class, Class::Success | Class::Error));
        Answer { class, bytes }
    }

    /// A client that was given credentials and has heard its nonce.
    fn peer(&mut self, address: &str, tag: u8) -> Peer {
        let client = Client {
            address: address.parse().unwrap(),
            wrote_to: None,
            stream: None,
        };
        self.peer_at(client, tag)
    }

    fn peer_at(&mut self, client: Client, tag: u8) -> Peer {
        let offer = Offer {
            secret: Secret::new(NORTH),
            servers: Servers::Here {
                host: None,
                port: 1,
                tls_port: None,
            },
        };
        let answer = offer.answer("a", Tag([tag; 16]), self.now.wall);
        let ServerMessage::Turn { user, password, .. } = answer else {
            panic!("no credentials")
        };
        let mut peer = Peer {
            client,
            user: user.into_string(),
            password: password.into_string(),
            nonce: Vec::new(),
        };
        peer.hear_nonce(self);
        peer
    }

    /// The same, with an allocation; and its relayed address.
    fn allocated(&mut self, address: &str, tag: u8) -> (Peer, SocketAddr) {
        let peer = self.peer(address, tag);
        let answer = peer.ask(self, method::ALLOCATE, &[UDP]);
        assert_eq!(answer.code(), 0);
        let relayed = answer.address(attribute::XOR_RELAYED_ADDRESS);
        (peer, relayed)
    }
}

/// What a request may carry.
#[derive(Clone, Copy)]
enum Part {
    Number(u16, u32),
    Peer(SocketAddr),
    Data(&'static [u8]),
}

const UDP: Part = Part::Number(attribute::REQUESTED_TRANSPORT, 17 << 24);

fn channel(number: u16) -> Part {
    Part::Number(attribute::CHANNEL_NUMBER, u32::from(number) << 16)
}

fn write(out: &mut Writer<'_>, parts: &[Part]) {
    for part in parts {
        match *part {
            Part::Number(kind, number) => out.number(kind, number),
            Part::Peer(address) => out.address(attribute::XOR_PEER_ADDRESS, address),
            Part::Data(data) => out.attribute(attribute::DATA, data),
        }
    }
}

fn unsigned(class: Class, kind: u16, parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, class, kind, [kind as u8; 12]);
    write(&mut writer, parts);
    bytes
}

impl Peer {
    fn id(&self) -> u64 {
        User::parse(self.user.as_bytes()).unwrap().id
    }

    /// Asks without credentials, which is answered with a nonce.
    fn hear_nonce(&mut self, place: &mut Place) {
        let asked = unsigned(Class::Request, method::ALLOCATE, &[UDP]);
        let answer = place.request(self.client, &asked);
        assert!(matches!(answer.code(), 401));
        self.nonce = answer.message().value(attribute::NONCE).unwrap().to_vec();
    }

    fn signed(&self, kind: u16, transaction: [u8; 12], parts: &[Part]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, Class::Request, kind, transaction);
        write(&mut writer, parts);
        writer.attribute(attribute::USERNAME, self.user.as_bytes());
        writer.attribute(attribute::REALM, b"peer-group");
        writer.attribute(attribute::NONCE, &self.nonce);
        writer.sign(&Key::new(
            self.user.as_bytes(),
            "peer-group",
            &self.password,
        ));
        bytes
    }

    fn ask(&self, place: &mut Place, kind: u16, parts: &[Part]) -> Answer {
        let transaction = place.turn.random.bytes();
        let answer = place.request(self.client, &self.signed(kind, transaction, parts));
        if !matches!(answer.code(), 401 | 438 | 400) {
            let key = Key::new(self.user.as_bytes(), "peer-group", &self.password);
            assert!(
                answer.message().is_signed_by(&key),
                "an answer anybody could have made"
            );
        }
        answer
    }

    fn send(
        &self,
        place: &mut Place,
        to: SocketAddr,
        data: &'static [u8],
    ) -> Option<(Client, Vec<u8>)> {
        let parts = [Part::Peer(to), Part::Data(data)];
        place.packet(
            self.client,
            &unsigned(Class::Indication, method::SEND, &parts),
        )
    }
}
