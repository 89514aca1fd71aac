//! What apps do with records: any call at any time, and what each may answer.

use peer_group::engine::command::{Command, Compare, Expiry, NewRecord, RecordUpdate, Search};
use peer_group::engine::event::{Answer, RecordInfo};
use peer_group::error::{Code, Error};
use peer_group::limits;
use peer_group::names::{HandleId, RecordId, RequestId};
use peer_group::time::Millis;
use peer_group::wire::attributes::Value;

use super::view::PEER_TIME_MS;
use super::world::World;

const KINDS: [&str; 3] = ["chat", "note", "topic"];
/// Records from which on not every search is made.
const MANY: usize = 500;
const TAGS: [&str; 4] = ["red", "rose", "blue", "b*d"];
const SECOND: Millis = 1_000;
const LIVES: [Millis; 7] = [
    3 * SECOND,
    20 * SECOND,
    90 * SECOND,
    300 * SECOND,
    3_600 * SECOND,
    86_400 * SECOND,
    5 * 86_400 * SECOND,
];
/// How far others may move a machine's peer time while all clocks are right.
const DRAGGED_MS: Millis = 10_000;
/// The shortest life that may refresh itself.
const REFRESHED: Millis = 240 * SECOND;

/// A change under way.
#[derive(Clone, Debug)]
pub enum Call {
    /// Of a new record.
    Add(Box<NewRecord>),
    /// Of one in that version.
    Update(RecordId, u32),
    /// Of one in that version.
    Delete(RecordId, u32),
}

/// Whether a search finds a record.
type Fits = dyn Fn(&RecordInfo) -> bool;

impl Call {
    fn id(&self) -> Option<RecordId> {
        match self {
            Self::Add(_) => None,
            Self::Update(id, _) | Self::Delete(id, _) => Some(*id),
        }
    }
}

/// A change, since when it is under way, and the error it must end with if it may not succeed.
#[derive(Clone, Debug)]
pub struct Asked {
    /// It.
    pub call: Call,
    at: Millis,
    must_fail: Option<Code>,
    /// Another change of the same record was under way.
    races: bool,
}

/// A change that was answered.
pub struct Resolved {
    /// It.
    pub asked: Asked,
    /// How.
    pub result: Result<Answer, Error>,
}

impl World {
    /// An app does something with records, or several things at once.
    pub fn work(&mut self, machine: usize, handle: HandleId) {
        let burst = self.work_dice.per_mille(self.options.burst_per_mille);
        let count = if burst {
            self.work_dice.between(10, 120)
        } else {
            1
        };
        for _ in 0..count {
            if self.failure.is_some() || self.machines[machine].app.handle != Some(handle) {
                return;
            }
            match self.work_dice.between(0, 99) {
                0..=44 => self.add(machine, handle),
                45..=64 => self.change(machine, handle, false),
                65..=74 => self.change(machine, handle, true),
                75..=84 => self.get(machine, handle),
                _ => self.search(machine, handle),
            }
        }
    }

    /// An app adds a record.
    pub fn add(&mut self, machine: usize, handle: HandleId) {
        let life = self.work_dice.pick(&LIVES);
        let record = NewRecord {
            kind: self.work_dice.pick(&KINDS).to_owned(),
            data: self.payload(),
            attributes: self.attributes(),
            expires: Expiry::In(life),
            auto_refresh: life >= REFRESHED && self.work_dice.per_mille(300),
        };
        let call = Call::Add(Box::new(record.clone()));
        self.ask_work(machine, Command::AddRecord { handle, record }, call, None);
    }

    fn payload(&mut self) -> Vec<u8> {
        let most = self.work_dice.pick(&[0, 20, 300, 300, 300, 5_000]);
        let large = self.work_dice.per_mille(8);
        let len = if large {
            self.work_dice.between(16_000, 60_000)
        } else {
            self.work_dice.between(0, most)
        };
        let mark: [u8; 8] = self.work_dice.bytes();
        let len = usize::try_from(len).unwrap_or(0);
        mark.iter().copied().cycle().take(len).collect()
    }

    fn attributes(&mut self) -> Vec<(String, Vec<Value>)> {
        let mut attributes = Vec::new();
        if self.work_dice.per_mille(500) {
            let number = i64::try_from(self.work_dice.between(0, 9)).unwrap_or(0);
            attributes.push(("n".to_owned(), vec![Value::Number(number)]));
        }
        if self.work_dice.per_mille(500) {
            let count = self.work_dice.between(1, 2);
            let tags = (0..count).map(|_| self.work_dice.pick(&TAGS).to_owned());
            attributes.push(("tag".to_owned(), tags.map(Value::Text).collect()));
        }
        attributes
    }

