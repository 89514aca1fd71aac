//! Credentials that end by themselves: a user name that says until when, and its keyed hash as the
//! password. coturn takes the same (`use-auth-secret`), so one secret serves either.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use peer_group::limits::ICE_SERVERS;
use peer_group::names::Tag;
use peer_group::time::Millis;
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::{ServerMessage, Url};
use sha1::Sha1;

/// Seconds that credentials let their holder begin something.
pub const CREDENTIALS_S: u16 = 600;
/// Bytes of a user name: twenty digits, a colon and sixteen hexadecimal digits.
const USER_BYTES: usize = 37;

/// What credentials are made with.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Whom credentials are for, and until when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct User {
    /// Wall seconds since 1970.
    pub(super) until_s: u64,
    /// The same for every credential of one node.
    pub(super) id: u64,
}

impl User {
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        if name.len() > USER_BYTES {
            return None;
        }
        let (until, id) = std::str::from_utf8(name).ok()?.split_once(':')?;
        Some(Self {
            until_s: until.parse().ok()?,
            id: u64::from_str_radix(id, 16).ok()?,
        })
    }
}

impl Secret {
    /// A secret that an operator shares with another server, or random bytes.
    #[must_use]
    pub fn new(secret: impl Into<Vec<u8>>) -> Self {
        Self(secret.into())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The password that goes with a user name.
    #[must_use]
    pub fn password(&self, user: &[u8]) -> String {
        STANDARD.encode(self.keyed(user))
    }

    pub(super) fn keyed(&self, text: &[u8]) -> [u8; 20] {
        // HMAC takes keys of any length, so this fails for none.
        Hmac::<Sha1>::new_from_slice(&self.0).map_or([0; 20], |mut mac| {
            mac.update(text);
            mac.finalize().into_bytes().into()
        })
    }

    fn user(&self, tag: Tag, wall: Millis) -> String {
        let until = wall / 1000 + u64::from(CREDENTIALS_S);
        // Not the tag: who hears it can write to its node.
        let hash = self.keyed(&[b"user".as_slice(), &tag.0].concat());
        let id = hash
            .first_chunk()
            .map_or(0, |head| u64::from_be_bytes(*head));
        format!("{until}:{id:x}")
    }
}

/// What is handed out to those who ask for TURN.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Known to the TURN servers too.
    pub secret: Secret,
    /// Where these are.
    pub servers: Servers,
}

/// Where TURN servers are.
#[derive(Clone, Debug)]
pub enum Servers {
    /// In this program.
    Here {
        /// As clients name this machine; None: as they dialled it.
        host: Option<String>,
        /// For UDP and TCP.
        port: u16,
        /// For TLS, where it is spoken.
        tls_port: Option<u16>,
    },
    /// Elsewhere, such as a coturn.
    At(List<Url, ICE_SERVERS>),
}

impl Offer {
    /// The answer to Turn for the node under `tag`, which dialled `origin`.
    #[must_use]
    pub fn answer(&self, origin: &str, tag: Tag, wall: Millis) -> ServerMessage {
        let user = self.secret.user(tag, wall);
        let password = self.secret.password(user.as_bytes());
        ServerMessage::Turn {
            urls: self.urls(origin),
            user: Url::new(user).unwrap_or_default(),
            password: Url::new(password).unwrap_or_default(),
            seconds: CREDENTIALS_S,
        }
    }

    /// The STUN server that comes with TURN in this program.
    #[must_use]
    pub fn stun(&self, origin: &str) -> Option<Url> {
        let (host, port) = self.here(origin)?;
        Url::new(format!("stun:{host}:{port}"))
    }

    fn urls(&self, origin: &str) -> List<Url, ICE_SERVERS> {
        let Some((host, port)) = self.here(origin) else {
            return match &self.servers {
                Servers::At(urls) => urls.clone(),
                Servers::Here { .. } => List::default(),
            };
        };
        let ways = ["udp", "tcp"].map(|way| format!("turn:{host}:{port}?transport={way}"));
        let tls = match self.servers {
            Servers::Here {
                tls_port: Some(port),
                ..
            } => Some(format!("turns:{host}:{port}?transport=tcp")),
            _ => None,
        };
        let all = ways.into_iter().chain(tls);
        List::first(all.filter_map(Url::new).collect())
    }

