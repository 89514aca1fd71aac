//! Links over the rendezvous server's relay, where no other way to the other end was found: their
//! packets in sealed pieces, in order, and no more at a time than the server gives credit for.
//!
//! A link goes over the relay when its peer connection fails on the way up, or has not come up in
//! time; the end that finds it so begins, and the other one follows the first piece that it can open.
//! From then on neither has a peer connection for it. The first packet is the Confirm of any link, so
//! the relay too leads to whoever shook hands; pieces are sealed by the handshake's keys, each way
//! with its own, and numbered, so the server can cut a link and no more.
//!
//! Packets are not acknowledged, here as little as on a channel. Where some may be lost (the socket
//! breaks, the server closes the pair, a piece is missing) the link therefore ends like one whose
//! channel fails: calls that hang on it hear so, and it is made anew, which compares what both ends
//! hold. Nothing is said twice, and nothing is lost without a word.

use std::collections::VecDeque;

use super::link::{Link, Stage};
use super::security::Security;
use super::{Graph, Timer};
use crate::engine::context::Context;
use crate::engine::effect::Effect;
use crate::engine::event::Path;
use crate::error::{Code, Error, Evidence, Stage as Reached};
use crate::limits::{
    ANSWER_TIMEOUT_MS, FRAME_BYTES, PIECE_BYTES, RELAY_AFTER_MS, RELAY_FRAME_BYTES,
    RELAY_HEAD_BYTES, RELAY_PAIRS, RELAY_QUEUE_MOST_BYTES, RELAY_WINDOW_MIN_BYTES,
};
use crate::names::{ConnectionId, LinkId, Tag};
use crate::sorted::Map;
use crate::time::Millis;
use crate::wire::codec::{Bytes, Wire as _};
use crate::wire::link::{Signal, SignalBody, Trickle};
use crate::wire::rendezvous::{RelayClosedReason, RelayFrame, relay_cost};

use super::opening::seal;

/// What a relayed frame takes from the credit besides its piece, at most.
const HEAD_BYTES: usize = RELAY_FRAME_BYTES - PIECE_BYTES + RELAY_HEAD_BYTES as usize;
/// What was sent longer ago has reached the server, or its socket has broken.
const ARRIVED_MS: Millis = 30_000;

/// A link's own part of the relay.
#[derive(Default)]
pub struct Relayed {
    /// Packets that wait for credit.
    packets: VecDeque<Vec<u8>>,
    /// Bytes of them that have not left.
    waiting: usize,
    /// Bytes of the first one that have.
    begun: usize,
    next_out: u64,
    next_in: u64,
    /// Pieces of a packet that is not complete.
    arriving: Vec<u8>,
}

/// A piece is missing, or its packet longer than any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Broken;

impl Relayed {
    /// A packet to send.
    pub fn push(&mut self, packet: Vec<u8>) {
        self.waiting += packet.len();
        self.packets.push_back(packet);
    }

    /// Bytes that wait for credit.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Bytes that wait for the rest of their packet.
    #[must_use]
    pub fn arriving(&self) -> usize {
        self.arriving.len()
    }

    /// The next piece, of at most so many bytes, if it is no longer than there is room for.
    fn next(&mut self, most: usize, room: usize) -> Option<Trickle> {
        let packet = self.packets.front()?;
        let left = packet.get(self.begun..)?;
        let len = left.len().min(most);
        let goes_on = len < left.len();
        let bytes = Bytes::new(left.get(..len).filter(|_| len <= room)?.to_vec())?;
        self.begun += len;
        self.waiting -= len;
        if !goes_on {
            self.packets.pop_front();
            self.begun = 0;
        }
        let number = self.next_out;
        self.next_out += 1;
        Some(Trickle::Piece {
            number,
            goes_on,
            bytes,
        })
    }

