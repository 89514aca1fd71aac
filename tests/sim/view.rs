//! What an app makes of its records by their events alone, which must be what the engine shows; and
//! what may never be seen again.

use std::collections::{BTreeMap, BTreeSet};

use peer_group::engine::command::{Command, Store};
use peer_group::engine::event::{Answer, RecordChange, RecordInfo};
use peer_group::error::Code;
use peer_group::group::identity::{Identity, stored_key};
use peer_group::limits;
use peer_group::names::{RecordHash, RecordId};
use peer_group::record::stored::{Database, Seal};
use peer_group::time::Millis;

use super::work::Resolved;
use super::world::World;

/// How far a machine's own time may be from true time besides what its clock was set to.
pub const PEER_TIME_MS: Millis = 10 * 60_000 + 5_000;

/// The records of one open handle.
#[derive(Default)]
pub struct View {
    /// As last read.
    pub shown: BTreeMap<RecordId, RecordInfo>,
    /// By the events, with their types.
    told: BTreeMap<RecordId, String>,
    /// What events said since then, the last of each record.
    touched: BTreeMap<RecordId, RecordChange>,
    /// What the app dropped here only.
    pub dropped: BTreeSet<RecordId>,
    /// The list was read.
    pub listed: bool,
    /// Calls that were answered since then.
    pub resolved: Vec<Resolved>,
}

/// What was deleted before this machine's eyes.
#[derive(Clone, Copy, Debug)]
pub struct Grave {
    version: u32,
    /// When it was deleted.
    pub modified: Millis,
    hash: RecordHash,
    /// Until when it is remembered.
    until: Millis,
}

/// What a machine must not forget or see again, whatever happens to it.
#[derive(Default)]
pub struct History {
    /// By record.
    pub graves: BTreeMap<RecordId, Grave>,
    /// Changes of its own that were acknowledged: version and end.
    pub durable: BTreeMap<RecordId, (u32, Millis)>,
    /// The latest that its wall clock ever was.
    pub latest_wall: Millis,
}

impl View {
    /// An event told of a change.
    pub fn told(&mut self, change: RecordChange, id: RecordId, kind: &str) -> Result<(), String> {
        self.touched.insert(id, change);
        let before = match change {
            RecordChange::Added | RecordChange::Updated => self.told.insert(id, kind.to_owned()),
            RecordChange::Deleted | RecordChange::Expired => self.told.remove(&id),
        };
        // What was there when the handle was opened is not told but listed.
        let fits = match change {
            _ if !self.listed => true,
            RecordChange::Added => before.is_none(),
            _ => before.as_deref() == Some(kind),
        };
        if fits {
            Ok(())
        } else {
            Err(format!(
                "{id:?} of {kind:?} was {change:?} after {before:?}"
            ))
        }
    }
}

impl World {
    /// Reads without giving time a chance: answered at once.
    pub fn read(
        &mut self,
        machine: usize,
        command: Command,
    ) -> Result<Answer, peer_group::error::Error> {
        let now = self.clock(machine);
        let engine = self.machines[machine].engine.as_mut();
        let request = engine.expect("the machine runs").command(now, command)?;
        match self.pour(machine, Some(request)) {
            Some(answer) => answer,
            None => {
                self.fail(format!(
                    "machine {machine}: a read was not answered at once"
                ));
                Err(Code::Internal.into())
            }
        }
    }

    /// An app reads what events told of, and finds it so.
    pub fn look(&mut self, machine: usize) {
        let of = &self.machines[machine];
        if of.engine.is_none() || of.app.handle.is_none() || self.failure.is_some() {
            return;
        }
        if !of.app.view.listed {
            self.read_list(machine);
        }
        let touched = core::mem::take(&mut self.machines[machine].app.view.touched);
        let deleted = |change: &RecordChange| *change == RecordChange::Deleted;
        for (id, change) in touched {
            if deleted(&change) {
                self.bury(machine, id);
            }
            self.read_record(machine, id);
        }
        for resolved in core::mem::take(&mut self.machines[machine].app.view.resolved) {
            self.check_resolved(machine, &resolved);
        }
    }

