//! What the wrapper calls for records. Shapes are checked in `js/`; a wrong one is still no fault here.
#![allow(
    unreachable_pub,
    reason = "exports are public to JavaScript, wherever they stand"
)]

use js_sys::{Array, Date};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

use super::export::Engine;
use super::failure::thrown;
use crate::engine::command::{
    Command, Compare, Expiry, NamedValues, NewRecord, RecordUpdate, Search,
};
use crate::error::{Code, Error};
use crate::limits::{ATTRIBUTE_VALUES, SEARCH_CLAUSES, SEARCH_DEPTH};
use crate::names::{HandleId, RecordId};
use crate::wire::attributes::Value;

#[wasm_bindgen(typescript_custom_section)]
const ARGUMENTS: &str = "
/** An attribute: its name, then its values. */
export type AttributeRow = readonly [name: string, ...values: AttributeValue[]];
/** One row of a search, written from the outside in: a join says how many of those that follow it
 *  belong to it. */
export type SearchRow = readonly ['and' | 'or', number]
  | readonly ['is' | 'not' | 'like' | 'below' | 'atMost' | 'above' | 'atLeast', string, AttributeValue];
";

#[wasm_bindgen]
impl Engine {
    /// Adds a record that ends then, or so many milliseconds from now.
    #[wasm_bindgen(js_name = addRecord)]
    #[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
    pub fn add_record(
        &self,
        handle: f64,
        kind: String,
        data: Vec<u8>,
        #[wasm_bindgen(unchecked_param_type = "readonly AttributeRow[]")] attributes: &Array,
        expires: Option<f64>,
        life: Option<f64>,
        auto_refresh: bool,
    ) -> Result<f64, JsValue> {
        let expires = expiry(expires, life)
            .ok_or_else(|| thrown(Error::new(Code::InvalidRecordExpiration)))?;
        self.command(Command::AddRecord {
            handle: HandleId(handle as u64),
            record: NewRecord {
                kind,
                data,
                attributes: named_values(attributes)?,
                expires,
                auto_refresh,
            },
        })
    }

    /// Changes a record. What is undefined stays.
    #[wasm_bindgen(js_name = updateRecord)]
    #[allow(clippy::too_many_arguments, reason = "flat arguments cross cheaply")]
    pub fn update_record(
        &self,
        handle: f64,
        id: &str,
        data: Option<Vec<u8>>,
        #[wasm_bindgen(unchecked_param_type = "readonly AttributeRow[] | undefined")]
        attributes: Option<Array>,
        expires: Option<f64>,
        life: Option<f64>,
        if_version: Option<u32>,
    ) -> Result<f64, JsValue> {
        let attributes = attributes.as_ref().map(named_values).transpose()?;
        self.command(Command::UpdateRecord {
            handle: HandleId(handle as u64),
            id: record_id(id)?,
            update: RecordUpdate {
                data,
                attributes,
                expires: expiry(expires, life),
                if_version,
            },
        })
    }

    /// Deletes a record: everywhere, or in a graph here only.
    #[wasm_bindgen(js_name = deleteRecord)]
    pub fn delete_record(&self, handle: f64, id: &str, here_only: bool) -> Result<f64, JsValue> {
        let (handle, id) = (HandleId(handle as u64), record_id(id)?);
        self.command(if here_only {
            Command::DeleteLocal { handle, id }
        } else {
            Command::DeleteRecord { handle, id }
        })
    }

    /// Reads a record.
    #[wasm_bindgen(js_name = getRecord)]
    pub fn get_record(&self, handle: f64, id: &str) -> Result<f64, JsValue> {
        self.command(Command::GetRecord {
            handle: HandleId(handle as u64),
            id: record_id(id)?,
        })
    }

    /// Reads the records there are, or those of one type, or of one creator.
    #[wasm_bindgen(js_name = listRecords)]
    pub fn list_records(
        &self,
        handle: f64,
        kind: Option<String>,
        creator: Option<String>,
    ) -> Result<f64, JsValue> {
        let creator = creator.map(|text| text.parse()).transpose();
        self.command(Command::ListRecords {
            handle: HandleId(handle as u64),
            kind,
            creator: creator.map_err(thrown)?,
        })
    }

    /// Finds records.
    #[wasm_bindgen(js_name = searchRecords)]
    pub fn search_records(
        &self,
        handle: f64,
        #[wasm_bindgen(unchecked_param_type = "readonly SearchRow[]")] rows: &Array,
    ) -> Result<f64, JsValue> {
        self.command(Command::SearchRecords {
            handle: HandleId(handle as u64),
            search: search(rows)?,
        })
    }

