//! Honest messages, as the program itself makes them: where every search begins.

use peer_group::crypto::{FAKE, Primitives as _};
use peer_group::engine::command::NewGroup;
use peer_group::group::Control;
use peer_group::group::credential::{Body as Claim, Credential, Credentials, How, Revoked, Role};
use peer_group::group::epoch::{Secret, SecretBody, SecretKind};
use peer_group::group::identity::Identity;
use peer_group::group::invitation::{Bearer, BearerBody, Bound, BoundBody, Head};
use peer_group::group::properties::SignedProperties;
use peer_group::group::sealed;
use peer_group::group::state::GraphState;
use peer_group::names::{GroupId, NodeAddress, NodeId, PeerId, SessionKey, Tag, Topic};
use peer_group::random::Random;
use peer_group::record::model::{Body, Change, Record, Stamp, new_id};
use peer_group::record::reserved::{MemberData, PresenceData};
use peer_group::wire::attributes::{Attributes, Value};
use peer_group::wire::codec::{Bytes, List, Text, Wire};
use peer_group::wire::link::{ByeReason, Frame, Packet, Reply, Scope, Signal, Trickle};
use peer_group::wire::numbers::{invitation, record, stored};
use peer_group::wire::rendezvous::{
    ClientMessage, Entry, ErrorReason, RefusedReason, RelayClosedReason, ServerMessage,
};
use peer_group::wire::seconds::Seconds;
use peer_group::wire::sync::Message;
use peer_group::wire::text::{self, TextKind};
use peer_group_signaling::rooms::{Crowd, Half, Halves, Note, Search};

use crate::attempt::attempt;
use crate::cluster;
use crate::decoders::Target;
use crate::heads;
use crate::pair::{self, What};
use crate::passwords;
use crate::records;
use crate::relays;
use crate::rooms;
use crate::turn;

const GROUP_SEED: [u8; 32] = [9; 32];
const SEED: [u8; 32] = [5; 32];

/// Every honest message, whatever decodes it.
pub(crate) struct Samples {
    messages: Vec<Vec<u8>>,
    scripts: Vec<Vec<u8>>,
}

impl Samples {
    /// Records a conversation, and adds what is not said in it.
    pub(crate) fn new() -> Self {
        let mut messages = pair::record();
        for made in [
            frames(),
            signaling(),
            between_servers(),
            credentials(),
            kept_records(),
            shown(),
            texts(),
            passwords::messages(),
        ] {
            messages.extend(made);
        }
        messages.sort();
        messages.dedup();
        let scripts = scripts(&messages);
        Self { messages, scripts }
    }

    /// Those that the target takes.
    pub(crate) fn of(&self, target: &Target) -> Vec<Vec<u8>> {
        let own = match target.name {
            "pair" => return self.scripts.clone(),
            "rooms" => return rooms::scripts(),
            "work" => return rooms::working_scripts(),
            "cluster" => return cluster::scripts(),
            "turn" => return turn::scripts(),
            "relays" => return relays::scripts(),
            "heads" => return heads::scripts(),
            _ => self.messages.iter(),
        };
        own.filter(|message| message.len() <= target.longest)
            .filter(|message| attempt(target.run, message) == Ok(true))
            .cloned()
            .collect()
    }
}

/// What members and nodes show of themselves.
fn shown() -> Vec<Vec<u8>> {
    let node = |away, attributes: &str| PresenceData {
        address: address(),
        away,
        told: 7,
        attributes: Text::new(attributes).unwrap_or_default(),
    };
    let member = |name: &str| MemberData {
        name: Text::new(name).unwrap_or_default(),
    };
    let mut all = bytes([node(false, ""), node(true, "busy until five")]);
    all.extend(bytes([member(""), member("Zo\u{eb}")]));
    all
}

fn bytes<T: Wire>(values: impl IntoIterator<Item = T>) -> Vec<Vec<u8>> {
    values.into_iter().map(|value| value.to_bytes()).collect()
}

fn small<const MAX: usize>(len: usize) -> Bytes<MAX> {
    Bytes::new(vec![7; len.min(MAX)]).unwrap_or_default()
}

fn short<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap_or_default()
}

fn address() -> NodeAddress {
    NodeAddress {
        rendezvous: vec!["wss://a.example".to_owned(), "ws://b".to_owned()],
        tags: vec![Tag([1; 16]), Tag([2; 16])],
        session: SessionKey([3; 32]),
    }
}

