//! Direct connections: lines that the app opens to one member, over the link between the two nodes.

mod reach;

use super::flow::Flow;
use super::link::Link;
use super::security::Security;
use super::session::Session;
use super::{Graph, Timer};
use crate::engine::command::Target;
use crate::engine::context::Context;
use crate::engine::effect::{Effect, Question};
use crate::engine::event::{ConnectionChange, ConnectionInfo, ConnectionStatus, Event};
use crate::engine::input::Verdict;
use crate::error::{Code, Error, Stage as Reached};
use crate::limits;
use crate::names::{
    AskId, ConnectionId, ConnectionKind, LinkId, NodeAddress, NodeId, PeerId, RequestId,
};
use crate::time::Millis;
use crate::wire::codec::Text;
use crate::wire::link::{Frame, Purpose};

/// How far a direct connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    /// Ours: its link comes up.
    Waiting,
    /// Ours: the far side was asked.
    Asked,
    /// Theirs: the app was asked.
    Deciding,
    /// Up.
    Open,
}

/// A direct connection.
pub struct Direct {
    /// The link that carries it.
    pub link: Option<LinkId>,
    /// The call that opens it.
    pub request: Option<RequestId>,
    /// The far side's id of it; 0 until it has told.
    pub remote: u64,
    /// Its messages.
    pub flow: Flow,
    node: NodeId,
    /// The identity at the far side; before it is known, the one that the app asked for.
    peer: Option<PeerId>,
    label: String,
    incoming: bool,
    /// Its link did not come up: where the node is, to try with another link, once.
    again: Option<Box<(NodeAddress, Option<Session>)>>,
    tried_again: bool,
    /// Other nodes of the identity, to be tried in turn.
    others: Vec<NodeId>,
    progress: Progress,
    opened_at: Millis,
}

impl Direct {
    /// Whether messages may flow.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.progress == Progress::Open
    }
}

impl Graph {
    /// Opens a direct connection; its outcome comes as an event and answers the request.
    #[allow(clippy::too_many_arguments)] // The call's own parts.
    pub fn open_direct(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        to: &Target,
        label: String,
        request: RequestId,
        timeout_ms: Millis,
    ) -> Result<ConnectionId, Error> {
        let mut others = self.targets(cx, to)?.into_iter();
        let node = others.next().ok_or(Code::NodeNotFound)?;
        let asked = match to {
            Target::Peer(peer) => Some(*peer),
            _ => None,
        };
        let connection = cx.ids.connection();
        let link = self
            .node_link(node)
            .map(|link| (link.id, link.is_open(), link.remote.peer()));
        let (link, open, peer) = match link {
            Some((link, open, peer)) => (link, open, peer),
            None => {
                let (address, session) = match to {
                    Target::Address(address) => (address.clone(), None),
                    _ => self
                        .place_of(cx, node)
                        .ok_or_else(|| Error::new(Code::NodeNotFound))?,
                };
                let direct_links = self
                    .links
                    .values()
                    .filter(|l| l.purpose == Purpose::Direct)
                    .count();
                if direct_links >= limits::DIRECT_LINKS {
                    return Err(Error::new(Code::OutOfMemory).detail(format!(
                        "{} direct connections have links of their own",
                        limits::DIRECT_LINKS
                    )));
                }
                let peer = session.as_ref().map(|session| session.body.peer);
                let purpose = self.purpose_of_direct();
                let link = self.dial(cx, security, address, session, purpose, None);
                if !self.links.contains_key(&link) {
                    return Err(Error::new(Code::GroupNotReady)
                        .detail("this node is not a member yet: connect first"));
                }
                (link, false, peer)
            }
        };
        let on_link = self
            .directs
            .values()
            .filter(|direct| direct.link == Some(link))
            .count();
        if on_link >= limits::DIRECT_PER_LINK {
            return Err(Error::new(Code::OutOfMemory).detail(format!(
                "{} direct connections to that node",
                limits::DIRECT_PER_LINK
            )));
        }
        let direct = Direct {
            link: Some(link),
            request: Some(request),
            remote: 0,
            flow: Flow::default(),
            node,
            peer: asked.or(peer),
            label,
            incoming: false,
            again: None,
            tried_again: false,
            others: others.collect(),
            progress: Progress::Waiting,
            opened_at: 0,
        };
        self.directs.insert(connection, direct);
        self.timers
            .arm(Timer::Direct(connection), cx.now.monotonic + timeout_ms);
        if open {
            self.ask_direct(cx, connection);
        }
        Ok(connection)
    }

