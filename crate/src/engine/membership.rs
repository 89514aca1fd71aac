//! Ending memberships: removing, leaving, voiding invitations; and what a node does when its own ends.

use super::Engine;
use super::command::{EndCall, OpenOptions, Revoke};
use super::context::{Context, Pending};
use super::event::Answer;
use super::node::{Kind, Node, Timer};
use super::opening::{Plan, What};
use crate::error::{Code, Error};
use crate::group::credential::{How, Revoked, Vouched};
use crate::group::removal::Removal;
use crate::group::{Control, Group};
use crate::limits;
use crate::names::{HandleId, NodeIndex, PeerId, RequestId};
use crate::time::Now;

impl Node {
    /// The group, where it is one.
    pub(super) fn group(&mut self) -> Result<&mut Group, Error> {
        match &mut self.kind {
            Kind::Group(group) => Ok(group),
            Kind::Graph { .. } => Err(Code::InvalidGroup.into()),
        }
    }

    /// What ends memberships for the app.
    fn removal(
        &mut self,
        cx: &mut Context<'_>,
        revoke: Revoke,
        how: How,
    ) -> Result<Vec<Control>, Error> {
        let group = self.group()?;
        let what = match (&revoke.peer, &revoke.invitation) {
            (Some(peer), None) => Revoked::Member { peer: *peer },
            (None, Some(invitation)) => group.revoked_by(invitation)?,
            _ => return Err(Code::InvalidArgument.into()),
        };
        if let Some(peer) = &revoke.peer
            && !group.was_member(peer)
        {
            return Err(Error::new(Code::IdentityNotFound).detail("nobody of that id was a member"));
        }
        let subjects = group.subjects(&what);
        let own = group.state.peer;
        if how == How::Removed && subjects.contains(&own) {
            return Err(Error::new(Code::InvalidArgument)
                .detail("nobody ends the own membership like this: leave() gives it up"));
        }
        let records = if revoke.records_stay {
            subjects
                .iter()
                .flat_map(|peer| self.written_by(*peer))
                .collect()
        } else {
            Vec::new()
        };
        let removal = Removal {
            what,
            how,
            reason: revoke.reason,
            records_stay: how == How::Left,
            records,
        };
        self.group()?.removal(cx.random, cx.now, removal)
    }

    /// The versions of records that are somebody's last word, the newest first.
    pub(super) fn written_by(&self, peer: PeerId) -> Vec<Vouched> {
        let store = &self.graph.records.store;
        let entries = store.by_author_after(peer, Default::default());
        let hashes = entries.iter().rev().map(|entry| entry.hash());
        hashes
            .filter_map(|hash| hash.0.first_chunk().copied())
            .collect()
    }

    /// What follows when somebody's rights have changed: our own may have ended, or an epoch be due.
    pub(super) fn look_at_members(&mut self, cx: &mut Context<'_>) {
        let Kind::Group(group) = &mut self.kind else {
            return;
        };
        if core::mem::take(&mut group.moved) {
            self.dirty = true;
            self.discovery.stand_again(cx.now.monotonic);
        }
        let revision = crate::graph::security::Security::revision(group.as_ref());
        if self.looked_at == Some(revision) {
            return;
        }
        self.looked_at = Some(revision);
        let own = group.state.peer;
        let is_former = group.former(&own).is_some();
        self.look_at_self(cx);
        let Kind::Group(group) = &mut self.kind else {
            return;
        };
        if is_former {
            // What we were told is kept: the next start need not ask again.
            self.dirty = true;
            return;
        }
        match group.rotates_in(cx.random) {
            Some(wait) => self.timers.arm(Timer::Rotate, cx.now.monotonic + wait),
            None => self.timers.disarm(&Timer::Rotate),
        }
    }

    /// An epoch is due that nobody else has made.
    pub(super) fn rotate(&mut self, cx: &mut Context<'_>) {
        let online = self.online;
        if let Kind::Group(group) = &mut self.kind
            && online
            && !group.fits()
        {
            // Who is no admin any more leaves it to others.
            let _ = group.rotate(cx.random, cx.now);
            self.dirty = true;
        }
    }

    /// Whether everybody around has heard that we leave, or has had the time to.
    fn has_left(&self, now: Now) -> Option<RequestId> {
        let (request, until) = self.leaving?;
        (until <= now.monotonic || self.graph.all_taken()).then_some(request)
    }
}

impl Engine {
    pub(super) fn end(
        &mut self,
        now: Now,
        handle: HandleId,
        call: EndCall,
    ) -> Result<RequestId, Error> {
        match call {
            EndCall::Revoke(revoke) => self.revoke(now, handle, revoke),
            EndCall::VoidInvitations => self.void_invitations(now, handle),
            EndCall::Leave => self.leave(now, handle),
        }
    }

    fn revoke(&mut self, now: Now, handle: HandleId, revoke: Revoke) -> Result<RequestId, Error> {
        self.on_node(now, handle, true, |node, cx, request| {
            let items = node.removal(cx, revoke, How::Removed)?;
            node.decide(request, Answer::Done, items);
            Ok(None)
        })
    }

    fn void_invitations(&mut self, now: Now, handle: HandleId) -> Result<RequestId, Error> {
        self.on_node(now, handle, true, |node, cx, request| {
            let door = node.group()?.next_door(cx.random, cx.now)?;
            node.decide(request, Answer::Done, vec![door]);
            Ok(None)
        })
    }

    fn leave(&mut self, now: Now, handle: HandleId) -> Result<RequestId, Error> {
        let request = self.on_node(now, handle, true, |node, cx, request| {
            if node.leaving.is_some() {
                return Err(Error::new(Code::InvalidArgument).detail("it is leaving already"));
            }
            let group = node.group()?;
            let own = group.state.peer;
            // Who was never let in has nobody to tell.
            if group.state.synchronized && group.former(&own).is_none() {
                let leave = Revoke {
                    peer: Some(own),
                    ..Revoke::default()
                };
                let items = node.removal(cx, leave, How::Left)?;
                node.leaving = Some((request, cx.now.monotonic + limits::LEAVE_MS));
                // Nothing of it is kept: it need not be stored before it is told.
                node.group()?.take_effect(cx.now, items);
            } else {
                node.leaving = Some((request, cx.now.monotonic));
            }
            node.timers
                .arm(Timer::Leave, cx.now.monotonic + limits::LEAVE_MS);
            Ok(None)
        })?;
        self.finish_leaving(now);
        Ok(request)
    }

    /// Forgets the groups that were left, once everybody around has heard it.
    pub(super) fn finish_leaving(&mut self, now: Now) {
        let nodes = self.nodes.iter();
        let left: Vec<(NodeIndex, RequestId)> = nodes
            .filter_map(|(index, node)| Some((*index, node.has_left(now)?)))
            .collect();
        for (index, request) in left {
            let Some(node) = self.nodes.get_mut(&index) else {
                continue;
            };
            node.leaving = None;
            let (store, peer, group) = (node.store.clone(), node.peer, node.graph.scope);
            // The call outlives its node.
            self.core.requests.set(request, Pending::default());
            let plan = Plan {
                request,
                options: OpenOptions::of(store, Some(peer)),
                what: What::DeleteGroup(group),
            };
            self.delete(now, plan, group, peer);
        }
    }
}
