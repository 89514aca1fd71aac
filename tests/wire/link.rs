//! Golden bytes of what nodes say to each other and of what they sign and keep: worked out by hand
//! from the rules in `wire/codec.rs`, so that a change of format is a change of this file.

// A value that does not fit its type is a fault of the test.
#![allow(clippy::expect_used)]

mod golden;

use golden::{bytes, golden};
use peer_group::crypto::{FAKE, Primitives as _};
use peer_group::error::Code;
use peer_group::graph::session::{Session, SessionBody};
use peer_group::group::credential::{Body, Credential, How, Revoked, Role};
use peer_group::group::identity::{Card, Identity};
use peer_group::group::invitation::{Bearer, Bound, ByPassword, preview};
use peer_group::group::password::verifier::Verifier;
use peer_group::group::sealed::{Sealed, seal};
use peer_group::group::state::GroupState;
use peer_group::names::{Attempt, NodeAddress, PeerId, SessionKey, Tag};
use peer_group::wire::codec::{Bytes, List, Text, Wire};
use peer_group::wire::description::{Description, Line, Other};
use peer_group::wire::link::{
    ByeReason, Frame, Hello, Packet, Purpose, Reply, Signal, SignalBody, Trickle,
};
use peer_group::wire::password::{Asking, Challenge, Worked};
use peer_group::wire::seconds::Seconds;
use peer_group::wire::text::{TextKind, decode};
use proptest::prelude::*;

fn frame(frame: Frame, text: &str) {
    golden(
        &Packet {
            sequence: 300,
            frame,
        },
        &format!("ac02 {text}"),
    );
}

fn small<const MAX: usize>(bytes: &[u8]) -> Bytes<MAX> {
    Bytes::new(bytes.to_vec()).expect("fits")
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("fits")
}

#[test]
fn frames() {
    frame(
        Frame::Confirm {
            counter: 1,
            sealed: small(&[7, 8]),
        },
        "01 01 02 0708",
    );
    frame(Frame::Ping { token: 128 }, "02 8001");
    frame(
        Frame::Pong {
            token: 127,
            time_ms: 300,
        },
        "03 7f ac02",
    );
    frame(
        Frame::Records {
            records: List::first(vec![small(&[7, 8]), small(&[9])]),
        },
        "0e 02 02 0708 01 09",
    );
    frame(
        Frame::RecordPart {
            rest: 300,
            piece: small(&[7]),
        },
        "0f ac02 01 07",
    );
    frame(Frame::ItemsTaken { frames: 2 }, "10 02");
    frame(
        Frame::Bye {
            reason: ByeReason::Leaving,
        },
        "04 01",
    );
    frame(
        Frame::Bye {
            reason: ByeReason::Unneeded,
        },
        "04 02",
    );
    frame(
        Frame::Bye {
            reason: ByeReason::Replaced,
        },
        "04 03",
    );
    frame(
        Frame::Bye {
            reason: ByeReason::Fault,
        },
        "04 04",
    );
    frame(
        Frame::Bye {
            reason: ByeReason::Removed,
        },
        "04 05",
    );
    let items = List::new(vec![small(&[1]), small(&[])]).expect("fits");
    frame(Frame::Control { items }, "05 02 01 01 00");
    frame(
        Frame::DirectOpen {
            id: 3,
            label: text("hi"),
        },
        "07 03 02 6869",
    );
    frame(Frame::DirectAccept { id: 3, accepter: 4 }, "08 03 04");
    frame(Frame::DirectRefuse { id: 3 }, "09 03");
    frame(Frame::DirectClose { id: 3 }, "0a 03");
    let data = Frame::Data {
        to: 0,
        kind: text("chat"),
        data: small(&[9, 9]),
    };
    frame(data, "0b 00 04 63686174 02 0909");
    frame(
        Frame::Taken {
            to: 5,
            messages: 200,
        },
        "0c 05 c801",
    );
}

#[test]
fn signals() {
    let body = SignalBody::Initiate {
        purpose: Purpose::Join,
        knows_session: true,
        psk_id: [2; 8],
        noise: small(&[5; 3]),
    };
    golden(&Signal(body), "01 01 02 01 02*8 03 05*3");
    let body = SignalBody::Answer {
        attempt: Attempt([3; 8]),
        noise: small(&[6]),
    };
    golden(&Signal(body), "01 02 03*8 01 06");
    let body = SignalBody::Sealed {
        attempt: Attempt([3; 8]),
        counter: 9,
        sealed: small(&[]),
    };
    golden(&Signal(body), "01 03 03*8 09 00");
    let attempt = Attempt([3; 8]);
    golden(&Signal(SignalBody::Unknown { attempt }), "01 04 03*8");
    let body = SignalBody::Initiate {
        purpose: Purpose::Return,
        knows_session: false,
        psk_id: [2; 8],
        noise: small(&[5; 3]),
    };
    golden(&Signal(body), "01 01 05 00 02*8 03 05*3");
    // Another version is not read as this one.
    assert!(Signal::from_bytes(&bytes("02 03 03*8 09 00")).is_err());
}

