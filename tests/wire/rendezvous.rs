//! Golden bytes of what clients and the rendezvous server say to each other: worked out by hand
//! from the rules in `wire/codec.rs`, so that a change of format is a change of this file.

// A value that does not fit its type is a fault of the test.
#![allow(clippy::expect_used)]

mod golden;

use golden::{bytes, golden};
use peer_group::names::{Tag, Topic};
use peer_group::wire::codec::{Bytes, List, Text, Wire};
use peer_group::wire::rendezvous::{
    ClientMessage, Entry, ErrorReason, IceServer, RefusedReason, RelayClosedReason, ServerLimits,
    ServerMessage, join_signed_bytes, relay_cost, resolve_signed_bytes,
};
use proptest::collection::vec;
use proptest::prelude::*;

const TOPIC: Topic = Topic([1; 32]);
const TAG: Tag = Tag([3; 16]);

fn small<const MAX: usize>(bytes: &[u8]) -> Bytes<MAX> {
    Bytes::new(bytes.to_vec()).expect("fits")
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("fits")
}

fn client(message: ClientMessage, expected: &str) {
    golden(&message, expected);
}

fn server(message: ServerMessage, expected: &str) {
    golden(&message, expected);
}

#[test]
fn what_clients_say() {
    client(
        ClientMessage::Hello {
            version: 1,
            features: 300,
        },
        "01 01 ac02",
    );
    client(ClientMessage::Listen { r: [7; 32] }, "02 07*32");
    client(
        ClientMessage::Join {
            topic: TOPIC,
            signature: [2; 64],
            tag: TAG,
            r: [4; 32],
            ttl_s: 120,
            want: 200,
            announcement: small(&[0xaa]),
        },
        "03 01*32 02*64 03*16 04*32 78 c8 01 aa",
    );
    client(
        ClientMessage::Resolve {
            topic: TOPIC,
            signature: [2; 64],
            want: 16,
        },
        "04 01*32 02*64 10",
    );
    let refresh = |announcement| ClientMessage::Refresh {
        topic: TOPIC,
        tag: TAG,
        announcement,
        want: 5,
    };
    client(refresh(None), "05 01*32 03*16 00 05");
    client(
        refresh(Some(small(&[9, 9]))),
        "05 01*32 03*16 01 02 0909 05",
    );
    client(
        ClientMessage::Signal {
            to: TAG,
            payload: small(&[5; 200]),
        },
        "06 03*16 c801 05*200",
    );
    client(ClientMessage::Leave { tag: TAG }, "07 03*16");
    client(ClientMessage::Ping {}, "08");
    client(ClientMessage::Turn {}, "0a");
    client(ClientMessage::Work { answer: 300 }, "0b ac02");
    client(
        ClientMessage::Relay {
            to: TAG,
            frame: small(&[5; 200]),
        },
        "09 03*16 c801 05*200",
    );
}

#[test]
fn what_the_server_answers() {
    let stun = IceServer {
        urls: List::new(vec![text("stun:a")]).expect("fits"),
        username: text(""),
        credential: text(""),
    };
    let turn = IceServer {
        urls: List::new(vec![text("turn:b"), text("turn:c")]).expect("fits"),
        username: text("u"),
        credential: text("p"),
    };
    server(
        ServerMessage::Welcome {
            challenge: [6; 32],
            time_ms: 300,
            limits: ServerLimits {
                announcement_bytes: 1024,
                signal_bytes: 16_384,
                ttl_s: 120,
                topics: 16,
                turn_s: 600,
                relay_bytes: 65_536,
            },
            ice: List::new(vec![stun, turn]).expect("fits"),
        },
        "01 06*32 ac02 8008 808001 78 10 d804 808004 02 \
         01 06 7374756e3a61 00 00 \
         02 06 7475726e3a62 06 7475726e3a63 01 75 01 70",
    );
    server(ServerMessage::Listening {}, "02");
    let entry = Entry {
        tag: TAG,
        announcement: small(&[8]),
    };
    server(
        ServerMessage::Joined {
            topic: TOPIC,
            ttl_s: 60,
            size_bucket: 3,
            sample: List::new(vec![entry]).expect("fits"),
        },
        "03 01*32 3c 03 01 03*16 01 08",
    );
    server(
        ServerMessage::Peers {
            topic: TOPIC,
            sample: List::default(),
        },
        "04 01*32 00",
    );
    server(ServerMessage::Gone { tag: TAG }, "07 03*16");
    server(ServerMessage::Pong {}, "08");
    server(
        ServerMessage::GoAway {
            delay_ms: 1000,
            servers: List::new(vec![text("wss://b")]).expect("fits"),
        },
        "09 e807 01 07 7773733a2f2f62",
    );
    server(
        ServerMessage::Turn {
            urls: List::new(vec![text("turn:b"), text("turns:c")]).expect("fits"),
            user: text("u"),
            password: text("p"),
            seconds: 600,
        },
        "0e 02 06 7475726e3a62 07 7475726e733a63 01 75 01 70 d804",
    );
    server(ServerMessage::Work { bits: 18 }, "0f 12");
}

