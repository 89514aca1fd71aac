//! What is no password: whatever a list of a few hundred million guesses would hold.
//!
//! Guesses at members are rare: twenty an hour come for nothing, the others cost work each. So some 30 bits
//! are enough. They are estimated as who guesses would: what is common is tried first, what repeats or
//! follows in order is no choice, and people choose letters far from evenly.

use crate::crypto::stretch::Password;
use crate::error::{Code, Error};
use crate::limits::PASSWORD_BITS;

/// Fewer different characters than this are a pattern.
const DIFFERENT: usize = 5;
/// Fewer characters than this are tried one after the other.
const SHORTEST: usize = 8;

/// What people choose most, apart from digits around it and the case of its letters.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "motdepasse",
    "contrasena",
    "senha",
    "parola",
    "qwerty",
    "qwertz",
    "azerty",
    "asdfgh",
    "asdfghjkl",
    "zxcvbn",
    "qwertyuiop",
    "qazwsx",
    "iloveyou",
    "welcome",
    "willkommen",
    "letmein",
    "monkey",
    "dragon",
    "football",
    "baseball",
    "basketball",
    "superman",
    "batman",
    "sunshine",
    "princess",
    "shadow",
    "master",
    "michael",
    "jennifer",
    "jordan",
    "hunter",
    "trustno",
    "starwars",
    "whatever",
    "computer",
    "internet",
    "secret",
    "geheim",
    "hello",
    "hallo",
    "freedom",
    "charlie",
    "jessica",
    "ashley",
    "flower",
    "cheese",
    "summer",
    "winter",
    "spring",
    "autumn",
    "admin",
    "administrator",
    "changeme",
    "default",
    "login",
    "abcdef",
    "abcdefgh",
    "liverpool",
    "chelsea",
    "arsenal",
    "schalke",
    "bayern",
    "pokemon",
    "samsung",
    "google",
    "facebook",
    "michelle",
    "daniel",
    "thomas",
    "andrew",
    "joshua",
    "matthew",
    "peergroup",
];

/// Whether a password is hard enough to guess, or what is wrong with it.
pub fn check(password: &Password) -> Result<(), Error> {
    let weak = |why: &str| Err(Error::new(Code::PasswordDoesNotMeetPolicy).detail(why));
    let text: Vec<char> = password.as_str().chars().collect();
    if text.len() < SHORTEST {
        return weak("it has fewer than 8 characters");
    }
    let mut different = text.clone();
    different.sort_unstable();
    different.dedup();
    if different.len() < DIFFERENT {
        return weak("it has fewer than 5 different characters");
    }
    if is_common(&text) {
        return weak("it is one that many people choose");
    }
    if tenths_of_bits(&text) < PASSWORD_BITS * 10 {
        return weak("it has too few characters that do not follow from the ones before");
    }
    Ok(())
}

/// Whether all of it but digits and signs around it is a common word, or the same twice.
fn is_common(text: &[char]) -> bool {
    let low: String = text.iter().flat_map(|c| c.to_lowercase()).collect();
    let word = low.trim_matches(|c: char| !c.is_alphabetic());
    let half = word.len() / 2;
    let twice = word
        .get(..half)
        .filter(|first| word.get(half..) == Some(*first));
    COMMON.contains(&word) || twice.is_some_and(|first| COMMON.contains(&first))
}

/// What a list of guesses in a sensible order takes to come to it, in tenths of bits.
fn tenths_of_bits(text: &[char]) -> u32 {
    let has = |of: fn(&char) -> bool| text.iter().any(of);
    let mut each = 36;
    if has(char::is_ascii_digit) {
        each += 4;
    }
    if has(|c| c.is_uppercase()) && has(|c| c.is_lowercase()) {
        each += 4;
    }
    if has(|c| !c.is_alphanumeric()) {
        each += 3;
    }
    if has(|c| !c.is_ascii()) {
        each += 3;
    }
    if text.iter().all(char::is_ascii_digit) {
        each = 31;
    }
    let free = text.windows(2).filter(|pair| !follows(pair)).count() + 1;
    u32::try_from(free).unwrap_or(u32::MAX).saturating_mul(each)
}

/// The same again, or the next one up or down.
fn follows(pair: &[char]) -> bool {
    matches!(pair, [a, b] if u32::from(*a).abs_diff(u32::from(*b)) <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> Option<String> {
        let checked = check(&Password::new(text.to_owned()).unwrap());
        checked.err().map(|error| {
            assert_eq!(error.code, Code::PasswordDoesNotMeetPolicy);
            error.detail
        })
    }

    #[test]
    fn what_anybody_would_try_first_is_refused_with_the_reason() {
        for (text, reason) in [
            ("x", "fewer than 8"),
            ("Tr0ub4d", "fewer than 8"),
            ("aaaaaaaaaaaaaaaa", "different"),
            ("abababababab", "different"),
            ("password", "many people"),
            ("Password123!", "many people"),
            ("2024iloveyou", "many people"),
            ("qwertyqwerty", "many people"),
            ("12345678", "do not follow"),
            ("abcdefghij", "do not follow"),
            ("aabbccddeeff", "do not follow"),
            ("87654321", "do not follow"),
            ("19840523", "do not follow"),
        ] {
            let said = why(text).unwrap_or_default();
            assert!(said.contains(reason), "{text}: {said:?}");
        }
    }

    #[test]
    fn what_takes_work_to_guess_is_taken() {
        for text in [
            "open sesame, please",
            "kT9#qLx2",
            "blue tea cup",
            "fünf grüne Äpfel",
            "zmtqkwrhx",
            "7391-8264-5",
        ] {
            assert_eq!(why(text), None, "{text}");
        }
    }
}
