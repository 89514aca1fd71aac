//! Storage: one IndexedDB database per store, key to bytes; or this page's memory.

use crate::sorted::Map;
use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};
use web_sys::{IdbDatabase, IdbFactory, IdbKeyRange, IdbRequest, IdbTransaction};

use super::listener::Listener;
use super::plain::put;
use super::promise::Deferred;
use super::pump::Reporter;
use crate::engine::command::Store;
use crate::engine::input::{Entry, Input, StorageFault};
use crate::names::StorageId;

#[wasm_bindgen]
extern "C" {
    /// An IDBDatabase: web-sys has durability only among its unstable parts.
    type Database;
    #[wasm_bindgen(method, catch)]
    fn transaction(
        this: &Database,
        store: &str,
        mode: &str,
        options: &Object,
    ) -> Result<IdbTransaction, JsValue>;
}

/// The object store inside each database.
const VALUES: &str = "values";

type Changes = Vec<(String, Option<Vec<u8>>)>;
/// By name: the promise of an open database.
type Databases = Rc<RefCell<Map<String, Promise>>>;

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
            databases: Rc::default(),
        }
    }

    /// Reads every value whose key begins with `prefix`.
    pub(super) fn load(&self, storage: StorageId, store: Store, prefix: String) {
        let Some(name) = database_name(store) else {
            let result = Ok(self.remembered(&prefix));
            return self.reporter.report(Input::Loaded { storage, result });
        };
        let (reporter, databases) = (self.reporter.clone(), self.databases.clone());
        let database = open(&databases, &name);
        spawn_local(async move {
            let result = read(database, &prefix).await;
            let result = result.map_err(|error| fault(&databases, &name, &error));
            reporter.report(Input::Loaded { storage, result });
        });
    }

    /// Stores and removes values, all or none.
    pub(super) fn persist(&self, storage: StorageId, store: Store, changes: Changes, strict: bool) {
        let Some(name) = database_name(store) else {
            self.remember(changes);
            let result = Ok(());
            return self.reporter.report(Input::Persisted { storage, result });
        };
        let (reporter, databases) = (self.reporter.clone(), self.databases.clone());
        let database = open(&databases, &name);
        spawn_local(async move {
            let result = write(database, changes, strict).await;
            let result = result.map_err(|error| fault(&databases, &name, &error));
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
        for opening in self.databases.take().into_values() {
            spawn_local(async move {
                if let Ok(database) = JsFuture::from(opening).await {
                    database.unchecked_into::<IdbDatabase>().close();
                }
            });
        }
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

/// The promise of a database, opened once. An operation takes it when it is asked for, so that
/// transactions begin in that order.
fn open(databases: &Databases, name: &str) -> Promise {
    let known = databases.borrow().get(name).cloned();
    known.unwrap_or_else(|| {
        let opening = future_to_promise(connect(name.to_owned()));
        databases
            .borrow_mut()
            .insert(name.to_owned(), opening.clone());
        opening
    })
}

async fn connect(name: String) -> Result<JsValue, JsValue> {
    let factory = Reflect::get(&js_sys::global(), &"indexedDB".into())?;
    if !factory.is_object() {
        return Err(JsValue::NULL);
    }
    let request = factory
        .unchecked_into::<IdbFactory>()
        .open_with_u32(&name, 1)?;
    let _upgrade = Listener::new(&request, "upgradeneeded", {
        let request = request.clone();
        move |_| {
            // A failure here fails the opening, which is reported.
            if let Ok(database) = request.result() {
                let database: IdbDatabase = database.unchecked_into();
                let _ = database.create_object_store(VALUES);
            }
        }
    });
    let database: IdbDatabase = settled(&request).await?.unchecked_into();
    // Somebody deletes the database: let go of it. What is asked for later opens it anew.
    let close = Reflect::get(&database, &"close".into())?.unchecked_into::<Function>();
    database.set_onversionchange(Some(&close.bind0(&database)));
    Ok(database.into())
}

async fn read(opening: Promise, prefix: &str) -> Result<Vec<Entry>, JsValue> {
    let database: IdbDatabase = JsFuture::from(opening).await?.unchecked_into();
    let values = database
        .transaction_with_str(VALUES)?
        .object_store(VALUES)?;
    let last = format!("{prefix}\u{ffff}");
    let range = IdbKeyRange::bound(&prefix.into(), &last.into())?;
    // Both are asked for in one transaction: they see the same state.
    let keys = values.get_all_keys_with_key(&range)?;
    let values = values.get_all_with_key(&range)?;
    let (keys, values) = (settled(&keys).await?, settled(&values).await?);
    let (keys, values) = (Array::from(&keys), Array::from(&values));
    let keys = keys.iter().filter_map(|key| key.as_string());
    Ok(keys
        .zip(values.iter().map(|value| Uint8Array::new(&value).to_vec()))
        .collect())
}

async fn write(opening: Promise, changes: Changes, strict: bool) -> Result<(), JsValue> {
    let database: Database = JsFuture::from(opening).await?.unchecked_into();
    let options = Object::new();
    put(
        &options,
        "durability",
        if strict { "strict" } else { "default" },
    );
    let transaction = database.transaction(VALUES, "readwrite", &options)?;
    let values = transaction.object_store(VALUES)?;
    for (key, value) in changes {
        let key = JsValue::from(key);
        match value {
            Some(bytes) => values.put_with_key(&Uint8Array::from(bytes.as_slice()), &key)?,
            None => values.delete(&key)?,
        };
    }
    let done = Deferred::new();
    transaction.set_oncomplete(Some(&done.resolve));
    transaction.set_onabort(Some(&done.reject));
    match JsFuture::from(done.promise).await {
        Ok(_) => Ok(()),
        Err(_) => Err(transaction.error().into()),
    }
}

/// The result of a request once it has one.
async fn settled(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let done = Deferred::new();
    request.set_onsuccess(Some(&done.resolve));
    request.set_onerror(Some(&done.reject));
    match JsFuture::from(done.promise).await {
        Ok(_) => request.result(),
        Err(_) => Err(request.error()?.into()),
    }
}

/// What went wrong, for the engine. The next operation opens the database anew.
fn fault(databases: &Databases, name: &str, error: &JsValue) -> StorageFault {
    databases.borrow_mut().remove(name);
    let name = Reflect::get(error, &"name".into())
        .ok()
        .and_then(|name| name.as_string());
    match name.as_deref() {
        Some("QuotaExceededError") => StorageFault::Full,
        _ => StorageFault::Blocked,
    }
}
