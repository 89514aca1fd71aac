//! Pairs of connections that frames are relayed for: who may, how much at a time, and how fast.
//!
//! An end may have as many bytes under way as the window says. They count until the other end's
//! socket has taken them, so what waits in memory is bounded however slowly that one reads; and the
//! credit for them is held back while the pair, the address or the server is over its rate.
//!
//! Of a pair whose ends are reached through two machines of a cluster, each has a half ([`afar`]):
//! the same rules hold at both, for what comes in as for what goes out.

use std::collections::{BTreeMap, BTreeSet};

use peer_group::names::Tag;
use peer_group::time::{Millis, Now};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{
    ErrorReason, RelayClosedReason, RelayFrame, ServerMessage, relay_cost,
};

use super::bucket::Bucket;
use super::{ConnId, Failure, Out, Rooms};

mod afar;

pub use afar::{Half, Halves};
use afar::{LOOK_MS, Way};

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

#[cfg(test)]
impl Receipt {
    /// One of no pair.
    pub(crate) fn any() -> Self {
        let (pair, side, cost) = (PairId(0), Side::Low, 0);
        Self { pair, side, cost }
    }
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
    /// To the end that is reached through another machine, if one is.
    way: Option<Box<Way>>,
}

struct End {
    tag: Tag,
    /// None: it is reached through another machine.
    conn: Option<ConnId>,
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

    /// Of a pair with an end at another machine: the tag that is reached through this one, and the other.
    fn here_and_there(&self) -> (Tag, Tag) {
        match self.low.conn {
            Some(_) => (self.low.tag, self.high.tag),
            None => (self.high.tag, self.low.tag),
        }
    }
}

/// Why a pair ends.
#[derive(Clone, Copy)]
enum Ending {
    /// Nothing was sent on it for long.
    Idle,
    /// One side is gone, or did what it may not; the other one hears that it is gone.
    By(Side, RelayClosedReason),
    /// The other machine says so, and need not be told.
    Told(RelayClosedReason),
    /// Something was lost between machines.
    Broken,
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
        let is_afar = low.conn.is_none() || high.conn.is_none();
        let pair = Pair {
            low,
            high,
            rate,
            used_at: now,
            look_at,
            way: is_afar.then(Box::default),
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
        let known = self.pair_of(from, to);
        let id = match known.map_or_else(|| self.open_pair(now, from, to), Ok) {
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
        let len = frame.len() as u64;
        if self.pass(now, id, named(from, to).1, frame) {
            self.counts.relayed_frames += 1;
            self.counts.relayed_bytes += len;
        }
        Ok(())
    }

    /// The pair of two tags, unless either end is reached elsewhere by now.
    fn pair_of(&mut self, one: Tag, other: Tag) -> Option<PairId> {
        let id = *self.pairs.by_tags.get(&named(one, other).0)?;
        let pair = self.pairs.pairs.get(&id)?;
        let stands = |end: &End| end.conn == self.tags.conn(end.tag);
        if stands(&pair.low) && stands(&pair.high) {
            return Some(id);
        }
        self.close_pair(id, Ending::Broken);
        None
    }

    /// Carries a frame from one side of a pair to the other, or ends the pair if that is too much.
    fn pass(&mut self, now: Now, id: PairId, side: Side, frame: RelayFrame) -> bool {
        let cost = relay_cost(&frame);
        let may = self.may_pass(now, id, side, cost);
        let Some(pair) = self.pairs.pairs.get_mut(&id) else {
            return false;
        };
        let (from, target) = (pair.end(side).tag, pair.end(side.other()));
        let (to, conn) = (target.tag, target.conn);
        if !may {
            self.counts.relay_overruns += 1;
            self.tags.unask(to, from);
            self.close_pair(id, Ending::By(side, RelayClosedReason::Quota));
            return false;
        }
        pair.used_at = now.monotonic;
        pair.end(side).credit -= cost;
        pair.rate
            .charge(now.monotonic, self.config.limits.relay_per_pair, cost);
        match conn {
            Some(conn) => self.out.push_back(Out::Send {
                conn,
                bytes: ServerMessage::Relay { from, frame }.to_bytes(),
                receipt: Some(Receipt {
                    pair: id,
                    side,
                    cost,
                }),
            }),
            None => self.carry(id, from, to, Some(frame)),
        }
        true
    }

    /// Begins a pair, whose ends are here or at another machine.
    fn open_pair(&mut self, now: Now, from: Tag, to: Tag) -> Result<PairId, RelayClosedReason> {
        let limits = self.config.limits;
        if !limits.relay {
            return Err(RelayClosedReason::Off);
        }
        let conns = (self.tags.conn(from), self.tags.conn(to));
        match conns {
            (_, Some(_)) if from == to || !self.tags.asked(to, from) => {
                return Err(RelayClosedReason::Unasked);
            }
            // Whether it was asked for shows where the other end is.
            (Some(_), None) if self.afar.is_cluster() => {}
            (_, Some(_)) => {}
            _ => return Err(RelayClosedReason::Gone),
        }
        let full = |conn: ConnId| {
            let connection = self.connections.get(&conn);
            connection.is_none_or(|c| c.pairs.len() >= limits.pairs_per_connection)
        };
        if self.pairs.len() >= limits.pairs
            || conns.0.is_some_and(full)
            || conns.1.is_some_and(full)
            || (conns.1.is_none() && !self.pay_for_note(now, conns.0))
        {
            return Err(RelayClosedReason::Quota);
        }
        let end = |tag, conn| End {
            tag,
            conn,
            credit: limits.relay_bytes,
            taken: 0,
            grant_at: None,
        };
        let (one, other) = (end(from, conns.0), end(to, conns.1));
        let (low, high) = match named(from, to).1 {
            Side::Low => (one, other),
            Side::High => (other, one),
        };
        let rate = Bucket::new(now.monotonic, limits.relay_per_pair);
        let look_ms = match conns {
            (Some(_), Some(_)) => limits.pair_idle_ms,
            _ => limits.pair_idle_ms.min(LOOK_MS),
        };
        let look_at = now.monotonic.saturating_add(look_ms);
        let id = self.pairs.insert(now.monotonic, low, high, rate, look_at);
        for conn in [conns.0, conns.1].into_iter().flatten() {
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
        // An address that is another machine's client was charged there.
        if let Some(conn) = end.conn {
            let address = self.connections.get(&conn).map(|c| c.address);
            let Some(caller) = address.and_then(|address| self.callers.of(address)) else {
                return false;
            };
            // Windows of many pairs at once must not get around the address's rate.
            let rate = limits.relay_per_address;
            if caller.relayed.debt(now.monotonic, rate) > u64::from(rate.burst) {
                return false;
            }
            caller.relayed.charge(now.monotonic, rate, cost);
        }
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
            self.grant(now, pair, side, self.least_credit());
        }
    }

    fn least_credit(&self) -> u32 {
        self.config.limits.relay_bytes / PARTS
    }

    /// Gives an end credit for what was taken, if that is so much, now or when the rates allow it.
    fn grant(&mut self, now: Now, id: PairId, side: Side, least: u32) {
        let limits = self.config.limits;
        let now = now.monotonic;
        let Some(pair) = self.pairs.pairs.get_mut(&id) else {
            return;
        };
        let waits_for_pair = pair.rate.wait(now, limits.relay_per_pair, 0);
        let other = pair.end(side.other()).tag;
        let end = pair.end(side);
        if end.taken < least || end.grant_at.is_some() {
            return;
        }
        let own = end.conn.and_then(|conn| self.connections.get(&conn));
        let caller = own.and_then(|connection| self.callers.of(connection.address));
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
        match end.conn {
            Some(conn) => self.send(conn, &ServerMessage::RelayCredit { to: other, bytes }),
            None => self.tell_taken(id, bytes),
        }
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
            self.grant(now, id, side, self.least_credit());
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
            if idle_at <= now.monotonic {
                self.close_pair(id, Ending::Idle);
                continue;
            }
            pair.look_at = match pair.way {
                None => idle_at,
                Some(_) => idle_at.min(now.monotonic.saturating_add(LOOK_MS)),
            };
            self.pairs.looks.insert((pair.look_at, id));
            self.look_afar(id);
        }
    }

