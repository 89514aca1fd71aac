//! Passwords, and what making keys of them costs.

use core::fmt;

use crate::error::{Code, Error};
use crate::limits;

/// What one stretching of a password costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// KiB of memory.
    pub memory_kib: u32,
    /// How often it goes over that memory.
    pub passes: u32,
}

impl Cost {
    /// Of every password that this version stretches.
    pub const OURS: Self = Self {
        memory_kib: limits::STRETCH_KIB,
        passes: limits::STRETCH_PASSES,
    };

    /// Whether a cost that a text asks for is one we would pay, and one that Argon2id knows.
    #[must_use]
    pub fn is_bearable(self) -> bool {
        // Argon2id takes no less than 8 KiB.
        (8..=limits::STRETCH_KIB_MAX).contains(&self.memory_kib)
            && (1..=limits::STRETCH_PASSES_MAX).contains(&self.passes)
    }
}

/// A password as the app gives it. It does not show up where things are printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A password, unless there is none or it is longer than anybody's.
    pub fn new(text: String) -> Result<Self, Error> {
        if text.is_empty() || text.len() > limits::PASSWORD_BYTES {
            return Err(Error::new(Code::InvalidArgument).detail(format!(
                "a password has 1 to {} bytes",
                limits::PASSWORD_BYTES
            )));
        }
        Ok(Self(text))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Primitives as _, REAL};

    #[test]
    fn a_password_is_never_printed() {
        let password = Password::new("open sesame".to_owned()).unwrap();
        assert!(!format!("{password:?}").contains("sesame"));
    }

    #[test]
    fn nothing_and_too_much_are_no_passwords() {
        assert!(Password::new(String::new()).is_err());
        assert!(Password::new("x".repeat(limits::PASSWORD_BYTES)).is_ok());
        assert!(Password::new("x".repeat(limits::PASSWORD_BYTES + 1)).is_err());
    }

    #[test]
    fn every_bearable_cost_is_one_that_can_be_paid() {
        let cost = |memory_kib, passes| Cost { memory_kib, passes };
        assert!(Cost::OURS.is_bearable());
        for least in [cost(8, 1), cost(9, 1)] {
            assert!(least.is_bearable());
            assert!(REAL.stretch(b"p", &[0; 16], least).is_some());
        }
        for unbearable in [
            cost(7, 1),
            cost(8, 0),
            cost(limits::STRETCH_KIB_MAX + 1, 1),
            cost(8, limits::STRETCH_PASSES_MAX + 1),
            cost(u32::MAX, u32::MAX),
        ] {
            assert!(!unbearable.is_bearable(), "{unbearable:?}");
        }
    }
}