    /// The list of a handle that was opened just now.
    fn read_list(&mut self, machine: usize) {
        // What a full disk could not take before the handle was closed is forgotten.
        let of = &self.machines[machine];
        if of.disk_full || of.disk_was_full > 0 {
            self.forget_graves(machine);
        }
        let shown = self.list(machine);
        let view = &mut self.machines[machine].app.view;
        view.listed = true;
        view.touched.clear();
        view.told = shown
            .iter()
            .map(|(id, info)| (*id, info.kind.clone()))
            .collect();
        view.shown = shown;
        for (id, info) in self.machines[machine].app.view.shown.clone() {
            self.check_grave(machine, id, &info);
        }
        let durable = self.machines[machine].history.durable.clone();
        for (id, (version, expires)) in durable {
            let there = self.machines[machine].app.view.shown.get(&id);
            let kept = there.is_some_and(|info| info.version >= version);
            // What is said in the liar's name is not its own engine's doing.
            let may_be_gone = self.lies(machine)
                || self.deleted.contains(&id)
                || expires <= self.machines[machine].history.latest_wall + PEER_TIME_MS;
            if !kept && !may_be_gone {
                let found = there.map(|info| info.version);
                self.fail(format!(
                    "machine {machine}: {id:?} was stored in version {version} and came back as {found:?}"
                ));
            }
        }
    }

    /// All that a handle shows.
    pub fn list(&mut self, machine: usize) -> BTreeMap<RecordId, RecordInfo> {
        let handle = self.machines[machine].app.handle();
        let list = Command::ListRecords {
            handle,
            kind: None,
            creator: None,
        };
        match self.read(machine, list) {
            Ok(Answer::Records(records)) => {
                let count = records.len();
                let shown: BTreeMap<_, _> = records.into_iter().map(|of| (of.id, of)).collect();
                if shown.len() != count {
                    self.fail(format!("machine {machine}: a record is listed twice"));
                }
                shown
            }
            other => {
                self.fail(format!("machine {machine}: no list: {other:?}"));
                BTreeMap::new()
            }
        }
    }

    /// One record, after an event told of it.
    fn read_record(&mut self, machine: usize, id: RecordId) {
        let handle = self.machines[machine].app.handle();
        let answer = match self.read(machine, Command::GetRecord { handle, id }) {
            // Before the first synchronisation records are listed only.
            Err(error) if error.code == Code::GroupNotReady => self
                .list(machine)
                .remove(&id)
                .map(|info| Answer::Record(Box::new(info)))
                .ok_or(Code::RecordNotFound.into()),
            answer => answer,
        };
        let view = &mut self.machines[machine].app.view;
        let told = view.told.get(&id).cloned();
        let before = view.shown.remove(&id);
        match (told, answer) {
            (Some(kind), Ok(Answer::Record(info))) => {
                let order = |info: &RecordInfo| (info.version, info.modified);
                if info.kind != kind || before.is_some_and(|old| order(&old) > order(&info)) {
                    self.fail(format!("machine {machine}: {id:?} went back to {info:?}"));
                }
                self.check_grave(machine, id, &info);
                self.machines[machine].app.view.shown.insert(id, *info);
            }
            (None, Err(error)) if error.code == Code::RecordNotFound => {}
            (told, answer) => self.fail(format!(
                "machine {machine}: events say {told:?} of {id:?}, get says {answer:?}"
            )),
        }
    }

    /// A record went away by a deletion: what was deleted stays so.
    fn bury(&mut self, machine: usize, id: RecordId) {
        let of = &self.machines[machine];
        let (Some(engine), Some(handle)) = (&of.engine, of.app.handle) else {
            return;
        };
        // Before it has synchronised, what it dropped may only be what it cannot judge yet.
        if engine.peer_time_offset(handle).is_err() {
            return;
        }
        let held = engine.held(handle, id).ok().flatten();
        let Some(held) = held.filter(|held| held.body.is_deleted()).cloned() else {
            // It may be back already, was dropped here only, or is of a flood that had to give way.
            let view = &self.machines[machine].app.view;
            let doubtful = self.names_liar(id) || self.names_removed(id);
            if !doubtful && !view.told.contains_key(&id) && !view.dropped.contains(&id) {
                self.fail(format!(
                    "machine {machine}: {id:?} was deleted, and no tombstone is held"
                ));
            }
            return;
        };
        let Some(scope) = self.machines[machine].app.group else {
            return;
        };
        let grave = Grave {
            version: held.body.version(),
            modified: held.body.modified().ms(),
            hash: held.hash(self.options.crypto, scope),
            until: held.body.expires + limits::TOMBSTONE_MARGIN_MS,
        };
        self.machines[machine].history.graves.insert(id, grave);
    }

