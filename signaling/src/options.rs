//! The command line.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use axum::http::Uri;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use peer_group::limits::ICE_SERVERS;
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::{IceServer, Url};

use crate::rooms::Config;
use crate::server::{Settings, Turn};
use crate::turn::{self, Secret};

/// The rendezvous server of peer-group: members of a group find each other here, and then talk
/// directly. It learns neither groups nor what is said, and stores nothing.
#[derive(Parser, Debug)]
#[command(
    name = "peer-group-signaling",
    version,
    after_help = "Clients connect to ws://ADDR:PORT, or wss:// where a proxy in front speaks TLS. \
                  A proxy must pass on the Host header, or --public-url must say it.\n\
                  GET /healthz answers \"ok\" for load balancers. SIGTERM or Ctrl-C sends clients \
                  away in good order. RUST_LOG=debug says more, RUST_LOG=warn less."
)]
pub struct Options {
    /// Where to listen; port 0 picks a free one, which the first line of output names
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", value_parser = parse_address)]
    pub listen: SocketAddr,

    /// A folder of static files to serve at /, such as a demo
    #[arg(long, value_name = "DIR")]
    pub www: Option<PathBuf>,

    /// A STUN server that clients are told to use; may be repeated, up to 8 times
    #[arg(long = "ice-server", value_name = "URL", value_parser = parse_ice_server)]
    pub ice_servers: Vec<Url>,

    /// Where to answer STUN and TURN, over UDP and TCP, so that clients behind strict networks meet
    /// over this server, and reach nothing else through it: an address, or `off`. Default: as
    /// --listen
    #[arg(long, value_name = "ADDR:PORT|off", value_parser = parse_turn)]
    pub turn: Option<TurnAt>,

    /// This machine's name or address as clients reach it for TURN, if that is not what they dial
    #[arg(long, value_name = "HOST", value_parser = parse_turn_host)]
    pub turn_host: Option<String>,

    /// A TURN server to send clients to instead, such as a coturn with --use-auth-secret; may be
    /// repeated, up to 8 times
    #[arg(long, value_name = "URL", value_parser = parse_turn_url, requires = "turn_secret",
          conflicts_with_all = ["turn", "turn_host"])]
    pub turn_url: Vec<Url>,

    /// The secret that this TURN server knows too, or @FILE to read it from a file
    #[arg(long, value_name = "SECRET|@FILE", value_parser = parse_turn_secret, requires = "turn_url")]
    pub turn_secret: Option<Secret>,

    /// The address that clients dial, if a proxy in front changes the Host header
    #[arg(long, value_name = "URL", value_parser = parse_public_url)]
    pub public_url: Option<Origin>,
}

/// Where TURN is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnAt {
    /// Nowhere.
    Off,
    /// There.
    Address(SocketAddr),
}

/// The server's host and port as clients dial them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin(pub String);

impl Options {
    /// What the server takes, or why it cannot.
    pub fn settings(self) -> Result<Settings, clap::Error> {
        let turn = self.turn()?;
        let ice = self
            .ice_servers
            .into_iter()
            .map(|url| IceServer {
                urls: List::first(vec![url]),
                username: Url::default(),
                credential: Url::default(),
            })
            .collect();
        let ice = List::new(ice).ok_or_else(|| {
            let words = format!("at most {ICE_SERVERS} times --ice-server: clients take no more");
            Self::command().error(ErrorKind::TooManyValues, words)
        })?;
        Ok(Settings {
            listen: self.listen,
            www: self.www,
            origin: self.public_url.map(|Origin(origin)| origin),
            rooms: Config {
                ice,
                ..Config::default()
            },
            turn,
            ..Settings::default()
        })
    }

    fn turn(&self) -> Result<Turn, clap::Error> {
        if let Some(secret) = &self.turn_secret {
            let urls = List::new(self.turn_url.clone()).ok_or_else(|| {
                let words = format!("at most {ICE_SERVERS} times --turn-url: clients take no more");
                Self::command().error(ErrorKind::TooManyValues, words)
            })?;
            let secret = secret.clone();
            return Ok(Turn::At { urls, secret });
        }
        let listen = match self.turn {
            Some(TurnAt::Off) => return Ok(Turn::Off),
            Some(TurnAt::Address(address)) => Some(address),
            None => None,
        };
        Ok(Turn::Here {
            listen,
            host: self.turn_host.clone(),
            limits: turn::Limits::default(),
        })
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "write an IP address and a port, for example 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"
            .to_owned()
    })
}

fn parse_ice_server(text: &str) -> Result<Url, String> {
    let scheme = text.split(':').next().unwrap_or_default();
    match scheme {
        "stun" | "stuns" => Url::new(text).ok_or_else(|| "longer than 255 bytes".to_owned()),
        // Browsers refuse a TURN server without a user name and a password.
        "turn" | "turns" => Err(
            "a TURN server needs credentials: name it with --turn-url and \
                                 --turn-secret; here only stun: and stuns: can be"
                .to_owned(),
        ),
        _ => Err("write for example stun:stun.example.org:3478".to_owned()),
    }
}

fn parse_turn(text: &str) -> Result<TurnAt, String> {
    if text == "off" {
        return Ok(TurnAt::Off);
    }
    parse_address(text)
        .map(TurnAt::Address)
        .map_err(|words| format!("{words}; or write off"))
}

