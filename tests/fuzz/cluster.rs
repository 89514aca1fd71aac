//! Several rendezvous servers that answer together: any sequence of what clients do at each, and
//! messages between them that come late, out of order, or not at all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peer_group::names::{Tag, Topic};
use peer_group::wire::codec::{Reader, Wire as _};
use peer_group::wire::rendezvous::RefusedReason;
use peer_group_signaling::rooms::{Asked, ConnId, Crowd, Far, Machine, Note, Search, Work};

use crate::model::Step;
use crate::rooms::{Scene, secret};

const MACHINES: usize = 3;
/// Steps of one script.
const STEPS: usize = 96;
/// What a message may be written and read again as, and more than ever is under way.
const UNDER_WAY: usize = 4096;

/// A message on its way.
enum Message {
    Note(Tag, Vec<u8>),
    /// Of a pair, which is to know if nobody hears it.
    Frame(u64, Tag, Vec<u8>),
    Signal(ConnId, Tag, Vec<u8>),
    Search(Vec<u8>, Asked),
    Signalled(ConnId, Tag, Option<RefusedReason>),
    Found(Asked, Vec<Vec<u8>>),
}

#[derive(Default)]
struct Heard {
    tags: BTreeSet<Tag>,
    topics: BTreeSet<Topic>,
}

struct Cluster {
    scenes: Vec<Scene>,
    heard: Vec<Heard>,
    /// Those that reach nobody.
    alone: [bool; MACHINES],
    /// Those whose queue is full: what they ask is answered at once.
    full: [bool; MACHINES],
    /// From which machine what is.
    under_way: VecDeque<(usize, Message)>,
}

fn machine(number: usize) -> Machine {
    [number as u8 + 1; 16]
}

impl Cluster {
    fn new() -> Self {
        Self {
            scenes: (0..MACHINES)
                .map(|at| Scene::new(Some(machine(at)), Work::Off))
                .collect(),
            heard: (0..MACHINES).map(|_| Heard::default()).collect(),
            alone: [false; MACHINES],
            full: [false; MACHINES],
            under_way: VecDeque::new(),
        }
    }

    /// Takes what each machine has for the others.
    fn collect(&mut self) {
        for at in 0..MACHINES {
            while let Some(far) = self.scenes[at].rooms.poll_far() {
                let heard = &mut self.heard[at];
                match far {
                    // What is heard is not lost: it is asked for again when there is a way.
                    Far::Hear(tag) => drop(heard.tags.insert(tag)),
                    Far::Ignore(tag) => drop(heard.tags.remove(&tag)),
                    Far::Stand(topic) => drop(heard.topics.insert(topic)),
                    Far::Desert(topic) => drop(heard.topics.remove(&topic)),
                    far if self.full[at] => {
                        let scene = &mut self.scenes[at];
                        scene.rooms.missed(scene.now(), far);
                        scene.drain(Step::default());
                    }
                    Far::Tell { to, note } => {
                        self.send(at, Message::Note(to, note.to_bytes()));
                    }
                    Far::Carry { pair, to, note } => {
                        self.send(at, Message::Frame(pair, to, note.to_bytes()));
                    }
                    Far::Signal { conn, to, note } => {
                        self.send(at, Message::Signal(conn, to, note.to_bytes()));
                    }
                    Far::Search { search, asked } => {
                        self.send(at, Message::Search(search.to_bytes(), asked));
                    }
                }
            }
            let counts = self.scenes[at].rooms.counts();
            let heard = [self.heard[at].tags.len(), self.heard[at].topics.len()];
            let kept = [counts.tags, counts.topics];
            assert!(heard.map(|n| n as u64) == kept, "{heard:?} are {kept:?}");
        }
    }

    fn send(&mut self, from: usize, message: Message) {
        self.under_way.push_back((from, message));
        assert!(self.under_way.len() <= UNDER_WAY, "they talk for ever");
        if self.alone[from] {
            self.lose(self.under_way.len() - 1);
        }
    }

