//! What an honest node writes of itself, and everything that it does not.

use super::*;
use crate::crypto::{FAKE, Primitives as _};
use crate::limits::RECORD_LIFE_MS;
use crate::names::{SessionKey, Tag};
use crate::random::Random;
use crate::record::model::{Change, Data, Stamp, TypeName, new_id};
use crate::wire::attributes::{Attributes, Value};
use crate::wire::numbers::record;

const MADE_MS: u64 = 1_800_000_000_000;
const DAY_MS: u64 = 86_400_000;
const SESSION: SessionKey = SessionKey([7; 32]);

fn peer(seed: u8) -> PeerId {
    PeerId(FAKE.public_key(&[seed; 32]))
}

fn body(kind: &str, id: RecordId, data: Vec<u8>) -> Body {
    Body {
        form: record::FORM,
        flags: 0,
        id,
        kind: TypeName::new(kind).unwrap(),
        creator: peer(1),
        created: Stamp::at(MADE_MS),
        change: Change::Original {},
        expires: MADE_MS + 300_000,
        attributes: Attributes::default(),
        data: Data::new(data).unwrap(),
    }
}

fn member() -> Body {
    let name = Text::new("Ada").unwrap();
    body(
        MEMBER,
        member_id(&FAKE, peer(1)),
        MemberData { name }.to_bytes(),
    )
}

fn shown(session: SessionKey) -> PresenceData {
    PresenceData {
        address: NodeAddress {
            rendezvous: vec!["wss://one.test".to_owned()],
            tags: vec![Tag([3; 16])],
            session,
        },
        away: true,
        told: 2,
        attributes: Text::new("busy").unwrap(),
    }
}

fn presence() -> Body {
    let id = presence_id(&FAKE, peer(1), node_of(&FAKE, SESSION));
    body(PRESENCE, id, shown(SESSION).to_bytes())
}

fn is_sound(body: &Body) -> bool {
    body.check_form(&FAKE, 0).is_ok()
}

fn broken(body: Body, edit: impl FnOnce(&mut Body)) {
    let mut edited = body.clone();
    edit(&mut edited);
    assert!(is_sound(&body) && !is_sound(&edited), "{edited:?}");
}

fn bury(body: &mut Body) {
    body.flags = record::DELETED;
    body.data = Data::default();
    body.change = Change::ByCreator {
        version: 2,
        at: Stamp::at(MADE_MS + 1),
    };
}

#[test]
fn what_a_member_says_of_itself_is_sound_whatever_the_group_allows_apps() {
    assert!(is_sound(&member()) && is_sound(&presence()));
    for mut gone in [member(), presence()] {
        bury(&mut gone);
        assert!(is_sound(&gone));
    }
    assert_eq!(node_of_id(&presence().id), node_of(&FAKE, SESSION));
}

#[test]
fn nobody_else_changes_it() {
    for body in [member(), presence()] {
        broken(body, |body| {
            body.change = Change::ByOther {
                version: 2,
                at: Stamp::at(MADE_MS + 1),
                peer: peer(2),
            };
        });
    }
}

#[test]
fn there_is_one_of_each_and_no_app_has_its_id() {
    let random = || new_id(&FAKE, peer(1), &mut Random::new([5; 32]));
    for body in [member(), presence()] {
        broken(body.clone(), |body| body.id = random());
        broken(body.clone(), |body| body.id = member_id(&FAKE, peer(2)));
        // A record of an app under the same id.
        broken(body, |body| body.kind = TypeName::new("chat").unwrap());
    }
    broken(member(), |body| body.id.0[15] = 1);
    broken(presence(), |body| body.id.0[15] ^= 1);
    let halves = [MEMBER, PRESENCE, "chat"].map(|kind| id_half(&FAKE, kind, peer(1)));
    assert!(halves[0] != halves[1] && halves[1] != halves[2] && halves[0] != halves[2]);
    assert_eq!(halves[2], id_half(&FAKE, "note", peer(1)));
}

#[test]
fn it_says_nothing_that_only_apps_say() {
    for body in [member(), presence()] {
        broken(body.clone(), |body| body.flags = record::AUTO_REFRESH);
        broken(body, |body| {
            let one = vec![("a".to_owned(), vec![Value::Number(1)])];
            body.attributes = Attributes::new(one).unwrap();
        });
    }
}

#[test]
fn a_presence_is_of_the_node_whose_key_it_names() {
    broken(presence(), |body| {
        body.data = Data::new(shown(SessionKey([8; 32])).to_bytes()).unwrap();
    });
}

#[test]
fn what_cannot_be_read_is_not_passed_on() {
    for body in [member(), presence()] {
        let data = body.data.to_vec();
        broken(body.clone(), |body| {
            body.data = Data::new(data[..data.len() - 1].to_vec()).unwrap();
        });
        broken(body.clone(), |body| {
            body.data = Data::new([data.clone(), vec![0]].concat()).unwrap();
        });
        broken(body, |body| body.data = Data::default());
    }
}

#[test]
fn nobody_is_present_for_longer_than_a_day_without_saying_so_again() {
    broken(presence(), |body| body.expires = MADE_MS + DAY_MS + 1);
    let mut longest = presence();
    longest.expires = MADE_MS + DAY_MS;
    assert!(is_sound(&longest));
    let mut longest = member();
    longest.expires = MADE_MS + RECORD_LIFE_MS;
    assert!(is_sound(&longest));
}