    fn here<'a>(&'a self, origin: &'a str) -> Option<(&'a str, u16)> {
        match &self.servers {
            Servers::Here { host, port, .. } => {
                Some((host.as_deref().unwrap_or(host_of(origin)), *port))
            }
            Servers::At(_) => None,
        }
    }
}

/// The host in `host`, `host:port`, `[address]` or `[address]:port`.
fn host_of(origin: &str) -> &str {
    match origin.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(host: Option<&str>) -> Offer {
        Offer {
            secret: Secret::new("north"),
            servers: Servers::Here {
                host: host.map(Into::into),
                port: 3478,
                tls_port: None,
            },
        }
    }

    /// As coturn's users make them: openssl's base64 of the HMAC-SHA1 of the user name.
    #[test]
    fn a_password_is_what_coturn_expects() {
        // printf 1700000000:2a | openssl dgst -sha1 -hmac north -binary | base64
        let password = Secret::new("north").password(b"1700000000:2a");
        assert_eq!(password, "gucIojMxl4F37bc8e8MoAqsmtgA=");
    }

    #[test]
    fn credentials_end_after_ten_minutes_and_name_one_user_per_tag() {
        let user = |tag, wall| {
            let ServerMessage::Turn {
                user,
                password,
                seconds,
                ..
            } = offer(None).answer("a", tag, wall)
            else {
                panic!("no answer")
            };
            assert_eq!(seconds, 600);
            assert_eq!(*password, *Secret::new("north").password(user.as_bytes()));
            User::parse(user.as_bytes()).unwrap()
        };
        let first = user(Tag([1; 16]), 1_700_000_000_999);
        assert_eq!(first.until_s, 1_700_000_600);
        let later = user(Tag([1; 16]), 1_700_000_300_000);
        assert_eq!((later.until_s, later.id), (1_700_000_900, first.id));
        assert_ne!(user(Tag([2; 16]), 1_700_000_000_000).id, first.id);
        let tag = format!("{:x}", u64::from_be_bytes([1; 8]));
        assert_ne!(format!("{:x}", first.id), tag);
        for wrong in [
            "",
            ":",
            "1",
            "1:",
            "x:1",
            "1:g",
            "-1:1",
            "1:11111111111111111",
        ] {
            assert_eq!(User::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn servers_here_are_named_as_the_client_dialled_this_one() {
        for (origin, host) in [
            ("example.org", "example.org"),
            ("example.org:8080", "example.org"),
            ("[::1]", "[::1]"),
            ("[::1]:8080", "[::1]"),
        ] {
            let urls = offer(None).urls(origin);
            let urls: Vec<&str> = urls.iter().map(|url| &**url).collect();
            let expected = ["udp", "tcp"].map(|way| format!("turn:{host}:3478?transport={way}"));
            assert_eq!(urls, expected);
            let stun = offer(None).stun(origin).unwrap();
            assert_eq!(*stun, format!("stun:{host}:3478"));
        }
        let with_tls = Offer {
            servers: Servers::Here {
                host: None,
                port: 3478,
                tls_port: Some(443),
            },
            ..offer(None)
        };
        let urls = with_tls.urls("example.org");
        assert_eq!(&*urls[2], "turns:example.org:443?transport=tcp");
        let elsewhere = offer(Some("192.0.2.1")).stun("example.org").unwrap();
        assert_eq!(&*elsewhere, "stun:192.0.2.1:3478");
        let coturn = Offer {
            servers: Servers::At(List::first(vec![Url::new("turn:b").unwrap()])),
            ..offer(None)
        };
        assert_eq!(coturn.stun("a"), None);
        assert_eq!(&*coturn.urls("a")[0], "turn:b");
    }
}
