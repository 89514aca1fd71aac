//! Records that come over links: form and signature first, which convict whoever passed on a bad one;
//! then time and rights, which do not, for others may know more or less than we do.

use std::collections::VecDeque;

use super::Graph;
use super::Timer;
use super::pace::{Flood, PACE_MS};
use super::records::{RECORD_HEAD_BYTES, Write, full};
use super::security::{Absorbed, Security};
use super::waiting::{Parked, Until};
use crate::crypto::{Signed, verify_all};
use crate::engine::context::Context;
use crate::engine::effect::{Effect, Question};
use crate::engine::event::{Event, RecordChange, RecordInfo};
use crate::engine::input::Verdict;
use crate::error::{Code, Error};
use crate::limits;
use crate::names::{AskId, LinkId, PeerId, RecordHash, RecordId};
use crate::record::model::Record;
use crate::record::reserved::{PRESENCE, is_known, is_stored};
use crate::record::store::{Gone, Inserted, Kept};
use crate::record::stored::{Database, Stored};
use crate::sorted::Set;
use crate::time::Millis;
use crate::wire::codec::Wire as _;
use crate::wire::link::Frame;

impl Graph {
    /// Records came, each whole.
    pub(super) fn records_came<'a>(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        from: LinkId,
        items: impl Iterator<Item = &'a [u8]>,
    ) {
        let rules = security.rules();
        let (max, shows) = (rules.max_record_size, rules.shown.is_some());
        let mut fault = None;
        let mut new = Vec::new();
        for item in items {
            let Ok(record) = Record::from_bytes(item) else {
                fault = Some("it sent what is no record");
                continue;
            };
            let reserved = record.body.is_reserved();
            if reserved && !(shows && is_known(&record.body.kind)) {
                // A newer version may have uses for it.
                continue;
            }
            let author = record.body.author();
            if record.body.check_form(cx.crypto, usize::MAX).is_err()
                || !cx.crypto.is_public_key(&author.0)
            {
                fault = Some("it passed on a record that breaks the rules");
                continue;
            }
            // Not a fault: the other end may know properties that we do not.
            if (reserved || record.body.size() <= max) && !self.is_known(&record, from) {
                let hash = record.hash(cx.crypto, self.scope);
                new.push((record, hash));
            }
        }
        new.retain(|(_, hash)| {
            !self.records.waiting.contains(hash) && !self.records.refused.contains(hash)
        });
        let verdicts = self.verify_records(cx, &new);
        for ((record, hash), good) in new.into_iter().zip(verdicts) {
            if good {
                self.weigh(cx, security, record, hash, Some(from));
            } else {
                fault = Some("it passed on a record with a forged signature");
            }
        }
        if let Some(why) = fault {
            self.convict(cx, from, why);
        }
    }

    /// Whether we hold what came, or what is newer, so that it need not be verified.
    fn is_known(&mut self, record: &Record, from: LinkId) -> bool {
        let (id, body) = (record.body.id, &record.body);
        let (Some(entry), Some(link)) = (self.records.store.any(&id), self.links.get_mut(&from))
        else {
            return false;
        };
        if entry.record() == record {
            // It has what we have: no need to send it there.
            link.lane.forget(id);
            return true;
        }
        let ours = (entry.order().version, entry.order().modified);
        let is_older = (body.version(), body.modified()) < ours;
        let lives_on = body.expires > entry.kept().expires;
        if is_older && !lives_on && link.lane.answer_once(id) {
            // Whoever sent an older one should know ours.
            link.lane.fresh(id);
        }
        is_older && !lives_on
    }

    /// A piece of a large record came.
    pub(super) fn record_piece(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        from: LinkId,
        rest: u32,
        piece: &[u8],
    ) {
        let max = security.rules().max_record_size + RECORD_HEAD_BYTES;
        let Some(link) = self.links.get_mut(&from) else {
            return;
        };
        match link.lane.piece(piece, rest as usize, max) {
            Ok(None) => {}
            Ok(Some(whole)) => {
                self.records_came(cx, security, from, core::iter::once(whole.as_slice()));
            }
            Err(_) => self.convict(cx, from, "it sent pieces that do not fit together"),
        }
    }

    /// Tells the sender that a frame of items was taken in.
    pub(super) fn acknowledge(&mut self, cx: &mut Context<'_>, from: LinkId) {
        if let Some(link) = self.links.get_mut(&from) {
            link.send(cx, Frame::ItemsTaken { frames: 1 });
        }
    }

    /// Decides about a record whose form and signature are good.
    fn weigh(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        record: Record,
        hash: RecordHash,
        from: Option<LinkId>,
    ) {
        let now = self.records.clock.at(cx.now);
        let modified = record.body.modified().ms();
        let park = |until| Parked {
            record: record.clone(),
            hash,
            from,
            until,
        };
        if modified > now.saturating_add(limits::RECORD_HELD_MS) {
            return;
        }
        if modified > now.saturating_add(limits::RECORD_AHEAD_MS) {
            let due = modified - limits::RECORD_AHEAD_MS;
            self.records.waiting.park(park(Until::Due(due)));
            return;
        }
        let rights = security.rights(record.body.author());
        if rights.is_empty() {
            self.records.waiting.park(park(Until::Author));
            return;
        }
        if !rights
            .iter()
            .any(|rights| rights.allow(&record.body, &hash))
        {
            return;
        }
        if self.records.waiting.contains(&hash) {
            return;
        }
        if security.rules().asks_app && record.body.author() != self.own.peer() {
            return self.ask_about(cx, record, hash, from);
        }
        self.place(cx, record, hash, from, false);
    }

    /// Asks the app about a record.
    fn ask_about(
        &mut self,
        cx: &mut Context<'_>,
        record: Record,
        hash: RecordHash,
        from: Option<LinkId>,
    ) {
        if self.verdicts.len() >= limits::VALIDATIONS {
            // It comes again.
            return;
        }
        let ask = cx.ids.ask();
        let shown = self.records.store.get(&record.body.id).is_some();
        let change = match (record.body.is_deleted(), shown) {
            (true, _) => RecordChange::Deleted,
            (false, true) => RecordChange::Updated,
            (false, false) => RecordChange::Added,
        };
        let question = Question::ValidateRecord {
            record: Box::new(RecordInfo::from(&record)),
            change,
        };
        self.timers
            .arm(Timer::Ask(ask), cx.now.monotonic + limits::ASK_MS);
        self.records.waiting.park(Parked {
            record,
            hash,
            from,
            until: Until::Verdict(ask),
        });
        self.verdicts.insert(ask);
        cx.effect(Effect::Ask {
            ask,
            node: cx.node,
            question,
        });
    }

    /// The app has decided about a record.
    pub(super) fn record_judged(&mut self, cx: &mut Context<'_>, ask: AskId, verdict: Verdict) {
        self.verdicts.remove(&ask);
        self.timers.disarm(&Timer::Ask(ask));
        let asked = |parked: &Parked| parked.until == Until::Verdict(ask);
        for parked in self.records.waiting.take(asked) {
            match verdict {
                Verdict::Accept => {
                    self.place(cx, parked.record, parked.hash, parked.from, false);
                }
                Verdict::Reject => self.records.refuse(parked.hash),
                Verdict::Defer => self.records.waiting.park(Parked {
                    until: Until::AskedAgain,
                    ..parked
                }),
            }
        }
    }

    /// Asks the app again about records that it deferred: those, or all.
    pub fn validate_deferred(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        ids: &[RecordId],
    ) {
        let again = |parked: &Parked| {
            parked.until == Until::AskedAgain
                && (ids.is_empty() || ids.contains(&parked.record.body.id))
        };
        for parked in self.records.waiting.take(again) {
            self.weigh(cx, security, parked.record, parked.hash, parked.from);
        }
    }

    /// What waits for its time, or for its author, may have waited long enough; what was kept may
    /// have lost its right.
    pub fn weigh_again(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        let now = self.records.clock.at(cx.now);
        let known = self.records.revision != security.revision();
        if !known && self.records.waiting.next_due().is_none_or(|due| due > now) {
            return;
        }
        self.records.revision = security.revision();
        let ready = |parked: &Parked| match parked.until {
            Until::Author => known,
            Until::Due(due) => due <= now,
            Until::Verdict(_) | Until::AskedAgain => false,
        };
        for parked in self.records.waiting.take(ready) {
            self.weigh(cx, security, parked.record, parked.hash, parked.from);
        }
        if known {
            self.eject(cx, security);
            self.drop_unfounded(cx, security);
        }
    }

    /// Drops what its author has no right to by all we know now: everybody who knows as much does.
    fn drop_unfounded(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        let authors: Vec<PeerId> = self.records.store.authors().collect();
        for author in authors {
            let rights = security.rights(author);
            for id in self.records.store.by_author(author) {
                let entry = self.records.store.any(&id);
                if entry
                    .is_some_and(|e| !rights.iter().any(|r| r.allow(&e.record().body, &e.hash())))
                {
                    self.drop_record(cx, id);
                }
            }
        }
    }

    /// Takes what was exported, as far as it is good by what we know now.
    pub fn import(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        database: Database,
    ) -> Result<(), Error> {
        let items: Vec<&[u8]> = database.control.iter().map(Vec::as_slice).collect();
        if security.absorb(cx, &items) == Absorbed::Bad {
            return Err(Error::new(Code::InvalidDatabase).detail("a credential in it is forged"));
        }
        let records = database.records.into_iter();
        // Who was present then need not be now.
        for stored in records.filter(|stored| is_stored(&stored.record.body.kind)) {
            self.weigh(cx, security, stored.record, stored.hash, None);
        }
        Ok(())
    }

    /// Which of these records carry their author's signature.
    fn verify_records(&self, cx: &mut Context<'_>, new: &[(Record, RecordHash)]) -> Vec<bool> {
        let signed: Vec<(PeerId, Vec<u8>)> = new
            .iter()
            .map(|(record, _)| (record.body.author(), record.signed(self.scope)))
            .collect();
        let items: Vec<Signed<'_>> = new
            .iter()
            .zip(&signed)
            .map(|((record, _), (author, message))| Signed {
                key: &author.0,
                message,
                signature: &record.signature,
            })
            .collect();
        verify_all(cx.crypto, &items, cx.random)
    }

    /// Takes what storage holds: what was good when it was stored, and whose seal says so. Where it
    /// holds several versions the newest stays. `late`: the app and the neighbors are to hear of it.
    pub fn take_stored(
        &mut self,
        cx: &mut Context<'_>,
        security: &dyn Security,
        read: Vec<Stored>,
        late: bool,
    ) {
        // Where nothing ends while alone, what has ended by the clock is still there.
        let now = if self.defers_expiration(security) {
            0
        } else {
            self.records.clock.at(cx.now)
        };
        for Stored { record, hash, kept } in read {
            let id = record.body.id;
            if late {
                self.place(cx, record, hash, None, true);
                continue;
            }
            let refreshes = self.own_refresh(&record);
            let mut gone = Vec::new();
            let store = &mut self.records.store;
            match store.restore(record, hash, kept, now, &mut gone) {
                not_taken @ (Inserted::Same
                | Inserted::Older
                | Inserted::Raised
                | Inserted::Ended
                | Inserted::Full) => self.not_taken(id, hash, None, not_taken, true),
                _ => self.records.refreshes(id, refreshes),
            }
            self.gone(cx, gone);
        }
        self.records.stamp = self.records.stamp.max(self.records.store.latest_stamp());
    }

    /// Notes what the store holds no longer, and tells the app what it saw of it.
    fn gone(&mut self, cx: &mut Context<'_>, gone: Vec<Gone>) {
        for gone in gone {
            if is_stored(&gone.kind) {
                self.records.unstored.went((gone.id, gone.hash));
            }
            self.records.touch(&gone.kind, gone.creator);
            if self.records.store.get(&gone.id).is_none() {
                self.records.refreshes(gone.id, None);
            }
            if gone.shown {
                tell(cx, RecordChange::Deleted, gone.id, gone.kind.into_string());
            }
        }
    }

    /// When a record ends that we keep alive.
    fn own_refresh(&self, record: &Record) -> Option<Millis> {
        let own = record.body.creator == self.own.peer();
        (own && record.body.auto_refresh()).then_some(record.body.expires)
    }

    /// Drops a record here only.
    pub fn drop_record(&mut self, cx: &mut Context<'_>, id: RecordId) {
        let gone = self.records.store.remove(&id);
        self.gone(cx, gone.into_iter().collect());
    }

    /// Keeps a record that may be kept, tells the app, and passes it on. `stored`: storage has it.
    pub(super) fn place(
        &mut self,
        cx: &mut Context<'_>,
        record: Record,
        hash: RecordHash,
        from: Option<LinkId>,
        stored: bool,
    ) -> Inserted {
        let now = self.records.clock.at(cx.now);
        let (id, author) = (record.body.id, record.body.author());
        let (kind, creator) = (record.body.kind.clone(), record.body.creator);
        let modified = record.body.modified();
        let refreshes = self.own_refresh(&record);
        let written = stored.then(|| Kept::of(&record));
        let direct = from
            .and_then(|from| self.links.get(&from))
            .map(|link| link.remote.node);
        let reaches_all =
            *kind == *PRESENCE && direct.is_some_and(|node| self.reaches_all(&record, node, now));
        let mut gone = Vec::new();
        let inserted = self.records.store.insert(record, hash, now, &mut gone);
        self.gone(cx, gone);
        if inserted == Inserted::Full {
            self.records.refuse(hash);
        }
        let change = match inserted {
            Inserted::Added => Some(RecordChange::Added),
            Inserted::Updated => Some(RecordChange::Updated),
            Inserted::Deleted => Some(RecordChange::Deleted),
            Inserted::Expired => Some(RecordChange::Expired),
            Inserted::Hidden => None,
            Inserted::Older
            | Inserted::Raised
            | Inserted::Same
            | Inserted::Ended
            | Inserted::Full => {
                self.not_taken(id, hash, from, inserted, stored);
                return inserted;
            }
        };
        self.records.stamp = self.records.stamp.max(modified);
        // What was seen of earlier versions is stored with it.
        let kept = self.records.store.any(&id).map(|entry| entry.kept());
        match written {
            _ if !is_stored(&kind) => {}
            None => self.records.unstored.came((id, hash)),
            same if same == kept => {}
            Some(_) => self.records.unstored.changed((id, hash)),
        }
        self.records.refreshes(id, refreshes);
        self.records.touch(&kind, creator);
        if let Some(change) = change {
            tell(cx, change, id, kind.to_string());
        }
        if reaches_all {
            return inserted;
        }
        let flood = Flood {
            id,
            author,
            except: from,
            at: cx.now.monotonic,
        };
        // Ours does not wait behind what our app writes: this node may be about to leave.
        let now_or_later = match from {
            None if *kind == *PRESENCE => Some(flood),
            _ => self.records.pace.now_or_later(flood, cx.now.monotonic),
        };
        match now_or_later {
            Some(flood) => self.flood(flood),
            None => self.timers.arm(Timer::Pace, cx.now.monotonic + PACE_MS),
        }
        inserted
    }

    /// A version is not the one that is held from now on.
    fn not_taken(
        &mut self,
        id: RecordId,
        hash: RecordHash,
        from: Option<LinkId>,
        inserted: Inserted,
        stored: bool,
    ) {
        if matches!(inserted, Inserted::Older | Inserted::Raised)
            && let Some(link) = from.and_then(|from| self.links.get_mut(&from))
            && link.lane.answer_once(id)
        {
            // Whoever sent an older one should know ours.
            link.lane.fresh(id);
        }
        if inserted == Inserted::Raised
            && let Some(entry) = self.records.store.any(&id)
            && is_stored(&entry.record().body.kind)
        {
            self.records.unstored.changed((id, entry.hash()));
        }
        if stored && inserted != Inserted::Same {
            self.records.unstored.went((id, hash));
        }
    }

    /// Puts a record on the lanes of all neighbors but the one it came from.
    fn flood(&mut self, flood: Flood) {
        for link in self.links.values_mut().filter(|link| link.is_neighbor()) {
            // One that opened later has learned of it when it opened.
            let later = link.opened.is_some_and(|opened| opened > flood.at);
            if Some(link.id) != flood.except && !later {
                link.lane.fresh(flood.id);
            }
        }
    }

    /// Floods what had to wait.
    pub(super) fn pace(&mut self, cx: &mut Context<'_>) {
        for flood in self.records.pace.due(cx.now.monotonic) {
            self.flood(flood);
        }
        if self.records.pace.is_waiting() {
            self.timers.arm(Timer::Pace, cx.now.monotonic + PACE_MS);
        }
    }

    /// Storage has confirmed our own writes: now they count.
    pub fn written(&mut self, cx: &mut Context<'_>) {
        for write in core::mem::take(&mut self.records.writing) {
            let Write {
                request,
                answer,
                record,
                hash,
            } = write;
            let result = match self.place(cx, record, hash, None, true) {
                Inserted::Full => Err(full()),
                _ => Ok(answer),
            };
            if let Some(request) = request {
                cx.answer(request, result);
            }
        }
    }

    /// Storage could not take our own writes: they never were.
    pub fn not_written(&mut self, cx: &mut Context<'_>, error: &Error) {
        let failed = core::mem::take(&mut self.records.writing);
        let ids: Set<RecordId> = failed.iter().map(|write| write.record.body.id).collect();
        // Later changes of the same records build on them.
        let rests_on = |write: &Write| ids.contains(&write.record.body.id);
        let (later, other): (VecDeque<Write>, VecDeque<Write>) =
            core::mem::take(&mut self.records.writes)
                .into_iter()
                .partition(rests_on);
        self.records.writes = other;
        for write in failed.into_iter().chain(later) {
            if let Some(request) = write.request {
                cx.answer(request, Err(error.clone()));
            }
        }
    }
}

pub(super) fn tell(cx: &mut Context<'_>, change: RecordChange, id: RecordId, kind: String) {
    cx.event(Event::RecordChanged {
        node: cx.node,
        change,
        id,
        kind,
    });
}
