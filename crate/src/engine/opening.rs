//! Creating, opening, joining and deleting: local work that waits for storage only.

use super::Engine;
use super::command::{NewGroup, OpenOptions, Store};
use super::deletion::Deletion;
use super::effect::{Change, Effect};
use super::event::{Answer, GroupInfo, Opened};
use super::identities::{Saving, Wish};
use super::input::{Entry, StorageFault};
use super::keeping::{Keeper, read, save_error};
use super::node::{Kind, Node};
use crate::crypto::Crypto;
use crate::crypto::stretch::Password;
use crate::error::{Code, Error};
use crate::graph::Graph;
use crate::graph::clock::PeerClock;
use crate::graph::mailbox::{Mailbox, ServerUrl};
use crate::graph::records::Records;
use crate::graph::session::OwnSession;
use crate::group::Group;
use crate::group::identity::Identity;
use crate::group::invitation::Invitation;
use crate::group::open::OpenSecurity;
use crate::group::state::{GraphState, GroupState};
use crate::limits;
use crate::names::{GroupId, NodeIndex, PeerId, RequestId, StorageId};
use crate::record::model::TypeName;
use crate::record::store::Store as RecordStore;
use crate::record::stored::{Seal, prefix_of};
use crate::time::Now;
use crate::wire::codec::Wire as _;
use crate::wire::numbers::stored;

/// What is to be done once the identity is there.
#[derive(Clone)]
pub(super) enum What {
    CreateGroup(NewGroup),
    OpenGroup(GroupId),
    /// With the password that it asks for, if it does.
    JoinGroup(Box<Invitation>, Option<Password>),
    CreateGraph(GroupId),
    OpenGraph(GroupId),
    DeleteGroup(GroupId),
    ListGroups,
    /// As it was exported; also where the group is here already.
    ImportGroup(Box<GroupState>, bool),
}

/// A call under way.
#[derive(Clone)]
pub(super) struct Plan {
    pub request: RequestId,
    pub options: OpenOptions,
    pub what: What,
}

/// A storage operation under way, and what it is for.
pub(super) enum Operation {
    /// The identities of a store are read.
    LoadIdentities(Store),
    /// A change of them is stored.
    SaveIdentities(Saving),
    /// What goes with an identity that is to be deleted is read.
    DeleteIdentity(Box<Deletion>),
    /// What is stored of a group or graph is read.
    LoadState(Plan, Identity),
    /// A new group is stored, then opened.
    SaveGroup(Plan, Identity, Box<GroupState>),
    /// A new graph is stored, then opened.
    SaveGraph(Plan, Identity, GraphState),
    /// The records of a group or graph that is being opened are read.
    LoadRecords(Box<Opening>),
    /// A group that was imported is stored.
    SaveImported(Plan, GroupId, PeerId),
    /// The groups of a store are read.
    ListGroups(Plan, Identity),
    /// What is stored of a group is read, to be removed.
    LoadDeleted(Plan, GroupId, PeerId),
    /// A group's data is removed.
    Delete(Plan),
}

/// A group or graph that is being opened, as far as it is known without its records.
pub(super) struct Opening {
    plan: Plan,
    scope: GroupId,
    peer: PeerId,
    seed: [u8; 32],
    /// Rendezvous servers of the last time.
    rendezvous: Vec<String>,
    peer_time_offset: i64,
    kind: Kind,
}

impl Operation {
    /// Whether a group or graph is being opened or made with that identity.
    pub(super) fn is_for(&self, crypto: Crypto, store: &Store, peer: PeerId) -> bool {
        let (plan, own) = match self {
            Self::LoadState(plan, identity)
            | Self::SaveGroup(plan, identity, _)
            | Self::SaveGraph(plan, identity, _) => (plan, identity.peer(crypto)),
            Self::LoadRecords(opening) => (&opening.plan, opening.peer),
            Self::LoadDeleted(plan, _, peer) | Self::SaveImported(plan, _, peer) => (plan, *peer),
            Self::LoadIdentities(_)
            | Self::SaveIdentities(_)
            | Self::DeleteIdentity(_)
            | Self::ListGroups(..)
            | Self::Delete(_) => return false,
        };
        own == peer && plan.options.store == *store
    }
}

impl Engine {
    /// Begins a call: first the identity.
    pub(super) fn begin(&mut self, plan: Plan) {
        self.wish(plan.options.store.clone(), Wish::Plan(plan));
    }

