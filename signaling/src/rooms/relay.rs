//! Pairs of connections that frames are relayed for: who may, how much at a time, and how fast.
//!
//! An end may have as many bytes under way as the window says. They count until the other end's
//! socket has taken them, so what waits in memory is bounded however slowly that one reads; and the
//! credit for them is held back while the pair, the address or the server is over its rate.

use std::collections::{BTreeMap, BTreeSet};

use peer_group::names::Tag;
use peer_group::time::{Millis, Now};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{
    ErrorReason, RelayClosedReason, RelayFrame, ServerMessage, relay_cost,
};

use super::bucket::Bucket;
use super::{ConnId, Failure, Out, Rooms};

/// Credit is given in parts of the window no smaller than this, so that it costs few messages.
const PARTS: u32 = 4;

/// Which end of a pair: that of the lower tag, or the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    Low,
    High,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// Names a pair for as long as it lasts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct PairId(u64);

/// Comes with a relayed frame, and is given back once the frame's socket has taken it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    pair: PairId,
    /// Who sent it.
    side: Side,
    cost: u32,
}

/// All pairs.
#[derive(Default)]
pub(super) struct Pairs {
    pairs: BTreeMap<PairId, Pair>,
    by_tags: BTreeMap<(Tag, Tag), PairId>,
    /// When to look whether a pair is idle.
    looks: BTreeSet<(Millis, PairId)>,
    /// When credit that was held back may be given.
    grants: BTreeSet<(Millis, PairId, Side)>,
    last: u64,
}

struct Pair {
    low: End,
    high: End,
    rate: Bucket,
    used_at: Millis,
    look_at: Millis,
}

struct End {
    tag: Tag,
    conn: ConnId,
    credit: u32,
    /// Bytes that the other end has taken and that no credit was given for yet.
    taken: u32,
    grant_at: Option<Millis>,
}

impl Pair {
    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }
}

fn named(one: Tag, other: Tag) -> ((Tag, Tag), Side) {
    if one <= other {
        ((one, other), Side::Low)
    } else {
        ((other, one), Side::High)
    }
}

impl Pairs {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// When something is due.
    pub(super) fn next_timeout(&self) -> Option<Millis> {
        let look = self.looks.first().map(|(at, _)| *at);
        let grant = self.grants.first().map(|(at, ..)| *at);
        look.into_iter().chain(grant).min()
    }

    fn insert(
        &mut self,
        now: Millis,
        low: End,
        high: End,
        rate: Bucket,
        look_at: Millis,
    ) -> PairId {
        self.last += 1;
        let id = PairId(self.last);
        self.by_tags.insert((low.tag, high.tag), id);
        self.looks.insert((look_at, id));
        let pair = Pair {
            low,
            high,
            rate,
            used_at: now,
            look_at,
        };
        self.pairs.insert(id, pair);
        id
    }

    fn remove(&mut self, id: PairId) -> Option<Pair> {
        let pair = self.pairs.remove(&id)?;
        self.by_tags.remove(&(pair.low.tag, pair.high.tag));
        self.looks.remove(&(pair.look_at, id));
        for (end, side) in [(&pair.low, Side::Low), (&pair.high, Side::High)] {
            if let Some(at) = end.grant_at {
                self.grants.remove(&(at, id, side));
            }
        }
        Some(pair)
    }
}