#[test]
fn signals_and_refusals() {
    server(
        ServerMessage::Delivered {
            from: TAG,
            payload: small(&[5]),
        },
        "05 03*16 01 05",
    );
    for (reason, number) in [
        (RefusedReason::Gone, "01"),
        (RefusedReason::Quota, "02"),
        (RefusedReason::Unknown(200), "c8"),
    ] {
        server(
            ServerMessage::Refused { to: TAG, reason },
            &format!("06 03*16 {number}"),
        );
    }
    for (reason, number) in [
        (ErrorReason::Malformed, "01"),
        (ErrorReason::Version, "02"),
        (ErrorReason::Signature, "03"),
        (ErrorReason::Tag, "04"),
        (ErrorReason::Rate, "05"),
        (ErrorReason::Full, "06"),
        (ErrorReason::Superseded, "07"),
        (ErrorReason::Forbidden, "08"),
        (ErrorReason::Unknown(9), "09"),
    ] {
        server(
            ServerMessage::Error {
                reason,
                retry_after_ms: 500,
            },
            &format!("0a {number} f403"),
        );
    }
}

#[test]
fn what_is_relayed() {
    server(
        ServerMessage::Relay {
            from: TAG,
            frame: small(&[5]),
        },
        "0b 03*16 01 05",
    );
    server(
        ServerMessage::RelayCredit {
            to: TAG,
            bytes: 300,
        },
        "0c 03*16 ac02",
    );
    for (reason, number) in [
        (RelayClosedReason::Gone, "01"),
        (RelayClosedReason::Unasked, "02"),
        (RelayClosedReason::Quota, "03"),
        (RelayClosedReason::Idle, "04"),
        (RelayClosedReason::Off, "05"),
        (RelayClosedReason::Unknown(200), "c8"),
    ] {
        server(
            ServerMessage::RelayClosed { to: TAG, reason },
            &format!("0d 03*16 {number}"),
        );
    }
    assert_eq!((relay_cost(&[]), relay_cost(&[5; 100])), (64, 164));
}

#[test]
fn what_is_signed_names_its_purpose_and_the_server() {
    let join = b"peer-group/1/join".to_vec();
    assert_eq!(
        join_signed_bytes(TOPIC, "a:1", &[6; 32], TAG, 120),
        [join, bytes("01*32 03 613a31 06*32 03*16 78")].concat()
    );
    let resolve = b"peer-group/1/resolve".to_vec();
    assert_eq!(
        resolve_signed_bytes(TOPIC, "a:1", &[6; 32]),
        [resolve, bytes("01*32 03 613a31 06*32")].concat()
    );
}

