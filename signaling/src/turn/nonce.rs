//! Numbers that clients must show to prove that answers reach them: made, not remembered.

use std::net::{IpAddr, SocketAddr};

use peer_group::time::Millis;

use super::credentials::Secret;

/// How long one is taken.
const NONCE_MS: Millis = 3_600_000;
const DIGITS: usize = 32;

pub(super) struct Nonces(Secret);

impl Nonces {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(Secret::new(key))
    }

    /// The one for that address as of now: the time, and its keyed hash with the address.
    pub(super) fn make(&self, now: Millis, address: SocketAddr) -> String {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let (time, port) = (now.to_be_bytes(), address.port().to_be_bytes());
        let hash = self.0.keyed(&[&time[..], &ip.octets(), &port].concat());
        let hash = hash
            .first_chunk()
            .map_or(0, |head| u64::from_be_bytes(*head));
        format!("{now:016x}{hash:016x}")
    }

    /// Any number, by its keyed hash: nobody outside can choose which ones fall together.
    pub(super) fn spread(&self, number: u64) -> u64 {
        let hash = self.0.keyed(&number.to_be_bytes());
        hash.first_chunk()
            .map_or(0, |head| u64::from_be_bytes(*head))
    }

    /// Whether it was made for that address, and lately.
    pub(super) fn is_fresh(&self, now: Millis, address: SocketAddr, nonce: &[u8]) -> bool {
        let time = nonce
            .get(..DIGITS / 2)
            .and_then(|time| std::str::from_utf8(time).ok())
            .and_then(|time| Millis::from_str_radix(time, 16).ok());
        time.is_some_and(|made| {
            made <= now && now - made < NONCE_MS && self.make(made, address).as_bytes() == nonce
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_taken_from_its_address_for_an_hour() {
        let nonces = Nonces::new([1; 32]);
        let address = "192.0.2.1:5000".parse().unwrap();
        let nonce = nonces.make(5_000, address);
        assert_eq!(nonce.len(), DIGITS);
        let taken = |now, from: &str, nonce: &str| {
            nonces.is_fresh(now, from.parse().unwrap(), nonce.as_bytes())
        };
        assert!(taken(5_000, "192.0.2.1:5000", &nonce));
        assert!(taken(3_604_999, "192.0.2.1:5000", &nonce));
        assert!(!taken(3_605_000, "192.0.2.1:5000", &nonce));
        assert!(!taken(4_999, "192.0.2.1:5000", &nonce));
        assert!(!taken(5_000, "192.0.2.1:5001", &nonce));
        assert!(!taken(5_000, "192.0.2.2:5000", &nonce));
        assert!(!taken(
            5_000,
            "192.0.2.1:5000",
            &nonce.to_uppercase().replace('0', "1")
        ));
        assert!(!taken(5_000, "192.0.2.1:5000", ""));
        let other = Nonces::new([2; 32]).make(5_000, address);
        assert!(!taken(5_000, "192.0.2.1:5000", &other));
    }
}
