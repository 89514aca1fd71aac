//! Every option, once: its flag, which is its key in a file too, its bounds and its help.

use std::path::PathBuf;

use peer_group::limits::{
    ANNOUNCEMENT_TTL_S, ICE_SERVERS, RELAY_FRAME_BYTES, RELAY_HEAD_BYTES, WORK_BITS_MAX,
};
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::{IceServer, Url};

use super::kind::{Kind, Unit};
use super::{door, turn};
use crate::rooms::Work;
use crate::settings::{ClusterUrls, LogFormat, PublicUrl};

/// One option.
pub(super) struct Row {
    /// `--NAME` on the command line, `NAME` in a file.
    pub(super) name: &'static str,
    /// What stands for its value in the help.
    pub(super) value: &'static str,
    /// Under which heading it stands.
    pub(super) heading: &'static str,
    /// What it does, in a line or two.
    pub(super) help: &'static str,
    /// What may be written.
    pub(super) kind: Kind,
}

const SERVER: &str = "Server";
const MEETING: &str = "Limits of what clients ask";
const RELAYING: &str = "Relay";
const SOCKETS: &str = "Limits of sockets";

/// The most of anything that is counted: far beyond what one process can do.
pub(super) const MANY: u64 = 10_000_000;
const MIB: u64 = 1024 * 1024;
pub(super) const GIB: u64 = 1024 * MIB;

/// The rows of one heading with a number: name, unit, bounds, place, help.
macro_rules! numbers {
    ($heading:ident: $(($name:literal, $unit:ident, $least:expr, $most:expr, $($at:ident).+, $help:literal)),* $(,)?) => {
        [$(Row {
            name: $name,
            value: match Unit::$unit { Unit::Each => "COUNT", Unit::Bytes => "BYTES", Unit::Seconds | Unit::WholeSeconds => "SECONDS" },
            heading: $heading,
            help: $help,
            kind: Kind::Number { unit: Unit::$unit, bounds: ($least, $most), at: |settings| &mut settings.$($at).+ },
        }),*]
    };
}

/// The same with a rate.
macro_rules! rates {
    ($heading:ident: $(($name:literal, $unit:ident, $most:expr, $($at:ident).+, $help:literal)),* $(,)?) => {
        [$(Row {
            name: $name,
            value: "RATE/BURST",
            heading: $heading,
            help: $help,
            kind: Kind::Rate { unit: Unit::$unit, most: $most, at: |settings| &mut settings.$($at).+ },
        }),*]
    };
}

pub(super) use {numbers, rates};

/// All of them, in the order of the help.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(server());
    rows.extend(telling());
    rows.extend(door::rows());
    rows.extend(meeting());
    rows.extend(meeting_rates());
    rows.push(work());
    rows.extend(relaying());
    rows.extend(sockets());
    rows.extend(turn::rows());
    rows
}

fn server() -> [Row; 3] {
    [
        Row {
            name: "listen",
            value: "ADDR:PORT",
            heading: SERVER,
            help: "Where to listen; port 0 picks a free one, which the first line of output names",
            kind: Kind::One {
                set: |settings, text| {
                    settings.listen = text.parse().map_err(|_| {
                        "write an IP address and a port, for example 127.0.0.1:8080, \
                         0.0.0.0:8080 or [::]:8080"
                            .to_owned()
                    })?;
                    Ok(())
                },
                show: |settings| Some(settings.listen.to_string()),
            },
        },
        Row {
            name: "public-url",
            value: "URL",
            heading: SERVER,
            help: "The address that clients dial, if a proxy in front changes the Host header",
            kind: Kind::One {
                set: |settings, text| {
                    settings.public_url = Some(PublicUrl::parse(text)?);
                    Ok(())
                },
                show: |settings| settings.public_url.as_ref().map(|url| url.url().to_owned()),
            },
        },
        Row {
            name: "www",
            value: "DIR",
            heading: SERVER,
            help: "A folder of static files to serve at /, such as a demo",
            kind: Kind::One {
                set: |settings, text| {
                    settings.www = Some(PathBuf::from(text));
                    Ok(())
                },
                show: |settings| settings.www.as_ref().map(|www| www.display().to_string()),
            },
        },
    ]
}

