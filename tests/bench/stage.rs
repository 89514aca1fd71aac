//! What a benchmark stands on: a clock, and somebody who writes its figures down.

/// Milliseconds of work before anything is counted: a wasm engine compiles twice.
const WARM_UP_MS: f64 = 400.0;
/// Milliseconds of one sample.
const SAMPLE_MS: f64 = 200.0;
/// Samples, of which the middle one is told.
const SAMPLES: usize = 7;

/// Handed to a benchmark.
pub struct Stage<'a> {
    /// Milliseconds since any fixed moment.
    pub now: &'a dyn Fn() -> f64,
    /// Hears what was measured, its value and its unit.
    pub say: &'a mut dyn FnMut(&str, f64, &str),
}

impl Stage<'_> {
    /// Says how often a second something is done; each call of `work` does it `times` times.
    pub fn per_second(&mut self, what: &str, times: u32, mut work: impl FnMut()) {
        let rate = 1000.0 * f64::from(times) / self.middle(&mut work);
        (self.say)(what, rate, "per second");
    }

    /// Says how many milliseconds one call of `work` takes.
    pub fn millis(&mut self, what: &str, mut work: impl FnMut()) {
        let each = self.middle(&mut work);
        (self.say)(what, each, "ms");
    }

    /// Says a figure that is counted, not timed: bytes, round trips.
    pub fn figure(&mut self, what: &str, value: f64, unit: &str) {
        (self.say)(what, value, unit);
    }

    /// Milliseconds of one call: the middle of several samples, so that a moment of another program's
    /// work does not count.
    fn middle(&self, work: &mut dyn FnMut()) -> f64 {
        self.sample(WARM_UP_MS, work);
        let mut samples: Vec<f64> = (0..SAMPLES).map(|_| self.sample(SAMPLE_MS, work)).collect();
        samples.sort_by(f64::total_cmp);
        samples[SAMPLES / 2]
    }

    /// Milliseconds of one call, over at least `span`.
    fn sample(&self, span: f64, work: &mut dyn FnMut()) -> f64 {
        let start = (self.now)();
        let mut calls = 0u32;
        loop {
            work();
            calls += 1;
            let passed = (self.now)() - start;
            if passed >= span {
                return passed / f64::from(calls);
            }
        }
    }
}
