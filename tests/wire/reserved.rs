//! Golden bytes of what members and nodes show of themselves: worked out by hand, as those of records
//! are. What is hashed was hashed by another program.

#![allow(clippy::expect_used)]

mod golden;

use golden::{bytes, golden};
use peer_group::crypto::REAL;
use peer_group::names::{NodeAddress, NodeId, PeerId, SessionKey, Tag};
use peer_group::record::reserved::{
    MEMBER, MemberData, PRESENCE, PresenceData, id_half, member_id, presence_id,
};
use peer_group::wire::codec::{Text, Wire as _};

/// The public half of a seed of ones.
const CREATOR: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

fn creator() -> PeerId {
    PeerId(bytes(CREATOR).try_into().expect("32 bytes"))
}

#[test]
fn members() {
    let named = |name: &str| MemberData {
        name: Text::new(name).expect("short"),
    };
    golden(&named(""), "00");
    golden(&named("Zoë"), "04 5a6fc3ab");
    golden(&named(&"x".repeat(1020)), "fc07 78*1020");
    assert!(MemberData::from_bytes(&bytes("fd07 78*1021")).is_err());
}

#[test]
fn presences() {
    let shown = |away, told, attributes: &str| PresenceData {
        address: NodeAddress {
            rendezvous: vec!["wss://a.test".to_owned()],
            tags: vec![Tag([3; 16])],
            session: SessionKey([7; 32]),
        },
        away,
        told,
        attributes: Text::new(attributes).expect("short"),
    };
    let address = "01 0c 7773733a2f2f612e74657374 03*16 07*32";
    golden(&shown(false, 0, ""), &format!("{address} 00 00 00"));
    golden(
        &shown(true, 255, "busy"),
        &format!("{address} 01 ff 04 62757379"),
    );
    let longest = "y".repeat(1024);
    golden(
        &shown(false, 7, &longest),
        &format!("{address} 00 07 8008 79*1024"),
    );
    for refused in ["02 00 00", "00 00 8108 79*1025"] {
        let all = bytes(&format!("{address} {refused}"));
        assert!(PresenceData::from_bytes(&all).is_err(), "{refused}");
    }
}

#[test]
fn ids() {
    // The first bytes of the SHA-512 of the type and the creator.
    let member = bytes("2523eca91abaff5b");
    let presence = bytes("359cd8aa54d71f3e");
    assert_eq!(id_half(&REAL, MEMBER, creator()).as_slice(), member);
    assert_eq!(id_half(&REAL, PRESENCE, creator()).as_slice(), presence);
    let id = member_id(&REAL, creator());
    assert_eq!(id.0.as_slice(), [member, vec![0; 8]].concat());
    // That of the session key.
    let node = bytes("2fad39fefd7fa3e2");
    let of = NodeId(node.clone().try_into().expect("8 bytes"));
    let id = presence_id(&REAL, creator(), of);
    assert_eq!(id.0.as_slice(), [presence, node].concat());
}
