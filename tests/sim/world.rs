//! The world: one queue of what will happen, in order of time; everything else hangs on it.

use std::collections::{BTreeMap, BTreeSet};

use peer_group::engine::input::Input;
use peer_group::names::{NodeId, PeerId, RecordId};
use peer_group::time::Millis;

use super::app::Act;
use super::bounds::Peaks;
use super::dice::Dice;
use super::faults::Fault;
use super::hostile::Hostile;
use super::machine::Machine;
use super::net::Net;
use super::options::Options;
use super::server::Server;
use super::trace::Trace;

/// 2026-11-20 00:00 UTC, where wall clocks begin but for what the seed adds.
const EPOCH_MS: Millis = 1_795_132_800_000;
/// Things that may happen at one instant before it is called a loop.
const STEPS_PER_INSTANT: u64 = 20_000;

/// Something that will happen.
#[derive(Debug)]
pub enum Happening {
    /// An engine hears something; of an older life, nobody does.
    Input {
        /// Where.
        machine: usize,
        /// In which life of that machine.
        life: u32,
        /// What.
        input: Input,
    },
    /// An engine's deadline.
    Wake {
        /// Where.
        machine: usize,
        /// Only if nothing else was armed since.
        token: u64,
    },
    /// An app does something.
    App {
        /// Where.
        machine: usize,
        /// In which life.
        life: u32,
        /// What.
        act: Act,
    },
    /// Storage has done something.
    Disk {
        /// Where.
        machine: usize,
        /// In which life.
        life: u32,
        /// Which.
        work: u64,
    },
    /// A disk has room again.
    Room {
        /// Whose.
        machine: usize,
    },
    /// A machine starts (again).
    Start {
        /// Which.
        machine: usize,
    },
    /// A frozen machine goes on.
    Thaw {
        /// Which.
        machine: usize,
        /// Only if it was not frozen again since.
        token: u64,
    },
    /// A socket reaches the server, or fails to.
    Accept {
        /// Which.
        conn: u64,
    },
    /// The first of what is under way to the server arrives.
    Up {
        /// Over which connection.
        conn: u64,
    },
    /// The first of what is under way from the server arrives.
    Down {
        /// Over which connection.
        conn: u64,
    },
    /// The server hears that a client is gone.
    Lost {
        /// Which.
        conn: u64,
    },
    /// The server's deadline.
    ServerTick,
    /// The server is back.
    ServerUp,
    /// A link is checked: do both ends match?
    Match {
        /// One of its ends.
        end: usize,
    },
    /// A link comes up.
    Meet {
        /// Its ends.
        ends: (usize, usize),
    },
    /// An end's channels open.
    Open {
        /// Which.
        end: usize,
    },
    /// An end has looked for a way for long enough.
    GiveUp {
        /// Which.
        end: usize,
    },
    /// The first frame under way to an end arrives.
    Frame {
        /// Which.
        end: usize,
    },
    /// An end asks whether the other still answers.
    Consent {
        /// Which.
        end: usize,
    },
    /// Another fault.
    Fault,
    /// The liar does something.
    Mischief,
}

/// The first thing that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// When, in virtual milliseconds.
    pub at: Millis,
    /// What.
    pub text: String,
}

/// N machines, a server, a network.
pub struct World {
    /// What was drawn.
    pub options: Options,
    /// Virtual milliseconds since it began.
    pub now: Millis,
    /// Things that happened.
    pub steps: u64,
    /// The machines.
    pub machines: Vec<Machine>,
    /// The server.
    pub server: Server,
    /// Links and what cuts them.
    pub net: Net,
    /// Whose node is whose, ever.
    pub nodes: BTreeMap<NodeId, (usize, PeerId)>,
    /// Who may see descriptions and be linked.
    pub members: BTreeSet<PeerId>,
    /// Who was removed: of what they wrote, only some stays.
    pub removed: BTreeSet<PeerId>,
    /// Faults are over.
    pub calm: bool,
    /// Texts of invitations that were made.
    pub invitations: Vec<String>,
    /// The log.
    pub trace: Trace,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
    /// Changes what arrives at engines: for tests in which the network lies.
    pub arrives: Option<fn(&mut Input)>,
    /// Choices of the network.
    pub dice: Dice,
    /// Choices of the apps.
    pub app_dice: Dice,
    /// Choices of the faults.
    pub fault_dice: Dice,
    /// Choices of what apps do with records.
    pub work_dice: Dice,
    /// Clocks may be set wrong.
    pub clocks_step: bool,
    /// Who found fault with whom.
    pub accused: Option<(usize, usize)>,
    /// The member that lies.
    pub hostile: Option<Hostile>,
    /// The most that any engine held.
    pub peaks: Peaks,
    /// Records that somebody asked to delete who may.
    pub deleted: BTreeSet<RecordId>,
    /// Nodes of machines that are not any more, and when that was.
    pub ended: BTreeMap<NodeId, Millis>,
    queue: BTreeMap<(Millis, u64), Happening>,
    order: u64,
    instant: (Millis, u64),
    wall_start: Millis,
}

