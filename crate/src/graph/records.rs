//! The records of a graph at this node: what the app reads and writes. A write counts once it is
//! stored: until then nobody hears of it, so that one that fails leaves no trace.

use std::collections::VecDeque;

use super::Graph;
use super::clock::PeerClock;
use super::pace::Pace;
use super::security::{Rights, Security};
use super::unstored::Unstored;
use super::waiting::Waiting;
use crate::engine::command::{Expiry, NewRecord, RecordUpdate};
use crate::engine::context::Context;
use crate::engine::event::{Answer, RecordInfo};
use crate::error::{Code, Error, Evidence, Stage};
use crate::limits;
use crate::names::{PeerId, RecordHash, RecordId, RequestId};
use crate::record::model::{Body, Change, Record, Stamp, TypeName, new_id};
use crate::record::reserved::tells_of_members;
use crate::record::store::Store;
use crate::sorted::Set;
use crate::time::{Millis, Now};
use crate::wire::attributes::Attributes;
use crate::wire::codec::Bytes;
use crate::wire::numbers::record;

/// Bytes of a record besides what counts against `maxRecordSize`, at most.
pub(super) const RECORD_HEAD_BYTES: usize = 512;

/// A change of ours on its way to storage.
pub struct Write {
    /// The call that asked for it; none for what the engine does by itself.
    pub request: Option<RequestId>,
    /// What the call is answered with.
    pub answer: Answer,
    /// The new version.
    pub record: Record,
    /// Names it.
    pub hash: RecordHash,
}

/// The records of a graph at this node.
pub struct Records {
    /// Those that are kept.
    pub store: Store,
    /// The group's time.
    pub clock: PeerClock,
    /// Ours that storage has not been given yet.
    pub writes: VecDeque<Write>,
    /// Ours that storage has and has not confirmed.
    pub writing: Vec<Write>,
    /// Versions that storage may not have yet, or has and should not.
    pub unstored: Unstored,
    pub(super) waiting: Waiting,
    pub(super) pace: Pace,
    /// What the security knew when records were judged last.
    pub(super) revision: u64,
    /// Ours that refresh themselves, and when the first of them is due.
    pub(super) refreshing: Set<RecordId>,
    pub(super) next_refresh: Option<Millis>,
    /// Versions that were refused and would be again: they count as known when sets are compared.
    pub(super) refused: Set<RecordHash>,
    /// The latest moment that was given to, or seen in, a record.
    pub(super) stamp: Stamp,
    /// Members that show something else of themselves than before, for the node.
    pub touched: Set<PeerId>,
}

impl Records {
    /// No records.
    #[must_use]
    pub fn new(store: Store, clock: PeerClock) -> Self {
        Self {
            store,
            clock,
            writes: VecDeque::new(),
            writing: Vec::new(),
            unstored: Unstored::default(),
            waiting: Waiting::default(),
            pace: Pace::default(),
            revision: 0,
            refreshing: Set::new(),
            next_refresh: None,
            refused: Set::new(),
            stamp: Stamp::default(),
            touched: Set::new(),
        }
    }

    /// Notes that a record of the engine's own types came, changed or went.
    pub(super) fn touch(&mut self, kind: &TypeName, creator: PeerId) {
        if tells_of_members(kind) {
            self.touched.insert(creator);
        }
    }

    /// Notes when a record of ours ends that refreshes itself; None: it does not.
    pub(super) fn refreshes(&mut self, id: RecordId, expires: Option<Millis>) {
        let Some(expires) = expires else {
            self.refreshing.remove(&id);
            return;
        };
        self.refreshing.insert(id);
        let due = expires.saturating_sub(limits::AUTO_REFRESH_AHEAD_MS);
        self.next_refresh = Some(self.next_refresh.map_or(due, |next| next.min(due)));
    }

    /// Remembers that a version was refused.
    pub(super) fn refuse(&mut self, hash: RecordHash) {
        if self.refused.len() >= limits::REFUSED_RECORDS {
            self.refused.clear();
        }
        self.refused.insert(hash);
    }

