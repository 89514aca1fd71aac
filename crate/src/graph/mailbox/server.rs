//! How a rendezvous server is named: by its address and, for the server only, a token.

use crate::error::{Code, Error};
use crate::limits;
use crate::wire::rendezvous::{PATH, is_token};

/// A rendezvous server, as the app, invitations and addresses name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerUrl {
    /// ws: or wss:, host, port unless it is the scheme's own, and a path prefix if any.
    pub base: String,
    /// Host and port, as the server is dialed.
    pub origin: String,
    /// What it lets us in by; empty for none. It is in `?token=` where the app names a server, goes to
    /// that server only, and stands in nothing that is told or kept.
    pub token: String,
}

impl ServerUrl {
    /// Reads what a person would write: a page's address does as well as a WebSocket's.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (named, query) = text.split_once('?').unwrap_or((text, ""));
        // What may be secret is not repeated.
        let shown = named.rsplit('@').next().unwrap_or_default();
        let wrong = |why: &str| {
            Error::new(Code::InvalidArgument).detail(format!(
                "the rendezvous server {shown:?}: {why}; write for example wss://example.org"
            ))
        };
        let (scheme, rest) = named
            .trim()
            .split_once("://")
            .ok_or_else(|| wrong("no scheme"))?;
        let (scheme, own_port) = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => ("ws", "80"),
            "wss" | "https" => ("wss", "443"),
            _ => return Err(wrong("the scheme is none of ws, wss, http, https")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let mut query = query.split('#').next().unwrap_or_default().split('&');
        let token = query.find_map(|part| part.strip_prefix("token="));
        let token = token.unwrap_or_default().trim_end();
        if !token.is_empty() && !is_token(token) {
            return Err(wrong(
                "its token is not of 16 to 1024 letters, digits and any of . _ ~ -",
            ));
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host.to_ascii_lowercase();
        let plain = host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c));
        if host.is_empty() || !plain || path.chars().any(|c| c.is_control() || c == ' ') {
            return Err(wrong("the host is missing or has odd characters"));
        }
        let origin = host
            .strip_suffix(&format!(":{own_port}"))
            .unwrap_or(&host)
            .to_owned();
        let path = path.trim_end_matches('/');
        let path = path
            .strip_suffix(PATH.trim_start_matches('/'))
            .unwrap_or(path);
        let path = path.trim_end_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        let base = format!("{scheme}://{origin}{slash}{path}");
        if base.len() + PATH.len() > limits::URL_BYTES {
            return Err(wrong("it is too long"));
        }
        Ok(Self {
            base,
            origin,
            token: token.to_owned(),
        })
    }

    /// All of a list, each once.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, Error> {
        if texts.len() > limits::RENDEZVOUS_SERVERS {
            return Err(Error::new(Code::InvalidArgument).detail(format!(
                "at most {} rendezvous servers",
                limits::RENDEZVOUS_SERVERS
            )));
        }
        let mut all: Vec<Self> = Vec::new();
        for text in texts {
            let url = Self::parse(text)?;
            if all.iter().all(|known| known.base != url.base) {
                all.push(url);
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_as_people_write_them() {
        for (text, base, origin) in [
            (
                "http://127.0.0.1:8080/",
                "ws://127.0.0.1:8080",
                "127.0.0.1:8080",
            ),
            ("https://Example.org", "wss://example.org", "example.org"),
            (
                "wss://example.org:443/peer-group/1",
                "wss://example.org",
                "example.org",
            ),
            ("ws://[::1]:99/a/b/?q#f", "ws://[::1]:99/a/b", "[::1]:99"),
        ] {
            let url = ServerUrl::parse(text).unwrap();
            assert_eq!(
                (url.base.as_str(), url.origin.as_str()),
                (base, origin),
                "{text}"
            );
            assert_eq!(ServerUrl::parse(&url.base), Ok(url));
        }
        let own = "0123456789-._~ab";
        let url = ServerUrl::parse(&format!("https://a.example/b/?x=1&token={own}&y#z")).unwrap();
        assert_eq!(
            (url.base.as_str(), url.token.as_str()),
            ("wss://a.example/b", own)
        );
        let other = format!("wss://a.example/b?token={own}c");
        let all = ServerUrl::parse_all(&[url.base.clone(), other]).unwrap();
        assert_eq!(all.len(), 1, "one server, however it is named");
        for secret in ["secret", "a-secret-with a space"] {
            for text in [
                format!("wss://a/?token={secret}"),
                format!("wss://me:{secret}@a/"),
                format!("wss://me@a/?token={secret}"),
                format!("?token={secret}"),
            ] {
                let error = ServerUrl::parse(&text).unwrap_err();
                assert!(!error.detail.contains("secret"), "{}", error.detail);
            }
        }
        for text in ["example.org", "ftp://x", "ws://", "ws://a b", "ws://x\u{7}"] {
            assert_eq!(
                ServerUrl::parse(text).unwrap_err().code,
                Code::InvalidArgument,
                "{text}"
            );
        }
    }
}
