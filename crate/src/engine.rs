//! The facade: commands and inputs in, effects and events out, one deadline.
//!
//! The run loop of every driver: give it commands and inputs, then carry out `poll_effect` until it
//! is empty, hand `poll_event` to the app until it is empty, and call [`Engine::handle`] with a
//! tick at [`Engine::next_timeout`]. A timer may be late by a minute; whatever is due runs first.

pub mod command;
mod commands;
pub mod context;
mod deletion;
pub mod effect;
pub mod event;
mod gauges;
mod identities;
pub mod input;
mod keeping;
mod lapse;
mod members;
mod membership;
mod node;
mod online;
mod opening;
mod password;
mod records;
mod saving;
mod stretching;

use crate::sorted::Map;
use std::collections::VecDeque;

use crate::crypto::{Crypto, REAL};
use crate::error::{Code, Error};
use crate::group::properties::Properties;
use crate::limits;
use crate::names::{
    ConnectionId, ConnectionKind, GroupId, HandleId, NodeAddress, NodeIndex, PeerId, RecordId,
    RequestId, StorageId, StretchId,
};
use crate::random::Random;
use crate::record::model::Record;
use crate::record::store::Entry;
use crate::time::{Millis, Now};

use command::{Command, OpenOptions, Store};
use context::{Context, Ids, Requests};
use effect::Effect;
use event::{Answer, ConnectionInfo, Event, Status};
use identities::Desk;
use input::Input;
use node::{Kind, Node};
use opening::{Operation, What};
use stretching::Stretching;

/// What an engine is made with.
#[derive(Clone, Copy)]
pub struct Config {
    /// The primitives: the real ones, except in bulk simulation.
    pub crypto: Crypto,
    /// Bytes that queues may hold; beyond it calls answer `out-of-memory`.
    pub max_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            crypto: &REAL,
            max_bytes: limits::ENGINE_BYTES,
        }
    }
}

/// What every machine shares.
struct Core {
    config: Config,
    random: Random,
    ids: Ids,
    requests: Requests,
    effects: VecDeque<Effect>,
    events: VecDeque<Event>,
}

impl Core {
    fn context(&mut self, now: Now, node: NodeIndex) -> Context<'_> {
        Context {
            now,
            crypto: self.config.crypto,
            random: &mut self.random,
            ids: &mut self.ids,
            requests: &mut self.requests,
            effects: &mut self.effects,
            events: &mut self.events,
            node,
        }
    }
}

/// All groups and graphs of one page or process.
pub struct Engine {
    core: Core,
    nodes: Map<NodeIndex, Node>,
    handles: Map<HandleId, NodeIndex>,
    identities: Map<Store, Desk>,
    stretchings: Map<StretchId, Stretching>,
    /// Identities that this engine has deleted, the last ones: whoever still uses one is told so.
    deleted: VecDeque<(Store, PeerId)>,
    operations: Map<StorageId, Operation>,
    /// Nobody looks at this page.
    hidden: bool,
    /// Handles up to this one were ended by `Shutdown`.
    shut_down: Option<HandleId>,
    last: Now,
}

