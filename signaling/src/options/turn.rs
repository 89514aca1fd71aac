//! The options of STUN and TURN.

use std::net::{Ipv6Addr, SocketAddr};

use peer_group::limits::ICE_SERVERS;
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::Url;

use super::kind::{Kind, Unit};
use super::table::{GIB, MANY, Row, numbers, rates};
use crate::settings::{Settings, Turn};
use crate::turn::Secret;

const TURN: &str = "STUN and TURN";

/// What --turn and --turn-host say together with --turn-url.
const EITHER: &str = "--turn-url sends clients elsewhere; leave out --turn and --turn-host then";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::from(places());
    rows.extend(numbers!(TURN:
        ("turn-allocations", Each, 1, MANY, turn_limits.allocations,
         "Relayed addresses in all; each takes less than 1 KiB"),
        ("turn-allocations-per-client", Each, 1, 10_000, turn_limits.per_user,
         "The same of one client"),
        ("turn-allocations-per-address", Each, 1, MANY, turn_limits.per_address,
         "The same from one address"),
        ("turn-permissions", Each, 1, 10_000, turn_limits.permissions,
         "Others that one relayed address may let in"),
        ("turn-streams", Each, 1, MANY, turn_limits.streams,
         "Connections to TURN over TCP"),
        ("turn-streams-per-address", Each, 1, MANY, turn_limits.streams_per_address,
         "The same from one address"),
    ));
    rows.extend(rates!(TURN:
        ("turn-bytes", Bytes, GIB, turn_limits.bytes,
         "Bytes that one relayed address may send"),
        ("turn-strangers", Each, MANY, turn_limits.strangers,
         "Answers to one address that shows no credentials"),
    ));
    rows
}

/// What no single option can tell.
pub(super) fn check(settings: &Settings) -> Result<(), String> {
    match &settings.turn {
        Turn::At { secret, .. } if secret.is_empty() => {
            Err("--turn-url needs --turn-secret, which that server knows too".to_owned())
        }
        _ => Ok(()),
    }
}

fn places() -> [Row; 4] {
    [
        Row {
            name: "turn",
            value: "ADDR:PORT|off",
            heading: TURN,
            help: "Where to answer STUN and TURN, over UDP and TCP, so that clients behind strict \
                   networks meet over this server, and reach nothing else through it. \
                   Default: as --listen",
            kind: Kind::One {
                set: set_turn,
                show: |settings| match &settings.turn {
                    Turn::Off => Some("off".to_owned()),
                    Turn::Here { listen, .. } => listen.map(|listen| listen.to_string()),
                    Turn::At { .. } => None,
                },
            },
        },
        Row {
            name: "turn-host",
            value: "HOST",
            heading: TURN,
            help: "This machine's name or address as clients reach it for TURN, if that is not \
                   what they dial",
            kind: Kind::One {
                set: set_host,
                show: |settings| match &settings.turn {
                    Turn::Here { host, .. } => host.clone(),
                    Turn::Off | Turn::At { .. } => None,
                },
            },
        },
        Row {
            name: "turn-url",
            value: "URL",
            heading: TURN,
            help: "A TURN server to send clients to instead, such as a coturn with \
                   --use-auth-secret; may be repeated, up to 8 times",
            kind: Kind::Many {
                most: ICE_SERVERS,
                set: set_urls,
                show: |settings| match &settings.turn {
                    Turn::At { urls, .. } => urls.iter().map(|url| url.to_string()).collect(),
                    Turn::Off | Turn::Here { .. } => Vec::new(),
                },
            },
        },
        Row {
            name: "turn-secret",
            value: "SECRET|@FILE",
            heading: TURN,
            help: "The secret that this TURN server knows too, or @FILE to read it from a file; \
                   never printed",
            kind: Kind::One {
                set: set_secret,
                show: |_| None,
            },
        },
    ]
}

fn set_turn(settings: &mut Settings, text: &str) -> Result<(), String> {
    let at = match text {
        "off" => None,
        text => {
            let words = "write an IP address and a port, for example 0.0.0.0:3478, or off";
            Some(text.parse::<SocketAddr>().map_err(|_| words.to_owned())?)
        }
    };
    settings.turn = match (&settings.turn, at) {
        (Turn::At { .. }, _) => return Err(EITHER.to_owned()),
        (_, None) => Turn::Off,
        (Turn::Here { host, .. }, listen) => Turn::Here {
            listen,
            host: host.clone(),
        },
        (Turn::Off, listen) => Turn::Here { listen, host: None },
    };
    Ok(())
}

fn set_host(settings: &mut Settings, text: &str) -> Result<(), String> {
    let address = text.strip_prefix('[');
    let fits = match address.and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
            !text.is_empty() && text.len() <= 253 && text.chars().all(plain)
        }
    };
    if !fits {
        let example = "write for example turn.example.org, 192.0.2.1 or [2001:db8::1], \
                       without a port";
        return Err(example.to_owned());
    }
    match &mut settings.turn {
        Turn::Here { host, .. } => *host = Some(text.to_owned()),
        Turn::Off => return Err("TURN is off, so nobody needs to know its host".to_owned()),
        Turn::At { .. } => return Err(EITHER.to_owned()),
    }
    Ok(())
}

fn set_urls(settings: &mut Settings, all: &[String]) -> Result<(), String> {
    let urls: Result<Vec<Url>, String> = all.iter().map(|url| turn_url(url)).collect();
    let secret = match &settings.turn {
        Turn::At { secret, .. } => secret.clone(),
        Turn::Here {
            listen: None,
            host: None,
        } => Secret::new(""),
        Turn::Off | Turn::Here { .. } => return Err(EITHER.to_owned()),
    };
    settings.turn = Turn::At {
        urls: List::first(urls?),
        secret,
    };
    Ok(())
}

fn turn_url(text: &str) -> Result<Url, String> {
    match text.split_once(':') {
        Some(("turn" | "turns", rest)) if !rest.is_empty() && !rest.starts_with('/') => {
            Url::new(text).ok_or_else(|| "longer than 255 bytes".to_owned())
        }
        _ => Err("write for example turn:turn.example.org:3478?transport=udp".to_owned()),
    }
}

fn set_secret(settings: &mut Settings, text: &str) -> Result<(), String> {
    let Turn::At { secret, .. } = &mut settings.turn else {
        return Err("it goes with --turn-url, the server that knows it too".to_owned());
    };
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| format!("{file} cannot be read: {error}"))?,
        None => text.to_owned(),
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err("it is empty, and anybody could guess that".to_owned());
    }
    *secret = Secret::new(text);
    Ok(())
}
