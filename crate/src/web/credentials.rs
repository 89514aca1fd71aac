//! What the wrapper calls for the credentials of members.
#![allow(
    unreachable_pub,
    reason = "exports are public to JavaScript, wherever they stand"
)]

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::export::Engine;
use super::failure::thrown;
use crate::engine::command::{Command, NewCredential};
use crate::names::{HandleId, Role};

#[wasm_bindgen]
impl Engine {
    /// Gives a member another credential. The time in wall seconds.
    #[wasm_bindgen(js_name = issueCredentials)]
    pub fn issue_credentials(
        &self,
        handle: f64,
        peer: &str,
        role: Option<String>,
        until: Option<f64>,
        publish: bool,
    ) -> Result<f64, JsValue> {
        self.command(Command::IssueCredentials {
            handle: HandleId(handle as u64),
            new: NewCredential {
                peer: peer.parse().map_err(thrown)?,
                role: role.as_deref().and_then(Role::named),
                until: until.map(|seconds| seconds as u64),
                publish,
            },
        })
    }
}