    /// Has stored values read.
    pub(super) fn load(&mut self, operation: Operation, store: Store, prefix: String) {
        let storage = self.operation(operation);
        self.core.effects.push_back(Effect::Load {
            storage,
            store,
            prefix,
        });
    }

    fn operation(&mut self, operation: Operation) -> StorageId {
        let storage = self.core.ids.storage();
        self.operations.insert(storage, operation);
        storage
    }

    pub(super) fn persist(&mut self, operation: Operation, store: Store, changes: Vec<Change>) {
        let storage = self.operation(operation);
        self.core.effects.push_back(Effect::Persist {
            storage,
            store,
            changes,
            strict: true,
        });
    }

    /// Stored values were read.
    pub(super) fn loaded(
        &mut self,
        now: Now,
        storage: StorageId,
        result: Result<Vec<Entry>, StorageFault>,
    ) {
        match (self.operations.remove(&storage), result) {
            (Some(Operation::LoadIdentities(store)), result) => {
                self.identities_loaded(now, &store, result);
            }
            (Some(Operation::DeleteIdentity(deletion)), result) => {
                self.deletion_loaded(now, *deletion, result);
            }
            (Some(Operation::LoadState(plan, identity)), Ok(entries)) => {
                let bytes = entries.into_iter().next().map(|(_, bytes)| bytes);
                self.with_state(now, plan, identity, bytes);
            }
            (
                Some(
                    Operation::LoadState(plan, _)
                    | Operation::ListGroups(plan, _)
                    | Operation::LoadDeleted(plan, ..),
                ),
                Err(fault),
            ) => {
                self.answer(plan.request, Err(load_error(fault)));
            }
            (Some(Operation::ListGroups(plan, identity)), Ok(entries)) => {
                let groups = groups(self.core.config.crypto, &entries, &identity);
                self.answer(plan.request, Ok(Answer::Groups(groups)));
            }
            (Some(Operation::LoadRecords(opening)), Ok(entries)) => {
                self.open_node(now, *opening, entries);
            }
            (Some(Operation::LoadRecords(opening)), Err(fault)) => {
                self.answer(opening.plan.request, Err(load_error(fault)));
            }
            (Some(Operation::LoadDeleted(plan, group, peer)), Ok(entries)) => {
                let keys = entries.into_iter().map(|(key, _)| (key, None));
                let changes = keys.chain([(GroupState::key(group, peer), None)]).collect();
                let store = plan.options.store.clone();
                self.persist(Operation::Delete(plan), store, changes);
            }
            (Some(other), _) => {
                self.operations.insert(storage, other);
            }
            (None, _) => {}
        }
    }

    /// Values were stored.
    pub(super) fn persisted(
        &mut self,
        now: Now,
        storage: StorageId,
        result: Result<(), StorageFault>,
    ) {
        let Some(operation) = self.operations.remove(&storage) else {
            return;
        };
        let operation = match operation {
            Operation::SaveIdentities(saving) => return self.identities_saved(now, saving, result),
            operation => operation,
        };
        if let Err(fault) = result {
            if let Operation::SaveGroup(plan, ..)
            | Operation::SaveGraph(plan, ..)
            | Operation::SaveImported(plan, ..)
            | Operation::Delete(plan) = operation
            {
                self.answer(plan.request, Err(save_error(fault)));
            }
            return;
        }
        match operation {
            Operation::SaveGroup(plan, identity, state) => {
                self.open_group(now, plan, identity, *state);
            }
            Operation::SaveGraph(plan, identity, state) => {
                self.open_graph(now, plan, &identity, &state);
            }
            Operation::Delete(plan) => self.answer(plan.request, Ok(Answer::Done)),
            Operation::SaveImported(plan, group, peer) => {
                self.answer(plan.request, Ok(Answer::Imported(group, peer)));
            }
            _ => {}
        }
    }

