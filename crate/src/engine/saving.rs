//! What a node keeps of its group or graph itself, and what an identity decides for its group: stored
//! first, then told and answered.

use super::context::Context;
use super::effect::Effect;
use super::event::Answer;
use super::input::StorageFault;
use super::keeping::save_error;
use super::node::{Kind, Node, Timer};
use crate::error::Code;
use crate::group::Control;
use crate::group::state::{GraphState, GroupState};
use crate::limits;
use crate::names::{HandleId, RequestId};
use crate::sorted::Set;
use crate::wire::codec::Wire as _;
use crate::wire::numbers::stored;

/// What a call decided.
struct Decision {
    request: RequestId,
    answer: Answer,
    items: Vec<Control>,
}

/// Decisions of one node that are not in effect yet.
#[derive(Default)]
pub(super) struct Decisions {
    /// Storage has not got them yet.
    made: Vec<Decision>,
    /// Storage is writing them.
    saving: Vec<Decision>,
}

impl Decisions {
    /// What was decided last and is not in effect yet, the newest last.
    pub(super) fn items(&self) -> impl Iterator<Item = &Control> {
        let all = self.saving.iter().chain(&self.made);
        all.flat_map(|decision| &decision.items)
    }
}

impl Node {
    /// Puts what a call decided into effect once it is stored, and answers the call then.
    pub(super) fn decide(&mut self, request: RequestId, answer: Answer, items: Vec<Control>) {
        self.decisions.made.push(Decision {
            request,
            answer,
            items,
        });
        self.dirty = true;
        self.save_failed = false;
    }

    /// Nobody waits for a decision any longer: what storage has already got takes effect all the same.
    pub(super) fn forget_decision(&mut self, request: RequestId) {
        let Decisions { made, saving } = &mut self.decisions;
        for decision in saving.iter().chain(&*made) {
            if decision.request == request {
                close_unheard(&mut self.handles, &decision.answer);
            }
        }
        made.retain(|decision| decision.request != request);
    }

    /// Storage has taken what a node keeps of itself, or has not.
    pub(super) fn saved(&mut self, cx: &mut Context<'_>, result: Result<(), StorageFault>) {
        self.saving = None;
        self.save_failed = result.is_err();
        let mut decisions = core::mem::take(&mut self.decisions.saving);
        let Err(fault) = result else {
            for decision in decisions {
                if let Kind::Group(group) = &mut self.kind {
                    group.take_effect(cx.now, decision.items);
                }
                cx.answer(decision.request, Ok(decision.answer));
            }
            return;
        };
        self.dirty = true;
        let again = cx.now.monotonic + limits::STORE_AGAIN_MS;
        self.timers.arm(Timer::StoreAgain, again);
        // Those made since may rest on the ones that failed.
        decisions.append(&mut self.decisions.made);
        for decision in decisions {
            close_unheard(&mut self.handles, &decision.answer);
            cx.answer(decision.request, Err(save_error(fault)));
        }
        self.fail_connects(cx, &Code::StorageFull.into());
    }

    /// Gives storage what is new.
    pub(super) fn save(&mut self, cx: &mut Context<'_>) {
        if !self.dirty || self.saving.is_some() || self.save_failed {
            return;
        }
        self.dirty = false;
        let peer_time_offset = self.graph.records.clock.offset_ms();
        let change = match &mut self.kind {
            Kind::Group(group) => {
                let key = GroupState::key(group.state.group, group.state.peer);
                let decided = self.decisions.items();
                let value = group.to_stored(cx.random, peer_time_offset, decided);
                (key, Some(value))
            }
            Kind::Graph { synchronized, .. } => {
                let servers: Vec<String> = self.mailbox.urls().map(str::to_owned).collect();
                let state = GraphState {
                    version: stored::GRAPH,
                    synchronized: *synchronized,
                    peer_time_offset,
                    rendezvous: crate::group::urls(&servers),
                };
                (
                    GraphState::key(self.graph.scope, self.peer),
                    Some(state.to_bytes()),
                )
            }
        };
        let mut made = core::mem::take(&mut self.decisions.made);
        self.decisions.saving.append(&mut made);
        let storage = cx.ids.storage();
        self.saving = Some(storage);
        let store = self.store.clone();
        cx.effect(Effect::Persist {
            storage,
            store,
            changes: vec![change],
            strict: true,
        });
    }
}

/// A handle that nobody will hear of.
fn close_unheard(handles: &mut Set<HandleId>, answer: &Answer) {
    if let Answer::Opened(opened) = answer {
        handles.remove(&opened.handle);
    }
}
