//! What clients and the rendezvous server say to each other: one message per WebSocket frame.
//!
//! The server stamps the sender of a signal from the connection and samples topics at random; it
//! never learns what a topic stands for, and everything inside announcements, signals and relayed
//! frames is sealed.
//!
//! A server with too much to do may ask for work ([`work_puzzle`]) before it looks at Listen, Join,
//! Resolve and Turn: with Welcome, or when it refuses one of them. An answer buys a few of them.
//!
//! Two clients that have signalled each other are a **pair** that the server relays frames for; each
//! names it by the other's tag. An end may send as many bytes as Welcome says
//! ([`ServerLimits::relay_bytes`]), each frame counted by [`relay_cost`], and then as many as
//! RelayCredit gives back, which comes as the other end takes them and the rates allow. A pair that
//! was closed begins anew, with all its bytes, at the next frame that the rules allow.

use crate::limits::{
    ADMISSION_TOKEN_CHARS, ANNOUNCEMENT_BYTES, ICE_SERVERS, RELAY_FRAME_BYTES, RELAY_HEAD_BYTES,
    RENDEZVOUS_SERVERS, SAMPLE, SIGNAL_BYTES, URL_BYTES,
};
use crate::names::{Tag, Topic};
use crate::wire::codec::{Bytes, List, Malformed, Reader, Text, Wire, put_varint};
use crate::wire::numbers::{client, refused, relay_closed, server, server_error};
use crate::{wire_enum, wire_struct};

/// The WebSocket path of the protocol.
pub const PATH: &str = "/peer-group/1";
/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "peer-group.1";
/// What a second subprotocol begins with, behind which comes the token that one is let in by: browsers
/// can send no header of their choice.
pub const TOKEN_PROTOCOL: &str = "peer-group.token.";

/// Whether a text may be such a token: what may stand in a subprotocol, and in a URL as it is.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"._~-".contains(&c);
    ADMISSION_TOKEN_CHARS.contains(&text.len()) && text.bytes().all(plain)
}

/// A sealed announcement.
pub type Announcement = Bytes<ANNOUNCEMENT_BYTES>;
/// A signal's payload: opaque to the server.
pub type Payload = Bytes<SIGNAL_BYTES>;
/// A frame of a pair: opaque to the server.
pub type RelayFrame = Bytes<RELAY_FRAME_BYTES>;
/// A URL.
pub type Url = Text<URL_BYTES>;

wire_struct! {
    /// One announcement of a sample.
    pub struct Entry {
        /// Where its node is reached.
        pub tag: Tag,
        /// What it says of itself, for those who can open it.
        pub announcement: Announcement,
    }

    /// A STUN or TURN server to use.
    pub struct IceServer {
        /// Where it is.
        pub urls: List<Url, ICE_SERVERS>,
        /// For TURN.
        pub username: Url,
        /// For TURN.
        pub credential: Url,
    }

    /// The server's limits, so that clients need not run into them.
    pub struct ServerLimits {
        /// Bytes of an announcement.
        pub announcement_bytes: u32,
        /// Bytes of a signal.
        pub signal_bytes: u32,
        /// Seconds that an announcement stands without a refresh.
        pub ttl_s: u16,
        /// Topics that one connection may join at a time.
        pub topics: u16,
        /// Seconds that what Turn hands out is taken; 0: nothing is handed out.
        pub turn_s: u16,
        /// Bytes that one end of a pair may send before it is given credit; 0: nothing is relayed.
        pub relay_bytes: u32,
    }
}

