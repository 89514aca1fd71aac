//! One link: where it stands, and the frames that go over it.

use crate::sorted::Map;

use super::flow::Flow;
use super::lane::Lane;
use super::relay::Relayed;
use super::session::Session;
use super::synchronize::Syncing;
use crate::crypto::noise::{Initiator, Keys, Responder};
use crate::engine::context::Context;
use crate::engine::effect::Effect;
use crate::engine::event::{ConnectionChange, ConnectionStatus, Event, Path};
use crate::engine::input::Channel;
use crate::error::{Error, Stage as Reached};
use crate::limits::RELAY_QUEUE_BYTES;
use crate::names::{
    Attempt, ConnectionId, LinkId, NodeAddress, NodeId, PeerId, RequestId, SessionKey,
};
use crate::time::Millis;
use crate::wire::codec::{Bytes, Wire as _};
use crate::wire::description::{Description, Line};
use crate::wire::link::{Frame, Packet, Purpose};
use crate::wire::sync::Digests;

/// Frames that wait for an earlier one at most: channels are ordered, only the first may be late.
pub(super) const HELD_FRAMES: usize = 64;

/// How far a link has come.
pub enum Stage {
    /// Ours: the driver writes our offer.
    Describing,
    /// Ours: message 1 is on its way.
    Asked(Box<Initiator>),
    /// Ours: we have proved that we know the password, and wait for the same. No link comes of it.
    Proving,
    /// Theirs: the driver writes our description for message 2.
    Answering(Box<Answering>),
    /// Theirs: we sent an offer in message 2 and wait for the answer.
    Offered,
    /// Ours: the driver writes the answer to the offer in message 2.
    Replying,
    /// Both know both descriptions: the channels open.
    Opening,
    /// The channels are open: the other end must confirm who it is.
    Confirming,
    /// Up.
    Open,
}

/// What message 2 will need.
pub struct Answering {
    /// The handshake after message 1.
    pub responder: Responder,
    /// What the initiator gets.
    pub grant: Vec<u8>,
    /// The secret that the handshake is keyed with.
    pub psk: [u8; 32],
    /// The initiator's nonce.
    pub nonce: [u8; 16],
    /// What the initiator holds.
    pub holds: Option<Digests>,
}

/// A call of the app that waits for a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The call.
    pub request: RequestId,
    /// The connection it was promised.
    pub connection: ConnectionId,
    /// Who must answer, if the app said.
    pub peer: Option<PeerId>,
    /// When it gives up.
    pub deadline: Millis,
}

impl Caller {
    /// Tells the app that this attempt of its call failed, and which one follows.
    pub fn failed(
        &self,
        cx: &mut Context<'_>,
        node: NodeId,
        peer: Option<PeerId>,
        next: Option<ConnectionId>,
        error: &Error,
    ) {
        let change = ConnectionChange {
            status: ConnectionStatus::Failed,
            connection: self.connection,
            node_id: Some(node),
            peer,
            next,
            reason: Some(error.clone()),
            incoming: false,
            label: String::new(),
        };
        cx.event(Event::NeighborConnection {
            node: cx.node,
            change: Box::new(change),
        });
    }
}

/// The other end of a link.
pub struct Remote {
    /// Where signals to it go.
    pub address: NodeAddress,
    /// The node.
    pub node: NodeId,
    /// Its session, once verified.
    pub session: Option<Session>,
}

impl Remote {
    /// The key its handshakes are sealed to.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        self.address.session
    }

    /// Its identity, once verified.
    #[must_use]
    pub fn peer(&self) -> Option<PeerId> {
        self.session.as_ref().map(|session| session.body.peer)
    }
}