    /// A piece came: the packet that it completes, if it does.
    fn arrived(
        &mut self,
        number: u64,
        goes_on: bool,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, Broken> {
        if number != self.next_in || self.arriving.len() + bytes.len() > FRAME_BYTES {
            return Err(Broken);
        }
        self.next_in += 1;
        self.arriving.extend_from_slice(bytes);
        Ok((!goes_on).then(|| core::mem::take(&mut self.arriving)))
    }
}

/// What may be sent to one other end, by all links to it.
struct Pair {
    credit: u32,
    /// When something was sent last.
    sent: Millis,
}

/// The relay of the server that this node is at.
#[derive(Default)]
pub struct Relays {
    server: String,
    /// Bytes that may be sent to one end without credit; 0: nothing is relayed.
    window: u32,
    pairs: Map<Tag, Pair>,
    frames: VecDeque<(Tag, RelayFrame)>,
}

impl Relays {
    /// A server has welcomed us.
    pub fn begin(&mut self, server: &str, window: u32) {
        server.clone_into(&mut self.server);
        self.window = if window < RELAY_WINDOW_MIN_BYTES {
            0
        } else {
            window
        };
    }

    /// Whether the server relays anything.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.window > 0
    }

    /// Pairs whose credit is remembered.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The frames to send, and to whom.
    pub fn take_frames(&mut self) -> VecDeque<(Tag, RelayFrame)> {
        core::mem::take(&mut self.frames)
    }

    fn end(&mut self) {
        self.window = 0;
        self.pairs.clear();
        self.frames.clear();
    }

    /// The server gives credit. One that gives more than it has taken deceives itself only.
    pub fn credit(&mut self, to: Tag, bytes: u32) {
        let window = self.window;
        if let Some(pair) = self.pairs.get_mut(&to) {
            pair.credit = pair.credit.saturating_add(bytes).min(window);
        }
    }

    /// The tag under which a link's other end is reached over this relay.
    fn tag_of(&self, link: &Link) -> Option<Tag> {
        let address = link.remote.address.tag_at(&self.server);
        address.filter(|_| self.is_there())
    }

    /// Sends the next piece of a link, if there is one and credit for it.
    fn carry(&mut self, now: Millis, link: &mut Link) -> bool {
        let tag = self.tag_of(link);
        let (Some(to), Some(relayed), Some(keys)) =
            (tag, link.relayed.as_mut(), link.keys.as_mut())
        else {
            return false;
        };
        if relayed.waiting == 0 {
            return false;
        }
        if !self.pairs.contains_key(&to) {
            if self.pairs.len() >= RELAY_PAIRS {
                return false;
            }
            let credit = self.window;
            self.pairs.insert(to, Pair { credit, sent: now });
        }
        let Some(pair) = self.pairs.get_mut(&to) else {
            return false;
        };
        // The server may hold back credit for a quarter of the window.
        let half = (self.window / 2) as usize;
        let most = PIECE_BYTES.min(half.saturating_sub(HEAD_BYTES)).max(1);
        let room = (pair.credit as usize).saturating_sub(HEAD_BYTES);
        let frame = relayed
            .next(most, room)
            .and_then(|piece| seal(keys, link.attempt, &piece))
            .and_then(|signal| RelayFrame::new(signal.to_bytes()));
        let Some(frame) = frame else {
            return false;
        };
        pair.credit = pair.credit.saturating_sub(relay_cost(&frame));
        pair.sent = now;
        self.frames.push_back((to, frame));
        true
    }
}

impl Graph {
    /// Both ends know both descriptions: from now on there is a limit to looking for a way.
    pub(super) fn await_channel(&mut self, cx: &Context<'_>, id: LinkId) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        // Without TURN there is nothing to wait for where nothing else may be used.
        let wait = if link.relay_only && !link.has_turn {
            0
        } else {
            RELAY_AFTER_MS
        };
        if self.relays.tag_of(link).is_some() {
            self.timers.arm(Timer::Relay(id), cx.now.monotonic + wait);
        }
    }