    /// An app changes or deletes a record that it sees; its own if it likes things to work.
    fn change(&mut self, machine: usize, handle: HandleId, delete: bool) {
        let app = &self.machines[machine].app;
        let (me, admin) = (app.peer, app.creator);
        let is_own = |info: &&RecordInfo| Some(info.creator) == me;
        let own: Vec<&RecordInfo> = app.view.shown.values().filter(is_own).collect();
        let any: Vec<&RecordInfo> = app.view.shown.values().collect();
        let from = if admin || own.is_empty() || self.work_dice.per_mille(100) {
            any
        } else {
            own
        };
        if from.is_empty() {
            return;
        }
        let info = from[self.work_dice.index(from.len())].clone();
        let (id, version) = (info.id, info.version);
        let foreign = Some(info.creator) != me && !admin;
        let mut must_fail = foreign.then_some(Code::NotAuthorized);
        if delete {
            if !foreign {
                self.deleted.insert(id);
            }
            let call = Call::Delete(id, version);
            self.ask_work(
                machine,
                Command::DeleteRecord { handle, id },
                call,
                must_fail,
            );
            return;
        }
        let expires = match self.work_dice.between(0, 9) {
            0..=1 if info.expires < self.wall() + limits::RECORD_LIFE_MS / 2 => {
                Some(Expiry::At(info.expires + self.work_dice.pick(&LIVES)))
            }
            2 => {
                must_fail = must_fail.or(Some(Code::InvalidRecordExpiration));
                Some(Expiry::At(info.expires - 1))
            }
            _ => None,
        };
        let if_version = match self.work_dice.between(0, 9) {
            0..=2 => Some(version),
            3 => {
                must_fail = must_fail
                    .filter(|code| *code == Code::NotAuthorized)
                    .or(Some(Code::InvalidRecord));
                Some(version + 1_000)
            }
            _ => None,
        };
        let update = RecordUpdate {
            data: self.work_dice.per_mille(700).then(|| self.payload()),
            attributes: self.work_dice.per_mille(300).then(|| self.attributes()),
            expires,
            if_version,
        };
        let call = Call::Update(id, version);
        let command = Command::UpdateRecord { handle, id, update };
        self.ask_work(machine, command, call, must_fail);
    }

    fn ask_work(&mut self, machine: usize, command: Command, call: Call, must_fail: Option<Code>) {
        let id = call.id();
        let mut calls = self.machines[machine].app.calls.values();
        let races = id.is_some() && calls.any(|other| other.call.id() == id);
        let asked = Asked {
            call,
            at: self.now,
            must_fail,
            races,
        };
        self.machines[machine].app.next_call = Some(asked.clone());
        if let Err(error) = self.command(machine, command) {
            self.machines[machine].app.next_call = None;
            let resolved = Resolved {
                asked,
                result: Err(error),
            };
            self.check_resolved(machine, &resolved);
        }
    }

    /// A change was asked for; its answer may come before this returns.
    pub fn work_asked(&mut self, machine: usize, request: RequestId) {
        let app = &mut self.machines[machine].app;
        if let Some(asked) = app.next_call.take() {
            app.calls.insert(request, asked);
        }
    }

    /// A change was answered.
    pub fn work_answered(
        &mut self,
        machine: usize,
        request: RequestId,
        result: &Result<Answer, Error>,
    ) {
        let app = &mut self.machines[machine].app;
        if let Some(asked) = app.calls.remove(&request) {
            let result = result.clone();
            app.view.resolved.push(Resolved { asked, result });
        }
    }

