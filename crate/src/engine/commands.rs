//! What each command does: checked first, then carried out on the handle's node.

use super::Engine;
use super::command::{NewCredential, NewInvitation, OpenOptions, PropertiesChange, Target};
use super::context::{Context, Pending};
use super::event::{Answer, Event};
use super::node::{Kind, Node};
use super::opening::{Plan, What};
use crate::error::{Code, Error};
use crate::graph::flow::Outgoing;
use crate::graph::link::Caller;
use crate::graph::mailbox::ServerUrl;
use crate::group::open::OpenSecurity;
use crate::limits;
use crate::names::{ConnectionId, GroupId, HandleId, NodeAddress, NodeIndex, PeerId, RequestId};
use crate::time::{Millis, Now};
use crate::wire::link::Purpose;

impl Engine {
    pub(super) fn graph_scope(&self, graph: &str) -> Result<GroupId, Error> {
        if graph.is_empty() || graph.chars().count() > limits::GRAPH_ID_CHARS {
            return Err(Error::new(Code::InvalidArgument).detail(format!(
                "a graph id has 1 to {} characters",
                limits::GRAPH_ID_CHARS
            )));
        }
        Ok(OpenSecurity::scope(self.core.config.crypto, graph))
    }

    pub(super) fn open(&mut self, options: OpenOptions, what: What) -> Result<RequestId, Error> {
        ServerUrl::parse_all(&options.rendezvous)?;
        if self.handles.len() >= limits::HANDLES {
            return Err(Error::new(Code::OutOfMemory)
                .detail(format!("{} handles are open", limits::HANDLES)));
        }
        let request = self.core.requests.open(&mut self.core.ids, true)?;
        self.begin(Plan {
            request,
            options,
            what,
        });
        Ok(request)
    }

    /// Runs a command on a handle's node. What it answers at once is answered; an error undoes the
    /// request; without an answer the request stays under way.
    pub(super) fn on_node(
        &mut self,
        now: Now,
        handle: HandleId,
        waits: bool,
        run: impl FnOnce(&mut Node, &mut Context<'_>, RequestId) -> Result<Option<Answer>, Error>,
    ) -> Result<RequestId, Error> {
        let index = self.index(handle)?;
        let invalid = self.invalid(handle);
        let node = self.nodes.get_mut(&index).ok_or(invalid)?;
        let request = self.core.requests.open(&mut self.core.ids, waits)?;
        let about = Pending {
            node: Some(index),
            handle: Some(handle),
            connection: None,
        };
        self.core.requests.set(request, about);
        let mut cx = self.core.context(now, index);
        node.graph.look_at_clock(&mut cx);
        match run(node, &mut cx, request) {
            Ok(answer) => {
                if let Some(answer) = answer {
                    cx.answer(request, Ok(answer));
                }
                node.after(&mut cx);
                Ok(request)
            }
            Err(error) => {
                self.core.requests.cancel(request);
                Err(error)
            }
        }
    }

    pub(super) fn connect(
        &mut self,
        now: Now,
        handle: HandleId,
        timeout_ms: Millis,
        addresses: Vec<NodeAddress>,
    ) -> Result<RequestId, Error> {
        check_timeout(timeout_ms)?;
        self.on_node(now, handle, true, |node, cx, request| {
            node.group()?;
            if !node.mailbox.has_servers() {
                return Err(Error::new(Code::InvalidArgument)
                    .detail("no rendezvous server is named: give one when opening the group"));
            }
            node.connect(cx, request, timeout_ms, addresses);
            Ok(None)
        })
    }

    pub(super) fn listen(&mut self, now: Now, handle: HandleId) -> Result<RequestId, Error> {
        self.on_node(now, handle, true, |node, cx, request| {
            let Kind::Graph {
                synchronized,
                listen,
                ..
            } = &node.kind
            else {
                return Err(Code::InvalidGraph.into());
            };
            if *listen {
                return Err(Code::AlreadyListening.into());
            }
            if !synchronized {
                return Err(Code::GraphNotReady.into());
            }
            if !node.mailbox.has_servers() {
                return Err(Error::new(Code::InvalidArgument)
                    .detail("no rendezvous server is named: give one when opening the graph"));
            }
            node.listen(cx, request);
            Ok(None)
        })
    }

    pub(super) fn connect_node(
        &mut self,
        now: Now,
        handle: HandleId,
        peer: Option<PeerId>,
        address: NodeAddress,
        timeout_ms: Millis,
    ) -> Result<RequestId, Error> {
        check_timeout(timeout_ms)?;
        self.on_node(now, handle, true, |node, cx, request| {
            if matches!(node.kind, Kind::Group(_)) {
                return Err(Code::InvalidGraph.into());
            }
            if node.graph.pending_connects() >= limits::PENDING_CONNECTS {
                return Err(Error::new(Code::OutOfMemory)
                    .detail(format!("{} attempts are pending", limits::PENDING_CONNECTS)));
            }
            node.reach(cx, &address)?;
            let connection = cx.ids.connection();
            cx.requests.opens(request, connection);
            let deadline = cx.now.monotonic + timeout_ms;
            let caller = Caller {
                request,
                connection,
                peer,
                deadline,
            };
            node.dial(cx, address, Purpose::Neighbor, caller);
            Ok(None)
        })
    }

    pub(super) fn open_direct(
        &mut self,
        now: Now,
        handle: HandleId,
        to: &Target,
        label: String,
        timeout_ms: Millis,
    ) -> Result<RequestId, Error> {
        check_timeout(timeout_ms)?;
        if label.len() > limits::LABEL_BYTES {
            return Err(Error::new(Code::InvalidArgument).detail(format!(
                "the label is longer than {} bytes",
                limits::LABEL_BYTES
            )));
        }
        self.on_node(now, handle, true, |node, cx, request| {
            let connection = node.open_direct(cx, to, label, request, timeout_ms)?;
            cx.requests.opens(request, connection);
            Ok(None)
        })
    }

    pub(super) fn send(
        &mut self,
        now: Now,
        handle: HandleId,
        connection: ConnectionId,
        kind: String,
        data: Vec<u8>,
    ) -> Result<RequestId, Error> {
        self.index(handle)?;
        if data.len() > limits::MESSAGE_BYTES {
            return Err(Error::new(Code::MessageTooLarge).detail(format!(
                "{} bytes of {} at most",
                data.len(),
                limits::MESSAGE_BYTES
            )));
        }
        if kind.len() > limits::MESSAGE_TYPE_BYTES {
            return Err(Error::new(Code::InvalidArgument).detail(format!(
                "the message type is longer than {} bytes",
                limits::MESSAGE_TYPE_BYTES
            )));
        }
        self.check_memory(data.len())?;
        self.on_node(now, handle, true, |node, cx, request| {
            node.graph.send(
                cx,
                connection,
                Outgoing {
                    request,
                    kind,
                    data,
                },
            )?;
            Ok(None)
        })
    }

    pub(super) fn create_invitation(
        &mut self,
        now: Now,
        handle: HandleId,
        invitation: &NewInvitation,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, false, |node, cx, _| {
            let text = node.group()?.invite(cx.random, cx.now, invitation)?;
            Ok(Some(Answer::Invitation(text)))
        })
    }

