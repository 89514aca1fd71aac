//! STUN messages as TURN uses them (RFC 8489 and 8656): read in place, written into one buffer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use sha1::Sha1;

/// Bytes before the attributes.
pub(super) const HEAD: usize = 20;
/// Bytes before the data of a channel.
pub(super) const CHANNEL_HEAD: usize = 4;
const COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const SIGNATURE_BYTES: usize = 20;

pub(super) mod method {
    pub(in crate::turn) const BINDING: u16 = 1;
    pub(in crate::turn) const ALLOCATE: u16 = 3;
    pub(in crate::turn) const REFRESH: u16 = 4;
    pub(in crate::turn) const SEND: u16 = 6;
    pub(in crate::turn) const DATA: u16 = 7;
    pub(in crate::turn) const CREATE_PERMISSION: u16 = 8;
    pub(in crate::turn) const CHANNEL_BIND: u16 = 9;
}

/// Attributes; those below 0x8000 must be understood by whoever gets them.
pub(super) mod attribute {
    pub(in crate::turn) const USERNAME: u16 = 0x0006;
    pub(in crate::turn) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(in crate::turn) const ERROR_CODE: u16 = 0x0009;
    pub(in crate::turn) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub(in crate::turn) const CHANNEL_NUMBER: u16 = 0x000C;
    pub(in crate::turn) const LIFETIME: u16 = 0x000D;
    pub(in crate::turn) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(in crate::turn) const DATA: u16 = 0x0013;
    pub(in crate::turn) const REALM: u16 = 0x0014;
    pub(in crate::turn) const NONCE: u16 = 0x0015;
    pub(in crate::turn) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(in crate::turn) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub(in crate::turn) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(in crate::turn) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
}

/// Those that a client may send and expect to be understood.
const UNDERSTOOD: [u16; 10] = [
    attribute::USERNAME,
    attribute::MESSAGE_INTEGRITY,
    attribute::CHANNEL_NUMBER,
    attribute::LIFETIME,
    attribute::XOR_PEER_ADDRESS,
    attribute::DATA,
    attribute::REALM,
    attribute::NONCE,
    attribute::REQUESTED_ADDRESS_FAMILY,
    attribute::REQUESTED_TRANSPORT,
];

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Request,
    Indication,
    Success,
    Error,
}

impl Class {
    const fn bits(self) -> u16 {
        match self {
            Self::Request => 0,
            Self::Indication => 0x010,
            Self::Success => 0x100,
            Self::Error => 0x110,
        }
    }
}

/// A message whose attributes are all there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) class: Class,
    pub(super) method: u16,
    pub(super) transaction: [u8; 12],
    bytes: &'a [u8],
}

/// What authenticates a user's messages.
pub(super) struct Key([u8; 16]);

