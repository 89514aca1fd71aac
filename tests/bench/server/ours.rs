//! A client of our own server that does as it is told.

use std::net::SocketAddr;
use std::sync::Arc;

use peer_group::crypto::{Primitives as _, REAL, tag_of};
use peer_group::names::{Tag, Topic};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{
    Announcement, ClientMessage, PATH, Payload, SUBPROTOCOL, ServerMessage, join_signed_bytes,
};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::{Socket, Way};

/// Bytes of an announcement: what a sealed one has.
const ANNOUNCEMENT: usize = 512;

/// A client that was welcomed.
pub(crate) struct Client {
    pub(crate) socket: Socket,
    challenge: [u8; 32],
    origin: String,
}

/// How our server is dialled.
pub(crate) fn way(to: SocketAddr, tls: Option<Arc<rustls::ClientConfig>>) -> Way {
    Way {
        to,
        host: to.to_string(),
        path: PATH.to_owned(),
        protocol: Some(SUBPROTOCOL),
        tls,
    }
}

/// A secret that belongs to that number alone.
pub(crate) fn secret(number: usize) -> [u8; 32] {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&(number as u64).to_le_bytes());
    secret
}

pub(crate) fn tag(number: usize) -> Tag {
    tag_of(&REAL, &secret(number))
}

pub(crate) fn framed(message: &ClientMessage) -> Message {
    Message::Binary(message.to_bytes().into())
}

pub(crate) fn read(message: &Message) -> ServerMessage {
    ServerMessage::from_bytes(&message.clone().into_data()).expect("a message of the protocol")
}

pub(crate) fn signal(to: Tag, payload: Vec<u8>) -> Message {
    framed(&ClientMessage::Signal {
        to,
        payload: Payload::new(payload).unwrap(),
    })
}

impl Client {
    pub(crate) async fn connect(way: &Way, number: usize) -> Self {
        let mut socket = Socket::open(way, number).await;
        let hello = ClientMessage::Hello {
            version: 1,
            features: 0,
        };
        socket.send(framed(&hello)).await;
        let ServerMessage::Welcome { challenge, .. } = read(&socket.hear().await) else {
            panic!("no welcome")
        };
        Self {
            socket,
            challenge,
            origin: way.host.clone(),
        }
    }

    /// A signed Join of the client with that number, for a topic that belongs to `topic` alone.
    pub(crate) fn join(&self, topic: usize, number: usize) -> Message {
        let (key, r) = (secret(1 << 40 | topic), secret(number));
        let topic = Topic(REAL.public_key(&key));
        let (tag, ttl_s) = (tag_of(&REAL, &r), 120);
        let signed = join_signed_bytes(topic, &self.origin, &self.challenge, tag, ttl_s);
        framed(&ClientMessage::Join {
            topic,
            signature: REAL.sign(&key, &signed),
            tag,
            r,
            ttl_s,
            want: 16,
            announcement: Announcement::new(vec![7; ANNOUNCEMENT]).unwrap(),
        })
    }

    /// Sends a message that is granted at once.
    pub(crate) async fn ask(&mut self, message: Message) -> ServerMessage {
        self.socket.send(message).await;
        let answer = read(&self.socket.hear().await);
        assert!(
            matches!(
                answer,
                ServerMessage::Joined { .. } | ServerMessage::Listening {}
            ),
            "not granted: {answer:?}"
        );
        answer
    }
}
