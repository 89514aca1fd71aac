//! One page per node: Web Locks, and what stands for them where there are none.

use crate::sorted::Map;
use std::cell::RefCell;

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::plain::put;
use super::promise::Deferred;
use super::pump::Reporter;
use crate::engine::input::Input;
use crate::names::NodeIndex;

#[wasm_bindgen]
extern "C" {
    /// web-sys has Web Locks only among its unstable parts.
    type WebLocks;
    #[wasm_bindgen(method)]
    fn request(this: &WebLocks, name: &str, options: &Object, given: &JsValue) -> Promise;
}

/// The locks that this page holds or asks for.
pub(super) struct Locks {
    reporter: Reporter,
    /// By node: what ends the holding.
    held: RefCell<Map<NodeIndex, Function>>,
    /// By name: settles when the browser has the lock back. It gives locks back a little after it
    /// was told to, and the next one to ask in this page must not be refused for that.
    ended: RefCell<Map<String, Promise>>,
}

impl Locks {
    pub(super) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            held: RefCell::default(),
            ended: RefCell::default(),
        }
    }

    /// Takes the lock or hears that another page has it.
    pub(super) fn take(&self, node: NodeIndex, name: String) {
        let Some(manager) = manager() else {
            // Insecure origins have no Web Locks: a second page is not noticed there.
            let granted = true;
            return self.reporter.report(Input::Locked { node, granted });
        };
        let (hold, end) = (Deferred::new(), Deferred::new());
        self.held.borrow_mut().insert(node, hold.resolve);
        let before = self.ended.borrow_mut().insert(name.clone(), end.promise);
        let (reporter, hold) = (self.reporter.clone(), hold.promise);
        spawn_local(async move {
            if let Some(before) = before {
                let _ = JsFuture::from(before).await;
            }
            request(&manager, &name, node, reporter, hold).await;
            let _ = end.resolve.call0(&JsValue::UNDEFINED);
        });
    }

    /// Gives the lock back, or does not want it any more.
    pub(super) fn give_back(&self, node: NodeIndex) {
        let held = self.held.borrow_mut().remove(&node);
        if let Some(end) = held {
            let _ = end.call0(&JsValue::UNDEFINED);
        }
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        for end in self.held.take().into_values() {
            let _ = end.call0(&JsValue::UNDEFINED);
        }
    }
}

fn manager() -> Option<WebLocks> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    let locks = Reflect::get(&navigator, &"locks".into()).ok()?;
    locks.is_object().then(|| locks.unchecked_into())
}

/// Ends when the lock is back, or was refused. Owns the callback for as long as the browser may
/// call it.
async fn request(
    manager: &WebLocks,
    name: &str,
    node: NodeIndex,
    reporter: Reporter,
    hold: Promise,
) {
    let options = Object::new();
    put(&options, "ifAvailable", true);
    let given = reporter.clone();
    let callback = Closure::<dyn FnMut(JsValue) -> JsValue>::new(move |lock: JsValue| {
        let granted = !lock.is_null();
        given.report(Input::Locked { node, granted });
        if granted {
            hold.clone().into()
        } else {
            JsValue::UNDEFINED
        }
    });
    let ended = manager.request(name, &options, callback.as_ref());
    if JsFuture::from(ended).await.is_err() {
        // The browser does not let this page use locks at all: as if it had none.
        reporter.report(Input::Locked {
            node,
            granted: true,
        });
    }
}
