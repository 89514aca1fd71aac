//! What a machine counts of its cluster.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted by the driver of the cluster; nothing, on a machine that is alone.
#[derive(Default)]
pub(in crate::server) struct Between {
    /// 1 if there is to be a cluster.
    pub(in crate::server) wanted: AtomicU64,
    /// 1 while the others can be reached.
    pub(in crate::server) connected: AtomicU64,
    pub(in crate::server) outages: AtomicU64,
    pub(in crate::server) machines: AtomicU64,
    /// Tags and topics that others can reach here.
    pub(in crate::server) heard: AtomicU64,
    pub(in crate::server) notes_in: AtomicU64,
    pub(in crate::server) notes_out: AtomicU64,
    pub(in crate::server) lost: AtomicU64,
    pub(in crate::server) asked: AtomicU64,
    pub(in crate::server) unanswered: AtomicU64,
    pub(in crate::server) packets_in: AtomicU64,
    pub(in crate::server) packets_out: AtomicU64,
}

/// One number: its name, what it is, and where.
pub(super) type Row = (&'static str, &'static str, fn(&Between) -> &AtomicU64);

pub(super) const ROWS: &[Row] = &[
    (
        "peer_group_cluster_wanted",
        "1 if there is to be a cluster.",
        |all| &all.wanted,
    ),
    (
        "peer_group_cluster_connected",
        "1 while NATS can be reached; else this machine goes on alone.",
        |all| &all.connected,
    ),
    (
        "peer_group_cluster_outages_total",
        "Times that NATS was lost.",
        |all| &all.outages,
    ),
    (
        "peer_group_cluster_machines",
        "Other machines that are there now.",
        |all| &all.machines,
    ),
    (
        "peer_group_cluster_subscriptions",
        "Tags and topics that others can reach here now.",
        |all| &all.heard,
    ),
    (
        "peer_group_cluster_notes_in_total",
        "What other machines said or asked here.",
        |all| &all.notes_in,
    ),
    (
        "peer_group_cluster_notes_out_total",
        "What was said or asked to others.",
        |all| &all.notes_out,
    ),
    (
        "peer_group_cluster_lost_total",
        "What could not be said: NATS away, or too much waiting.",
        |all| &all.lost,
    ),
    (
        "peer_group_cluster_questions_total",
        "Samples and signals asked of others.",
        |all| &all.asked,
    ),
    (
        "peer_group_cluster_unanswered_total",
        "Those that not everybody answered in time.",
        |all| &all.unanswered,
    ),
    (
        "peer_group_cluster_packets_in_total",
        "Packets of TURN from other machines.",
        |all| &all.packets_in,
    ),
    (
        "peer_group_cluster_packets_out_total",
        "Packets of TURN to other machines.",
        |all| &all.packets_out,
    ),
];

impl Between {
    /// What somebody hears who asks whether the machine is well: without the others it still is, as a
    /// machine that is alone.
    pub(in crate::server) fn health(&self) -> &'static str {
        let is = |one: &AtomicU64| one.load(Ordering::Relaxed) != 0;
        if is(&self.wanted) && !is(&self.connected) {
            "ok, but alone: the cluster cannot be reached\n"
        } else {
            "ok\n"
        }
    }
}