fn frames() -> Vec<Vec<u8>> {
    let frames = [
        Frame::Confirm {
            counter: 0,
            sealed: small(80),
        },
        Frame::Ping { token: 300 },
        Frame::Pong {
            token: 300,
            time_ms: 1_800_000_000_000,
        },
        Frame::Bye {
            reason: ByeReason::Fault,
        },
        Frame::Control {
            items: List::first(vec![small(3), small(0), small(200)]),
        },
        Frame::Records {
            records: List::first(vec![small(300), small(0)]),
        },
        Frame::RecordPart {
            rest: 90_000,
            piece: small(900),
        },
        Frame::ItemsTaken { frames: 2 },
        Frame::Sync {
            scope: Scope::Control,
            message: Message::TypeEnd {
                kind: short("chat"),
            },
        },
        Frame::DirectOpen {
            id: 4,
            label: short("label"),
        },
        Frame::DirectAccept { id: 4, accepter: 5 },
        Frame::DirectRefuse { id: 4 },
        Frame::DirectClose { id: 4 },
        Frame::Data {
            to: 0,
            kind: short("chat"),
            data: small(300),
        },
        Frame::Taken { to: 0, messages: 1 },
    ];
    let packets = frames.into_iter().zip(0..);
    let mut all = bytes(packets.map(|(frame, n)| Packet {
        sequence: n * n * 20,
        frame,
    }));
    all.push(Trickle::Abandon { code: 24 }.to_bytes());
    let piece = Trickle::Piece {
        number: 300,
        goes_on: true,
        bytes: small(300),
    };
    all.push(piece.to_bytes());
    all.push(
        Reply::Refuse {
            code: 24,
            time_ms: 1_800_000_000_000,
            alternatives: List::first(vec![address(), address()]),
            why: List::first(vec![Bytes::new(vec![7; 40]).unwrap_or_default()]),
        }
        .to_bytes(),
    );
    all
}

fn signaling() -> Vec<Vec<u8>> {
    let (topic, tag) = (Topic([1; 32]), Tag([3; 16]));
    let mut all = bytes([
        ClientMessage::Hello {
            version: 1,
            features: 0,
        },
        ClientMessage::Listen { r: [7; 32] },
        ClientMessage::Join {
            topic,
            signature: [2; 64],
            tag,
            r: [4; 32],
            ttl_s: 120,
            want: 16,
            announcement: small(256),
        },
        ClientMessage::Resolve {
            topic,
            signature: [2; 64],
            want: 16,
        },
        ClientMessage::Refresh {
            topic,
            tag,
            announcement: Some(small(9)),
            want: 5,
        },
        ClientMessage::Signal {
            to: tag,
            payload: small(200),
        },
        ClientMessage::Leave { tag },
        ClientMessage::Ping {},
        ClientMessage::Turn {},
        ClientMessage::Work { answer: 70_000 },
        ClientMessage::Relay {
            to: tag,
            frame: small(200),
        },
    ]);
    all.extend(bytes([
        ServerMessage::Refused {
            to: tag,
            reason: RefusedReason::Quota,
        },
        ServerMessage::Gone { tag },
        ServerMessage::Pong {},
        ServerMessage::Work { bits: 3 },
        ServerMessage::GoAway {
            delay_ms: 1000,
            servers: List::first(vec![short("wss://b")]),
        },
        ServerMessage::Error {
            reason: ErrorReason::Rate,
            retry_after_ms: 1000,
        },
        ServerMessage::Turn {
            urls: List::first(vec![short("turn:a.example:1"), short("turns:b:2")]),
            user: short("1700000600:3f"),
            password: short("c2VjcmV0"),
            seconds: 600,
        },
        ServerMessage::Relay {
            from: tag,
            frame: small(200),
        },
        ServerMessage::RelayCredit {
            to: tag,
            bytes: 16_384,
        },
        ServerMessage::RelayClosed {
            to: tag,
            reason: RelayClosedReason::Gone,
        },
    ]));
    all
}