fn telling() -> [Row; 4] {
    [
        Row {
            name: "metrics",
            value: "ADDR:PORT",
            heading: SERVER,
            help: "Where to serve /metrics, for Prometheus, and /healthz; not for the public",
            kind: Kind::One {
                set: |settings, text| {
                    let words = "write an IP address and a port, for example 127.0.0.1:9090";
                    settings.metrics = Some(text.parse().map_err(|_| words.to_owned())?);
                    Ok(())
                },
                show: |settings| settings.metrics.map(|at| at.to_string()),
            },
        },
        Row {
            name: "log",
            value: "text|json",
            heading: SERVER,
            help: "How the log is written; it never shows tags, messages or whole addresses",
            kind: Kind::One {
                set: |settings, text| {
                    settings.log = match text {
                        "text" => LogFormat::Text,
                        "json" => LogFormat::Json,
                        _ => return Err("write text or json".to_owned()),
                    };
                    Ok(())
                },
                show: |settings| {
                    let text = match settings.log {
                        LogFormat::Text => "text",
                        LogFormat::Json => "json",
                    };
                    Some(text.to_owned())
                },
            },
        },
        Row {
            name: "ice-server",
            value: "URL",
            heading: SERVER,
            help: "A STUN server that clients are told to use; may be repeated, up to 8 times",
            kind: Kind::Many {
                most: ICE_SERVERS,
                set: |settings, all| {
                    let all: Result<Vec<_>, _> = all.iter().map(|url| ice_server(url)).collect();
                    settings.rooms.ice = List::first(all?);
                    Ok(())
                },
                show: |settings| {
                    let all = settings.rooms.ice.iter();
                    all.filter_map(|server| server.urls.first().map(|url| url.to_string()))
                        .collect()
                },
            },
        },
        Row {
            name: "cluster",
            value: "URL",
            heading: SERVER,
            help: "The NATS servers through which several machines behind one address are one \
                   server, with commas between them",
            kind: Kind::One {
                set: |settings, text| {
                    settings.cluster = Some(ClusterUrls::parse(text)?);
                    Ok(())
                },
                show: |settings| settings.cluster.as_ref().map(|urls| urls.all().join(",")),
            },
        },
    ]
}

fn meeting() -> [Row; 8] {
    numbers!(MEETING:
        ("connections", Each, 1, MANY, rooms.limits.connections,
         "Sockets open at once; an idle one takes 4.6 KiB here, 12 with TLS, and some more in the kernel"),
        ("connections-per-address", Each, 1, MANY, rooms.limits.connections_per_address,
         "Sockets open at once from one address (IPv6: from one /64)"),
        ("topics", Each, 1, MANY, rooms.limits.topics,
         "Topics with somebody in them, in all"),
        ("topics-per-connection", Each, 2, 1_000, rooms.limits.topics_per_connection,
         "Topics that one client may stand in at a time; a group takes up to six"),
        ("entries-per-topic", Each, 1, MANY, rooms.limits.entries_per_topic,
         "Announcements in one topic; each takes up to 1.2 KiB"),
        ("announcement-seconds", WholeSeconds, 60, u64::from(ANNOUNCEMENT_TTL_S), rooms.limits.ttl_s,
         "How long an announcement stands without a refresh, at most"),
        ("correspondents", Each, 1, 1_000, rooms.limits.correspondents,
         "Correspondents of a client that are told when it is gone"),
        ("hello-within", Seconds, 1, 300, rooms.limits.hello_ms,
         "From the opening of a socket to its first message"),
    )
}

fn work() -> Row {
    Row {
        name: "work",
        value: "auto|off|BITS",
        heading: MEETING,
        help: "Whether clients must solve a puzzle before such requests are looked at: when there \
               are many, never, or always, for so many zero bits (18 take a browser some 0.4 s)",
        kind: Kind::One {
            set: |settings, text| {
                settings.rooms.limits.work = match text {
                    "auto" => Work::Auto,
                    "off" => Work::Off,
                    bits => {
                        let bits = bits.parse().ok();
                        let bits = bits.filter(|bits| (1..=WORK_BITS_MAX).contains(bits));
                        let words = || {
                            format!(
                                "write auto, off, or 1 to {WORK_BITS_MAX}: clients work for no more"
                            )
                        };
                        Work::Always(bits.ok_or_else(words)?)
                    }
                };
                Ok(())
            },
            show: |settings| {
                Some(match settings.rooms.limits.work {
                    Work::Auto => "auto".to_owned(),
                    Work::Off => "off".to_owned(),
                    Work::Always(bits) => bits.to_string(),
                })
            },
        },
    }
}

