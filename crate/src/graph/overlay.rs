//! Which nodes a graph knows and whom it dials: everyone up to eight nodes, some beyond.

use crate::sorted::{Map, Set};

use super::security::Security;
use super::session::Session;
use super::{Graph, Timer};
use crate::engine::context::Context;
use crate::error::{Code, Error, Stage as Reached};
use crate::gauge::{Held, See};
use crate::limits;
use crate::names::{LinkId, NodeAddress, NodeId, PeerId, Tag};
use crate::time::Millis;
use crate::wire::link::{ByeReason, Purpose};
use crate::wire::seconds::Seconds;

/// Whether asking the same node again soon is no use.
#[must_use]
pub fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::ClockSkew
            | Code::InvalidTimePeriod
            | Code::InvitationUsedUp
            | Code::InvitationRevoked
            | Code::InvitationNotTrusted
            | Code::CredentialRevoked
            | Code::ChainTooLong
            | Code::CircularChain
            | Code::WrongPassword
            | Code::UnsupportedVersion
            | Code::UnsupportedPlatform
    )
}

/// Neighbors to aim at in a graph that is too large for a full mesh.
const NEIGHBORS_WANTED: usize = 6;

/// A node that may be dialed.
struct Known {
    address: NodeAddress,
    session: Option<Session>,
    next_dial: Millis,
    failures: u32,
    /// It has another secret than we: dialed like this.
    returns: Option<Purpose>,
    learned: Millis,
}

/// How somebody is named who is kept away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Banned {
    Node(NodeId),
    Peer(PeerId),
}

/// Nodes that are known, linked or not.
#[derive(Default)]
pub struct Overlay {
    known: Map<NodeId, Known>,
    /// Who broke a rule no honest node breaks, by node and by identity, and until when they are kept
    /// away.
    banned: Map<Banned, Millis>,
    last_dial: Option<Millis>,
}

impl Overlay {
    /// Keeps a node, and whoever it is, away for a while.
    pub fn ban(&mut self, now: Millis, node: NodeId, peer: Option<PeerId>) {
        self.known.remove(&node);
        self.banned.retain(|_, until| *until > now);
        let names = [Some(Banned::Node(node)), peer.map(Banned::Peer)];
        for name in names.into_iter().flatten() {
            if self.banned.len() < limits::BANNED_NODES {
                self.banned.insert(name, now + limits::BAN_MS);
            }
        }
    }

    /// Whether a node, or its identity, is kept away.
    #[must_use]
    pub fn is_banned(&self, now: Millis, node: NodeId, peer: Option<PeerId>) -> bool {
        let is = |name| self.banned.get(&name).is_some_and(|until| *until > now);
        is(Banned::Node(node)) || peer.is_some_and(|peer| is(Banned::Peer(peer)))
    }

    /// Shows how many are known and kept away.
    pub fn gauges(&self, see: &mut See<'_>) {
        see(Held::Known, self.known.len(), limits::KNOWN_NODES);
        see(Held::Banned, self.banned.len(), limits::BANNED_NODES);
    }

    /// Forgets a node that left.
    pub fn forget(&mut self, node: NodeId) {
        self.known.remove(&node);
    }

    /// Forgets every node, but not when the last dial was: going off and on again is no way to dial
    /// faster.
    pub fn forget_all(&mut self) {
        self.known.clear();
    }

    /// Forgets the node that was reached under a tag.
    pub fn forget_tag(&mut self, tag: Tag) {
        self.known
            .retain(|_, known| !known.address.tags.contains(&tag));
    }

    /// Where a node is reached, and its session.
    #[must_use]
    pub fn known(&self, node: NodeId) -> Option<(NodeAddress, Option<Session>)> {
        self.known
            .get(&node)
            .map(|known| (known.address.clone(), known.session.clone()))
    }

    /// The nodes of an identity, with the begin of their sessions.
    pub fn nodes_of(&self, peer: PeerId) -> impl Iterator<Item = (Seconds, NodeId)> {
        self.known.iter().filter_map(move |(node, known)| {
            let session = known
                .session
                .as_ref()
                .filter(|session| session.body.peer == peer)?;
            Some((session.body.from, *node))
        })
    }

    /// A node has another secret than we: it is dialed at the door, at once.
    pub fn returns(&mut self, now: Millis, node: NodeId, purpose: Purpose) {
        if let Some(known) = self.known.get_mut(&node) {
            known.returns = Some(purpose);
            known.next_dial = now;
        }
    }

