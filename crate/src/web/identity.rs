//! What the wrapper calls for identities, and for the groups that belong to them.
#![allow(
    unreachable_pub,
    reason = "exports are public to JavaScript, wherever they stand"
)]

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::export::{Engine, OpenArguments};
use super::failure::thrown;
use super::plain::plain;
use crate::crypto::stretch::Password;
use crate::engine::command::{Command, IdentityCall, NewIdentity};
use crate::engine::event;
use crate::names::HandleId;

plain! {
    /// An identity: who one is in this storage.
    IdentityInfo {
        /// Names it.
        peer: String => "peerId" ":" "PeerId",
        /// What people call it; may be empty.
        name: String => "name" ":" "string",
        /// A short readable kind; may be empty.
        classifier: String => "classifier" ":" "string",
        /// What it shows of itself, as a text.
        card: String => "card" ":" "string",
    }
}

plain! {
    /// A group in a list.
    GroupInfo {
        /// Names it.
        group: String => "groupId" ":" "GroupId",
        /// What people call it; empty where what is stored of it cannot be read.
        friendly_name: String => "friendlyName" ":" "string",
    }

    /// A group that was taken over, and whose it is.
    ImportedGroup {
        /// The group.
        group: String => "groupId" ":" "GroupId",
        /// The identity.
        peer: String => "peerId" ":" "PeerId",
    }
}

impl From<event::GroupInfo> for GroupInfo {
    fn from(info: event::GroupInfo) -> Self {
        Self {
            group: info.group.to_string(),
            friendly_name: info.friendly_name,
        }
    }
}

impl From<event::IdentityInfo> for IdentityInfo {
    fn from(info: event::IdentityInfo) -> Self {
        Self {
            peer: info.peer.to_string(),
            name: info.name,
            classifier: info.classifier,
            card: info.card,
        }
    }
}

#[wasm_bindgen]
impl Engine {
    /// Makes an identity.
    #[wasm_bindgen(js_name = createIdentity)]
    pub fn create_identity(
        &self,
        storage: &OpenArguments,
        name: String,
        classifier: String,
    ) -> Result<f64, JsValue> {
        let new = NewIdentity { name, classifier };
        self.identities(storage, IdentityCall::Create(new))
    }

    /// The default identity.
    #[wasm_bindgen(js_name = defaultIdentity)]
    pub fn default_identity(&self, storage: &OpenArguments) -> Result<f64, JsValue> {
        self.identities(storage, IdentityCall::Default)
    }

    /// All identities.
    #[wasm_bindgen(js_name = listIdentities)]
    pub fn list_identities(&self, storage: &OpenArguments) -> Result<f64, JsValue> {
        self.identities(storage, IdentityCall::List)
    }

    /// Takes an identity over that was exported elsewhere.
    #[wasm_bindgen(js_name = importIdentity)]
    pub fn import_identity(
        &self,
        storage: &OpenArguments,
        text: String,
        password: String,
    ) -> Result<f64, JsValue> {
        let password = Password::new(password).map_err(thrown)?;
        self.identities(storage, IdentityCall::Import { text, password })
    }

    /// Writes an identity down for another machine.
    #[wasm_bindgen(js_name = exportIdentity)]
    pub fn export_identity(
        &self,
        storage: &OpenArguments,
        peer: &str,
        password: String,
    ) -> Result<f64, JsValue> {
        let peer = peer.parse().map_err(thrown)?;
        let password = Password::new(password).map_err(thrown)?;
        self.identities(storage, IdentityCall::Export { peer, password })
    }

    /// Calls an identity by another name.
    #[wasm_bindgen(js_name = renameIdentity)]
    pub fn rename_identity(
        &self,
        storage: &OpenArguments,
        peer: &str,
        name: String,
    ) -> Result<f64, JsValue> {
        let peer = peer.parse().map_err(thrown)?;
        self.identities(storage, IdentityCall::Rename { peer, name })
    }

    /// Deletes an identity.
    #[wasm_bindgen(js_name = deleteIdentity)]
    pub fn delete_identity(&self, storage: &OpenArguments, peer: &str) -> Result<f64, JsValue> {
        let peer = peer.parse().map_err(thrown)?;
        self.identities(storage, IdentityCall::Delete { peer })
    }
}

#[wasm_bindgen]
impl Engine {
    /// The groups of an identity.
    #[wasm_bindgen(js_name = listGroups)]
    pub fn list_groups(&self, owner: &OpenArguments) -> Result<f64, JsValue> {
        self.command(Command::ListGroups {
            store: owner.read_store(),
            identity: owner.read_identity()?,
        })
    }

    /// Writes a membership down for another machine.
    #[wasm_bindgen(js_name = exportConfig)]
    pub fn export_config(&self, handle: f64, password: String) -> Result<f64, JsValue> {
        self.command(Command::ExportConfig {
            handle: HandleId(handle as u64),
            password: Password::new(password).map_err(thrown)?,
        })
    }

    /// Takes a membership over that was exported elsewhere.
    #[wasm_bindgen(js_name = importConfig)]
    pub fn import_config(
        &self,
        storage: &OpenArguments,
        text: String,
        password: String,
        overwrite: bool,
    ) -> Result<f64, JsValue> {
        self.command(Command::ImportConfig {
            store: storage.read_store(),
            text,
            password: Password::new(password).map_err(thrown)?,
            overwrite,
        })
    }
}

impl Engine {
    fn identities(&self, storage: &OpenArguments, call: IdentityCall) -> Result<f64, JsValue> {
        let store = storage.read_store();
        self.command(Command::Identities { store, call })
    }
}
