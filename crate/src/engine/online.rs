//! A node's way onto the network and off it again, and the calls that wait for it.

use super::command::Store;
use super::context::Context;
use super::effect::Effect;
use super::event::{Answer, Event};
use super::node::{Kind, Lock, Node, Timer};
use crate::error::{Code, Error, Stage};
use crate::graph::overlay::is_final;
use crate::limits;
use crate::names::{NodeAddress, RequestId};
use crate::time::Millis;

impl Node {
    /// Goes online for a call of the app.
    pub(super) fn connect(
        &mut self,
        cx: &mut Context<'_>,
        request: RequestId,
        timeout_ms: Millis,
        addresses: Vec<NodeAddress>,
    ) {
        if self.is_usable() {
            cx.answer(request, Ok(Answer::Status(self.status)));
            return;
        }
        // A wrong clock is named once the server has told its time, and may be all that is wrong.
        self.lapsed = self.lapse(cx);
        let by_clock = [Code::ClockSkew, Code::InvalidTimePeriod];
        if let Some(error) = self
            .own_fault(cx)
            .filter(|error| !by_clock.contains(&error.code))
        {
            cx.answer(request, Err(error));
            return;
        }
        self.save_failed = false;
        self.connects.push(request);
        self.timers
            .arm(Timer::Connect(request), cx.now.monotonic + timeout_ms);
        self.addresses.extend(addresses);
        self.go_online(cx);
    }

    /// Makes a graph reachable for a call of the app.
    pub(super) fn listen(&mut self, cx: &mut Context<'_>, request: RequestId) {
        if let Kind::Graph { listen, .. } = &mut self.kind {
            *listen = true;
        }
        self.listeners.push(request);
        self.timers.arm(
            Timer::Connect(request),
            cx.now.monotonic + limits::CONNECT_TIMEOUT_MS,
        );
        self.go_online(cx);
        self.settle(cx);
    }

    /// Takes the lock, then connects to the rendezvous server.
    pub(super) fn go_online(&mut self, cx: &mut Context<'_>) {
        if !self.online {
            // What there was the last time says nothing about this one.
            self.trouble = None;
        }
        self.online = true;
        self.graph.online = true;
        self.keep_session(cx);
        match self.lock {
            Lock::None => {
                self.lock = Lock::Asked;
                let store = match &self.store {
                    Store::Default => "default",
                    Store::Memory => "memory",
                    Store::Named(name) => name,
                };
                let name = format!("peer-group/{store}/{}/{}", self.graph.scope, self.peer);
                cx.effect(Effect::Lock {
                    node: cx.node,
                    name,
                });
            }
            Lock::Asked => {}
            Lock::Held => self.mailbox.start(cx),
        }
        self.settle(cx);
    }

    /// Leaves the network, telling everybody.
    pub(super) fn go_offline(&mut self, cx: &mut Context<'_>, code: Code) {
        self.withdraw(cx);
        self.online = false;
        self.graph.online = false;
        self.was_usable = false;
        self.clock_told = false;
        self.reachable = false;
        self.graph.shut_down(cx, code);
        self.flush_signals(cx);
        self.graph.signals.clear();
        self.graph.relay_lost(cx);
        self.graph.reached_at(cx, None);
        self.mailbox.stop(cx);
        self.discovery.stop();
        self.timers.disarm(&Timer::Begin);
        self.addresses.clear();
        if self.lock != Lock::None {
            self.lock = Lock::None;
            cx.effect(Effect::Unlock { node: cx.node });
        }
        if let Kind::Graph { listen, .. } = &mut self.kind {
            *listen = false;
        }
    }

    /// Uses what the server names besides what the app does, for links from now on.
    pub(super) fn use_ice_servers(&mut self) {
        let named = self.mailbox.ice_servers();
        self.graph.ice_servers = self.ice_servers.iter().chain(named).cloned().collect();
    }

    /// Why nobody could be reached: only TURN or the server's relay may be used, and there is neither.
    pub(super) fn no_turn(&self) -> Option<Error> {
        let graph = &self.graph;
        let missing = graph.relay_only && !graph.has_turn() && !graph.relays.is_there();
        missing.then(|| {
            Error::new(Code::ServiceNotAvailable)
                .detail("iceTransportPolicy 'relay' needs a TURN server or a rendezvous server that relays: this one does not, and neither it nor iceServers has TURN")
                .at(Stage::Rendezvous)
        })
    }

    pub(super) fn locked(&mut self, cx: &mut Context<'_>, granted: bool) {
        if self.lock != Lock::Asked {
            return;
        }
        if granted {
            self.lock = Lock::Held;
            self.reload_records(cx);
            if self.mailbox.has_servers() {
                self.mailbox.start(cx);
            }
            return;
        }
        self.lock = Lock::None;
        let code = match self.kind {
            Kind::Group(_) => Code::GroupInUse,
            Kind::Graph { .. } => Code::GraphInUse,
        };
        for request in core::mem::take(&mut self.listeners) {
            cx.answer(request, Err(code.into()));
        }
        self.fail_connects(cx, &code.into());
        self.go_offline(cx, code);
    }

