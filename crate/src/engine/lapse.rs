//! Whether our own membership holds. One whose time is over: its holder asks at the door whether the group
//! has a renewal, and members end their links with it.

use super::context::Context;
use super::event::Event;
use super::node::{Kind, Node, Timer};
use crate::error::{Code, Error};
use crate::graph::security::Security as _;
use crate::limits;
use crate::wire::link::Purpose;

impl Node {
    /// Why our own membership does not hold now; the server's time helps to say it.
    pub(super) fn own_fault(&mut self, cx: &Context<'_>) -> Option<Error> {
        let Kind::Group(group) = &mut self.kind else {
            return None;
        };
        if group.joins_by_password() {
            return self.lacks_password();
        }
        let clock = group.clock(cx.now);
        let own = group.state.peer;
        let former = group.former(&own);
        former.or_else(|| group.own_membership(&clock).err())
    }

    /// Begins to stand or look, if our own membership holds; a wrong clock may be set right later.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>) {
        if !self.online || !self.mailbox.is_ready() {
            return;
        }
        let synchronized = self.synchronized();
        let is_lapse = |error: &Error| synchronized && error.code == Code::InvalidTimePeriod;
        let fault = self.own_fault(cx).filter(|error| !is_lapse(error));
        match fault.or_else(|| self.no_turn()) {
            Some(error) => {
                let again = cx.now.monotonic + limits::MEMBERSHIP_CHECK_MS;
                self.timers.arm(Timer::Begin, again);
                self.fail_connects(cx, &error);
            }
            None => self.begin_discovery(cx),
        }
    }

    pub(super) fn begin_discovery(&mut self, cx: &mut Context<'_>) {
        self.lapsed = self.lapse(cx);
        if let Kind::Group(group) = &self.kind {
            let returns = group.state.synchronized && self.lapsed.is_some();
            self.graph.newcomer = !group.state.synchronized || returns;
            if returns {
                self.graph.entry = Some(Purpose::Return);
            }
            self.discovery.begin(cx, group, &self.graph, &self.mailbox);
            if returns {
                self.graph.dial_anew(cx);
            }
        }
    }

    /// That our own membership is over by this machine's clock. The server's time may say otherwise.
    pub(super) fn lapse(&mut self, cx: &Context<'_>) -> Option<Error> {
        self.own_fault(cx)
            .filter(|error| error.code == Code::InvalidTimePeriod)
    }

    /// Something was got at the door: perhaps a renewal.
    pub(super) fn look_for_renewal(&mut self, cx: &mut Context<'_>) {
        let returns = self.graph.newcomer && self.synchronized();
        if returns && self.own_fault(cx).is_none() {
            self.begin_discovery(cx);
            self.graph.dial_anew(cx);
        }
    }

    /// What to say where a member has no place for us: that our time is over says more than that
    /// nobody knows us any longer.
    pub(super) fn or_lapsed(&self, error: Error) -> Error {
        match &self.lapsed {
            Some(lapsed) if error.code == Code::InvitationNotTrusted => lapsed.clone(),
            _ => error,
        }
    }

    /// Now and then: whose time is over by now?
    pub(super) fn look_at_time(&mut self, cx: &mut Context<'_>) {
        if !self.online || cx.now.monotonic < self.next_look {
            return;
        }
        self.next_look = cx.now.monotonic + limits::MEMBERSHIP_CHECK_MS;
        self.look_at_self(cx);
        if self.online {
            self.graph.eject(cx, self.kind.security());
            self.tell_clock(cx);
        }
    }

    /// A member listens whatever its clock says; that nobody links with it because of that is said
    /// once.
    fn tell_clock(&mut self, cx: &mut Context<'_>) {
        if self.graph.neighbors() > 0 {
            self.clock_told = false;
            return;
        }
        let mut troubles = [&self.trouble, &self.discovery.trouble]
            .into_iter()
            .flatten();
        let skew = troubles.find(|error| error.code == Code::ClockSkew);
        let Some(mut error) = skew.filter(|_| !self.clock_told).cloned() else {
            return;
        };
        if let Some(evidence) = error.evidence.as_mut() {
            evidence.clock_offset_ms = evidence.clock_offset_ms.or(self.mailbox.offset_ms());
        }
        self.clock_told = true;
        cx.event(Event::ConnectionFailed {
            node: cx.node,
            error,
        });
    }

    /// Goes offline if we are no member any more.
    pub(super) fn look_at_self(&mut self, cx: &mut Context<'_>) {
        let Kind::Group(group) = &mut self.kind else {
            return;
        };
        let own = group.state.peer;
        // Whoever stands at the door has been told, and waits for a renewal.
        if !self.online || self.graph.newcomer || self.leaving.is_some() {
            return;
        }
        let Some(error) = group.out(own, cx.now) else {
            return;
        };
        // A wrong clock may be set right: others decide by theirs.
        if error.code == Code::ClockSkew {
            return;
        }
        self.fail_connects(cx, &error);
        cx.event(Event::ConnectionFailed {
            node: cx.node,
            error: error.clone(),
        });
        self.go_offline(cx, error.code);
    }
}
