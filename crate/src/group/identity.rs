//! An identity: the key that a person is, as it is stored, as it travels, and as others are shown it.

use crate::crypto::{Crypto, signed_bytes};
use crate::engine::command::NewIdentity;
use crate::engine::effect::SECRETS;
use crate::engine::event::IdentityInfo;
use crate::error::{Code, Error};
use crate::limits::{CLASSIFIER_CHARS, FRIENDLY_NAME_CHARS};
use crate::names::PeerId;
use crate::random::Random;
use crate::time::Millis;
use crate::wire::codec::{Text, Wire as _};
use crate::wire::numbers::{card, exported, stored};
use crate::wire::text::{self, TextKind};
use crate::wire_struct;

/// What people call an identity; may be empty.
pub type Name = Text<{ FRIENDLY_NAME_CHARS * 4 }>;
/// A short readable kind of identity; may be empty.
pub type Classifier = Text<{ CLASSIFIER_CHARS * 4 }>;

wire_struct! {
    /// What is stored of an identity.
    pub struct Identity {
        /// Version of this form.
        pub version: u8,
        /// The Ed25519 seed.
        pub seed: [u8; 32],
        /// What people call it.
        pub name: Name,
        /// Its kind.
        pub classifier: Classifier,
        /// Used where no identity is named.
        pub is_default: bool,
        /// Wall milliseconds since 1970 when the store got it.
        pub since: Millis,
    }

    /// The first form that was stored: a store had one, its default.
    struct Alone {
        version: u8,
        seed: [u8; 32],
        name: Name,
    }

    /// What is taken along of an identity.
    struct Exported {
        version: u8,
        seed: [u8; 32],
        name: Name,
        classifier: Classifier,
    }

    /// What an identity shows of itself.
    pub struct Card {
        /// Version of this form.
        pub version: u8,
        /// Who it is.
        pub peer: PeerId,
        /// The key to which things are sealed for it.
        pub sealing: [u8; 32],
        /// What it wants to be called.
        pub name: Name,
        /// Its kind.
        pub classifier: Classifier,
    }

    /// A card with the signature of the identity it shows.
    struct SignedCard {
        card: Card,
        signature: [u8; 64],
    }
}

/// The key under which a store kept the only identity it had.
pub const ALONE: &str = "identity";

/// The key under which a store keeps an identity.
#[must_use]
pub fn stored_key(peer: PeerId) -> String {
    format!("{SECRETS}{peer}")
}

impl Identity {
    /// A new identity without a name.
    #[must_use]
    pub fn new(random: &mut Random, since: Millis) -> Self {
        Self {
            version: stored::IDENTITY,
            seed: random.bytes(),
            name: Name::default(),
            classifier: Classifier::default(),
            is_default: false,
            since,
        }
    }

