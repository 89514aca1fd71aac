//! The rest of a cluster, as far as the rules go: what this machine has others know, what it asks
//! them, and what it answers.
//!
//! Machines share no state. Each stands under the tags that are reached through it and the topics
//! that somebody stands in here; whoever drives the machine carries messages to them ([`Far`]) and
//! says what came of it. Without others, or while they cannot be reached, a machine is a server like
//! any other.

use std::collections::VecDeque;

use peer_group::limits::SAMPLE;
use peer_group::names::{Tag, Topic};
use peer_group::random::Random;
use peer_group::time::{Millis, Now};
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::{
    Entry, ErrorReason, Payload, RefusedReason, RelayClosedReason, RelayFrame, ServerMessage,
};
use peer_group::{wire_enum, wire_struct};

use super::relay::Halves;
use super::tags::Undeliverable;
use super::{ConnId, Rooms};

/// Questions to others that may be open at a time; who asks beyond that is answered alone.
const OPEN: usize = 16_384;
/// Claims of two machines that are no further apart than this count as made at once: what a message
/// between them may take.
const AT_ONCE_MS: Millis = 100;

/// Numbers of [`Note`]s, between machines of one version only.
mod note {
    pub(super) const CLAIMED: u8 = 1;
    pub(super) const SIGNAL: u8 = 2;
    pub(super) const GONE: u8 = 3;
    pub(super) const RELAY: u8 = 4;
    pub(super) const TAKEN: u8 = 5;
    pub(super) const CLOSED: u8 = 6;
}

/// A machine, drawn at random when it starts.
pub type Machine = [u8; 16];

wire_enum! {
    /// To the machine that a tag is reached through.
    pub enum Note {
        /// The tag is reached through another machine.
        Claimed = note::CLAIMED {
            /// Which one.
            machine: Machine,
            /// For how long, in milliseconds: clocks of machines differ.
            for_ms: u64,
        },
        /// A signal to the tag.
        Signal = note::SIGNAL {
            /// From whom, as the sender's machine knows from its connection.
            from: Tag,
            /// What.
            payload: Payload,
        },
        /// A correspondent of the tag is no longer reachable.
        Gone = note::GONE {
            /// Who.
            tag: Tag,
        },
        /// A frame of a pair, or the question whether all before it have come.
        Relay = note::RELAY {
            /// From whom, as the sender's machine knows from its connection.
            from: Tag,
            /// Which pair.
            halves: Halves,
            /// Frames before it.
            number: u64,
            /// What; None: it is a question.
            frame: Option<RelayFrame>,
        },
        /// How much of what was sent on a pair was taken.
        Taken = note::TAKEN {
            /// By whom.
            from: Tag,
            /// Which pair.
            halves: Halves,
            /// In all, counted as credit is.
            bytes: u64,
        },
        /// A pair carries nothing any more.
        Closed = note::CLOSED {
            /// Who is at the end that the sender's machine has, or had.
            from: Tag,
            /// Which pair.
            halves: Halves,
            /// What the tag's client is to hear.
            why: RelayClosedReason,
            /// Whether the tag's client has to ask for frames again.
            unask: bool,
        },
    }
}

wire_struct! {
    /// To the machines where somebody stands in a topic.
    pub struct Search {
        /// Who asks, if it has a tag: it is not to be told of itself.
        pub asker: Option<Tag>,
        /// How many to name.
        pub want: u8,
    }

    /// The answer: who stands there besides the asker.
    pub struct Crowd {
        /// How many.
        pub size: u32,
        /// Some of them, picked at random and in random order.
        pub sample: List<Entry, SAMPLE>,
    }
}

/// What whoever drives a machine of a cluster must do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Far {
    /// Hear what is said to this tag.
    Hear(Tag),
    /// No more.
    Ignore(Tag),
    /// Hear what is asked about this topic.
    Stand(Topic),
    /// No more.
    Desert(Topic),
    /// Tell whoever hears that tag, if anybody does.
    Tell {
        /// To whom.
        to: Tag,
        /// What.
        note: Note,
    },
    /// The same, and give what came of it to [`Rooms::signalled`].
    Signal {
        /// Who sent it.
        conn: ConnId,
        /// To whom.
        to: Tag,
        /// A signal.
        note: Note,
    },
    /// Tell whoever hears that tag, and say by [`Rooms::lost`] if nobody does.
    Carry {
        /// The pair here.
        pair: u64,
        /// To whom.
        to: Tag,
        /// A frame or question.
        note: Note,
    },
    /// Ask all who hear about that topic, and give what they answer to [`Rooms::found`].
    Search {
        /// What they are asked.
        search: Search,
        /// What it is for.
        asked: Asked,
    },
}

impl Far {
    /// How much of somebody's message is in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Signal {
                note: Note::Signal { payload, .. },
                ..
            } => payload.len(),
            Self::Carry {
                note: Note::Relay {
                    frame: Some(frame), ..
                },
                ..
            } => frame.len(),
            _ => 0,
        }
    }
}

