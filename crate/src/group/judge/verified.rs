//! Which credentials were found to be signed.

use crate::crypto::Crypto;
use crate::group::credential::Credential;
use crate::limits::VERIFIED_CREDENTIALS;
use crate::names::GroupId;
use crate::sorted::Map;

/// Credentials whose signatures were found good, with the hash of what each says: they are verified and
/// hashed once.
#[derive(Default)]
pub struct Verified(Map<[u8; 32], [u8; 32]>);

impl Verified {
    /// The hash of what a credential says, if its signature was found good.
    pub(super) fn hash(&self, id: &[u8; 32]) -> Option<[u8; 32]> {
        self.0.get(id).copied()
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a credential is signed by its issuer.
    pub fn check(&mut self, crypto: Crypto, group: GroupId, credential: &Credential) -> bool {
        self.check_named(crypto, group, credential.id(crypto), credential)
    }

    pub(super) fn check_named(
        &mut self,
        crypto: Crypto,
        group: GroupId,
        id: [u8; 32],
        credential: &Credential,
    ) -> bool {
        if self.0.contains_key(&id) {
            return true;
        }
        let good = credential.is_signed(crypto, group);
        if good {
            if self.0.len() >= VERIFIED_CREDENTIALS {
                self.0.clear();
            }
            self.0.insert(id, credential.hash(crypto, group));
        }
        good
    }
}
