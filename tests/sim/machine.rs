//! One machine: an engine, what outlives it, its clocks, and when it is asleep.

use std::collections::{BTreeMap, VecDeque};

use peer_group::engine::command::Store;
use peer_group::engine::event::{Answer, Event};
use peer_group::engine::input::Input;
use peer_group::engine::{Config, Engine};
use peer_group::error::Error;
use peer_group::limits;
use peer_group::names::{RequestId, StorageId};
use peer_group::time::{Millis, Now};

use super::app::App;
use super::checks::Model;
use super::dice::Dice;
use super::options::TimerStyle;
use super::view::History;
use super::world::{Happening, World};

/// Where monotonic clocks begin: not at zero, where wrong subtractions hide.
const MONOTONIC_START: Millis = 5_000;
/// Deadlines in a row at one instant before it is called a loop.
const WAKES_PER_INSTANT: u32 = 16;

/// Drains without an event until what the engine shows is looked at again.
const SILENT_DRAINS: u32 = 8;

/// A write that is not on disk yet.
pub struct Write {
    /// Its name with the engine.
    pub storage: StorageId,
    /// Where it goes.
    pub store: Store,
    /// What changes.
    pub changes: Vec<(String, Option<Vec<u8>>)>,
}

/// What storage has to do.
pub enum Work {
    /// Read every value whose key begins so.
    Read {
        /// Its name with the engine.
        storage: StorageId,
        /// Where.
        store: Store,
        /// What the keys begin with.
        prefix: String,
    },
    /// Write.
    Write(Write),
    /// Say that there is no room for a write.
    Refuse(StorageId),
}

/// A machine.
pub struct Machine {
    /// The engine, while there is one.
    pub engine: Option<Engine>,
    /// Counts engines.
    pub life: u32,
    /// What is on disk.
    pub disk: BTreeMap<(Store, String), Vec<u8>>,
    /// What storage has yet to do, by number.
    pub work: BTreeMap<u64, Work>,
    /// Counts that.
    pub work_count: u64,
    /// Until when storage is busy.
    pub disk_busy: Millis,
    /// Storage takes nothing.
    pub disk_full: bool,
    /// When storage last refused, or began to take again.
    pub disk_was_full: Millis,
    /// The program does not run: what comes waits here.
    pub backlog: Option<VecDeque<Input>>,
    /// Nor does its network.
    pub asleep: bool,
    /// Counts freezes.
    pub freezes: u64,
    /// When it last went on after a freeze.
    pub thawed_at: Millis,
    /// How far its monotonic clock is behind.
    pub lag: Millis,
    /// While asleep with a clock that stands still: since when.
    pub clock_stopped: Option<Millis>,
    /// How far its wall clock is off.
    pub wall_offset: i64,
    /// How far its wall clock was from its monotonic one when its engine was last called.
    apart: Option<i64>,
    /// The wall clock was set, and no timer has run since.
    clock_was_set: bool,
    /// It does no work that others demand.
    pub idle: bool,
    /// How often it did such work.
    pub worked: usize,
    /// The app.
    pub app: App,
    /// What the engine said so far, for the checks.
    pub model: Model,
    /// Everything the app heard, and when.
    pub heard: Vec<(Millis, Event)>,
    /// What the engine may hold.
    pub max_bytes: usize,
    /// What it must not forget or see again.
    pub history: History,
    /// How often its engine is being drained within a drain.
    pub depth: u32,
    silent_drains: u32,
    wake: Option<(Millis, u64)>,
    wake_count: u64,
    wakes_now: (Millis, u32),
}

impl Machine {
    /// A machine that is not started.
    #[must_use]
    pub fn new(index: usize) -> Self {
        Self {
            engine: None,
            life: 0,
            disk: BTreeMap::new(),
            work: BTreeMap::new(),
            work_count: 0,
            disk_busy: 0,
            disk_full: false,
            disk_was_full: 0,
            backlog: None,
            asleep: false,
            freezes: 0,
            thawed_at: 0,
            lag: 0,
            clock_stopped: None,
            wall_offset: 0,
            apart: None,
            clock_was_set: false,
            idle: false,
            worked: 0,
            app: App::new(index == 0),
            model: Model::default(),
            heard: Vec::new(),
            max_bytes: limits::ENGINE_BYTES,
            history: History::default(),
            depth: 0,
            silent_drains: 0,
            wake: None,
            wake_count: 0,
            wakes_now: (0, 0),
        }
    }