    /// A dial of a node failed: wait longer each time, then forget it until it is seen again.
    pub fn dial_failed(&mut self, cx: &mut Context<'_>, node: NodeId, error: &Error) {
        let Some(known) = self.known.get_mut(&node) else {
            return;
        };
        let code = error.code;
        if let Some(wait) = error.retry_after {
            // Asked again when it said, and a little later, so that not all ask at once.
            let wait = Millis::from(wait).min(limits::REDIAL_MAX_MS);
            known.next_dial =
                cx.now.monotonic + wait + cx.random.jitter(limits::REDIAL_MIN_MS / 2, 90);
            return;
        }
        known.failures += 1;
        if is_final(code) || code == Code::NotAuthorized {
            known.next_dial = cx.now.monotonic + limits::REDIAL_MAX_MS;
            return;
        }
        if known.failures >= limits::DIALS {
            self.known.remove(&node);
            return;
        }
        let pause = crate::time::backoff(
            limits::REDIAL_MIN_MS,
            limits::REDIAL_MAX_MS,
            known.failures - 1,
        );
        known.next_dial = cx.now.monotonic + cx.random.jitter(pause, 30);
    }

    /// From when one more node may be dialed.
    #[must_use]
    pub fn next_dial(&self) -> Option<Millis> {
        self.last_dial.map(|at| at + limits::DIAL_SPACING_MS)
    }

    /// A node is linked, or wanted first: it is dialed at once.
    pub fn linked(&mut self, node: NodeId) {
        if let Some(known) = self.known.get_mut(&node) {
            known.failures = 0;
            known.returns = None;
            known.next_dial = 0;
        }
    }
}

impl Graph {
    /// Notes a node that was found; it is dialed when the graph needs it.
    pub fn learn(&mut self, cx: &mut Context<'_>, address: NodeAddress, session: Option<Session>) {
        let node = crate::crypto::node_of(cx.crypto, address.session);
        let now = cx.now.monotonic;
        let peer = session.as_ref().map(|session| session.body.peer);
        if node == self.own.node || self.overlay.is_banned(now, node, peer) {
            return;
        }
        match self.overlay.known.get_mut(&node) {
            // What nobody has vouched for does not move somebody who was vouched for.
            Some(known) if session.is_none() && known.session.is_some() => {}
            Some(known) => {
                let peer = |session: &Option<Session>| session.as_ref().map(|s| s.body.peer);
                let disputed = known.session.is_some() && peer(&known.session) != peer(&session);
                known.address = address;
                known.learned = now;
                // Two identities claim one key: whoever holds it will prove itself in message 2.
                known.session = session.filter(|_| !disputed);
            }
            None => {
                if self.overlay.known.len() >= limits::KNOWN_NODES {
                    if session.is_none() {
                        return;
                    }
                    let oldest = self
                        .overlay
                        .known
                        .iter()
                        .min_by_key(|(_, k)| k.learned)
                        .map(|(n, _)| *n);
                    oldest.map(|node| self.overlay.known.remove(&node));
                }
                let known = Known {
                    address,
                    session,
                    next_dial: now,
                    failures: 0,
                    returns: None,
                    learned: now,
                };
                self.overlay.known.insert(node, known);
            }
        }
        self.plan(cx);
    }

    /// Whether one more neighbor may be taken on, wanted or not: a link for direct connections only
    /// would keep its node from becoming a neighbor when it is wanted.
    pub(super) fn has_room(&self) -> bool {
        self.room().0 < limits::NEIGHBORS
    }

    /// Whether a dial is under way or will be soon.
    #[must_use]
    pub fn is_trying(&self, now: Millis) -> bool {
        self.links.values().any(|link| !link.is_open())
            || self
                .wanted()
                .any(|(_, due)| due < now + limits::REDIAL_MAX_MS / 2)
    }

    /// Everybody may be dialed again at once: who would not have us at the door will have a member.
    pub fn dial_anew(&mut self, cx: &mut Context<'_>) {
        for known in self.overlay.known.values_mut() {
            known.failures = 0;
            known.next_dial = cx.now.monotonic;
        }
        self.plan(cx);
    }

    /// A node that asked for something before is dialed before all others.
    pub fn dial_first(&mut self, cx: &mut Context<'_>, node: NodeId) {
        self.overlay.linked(node);
        self.plan(cx);
    }

