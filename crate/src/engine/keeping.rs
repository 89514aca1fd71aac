//! What a node keeps of records: what it gives to storage and what it reads back.

use super::context::Context;
use super::effect::{Change, Effect};
use super::event::{Answer, Event};
use super::input::{Entry, StorageFault};
use super::node::{Kind, Node, Timer};
use crate::error::{Code, Error};
use crate::graph::unstored::{There, Version};
use crate::limits;
use crate::names::{RequestId, StorageId};
use crate::record::store::Kept;
use crate::record::stored::{Seal, Stored};

/// What storage was told of, and what it had of it before.
type Told = Vec<(Version, There)>;

/// A save under way.
pub(super) enum Keeping {
    /// Our own writes: calls wait for them.
    Writes,
    /// What others wrote.
    Changes(Told),
}

/// The saves of one node.
pub(super) struct Keeper {
    /// How records lie in storage.
    pub(super) seal: Seal,
    under_way: Option<(StorageId, Keeping)>,
    loading: Option<StorageId>,
    /// What others wrote could not be stored: it is tried again after a pause.
    failed: bool,
    /// Calls that wait until everything is stored.
    pub(super) imports: Vec<RequestId>,
}

impl Keeper {
    /// Nothing under way.
    pub(super) fn new(seal: Seal) -> Self {
        Self {
            seal,
            under_way: None,
            loading: None,
            failed: false,
            imports: Vec::new(),
        }
    }

    /// Whether a storage operation is one of these.
    pub(super) fn owns(&self, storage: StorageId) -> bool {
        self.loading == Some(storage)
            || self
                .under_way
                .as_ref()
                .is_some_and(|(id, _)| *id == storage)
    }
}

impl Node {
    /// Gives storage what it has not got yet: our own writes first.
    pub(super) fn save_records(&mut self, cx: &mut Context<'_>) {
        if self.keeper.under_way.is_some() {
            return;
        }
        let (changes, keeping) = if !self.graph.records.writes.is_empty() {
            (self.next_writes(), Keeping::Writes)
        } else if self.dirty || self.saving.is_some() {
            // What records rest on is stored before them: nobody finds one whose author it forgot.
            return;
        } else if !self.keeper.failed && !self.graph.records.unstored.is_empty() {
            let (changes, which) = self.next_changes(limits::STORED_AT_ONCE);
            (changes, Keeping::Changes(which))
        } else {
            return;
        };
        let storage = cx.ids.storage();
        self.keeper.under_way = Some((storage, keeping));
        self.persist_records(cx, storage, changes);
    }

    fn persist_records(&self, cx: &mut Context<'_>, storage: StorageId, changes: Vec<Change>) {
        cx.effect(Effect::Persist {
            storage,
            store: self.store.clone(),
            changes,
            strict: false,
        });
    }

