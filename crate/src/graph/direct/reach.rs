//! Which node a direct connection goes to, and what is tried when it is not reached.

use super::super::link::Link;
use super::super::security::Security;
use super::super::{Graph, Timer};
use super::Progress;
use crate::engine::command::Target;
use crate::engine::context::Context;
use crate::error::{Code, Error};
use crate::graph::session::Session;
use crate::names::{ConnectionId, LinkId, NodeAddress, NodeId, PeerId};
use crate::sorted::Set;
use crate::wire::link::Purpose;

impl Graph {
    /// The nodes to try, in order; at least one.
    pub(super) fn targets(&self, cx: &Context<'_>, to: &Target) -> Result<Vec<NodeId>, Error> {
        let own = &self.own;
        let nodes = match to {
            Target::Node(node) => vec![*node],
            Target::Address(address) => vec![crate::crypto::node_of(cx.crypto, address.session)],
            Target::Peer(peer) if *peer == own.peer() => vec![own.node],
            Target::Peer(peer) => self.nodes_of(cx, *peer),
        };
        match nodes.first() {
            None => {
                Err(Error::new(Code::NodeNotFound).detail("that member is not known to be online"))
            }
            Some(node) if *node == own.node => Err(Code::ConnectSelf.into()),
            Some(_) => Ok(nodes),
        }
    }

    /// The nodes of an identity: first those that are present, then those that show nothing of
    /// themselves, linked ones first, and always the newest first.
    fn nodes_of(&self, cx: &Context<'_>, peer: PeerId) -> Vec<NodeId> {
        let now = self.records.clock.at(cx.now);
        let present = self.present_nodes(peer, now).into_iter();
        let mut nodes: Vec<NodeId> = present.map(|(node, _)| node).collect();
        let linked = self
            .links
            .values()
            .filter(|link| link.remote.peer() == Some(peer))
            .filter_map(|link| {
                let from = link.remote.session.as_ref()?.body.from;
                Some((link.is_open(), from, link.remote.node))
            });
        let known = self.overlay.nodes_of(peer);
        let others: Set<_> = linked
            .chain(known.map(|(from, node)| (false, from, node)))
            .collect();
        let others: Vec<NodeId> = others.into_iter().map(|(_, _, node)| node).collect();
        for node in others.into_iter().rev() {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        nodes
    }

    /// Where a node is reached, and its session where that is known.
    pub(super) fn place_of(
        &self,
        cx: &Context<'_>,
        node: NodeId,
    ) -> Option<(NodeAddress, Option<Session>)> {
        let now = self.records.clock.at(cx.now);
        let linked = |link: &Link| (link.remote.address.clone(), link.remote.session.clone());
        let present = || self.present_at(node, now).map(|address| (address, None));
        let known = self.overlay.known(node);
        known
            .or_else(|| self.node_link(node).map(linked))
            .or_else(present)
            .filter(|_| self.online)
    }

    /// A node does not want a link that the app is opening connections over: they get one of their own.
    pub(in crate::graph) fn open_elsewhere(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
    ) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let (address, session) = (link.remote.address.clone(), link.remote.session.clone());
        let opening: Vec<ConnectionId> = self
            .directs
            .iter()
            .filter(|(_, direct)| direct.link == Some(id) && !direct.incoming && !direct.is_open())
            .map(|(connection, _)| *connection)
            .collect();
        if opening.is_empty() {
            return;
        }
        self.dialed(cx);
        let link = self.dial(cx, security, address, session, Purpose::Direct, None);
        for connection in opening {
            if let Some(direct) = self.directs.get_mut(&connection) {
                direct.link = Some(link);
                direct.progress = Progress::Waiting;
            }
        }
    }

    /// A link did not come up: what the app opens over it goes to another node of the member or, where
    /// there is none, is tried once more, for the link may have been begun long before.
    pub(in crate::graph) fn try_directs_again(&mut self, cx: &mut Context<'_>, link: &Link) {
        let waiting: Vec<ConnectionId> = self
            .directs
            .iter()
            .filter(|(_, direct)| {
                direct.link == Some(link.id)
                    && direct.progress == Progress::Waiting
                    && !(direct.tried_again && direct.others.is_empty())
            })
            .map(|(connection, _)| *connection)
            .collect();
        for connection in waiting {
            let (mut node, mut again) = (link.remote.node, None);
            while again.is_none()
                && let Some(next) = self.next_node(connection)
            {
                (node, again) = (next, self.place_of(cx, next));
            }
            let Some(direct) = self.directs.get_mut(&connection) else {
                continue;
            };
            if again.is_none() {
                direct.tried_again = true;
                node = link.remote.node;
            }
            let (address, session) = (&link.remote.address, &link.remote.session);
            direct.node = node;
            direct.link = None;
            direct.again = again
                .or_else(|| Some((address.clone(), session.clone())))
                .map(Box::new);
            self.timers
                .arm(Timer::OpenAgain(connection), cx.now.monotonic);
        }
    }

    fn next_node(&mut self, connection: ConnectionId) -> Option<NodeId> {
        let others = &mut self.directs.get_mut(&connection)?.others;
        (!others.is_empty()).then(|| others.remove(0))
    }

    pub(in crate::graph) fn open_again(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        connection: ConnectionId,
    ) {
        let now = cx.now.monotonic;
        if let Some(due) = self.overlay.next_dial().filter(|due| *due > now) {
            return self.timers.arm(Timer::OpenAgain(connection), due);
        }
        let Some(direct) = self.directs.get_mut(&connection) else {
            return;
        };
        let node = direct.node;
        let Some((address, session)) = direct.again.take().map(|again| *again) else {
            return;
        };
        let link = self.node_link(node).map(|link| (link.id, link.is_open()));
        let (link, open) = link.unwrap_or_else(|| {
            self.dialed(cx);
            let purpose = self.purpose_of_direct();
            let link = self.dial(cx, security, address, session, purpose, None);
            (link, false)
        });
        if let Some(direct) = self.directs.get_mut(&connection) {
            direct.link = Some(link);
        }
        if open {
            self.ask_direct(cx, connection);
        }
    }

    /// Whoever may be a neighbor becomes one when the app opens something to it.
    pub(super) fn purpose_of_direct(&self) -> Purpose {
        if self.has_room() {
            Purpose::Neighbor
        } else {
            Purpose::Direct
        }
    }
}
