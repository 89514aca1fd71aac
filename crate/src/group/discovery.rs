//! Finding members: topics that only those who share a secret can name, and sealed announcements.
//!
//! Members stand in the topic of their epoch and, some of them, at the door; newcomers only look.

use crate::sorted::Map;

use super::Group;
use super::credential::Credentials;
use crate::crypto::{Crypto, signed_bytes};
use crate::engine::context::Context;
use crate::error::{Code, Error};
use crate::gauge::{Held, See};
use crate::graph::Graph;
use crate::graph::mailbox::Mailbox;
use crate::graph::security::Security as _;
use crate::graph::session::Session;
use crate::limits;
use crate::names::{NodeAddress, Tag, Topic};
use crate::random::Random;
use crate::time::{Millis, Timers};
use crate::wire::codec::{Reader, Wire as _, put_varint};
use crate::wire::link::Purpose;
use crate::wire::rendezvous::{
    Announcement, ClientMessage, Entry, ErrorReason, ServerMessage, join_signed_bytes,
    resolve_signed_bytes,
};
use crate::wire_struct;

wire_struct! {
    /// What a member says of itself where it stands.
    pub struct Standing {
        /// Its session.
        pub session: Session,
        /// Why it may be here, where that fits; else it is shown in the handshake.
        pub proof: Option<Credentials>,
        /// By the session's identity, over topic, tag and session: nobody else stands for it.
        pub signature: [u8; 64],
    }
}

/// How many stand at the door of a large group.
const DOORKEEPERS: u64 = 5;
/// Announcements are padded to one of these sizes, so that their length says little.
const PADDED: [usize; 3] = [256, 512, limits::ANNOUNCEMENT_BYTES];
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const DAY_MS: Millis = 86_400_000;
const HOUR_MS: Millis = 3_600_000;

/// What discovery is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Mode {
    #[default]
    Off,
    /// A newcomer looks for somebody at the door.
    Knock,
    /// A member stands where others find it.
    Stand,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    Look,
    Refresh,
}

/// A topic, and what belongs to it.
#[derive(Clone)]
struct Place {
    seed: [u8; 32],
    announce: [u8; 32],
    door: bool,
    joined: bool,
    /// The hour for which the door is left to others.
    off_duty: Option<Millis>,
}

/// A group's discovery at one rendezvous server.
#[derive(Default)]
pub struct Discovery {
    mode: Mode,
    places: Map<Topic, Place>,
    looks: u32,
    timers: Timers<Timer>,
    /// Others can find us.
    pub listening: bool,
    /// Somebody was found since it began.
    pub found: bool,
    /// Why the last one who was found was of no use, or the server would not have us.
    pub trouble: Option<Error>,
}

