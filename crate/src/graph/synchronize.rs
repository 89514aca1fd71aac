//! How the ends of a link bring each other to the same items: digests in the handshake, then what
//! they tell to differ, and once a minute a look at one neighbor whether all is well.

use std::sync::Arc;

use super::lane::ControlItem;
use super::link::Link;
use super::security::Security;
use super::{Graph, News, Timer};
use crate::crypto::{Crypto, head};
use crate::engine::context::Context;
use crate::engine::event::Event;
use crate::gauge::{Held, See};
use crate::limits;
use crate::names::{LinkId, RecordHash};
use crate::record::model::TypeName;
use crate::record::store::Store;
use crate::record::sync::{Holdings, Key, Reconciler, Step};
use crate::sorted::Set;
use crate::time::Millis;
use crate::wire::codec::{Bytes, List};
use crate::wire::link::{Frame, Purpose, Scope};
use crate::wire::sync::{Answer, Answers, Digests, First, Message};

/// The synchronisation of one link.
pub struct Syncing {
    key: Key,
    /// What the store had taken when this end told what it holds.
    since: u64,
    /// The control items of then.
    told: Vec<RecordHash>,
    /// What the other end told, if it asked.
    digests: Option<Digests>,
    /// What was answered, by either end.
    answers: Option<Answers>,
    control: Option<Reconciler>,
    data: Option<Reconciler>,
    /// Scopes of which everything has come once.
    control_came: bool,
    data_came: bool,
}

impl Syncing {
    /// Shows what is kept for comparisons.
    pub(super) fn gauges(&self, see: &mut See<'_>) {
        see(Held::SyncTold, self.told.len(), limits::CONTROL_ITEMS + 1);
        for reconciler in [&self.control, &self.data].into_iter().flatten() {
            reconciler.gauges(see);
        }
    }

    /// Whether everything of the other end has come once.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.control_came && self.data_came
    }
}

/// The control items, by their hashes.
pub struct ControlHeld(Vec<(RecordHash, Vec<u8>)>);

impl Holdings for ControlHeld {
    fn each(&self, visit: &mut dyn FnMut(&RecordHash)) {
        self.0.iter().for_each(|(hash, _)| visit(hash));
    }
}

/// The records that have not ended, but none that others would not take.
struct RecordsHeld<'a> {
    store: &'a Store,
    /// What would be refused again need not come again.
    refused: &'a Set<RecordHash>,
    now: Millis,
}

impl Holdings for RecordsHeld<'_> {
    fn each(&self, visit: &mut dyn FnMut(&RecordHash)) {
        let soon = self.now.saturating_add(limits::RECORD_HELD_MS);
        let offered = self.store.offered(self.now);
        let taken = offered.filter(|entry| entry.record().body.modified().ms() <= soon);
        taken.for_each(|entry| visit(&entry.hash()));
        self.refused.iter().for_each(visit);
    }
}

/// The control items as of the security's revision.
#[derive(Default)]
pub struct ControlCache(Option<(u64, Arc<ControlHeld>)>);

impl ControlCache {
    fn held(&mut self, crypto: Crypto, security: &mut dyn Security) -> Arc<ControlHeld> {
        let revision = security.revision();
        match &self.0 {
            Some((of, held)) if *of == revision => held.clone(),
            _ => {
                let named = security.control().into_iter().map(|item| {
                    let hash = RecordHash(head(&crypto.hash(&[b"control", &item])));
                    (hash, item)
                });
                let held = Arc::new(ControlHeld(named.collect()));
                self.0 = Some((revision, held.clone()));
                held
            }
        }
    }
}

/// The key of the comparison inside a handshake: nobody knows it before message 1 is written.
fn first_key(crypto: Crypto, psk: &[u8; 32], nonce: &[u8; 16]) -> Key {
    let [first, _] = halves(&crypto.derive(psk, "sync", &[nonce]));
    Key::new(first)
}

fn halves(bytes: &[u8; 32]) -> [[u8; 16]; 2] {
    let at = |from: usize| core::array::from_fn(|i| bytes.get(from + i).copied().unwrap_or(0));
    [at(0), at(16)]
}