    /// Listening, and what we were given at the door is safely kept; or still among neighbors while
    /// the server is away.
    pub(super) fn is_usable(&self) -> bool {
        let kept = self.was_usable || (!self.dirty && self.saving.is_none());
        let among = self.was_usable && self.status.has_connections;
        (self.status.listening && kept) || among
    }

    /// Answers every call that has what it waited for, or never will.
    pub(super) fn settle_calls(&mut self, cx: &mut Context<'_>) {
        if matches!(self.kind, Kind::Graph { .. })
            && self.status.listening
            && let Some(address) = self.graph.address.clone()
        {
            for request in core::mem::take(&mut self.listeners) {
                self.timers.disarm(&Timer::Connect(request));
                cx.answer(request, Ok(Answer::Listening(address.clone())));
            }
        }
        if self.connects.is_empty() {
            return;
        }
        if self.is_usable() {
            self.was_usable = true;
            self.trouble = None;
            for request in core::mem::take(&mut self.connects) {
                self.timers.disarm(&Timer::Connect(request));
                cx.answer(request, Ok(Answer::Status(self.status)));
            }
        } else if let Some(error) = self.hopeless(cx) {
            self.fail_connects(cx, &error);
        }
    }

    pub(super) fn fail_connects(&mut self, cx: &mut Context<'_>, error: &Error) {
        for request in self.connects.clone() {
            self.fail_connect(cx, request, error.clone());
        }
    }

    /// Why a newcomer need not wait any longer: everybody who was found has said a final no.
    pub(super) fn hopeless(&self, cx: &Context<'_>) -> Option<Error> {
        if let Some(refused) = self.mailbox.refused() {
            return Some(refused);
        }
        // What a stranger can write at the door ends nobody's search; a wrong clock does.
        let found = self
            .discovery
            .trouble
            .as_ref()
            .filter(|t| t.code == Code::ClockSkew);
        let trouble = self.trouble.as_ref().or(found)?;
        let waiting =
            self.graph.newcomer && self.mailbox.is_ready() && self.graph.link_count() == 0;
        (waiting && is_final(trouble.code) && !self.graph.is_trying(cx.now.monotonic))
            .then(|| self.or_lapsed(trouble.clone()))
    }

    /// The best that can be said about a connect that ran out of time.
    pub(super) fn why_not(&self) -> Error {
        let error = self.why_nobody();
        match &self.lapsed {
            Some(lapsed) if !is_final(error.code) => lapsed.clone(),
            _ => self.or_lapsed(error),
        }
    }

    fn why_nobody(&self) -> Error {
        if !self.mailbox.is_ready() {
            return self.mailbox.refused().unwrap_or_else(|| {
                Error::new(Code::ServiceNotAvailable)
                    .detail(format!("no answer from {}", self.mailbox.base()))
                    .at(Stage::Rendezvous)
            });
        }
        let trouble = self
            .trouble
            .clone()
            .or_else(|| self.discovery.trouble.clone());
        if self.status.has_connections {
            return Error::new(Code::ConnectionFailed).at(Stage::Synchronization);
        }
        if self.synchronized() {
            return trouble
                .unwrap_or_else(|| Error::new(Code::UnableToListen).at(Stage::Discovery));
        }
        match trouble {
            Some(error)
                if is_final(error.code)
                    || matches!(
                        error.code,
                        Code::ConnectionNotAuthenticated | Code::RateLimited
                    ) =>
            {
                error
            }
            Some(error) if self.discovery.found => {
                let detail = if error.detail.is_empty() {
                    error.code.text().to_owned()
                } else {
                    error.detail
                };
                Error {
                    code: Code::NoMemberConnections,
                    detail,
                    ..error
                }
            }
            None if self.discovery.found => {
                Error::new(Code::NoMemberConnections).at(Stage::Handshake)
            }
            _ => Error::new(Code::NoMembersFound).at(Stage::Discovery),
        }
    }

    pub(super) fn fail_connect(
        &mut self,
        cx: &mut Context<'_>,
        request: RequestId,
        mut error: Error,
    ) {
        if let Some(evidence) = error.evidence.as_mut() {
            evidence.clock_offset_ms = evidence.clock_offset_ms.or(self.mailbox.offset_ms());
        }
        cx.event(Event::ConnectionFailed {
            node: cx.node,
            error: error.clone(),
        });
        cx.answer(request, Err(error));
        self.forget_connect(cx, request);
    }

    /// With the last call that wanted it online gone, a node that never was usable goes off again.
    pub(super) fn forget_connect(&mut self, cx: &mut Context<'_>, request: RequestId) {
        self.timers.disarm(&Timer::Connect(request));
        self.connects.retain(|r| *r != request);
        if self.connects.is_empty() && !self.was_usable {
            self.trouble = None;
            self.go_offline(cx, Code::ConnectionFailed);
        }
    }
}