    /// No channel has opened in time.
    pub(super) fn relay_is_due(&mut self, cx: &mut Context<'_>, id: LinkId) {
        let link = self.links.get(&id);
        if link.is_some_and(|link| matches!(link.stage, Stage::Opening)) {
            self.go_over_relay(cx, id);
        }
    }

    /// A link gives up its peer connection and goes over the relay, if it can and has not proved
    /// itself over the channel already: then the other end has sent what would be missing.
    pub(super) fn go_over_relay(&mut self, cx: &mut Context<'_>, id: LinkId) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        let on_the_way = matches!(link.stage, Stage::Opening | Stage::Confirming);
        if !on_the_way || link.relayed.is_some() || self.relays.tag_of(link).is_none() {
            return false;
        }
        if core::mem::take(&mut link.with_driver) {
            cx.effect(Effect::CloseLink { link: id });
        }
        link.relayed = Some(Box::default());
        link.path = Path::Relay;
        link.stage = Stage::Confirming;
        link.send_confirm(cx);
        for timer in [Timer::Relay(id), Timer::Confirm(id), Timer::Lost(id)] {
            self.timers.disarm(&timer);
        }
        self.expect(cx.now, id, ANSWER_TIMEOUT_MS);
        true
    }

    /// A frame came over the relay. Whoever wrote it: what the link's keys do not open, or not in its
    /// order, changes nothing or ends the link.
    pub fn relayed(&mut self, cx: &mut Context<'_>, security: &mut dyn Security, frame: &[u8]) {
        let Ok(Signal(SignalBody::Sealed {
            attempt,
            counter,
            sealed,
        })) = Signal::from_bytes(frame)
        else {
            return;
        };
        let Some(id) = self.attempts.get(&attempt).copied() else {
            return;
        };
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let plain = link
            .keys
            .as_mut()
            .and_then(|keys| keys.open(counter, &sealed));
        let Some(Ok(Trickle::Piece {
            number,
            goes_on,
            bytes,
        })) = plain.map(|plain| Trickle::from_bytes(&plain))
        else {
            return;
        };
        if link.is_open() && link.relayed.is_none() {
            // It never heard us over the channel, and what we said there is lost.
            let error = Error::new(Code::ConnectionFailed)
                .detail("the other side could not use the channel")
                .at(Reached::Channel);
            return self.fail(cx, id, error);
        }
        if link.relayed.is_none() && !self.go_over_relay(cx, id) {
            return;
        }
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.heard = cx.now.monotonic;
        let Some(relayed) = link.relayed.as_mut() else {
            return;
        };
        match relayed.arrived(number, goes_on, &bytes) {
            Ok(Some(packet)) => self.frame(cx, security, id, &packet),
            Ok(None) => {}
            Err(Broken) => self.fault(cx, id, "something was lost on the rendezvous server"),
        }
    }

    /// The server carries nothing to `to` any more.
    pub fn relay_closed(&mut self, cx: &mut Context<'_>, to: Tag, reason: RelayClosedReason) {
        let now = cx.now.monotonic;
        let detail = match reason {
            RelayClosedReason::Idle => {
                // Nothing was under way. What has left just now begins the pair anew, and its credit is
                // not known then: as it was before is never too much.
                let rests = |pair: &Pair| now >= pair.sent + ARRIVED_MS;
                if self.relays.pairs.get(&to).is_some_and(rests) {
                    self.relays.pairs.remove(&to);
                }
                return;
            }
            RelayClosedReason::Gone => "the rendezvous server does not reach the other side",
            RelayClosedReason::Off => "the rendezvous server does not relay to the other side",
            _ => "the rendezvous server relays no more for this link",
        };
        self.relays.pairs.remove(&to);
        let error = Error::new(Code::ConnectionFailed).detail(detail);
        self.fail_relayed(cx, Some(to), &error);
    }

