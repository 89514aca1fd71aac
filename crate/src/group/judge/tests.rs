//! What makes somebody a member, and everything that does not.

use super::*;
use crate::crypto::{Primitives as _, REAL};
use crate::wire::codec::Wire as _;

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const CREATOR: [u8; 32] = [1; 32];
pub(super) const GROUP: [u8; 32] = [9; 32];

pub(super) fn key(seed: &[u8; 32]) -> [u8; 32] {
    REAL.public_key(seed)
}

pub(super) fn group() -> GroupId {
    GroupId(key(&GROUP))
}

pub(super) fn membership(
    issuer: &[u8; 32],
    subject: &[u8; 32],
    role: Role,
    until: Seconds,
) -> Credential {
    let body = Body::Membership {
        subject: PeerId(key(subject)),
        sealing: [0; 32],
        role,
        from: Seconds(NOW - 1000),
        until,
        issuer: key(issuer),
        serial: [0; 8],
    };
    Credential::sign(&REAL, group(), issuer, body)
}

pub(super) fn delegation(issuer: &[u8; 32], invitation: &[u8; 32], role: Role) -> Credential {
    let body = Body::Delegation {
        key: key(invitation),
        role,
        from: Seconds(NOW - 1000),
        until: Seconds(NOW + 9000),
        issuer: key(issuer),
        serial: [invitation[0]; 8],
        max_uses: 1,
        usable_until: Seconds(NOW + 500),
    };
    Credential::sign(&REAL, group(), issuer, body)
}

pub(super) fn admission(admitter: &[u8; 32], membership: &Credential, at: u64) -> Credential {
    let body = Body::Admission {
        membership: membership.hash(&REAL, group()),
        at: Seconds(at),
        issuer: key(admitter),
    };
    Credential::sign(&REAL, group(), admitter, body)
}

pub(super) fn creator() -> Credential {
    membership(&GROUP, &CREATOR, Role::Admin, Seconds::NEVER)
}

pub(super) fn judge(set: &[Credential], peer: &[u8; 32], at_door: bool) -> Result<Member, Error> {
    let clock = Clock {
        wall_s: NOW,
        offset_ms: None,
        timeless: false,
    };
    let mut verified = Verified::default();
    let mut judge = Judge::new(&REAL, group(), &clock, set, &mut verified);
    let peer = PeerId(key(peer));
    if at_door {
        judge.at_door(peer, &mut verified)
    } else {
        judge.member(peer, &mut verified)
    }
}

/// The invited and its credentials without an admission.
fn invited(invitation: &[u8; 32], peer: &[u8; 32]) -> (Vec<Credential>, Credential) {
    let came = membership(invitation, peer, Role::Member, Seconds(NOW + 9000));
    let chain = vec![
        creator(),
        delegation(&CREATOR, invitation, Role::Member),
        came.clone(),
    ];
    (chain, came)
}

#[test]
fn the_creator_is_an_admin_and_a_stranger_is_nobody() {
    assert_eq!(
        judge(&[creator()], &CREATOR, false).map(|m| m.role),
        Ok(Role::Admin)
    );
    assert_eq!(
        judge(&[creator()], &[7; 32], false).unwrap_err().code,
        Code::InvitationNotTrusted
    );
}

#[test]
fn an_invited_member_needs_an_admission_except_at_the_door() {
    let (mut set, came) = invited(&[20; 32], &[2; 32]);
    assert!(
        judge(&set, &[2; 32], false)
            .unwrap_err()
            .detail
            .contains("admitted")
    );
    assert!(judge(&set, &[2; 32], true).is_ok());
    set.push(admission(&CREATOR, &came, NOW));
    let member = judge(&set, &[2; 32], false).unwrap();
    assert_eq!((member.role, member.invitations.len()), (Role::Member, 1));
    // Whatever the order in which the credentials come.
    set.reverse();
    assert!(judge(&set, &[2; 32], false).is_ok());
}

