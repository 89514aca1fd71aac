//! Passwords that are being stretched, and what is done with the keys.

use super::Engine;
use super::command::{OpenOptions, Store};
use super::context::Pending;
use super::effect::Effect;
use super::event::Answer;
use super::identities::{Call, Wish};
use super::node::Kind;
use super::opening::{Plan, What};
use crate::crypto::stretch::{Cost, Password};
use crate::error::{Code, Error};
use crate::group::identity::Identity;
use crate::group::sealed::{self, Sealed};
use crate::group::state::GroupState;
use crate::names::{HandleId, RequestId, StretchId};
use crate::time::Now;
use crate::wire::text::TextKind;

/// A password that is being stretched, and what for.
pub(super) enum Stretching {
    Export(RequestId, Box<Identity>, [u8; 16]),
    Import(RequestId, Store, Sealed),
    ExportConfig(RequestId, Vec<u8>, [u8; 16]),
    ImportConfig(RequestId, OpenOptions, Sealed, bool),
}

impl Stretching {
    fn request(&self) -> RequestId {
        match self {
            Self::Export(request, ..)
            | Self::Import(request, ..)
            | Self::ExportConfig(request, ..)
            | Self::ImportConfig(request, ..) => *request,
        }
    }
}

impl Engine {
    /// Begins to write a membership down.
    pub(super) fn export_config(
        &mut self,
        handle: HandleId,
        password: Password,
    ) -> Result<RequestId, Error> {
        let node = self.index(handle)?;
        let content = match &self.node(handle)?.kind {
            Kind::Group(group) => group.state.to_exported(),
            Kind::Graph { .. } => return Err(Code::InvalidGroup.into()),
        };
        let request = self.core.requests.open(&mut self.core.ids, true)?;
        let about = Pending {
            node: Some(node),
            handle: Some(handle),
            connection: None,
        };
        self.core.requests.set(request, about);
        let salt = self.core.random.bytes();
        let then = Stretching::ExportConfig(request, content, salt);
        self.stretch(then, password, salt, Cost::OURS);
        Ok(request)
    }

    /// Begins to take a membership over.
    pub(super) fn import_config(
        &mut self,
        options: OpenOptions,
        text: &str,
        password: Password,
        overwrite: bool,
    ) -> Result<RequestId, Error> {
        let sealed = Sealed::parse(TextKind::Config, text)?;
        let request = self.core.requests.open(&mut self.core.ids, true)?;
        let (salt, cost) = (sealed.salt(), sealed.cost());
        let then = Stretching::ImportConfig(request, options, sealed, overwrite);
        self.stretch(then, password, salt, cost);
        Ok(request)
    }

    /// Has the driver stretch a password.
    pub(super) fn stretch(
        &mut self,
        then: Stretching,
        password: Password,
        salt: [u8; 16],
        cost: Cost,
    ) {
        let stretch = self.core.ids.stretch();
        let requests = &self.core.requests;
        self.stretchings
            .retain(|_, then| requests.is_pending(then.request()));
        self.stretchings.insert(stretch, then);
        self.core.effects.push_back(Effect::Stretch {
            stretch,
            password,
            salt,
            cost,
        });
    }

    /// A password was stretched.
    pub(super) fn stretched(&mut self, now: Now, stretch: StretchId, key: Option<[u8; 32]>) {
        let crypto = self.core.config.crypto;
        let out_of_memory = || Error::new(Code::OutOfMemory).detail("the password needs 19 MiB");
        match self.stretchings.remove(&stretch) {
            Some(Stretching::Export(request, identity, salt)) => {
                let sealed = key.ok_or_else(out_of_memory).map(|key| {
                    let content = identity.to_exported();
                    sealed::seal(crypto, TextKind::Identity, salt, &key, &content)
                });
                self.answer(request, sealed.map(Answer::Exported));
            }
            Some(Stretching::Import(request, store, sealed)) => {
                let identity = key
                    .ok_or_else(out_of_memory)
                    .and_then(|key| sealed.open(crypto, &key))
                    .and_then(|content| Identity::from_exported(&content, now.wall));
                match identity {
                    Ok(identity) => {
                        let add = Call::Add(Box::new(identity));
                        self.wish(store, Wish::Call(request, add));
                    }
                    Err(error) => self.answer(request, Err(error)),
                }
            }
            Some(Stretching::ExportConfig(request, content, salt)) => {
                let sealed = key.ok_or_else(out_of_memory);
                let sealed =
                    sealed.map(|key| sealed::seal(crypto, TextKind::Config, salt, &key, &content));
                self.answer(request, sealed.map(Answer::Exported));
            }
            Some(Stretching::ImportConfig(request, mut options, sealed, overwrite)) => {
                let state = key
                    .ok_or_else(out_of_memory)
                    .and_then(|key| sealed.open(crypto, &key))
                    .and_then(|content| GroupState::from_exported(crypto, &content));
                match state {
                    Ok(state) => {
                        options.identity = Some(state.peer);
                        self.begin(Plan {
                            request,
                            options,
                            what: What::ImportGroup(Box::new(state), overwrite),
                        });
                    }
                    Err(error) => self.answer(request, Err(error)),
                }
            }
            None => {}
        }
    }
}