    /// A node is dialed: the next one has to wait.
    pub(super) fn dialed(&mut self, cx: &mut Context<'_>) {
        self.overlay.last_dial = Some(cx.now.monotonic);
        self.plan(cx);
    }

    /// Arms the timer of the next dial.
    pub(super) fn plan(&mut self, cx: &mut Context<'_>) {
        let wanted = self.wanted();
        match wanted.map(|(_, due)| due).min() {
            Some(due) => {
                let spaced = self.overlay.next_dial().unwrap_or(0);
                self.timers
                    .arm(Timer::Dial, due.max(spaced).max(cx.now.monotonic));
            }
            None => self.timers.disarm(&Timer::Dial),
        }
    }

    /// Neighbors there are, those on their way up included, and how many there are to be.
    pub(super) fn room(&self) -> (usize, usize) {
        // Counted by node: one that knocked again and again while we stood still is one neighbor.
        let neighbors: Set<NodeId> = self
            .links
            .values()
            .filter(|link| link.purpose != Purpose::Direct)
            .map(|link| link.remote.node)
            .collect();
        let neighbors = neighbors.len();
        let linked: Set<PeerId> = self
            .links
            .values()
            .filter_map(|link| link.remote.peer())
            .collect();
        // Counted by identity: of whoever came back, ourselves too, the node of before is still
        // announced.
        let unlinked: Set<PeerId> = self
            .overlay
            .known
            .values()
            .filter_map(|known| known.session.as_ref())
            .map(|session| session.body.peer)
            .filter(|peer| !linked.contains(peer) && *peer != self.own.peer())
            .collect();
        let full_mesh = neighbors + unlinked.len() < limits::FULL_MESH_NODES;
        let room = if full_mesh {
            limits::NEIGHBORS
        } else {
            NEIGHBORS_WANTED
        };
        (neighbors, room)
    }

    /// Sends a newcomer that was let in beyond the limit on to others, once both ends have told all
    /// they knew. Returns whether the link has ended.
    pub(super) fn pass_on(&mut self, cx: &mut Context<'_>, id: LinkId) -> bool {
        let (neighbors, _) = self.room();
        let Some(link) = self.links.get(&id) else {
            return false;
        };
        let served = link.purpose.is_at_door()
            && !link.initiator
            && self.directs.values().all(|direct| direct.link != Some(id))
            && link.is_open()
            && link.has_synchronized()
            && link.lane.is_idle();
        if neighbors <= limits::NEIGHBORS || !served {
            return false;
        }
        let error = Error::new(Code::ConnectionFailed)
            .detail("the newcomer was sent on to others: this node has its neighbors")
            .at(Reached::Channel);
        self.close_link(cx, id, ByeReason::Unneeded, &error);
        true
    }

    /// Nodes to dial and when, if more neighbors are wanted.
    fn wanted(&self) -> impl Iterator<Item = (NodeId, Millis)> {
        let linked = |node| {
            let mut links = self.links.values();
            links.any(|link| link.is_like(node, Purpose::Neighbor))
        };
        let (neighbors, room) = self.room();
        // A newcomer asks one member after the other, so that one use admits it.
        let knocking = self.newcomer && !self.links.is_empty();
        let more = neighbors < room
            && self.links.len() < limits::PEER_CONNECTIONS
            && !knocking
            && !(self.newcomer && self.entry.is_none())
            && self.address.is_some();
        self.overlay
            .known
            .iter()
            .filter(move |(node, _)| more && !linked(**node))
            .map(|(node, known)| (*node, known.next_dial))
    }

    /// Dials the node that is due.
    pub(super) fn maintain(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        let now = cx.now.monotonic;
        let due = self
            .wanted()
            .filter(|(_, due)| *due <= now)
            .min_by_key(|(_, due)| *due);
        if let Some((node, _)) = due
            && let Some(known) = self.overlay.known.get(&node)
        {
            let (address, session) = (known.address.clone(), known.session.clone());
            let entry = self.entry.filter(|_| self.newcomer);
            let purpose = match entry.or(known.returns) {
                Some(purpose) => purpose,
                None => Purpose::Neighbor,
            };
            self.overlay.last_dial = Some(now);
            self.dial(cx, security, address, session, purpose, None);
        }
        self.plan(cx);
    }
}