impl Discovery {
    /// When the next timer is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        self.timers.next()
    }

    /// Shows how many places there are: of two days, and their doors.
    pub fn gauges(&self, see: &mut See<'_>) {
        see(Held::Places, self.places.len(), 4);
    }

    /// Forgets everything.
    pub fn stop(&mut self) {
        *self = Self::default();
    }

    /// The server is lost: nobody finds us until it or another one is back.
    pub fn lost(&mut self) {
        self.places.clear();
        self.listening = false;
        self.timers = Timers::default();
    }

    /// The server has welcomed us, or we have become a member: stand, or look.
    pub fn begin(&mut self, cx: &mut Context<'_>, group: &Group, graph: &Graph, mailbox: &Mailbox) {
        if !mailbox.is_ready() {
            return;
        }
        self.looks = 0;
        self.places.clear();
        if !graph.newcomer {
            self.mode = Mode::Stand;
            self.stand(cx, group, graph, mailbox);
            self.timers
                .arm(Timer::Refresh, cx.now.monotonic + refresh_in(cx.random));
        } else {
            self.mode = Mode::Knock;
            self.look(cx, group, graph, mailbox);
        }
    }

    /// Stands in every place anew at that time, if it stands anywhere.
    pub fn stand_again(&mut self, at: Millis) {
        if self.mode == Mode::Stand && !self.places.is_empty() {
            for place in self.places.values_mut() {
                place.joined = false;
            }
            self.timers.arm(Timer::Refresh, at);
        }
    }

    /// Runs every timer that is due.
    pub fn tick(&mut self, cx: &mut Context<'_>, group: &Group, graph: &Graph, mailbox: &Mailbox) {
        while let Some(timer) = self.timers.pop_due(cx.now.monotonic) {
            match timer {
                Timer::Look => self.look(cx, group, graph, mailbox),
                Timer::Refresh => {
                    self.refresh(cx, mailbox);
                    self.stand(cx, group, graph, mailbox);
                    self.timers
                        .arm(Timer::Refresh, cx.now.monotonic + refresh_in(cx.random));
                }
            }
        }
    }

    /// Takes what the server said about topics.
    pub fn message(
        &mut self,
        cx: &mut Context<'_>,
        group: &mut Group,
        graph: &mut Graph,
        mailbox: &Mailbox,
        message: ServerMessage,
    ) {
        match message {
            ServerMessage::Joined {
                topic,
                size_bucket,
                sample,
                ..
            } => {
                let Some(place) = self.places.get_mut(&topic) else {
                    return;
                };
                place.joined = true;
                self.listening |= !place.door;
                self.take_sample(cx, group, graph, mailbox, topic, &sample);
                let crowded = 1u64 << size_bucket.min(63);
                if self.places.get(&topic).is_some_and(|place| place.door) {
                    self.keep_door(cx, group, graph, topic, crowded);
                }
            }
            ServerMessage::Peers { topic, sample } => {
                self.take_sample(cx, group, graph, mailbox, topic, &sample);
            }
            ServerMessage::Error {
                reason,
                retry_after_ms,
            } => {
                let code = match reason {
                    ErrorReason::Rate => Code::RateLimited,
                    _ => Code::UnableToListen,
                };
                let mut error = Error::new(code).detail("the rendezvous server refused us");
                error.retry_after = (retry_after_ms > 0).then_some(retry_after_ms);
                self.trouble = Some(error);
                if self.mode == Mode::Stand {
                    // It may have been a refresh that came too late: what stood there has lapsed.
                    let wait = Millis::from(retry_after_ms).max(limits::RESOLVE_MAX_MS);
                    self.stand_again(cx.now.monotonic + wait);
                }
            }
            _ => {}
        }
    }

    /// In a large group only some stay at the door, others each hour; first those who may admit
    /// whoever comes.
    fn keep_door(
        &mut self,
        cx: &Context<'_>,
        group: &mut Group,
        graph: &Graph,
        topic: Topic,
        crowded: u64,
    ) {
        let hour = cx.now.wall / HOUR_MS;
        let hash = cx
            .crypto
            .hash(&[b"door", &graph.own.node.0, &hour.to_le_bytes()]);
        let draw = u64::from_le_bytes(crate::crypto::head(&hash));
        let full_mesh = limits::FULL_MESH_NODES as u64;
        if crowded > full_mesh
            && draw.checked_rem(crowded).unwrap_or(0) >= DOORKEEPERS
            && !group.keeps_door()
            && let Some(place) = self.places.get_mut(&topic)
        {
            // Not refreshed, it lapses at the server.
            place.joined = false;
            place.off_duty = Some(hour);
        }
    }

    /// The places of today, and of the neighboring day around midnight.
    fn places(&self, cx: &Context<'_>, group: &Group, mailbox: &Mailbox) -> Map<Topic, Place> {
        let time = mailbox.server_time(cx.now);
        let days = [
            time.saturating_sub(limits::TOPIC_OVERLAP_MS) / DAY_MS,
            time.saturating_add(limits::TOPIC_OVERLAP_MS) / DAY_MS,
        ];
        let door: &[u8] = &group.state.door;
        let standing = self.mode == Mode::Stand;
        let member = group.epoch().map(|secret| (secret.as_slice(), false));
        // Members that have slept know the door of before.
        let old_door = group
            .state
            .old_door
            .as_ref()
            .map(|door| (door.as_slice(), true));
        let mut places = Map::new();
        let others = member.into_iter().chain(old_door).filter(|_| standing);
        for (secret, door) in core::iter::once((door, true)).chain(others) {
            for day in days {
                let day = day.to_le_bytes();
                let context: [&[u8]; 3] = [mailbox.origin().as_bytes(), b"\0", &day];
                let seed = cx.crypto.derive(secret, "topic", &context);
                let announce = cx.crypto.derive(secret, "announce", &context);
                let topic = Topic(cx.crypto.public_key(&seed));
                places.insert(
                    topic,
                    Place {
                        seed,
                        announce,
                        door,
                        joined: false,
                        off_duty: None,
                    },
                );
            }
        }
        places
    }

    /// Joins every place of now that we do not stand in yet.
    fn stand(&mut self, cx: &mut Context<'_>, group: &Group, graph: &Graph, mailbox: &Mailbox) {
        let mut places = self.places(cx, group, mailbox);
        for (topic, place) in places.iter_mut() {
            if let Some(known) = self.places.get(topic) {
                place.joined = known.joined;
                place.off_duty = known.off_duty;
            }
            if place.joined || place.off_duty == Some(cx.now.wall / HOUR_MS) {
                continue;
            }
            let tag = mailbox.tag(cx);
            let ttl_s = limits::ANNOUNCEMENT_TTL_S;
            let signed =
                join_signed_bytes(*topic, mailbox.origin(), mailbox.challenge(), tag, ttl_s);
            let Some(announcement) = announce(cx, group, graph, *topic, tag, place) else {
                continue;
            };
            let join = ClientMessage::Join {
                topic: *topic,
                signature: cx.crypto.sign(&place.seed, &signed),
                tag,
                r: mailbox.r(),
                ttl_s,
                want: limits::SAMPLE as u8,
                announcement,
            };
            mailbox.send(cx, &join);
        }
        self.places = places;
    }

    fn refresh(&self, cx: &mut Context<'_>, mailbox: &Mailbox) {
        let tag = mailbox.tag(cx);
        for (topic, place) in self.places.iter() {
            if place.joined {
                let refresh = ClientMessage::Refresh {
                    topic: *topic,
                    tag,
                    announcement: None,
                    want: limits::SAMPLE as u8,
                };
                mailbox.send(cx, &refresh);
            }
        }
    }

    /// Looks who stands at the door, again and again until we are in.
    fn look(&mut self, cx: &mut Context<'_>, group: &Group, graph: &Graph, mailbox: &Mailbox) {
        if self.mode != Mode::Knock || !mailbox.is_ready() {
            return;
        }
        self.places = self.places(cx, group, mailbox);
        if graph.link_count() == 0 {
            for (topic, place) in self.places.iter() {
                let signed = resolve_signed_bytes(*topic, mailbox.origin(), mailbox.challenge());
                let resolve = ClientMessage::Resolve {
                    topic: *topic,
                    signature: cx.crypto.sign(&place.seed, &signed),
                    want: limits::SAMPLE as u8,
                };
                mailbox.send(cx, &resolve);
            }
        }
        let pause = (limits::RESOLVE_MIN_MS << self.looks.min(8)).min(limits::RESOLVE_MAX_MS);
        self.looks += 1;
        let pause = cx.random.jitter(pause, 10);
        self.timers.arm(Timer::Look, cx.now.monotonic + pause);
    }

    fn take_sample(
        &mut self,
        cx: &mut Context<'_>,
        group: &mut Group,
        graph: &mut Graph,
        mailbox: &Mailbox,
        topic: Topic,
        sample: &[Entry],
    ) {
        let Some(place) = self.places.get(&topic).cloned() else {
            return;
        };
        for entry in sample {
            let Some(standing) = open(cx.crypto, topic, &place, entry) else {
                continue;
            };
            let address = NodeAddress {
                rendezvous: vec![mailbox.base().to_owned()],
                tags: vec![entry.tag],
                session: standing.session.body.key,
            };
            if standing.session.node(cx.crypto) == graph.own.node {
                continue;
            }
            let signed = standing_bytes(group, topic, entry.tag, &standing.session);
            if !cx
                .crypto
                .verify(&standing.session.body.peer.0, &signed, &standing.signature)
            {
                continue;
            }
            self.found = true;
            let clock = group.clock(cx.now);
            let verified = standing
                .session
                .verify(cx.crypto, graph.scope, &clock)
                .and_then(|()| match &standing.proof {
                    Some(proof) => group
                        .judge(cx, &standing.session, &proof.to_bytes(), Purpose::Neighbor)
                        .map(|()| Some(standing.session.clone())),
                    None => Ok(None),
                });
            match verified {
                Ok(session) => graph.learn(cx, address, session),
                Err(error) => self.trouble = Some(error),
            }
        }
    }
}

