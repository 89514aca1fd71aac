//! What a rendezvous server must do, as those outside see it: a second, simple account of who is
//! where, checked against everything that the server says.

use std::collections::{BTreeMap, BTreeSet};

use peer_group::crypto::work::is_solved;
use peer_group::crypto::{FAKE, tag_of};
use peer_group::limits::SAMPLE;
use peer_group::names::{Tag, Topic};
use peer_group::time::Millis;
use peer_group::wire::rendezvous::{
    ClientMessage, Entry, ErrorReason, Payload, RelayFrame, ServerMessage, relay_cost, work_puzzle,
};
use peer_group_signaling::rooms::{ConnId, Counts, Limits, Work};

/// The work that clients of some of these servers always have to do.
pub(crate) const ALWAYS: Work = Work::Always(2);
/// Requests that they may make for it.
const BUYS: u32 = 8;

/// What a step may cause besides answers to who took it: it, or nothing.
#[derive(Default)]
pub(crate) struct Step {
    /// Who asked what.
    pub(crate) asked: Option<(ConnId, ClientMessage)>,
    /// Whom a signal is for, from whom it is, and what it says.
    pub(crate) signal: Option<(ConnId, Tag, Payload)>,
    /// The same for a frame.
    frame: Option<(ConnId, Tag, RelayFrame)>,
    /// Errors that were said in it.
    errors: Vec<(ConnId, ErrorReason)>,
}

/// The account.
pub(crate) struct Model {
    limits: Limits,
    /// Others may answer as well, and later.
    cluster: bool,
    open: BTreeSet<ConnId>,
    welcomed: BTreeMap<ConnId, [u8; 32]>,
    holders: BTreeMap<Tag, ConnId>,
    /// Until when, and for how long at a time.
    stands: BTreeMap<(Topic, Tag), (Millis, Millis)>,
    /// Who ever wrote to whom.
    wrote: BTreeSet<(Tag, Tag)>,
    /// Signals that may still be refused.
    refusable: BTreeMap<(ConnId, Tag), u32>,
    /// Who was asked to work, for how many bits.
    asked: BTreeMap<ConnId, u8>,
    /// Puzzles that they have solved, and requests that they may make for it.
    worked: BTreeMap<ConnId, (u32, u32)>,
    /// Bytes that one sent to another and has no credit for again.
    under_way: BTreeMap<(Tag, Tag), u32>,
}

impl Model {
    /// Nobody there.
    pub(crate) fn new(limits: Limits, cluster: bool) -> Self {
        Self {
            limits,
            cluster,
            open: BTreeSet::new(),
            welcomed: BTreeMap::new(),
            holders: BTreeMap::new(),
            stands: BTreeMap::new(),
            wrote: BTreeSet::new(),
            refusable: BTreeMap::new(),
            asked: BTreeMap::new(),
            worked: BTreeMap::new(),
            under_way: BTreeMap::new(),
        }
    }

    pub(crate) fn opened(&mut self, conn: ConnId) {
        self.open.insert(conn);
    }

    /// It closed, or was closed.
    pub(crate) fn closed(&mut self, conn: ConnId) {
        self.open.remove(&conn);
        self.welcomed.remove(&conn);
        self.asked.remove(&conn);
        self.worked.remove(&conn);
        self.released(conn);
    }

    pub(crate) fn open(&self) -> Vec<ConnId> {
        self.open.iter().copied().collect()
    }

    pub(crate) fn challenge(&self, conn: ConnId) -> [u8; 32] {
        self.welcomed.get(&conn).copied().unwrap_or_default()
    }

    /// The puzzle that is to be solved, and for how many bits.
    pub(crate) fn puzzle(&self, conn: ConnId) -> ([u8; 32], u8) {
        let solved = self.worked.get(&conn).map_or(0, |(solved, _)| *solved);
        let bits = self.asked.get(&conn).copied().unwrap_or(1);
        (work_puzzle(&self.challenge(conn), solved), bits)
    }

