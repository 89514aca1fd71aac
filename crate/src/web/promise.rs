//! Browser promises without closures of ours: their own resolve functions are the handlers.

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(run: &Function, after_ms: u32) -> JsValue;
}

/// A promise and the functions that settle it.
pub(super) struct Deferred {
    pub(super) promise: Promise,
    pub(super) resolve: Function,
    pub(super) reject: Function,
}

impl Deferred {
    pub(super) fn new() -> Self {
        let (mut resolve, mut reject) = (JsValue::UNDEFINED, JsValue::UNDEFINED);
        // The executor runs before the constructor returns.
        let promise = Promise::new(&mut |fulfil: Function, refuse: Function| {
            resolve = fulfil.into();
            reject = refuse.into();
        });
        Self {
            promise,
            resolve: resolve.unchecked_into(),
            reject: reject.unchecked_into(),
        }
    }
}

/// Resolves after that time.
pub(super) fn after(milliseconds: u32) -> Promise {
    Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, milliseconds);
    })
}