    /// The identity is there: now what is stored of the group.
    pub(super) fn with_identity(&mut self, now: Now, plan: Plan, identity: Identity) {
        let peer = identity.peer(self.core.config.crypto);
        let prefix = match &plan.what {
            What::CreateGroup(new) => {
                let state = self.new_group(now, &identity, new, &plan.options.rendezvous);
                return match state {
                    Ok(state) => self.save_group(plan, identity, state),
                    Err(error) => self.answer(plan.request, Err(error)),
                };
            }
            What::JoinGroup(invitation, _) => GroupState::key(invitation.head().group, peer),
            What::OpenGroup(group) => GroupState::key(*group, peer),
            What::ImportGroup(state, _) => GroupState::key(state.group, peer),
            What::CreateGraph(graph) | What::OpenGraph(graph) => GraphState::key(*graph, peer),
            What::DeleteGroup(group) => return self.delete(now, plan.clone(), *group, peer),
            What::ListGroups => {
                let store = plan.options.store.clone();
                let prefix = GroupState::PREFIX.to_owned();
                return self.load(Operation::ListGroups(plan, identity), store, prefix);
            }
        };
        let store = plan.options.store.clone();
        self.load(Operation::LoadState(plan, identity), store, prefix);
    }

    fn new_group(
        &mut self,
        now: Now,
        identity: &Identity,
        new: &NewGroup,
        rendezvous: &[String],
    ) -> Result<GroupState, Error> {
        let crypto = self.core.config.crypto;
        let servers = bases(&ServerUrl::parse_all(rendezvous)?);
        Group::create(crypto, &mut self.core.random, now, identity, new, &servers)
    }

    fn save_group(&mut self, plan: Plan, identity: Identity, state: GroupState) {
        let crypto = self.core.config.crypto;
        let value = state.to_stored(crypto, &identity, &mut self.core.random);
        let change = (GroupState::key(state.group, state.peer), Some(value));
        let store = plan.options.store.clone();
        self.persist(
            Operation::SaveGroup(plan, identity, Box::new(state)),
            store,
            vec![change],
        );
    }

    /// What is stored of the group is there.
    fn with_state(&mut self, now: Now, plan: Plan, identity: Identity, bytes: Option<Vec<u8>>) {
        let damaged =
            || Error::new(Code::InvalidDatabase).detail("what is stored of it cannot be read");
        let crypto = self.core.config.crypto;
        let peer = identity.peer(crypto);
        let read = |key: &str, bytes: &[u8]| GroupState::from_stored(crypto, &identity, key, bytes);
        match plan.what.clone() {
            What::OpenGroup(group) => {
                let missing = || {
                    Error::new(Code::NotFound).detail(format!(
                        "this storage has no group {group}: create or join it first"
                    ))
                };
                let state = bytes.ok_or_else(missing).and_then(|bytes| {
                    read(&GroupState::key(group, peer), &bytes).ok_or_else(damaged)
                });
                match state {
                    Ok(state) => self.open_group(now, plan, identity, state),
                    Err(error) => self.answer(plan.request, Err(error)),
                }
            }
            What::JoinGroup(invitation, _) => {
                let key = GroupState::key(invitation.head().group, peer);
                let stored = bytes.and_then(|bytes| read(&key, &bytes));
                // Joining again as a member gives the group there is, with what the invitation brings.
                if let Some(state) = stored.filter(|state| state.synchronized) {
                    let store = &plan.options.store;
                    if self.open_already(state.group, peer, store).is_some() {
                        return self.open_group(now, plan, identity, state);
                    }
                    let own = identity.clone();
                    return match Group::joined_again(crypto, own, now, state, &invitation) {
                        Ok(state) => self.save_group(plan, identity, state),
                        Err(error) => self.answer(plan.request, Err(error)),
                    };
                }
                let servers = ServerUrl::parse_all(&plan.options.rendezvous).map(|s| bases(&s));
                let state = servers.and_then(|servers| {
                    let random = &mut self.core.random;
                    Group::join(crypto, random, &identity, &invitation, &servers)
                });
                match state {
                    Ok(state) => self.save_group(plan, identity, state),
                    Err(error) => self.answer(plan.request, Err(error)),
                }
            }
            What::ImportGroup(state, overwrite) => {
                let store = plan.options.store.clone();
                let (group, peer) = (state.group, state.peer);
                let error = if self.open_already(group, peer, &store).is_some() {
                    Some(Error::new(Code::GroupInUse).detail("close it first"))
                } else {
                    let is_here = bytes.is_some() && !overwrite;
                    is_here.then(|| Code::AlreadyExists.into())
                };
                if let Some(error) = error {
                    return self.answer(plan.request, Err(error));
                }
                let value = state.to_stored(crypto, &identity, &mut self.core.random);
                let change = (GroupState::key(group, peer), Some(value));
                let operation = Operation::SaveImported(plan, group, peer);
                self.persist(operation, store, vec![change]);
            }
            What::CreateGraph(_) if bytes.is_some() => {
                self.answer(plan.request, Err(Code::DuplicateGraph.into()));
            }
            What::CreateGraph(graph) | What::OpenGraph(graph) => {
                let made = matches!(plan.what, What::CreateGraph(_));
                let stored = bytes.map(|bytes| GraphState::from_stored(&bytes).ok_or_else(damaged));
                match stored {
                    Some(Ok(state)) => self.open_graph(now, plan, &identity, &state),
                    Some(Err(error)) => self.answer(plan.request, Err(error)),
                    None => {
                        let servers = ServerUrl::parse_all(&plan.options.rendezvous);
                        let servers = bases(&servers.unwrap_or_default());
                        let state = GraphState {
                            version: stored::GRAPH,
                            synchronized: made,
                            peer_time_offset: 0,
                            rendezvous: crate::group::urls(&servers),
                        };
                        let peer = identity.peer(crypto);
                        let change = (GraphState::key(graph, peer), Some(state.to_bytes()));
                        let store = plan.options.store.clone();
                        let operation = Operation::SaveGraph(plan, identity, state);
                        self.persist(operation, store, vec![change]);
                    }
                }
            }
            What::CreateGroup(_) | What::DeleteGroup(_) | What::ListGroups => {}
        }
    }

