//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::Uri;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use peer_group::limits::ICE_SERVERS;
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::{IceServer, Url};

use crate::rooms::Config;
use crate::server::Settings;

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

    /// The address that clients dial, if a proxy in front changes the Host header
    #[arg(long, value_name = "URL", value_parser = parse_public_url)]
    pub public_url: Option<Origin>,
}

/// The server's host and port as clients dial them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin(pub String);

impl Options {
    /// What the server takes, or why it cannot.
    pub fn settings(self) -> Result<Settings, clap::Error> {
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
            ..Settings::default()
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
            "a TURN server needs credentials, which cannot be given here; \
                                 only stun: and stuns: can"
                .to_owned(),
        ),
        _ => Err("write for example stun:stun.example.org:3478".to_owned()),
    }
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
        for option in ["--listen", "--www", "--ice-server", "--public-url"] {
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
    fn a_wrong_address_is_answered_with_a_right_one() {
        let error = parse(&["--listen", "8080"]).unwrap_err();
        assert!(error.contains("127.0.0.1:8080"), "{error}");
    }
}