    fn check_grave(&mut self, machine: usize, id: RecordId, info: &RecordInfo) {
        let Some(grave) = self.machines[machine].history.graves.get(&id) else {
            return;
        };
        // What the liar does to its own records is its own affair.
        let lied = self.is_of_liar(info.creator);
        // With a clock that was far ahead it outlived what it had to remember.
        let latest = self.machines[machine].history.latest_wall;
        let outlived = latest > self.wall() && latest + PEER_TIME_MS >= info.expires;
        // Somebody who had not heard of the deletion gave it a longer life than whoever deleted it knew.
        let extended = grave.until < self.wall() && grave.until < info.expires;
        let outlived = outlived || extended;
        if !lied && !outlived && (info.version, info.modified) < (grave.version, grave.modified) {
            let text = format!("machine {machine}: {id:?} rose again as {info:?} from {grave:?}");
            self.fail(text);
        }
    }

    /// A machine's life ends: what it knew of deletions and its disk does not, it may forget.
    pub fn forget_graves(&mut self, machine: usize) {
        let of = &mut self.machines[machine];
        let disk: BTreeSet<&str> = of
            .disk
            .keys()
            .filter_map(|(_, key)| key.rsplit('/').next())
            .collect();
        let name = |id: &RecordId, hash: &RecordHash| {
            let version: String = hash.0.iter().take(8).map(|b| format!("{b:02x}")).collect();
            format!("{id}.{version}")
        };
        of.history
            .graves
            .retain(|id, grave| disk.contains(name(id, &grave.hash).as_str()));
    }

    /// Everything that a machine holds, by its own export.
    pub fn database(&mut self, machine: usize) -> Option<Database> {
        let handle = self.machines[machine].app.handle?;
        let data = match self.read(machine, Command::ExportDatabase { handle }) {
            Ok(Answer::Database(data)) => data,
            Err(error) if error.code == Code::GroupNotReady => return None,
            other => {
                self.fail(format!("machine {machine}: no export: {other:?}"));
                return None;
            }
        };
        let of = &self.machines[machine];
        let seed = self.identity(machine)?.seed;
        let scope = of.app.group?;
        let seal = Seal::new(self.options.crypto, scope, of.app.peer?, &seed);
        match seal.import(&data) {
            Ok(database) => Some(database),
            Err(error) => {
                self.fail(format!(
                    "machine {machine}: its export is no database: {error:?}"
                ));
                None
            }
        }
    }

    /// Who a machine is, as its disk has it.
    #[must_use]
    pub fn identity(&self, machine: usize) -> Option<Identity> {
        let of = &self.machines[machine];
        let key = stored_key(of.app.peer?);
        let bytes = of.disk.get(&(Store::Default, key.clone()))?;
        Identity::from_stored(&key, bytes)
    }

    /// Everything a machine shows is what events told of.
    pub fn check_view(&mut self, machine: usize) {
        let of = &self.machines[machine];
        let stands_still = of.engine.is_none() || of.backlog.is_some();
        if stands_still || of.app.handle.is_none() || !of.app.view.listed {
            return;
        }
        // Whatever is due comes with the first call.
        self.list(machine);
        self.look(machine);
        let shown = self.list(machine);
        let known = &self.machines[machine].app.view.shown;
        if shown != *known {
            let differs = |a: &BTreeMap<_, _>, b: &BTreeMap<_, _>| -> Vec<RecordInfo> {
                let other = |(id, info): &(&RecordId, &RecordInfo)| b.get(*id) != Some(*info);
                a.iter()
                    .filter(other)
                    .map(|(_, info)| RecordInfo::clone(info))
                    .collect()
            };
            let (more, less) = (differs(&shown, known), differs(known, &shown));
            self.fail(format!(
                "machine {machine} shows {more:?} where events told of {less:?}"
            ));
        }
    }
}
