//! What goes wrong: one fault at a time, of the kinds that the seed drew, until everything is mended.

use peer_group::time::Millis;

use super::world::{Happening, World};

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A socket to the server breaks.
    SocketBreaks,
    /// The server restarts and has forgotten everything.
    ServerRestarts,
    /// A machine has no way to the server for a while.
    ServerUnreachable,
    /// Nothing gets from one machine to another, one way, for a while.
    OneWayCut,
    /// The machines fall in two halves for a while.
    Partition,
    /// A machine's program stands still.
    Freeze,
    /// A machine sleeps, with its network.
    Sleep,
    /// A machine's program ends and starts again.
    Crash,
    /// A wall clock steps.
    ClockStep,
    /// A machine's storage takes nothing for a while.
    DiskFull,
}

impl Fault {
    /// Every kind but those that came later, which are drawn by themselves.
    pub const ALL: &'static [Self] = &[
        Self::SocketBreaks,
        Self::ServerRestarts,
        Self::ServerUnreachable,
        Self::OneWayCut,
        Self::Partition,
        Self::Freeze,
        Self::Sleep,
        Self::Crash,
        Self::ClockStep,
    ];
}

impl World {
    /// Something goes wrong, and the next fault is drawn.
    pub fn fault(&mut self) {
        if self.calm || self.options.faults.is_empty() {
            return;
        }
        let kind = self.fault_dice.pick(&self.options.faults);
        self.trace.line(self.now, "##", || format!("{kind:?}"));
        let machine = self.fault_dice.index(self.machines.len());
        let short = self.fault_dice.between(200, 20_000);
        match kind {
            Fault::SocketBreaks => {
                let conns: Vec<u64> = self.server.conns.keys().copied().collect();
                if !conns.is_empty() {
                    let conn = self.fault_dice.pick(&conns);
                    self.break_socket(conn);
                }
            }
            Fault::ServerRestarts => {
                if self.server.up {
                    self.restart_server(short);
                }
            }
            Fault::ServerUnreachable => {
                self.net.server_cut[machine] = !self.net.server_cut[machine];
            }
            Fault::OneWayCut => {
                let other = self.fault_dice.index(self.machines.len());
                self.set_cut(machine, other, !self.net.cut[machine][other]);
            }
            Fault::Partition => {
                let side: Vec<bool> = self
                    .machines
                    .iter()
                    .map(|_| self.fault_dice.per_mille(500))
                    .collect();
                for a in 0..side.len() {
                    for b in 0..side.len() {
                        self.set_cut(a, b, side[a] != side[b]);
                    }
                }
            }
            Fault::Freeze | Fault::Sleep => {
                let time = self.freeze_time();
                let stops = self.fault_dice.per_mille(500);
                self.freeze(machine, time, kind == Fault::Sleep, stops);
            }
            Fault::Crash => {
                // The creator has nothing to come back to before its group is on disk and shown.
                if !self.invitations.is_empty() || machine != 0 {
                    self.crash(machine);
                    self.later(short, Happening::Start { machine });
                }
            }
            Fault::ClockStep => {
                // One machine's, and not the creator's: what is signed while the clocks of both
                // sides are wrong stays wrong when they are set right.
                let others = self.machines.len() - 1;
                let wrong = 1 + usize::try_from(self.options.seed).unwrap_or(0) % others;
                let step = self.fault_dice.between(1_000, 7_200_000).cast_signed();
                let back = self.fault_dice.per_mille(500);
                self.machines[wrong].wall_offset = if back { -step } else { step };
            }
            Fault::DiskFull => {
                // As with a crash: before its group is on disk the creator has none.
                if !self.invitations.is_empty() || machine != 0 {
                    self.machines[machine].disk_full = true;
                    self.later(short, Happening::Room { machine });
                }
            }
        }
        let (low, high) = self.options.fault_ms;
        let wait = self.fault_dice.between(low, high);
        self.later(wait, Happening::Fault);
    }

    /// A disk has room again.
    pub fn disk_has_room(&mut self, machine: usize) {
        self.machines[machine].disk_full = false;
        self.machines[machine].disk_was_full = self.now;
    }

    /// From a second to an hour, the shorter the more often.
    fn freeze_time(&mut self) -> Millis {
        let longest = self
            .fault_dice
            .pick(&[5_000, 20_000, 60_000, 120_000, 3_600_000]);
        self.fault_dice.between(1_000, longest)
    }

    /// Cuts one way between two machines, or mends it.
    pub fn set_cut(&mut self, from: usize, to: usize, cut: bool) {
        if from != to && self.net.cut[from][to] != cut {
            self.net.cut[from][to] = cut;
            self.watch_machine(from);
        }
    }

    /// Everything is mended: machines run, networks carry, clocks are right.
    pub fn mend(&mut self) {
        self.trace
            .line(self.now, "##", || "everything is mended".to_owned());
        self.calm = true;
        for from in 0..self.machines.len() {
            for to in 0..self.machines.len() {
                self.set_cut(from, to, false);
            }
            self.net.server_cut[from] = false;
            self.machines[from].wall_offset = 0;
            if self.machines[from].disk_full {
                self.disk_has_room(from);
            }
            let token = self.machines[from].freezes;
            self.thaw(from, token);
            self.start(from);
        }
        if !self.server.up {
            self.server_up();
        }
    }
}