    /// What was answered must be so.
    pub fn check_resolved(&mut self, machine: usize, resolved: &Resolved) {
        let Resolved { asked, result } = resolved;
        if let Some(code) = asked.must_fail
            && result.is_ok()
        {
            self.fail(format!("machine {machine}: {asked:?} is not {code:?}"));
        }
        match (&asked.call, result) {
            (_, Err(error)) => {
                if !self.is_fair(machine, asked, error) {
                    self.fail(format!("machine {machine}: {asked:?} failed: {error:?}"));
                }
            }
            (Call::Add(new), Ok(Answer::RecordAdded(id))) => self.check_added(machine, *id, new),
            (Call::Update(id, version), Ok(Answer::Done)) => {
                self.check_kept(machine, *id, version + 1);
            }
            (Call::Delete(id, version), Ok(Answer::Done)) => {
                let of = &mut self.machines[machine];
                of.history.durable.remove(id);
                let shown = of.app.view.shown.get(id);
                if shown.is_some_and(|info| info.version <= *version) {
                    self.fail(format!("machine {machine}: {id:?} is deleted and shown"));
                }
            }
            (call, Ok(answer)) => {
                self.fail(format!(
                    "machine {machine}: {call:?} was answered {answer:?}"
                ));
            }
        }
    }

    fn check_added(&mut self, machine: usize, id: RecordId, new: &NewRecord) {
        let of = &self.machines[machine];
        let me = of.app.peer;
        let latest = self.wall() + limits::RECORD_AHEAD_MS + DRAGGED_MS;
        if let Some(info) = of.app.view.shown.get(&id)
            && !self.clocks_step
            && info.created > latest
        {
            let ahead = info.created - self.wall();
            self.fail(format!("machine {machine} was dragged {ahead} ms ahead"));
            return;
        }
        if let Some(info) = of.app.view.shown.get(&id) {
            let same = info.kind == new.kind
                && Some(info.creator) == me
                && info.auto_refresh == new.auto_refresh
                && (info.version > 1 || info.data == new.data);
            if !same {
                self.fail(format!("machine {machine}: added {new:?}, shown {info:?}"));
            }
        }
        self.check_kept(machine, id, 1);
    }

    /// What storage has acknowledged is there, unless it was deleted or has ended.
    fn check_kept(&mut self, machine: usize, id: RecordId, version: u32) {
        let of = &self.machines[machine];
        let shown = of.app.view.shown.get(&id);
        let lied = shown.is_some_and(|info| self.is_of_liar(info.creator));
        let of = &mut self.machines[machine];
        match of.app.view.shown.get(&id) {
            // The liar may do to its own records what it likes.
            Some(_) if lied => {}
            Some(info) if info.version >= version => {
                of.history.durable.insert(id, (info.version, info.expires));
            }
            Some(info) => {
                let text = format!("machine {machine}: {version} was stored, shown is {info:?}");
                self.fail(text);
            }
            None if self.deleted.contains(&id) => {}
            None => {
                let wall = self.clock(machine).wall + PEER_TIME_MS;
                let of = &self.machines[machine];
                let place = of.engine.as_ref().zip(of.app.handle);
                let held = place.and_then(|(engine, handle)| engine.held(handle, id).ok()?);
                // Of what has ended nothing need be held.
                if held.is_some_and(|record| record.body.expires > wall) {
                    self.fail(format!(
                        "machine {machine}: {id:?} was stored and is not shown"
                    ));
                }
            }
        }
    }

    /// Whether a change may end with that error.
    fn is_fair(&self, machine: usize, asked: &Asked, error: &Error) -> bool {
        let of = &self.machines[machine];
        let id = asked.call.id();
        let shown = id.and_then(|id| of.app.view.shown.get(&id));
        let clock_wrong = of.wall_offset != 0 || of.history.latest_wall > self.wall();
        match error.code {
            code if asked.must_fail == Some(code) => true,
            // A check that comes first may fail first.
            _ if asked.must_fail.is_some() && id.is_some_and(|id| self.deleted.contains(&id)) => {
                true
            }
            Code::GroupNotReady => {
                let handle = of.app.handle.zip(of.engine.as_ref());
                let status = handle.and_then(|(handle, engine)| engine.status(handle).ok());
                status.is_none_or(|status| !status.synchronized)
            }
            Code::StorageFull => of.disk_full || of.disk_was_full >= asked.at,
            // Closed meanwhile.
            Code::InvalidGroup | Code::Aborted => {
                of.app.handle.is_none() || of.app.closed_at >= asked.at
            }
            Code::RecordNotFound => id.is_some_and(|id| self.deleted.contains(&id)),
            // A record that refreshes itself may just be doing so.
            Code::InvalidRecord | Code::InvalidRecordExpiration
                if asked.races || shown.is_some_and(|info| info.auto_refresh) =>
            {
                true
            }
            // It ends just now.
            Code::InvalidRecordExpiration
                if shown
                    .is_none_or(|info| info.expires <= self.clock(machine).wall + PEER_TIME_MS) =>
            {
                true
            }
            // A liar's record may end too late for an app to keep its end.
            Code::InvalidRecordExpiration if self.hostile.is_some() => true,
            Code::InvalidRecordExpiration | Code::NotAuthorized | Code::ClockSkew => clock_wrong,
            _ => false,
        }
    }