/// A link to another node, coming up or open.
pub struct Link {
    /// Its name with the driver.
    pub id: LinkId,
    /// The other end.
    pub remote: Remote,
    /// What it was opened for.
    pub purpose: Purpose,
    /// We asked.
    pub initiator: bool,
    /// The driver was told to open it.
    pub with_driver: bool,
    /// It may go over TURN only.
    pub relay_only: bool,
    /// Some TURN server was there to be used.
    pub has_turn: bool,
    /// It goes over the rendezvous server: what waits there.
    pub relayed: Option<Box<Relayed>>,
    /// How far it has come.
    pub stage: Stage,
    /// Names it in signals, once message 1 is written.
    pub attempt: Attempt,
    /// Seal what goes beside the channel, once the handshake is done.
    pub keys: Option<Keys>,
    /// SHA-256 of our certificate.
    pub local_fingerprint: Option<[u8; 32]>,
    /// SHA-256 of theirs, from the handshake.
    pub remote_fingerprint: Option<[u8; 32]>,
    /// Own candidates that wait for keys.
    pub candidates_out: Vec<Line>,
    /// Their candidates that wait for their description.
    pub candidates_in: Vec<Line>,
    /// Sealed signals that came before message 2.
    pub early: Vec<(u64, Vec<u8>)>,
    /// The other side said that it goes off the network.
    pub left: bool,
    /// An answer came that was none: somebody on the way made it up or changed it.
    pub tampered: bool,
    /// Our end of the neighbor connection, once open (promised earlier to a caller).
    pub connection: Option<ConnectionId>,
    /// The call that waits for it.
    pub caller: Option<Caller>,
    /// Messages over the neighbor connection.
    pub flow: Flow,
    /// When something was last heard.
    pub heard: Millis,
    /// The outstanding probe and when it left.
    pub probe: Option<(u64, Millis)>,
    /// The other end has answered a probe, so it has read our first frames.
    pub confirmed_heard: bool,
    /// The last round trip.
    pub rtt_ms: Option<Millis>,
    /// Peer time at the other end minus our wall clock, as last measured.
    pub peer_time_offset: Option<i64>,
    /// Control items and records.
    pub lane: Lane,
    /// When an item, or something about items, was last heard.
    pub items_heard: Millis,
    /// What the ends have told each other of what they hold.
    pub syncing: Option<Box<Syncing>>,
    /// How bytes travel.
    pub path: Path,
    /// Wall time when it opened.
    pub opened_at: Millis,
    /// Monotonic time when it opened.
    pub opened: Option<Millis>,
    /// Our Confirm, kept until it was heard.
    pub confirm: Option<Frame>,
    next_out: u64,
    next_in: u64,
    held: Map<u64, Frame>,
}

/// What a packet was.
pub enum Received {
    /// In order: these frames are next.
    Frames(Vec<Frame>),
    /// Not what an honest end sends.
    Bad,
}

impl Link {
    /// A link that has not begun.
    #[must_use]
    pub fn new(id: LinkId, remote: Remote, purpose: Purpose, stage: Stage, now: Millis) -> Self {
        Self {
            id,
            remote,
            purpose,
            initiator: true,
            with_driver: false,
            relay_only: false,
            has_turn: false,
            relayed: None,
            stage,
            attempt: Attempt([0; 8]),
            keys: None,
            local_fingerprint: None,
            remote_fingerprint: None,
            candidates_out: Vec::new(),
            candidates_in: Vec::new(),
            early: Vec::new(),
            left: false,
            tampered: false,
            connection: None,
            caller: None,
            flow: Flow::default(),
            heard: now,
            probe: None,
            confirmed_heard: false,
            rtt_ms: None,
            peer_time_offset: None,
            lane: Lane::default(),
            items_heard: now,
            syncing: None,
            path: Path::Direct,
            opened_at: 0,
            opened: None,
            confirm: None,
            next_out: 0,
            next_in: 0,
            held: Map::new(),
        }
    }

    /// Whether frames may flow.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// Whether it is one to `node` and for the same as another: a link for direct connections alone
    /// neither stands for a neighbor's nor in its way.
    #[must_use]
    pub fn is_like(&self, node: NodeId, purpose: Purpose) -> bool {
        let direct = |purpose| purpose == Purpose::Direct;
        self.remote.node == node && direct(self.purpose) == direct(purpose)
    }

    /// Whether it is open as a neighbor connection.
    #[must_use]
    pub fn is_neighbor(&self) -> bool {
        self.is_open() && self.purpose != Purpose::Direct
    }

