//! The command line and the file beside it, both read by one table.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, value_parser};

use crate::settings::Settings;

mod door;
mod file;
mod kind;
mod table;
mod turn;

use kind::{Kind, Value};
use table::{Row, rows};

const ABOUT: &str = "The rendezvous server of peer-group: members of a group find each other here, \
and then talk directly. It learns neither groups nor what is said, and stores nothing.";

const AFTER: &str = "Clients connect to ws://ADDR:PORT, or wss:// with --tls-certificate or where a \
proxy in front speaks TLS. A proxy must pass on the Host header, or --public-url must say it, and is \
named by --trusted-proxy, or all clients seem to have its address.\n\
A client shows a token as Authorization: Bearer TOKEN, or as the WebSocket subprotocol \
peer-group.token.TOKEN.\n\
A rate such as 2/24 is two a second, after up to 24 at once.\n\
GET /healthz answers \"ok\" for load balancers. SIGTERM or Ctrl-C sends clients away in good order. \
RUST_LOG=debug says more, RUST_LOG=warn less.";

/// What the command line asks for.
pub enum Asked {
    /// To serve.
    Serve(Box<Settings>),
    /// To print this, and end.
    Print(String),
}

/// Reads the command line, and the file that it names. Flags win over the file. The error is one
/// that clap prints, `--help` included.
pub fn read(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Asked, Error> {
    let rows = rows();
    let matches = command(&rows).try_get_matches_from(arguments)?;
    let settings = settings(&rows, &matches)?;
    if matches.get_flag("print-config") {
        return Ok(Asked::Print(file::print(&settings, &rows)));
    }
    Ok(Asked::Serve(Box::new(settings)))
}

fn settings(rows: &[Row], matches: &ArgMatches) -> Result<Settings, Error> {
    let fail = |words: String| command(rows).error(ErrorKind::ValueValidation, words);
    let mut settings = Settings::default();
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        file::read(path, rows, &mut settings).map_err(fail)?;
    }
    for row in rows {
        if matches.value_source(row.name) != Some(ValueSource::CommandLine) {
            continue;
        }
        let mut given: Vec<String> = matches
            .get_many::<String>(row.name)
            .map(|all| all.cloned().collect())
            .unwrap_or_default();
        // Logs take what is said here, and these may hold passwords.
        let shown = match row.name {
            "turn-secret" | "cluster" | "token-hook" => "...".to_owned(),
            _ => given.join(", "),
        };
        let value = match row.kind {
            Kind::Many { .. } => Value::List(given),
            _ => Value::Text(given.pop().unwrap_or_default()),
        };
        row.kind.set(&mut settings, &value).map_err(|words| {
            fail(format!(
                "invalid value '{shown}' for '--{} <{}>': {words}",
                row.name, row.value
            ))
        })?;
    }
    turn::check(&settings).map_err(fail)?;
    door::check(&settings).map_err(fail)?;
    if settings.sockets.ping_every >= settings.sockets.silent_for {
        return Err(fail(
            "--ping-seconds must be less than --silent-seconds: who was not asked cannot answer"
                .to_owned(),
        ));
    }
    Ok(settings)
}

