//! Link set-up, the rest: candidates under the handshake's keys, until both ends have confirmed each
//! other on the channel.

use super::link::Stage;
use super::security::Security;
use super::{Graph, News, Timer};
use crate::crypto::noise::Keys;
use crate::engine::context::Context;
use crate::engine::effect::Effect;
use crate::engine::event::{ConnectionChange, ConnectionStatus, Event};
use crate::error::{Code, Error, Evidence, Stage as Reached};
use crate::limits;
use crate::names::{Attempt, LinkId, NodeId};
use crate::wire::codec::{Bytes, Wire as _};
use crate::wire::description::Line;
use crate::wire::link::{ByeReason, Purpose, Signal, SignalBody, Trickle};

/// Signals that came before message 2, at most.
pub(super) const EARLY_SIGNALS: usize = 32;
/// Candidates of one link and direction, at most.
pub(super) const CANDIDATES: usize = 64;

/// Seals something for beside the channel.
pub fn seal(keys: &mut Keys, attempt: Attempt, trickle: &Trickle) -> Option<Signal> {
    let (counter, sealed) = keys.seal(&trickle.to_bytes())?;
    Some(Signal(SignalBody::Sealed {
        attempt,
        counter,
        sealed: Bytes::new(sealed)?,
    }))
}

impl Graph {
    /// The driver found a candidate.
    pub(super) fn candidate(&mut self, _cx: &mut Context<'_>, id: LinkId, candidate: &str) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(line) = Line::new(candidate) else {
            return;
        };
        if link.candidates_out.len() < CANDIDATES {
            link.candidates_out.push(line);
        }
        self.flush_candidates(id);
    }

    /// Sends candidates, once there are keys and the other end has our description.
    pub(super) fn flush_candidates(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.keys.is_none() || matches!(link.stage, Stage::Replying) {
            return;
        }
        for candidate in core::mem::take(&mut link.candidates_out) {
            self.trickle(id, &Trickle::Candidate { candidate });
        }
    }

    pub(super) fn trickle(&mut self, id: LinkId, trickle: &Trickle) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let attempt = link.attempt;
        let signal = link
            .keys
            .as_mut()
            .and_then(|keys| seal(keys, attempt, trickle));
        self.signals
            .extend(signal.map(|signal| (link.remote.address.clone(), signal)));
    }

    /// Something sealed came beside the channel.
    pub(super) fn sealed(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        counter: u64,
        sealed: &[u8],
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(keys) = link.keys.as_mut() else {
            if link.early.len() < EARLY_SIGNALS {
                link.early.push((counter, sealed.to_vec()));
            }
            return;
        };
        let Some(plain) = keys.open(counter, sealed) else {
            return;
        };
        match Trickle::from_bytes(&plain) {
            // Its peer connection is given up.
            Ok(Trickle::Candidate { .. }) if link.relayed.is_some() => {}
            Ok(Trickle::Candidate { candidate }) => {
                if link.candidates_in.len() < CANDIDATES {
                    link.candidates_in.push(candidate);
                }
                link.pass_candidates(cx);
            }
            Ok(Trickle::Answer { description }) if matches!(link.stage, Stage::Offered) => {
                link.stage = Stage::Opening;
                cx.effect(Effect::AnswerLink {
                    link: id,
                    remote: description.to_sdp(),
                });
                link.described(cx, &description);
                self.await_channel(cx, id);
            }
            Ok(Trickle::Admitted { proof, grant }) if Self::is_proving(link) => {
                self.admitted(cx, security, id, &proof, &grant);
            }
            Ok(Trickle::Abandon { code }) => {
                let code = Code::from_number(code).unwrap_or(Code::ConnectionFailed);
                let code = if code == Code::Aborted {
                    Code::ConnectionFailed
                } else {
                    code
                };
                if code == Code::WrongPassword
                    && Self::is_proving(link)
                    && let Some(passwords) = security.passwords()
                {
                    passwords.refused();
                }
                let Some(link) = self.links.get(&id) else {
                    return;
                };
                let reached = link.reached();
                let error = if code == Code::ConnectionFailed && reached == Reached::Ice {
                    self.no_way(link, Evidence::at(reached))
                } else {
                    Error::new(code)
                        .detail("the other side gave up")
                        .at(reached)
                };
                self.fail(cx, id, error);
            }
            _ => {}
        }
    }

    /// The channels are open: say who we are.
    pub(super) fn link_opened(&mut self, cx: &mut Context<'_>, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if !matches!(link.stage, Stage::Opening) {
            return;
        }
        link.stage = Stage::Confirming;
        link.send_confirm(cx);
        self.timers.arm(
            Timer::Confirm(id),
            cx.now.monotonic + limits::CONFIRM_REPEAT_MS,
        );
    }

    /// The first frame came.
    pub(super) fn confirmed(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        counter: u64,
        sealed: &[u8],
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if !matches!(link.stage, Stage::Opening | Stage::Confirming) {
            return;
        }
        if !link.confirms(counter, sealed) {
            let error = Error::new(Code::ConnectionNotAuthenticated)
                .detail("the channel leads to somebody else")
                .at(Reached::Channel);
            return self.fail(cx, id, error);
        }
        if link.repeats_confirm() {
            // Ours may not have left yet when theirs is first.
            link.send_confirm(cx);
        }
        link.stage = Stage::Open;
        link.opened_at = cx.now.wall;
        link.opened = Some(cx.now.monotonic);
        self.timers.disarm(&Timer::Link(id));
        self.timers.arm(
            Timer::Confirm(id),
            cx.now.monotonic + limits::CONFIRM_REPEAT_MS,
        );
        self.link_is_open(cx, security, id);
    }

    /// Closes whatever else there is to a node whose new link has proved itself.
    fn replace_links(&mut self, cx: &mut Context<'_>, node: NodeId, purpose: Purpose, by: LinkId) {
        let old: Vec<LinkId> = self
            .links
            .values()
            .filter(|link| link.is_like(node, purpose) && link.id != by)
            .map(|link| link.id)
            .collect();
        for id in old {
            let error = Error::new(Code::ConnectionFailed).detail("a newer link replaced it");
            self.close_link(cx, id, ByeReason::Replaced, &error);
        }
    }

    /// Everything that waited for a link goes on.
    fn link_is_open(&mut self, cx: &mut Context<'_>, security: &mut dyn Security, id: LinkId) {
        self.probe(cx, id);
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let node = link.remote.node;
        let purpose = link.purpose;
        let neighbor = purpose != Purpose::Direct;
        if neighbor {
            let connection = *link.connection.get_or_insert_with(|| cx.ids.connection());
            let change = ConnectionChange {
                status: ConnectionStatus::Connected,
                connection,
                node_id: Some(node),
                peer: link.remote.peer(),
                next: None,
                reason: None,
                incoming: !link.initiator,
                label: String::new(),
            };
            cx.event(Event::NeighborConnection {
                node: cx.node,
                change: Box::new(change),
            });
            self.news.push_back(News::Linked);
        }
        if let Some(caller) = link.caller.take() {
            let kind = crate::names::ConnectionKind::Neighbor;
            if let Some(info) = super::link_info(link, kind, caller.connection) {
                cx.answer(caller.request, super::connected(info));
            }
        }
        self.overlay.linked(node);
        if neighbor {
            self.synchronize(cx, security, id);
        }
        self.replace_links(cx, node, purpose, id);
        self.open_waiting_directs(cx, id);
    }
}