impl Key {
    pub(super) fn new(user: &[u8], realm: &str, password: &str) -> Self {
        let mut hash = Md5::new();
        for part in [user, b":", realm.as_bytes(), b":", password.as_bytes()] {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The keyed hash of a message up to its signature, as if it ended with that.
    fn mac(&self, before: &[u8]) -> Option<Hmac<Sha1>> {
        let (kind, rest) = before.split_first_chunk::<2>()?;
        let (_, rest) = rest.split_first_chunk::<2>()?;
        let length = before.len().checked_sub(HEAD)? + 4 + SIGNATURE_BYTES;
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).ok()?;
        mac.update(kind);
        mac.update(&u16::try_from(length).ok()?.to_be_bytes());
        mac.update(rest);
        Some(mac)
    }
}

impl<'a> Message<'a> {
    /// Reads one message that fills `bytes`.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, body) = bytes.split_first_chunk::<HEAD>()?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if kind >= 0x4000 || head[4..8] != COOKIE || length != body.len() {
            return None;
        }
        let message = Self {
            class: match kind & 0x110 {
                0 => Class::Request,
                0x010 => Class::Indication,
                0x100 => Class::Success,
                _ => Class::Error,
            },
            method: (kind & 0x000F) | ((kind & 0x00E0) >> 1) | ((kind & 0x3E00) >> 2),
            transaction: *bytes[8..].first_chunk()?,
            bytes,
        };
        let mut at = HEAD;
        while at < bytes.len() {
            at = message.attribute_at(at)?.2;
        }
        Some(message)
    }

    /// Kind and value of the attribute there, and where the next one is.
    fn attribute_at(&self, at: usize) -> Option<(u16, &'a [u8], usize)> {
        let (head, rest) = self.bytes.get(at..)?.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let next = at + 4 + length.next_multiple_of(4);
        let value = rest.get(..length).filter(|_| next <= self.bytes.len())?;
        Some((u16::from_be_bytes([head[0], head[1]]), value, next))
    }

    /// Kind, value and place of each attribute up to the signature; what follows that is not signed.
    fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8], usize)> {
        let mut at = HEAD;
        let mut signed = false;
        let message = *self;
        std::iter::from_fn(move || {
            if signed {
                return None;
            }
            let (kind, value, next) = message.attribute_at(at)?;
            signed = kind == attribute::MESSAGE_INTEGRITY;
            Some((kind, value, std::mem::replace(&mut at, next)))
        })
    }

    pub(super) fn values(&self, kind: u16) -> impl Iterator<Item = &'a [u8]> {
        self.attributes()
            .filter(move |(of, ..)| *of == kind)
            .map(|(_, value, _)| value)
    }

    /// The first attribute of that kind: others are to be ignored.
    pub(super) fn value(&self, kind: u16) -> Option<&'a [u8]> {
        self.values(kind).next()
    }

    /// An attribute that is one number of four bytes, or begins with the one that counts.
    pub(super) fn number(&self, kind: u16) -> Option<u32> {
        let value: [u8; 4] = self.value(kind)?.try_into().ok()?;
        Some(u32::from_be_bytes(value))
    }

    /// Attributes that whoever sent this wants understood and nobody here does.
    pub(super) fn unknown(&self) -> Vec<u16> {
        let kinds = self.attributes().map(|(kind, ..)| kind);
        kinds
            .filter(|kind| *kind < 0x8000 && !UNDERSTOOD.contains(kind))
            .take(8)
            .collect()
    }

    /// An address that is masked by the head of the message, out of one of its attributes.
    pub(super) fn unmasked(&self, value: &[u8]) -> Option<SocketAddr> {
        let (head, address) = value.split_first_chunk::<4>()?;
        let port = u16::from_be_bytes([head[2] ^ COOKIE[0], head[3] ^ COOKIE[1]]);
        let ip = match (head[1], address.len()) {
            (1, 4) => {
                let ip: [u8; 4] = address.try_into().ok()?;
                IpAddr::from(masked(ip, self.transaction))
            }
            (2, 16) => {
                let ip: [u8; 16] = address.try_into().ok()?;
                IpAddr::from(masked(ip, self.transaction))
            }
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    pub(super) fn is_signed(&self) -> bool {
        self.value(attribute::MESSAGE_INTEGRITY).is_some()
    }

    /// Whether all of it up to the signature is from whoever has the key.
    pub(super) fn is_signed_by(&self, key: &Key) -> bool {
        let signature = self
            .attributes()
            .find(|(kind, ..)| *kind == attribute::MESSAGE_INTEGRITY);
        let Some((_, value, at)) = signature else {
            return false;
        };
        let mac = self.bytes.get(..at).and_then(|before| key.mac(before));
        mac.is_some_and(|mac| mac.verify_slice(value).is_ok())
    }
}

/// Masks or unmasks an address: the cookie, then the transaction.
fn masked<const N: usize>(mut ip: [u8; N], transaction: [u8; 12]) -> [u8; N] {
    let mask = COOKIE.into_iter().chain(transaction);
    ip.iter_mut()
        .zip(mask)
        .for_each(|(byte, mask)| *byte ^= mask);
    ip
}

/// Writes one message; its length is right after every attribute.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    transaction: [u8; 12],
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        out: &'a mut Vec<u8>,
        class: Class,
        method: u16,
        transaction: [u8; 12],
    ) -> Self {
        let spread = (method & 0x0F) | ((method & 0x70) << 1) | ((method & 0xF80) << 2);
        out.clear();
        out.extend((spread | class.bits()).to_be_bytes());
        out.extend([0, 0]);
        out.extend(COOKIE);
        out.extend(transaction);
        Self { out, transaction }
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.out.extend(kind.to_be_bytes());
        // What is written here is far below 64 KiB: the data of one packet, or our own words.
        self.out
            .extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.out.extend(value);
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        let length = u16::try_from(self.out.len() - HEAD).unwrap_or(u16::MAX);
        self.out[2..4].copy_from_slice(&length.to_be_bytes());
    }

    pub(super) fn number(&mut self, kind: u16, number: u32) {
        self.attribute(kind, &number.to_be_bytes());
    }

    pub(super) fn address(&mut self, kind: u16, address: SocketAddr) {
        let mut value = [0; 20];
        let port = address.port().to_be_bytes();
        value[2] = port[0] ^ COOKIE[0];
        value[3] = port[1] ^ COOKIE[1];
        let len = match address.ip() {
            IpAddr::V4(ip) => {
                value[1] = 1;
                value[4..8].copy_from_slice(&masked(Ipv4Addr::octets(&ip), self.transaction));
                8
            }
            IpAddr::V6(ip) => {
                value[1] = 2;
                value[4..].copy_from_slice(&masked(Ipv6Addr::octets(&ip), self.transaction));
                20
            }
        };
        self.attribute(kind, &value[..len]);
    }

    pub(super) fn error(&mut self, code: u16, words: &str) {
        let class = u8::try_from(code / 100).unwrap_or(5);
        let rest = u8::try_from(code % 100).unwrap_or(0);
        let value = [&[0, 0, class, rest], words.as_bytes()].concat();
        self.attribute(attribute::ERROR_CODE, &value);
    }

    pub(super) fn sign(&mut self, key: &Key) {
        if let Some(mac) = key.mac(self.out) {
            let signature: [u8; SIGNATURE_BYTES] = mac.finalize().into_bytes().into();
            self.attribute(attribute::MESSAGE_INTEGRITY, &signature);
        }
    }
}