    /// The engine is about to be called: an engine that finds its wall clock set asks all its links
    /// for their time, before anything else.
    fn notes_clocks(&mut self, now: Now) {
        let apart = now.wall.cast_signed() - now.monotonic.cast_signed();
        let before = self.apart.replace(apart);
        self.clock_was_set |=
            before.is_some_and(|before| (apart - before).abs() > limits::CLOCK_SET_MS);
    }

    /// The engine; a test asks only machines that run.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("the machine runs")
    }
}

impl World {
    /// The clocks of a machine.
    #[must_use]
    pub fn clock(&self, machine: usize) -> Now {
        let of = &self.machines[machine];
        let stopped = of.clock_stopped.map_or(0, |since| self.now - since);
        Now {
            monotonic: MONOTONIC_START + self.now - of.lag - stopped,
            wall: self.wall().saturating_add_signed(of.wall_offset),
        }
    }

    /// A machine starts; what was on disk is there.
    pub fn start(&mut self, machine: usize) {
        if self.machines[machine].engine.is_some() {
            return;
        }
        let of = &mut self.machines[machine];
        of.life += 1;
        let config = Config {
            crypto: self.options.crypto,
            max_bytes: of.max_bytes,
        };
        let label = format!("engine {machine} {}", of.life);
        of.apart = None;
        of.clock_was_set = false;
        of.engine = Some(Engine::new(
            config,
            Dice::new(self.options.seed, &label).bytes(),
        ));
        of.model = Model::default();
        of.heard.clear();
        of.wake = None;
        of.thawed_at = self.now;
        self.trace
            .machine(self.now, machine, || "starts".to_owned());
        if self.options.automatic {
            self.begin(machine);
        }
    }

    /// A machine's program ends, by itself or not; what is not on disk is gone.
    pub fn crash(&mut self, machine: usize) {
        if self.machines[machine].engine.is_none() {
            return;
        }
        self.trace
            .machine(self.now, machine, || "crashes".to_owned());
        let silent = self.dice.per_mille(500);
        self.drop_links(machine, silent);
        self.drop_sockets(machine, silent);
        self.node_ended(machine);
        // The first of the writes under way may have reached the disk though nobody heard of it.
        for (_, work) in core::mem::take(&mut self.machines[machine].work) {
            if self.dice.per_mille(500) {
                break;
            }
            if let Work::Write(write) = work {
                self.machines[machine].apply(write);
            }
        }
        self.machines[machine].disk_busy = 0;
        self.forget_graves(machine);
        let of = &mut self.machines[machine];
        of.disk.retain(|(store, _), _| *store != Store::Memory);
        of.engine = None;
        of.life += 1;
        of.backlog = None;
        of.asleep = false;
        if let Some(since) = of.clock_stopped.take() {
            of.lag += self.now - since;
        }
        of.app.crashed();
    }

    /// An engine hears something.
    pub fn input(&mut self, machine: usize, mut input: Input) {
        if let Some(backlog) = &mut self.machines[machine].backlog {
            backlog.push_back(input);
            return;
        }
        if self.machines[machine].engine.is_none() {
            return;
        }
        if let Some(arrives) = self.arrives {
            arrives(&mut input);
        }
        let now = self.clock(machine);
        let history = &mut self.machines[machine].history;
        history.latest_wall = history.latest_wall.max(now.wall);
        self.machines[machine].model.hears(&input);
        self.machines[machine].notes_clocks(now);
        self.trace
            .machine(self.now, machine, || format!("<- {input:?}"));
        let of = &mut self.machines[machine];
        if let Some(engine) = &mut of.engine {
            // Timers that are due run first, and do not know yet of what this input ends.
            let due = engine.next_timeout().is_some_and(|at| at <= now.monotonic);
            let knew_before = !due && !of.clock_was_set;
            of.clock_was_set &= !due;
            let end = Model::is_end(&input).then(|| input.clone());
            engine.handle(now, input);
            if knew_before && let Some(end) = &end {
                of.model.ends(end);
            }
            self.drain(machine);
            if let Some(end) = &end {
                self.machines[machine].model.ends(end);
            }
        }
    }

    /// Takes everything the engine wants, says, and waits for.
    pub fn drain(&mut self, machine: usize) {
        self.pour(machine, None);
        self.check_accused();
        if self.machines[machine].depth == 0 {
            self.check_bounds(machine);
            self.look(machine);
            self.look_at_people(machine);
        }
        // Without a word of the engine's what it shows changes seldom: it must not, and every time
        // it did would be seen the next time.
        let of = &mut self.machines[machine];
        of.silent_drains = (of.silent_drains + 1) % SILENT_DRAINS;
        if of.silent_drains == 0 {
            self.check_state(machine);
        }
        self.arm(machine);
    }