#[test]
fn whoever_came_with_an_invitation_cannot_admit_by_it() {
    let (mut set, first) = invited(&[20; 32], &[2; 32]);
    set.push(admission(&CREATOR, &first, NOW));
    let second = membership(&[20; 32], &[3; 32], Role::Member, Seconds(NOW + 9000));
    set.push(second.clone());
    set.push(admission(&[2; 32], &second, NOW));
    let error = judge(&set, &[3; 32], false).unwrap_err();
    assert!(error.detail.contains("outside the invitation"), "{error:?}");
}

#[test]
fn whoever_came_with_two_invitations_can_admit_by_either() {
    let mut two = delegation(&CREATOR, &[20; 32], Role::Member).body;
    if let Body::Delegation { max_uses, .. } = &mut two {
        *max_uses = 2;
    }
    let two = Credential::sign(&REAL, group(), &CREATOR, two);
    let came = |invitation: [u8; 32], peer: [u8; 32]| {
        membership(&invitation, &peer, Role::Member, Seconds(NOW + 9000))
    };
    // Which of its memberships is found first goes by their hashes: eight have it either way.
    for n in 30..38 {
        let (other, guest) = (came([21; 32], [n; 32]), came([20; 32], [3; 32]));
        let mut set = vec![
            creator(),
            two.clone(),
            delegation(&CREATOR, &[21; 32], Role::Member),
            admission(&CREATOR, &other, NOW),
            admission(&[n; 32], &guest, NOW + 1),
            other,
            guest,
        ];
        assert!(judge(&set, &[3; 32], false).is_ok(), "{n}");
        // Knowing more does not put the guest out.
        let same = came([20; 32], [n; 32]);
        set.extend([admission(&CREATOR, &same, NOW), same]);
        assert!(judge(&set, &[3; 32], false).is_ok(), "{n}");
    }
}

#[test]
fn whoever_is_late_with_one_invitation_may_come_with_another() {
    let late = crowd(&[[2; 32], [3; 32]]);
    let (more, came) = invited(&[21; 32], &[3; 32]);
    let mut set = [late, more].concat();
    assert!(judge(&set, &[3; 32], true).is_ok());
    set.push(admission(&CREATOR, &came, NOW));
    assert!(judge(&set, &[3; 32], false).is_ok());
    assert!(judge(&set, &[2; 32], false).is_ok());
}

#[test]
fn two_who_admit_each_other_are_a_circle() {
    let (mut set, a) = invited(&[20; 32], &[2; 32]);
    let (more, b) = invited(&[21; 32], &[3; 32]);
    set.extend(more);
    set.push(admission(&[3; 32], &a, NOW));
    set.push(admission(&[2; 32], &b, NOW));
    assert_eq!(
        judge(&set, &[2; 32], false).unwrap_err().code,
        Code::CircularChain
    );
}

#[test]
fn an_admission_after_the_invitation_ended_is_void() {
    let (mut set, came) = invited(&[20; 32], &[2; 32]);
    set.push(admission(&CREATOR, &came, NOW + 501));
    assert!(
        judge(&set, &[2; 32], false)
            .unwrap_err()
            .detail
            .contains("had ended")
    );
}

#[test]
fn links_only_narrow_roles_and_time() {
    // A member who is no inviter makes a member.
    let (mut set, came) = invited(&[20; 32], &[2; 32]);
    set.push(admission(&CREATOR, &came, NOW));
    set.push(membership(
        &[2; 32],
        &[4; 32],
        Role::Member,
        Seconds(NOW + 10),
    ));
    assert!(judge(&set, &[4; 32], false).is_err());
    // Somebody makes himself an admin by a member's invitation.
    let came = membership(&[20; 32], &[5; 32], Role::Admin, Seconds(NOW + 10));
    set.push(came.clone());
    set.push(admission(&CREATOR, &came, NOW));
    assert!(
        judge(&set, &[5; 32], false)
            .unwrap_err()
            .detail
            .contains("beyond")
    );
    // Or a member for longer than the invitation says.
    let came = membership(&[20; 32], &[6; 32], Role::Member, Seconds::NEVER);
    set.push(came.clone());
    set.push(admission(&CREATOR, &came, NOW));
    assert!(
        judge(&set, &[6; 32], false)
            .unwrap_err()
            .detail
            .contains("beyond")
    );
}