/// How many bytes the next message or piece of a channel has in a stream that begins like this:
/// None before that shows, an error if neither begins so.
pub(super) fn framed(stream: &[u8]) -> Result<Option<usize>, NotTurn> {
    let Some(head) = stream.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    match head[0] >> 6 {
        0 => Ok(Some(HEAD + length)),
        1 => Ok(Some(CHANNEL_HEAD + length.next_multiple_of(4))),
        _ => Err(NotTurn),
    }
}

/// A stream is something else than TURN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NotTurn;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769, 2.4: a request with long-term authentication, its SASLprep done.
    const SIGNED: &str = "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aa\
        e38383e382afe382b900000015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014\
        000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666";
    const USER: &str = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
    /// RFC 5769, 2.2 and 2.3: answers with an address of either family, without their ends.
    const ANSWER_4: &str = "0101000c2112a442b7e7a701bc34d686fa87dfae002000080001a147e112a643";
    const ANSWER_6: &str = "010100182112a442b7e7a701bc34d686fa87dfae\
        002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn the_standards_signed_request_is_read_and_checked() {
        let bytes = hex(SIGNED);
        let message = Message::read(&bytes).unwrap();
        assert_eq!(
            (message.class, message.method),
            (Class::Request, method::BINDING)
        );
        assert_eq!(message.value(attribute::USERNAME), Some(USER.as_bytes()));
        assert_eq!(
            message.value(attribute::REALM),
            Some(b"example.org".as_slice())
        );
        let key = Key::new(USER.as_bytes(), "example.org", "TheMatrIX");
        assert!(message.is_signed_by(&key));
        let other = Key::new(USER.as_bytes(), "example.org", "thematrix");
        assert!(!message.is_signed_by(&other));
        for at in 0..bytes.len() - 20 {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let taken = Message::read(&changed).is_some_and(|message| message.is_signed_by(&key));
            assert!(!taken, "byte {at}");
        }
    }

    #[test]
    fn the_standards_addresses_are_read_and_written() {
        for (text, address) in [
            (ANSWER_4, "192.0.2.1:32853"),
            (ANSWER_6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
        ] {
            let bytes = hex(text);
            let message = Message::read(&bytes).unwrap();
            let value = message.value(attribute::XOR_MAPPED_ADDRESS).unwrap();
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(message.unmasked(value), Some(address));
            let mut out = vec![9; 3];
            let mut writer = Writer::new(
                &mut out,
                Class::Success,
                method::BINDING,
                message.transaction,
            );
            writer.address(attribute::XOR_MAPPED_ADDRESS, address);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn what_is_written_and_signed_reads_back() {
        let key = Key::new(b"u", "r", "p");
        for kind in [1, 3, 9, 0x0B, 0x7F, 0xFFF] {
            for class in [
                Class::Request,
                Class::Indication,
                Class::Success,
                Class::Error,
            ] {
                let mut out = Vec::new();
                let mut writer = Writer::new(&mut out, class, kind, [7; 12]);
                writer.error(403, "no");
                writer.sign(&key);
                writer.number(attribute::LIFETIME, 5);
                let message = Message::read(&out).unwrap();
                assert_eq!((message.class, message.method), (class, kind));
                assert_eq!(
                    message.value(attribute::ERROR_CODE),
                    Some(b"\0\0\x04\x03no".as_slice())
                );
                assert!(message.is_signed_by(&key));
                // What comes after the signature could be anybody's.
                assert_eq!(message.number(attribute::LIFETIME), None);
            }
        }
    }

    #[test]
    fn pieces_and_odd_lengths_are_no_message() {
        let bytes = hex(SIGNED);
        for len in 0..bytes.len() {
            assert!(Message::read(&bytes[..len]).is_none(), "{len}");
        }
        assert!(Message::read(&[bytes.as_slice(), &[0; 4]].concat()).is_none());
        for at in [0, 4] {
            let mut other = bytes.clone();
            other[at] ^= 0x80;
            assert!(Message::read(&other).is_none(), "{at}");
        }
        // An attribute that says it is longer than the message.
        let mut long = bytes.clone();
        long[23] = 0xff;
        assert!(Message::read(&long).is_none());
    }

    #[test]
    fn messages_in_a_stream_are_found_by_their_heads() {
        assert_eq!(framed(&hex(SIGNED)), Ok(Some(hex(SIGNED).len())));
        assert_eq!(framed(&[0x40, 0, 0, 5]), Ok(Some(12)));
        assert_eq!(framed(&[0x7f, 0xff, 0xff, 0xff]), Ok(Some(65_540)));
        assert_eq!(framed(b"\0\x01\0"), Ok(None));
        assert_eq!(framed(&[0x16 | 0x80, 3, 1, 0]), Err(NotTurn));
    }
}