    /// Bytes held in queues; the store has a bound of its own.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let writes = self.writes.iter().chain(&self.writing);
        self.waiting.bytes() + writes.map(|write| write.record.body.size()).sum::<usize>()
    }

    /// The newest version of a record that counts for our next write.
    fn newest(&self, id: RecordId) -> Option<&Record> {
        let written = self.writing.iter().chain(&self.writes);
        let mut ours = written.rev().filter(|write| write.record.body.id == id);
        let ours = ours
            .next()
            .map(|write| (write.record.order(write.hash), &write.record));
        let held = self
            .store
            .any(&id)
            .filter(|entry| entry.is_shown() || ours.is_some());
        let held = held.map(|entry| (entry.order(), entry.record()));
        let (_, newest) = ours
            .into_iter()
            .chain(held)
            .max_by_key(|(order, _)| *order)?;
        Some(newest).filter(|record| !record.body.is_deleted() && !record.body.is_reserved())
    }

    /// The moment of our next write. A clock that was ahead once is not followed for ever.
    pub(super) fn next_stamp(&mut self, now: Now) -> Stamp {
        let now = self.clock.at(now);
        if self.stamp > Stamp::at(now.saturating_add(limits::RECORD_AHEAD_MS)) {
            self.stamp = Stamp::at(now);
        }
        self.stamp = self.stamp.next(now);
        self.stamp
    }
}

impl Graph {
    /// Reads a record.
    pub fn get_record(&self, id: RecordId) -> Result<RecordInfo, Error> {
        let entry = self.records.store.get(&id);
        entry
            .map(|entry| RecordInfo::from(entry.record()))
            .ok_or_else(|| Code::RecordNotFound.into())
    }

    /// Adds a record, once it is stored.
    pub fn add_record(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        request: RequestId,
        new: NewRecord,
    ) -> Result<(), Error> {
        let kind = TypeName::new(new.kind)
            .filter(|kind| !kind.is_empty())
            .ok_or_else(|| {
                Error::new(Code::InvalidArgument).detail(format!(
                    "a record's type has 1 to {} bytes",
                    limits::RECORD_TYPE_BYTES
                ))
            })?;
        let attributes = Attributes::new(new.attributes)?;
        let data = data(new.data)?;
        let creator = self.own.peer();
        let now = self.records.clock.at(cx.now);
        let expires = expiry(new.expires, now)?;
        if new.auto_refresh && expires - now < limits::AUTO_REFRESH_LIFE_MS {
            return Err(Error::new(Code::InvalidRecordExpiration)
                .detail("a record that refreshes itself lives for 4 minutes or more"));
        }
        let created = self.records.next_stamp(cx.now);
        let body = Body {
            form: record::FORM,
            flags: if new.auto_refresh {
                record::AUTO_REFRESH
            } else {
                0
            },
            id: new_id(cx.crypto, creator, cx.random),
            kind,
            creator,
            created,
            change: Change::Original {},
            // The moment it is given may be a little ahead of peer time.
            expires: expires.max(created.ms().saturating_add(1)),
            attributes,
            data,
        };
        if body.is_reserved() {
            return Err(Error::new(Code::NotAuthorized)
                .detail("types that begin with peer-group/ are the engine's own"));
        }
        let size = room(&body);
        if !self.records.store.has_room(creator, &body.kind, size) {
            return Err(full());
        }
        let answer = Answer::RecordAdded(body.id);
        self.write(cx, security, Some(request), answer, body)
    }

