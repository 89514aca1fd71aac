//! What an app makes of a group's members by their events alone, which must be what the engine shows;
//! and who may be shown to be present.

use std::collections::{BTreeMap, BTreeSet};

use peer_group::engine::event::{MemberChange, MemberInfo};
use peer_group::limits::{self, PRESENCE_LIFETIME_MIN_S};
use peer_group::names::{NodeId, NodeIndex, PeerId};
use peer_group::time::Millis;

use super::view::PEER_TIME_MS;
use super::world::World;

/// How long a node that ended without a word may be shown: its life, and what timers and clocks add.
pub const LINGERS_MS: Millis = PRESENCE_LIFETIME_MIN_S as Millis * 1000 + 65_000;

/// The members of one open handle.
#[derive(Default)]
pub struct People {
    /// By the events: who there is, and who is present.
    told: BTreeMap<PeerId, bool>,
    /// Those that events told of since they were read.
    touched: BTreeMap<PeerId, MemberChange>,
    /// As last read.
    shown: BTreeMap<PeerId, MemberInfo>,
    listed: bool,
}

impl People {
    fn told(&mut self, change: MemberChange, peer: PeerId) -> Result<(), String> {
        self.touched.insert(peer, change);
        if !self.listed {
            return Ok(());
        }
        let before = self.told.get(&peer).copied();
        let fits = match change {
            // It may have gone meanwhile, which is no event of its own, or was listed and had not said
            // its name.
            MemberChange::Joined => before != Some(true),
            MemberChange::Connected => before == Some(false),
            MemberChange::Disconnected => before == Some(true),
            MemberChange::Left | MemberChange::Revoked => before.is_some(),
            // Before the first synchronisation that is how it comes.
            MemberChange::Updated => true,
        };
        let present = match change {
            MemberChange::Connected => true,
            MemberChange::Disconnected
            | MemberChange::Joined
            | MemberChange::Left
            | MemberChange::Revoked => false,
            MemberChange::Updated => before.unwrap_or(false),
        };
        self.told.insert(peer, present);
        if fits {
            Ok(())
        } else {
            Err(format!("{peer:?} was {change:?} after {before:?}"))
        }
    }
}

impl World {
    /// An event told of a member.
    pub fn member_told(
        &mut self,
        machine: usize,
        node: NodeIndex,
        change: MemberChange,
        peer: PeerId,
    ) {
        let app = &mut self.machines[machine].app;
        if app.node == Some(node) && app.handle.is_some() {
            let told = app.people.told(change, peer);
            self.check(machine, told);
        }
    }

    /// The members that a machine shows, by their names.
    #[must_use]
    pub fn members_of(&self, machine: usize) -> BTreeMap<PeerId, MemberInfo> {
        let of = &self.machines[machine];
        let shown = of.engine.as_ref().zip(of.app.handle);
        let shown = shown.and_then(|(engine, handle)| engine.members(handle, None, None).ok());
        let shown = shown.into_iter().flatten();
        shown.map(|info| (info.peer, info)).collect()
    }

