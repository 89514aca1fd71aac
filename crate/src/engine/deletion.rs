//! Deleting an identity: not while groups depend on it; what graphs kept for it goes with it.

use super::Engine;
use super::command::Store;
use super::effect::Change;
use super::input::{Entry, StorageFault};
use super::node::{Kind, Node};
use super::opening::{Operation, load_error};
use crate::error::{Code, Error};
use crate::group::state::{GraphState, GroupState};
use crate::names::{NodeIndex, PeerId, RequestId};
use crate::record::stored::prefix_of;
use crate::time::Now;

/// A deletion under way.
pub(super) struct Deletion {
    store: Store,
    request: RequestId,
    peer: PeerId,
    stage: Stage,
    /// What is to be removed, as far as it is known.
    changes: Vec<Change>,
}

/// What is being read.
enum Stage {
    /// The groups of the store.
    Groups,
    /// Its graphs.
    Graphs,
    /// The records of a graph; the prefixes of those that follow.
    Records(Vec<String>),
}

impl Engine {
    /// Looks whether groups depend on the identity.
    pub(super) fn begin_deletion(
        &mut self,
        store: &Store,
        request: RequestId,
        peer: PeerId,
    ) -> Result<(), Error> {
        let is_its = |node: &Node| node.peer == peer && node.store == *store;
        let is_group = |node: &Node| is_its(node) && matches!(node.kind, Kind::Group(_));
        let is_open = self.nodes.values().any(is_group);
        let crypto = self.core.config.crypto;
        let opens = |operation: &Operation| operation.is_for(crypto, store, peer);
        if is_open || self.operations.values().any(opens) {
            return Err(Error::new(Code::GroupsExist).detail("one is open"));
        }
        let deletion = Deletion {
            store: store.clone(),
            request,
            peer,
            stage: Stage::Groups,
            changes: Vec::new(),
        };
        self.read_for(deletion, GroupState::PREFIX.to_owned());
        Ok(())
    }

    fn read_for(&mut self, deletion: Deletion, prefix: String) {
        let store = deletion.store.clone();
        let operation = Operation::DeleteIdentity(Box::new(deletion));
        self.load(operation, store, prefix);
    }

    /// What a deletion needed to know was read.
    pub(super) fn deletion_loaded(
        &mut self,
        now: Now,
        mut deletion: Deletion,
        result: Result<Vec<Entry>, StorageFault>,
    ) {
        let entries = match result {
            Ok(entries) => entries,
            Err(fault) => return self.give_up(now, &deletion, load_error(fault)),
        };
        let end = format!("/{}", deletion.peer);
        let keys = entries.into_iter().map(|(key, _)| key);
        let of_it = |key: &String| key.ends_with(&end);
        let stage = core::mem::replace(&mut deletion.stage, Stage::Groups);
        let prefixes = match stage {
            Stage::Groups => {
                let count = keys.filter(of_it).count();
                if count > 0 {
                    let error = Error::new(Code::GroupsExist).detail(format!("{count} of them"));
                    return self.give_up(now, &deletion, error);
                }
                deletion.stage = Stage::Graphs;
                return self.read_for(deletion, GraphState::PREFIX.to_owned());
            }
            Stage::Graphs => {
                self.end_graphs(now, &deletion);
                let keys: Vec<String> = keys.filter(of_it).collect();
                let scopes = keys.iter().filter_map(|key| GraphState::scope_of(key));
                let prefixes = scopes
                    .map(|scope| prefix_of(scope, deletion.peer))
                    .collect();
                deletion.changes = keys.into_iter().map(|key| (key, None)).collect();
                prefixes
            }
            Stage::Records(prefixes) => {
                deletion.changes.extend(keys.map(|key| (key, None)));
                prefixes
            }
        };
        self.next_records(deletion, prefixes);
    }

    fn next_records(&mut self, mut deletion: Deletion, mut prefixes: Vec<String>) {
        match prefixes.pop() {
            Some(prefix) => {
                deletion.stage = Stage::Records(prefixes);
                self.read_for(deletion, prefix);
            }
            None => {
                let (request, peer) = (deletion.request, deletion.peer);
                self.save_gone(&deletion.store, deletion.changes, peer, request);
            }
        }
    }

    fn give_up(&mut self, now: Now, deletion: &Deletion, error: Error) {
        self.answer(deletion.request, Err(error));
        self.identities_free(now, &deletion.store);
    }

    fn end_graphs(&mut self, now: Now, deletion: &Deletion) {
        let nodes = self.nodes.iter();
        let its = nodes.filter(|(_, n)| n.peer == deletion.peer && n.store == deletion.store);
        let its: Vec<NodeIndex> = its.map(|(index, _)| *index).collect();
        let error = Error::from(Code::IdentityDeleted);
        for index in its {
            self.end_node(now, index, &error);
        }
    }
}