impl Graph {
    fn records_held(&self, cx: &Context<'_>) -> RecordsHeld<'_> {
        RecordsHeld {
            store: &self.records.store,
            refused: &self.records.refused,
            now: self.records.clock.at(cx.now),
        }
    }

    fn first_types(&self) -> First {
        List::first(self.precedence.clone())
    }

    /// What message 1 says of what we hold.
    pub(super) fn tell_digests(
        &mut self,
        cx: &Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        psk: &[u8; 32],
        nonce: &[u8; 16],
    ) -> Option<Digests> {
        let key = first_key(cx.crypto, psk, nonce);
        let held = self.control.held(cx.crypto, security);
        let digests = Digests {
            control: Reconciler::digest(&key, &*held),
            data: Reconciler::digest(&key, &self.records_held(cx)),
        };
        self.begin_syncing(id, key, &held, None, None)
            .then_some(digests)
    }

    /// What message 2 says to the digests in message 1.
    pub(super) fn answer_digests(
        &mut self,
        cx: &Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        psk: &[u8; 32],
        nonce: &[u8; 16],
        digests: Option<Digests>,
    ) -> Option<Answers> {
        let digests = digests?;
        let key = first_key(cx.crypto, psk, nonce);
        let held = self.control.held(cx.crypto, security);
        let first = self.first_types();
        let records = self.records_held(cx);
        let answers = Answers {
            control: Reconciler::answer(&key, &digests.control, &*held, &First::default()),
            data: Reconciler::answer(&key, &digests.data, &records, &first),
        };
        self.begin_syncing(id, key, &held, Some(digests), Some(answers.clone()))
            .then_some(answers)
    }

    fn begin_syncing(
        &mut self,
        id: LinkId,
        key: Key,
        held: &ControlHeld,
        digests: Option<Digests>,
        answers: Option<Answers>,
    ) -> bool {
        let since = self.records.store.insertions();
        let link = self.links.get_mut(&id);
        let Some(link) = link.filter(|link| link.purpose != Purpose::Direct) else {
            return false;
        };
        link.syncing = Some(Box::new(Syncing {
            key,
            since,
            told: held.0.iter().map(|(hash, _)| *hash).collect(),
            digests,
            answers,
            control: None,
            data: None,
            control_came: false,
            data_came: false,
        }));
        true
    }

    /// Message 2 has brought answers to our digests.
    pub(super) fn digests_answered(&mut self, id: LinkId, answers: Option<Answers>) {
        if let Some(syncing) = self.links.get_mut(&id).and_then(|l| l.syncing.as_mut()) {
            syncing.answers = answers;
        }
    }

    /// The link is open: what came here since the digests were told goes first, then what they tell
    /// to differ.
    pub(super) fn synchronize(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
    ) {
        let held = self.control.held(cx.crypto, security);
        let first = self.first_types();
        let records = RecordsHeld {
            store: &self.records.store,
            refused: &self.records.refused,
            now: self.records.clock.at(cx.now),
        };
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let (Some(mut syncing), Some(keys)) = (link.syncing.take(), link.keys.as_ref()) else {
            return;
        };
        let later = cx.crypto.derive(&keys.hash, "sync-later", &[]);
        let [control_key, data_key] = halves(&later);
        let mut control = Reconciler::new(syncing.key, Key::new(control_key), First::default());
        let mut data = Reconciler::new(syncing.key, Key::new(data_key), first);
        let told: Set<RecordHash> = syncing.told.drain(..).collect();
        let news = held.0.iter().filter(|(hash, _)| !told.contains(hash));
        link.lane
            .control(news.filter_map(|(_, item)| Bytes::new(item.clone())));
        for entry in self.records.store.since(syncing.since) {
            link.lane.fresh(entry.record().body.id);
        }
        let (mut control_steps, mut data_steps) = (Vec::new(), Vec::new());
        match (syncing.digests.take(), syncing.answers.take()) {
            (Some(digests), Some(answers)) => {
                control.expect(&digests.control, &answers.control, &*held);
                data.expect(&digests.data, &answers.data, &records);
                syncing.control_came = matches!(answers.control, Answer::Same {});
                syncing.data_came = matches!(answers.data, Answer::Same {});
            }
            (None, Some(answers)) => {
                syncing.control_came = matches!(answers.control, Answer::Same {});
                syncing.data_came = matches!(answers.data, Answer::Same {});
                control.begin_with_answer(answers.control, &*held, &mut control_steps);
                data.begin_with_answer(answers.data, &records, &mut data_steps);
            }
            _ => {
                control_steps.extend(control.begin(&*held).map(Step::Say));
                data_steps.extend(data.begin(&records).map(Step::Say));
            }
        }
        syncing.control = Some(control);
        syncing.data = Some(data);
        let complete = syncing.is_complete();
        link.syncing = Some(syncing);
        if complete {
            self.complete(cx, None);
            self.news.push_back(News::Synchronized);
        }
        self.steps(cx, security, id, Scope::Control, control_steps);
        self.steps(cx, security, id, Scope::Data, data_steps);
        self.plan_comparison(cx);
    }

    /// The other end says something about what differs.
    pub(super) fn compared(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        scope: Scope,
        message: Message,
    ) {
        if let Message::TypeEnd { kind } = &message {
            return self.complete(cx, Some(kind));
        }
        let mut steps = Vec::new();
        let run = |reconciler: &mut Reconciler, held: &dyn Holdings| {
            reconciler.receive(message, held, &mut steps);
        };
        if !self.with_reconciler(cx, security, id, scope, run) {
            return self.fault(cx, id, "it compares what was not begun");
        }
        self.steps(cx, security, id, scope, steps);
    }

    /// Runs one end of a comparison with what is held now; false if the link compares nothing.
    fn with_reconciler(
        &mut self,
        cx: &Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        scope: Scope,
        run: impl FnOnce(&mut Reconciler, &dyn Holdings),
    ) -> bool {
        let records = RecordsHeld {
            store: &self.records.store,
            refused: &self.records.refused,
            now: self.records.clock.at(cx.now),
        };
        let link = self.links.get_mut(&id);
        let Some(syncing) = link.and_then(|link| link.syncing.as_mut()) else {
            return false;
        };
        match scope {
            Scope::Control => {
                let Some(control) = syncing.control.as_mut() else {
                    return false;
                };
                run(control, &*self.control.held(cx.crypto, security));
            }
            Scope::Data => {
                let Some(data) = syncing.data.as_mut() else {
                    return false;
                };
                run(data, &records);
            }
        }
        true
    }

    /// Does what a comparison asks for.
    fn steps(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        scope: Scope,
        steps: Vec<Step>,
    ) {
        for step in steps {
            let Some(link) = self.links.get_mut(&id) else {
                return;
            };
            match step {
                Step::Say(message) => say(cx, link, scope, message),
                Step::Push(hashes) => match scope {
                    Scope::Control => {
                        let wanted: Set<RecordHash> = hashes.into_iter().collect();
                        let held = self.control.held(cx.crypto, security);
                        link.lane.control(control_items(&held, Some(&wanted)));
                    }
                    Scope::Data => {
                        let store = &self.records.store;
                        let ids = hashes.iter().filter_map(|hash| store.by_hash(hash));
                        link.lane.bulk(ids.map(|entry| entry.record().body.id));
                    }
                },
                Step::PushAll { first } => match scope {
                    Scope::Control => {
                        let held = self.control.held(cx.crypto, security);
                        link.lane.control(control_items(&held, None));
                    }
                    Scope::Data => {
                        let now = self.records.clock.at(cx.now);
                        push_all(link, &self.records.store, now, first);
                    }
                },
                Step::Finished(finished) => {
                    if finished.complete {
                        self.came(cx, id, scope);
                    }
                    if finished.again {
                        self.compare(cx, security, id, scope);
                    }
                }
                Step::Fault(why) => return self.convict(cx, id, why),
            }
        }
    }

    /// Everything of a scope that the other end had has come.
    fn came(&mut self, cx: &mut Context<'_>, id: LinkId, scope: Scope) {
        let link = self.links.get_mut(&id);
        let Some(syncing) = link.and_then(|link| link.syncing.as_mut()) else {
            return;
        };
        match scope {
            Scope::Control => syncing.control_came = true,
            Scope::Data => syncing.data_came = true,
        }
        if syncing.is_complete() {
            self.complete(cx, None);
            self.news.push_back(News::Synchronized);
            self.pass_on(cx, id);
        }
    }

    /// A type of records that is wanted first is complete, or all of them are: told once each.
    fn complete(&mut self, cx: &mut Context<'_>, kind: Option<&TypeName>) {
        let is_meant = |wanted: &TypeName| kind.is_none_or(|kind| kind == wanted);
        let (told, waits): (Vec<TypeName>, Vec<TypeName>) = core::mem::take(&mut self.precedence)
            .into_iter()
            .partition(is_meant);
        self.precedence = waits;
        for kind in told {
            cx.event(Event::TypeSynchronized {
                node: cx.node,
                kind: kind.into_string(),
            });
        }
    }

    /// Begins a comparison.
    fn compare(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        scope: Scope,
    ) {
        let mut message = None;
        let run = |reconciler: &mut Reconciler, held: &dyn Holdings| {
            message = reconciler.begin(held);
        };
        self.with_reconciler(cx, security, id, scope, run);
        if let (Some(message), Some(link)) = (message, self.links.get_mut(&id)) {
            say(cx, link, scope, message);
        }
    }

    /// Once a minute: compares with one neighbor, asks all for their time, and moves ours.
    pub(super) fn compare_with_somebody(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
    ) {
        let neighbors = self.links.values().filter(|link| link.is_neighbor());
        let neighbors: Vec<LinkId> = neighbors.map(|link| link.id).collect();
        let chosen = usize::try_from(cx.random.below(neighbors.len() as u64)).unwrap_or(0);
        for (at, id) in neighbors.into_iter().enumerate() {
            self.ask_time(cx, id);
            for scope in [Scope::Control, Scope::Data] {
                self.tidy_comparison(cx, security, id, scope);
                if at == chosen {
                    self.compare(cx, security, id, scope);
                }
            }
        }
        let mut votes = self.time_votes();
        if !votes.is_empty() {
            votes.extend(self.server_time.vote(&votes));
        }
        self.records.clock.move_towards(cx.now, &votes);
        if !self.records.clock.is_astray() {
            self.restamp_records(cx, security);
        }
        self.plan_comparison(cx);
    }

    /// Looks whether the wall clock was set; before anything else happens by it.
    pub fn look_at_clock(&mut self, cx: &mut Context<'_>) {
        if let Some(by) = self.records.clock.set_by(cx.now) {
            self.clock_was_set(cx, by);
        }
    }

    /// This machine's wall clock was set: how far others are from it must be asked anew, soon.
    fn clock_was_set(&mut self, cx: &mut Context<'_>, by: i64) {
        self.server_time.moved(by);
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for id in links {
            if let Some(link) = self.links.get_mut(&id) {
                link.peer_time_offset = None;
                // An answer that is on its way is of before.
                link.probe = None;
            }
            self.ask_time(cx, id);
        }
        if self.neighbors() > 0 {
            let soon = cx.now.monotonic + limits::TIME_ASKED_MS;
            self.timers.arm(Timer::Compare, soon);
        }
    }

    /// Ends what hangs: a comparison of which nothing was heard for a minute will not end by itself.
    fn tidy_comparison(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        scope: Scope,
    ) {
        let now = cx.now.monotonic;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.lane.forget_answers();
        if link.lane.is_stalled(now) {
            return self.fault(cx, id, "it takes no records");
        }
        let silent = cx.now.monotonic >= link.items_heard + limits::ANTI_ENTROPY_MS;
        let mut steps = Vec::new();
        let run = |reconciler: &mut Reconciler, _: &dyn Holdings| {
            if silent {
                reconciler.give_up(&mut steps);
            }
            reconciler.refill(&mut steps);
        };
        self.with_reconciler(cx, security, id, scope, run);
        self.steps(cx, security, id, scope, steps);
    }

    /// What each neighboring identity says about peer time, one vote each.
    #[must_use]
    pub fn time_votes(&self) -> Vec<i64> {
        let neighbors = self.links.values().filter(|link| link.is_neighbor());
        let votes =
            neighbors.filter_map(|link| Some((link.remote.peer()?, link.peer_time_offset?)));
        let votes: crate::sorted::Map<_, _> = votes.collect();
        votes.into_values().collect()
    }

    fn plan_comparison(&mut self, cx: &mut Context<'_>) {
        if self.neighbors() > 0 {
            let pause = if self.records.clock.is_astray() {
                limits::TIME_ASKED_MS
            } else {
                cx.random.jitter(limits::ANTI_ENTROPY_MS, 20)
            };
            self.timers
                .arm_first(Timer::Compare, cx.now.monotonic + pause);
        }
    }
}

/// Sends a message, behind the items before it if it must.
fn say(cx: &mut Context<'_>, link: &mut Link, scope: Scope, message: Message) {
    let follows = message.follows_items();
    let frame = Frame::Sync { scope, message };
    match scope {
        _ if !follows => link.send(cx, frame),
        Scope::Control => link.lane.control_mark(frame),
        Scope::Data => link.lane.bulk_mark(frame),
    }
}

/// The control items of those hashes, or all.
fn control_items(held: &ControlHeld, wanted: Option<&Set<RecordHash>>) -> Vec<ControlItem> {
    let held = held.0.iter();
    let chosen = held.filter(|(hash, _)| wanted.is_none_or(|wanted| wanted.contains(hash)));
    chosen
        .filter_map(|(_, item)| Bytes::new(item.clone()))
        .collect()
}

/// Sends all records, those of some types first, each type with a word at its end.
fn push_all(link: &mut Link, store: &Store, now: Millis, first: First) {
    let order = first.to_vec();
    for kind in first.into_vec() {
        let of_type = store.list(Some(&*kind), None).into_iter();
        link.lane.bulk(of_type.map(|entry| entry.record().body.id));
        let message = Message::TypeEnd { kind };
        link.lane.bulk_mark(Frame::Sync {
            scope: Scope::Data,
            message,
        });
    }
    link.lane.bulk(store.ids_by_precedence(&order, now));
}