    /// The server is gone, and whatever was under way there.
    pub fn relay_lost(&mut self, cx: &mut Context<'_>) {
        let error = Error::new(Code::ConnectionFailed)
            .detail("the connection to the rendezvous server, which carried it, was lost");
        self.fail_relayed(cx, None, &error);
        self.relays.end();
    }

    /// Fails the links over the relay to one end, or all.
    fn fail_relayed(&mut self, cx: &mut Context<'_>, to: Option<Tag>, error: &Error) {
        let relays = &self.relays;
        let links = self
            .links
            .values()
            .filter(|link| link.relayed.is_some() && (to.is_none() || relays.tag_of(link) == to));
        let ids: Vec<LinkId> = links.map(|link| link.id).collect();
        for id in ids {
            self.fail(cx, id, error.clone());
        }
    }

    /// Sends what there is credit for, and puts what has waited for room behind it.
    pub fn pump_relays(&mut self, cx: &mut Context<'_>) {
        let relayed = self.links.values().filter(|link| link.relayed.is_some());
        let ids: Vec<LinkId> = relayed.map(|link| link.id).collect();
        for id in ids {
            while let Some(link) = self.links.get_mut(&id)
                && self.relays.carry(cx.now.monotonic, link)
            {
                self.refill(cx, id);
            }
            let waiting = |link: &Link| link.relayed.as_ref().map_or(0, |of| of.waiting());
            if self.links.get(&id).map_or(0, waiting) > RELAY_QUEUE_MOST_BYTES {
                let error = Error::new(Code::ConnectionFailed)
                    .detail("the rendezvous server takes too little");
                self.fail(cx, id, error.at(Reached::Channel));
            }
        }
    }

    /// One from each that has something for a link, round by round, while there is room.
    fn refill(&mut self, cx: &mut Context<'_>, id: LinkId) {
        let on_link = self.directs.iter().filter(|(_, d)| d.link == Some(id));
        let directs = on_link.map(|(direct, _)| Some(*direct));
        let flows: Vec<Option<ConnectionId>> = core::iter::once(None).chain(directs).collect();
        let mut more = true;
        while more
            && let Some(link) = self.links.get_mut(&id)
            && link.has_room()
        {
            let frame = match link.is_neighbor() {
                true => link.lane.next(&self.records.store, cx.now.monotonic),
                false => None,
            };
            more = frame.is_some();
            if let Some(frame) = frame {
                link.send(cx, frame);
            }
            for flow in &flows {
                more |= self.pump_one(cx, id, *flow);
            }
        }
    }

    /// Sends what a link that ends still holds; what there is no credit for is lost, and then the
    /// other end is told by a signal.
    pub(super) fn send_last(&mut self, cx: &Context<'_>, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        while self.relays.carry(cx.now.monotonic, link) {}
        if link.relayed.as_ref().is_some_and(|of| of.waiting > 0) {
            let code = Code::ConnectionFailed.number();
            self.trickle(id, &Trickle::Abandon { code });
        }
    }