fn description(offer: bool) -> Description {
    let line = |text| Line::new(text).expect("one line");
    Description {
        offer,
        setup: line("actpass"),
        ufrag: line("u"),
        pwd: line("p"),
        fingerprint: [0xfe; 32],
        mid: line("0"),
        sctp_port: 5000,
        max_message_size: 262_144,
        session: List::default(),
        media: List::new(vec![Other::new("ice-options:trickle").expect("fits")]).expect("fits"),
    }
}

const DESCRIPTION: &str = "07 61637470617373 01 75 01 70 fe*32 01 30 8827 808010 00 \
                           01 13 6963652d6f7074696f6e733a747269636b6c65";

#[test]
fn handshake_payloads() {
    golden(&description(true), &format!("01 {DESCRIPTION}"));
    let hello = Hello {
        session: small(&[1]),
        proof: small(&[2]),
        time_ms: 300,
        nonce: [4; 16],
        holds: None,
        offer: None,
    };
    golden(&hello, "01 01 01 02 ac02 04*16 00 00");
    let accept = Reply::Accept {
        session: small(&[1]),
        proof: small(&[2]),
        grant: small(&[3]),
        compared: None,
        description: description(false),
    };
    golden(
        &accept,
        &format!("01 01 01 01 02 01 03 00 00 {DESCRIPTION}"),
    );
    let address = NodeAddress {
        rendezvous: vec!["wss://a".to_owned()],
        tags: vec![Tag([5; 16])],
        session: SessionKey([6; 32]),
    };
    let address_bytes = "01 07 7773733a2f2f61 05*16 06*32";
    golden(&address, address_bytes);
    let alternatives = List::new(vec![address]).expect("fits");
    let refuse = Reply::Refuse {
        code: 24,
        time_ms: 1,
        alternatives,
        why: List::first(vec![Bytes::new(vec![9, 8]).expect("fits")]),
    };
    golden(&refuse, &format!("02 18 01 01 {address_bytes} 01 02 0908"));
    let candidate = Line::new("candidate:1").expect("one line");
    golden(
        &Trickle::Candidate { candidate },
        "01 0b 63616e6469646174653a31",
    );
    golden(
        &Trickle::Answer {
            description: description(false),
        },
        &format!("02 00 {DESCRIPTION}"),
    );
    golden(&Trickle::Abandon { code: 4 }, "03 04");
    let piece = Trickle::Piece {
        number: 300,
        goes_on: true,
        bytes: small(&[7, 8]),
    };
    golden(&piece, "08 ac02 01 02 0708");
}

#[test]
fn what_is_said_of_a_password() {
    let knock = SignalBody::Initiate {
        purpose: Purpose::Password,
        knows_session: false,
        psk_id: [2; 8],
        noise: small(&[5]),
    };
    golden(&Signal(knock), "01 01 04 00 02*8 01 05");
    let asking = Asking {
        generation: 300,
        share: [1; 32],
        sealing: [2; 32],
        work: None,
    };
    golden(&asking, "ac02 01*32 02*32 00");
    let work = Some(Worked { at: 300, answer: 5 });
    golden(&Asking { work, ..asking }, "ac02 01*32 02*32 01 ac02 05");
    golden(&Challenge::Share { share: [3; 32] }, "01 03*32");
    golden(&Challenge::Generation { generation: 2 }, "02 02");
    let demand = Challenge::Work {
        bits: 18,
        at: 300,
        puzzle: [4; 32],
    };
    golden(&demand, "03 12 ac02 04*32");
    golden(&Challenge::Later { after_ms: 300 }, "04 ac02");
    let challenge = Reply::Challenge {
        session: small(&[1]),
        proof: small(&[2]),
        said: small(&[3]),
    };
    golden(&challenge, "03 01 01 01 02 01 03");
    golden(&Trickle::Proof { proof: [6; 32] }, "04 06*32");
    let admitted = Trickle::Admitted {
        proof: [7; 32],
        grant: small(&[8, 9]),
    };
    golden(&admitted, "05 07*32 02 0809");
}

