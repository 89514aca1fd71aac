//! Who may end whose membership, and what stays, in whatever order it is heard.

use super::super::tests::{
    CREATOR, GROUP, NOW, admission, creator, delegation, group, judge, key, membership,
};
use super::*;
use crate::crypto::REAL;
use crate::random::Random;
use crate::wire::codec::{List, Text};
use crate::wire::seconds::Clock;

const A: [u8; 32] = [2; 32];
const B: [u8; 32] = [3; 32];
const C: [u8; 32] = [4; 32];
const LINK: [u8; 32] = [20; 32];

fn name(credential: &Credential) -> Vouched {
    let hash = credential.hash(&REAL, group());
    core::array::from_fn(|i| hash[i])
}

fn signed(issuer: &[u8; 32], body: Body) -> Credential {
    Credential::sign(&REAL, group(), issuer, body)
}

fn member(subject: &[u8; 32]) -> Revoked {
    Revoked::Member {
        peer: PeerId(key(subject)),
    }
}

/// A revocation with what it vouches for.
fn revocation(
    issuer: &[u8; 32],
    what: Revoked,
    how: How,
    at: u64,
    stay: &[&Credential],
) -> Vec<Credential> {
    let hashes = List::first(stay.iter().map(|c| name(c)).collect());
    let vouch = signed(
        issuer,
        Body::Vouch {
            hashes,
            issuer: key(issuer),
        },
    );
    let body = Body::Revocation {
        what,
        at: Seconds(at),
        how,
        records_stay: false,
        vouches: List::first(vec![name(&vouch)]),
        reason: Text::new("spam").unwrap(),
        issuer: key(issuer),
        serial: [1; 8],
    };
    vec![vouch, signed(issuer, body)]
}

/// A membership that began then.
fn since(issuer: &[u8; 32], subject: &[u8; 32], role: Role, from: u64) -> Credential {
    let mut body = membership(issuer, subject, role, Seconds(NOW + 9000)).body;
    if let Body::Membership { from: begin, .. } = &mut body {
        *begin = Seconds(from);
    }
    signed(issuer, body)
}

/// The verdict, which must be the same for a hundred orders of the set.
fn verdict(set: &[Credential], peer: &[u8; 32]) -> Result<Role, (Code, String)> {
    let asked = |set: &[Credential]| match judge(set, peer, false) {
        Ok(member) => Ok(member.role),
        Err(error) => Err((error.code, error.detail)),
    };
    let first = asked(set);
    let mut random = Random::new([5; 32]);
    let mut shuffled = set.to_vec();
    for _ in 0..100 {
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, random.below(at as u64 + 1) as usize);
        }
        assert_eq!(asked(&shuffled), first);
    }
    first
}

fn code(set: &[Credential], peer: &[u8; 32]) -> Result<Role, Code> {
    verdict(set, peer).map_err(|(code, _)| code)
}

/// The creator, two admins of the creator (A the older one), and a member of B.
fn office() -> Vec<Credential> {
    vec![
        creator(),
        since(&CREATOR, &A, Role::Admin, NOW - 900),
        since(&CREATOR, &B, Role::Admin, NOW - 800),
        since(&B, &C, Role::Member, NOW - 700),
    ]
}

#[test]
fn an_admin_removes_a_member_and_says_why() {
    let mut set = office();
    assert_eq!(code(&set, &C), Ok(Role::Member));
    set.extend(revocation(&A, member(&C), How::Removed, NOW, &[]));
    let (code, why) = verdict(&set, &C).unwrap_err();
    assert_eq!(code, Code::CredentialRevoked);
    assert!(why.contains("spam"), "{why}");
}

#[test]
fn no_member_removes_anybody_and_no_admin_its_seniors() {
    let mut set = office();
    set.extend(revocation(&C, member(&B), How::Removed, NOW, &[]));
    // Whatever date it bears.
    set.extend(revocation(&B, member(&A), How::Removed, NOW - 5000, &[]));
    set.extend(revocation(&B, member(&CREATOR), How::Removed, NOW, &[]));
    for peer in [&CREATOR, &A, &B] {
        assert_eq!(code(&set, peer), Ok(Role::Admin));
    }
    // Nor by pretending that it left.
    set.extend(revocation(&B, member(&A), How::Left, NOW, &[]));
    assert_eq!(code(&set, &A), Ok(Role::Admin));
}