fn between_servers() -> Vec<Vec<u8>> {
    let tag = Tag([3; 16]);
    let half = |pair| {
        let machine = [1; 16];
        Some(Half { machine, pair })
    };
    let halves = Halves {
        mine: half(300),
        yours: half(2),
    };
    let mut all = bytes([
        Note::Claimed {
            machine: [1; 16],
            for_ms: 90_000,
        },
        Note::Signal {
            from: tag,
            payload: small(200),
        },
        Note::Gone { tag },
        Note::Relay {
            from: tag,
            halves: halves.clone(),
            number: 9,
            frame: Some(small(300)),
        },
        Note::Taken {
            from: tag,
            halves: halves.clone(),
            bytes: 70_000,
        },
        Note::Closed {
            from: tag,
            halves,
            why: RelayClosedReason::Gone,
            unask: true,
        },
    ]);
    all.extend(bytes([
        Search {
            asker: Some(tag),
            want: 16,
        },
        Search {
            asker: None,
            want: 2,
        },
    ]));
    let entry = |len| Entry {
        tag,
        announcement: small(len),
    };
    all.extend(bytes([Crowd {
        size: 300,
        sample: List::first(vec![entry(256), entry(0)]),
    }]));
    all
}

fn claims() -> Vec<Credential> {
    let group = GroupId(FAKE.public_key(&GROUP_SEED));
    let issuer = group.0;
    let (from, until) = (Seconds(1_800_000_000), Seconds::NEVER);
    let membership = Claim::Membership {
        subject: PeerId(FAKE.public_key(&SEED)),
        sealing: [2; 32],
        role: Role::Admin,
        from,
        until,
        issuer,
        serial: [4; 8],
    };
    let delegation = Claim::Delegation {
        key: FAKE.public_key(&[6; 32]),
        role: Role::Member,
        from,
        until,
        issuer,
        serial: [3; 8],
        max_uses: 300,
        usable_until: Seconds(1_900_000_000),
    };
    let admission = Claim::Admission {
        membership: [1; 32],
        at: from,
        issuer,
    };
    let revocation = Claim::Revocation {
        what: Revoked::Member {
            peer: PeerId(FAKE.public_key(&SEED)),
        },
        at: from,
        how: How::Removed,
        records_stay: true,
        vouches: List::first(vec![[5; 16]]),
        reason: Text::new("why").unwrap_or_default(),
        issuer,
        serial: [2; 8],
    };
    let vouch = Claim::Vouch {
        hashes: List::first(vec![[6; 16], [7; 16]]),
        issuer,
    };
    [membership, delegation, admission, revocation, vouch]
        .map(|body| Credential::sign(&FAKE, group, &GROUP_SEED, body))
        .to_vec()
}

fn secret() -> Secret {
    let group = GroupId(FAKE.public_key(&GROUP_SEED));
    let body = SecretBody {
        kind: SecretKind::Epoch,
        number: 300,
        secret: [8; 32],
        covers: List::first(vec![[9; 8]]),
        issuer: group.0,
    };
    Secret::sign(&FAKE, group, &GROUP_SEED, body)
}

fn credentials() -> Vec<Vec<u8>> {
    let mut all = bytes(claims());
    let controls = claims().into_iter();
    let controls = controls.map(|credential| Control::Credential { credential });
    all.extend(bytes(controls));
    all.push(Control::Secret { secret: secret() }.to_bytes());
    all.push(Credentials::first(claims()).to_bytes());
    let new = NewGroup {
        friendly_name: "Tea".to_owned(),
        comment: "at five".to_owned(),
        classifier: "social".to_owned(),
        ..NewGroup::default()
    };
    let creator = PeerId(FAKE.public_key(&SEED));
    let made = SignedProperties::new(&FAKE, &GROUP_SEED, creator, Seconds(1_800_000_000), &new);
    all.extend(made.ok().map(|properties| properties.to_bytes()));
    let identity = Identity::new(&mut Random::new([1; 32]), 0);
    all.push(identity.to_bytes());
    all.push(identity.card(&FAKE).into_bytes());
    let content = identity.to_exported();
    let text = sealed::seal(&FAKE, TextKind::Identity, [2; 16], &[3; 32], &content);
    all.push(text.into_bytes());
    all.push(content);
    all.push(
        GraphState {
            version: stored::GRAPH,
            synchronized: true,
            peer_time_offset: -700,
            rendezvous: List::first(vec![short("wss://a.example"), short("ws://b")]),
        }
        .to_bytes(),
    );
    all
}