fn meeting_rates() -> [Row; 8] {
    rates!(MEETING:
        ("opened-per-address", Each, MANY, rooms.limits.opened_per_address,
         "Sockets opened from one address"),
        ("requests", Each, MANY, rooms.limits.requests,
         "Requests of one socket that cost a signature or a sample"),
        ("requests-per-address", Each, MANY, rooms.limits.requests_per_address,
         "The same from one address"),
        ("requests-in-all", Each, MANY, rooms.limits.requests_in_all,
         "The same from everybody; a core takes some 18 000 joins a second"),
        ("work-above", Each, MANY, rooms.limits.work_above,
         "Requests from everybody that are many, for --work auto"),
        ("signals", Each, MANY, rooms.limits.signals,
         "Signals and pings of one socket; a signal counts again for each 4 KiB of it"),
        ("signals-per-address", Each, MANY, rooms.limits.signals_per_address,
         "The same from one address"),
        ("inbox", Each, MANY, rooms.limits.inbox,
         "Signals to one client, so that strangers cannot make it drown"),
    )
}

fn relaying() -> Vec<Row> {
    let frame = RELAY_FRAME_BYTES as u64 + u64::from(RELAY_HEAD_BYTES);
    let mut rows = vec![Row {
        name: "relay",
        value: "on|off",
        heading: RELAYING,
        help: "Whether to carry the sealed traffic of pairs that have no direct way yet",
        kind: Kind::Switch {
            at: |settings| &mut settings.rooms.limits.relay,
        },
    }];
    rows.extend(numbers!(RELAYING:
        ("relay-window", Bytes, 2 * frame, 16 * MIB, rooms.limits.relay_bytes,
         "Bytes that one end of a pair may have under way; they wait here if the other is slow"),
        ("pairs", Each, 1, MANY, rooms.limits.pairs,
         "Pairs that are relayed for, in all"),
        ("pairs-per-connection", Each, 1, 1_000, rooms.limits.pairs_per_connection,
         "Pairs of one client"),
        ("pair-idle-seconds", Seconds, 10, 86_400, rooms.limits.pair_idle_ms,
         "Silence after which a pair is closed"),
    ));
    rows.extend(rates!(RELAYING:
        ("relay-per-pair", Bytes, GIB, rooms.limits.relay_per_pair,
         "Bytes relayed for one pair, both ways together"),
        ("relay-per-address", Bytes, GIB, rooms.limits.relay_per_address,
         "Bytes relayed from one address"),
        ("relay-in-all", Bytes, GIB, rooms.limits.relay_in_all,
         "Bytes relayed for everybody"),
    ));
    rows
}

fn sockets() -> [Row; 9] {
    numbers!(SOCKETS:
        ("ping-seconds", Seconds, 5, 300, sockets.ping_every,
         "Between two pings; hidden pages answer them too"),
        ("silent-seconds", Seconds, 75, 3_600, sockets.silent_for,
         "Silence after which a client is taken for dead; below 75 hidden pages would be cut"),
        ("request-within", Seconds, 1, 300, sockets.request_within,
         "From the opening of a connection, or the last answer on it, to the next request"),
        ("plain-connections", Each, 16, MANY, sockets.plain_connections,
         "Connections that load pages or are not a WebSocket yet; the oldest makes room"),
        ("plain-connections-per-address", Each, 8, MANY, sockets.plain_connections_per_address,
         "The same from one address"),
        ("queue-frames", Each, 16, MANY, sockets.queue_frames,
         "Messages that wait for one slow client; beyond it the client is cut"),
        ("queue-bytes", Bytes, 64 * 1024, GIB, sockets.queue_bytes,
         "Bytes that wait for one slow client; beyond it the client is cut"),
        ("queue-bytes-per-address", Bytes, MIB, 64 * GIB, sockets.queue_bytes_per_address,
         "Bytes that wait for all clients of one address; beyond it slow ones are cut"),
        ("queue-bytes-in-all", Bytes, MIB, 1024 * GIB, sockets.queue_bytes_in_all,
         "Bytes that wait for everybody; beyond it slow clients are cut"),
    )
}

fn ice_server(text: &str) -> Result<IceServer, String> {
    let scheme = text.split(':').next().unwrap_or_default();
    let url = match scheme {
        "stun" | "stuns" => Url::new(text).ok_or("longer than 255 bytes")?,
        // Browsers refuse a TURN server without a user name and a password.
        "turn" | "turns" => {
            return Err(
                "a TURN server needs credentials: name it with --turn-url and \
                        --turn-secret; here only stun: and stuns: can be"
                    .to_owned(),
            );
        }
        _ => return Err("write for example stun:stun.example.org:3478".to_owned()),
    };
    Ok(IceServer {
        urls: List::first(vec![url]),
        username: Url::default(),
        credential: Url::default(),
    })
}
