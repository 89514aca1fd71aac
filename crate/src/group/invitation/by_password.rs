//! Password invitations: where a group is found, and nothing that helps anybody who does not know its
//! password.

use super::{Head, signed_by_issuer};
use crate::crypto::Crypto;
use crate::group::credential::Role;
use crate::wire::codec::Wire as _;
use crate::wire::seconds::Seconds;
use crate::wire::text::{self, TextKind};
use crate::wire_struct;

wire_struct! {
    /// What the issuer of a password invitation signs.
    pub struct ByPasswordBody {
        /// Its kind is password.
        pub head: Head,
        /// The secret of the door.
        pub door: [u8; 16],
        /// What the password made of whoever knows it when this was written.
        pub role: Role,
        /// The password's generation when this was written.
        pub generation: u32,
        /// When this was written.
        pub made: Seconds,
    }

    /// A password invitation.
    pub struct ByPassword {
        /// What is signed.
        pub body: ByPasswordBody,
        /// By the issuer's identity.
        pub signature: [u8; 64],
    }
}

impl ByPassword {
    /// The invitation as a text, signed by its issuer.
    #[must_use]
    pub fn text(crypto: Crypto, issuer: &[u8; 32], body: ByPasswordBody) -> String {
        let signature = crypto.sign(issuer, &signed_by_issuer(&body.head, &body));
        text::encode(TextKind::Invitation, &Self { body, signature }.to_bytes())
    }
}
