//! Proxies in front of the server: whom they speak for, if they are trusted to say it.

use std::net::IpAddr;

use axum::http::header::HeaderMap;
use peer_group::limits::URL_BYTES;

use crate::settings::Network;

/// Who is at the other end of a connection, as far as can be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its address.
    pub ip: IpAddr,
    /// The host and port that it dialled, if a proxy says so.
    pub host: Option<String>,
}

/// What a request's headers say of who sent it. They are believed only from a trusted proxy, and
/// only as far as the chain of trusted proxies goes: anybody can write headers.
#[must_use]
pub fn client(peer: IpAddr, trusted: &[Network], headers: &HeaderMap) -> Client {
    let peer = peer.to_canonical();
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.holds(ip));
    if !is_trusted(peer) {
        return Client {
            ip: peer,
            host: None,
        };
    }
    // Each proxy adds at the end whom it heard, so the end is read first.
    let mut ip = peer;
    let hops = headers.get_all("x-forwarded-for");
    let hops: Vec<&str> = hops
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let hops = hops.join(",");
    for hop in hops.rsplit(',') {
        let Some(hop) = address(hop.trim()) else {
            break;
        };
        ip = hop;
        if !is_trusted(hop) {
            break;
        }
    }
    let host = headers.get_all("x-forwarded-host").iter().next_back();
    let host = host.and_then(|host| host.to_str().ok()).map(|hosts| {
        let last = hosts.rsplit(',').next().unwrap_or_default();
        last.trim().to_ascii_lowercase()
    });
    Client {
        ip,
        host: host.filter(|host| !host.is_empty() && host.len() <= URL_BYTES),
    }
}

/// An address, with or without a port and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let ip = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?.parse(),
        None => text.parse().or_else(|error| match text.split_once(':') {
            Some((ip, port)) if !port.contains(':') => ip.parse(),
            _ => Err(error),
        }),
    };
    ip.ok().map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, headers: &[(&'static str, &str)]) -> (String, Option<String>) {
        let trusted = ["10.0.0.0/8", "::1"].map(|text| Network::parse(text).unwrap());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let Client { ip, host } = client(peer.parse().unwrap(), &trusted, &map);
        (ip.to_string(), host)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let headers = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-host", "Other.example"),
        ];
        let stranger = ("192.0.2.1".to_owned(), None);
        assert_eq!(seen("192.0.2.1", &headers), stranger);
        let other = ("203.0.113.9".to_owned(), Some("other.example".to_owned()));
        assert_eq!(seen("10.1.2.3", &headers), other);
        assert_eq!(seen("::ffff:10.1.2.3", &headers), other);
        assert_eq!(seen("::1", &headers), other);
    }

    #[test]
    fn the_chain_is_followed_as_far_as_it_is_trusted() {
        for (header, ip) in [
            ("198.51.100.7, 203.0.113.9", "203.0.113.9"),
            ("198.51.100.7, 203.0.113.9, 10.0.0.4", "203.0.113.9"),
            ("10.0.0.5, 10.0.0.4", "10.0.0.5"),
            ("198.51.100.7, nonsense, 10.0.0.4", "10.0.0.4"),
            ("", "10.0.0.1"),
            ("[2001:db8::1]:55", "2001:db8::1"),
            ("2001:db8::2", "2001:db8::2"),
            ("203.0.113.9:55", "203.0.113.9"),
        ] {
            let (seen, _) = seen("10.0.0.1", &[("x-forwarded-for", header)]);
            assert_eq!(seen, ip, "{header:?}");
        }
        // A header that came along from outside is before the proxy's own.
        let two = [
            ("x-forwarded-for", "192.0.2.66"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-host", "us.example"),
        ];
        let expected = ("203.0.113.9".to_owned(), Some("us.example".to_owned()));
        assert_eq!(seen("10.0.0.1", &two), expected);
    }
}
