//! What the wrapper calls about a group's password, and the work that members demand of who comes with one.
#![allow(
    unreachable_pub,
    reason = "exports are public to JavaScript, wherever they stand"
)]

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::export::{Engine, OpenArguments};
use super::failure::thrown;
use super::promise::after;
use super::pump::Reporter;
use crate::crypto::REAL;
use crate::crypto::stretch::Password;
use crate::crypto::work::solve;
use crate::engine::command::Command;
use crate::engine::input::Input;
use crate::names::{HandleId, WorkId};

/// Answers that are tried before the page has its turn: some 10 ms.
const PIECE: u64 = 8192;

#[wasm_bindgen]
impl Engine {
    /// Takes an invitation that asks for a password.
    #[wasm_bindgen(js_name = joinWithPassword)]
    pub fn join_with_password(
        &self,
        options: &OpenArguments,
        invitation: String,
        password: String,
    ) -> Result<f64, JsValue> {
        self.command(Command::JoinWithPassword {
            options: options.read()?,
            invitation,
            password: Password::new(password).map_err(thrown)?,
        })
    }

    /// Gives the password to come in with.
    #[wasm_bindgen(js_name = givePassword)]
    pub fn give_password(&self, handle: f64, password: String) -> Result<f64, JsValue> {
        self.command(Command::GivePassword {
            handle: HandleId(handle as u64),
            password: Password::new(password).map_err(thrown)?,
        })
    }

    /// Makes an invitation for whoever knows the password.
    #[wasm_bindgen(js_name = createPasswordInvitation)]
    pub fn create_password_invitation(&self, handle: f64) -> Result<f64, JsValue> {
        let handle = HandleId(handle as u64);
        self.command(Command::CreatePasswordInvitation { handle })
    }
}

/// In pieces, so that the page goes on meanwhile.
pub(super) fn work(reporter: Reporter, work: WorkId, puzzle: [u8; 32], bits: u8) {
    spawn_local(async move {
        for piece in 0.. {
            let _ = JsFuture::from(after(0)).await;
            if let Some(answer) = solve(&REAL, &puzzle, bits, piece * PIECE, PIECE) {
                return reporter.report(Input::Worked { work, answer });
            }
        }
    });
}