impl Rooms {
    /// Carries a frame to the other end of a pair, which begins with it if need be.
    pub(super) fn relay(
        &mut self,
        now: Now,
        conn: ConnId,
        to: Tag,
        frame: RelayFrame,
    ) -> Result<(), Failure> {
        let from = self.connection(conn)?.tag.ok_or(ErrorReason::Tag)?;
        let cost = relay_cost(&frame);
        let (tags, side) = named(from, to);
        let known = self.pairs.by_tags.get(&tags).copied();
        let id = match known.map_or_else(|| self.open_pair(now, conn, from, to), Ok) {
            Ok(id) => id,
            Err(reason) => {
                // A frame that passes is paid for by its bytes, one that does not like a signal.
                let limits = self.config.limits;
                let signals = &mut self.connection(conn)?.signals;
                let taken = signals.take(now.monotonic, limits.signals);
                self.send(conn, &ServerMessage::RelayClosed { to, reason });
                return taken.map_err(|retry_after_ms| Failure {
                    reason: ErrorReason::Rate,
                    retry_after_ms,
                });
            }
        };
        if !self.may_pass(now, id, side, cost) {
            self.counts.relay_overruns += 1;
            self.tags.unask(to, from);
            self.close_pair(id, Some((side, RelayClosedReason::Quota)));
            return Ok(());
        }
        let Some(pair) = self.pairs.pairs.get_mut(&id) else {
            return Ok(());
        };
        pair.used_at = now.monotonic;
        pair.end(side).credit -= cost;
        let target = pair.end(side.other()).conn;
        pair.rate
            .charge(now.monotonic, self.config.limits.relay_per_pair, cost);
        self.counts.relayed_frames += 1;
        self.counts.relayed_bytes += frame.len() as u64;
        self.out.push_back(Out::Send {
            conn: target,
            bytes: ServerMessage::Relay { from, frame }.to_bytes(),
            receipt: Some(Receipt {
                pair: id,
                side,
                cost,
            }),
        });
        Ok(())
    }

