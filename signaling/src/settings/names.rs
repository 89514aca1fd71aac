//! Addresses, networks and origins, as operators write them.

use std::net::IpAddr;

use axum::http::Uri;

/// The server as clients dial it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrl {
    url: String,
    origin: String,
}

impl PublicUrl {
    /// Reads an address as people write it, or says how to.
    pub fn parse(text: &str) -> Result<Self, String> {
        let example = "write for example https://rendezvous.example.org";
        let uri: Uri = text.parse().map_err(|_| example.to_owned())?;
        let own_port = match uri.scheme_str() {
            Some("http" | "ws") => ":80",
            Some("https" | "wss") => ":443",
            _ => return Err(format!("the scheme is missing or unknown; {example}")),
        };
        let authority = uri.authority().ok_or(example)?.as_str();
        if authority.contains('@') {
            return Err(format!("it may not hold a user name; {example}"));
        }
        let origin = authority.to_ascii_lowercase();
        // Browsers leave the scheme's own port out, and sign what they dial.
        let origin = origin.strip_suffix(own_port).unwrap_or(&origin).to_owned();
        Ok(Self {
            url: text.to_owned(),
            origin,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The host and port that clients sign.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// The NATS servers through which the machines of a cluster find each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterUrls(Vec<String>);

impl ClusterUrls {
    /// Reads one address or several with commas between them, or says how to write them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let example = "write for example nats://nats.internal:4222, or tls:// for NATS over TLS";
        let all: Vec<String> = text.split(',').map(|url| url.trim().to_owned()).collect();
        let is_url = |url: &String| {
            let rest = url.strip_prefix("nats://").or(url.strip_prefix("tls://"));
            rest.is_some_and(|rest| !rest.is_empty() && url.parse::<Uri>().is_ok())
        };
        all.iter()
            .all(is_url)
            .then_some(Self(all))
            .ok_or_else(|| example.to_owned())
    }

    /// Each.
    #[must_use]
    pub fn all(&self) -> &[String] {
        &self.0
    }
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    ip: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads an address, or a network such as 10.0.0.0/8, or says how to write one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let example = "write for example 127.0.0.1, 10.0.0.0/8 or 2001:db8::/32";
        let (ip, bits) = text.split_once('/').unwrap_or((text, ""));
        let ip: IpAddr = ip.parse().map_err(|_| example.to_owned())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            "" if !text.contains('/') => most,
            bits => bits.parse().map_err(|_| example.to_owned())?,
        };
        if bits > most {
            return Err(format!("an address has {most} bits; {example}"));
        }
        Ok(Self { ip, bits })
    }

    /// Whether an address is one of them.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        let shift = |width: u32| width.saturating_sub(u32::from(self.bits));
        match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let differ = own.to_bits() ^ ip.to_bits();
                differ.checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let differ = own.to_bits() ^ ip.to_bits();
                differ.checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// As it would be written.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}/{}", self.ip, self.bits)
    }
}

/// Where a page is from: scheme, host and port, as browsers say it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageOrigin(String);

impl PageOrigin {
    /// Reads an origin as browsers write it, or says how to.
    pub fn parse(text: &str) -> Result<Self, String> {
        let example = "write for example https://app.example.org, without a path, or null for pages \
                       from files";
        if text == "null" {
            return Ok(Self(text.to_owned()));
        }
        let url = PublicUrl::parse(text).map_err(|_| example.to_owned())?;
        let (scheme, rest) = text.split_once("://").ok_or(example)?;
        if !matches!(scheme, "http" | "https") || rest.contains(['/', '?', '#']) {
            return Err(example.to_owned());
        }
        Ok(Self(format!("{scheme}://{}", url.origin())))
    }

    /// Whether a browser's word for it is this.
    #[must_use]
    pub fn is(&self, origin: &str) -> bool {
        self.0 == origin
    }

    /// As it would be written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Where to ask whether a token is right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HookUrl {
    /// Whether to ask over TLS.
    pub tls: bool,
    /// Where it is; IPv6 in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its path, with a query if there is one.
    pub path: String,
}

impl HookUrl {
    /// Reads a URL, or says how to write one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let example = "write for example http://127.0.0.1:9000/may-enter";
        let uri: Uri = text.parse().map_err(|_| example.to_owned())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(example.to_owned()),
        };
        let authority = uri.authority().ok_or(example)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(example.to_owned());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            tls,
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            path: path.to_owned(),
        })
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// As it would be written.
    #[must_use]
    pub fn text(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_gives_the_origin_that_browsers_dial() {
        for (url, origin) in [
            ("https://Example.org", "example.org"),
            ("https://example.org:443/", "example.org"),
            ("wss://example.org:8443", "example.org:8443"),
            ("http://example.org:443", "example.org:443"),
            ("http://[::1]:80/a/path", "[::1]"),
        ] {
            assert_eq!(PublicUrl::parse(url).unwrap().origin(), origin, "{url}");
        }
        for url in [
            "example.org",
            "ftp://example.org",
            "https://",
            "https://a@b.org",
        ] {
            assert!(PublicUrl::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn networks_hold_what_begins_as_they_do() {
        let holds =
            |network: &str, ip: &str| Network::parse(network).unwrap().holds(ip.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("192.0.2.1", "192.0.2.1") && !holds("192.0.2.1", "192.0.2.2"));
        assert!(holds("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(holds("0.0.0.0/0", "198.51.100.1") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("2001:db8::/32", "2001:db8:9::1") && !holds("::1", "::2"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "a", "::1/129"] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn origins_are_as_browsers_say_them() {
        for (text, origin) in [
            ("https://App.example:443", "https://app.example"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("null", "null"),
        ] {
            assert_eq!(PageOrigin::parse(text).unwrap().text(), origin);
        }
        for wrong in ["app.example", "https://app.example/", "wss://a", "*"] {
            assert!(PageOrigin::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_hook_is_a_url() {
        let hook = HookUrl::parse("https://[::1]/a?b=c").unwrap();
        assert_eq!(
            (hook.tls, hook.host.as_str(), hook.port),
            (true, "[::1]", 443)
        );
        assert_eq!(hook.text(), "https://[::1]:443/a?b=c");
        assert_eq!(HookUrl::parse("http://a:9").unwrap().path, "/");
        for wrong in ["a", "ws://a", "http://", "http://u@a"] {
            assert!(HookUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