wire_enum! {
    /// From a client to the server.
    pub enum ClientMessage {
        /// First message.
        Hello = client::HELLO {
            /// The newest version the client speaks.
            version: u8,
            /// Bits for what is optional; none yet.
            features: u32,
        },
        /// Be reachable under the tag of `r`, without a topic.
        Listen = client::LISTEN {
            /// Shown so that nobody else can take the tag.
            r: [u8; 32],
        },
        /// Announce oneself in a topic; also makes the tag reachable.
        Join = client::JOIN {
            /// Where.
            topic: Topic,
            /// With the topic's key, over [`join_signed_bytes`].
            signature: [u8; 64],
            /// The tag of `r`.
            tag: Tag,
            /// Shown so that nobody else can take the tag.
            r: [u8; 32],
            /// Seconds to stand without a refresh.
            ttl_s: u16,
            /// How many others to name.
            want: u8,
            /// What to show them.
            announcement: Announcement,
        },
        /// Look into a topic without announcing oneself.
        Resolve = client::RESOLVE {
            /// Where.
            topic: Topic,
            /// With the topic's key, over [`resolve_signed_bytes`].
            signature: [u8; 64],
            /// How many to name.
            want: u8,
        },
        /// Keep standing in a topic.
        Refresh = client::REFRESH {
            /// Where.
            topic: Topic,
            /// The tag that stands there.
            tag: Tag,
            /// A new announcement, if it changed.
            announcement: Option<Announcement>,
            /// How many others to name.
            want: u8,
        },
        /// Pass `payload` on.
        Signal = client::SIGNAL {
            /// To whom.
            to: Tag,
            /// What, opaque to the server.
            payload: Payload,
        },
        /// Be reachable no more, and leave every topic.
        Leave = client::LEAVE {
            /// The tag to forget.
            tag: Tag,
        },
        /// Are you there?
        Ping = client::PING {},
        /// Hand out what TURN servers ask for, to one who is reachable here.
        Turn = client::TURN {},
        /// Carry a frame to the other end of a pair.
        Relay = client::RELAY {
            /// To whom: somebody who has signalled this connection's tag.
            to: Tag,
            /// What, opaque to the server.
            frame: RelayFrame,
        },
        /// The work that was asked for.
        Work = client::WORK {
            /// What solves the puzzle.
            answer: u64,
        },
    }
}

wire_enum! {
    /// From the server to a client.
    pub enum ServerMessage {
        /// Answer to Hello.
        Welcome = server::WELCOME {
            /// To be signed in Join and Resolve: new for every connection.
            challenge: [u8; 32],
            /// Milliseconds since 1970 UTC by the server's clock.
            time_ms: u64,
            /// What the server allows.
            limits: ServerLimits,
            /// STUN and TURN servers to use.
            ice: List<IceServer, ICE_SERVERS>,
        },
        /// Answer to Listen.
        Listening = server::LISTENING {},
        /// Answer to Join.
        Joined = server::JOINED {
            /// Where.
            topic: Topic,
            /// Seconds to stand without a refresh, as granted.
            ttl_s: u16,
            /// Logarithm to base 2, rounded up, of how many stand there.
            size_bucket: u8,
            /// Others who stand there, picked at random.
            sample: List<Entry, SAMPLE>,
        },
        /// Answer to Resolve and Refresh.
        Peers = server::PEERS {
            /// Where.
            topic: Topic,
            /// Who stands there, picked at random.
            sample: List<Entry, SAMPLE>,
        },
        /// A signal.
        Delivered = server::DELIVERED {
            /// From whom, as the server knows from the connection.
            from: Tag,
            /// What.
            payload: Payload,
        },
        /// A signal was not passed on.
        Refused = server::REFUSED {
            /// To whom it should have gone.
            to: Tag,
            /// Why.
            reason: RefusedReason,
        },
        /// A recent correspondent is no longer reachable.
        Gone = server::GONE {
            /// Who.
            tag: Tag,
        },
        /// Answer to Ping.
        Pong = server::PONG {},
        /// The server is about to stop.
        GoAway = server::GO_AWAY {
            /// Milliseconds to wait before coming back, drawn for this client.
            delay_ms: u32,
            /// Other servers to use meanwhile.
            servers: List<Url, RENDEZVOUS_SERVERS>,
        },
        /// A request failed.
        Error = server::ERROR {
            /// Why.
            reason: ErrorReason,
            /// Milliseconds to wait before trying again; 0 where that would not help.
            retry_after_ms: u32,
        },
        /// Answer to Turn.
        Turn = server::TURN {
            /// TURN servers; none: there is nothing to ask for.
            urls: List<Url, ICE_SERVERS>,
            /// What they know this client by.
            user: Url,
            /// What they ask for.
            password: Url,
            /// How long they let it in; who is in by then may stay.
            seconds: u16,
        },
        /// A frame from the other end of a pair.
        Relay = server::RELAY {
            /// From whom, as the server knows from the connection.
            from: Tag,
            /// What.
            frame: RelayFrame,
        },
        /// More may be sent to the other end of a pair.
        RelayCredit = server::RELAY_CREDIT {
            /// The other end.
            to: Tag,
            /// How many bytes more, counted by [`relay_cost`].
            bytes: u32,
        },
        /// A pair carries nothing any more; what was under way on it may be lost.
        RelayClosed = server::RELAY_CLOSED {
            /// The other end.
            to: Tag,
            /// Why.
            reason: RelayClosedReason,
        },
        /// Requests are not looked at before there is an answer to a [`work_puzzle`]. Before Welcome,
        /// it is as well to begin with that.
        Work = server::WORK {
            /// Zero bits that its hash must begin with.
            bits: u8,
        },
    }
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:path),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// One that this version does not know.
            Unknown(u8),
        }

        impl Wire for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(match self { $(Self::$variant => $number,)* Self::Unknown(n) => *n });
            }
            fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(match input.array()? { $([$number] => Self::$variant,)* [n] => Self::Unknown(n) })
            }
        }
    };
}