    fn open_pair(
        &mut self,
        now: Now,
        conn: ConnId,
        from: Tag,
        to: Tag,
    ) -> Result<PairId, RelayClosedReason> {
        let limits = self.config.limits;
        if !limits.relay {
            return Err(RelayClosedReason::Off);
        }
        // Frames are not carried between machines.
        let nobody = match self.afar.is_cluster() {
            true => RelayClosedReason::Off,
            false => RelayClosedReason::Gone,
        };
        let target = self.tags.conn(to).ok_or(nobody)?;
        if from == to || !self.tags.asked(to, from) {
            return Err(RelayClosedReason::Unasked);
        }
        let full = |conn: &ConnId| {
            let connection = self.connections.get(conn);
            connection.is_none_or(|c| c.pairs.len() >= limits.pairs_per_connection)
        };
        if self.pairs.len() >= limits.pairs || full(&conn) || full(&target) {
            return Err(RelayClosedReason::Quota);
        }
        let end = |tag, conn| End {
            tag,
            conn,
            credit: limits.relay_bytes,
            taken: 0,
            grant_at: None,
        };
        let (one, other) = (end(from, conn), end(to, target));
        let (low, high) = match named(from, to).1 {
            Side::Low => (one, other),
            Side::High => (other, one),
        };
        let rate = Bucket::new(now.monotonic, limits.relay_per_pair);
        let look_at = now.monotonic.saturating_add(limits.pair_idle_ms);
        let id = self.pairs.insert(now.monotonic, low, high, rate, look_at);
        for conn in [conn, target] {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.pairs.insert(id);
            }
        }
        Ok(id)
    }

    /// Whether an end may send so much now; if so, its address is charged for it.
    fn may_pass(&mut self, now: Now, id: PairId, side: Side, cost: u32) -> bool {
        let limits = self.config.limits;
        let Some(pair) = self.pairs.pairs.get_mut(&id) else {
            return false;
        };
        let end = pair.end(side);
        if end.credit < cost {
            return false;
        }
        let address = self.connections.get(&end.conn).map(|c| c.address);
        let Some(caller) = address.and_then(|address| self.callers.of(address)) else {
            return false;
        };
        // Windows of many pairs at once must not get around the address's rate.
        let rate = limits.relay_per_address;
        if caller.relayed.debt(now.monotonic, rate) > u64::from(rate.burst) {
            return false;
        }
        caller.relayed.charge(now.monotonic, rate, cost);
        self.relayed
            .charge(now.monotonic, limits.relay_in_all, cost);
        true
    }

    /// A relayed frame was taken by the socket that it was for.
    pub fn taken(&mut self, now: Now, receipt: Receipt) {
        self.tick(now);
        let Receipt { pair, side, cost } = receipt;
        if let Some(found) = self.pairs.pairs.get_mut(&pair) {
            let end = found.end(side);
            end.taken = end.taken.saturating_add(cost);
            self.grant(now, pair, side);
        }
    }

    /// Gives an end credit for what was taken, now or when the rates allow it.
    fn grant(&mut self, now: Now, id: PairId, side: Side) {
        let limits = self.config.limits;
        let now = now.monotonic;
        let Some(pair) = self.pairs.pairs.get_mut(&id) else {
            return;
        };
        let waits_for_pair = pair.rate.wait(now, limits.relay_per_pair, 0);
        let other = pair.end(side.other()).tag;
        let end = pair.end(side);
        if end.taken < limits.relay_bytes / PARTS || end.grant_at.is_some() {
            return;
        }
        let address = self.connections.get(&end.conn).map(|c| c.address);
        let caller = address.and_then(|address| self.callers.of(address));
        let waits = [
            waits_for_pair,
            caller.map_or(Ok(()), |caller| {
                caller.relayed.wait(now, limits.relay_per_address, 0)
            }),
            self.relayed.wait(now, limits.relay_in_all, 0),
        ];
        if let Some(wait) = waits.into_iter().filter_map(Result::err).max() {
            let at = now.saturating_add(u64::from(wait));
            end.grant_at = Some(at);
            self.pairs.grants.insert((at, id, side));
            return;
        }
        let bytes = std::mem::take(&mut end.taken);
        end.credit = end.credit.saturating_add(bytes);
        let conn = end.conn;
        self.send(conn, &ServerMessage::RelayCredit { to: other, bytes });
    }

    /// Gives the credit that is due, and closes pairs that rest.
    pub(super) fn tick_pairs(&mut self, now: Now) {
        while let Some((at, id, side)) = self.pairs.grants.first().copied() {
            if at > now.monotonic {
                break;
            }
            self.pairs.grants.remove(&(at, id, side));
            if let Some(pair) = self.pairs.pairs.get_mut(&id) {
                pair.end(side).grant_at = None;
            }
            self.grant(now, id, side);
        }
        while let Some((at, id)) = self.pairs.looks.first().copied() {
            if at > now.monotonic {
                break;
            }
            self.pairs.looks.remove(&(at, id));
            let Some(pair) = self.pairs.pairs.get_mut(&id) else {
                continue;
            };
            let idle_at = pair.used_at.saturating_add(self.config.limits.pair_idle_ms);
            if idle_at > now.monotonic {
                pair.look_at = idle_at;
                self.pairs.looks.insert((idle_at, id));
                continue;
            }
            self.close_pair(id, None);
        }
    }

    /// Ends all pairs of a connection that is gone, or whose tag is.
    pub(super) fn close_pairs_of(&mut self, conn: ConnId) {
        let connection = self.connections.get_mut(&conn);
        let pairs = connection.map(|connection| std::mem::take(&mut connection.pairs));
        for id in pairs.unwrap_or_default() {
            let side = match self.pairs.pairs.get(&id) {
                Some(pair) if pair.low.conn == conn => Side::Low,
                _ => Side::High,
            };
            self.close_pair(id, Some((side, RelayClosedReason::Gone)));
        }
    }

    /// Ends a pair: for the reason at the side that gave it, else because it was idle. The other
    /// side of a reason hears that the first one is gone.
    fn close_pair(&mut self, id: PairId, why: Option<(Side, RelayClosedReason)>) {
        let Some(pair) = self.pairs.remove(id) else {
            return;
        };
        for (side, own, other) in [
            (Side::Low, &pair.low, &pair.high),
            (Side::High, &pair.high, &pair.low),
        ] {
            if let Some(connection) = self.connections.get_mut(&own.conn) {
                connection.pairs.remove(&id);
            }
            let reason = match why {
                None => RelayClosedReason::Idle,
                // Nobody is there to hear it.
                Some((at, RelayClosedReason::Gone)) if at == side => continue,
                Some((at, reason)) if at == side => reason,
                Some(_) => RelayClosedReason::Gone,
            };
            let to = other.tag;
            self.send(own.conn, &ServerMessage::RelayClosed { to, reason });
        }
    }
}