    /// An app reads what events told of members, and finds nothing else changed.
    pub fn look_at_people(&mut self, machine: usize) {
        let of = &self.machines[machine];
        if of.engine.is_none() || of.app.handle.is_none() || self.failure.is_some() {
            return;
        }
        let shown = self.members_of(machine);
        let own = self.machines[machine].app.peer;
        let engine = self.machines[machine].engine();
        let list = engine.members(self.machines[machine].app.handle(), None, None);
        let first = list.ok().and_then(|list| Some(list.first()?.peer));
        // Who is none any more is not in the list.
        let is_listed = own.is_some_and(|own| shown.contains_key(&own));
        if is_listed && first != own {
            self.fail(format!("machine {machine} lists {first:?} first"));
        }
        let people = &mut self.machines[machine].app.people;
        let mut wrong = None;
        if people.listed {
            for peer in people.shown.keys().chain(shown.keys()) {
                let (before, after) = (people.shown.get(peer), shown.get(peer));
                // Whoever has not said its name is told of when it does, or after a while.
                let untold = !people.told.contains_key(peer);
                if before != after && !people.touched.contains_key(peer) && !untold {
                    wrong = Some(format!("no event told of {before:?} becoming {after:?}"));
                }
            }
            let touched = &people.touched;
            people.told.retain(|peer, present| {
                let is_present = shown.get(peer).map(|info| !info.nodes.is_empty());
                let last = touched.get(peer);
                // It went and is back, and has not said its name: it is told of when it does.
                let is_back = is_present == Some(true)
                    && !*present
                    && matches!(
                        last,
                        Some(MemberChange::Disconnected | MemberChange::Updated)
                    );
                is_present.is_some() && !is_back
            });
            // One that went, and is back and has not said its name, is not told of yet.
            for (peer, _) in people.told.iter().filter(|(_, present)| **present) {
                if shown.get(peer).is_some_and(|info| info.nodes.is_empty()) {
                    wrong = Some(format!(
                        "events say that {peer:?} is present, and it is not shown"
                    ));
                }
            }
        } else {
            people.listed = true;
            let present = |(peer, info): (&PeerId, &MemberInfo)| (*peer, !info.nodes.is_empty());
            people.told = shown.iter().map(present).collect();
        }
        people.touched.clear();
        people.shown = shown;
        if let Some(wrong) = wrong {
            self.fail(format!("machine {machine}: {wrong}"));
        }
    }

    /// The first member that two honest members show differently, or somebody honest who is here and is
    /// not shown to be.
    pub fn people_apart(&self, offsets: Millis) -> Option<String> {
        // What is shown ahead of the others' time is not taken before its time.
        if offsets + 5_000 > limits::RECORD_AHEAD_MS {
            return None;
        }
        let honest = self.honest();
        let (first, others) = honest.split_first()?;
        let one = self.members_of(*first);
        for other in others {
            let two = self.members_of(*other);
            let peers: BTreeSet<_> = one.keys().chain(two.keys()).collect();
            if let Some(peer) = peers.iter().find(|peer| one.get(**peer) != two.get(**peer)) {
                return Some(format!(
                    "machine {first} shows {:?}, machine {other} {:?}",
                    one.get(*peer),
                    two.get(*peer)
                ));
            }
        }
        honest.iter().find_map(|machine| {
            let app = &self.machines[*machine].app;
            let node = app.node_id.filter(|_| app.connected)?;
            let shown = one.get(&app.peer?);
            let is_there = shown.is_some_and(|info| info.nodes.iter().any(|of| of.node_id == node));
            (!is_there).then(|| format!("machine {machine} is here and shown as {shown:?}"))
        })
    }

    /// The node of a machine is not any more.
    pub fn node_ended(&mut self, machine: usize) {
        let app = &self.machines[machine].app;
        if let Some(node) = app.node_id.filter(|_| app.handle.is_some()) {
            self.ended.insert(node, self.now);
        }
    }

    /// Whether somebody honest shows a node.
    #[must_use]
    pub fn is_shown(&self, node: NodeId) -> bool {
        self.honest().into_iter().any(|machine| {
            let members = self.members_of(machine);
            let mut nodes = members.values().flat_map(|info| &info.nodes);
            nodes.any(|of| of.node_id == node)
        })
    }

    /// Nobody shows a node of the honest that ended longer ago than a presence lives.
    pub fn check_presence(&mut self) {
        // It may have been ahead, and whoever shows it behind.
        let slack = if self.clocks_step {
            2 * PEER_TIME_MS
        } else {
            0
        };
        for machine in self.honest() {
            for info in self.members_of(machine).into_values() {
                for of in info.nodes {
                    let Some(ended) = self.ended.get(&of.node_id) else {
                        continue;
                    };
                    if self.now > ended + LINGERS_MS + slack && self.failure.is_none() {
                        self.fail(format!(
                            "machine {machine} shows {of:?}, which ended at {ended} ms"
                        ));
                    }
                }
            }
        }
    }
}