    /// Whether messages and records may be sent, or should wait until others have left.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let relayed = self.relayed.as_ref();
        relayed.is_none_or(|relayed| relayed.waiting() < RELAY_QUEUE_BYTES)
    }

    /// Whether our Confirm may not have been read: a relay begins with it and loses nothing.
    #[must_use]
    pub fn repeats_confirm(&self) -> bool {
        !self.confirmed_heard && self.relayed.is_none()
    }

    /// Whether each end has told all it knew when the link opened.
    #[must_use]
    pub fn has_synchronized(&self) -> bool {
        let syncing = self.syncing.as_ref();
        syncing.is_some_and(|syncing| syncing.is_complete())
    }

    /// How far it came, for evidence.
    #[must_use]
    pub fn reached(&self) -> Reached {
        match self.stage {
            Stage::Describing | Stage::Asked(_) | Stage::Proving | Stage::Answering(_) => {
                Reached::Handshake
            }
            Stage::Offered | Stage::Replying | Stage::Opening => Reached::Ice,
            Stage::Confirming | Stage::Open => Reached::Channel,
        }
    }

    /// Notes the remote description and tells the driver what it has waited for.
    pub fn described(&mut self, cx: &mut Context<'_>, description: &Description) {
        self.remote_fingerprint = Some(description.fingerprint);
        self.pass_candidates(cx);
    }

    /// Passes the other end's candidates on, once there is its description. Over TURN only, relayed
    /// ones go first and the others after the last: our server lets nobody at those, and a browser
    /// that is refused each candidate it has gives up before the next one comes.
    pub fn pass_candidates(&mut self, cx: &mut Context<'_>) {
        if self.remote_fingerprint.is_none() {
            return;
        }
        let waiting = core::mem::take(&mut self.candidates_in);
        let (mut passed, others): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|line| !self.relay_only || line.as_str().contains(" typ relay"));
        if others.iter().any(|line| line.as_str().is_empty()) {
            passed.extend(others);
        } else {
            self.candidates_in = others;
        }
        for candidate in passed {
            cx.effect(Effect::AddCandidate {
                link: self.id,
                candidate: candidate.as_str().to_owned(),
            });
        }
    }

    /// Sends a frame over the reliable channel.
    pub fn send(&mut self, cx: &mut Context<'_>, frame: Frame) {
        let sequence = self.next_out;
        self.next_out += 1;
        self.transmit(cx, sequence, frame);
    }

    /// Sends the first frame, or sends it again until it was heard.
    pub fn send_confirm(&mut self, cx: &mut Context<'_>) {
        if self.confirm.is_none() {
            let (Some(keys), Some(local), Some(remote)) = (
                self.keys.as_mut(),
                self.local_fingerprint,
                self.remote_fingerprint,
            ) else {
                return;
            };
            let body = confirm_body(&keys.hash, &local, &remote);
            self.confirm = keys.seal(&body).and_then(|(counter, sealed)| {
                Some(Frame::Confirm {
                    counter,
                    sealed: Bytes::new(sealed)?,
                })
            });
            self.next_out = 1;
        }
        if let Some(frame) = self.confirm.clone() {
            self.transmit(cx, 0, frame);
        }
    }

    /// Whether a Confirm is of the handshake we made, with the certificates we were told.
    pub fn confirms(&mut self, counter: u64, sealed: &[u8]) -> bool {
        let (Some(keys), Some(local), Some(remote)) = (
            self.keys.as_mut(),
            self.local_fingerprint,
            self.remote_fingerprint,
        ) else {
            return false;
        };
        let expected = confirm_body(&keys.hash, &remote, &local);
        keys.open(counter, sealed)
            .is_some_and(|body| body == expected)
    }

    /// Frames that came out of order.
    pub(super) fn held_frames(&self) -> usize {
        self.held.len()
    }

    fn transmit(&mut self, cx: &mut Context<'_>, sequence: u64, frame: Frame) {
        let bytes = Packet { sequence, frame }.to_bytes();
        if let Some(relayed) = &mut self.relayed {
            return relayed.push(bytes);
        }
        cx.effect(Effect::Transmit {
            link: self.id,
            channel: Channel::Reliable,
            bytes,
        });
    }

    /// Puts what came in order.
    pub fn receive(&mut self, bytes: &[u8]) -> Received {
        let Ok(packet) = Packet::from_bytes(bytes) else {
            return Received::Bad;
        };
        if packet.sequence < self.next_in {
            // A first frame said again.
            return Received::Frames(Vec::new());
        }
        self.held.insert(packet.sequence, packet.frame);
        if self.held.len() > HELD_FRAMES {
            return Received::Bad;
        }
        let mut frames = Vec::new();
        while let Some(frame) = self.held.remove(&self.next_in) {
            self.next_in += 1;
            frames.push(frame);
        }
        Received::Frames(frames)
    }
}

fn confirm_body(hash: &[u8; 64], first: &[u8; 32], second: &[u8; 32]) -> Vec<u8> {
    [hash.as_slice(), first, second].concat()
}