fn command(rows: &[Row]) -> Command {
    let mut defaults = Settings::default();
    let flags = rows.iter().map(|row| {
        let default = match row.kind.get(&mut defaults) {
            Some(Value::Number(number)) => format!(" [default: {number}]"),
            Some(Value::Text(text)) => format!(" [default: {text}]"),
            Some(Value::Switch(on)) => format!(" [default: {}]", if on { "on" } else { "off" }),
            Some(Value::List(_)) | None => String::new(),
        };
        let action = match row.kind {
            Kind::Many { .. } => ArgAction::Append,
            _ => ArgAction::Set,
        };
        Arg::new(row.name)
            .long(row.name)
            .value_name(row.value)
            .help(format!("{}{default}", row.help))
            .help_heading(row.heading)
            .action(action)
    });
    Command::new("peer-group-signaling")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER)
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("A TOML file of these options, named as the flags; flags win"),
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                .action(ArgAction::SetTrue)
                .help("Print all options as they are now, as such a file, and end"),
        )
        .args(flags)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::settings::Turn;

    fn parse(arguments: &[&str]) -> Result<Settings, String> {
        let name = ["peer-group-signaling"];
        match read(name.iter().chain(arguments)) {
            Ok(Asked::Serve(settings)) => Ok(*settings),
            Ok(Asked::Print(text)) => panic!("printed {text}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_table_is_consistent_and_the_help_names_every_option() {
        let rows = rows();
        let mut command = command(&rows);
        command.clone().debug_assert();
        let help = command.render_long_help().to_string();
        for row in &rows {
            assert!(
                help.contains(&format!("--{} <{}>", row.name, row.value)),
                "{}",
                row.name
            );
            assert!(
                row.help.len() > 10 && !row.help.ends_with('.'),
                "{}",
                row.name
            );
        }
    }

    /// Reading what is shown changes nothing, and one more than the most is too much.
    #[test]
    fn defaults_are_within_bounds_and_bounds_hold() {
        let default = format!("{:?}", Settings::default());
        for row in rows() {
            let mut settings = Settings::default();
            if let Some(value) = row.kind.get(&mut settings) {
                row.kind
                    .set(&mut settings, &value)
                    .unwrap_or_else(|words| panic!("{}: {value:?}: {words}", row.name));
                assert_eq!(format!("{settings:?}"), default, "{}", row.name);
            }
            let mut refuses = |value: u64| {
                let value = Value::Number(value);
                assert!(row.kind.set(&mut settings, &value).is_err(), "{}", row.name);
            };
            if let Kind::Number {
                bounds: (least, most),
                ..
            } = row.kind
            {
                refuses(most + 1);
                refuses(least.wrapping_sub(1));
                for value in [least, most] {
                    row.kind.set(&mut settings, &Value::Number(value)).unwrap();
                    assert_eq!(row.kind.get(&mut settings), Some(Value::Number(value)));
                }
            }
        }
    }

    #[test]
    fn flags_set_what_they_name() {
        let settings = parse(&[
            "--listen=[::]:7",
            "--connections",
            "9",
            "--requests=3/5",
            "--relay=off",
            "--queue-bytes=2M",
            "--silent-seconds=100",
        ])
        .unwrap();
        assert_eq!(settings.listen.to_string(), "[::]:7");
        let limits = settings.rooms.limits;
        assert_eq!((limits.connections, limits.relay), (9, false));
        assert_eq!((limits.requests.per_second, limits.requests.burst), (3, 5));
        assert_eq!(settings.sockets.queue_bytes, 2 * 1024 * 1024);
        assert_eq!(settings.sockets.silent_for.as_secs(), 100);
    }

    #[test]
    fn ice_servers_are_passed_on_and_unusable_ones_refused() {
        let settings = parse(&["--ice-server", "stun:a:1", "--ice-server", "stuns:b"]).unwrap();
        let urls: Vec<&str> = settings.rooms.ice.iter().map(|s| &*s.urls[0]).collect();
        assert_eq!(urls, ["stun:a:1", "stuns:b"]);
        let turn = parse(&["--ice-server", "turn:a:1"]).unwrap_err();
        assert!(turn.contains("credentials"), "{turn}");
        assert!(parse(&["--ice-server", "http://a"]).is_err());
        let nine = parse(&["--ice-server=stun:a"; 9]).unwrap_err();
        assert!(nine.contains("at most 8"), "{nine}");
    }

    #[test]
    fn turn_is_here_unless_it_is_off_or_elsewhere() {
        let turn = |arguments: &[&str]| parse(arguments).unwrap().turn;
        assert!(matches!(
            turn(&[]),
            Turn::Here {
                listen: None,
                host: None
            }
        ));
        assert!(matches!(turn(&["--turn", "off"]), Turn::Off));
        let Turn::Here { listen, host } =
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
        let elsewhere = ["--turn-url=turn:a", "--turn-secret=a"];
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
            (&[elsewhere[0], elsewhere[1], "--turn=off"], "--turn"),
            (&[elsewhere[0], elsewhere[1], "--turn-host=a"], "--turn"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn tls_takes_a_certificate_and_a_key() {
        let tls = parse(&["--tls-key=b", "--tls-certificate=a"]).unwrap().tls;
        assert_eq!(tls.unwrap().certificate.to_str(), Some("a"));
        assert!(
            parse(&["--tls-key=b"])
                .unwrap_err()
                .contains("--tls-certificate")
        );
        assert!(
            parse(&["--tls-certificate=a"])
                .unwrap_err()
                .contains("--tls-key")
        );
    }

    #[test]
    fn what_is_wrong_is_answered_with_what_is_right() {
        let error = parse(&["--listen", "8080"]).unwrap_err();
        assert!(error.contains("127.0.0.1:8080"), "{error}");
        let error = parse(&["--conections", "8"]).unwrap_err();
        assert!(error.contains("--connections"), "{error}");
        let error = parse(&["--connections", "many"]).unwrap_err();
        assert!(
            error.contains("'many'") && error.contains("--connections"),
            "{error}"
        );
        let error = parse(&["--ping-seconds=120"]).unwrap_err();
        assert!(error.contains("--silent-seconds"), "{error}");
        for wrong in [
            &["--turn-secret=hush-hush"][..],
            &["--cluster=http://me:hush-hush@host"],
            &["--token-hook=ftp://me:hush-hush@host"],
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(&wrong[0][..9]), "{error}");
            assert!(!error.contains("hush-hush"), "{error}");
        }
        assert!(
            parse(&["--config", "/no/such/file"])
                .unwrap_err()
                .contains("/no/such/file")
        );
    }
}
