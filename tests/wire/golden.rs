//! How golden bytes are written down and checked.

use std::fmt::Debug;

use peer_group::wire::codec::Wire;

/// The bytes of a hexadecimal text with spaces; `xx*n` repeats a byte.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let (byte, times) = word.split_once('*').unwrap_or((word, "1"));
        let times: usize = times.parse().expect("a count");
        for pair in byte.as_bytes().chunks(2) {
            let pair = std::str::from_utf8(pair).expect("ascii");
            let byte = u8::from_str_radix(pair, 16).expect("hexadecimal");
            out.extend(std::iter::repeat_n(byte, times));
        }
    }
    out
}

/// Checks that `value` is written as `text` says, and that nothing shorter or longer is read.
pub(crate) fn golden<T: Wire + Debug + PartialEq>(value: &T, text: &str) {
    let expected = bytes(text);
    assert_eq!(value.to_bytes(), expected, "{value:?}");
    assert_eq!(T::from_bytes(&expected).as_ref(), Ok(value));
    // Neither shorter nor longer.
    for len in 0..expected.len() {
        assert!(
            T::from_bytes(&expected[..len]).is_err(),
            "{value:?} cut to {len}"
        );
    }
    assert!(
        T::from_bytes(&[expected, vec![0]].concat()).is_err(),
        "{value:?} with a byte more"
    );
}
