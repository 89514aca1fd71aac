//! Storage: one IndexedDB database per store, key to bytes; or this page's memory. Secrets are wrapped.

use crate::sorted::Map;
use std::cell::RefCell;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{IdbKeyRange, IdbObjectStore};

use super::database::{Begun, Databases, is, settled};
use super::pump::Reporter;
use super::wrap;
use crate::engine::command::Store;
use crate::engine::effect::SECRETS;
use crate::engine::input::{Entry, Input, StorageFault};
use crate::names::StorageId;

/// Where the key lies that secrets are wrapped with.
const WRAPPING: &str = "wrapping";

type Changes = Vec<(String, Option<Vec<u8>>)>;
/// Values in the form in which the browser keeps them.
type Finished = Vec<(String, JsValue)>;

/// The stores of one engine.
pub(super) struct Storage {
    reporter: Reporter,
    memory: RefCell<Map<String, Vec<u8>>>,
    databases: Databases,
}

impl Storage {
    pub(super) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            memory: RefCell::default(),
            databases: Databases::default(),
        }
    }

    /// Reads every value whose key begins with `prefix`.
    pub(super) fn load(&self, storage: StorageId, store: Store, prefix: String) {
        let Some(name) = database_name(store) else {
            let result = Ok(self.remembered(&prefix));
            return self.reporter.report(Input::Loaded { storage, result });
        };
        let reporter = self.reporter.clone();
        let begun = self.databases.begin(&name, "readonly", false);
        spawn_local(async move {
            let result = match begun.await {
                Ok(begun) => read(&begun, &prefix)
                    .await
                    .map_err(|_| StorageFault::Blocked),
                Err(error) => Err(fault(&error)),
            };
            reporter.report(Input::Loaded { storage, result });
        });
    }

    /// Stores and removes values, all or none.
    pub(super) fn persist(
        &self,
        storage: StorageId,
        store: Store,
        mut changes: Changes,
        strict: bool,
    ) {
        let Some(name) = database_name(store) else {
            self.remember(changes);
            let result = Ok(());
            return self.reporter.report(Input::Persisted { storage, result });
        };
        let reporter = self.reporter.clone();
        let is_secret =
            |key: &String, value: &Option<_>| key.starts_with(SECRETS) && value.is_some();
        let secrets: Changes = changes.extract_if(.., |(k, v)| is_secret(k, v)).collect();
        let databases = self.databases.clone();
        // Wrapping takes a while, in which a transaction would end: it comes first. Nobody writes to a
        // secret before the last write is through, so that their order stays.
        let begun = secrets
            .is_empty()
            .then(|| databases.begin(&name, "readwrite", strict));
        spawn_local(async move {
            let finished = wrapped(&databases, &name, secrets).await;
            let begun = match begun {
                Some(begun) => begun.await,
                None => databases.begin(&name, "readwrite", strict).await,
            };
            let result = match begun {
                Ok(begun) => write(&begun, changes, finished).await.map_err(|_| {
                    // Whatever ends a transaction that could begin: the values have no room. Firefox
                    // takes no values from that connection next, whether there is room or not.
                    begun.let_go();
                    StorageFault::Full
                }),
                Err(error) => Err(fault(&error)),
            };
            reporter.report(Input::Persisted { storage, result });
        });
    }

    fn remembered(&self, prefix: &str) -> Vec<Entry> {
        let memory = self.memory.borrow();
        let from = memory.iter().skip_while(|(key, _)| key.as_str() < prefix);
        from.take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    fn remember(&self, changes: Changes) {
        let mut memory = self.memory.borrow_mut();
        for (key, value) in changes {
            match value {
                Some(value) => memory.insert(key, value),
                None => memory.remove(&key),
            };
        }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.databases.close();
    }
}

/// None: memory.
fn database_name(store: Store) -> Option<String> {
    match store {
        Store::Default => Some("peer-group".to_owned()),
        Store::Named(name) => Some(format!("peer-group/{name}")),
        Store::Memory => None,
    }
}