impl Engine {
    /// An engine without groups. The seed must be unpredictable: every key comes from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            core: Core {
                config,
                random: Random::new(seed),
                ids: Ids::default(),
                requests: Requests::default(),
                effects: VecDeque::new(),
                events: VecDeque::new(),
            },
            nodes: Map::new(),
            handles: Map::new(),
            identities: Map::new(),
            stretchings: Map::new(),
            deleted: VecDeque::new(),
            operations: Map::new(),
            hidden: false,
            shut_down: None,
            last: Now::default(),
        }
    }

    /// The app asks. What needs no world is refused at once; everything else is answered once, by
    /// an event.
    pub fn command(&mut self, now: Now, command: Command) -> Result<RequestId, Error> {
        let now = self.advance(now);
        match command {
            Command::CreateGroup { options, group } => self.open(options, What::CreateGroup(group)),
            Command::OpenGroup { options, group } => self.open(options, What::OpenGroup(group)),
            Command::JoinGroup {
                options,
                invitation,
            } => self.join(options, &invitation, None),
            command @ (Command::JoinWithPassword { .. }
            | Command::GivePassword { .. }
            | Command::CreatePasswordInvitation { .. }) => self.on_password(now, command),
            Command::CreateGraph { options, graph } => {
                let scope = self.graph_scope(&graph)?;
                self.open(options, What::CreateGraph(scope))
            }
            Command::OpenGraph { options, graph } => {
                let scope = self.graph_scope(&graph)?;
                self.open(options, What::OpenGraph(scope))
            }
            Command::DeleteGroup {
                store,
                identity,
                group,
            } => self.open(OpenOptions::of(store, identity), What::DeleteGroup(group)),
            Command::Connect {
                handle,
                timeout_ms,
                addresses,
            } => self.connect(now, handle, timeout_ms, addresses),
            Command::Listen { handle } => self.listen(now, handle),
            Command::ConnectNode {
                handle,
                peer,
                address,
                timeout_ms,
            } => self.connect_node(now, handle, peer, address, timeout_ms),
            Command::Close { handle } => self.close(now, handle),
            Command::OpenDirect {
                handle,
                to,
                label,
                timeout_ms,
            } => self.open_direct(now, handle, &to, label, timeout_ms),
            Command::CloseDirect { handle, connection } => {
                self.on_node(now, handle, false, |node, cx, _| {
                    node.graph
                        .close_direct(cx, connection)
                        .map(|()| Some(Answer::Done))
                })
            }
            Command::Send {
                handle,
                connection,
                kind,
                data,
            } => self.send(now, handle, connection, kind, data),
            Command::Take {
                handle,
                connection,
                messages,
            } => self.on_node(now, handle, false, |node, cx, _| {
                // The connection may have closed while the app was busy.
                let _ = node.graph.take(cx, connection, messages);
                Ok(Some(Answer::Done))
            }),
            Command::CreateInvitation { handle, invitation } => {
                self.create_invitation(now, handle, &invitation)
            }
            Command::IssueCredentials { handle, new } => self.issue(now, handle, &new),
            Command::SetProperties { handle, change } => self.set_properties(now, handle, &change),
            Command::End { handle, call } => self.end(now, handle, call),
            Command::SetPresence { handle, change } => self.set_presence(now, handle, change),
            Command::AddRecord { handle, record } => self.add_record(now, handle, record),
            Command::UpdateRecord { handle, id, update } => self.update(now, handle, id, update),
            Command::DeleteRecord { handle, id } => self.delete_record(now, handle, id),
            Command::GetRecord { handle, id } => self.get_record(now, handle, id),
            Command::ListRecords {
                handle,
                kind,
                creator,
            } => self.list_records(now, handle, kind.as_deref(), creator),
            Command::SearchRecords { handle, search } => self.search_records(now, handle, &search),
            Command::DeleteLocal { handle, id } => self.delete_local(now, handle, id),
            Command::ValidateDeferred { handle, ids } => self.validate_deferred(now, handle, &ids),
            Command::ExportDatabase { handle } => self.export_database(now, handle),
            Command::ImportDatabase { handle, data } => self.import_database(now, handle, &data),
            Command::ExportConfig { handle, password } => self.export_config(handle, password),
            Command::ImportConfig {
                store,
                text,
                password,
                overwrite,
            } => self.import_config(OpenOptions::of(store, None), &text, password, overwrite),
            Command::ListGroups { store, identity } => {
                self.open(OpenOptions::of(store, identity), What::ListGroups)
            }
            Command::Identities { store, call } => self.identity_call(now, store, call),
            Command::Abort { request } => self.abort(now, request),
            Command::Shutdown => self.shut_down(now),
        }
    }

    /// The world happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        let now = self.advance(now);
        let due: Vec<NodeIndex> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.next_timeout().is_some_and(|at| at <= now.monotonic))
            .map(|(index, _)| *index)
            .collect();
        for index in due {
            if let Some(node) = self.nodes.get_mut(&index) {
                node.tick(&mut self.core.context(now, index));
            }
        }
        match input {
            Input::Tick => {}
            Input::Seen { visible } => self.seen(now, visible),
            input => match self.owner(&input) {
                Some(index) => {
                    if let Some(node) = self.nodes.get_mut(&index) {
                        node.input(&mut self.core.context(now, index), input);
                    }
                }
                // What belongs to no node is the engine's own, or late news of something that ended.
                None => match input {
                    Input::Persisted { storage, result } => self.persisted(now, storage, result),
                    Input::Loaded { storage, result } => self.loaded(now, storage, result),
                    Input::Stretched { stretch, key } => self.stretched(now, stretch, key),
                    _ => {}
                },
            },
        }
        self.finish_leaving(now);
    }

    /// The node that an input is for.
    fn owner(&self, input: &Input) -> Option<NodeIndex> {
        let is_for = |index: NodeIndex, node: &Node| match input {
            Input::SocketOpened { socket }
            | Input::SocketReceived { socket, .. }
            | Input::SocketClosed { socket } => node.mailbox.owns(*socket),
            Input::Locked { node, .. } => *node == index,
            Input::Answered { ask, .. } => node.graph.asked(*ask),
            Input::Persisted { storage, .. } | Input::Loaded { storage, .. } => {
                node.stores(*storage)
            }
            Input::Stretched { stretch, .. } => node.stretches(*stretch),
            Input::Worked { work, .. } => node.works(*work),
            other => other.link().is_some_and(|link| node.graph.owns(link)),
        };
        self.nodes
            .iter()
            .find(|(index, node)| is_for(**index, node))
            .map(|(index, _)| *index)
    }

    /// The next thing for the driver to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.core.effects.pop_front()
    }

    /// The next thing for the app to hear.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    /// When to call `handle` with a tick, on the monotonic clock.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        self.nodes.values().filter_map(Node::next_timeout).min()
    }

    /// The connection that a request under way is opening.
    #[must_use]
    pub fn connection_of(&self, request: RequestId) -> Option<ConnectionId> {
        self.core.requests.get(request)?.connection
    }

    /// A handle's status.
    pub fn status(&self, handle: HandleId) -> Result<Status, Error> {
        self.node(handle).map(|node| node.status)
    }

    /// Where a handle's node is reached, once it is.
    pub fn address(&self, handle: HandleId) -> Result<Option<NodeAddress>, Error> {
        let node = self.node(handle)?;
        Ok(node.graph.address.clone().filter(|_| node.status.listening))
    }

    /// A snapshot of a handle's connections, of one kind or of both.
    pub fn connections(
        &self,
        handle: HandleId,
        kind: Option<ConnectionKind>,
    ) -> Result<Vec<ConnectionInfo>, Error> {
        let node = self.node(handle)?;
        self.check_memory(0)?;
        Ok(node.graph.connections(kind))
    }

    /// The group of a handle, and what it is like.
    pub fn properties(&self, handle: HandleId) -> Result<(GroupId, &Properties), Error> {
        let node = self.node(handle)?;
        let Kind::Group(group) = &node.kind else {
            return Err(Code::InvalidGroup.into());
        };
        node.ready()?;
        let signed = group.state.properties.as_ref();
        let signed = signed.ok_or_else(|| Error::from(Code::GroupNotReady))?;
        Ok((group.state.group, &signed.properties))
    }

    /// Peer time minus this machine's wall clock, in milliseconds.
    pub fn peer_time_offset(&self, handle: HandleId) -> Result<i64, Error> {
        let node = self.node(handle)?;
        node.ready()?;
        Ok(node.graph.records.clock.offset_ms())
    }

    /// What a handle's node holds of a record, a tombstone too: to see what the app does not.
    pub fn held(&self, handle: HandleId, id: RecordId) -> Result<Option<&Record>, Error> {
        let held = self.node(handle)?.graph.records.store.any(&id);
        Ok(held.map(Entry::record))
    }

    /// Time never goes back.
    fn advance(&mut self, now: Now) -> Now {
        self.last = Now {
            monotonic: now.monotonic.max(self.last.monotonic),
            wall: now.wall,
        };
        self.last
    }

    fn answer(&mut self, request: RequestId, result: Result<Answer, Error>) {
        let last = self.last;
        self.core
            .context(last, NodeIndex(0))
            .answer(request, result);
    }

    /// Why a handle that is not there is of no use.
    fn invalid(&self, handle: HandleId) -> Error {
        if self.shut_down.is_some_and(|last| handle <= last) {
            return Code::NotInitialized.into();
        }
        if handle.is_graph() {
            Code::InvalidGraph.into()
        } else {
            Code::InvalidGroup.into()
        }
    }

    fn index(&self, handle: HandleId) -> Result<NodeIndex, Error> {
        self.handles
            .get(&handle)
            .copied()
            .ok_or_else(|| self.invalid(handle))
    }

    fn node(&self, handle: HandleId) -> Result<&Node, Error> {
        let index = self.index(handle)?;
        self.nodes.get(&index).ok_or_else(|| self.invalid(handle))
    }

    fn check_memory(&self, more: usize) -> Result<(), Error> {
        let held: usize = self.nodes.values().map(|node| node.graph.bytes()).sum();
        if held.saturating_add(more) > self.core.config.max_bytes {
            return Err(Error::new(Code::OutOfMemory).detail(format!(
                "{held} bytes wait to be sent or taken, of {} allowed",
                self.core.config.max_bytes
            )));
        }
        Ok(())
    }
}