    /// A link is open: ask for every direct connection that has waited for it.
    pub(super) fn open_waiting_directs(&mut self, cx: &mut Context<'_>, link: LinkId) {
        let Some(node) = self.links.get(&link).map(|l| l.remote.node) else {
            return;
        };
        let waiting: Vec<ConnectionId> = self
            .directs
            .iter_mut()
            .filter(|(_, d)| d.node == node && d.progress == Progress::Waiting)
            .map(|(id, direct)| {
                direct.link = Some(link);
                *id
            })
            .collect();
        for connection in waiting {
            self.ask_direct(cx, connection);
        }
    }

    fn ask_direct(&mut self, cx: &mut Context<'_>, connection: ConnectionId) {
        let Some(direct) = self.directs.get_mut(&connection) else {
            return;
        };
        let Some(link) = direct.link.and_then(|link| self.links.get_mut(&link)) else {
            return;
        };
        let peer = link.remote.peer();
        if direct.peer.is_some() && direct.peer != peer {
            let error =
                Error::new(Code::ConnectionNotAuthenticated).detail("somebody else answered");
            return self.end_direct(cx, connection, Some(error));
        }
        direct.progress = Progress::Asked;
        direct.peer = peer;
        let label = Text::new(direct.label.clone()).unwrap_or_default();
        link.send(
            cx,
            Frame::DirectOpen {
                id: connection.0,
                label,
            },
        );
    }

    /// The far side wants a direct connection: ask the app.
    pub(super) fn direct_asked(
        &mut self,
        cx: &mut Context<'_>,
        id: LinkId,
        theirs: u64,
        label: String,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let on_link = self
            .directs
            .values()
            .filter(|direct| direct.link == Some(id))
            .count();
        let Some(peer) = link.remote.peer() else {
            return;
        };
        if on_link >= limits::DIRECT_PER_LINK || self.asks.len() >= limits::ASKS || theirs == 0 {
            link.send(cx, Frame::DirectRefuse { id: theirs });
            return;
        }
        let connection = cx.ids.connection();
        let ask = cx.ids.ask();
        let node = link.remote.node;
        let direct = Direct {
            link: Some(id),
            request: None,
            remote: theirs,
            flow: Flow::default(),
            node,
            peer: Some(peer),
            label,
            incoming: true,
            again: None,
            tried_again: false,
            others: Vec::new(),
            progress: Progress::Deciding,
            opened_at: 0,
        };
        self.directs.insert(connection, direct);
        self.asks.insert(ask, connection);
        self.timers
            .arm(Timer::Ask(ask), cx.now.monotonic + limits::ASK_MS);
        let question = Question::AcceptDirect {
            peer,
            node_id: node,
        };
        cx.effect(Effect::Ask {
            ask,
            node: cx.node,
            question,
        });
    }

    /// The app has decided.
    pub fn answered(&mut self, cx: &mut Context<'_>, ask: AskId, verdict: Verdict) {
        let Some(connection) = self.asks.remove(&ask) else {
            return self.record_judged(cx, ask, verdict);
        };
        self.timers.disarm(&Timer::Ask(ask));
        let Some(direct) = self.directs.get_mut(&connection) else {
            return;
        };
        let Some(link) = direct.link.and_then(|link| self.links.get_mut(&link)) else {
            return;
        };
        if verdict == Verdict::Accept {
            link.send(
                cx,
                Frame::DirectAccept {
                    id: direct.remote,
                    accepter: connection.0,
                },
            );
            self.direct_is_open(cx, connection);
        } else {
            link.send(cx, Frame::DirectRefuse { id: direct.remote });
            self.directs.remove(&connection);
        }
    }

    /// The far side accepts.
    pub(super) fn direct_accepted(
        &mut self,
        cx: &mut Context<'_>,
        id: LinkId,
        ours: ConnectionId,
        accepter: u64,
    ) {
        let Some(direct) = self.directs.get_mut(&ours) else {
            // Given up here meanwhile; the far side has heard that, or will.
            return;
        };
        if direct.link != Some(id) || direct.progress != Progress::Asked {
            return;
        }
        direct.remote = accepter;
        self.direct_is_open(cx, ours);
    }

    fn direct_is_open(&mut self, cx: &mut Context<'_>, connection: ConnectionId) {
        self.timers.disarm(&Timer::Direct(connection));
        let Some(direct) = self.directs.get_mut(&connection) else {
            return;
        };
        direct.progress = Progress::Open;
        direct.opened_at = cx.now.wall;
        let request = direct.request.take();
        self.direct_event(cx, connection, ConnectionStatus::Connected, None);
        let info = self
            .directs
            .get(&connection)
            .and_then(|d| self.direct_info(connection, d));
        if let (Some(request), Some(info)) = (request, info) {
            cx.answer(request, super::connected(info));
        }
    }

    /// The far side refuses.
    pub(super) fn direct_refused(&mut self, cx: &mut Context<'_>, id: LinkId, ours: ConnectionId) {
        if self
            .directs
            .get(&ours)
            .is_some_and(|d| d.link == Some(id) && !d.incoming)
        {
            let error = Error::new(Code::ConnectionRefused)
                .detail("the other side does not listen for direct connections, or said no");
            self.end_direct(cx, ours, Some(error));
        }
    }