    /// Changes a record, once that is stored.
    pub fn update_record(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        request: RequestId,
        id: RecordId,
        update: RecordUpdate,
    ) -> Result<(), Error> {
        let now = self.records.clock.at(cx.now);
        let old = self.changeable(security, id)?;
        if let Some(version) = update.if_version.filter(|v| *v != old.version()) {
            return Err(Error::new(Code::InvalidRecord).detail(format!(
                "somebody was faster: the record is at version {}, not {version}",
                old.version()
            )));
        }
        let expires = match update.expires {
            Some(expires) => expiry(expires, now)?,
            None => old.expires,
        };
        if expires < old.expires {
            return Err(Error::new(Code::InvalidRecordExpiration)
                .detail("the end of a record only ever moves later"));
        }
        let mut body = old;
        if let Some(attributes) = update.attributes {
            body.attributes = Attributes::new(attributes)?;
        }
        if let Some(new) = update.data {
            body.data = data(new)?;
        }
        let body = self.changed(cx, body, expires)?;
        let size = room(&body);
        let held = self.records.store.any(&id).is_some();
        if held && !self.records.store.has_room_for_change(&id, size) {
            return Err(full());
        }
        self.write(cx, security, Some(request), Answer::Done, body)
    }

    /// Deletes a record, once that is stored. It is remembered until it would have ended; a change
    /// by somebody who had not heard of that, and gave it a longer life, may bring it back after.
    pub fn delete_record(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        request: RequestId,
        id: RecordId,
    ) -> Result<(), Error> {
        let mut body = self.changeable(security, id)?;
        body.flags = record::DELETED;
        body.attributes = Attributes::default();
        body.data = Bytes::default();
        let expires = body.expires;
        let body = self.changed(cx, body, expires)?;
        self.write(cx, security, Some(request), Answer::Done, body)
    }

    /// Extends the life of our records that are about to end, by as much as they had.
    pub(super) fn refresh_records(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        let now = self.records.clock.at(cx.now);
        if self.records.next_refresh.is_none_or(|due| due > now) {
            return;
        }
        self.records.next_refresh = None;
        for id in self.records.refreshing.iter().copied().collect::<Vec<_>>() {
            let Some(old) = self.records.newest(id).map(|record| &record.body) else {
                continue;
            };
            // One that has ended stays ended: somebody may have deleted it while this machine slept.
            if old.expires <= now {
                continue;
            }
            if old.expires > now.saturating_add(limits::AUTO_REFRESH_AHEAD_MS) {
                let expires = old.expires;
                self.records.refreshes(id, Some(expires));
                continue;
            }
            let life = old
                .expires
                .saturating_sub(old.modified().ms())
                .clamp(limits::AUTO_REFRESH_LIFE_MS, limits::RECORD_LIFE_MS);
            // Where our membership ends the record does too.
            let body = old.clone();
            // Looked at again soon, should it not be stored.
            let again = now.saturating_add(limits::STORE_AGAIN_MS);
            self.records.next_refresh = Some(again);
            if let Ok(body) = self.changed(cx, body, now.saturating_add(life)) {
                let _ = self.write(cx, security, None, Answer::Done, body);
            }
        }
    }

    /// Our clock was far ahead when we changed these: nobody else takes them before their time, so
    /// we say the same again, now. What we made then has to wait: its begin stays what it is.
    pub(super) fn restamp_records(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        let latest = self.records.clock.at(cx.now) + limits::RECORD_AHEAD_MS;
        let store = &self.records.store;
        let ahead = store.by_author_after(self.own.peer(), Stamp::at(latest));
        let ahead = ahead.into_iter().map(|entry| &entry.record().body);
        let ahead: Vec<Body> = ahead
            .filter(|body| body.created.ms() <= latest && !body.is_reserved())
            .cloned()
            .collect();
        for body in ahead {
            let writes = self.records.writes.iter().chain(&self.records.writing);
            let again = writes.filter(|write| write.record.body.id == body.id);
            let expires = body.expires;
            if again.count() == 0
                && let Ok(body) = self.changed(cx, body, expires)
            {
                let _ = self.write(cx, security, None, Answer::Done, body);
            }
        }
    }

    /// What an app may change: ours, or another's if we may.
    fn changeable(&self, security: &mut dyn Security, id: RecordId) -> Result<Body, Error> {
        let found = self.records.newest(id).map(|record| record.body.clone());
        let body = found.ok_or_else(|| Error::new(Code::RecordNotFound))?;
        let own = self.own.peer();
        // What stays of a role that has ended gives no right to more.
        let mut rights = security.rights(own).into_iter();
        let others = rights.any(|rights| rights.others && rights.only.is_none());
        if body.creator != own && !others {
            return Err(Error::new(Code::NotAuthorized)
                .detail("only its creator or an admin changes or deletes a record"));
        }
        Ok(body)
    }

