//! That nobody fills an engine's memory: after every step all that it holds is within its bounds; and
//! how near to them simulated groups come.

use peer_group::gauge::Held;

use super::world::World;

/// The most that any engine of a universe held of each thing.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    most: [(usize, usize); Held::COUNT],
    names: [Option<Held>; Held::COUNT],
}

impl Default for Peaks {
    fn default() -> Self {
        Self {
            most: [(0, 0); Held::COUNT],
            names: [None; Held::COUNT],
        }
    }
}

impl Peaks {
    /// Notes how much is held where so much may be; true if that is too much.
    fn note(&mut self, what: Held, held: usize, bound: usize) -> bool {
        let at = what as usize;
        if held > self.most[at].0 {
            self.most[at] = (held, bound);
            self.names[at] = Some(what);
        }
        held > bound
    }

    /// The most that was held of something.
    #[must_use]
    pub fn most_of(&self, what: Held) -> usize {
        self.most[what as usize].0
    }

    /// Of all universes: what was held, most, of how much, and in how many seeds all of it.
    #[must_use]
    pub fn table(all: &[Self]) -> String {
        let mut lines = String::new();
        for at in 0..Held::COUNT {
            let most = all.iter().max_by_key(|peaks| peaks.most[at].0);
            let Some((most, Some(what))) = most.map(|peaks| (peaks.most[at], peaks.names[at]))
            else {
                continue;
            };
            let full = all
                .iter()
                .filter(|peaks| peaks.most[at].0 > 0 && peaks.most[at].0 == peaks.most[at].1)
                .count();
            let name = format!("{what:?}");
            lines += &format!("\n  {name:<20} {:>9} of {:>9}", most.0, most.1);
            if full > 0 {
                lines += &format!(", full in {full} seeds");
            }
        }
        lines
    }
}

impl World {
    /// Whatever came, what an engine holds is bounded.
    pub fn check_bounds(&mut self, machine: usize) {
        let Some(engine) = &self.machines[machine].engine else {
            return;
        };
        let mut broken = None;
        // The liar's own engine is bounded as well, but fills itself.
        let mut own = Peaks::default();
        let lies = self
            .hostile
            .as_ref()
            .is_some_and(|of| of.machine == machine);
        let peaks = if lies { &mut own } else { &mut self.peaks };
        engine.gauges(&mut |what, held, bound| {
            if peaks.note(what, held, bound) {
                broken = Some((what, held, bound));
            }
        });
        if let Some((what, held, bound)) = broken {
            self.fail(format!(
                "machine {machine} holds {held} {what:?}, more than {bound}"
            ));
        }
    }
}