    /// It never comes; who waits for an answer has none in time.
    fn lose(&mut self, at: usize) {
        let Some((from, message)) = self.under_way.remove(at) else {
            return;
        };
        match message {
            Message::Note(..) | Message::Frame(..) => {}
            Message::Signal(conn, to, _) | Message::Signalled(conn, to, _) => {
                self.signalled(from, conn, to, Some(RefusedReason::Gone));
            }
            Message::Search(_, asked) | Message::Found(asked, _) => {
                self.found(from, asked, Vec::new());
            }
        }
    }

    fn arrive(&mut self, at: usize) {
        let Some((from, message)) = self.under_way.remove(at) else {
            return;
        };
        let mut others: Vec<usize> = (0..MACHINES).collect();
        others.retain(|at| *at != from && !self.alone[*at]);
        match message {
            Message::Note(to, note) => {
                for at in self.who_hears(others, to) {
                    self.noted(at, to, &note);
                }
            }
            Message::Frame(pair, to, note) => {
                let all = self.who_hears(others, to);
                if all.is_empty() {
                    let scene = &mut self.scenes[from];
                    scene.rooms.lost(scene.now(), pair);
                    scene.drain(Step::default());
                }
                for at in all {
                    self.noted(at, to, &note);
                }
            }
            Message::Signal(conn, to, note) => {
                let answers = self.who_hears(others, to).into_iter();
                let answers: Vec<_> = answers.map(|at| self.noted(at, to, &note)).collect();
                let first = answers.first().copied();
                let said = first.unwrap_or(Some(RefusedReason::Gone));
                self.under_way
                    .push_back((from, Message::Signalled(conn, to, said)));
            }
            Message::Search(search, asked) => {
                others.retain(|at| self.heard[*at].topics.contains(&asked.topic));
                let mut crowds = Vec::new();
                for at in others {
                    let scene = &mut self.scenes[at];
                    let search = Search::from_bytes(&search).expect("as it was written");
                    let crowd = scene.rooms.searched(scene.now(), asked.topic, search);
                    scene.drain(Step::default());
                    crowds.push(crowd.to_bytes());
                }
                self.under_way
                    .push_back((from, Message::Found(asked, crowds)));
            }
            Message::Signalled(conn, to, refused) => self.signalled(from, conn, to, refused),
            Message::Found(asked, crowds) => {
                let crowds = crowds.iter().map(|crowd| Crowd::from_bytes(crowd));
                let crowds: Result<Vec<Crowd>, _> = crowds.collect();
                self.found(from, asked, crowds.expect("as they were written"));
            }
        }
        self.collect();
    }

    /// It comes, and will come again.
    fn repeat(&mut self, at: usize) {
        let again = match self.under_way.get(at) {
            Some((from, Message::Note(to, note))) => (*from, Message::Note(*to, note.clone())),
            Some((from, Message::Frame(pair, to, note))) => {
                (*from, Message::Frame(*pair, *to, note.clone()))
            }
            _ => return,
        };
        if self.under_way.len() < UNDER_WAY / 2 {
            self.under_way.push_back(again);
        }
        self.arrive(at);
    }

    fn who_hears(&self, mut machines: Vec<usize>, tag: Tag) -> Vec<usize> {
        machines.retain(|at| self.heard[*at].tags.contains(&tag));
        machines
    }

    fn noted(&mut self, at: usize, to: Tag, note: &[u8]) -> Option<RefusedReason> {
        let note = Note::from_bytes(note).expect("as it was written");
        self.scenes[at].noted(to, note)
    }

    fn signalled(&mut self, at: usize, conn: ConnId, to: Tag, refused: Option<RefusedReason>) {
        let scene = &mut self.scenes[at];
        scene.rooms.signalled(scene.now(), conn, to, refused);
        scene.drain(Step::default());
    }

    fn found(&mut self, at: usize, asked: Asked, crowds: Vec<Crowd>) {
        let scene = &mut self.scenes[at];
        scene.rooms.found(scene.now(), asked, crowds);
        scene.drain(Step::default());
    }

    fn claim_again(&mut self, at: usize) {
        let scene = &mut self.scenes[at];
        scene.rooms.claim_again(scene.now());
    }

    fn parted(&mut self, at: usize, machine: Option<Machine>) {
        let scene = &mut self.scenes[at];
        scene.rooms.parted(scene.now(), machine);
        scene.drain(Step::default());
    }