    pub(super) fn delete(&mut self, now: Now, plan: Plan, group: GroupId, peer: PeerId) {
        let store = plan.options.store.clone();
        let nodes: Vec<NodeIndex> = self
            .nodes
            .iter()
            .filter(|(_, n)| n.graph.scope == group && n.peer == peer && n.store == store)
            .map(|(index, _)| *index)
            .collect();
        for index in nodes {
            self.end_node(
                now,
                index,
                &Error::new(Code::InvalidGroup).detail("it was deleted"),
            );
        }
        let operation = Operation::LoadDeleted(plan, group, peer);
        self.load(operation, store, prefix_of(group, peer));
    }

    fn open_group(&mut self, now: Now, plan: Plan, identity: Identity, state: GroupState) {
        let crypto = self.core.config.crypto;
        let opening = Opening {
            plan,
            scope: state.group,
            peer: state.peer,
            seed: identity.seed,
            rendezvous: state.rendezvous.iter().map(|url| url.to_string()).collect(),
            peer_time_offset: state.peer_time_offset,
            kind: Kind::Group(Box::new(Group::open(crypto, identity, state))),
        };
        self.load_records(now, opening);
    }

    fn open_graph(&mut self, now: Now, plan: Plan, identity: &Identity, state: &GraphState) {
        let crypto = self.core.config.crypto;
        let (What::CreateGraph(scope) | What::OpenGraph(scope)) = plan.what else {
            return;
        };
        let opening = Opening {
            scope,
            peer: identity.peer(crypto),
            seed: identity.seed,
            rendezvous: state.rendezvous.iter().map(|url| url.to_string()).collect(),
            peer_time_offset: state.peer_time_offset,
            kind: Kind::Graph {
                security: OpenSecurity::new(crypto, scope, plan.options.validates),
                synchronized: state.synchronized,
                listen: false,
            },
            plan,
        };
        self.load_records(now, opening);
    }

    /// Reads the records, unless the node is open already.
    fn load_records(&mut self, now: Now, opening: Opening) {
        let store = opening.plan.options.store.clone();
        if self
            .open_already(opening.scope, opening.peer, &store)
            .is_some()
        {
            return self.open_node(now, opening, Vec::new());
        }
        let prefix = prefix_of(opening.scope, opening.peer);
        let operation = Operation::LoadRecords(Box::new(opening));
        self.load(operation, store, prefix);
    }

    fn open_already(&self, scope: GroupId, peer: PeerId, store: &Store) -> Option<NodeIndex> {
        let mut nodes = self.nodes.iter();
        nodes
            .find(|(_, n)| n.graph.scope == scope && n.peer == peer && n.store == *store)
            .map(|(index, _)| *index)
    }