#[test]
fn every_bit_of_a_chain_is_signed() {
    let (mut set, came) = invited(&[20; 32], &[2; 32]);
    set.push(admission(&CREATOR, &came, NOW));
    for index in 0..set.len() {
        let bytes = set[index].to_bytes();
        for at in 0..bytes.len() {
            let mut edited = bytes.clone();
            edited[at] ^= 1;
            let Ok(credential) = Credential::from_bytes(&edited) else {
                continue;
            };
            let mut forged = set.clone();
            forged[index] = credential;
            assert!(
                judge(&forged, &[2; 32], false).is_err(),
                "credential {index}, byte {at}"
            );
        }
    }
}

/// `peers` who came with one invitation for a single use, admitted one second after another.
fn crowd(peers: &[[u8; 32]]) -> Vec<Credential> {
    let mut set = vec![creator(), delegation(&CREATOR, &[20; 32], Role::Member)];
    for (after, peer) in peers.iter().enumerate() {
        let came = membership(&[20; 32], peer, Role::Member, Seconds(NOW + 9000));
        set.push(admission(&CREATOR, &came, NOW - 10 + after as u64));
        set.push(came);
    }
    set
}

#[test]
fn the_earliest_admissions_count_and_the_rest_are_used_up() {
    let set = crowd(&[[2; 32], [3; 32]]);
    assert!(judge(&set, &[2; 32], false).is_ok());
    assert_eq!(
        judge(&set, &[3; 32], false).unwrap_err().code,
        Code::InvitationUsedUp
    );
    // Whoever was admitted may come to the door again; one more may not.
    assert!(judge(&set, &[2; 32], true).is_ok());
    let (more, _) = invited(&[20; 32], &[4; 32]);
    let set = [set, more].concat();
    assert_eq!(
        judge(&set, &[4; 32], true).unwrap_err().code,
        Code::InvitationUsedUp
    );
}

#[test]
fn the_admission_by_which_a_use_is_counted_is_passed_on_with_what_a_membership_rests_on() {
    let mut rested_on_a_later_one = 0;
    for seed in 30..46 {
        // The helper came by another invitation, and is found to be a member before or after the
        // first of two who came with this one.
        let (mut set, helper) = invited(&[21; 32], &[seed; 32]);
        set.push(admission(&CREATOR, &helper, NOW));
        let (first, came) = invited(&[20; 32], &[2; 32]);
        set.extend(first);
        set.push(admission(&CREATOR, &came, NOW + 10));
        set.push(admission(&[seed; 32], &came, NOW));
        let (mut late, other) = invited(&[20; 32], &[3; 32]);
        late.push(admission(&CREATOR, &other, NOW + 5));
        let clock = Clock::TIMELESS;
        let mut verified = Verified::default();
        let all = set.iter().chain(&late);
        let mut judge = Judge::new(&REAL, group(), &clock, all, &mut verified);
        let winner = judge.member(PeerId(key(&[2; 32])), &mut verified).unwrap();
        let rests_on = winner.came_with.and_then(|came| came.admission);
        rested_on_a_later_one += usize::from(rests_on.is_some_and(|(at, _)| at.0 > NOW));
        // Somebody who knows the other one hears only what is passed on.
        let told = judge.all_support();
        let all = late.iter().chain(&told);
        let mut judge = Judge::new(&REAL, group(), &clock, all, &mut verified);
        assert!(judge.member(PeerId(key(&[2; 32])), &mut verified).is_ok());
        assert!(judge.member(PeerId(key(&[3; 32])), &mut verified).is_err());
    }
    assert!(rested_on_a_later_one > 0, "else this tests nothing");
}

