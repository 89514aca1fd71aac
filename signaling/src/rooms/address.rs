//! Who counts as one caller: an IPv4 address, or a network of IPv6 that one customer gets.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Where a socket comes from, as far as limits care.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Address {
    /// All of it.
    V4([u8; 4]),
    /// The first 64 bits: whoever has one such address has all that begin so.
    V6([u8; 8]),
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        // A socket that takes both kinds shows IPv4 addresses in the shape of IPv6.
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// For logs: the network, which is not enough to know who it was.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4([a, b, c, _]) => write!(f, "{a}.{b}.{c}.0/24"),
            Self::V6([a, b, c, d, e, g, ..]) => {
                let group = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
                let network = Ipv6Addr::new(group(a, b), group(c, d), group(e, g), 0, 0, 0, 0, 0);
                write!(f, "{network}/48")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn ipv4_counts_whole_and_ipv6_by_its_first_half() {
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(address("192.0.2.1"), address("::ffff:192.0.2.1"));
        assert_eq!(address("2001:db8:1:2::3"), address("2001:db8:1:2:ffff::4"));
        assert_ne!(address("2001:db8:1:2::3"), address("2001:db8:1:3::3"));
    }

    #[test]
    fn logs_show_a_network_only() {
        assert_eq!(address("192.0.2.77").to_string(), "192.0.2.0/24");
        assert_eq!(address("2001:db8:1:2::3").to_string(), "2001:db8:1::/48");
    }
}