    /// The far side closes.
    pub(super) fn direct_closed(&mut self, cx: &mut Context<'_>, id: LinkId, theirs: u64) {
        let ours = self
            .directs
            .iter()
            .find(|(_, d)| d.link == Some(id) && d.remote == theirs)
            .map(|(ours, _)| *ours);
        if let Some(ours) = ours {
            self.end_direct(cx, ours, None);
        }
    }

    /// The app closes one, open or opening.
    pub fn close_direct(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
    ) -> Result<(), Error> {
        let known = self
            .directs
            .get(&connection)
            .is_some_and(|d| d.progress != Progress::Deciding);
        if !known {
            return Err(Code::ConnectionNotFound.into());
        }
        let open = self.directs.get(&connection).is_some_and(Direct::is_open);
        let reason = (!open).then(|| Error::new(Code::Aborted).detail("it was closed here"));
        self.close_direct_connection(cx, connection, reason);
        Ok(())
    }

    pub(super) fn close_direct_connection(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        reason: Option<Error>,
    ) {
        let Some(direct) = self.directs.get(&connection) else {
            return;
        };
        if direct.progress != Progress::Waiting
            && let Some(link) = direct.link.and_then(|link| self.links.get_mut(&link))
        {
            link.send(cx, Frame::DirectClose { id: connection.0 });
        }
        self.end_direct(cx, connection, reason);
    }

    pub(super) fn direct_timed_out(&mut self, cx: &mut Context<'_>, connection: ConnectionId) {
        let stage = match self.directs.get(&connection).and_then(|d| d.link) {
            Some(link) => self
                .links
                .get(&link)
                .map_or(Reached::Handshake, Link::reached),
            None => Reached::Handshake,
        };
        let error = Error::new(Code::Timeout).at(stage);
        self.close_direct_connection(cx, connection, Some(error));
    }

    /// Forgets a direct connection and tells the app.
    pub(super) fn end_direct(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        reason: Option<Error>,
    ) {
        let Some(direct) = self.directs.get(&connection) else {
            return;
        };
        let status = if direct.is_open() {
            ConnectionStatus::Disconnected
        } else {
            ConnectionStatus::Failed
        };
        let decided = direct.progress != Progress::Deciding;
        if decided {
            self.direct_event(cx, connection, status, reason.clone());
        }
        self.timers.disarm(&Timer::Direct(connection));
        self.timers.disarm(&Timer::OpenAgain(connection));
        let Some(mut direct) = self.directs.remove(&connection) else {
            return;
        };
        let reason = reason.unwrap_or_else(|| {
            Error::new(Code::ConnectionFailed).detail("the direct connection was closed")
        });
        if let Some(request) = direct.request {
            cx.answer(request, Err(reason.clone()));
        }
        for request in direct.flow.drain() {
            cx.answer(request, Err(super::ending::lost(&reason)));
        }
        self.close_if_unneeded(cx, direct.link);
    }

    /// Closes a link that was there for direct connections only and carries none any more.
    fn close_if_unneeded(&mut self, cx: &mut Context<'_>, link: Option<LinkId>) {
        let Some(link) = link.and_then(|link| self.links.get(&link)) else {
            return;
        };
        let id = link.id;
        let used = self.directs.values().any(|direct| direct.link == Some(id));
        if link.purpose == Purpose::Direct && link.initiator && !used {
            let error = Error::new(Code::ConnectionFailed).detail("no longer needed");
            self.close_link(cx, id, crate::wire::link::ByeReason::Unneeded, &error);
        }
    }

    fn direct_event(
        &self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        status: ConnectionStatus,
        reason: Option<Error>,
    ) {
        let Some(direct) = self.directs.get(&connection) else {
            return;
        };
        let change = ConnectionChange {
            status,
            connection,
            node_id: Some(direct.node),
            peer: direct.peer,
            next: None,
            reason,
            incoming: direct.incoming,
            label: direct.label.clone(),
        };
        cx.event(Event::DirectConnection {
            node: cx.node,
            change: Box::new(change),
        });
    }

    pub(super) fn direct_info(&self, id: ConnectionId, direct: &Direct) -> Option<ConnectionInfo> {
        let link = self.links.get(&direct.link?).filter(|_| direct.is_open())?;
        Some(ConnectionInfo {
            id,
            kind: ConnectionKind::Direct,
            peer: direct.peer?,
            node_id: direct.node,
            opened_at: direct.opened_at,
            bytes_sent: direct.flow.sent,
            bytes_received: direct.flow.received,
            ..super::link_info(link, ConnectionKind::Direct, id)?
        })
    }
}
