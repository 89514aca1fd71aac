//! What must hold of records in the end: everybody shows the same, all of it is rightly there, and
//! the links have gone quiet.

use std::collections::{BTreeMap, BTreeSet};

use peer_group::engine::event::Event;
use peer_group::limits;
use peer_group::names::{PeerId, RecordHash, RecordId};
use peer_group::record::stored::Database;
use peer_group::time::Millis;
use peer_group::wire::codec::{Reader, Wire as _};
use peer_group::wire::link::{ByeReason, Frame, Packet};
use peer_group::wire::numbers::frame;

use super::people::LINGERS_MS;
use super::verify::Verifier;
use super::world::World;

/// Between two looks whether all agree.
const LOOK_MS: Millis = 250;
/// Between two lines of a trace about what differs.
const LOOKED_MS: Millis = 10_000;
/// From the full mesh to agreement: a comparison with a random neighbor comes once a minute.
const AGREEMENT_MS: Millis = 150_000;
/// The liar goes on for that long after the faults.
const LIES_MS: Millis = 10_000;
/// What comparisons may take on one link while nothing differs, within two minutes: messages.
const QUIET_MESSAGES: u64 = 24;

impl World {
    /// Machines whose members are honest and here.
    #[must_use]
    pub fn honest(&self) -> Vec<usize> {
        (0..self.machines.len())
            .filter(|machine| !self.lies(*machine) && !self.machines[*machine].app.retired)
            .collect()
    }

    /// Counts what of comparisons goes over a link, and sees that nobody honest is found at fault.
    pub fn tally_frame(&mut self, end: usize, other: usize, bytes: &[u8]) {
        let (from, to) = (self.net.ends[end].machine, self.net.ends[other].machine);
        self.trace
            .machine(self.now, from, || match Packet::from_bytes(bytes) {
                Ok(Packet { frame, .. }) => format!("=> m{to} {frame:?}"),
                Err(_) => format!("=> m{to} {} bytes", bytes.len()),
            });
        self.net.ends[end].carried += bytes.len() as u64;
        let mut reader = Reader::new(bytes);
        let kind = reader.varint().and_then(|_| reader.array::<1>());
        match kind {
            Ok([frame::SYNC]) => {
                let (messages, sum) = &mut self.net.ends[end].compared;
                *messages += 1;
                *sum += bytes.len() as u64;
            }
            Ok([frame::BYE]) => {
                let machines = [end, other].map(|end| self.net.ends[end].machine);
                let packet = Packet::from_bytes(bytes);
                let fault = Frame::Bye {
                    reason: ByeReason::Fault,
                };
                if packet.is_ok_and(|packet| packet.frame == fault)
                    && !machines.iter().any(|machine| self.lies(*machine))
                {
                    self.accused = Some(machines.into());
                }
            }
            _ => {}
        }
    }

    /// An honest member was found at fault by another: says why.
    pub fn check_accused(&mut self) {
        let Some((accuser, accused)) = self.accused.take() else {
            return;
        };
        let mut heard = self.machines[accuser].heard.iter().rev();
        let why = heard.find_map(|(_, event)| match event {
            Event::NeighborConnection { change, .. } => change.reason.clone(),
            _ => None,
        });
        self.fail(format!(
            "machine {accuser} finds fault with {accused}: {why:?}"
        ));
    }

    /// Goes on until all honest members show the same. How long it took.
    pub fn agree(&mut self, limit: Millis) -> Millis {
        let since = self.now;
        let offsets = self.offsets();
        let mut looked = since;
        loop {
            let apart = self.disagreement(offsets);
            let apart = apart.or_else(|| self.people_apart(offsets));
            let Some(apart) = apart else { break };
            if self.failure.is_some() {
                break;
            }
            if self.now == since || self.now >= looked + LOOKED_MS {
                looked = self.now;
                self.trace.line(self.now, "!=", || apart.clone());
            }
            if self.now >= since + limit {
                let wall = self.wall();
                let offsets: Vec<Option<i64>> = self
                    .honest()
                    .into_iter()
                    .map(|machine| self.database(machine).map(|of| of.offset))
                    .collect();
                self.fail(format!(
                    "no agreement {limit} ms later, at {wall}, peer times off by {offsets:?}: {apart}"
                ));
                break;
            }
            self.run_for(LOOK_MS);
        }
        self.now - since
    }