    fn next_writes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut bytes = 0;
        let records = &mut self.graph.records;
        while changes.len() < limits::STORED_AT_ONCE && bytes < limits::STORED_BYTES_AT_ONCE {
            let Some(write) = records.writes.pop_front() else {
                break;
            };
            let kept = Kept::of(&write.record);
            let (key, value) = self.keeper.seal.write(&write.record, &write.hash, kept);
            bytes += value.len();
            changes.push((key, Some(value)));
            records.writing.push(write);
        }
        changes
    }

    /// What others wrote, as it is now: a version that is gone meanwhile is removed.
    fn next_changes(&mut self, most: usize) -> (Vec<Change>, Told) {
        let mut changes = Vec::new();
        let mut which: Told = Vec::new();
        let mut bytes = 0;
        let records = &self.graph.records;
        for ((id, hash), there) in records.unstored.iter() {
            let enough = changes.len() >= most || bytes >= limits::STORED_BYTES_AT_ONCE;
            // Versions of one record come and go together.
            if enough && which.last().is_some_and(|((last, _), _)| *last != id) {
                break;
            }
            let entry = records.store.by_hash(&hash);
            let (key, value) = match entry {
                Some(entry) => {
                    let seal = &self.keeper.seal;
                    let (key, value) = seal.write(entry.record(), &hash, entry.kept());
                    (key, Some(value))
                }
                None => (self.keeper.seal.key(&id, &hash), None),
            };
            bytes += value.as_ref().map_or(0, Vec::len);
            changes.push((key, value));
            which.push(((id, hash), there));
        }
        for (version, _) in &which {
            self.graph.records.unstored.told(version);
        }
        (changes, which)
    }

    /// Storage has taken records, or has not.
    pub(super) fn records_saved(&mut self, cx: &mut Context<'_>, result: Result<(), StorageFault>) {
        let Some((_, keeping)) = self.keeper.under_way.take() else {
            return;
        };
        match (keeping, result) {
            (Keeping::Writes, Ok(())) => {
                self.graph.written(cx);
                // There is room: what failed before may do as well.
                self.store_again();
            }
            (Keeping::Writes, Err(fault)) => self.graph.not_written(cx, &save_error(fault)),
            (Keeping::Changes(_), Ok(())) => self.settle_imports(cx, None),
            (Keeping::Changes(which), Err(fault)) => {
                let records = &mut self.graph.records;
                for (version, there) in which {
                    let is_held = records.store.by_hash(&version.1).is_some();
                    records.unstored.not_taken(version, there, is_held);
                }
                self.keeper.failed = true;
                self.timers
                    .arm(Timer::StoreAgain, cx.now.monotonic + limits::STORE_AGAIN_MS);
                let error = save_error(fault);
                self.settle_imports(cx, Some(&error));
                cx.event(Event::StorageFailed {
                    node: cx.node,
                    error,
                });
            }
        }
    }

    /// Answers the calls that wait for everything to be stored, if it is, or cannot be.
    pub(super) fn settle_imports(&mut self, cx: &mut Context<'_>, error: Option<&Error>) {
        if error.is_none() && !self.graph.records.unstored.is_empty() {
            return;
        }
        for request in core::mem::take(&mut self.keeper.imports) {
            cx.answer(request, error.map_or(Ok(Answer::Done), |e| Err(e.clone())));
        }
    }

    /// Tries again to store what others wrote, and what it rests on.
    pub(super) fn store_again(&mut self) {
        self.keeper.failed = false;
        self.save_failed = false;
    }

    /// The node ends: a last save of what is not stored yet. Nobody waits for it.
    pub(super) fn save_the_rest(&mut self, cx: &mut Context<'_>) {
        self.saving = None;
        self.save_failed = false;
        self.save(cx);
        while !self.graph.records.unstored.is_empty() {
            let (changes, _) = self.next_changes(usize::MAX);
            let storage = cx.ids.storage();
            self.persist_records(cx, storage, changes);
        }
    }

    /// Reads what is stored once more: another page may have written since this one looked.
    pub(super) fn reload_records(&mut self, cx: &mut Context<'_>) {
        let storage = cx.ids.storage();
        self.keeper.loading = Some(storage);
        cx.effect(Effect::Load {
            storage,
            store: self.store.clone(),
            prefix: self.keeper.seal.prefix(),
        });
    }

    /// What was stored was read once more. What cannot be read says nothing new.
    pub(super) fn records_reloaded(
        &mut self,
        cx: &mut Context<'_>,
        result: Result<Vec<Entry>, StorageFault>,
    ) {
        self.keeper.loading = None;
        if let Ok(entries) = result {
            let read = read(&self.keeper.seal, &entries);
            let security = self.kind.security();
            self.graph.take_stored(cx, security, read, true);
        }
    }

    /// The code of a handle on this node that is not ready yet.
    pub(super) fn ready(&self) -> Result<(), Error> {
        if self.synchronized() {
            return Ok(());
        }
        Err(match self.kind {
            Kind::Group(_) => Code::GroupNotReady.into(),
            Kind::Graph { .. } => Code::GraphNotReady.into(),
        })
    }
}

/// What of stored values can be read.
pub(super) fn read(seal: &Seal, entries: &[Entry]) -> Vec<Stored> {
    let read = entries.iter().map(|(key, value)| seal.read(key, value));
    read.flatten().collect()
}

/// What a call learns whose data could not be stored.
pub(super) fn save_error(fault: StorageFault) -> Error {
    Error::new(Code::StorageFull).detail(match fault {
        StorageFault::Full => "there is no room left",
        StorageFault::Blocked => "this page may not store anything",
    })
}
