//! What an operator decides.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use peer_group::limits::{ICE_SERVERS, RENDEZVOUS_SERVERS};
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::Url;

use crate::rooms;
use crate::turn::{self, Secret};

/// What an operator decides. The default is a server on port 8080 of this machine only.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The server as clients dial it; without it, what each client's Host header says.
    pub public_url: Option<PublicUrl>,
    /// A folder of static files to serve.
    pub www: Option<PathBuf>,
    /// Servers that clients are sent to when this one stops.
    pub elsewhere: List<Url, RENDEZVOUS_SERVERS>,
    /// The rules.
    pub rooms: rooms::Config,
    /// Relaying packets between clients that cannot reach each other directly.
    pub turn: Turn,
    /// The rules of that, where it is done here.
    pub turn_limits: turn::Limits,
    /// The bounds of each socket.
    pub sockets: SocketLimits,
}

/// TURN, as an operator decides.
#[derive(Clone, Debug)]
pub enum Turn {
    /// None.
    Off,
    /// In this program.
    Here {
        /// Where to listen, for UDP and TCP; None: as the rendezvous does.
        listen: Option<SocketAddr>,
        /// As clients name this machine; None: as they dialled it.
        host: Option<String>,
    },
    /// Elsewhere, such as a coturn with the same secret.
    At {
        /// Where.
        urls: List<Url, ICE_SERVERS>,
        /// Known there too.
        secret: Secret,
    },
}

impl Default for Turn {
    fn default() -> Self {
        Self::Here {
            listen: None,
            host: None,
        }
    }
}

/// The bounds of each socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// Frames that wait to be read by the client; beyond it the socket is cut.
    pub queue_frames: usize,
    /// Bytes that wait to be read by the client; beyond it the socket is cut.
    pub queue_bytes: usize,
    /// Bytes that wait for all sockets of one address; beyond it one that has some waiting is cut.
    pub queue_bytes_per_address: usize,
    /// Bytes that wait for everybody, likewise.
    pub queue_bytes_in_all: usize,
    /// Between two pings. Browsers answer them without running JavaScript, so hidden pages do.
    pub ping_every: Duration,
    /// Silence after which a socket is taken for dead.
    pub silent_for: Duration,
    /// From the opening of a connection, or from the last answer on it, to the next request.
    pub request_within: Duration,
    /// Connections without a WebSocket: pages being loaded, handshakes. The oldest makes room.
    pub plain_connections: usize,
    /// The same from one address.
    pub plain_connections_per_address: usize,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            queue_frames: 512,
            queue_bytes: 1024 * 1024,
            queue_bytes_per_address: 16 * 1024 * 1024,
            queue_bytes_in_all: 256 * 1024 * 1024,
            ping_every: Duration::from_secs(30),
            silent_for: Duration::from_secs(90),
            request_within: Duration::from_secs(10),
            plain_connections: 2048,
            plain_connections_per_address: 256,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            www: None,
            elsewhere: List::default(),
            rooms: rooms::Config::default(),
            turn: Turn::default(),
            turn_limits: turn::Limits::default(),
            sockets: SocketLimits::default(),
        }
    }
}

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
}
