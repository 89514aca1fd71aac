//! What the wrapper calls to end memberships. Shapes are checked in `js/`; a wrong one is still no fault here.
#![allow(
    unreachable_pub,
    reason = "exports are public to JavaScript, wherever they stand"
)]

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::export::Engine;
use super::failure::thrown;
use crate::engine::command::{Command, EndCall, Revoke};
use crate::names::HandleId;

#[wasm_bindgen]
impl Engine {
    /// Ends a member's membership, or what an invitation gives.
    pub fn revoke(
        &self,
        handle: f64,
        peer: Option<String>,
        invitation: Option<String>,
        reason: String,
        records_stay: bool,
    ) -> Result<f64, JsValue> {
        let revoke = Revoke {
            peer: peer.map(|peer| peer.parse()).transpose().map_err(thrown)?,
            invitation,
            reason,
            records_stay,
        };
        self.end(handle, EndCall::Revoke(revoke))
    }

    /// Makes all invitations void that are out.
    #[wasm_bindgen(js_name = voidInvitations)]
    pub fn void_invitations(&self, handle: f64) -> Result<f64, JsValue> {
        self.end(handle, EndCall::VoidInvitations)
    }

    /// Gives the own membership up.
    pub fn leave(&self, handle: f64) -> Result<f64, JsValue> {
        self.end(handle, EndCall::Leave)
    }
}

impl Engine {
    fn end(&self, handle: f64, call: EndCall) -> Result<f64, JsValue> {
        let handle = HandleId(handle as u64);
        self.command(Command::End { handle, call })
    }
}
