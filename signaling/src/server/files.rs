//! How many files the system lets the server open: each socket is one.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{info, warn};

use crate::settings::{Settings, Turn};

/// Files that are no clients' sockets: listeners, pages being read, logs.
const OTHERS: u64 = 128;

/// Takes as many as the system gives, and promises clients no more than that.
pub(super) fn fit(settings: &mut Settings) {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            warn!(%error, "the limit of open files cannot be raised");
        }
    }
    let Some(files) = getrlimit(Resource::Nofile).current else {
        return;
    };
    let plain = settings.sockets.plain_connections as u64;
    let streams = match settings.turn {
        Turn::Here { .. } => settings.turn_limits.streams as u64,
        Turn::Off | Turn::At { .. } => 0,
    };
    let left = files.saturating_sub(plain + streams + OTHERS).max(1);
    let connections = &mut settings.rooms.limits.connections;
    if *connections as u64 > left {
        info!(
            wanted = *connections,
            given = left,
            "fewer sockets than wanted: the system lets this program open {files} files; raise it \
             (ulimit -n, or LimitNOFILE of systemd)"
        );
        *connections = usize::try_from(left).unwrap_or(usize::MAX);
    }
}