    /// The next version of a record, by us.
    fn changed(
        &mut self,
        cx: &mut Context<'_>,
        mut body: Body,
        expires: Millis,
    ) -> Result<Body, Error> {
        let peer = self.own.peer();
        // Should our clock have been set back: a change is later than the record.
        let at = self.records.next_stamp(cx.now).max(body.created.next(0));
        let version = body.version().checked_add(1).ok_or_else(|| {
            Error::new(Code::InvalidRecord).detail("it was changed as often as can be counted")
        })?;
        body.change = if body.creator == peer {
            Change::ByCreator { version, at }
        } else {
            Change::ByOther { version, at, peer }
        };
        body.expires = expires.max(at.ms().saturating_add(1));
        Ok(body)
    }

    /// Signs a version and hands it to storage.
    pub(super) fn write(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        request: Option<RequestId>,
        answer: Answer,
        body: Body,
    ) -> Result<(), Error> {
        let rules = security.rules();
        if body.size() > rules.max_record_size {
            return Err(Error::new(Code::MaxRecordSizeExceeded).detail(format!(
                "{} bytes of data and attributes, {} at most",
                body.size(),
                rules.max_record_size
            )));
        }
        // What our neighbors would convict us for.
        body.check_form(cx.crypto, rules.max_record_size)?;
        let rights = security.rights(self.own.peer());
        let record = self.own.sign_record(cx.crypto, self.scope, body);
        let hash = record.hash(cx.crypto, self.scope);
        if !rights
            .iter()
            .any(|rights| rights.allow(&record.body, &hash))
        {
            return Err(not_allowed(&rights, &record.body));
        }
        self.records.writes.push_back(Write {
            request,
            answer,
            record,
            hash,
        });
        Ok(())
    }
}

/// What a record counts as at most, before it is signed.
fn room(body: &Body) -> u64 {
    (body.size() + body.attributes.beside() + RECORD_HEAD_BYTES) as u64
}

/// There is no room for one more record.
pub(super) fn full() -> Error {
    Error::new(Code::OutOfMemory).detail(format!(
        "one member has at most {} records of a type, and {} bytes in them",
        limits::RECORDS_PER_AUTHOR,
        limits::RECORD_BYTES_PER_AUTHOR
    ))
}

fn not_allowed(rights: &[Rights], body: &Body) -> Error {
    let modified = body.modified().ms();
    let begin = rights.iter().map(|rights| rights.from.0).min();
    let early = begin.map(|begin| begin.saturating_mul(1000).saturating_sub(modified));
    if let Some(by) = early.filter(|by| *by > limits::CLOCK_GRACE_S * 1000) {
        let evidence = Evidence {
            clock_offset_ms: i64::try_from(by).ok().map(|by| -by),
            ..Evidence::at(Stage::Synchronization)
        };
        return Error::new(Code::ClockSkew)
            .detail("by peer time the membership has not begun: set this device's clock")
            .evidence(evidence);
    }
    match rights.iter().map(|rights| rights.until).max() {
        Some(_) => Error::new(Code::InvalidRecordExpiration)
            .detail("no record outlives the membership of whoever wrote it"),
        None => Error::new(Code::NotAuthorized).detail("only members write records"),
    }
}

fn data(data: Vec<u8>) -> Result<crate::record::model::Data, Error> {
    Bytes::new(data).ok_or_else(|| Code::MaxRecordSizeExceeded.into())
}

/// The end of a record, if it lies ahead and not too far.
fn expiry(expires: Expiry, now: Millis) -> Result<Millis, Error> {
    let at = match expires {
        Expiry::At(at) => at,
        Expiry::In(life) => now.saturating_add(life),
    };
    if at <= now || at - now > limits::RECORD_LIFE_MS {
        return Err(Error::new(Code::InvalidRecordExpiration)
            .detail("a record ends in the future, within 400 days"));
    }
    Ok(at)
}