#[test]
fn of_two_admins_who_remove_each_other_the_senior_one_stays() {
    let mut set = office();
    set.extend(revocation(&B, member(&A), How::Removed, NOW - 5000, &[]));
    set.extend(revocation(&A, member(&B), How::Removed, NOW, &[]));
    assert_eq!(code(&set, &A), Ok(Role::Admin));
    assert_eq!(code(&set, &B), Err(Code::CredentialRevoked));
    // The group key is senior to everybody.
    set.extend(revocation(&GROUP, member(&A), How::Removed, NOW, &[]));
    assert_eq!(code(&set, &A), Err(Code::CredentialRevoked));
}

#[test]
fn what_a_removed_admin_signed_counts_only_where_it_was_vouched_for() {
    let mut set = office();
    let known = set[3].clone();
    let hidden = since(&B, &[5; 32], Role::Admin, NOW - 700);
    set.push(hidden);
    set.extend(revocation(&B, member(&C), How::Removed, NOW - 600, &[]));
    set.extend(revocation(&A, member(&B), How::Removed, NOW, &[&known]));
    // Its removal of C was not vouched for, its membership of C was; the puppet was not.
    assert_eq!(code(&set, &C), Ok(Role::Member));
    assert_eq!(code(&set, &[5; 32]), Err(Code::CredentialRevoked));
}

#[test]
fn a_removal_by_somebody_who_is_removed_later_stands_if_it_was_known() {
    let mut set = office();
    let removal = revocation(&B, member(&C), How::Removed, NOW - 600, &[]);
    let stay = [&set[3].clone(), &removal[1]];
    set.extend(removal.clone());
    set.extend(revocation(&A, member(&B), How::Removed, NOW, &stay));
    assert_eq!(code(&set, &C), Err(Code::CredentialRevoked));
}

#[test]
fn a_revocation_waits_for_all_its_vouches() {
    let mut set = office();
    let [vouch, removal] = revocation(&A, member(&C), How::Removed, NOW, &[])
        .try_into()
        .unwrap();
    set.push(removal);
    assert_eq!(code(&set, &C), Ok(Role::Member));
    // Another's vouch of the same words is another one.
    let Body::Vouch { hashes, .. } = vouch.body.clone() else {
        panic!("not a vouch")
    };
    let issuer = key(&B);
    set.push(signed(&B, Body::Vouch { hashes, issuer }));
    assert_eq!(code(&set, &C), Ok(Role::Member));
    set.push(vouch);
    assert_eq!(code(&set, &C), Err(Code::CredentialRevoked));
}

#[test]
fn only_an_admin_lets_somebody_in_again_who_was_removed() {
    let mut set = office();
    let inviting = [6; 32];
    set.push(since(&CREATOR, &inviting, Role::InvitingMember, NOW - 800));
    set.extend(revocation(&A, member(&C), How::Removed, NOW, &[]));
    set.push(since(&inviting, &C, Role::Member, NOW + 1));
    assert_eq!(code(&set, &C), Err(Code::CredentialRevoked));
    set.push(since(&B, &C, Role::Member, NOW));
    assert_eq!(code(&set, &C), Err(Code::CredentialRevoked));
    set.push(since(&B, &C, Role::Member, NOW + 1));
    assert_eq!(code(&set, &C), Ok(Role::Member));
}

#[test]
fn whoever_left_may_be_let_in_by_anybody_who_may_issue() {
    let mut set = office();
    let inviting = [6; 32];
    set.push(since(&CREATOR, &inviting, Role::InvitingMember, NOW - 800));
    set.extend(revocation(&C, member(&C), How::Left, NOW, &[]));
    let (gone, why) = verdict(&set, &C).unwrap_err();
    assert_eq!(gone, Code::CredentialRevoked);
    assert!(why.contains("left"), "{why}");
    set.push(since(&inviting, &C, Role::Member, NOW + 1));
    assert_eq!(code(&set, &C), Ok(Role::Member));
}

#[test]
fn a_role_is_lowered_by_another_membership_in_its_place() {
    let mut set = office();
    set.push(since(&A, &C, Role::InvitingMember, NOW - 100));
    assert_eq!(code(&set, &C), Ok(Role::InvitingMember));
    set.extend(revocation(&A, member(&C), How::Replaced, NOW, &[]));
    set.push(since(&A, &C, Role::Member, NOW + 1));
    assert_eq!(code(&set, &C), Ok(Role::Member));
}

