//! What happens at the door, member against joiner, without a network.

use std::collections::VecDeque;

use super::credential::{Body, Credential, Credentials, How, Revoked, Role};
use super::epoch::{Covered, Secret, SecretBody, SecretKind};
use super::identity::Identity;
use super::invitation::Invitation;
use super::properties::{Properties, SignedProperties};
use super::{Control, Group};
use crate::crypto::{Crypto, FAKE, signed_bytes};
use crate::engine::command::{NewGroup, NewInvitation, PropertiesChange};
use crate::engine::context::{Context, Ids, Requests};
use crate::error::Code;
use crate::graph::security::{Absorbed, Security as _};
use crate::graph::session::{OwnSession, Session};
use crate::limits;
use crate::names::{NodeIndex, PeerId};
use crate::random::Random;
use crate::time::Now;
use crate::wire::codec::{List, Text, Wire as _};
use crate::wire::seconds::Seconds;

const CRYPTO: Crypto = &FAKE;
const NOW: Now = Now {
    monotonic: 1,
    wall: 1_800_000_000_000,
};

fn with<T>(now: Now, run: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let (mut random, mut ids, mut requests) =
        (Random::new([7; 32]), Ids::default(), Requests::default());
    let (mut effects, mut events) = (VecDeque::new(), VecDeque::new());
    run(&mut Context {
        now,
        crypto: CRYPTO,
        random: &mut random,
        ids: &mut ids,
        requests: &mut requests,
        effects: &mut effects,
        events: &mut events,
        node: NodeIndex(1),
    })
}

fn creator(random: &mut Random) -> Group {
    let identity = Identity::new(random, 0);
    let new = NewGroup {
        friendly_name: "tea".to_owned(),
        comment: String::new(),
        classifier: String::new(),
        ..NewGroup::default()
    };
    let state = Group::create(CRYPTO, random, NOW, &identity, &new, &[]).unwrap();
    Group::open(CRYPTO, identity, state)
}

fn invitation(group: &mut Group, random: &mut Random, now: Now, max_uses: u32) -> String {
    let new = NewInvitation {
        max_uses,
        ..NewInvitation::default()
    };
    group.invite(random, now, &new).unwrap()
}

fn joiner(random: &mut Random, text: &str) -> (Group, Session) {
    let identity = Identity::new(random, 0);
    let invitation = Invitation::parse(CRYPTO, text).unwrap();
    let state = Group::join(CRYPTO, random, &identity, &invitation, &[]).unwrap();
    let own = OwnSession::new(CRYPTO, random, &identity.seed, state.group, NOW);
    (Group::open(CRYPTO, identity, state), own.session)
}

fn credentials(group: &Group) -> Vec<Credential> {
    Credentials::from_bytes(&group.proof()).unwrap().into_vec()
}

fn proof(credentials: Vec<Credential>) -> Vec<u8> {
    Credentials::new(credentials).unwrap().to_bytes()
}

fn knock(member: &mut Group, session: &Session, proof: &[u8]) -> Result<Vec<u8>, Code> {
    with(NOW, |cx| member.grant(cx, session, proof)).map_err(|error| error.code)
}

#[test]
fn a_joiner_whose_answer_was_lost_can_knock_again() {
    let mut random = Random::new([1; 32]);
    let mut member = creator(&mut random);
    let text = invitation(&mut member, &mut random, NOW, 1);
    let (mut joiner, session) = joiner(&mut random, &text);
    assert!(knock(&mut member, &session, &joiner.proof()).is_ok());
    let grant = knock(&mut member, &session, &joiner.proof()).unwrap();
    assert!(with(NOW, |cx| joiner.accept(cx, &grant)).is_ok());
    // And as the member that it is by now.
    assert!(knock(&mut member, &session, &joiner.proof()).is_ok());
}

#[test]
fn a_used_up_invitation_stays_used_up() {
    let mut random = Random::new([2; 32]);
    let mut member = creator(&mut random);
    let text = invitation(&mut member, &mut random, NOW, 1);
    let (mut first, session) = joiner(&mut random, &text);
    let grant = knock(&mut member, &session, &first.proof()).unwrap();
    with(NOW, |cx| first.accept(cx, &grant)).unwrap();
    let (thief, session) = joiner(&mut random, &text);
    assert_eq!(
        knock(&mut member, &session, &thief.proof()),
        Err(Code::InvitationUsedUp)
    );
    // The thief shows what the first one shows at the door, with signatures spoilt.
    let mut shown = credentials(&thief);
    for mut stolen in credentials(&first).into_iter().skip(2) {
        stolen.signature = [0; 64];
        shown.push(stolen);
    }
    assert_eq!(
        knock(&mut member, &session, &proof(shown)),
        Err(Code::InvitationUsedUp)
    );
}