    /// Takes everything the engine has; the answer that is `wanted` is handed back instead of told.
    pub fn pour(
        &mut self,
        machine: usize,
        wanted: Option<RequestId>,
    ) -> Option<Result<Answer, Error>> {
        let mut answer = None;
        self.machines[machine].depth += 1;
        while let Some(engine) = &mut self.machines[machine].engine {
            if let Some(effect) = engine.poll_effect() {
                self.trace
                    .machine(self.now, machine, || format!("-> {effect:?}"));
                let result = self.machines[machine].model.effect(self.now, &effect);
                self.check(machine, result);
                self.effect(machine, effect);
                continue;
            }
            match engine.poll_event() {
                Some(Event::Answered { request, result }) if Some(request) == wanted => {
                    answer = Some(result);
                }
                Some(event) => {
                    // What it shows is looked at when it has said all.
                    self.machines[machine].silent_drains = SILENT_DRAINS - 1;
                    self.trace
                        .machine(self.now, machine, || format!("** {event:?}"));
                    self.event(machine, event);
                }
                None => break,
            }
        }
        self.machines[machine].depth -= 1;
        answer
    }

    /// Arms the engine's deadline as this machine's timers keep it.
    fn arm(&mut self, machine: usize) {
        let style = if self.calm {
            self.options.calm_timers
        } else {
            self.options.timers
        };
        let now = self.clock(machine).monotonic;
        let of = &mut self.machines[machine];
        let deadline = of.engine.as_ref().and_then(|engine| engine.next_timeout());
        let Some(deadline) = deadline.filter(|_| of.backlog.is_none()) else {
            of.wake = None;
            return;
        };
        if of.wake.is_some_and(|(armed, _)| armed == deadline) {
            return;
        }
        of.wake_count += 1;
        let token = of.wake_count;
        of.wake = Some((deadline, token));
        let wait = deadline.saturating_sub(now);
        let late = match style {
            TimerStyle::Exact => 0,
            TimerStyle::EverySecond => self.dice.between(0, 999),
            TimerStyle::Late => self.dice.pick(&[0, 10, 1_000, 20_000, 60_000]),
        };
        self.later(wait + late, Happening::Wake { machine, token });
    }

    /// An engine's deadline is here.
    pub fn wake(&mut self, machine: usize, token: u64) {
        let now = self.now;
        let of = &mut self.machines[machine];
        if of.wake.is_none_or(|(_, armed)| armed != token) {
            return;
        }
        of.wake = None;
        if of.wakes_now.0 != now {
            of.wakes_now = (now, 0);
        }
        of.wakes_now.1 += 1;
        if of.wakes_now.1 > WAKES_PER_INSTANT {
            let next = of.engine.as_ref().and_then(|engine| engine.next_timeout());
            self.fail(format!(
                "machine {machine}: timers in a loop, next at {next:?}"
            ));
            return;
        }
        self.input(machine, Input::Tick);
    }

    /// A machine's program stands still; asleep, so does its network, and perhaps its clock.
    pub fn freeze(&mut self, machine: usize, time: Millis, asleep: bool, clock_stops: bool) {
        let of = &mut self.machines[machine];
        if of.engine.is_none() || of.backlog.is_some() {
            return;
        }
        of.backlog = Some(VecDeque::new());
        of.asleep = asleep;
        of.clock_stopped = (asleep && clock_stops).then_some(self.now);
        of.freezes += 1;
        of.wake = None;
        let token = of.freezes;
        self.trace.machine(self.now, machine, || {
            format!("freezes for {time} ms, asleep {asleep}")
        });
        self.watch_machine(machine);
        self.later(time, Happening::Thaw { machine, token });
    }

    /// A frozen machine goes on.
    pub fn thaw(&mut self, machine: usize, token: u64) {
        let now = self.now;
        let of = &mut self.machines[machine];
        if of.freezes != token {
            return;
        }
        let Some(backlog) = of.backlog.take() else {
            return;
        };
        if let Some(since) = of.clock_stopped.take() {
            of.lag += now - since;
        }
        let slept = core::mem::take(&mut of.asleep);
        of.thawed_at = now;
        self.trace.machine(now, machine, || "thaws".to_owned());
        if slept {
            self.watch_machine(machine);
            self.sockets_after_sleep(machine);
        }
        for input in backlog {
            self.input(machine, input);
        }
        self.input(machine, Input::Tick);
    }
}
