//! Bytes as text in 4, 5 or 6 bits a character: hexadecimal, base32 and base64url, one spelling each.

/// An alphabet of 16, 32 or 64 characters.
pub struct Base {
    bits: u32,
    alphabet: &'static [u8],
}

/// Lower-case hexadecimal.
pub const HEX: Base = Base {
    bits: 4,
    alphabet: b"0123456789abcdef",
};
/// RFC 4648 base32 in lower case, without padding.
pub const BASE32: Base = Base {
    bits: 5,
    alphabet: b"abcdefghijklmnopqrstuvwxyz234567",
};
/// RFC 4648 base64url, without padding.
pub const BASE64URL: Base = Base {
    bits: 6,
    alphabet: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

impl Base {
    /// The bytes as text.
    #[must_use]
    pub fn encode(&self, bytes: &[u8]) -> String {
        let mut out = String::new();
        let (mut held, mut bits) = (0u32, 0);
        for byte in bytes {
            held = held << 8 | u32::from(*byte);
            bits += 8;
            while bits >= self.bits {
                bits -= self.bits;
                out.push(self.character(held >> bits));
            }
            held &= (1 << bits) - 1;
        }
        if bits > 0 {
            out.push(self.character(held << (self.bits - bits)));
        }
        out
    }

    /// How many characters that many bytes make.
    #[must_use]
    pub fn encoded(&self, bytes: usize) -> usize {
        (bytes * 8).div_ceil(self.bits as usize)
    }

    /// The bytes of a text; nothing if it has another character, or is not what `encode` writes.
    #[must_use]
    pub fn decode(&self, text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let (mut held, mut bits) = (0u32, 0);
        for character in text.bytes() {
            let value = self.alphabet.iter().position(|known| *known == character)?;
            held = held << self.bits | u32::try_from(value).ok()?;
            bits += self.bits;
            if bits >= 8 {
                bits -= 8;
                out.push(u8::try_from(held >> bits).ok()?);
                held &= (1 << bits) - 1;
            }
        }
        // A whole character too many, or bits left over that mean something.
        (bits < self.bits && held == 0).then_some(out)
    }

    fn character(&self, value: u32) -> char {
        let index = (value & ((1 << self.bits) - 1)) as usize;
        self.alphabet
            .get(index)
            .map_or('?', |byte| char::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_examples() {
        // RFC 4648, section 10.
        for (bytes, base32, base64) in [
            ("", "", ""),
            ("f", "my", "Zg"),
            ("fo", "mzxq", "Zm8"),
            ("foo", "mzxw6", "Zm9v"),
            ("foob", "mzxw6yq", "Zm9vYg"),
            ("fooba", "mzxw6ytb", "Zm9vYmE"),
            ("foobar", "mzxw6ytboi", "Zm9vYmFy"),
        ] {
            assert_eq!(BASE32.encode(bytes.as_bytes()), base32);
            assert_eq!(BASE64URL.encode(bytes.as_bytes()), base64);
            assert_eq!(BASE32.decode(base32).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(BASE64URL.decode(base64).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(HEX.encode(&[0x0f, 0xa0]), "0fa0");
        assert_eq!(BASE64URL.encode(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["mz", "MY", "m", "my=", "mzxw6yqaa"] {
            assert_eq!(BASE32.decode(text), None, "{text}");
        }
        for text in ["Zh", "Z", "Zg==", "+/8"] {
            assert_eq!(BASE64URL.decode(text), None, "{text}");
        }
        assert_eq!(HEX.decode("0"), None);
        assert_eq!(HEX.decode("0A"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_nothing_else_does(bytes: Vec<u8>, text in "[A-Za-z0-9_-]{0,12}") {
            for base in [HEX, BASE32, BASE64URL] {
                prop_assert_eq!(base.decode(&base.encode(&bytes)), Some(bytes.clone()));
                prop_assert_eq!(base.encode(&bytes).len(), base.encoded(bytes.len()));
                if let Some(read) = base.decode(&text) {
                    prop_assert_eq!(base.encode(&read), text.clone());
                }
            }
        }
    }
}