    /// Asks the app again about deferred records; none named: all.
    #[wasm_bindgen(js_name = validateDeferred)]
    pub fn validate_deferred(&self, handle: f64, ids: Vec<String>) -> Result<f64, JsValue> {
        let ids: Result<Vec<RecordId>, JsValue> = ids.iter().map(|id| record_id(id)).collect();
        self.command(Command::ValidateDeferred {
            handle: HandleId(handle as u64),
            ids: ids?,
        })
    }

    /// Writes the records into one piece.
    #[wasm_bindgen(js_name = exportDatabase)]
    pub fn export_database(&self, handle: f64) -> Result<f64, JsValue> {
        let handle = HandleId(handle as u64);
        self.command(Command::ExportDatabase { handle })
    }

    /// Takes what was exported.
    #[wasm_bindgen(js_name = importDatabase)]
    pub fn import_database(&self, handle: f64, data: Vec<u8>) -> Result<f64, JsValue> {
        let handle = HandleId(handle as u64);
        self.command(Command::ImportDatabase { handle, data })
    }
}

fn record_id(text: &str) -> Result<RecordId, JsValue> {
    text.parse().map_err(thrown)
}

fn expiry(expires: Option<f64>, life: Option<f64>) -> Option<Expiry> {
    let at = expires.map(|at| Expiry::At(at as u64));
    at.or(life.map(|life| Expiry::In(life as u64)))
}

fn named_values(rows: &Array) -> Result<NamedValues, JsValue> {
    let row = |row: JsValue| -> Result<_, Code> {
        let row: Array = row.dyn_into().map_err(|_| Code::InvalidAttributes)?;
        if row.length() as usize > ATTRIBUTE_VALUES + 1 {
            return Err(Code::TooManyAttributes);
        }
        let name = row.get(0).as_string().ok_or(Code::InvalidAttributes)?;
        let values: Option<Vec<Value>> = row.iter().skip(1).map(value).collect();
        Ok((name, values.ok_or(Code::InvalidAttributes)?))
    };
    let read = if rows.length() as usize > ATTRIBUTE_VALUES {
        Err(Code::TooManyAttributes)
    } else {
        rows.iter().map(row).collect()
    };
    read.map_err(|code| thrown(Error::new(code)))
}

fn value(given: JsValue) -> Option<Value> {
    if let Some(number) = given.as_f64() {
        return Some(Value::Number(number as i64));
    }
    match given.dyn_ref::<Date>() {
        Some(date) => Some(Value::Date(date.get_time() as i64)),
        None => given.as_string().map(Value::Text),
    }
}

fn search(rows: &Array) -> Result<Search, JsValue> {
    let invalid = |detail: &str| thrown(Error::new(Code::InvalidSearch).detail(detail));
    // Joins count too: each holds at least one clause or is refused.
    if rows.length() as usize > 2 * SEARCH_CLAUSES {
        return Err(invalid("it has more clauses than allowed"));
    }
    let mut rows = rows.iter();
    let read = part(&mut rows, SEARCH_DEPTH);
    let read = read.filter(|_| rows.next().is_none());
    read.ok_or_else(|| invalid("it nests deeper than allowed"))
}

/// The next part of a search, and all that belongs to it.
fn part(rows: &mut impl Iterator<Item = JsValue>, depth: usize) -> Option<Search> {
    let row: Array = rows.next()?.dyn_into().ok()?;
    let compare = match row.get(0).as_string()?.as_str() {
        join @ ("and" | "or") => {
            let count = row.get(1).as_f64()? as usize;
            let depth = depth.checked_sub(1)?;
            let mut parts = Vec::new();
            for _ in 0..count {
                parts.push(part(rows, depth)?);
            }
            return Some(if join == "and" {
                Search::And(parts)
            } else {
                Search::Or(parts)
            });
        }
        "is" => Compare::Equal,
        "not" => Compare::NotEqual,
        "like" => Compare::Like,
        "below" => Compare::Below,
        "atMost" => Compare::AtMost,
        "above" => Compare::Above,
        "atLeast" => Compare::AtLeast,
        _ => return None,
    };
    Some(Search::Clause {
        attribute: row.get(1).as_string()?,
        compare,
        value: value(row.get(2))?,
    })
}