#[test]
fn what_is_signed_and_kept() {
    let body = SessionBody {
        peer: PeerId([1; 32]),
        key: SessionKey([2; 32]),
        nonce: [3; 8],
        from: Seconds(0x01_0203_0405),
        until: Seconds::NEVER,
    };
    let session = Session {
        body,
        signature: [4; 64],
    };
    golden(&session, "01*32 02*32 03*8 0504030201 ff*5 04*64");

    let body = Body::Membership {
        subject: PeerId([1; 32]),
        sealing: [2; 32],
        role: Role::Admin,
        from: Seconds(1),
        until: Seconds(2),
        issuer: [3; 32],
        serial: [4; 8],
    };
    golden(&body, "01 01*32 02*32 03 0100000000 0200000000 03*32 04*8");
    let credential = Credential {
        body,
        signature: [5; 64],
    };
    assert_eq!(
        credential.to_bytes().len(),
        180,
        "a membership is about 180 bytes"
    );
    let body = Body::Delegation {
        key: [1; 32],
        role: Role::Member,
        from: Seconds(1),
        until: Seconds(2),
        issuer: [3; 32],
        serial: [4; 8],
        max_uses: 300,
        usable_until: Seconds(9),
    };
    golden(
        &body,
        "02 01*32 01 0100000000 0200000000 03*32 04*8 ac02 0900000000",
    );
    let body = Body::Admission {
        membership: [1; 32],
        at: Seconds(7),
        issuer: [3; 32],
    };
    golden(&body, "03 01*32 0700000000 03*32");
    let body = Body::Revocation {
        what: Revoked::Member {
            peer: PeerId([1; 32]),
        },
        at: Seconds(7),
        how: How::Removed,
        records_stay: false,
        vouches: List::new(vec![[2; 16]]).expect("fits"),
        reason: text("no"),
        issuer: [3; 32],
        serial: [4; 8],
    };
    golden(
        &body,
        "04 01 01*32 0700000000 01 00 01 02*16 02 6e6f 03*32 04*8",
    );
    let body = Body::Revocation {
        what: Revoked::Invitation { hash: [1; 32] },
        at: Seconds(7),
        how: How::Left,
        records_stay: true,
        vouches: List::default(),
        reason: text(""),
        issuer: [3; 32],
        serial: [4; 8],
    };
    golden(&body, "04 02 01*32 0700000000 03 01 00 00 03*32 04*8");
    let body = Body::Vouch {
        hashes: List::new(vec![[5; 16], [6; 16]]).expect("fits"),
        issuer: [3; 32],
    };
    golden(&body, "05 02 05*16 06*16 03*32");
}

#[test]
fn identities() {
    let identity = Identity {
        version: 2,
        seed: [6; 32],
        name: text("Al"),
        classifier: text("x"),
        is_default: true,
        since: 300,
    };
    golden(&identity, "02 06*32 02 416c 01 78 01 ac02");
    // Taken along: without what is of the place.
    let exported = bytes("01 06*32 02 416c 01 78");
    assert_eq!(identity.to_exported(), exported);
    let card = Card {
        version: 1,
        peer: PeerId([7; 32]),
        sealing: [8; 32],
        name: text("Al"),
        classifier: text(""),
    };
    golden(&card, "01 07*32 08*32 02 416c 00");
}

/// What is sealed under a password says in clear how its key is made: version, 19 456 KiB, 2 passes, salt.
#[test]
fn sealed_texts() {
    let sealed = seal(&FAKE, TextKind::Identity, [9; 16], &[4; 32], &[1, 2]);
    let read = decode(TextKind::Identity, &sealed, Code::Internal).expect("a text");
    let (head, content) = read.split_at(21);
    assert_eq!(head, bytes("01 809801 02 09*16"));
    assert_eq!(
        content.len(),
        1 + 2 + 16,
        "its length, itself and the seal's tag"
    );
}

#[test]
fn a_signature_covers_its_purpose_and_its_group() {
    let signed = peer_group::crypto::signed_bytes("session", &[8; 32], &[9]);
    assert_eq!(
        signed,
        bytes("706565722d67726f75702f312f73657373696f6e 00 08*32 09")
    );
    // The fake keeps the shape that the simulator relies on.
    assert_eq!(FAKE.public_key(&[0; 32]), [0x5a; 32]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn random_bytes_never_panic_and_have_one_spelling(
        input in proptest::collection::vec(any::<u8>(), 0..400),
        head in 0u8..16,
    ) {
        fn one<T: Wire>(input: &[u8]) -> Result<(), TestCaseError> {
            if let Ok(value) = T::from_bytes(input) {
                prop_assert_eq!(value.to_bytes(), input);
            }
            Ok(())
        }
        let mut input = input;
        // Half of them begin like a message, so that more is read than the first byte.
        if input.len() > 2 && input[0] & 1 == 0 {
            input[0] = head;
            input[1] &= 0x0f;
        }
        one::<Packet>(&input)?;
        one::<Signal>(&input)?;
        one::<Hello>(&input)?;
        one::<Reply>(&input)?;
        one::<Trickle>(&input)?;
        one::<Session>(&input)?;
        one::<Credential>(&input)?;
        one::<Bearer>(&input)?;
        one::<Bound>(&input)?;
        one::<ByPassword>(&input)?;
        one::<Verifier>(&input)?;
        one::<Asking>(&input)?;
        one::<Challenge>(&input)?;
        one::<GroupState>(&input)?;
        one::<Identity>(&input)?;
        one::<Card>(&input)?;
        one::<NodeAddress>(&input)?;
    }

    #[test]
    fn texts_of_any_kind_never_panic(input in "\\PC{0,80}") {
        let _ = preview(&FAKE, &input);
        let _ = preview(&FAKE, &format!("pg-invite:{input}"));
        let _ = Card::parse(&FAKE, &format!("pg-card:{input}"));
        let _ = Sealed::parse(TextKind::Identity, &format!("pg-identity:{input}"));
        let _ = peer_group::wire::text::parse_node_address(&format!("pg-node:{input}"));
        let _ = Description::parse(true, &input);
        let _ = Description::parse(true, &format!("m=application 9\r\na={input}"));
    }
}