    pub(crate) fn holder(&self, tag: Tag) -> Option<ConnId> {
        self.holders.get(&tag).copied()
    }

    fn tag_of(&self, conn: ConnId) -> Option<Tag> {
        let mut all = self.holders.iter();
        all.find(|(_, holder)| **holder == conn)
            .map(|(tag, _)| *tag)
    }

    fn know_each_other(&self, one: Tag, other: Tag) -> bool {
        self.wrote.contains(&(one, other)) || self.wrote.contains(&(other, one))
    }

    fn released(&mut self, conn: ConnId) {
        if let Some(tag) = self.tag_of(conn) {
            self.holders.remove(&tag);
            self.stands.retain(|(_, standing), _| *standing != tag);
        }
    }

    /// A client is about to say this.
    pub(crate) fn asks(&mut self, conn: ConnId, message: ClientMessage) -> Step {
        let mut step = Step::default();
        if let Some(from) = self.tag_of(conn) {
            match &message {
                ClientMessage::Signal { to, payload } => {
                    self.wrote.insert((from, *to));
                    step.signal = self.holder(*to).map(|conn| (conn, from, payload.clone()));
                }
                // Who sends frames elsewhere takes those that come from there.
                ClientMessage::Relay { to, .. } if self.cluster && self.holder(*to).is_none() => {
                    self.wrote.insert((from, *to));
                }
                // Who was asked begins, and then both may.
                ClientMessage::Relay { to, frame } if self.know_each_other(*to, from) => {
                    step.frame = self.holder(*to).map(|conn| (conn, from, frame.clone()));
                }
                _ => {}
            }
        }
        if let ClientMessage::Signal { to, .. } = &message {
            *self.refusable.entry((conn, *to)).or_default() += 1;
        }
        step.asked = Some((conn, message));
        step
    }

    /// Another machine is about to pass on a signal.
    pub(crate) fn passes_on(&mut self, from: Tag, to: Tag, payload: Payload) -> Step {
        self.wrote.insert((from, to));
        Step {
            signal: self.holder(to).map(|conn| (conn, from, payload)),
            ..Step::default()
        }
    }

    /// Another machine is about to pass on a frame, which only who was asked may send first.
    pub(crate) fn carries(&self, from: Tag, to: Tag, frame: RelayFrame) -> Step {
        let holder = self.holder(to);
        let holder = holder.filter(|_| self.know_each_other(from, to));
        Step {
            frame: holder.map(|conn| (conn, from, frame)),
            ..Step::default()
        }
    }