    /// An app reads a record that it knows, or one that nobody has.
    fn get(&mut self, machine: usize, handle: HandleId) {
        let ids: Vec<RecordId> = self.machines[machine]
            .app
            .view
            .shown
            .keys()
            .copied()
            .collect();
        let id = if ids.is_empty() || self.work_dice.per_mille(100) {
            RecordId(self.work_dice.bytes())
        } else {
            self.work_dice.pick(&ids)
        };
        let answer = self.read(machine, Command::GetRecord { handle, id });
        let known = self.machines[machine].app.view.shown.get(&id);
        let fits = match (&answer, known) {
            (Ok(Answer::Record(info)), Some(known)) => **info == *known,
            (Err(error), _) if error.code == Code::GroupNotReady => true,
            (Err(error), None) => error.code == Code::RecordNotFound,
            _ => false,
        };
        if !fits {
            self.fail(format!(
                "machine {machine}: get {id:?}: {answer:?}, not {known:?}"
            ));
        }
    }

    /// An app searches; the same is found by looking at everything.
    fn search(&mut self, machine: usize, handle: HandleId) {
        let number = i64::try_from(self.work_dice.between(0, 9)).unwrap_or(0);
        let (kind, tag) = (self.work_dice.pick(&KINDS), self.work_dice.pick(&TAGS));
        let creators: Vec<_> = self.members.iter().copied().collect();
        let creator = self.work_dice.pick(&creators);
        let clause = |attribute: &str, compare, value| Search::Clause {
            attribute: attribute.to_owned(),
            compare,
            value,
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let of_kind = clause("peerrecordtype", Compare::Equal, text(kind));
        let at_least = clause("n", Compare::AtLeast, Value::Number(number));
        let tagged = clause("tag", Compare::Equal, text(tag));
        let pattern = clause("tag", Compare::Like, text("r*e"));
        let by = clause("peercreatorid", Compare::Equal, text(&creator.to_string()));
        let (search, fits): (Search, Box<Fits>) = match self.work_dice.between(0, 4) {
            0 => (of_kind, Box::new(move |info| info.kind == kind)),
            1 => (
                Search::And(vec![of_kind, at_least]),
                Box::new(move |info| {
                    let has = |value: &Value| matches!(value, Value::Number(n) if *n >= number);
                    info.kind == kind && info.attributes.get("n").iter().any(has)
                }),
            ),
            2 => (pattern, Box::new(|info| has_tag(info, "rose"))),
            3 => (
                Search::Or(vec![by, tagged]),
                Box::new(move |info| info.creator == creator || has_tag(info, tag)),
            ),
            _ => (
                Search::And(vec![Search::Or(vec![of_kind, pattern]), by]),
                Box::new(move |info| {
                    (info.kind == kind || has_tag(info, "rose")) && info.creator == creator
                }),
            ),
        };
        // In a flood a search costs more than all else: some of them say as much.
        if self.machines[machine].app.view.shown.len() > MANY && number % 4 != 0 {
            return;
        }
        let answer = self.read(machine, Command::SearchRecords { handle, search });
        let all = self.machines[machine].app.view.shown.values();
        let mut expected: Vec<&RecordInfo> = all.filter(|info| fits(info)).collect();
        expected.sort_by_key(|info| (info.created, info.id));
        let Ok(Answer::Records(mut found)) = answer else {
            self.fail(format!("machine {machine}: no search: {answer:?}"));
            return;
        };
        if found
            .windows(2)
            .any(|pair| pair[0].created > pair[1].created)
        {
            self.fail(format!("machine {machine}: found out of order: {found:?}"));
            return;
        }
        // Within one millisecond the order is the engine's.
        found.sort_by_key(|info| (info.created, info.id));
        if !found.iter().eq(expected.iter().copied()) {
            let text = format!("machine {machine}: found {found:?}, not {expected:?}");
            self.fail(text);
        }
    }
}

fn has_tag(info: &RecordInfo, tag: &str) -> bool {
    let is = |value: &Value| matches!(value, Value::Text(own) if own == tag);
    info.attributes.get("tag").iter().any(is)
}