    /// A handle on the node, which is made if there is none yet.
    fn open_node(&mut self, now: Now, opening: Opening, entries: Vec<Entry>) {
        let plan = opening.plan.clone();
        let (scope, peer) = (opening.scope, opening.peer);
        if !self.core.requests.is_pending(plan.request) {
            // Given up meanwhile.
            return;
        }
        let open = self.open_already(scope, peer, &plan.options.store);
        let is_new = open.is_none();
        let index = match open {
            Some(index) => Ok(index),
            None => self.new_node(now, opening, entries),
        };
        let index = match index {
            Ok(index) => index,
            Err(error) => return self.answer(plan.request, Err(error)),
        };
        let Some(node) = self.nodes.get_mut(&index) else {
            return;
        };
        // What is open already takes in what an invitation brings, and stores it first.
        let brought = match (&plan.what, &node.kind) {
            (What::JoinGroup(invitation, _), Kind::Group(group)) if !is_new => {
                group.brought(invitation)
            }
            _ => Ok(Vec::new()),
        };
        let brought = match brought {
            Ok(brought) => brought,
            Err(error) => return self.answer(plan.request, Err(error)),
        };
        let is_graph = matches!(plan.what, What::CreateGraph(_) | What::OpenGraph(_));
        let handle = self.core.ids.handle(is_graph);
        self.handles.insert(handle, index);
        node.handles.insert(handle);
        if let What::JoinGroup(_, Some(password)) = plan.what.clone() {
            node.come_with(password);
        }
        let answer = Answer::Opened(Box::new(Opened {
            handle,
            node: index,
            group: scope,
            peer,
            node_id: node.graph.own.node,
        }));
        if brought.is_empty() {
            return self.answer(plan.request, Ok(answer));
        }
        node.decide(plan.request, answer, brought);
        node.after(&mut self.core.context(now, index));
    }

    fn new_node(
        &mut self,
        now: Now,
        opening: Opening,
        entries: Vec<Entry>,
    ) -> Result<NodeIndex, Error> {
        if self.nodes.len() >= limits::NODES {
            return Err(Error::new(Code::OutOfMemory)
                .detail(format!("{} groups and graphs are open", limits::NODES)));
        }
        let crypto = self.core.config.crypto;
        let (options, scope) = (opening.plan.options, opening.scope);
        let named = if options.rendezvous.is_empty() {
            &opening.rendezvous
        } else {
            &options.rendezvous
        };
        let servers = ServerUrl::parse_all(named)?;
        let own = OwnSession::new(crypto, &mut self.core.random, &opening.seed, scope, now);
        let store = RecordStore::new();
        let records = Records::new(store, PeerClock::new(opening.peer_time_offset));
        let mut graph = Graph::new(crypto, scope, own, records);
        graph.relay_only = options.relay_only;
        graph.precedence = types(options.sync_precedence);
        let seal = Seal::new(crypto, scope, opening.peer, &opening.seed);
        let index = self.core.ids.node();
        let hidden = self.hidden;
        let mut cx = self.core.context(now, index);
        let mut kind = opening.kind;
        graph.presence.away = hidden;
        if let Kind::Group(group) = &kind {
            graph.presence.earlier = group.state.nodes.to_vec();
        }
        graph.take_stored(&mut cx, kind.security(), read(&seal, &entries), false);
        let mut mailbox = Mailbox::new(servers, cx.random);
        mailbox.relay_only = options.relay_only;
        let mut node = Node::new(
            options.store,
            opening.peer,
            kind,
            graph,
            mailbox,
            options.ice_servers,
            Keeper::new(seal),
        );
        node.look_at_roster(&cx);
        self.nodes.insert(index, node);
        Ok(index)
    }
}

/// The groups of an identity among what is stored.
fn groups(crypto: Crypto, entries: &[Entry], identity: &Identity) -> Vec<GroupInfo> {
    let peer = identity.peer(crypto);
    let info = |(key, bytes): &Entry| {
        let group = GroupState::group_of(key, peer)?;
        let state = GroupState::from_stored(crypto, identity, key, bytes);
        Some(GroupInfo {
            group,
            friendly_name: state.map_or(String::new(), |state| state.name().to_owned()),
        })
    };
    entries.iter().filter_map(info).collect()
}

fn types(names: Vec<String>) -> Vec<TypeName> {
    names.into_iter().filter_map(TypeName::new).collect()
}

fn bases(servers: &[ServerUrl]) -> Vec<String> {
    servers.iter().map(|server| server.base.clone()).collect()
}

pub(super) fn load_error(_: StorageFault) -> Error {
    Error::new(Code::NoKeyAccess)
}