#[test]
fn what_is_too_long_or_not_known_yet_is_refused() {
    let signal = |len: &str, bytes_of_it: usize| bytes(&format!("06 03*16 {len} 05*{bytes_of_it}"));
    assert!(ClientMessage::from_bytes(&signal("808001", 16_384)).is_ok());
    assert!(ClientMessage::from_bytes(&signal("818001", 16_385)).is_err());
    let relay = |len: &str, bytes_of_it: usize| bytes(&format!("09 03*16 {len} 05*{bytes_of_it}"));
    assert!(ClientMessage::from_bytes(&relay("808001", 16_384)).is_ok());
    assert!(ClientMessage::from_bytes(&relay("818001", 16_385)).is_err());
    let refresh =
        |len: &str, count: usize| bytes(&format!("05 01*32 03*16 01 {len} 09*{count} 05"));
    assert!(ClientMessage::from_bytes(&refresh("8008", 1024)).is_ok());
    assert!(ClientMessage::from_bytes(&refresh("8108", 1025)).is_err());
    let peers = |count: usize| {
        let entries = "03*16 00 ".repeat(count);
        bytes(&format!("04 01*32 {count:02x} {entries}"))
    };
    assert!(ServerMessage::from_bytes(&peers(16)).is_ok());
    assert!(ServerMessage::from_bytes(&peers(17)).is_err());
    for number in [0, 11, 255] {
        let rest = [vec![number], vec![0; 40]].concat();
        assert!(ClientMessage::from_bytes(&rest).is_err(), "{number}");
        assert!(ClientMessage::from_bytes(&[number]).is_err(), "{number}");
    }
    for number in [0, 15, 255] {
        assert!(ServerMessage::from_bytes(&[number]).is_err(), "{number}");
    }
}

fn some<const MAX: usize>(most: usize) -> impl Strategy<Value = Bytes<MAX>> {
    vec(any::<u8>(), 0..=most.min(MAX)).prop_map(|bytes| small(&bytes))
}

fn words<const MAX: usize>() -> impl Strategy<Value = Text<MAX>> {
    "\\PC{0,40}".prop_map(|words| text(&words))
}

fn list<T: std::fmt::Debug, const MAX: usize>(
    items: impl Strategy<Value = T>,
) -> impl Strategy<Value = List<T, MAX>> {
    vec(items, 0..=MAX).prop_map(|items| List::new(items).expect("fits"))
}

fn tag() -> impl Strategy<Value = Tag> {
    any::<[u8; 16]>().prop_map(Tag)
}

fn topic() -> impl Strategy<Value = Topic> {
    any::<[u8; 32]>().prop_map(Topic)
}

fn signature() -> impl Strategy<Value = [u8; 64]> {
    any::<[[u8; 32]; 2]>().prop_map(|[a, b]| {
        let mut both = [0; 64];
        both[..32].copy_from_slice(&a);
        both[32..].copy_from_slice(&b);
        both
    })
}

fn client_message() -> impl Strategy<Value = ClientMessage> {
    prop_oneof![
        any::<(u8, u32)>()
            .prop_map(|(version, features)| ClientMessage::Hello { version, features }),
        any::<[u8; 32]>().prop_map(|r| ClientMessage::Listen { r }),
        (
            (topic(), signature(), tag()),
            any::<([u8; 32], u16, u8)>(),
            some(1024)
        )
            .prop_map(
                |((topic, signature, tag), (r, ttl_s, want), announcement)| ClientMessage::Join {
                    topic,
                    signature,
                    tag,
                    r,
                    ttl_s,
                    want,
                    announcement
                }
            ),
        (topic(), signature(), any::<u8>()).prop_map(|(topic, signature, want)| {
            ClientMessage::Resolve {
                topic,
                signature,
                want,
            }
        }),
        (
            topic(),
            tag(),
            proptest::option::of(some(1024)),
            any::<u8>()
        )
            .prop_map(|(topic, tag, announcement, want)| ClientMessage::Refresh {
                topic,
                tag,
                announcement,
                want
            }),
        (tag(), some(600)).prop_map(|(to, payload)| ClientMessage::Signal { to, payload }),
        tag().prop_map(|tag| ClientMessage::Leave { tag }),
        Just(ClientMessage::Ping {}),
        Just(ClientMessage::Turn {}),
        any::<u64>().prop_map(|answer| ClientMessage::Work { answer }),
        (tag(), some(600)).prop_map(|(to, frame)| ClientMessage::Relay { to, frame }),
    ]
}