#[test]
fn who_may_admit_everybody_keeps_the_door_and_who_came_by_a_link_takes_turns() {
    let mut random = Random::new([9; 32]);
    let mut member = creator(&mut random);
    let text = invitation(&mut member, &mut random, NOW, 2);
    let (mut joiner, session) = joiner(&mut random, &text);
    let grant = knock(&mut member, &session, &joiner.proof()).unwrap();
    with(NOW, |cx| joiner.accept(cx, &grant)).unwrap();
    assert!(member.keeps_door());
    assert!(!joiner.keeps_door());
}

#[test]
fn nobody_makes_an_honest_member_pass_on_forgeries() {
    let mut random = Random::new([3; 32]);
    let mut member = creator(&mut random);
    let mut neighbor = Group::open(CRYPTO, Identity::new(&mut random, 0), member.state.clone());
    let text = invitation(&mut member, &mut random, NOW, 1);
    let (joiner, session) = joiner(&mut random, &text);
    let mut shown = credentials(&joiner);
    let mut forged = shown[0].clone();
    if let Body::Membership { subject, .. } = &mut forged.body {
        *subject = PeerId([9; 32]);
    }
    shown.push(forged.clone());
    knock(&mut member, &session, &proof(shown)).unwrap();
    let items = member.control();
    let items: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    assert_eq!(with(NOW, |cx| neighbor.absorb(cx, &items)), Absorbed::Good);
    // A neighbor that does pass it on is found out.
    let forged = Control::Credential { credential: forged }.to_bytes();
    assert_eq!(
        with(NOW, |cx| neighbor.absorb(cx, &[&forged])),
        Absorbed::Bad
    );
}

#[test]
fn credentials_are_learned_in_any_order() {
    let mut random = Random::new([4; 32]);
    let mut member = creator(&mut random);
    let mut neighbor = Group::open(CRYPTO, Identity::new(&mut random, 0), member.state.clone());
    let text = invitation(&mut member, &mut random, NOW, 1);
    let (joined, session) = joiner(&mut random, &text);
    knock(&mut member, &session, &joined.proof()).unwrap();
    // One at a time, what rests on something before that something.
    let mut items = member.control();
    items.reverse();
    for item in &items {
        assert_eq!(with(NOW, |cx| neighbor.absorb(cx, &[item])), Absorbed::Good);
    }
    // The neighbor knows of the use that it never saw.
    let (late, session) = joiner(&mut random, &text);
    assert_eq!(
        knock(&mut neighbor, &session, &late.proof()),
        Err(Code::InvitationUsedUp)
    );
}

#[test]
fn strangers_fill_nobodys_memory() {
    let mut random = Random::new([5; 32]);
    let mut member = creator(&mut random);
    let before = member.to_stored(&mut random, 0, [].iter()).len();
    for n in 0..1000u32 {
        let seed = random.bytes();
        let body = Body::Admission {
            membership: random.bytes(),
            at: Seconds(u64::from(n)),
            issuer: crate::crypto::Primitives::public_key(&FAKE, &seed),
        };
        let credential = Credential::sign(CRYPTO, member.state.group, &seed, body);
        let item = Control::Credential { credential }.to_bytes();
        assert_eq!(with(NOW, |cx| member.absorb(cx, &[&item])), Absorbed::Good);
    }
    assert_eq!(member.to_stored(&mut random, 0, [].iter()).len(), before);
    assert!(member.news.is_empty(), "nothing is passed on");
    assert!(member.pending.len() <= limits::PENDING_CREDENTIALS);
}

/// A membership that says nothing of use, as many as one likes.
fn made_up(group: &Group, n: u32) -> Credential {
    let mut subject = [0; 32];
    subject[..4].copy_from_slice(&n.to_be_bytes());
    let body = Body::Membership {
        subject: PeerId(subject),
        sealing: [0; 32],
        role: Role::Member,
        from: Seconds(0),
        until: Seconds::NEVER,
        issuer: group.state.peer.0,
        serial: [0; 8],
    };
    let signature = [0; 64];
    Credential { body, signature }
}

#[test]
fn however_many_members_somebody_makes_admins_end_memberships() {
    let mut random = Random::new([10; 32]);
    let mut member = creator(&mut random);
    let revocation = |issuer| Credential {
        body: Body::Revocation {
            what: Revoked::Member {
                peer: PeerId([9; 32]),
            },
            at: Seconds(1),
            how: How::Removed,
            records_stay: true,
            vouches: List::default(),
            reason: Text::default(),
            issuer,
            serial: [0; 8],
        },
        signature: [0; 64],
    };
    let most = u32::try_from(limits::CONTROL_ITEMS).unwrap();
    let all = (0..most).map(|n| made_up(&member, n)).collect();
    member.learn(all);
    assert_eq!(
        member.known.len(),
        limits::CONTROL_ITEMS - limits::REMOVAL_ITEMS
    );
    let stranger = revocation([8; 32]);
    let ours = revocation(member.state.group.0);
    member.learn(vec![stranger.clone(), ours.clone()]);
    let knows = |credential: &Credential| member.known.contains_key(&credential.id(CRYPTO));
    assert!(knows(&ours));
    assert!(!knows(&stranger));
}

