//! What an operator decides.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use peer_group::limits::ICE_SERVERS;
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::Url;

use crate::rooms;
use crate::turn::{self, Secret};

mod names;

pub use names::{ClusterUrls, HookUrl, Network, PageOrigin, PublicUrl};

/// What an operator decides. The default is a server on port 8080 of this machine only.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The server as clients dial it; without it, what each client's Host header says.
    pub public_url: Option<PublicUrl>,
    /// The files of TLS; without them, TLS is a proxy's business.
    pub tls: Option<TlsFiles>,
    /// Proxies that are believed when they say for whom they speak.
    pub trusted_proxies: Vec<Network>,
    /// A folder of static files to serve.
    pub www: Option<PathBuf>,
    /// Origins whose pages may open sockets and read what is served; none: all may open sockets.
    pub allowed_origins: Vec<PageOrigin>,
    /// A file of tokens, one of which clients must show.
    pub token_file: Option<PathBuf>,
    /// Where to ask whether a token is right.
    pub token_hook: Option<HookUrl>,
    /// Where to serve metrics.
    pub metrics: Option<SocketAddr>,
    /// How the log is written.
    pub log: LogFormat,
    /// Between two looks whether files of certificates and tokens have changed.
    pub look_every: Duration,
    /// Where the other machines of a cluster are found; None: there are none.
    pub cluster: Option<ClusterUrls>,
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
            tls: None,
            trusted_proxies: Vec::new(),
            www: None,
            allowed_origins: Vec::new(),
            token_file: None,
            token_hook: None,
            metrics: None,
            log: LogFormat::default(),
            look_every: Duration::from_secs(5),
            cluster: None,
            rooms: rooms::Config::default(),
            turn: Turn::default(),
            turn_limits: turn::Limits::default(),
            sockets: SocketLimits::default(),
        }
    }
}

/// The files of TLS, in PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate and those that vouch for it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Text in quotes, as TOML and JSON both read it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}
