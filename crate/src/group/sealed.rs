//! Texts sealed under a password: what somebody takes along to another machine.

use crate::base::BASE64URL;
use crate::crypto::Crypto;
use crate::crypto::stretch::Cost;
use crate::error::{Code, Error};
use crate::limits::SEALED_BYTES;
use crate::wire::codec::{Bytes, Wire as _};
use crate::wire::numbers;
use crate::wire::text::{self, TextKind};
use crate::wire_struct;

/// The salt makes a new key of the same password, so that no key is used twice.
const NONCE: [u8; 12] = [0; 12];

wire_struct! {
    /// What a text says of itself in clear: from what the key is made.
    struct Head {
        version: u8,
        memory_kib: u32,
        passes: u32,
        salt: [u8; 16],
    }

    /// A sealed text's bytes.
    struct Whole {
        head: Head,
        sealed: Bytes<SEALED_BYTES>,
    }
}

impl Head {
    fn ours(salt: [u8; 16]) -> Self {
        Self {
            version: numbers::sealed::VERSION,
            memory_kib: Cost::OURS.memory_kib,
            passes: Cost::OURS.passes,
            salt,
        }
    }

    /// What the seal covers besides the content: what kind of text it is, and how its key is made.
    fn extra(&self, kind: TextKind) -> Vec<u8> {
        let mut extra = kind.prefix().as_bytes().to_vec();
        self.encode(&mut extra);
        extra
    }
}

/// Seals a text. The key is the password stretched with `salt`, at our own [`Cost`]; the salt must be new.
#[must_use]
pub fn seal(
    crypto: Crypto,
    kind: TextKind,
    salt: [u8; 16],
    key: &[u8; 32],
    content: &[u8],
) -> String {
    let head = Head::ours(salt);
    let sealed = crypto.seal(key, &NONCE, &head.extra(kind), content);
    // What is longer would not be read: nobody is given a text that is of no use.
    let sealed = Bytes::new(sealed).unwrap_or_default();
    text::encode(kind, &Whole { head, sealed }.to_bytes())
}

/// A sealed text that was read, and waits for its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    kind: TextKind,
    whole: Whole,
}

impl Sealed {
    /// Reads a text. It may come from anybody: what it asks for is bounded.
    pub fn parse(kind: TextKind, text: &str) -> Result<Self, Error> {
        let unreadable = || {
            Error::new(Code::UnsupportedVersion)
                .detail("the text was written by a version that this one does not know")
        };
        if text.len() > BASE64URL.encoded(SEALED_BYTES + 64) {
            return Err(Error::new(Code::InvalidArgument).detail("the text is too long"));
        }
        let bytes = text::decode(kind, text, Code::InvalidArgument)?;
        let whole = Whole::from_bytes(&bytes).map_err(|_| unreadable())?;
        let read = Self { kind, whole };
        if read.whole.head.version != numbers::sealed::VERSION || !read.cost().is_bearable() {
            return Err(unreadable());
        }
        Ok(read)
    }

    /// The salt of its key.
    #[must_use]
    pub fn salt(&self) -> [u8; 16] {
        self.whole.head.salt
    }

    /// What making its key costs.
    #[must_use]
    pub fn cost(&self) -> Cost {
        Cost {
            memory_kib: self.whole.head.memory_kib,
            passes: self.whole.head.passes,
        }
    }

    /// What was sealed.
    pub fn open(&self, crypto: Crypto, key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let extra = self.whole.head.extra(self.kind);
        crypto
            .open(key, &NONCE, &extra, &self.whole.sealed)
            .ok_or_else(|| Code::WrongPassword.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{FAKE, REAL};
    use proptest::prelude::*;

    const KEY: [u8; 32] = [7; 32];

    fn sealed(content: &[u8]) -> String {
        seal(&REAL, TextKind::Identity, [3; 16], &KEY, content)
    }

    fn with_head(head: Head) -> Result<Sealed, Error> {
        let sealed = Bytes::new(vec![0; 40]).unwrap();
        let bytes = Whole { head, sealed }.to_bytes();
        Sealed::parse(
            TextKind::Identity,
            &text::encode(TextKind::Identity, &bytes),
        )
    }

    #[test]
    fn the_key_opens_it_and_no_other() {
        let text = sealed(b"content");
        assert!(text.starts_with("pg-identity:"));
        let read = Sealed::parse(TextKind::Identity, &format!("\n{text} ")).unwrap();
        assert_eq!(read.salt(), [3; 16]);
        assert_eq!(read.cost(), Cost::OURS);
        assert_eq!(read.open(&REAL, &KEY).as_deref(), Ok(b"content".as_slice()));
        let wrong = read.open(&REAL, &[8; 32]).unwrap_err();
        assert_eq!(wrong.code, Code::WrongPassword);
    }

    #[test]
    fn slips_of_copying_are_no_wrong_passwords() {
        let text = sealed(b"content");
        let cut = text.get(..text.len() - 2).unwrap();
        let error = Sealed::parse(TextKind::Identity, cut).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        let error = Sealed::parse(TextKind::Identity, "pg-node:x").unwrap_err();
        assert!(error.detail.contains("a node address"), "{error:?}");
    }

    #[test]
    fn a_text_cannot_ask_for_more_than_we_give() {
        let ours = || Head::ours([0; 16]);
        assert!(with_head(ours()).is_ok());
        for head in [
            Head {
                memory_kib: 4_000_000,
                ..ours()
            },
            Head {
                memory_kib: 0,
                ..ours()
            },
            Head {
                passes: 1_000_000,
                ..ours()
            },
            Head {
                passes: 0,
                ..ours()
            },
            Head {
                version: 9,
                ..ours()
            },
        ] {
            let error = with_head(head).unwrap_err();
            assert_eq!(error.code, Code::UnsupportedVersion);
        }
        let long = format!("pg-identity:{}", "A".repeat(2 * SEALED_BYTES));
        let error = Sealed::parse(TextKind::Identity, &long).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }

    #[test]
    fn the_longest_content_is_read_back() {
        let content = vec![1; SEALED_BYTES - 16];
        let text = seal(&FAKE, TextKind::Identity, [3; 16], &KEY, &content);
        let read = Sealed::parse(TextKind::Identity, &text).unwrap();
        assert_eq!(read.open(&FAKE, &KEY), Ok(content));
    }

    proptest! {
        /// With the checksum made to fit, as who means harm would.
        #[test]
        fn whatever_is_changed_does_not_open(at in 0..60usize, by in 1..=255u8) {
            let text = sealed(b"content");
            let mut bytes = text::decode(TextKind::Identity, &text, Code::Internal).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= by;
            let changed = text::encode(TextKind::Identity, &bytes);
            let opened = Sealed::parse(TextKind::Identity, &changed)
                .and_then(|read| read.open(&REAL, &KEY));
            prop_assert!(opened.is_err());
        }
    }
}
