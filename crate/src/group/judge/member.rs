//! A membership as a judge finds it.

use crate::group::credential::Role;
use crate::sorted::Set;
use crate::wire::seconds::Seconds;

/// A membership that holds, and what it rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// What it may do.
    pub role: Role,
    /// Not before.
    pub from: Seconds,
    /// Not after.
    pub until: Seconds,
    /// Who gave it: a member, or the group's own key.
    pub issuer: [u8; 32],
    /// The invitations along its chain.
    pub invitations: Set<[u8; 32]>,
    /// The invitation that the member itself came with.
    pub came_with: Option<CameWith>,
    pub(super) links: usize,
    pub(super) support: Set<usize>,
    pub(super) rank: Rank,
    /// An admin or the group key made it, without an invitation that many may hold.
    pub(super) by_admin: bool,
    /// It does not count any more, except for what was vouched for.
    pub(super) ended: bool,
}

/// How close somebody is to the group key, then since when: admins are removed by their seniors only,
/// and rest on their seniors only, so who is removed never depends on whom it removed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Rank {
    pub(super) links: usize,
    pub(super) from: Seconds,
    pub(super) hash: [u8; 32],
}

impl Rank {
    /// The group key's.
    pub(super) const GROUP: Self = Self {
        links: 0,
        from: Seconds(0),
        hash: [0; 32],
    };
}

/// How a member came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CameWith {
    /// Hash of the delegation: names the invitation.
    pub invitation: [u8; 32],
    /// How many it lets in.
    pub max_uses: u32,
    /// From when it lets somebody in.
    pub begin: Seconds,
    /// Until when it lets somebody in.
    pub usable_until: Seconds,
    /// It may make admins, so only admins let somebody in with it.
    pub makes_admins: bool,
    /// Hash of the membership that awaits or has its admission.
    pub membership: [u8; 32],
    /// The earliest admission's time and hash, once admitted.
    pub admission: Option<(Seconds, [u8; 32])>,
}

impl Member {
    /// The rights of the group key: all of them, for ever.
    pub(super) fn group_key() -> Self {
        Self {
            role: Role::Admin,
            from: Seconds(0),
            until: Seconds::NEVER,
            issuer: [0; 32],
            invitations: Set::new(),
            came_with: None,
            links: 0,
            support: Set::new(),
            rank: Rank::GROUP,
            by_admin: true,
            ended: false,
        }
    }

    /// When it began to be one, as others saw it: whoever comes again by the same link is admitted anew.
    pub(super) fn began(&self) -> Seconds {
        match self.came_with.map(|came_with| came_with.admission) {
            Some(Some((at, _))) => at,
            Some(None) => Seconds::NEVER,
            None => self.from,
        }
    }

    /// Whether another one of the same peer adds nothing to this one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let mut rests_on = self.invitations.iter();
        let came_with = |member: &Self| member.came_with.map(|c| c.invitation);
        self.ended <= other.ended
            && self.role >= other.role
            && self.from <= other.from
            && self.until >= other.until
            && self.rank <= other.rank
            && rests_on.all(|invitation| other.invitations.contains(invitation))
            // Its use of the invitation counts.
            && (other.came_with.is_none() || came_with(other) == came_with(self))
    }
}