    /// The server says this in that step.
    pub(crate) fn hears(
        &mut self,
        now: Millis,
        step: &mut Step,
        conn: ConnId,
        said: ServerMessage,
    ) {
        assert!(self.open.contains(&conn), "said to nobody: {said:?}");
        let asked = step.asked.as_ref().filter(|(asker, _)| *asker == conn);
        let asked = asked.map(|(_, message)| message);
        match said {
            ServerMessage::Welcome { challenge, .. } => {
                assert!(matches!(asked, Some(ClientMessage::Hello { .. })));
                let known = self.welcomed.values().any(|known| *known == challenge);
                assert!(!known, "a challenge for two");
                self.welcomed.insert(conn, challenge);
            }
            ServerMessage::Listening {} => {
                assert!(matches!(asked, Some(ClientMessage::Listen { .. })));
            }
            ServerMessage::Joined { topic, sample, .. }
            | ServerMessage::Peers { topic, sample } => {
                let own = match asked {
                    Some(ClientMessage::Join { tag, .. }) => Some(*tag),
                    _ => self.tag_of(conn),
                };
                self.is_fair(now, topic, own, asked, &sample);
            }
            ServerMessage::Delivered { from, payload } => {
                let expected = step.signal.take();
                assert!(expected == Some((conn, from, payload)), "a stray signal");
            }
            ServerMessage::Refused { to, .. } => {
                let left = self.refusable.get_mut(&(conn, to));
                let left = left.expect("refused what was not sent");
                *left = left.checked_sub(1).expect("refused twice");
            }
            ServerMessage::Gone { tag } => {
                let leaves = |(asker, message): &(ConnId, ClientMessage)| {
                    matches!(message, ClientMessage::Leave { .. })
                        && self.holder(tag) == Some(*asker)
                };
                let gone = self.holder(tag).is_none() || step.asked.as_ref().is_some_and(leaves);
                assert!(gone, "told that somebody is gone who is there");
                let own = self.tag_of(conn).expect("told to who has no tag");
                assert!(self.know_each_other(own, tag), "told to a stranger");
            }
            ServerMessage::Relay { from, frame } => {
                let cost = relay_cost(&frame);
                let expected = step.frame.take();
                assert!(expected == Some((conn, from, frame)), "a stray frame");
                let to = self.tag_of(conn).expect("relayed to who has no tag");
                if self.holder(from).is_none() {
                    // What is under way between machines, only they know.
                    return;
                }
                let bytes = self.under_way.entry((from, to)).or_default();
                *bytes += cost;
                assert!(*bytes <= self.limits.relay_bytes, "more than the window");
            }
            ServerMessage::RelayCredit { to, bytes } => {
                let own = self.tag_of(conn).expect("credit for who has no tag");
                if self.cluster && self.holder(to).is_none() {
                    return;
                }
                let left = self.under_way.get_mut(&(own, to));
                let left = left.expect("credit for nothing");
                *left = left.checked_sub(bytes).expect("too much credit");
            }
            ServerMessage::RelayClosed { to, .. } => {
                if let Some(own) = self.tag_of(conn) {
                    self.under_way.remove(&(own, to));
                    self.under_way.remove(&(to, own));
                }
            }
            ServerMessage::Error { reason, .. } => step.errors.push((conn, reason)),
            ServerMessage::Pong {} => assert!(matches!(asked, Some(ClientMessage::Ping {}))),
            ServerMessage::Turn { .. } => {
                assert!(matches!(asked, Some(ClientMessage::Turn {})));
            }
            ServerMessage::Work { bits } => {
                assert!(bits > 0 && asked.is_some(), "work for nothing");
                self.asked.insert(conn, bits);
            }
            ServerMessage::GoAway { .. } => assert!(step.asked.is_none()),
        }
    }

    /// No more than were wanted, none twice, nobody itself, and only who stands there.
    fn is_fair(
        &self,
        now: Millis,
        topic: Topic,
        own: Option<Tag>,
        asked: Option<&ClientMessage>,
        sample: &[Entry],
    ) {
        let want = match asked {
            Some(
                ClientMessage::Join { want, .. }
                | ClientMessage::Resolve { want, .. }
                | ClientMessage::Refresh { want, .. },
            ) => usize::from(*want),
            _ if self.cluster => SAMPLE,
            _ => panic!("an answer to nothing"),
        };
        assert!(sample.len() <= want.min(SAMPLE), "more than were wanted");
        let tags: BTreeSet<Tag> = sample.iter().map(|entry| entry.tag).collect();
        assert!(tags.len() == sample.len(), "one twice");
        // In a cluster its older self may still stand elsewhere when it has moved.
        let stands = |tag: &Tag| {
            let until = self.stands.get(&(topic, *tag));
            Some(*tag) != own && until.is_some_and(|(until, _)| *until > now)
        };
        assert!(
            self.cluster || tags.iter().all(stands),
            "one who is not there"
        );
    }

