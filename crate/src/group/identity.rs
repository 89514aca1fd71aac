//! An identity: the key that a person is, in one store.

use crate::crypto::Crypto;
use crate::limits::FRIENDLY_NAME_CHARS;
use crate::names::PeerId;
use crate::random::Random;
use crate::wire::codec::{Text, Wire as _};
use crate::wire_struct;

wire_struct! {
    /// What is stored of an identity.
    pub struct Identity {
        /// Version of this form.
        pub version: u8,
        /// The Ed25519 seed.
        pub seed: [u8; 32],
        /// What people call it; may be empty.
        pub name: Text<{ FRIENDLY_NAME_CHARS * 4 }>,
    }
}

/// The key under which a store keeps its default identity.
pub const DEFAULT_KEY: &str = "identity";

impl Identity {
    /// A new identity.
    #[must_use]
    pub fn new(random: &mut Random) -> Self {
        Self {
            version: crate::wire::numbers::stored::IDENTITY,
            seed: random.bytes(),
            name: Text::default(),
        }
    }

    /// Its name in the world.
    #[must_use]
    pub fn peer(&self, crypto: Crypto) -> PeerId {
        PeerId(crypto.public_key(&self.seed))
    }

    /// The secret to which things are sealed for it.
    #[must_use]
    pub fn sealing_secret(&self, crypto: Crypto) -> [u8; 32] {
        crypto.derive(&self.seed, "seal", &[])
    }

    /// The public half of that, as credentials show it.
    #[must_use]
    pub fn sealing_key(&self, crypto: Crypto) -> [u8; 32] {
        crypto.exchange_public(&self.sealing_secret(crypto))
    }

    /// What was stored, if it is one.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(bytes)
            .ok()
            .filter(|i| i.version == crate::wire::numbers::stored::IDENTITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::REAL;

    #[test]
    fn what_is_stored_reads_back() {
        let identity = Identity::new(&mut Random::new([1; 32]));
        assert_eq!(
            Identity::from_stored(&identity.to_bytes()),
            Some(identity.clone())
        );
        assert_ne!(identity.sealing_key(&REAL), identity.peer(&REAL).0);
    }
}
