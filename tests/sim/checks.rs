//! What must hold after every step: a small model of each engine, and what ends must agree on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peer_group::engine::command::Command;
use peer_group::engine::effect::{Effect, Role};
use peer_group::engine::event::{Answer, ConnectionChange, ConnectionStatus, Event, Path, State};
use peer_group::engine::input::Input;
use peer_group::limits;
use peer_group::names::{
    AskId, ConnectionId, ConnectionKind, HandleId, LinkId, NodeIndex, RequestId, SocketId,
    StorageId, StretchId, WorkId,
};
use peer_group::time::Millis;

use super::net::Secrets;
use super::taint::is_tainted;
use super::world::World;

/// How long a request without a limit of its own may take.
const REQUEST_MS: Millis = 120_000;
/// Links that an engine may begin by itself in one second.
const DIALS_PER_SECOND: usize = 2;

/// How long a command may take.
#[must_use]
pub fn limit_of(command: &Command) -> Millis {
    match command {
        Command::Connect { timeout_ms, .. }
        | Command::ConnectNode { timeout_ms, .. }
        | Command::OpenDirect { timeout_ms, .. } => *timeout_ms,
        _ => REQUEST_MS,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wire {
    Opening,
    Open,
    Ended,
    Closed,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    wire: Wire,
    offers: bool,
    described: bool,
    remote: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Connected,
    Over,
}

/// What one engine said and did so far.
#[derive(Default)]
pub struct Model {
    sockets: BTreeMap<SocketId, Wire>,
    links: BTreeMap<LinkId, Link>,
    operations: BTreeSet<StorageId>,
    asks: BTreeSet<AskId>,
    locks: BTreeSet<NodeIndex>,
    stretchings: BTreeSet<StretchId>,
    works: BTreeSet<WorkId>,
    dials: VecDeque<Millis>,
    /// What the engine does now, neither the app nor another node asked for.
    unasked: bool,
    /// Requests under way: since when, and for how long at most.
    pub requests: BTreeMap<RequestId, (Millis, Millis)>,
    answered: BTreeSet<RequestId>,
    /// Open handles and their nodes.
    pub handles: BTreeMap<HandleId, NodeIndex>,
    connections: BTreeMap<ConnectionId, (NodeIndex, ConnectionKind, Told)>,
}

fn broken<T>(text: impl Into<String>) -> Result<T, String> {
    Err(text.into())
}

impl Model {
    /// The app asked something.
    pub fn asked(&mut self, now: Millis, request: RequestId, limit: Millis) -> Result<(), String> {
        self.unasked = false;
        if self.requests.insert(request, (now, limit)).is_some() || self.answered.contains(&request)
        {
            return broken(format!("{request:?} was given twice"));
        }
        Ok(())
    }

    /// The engine is about to hear something.
    pub fn hears(&mut self, input: &Input) {
        self.unasked = !matches!(input, Input::SocketReceived { .. });
        match input {
            Input::SocketOpened { socket } => {
                if let Some(wire @ Wire::Opening) = self.sockets.get_mut(socket) {
                    *wire = Wire::Open;
                }
            }
            Input::LinkDescribed { link, .. } => {
                if let Some(of) = self.links.get_mut(link) {
                    of.described = true;
                }
            }
            Input::LinkOpened { link } => {
                if let Some(Link {
                    wire: wire @ Wire::Opening,
                    ..
                }) = self.links.get_mut(link)
                {
                    *wire = Wire::Open;
                }
            }
            _ => {}
        }
    }

    /// Whether something ends with that.
    #[must_use]
    pub fn is_end(input: &Input) -> bool {
        matches!(
            input,
            Input::SocketClosed { .. } | Input::LinkFailed { .. } | Input::LinkClosed { .. }
        )
    }

    /// The engine has heard something: what has ended is not used from now on.
    pub fn ends(&mut self, input: &Input) {
        match input {
            Input::SocketClosed { socket } => {
                if let Some(wire @ (Wire::Opening | Wire::Open)) = self.sockets.get_mut(socket) {
                    *wire = Wire::Ended;
                }
            }
            Input::LinkFailed { link, .. } | Input::LinkClosed { link } => {
                if let Some(of) = self.links.get_mut(link)
                    && of.wire != Wire::Closed
                {
                    of.wire = Wire::Ended;
                }
            }
            _ => {}
        }
    }

    fn link(&mut self, link: LinkId, what: &str) -> Result<&mut Link, String> {
        match self.links.get_mut(&link) {
            Some(of) if matches!(of.wire, Wire::Opening | Wire::Open) => Ok(of),
            other => broken(format!("{what} on {link:?}, which is {other:?}")),
        }
    }

    /// The engine wants something done.
    pub fn effect(&mut self, now: Millis, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::OpenSocket { socket, .. } => {
                match self.sockets.insert(*socket, Wire::Opening) {
                    None => Ok(()),
                    Some(_) => broken(format!("{socket:?} was opened twice")),
                }
            }
            Effect::SendSocket { socket, bytes } => {
                if bytes.len() > 2 * limits::SIGNAL_BYTES {
                    return broken(format!("{} bytes for the server", bytes.len()));
                }
                match self.sockets.get(socket) {
                    Some(Wire::Open) => Ok(()),
                    other => broken(format!("sent over {socket:?}, which is {other:?}")),
                }
            }
            Effect::CloseSocket { socket } => match self.sockets.insert(*socket, Wire::Closed) {
                Some(Wire::Opening | Wire::Open | Wire::Ended) => Ok(()),
                other => broken(format!("closed {socket:?}, which was {other:?}")),
            },
            Effect::OpenLink { link, role, .. } => self.open_link(now, *link, role),
            Effect::AnswerLink { link, .. } => {
                let of = self.link(*link, "an answer")?;
                if !of.offers || !of.described || of.remote {
                    return broken(format!("an answer out of order on {link:?}: {of:?}"));
                }
                of.remote = true;
                Ok(())
            }
            Effect::AddCandidate { link, .. } => {
                let of = self.link(*link, "a candidate")?;
                if of.remote {
                    Ok(())
                } else {
                    broken(format!("too early a candidate on {link:?}"))
                }
            }
            Effect::Transmit { link, bytes, .. } => {
                let of = self.link(*link, "a frame")?;
                if of.wire != Wire::Open || bytes.len() > limits::FRAME_BYTES {
                    return broken(format!("a frame of {} on {link:?}: {of:?}", bytes.len()));
                }
                Ok(())
            }
            Effect::CloseLink { link } => match self.links.get_mut(link) {
                Some(of) if of.wire != Wire::Closed => {
                    of.wire = Wire::Closed;
                    Ok(())
                }
                other => broken(format!("closed {link:?}, which was {other:?}")),
            },
            Effect::Load { storage, .. } | Effect::Persist { storage, .. } => {
                if self.operations.insert(*storage) {
                    Ok(())
                } else {
                    broken("a storage operation twice")
                }
            }
            Effect::Stretch { stretch, .. } => {
                if self.stretchings.insert(*stretch) {
                    Ok(())
                } else {
                    broken("a password stretched twice")
                }
            }
            Effect::Work { work, .. } => {
                if self.works.insert(*work) {
                    Ok(())
                } else {
                    broken("work done twice")
                }
            }
            Effect::Lock { node, .. } => {
                if self.locks.insert(*node) {
                    Ok(())
                } else {
                    broken(format!("{node:?} locked twice"))
                }
            }
            Effect::Unlock { node } => {
                if self.locks.remove(node) {
                    Ok(())
                } else {
                    broken(format!("{node:?} was not locked"))
                }
            }
            Effect::Ask { ask, .. } => {
                if self.asks.insert(*ask) {
                    Ok(())
                } else {
                    broken(format!("{ask:?} asked twice"))
                }
            }
        }
    }

    fn open_link(&mut self, now: Millis, link: LinkId, role: &Role) -> Result<(), String> {
        let offers = *role == Role::Offer;
        let of = Link {
            wire: Wire::Opening,
            offers,
            described: false,
            remote: !offers,
        };
        if self.links.insert(link, of).is_some() {
            return broken(format!("{link:?} was opened twice"));
        }
        let live = self.live_links();
        if live > limits::PEER_CONNECTIONS {
            return broken(format!("{live} peer connections"));
        }
        if offers && self.unasked {
            self.dial(now)
        } else {
            Ok(())
        }
    }

    /// A link is begun that nobody asked for.
    fn dial(&mut self, now: Millis) -> Result<(), String> {
        self.dials.push_back(now);
        while self.dials.front().is_some_and(|at| at + 1_000 <= now) {
            self.dials.pop_front();
        }
        if self.dials.len() > DIALS_PER_SECOND {
            return broken(format!("{} dials within a second", self.dials.len()));
        }
        Ok(())
    }

    /// Peer connections that the driver holds.
    #[must_use]
    pub fn live_links(&self) -> usize {
        let holds = |of: &&Link| matches!(of.wire, Wire::Opening | Wire::Open);
        self.links.values().filter(holds).count()
    }

    /// Sockets that the driver holds.
    #[must_use]
    pub fn live_sockets(&self) -> usize {
        let holds = |wire: &&Wire| matches!(wire, Wire::Opening | Wire::Open);
        self.sockets.values().filter(holds).count()
    }

    /// Locks that the driver holds.
    #[must_use]
    pub fn live_locks(&self) -> usize {
        self.locks.len()
    }

    /// The app hears something.
    pub fn event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Answered { request, result } => {
                if self.requests.remove(request).is_none() || !self.answered.insert(*request) {
                    return broken(format!("{request:?} was answered twice, or never asked"));
                }
                if let Ok(Answer::Opened(opened)) = result {
                    self.handles.insert(opened.handle, opened.node);
                }
                Ok(())
            }
            Event::StatusChanged { node, .. }
            | Event::PropertiesChanged { node }
            | Event::RecordChanged { node, .. }
            | Event::MemberChanged { node, .. }
            | Event::TypeSynchronized { node, .. }
            | Event::StorageFailed { node, .. }
            | Event::AuthenticationFailed { node, .. }
            | Event::ConnectionFailed { node, .. } => self.node_is_open(*node, event),
            Event::NeighborConnection { node, change } => {
                self.node_is_open(*node, event)?;
                self.connection(*node, ConnectionKind::Neighbor, change)
            }
            Event::DirectConnection { node, change } => {
                self.node_is_open(*node, event)?;
                self.connection(*node, ConnectionKind::Direct, change)
            }
            Event::IncomingData {
                node, connection, ..
            } => {
                self.node_is_open(*node, event)?;
                match self.connections.get(connection) {
                    Some((of, _, Told::Connected)) if of == node => Ok(()),
                    other => broken(format!("data on {connection:?}, which is {other:?}")),
                }
            }
            Event::Closed { handle, .. } => {
                let Some(node) = self.handles.remove(handle) else {
                    return broken(format!("{handle:?} was closed twice, or never open"));
                };
                if !self.handles.values().any(|of| *of == node) {
                    self.connections.retain(|_, (of, _, _)| *of != node);
                }
                Ok(())
            }
        }
    }

    fn node_is_open(&self, node: NodeIndex, event: &Event) -> Result<(), String> {
        if self.handles.values().any(|of| *of == node) {
            Ok(())
        } else {
            broken(format!("an event of a node without handles: {event:?}"))
        }
    }

    fn connection(
        &mut self,
        node: NodeIndex,
        kind: ConnectionKind,
        change: &ConnectionChange,
    ) -> Result<(), String> {
        let before = self.connections.get(&change.connection).copied();
        let now = match (before, change.status) {
            (None, ConnectionStatus::Connected) => Told::Connected,
            (None, ConnectionStatus::Failed) => Told::Over,
            (Some((of, same, Told::Connected)), ConnectionStatus::Disconnected)
                if of == node && same == kind =>
            {
                Told::Over
            }
            _ => return broken(format!("{change:?} after {before:?}")),
        };
        self.connections
            .insert(change.connection, (node, kind, now));
        Ok(())
    }

    fn open_connections(&self, node: NodeIndex) -> BTreeSet<(ConnectionId, ConnectionKind)> {
        let all = self.connections.iter();
        all.filter(|(_, (of, _, told))| *of == node && *told == Told::Connected)
            .map(|(id, (_, kind, _))| (*id, *kind))
            .collect()
    }
}

