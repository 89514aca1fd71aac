//! Heads of requests: what anybody, and what a trusted proxy, says of whom it speaks for.

use std::net::{IpAddr, Ipv4Addr};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use peer_group::limits::URL_BYTES;
use peer_group_signaling::server::proxy::client;
use peer_group_signaling::settings::Network;

const PEERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(192, 0, 2, 1)];
const PROXIES: [&str; 2] = ["10.0.0.0/8", "2001:db8::/32"];

/// The first byte says who connects; then come headers, one a line. True if a proxy was believed.
pub(crate) fn run(bytes: &[u8]) -> bool {
    let Some((first, head)) = bytes.split_first() else {
        return false;
    };
    let peer = IpAddr::from(PEERS[usize::from(first & 1)]);
    let trusted = PROXIES.map(|text| Network::parse(text).expect("a network"));
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    let seen = client(peer, &trusted, &headers);
    assert!(seen == client(peer, &trusted, &headers), "two opinions");
    assert!(seen.ip == seen.ip.to_canonical(), "two spellings");
    let holds = |ip: IpAddr| trusted.iter().any(|network| network.holds(ip));
    if !holds(peer) {
        assert!(
            seen.ip == peer && seen.host.is_none(),
            "a stranger believed"
        );
        return false;
    }
    let hops = headers.get_all("x-forwarded-for");
    let hops: Vec<&str> = hops.iter().filter_map(|hop| hop.to_str().ok()).collect();
    // Whom it speaks for was said, or it speaks for itself.
    assert!(seen.ip == peer || !hops.is_empty(), "from nowhere");
    if let Some(host) = &seen.host {
        assert!(!host.is_empty() && host.len() <= URL_BYTES);
        assert!(*host == host.to_ascii_lowercase());
    }
    seen.ip != peer || seen.host.is_some()
}

/// A stranger's, and a proxy's behind others.
pub(crate) fn scripts() -> Vec<Vec<u8>> {
    let heads = [
        "\u{1}x-forwarded-for:203.0.113.9\nx-forwarded-host:Other.example",
        "\0x-forwarded-for:198.51.100.7, 203.0.113.9, 10.0.0.4\nx-forwarded-host:a, B:81",
        "\0x-forwarded-for:[2001:db8::1]:55\nx-forwarded-for:203.0.113.9:55,::ffff:10.0.0.2",
    ];
    heads.map(|head| head.as_bytes().to_vec()).to_vec()
}
