//! Numbers for Prometheus, in its text format: three lines for each need no library.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::routing::get;

use super::doorstep::Doorstep;
use super::hall::Hall;
use crate::rooms::Counts;
use crate::turn;

mod between;

pub(super) use between::Between;

/// What sockets count themselves; the rules have their own ([`Counts`]).
#[derive(Default)]
pub(super) struct Tally {
    /// Sockets cut because they read too slowly.
    pub(super) cut: AtomicU64,
    /// Sockets that were silent for too long.
    pub(super) silent: AtomicU64,
    /// Connections whose TLS came to nothing.
    pub(super) tls_failed: AtomicU64,
    /// Sockets refused for their page's origin or their token.
    pub(super) not_admitted: AtomicU64,
    /// How long messages took.
    pub(super) took: Histogram,
    /// What goes on between machines.
    pub(super) between: Between,
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Upper bounds of the classes of times, in microseconds.
const CLASSES_US: [u64; 8] = [50, 100, 250, 1_000, 5_000, 25_000, 100_000, 1_000_000];

/// Times, by class.
#[derive(Default)]
pub(super) struct Histogram {
    classes: [AtomicU64; CLASSES_US.len()],
    all: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    /// Adds one.
    pub(super) fn add(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let class = CLASSES_US.iter().position(|bound| us <= *bound);
        if let Some(class) = class.and_then(|class| self.classes.get(class)) {
            count(class);
        }
        count(&self.all);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    fn write(&self, out: &mut String, name: &str, help: &str) {
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} histogram\n");
        let mut below = 0;
        for (class, bound) in self.classes.iter().zip(CLASSES_US) {
            below += class.load(Ordering::Relaxed);
            let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {below}", seconds(bound));
        }
        // Read last, so that it is never less than the classes together.
        let all = self.all.load(Ordering::Relaxed).max(below);
        let sum = seconds(self.sum_us.load(Ordering::Relaxed));
        let _ = write!(
            out,
            "{name}_bucket{{le=\"+Inf\"}} {all}\n{name}_sum {sum}\n{name}_count {all}\n"
        );
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1_000_000.0
}

/// All that is told.
pub(super) struct Numbers {
    rooms: Counts,
    turn: turn::Counts,
    plain: u64,
    turned_away: u64,
    waiting_bytes: u64,
    cut: u64,
    silent: u64,
    tls_failed: u64,
    not_admitted: u64,
    resident_bytes: u64,
    far_bytes: u64,
}

/// One number.
struct Row {
    name: &'static str,
    help: &'static str,
    of: fn(&Numbers) -> u64,
}

/// Names that end in `_total` only grow; the others are as it is now.
macro_rules! rows {
    ($(($name:literal, $($of:ident).+, $help:literal)),* $(,)?) => {
        &[$(Row { name: concat!("peer_group_", $name), help: $help, of: |numbers| numbers.$($of).+ as u64 }),*]
    };
}

const ROWS: &[Row] = rows![
    ("sockets", rooms.sockets, "WebSockets open now."),
    (
        "addresses",
        rooms.addresses,
        "Addresses (IPv6: /64) that have a WebSocket now."
    ),
    (
        "plain_connections",
        plain,
        "Connections that are no WebSocket now."
    ),
    ("tags", rooms.tags, "Clients that can be reached now."),
    ("topics", rooms.topics, "Topics with somebody in them now."),
    (
        "announcements",
        rooms.announcements,
        "Announcements that stand now."
    ),
    (
        "pairs",
        rooms.pairs,
        "Pairs of clients that frames are relayed for now."
    ),
    (
        "waiting_bytes",
        waiting_bytes,
        "Bytes that wait for slow clients now."
    ),
    (
        "resident_bytes",
        resident_bytes,
        "Memory of this process now."
    ),
    (
        "sockets_opened_total",
        rooms.sockets_opened,
        "WebSockets let in."
    ),
    (
        "sockets_refused_total",
        rooms.sockets_refused,
        "WebSockets refused: server or address had enough."
    ),
    (
        "sockets_not_admitted_total",
        not_admitted,
        "WebSockets refused: origin of the page, or token."
    ),
    (
        "sockets_cut_total",
        cut,
        "WebSockets cut: they read too slowly."
    ),
    (
        "sockets_silent_total",
        silent,
        "WebSockets ended: nothing was heard for too long."
    ),
    (
        "plain_turned_away_total",
        turned_away,
        "Connections that had to make room."
    ),
    (
        "tls_failed_total",
        tls_failed,
        "Connections whose TLS came to nothing."
    ),
    ("messages_total", rooms.messages, "Messages of clients."),
    (
        "malformed_total",
        rooms.malformed,
        "Messages that were none, or out of order."
    ),
    (
        "joins_total",
        rooms.joins,
        "Requests to join that were granted."
    ),
    (
        "bad_signatures_total",
        rooms.bad_signatures,
        "Signatures that did not fit."
    ),
    (
        "rate_limited_total",
        rooms.rate_limited,
        "Messages refused: too many."
    ),
    (
        "work_asked_total",
        rooms.work_asked,
        "Times that a client was asked for work."
    ),
    (
        "work_done_total",
        rooms.work_done,
        "Work that clients have shown."
    ),
    ("signals_total", rooms.signals, "Signals passed on."),
    (
        "signals_refused_total",
        rooms.signals_refused,
        "Signals refused: nobody there, or too many."
    ),
    (
        "relayed_frames_total",
        rooms.relayed_frames,
        "Frames relayed."
    ),
    (
        "relayed_bytes_total",
        rooms.relayed_bytes,
        "Bytes of frames relayed."
    ),
    (
        "relay_overruns_total",
        rooms.relay_overruns,
        "Pairs closed: an end sent more than it may."
    ),
    (
        "cluster_claims_told_total",
        rooms.claims_told,
        "Tags that others were told to be reached here."
    ),
    (
        "cluster_claims_yielded_total",
        rooms.claims_yielded,
        "Tags that were left to another machine."
    ),
    (
        "cluster_waiting_bytes",
        far_bytes,
        "Bytes of signals and frames that wait for other machines now."
    ),
    (
        "turn_allocations",
        turn.allocations,
        "Relayed addresses of TURN now."
    ),
    (
        "turn_packets_total",
        turn.packets,
        "Packets relayed by TURN."
    ),
    ("turn_bytes_total", turn.bytes, "Bytes relayed by TURN."),
    (
        "turn_forbidden_total",
        turn.forbidden,
        "Requests to reach by TURN what is not of this server."
    ),
];

/// What the numbers are read from.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) hall: Arc<Hall>,
    pub(super) doorstep: Arc<Doorstep>,
    pub(super) turn: Option<Arc<turn::Sockets>>,
}

impl Sources {
    fn text(&self) -> String {
        let tally = &self.hall.tally;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (plain, turned_away) = self.doorstep.counts();
        let numbers = Numbers {
            rooms: self.hall.counts(),
            turn: self
                .turn
                .as_ref()
                .map(|turn| turn.counts())
                .unwrap_or_default(),
            plain: plain as u64,
            turned_away,
            waiting_bytes: self.hall.waiting() as u64,
            cut: read(&tally.cut),
            silent: read(&tally.silent),
            tls_failed: read(&tally.tls_failed),
            not_admitted: read(&tally.not_admitted),
            resident_bytes: resident_bytes(),
            far_bytes: self.hall.far_bytes() as u64,
        };
        let mut out = String::new();
        for Row { name, help, of } in ROWS {
            write_row(&mut out, name, help, of(&numbers));
        }
        for (name, help, of) in between::ROWS {
            write_row(&mut out, name, help, read(of(&tally.between)));
        }
        let help = "Time a message took, waiting for its turn included.";
        tally
            .took
            .write(&mut out, "peer_group_message_seconds", help);
        out
    }
}

fn write_row(out: &mut String, name: &str, help: &str, value: u64) {
    let kind = if name.ends_with("_total") {
        "counter"
    } else {
        "gauge"
    };
    let _ = write!(
        out,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
    );
}

/// What the system counts as this process's memory; 0 where it does not say.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// What is served beside the clients, for those who run the server.
pub(super) fn router(sources: Sources) -> Router {
    let tally = Arc::clone(&sources.hall.tally);
    let metrics = async move || {
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], sources.text())
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async move || tally.between.health()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_in_their_class_and_all_above() {
        let histogram = Histogram::default();
        for us in [50, 51, 4_000, 2_000_000] {
            histogram.add(Duration::from_micros(us));
        }
        let mut text = String::new();
        histogram.write(&mut text, "x", "Some.");
        let expected = "# HELP x Some.\n# TYPE x histogram\n\
            x_bucket{le=\"0.00005\"} 1\nx_bucket{le=\"0.0001\"} 2\nx_bucket{le=\"0.00025\"} 2\n\
            x_bucket{le=\"0.001\"} 2\nx_bucket{le=\"0.005\"} 3\nx_bucket{le=\"0.025\"} 3\n\
            x_bucket{le=\"0.1\"} 3\nx_bucket{le=\"1\"} 3\nx_bucket{le=\"+Inf\"} 4\n\
            x_sum 2.004101\nx_count 4\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn names_are_prometheus_own_kind_and_none_is_there_twice() {
        let between = between::ROWS.iter().map(|(name, ..)| *name);
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.name).chain(between).collect();
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(names.iter().all(|name| name.chars().all(plain)));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROWS.len() + between::ROWS.len());
    }
}