    /// How far peer times are from true time at most.
    pub fn offsets(&mut self) -> Millis {
        let mut most = 0;
        for machine in self.honest() {
            if let Some(database) = self.database(machine) {
                most = most.max(database.offset.unsigned_abs());
            }
        }
        most
    }

    /// What a clock changed that was far ahead: nobody else takes it before its time.
    fn far_ahead(&self) -> BTreeSet<RecordId> {
        let latest = self.wall() + limits::RECORD_AHEAD_MS;
        let mut ahead = BTreeSet::new();
        for of in self.machines.iter().filter(|_| self.clocks_step) {
            let shown = of.app.view.shown.iter();
            let graves = of.history.graves.iter();
            let changes = shown
                .map(|(id, info)| (id, info.modified))
                .chain(graves.map(|(id, grave)| (id, grave.modified)));
            ahead.extend(changes.filter(|(_, at)| *at > latest).map(|(id, _)| *id));
        }
        ahead
    }

    /// The first record that two honest members show differently. What ends about now may be gone
    /// here and not there.
    fn disagreement(&self, offsets: Millis) -> Option<String> {
        let wall = self.wall();
        let about_now = wall - (offsets + 5_000)..wall + offsets + 5_000;
        let honest = self.honest();
        let (first, others) = honest.split_first()?;
        let ahead = self.far_ahead();
        let shown = |machine: usize| {
            let view = &self.machines[machine].app.view;
            view.shown
                .iter()
                .filter(|(id, info)| !about_now.contains(&info.expires) && !ahead.contains(*id))
        };
        for other in others {
            if shown(*first).eq(shown(*other)) {
                continue;
            }
            let (one, two): (BTreeMap<_, _>, BTreeMap<_, _>) =
                (shown(*first).collect(), shown(*other).collect());
            let ids: BTreeSet<_> = one.keys().chain(two.keys()).collect();
            let differs = ids.iter().filter(|id| one.get(**id) != two.get(**id));
            let count = differs.clone().count();
            let id = differs.copied().next()?;
            return Some(format!(
                "{count} of {} records differ between machines {first} and {other}; here {:?}, there {:?}",
                ids.len(),
                one.get(id),
                two.get(id)
            ));
        }
        None
    }

    /// Everything about records that must come right after the faults. How long agreement took: first,
    /// and after the last changes.
    pub fn settle_records(&mut self) -> (Millis, Millis) {
        let mended = self.now;
        if self.failure.is_some() {
            return (0, 0);
        }
        if let Some(hostile) = &mut self.hostile {
            hostile.until = Some(mended + LIES_MS);
            self.run_for(LIES_MS);
        }
        let first = self.agree(AGREEMENT_MS);
        self.check_views();
        let last = self.last_changes();
        self.check_views();
        // What is deleted is shown nowhere, and may still be on its way.
        let begun = self.now;
        while let Some(apart) = self.holdings_apart() {
            if self.failure.is_some() || self.now > begun + AGREEMENT_MS {
                self.fail(apart);
                break;
            }
            self.run_for(5_000);
        }
        self.check_quiet();
        // In some universes until all that lingered must be gone.
        if self.options.seed.is_multiple_of(5) {
            self.run_for(LINGERS_MS);
        }
        self.check_presence();
        self.check_convictions(mended + LIES_MS);
        (first, last)
    }

    /// Everybody writes once more.
    fn last_changes(&mut self) -> Millis {
        if self.failure.is_some() {
            return 0;
        }
        for machine in self.honest() {
            let handle = self.machines[machine].app.handle();
            for _ in 0..4 {
                if self.failure.is_none() {
                    self.work(machine, handle);
                }
            }
        }
        // Nothing is agreed upon that was not written yet.
        let written = |world: &Self| {
            let mut all = world.machines.iter();
            all.all(|of| of.app.calls.is_empty())
        };
        if !self.run_until(30_000, written) {
            self.fail("changes of records were not answered");
        }
        self.agree(AGREEMENT_MS)
    }

    /// What events told is what is shown, everywhere.
    pub fn check_views(&mut self) {
        for machine in 0..self.machines.len() {
            if self.failure.is_none() {
                self.check_view(machine);
            }
        }
    }