/// A question of a client that others help to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// About this.
    pub topic: Topic,
    conn: ConnId,
    tag: Option<Tag>,
    want: u8,
    /// Seconds, if it was a Join.
    granted_s: Option<u16>,
}

/// What there is to do elsewhere; nothing ever, on a machine that is alone.
#[derive(Default)]
pub(super) struct Afar {
    pub(super) machine: Option<Machine>,
    out: VecDeque<Far>,
    open: usize,
}

impl Afar {
    pub(super) fn new(machine: Option<Machine>) -> Self {
        Self {
            machine,
            ..Self::default()
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.machine.is_some()
    }

    pub(super) fn push(&mut self, far: Far) {
        if self.is_cluster() {
            self.out.push_back(far);
        }
    }

    /// Whether one more question may be asked; if so, it counts as asked.
    fn ask(&mut self, far: impl FnOnce() -> Far) -> bool {
        let may = self.is_cluster() && self.open < OPEN;
        if may {
            self.open += 1;
            self.out.push_back(far());
        }
        may
    }
}

impl Rooms {
    /// What is to be done elsewhere next, in this order.
    pub fn poll_far(&mut self) -> Option<Far> {
        self.afar.out.pop_front()
    }

    /// What [`poll_far`](Self::poll_far) said cannot be done.
    pub fn missed(&mut self, now: Now, far: Far) {
        match far {
            Far::Search { asked, .. } => self.found(now, asked, Vec::new()),
            Far::Signal { conn, to, .. } => {
                self.signalled(now, conn, to, Some(RefusedReason::Quota));
            }
            Far::Carry { pair, .. } => self.lost(now, pair),
            Far::Hear(_) | Far::Ignore(_) | Far::Stand(_) | Far::Desert(_) | Far::Tell { .. } => {}
        }
    }

    /// Tells others again which tags are reached through here: they may not have heard it.
    pub fn claim_again(&mut self, now: Now) {
        let tags: Vec<(Tag, Millis)> = self.tags.claims().collect();
        for (tag, since) in tags {
            self.tell_claim(now, tag, since);
        }
    }

    pub(super) fn tell_claim(&mut self, now: Now, tag: Tag, since: Millis) {
        let Some(machine) = self.afar.machine else {
            return;
        };
        let for_ms = now.monotonic.saturating_sub(since);
        let note = Note::Claimed { machine, for_ms };
        self.counts.claims_told += 1;
        self.afar.push(Far::Tell { to: tag, note });
    }

    /// Answers a question about a topic now, or once others were heard.
    pub(super) fn search(
        &mut self,
        conn: ConnId,
        topic: Topic,
        tag: Option<Tag>,
        want: u8,
        granted_s: Option<u16>,
    ) -> Option<ServerMessage> {
        let asked = Asked {
            topic,
            conn,
            tag,
            want,
            granted_s,
        };
        let search = Search { asker: tag, want };
        if self.afar.ask(|| Far::Search { search, asked }) {
            return None;
        }
        Some(self.named(asked, Vec::new()))
    }

    /// Others were heard, or not in time.
    pub fn found(&mut self, now: Now, asked: Asked, crowds: Vec<Crowd>) {
        self.tick(now);
        self.afar.open = self.afar.open.saturating_sub(1);
        if self.connections.contains_key(&asked.conn) {
            let answer = self.named(asked, crowds);
            self.send(asked.conn, &answer);
        }
    }

    fn named(&mut self, asked: Asked, mut crowds: Vec<Crowd>) -> ServerMessage {
        let Asked {
            topic, tag, want, ..
        } = asked;
        let own = self.topics.size(topic);
        let others = crowds.iter().map(|crowd| u64::from(crowd.size));
        let size = others.fold(own as u64, u64::saturating_add);
        crowds.push(self.here(topic, tag, want));
        let sample = draw(&mut self.random, crowds, want);
        match asked.granted_s {
            None => ServerMessage::Peers { topic, sample },
            Some(ttl_s) => ServerMessage::Joined {
                topic,
                ttl_s,
                size_bucket: bucket_of(size),
                sample,
            },
        }
    }

    fn here(&mut self, topic: Topic, asker: Option<Tag>, want: u8) -> Crowd {
        let size = self.topics.others(topic, asker);
        let sample = self.topics.sample(&mut self.random, topic, asker, want);
        Crowd {
            size: u32::try_from(size).unwrap_or(u32::MAX),
            sample,
        }
    }

    /// Another machine asks who stands in a topic here.
    pub fn searched(&mut self, now: Now, topic: Topic, search: Search) -> Crowd {
        self.tick(now);
        self.here(topic, search.asker, search.want)
    }

