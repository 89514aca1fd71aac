//! The run loop: an inbox, an outbox, one pump on a clean stack, one timer.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use gloo_timers::callback::Timeout;
use js_sys::{Date, Function};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::link::Links;
use super::lock::Locks;
use super::promise::after;
use super::shapes::News;
use super::socket::Sockets;
use super::storage::Storage;
use crate::crypto::stretch::{Cost, Password};
use crate::crypto::{Primitives as _, REAL};
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::input::Input;
use crate::engine::{Config, Engine};
use crate::names::StretchId;
use crate::time::{Millis, Now};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// The two clocks of this moment.
pub(super) fn now() -> Now {
    Now {
        monotonic: performance_now() as Millis,
        wall: Date::now() as Millis,
    }
}

/// The longest pause of one timer; a later deadline is looked at again then.
const LONGEST_PAUSE_MS: Millis = 3_600_000;

/// Tells the engine what happened, from wherever the browser calls. Holds nothing alive.
#[derive(Clone)]
pub(super) struct Reporter(Weak<Core>);

impl Reporter {
    /// Pushes an input and asks for a pump.
    pub(super) fn report(&self, input: Input) {
        if let Some(core) = self.0.upgrade() {
            core.push(input);
        }
    }
}

struct Alarm {
    at: Millis,
    _timeout: Timeout,
}

/// The engine and what it works with.
pub(super) struct Core {
    engine: RefCell<Engine>,
    inbox: RefCell<VecDeque<Input>>,
    outbox: RefCell<VecDeque<News>>,
    pumping: Cell<bool>,
    woken: Cell<bool>,
    wake: Function,
    alarm: RefCell<Option<Alarm>>,
    reporter: Reporter,
    links: Links,
    sockets: Sockets,
    storage: Storage,
    locks: Locks,
}

impl Core {
    /// A core whose `wake` only queues a microtask that calls `pump` and fetches the news.
    pub(super) fn new(seed: [u8; 32], wake: Function) -> Rc<Self> {
        Rc::new_cyclic(|core| {
            let reporter = Reporter(core.clone());
            Self {
                engine: RefCell::new(Engine::new(Config::default(), seed)),
                inbox: RefCell::default(),
                outbox: RefCell::default(),
                pumping: Cell::new(false),
                woken: Cell::new(false),
                wake,
                alarm: RefCell::new(None),
                links: Links::new(reporter.clone()),
                sockets: Sockets::new(reporter.clone()),
                storage: Storage::new(reporter.clone()),
                locks: Locks::new(reporter.clone()),
                reporter,
            }
        })
    }

    /// Queues an input.
    pub(super) fn push(&self, input: Input) {
        self.inbox.borrow_mut().push_back(input);
        self.ask_for_pump();
    }

    /// Works with the engine for one short call, and sees to what comes of it.
    pub(super) fn with_engine<T>(&self, work: impl FnOnce(&mut Engine) -> T) -> T {
        let result = work(&mut self.engine.borrow_mut());
        self.ask_for_pump();
        result
    }

    /// Looks something up in the engine.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.engine.borrow())
    }

    /// The next thing for the wrapper.
    pub(super) fn next_news(&self) -> Option<News> {
        self.outbox.borrow_mut().pop_front()
    }

    /// Takes in everything that happened and does everything that is asked for.
    pub(super) fn pump(&self) {
        self.woken.set(false);
        if self.pumping.replace(true) {
            return;
        }
        self.perform_all();
        while let Some(input) = self.next_input() {
            self.engine.borrow_mut().handle(now(), input);
            self.perform_all();
        }
        self.pumping.set(false);
        self.set_alarm();
    }

    /// `wake` only schedules; nothing is borrowed here.
    fn ask_for_pump(&self) {
        if !self.woken.replace(true) {
            // It cannot throw: it sets a flag and queues a microtask.
            let _ = self.wake.call0(&JsValue::UNDEFINED);
        }
    }

    fn next_input(&self) -> Option<Input> {
        self.inbox.borrow_mut().pop_front()
    }

    fn next_effect(&self) -> Option<Effect> {
        self.engine.borrow_mut().poll_effect()
    }

    fn next_event(&self) -> Option<Event> {
        self.engine.borrow_mut().poll_event()
    }

    fn perform_all(&self) {
        while let Some(effect) = self.next_effect() {
            self.perform(effect);
        }
        while let Some(event) = self.next_event() {
            self.outbox.borrow_mut().push_back(News::Event(event));
        }
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::OpenSocket { socket, url, token } => self.sockets.open(socket, &url, &token),
            Effect::SendSocket { socket, bytes } => self.sockets.send(socket, &bytes),
            Effect::CloseSocket { socket } => self.sockets.close(socket),
            Effect::OpenLink {
                link,
                role,
                ice_servers,
                relay_only,
            } => self.links.open(link, role, &ice_servers, relay_only),
            Effect::AnswerLink { link, remote } => self.links.answer(link, &remote),
            Effect::AddCandidate { link, candidate } => self.links.add_candidate(link, &candidate),
            Effect::Transmit {
                link,
                channel,
                bytes,
            } => self.links.transmit(link, channel, &bytes),
            Effect::CloseLink { link } => self.links.close(link),
            Effect::Load {
                storage,
                store,
                prefix,
            } => self.storage.load(storage, store, prefix),
            Effect::Persist {
                storage,
                store,
                changes,
                strict,
            } => self.storage.persist(storage, store, changes, strict),
            Effect::Stretch {
                stretch,
                password,
                salt,
                cost,
            } => self.stretch(stretch, password, salt, cost),
            Effect::Work { work, puzzle, bits } => {
                super::password::work(self.reporter.clone(), work, puzzle, bits);
            }
            Effect::Lock { node, name } => self.locks.take(node, name),
            Effect::Unlock { node } => self.locks.give_back(node),
            Effect::Ask {
                ask,
                node,
                question,
            } => self.outbox.borrow_mut().push_back(News::Ask {
                ask,
                node,
                question,
            }),
        }
    }

    /// In a task of its own, so that the page can show first what it waits for. A worker would not hold the
    /// page up at all, but needs a script of its own, which not every page may load.
    fn stretch(&self, stretch: StretchId, password: Password, salt: [u8; 16], cost: Cost) {
        let reporter = self.reporter.clone();
        spawn_local(async move {
            let _ = JsFuture::from(after(0)).await;
            let key = REAL.stretch(password.as_bytes(), &salt, cost);
            reporter.report(Input::Stretched { stretch, key });
        });
    }

    /// One timer, for the engine's one deadline.
    fn set_alarm(&self) {
        let next = self.engine.borrow().next_timeout();
        let set = self.alarm.borrow().as_ref().map(|alarm| alarm.at);
        if next == set {
            return;
        }
        let alarm = next.map(|at| {
            // Timers may fire a little early: then the engine finds nothing due, and we are here
            // again with `set` as None.
            let pause = at
                .saturating_sub(now().monotonic)
                .clamp(1, LONGEST_PAUSE_MS);
            let core = self.reporter.0.clone();
            let ring = move || {
                if let Some(core) = core.upgrade() {
                    core.rang();
                }
            };
            Alarm {
                at,
                _timeout: Timeout::new(u32::try_from(pause).unwrap_or(u32::MAX), ring),
            }
        });
        let old = self.alarm.replace(alarm);
        drop(old);
    }

    fn rang(&self) {
        let rung = self.alarm.borrow_mut().take();
        drop(rung);
        self.push(Input::Tick);
    }
}
