//! The facade: commands and inputs in, effects and events out, one deadline.

pub mod command;
pub mod context;
pub mod effect;
pub mod event;
pub mod input;

use std::collections::VecDeque;

use crate::crypto::{Crypto, REAL};
use crate::error::{Code, Error};
use crate::limits;
use crate::names::{ConnectionId, ConnectionKind, HandleId, NodeAddress, RequestId};
use crate::random::Random;
use crate::time::{Millis, Now};

use command::Command;
use effect::Effect;
use event::{ConnectionInfo, Event, Status};
use input::Input;

/// What an engine is made with.
#[derive(Clone, Copy)]
pub struct Config {
    /// The primitives: the real ones, except in bulk simulation.
    pub crypto: Crypto,
    /// Bytes that queues and tables may hold; beyond it calls answer `out-of-memory`.
    pub max_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            crypto: &REAL,
            max_bytes: limits::ENGINE_BYTES,
        }
    }
}

/// All groups and graphs of one page or process.
pub struct Engine {
    config: Config,
    random: Random,
    effects: VecDeque<Effect>,
    events: VecDeque<Event>,
}

impl Engine {
    /// An engine without groups. The seed must be unpredictable: every key comes from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            random: Random::new(seed),
            effects: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The app asks. What needs no world is refused at once; everything else is answered once, by
    /// an event.
    pub fn command(&mut self, _now: Now, _command: Command) -> Result<RequestId, Error> {
        Err(Code::NotInitialized.into())
    }

    /// The world happened.
    pub fn handle(&mut self, _now: Now, _input: Input) {}

    /// The next thing for the driver to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The next thing for the app to hear.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call `handle` with a tick, on the monotonic clock.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        None
    }

    /// The connection that a request under way is opening.
    #[must_use]
    pub fn connection_of(&self, _request: RequestId) -> Option<ConnectionId> {
        None
    }

    /// A handle's status.
    pub fn status(&self, _handle: HandleId) -> Result<Status, Error> {
        Err(Code::InvalidGroup.into())
    }

    /// Where a handle's node is reached, once it is.
    pub fn address(&self, _handle: HandleId) -> Result<Option<NodeAddress>, Error> {
        Err(Code::InvalidGroup.into())
    }

    /// A snapshot of a handle's connections, of one kind or of both.
    pub fn connections(
        &self,
        _handle: HandleId,
        _kind: Option<ConnectionKind>,
    ) -> Result<Vec<ConnectionInfo>, Error> {
        Err(Code::InvalidGroup.into())
    }
}