    /// The step is over: what has come of it, and whether all is as the server counts it.
    pub(crate) fn ends(&mut self, now: Millis, step: &Step, counts: Counts) {
        for (conn, reason) in &step.errors {
            let ending = [
                ErrorReason::Malformed,
                ErrorReason::Version,
                ErrorReason::Superseded,
            ];
            let closed = !self.open.contains(conn);
            assert!(closed || !ending.contains(reason), "an end that is none");
        }
        if let Some((conn, message)) = &step.asked
            && self.welcomed.contains_key(conn)
        {
            let mut errors = step.errors.iter();
            let error = errors.find(|(to, _)| to == conn).map(|(_, reason)| *reason);
            self.granted(now, *conn, message, error);
        }
        self.stands.retain(|_, (until, _)| *until > now);
        let topics: BTreeSet<Topic> = self.stands.keys().map(|(topic, _)| *topic).collect();
        let seen = [
            self.open.len(),
            self.holders.len(),
            self.stands.len(),
            topics.len(),
        ];
        let counted = [
            counts.sockets,
            counts.tags,
            counts.announcements,
            counts.topics,
        ];
        assert!(
            seen.map(|n| n as u64) == counted,
            "{seen:?} are {counted:?}"
        );
        let limits = &self.limits;
        assert!(self.open.len() <= limits.connections);
        assert!(topics.len() <= limits.topics);
        assert!(counts.pairs <= limits.pairs as u64);
        let crowd = |topic: &Topic| self.stands.keys().filter(|(at, _)| at == topic).count();
        assert!(
            topics
                .iter()
                .all(|topic| crowd(topic) <= limits.entries_per_topic)
        );
    }

    fn granted(
        &mut self,
        now: Millis,
        conn: ConnId,
        message: &ClientMessage,
        error: Option<ErrorReason>,
    ) {
        let granted = error.is_none();
        if let ClientMessage::Work { answer } = message {
            let (puzzle, bits) = self.puzzle(conn);
            if granted {
                let asked = self.asked.remove(&conn).is_some();
                let solved = is_solved(&FAKE, &puzzle, *answer, bits);
                assert!(asked && solved, "worked for nothing");
                let (solved, _) = self.worked.get(&conn).copied().unwrap_or_default();
                self.worked.insert(conn, (solved + 1, BUYS));
            }
        }
        let has_its_price = matches!(
            message,
            ClientMessage::Listen { .. }
                | ClientMessage::Join { .. }
                | ClientMessage::Resolve { .. }
                | ClientMessage::Turn {}
        );
        if has_its_price && error != Some(ErrorReason::Rate) && self.limits.work == ALWAYS {
            let paid = self.worked.get_mut(&conn).map(|(_, paid)| paid);
            let left = paid.and_then(|paid| paid.checked_sub(1).map(|left| *paid = left));
            assert!(left.is_some(), "granted without work");
        }
        match message {
            ClientMessage::Listen { r } if granted => {
                self.holds(tag_of(&FAKE, r), conn);
            }
            // Reachable it is, though there is no place for it.
            ClientMessage::Join { tag, .. } if error == Some(ErrorReason::Full) => {
                self.holds(*tag, conn);
            }
            ClientMessage::Join {
                topic, tag, ttl_s, ..
            } if granted => {
                self.holds(*tag, conn);
                let each = u64::from((*ttl_s).clamp(1, self.limits.ttl_s)) * 1000;
                self.stands.insert((*topic, *tag), (now + each, each));
            }
            ClientMessage::Refresh { topic, tag, .. } if granted => {
                assert!(self.holder(*tag) == Some(conn), "refreshed by another");
                let stands = self.stands.get_mut(&(*topic, *tag));
                let (until, each) = stands.expect("refreshed who does not stand there");
                assert!(*until > now, "refreshed too late");
                *until = now + *each;
            }
            ClientMessage::Leave { tag } if granted => {
                assert!(self.holder(*tag) == Some(conn), "sent away by another");
                self.released(conn);
            }
            _ => {}
        }
    }

    fn holds(&mut self, tag: Tag, conn: ConnId) {
        let before = self.holders.insert(tag, conn);
        assert!(
            before.is_none_or(|before| before == conn),
            "one tag, two connections"
        );
    }
}
