//! Machines of a cluster, with a carrier between them that loses nothing unless it is told to.

use super::*;

/// What is to be carried waits no longer than this when time passes.
const STEP_MS: Millis = 1_000;

/// Machines, and what each has the others know.
pub(super) struct Cluster {
    pub(super) machines: Vec<Server>,
    pub(super) hears: Vec<BTreeSet<Tag>>,
    pub(super) stands: Vec<BTreeSet<Topic>>,
    /// Whether machines reach each other.
    pub(super) is_up: bool,
    /// Those that were killed.
    pub(super) dead: BTreeSet<usize>,
    /// What is on the way of pairs, and from which machine.
    bus: VecDeque<(usize, Option<u64>, Tag, Note)>,
    /// What becomes of each of them; None: it arrives, in order.
    pub(super) fate: Option<Fates>,
}

type Fates = Box<dyn FnMut(&Note) -> Fate>;

/// What becomes of a note on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Arrives,
    IsLost,
    /// And arrives again after all others.
    IsRepeated,
    /// Arrives after all others.
    IsLate,
}

impl Cluster {
    pub(super) fn new(count: u8) -> Self {
        Self::with(count, Limits::default())
    }

    pub(super) fn with(count: u8, limits: Limits) -> Self {
        let machine = |n| Server::machine(limits, Some([n; 16]));
        Self {
            machines: (1..=count).map(machine).collect(),
            hears: vec![BTreeSet::new(); usize::from(count)],
            stands: vec![BTreeSet::new(); usize::from(count)],
            is_up: true,
            dead: BTreeSet::new(),
            bus: VecDeque::new(),
            fate: None,
        }
    }

    /// Somebody at a machine who was welcomed.
    pub(super) fn open(&mut self, at: usize, conn: u64) -> Client {
        self.machines[at].open(conn)
    }

    /// Tells a machine something; what its client hears in the end.
    pub(super) fn tell(
        &mut self,
        at: usize,
        client: &Client,
        message: &ClientMessage,
    ) -> Vec<ServerMessage> {
        let mut said = self.machines[at].tell(client.conn, message);
        self.carry();
        said.extend(self.machines[at].heard(client.conn));
        said
    }

    pub(super) fn join(&mut self, at: usize, client: &Client, r: u8) -> (u8, Vec<Tag>) {
        let answer = self.tell(at, client, &client.join(&KEY, [r; 32]));
        match &answer[..] {
            [
                ServerMessage::Joined {
                    size_bucket,
                    sample,
                    ..
                },
            ] => (*size_bucket, tags_of(sample)),
            other => panic!("not joined but {other:?}"),
        }
    }

    pub(super) fn seen(&mut self, at: usize, client: &Client, want: u8) -> Vec<Tag> {
        match &self.tell(at, client, &client.resolve(&KEY, want))[..] {
            [ServerMessage::Peers { sample, .. }] => tags_of(sample),
            other => panic!("no peers but {other:?}"),
        }
    }

    /// Lets time pass at all of them.
    pub(super) fn pass(&mut self, ms: Millis) {
        for passed in (0..ms).step_by(STEP_MS as usize) {
            for machine in &mut self.machines {
                machine.pass(STEP_MS.min(ms - passed));
            }
            self.carry();
        }
    }

    /// Ends a machine without a word; what the others hear of it comes later.
    pub(super) fn kill(&mut self, at: usize) {
        self.dead.insert(at);
        self.hears[at].clear();
        self.stands[at].clear();
    }

    /// All that is alive learns that a machine is dead, or that nobody can be reached.
    pub(super) fn part(&mut self, machine: Option<usize>) {
        for at in 0..self.machines.len() {
            let now = self.machines[at].now;
            let gone = machine.map(|n| [n as u8 + 1; 16]);
            self.machines[at].rooms.parted(now, gone);
        }
        self.carry();
    }

    /// Carries everything that is to be carried.
    pub(super) fn carry(&mut self) {
        loop {
            let mut is_done = true;
            for at in 0..self.machines.len() {
                while let Some(far) = self.machines[at].rooms.poll_far() {
                    is_done = false;
                    if !self.dead.contains(&at) {
                        self.carry_one(at, far);
                    }
                }
            }
            while let Some((at, pair, to, note)) = self.bus.pop_front() {
                is_done = false;
                self.carry_note(at, pair, to, note);
            }
            if is_done {
                break;
            }
        }
        self.machines.iter_mut().for_each(Server::drain);
    }

    /// Lets a note of a pair meet its fate.
    fn carry_note(&mut self, at: usize, pair: Option<u64>, to: Tag, note: Note) {
        let is_of_pair = !matches!(note, Note::Claimed { .. } | Note::Gone { .. });
        let fate = match &mut self.fate {
            Some(fate) if self.is_up && is_of_pair => fate(&note),
            _ => Fate::Arrives,
        };
        if fate == Fate::IsLost {
            return;
        }
        if fate != Fate::Arrives {
            self.bus.push_back((at, pair, to, note.clone()));
        }
        if fate == Fate::IsLate {
            return;
        }
        let others = self.others(at, |one| self.hears[one].contains(&to));
        if others.is_empty()
            && let Some(pair) = pair
        {
            let now = self.machines[at].now;
            self.machines[at].rooms.lost(now, pair);
        }
        for one in others {
            let now = self.machines[one].now;
            self.machines[one].rooms.noted(now, to, note.clone());
        }
    }

    /// What the other machine says of its only pair to that one.
    pub(super) fn halves(&self, at: usize) -> Halves {
        Halves {
            mine: self.machines[1 - at].rooms.halves().mine,
            yours: self.machines[at].rooms.halves().mine,
        }
    }

    fn others(&self, at: usize, is_one: impl Fn(usize) -> bool) -> Vec<usize> {
        let all = 0..self.machines.len();
        all.filter(|one| self.is_up && *one != at && !self.dead.contains(one) && is_one(*one))
            .collect()
    }

    fn carry_one(&mut self, at: usize, far: Far) {
        match far {
            Far::Hear(tag) => assert!(self.hears[at].insert(tag), "heard already"),
            Far::Ignore(tag) => assert!(self.hears[at].remove(&tag), "not heard"),
            Far::Stand(topic) => assert!(self.stands[at].insert(topic), "stood already"),
            Far::Desert(topic) => assert!(self.stands[at].remove(&topic), "not stood"),
            Far::Carry { pair, to, note } => self.bus.push_back((at, Some(pair), to, note)),
            Far::Tell { to, note } => self.bus.push_back((at, None, to, note)),
            Far::Signal { conn, to, note } => {
                let others = self.others(at, |one| self.hears[one].contains(&to));
                assert!(others.len() < 2, "a tag is reached through two machines");
                let refused = others.first().map_or(Some(RefusedReason::Gone), |one| {
                    let now = self.machines[*one].now;
                    self.machines[*one].rooms.noted(now, to, note)
                });
                let now = self.machines[at].now;
                self.machines[at].rooms.signalled(now, conn, to, refused);
            }
            Far::Search { search, asked } => {
                let others = self.others(at, |one| self.stands[one].contains(&asked.topic));
                let crowds = others.into_iter().map(|one| {
                    let now = self.machines[one].now;
                    let crowd = self.machines[one]
                        .rooms
                        .searched(now, asked.topic, search.clone());
                    assert!(
                        crowd.size > 0 || search.asker.is_some(),
                        "it should have deserted"
                    );
                    crowd
                });
                let crowds = crowds.collect();
                let now = self.machines[at].now;
                self.machines[at].rooms.found(now, asked, crowds);
            }
        }
    }
}
