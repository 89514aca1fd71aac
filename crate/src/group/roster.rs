//! Who is in a group, as its app sees it, and what of that has changed.
//!
//! Two things are brought together here: credentials, which say who is a member, and what members show
//! of themselves in records. What is shown here is the same at everybody who knows the same.

use super::Group;
use super::credential::{Body, Credential, How};
use super::judge::Standing;
use crate::engine::event::{CredentialInfo, MemberChange, MemberInfo, MemberNode};
use crate::gauge::{Held, See};
use crate::graph::Graph;
use crate::graph::security::Security as _;
use crate::limits::{CLOCK_GRACE_S, CONTROL_ITEMS, JOINED_WAIT_MS, NODES_SHOWN, PROOF_CREDENTIALS};
use crate::names::PeerId;
use crate::record::reserved::{MEMBER, MemberData};
use crate::sorted::{Map, Set};
use crate::time::{Millis, Now};
use crate::wire::codec::Wire as _;
use crate::wire::seconds::{Clock, Seconds};

/// The members as the app was last told.
#[derive(Default)]
pub struct Roster {
    members: Map<PeerId, MemberInfo>,
    /// New ones that have not said their names, and how long that is waited for.
    silent: Map<PeerId, Millis>,
    /// What the group knew of memberships when all were looked at last; None: never.
    revision: Option<u64>,
    /// By the wall clock, in seconds: when that was, and when a membership begins or ends next.
    looked: (u64, u64),
}

impl Roster {
    /// Shows how many there are.
    pub fn gauges(&self, see: &mut See<'_>) {
        // Each rests on a credential that is known, and our own on those that were shown to us.
        let most = CONTROL_ITEMS + PROOF_CREDENTIALS;
        see(Held::Members, self.members.len(), most);
        see(Held::Members, self.silent.len(), most);
    }

    /// The members, `own` first. Who is not told of yet is not shown.
    pub fn list(&self, own: PeerId) -> impl Iterator<Item = &MemberInfo> {
        let is_told =
            move |info: &&MemberInfo| info.peer != own && !self.silent.contains_key(&info.peer);
        let others = self.members.values().filter(is_told);
        self.members.get(&own).into_iter().chain(others)
    }

    /// When somebody new is told of who has shown nothing of itself until then.
    #[must_use]
    pub fn next(&self) -> Option<Millis> {
        self.silent.values().min().copied()
    }

    /// Looks at those whose records changed, and at all where memberships may have. What is
    /// different, member by member.
    pub fn look(
        &mut self,
        now: Now,
        group: &mut Group,
        graph: &Graph,
        touched: Set<PeerId>,
    ) -> Vec<(PeerId, MemberChange)> {
        let wall = now.wall_seconds();
        let (last, next) = self.looked;
        let first = self.revision.is_none();
        let mut peers = touched;
        if self.revision != Some(group.revision()) || wall < last || wall >= next {
            self.revision = Some(group.revision());
            self.looked = (wall, group.next_standing(wall));
            peers.extend(self.members.keys().copied());
            peers.extend(group.peers());
        }
        let late = self
            .silent
            .iter()
            .filter(|(_, until)| **until <= now.monotonic);
        peers.extend(late.map(|(peer, _)| *peer));
        let mut changes = Vec::new();
        for peer in peers {
            let after = group.member(now, graph, peer);
            self.compare(now, group, peer, after, &mut changes);
        }
        if first {
            // Who is there already is not told of, but listed.
            self.silent.clear();
            changes.clear();
        }
        changes
    }

    /// Sets one member beside what it was: the one place where somebody comes into the list, or goes.
    fn compare(
        &mut self,
        now: Now,
        group: &mut Group,
        peer: PeerId,
        after: Option<(MemberInfo, bool)>,
        changes: &mut Vec<(PeerId, MemberChange)>,
    ) {
        let Some((after, is_silent)) = after else {
            let was_told = self.silent.remove(&peer).is_none();
            if let Some(before) = self.members.remove(&peer).filter(|_| was_told) {
                let how = group.ever().former.get(&peer).map(|(how, _)| *how);
                let change = match how {
                    Some(How::Left) => MemberChange::Left,
                    Some(How::Removed | How::Replaced) => MemberChange::Revoked,
                    None if before.nodes.is_empty() => MemberChange::Updated,
                    None => MemberChange::Disconnected,
                };
                changes.push((peer, change));
            }
            return;
        };
        let is_present = !after.nodes.is_empty();
        let before = self.members.insert(peer, after.clone());
        let Some(before) = before.filter(|_| self.silent.get(&peer).is_none()) else {
            // Before the first synchronisation it is not new, but new to us.
            let is_new = group.state.synchronized;
            let soon = now.monotonic + JOINED_WAIT_MS;
            let until = self.silent.remove(&peer).unwrap_or(soon);
            if is_silent && is_new && until > now.monotonic {
                // Its name comes at any moment: it is told of together with it.
                self.silent.insert(peer, until);
                return;
            }
            let change = if is_new {
                MemberChange::Joined
            } else {
                MemberChange::Updated
            };
            changes.push((peer, change));
            changes.extend(is_present.then_some((peer, MemberChange::Connected)));
            return;
        };
        let change = match (!before.nodes.is_empty(), is_present) {
            (false, true) => MemberChange::Connected,
            (true, false) => MemberChange::Disconnected,
            _ if before != after => MemberChange::Updated,
            _ => return,
        };
        changes.push((peer, change));
    }
}