fn refresh_in(random: &mut Random) -> Millis {
    random.jitter(limits::REFRESH_MS, 10)
}

/// What the seal of an announcement also covers: it cannot be shown elsewhere or for another tag.
fn bound_to(topic: Topic, tag: Tag) -> Vec<u8> {
    [topic.0.as_slice(), &tag.0].concat()
}

/// What whoever stands somewhere signs.
fn standing_bytes(group: &Group, topic: Topic, tag: Tag, session: &Session) -> Vec<u8> {
    let mut body = bound_to(topic, tag);
    session.body.key.encode(&mut body);
    signed_bytes("standing", &group.state.group.0, &body)
}

fn announce(
    cx: &mut Context<'_>,
    group: &Group,
    graph: &Graph,
    topic: Topic,
    tag: Tag,
    place: &Place,
) -> Option<Announcement> {
    let session = graph.own.session.clone();
    let signed = standing_bytes(group, topic, tag, &session);
    let signature = cx.crypto.sign(&group.identity.seed, &signed);
    let room = limits::ANNOUNCEMENT_BYTES - NONCE_BYTES - TAG_BYTES - 2;
    let proof = Some(group.state.proof.clone());
    let mut body = Standing {
        session: session.clone(),
        proof,
        signature,
    }
    .to_bytes();
    if body.len() > room {
        body = Standing {
            session,
            proof: None,
            signature,
        }
        .to_bytes();
    }
    let mut plain = Vec::new();
    put_varint(&mut plain, body.len() as u64);
    plain.extend_from_slice(&body);
    let size = PADDED
        .iter()
        .find(|size| **size >= plain.len() + NONCE_BYTES + TAG_BYTES)?;
    plain.resize(size - NONCE_BYTES - TAG_BYTES, 0);
    let nonce: [u8; NONCE_BYTES] = cx.random.bytes();
    let mut out = nonce.to_vec();
    out.extend(
        cx.crypto
            .seal(&place.announce, &nonce, &bound_to(topic, tag), &plain),
    );
    Announcement::new(out)
}

fn open(crypto: Crypto, topic: Topic, place: &Place, entry: &Entry) -> Option<Standing> {
    let (nonce, sealed) = entry.announcement.split_first_chunk::<NONCE_BYTES>()?;
    let plain = crypto.open(&place.announce, nonce, &bound_to(topic, entry.tag), sealed)?;
    let mut input = Reader::new(&plain);
    let len = input.length(plain.len()).ok()?;
    Standing::from_bytes(input.take(len).ok()?).ok()
}
