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

    /// An IDBTransaction: web-sys calls this deprecated, which it is not.
    type Transaction;
    #[wasm_bindgen(method, catch)]
    fn commit(this: &Transaction) -> Result<(), JsValue>;
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
        let (reporter, begun) = (self.reporter.clone(), self.begin(name, "readonly", false));
        spawn_local(async move {
            let result = match begun.await {
                Ok(begun) => read(&begun.transaction, &prefix)
                    .await
                    .map_err(|_| StorageFault::Blocked),
                Err(error) => Err(fault(&error)),
            };
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
        let (reporter, begun) = (self.reporter.clone(), self.begin(name, "readwrite", strict));
        spawn_local(async move {
            let result = match begun.await {
                Ok(begun) => write(&begun.transaction, changes).await.map_err(|_| {
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

    /// A transaction. The database is opened once; an operation takes its promise when it is asked
    /// for, so that transactions begin in that order.
    fn begin(
        &self,
        name: String,
        mode: &'static str,
        strict: bool,
    ) -> impl Future<Output = Result<Begun, JsValue>> + 'static {
        let databases = self.databases.clone();
        let first = open(&databases, &name);
        async move {
            let mut opening = first;
            let mut begun = transaction(&opening, mode, strict).await;
            if let Err(error) = &begun {
                let_go(&databases, &name, &opening);
                if is(error, "InvalidStateError") {
                    // Its connection was closed meanwhile, as when somebody deletes the database.
                    opening = open(&databases, &name);
                    begun = transaction(&opening, mode, strict).await;
                }
            }
            begun.map(|transaction| Begun {
                transaction,
                databases,
                name,
                opening,
            })
        }
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

/// A transaction and where it came from.
struct Begun {
    transaction: IdbTransaction,
    databases: Databases,
    name: String,
    opening: Promise,
}

impl Begun {
    fn let_go(self) {
        let_go(&self.databases, &self.name, &self.opening);
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.databases.take().into_values().for_each(close);
    }
}

fn close(opening: Promise) {
    spawn_local(async move {
        if let Ok(database) = JsFuture::from(opening).await {
            database.unchecked_into::<IdbDatabase>().close();
        }
    });
}

/// None: memory.
fn database_name(store: Store) -> Option<String> {
    match store {
        Store::Default => Some("peer-group".to_owned()),
        Store::Named(name) => Some(format!("peer-group/{name}")),
        Store::Memory => None,
    }
}

/// The promise of a database.
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

/// The next operation opens the database anew, unless one has already.
fn let_go(databases: &Databases, name: &str, opening: &Promise) {
    let mut databases = databases.borrow_mut();
    let is_known = |known: &Promise| Object::is(known, opening);
    if databases.get(name).is_some_and(is_known) {
        databases.remove(name);
        close(opening.clone());
    }
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

async fn transaction(
    opening: &Promise,
    mode: &str,
    strict: bool,
) -> Result<IdbTransaction, JsValue> {
    let database: Database = JsFuture::from(opening.clone()).await?.unchecked_into();
    let options = Object::new();
    let durability = if strict { "strict" } else { "relaxed" };
    put(&options, "durability", durability);
    database.transaction(VALUES, mode, &options)
}

async fn read(transaction: &IdbTransaction, prefix: &str) -> Result<Vec<Entry>, JsValue> {
    let values = transaction.object_store(VALUES)?;
    let last = format!("{prefix}\u{ffff}");
    let range = IdbKeyRange::bound(&prefix.into(), &last.into())?;
    // Both are asked for in one transaction: they see the same state.
    let keys = values.get_all_keys_with_key(&range)?;
    let values = values.get_all_with_key(&range)?;
    let (keys, values) = (settled(&keys).await?, settled(&values).await?);
    let keys = keys.unchecked_into::<Array>();
    let values = values.unchecked_into::<Array>();
    let entry = |(key, value): (JsValue, JsValue)| {
        let bytes: Uint8Array = value.dyn_into().ok()?;
        Some((key.as_string()?, bytes.to_vec()))
    };
    Ok(keys.iter().zip(values.iter()).filter_map(entry).collect())
}

async fn write(transaction: &IdbTransaction, changes: Changes) -> Result<(), JsValue> {
    if let Err(error) = put_all(transaction, changes) {
        // What was put before would be stored: all or none.
        let _ = transaction.abort();
        return Err(error);
    }
    // A page that goes away takes along what it has not committed. Where there is no such call, the
    // browser commits when it finds nothing more to do.
    let _ = transaction.unchecked_ref::<Transaction>().commit();
    let done = Deferred::new();
    transaction.set_oncomplete(Some(&done.resolve));
    transaction.set_onabort(Some(&done.reject));
    JsFuture::from(done.promise).await.map(|_| ())
}

fn put_all(transaction: &IdbTransaction, changes: Changes) -> Result<(), JsValue> {
    let values = transaction.object_store(VALUES)?;
    for (key, value) in changes {
        let key = JsValue::from(key);
        match value {
            Some(bytes) => values.put_with_key(&Uint8Array::from(bytes.as_slice()), &key)?,
            None => values.delete(&key)?,
        };
    }
    Ok(())
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

/// Why no transaction could begin, for the engine.
fn fault(error: &JsValue) -> StorageFault {
    if is(error, "QuotaExceededError") {
        StorageFault::Full
    } else {
        StorageFault::Blocked
    }
}

fn is(error: &JsValue, name: &str) -> bool {
    Reflect::get(error, &"name".into()).is_ok_and(|own| own == name)
}