    /// That a link found no way, with what is known of it.
    pub(super) fn no_way(&self, link: &Link, evidence: Evidence) -> Error {
        let detail = if link.relayed.is_some() {
            "the other side did not answer over the rendezvous server either"
        } else if self.relays.is_there() {
            "no way through the network was found"
        } else if link.has_turn {
            "no way through the network was found, over TURN neither; a rendezvous server that relays would be one"
        } else {
            "no way through the network was found: a TURN server, or a rendezvous server that relays, would be one"
        };
        Error::new(Code::ConnectionFailed)
            .detail(detail)
            .evidence(evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::FAKE;
    use crate::crypto::Primitives as _;
    use crate::crypto::noise::{self, Keys, Terms};
    use crate::graph::link::Remote;
    use crate::names::{Attempt, NodeAddress, NodeId, SessionKey};
    use crate::random::Random;
    use crate::wire::link::Purpose;

    const SERVER: &str = "ws://a:1";
    const TAG: Tag = Tag([7; 16]);
    const WINDOW: u32 = 64 * 1024;

    fn keys() -> (Keys, Keys) {
        let mut random = Random::new([9; 32]);
        let terms = Terms {
            prologue: b"here",
            psk: &[3; 32],
        };
        let remote = FAKE.exchange_public(&[2; 32]);
        let (mut one, first) =
            noise::initiate(&FAKE, &mut random, &[1; 32], &remote, &terms, b"").unwrap();
        let (_, two) = noise::respond(&FAKE, &mut random, &[2; 32], &terms, &first).unwrap();
        let (second, two) = two.answer(b"").unwrap();
        (one.finish(&second).unwrap().1, two)
    }

    /// A link over the relay, and the keys of its other end.
    fn link() -> (Link, Keys) {
        let (ours, theirs) = keys();
        let address = NodeAddress {
            rendezvous: vec![SERVER.to_owned()],
            tags: vec![TAG],
            session: SessionKey([0; 32]),
        };
        let remote = Remote {
            address,
            node: NodeId([1; 8]),
            session: None,
        };
        let mut link = Link::new(LinkId(1), remote, Purpose::Neighbor, Stage::Open, 0);
        link.keys = Some(ours);
        link.attempt = Attempt([5; 8]);
        link.relayed = Some(Box::default());
        (link, theirs)
    }

    fn relays() -> Relays {
        let mut relays = Relays::default();
        relays.begin(SERVER, WINDOW);
        relays
    }

    fn push(link: &mut Link, packet: Vec<u8>) {
        link.relayed.as_mut().unwrap().push(packet);
    }

    fn waiting(link: &Link) -> usize {
        link.relayed.as_ref().unwrap().waiting()
    }

    /// Opens what was sent, as the other end does.
    fn open(keys: &mut Keys, frame: &RelayFrame) -> Option<Trickle> {
        let Ok(Signal(SignalBody::Sealed {
            counter, sealed, ..
        })) = Signal::from_bytes(frame)
        else {
            panic!("no sealed frame");
        };
        let plain = keys.open(counter, &sealed)?;
        Trickle::from_bytes(&plain).ok()
    }

    fn arrive(relayed: &mut Relayed, piece: Option<Trickle>) -> Result<Option<Vec<u8>>, Broken> {
        let Some(Trickle::Piece {
            number,
            goes_on,
            bytes,
        }) = piece
        else {
            panic!("{piece:?} is no piece");
        };
        relayed.arrived(number, goes_on, &bytes)
    }

    #[test]
    fn packets_of_any_length_come_as_they_left() {
        let (mut link, mut theirs) = link();
        let mut relays = relays();
        let mut there = Relayed::default();
        let packets: Vec<Vec<u8>> = [1, 100, PIECE_BYTES, PIECE_BYTES + 1, FRAME_BYTES, 5]
            .iter()
            .map(|len| (0..*len).map(|n| n as u8).collect())
            .collect();
        let mut came = Vec::new();
        for packet in &packets {
            push(&mut link, packet.clone());
        }
        while waiting(&link) > 0 {
            while relays.carry(0, &mut link) {}
            let mut cost = 0;
            for (to, frame) in relays.take_frames() {
                assert_eq!(to, TAG);
                assert!(frame.len() <= RELAY_FRAME_BYTES);
                cost += relay_cost(&frame);
                came.extend(arrive(&mut there, open(&mut theirs, &frame)).unwrap());
            }
            assert!(cost > 0 && cost <= WINDOW, "{cost}");
            relays.credit(TAG, cost);
        }
        assert_eq!(came, packets);
        assert!(there.arriving.is_empty());
    }

    #[test]
    fn no_more_leaves_than_there_is_credit_for() {
        let (mut link, _theirs) = link();
        let mut relays = relays();
        for _ in 0..1000 {
            push(&mut link, vec![0; 1000]);
        }
        let sent = |relays: &mut Relays, link: &mut Link| -> u32 {
            while relays.carry(0, link) {}
            relays
                .take_frames()
                .iter()
                .map(|of| relay_cost(&of.1))
                .sum()
        };
        let first = sent(&mut relays, &mut link);
        assert!(first <= WINDOW && first > WINDOW - 2_000, "{first}");
        assert_eq!(sent(&mut relays, &mut link), 0);
        relays.credit(TAG, 5_000);
        let more = sent(&mut relays, &mut link);
        assert!(first + more <= WINDOW + 5_000 && more > 3_000, "{more}");
        // More credit than ever was taken opens no larger window.
        relays.credit(TAG, u32::MAX);
        let all = sent(&mut relays, &mut link);
        assert!(all <= WINDOW, "{all}");
        // Another link to the same end has the same credit.
        let (mut second, _) = self::link();
        push(&mut second, vec![0; 1000]);
        assert!(!relays.carry(0, &mut second));
    }

    #[test]
    fn a_small_window_and_credit_in_quarters_carry_the_largest_packet() {
        for window in [RELAY_WINDOW_MIN_BYTES, 4_000, 2 * RELAY_FRAME_BYTES as u32] {
            let (mut link, _theirs) = link();
            let mut relays = Relays::default();
            relays.begin(SERVER, window);
            push(&mut link, vec![0; FRAME_BYTES]);
            let mut taken = 0;
            while waiting(&link) > 0 {
                assert!(relays.carry(0, &mut link), "{window}: stuck");
                let frames = relays.take_frames();
                taken += frames.iter().map(|of| relay_cost(&of.1)).sum::<u32>();
                // As the server does it.
                if taken >= window / 4 {
                    relays.credit(TAG, core::mem::take(&mut taken));
                }
            }
        }
        let mut relays = Relays::default();
        relays.begin(SERVER, RELAY_WINDOW_MIN_BYTES - 1);
        assert!(!relays.is_there());
    }

    #[test]
    fn what_is_shown_again_forged_or_missing_is_not_taken() {
        let (mut link, mut theirs) = link();
        let mut relays = relays();
        for n in 0..4 {
            push(&mut link, vec![n; 10]);
        }
        while relays.carry(0, &mut link) {}
        let frames = relays.take_frames();
        let mut there = Relayed::default();
        let first = open(&mut theirs, &frames[0].1);
        assert_eq!(arrive(&mut there, first), Ok(Some(vec![0; 10])));
        assert_eq!(open(&mut theirs, &frames[0].1), None, "shown again");
        let mut edited = frames[1].1.to_vec();
        *edited.last_mut().unwrap() ^= 1;
        assert_eq!(open(&mut theirs, &RelayFrame::new(edited).unwrap()), None);
        // Its own frames come back: each way has keys of its own.
        let own = open(link.keys.as_mut().unwrap(), &frames[1].1);
        assert_eq!(own, None);
        // The second one is late, so the third is one too far.
        let third = open(&mut theirs, &frames[2].1);
        assert_eq!(arrive(&mut there, third), Err(Broken));
    }

    #[test]
    fn a_packet_without_an_end_is_not_gathered_for_ever() {
        let mut there = Relayed::default();
        let piece = vec![0; PIECE_BYTES];
        let whole = (0..10).all(|number| there.arrived(number, true, &piece).is_ok());
        assert!(!whole && there.arriving() <= FRAME_BYTES);
    }

    #[test]
    fn what_another_server_is_reached_at_is_not_carried() {
        let (mut link, _theirs) = link();
        let mut relays = Relays::default();
        relays.begin("ws://b:1", WINDOW);
        push(&mut link, vec![0; 10]);
        assert!(!relays.carry(0, &mut link));
        relays.begin(SERVER, WINDOW);
        assert!(relays.carry(0, &mut link));
        relays.end();
        assert!(relays.take_frames().is_empty() && !relays.carry(0, &mut link));
    }
}