fn parse_turn_host(text: &str) -> Result<String, String> {
    let example = "write for example turn.example.org, 192.0.2.1 or [2001:db8::1], without a port";
    let is_address = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let fits = match is_address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
            !text.is_empty() && text.len() <= 253 && text.chars().all(plain)
        }
    };
    fits.then(|| text.to_owned())
        .ok_or_else(|| example.to_owned())
}

fn parse_turn_url(text: &str) -> Result<Url, String> {
    match text.split_once(':') {
        Some(("turn" | "turns", rest)) if !rest.is_empty() && !rest.starts_with('/') => {
            Url::new(text).ok_or_else(|| "longer than 255 bytes".to_owned())
        }
        _ => Err("write for example turn:turn.example.org:3478?transport=udp".to_owned()),
    }
}

fn parse_turn_secret(text: &str) -> Result<Secret, String> {
    let secret = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| format!("{file} cannot be read: {error}"))?,
        None => text.to_owned(),
    };
    let secret = secret.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err("it is empty, and anybody could guess that".to_owned());
    }
    Ok(Secret::new(secret))
}

fn parse_public_url(text: &str) -> Result<Origin, String> {
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
    Ok(Origin(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let name = ["peer-group-signaling"];
        Options::try_parse_from(name.iter().chain(arguments)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent_and_its_help_names_every_option() {
        let mut command = Options::command();
        command.clone().debug_assert();
        let help = command.render_long_help().to_string();
        for option in [
            "--listen",
            "--www",
            "--ice-server",
            "--public-url",
            "--turn",
            "--turn-host",
            "--turn-url",
            "--turn-secret",
        ] {
            assert!(help.contains(option), "{option} is missing in:\n{help}");
        }
    }

    #[test]
    fn a_public_url_gives_the_origin_that_browsers_dial() {
        for (url, origin) in [
            ("https://Example.org", "example.org"),
            ("https://example.org:443/", "example.org"),
            ("wss://example.org:8443", "example.org:8443"),
            ("http://example.org:443", "example.org:443"),
            ("http://[::1]:80/a/path", "[::1]"),
        ] {
            let options = parse(&["--public-url", url]).unwrap();
            assert_eq!(options.public_url, Some(Origin(origin.into())), "{url}");
        }
        for url in [
            "example.org",
            "ftp://example.org",
            "https://",
            "https://a@b.org",
        ] {
            assert!(parse(&["--public-url", url]).is_err(), "{url}");
        }
    }

    #[test]
    fn ice_servers_are_passed_on_and_unusable_ones_refused() {
        let options = parse(&["--ice-server", "stun:a:1", "--ice-server", "stuns:b"]).unwrap();
        let settings = options.settings().unwrap();
        let urls: Vec<&str> = settings.rooms.ice.iter().map(|s| &*s.urls[0]).collect();
        assert_eq!(urls, ["stun:a:1", "stuns:b"]);
        let turn = parse(&["--ice-server", "turn:a:1"]).unwrap_err();
        assert!(turn.contains("credentials"), "{turn}");
        assert!(parse(&["--ice-server", "http://a"]).is_err());
        let nine = parse(&["--ice-server=stun:a"; 9]).unwrap().settings();
        assert!(nine.unwrap_err().to_string().contains("at most 8"));
    }

    #[test]
    fn turn_is_here_unless_it_is_off_or_elsewhere() {
        let turn = |arguments: &[&str]| parse(arguments).unwrap().settings().unwrap().turn;
        assert!(matches!(
            turn(&[]),
            Turn::Here {
                listen: None,
                host: None,
                ..
            }
        ));
        assert!(matches!(turn(&["--turn", "off"]), Turn::Off));
        let Turn::Here { listen, host, .. } =
            turn(&["--turn=0.0.0.0:3478", "--turn-host=[2001:db8::1]"])
        else {
            panic!("not here")
        };
        assert_eq!(listen, Some(SocketAddr::from(([0, 0, 0, 0], 3478))));
        assert_eq!(host.as_deref(), Some("[2001:db8::1]"));
        let Turn::At { urls, .. } = turn(&["--turn-url=turns:a:5349", "--turn-secret=north"])
        else {
            panic!("not elsewhere")
        };
        assert_eq!(&*urls[0], "turns:a:5349");
        for (wrong, words) in [
            (&["--turn", "on"][..], "off"),
            (&["--turn-host", "a:1"], "without a port"),
            (&["--turn-host", ""], "without a port"),
            (&["--turn-url", "turn:a"], "--turn-secret"),
            (&["--turn-secret", "a"], "--turn-url"),
            (&["--turn-secret", "", "--turn-url", "turn:a"], "guess"),
            (
                &["--turn-secret", "@/no/such/file", "--turn-url", "turn:a"],
                "/no/such/file",
            ),
            (
                &["--turn-secret", "a", "--turn-url", "stun:a"],
                "turn:turn.example.org",
            ),
            (
                &[
                    "--turn-secret",
                    "a",
                    "--turn-url",
                    "turn:a",
                    "--turn",
                    "off",
                ],
                "--turn",
            ),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_wrong_address_is_answered_with_a_right_one() {
        let error = parse(&["--listen", "8080"]).unwrap_err();
        assert!(error.contains("127.0.0.1:8080"), "{error}");
    }
}
