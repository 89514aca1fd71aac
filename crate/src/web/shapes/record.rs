//! Records as they cross to the wrapper, and what is told of them.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::{Failure, date};
use crate::engine::event::{RecordChange, RecordInfo};
use crate::web::plain::{Plain, plain};
use crate::wire::attributes::{Attributes, Value};

#[wasm_bindgen(typescript_custom_section)]
const NAMES: &str = "
/** A record. 32 hex digits. */
export type RecordId = Brand<string, 'RecordId'>;
/** A text, a whole number (safe integer) or a date in peer time. */
export type AttributeValue = string | number | Date;
";

plain! {
    /// A record, as it was when it was read. Dates are in peer time.
    PeerRecord {
        /// Names it.
        id: String => "id" ":" "RecordId",
        /// Its type.
        kind: String => "type" ":" "string",
        /// Counts changes from 1.
        version: u32 => "version" ":" "number",
        /// Who made it.
        creator: String => "creator" ":" "PeerId",
        /// Who changed it last, if anybody did.
        modified_by: Option<String> => "modifiedBy" "?:" "PeerId",
        /// When it was made.
        created: JsValue => "created" ":" "Date",
        /// When it was changed last.
        modified: JsValue => "modified" ":" "Date",
        /// When it ends; only ever later.
        expires: JsValue => "expires" ":" "Date",
        /// Its life is extended while its creator is online.
        auto_refresh: bool => "autoRefresh" ":" "boolean",
        /// For searching.
        attributes: Attributes => "attributes" ":"
            "Readonly<Record<string, AttributeValue | readonly AttributeValue[]>>",
        /// What it carries.
        data: Uint8Array => "data" ":" "Uint8Array<ArrayBuffer>",
    }

    /// A record came, changed or went. It may have changed again since.
    RecordEvent = "record-changed" {
        /// At which node.
        node: u64 => "node" ":" "number",
        /// What happened.
        change: &'static str => "change" ":" "'added' | 'updated' | 'deleted' | 'expired'",
        /// To which.
        id: String => "id" ":" "RecordId",
        /// Of which type.
        kind: String => "kind" ":" "string",
    }

    /// Every record of a type that a graph wanted first is here.
    TypeSynchronizedEvent = "synchronized" {
        /// At which node.
        node: u64 => "node" ":" "number",
        /// The type.
        kind: String => "kind" ":" "string",
    }

    /// What others wrote could not be stored; it is kept in memory and tried again.
    StorageFailedEvent = "storage-failed" {
        /// Of which node.
        node: u64 => "node" ":" "number",
        /// Why.
        failure: Failure => "failure" ":" "Failure",
    }

    /// Is this record to be kept? To be answered with `answer`.
    ValidateEvent = "validate" {
        /// Which question.
        ask: u64 => "ask" ":" "number",
        /// Of which node.
        node: u64 => "node" ":" "number",
        /// It.
        record: PeerRecord => "record" ":" "PeerRecord",
        /// What became of it.
        change: &'static str => "change" ":" "'added' | 'updated' | 'deleted'",
    }
}

impl Plain for Value {
    fn plain(self) -> Option<JsValue> {
        match self {
            Self::Text(text) => text.plain(),
            Self::Number(number) => (number as f64).plain(),
            Self::Date(ms) => date(ms as f64).plain(),
        }
    }
}

/// One value stands for itself, several make a list.
impl Plain for Attributes {
    fn plain(self) -> Option<JsValue> {
        let object = Object::new();
        for (name, values) in self.iter() {
            let mut values = values.iter().cloned().filter_map(Plain::plain);
            let value = match (values.next(), values.next()) {
                (Some(one), None) => one,
                (one, other) => {
                    let list: Array = one.into_iter().chain(other).chain(values).collect();
                    list.into()
                }
            };
            // It was made here: that cannot fail.
            let _ = Reflect::set(&object, &name.into(), &value);
        }
        Some(object.into())
    }
}

impl From<RecordInfo> for PeerRecord {
    fn from(info: RecordInfo) -> Self {
        Self {
            id: info.id.to_string(),
            kind: info.kind,
            version: info.version,
            creator: info.creator.to_string(),
            modified_by: info.modified_by.map(|peer| peer.to_string()),
            created: date(info.created as f64),
            modified: date(info.modified as f64),
            expires: date(info.expires as f64),
            auto_refresh: info.auto_refresh,
            attributes: info.attributes,
            data: Uint8Array::from(info.data.as_slice()),
        }
    }
}

/// What the app is asked about: a record does not ask when it ends.
pub(super) fn asked(change: RecordChange) -> &'static str {
    match change {
        RecordChange::Added => "added",
        RecordChange::Updated => "updated",
        RecordChange::Deleted | RecordChange::Expired => "deleted",
    }
}
