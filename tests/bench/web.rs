//! The benchmarks as a wasm module.

use crate::stage::Stage;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// Runs the benchmark of that name, if there is one; `say` hears each figure, its value and its unit.
#[wasm_bindgen(js_name = runBenchmark)]
pub fn run(name: &str, say: &js_sys::Function) -> bool {
    let mut stage = Stage {
        now: &now,
        say: &mut |what, value, unit| {
            // A listener that throws stops nothing; it is ours.
            let _ = say.call3(&JsValue::NULL, &what.into(), &value.into(), &unit.into());
        },
    };
    crate::run(name, &mut stage)
}
