//! How links end: everything that hangs on one learns that it is gone.

use super::link::{Link, Stage};
use super::{Graph, News, Timer, opening};
use crate::engine::context::Context;
use crate::engine::effect::Effect;
use crate::engine::event::{ConnectionChange, ConnectionStatus, Event};
use crate::error::{Code, Error, Evidence, Stage as Reached};
use crate::limits;
use crate::names::{ConnectionId, LinkId};
use crate::wire::link::{ByeReason, Frame, Purpose, Trickle};

impl Graph {
    /// Fails a link, whatever its stage: tells the other end and whoever waits for it.
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, id: LinkId, mut error: Error) {
        let Some(mut link) = self.remove(id) else {
            return;
        };
        if error.evidence.is_none() && error.code != Code::Aborted {
            error = error.at(link.reached());
        }
        if let Some(evidence) = &mut error.evidence
            && matches!(
                evidence.stage,
                Reached::Ice | Reached::Dtls | Reached::Channel
            )
        {
            evidence.turn_tried = Some(link.has_turn);
            evidence.relay_tried = Some(link.relayed.is_some());
        }
        if let Some(keys) = link
            .keys
            .as_mut()
            .filter(|_| !matches!(link.stage, Stage::Open))
        {
            let abandon = Trickle::Abandon {
                code: error.code.number(),
            };
            let sealed = opening::seal(keys, link.attempt, &abandon);
            self.signals
                .extend(sealed.map(|signal| (link.remote.address.clone(), signal)));
        }
        self.ended(cx, link, error);
    }

    /// Closes an open link with a reason, or fails it if it is not open yet.
    pub(super) fn close_link(
        &mut self,
        cx: &mut Context<'_>,
        id: LinkId,
        reason: ByeReason,
        error: &Error,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if !link.is_open() {
            self.fail(cx, id, error.clone());
            return;
        }
        link.send(cx, Frame::Bye { reason });
        self.send_last(cx, id);
        if let Some(link) = self.remove(id) {
            self.ended(cx, link, error.clone());
        }
    }

    /// The other end broke a rule that no honest node breaks: the link ends, and another one is not
    /// made for a while.
    pub(super) fn convict(&mut self, cx: &mut Context<'_>, id: LinkId, why: &str) {
        if let Some(link) = self.links.get(&id) {
            let (node, peer) = (link.remote.node, link.remote.peer());
            self.overlay.ban(cx.now.monotonic, node, peer);
        }
        self.fault(cx, id, why);
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let link = self.links.remove(&id)?;
        self.attempts.retain(|_, of| *of != id);
        // A first message that has not left yet must not knock for nobody.
        self.signals
            .retain(|(_, signal)| signal.initiates() != Some(link.attempt));
        for timer in [
            Timer::Link(id),
            Timer::Probe(id),
            Timer::Confirm(id),
            Timer::Lost(id),
            Timer::Relay(id),
        ] {
            self.timers.disarm(&timer);
        }
        Some(link)
    }

    /// Everything that hangs on a link learns that it is gone.
    pub(super) fn ended(&mut self, cx: &mut Context<'_>, mut link: Link, error: Error) {
        if link.with_driver {
            cx.effect(Effect::CloseLink { link: link.id });
        }
        let was_open = link.is_open();
        for request in link.flow.drain() {
            cx.answer(request, Err(lost(&error)));
        }
        if !was_open && error.code == Code::ConnectionFailed {
            self.try_directs_again(cx, &link);
        }
        let directs: Vec<ConnectionId> = self
            .directs
            .iter()
            .filter(|(_, d)| d.link == Some(link.id))
            .map(|(id, _)| *id)
            .collect();
        for direct in directs {
            self.end_direct(cx, direct, Some(lost(&error)));
        }
        let neighbor = link.purpose != Purpose::Direct;
        if let Some(connection) = link.connection.filter(|_| neighbor) {
            let status = if was_open {
                ConnectionStatus::Disconnected
            } else {
                ConnectionStatus::Failed
            };
            let change = ConnectionChange {
                status,
                connection,
                node_id: Some(link.remote.node),
                peer: link.remote.peer(),
                next: None,
                // Leaving, on either side, is no failure.
                reason: Some(error.clone()).filter(|_| !link.left && !is_own_end(error.code)),
                incoming: !link.initiator,
                label: String::new(),
            };
            cx.event(Event::NeighborConnection {
                node: cx.node,
                change: Box::new(change),
            });
        }
        if let Some(caller) = link.caller.take() {
            cx.answer(caller.request, Err(error.clone()));
        }
        let now = cx.now.monotonic;
        let brief = link
            .opened
            .is_none_or(|opened| now < opened + limits::LINK_LOST_MS);
        if brief {
            self.overlay.dial_failed(cx, link.remote.node, &error);
        }
        if was_open && neighbor {
            self.news.push_back(News::Unlinked);
        } else if !was_open {
            self.news.push_back(News::DialFailed(error));
        }
        self.plan(cx);
    }

    pub(super) fn link_timed_out(&mut self, cx: &mut Context<'_>, id: LinkId) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let error = match link.caller {
            Some(_) if self.address.is_none() => {
                let error = Error::new(Code::ServiceNotAvailable).at(Reached::Rendezvous);
                return self.fail(cx, id, error);
            }
            Some(caller) if caller.deadline <= cx.now.monotonic => Error::new(Code::Timeout),
            _ if link.tampered => Error::new(Code::ConnectionNotAuthenticated)
                .detail("what came as the answer was not written by the member that was asked"),
            _ if link.reached() != Reached::Handshake => {
                let error = self.no_way(link, Evidence::at(link.reached()));
                return self.fail(cx, id, error);
            }
            _ => Error::new(Code::ConnectionFailed).detail("no answer in time"),
        };
        let error = error.at(link.reached());
        self.fail(cx, id, error);
    }
}

/// Whether a link ends because its handle was closed here.
fn is_own_end(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidGroup | Code::InvalidGraph | Code::NotInitialized
    )
}

/// What calls learn that hung on a connection which ended.
pub(super) fn lost(error: &Error) -> Error {
    match error.code {
        Code::InvalidGroup | Code::InvalidGraph | Code::NotInitialized | Code::Aborted => {
            error.clone()
        }
        _ => Error {
            code: Code::ConnectionFailed,
            ..error.clone()
        },
    }
}
