//! Work that clients must show before what they ask is looked at: a flood of requests from however
//! many addresses then costs its senders far more than it costs the server.
//!
//! An answer fits one puzzle of one connection, is checked by one hash, and buys a few requests. Those
//! who stand somewhere already refresh without it.

use peer_group::crypto::work::is_solved;
use peer_group::limits::WORK_BITS;
use peer_group::time::{Millis, Now};
use peer_group::wire::rendezvous::{ClientMessage, ErrorReason, ServerMessage, work_puzzle};

use super::bucket::Bucket;
use super::{ConnId, Failure, Rooms};

/// Requests that one answer buys: what a page asks to be in a group, and some more.
const BUYS: u8 = 8;
/// How long work is asked for once there were too many requests.
const ASKED_FOR_MS: Millis = 10_000;
/// When to ask again what was not paid for: a browser has done its work by then.
const RETRY_MS: u32 = 2_000;

/// When clients have to work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Work {
    /// Never.
    Off,
    /// While there are many requests.
    #[default]
    Auto,
    /// For so many zero bits, always.
    Always(u8),
}

/// How much there is to do.
pub(super) struct Load {
    requests: Bucket,
    heavy_until: Millis,
}

/// What one connection has worked.
#[derive(Default)]
pub(super) struct Account {
    /// Zero bits that it was last asked for; 0: no answer is due.
    asked: u8,
    /// Puzzles that it has solved.
    solved: u32,
    /// Requests that it has paid for.
    paid: u8,
}

impl Load {
    pub(super) fn new(requests: Bucket) -> Self {
        Self {
            requests,
            heavy_until: 0,
        }
    }
}

/// Whether a message is one that must be paid for: it costs a signature, or makes us keep something.
pub(super) fn has_its_price(message: &ClientMessage) -> bool {
    matches!(
        message,
        ClientMessage::Listen { .. }
            | ClientMessage::Join { .. }
            | ClientMessage::Resolve { .. }
            | ClientMessage::Turn {}
    )
}

impl Rooms {
    /// Zero bits that are asked for now; 0 for no work.
    pub(super) fn work_bits(&self, now: Now) -> u8 {
        match self.config.limits.work {
            Work::Always(bits) => bits,
            Work::Auto if now.monotonic < self.load.heavy_until => WORK_BITS,
            Work::Auto | Work::Off => 0,
        }
    }

    /// Notes that there is one request more.
    pub(super) fn weigh(&mut self, now: Now) {
        let rate = self.config.limits.work_above;
        if self.load.requests.take(now.monotonic, rate).is_err() {
            self.load.heavy_until = now.monotonic.saturating_add(ASKED_FOR_MS);
        }
    }

    /// Asks a connection for work; whoever refuses it is not looked at.
    pub(super) fn ask_for_work(&mut self, conn: ConnId, bits: u8) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.work.asked = bits;
            self.counts.work_asked += 1;
            self.send(conn, &ServerMessage::Work { bits });
        }
    }

    /// Takes the price of a request from a connection.
    pub(super) fn pay(&mut self, conn: ConnId, bits: u8) -> Result<(), Failure> {
        let account = &mut self.connection(conn)?.work;
        if account.paid > 0 {
            account.paid -= 1;
            return Ok(());
        }
        self.ask_for_work(conn, bits);
        Err(Failure {
            reason: ErrorReason::Rate,
            retry_after_ms: RETRY_MS,
        })
    }

    /// Takes an answer. Nobody honest gives a wrong one, or one that was not asked for.
    pub(super) fn worked(
        &mut self,
        conn: ConnId,
        challenge: &[u8; 32],
        answer: u64,
    ) -> Result<(), Failure> {
        let crypto = self.crypto;
        let account = &mut self.connection(conn)?.work;
        let puzzle = work_puzzle(challenge, account.solved);
        if account.asked == 0 || !is_solved(crypto, &puzzle, answer, account.asked) {
            return Err(ErrorReason::Malformed.into());
        }
        *account = Account {
            asked: 0,
            solved: account.solved.wrapping_add(1),
            paid: BUYS,
        };
        self.counts.work_done += 1;
        Ok(())
    }
}