fn kept_records() -> Vec<Vec<u8>> {
    let creator = PeerId(FAKE.public_key(&SEED));
    let other = PeerId([8; 32]);
    let attributes = Attributes::new(vec![
        (
            "size".to_owned(),
            vec![Value::Number(-5), Value::Number(1 << 40)],
        ),
        ("title".to_owned(), vec![Value::Text("tea".to_owned())]),
        ("when".to_owned(), vec![Value::Date(1_795_132_800_000)]),
    ])
    .unwrap_or_default();
    let created = Stamp::at(1_795_132_800_000);
    let (version, at) = (2, Stamp::at(1_795_132_900_000));
    let changes = [
        (0, Change::Original {}),
        (record::AUTO_REFRESH, Change::ByCreator { version, at }),
        (
            0,
            Change::ByOther {
                version,
                at,
                peer: other,
            },
        ),
        (record::DELETED, Change::ByCreator { version, at }),
    ];
    let mut random = Random::new([2; 32]);
    let mut all = vec![attributes.to_bytes()];
    for (flags, change) in changes {
        let is_deleted = flags & record::DELETED != 0;
        let body = Body {
            form: record::FORM,
            flags,
            id: new_id(&FAKE, creator, &mut random),
            kind: short("chat"),
            creator,
            created,
            change,
            expires: 1_795_219_200_000,
            attributes: if is_deleted {
                Attributes::default()
            } else {
                attributes.clone()
            },
            data: if is_deleted { small(0) } else { small(60) },
        };
        let record = Record::sign(&FAKE, GroupId([3; 32]), &SEED, body);
        all.extend(records::kept(&record));
        all.push(record.to_bytes());
    }
    all.extend(records::conversations());
    all
}

fn texts() -> Vec<Vec<u8>> {
    let peer = PeerId(FAKE.public_key(&SEED));
    let head = Head {
        kind: invitation::BEARER,
        group: GroupId(FAKE.public_key(&GROUP_SEED)),
        friendly_name: short("Tea"),
        issuer: peer,
        issuer_name: short("me"),
        rendezvous: List::first(vec![short("wss://a.example")]),
    };
    let body = BearerBody {
        head: head.clone(),
        door: [1; 16],
        credentials: Credentials::first(claims()),
    };
    let bearer = Bearer {
        body: body.clone(),
        signature: [0; 64],
        seed: [6; 32],
    };
    let bound = Bound {
        body: BoundBody {
            head: Head {
                kind: invitation::BOUND,
                ..head
            },
            subject: peer,
            role: Role::Admin,
            from: Seconds(1),
            until: Seconds::NEVER,
            half: [2; 32],
            sealed: Bytes::new(vec![3; 40]).unwrap_or_default(),
        },
        signature: [0; 64],
    };
    let random = &mut Random::new([3; 32]);
    let mut all: Vec<Vec<u8>> = [
        Bearer::text(&FAKE, &SEED, body, [6; 32]),
        text::node_address(&address()),
        peer.to_string(),
        NodeId([1; 8]).to_string(),
        new_id(&FAKE, peer, random).to_string(),
        "https://user.example:8443/a/peer-group/1?x#y".to_owned(),
        "ws://[::1]:80/".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec();
    all.extend(bytes([bearer]));
    all.extend(bytes([bound]));
    all.push(address().to_bytes());
    all
}

/// Scripts that put one message in the place of another, in all the ways there are.
fn scripts(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut scripts = vec![Vec::new()];
    let mut number = 0u8;
    for message in messages.iter().filter(|message| message.len() < 256) {
        number = number.wrapping_add(7) % 40;
        if let Ok(packet) = Packet::from_bytes(message) {
            // In its turn, so that it is looked at.
            let frame = packet.frame.to_bytes();
            for turn in [2, 6, 10, 16] {
                scripts.push(pair::step(What::Frame, turn, pair::IN_TURN, 0, &frame));
            }
        }
        if Signal::from_bytes(message).is_ok() || ServerMessage::from_bytes(message).is_ok() {
            scripts.push(pair::step(What::Message, number, pair::INSTEAD, 0, message));
        }
        if Trickle::from_bytes(message).is_ok() {
            scripts.push(pair::step(What::Plain, number, pair::OVER, 0, message));
        }
        if message.is_ascii() {
            scripts.push(pair::step(
                What::Line,
                number % 4,
                pair::INSTEAD,
                0,
                message,
            ));
        }
    }
    scripts
}