impl World {
    /// No byte of a description goes where it may be read.
    pub fn check_taint(&mut self, machine: usize, to: &str, bytes: &[u8]) {
        if is_tainted(bytes) {
            self.fail(format!(
                "machine {machine} shows {to} a part of a description"
            ));
        }
    }

    /// A machine was shown a description: both it and whoever wrote it must be members.
    pub fn saw_description(&mut self, machine: usize, secrets: &Secrets) {
        let writer = self
            .net
            .ends
            .iter()
            .find(|end| end.secrets == *secrets)
            .map(|end| end.machine);
        let Some(writer) = writer else {
            self.fail(format!(
                "machine {machine} was given a description that nobody wrote"
            ));
            return;
        };
        for one in [machine, writer] {
            let peer = self.machines[one].app.peer;
            if !peer.is_some_and(|peer| self.members.contains(&peer)) {
                self.fail(format!(
                    "machine {writer}'s description reached {machine}, {one} is no member"
                ));
            }
        }
    }

    /// A connection opened, closed or failed: the other end must be who the event says.
    pub fn connection_changed(
        &mut self,
        machine: usize,
        kind: ConnectionKind,
        change: ConnectionChange,
    ) {
        let app = &mut self.machines[machine].app;
        if change.status != ConnectionStatus::Connected {
            app.connections.remove(&change.connection);
            return;
        }
        app.connections
            .insert(change.connection, (kind, change.clone()));
        let named = change.node_id.zip(change.peer);
        let Some((node, peer)) = named else {
            self.fail(format!(
                "machine {machine}: connected to nobody: {change:?}"
            ));
            return;
        };
        let Some((other, owner)) = self.nodes.get(&node).copied() else {
            self.fail(format!(
                "machine {machine}: connected to a node that nobody has: {node:?}"
            ));
            return;
        };
        if owner != peer {
            self.fail(format!(
                "machine {machine}: {node:?} is {owner:?}, not {peer:?}"
            ));
        }
        let of = &self.machines[machine];
        let infos = of.engine().connections(of.app.handle(), None);
        let mut infos = infos.into_iter().flatten();
        let path = infos
            .find(|info| info.id == change.connection)
            .map(|info| info.path);
        let linked = match path {
            // Over the server nothing opens: what is opened there only those can who were.
            Some(Path::Relay) => self.net.described(machine, other),
            _ => self.net.linked(machine, other),
        };
        if path == Some(Path::Relay) {
            self.net.relayed += 1;
        }
        if !linked {
            self.fail(format!(
                "machine {machine}: connected to {other} without a link"
            ));
        }
    }

