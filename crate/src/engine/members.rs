//! Who is in a group and present: what the app asks about it, and what a node tells it.

use super::Engine;
use super::command::PresenceChange;
use super::context::Context;
use super::event::{Answer, Event, MemberChange, MemberInfo};
use super::node::{Kind, Node, Timer};
use crate::error::{Code, Error};
use crate::graph::security::Security as _;
use crate::limits;
use crate::names::{HandleId, NodeIndex, PeerId, RequestId};
use crate::time::Now;
use crate::wire::codec::{List, Text};

impl Engine {
    /// The members of a handle's group, its own first: all, those who are present or not, or one.
    pub fn members(
        &self,
        handle: HandleId,
        present: Option<bool>,
        peer: Option<PeerId>,
    ) -> Result<Vec<MemberInfo>, Error> {
        let node = self.node(handle)?;
        let roster = node.roster.as_ref().ok_or(Code::InvalidGroup)?;
        let all = roster.list(node.peer);
        let fits = |info: &&MemberInfo| {
            present.is_none_or(|present| present != info.nodes.is_empty())
                && peer.is_none_or(|peer| peer == info.peer)
        };
        Ok(all.filter(fits).cloned().collect())
    }

    pub(super) fn set_presence(
        &mut self,
        now: Now,
        handle: HandleId,
        change: PresenceChange,
    ) -> Result<RequestId, Error> {
        let attributes = change.attributes.map(|text| {
            Text::new(text).ok_or_else(|| {
                Error::new(Code::InvalidArgument).detail(format!(
                    "attributes have {} bytes at most",
                    limits::PRESENCE_ATTRIBUTES_BYTES
                ))
            })
        });
        let attributes = attributes.transpose()?;
        self.on_node(now, handle, false, |node, _, _| {
            if node.roster.is_none() {
                return Err(Code::InvalidGroup.into());
            }
            let own = &mut node.graph.presence;
            own.wanted = change.present.or(own.wanted);
            if let Some(attributes) = attributes {
                own.attributes = attributes;
            }
            Ok(Some(Answer::Done))
        })
    }

    /// Somebody looks at this page, or does not any more.
    pub(super) fn seen(&mut self, now: Now, visible: bool) {
        self.hidden = !visible;
        let nodes: Vec<NodeIndex> = self.nodes.keys().copied().collect();
        for index in nodes {
            if let Some(node) = self.nodes.get_mut(&index) {
                node.graph.presence.away = !visible;
                node.after(&mut self.core.context(now, index));
            }
        }
    }
}

impl Node {
    /// Shows itself and its member to the others, once it is usable. True if there is something to
    /// carry out now.
    pub(super) fn show(&mut self, cx: &mut Context<'_>) -> bool {
        let Kind::Group(group) = &mut self.kind else {
            return false;
        };
        let ready = self.was_usable && group.state.synchronized;
        let name = group.own_name().to_owned();
        let writes = self.graph.records.writes.len();
        let waits = group
            .rules()
            .shown
            .is_some_and(|shown| shown.members_when_active);
        let active = waits && group.has_issued();
        self.graph.show(cx, group.as_mut(), ready, &name, active);
        let records = &self.graph.records;
        let shown = !records.touched.is_empty() || records.writes.len() > writes;
        self.note_nodes() || shown
    }

    /// Nobody is to think that this node is still there: its neighbors hear so before links close.
    pub(super) fn withdraw(&mut self, cx: &mut Context<'_>) {
        if let Kind::Group(group) = &mut self.kind {
            self.graph.withdraw(cx, group.as_mut());
            self.graph.pump_lanes(cx);
            self.note_nodes();
        }
    }

    /// Keeps in mind whose presence the next node of this storage has to withdraw. True if it changed.
    fn note_nodes(&mut self) -> bool {
        let Kind::Group(group) = &mut self.kind else {
            return false;
        };
        let standing = self.graph.presence.standing();
        let same = standing
            .take(limits::EARLIER_NODES)
            .eq(group.state.nodes.iter().copied());
        if !same {
            group.state.nodes = List::first(self.graph.presence.standing().collect());
            self.dirty = true;
        }
        !same
    }

    /// What is different about members since the last time.
    pub(super) fn look_at_roster(&mut self, cx: &Context<'_>) -> Vec<(PeerId, MemberChange)> {
        let touched = core::mem::take(&mut self.graph.records.touched);
        match (&mut self.kind, &mut self.roster) {
            (Kind::Group(group), Some(roster)) => roster.look(cx.now, group, &self.graph, touched),
            _ => Vec::new(),
        }
    }

    /// Tells the app what is different about members.
    pub(super) fn tell_members(&mut self, cx: &mut Context<'_>) {
        for (peer, change) in self.look_at_roster(cx) {
            let node = cx.node;
            cx.event(Event::MemberChanged { node, change, peer });
        }
        let Some(roster) = &self.roster else {
            return;
        };
        match roster.next() {
            Some(at) => self.timers.arm(Timer::Members, at),
            None => self.timers.disarm(&Timer::Members),
        }
    }
}