    pub(super) fn issue(
        &mut self,
        now: Now,
        handle: HandleId,
        new: &NewCredential,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, true, |node, cx, request| {
            let written = node.written_by(new.peer);
            let group = node.group()?;
            let (text, items) = group.issue(cx.random, cx.now, new, written)?;
            let answer = Answer::Invitation(text);
            if !new.publish {
                return Ok(Some(answer));
            }
            node.decide(request, answer, items);
            Ok(None)
        })
    }

    pub(super) fn set_properties(
        &mut self,
        now: Now,
        handle: HandleId,
        change: &PropertiesChange,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, true, |node, _, request| {
            let Kind::Group(group) = &mut node.kind else {
                return Err(Code::InvalidGroup.into());
            };
            let changed = group.change_properties(node.decisions.items(), change)?;
            if let Some(password) = &change.password {
                group.choose(&changed, password);
            }
            node.decide(request, Answer::Done, vec![changed]);
            Ok(None)
        })
    }

    pub(super) fn close(&mut self, now: Now, handle: HandleId) -> Result<RequestId, Error> {
        let index = self.index(handle)?;
        let invalid = self.invalid(handle);
        let request = self.core.requests.open(&mut self.core.ids, false)?;
        self.handles.remove(&handle);
        if let Some(node) = self.nodes.get_mut(&index) {
            node.handles.remove(&handle);
            if node.handles.is_empty() {
                self.end_node(now, index, &invalid);
            } else {
                let mut cx = self.core.context(now, index);
                for pending in cx.requests.of_handle(handle) {
                    cx.answer(pending, Err(invalid.clone()));
                    node.abandon(&mut cx, pending);
                }
            }
        }
        self.core.events.push_back(Event::Closed {
            handle,
            reason: None,
        });
        self.answer(request, Ok(Answer::Done));
        Ok(request)
    }

    /// Takes a node off the network and forgets it. Handles that are still on it are closed.
    pub(super) fn end_node(&mut self, now: Now, index: NodeIndex, error: &Error) {
        let Some(mut node) = self.nodes.remove(&index) else {
            return;
        };
        node.close(&mut self.core.context(now, index), error.code);
        for handle in core::mem::take(&mut node.handles) {
            self.handles.remove(&handle);
            let reason = Some(error.clone());
            self.core.events.push_back(Event::Closed { handle, reason });
        }
    }

    pub(super) fn abort(&mut self, now: Now, aborted: RequestId) -> Result<RequestId, Error> {
        let request = self.core.requests.open(&mut self.core.ids, false)?;
        if let Some(pending) = self.core.requests.get(aborted) {
            self.answer(aborted, Err(Code::Aborted.into()));
            if let Some(index) = pending.node
                && let Some(node) = self.nodes.get_mut(&index)
            {
                node.abandon(&mut self.core.context(now, index), aborted);
            }
        }
        self.answer(request, Ok(Answer::Done));
        Ok(request)
    }

    pub(super) fn shut_down(&mut self, now: Now) -> Result<RequestId, Error> {
        let request = self.core.requests.open(&mut self.core.ids, false)?;
        let error = Error::from(Code::NotInitialized);
        let nodes: Vec<NodeIndex> = self.nodes.keys().copied().collect();
        for index in nodes {
            self.end_node(now, index, &error);
        }
        for pending in self.core.requests.all() {
            if pending != request {
                self.answer(pending, Err(error.clone()));
            }
        }
        self.operations.clear();
        self.identities.clear();
        self.stretchings.clear();
        self.deleted.clear();
        self.shut_down = Some(self.core.ids.handle(true));
        self.answer(request, Ok(Answer::Done));
        Ok(request)
    }
}

fn check_timeout(timeout_ms: Millis) -> Result<(), Error> {
    if timeout_ms > limits::MAX_TIMEOUT_MS {
        return Err(Error::new(Code::InvalidArgument).detail("the timeout is longer than a day"));
    }
    Ok(())
}
