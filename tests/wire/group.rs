//! Golden bytes of what members tell one another about their group: worked out by hand from the rules
//! in `wire/codec.rs`, so that a change of format is a change of this file.

// A value that does not fit its type is a fault of the test.
#![allow(clippy::expect_used)]

mod golden;

use golden::golden;
use peer_group::group::Control;
use peer_group::group::epoch::{Secret, SecretBody, SecretKind};
use peer_group::group::invitation::{ByPassword, ByPasswordBody, Head};
use peer_group::group::password::verifier::{Verifier, VerifierBody};
use peer_group::group::properties::{PasswordRule, Properties, SignedProperties};
use peer_group::names::{GroupId, PeerId, Role};
use peer_group::wire::codec::{List, Text};
use peer_group::wire::seconds::Seconds;

fn properties(password: Option<PasswordRule>) -> Properties {
    Properties {
        revision: 1,
        friendly_name: Text::new("Tea").expect("short"),
        comment: Text::new("").expect("short"),
        classifier: Text::new("c").expect("short"),
        creator: PeerId([7; 32]),
        created: Seconds(1_800_000_000),
        defer_expiration: true,
        max_record_size: 1024,
        member_data_optional: false,
        presence_disabled: true,
        member_data_lifetime: 28_800,
        presence_lifetime: 300,
        password,
    }
}

/// Without what follows the two lifetimes.
const PROPERTIES: &str = "01 03 546561 00 01 63 07*32 00d2496b00 01 8008 00 01 80e101 ac02";

#[test]
fn properties_with_and_without_a_password() {
    golden(&properties(None), &format!("{PROPERTIES} 00"));
    let rule = PasswordRule {
        role: Role::InvitingMember,
        generation: 130,
    };
    golden(&properties(Some(rule)), &format!("{PROPERTIES} 01 02 8201"));
}

#[test]
fn properties_as_a_control_item() {
    let properties = SignedProperties {
        properties: properties(None),
        signature: [9; 64],
    };
    golden(
        &Control::Properties { properties },
        &format!("02 {PROPERTIES} 00 09*64"),
    );
}

#[test]
fn who_holds_the_stretched_password() {
    let body = VerifierBody {
        generation: 300,
        holder: PeerId([1; 32]),
        half: [2; 32],
        sealed: [3; 48],
        issuer: [4; 32],
    };
    let verifier = Verifier {
        body,
        signature: [5; 64],
    };
    golden(
        &Control::Verifier { verifier },
        "05 ac02 01*32 02*32 03*48 04*32 05*64",
    );
}

#[test]
fn an_invitation_that_asks_for_the_password() {
    let head = Head {
        kind: 3,
        group: GroupId([1; 32]),
        friendly_name: Text::new("Tea").expect("short"),
        issuer: PeerId([2; 32]),
        issuer_name: Text::new("").expect("short"),
        rendezvous: List::default(),
    };
    let body = ByPasswordBody {
        head,
        door: [3; 16],
        role: Role::Member,
        generation: 300,
        made: Seconds(1),
    };
    let invitation = ByPassword {
        body,
        signature: [4; 64],
    };
    golden(
        &invitation,
        "03 01*32 03 546561 02*32 00 00 03*16 01 ac02 0100000000 04*64",
    );
}

#[test]
fn secrets() {
    let body = |kind| SecretBody {
        kind,
        number: 300,
        secret: [1; 32],
        covers: List::new(vec![[2; 8]]).expect("fits"),
        issuer: [3; 32],
    };
    let secret = Secret {
        body: body(SecretKind::Epoch),
        signature: [4; 64],
    };
    golden(
        &Control::Secret { secret },
        "03 01 ac02 01*32 01 02*8 03*32 04*64",
    );
    golden(&body(SecretKind::Door), "02 ac02 01*32 01 02*8 03*32");
}