    fn all_arrive(&mut self) {
        self.collect();
        while !self.under_way.is_empty() {
            self.arrive(0);
        }
    }

    /// A step of a script; none when it is at its end.
    fn step(&mut self, script: &mut Reader<'_>) -> Option<()> {
        let [what, who, other]: [u8; 3] = script.array().ok()?;
        let at = usize::from(what >> 5) % MACHINES;
        let number = usize::from(who) % self.under_way.len().max(1);
        match what & 31 {
            2 => self.scenes.iter_mut().for_each(|scene| {
                scene.wait(u64::from(who) * u64::from(other % 8) * 50);
            }),
            what @ 0..16 => {
                // Long announcements and long signals: as on one machine, but for the high bits.
                let what = what | (other & 0xf0);
                self.scenes[at].step([what, who, other & 0x0f], script)?;
            }
            16..20 => self.arrive(number),
            20 => self.lose(number),
            21 => {
                self.alone[at] = !self.alone[at];
                match self.alone[at] {
                    true => self.parted(at, None),
                    false => self.claim_again(at),
                }
            }
            22 => self.full[at] = !self.full[at],
            23 => self.claim_again(at),
            // Another machine, that is wrong.
            24 | 25 => {
                let (to, tag) = (secret(who).1, secret(other).1);
                let note = match what & 1 {
                    0 => Note::Gone { tag },
                    _ => Note::Claimed {
                        machine: [other; 16],
                        for_ms: u64::from(other) * 40,
                    },
                };
                self.scenes[at].noted(to, note);
            }
            27 => self.repeat(number),
            28 => self.parted(at, Some(machine(usize::from(who) % MACHINES))),
            _ => self.all_arrive(),
        }
        self.collect();
        Some(())
    }

    /// All reach each other again: each tag is reached through one machine at most.
    fn heal(&mut self) {
        self.alone = [false; MACHINES];
        self.full = [false; MACHINES];
        for at in 0..MACHINES {
            self.claim_again(at);
        }
        self.all_arrive();
        let mut holders = BTreeMap::new();
        for heard in &self.heard {
            for tag in &heard.tags {
                *holders.entry(*tag).or_insert(0) += 1;
            }
        }
        assert!(
            holders.values().all(|count| *count == 1),
            "one tag, two machines"
        );
    }
}

/// Runs a script; true if somebody was welcomed in it.
pub(crate) fn run(script: &[u8]) -> bool {
    let mut cluster = Cluster::new();
    let mut script = Reader::new(script);
    for _ in 0..STEPS {
        if cluster.step(&mut script).is_none() {
            break;
        }
    }
    cluster.heal();
    for scene in &mut cluster.scenes {
        scene.all_go();
    }
    cluster.all_arrive();
    cluster.scenes.iter().any(|scene| scene.granted)
}

/// Two at two machines that meet and write; one that moves; a machine that is alone for a while.
pub(crate) fn scripts() -> Vec<Vec<u8>> {
    const B: u8 = 1 << 5;
    const C: u8 = 2 << 5;
    const ARRIVE: [u8; 3] = [26, 0, 0];
    let come = [
        [0, 1, 1],
        [B, 2, 2],
        [5, 1, 0],
        [B | 5, 2, 0],
        [7, 1, 0x31],
        [B | 7, 2, 0x32],
        ARRIVE,
    ];
    let talk = [[10, 1, 2], ARRIVE, [B | 10, 2, 1], [8, 1, 3], ARRIVE];
    let moves = [[C, 1, 1], [C | 5, 1, 0], [2, 60, 1], [C | 6, 1, 1], ARRIVE];
    let alone = [
        [21, 0, 0],
        [10, 1, 2],
        [B | 12, 2, 2],
        [2, 20, 2],
        [21, 0, 0],
    ];
    let relay = [
        [B | 10, 2, 1],
        ARRIVE,
        [14, 1, 2],
        ARRIVE,
        [B | 14, 2, 1],
        [27, 0, 0],
        [B | 3, 0, 0],
        [14, 1, 2],
        [20, 0, 0],
        [2, 100, 1],
        ARRIVE,
    ];
    let all = [&come[..], &talk, &relay, &moves, &alone];
    (1..=all.len())
        .map(|parts| all[..parts].concat().concat())
        .collect()
}
