//! A client of STUN and TURN, over UDP or TCP, that speaks by another library than the server.

use std::net::SocketAddr;

use peer_group::names::Tag;
use peer_group::wire::rendezvous::{ClientMessage, ServerMessage};
use stun_types::attribute::{
    AttributeType, ErrorCode, Nonce, RawAttribute, Realm, Username, XorSocketAddr,
};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass,
    MessageIntegrityCredentials, MessageType, MessageWriteVec, Method, TransactionId,
};
use stun_types::prelude::{MessageWrite as _, MessageWriteExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::client::{Client, soon};

pub(crate) const ALLOCATE: u16 = 3;
pub(crate) const SEND: u16 = 6;
pub(crate) const DATA: u16 = 7;
pub(crate) const CREATE_PERMISSION: u16 = 8;
pub(crate) const CHANNEL_BIND: u16 = 9;

const CHANNEL_NUMBER: u16 = 0x000C;
const PEER: u16 = 0x0012;
const PAYLOAD: u16 = 0x0013;
const RELAYED: u16 = 0x0016;
const TRANSPORT: u16 = 0x0019;
const MAPPED: u16 = 0x0020;

pub(crate) enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Wire {
    pub(crate) async fn udp(server: SocketAddr) -> Self {
        let own = if server.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        };
        let socket = UdpSocket::bind(own).await.unwrap();
        socket.connect(server).await.unwrap();
        Self::Udp(socket)
    }

    pub(crate) async fn tcp(server: SocketAddr) -> Self {
        Self::Tcp(TcpStream::connect(server).await.unwrap())
    }

    pub(crate) fn own_address(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr().unwrap(),
            Self::Tcp(stream) => stream.local_addr().unwrap(),
        }
    }

    pub(crate) async fn send(&mut self, packet: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send(packet).await.unwrap()),
            Self::Tcp(stream) => stream.write_all(packet).await.unwrap(),
        }
    }

    /// The next packet: a message, or what came in a channel with its padding.
    pub(crate) async fn hear(&mut self) -> Vec<u8> {
        soon("a packet", async {
            match self {
                Self::Udp(socket) => {
                    let mut packet = vec![0; 2048];
                    let len = socket.recv(&mut packet).await.unwrap();
                    packet.truncate(len);
                    packet
                }
                Self::Tcp(stream) => {
                    let mut packet = vec![0; 4];
                    stream.read_exact(&mut packet).await.unwrap();
                    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
                    let more = match packet[0] >> 6 {
                        0 => length + 16,
                        _ => length.next_multiple_of(4),
                    };
                    packet.resize(4 + more, 0);
                    stream.read_exact(&mut packet[4..]).await.unwrap();
                    packet
                }
            }
        })
        .await
    }
}

/// Something that a request or an answer carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    Channel(u16),
    Peer(SocketAddr),
    Payload(Vec<u8>),
    Udp,
}

fn write(message: &mut MessageWriteVec, parts: &[Part]) {
    let transaction = message.transaction_id();
    for part in parts {
        match part {
            Part::Channel(number) => {
                let value = (u32::from(*number) << 16).to_be_bytes();
                let raw = RawAttribute::new(AttributeType::new(CHANNEL_NUMBER), &value);
                message.add_attribute(&raw).unwrap();
            }
            Part::Peer(address) => {
                let address = XorSocketAddr::new(*address, transaction);
                let raw = address.to_raw(AttributeType::new(PEER));
                message.add_attribute(&raw).unwrap();
            }
            Part::Payload(bytes) => {
                let raw = RawAttribute::new(AttributeType::new(PAYLOAD), bytes);
                message.add_attribute(&raw).unwrap();
            }
            Part::Udp => {
                let raw = RawAttribute::new(AttributeType::new(TRANSPORT), &[17, 0, 0, 0]);
                message.add_attribute(&raw).unwrap();
            }
        }
    }
}

fn address(message: &Message<'_>, kind: u16) -> Option<SocketAddr> {
    let raw = message.raw_attribute(AttributeType::new(kind))?;
    let address = XorSocketAddr::from_raw(&raw).unwrap();
    Some(address.addr(message.transaction_id()))
}

/// Where the server sees us.
pub(crate) async fn seen_from(wire: &mut Wire) -> SocketAddr {
    let mut asked = Message::builder_request(BINDING, MessageWriteVec::new());
    asked.add_fingerprint().unwrap();
    wire.send(&asked.finish()).await;
    let answer = wire.hear().await;
    let answer = Message::from_bytes(&answer).unwrap();
    assert!(answer.has_class(MessageClass::Success));
    address(&answer, MAPPED).unwrap()
}

/// What the rendezvous hands out to the node under the tag of `r`.
pub(crate) async fn credentials(server: SocketAddr, r: [u8; 32]) -> (Vec<String>, String, String) {
    let mut client = Client::connect(server).await;
    client.listen(r).await;
    match client.ask(&ClientMessage::Turn {}).await {
        ServerMessage::Turn {
            urls,
            user,
            password,
            ..
        } => {
            let urls = urls.iter().map(|url| url.to_string()).collect();
            (urls, user.into_string(), password.into_string())
        }
        other => panic!("no credentials but {other:?}"),
    }
}