#[test]
fn spoilt_copies_of_what_is_known_free_no_use() {
    let mut set = crowd(&[[2; 32]]);
    let (more, _) = invited(&[20; 32], &[4; 32]);
    set.extend(more);
    // The thief shows the first one's credentials too, with broken signatures, before and after.
    let mut spoilt = crowd(&[[2; 32]]);
    for credential in &mut spoilt {
        credential.signature[0] ^= 1;
    }
    // And an admission of the first one's membership by nobody.
    let came = membership(&[20; 32], &[2; 32], Role::Member, Seconds(NOW + 9000));
    spoilt.push(admission(&[77; 32], &came, NOW));
    // And another delegation for the same key.
    spoilt.push(delegation(&[77; 32], &[20; 32], Role::Member));
    for set in [
        [spoilt.clone(), set.clone()].concat(),
        [set, spoilt].concat(),
    ] {
        assert!(judge(&set, &[2; 32], false).is_ok());
        assert_eq!(
            judge(&set, &[4; 32], true).unwrap_err().code,
            Code::InvitationUsedUp
        );
    }
}

#[test]
fn admissions_from_before_the_invitation_burn_nothing() {
    let mut set = crowd(&[[2; 32]]);
    let came = membership(&[20; 32], &[3; 32], Role::Member, Seconds(NOW + 9000));
    set.push(admission(&CREATOR, &came, NOW - 5000));
    set.push(came);
    assert!(judge(&set, &[2; 32], false).is_ok());
    assert!(judge(&set, &[3; 32], false).is_err());
}

#[test]
fn only_what_a_membership_rests_on_is_passed_on() {
    let (mut set, came) = invited(&[20; 32], &[2; 32]);
    set.push(admission(&CREATOR, &came, NOW));
    let mut garbage = membership(&[77; 32], &[78; 32], Role::Admin, Seconds::NEVER);
    garbage.signature[5] ^= 1;
    set.push(garbage.clone());
    let clock = Clock {
        wall_s: NOW,
        offset_ms: None,
        timeless: false,
    };
    let mut verified = Verified::default();
    let mut judge = Judge::new(&REAL, group(), &clock, &set, &mut verified);
    let member = judge.member(PeerId(key(&[2; 32])), &mut verified).unwrap();
    let support = judge.support(&member);
    assert_eq!(support.len(), 4);
    assert!(!support.contains(&garbage));
    assert_eq!(judge.all_support().len(), 4);
}

#[test]
fn a_tangle_of_credentials_is_judged_at_once() {
    // Two memberships for each level, issued by the next: a search from the top would double
    // its work at each.
    let mut set = vec![creator()];
    for level in 0..24u8 {
        for _ in 0..2 {
            let issuer = [101 + level; 32];
            let mut credential =
                membership(&issuer, &[100 + level; 32], Role::Admin, Seconds(NOW + 10));
            credential.signature[0] ^= set.len() as u8;
            set.push(credential);
        }
    }
    let clock = Clock {
        wall_s: NOW,
        offset_ms: None,
        timeless: false,
    };
    let mut verified = Verified::default();
    let judge = Judge::new(&REAL, group(), &clock, &set, &mut verified);
    assert_eq!(judge.members.len(), 1);
    // Nothing that no member issued was even verified.
    assert_eq!(judge.good.len(), 1);
}

#[test]
fn chains_end_at_twenty_four_links() {
    let mut set = vec![creator()];
    let mut issuer = CREATOR;
    for n in 0..CHAIN_LINKS as u8 {
        let subject = [100 + n; 32];
        set.push(membership(
            &issuer,
            &subject,
            Role::Admin,
            Seconds(NOW + 10),
        ));
        issuer = subject;
    }
    assert!(judge(&set, &[100 + CHAIN_LINKS as u8 - 2; 32], false).is_ok());
    let error = judge(&set, &[100 + CHAIN_LINKS as u8 - 1; 32], false).unwrap_err();
    assert_eq!(error.code, Code::ChainTooLong);
}