fn server_message() -> impl Strategy<Value = ServerMessage> {
    let entry = || (tag(), some(100)).prop_map(|(tag, announcement)| Entry { tag, announcement });
    let limits = any::<(u32, u32, u16, u16, u16, u32)>().prop_map(
        |(announcement_bytes, signal_bytes, ttl_s, topics, turn_s, relay_bytes)| ServerLimits {
            announcement_bytes,
            signal_bytes,
            ttl_s,
            topics,
            turn_s,
            relay_bytes,
        },
    );
    let ice =
        (list(words()), words(), words()).prop_map(|(urls, username, credential)| IceServer {
            urls,
            username,
            credential,
        });
    prop_oneof![
        (any::<([u8; 32], u64)>(), limits, list(ice)).prop_map(
            |((challenge, time_ms), limits, ice)| ServerMessage::Welcome {
                challenge,
                time_ms,
                limits,
                ice
            }
        ),
        Just(ServerMessage::Listening {}),
        (topic(), any::<(u16, u8)>(), list(entry())).prop_map(
            |(topic, (ttl_s, size_bucket), sample)| ServerMessage::Joined {
                topic,
                ttl_s,
                size_bucket,
                sample
            }
        ),
        (topic(), list(entry())).prop_map(|(topic, sample)| ServerMessage::Peers { topic, sample }),
        (tag(), some(600)).prop_map(|(from, payload)| ServerMessage::Delivered { from, payload }),
        (
            tag(),
            prop_oneof![Just(RefusedReason::Gone), Just(RefusedReason::Quota)]
        )
            .prop_map(|(to, reason)| ServerMessage::Refused { to, reason }),
        tag().prop_map(|tag| ServerMessage::Gone { tag }),
        Just(ServerMessage::Pong {}),
        (any::<u32>(), list(words()))
            .prop_map(|(delay_ms, servers)| ServerMessage::GoAway { delay_ms, servers }),
        any::<u32>().prop_map(|retry_after_ms| ServerMessage::Error {
            reason: ErrorReason::Full,
            retry_after_ms
        }),
        ((list(words()), any::<u16>()), words(), words()).prop_map(
            |((urls, seconds), user, password)| ServerMessage::Turn {
                urls,
                user,
                password,
                seconds
            }
        ),
        (tag(), some(600)).prop_map(|(from, frame)| ServerMessage::Relay { from, frame }),
        any::<u8>().prop_map(|bits| ServerMessage::Work { bits }),
        (tag(), any::<u32>()).prop_map(|(to, bytes)| ServerMessage::RelayCredit { to, bytes }),
        tag().prop_map(|to| ServerMessage::RelayClosed {
            to,
            reason: RelayClosedReason::Quota
        }),
    ]
}

/// Whatever is read from `input` is written as `input`.
fn one_spelling<T: Wire>(input: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = T::from_bytes(input) {
        prop_assert_eq!(value.to_bytes(), input);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_written_reads_back(client in client_message(), server in server_message()) {
        prop_assert_eq!(ClientMessage::from_bytes(&client.to_bytes()), Ok(client));
        prop_assert_eq!(ServerMessage::from_bytes(&server.to_bytes()), Ok(server));
    }

    #[test]
    fn a_message_with_a_byte_changed_has_one_spelling_or_none(
        client in client_message(),
        server in server_message(),
        at: prop::sample::Index,
        to: u8,
    ) {
        let mut bytes = client.to_bytes();
        *at.get_mut(&mut bytes[..]) = to;
        one_spelling::<ClientMessage>(&bytes)?;
        let mut bytes = server.to_bytes();
        *at.get_mut(&mut bytes[..]) = to;
        one_spelling::<ServerMessage>(&bytes)?;
    }

    #[test]
    fn random_bytes_never_panic_and_have_one_spelling(
        mut input in vec(any::<u8>(), 1..400),
        number in 0u8..16,
    ) {
        one_spelling::<ClientMessage>(&input)?;
        one_spelling::<ServerMessage>(&input)?;
        // Most first bytes are no message; these are.
        input[0] = number;
        one_spelling::<ClientMessage>(&input)?;
        one_spelling::<ServerMessage>(&input)?;
    }
}