/// A client of TURN with an allocation.
pub(crate) struct Relay {
    pub(crate) wire: Wire,
    pub(crate) relayed: SocketAddr,
    user: String,
    password: String,
    nonce: String,
    realm: String,
}

impl Relay {
    /// Allocates with these credentials, or says with which code that was refused.
    pub(crate) async fn allocate(
        mut wire: Wire,
        user: String,
        password: String,
    ) -> Result<Self, u16> {
        let mut asked = Message::builder_request(Method::new(ALLOCATE), MessageWriteVec::new());
        write(&mut asked, &[Part::Udp]);
        wire.send(&asked.finish()).await;
        let answer = wire.hear().await;
        let answer = Message::from_bytes(&answer).unwrap();
        assert_eq!(answer.attribute::<ErrorCode>().unwrap().code(), 401);
        let mut relay = Self {
            wire,
            relayed: SocketAddr::from(([0, 0, 0, 0], 0)),
            user,
            password,
            nonce: answer.attribute::<Nonce>().unwrap().nonce().to_owned(),
            realm: answer.attribute::<Realm>().unwrap().realm().to_owned(),
        };
        let answer = relay.ask(ALLOCATE, &[Part::Udp]).await?;
        relay.relayed = address(&Message::from_bytes(&answer).unwrap(), RELAYED).unwrap();
        Ok(relay)
    }

    /// One for the node under the tag of `r`.
    pub(crate) async fn start(server: SocketAddr, wire: Wire, r: [u8; 32]) -> Self {
        let (_, user, password) = credentials(server, r).await;
        Self::allocate(wire, user, password).await.unwrap()
    }

    /// The answer, or the code of its error.
    pub(crate) async fn ask(&mut self, method: u16, parts: &[Part]) -> Result<Vec<u8>, u16> {
        let mut asked = Message::builder_request(Method::new(method), MessageWriteVec::new());
        let transaction = asked.transaction_id();
        write(&mut asked, parts);
        asked
            .add_attribute(&Username::new(&self.user).unwrap())
            .unwrap();
        asked
            .add_attribute(&Realm::new(&self.realm).unwrap())
            .unwrap();
        asked
            .add_attribute(&Nonce::new(&self.nonce).unwrap())
            .unwrap();
        let key = LongTermKeyCredentials::new(
            self.user.clone(),
            self.password.clone(),
            self.realm.clone(),
        );
        let key = MessageIntegrityCredentials::LongTerm(key);
        asked
            .add_message_integrity(&key, IntegrityAlgorithm::Sha1)
            .unwrap();
        asked.add_fingerprint().unwrap();
        self.wire.send(&asked.finish()).await;
        let bytes = self.wire.hear().await;
        let answer = Message::from_bytes(&bytes).unwrap();
        assert_eq!(answer.transaction_id(), transaction);
        let code = answer.attribute::<ErrorCode>().map(|error| error.code());
        match code {
            Ok(code) => Err(code),
            Err(_) => {
                answer.validate_integrity(&key).unwrap();
                Ok(bytes)
            }
        }
    }

    pub(crate) async fn permit(&mut self, peer: SocketAddr) -> Result<(), u16> {
        self.ask(CREATE_PERMISSION, &[Part::Peer(peer)])
            .await
            .map(drop)
    }

    pub(crate) async fn bind(&mut self, number: u16, peer: SocketAddr) -> Result<(), u16> {
        let parts = [Part::Channel(number), Part::Peer(peer)];
        self.ask(CHANNEL_BIND, &parts).await.map(drop)
    }

    /// Sends to a peer, by its address.
    pub(crate) async fn send(&mut self, peer: SocketAddr, payload: &[u8]) {
        let kind = MessageType::from_class_method(MessageClass::Indication, Method::new(SEND));
        let mut message = Message::builder(kind, TransactionId::generate(), MessageWriteVec::new());
        write(
            &mut message,
            &[Part::Peer(peer), Part::Payload(payload.to_vec())],
        );
        self.wire.send(&message.finish()).await;
    }

    /// What comes from a peer, and from which.
    pub(crate) async fn hear(&mut self) -> (SocketAddr, Vec<u8>) {
        let bytes = self.wire.hear().await;
        let message = Message::from_bytes(&bytes).unwrap();
        assert_eq!(message.method(), Method::new(DATA));
        let payload = message.raw_attribute(AttributeType::new(PAYLOAD)).unwrap();
        (address(&message, PEER).unwrap(), payload.value.to_vec())
    }
}

/// The tag's secret of node number `n`.
pub(crate) fn node(n: u8) -> [u8; 32] {
    [n; 32]
}

/// The tag that goes with it.
pub(crate) fn tag(n: u8) -> Tag {
    crate::client::tag(node(n))
}
