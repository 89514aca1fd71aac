//! A group's properties: the creator's alone, signed with the group key.

use super::invitation::Name;
use crate::crypto::{Crypto, signed_bytes};
use crate::engine::command::NewGroup;
use crate::error::{Code, Error};
use crate::limits::{self, CLASSIFIER_CHARS, COMMENT_CHARS, FRIENDLY_NAME_CHARS};
use crate::names::{GroupId, PeerId};
use crate::wire::codec::{Text, Wire as _};
use crate::wire::seconds::Seconds;
use crate::wire_struct;

wire_struct! {
    /// What the group key signs.
    pub struct Properties {
        /// Counts changes from 1.
        pub revision: u32,
        /// What people call the group.
        pub friendly_name: Name,
        /// More about it.
        pub comment: Text<{ COMMENT_CHARS * 4 }>,
        /// A short readable kind; never changes.
        pub classifier: Text<{ CLASSIFIER_CHARS * 4 }>,
        /// Who made it; never changes.
        pub creator: PeerId,
        /// When it was made.
        pub created: Seconds,
        /// While a member is not connected, nothing expires at it; never changes.
        pub defer_expiration: bool,
        /// Bytes of data and attributes that a record may have; never changes.
        pub max_record_size: u32,
    }

    /// Properties as members pass them on.
    pub struct SignedProperties {
        /// What is signed.
        pub properties: Properties,
        /// With the group key.
        pub signature: [u8; 64],
    }
}

impl SignedProperties {
    /// The properties of a new group, or which of them is out of range.
    pub fn new(
        crypto: Crypto,
        group_seed: &[u8; 32],
        creator: PeerId,
        created: Seconds,
        new: &NewGroup,
    ) -> Result<Self, Error> {
        let name = &new.friendly_name;
        if name.trim().is_empty() || name.chars().count() > FRIENDLY_NAME_CHARS {
            return Err(Code::InvalidFriendlyName.into());
        }
        if new.classifier.chars().count() > CLASSIFIER_CHARS {
            return Err(Code::InvalidClassifier.into());
        }
        if new.comment.chars().count() > COMMENT_CHARS {
            return Err(Error::new(Code::InvalidGroupProperties).detail(format!(
                "the comment is longer than {COMMENT_CHARS} characters"
            )));
        }
        let max_record_size = new
            .max_record_size
            .unwrap_or(limits::RECORD_BYTES_DEFAULT as u32);
        if !(limits::RECORD_BYTES_MIN..=limits::RECORD_BYTES).contains(&(max_record_size as usize))
        {
            return Err(Error::new(Code::InvalidGroupProperties).detail(format!(
                "maxRecordSize is {} to {} bytes",
                limits::RECORD_BYTES_MIN,
                limits::RECORD_BYTES
            )));
        }
        let properties = Properties {
            revision: 1,
            friendly_name: Text::new(name.as_str()).unwrap_or_default(),
            comment: Text::new(new.comment.as_str()).unwrap_or_default(),
            classifier: Text::new(new.classifier.as_str()).unwrap_or_default(),
            creator,
            created,
            defer_expiration: new.defer_expiration,
            max_record_size,
        };
        let group = GroupId(crypto.public_key(group_seed));
        let signature = crypto.sign(group_seed, &bytes(group, &properties));
        Ok(Self {
            properties,
            signature,
        })
    }

    /// Whether the group key signed them.
    #[must_use]
    pub fn is_signed(&self, crypto: Crypto, group: GroupId) -> bool {
        crypto.verify(&group.0, &bytes(group, &self.properties), &self.signature)
    }
}

fn bytes(group: GroupId, properties: &Properties) -> Vec<u8> {
    signed_bytes("properties", &group.0, &properties.to_bytes())
}