fn link(role: Role) -> Vec<Credential> {
    let came = membership(&LINK, &C, Role::Member, Seconds(NOW + 9000));
    let mut all = vec![creator(), since(&CREATOR, &A, Role::Admin, NOW - 900)];
    all.push(delegation(&CREATOR, &LINK, role));
    all.push(came.clone());
    all.push(admission(&CREATOR, &came, NOW));
    all
}

#[test]
fn revoking_an_invitation_ends_what_it_gave_and_would_give() {
    let mut set = link(Role::InvitingMember);
    let hash = set[2].hash(&REAL, group());
    assert_eq!(code(&set, &C), Ok(Role::Member));
    set.extend(revocation(
        &A,
        Revoked::Invitation { hash },
        How::Removed,
        NOW,
        &[],
    ));
    assert_eq!(code(&set, &C), Err(Code::InvitationRevoked));
    // Somebody who has not been let in yet.
    let next = membership(&LINK, &[7; 32], Role::Member, Seconds(NOW + 9000));
    let mut set = vec![set[0].clone(), set[1].clone(), set[2].clone(), next];
    set.extend(revocation(
        &A,
        Revoked::Invitation { hash },
        How::Removed,
        NOW,
        &[],
    ));
    let error = judge(&set, &[7; 32], true).unwrap_err();
    assert_eq!(error.code, Code::InvitationRevoked);
}

#[test]
fn a_use_of_an_invitation_stays_used_when_its_user_is_removed() {
    let mut set = link(Role::Member);
    set.extend(revocation(&A, member(&C), How::Removed, NOW, &[]));
    set.push(membership(
        &LINK,
        &[7; 32],
        Role::Member,
        Seconds(NOW + 9000),
    ));
    let error = judge(&set, &[7; 32], true).unwrap_err();
    assert_eq!(error.code, Code::InvitationUsedUp);
}

#[test]
fn an_invitation_that_makes_admins_needs_an_admin_at_the_door() {
    let mut set = link(Role::Admin);
    let member = since(&CREATOR, &[8; 32], Role::Member, NOW - 900);
    let came = set[3].clone();
    set[4] = admission(&[8; 32], &came, NOW);
    set.push(member);
    assert_eq!(code(&set, &C), Err(Code::InvitationNotTrusted));
    set.push(admission(&A, &came, NOW));
    assert_eq!(code(&set, &C), Ok(Role::Member));
}

#[test]
fn what_stays_of_records_is_what_was_vouched_for() {
    let mut set = office();
    let record = since(&B, &C, Role::Member, NOW - 1);
    set.extend(revocation(&A, member(&C), How::Removed, NOW, &[&record]));
    let mut verified = Verified::default();
    let judge = Judge::new(&REAL, group(), &Clock::TIMELESS, &set, &mut verified);
    let rights = judge.rights();
    let of_c = rights.get(&PeerId(key(&C))).unwrap();
    let listed = of_c[0].only.as_ref().unwrap();
    assert_eq!((of_c.len(), listed.len()), (1, 1));
    assert!(listed.contains(&name(&record)));
    // Everybody who hears all of it keeps all of it.
    assert_eq!(judge.all_support().len(), set.len());
}

#[test]
fn what_counts_for_nothing_changes_nothing() {
    let mut set = office();
    set.extend(revocation(&A, member(&B), How::Removed, NOW, &[&set[3]]));
    let before: Vec<_> = [&A, &B, &C].map(|peer| code(&set, peer)).into();
    // A removed admin's word, backdated, by itself and by admins that it makes.
    let puppet = [10; 32];
    set.push(since(&B, &puppet, Role::Admin, NOW - 790));
    for issuer in [&B, &puppet] {
        for subject in [&A, &C, &CREATOR] {
            set.extend(revocation(
                issuer,
                member(subject),
                How::Removed,
                NOW - 780,
                &[],
            ));
        }
    }
    let after: Vec<_> = [&A, &B, &C].map(|peer| code(&set, peer)).into();
    assert_eq!(before, after);
    let mut verified = Verified::default();
    let judge = Judge::new(&REAL, group(), &Clock::TIMELESS, &set, &mut verified);
    assert_eq!(judge.all_support().len(), 6);
}
