//! IndexedDB databases: each is opened once, and anew when somebody deleted it.

use crate::sorted::Map;
use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};
use web_sys::{IdbDatabase, IdbFactory, IdbObjectStore, IdbRequest, IdbTransaction};

use super::listener::Listener;
use super::plain::put;
use super::promise::Deferred;

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
/// A database that is made only to be deleted. No store has this name.
const FOR_A_NEW_LOG: &str = "peer-group:new-log";

/// By name: the promise of an open database.
#[derive(Clone, Default)]
pub(super) struct Databases(Rc<RefCell<Map<String, Promise>>>);

impl Databases {
    /// A transaction. An operation takes the promise of its database when it is asked for, so that
    /// transactions begin in that order.
    pub(super) fn begin(
        &self,
        name: &str,
        mode: &'static str,
        strict: bool,
    ) -> impl Future<Output = Result<Begun, JsValue>> + 'static {
        let (databases, name) = (self.clone(), name.to_owned());
        let first = self.open(&name);
        async move {
            let mut opening = first;
            let mut begun = transaction(&opening, mode, strict).await;
            if let Err(error) = &begun {
                databases.let_go(&name, &opening);
                if is(error, "InvalidStateError") {
                    // Its connection was closed meanwhile, as when somebody deletes the database.
                    opening = databases.open(&name);
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

    /// Closes all of them.
    pub(super) fn close(&self) {
        self.0.take().into_values().for_each(close);
    }

    /// The promise of a database.
    fn open(&self, name: &str) -> Promise {
        let known = self.0.borrow().get(name).cloned();
        known.unwrap_or_else(|| {
            let opening = future_to_promise(connect(name.to_owned()));
            let kept = opening.clone();
            self.0.borrow_mut().insert(name.to_owned(), kept);
            opening
        })
    }

    /// The next operation opens the database anew, unless one has already.
    fn let_go(&self, name: &str, opening: &Promise) {
        let mut databases = self.0.borrow_mut();
        let is_known = |known: &Promise| Object::is(known, opening);
        if databases.get(name).is_some_and(is_known) {
            databases.remove(name);
            close(opening.clone());
        }
    }
}

/// A transaction and where it came from.
pub(super) struct Begun {
    transaction: IdbTransaction,
    pub(super) databases: Databases,
    pub(super) name: String,
    opening: Promise,
}

impl Begun {
    /// The values of its database.
    pub(super) fn values(&self) -> Result<IdbObjectStore, JsValue> {
        self.transaction.object_store(VALUES)
    }

    /// Ends once what was put is stored: all of it, or none if putting failed.
    pub(super) async fn end(&self, put: Result<(), JsValue>) -> Result<(), JsValue> {
        if put.is_err() {
            let _ = self.transaction.abort();
            return put;
        }
        // A page that goes away takes along what it has not committed. Where there is no such call, the
        // browser commits when it finds nothing more to do.
        let _ = self.transaction.unchecked_ref::<Transaction>().commit();
        let done = Deferred::new();
        self.transaction.set_oncomplete(Some(&done.resolve));
        self.transaction.set_onabort(Some(&done.reject));
        JsFuture::from(done.promise).await.map(|_| ())
    }

    /// The next operation opens the database anew.
    pub(super) fn let_go(self) {
        self.databases.let_go(&self.name, &self.opening);
    }
}

fn close(opening: Promise) {
    spawn_local(async move {
        if let Ok(database) = JsFuture::from(opening).await {
            database.unchecked_into::<IdbDatabase>().close();
        }
    });
}

async fn connect(name: String) -> Result<JsValue, JsValue> {
    let factory = Reflect::get(&js_sys::global(), &"indexedDB".into())?;
    if !factory.is_object() {
        return Err(JsValue::NULL);
    }
    let factory: IdbFactory = factory.unchecked_into();
    begin_new_log(factory.clone());
    let request = factory.open_with_u32(&name, 1)?;
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

/// Has Chromium begin a new log, by making and deleting a database. It keeps what pages store in LevelDB,
/// which goes on with its last log even where a kill cut the last entry short. From there on that log
/// cannot be read, and Chromium throws away all databases of the site when it starts once more.
/// That nothing can be made or deleted is told by what is stored next.
fn begin_new_log(factory: IdbFactory) {
    if !may_lose_databases() {
        return;
    }
    let Ok(request) = factory.open_with_u32(FOR_A_NEW_LOG, 1) else {
        return;
    };
    spawn_local(async move {
        if let Ok(database) = settled(&request).await {
            database.unchecked_into::<IdbDatabase>().close();
            if let Ok(request) = factory.delete_database(FOR_A_NEW_LOG) {
                let _ = settled(&request).await;
            }
        }
    });
}

/// Chromium alone says to pages whether it has thrown databases away, as a field of this event.
fn may_lose_databases() -> bool {
    Reflect::get(&js_sys::global(), &"IDBVersionChangeEvent".into())
        .and_then(|event| Reflect::get(&event, &"prototype".into()))
        .and_then(|event| Reflect::has(&event, &"dataLoss".into()))
        .unwrap_or_default()
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

/// The result of a request once it has one.
pub(super) async fn settled(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let done = Deferred::new();
    request.set_onsuccess(Some(&done.resolve));
    request.set_onerror(Some(&done.reject));
    match JsFuture::from(done.promise).await {
        Ok(_) => request.result(),
        Err(_) => Err(request.error()?.into()),
    }
}

/// Whether an error is the one of that name.
pub(super) fn is(error: &JsValue, name: &str) -> bool {
    Reflect::get(error, &"name".into()).is_ok_and(|own| own == name)
}