    /// Ends all pairs of a connection that is gone, or whose tag is.
    pub(super) fn close_pairs_of(&mut self, conn: ConnId) {
        let connection = self.connections.get_mut(&conn);
        let pairs = connection.map(|connection| std::mem::take(&mut connection.pairs));
        for id in pairs.unwrap_or_default() {
            let side = match self.pairs.pairs.get(&id) {
                Some(pair) if pair.low.conn == Some(conn) => Side::Low,
                _ => Side::High,
            };
            self.close_pair(id, Ending::By(side, RelayClosedReason::Gone));
        }
    }

    /// Ends a pair, and says so to both sides.
    fn close_pair(&mut self, id: PairId, ending: Ending) {
        let Some(pair) = self.pairs.remove(id) else {
            return;
        };
        for (side, own, other) in [
            (Side::Low, &pair.low, &pair.high),
            (Side::High, &pair.high, &pair.low),
        ] {
            let reason = match ending {
                Ending::Idle => RelayClosedReason::Idle,
                Ending::By(at, reason) if at == side => reason,
                Ending::Told(reason) => reason,
                Ending::By(..) | Ending::Broken => RelayClosedReason::Gone,
            };
            // Nobody is there to hear it.
            let is_gone = matches!(ending, Ending::By(at, RelayClosedReason::Gone) if at == side);
            let to = other.tag;
            match (own.conn, &pair.way, ending) {
                (Some(conn), ..) => {
                    if let Some(connection) = self.connections.get_mut(&conn) {
                        connection.pairs.remove(&id);
                    }
                    if !is_gone {
                        self.send(conn, &ServerMessage::RelayClosed { to, reason });
                    }
                }
                (None, _, Ending::Told(_)) | (None, None, _) => {}
                (None, Some(way), _) => {
                    // Whoever sent more than it may has to be asked for frames again.
                    let unask =
                        matches!(ending, Ending::By(at, RelayClosedReason::Quota) if at != side);
                    self.tell_closed(id, way, (own.tag, to), reason, unask);
                }
            }
        }
    }
}
