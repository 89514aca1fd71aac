//! Passwords that are being stretched, and what is done with the keys.

use super::Engine;
use super::command::Store;
use super::effect::Effect;
use super::event::Answer;
use super::identities::{Call, Wish};
use crate::crypto::stretch::{Cost, Password};
use crate::error::{Code, Error};
use crate::group::identity::Identity;
use crate::group::sealed::{self, Sealed};
use crate::names::{RequestId, StretchId};
use crate::time::Now;
use crate::wire::text::TextKind;

/// A password that is being stretched, and what for.
pub(super) enum Stretching {
    Export(RequestId, Box<Identity>, [u8; 16]),
    Import(RequestId, Store, Sealed),
}

impl Stretching {
    fn request(&self) -> RequestId {
        match self {
            Self::Export(request, ..) | Self::Import(request, ..) => *request,
        }
    }
}

impl Engine {
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
            None => {}
        }
    }
}