    /// Everybody holds the same versions, tombstones too, and each has a right to be there. What is held
    /// differently.
    fn holdings_apart(&mut self) -> Option<String> {
        let honest = self.honest();
        let mut all: Vec<(usize, Database)> = Vec::new();
        for machine in honest {
            match self.database(machine) {
                Some(database) => all.push((machine, database)),
                None => self.fail(format!("machine {machine} exports nothing")),
            }
        }
        let group = self.machines[0].app.group;
        let group = group.filter(|_| self.failure.is_none())?;
        let items: BTreeSet<Vec<u8>> = all
            .iter()
            .flat_map(|(_, database)| database.control.iter().cloned())
            .collect();
        let verifier = Verifier::new(self.options.crypto, group, &items);
        let offsets = all.iter().map(|(_, of)| of.offset.unsigned_abs()).max();
        let later = self.wall() + offsets.unwrap_or(0) + 5_000;
        // Deleted with such a clock it is shown nowhere.
        let latest = self.wall() + limits::RECORD_AHEAD_MS;
        let ahead: BTreeSet<RecordId> = all
            .iter()
            .flat_map(|(_, database)| &database.records)
            .map(|held| &held.record.body)
            .filter(|body| self.clocks_step && body.modified().ms() > latest)
            .map(|body| body.id)
            .collect();
        let mut checked = BTreeSet::new();
        let mut first: Option<(usize, BTreeMap<RecordId, RecordHash>)> = None;
        for (machine, database) in &all {
            for held in &database.records {
                if checked.insert(held.hash)
                    && let Err(why) = verifier.check(&held.record)
                {
                    self.fail(format!("machine {machine} holds {:?}: {why}", held.record));
                }
            }
            let lasting = database.records.iter();
            let lasting = lasting.filter(|held| {
                let body = &held.record.body;
                body.expires > later && !ahead.contains(&body.id)
            });
            let hashes: BTreeMap<RecordId, RecordHash> = lasting
                .map(|held| (held.record.body.id, held.hash))
                .collect();
            match &first {
                None => first = Some((*machine, hashes)),
                Some((one, same)) if *same != hashes => {
                    let ids: BTreeSet<_> = same.keys().chain(hashes.keys()).collect();
                    let apart = ids.iter().find(|id| same.get(**id) != hashes.get(**id));
                    let versions: Vec<_> = all
                        .iter()
                        .flat_map(|(machine, of)| of.records.iter().map(move |of| (machine, of)))
                        .filter(|(_, held)| Some(&&held.record.body.id) == apart)
                        .map(|(machine, held)| (machine, held.kept, &held.record.body))
                        .collect();
                    let text = format!("machines {one} and {machine} differ: {versions:?}");
                    return Some(text);
                }
                Some(_) => {}
            }
        }
        None
    }

    /// Where nothing differs comparisons cost next to nothing.
    fn check_quiet(&mut self) {
        // What nobody else takes is found to differ every minute.
        if !self.far_ahead().is_empty() {
            return;
        }
        let sum = |world: &Self| -> Vec<u64> {
            world.net.ends.iter().map(|end| end.compared.0).collect()
        };
        let before = sum(self);
        self.run_for(120_000);
        let now = sum(self);
        let loud = before
            .iter()
            .zip(&now)
            .position(|(before, now)| now - before > QUIET_MESSAGES)
            .filter(|end| {
                let other = self.net.ends[*end].other;
                let ends = [Some(*end), other].into_iter().flatten();
                !ends
                    .map(|end| self.net.ends[end].machine)
                    .any(|machine| self.lies(machine))
            });
        if let Some(end) = loud {
            let machine = self.net.ends[end].machine;
            let count = now[end] - before[end];
            self.fail(format!(
                "machine {machine}: {count} messages about no difference over one link"
            ));
        }
    }

    /// Whether a record's id is in the liar's name.
    #[must_use]
    pub fn names_liar(&self, id: RecordId) -> bool {
        let liar = self.hostile.as_ref().map(|hostile| hostile.machine);
        let peer = liar.and_then(|liar| self.machines[liar].app.peer);
        peer.is_some_and(|peer| self.names(id, peer))
    }

    /// Whether a record's id is in the name of somebody who was removed.
    #[must_use]
    pub fn names_removed(&self, id: RecordId) -> bool {
        let mut removed = self.removed.iter();
        removed.any(|peer| self.names(id, *peer))
    }

    fn names(&self, id: RecordId, peer: PeerId) -> bool {
        let half = self.options.crypto.hash(&[b"record", &peer.0]);
        id.0[..8] == half[..8]
    }

    /// Whether an honest member may refuse what an app asked of it about somebody.
    #[must_use]
    pub fn is_of_liar(&self, creator: PeerId) -> bool {
        self.hostile
            .as_ref()
            .is_some_and(|hostile| self.machines[hostile.machine].app.peer == Some(creator))
    }
}