#[test]
fn secrets_of_strangers_displace_none_of_an_admin() {
    let mut random = Random::new([11; 32]);
    let mut member = creator(&mut random);
    let group = member.state.group;
    let signed = |random: &mut Random, seed: &[u8; 32], covers: Vec<Covered>| {
        let body = SecretBody {
            kind: SecretKind::Epoch,
            number: 7,
            secret: random.bytes(),
            covers: List::new(covers).unwrap(),
            issuer: CRYPTO.public_key(seed),
        };
        Secret::sign(CRYPTO, group, seed, body)
    };
    // It waits for a removal that is on its way.
    let group_seed = member.state.group_seed.unwrap();
    let waiting = signed(&mut random, &group_seed, vec![[5; 8]]);
    let mut spam: Vec<Secret> = (0..limits::WAITING_SECRETS * 3)
        .map(|_| {
            let seed = random.bytes();
            signed(&mut random, &seed, Vec::new())
        })
        .collect();
    spam.insert(limits::WAITING_SECRETS / 2, waiting.clone());
    for secret in spam {
        let item = Control::Secret { secret }.to_bytes();
        assert_eq!(with(NOW, |cx| member.absorb(cx, &[&item])), Absorbed::Good);
    }
    assert_eq!(member.secrets.len(), limits::WAITING_SECRETS);
    assert!(member.secrets.contains(&waiting));
}

#[test]
fn an_invitation_made_after_the_clock_stepped_back_holds() {
    let mut random = Random::new([6; 32]);
    let mut member = creator(&mut random);
    let earlier = Now {
        wall: NOW.wall - 60_000,
        ..NOW
    };
    let text = invitation(&mut member, &mut random, earlier, 1);
    let (joiner, session) = joiner(&mut random, &text);
    assert!(knock(&mut member, &session, &joiner.proof()).is_ok());
}

#[test]
fn the_longest_properties_fit_a_control_item() {
    let mut random = Random::new([7; 32]);
    let wide = "\u{1f375}";
    let new = NewGroup {
        friendly_name: wide.repeat(limits::FRIENDLY_NAME_CHARS),
        comment: wide.repeat(limits::COMMENT_CHARS),
        classifier: wide.repeat(limits::CLASSIFIER_CHARS),
        ..NewGroup::default()
    };
    let identity = Identity::new(&mut random, 0);
    let state = Group::create(CRYPTO, &mut random, NOW, &identity, &new, &[]).unwrap();
    let mut group = Group::open(CRYPTO, identity, state);
    let longest = group.control().iter().map(Vec::len).max().unwrap();
    assert!(longest <= limits::CONTROL_ITEM_BYTES, "{longest}");
}

fn change(group: &Group, name: &str) -> Control {
    let change = PropertiesChange {
        friendly_name: Some(name.to_owned()),
        ..PropertiesChange::default()
    };
    group.change_properties([].iter(), &change).unwrap()
}

#[test]
fn of_two_properties_with_one_number_everybody_keeps_the_same() {
    let mut random = Random::new([8; 32]);
    let group = creator(&mut random);
    // Two machines of the creator's, which did not hear of each other.
    let changes = [change(&group, "one"), change(&group, "two")];
    let kept = |order: [usize; 2]| {
        let identity = Identity::new(&mut Random::new([9; 32]), 0);
        let mut member = Group::open(CRYPTO, identity, group.state.clone());
        for at in order {
            member.take_effect(NOW, vec![changes[at].clone()]);
        }
        member.friendly_name().to_string()
    };
    assert_eq!(kept([0, 1]), kept([1, 0]));
}

#[test]
fn properties_that_no_program_of_ours_would_make_are_not_taken_and_convict_nobody() {
    let mut random = Random::new([8; 32]);
    let mut group = creator(&mut random);
    let seed = group.state.group_seed.unwrap();
    let Control::Properties { properties: signed } = change(&group, "other") else {
        panic!("not properties");
    };
    let scope = group.state.group;
    let sign = |mut properties: Properties, seed: &[u8; 32]| {
        properties.friendly_name = Text::new("other").unwrap();
        let bytes = signed_bytes("properties", &scope.0, &properties.to_bytes());
        let signature = CRYPTO.sign(seed, &bytes);
        let properties = SignedProperties {
            properties,
            signature,
        };
        Control::Properties { properties }.to_bytes()
    };
    let take = |group: &mut Group, item: &[u8]| with(NOW, |cx| group.absorb(cx, &[item]));
    let no_presence = Properties {
        presence_lifetime: 0,
        ..signed.properties.clone()
    };
    let item = sign(no_presence, &seed);
    assert_eq!(take(&mut group, &item), Absorbed::Good);
    assert_eq!(group.friendly_name().to_string(), "tea");
    // What another than the group key signed does convict.
    let item = sign(signed.properties.clone(), &[5; 32]);
    assert_eq!(take(&mut group, &item), Absorbed::Bad);
    let item = sign(signed.properties, &seed);
    assert_eq!(take(&mut group, &item), Absorbed::Good);
    assert_eq!(group.friendly_name().to_string(), "other");
}