    /// A note for a tag that is reached through here. A signal is answered with why it was not
    /// passed on, if it was not.
    pub fn noted(&mut self, now: Now, to: Tag, note: Note) -> Option<RefusedReason> {
        self.tick(now);
        match note {
            Note::Claimed { machine, for_ms } => self.yield_to(now, to, machine, for_ms),
            Note::Signal { from, payload } => {
                let limits = self.config.limits;
                match self.tags.deliver(now.monotonic, &limits, from, to) {
                    Ok(conn) => self.send(conn, &ServerMessage::Delivered { from, payload }),
                    Err(Undeliverable::Gone) => return Some(RefusedReason::Gone),
                    Err(Undeliverable::Quota) => return Some(RefusedReason::Quota),
                }
            }
            Note::Gone { tag } => {
                // Only those who had to do with it hear of it, whoever else says so.
                if let Some(conn) = self.tags.conn(to)
                    && self.tags.conn(tag).is_none()
                    && self.tags.part(to, tag)
                {
                    self.send(conn, &ServerMessage::Gone { tag });
                }
            }
            Note::Relay {
                from,
                halves,
                number,
                frame,
            } => self.relayed_afar(now, (from, to), halves, number, frame),
            Note::Taken {
                from,
                halves,
                bytes,
            } => self.taken_afar(now, (from, to), halves, bytes),
            Note::Closed {
                from,
                halves,
                why,
                unask,
            } => self.closed_afar((from, to), halves, why, unask),
        }
        None
    }

    /// Leaves a tag to another machine, unless it was claimed here after that.
    fn yield_to(&mut self, now: Now, tag: Tag, machine: Machine, for_ms: Millis) {
        let (Some(own), Some((conn, since))) = (self.afar.machine, self.tags.claim_of(tag)) else {
            return;
        };
        let own_ms = now.monotonic.saturating_sub(since);
        // Made at once, one of the two must give way, and both must agree which.
        let at_once = own_ms.abs_diff(for_ms) <= AT_ONCE_MS;
        let stays = if at_once {
            own > machine
        } else {
            own_ms < for_ms
        };
        if machine == own || stays {
            // It may have missed ours, and says so only once: told again, it gives way.
            if machine != own && !at_once {
                self.tell_claim(now, tag, since);
            }
            return;
        }
        // The tag is the other machine's by now, so nobody hears that it is gone.
        self.tags.release(tag, conn);
        self.afar.push(Far::Ignore(tag));
        self.counts.claims_yielded += 1;
        self.hang_up(now, conn, &ErrorReason::Superseded.into());
    }

    /// Sends a signal to a tag that is not reached through here; false if there is nowhere else.
    pub(super) fn signal_afar(
        &mut self,
        conn: ConnId,
        from: Tag,
        to: Tag,
        payload: &Payload,
    ) -> bool {
        let asked = self.afar.ask(|| Far::Signal {
            conn,
            to,
            note: Note::Signal {
                from,
                payload: payload.clone(),
            },
        });
        if asked {
            self.tags.wrote(&self.config.limits, from, to);
        }
        asked
    }

    /// What came of a signal that was sent elsewhere.
    pub fn signalled(&mut self, now: Now, conn: ConnId, to: Tag, refused: Option<RefusedReason>) {
        self.tick(now);
        self.afar.open = self.afar.open.saturating_sub(1);
        let Some(reason) = refused else {
            self.counts.signals += 1;
            return;
        };
        self.counts.signals_refused += 1;
        if self.connections.contains_key(&conn) {
            self.send(conn, &ServerMessage::Refused { to, reason });
        }
    }
}

/// Logarithm to base 2, rounded up; 0 for nobody.
pub(super) fn bucket_of(size: u64) -> u8 {
    u8::try_from(size.checked_next_power_of_two().map_or(64, u64::ilog2)).unwrap_or(u8::MAX)
}

/// At most `want` of all crowds together, each set of them as likely as any other: a crowd gives its
/// next one with the chance that it would have in a draw from all.
fn draw(random: &mut Random, crowds: Vec<Crowd>, want: u8) -> List<Entry, SAMPLE> {
    let mut left: Vec<(u64, VecDeque<Entry>)> = crowds
        .into_iter()
        .map(|crowd| {
            let sample: VecDeque<Entry> = crowd.sample.iter().cloned().collect();
            (u64::from(crowd.size).max(sample.len() as u64), sample)
        })
        .collect();
    let mut drawn: Vec<Entry> = Vec::new();
    while drawn.len() < usize::from(want).min(SAMPLE) {
        left.retain(|(size, sample)| *size > 0 && !sample.is_empty());
        let all = left
            .iter()
            .fold(0u64, |sum, (size, _)| sum.saturating_add(*size));
        if all == 0 {
            break;
        }
        let mut at = random.below(all);
        let next = left.iter_mut().find_map(|(size, sample)| {
            if at >= *size {
                at -= *size;
                return None;
            }
            *size -= 1;
            sample.pop_front()
        });
        // A tag that moves between machines may stand at both for a moment.
        drawn.extend(next.filter(|next| drawn.iter().all(|one| one.tag != next.tag)));
    }
    List::first(drawn)
}