    /// What the engine shows must be what its events told.
    pub fn check_state(&mut self, machine: usize) {
        let result = self.state_agrees(machine);
        self.check(machine, result);
    }

    fn state_agrees(&self, machine: usize) -> Result<(), String> {
        let of = &self.machines[machine];
        let Some(engine) = &of.engine else {
            return Ok(());
        };
        for (handle, node) in &of.model.handles {
            let told = of.model.open_connections(*node);
            let infos = engine
                .connections(*handle, None)
                .map_err(|e| format!("{handle:?}: {e:?}"))?;
            let shown: BTreeSet<_> = infos.iter().map(|info| (info.id, info.kind)).collect();
            if shown != told || infos.len() != shown.len() {
                return broken(format!(
                    "connections() shows {shown:?}, events told {told:?}"
                ));
            }
            let status = engine
                .status(*handle)
                .map_err(|e| format!("{handle:?}: {e:?}"))?;
            let neighbors = told
                .iter()
                .any(|(_, kind)| *kind == ConnectionKind::Neighbor);
            let fits = match status.state {
                State::Online => neighbors,
                State::Listening | State::Disconnected | State::Connecting | State::Closed => {
                    !neighbors
                }
                State::Synchronizing | State::Suspended => true,
            };
            if !fits || status.has_connections != neighbors {
                return broken(format!("{status:?} with neighbors: {neighbors}"));
            }
            if of.app.handle == Some(*handle) && of.app.status.is_some_and(|told| told != status) {
                return broken(format!(
                    "status() is {status:?}, events told {:?}",
                    of.app.status
                ));
            }
        }
        Ok(())
    }

    /// Every request that has had its time is answered. Holds only while machines run freely.
    pub fn check_requests(&mut self) {
        for machine in 0..self.machines.len() {
            let of = &self.machines[machine];
            if of.backlog.is_some() || of.engine.is_none() {
                continue;
            }
            let late = of.model.requests.iter().find(|(_, (since, limit))| {
                // Late timers may be a minute late.
                self.now > (*since).max(of.thawed_at) + limit + 65_000
            });
            if let Some((request, _)) = late {
                let text = format!("machine {machine}: {request:?} was never answered");
                self.fail(text);
                return;
            }
        }
    }
}