impl Group {
    /// What our identity is called.
    #[must_use]
    pub fn own_name(&self) -> &str {
        &self.identity.name
    }

    /// Whether we made somebody a member, or an invitation that was used.
    #[must_use]
    pub fn has_issued(&self) -> bool {
        let own = &self.state.peer.0;
        let is_ours = |credential: &Credential| {
            credential.issuer() == own && !matches!(credential.body, Body::Admission { .. })
        };
        self.known.values().any(is_ours)
    }

    /// Everybody who ever had a membership that holds, ourselves too.
    fn peers(&mut self) -> Vec<PeerId> {
        let own = self.state.peer;
        let known = self.ever().standings.keys().copied();
        known.chain([own]).collect()
    }

    /// When a membership begins or ends next, in wall seconds.
    fn next_standing(&mut self, wall: u64) -> u64 {
        let standings = self.ever().standings.values().flatten();
        let times = standings.flat_map(|of| {
            let begin = of.from.0.saturating_sub(CLOCK_GRACE_S);
            [begin, of.until.0.saturating_add(CLOCK_GRACE_S + 1)]
        });
        times.filter(|at| *at > wall).min().unwrap_or(u64::MAX)
    }

    /// The best membership of somebody that holds now: by role, then by its end. Ours is shown even if
    /// none does: the app is to see why.
    fn standing(&mut self, clock: &Clock, peer: PeerId) -> Option<Standing> {
        let own = self.state.peer;
        let standings = self.ever().standings.get(&peer);
        let holds = |of: &&Standing| clock.check(of.from, of.until).is_ok();
        let best = standings.and_then(|all| all.iter().filter(holds).max().copied());
        if best.is_some() || peer != own {
            return best;
        }
        let ever = standings.and_then(|all| all.iter().max().copied());
        if ever.is_some() {
            return ever;
        }
        // Nobody has let us in yet.
        let member = self.own_membership(&Clock::TIMELESS).ok()?;
        Some(Standing {
            role: member.role,
            until: member.until,
            from: member.from,
            issuer: member.issuer,
        })
    }

    /// A member as the app sees it, and whether it has not said its name.
    fn member(&mut self, now: Now, graph: &Graph, peer: PeerId) -> Option<(MemberInfo, bool)> {
        let clock = self.clock(now);
        let standing = self.standing(&clock, peer)?;
        let peer_time = graph.records.clock.at(now);
        let is_own = peer == self.state.peer;
        let mut data = graph.records.store.said(MEMBER, Some(peer), peer_time);
        let data = data
            .next()
            .and_then(|entry| MemberData::from_bytes(&entry.record().body.data).ok());
        let nodes: Vec<MemberNode> = graph
            .present_nodes(peer, peer_time)
            .into_iter()
            .take(NODES_SHOWN)
            .map(|(node_id, data)| MemberNode {
                node_id,
                address: data.address,
                away: data.away,
                attributes: data.attributes.into_string(),
            })
            .collect();
        let waits = self
            .rules()
            .shown
            .is_some_and(|shown| shown.members_when_active);
        if waits && data.is_none() && nodes.is_empty() && !is_own {
            return None;
        }
        let is_silent = data.is_none() && !is_own;
        let name = if is_own {
            self.identity.name.to_string()
        } else {
            data.map_or(String::new(), |data| data.name.into_string())
        };
        let info = MemberInfo {
            peer,
            name,
            role: standing.role,
            nodes,
            credential: CredentialInfo {
                issuer: standing.issuer,
                issued_by_group: standing.issuer == self.state.group.0,
                from: standing.from.0,
                until: Some(standing.until)
                    .filter(|until| *until != Seconds::NEVER)
                    .map(|until| until.0),
            },
        };
        Some((info, is_silent))
    }
}