reasons! {
    /// Why a signal was refused.
    RefusedReason {
        /// Nobody is reachable under that tag.
        Gone = refused::GONE,
        /// Too many signals from here or to there.
        Quota = refused::QUOTA,
    }
}

reasons! {
    /// Why a pair carries nothing any more.
    RelayClosedReason {
        /// Nobody is reachable under the other end's tag, or another socket is by now.
        Gone = relay_closed::GONE,
        /// The other end has not signalled this one, so it has not asked for frames.
        Unasked = relay_closed::UNASKED,
        /// More than the credit, too many pairs, or too much from one address. The other end must
        /// signal again.
        Quota = relay_closed::QUOTA,
        /// Neither end has sent anything for long.
        Idle = relay_closed::IDLE,
        /// This server relays nothing.
        Off = relay_closed::OFF,
    }
}

reasons! {
    /// Why a request failed.
    ErrorReason {
        /// Not a message of this protocol, or out of order. The connection ends.
        Malformed = server_error::MALFORMED,
        /// The version is not spoken here. The connection ends.
        Version = server_error::VERSION,
        /// The signature does not fit.
        Signature = server_error::SIGNATURE,
        /// The tag does not fit its secret, or is not this connection's, or does not stand (any
        /// more) in the topic to be refreshed. A connection has one tag at a time, and none until
        /// Listen or Join.
        Tag = server_error::TAG,
        /// Too many requests.
        Rate = server_error::RATE,
        /// The server is full.
        Full = server_error::FULL,
        /// A newer socket with the same secret took over. The connection ends.
        Superseded = server_error::SUPERSEDED,
        /// The page's origin or the admission token is not one that is let in. The connection ends.
        Forbidden = server_error::FORBIDDEN,
    }
}

/// What a frame takes from the credit of the end that sends it.
#[must_use]
pub fn relay_cost(frame: &[u8]) -> u32 {
    u32::try_from(frame.len()).map_or(u32::MAX, |bytes| bytes.saturating_add(RELAY_HEAD_BYTES))
}

/// What is to be solved for the server: one puzzle after the other, of one connection only.
#[must_use]
pub fn work_puzzle(challenge: &[u8; 32], number: u32) -> [u8; 32] {
    let mut puzzle = *challenge;
    for (byte, of_number) in puzzle.iter_mut().zip(number.to_be_bytes()) {
        *byte ^= of_number;
    }
    puzzle
}

/// What the key of `topic` signs in Join.
#[must_use]
pub fn join_signed_bytes(
    topic: Topic,
    origin: &str,
    challenge: &[u8; 32],
    tag: Tag,
    ttl_s: u16,
) -> Vec<u8> {
    let mut out = topic_signed_bytes(b"peer-group/1/join", topic, origin, challenge);
    tag.encode(&mut out);
    ttl_s.encode(&mut out);
    out
}

/// What the key of `topic` signs in Resolve.
#[must_use]
pub fn resolve_signed_bytes(topic: Topic, origin: &str, challenge: &[u8; 32]) -> Vec<u8> {
    topic_signed_bytes(b"peer-group/1/resolve", topic, origin, challenge)
}

fn topic_signed_bytes(purpose: &[u8], topic: Topic, origin: &str, challenge: &[u8; 32]) -> Vec<u8> {
    let mut out = purpose.to_vec();
    topic.encode(&mut out);
    put_varint(&mut out, origin.len() as u64);
    out.extend_from_slice(origin.as_bytes());
    challenge.encode(&mut out);
    out
}