async fn read(begun: &Begun, prefix: &str) -> Result<Vec<Entry>, JsValue> {
    let values = begun.values()?;
    let last = format!("{prefix}\u{ffff}");
    let range = IdbKeyRange::bound(&prefix.into(), &last.into())?;
    // Both are asked for in one transaction: they see the same state.
    let keys = values.get_all_keys_with_key(&range)?;
    let values = values.get_all_with_key(&range)?;
    let (keys, values) = (settled(&keys).await?, settled(&values).await?);
    let keys = keys.unchecked_into::<Array>();
    let values = values.unchecked_into::<Array>();
    let mut entries = Vec::new();
    let mut wrapping = JsValue::UNDEFINED;
    for (key, value) in keys.iter().zip(values.iter()) {
        let Some(key) = key.as_string() else {
            continue;
        };
        if wrap::is_wrapped(&value) {
            if wrapping.is_undefined() {
                wrapping = wrapping_key(&begun.databases, &begun.name).await?;
            }
            let opened = wrap::unwrap(&wrapping, &key, &value).await?;
            entries.push((key, opened));
        } else if let Ok(bytes) = value.dyn_into::<Uint8Array>() {
            entries.push((key, bytes.to_vec()));
        }
    }
    Ok(entries)
}

/// The key that secrets are wrapped with; undefined where there is none yet.
async fn wrapping_key(databases: &Databases, name: &str) -> Result<JsValue, JsValue> {
    let begun = databases.begin(name, "readonly", false).await?;
    let values = begun.values()?;
    settled(&values.get(&WRAPPING.into())?).await
}

/// The key that secrets are to be wrapped with, made where there is none yet.
async fn made_key(databases: &Databases, name: &str) -> Result<JsValue, JsValue> {
    let known = wrapping_key(databases, name).await?;
    if !known.is_undefined() {
        return Ok(known);
    }
    let new = wrap::new_key().await?;
    let begun = databases.begin(name, "readwrite", true).await?;
    let values = begun.values()?;
    // Where another page was faster, its key stays.
    let _ = settled(&values.add_with_key(&new, &WRAPPING.into())?).await;
    wrapping_key(databases, name).await
}

/// Secrets as they are to be stored. On insecure origins, and where the browser keeps no keys, they are
/// stored as they are.
async fn wrapped(databases: &Databases, name: &str, secrets: Changes) -> Finished {
    let mut finished = Finished::new();
    if secrets.is_empty() {
        return finished;
    }
    let key = made_key(databases, name).await;
    for (place, value) in secrets {
        let value = value.unwrap_or_default();
        let wrapped = match &key {
            Ok(key) => wrap::wrap(key, &place, &value).await,
            Err(error) => Err(error.clone()),
        };
        let plain = |_| Uint8Array::from(value.as_slice()).into();
        finished.push((place, wrapped.unwrap_or_else(plain)));
    }
    // Once more with what it opens: the database may have been deleted meanwhile.
    finished.extend(key.ok().map(|key| (WRAPPING.to_owned(), key)));
    finished
}

async fn write(begun: &Begun, changes: Changes, finished: Finished) -> Result<(), JsValue> {
    let put = begun
        .values()
        .and_then(|values| put_all(&values, changes, finished));
    begun.end(put).await
}

fn put_all(values: &IdbObjectStore, changes: Changes, finished: Finished) -> Result<(), JsValue> {
    for (key, value) in changes {
        let key = JsValue::from(key);
        match value {
            Some(bytes) => values.put_with_key(&Uint8Array::from(bytes.as_slice()), &key)?,
            None => values.delete(&key)?,
        };
    }
    for (key, value) in finished {
        values.put_with_key(&value, &key.into())?;
    }
    Ok(())
}

/// Why no transaction could begin, for the engine.
fn fault(error: &JsValue) -> StorageFault {
    if is(error, "QuotaExceededError") {
        StorageFault::Full
    } else {
        StorageFault::Blocked
    }
}