    /// It, called as the app wants it.
    pub fn called(self, new: &NewIdentity) -> Result<Self, Error> {
        Ok(Self {
            name: name(&new.name)?,
            classifier: classifier(&new.classifier)?,
            ..self
        })
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
    pub fn from_stored(key: &str, bytes: &[u8]) -> Option<Self> {
        if key == ALONE {
            let first = Alone::from_bytes(bytes).ok();
            let first = first.filter(|i| i.version == stored::IDENTITY_ALONE)?;
            return Some(Self {
                version: stored::IDENTITY,
                seed: first.seed,
                name: first.name,
                classifier: Classifier::default(),
                is_default: true,
                since: 0,
            });
        }
        Self::from_bytes(bytes)
            .ok()
            .filter(|i| i.version == stored::IDENTITY)
    }

    /// What is taken along of it, to be sealed.
    #[must_use]
    pub fn to_exported(&self) -> Vec<u8> {
        let exported = Exported {
            version: exported::IDENTITY,
            seed: self.seed,
            name: self.name.clone(),
            classifier: self.classifier.clone(),
        };
        exported.to_bytes()
    }

    /// What was taken along, on another machine.
    pub fn from_exported(bytes: &[u8], since: Millis) -> Result<Self, Error> {
        let read = Exported::from_bytes(bytes).ok();
        let exported = read
            .filter(|read| read.version == exported::IDENTITY)
            .ok_or(Code::UnsupportedVersion)?;
        Ok(Self {
            version: stored::IDENTITY,
            seed: exported.seed,
            name: exported.name,
            classifier: exported.classifier,
            is_default: false,
            since,
        })
    }

    /// What it shows of itself, as a text to hand to whoever is to invite it.
    #[must_use]
    pub fn card(&self, crypto: Crypto) -> String {
        let card = Card {
            version: card::VERSION,
            peer: self.peer(crypto),
            sealing: self.sealing_key(crypto),
            name: self.name.clone(),
            classifier: self.classifier.clone(),
        };
        let signed = signed_bytes("card", &card.peer.0, &card.to_bytes());
        let signature = crypto.sign(&self.seed, &signed);
        text::encode(TextKind::Card, &SignedCard { card, signature }.to_bytes())
    }

    /// What the app sees of it.
    #[must_use]
    pub fn info(&self, crypto: Crypto) -> IdentityInfo {
        IdentityInfo {
            peer: self.peer(crypto),
            name: self.name.to_string(),
            classifier: self.classifier.to_string(),
            card: self.card(crypto),
        }
    }
}

impl Card {
    /// Reads a card that its own identity has signed.
    pub fn parse(crypto: Crypto, text: &str) -> Result<Self, Error> {
        let bytes = text::decode(TextKind::Card, text, Code::InvalidPeerName)?;
        if bytes.first() != Some(&card::VERSION) {
            return Err(Error::new(Code::UnsupportedVersion)
                .detail("the card is of a kind that this version does not know"));
        }
        let wrong =
            || Error::new(Code::InvalidPeerName).detail("the card's signature does not fit");
        let SignedCard { card, signature } = SignedCard::from_bytes(&bytes).map_err(|_| wrong())?;
        let signed = signed_bytes("card", &card.peer.0, &card.to_bytes());
        let good =
            crypto.is_public_key(&card.peer.0) && crypto.verify(&card.peer.0, &signed, &signature);
        good.then_some(card).ok_or_else(wrong)
    }
}

/// A name as people write it.
pub fn name(text: &str) -> Result<Name, Error> {
    let fits = text.chars().count() <= FRIENDLY_NAME_CHARS;
    Text::new(text)
        .filter(|_| fits)
        .ok_or_else(|| Code::InvalidFriendlyName.into())
}

fn classifier(text: &str) -> Result<Classifier, Error> {
    let fits = text.chars().count() <= CLASSIFIER_CHARS;
    Text::new(text)
        .filter(|_| fits)
        .ok_or_else(|| Code::InvalidClassifier.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Primitives as _, REAL};

    fn anna() -> Identity {
        let new = NewIdentity {
            name: "Anna".to_owned(),
            classifier: "work".to_owned(),
        };
        let nameless = Identity::new(&mut Random::new([1; 32]), 5);
        nameless.called(&new).unwrap()
    }

    #[test]
    fn what_is_stored_reads_back() {
        let identity = anna();
        let key = stored_key(identity.peer(&REAL));
        let read = Identity::from_stored(&key, &identity.to_bytes());
        assert_eq!(read, Some(identity.clone()));
        assert_ne!(identity.sealing_key(&REAL), identity.peer(&REAL).0);
    }

    #[test]
    fn the_first_form_is_the_default_identity() {
        let mut bytes = vec![1];
        bytes.extend([9; 32]);
        bytes.push(0);
        let read = Identity::from_stored(ALONE, &bytes).unwrap();
        assert_eq!((read.seed, read.is_default), ([9; 32], true));
        assert_eq!(Identity::from_stored("identity/x", &bytes), None);
        let now = read.to_bytes();
        assert_eq!(Identity::from_stored("identity/x", &now), Some(read));
    }

    #[test]
    fn what_is_taken_along_is_the_same_person() {
        let identity = anna();
        let taken = Identity::from_exported(&identity.to_exported(), 77).unwrap();
        assert_eq!(taken.info(&REAL), identity.info(&REAL));
        assert_eq!(taken.since, 77);
        let newer = [&[9], &identity.to_exported()[1..]].concat();
        let error = Identity::from_exported(&newer, 0).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedVersion);
    }

    #[test]
    fn a_card_is_its_identitys_own() {
        let identity = anna();
        let text = identity.card(&REAL);
        let card = Card::parse(&REAL, &text).unwrap();
        assert_eq!(card.peer, identity.peer(&REAL));
        assert_eq!(card.sealing, identity.sealing_key(&REAL));
        assert_eq!((&*card.name, &*card.classifier), ("Anna", "work"));
        // Another sealing key in it, or another's signature: whoever seals to it would be misled.
        let bytes = text::decode(TextKind::Card, &text, Code::Internal).unwrap();
        let read = SignedCard::from_bytes(&bytes).unwrap();
        let mut other = read.clone();
        other.card.sealing = [4; 32];
        let mut stranger = read;
        stranger.card.peer = PeerId(REAL.public_key(&[8; 32]));
        for forged in [other, stranger] {
            let text = text::encode(TextKind::Card, &forged.to_bytes());
            let error = Card::parse(&REAL, &text).unwrap_err();
            assert_eq!(error.code, Code::InvalidPeerName);
        }
        let error = Card::parse(&REAL, "pg-invite:x").unwrap_err();
        assert_eq!(error.code, Code::InvalidPeerName);
    }

    #[test]
    fn names_and_classifiers_have_a_length() {
        // Four bytes each: the bound counts characters.
        let long = |chars: usize| "\u{1f600}".repeat(chars);
        assert!(name(&long(255)).is_ok());
        assert_eq!(
            name(&long(256)).unwrap_err().code,
            Code::InvalidFriendlyName
        );
        assert!(classifier(&long(149)).is_ok());
        assert_eq!(
            classifier(&long(150)).unwrap_err().code,
            Code::InvalidClassifier
        );
    }
}
