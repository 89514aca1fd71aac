//! A group's properties: the creator's alone, signed with the group key.

use super::credential::Role;
use super::invitation::Name;
use super::password::policy;
use crate::crypto::{Crypto, head, signed_bytes};
use crate::engine::command::{NewGroup, PropertiesChange};
use crate::error::{Code, Error};
use crate::limits::{self, CLASSIFIER_CHARS, COMMENT_CHARS, FRIENDLY_NAME_CHARS};
use crate::names::{GroupId, PeerId};
use crate::wire::codec::{Text, Wire as _};
use crate::wire::seconds::Seconds;
use crate::wire_struct;

/// More about a group, as people wrote it.
pub type Comment = Text<{ COMMENT_CHARS * 4 }>;

wire_struct! {
    /// What the group key signs.
    pub struct Properties {
        /// Counts changes from 1.
        pub revision: u32,
        /// What people call the group.
        pub friendly_name: Name,
        /// More about it.
        pub comment: Comment,
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
        /// Members publish who they are only once they do something; never changes.
        pub member_data_optional: bool,
        /// Nobody publishes its presence unless its app asks for it; never changes.
        pub presence_disabled: bool,
        /// Seconds that what a member publishes of itself lives; never changes.
        pub member_data_lifetime: u32,
        /// Seconds that a presence lives.
        pub presence_lifetime: u32,
        /// How somebody comes in by password; None: nobody does.
        pub password: Option<PasswordRule>,
    }

    /// What a password gives.
    pub struct PasswordRule {
        /// What it makes of whoever knows it.
        pub role: Role,
        /// Counts changes of the password.
        pub generation: u32,
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
        if new.classifier.chars().count() > CLASSIFIER_CHARS {
            return Err(Code::InvalidClassifier.into());
        }
        let size = new.max_record_size;
        let life = new.member_data_lifetime;
        let presence = new.presence_lifetime;
        let properties = Properties {
            revision: 1,
            friendly_name: name(&new.friendly_name)?,
            comment: comment(&new.comment)?,
            classifier: Text::new(new.classifier.as_str()).unwrap_or_default(),
            creator,
            created,
            defer_expiration: new.defer_expiration,
            max_record_size: size.unwrap_or(limits::RECORD_BYTES_DEFAULT as u32),
            member_data_optional: new.member_data_optional,
            presence_disabled: new.presence_disabled,
            member_data_lifetime: life.unwrap_or(limits::MEMBER_DATA_LIFETIME_DEFAULT_S),
            presence_lifetime: presence.unwrap_or(limits::PRESENCE_LIFETIME_MIN_S),
            password: rule(new)?,
        };
        properties.check()?;
        Ok(Self::sign(crypto, group_seed, properties))
    }

    /// The next revision of them, with another password.
    #[must_use]
    pub fn with_next_password(&self, crypto: Crypto, group_seed: &[u8; 32]) -> Self {
        let mut properties = self.properties.clone();
        properties.revision = properties.revision.saturating_add(1);
        if let Some(rule) = properties.password.as_mut() {
            rule.generation = rule.generation.saturating_add(1);
        }
        Self::sign(crypto, group_seed, properties)
    }

    /// Properties signed with the group's seed.
    #[must_use]
    pub fn sign(crypto: Crypto, group_seed: &[u8; 32], properties: Properties) -> Self {
        let group = GroupId(crypto.public_key(group_seed));
        let signature = crypto.sign(group_seed, &bytes(group, &properties));
        Self {
            properties,
            signature,
        }
    }

    /// The next revision of them, signed.
    pub fn changed(
        &self,
        crypto: Crypto,
        group_seed: &[u8; 32],
        change: &PropertiesChange,
    ) -> Result<Self, Error> {
        let mut properties = self.properties.clone();
        properties.revision = properties.revision.saturating_add(1);
        if let Some(text) = &change.friendly_name {
            properties.friendly_name = name(text)?;
        }
        if let Some(text) = &change.comment {
            properties.comment = comment(text)?;
        }
        if let Some(seconds) = change.presence_lifetime {
            properties.presence_lifetime = seconds;
        }
        if let Some(password) = &change.password {
            policy::check(password)?;
            let rule = properties.password.as_mut().ok_or_else(|| {
                Error::new(Code::InvalidGroupProperties)
                    .detail("the group was made without a password")
            })?;
            rule.generation = rule.generation.saturating_add(1);
        }
        properties.check()?;
        Ok(Self::sign(crypto, group_seed, properties))
    }

    /// Whether the group key signed them.
    #[must_use]
    pub fn is_signed(&self, crypto: Crypto, group: GroupId) -> bool {
        crypto.verify(&group.0, &bytes(group, &self.properties), &self.signature)
    }

    /// Which of two counts, the same for everybody: a creator's two machines may both make the next
    /// revision.
    #[must_use]
    pub fn rank(&self, crypto: Crypto, group: GroupId) -> (u32, [u8; 32]) {
        let hash = crypto.hash(&[&bytes(group, &self.properties)]);
        (self.properties.revision, head(&hash))
    }
}

impl Properties {
    /// Whether every number is in its range; the creator may have changed its program.
    pub fn check(&self) -> Result<(), Error> {
        within("maxRecordSize", self.max_record_size, RECORD_SIZES)?;
        within("memberDataLifetime", self.member_data_lifetime, MEMBER_DATA)?;
        within("presenceLifetime", self.presence_lifetime, PRESENCE)
    }
}

const RECORD_SIZES: [u32; 2] = [limits::RECORD_BYTES_MIN as u32, limits::RECORD_BYTES as u32];
const MEMBER_DATA: [u32; 2] = [
    limits::MEMBER_DATA_LIFETIME_MIN_S,
    limits::MEMBER_DATA_LIFETIME_MAX_S,
];
const PRESENCE: [u32; 2] = [
    limits::PRESENCE_LIFETIME_MIN_S,
    limits::PRESENCE_LIFETIME_MAX_S,
];

fn within(what: &str, value: u32, [least, most]: [u32; 2]) -> Result<(), Error> {
    if value < least || value > most {
        return Err(
            Error::new(Code::InvalidGroupProperties).detail(format!("{what} is {least} to {most}"))
        );
    }
    Ok(())
}

fn rule(new: &NewGroup) -> Result<Option<PasswordRule>, Error> {
    let Some(password) = &new.password else {
        return Ok(None);
    };
    policy::check(password)?;
    let role = new.password_role;
    if role == Role::Admin {
        return Err(Error::new(Code::InvalidGroupProperties).detail(
            "passwordRole is member or inviting-member: nobody becomes an admin by a password",
        ));
    }
    Ok(Some(PasswordRule {
        role,
        generation: 1,
    }))
}

fn name(text: &str) -> Result<Name, Error> {
    if text.trim().is_empty() || text.chars().count() > FRIENDLY_NAME_CHARS {
        return Err(Code::InvalidFriendlyName.into());
    }
    Ok(Text::new(text).unwrap_or_default())
}

fn comment(text: &str) -> Result<Comment, Error> {
    if text.chars().count() > COMMENT_CHARS {
        return Err(Error::new(Code::InvalidGroupProperties).detail(format!(
            "the comment is longer than {COMMENT_CHARS} characters"
        )));
    }
    Ok(Text::new(text).unwrap_or_default())
}

fn bytes(group: GroupId, properties: &Properties) -> Vec<u8> {
    signed_bytes("properties", &group.0, &properties.to_bytes())
}