impl World {
    /// A world in which nothing happened yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let seed = options.seed;
        let mut dice = Dice::new(seed, "net");
        let wall_start = EPOCH_MS + dice.between(0, 86_400_000);
        let machines = (0..options.nodes).map(Machine::new).collect();
        Self {
            now: 0,
            steps: 0,
            machines,
            server: Server::new(&options),
            net: Net::new(options.nodes),
            nodes: BTreeMap::new(),
            members: BTreeSet::new(),
            removed: BTreeSet::new(),
            calm: options.faults.is_empty(),
            invitations: Vec::new(),
            trace: Trace::new(),
            failure: None,
            arrives: None,
            dice,
            app_dice: Dice::new(seed, "app"),
            fault_dice: Dice::new(seed, "faults"),
            work_dice: Dice::new(seed, "work"),
            deleted: BTreeSet::new(),
            ended: BTreeMap::new(),
            accused: None,
            peaks: Peaks::default(),
            clocks_step: options.faults.contains(&Fault::ClockStep),
            hostile: options
                .hostile
                .clone()
                .map(|(machine, tricks)| Hostile::new(seed, machine, tricks)),
            queue: BTreeMap::new(),
            order: 0,
            instant: (0, 0),
            wall_start,
            options,
        }
    }

    /// Puts something into the queue.
    pub fn later(&mut self, delay: Millis, happening: Happening) {
        self.order += 1;
        self.queue.insert((self.now + delay, self.order), happening);
    }

    /// How many times longer everybody waits before doing something by themselves: while nothing but
    /// the end of a long sleep is waited for, an hour would else cost more than all that came before.
    #[must_use]
    pub fn calmness(&self) -> u64 {
        if !self.calm && self.now > self.options.safety_ms {
            4
        } else {
            1
        }
    }

    /// The true wall clock.
    #[must_use]
    pub fn wall(&self) -> Millis {
        self.wall_start + self.now
    }

    /// Notes what went wrong, if nothing did before.
    pub fn fail(&mut self, text: impl Into<String>) {
        if self.failure.is_none() {
            let text = text.into();
            self.trace.line(self.now, "!!", || text.clone());
            self.failure = Some(Failure { at: self.now, text });
        }
    }

    /// Notes a broken check.
    pub fn check(&mut self, machine: usize, result: Result<(), String>) {
        if let Err(text) = result {
            self.fail(format!("machine {machine}: {text}"));
        }
    }

    /// The next thing happens. False when nothing ever will, or something went wrong.
    pub fn step(&mut self) -> bool {
        if self.failure.is_some() {
            return false;
        }
        let Some(((at, _), happening)) = self.queue.pop_first() else {
            return false;
        };
        self.now = at;
        self.steps += 1;
        if self.instant.0 != at {
            self.instant = (at, 0);
        }
        self.instant.1 += 1;
        if self.instant.1 > STEPS_PER_INSTANT {
            self.fail(format!(
                "{STEPS_PER_INSTANT} things happened at one instant; now {happening:?}"
            ));
        }
        self.happen(happening);
        true
    }

    /// Goes on until `done`, or until that much time has passed. True if it was done.
    pub fn run_until(&mut self, limit: Millis, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if self.failure.is_some() {
                return false;
            }
            if done(self) {
                return true;
            }
            match self.queue.first_key_value() {
                Some(((at, _), _)) if *at <= end => {
                    self.step();
                }
                _ => {
                    self.now = end;
                    return done(self);
                }
            }
        }
    }

    /// Goes on for that long. False if something went wrong.
    pub fn run_for(&mut self, time: Millis) -> bool {
        self.run_until(time, |_| false);
        self.failure.is_none()
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input {
                machine,
                life,
                input,
            } => {
                if self.machines[machine].life == life {
                    self.input(machine, input);
                }
            }
            Happening::Wake { machine, token } => self.wake(machine, token),
            Happening::App { machine, life, act } => {
                if self.machines[machine].life == life {
                    self.act(machine, act);
                }
            }
            Happening::Disk {
                machine,
                life,
                work,
            } => self.disk_done(machine, life, work),
            Happening::Room { machine } => self.disk_has_room(machine),
            Happening::Start { machine } => self.start(machine),
            Happening::Thaw { machine, token } => self.thaw(machine, token),
            Happening::Accept { conn } => self.accept(conn),
            Happening::Up { conn } => self.up(conn),
            Happening::Down { conn } => self.down(conn),
            Happening::Lost { conn } => self.lost(conn),
            Happening::ServerTick => self.server_tick(),
            Happening::ServerUp => self.server_up(),
            Happening::Match { end } => self.match_ends(end),
            Happening::Meet { ends } => self.meet(ends),
            Happening::Open { end } => self.open_end(end),
            Happening::GiveUp { end } => self.give_up(end),
            Happening::Frame { end } => self.frame(end),
            Happening::Consent { end } => self.consent(end),
            Happening::Fault => self.fault(),
            Happening::Mischief => self.mischief(),
        }
    }
}
