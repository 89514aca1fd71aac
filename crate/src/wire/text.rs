//! Texts that people paste: a prefix that says what it is, base64url, and a checksum.

use crate::base::BASE64URL;

use crate::error::{Code, Error};
use crate::names::NodeAddress;
use crate::wire::codec::Wire as _;

/// What a text is; the prefix names a wrong paste.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextKind {
    /// Where a node is reached.
    Node,
    /// An invitation.
    Invitation,
    /// What an identity shows of itself.
    Card,
    /// An identity to take along, sealed under a password.
    Identity,
    /// A membership to take along, sealed under a password.
    Config,
}

impl TextKind {
    const ALL: [Self; 5] = [
        Self::Node,
        Self::Invitation,
        Self::Card,
        Self::Identity,
        Self::Config,
    ];

    /// How such texts begin.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Node => "pg-node:",
            Self::Invitation => "pg-invite:",
            Self::Card => "pg-card:",
            Self::Identity => "pg-identity:",
            Self::Config => "pg-config:",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Node => "a node address",
            Self::Invitation => "an invitation",
            Self::Card => "a card of an identity",
            Self::Identity => "an exported identity",
            Self::Config => "an exported group",
        }
    }
}

/// The bytes as a text of that kind.
#[must_use]
pub fn encode(kind: TextKind, bytes: &[u8]) -> String {
    let mut checked = bytes.to_vec();
    checked.extend_from_slice(&crc32(bytes).to_le_bytes());
    format!("{}{}", kind.prefix(), BASE64URL.encode(&checked))
}

/// The bytes of a text of that kind, or words for what was pasted instead. White space around it
/// is no fault.
pub fn decode(kind: TextKind, text: &str, code: Code) -> Result<Vec<u8>, Error> {
    let text = text.trim();
    let Some(body) = text.strip_prefix(kind.prefix()) else {
        let found = TextKind::ALL
            .iter()
            .find(|other| text.starts_with(other.prefix()));
        let found = found.map_or("something else", |other| other.what());
        return Err(Error::new(code).detail(format!(
            "{} begins with {}; this is {found}",
            kind.what(),
            kind.prefix()
        )));
    };
    let damaged =
        || Error::new(code).detail(format!("{} was cut off or changed on the way", kind.what()));
    let mut bytes = BASE64URL.decode(body).ok_or_else(damaged)?;
    let at = bytes.len().checked_sub(4).ok_or_else(damaged)?;
    let sum = bytes.split_off(at);
    if sum != crc32(&bytes).to_le_bytes() {
        return Err(damaged());
    }
    Ok(bytes)
}

/// The text of a node address.
#[must_use]
pub fn node_address(address: &NodeAddress) -> String {
    encode(TextKind::Node, &address.to_bytes())
}

/// The node address of a text.
pub fn parse_node_address(text: &str) -> Result<NodeAddress, Error> {
    let bytes = decode(TextKind::Node, text, Code::InvalidArgument)?;
    NodeAddress::from_bytes(&bytes).map_err(|_| Error::new(Code::UnsupportedVersion))
}

/// CRC-32 (IEEE 802.3): finds slips of copying; it is no protection against anybody.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{SessionKey, Tag};

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn addresses_read_back_and_slips_are_named() {
        let address = NodeAddress {
            rendezvous: vec!["wss://example.org".to_owned()],
            tags: vec![Tag([3; 16])],
            session: SessionKey([4; 32]),
        };
        let text = node_address(&address);
        assert_eq!(parse_node_address(&format!(" {text}\n")), Ok(address));
        let cut = text.get(..text.len() - 1).unwrap();
        assert!(
            parse_node_address(cut)
                .unwrap_err()
                .detail
                .contains("cut off")
        );
        let other = encode(TextKind::Invitation, b"x");
        assert!(
            parse_node_address(&other)
                .unwrap_err()
                .detail
                .contains("an invitation")
        );
        assert!(
            parse_node_address("hello")
                .unwrap_err()
                .detail
                .contains("something else")
        );
    }
}
