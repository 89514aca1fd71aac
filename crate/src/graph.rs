//! A graph: nodes, the links between them, and direct connections. It knows no certificates; a
//! [`security::Security`] says who may be here.

pub mod answer;
pub mod arrival;
pub mod clock;
pub mod direct;
pub mod ending;
pub mod flow;
pub mod frames;
mod gauges;
pub mod guesses;
pub mod handshake;
pub mod lane;
pub mod link;
pub mod mailbox;
pub mod opening;
pub mod overlay;
pub mod pace;
pub mod password;
pub mod presence;
pub mod records;
pub mod relay;
pub mod security;
pub mod session;
mod sweeping;
pub mod synchronize;
pub mod unstored;
pub mod waiting;

use crate::sorted::{Map, Set};
use std::collections::VecDeque;

use crate::crypto::Crypto;
use crate::engine::command::IceServer;
use crate::engine::context::Context;
use crate::engine::event::{Answer, ConnectionInfo};
use crate::engine::input::{Input, Verdict};
use crate::error::{CandidateKind, Code, Error, Evidence, Stage as Reached};
use crate::limits;
use crate::names::{
    AskId, Attempt, ConnectionId, ConnectionKind, GroupId, LinkId, NodeAddress, NodeId, RequestId,
    Tag,
};
use crate::record::model::TypeName;
use crate::time::{Millis, Now, Timers};
use crate::wire::codec::Wire as _;
use crate::wire::link::{ByeReason, Purpose, Signal, SignalBody};

use direct::Direct;
use link::{Link, Stage};
use overlay::Overlay;
use password::Guest;
use presence::OwnPresence;
use records::Records;
use relay::Relays;
use security::Security;
use session::OwnSession;
use synchronize::ControlCache;

/// What a graph has to tell its node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// A neighbor came.
    Linked,
    /// A neighbor went.
    Unlinked,
    /// A neighbor has told all it knew when the link opened.
    Synchronized,
    /// What the security keeps has changed.
    Changed,
    /// A dial failed.
    DialFailed(Error),
}

/// Deadlines of a graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A link must have come further by now.
    Link(LinkId),
    /// An open link was silent.
    Probe(LinkId),
    /// A Confirm was not heard.
    Confirm(LinkId),
    /// A lost transport did not come back.
    Lost(LinkId),
    /// A link goes over the relay, unless its channels are open by now.
    Relay(LinkId),
    /// A direct connection must be open by now.
    Direct(ConnectionId),
    /// A direct connection is tried with another link.
    OpenAgain(ConnectionId),
    /// The app must have answered by now.
    Ask(AskId),
    /// Somebody must have proved by now that it knows the password.
    Guest,
    /// A dial is due.
    Dial,
    /// A record ends, refreshes itself or is due.
    Sweep,
    /// Records that had to wait may be flooded.
    Pace,
    /// Compare what we hold with a neighbor.
    Compare,
    /// What this node shows of itself is to be looked at.
    Presence,
}

/// One node's part of a graph.
pub struct Graph {
    /// The group, or the graph's id as a key.
    pub scope: GroupId,
    /// This node.
    pub own: OwnSession,
    /// STUN and TURN servers to use.
    pub ice_servers: Vec<IceServer>,
    /// Use TURN candidates only.
    pub relay_only: bool,
    /// We have not been let in yet: knock at the door.
    pub newcomer: bool,
    /// What a newcomer knocks with; None: not yet.
    pub entry: Option<Purpose>,
    /// Signals to send, and to whom.
    pub signals: VecDeque<(NodeAddress, Signal)>,
    /// What goes over the rendezvous server.
    pub relays: Relays,
    /// For the node.
    pub news: VecDeque<News>,
    /// Where this node is reached, once it is.
    pub address: Option<NodeAddress>,
    /// The rendezvous server's clock minus ours, once known: one vote about peer time.
    pub server_time: clock::ServerTime,
    /// The app wants it on the network.
    pub online: bool,
    /// Types of records that are wanted first, until they are complete.
    pub precedence: Vec<TypeName>,
    /// The replicated database.
    pub records: Records,
    /// What this node shows of itself.
    pub presence: OwnPresence,
    control: ControlCache,
    links: Map<LinkId, Link>,
    attempts: Map<Attempt, LinkId>,
    directs: Map<ConnectionId, Direct>,
    asks: Map<AskId, ConnectionId>,
    /// Questions about records.
    verdicts: Set<AskId>,
    overlay: Overlay,
    /// Who is being asked to prove that it knows the password.
    guest: Option<Guest>,
    /// Calls whose attempt gave way to one from the other side, until that is opened.
    superseded: Vec<(NodeId, link::Caller)>,
    seen: VecDeque<[u8; 8]>,
    seen_set: Set<[u8; 8]>,
    timers: Timers<Timer>,
}

impl Graph {
    /// A graph without links.
    #[must_use]
    pub fn new(crypto: Crypto, scope: GroupId, own: OwnSession, records: Records) -> Self {
        Self {
            presence: OwnPresence::new(crypto, own.peer(), own.node),
            scope,
            own,
            ice_servers: Vec::new(),
            relay_only: false,
            newcomer: false,
            entry: Some(Purpose::Join),
            signals: VecDeque::new(),
            relays: Relays::default(),
            news: VecDeque::new(),
            address: None,
            server_time: clock::ServerTime::default(),
            online: false,
            precedence: Vec::new(),
            records,
            control: ControlCache::default(),
            links: Map::new(),
            attempts: Map::new(),
            directs: Map::new(),
            asks: Map::new(),
            verdicts: Set::new(),
            overlay: Overlay::default(),
            guest: None,
            superseded: Vec::new(),
            seen: VecDeque::new(),
            seen_set: Set::new(),
            timers: Timers::default(),
        }
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        self.timers.next()
    }

    /// Neighbors that are up.
    #[must_use]
    pub fn neighbors(&self) -> usize {
        self.links
            .values()
            .filter(|link| link.is_neighbor())
            .count()
    }

    /// Whether a node is a neighbor, or about to be.
    #[must_use]
    pub fn is_neighbor(&self, node: NodeId) -> bool {
        self.links
            .values()
            .any(|l| l.remote.node == node && l.purpose != Purpose::Direct)
    }

    /// Links of any kind and stage.
    #[must_use]
    pub fn link_count(&self) -> usize {
        self.links.len()
    }

    /// Whether a driver's link is this graph's.
    #[must_use]
    pub fn owns(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// Whether a question to the app is this graph's.
    #[must_use]
    pub fn asked(&self, ask: AskId) -> bool {
        self.asks.contains_key(&ask) || self.verdicts.contains(&ask)
    }

    /// Attempts of the app that wait for their outcome.
    #[must_use]
    pub fn pending_connects(&self) -> usize {
        self.links
            .values()
            .filter(|link| link.caller.is_some())
            .count()
    }

    /// Bytes held in queues.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.links
            .values()
            .map(|link| link.flow.bytes() + link.lane.bytes())
            .sum::<usize>()
            + self.records.bytes()
            + self
                .directs
                .values()
                .map(|direct| direct.flow.bytes())
                .sum::<usize>()
    }

    /// Notes where this node is reached; without that it can ask nobody.
    pub fn reached_at(&mut self, cx: &mut Context<'_>, address: Option<NodeAddress>) {
        self.address = address;
        self.plan(cx);
    }

    /// Runs every timer that is due.
    pub fn tick(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        while let Some(timer) = self.timers.pop_due(cx.now.monotonic) {
            match timer {
                Timer::Link(link) => self.link_timed_out(cx, link),
                Timer::Probe(link) => self.probe(cx, link),
                Timer::Confirm(id) => {
                    if let Some(link) = self.links.get_mut(&id).filter(|l| l.repeats_confirm()) {
                        link.send_confirm(cx);
                        self.timers
                            .arm(timer, cx.now.monotonic + limits::CONFIRM_REPEAT_MS);
                    }
                }
                Timer::Lost(link) => {
                    self.fail(
                        cx,
                        link,
                        Error::new(Code::ConnectionFailed).at(Reached::Channel),
                    );
                }
                Timer::Relay(link) => self.relay_is_due(cx, link),
                Timer::Direct(connection) => self.direct_timed_out(cx, connection),
                Timer::OpenAgain(connection) => self.open_again(cx, security, connection),
                Timer::Ask(ask) => self.answered(cx, ask, Verdict::Reject),
                Timer::Sweep => self.sweep(cx, security),
                Timer::Pace => self.pace(cx),
                Timer::Compare => self.compare_with_somebody(cx, security),
                Timer::Guest => self.guest_left(cx, security),
                Timer::Dial => self.maintain(cx, security),
                // The node looks at it in any case, when it settles.
                Timer::Presence => {}
            }
        }
    }

    /// Takes what happened to a link's peer connection.
    pub fn link_input(&mut self, cx: &mut Context<'_>, security: &mut dyn Security, input: Input) {
        match input {
            // It was given up, and this had been under way.
            input if input.link().is_some_and(|link| self.is_relayed(link)) => {}
            Input::LinkDescribed { link, sdp } => self.link_described(cx, security, link, &sdp),
            Input::CandidateFound { link, candidate } => self.candidate(cx, link, &candidate),
            Input::LinkOpened { link } => self.link_opened(cx, link),
            Input::LinkPath { link, turn } => self.link_path(link, turn),
            Input::FrameReceived { link, bytes, .. } => self.frame(cx, security, link, &bytes),
            Input::LinkLost { link } if self.links.contains_key(&link) => {
                self.timers
                    .arm(Timer::Lost(link), cx.now.monotonic + limits::LINK_LOST_MS);
                self.probe(cx, link);
            }
            Input::LinkRecovered { link } => self.timers.disarm(&Timer::Lost(link)),
            Input::LinkFailed {
                link,
                stage,
                candidates,
            } => self.link_failed(cx, link, stage, candidates),
            Input::LinkClosed { link } if self.go_over_relay(cx, link) => {}
            Input::LinkClosed { link } => {
                let error = Error::new(Code::ConnectionFailed)
                    .detail("the other side closed it")
                    .at(Reached::Channel);
                self.fail(cx, link, error);
            }
            _ => {}
        }
    }

    /// Takes a signal that came for this node.
    pub fn signal(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        from: Tag,
        url: &str,
        payload: &[u8],
    ) {
        let Ok(Signal(body)) = Signal::from_bytes(payload) else {
            return;
        };
        match body {
            SignalBody::Initiate {
                purpose,
                knows_session,
                psk_id,
                noise,
            } => {
                let knock = answer::Knock {
                    purpose,
                    knows_session,
                    psk_id,
                    noise: &noise,
                };
                self.initiated(cx, security, from, url, &knock);
            }
            SignalBody::Answer { attempt, noise } => {
                if let Some(link) = self.attempts.get(&attempt).copied() {
                    self.handshake_answered(cx, security, link, &noise);
                }
            }
            SignalBody::Unknown { attempt } => {
                if let Some(link) = self.attempts.get(&attempt).copied() {
                    self.unknown_there(cx, link);
                }
            }
            SignalBody::Sealed {
                attempt,
                counter,
                sealed,
            } => {
                if self.is_guests(attempt) {
                    self.guest_said(cx, security, counter, &sealed);
                } else if let Some(link) = self.attempts.get(&attempt).copied() {
                    self.sealed(cx, security, link, counter, &sealed);
                }
            }
        }
    }

    /// A signal could not be delivered: nobody is reached under that tag.
    pub fn unreachable(&mut self, cx: &mut Context<'_>, tag: Tag) {
        self.overlay.forget_tag(tag);
        let waiting: Vec<LinkId> = self
            .links
            .values()
            .filter(|l| !l.is_open() && l.remote.address.tags.contains(&tag))
            .filter(|l| matches!(l.stage, Stage::Describing | Stage::Asked(_)))
            .map(|l| l.id)
            .collect();
        for link in waiting {
            let error = Error::new(Code::ConnectionFailed)
                .detail("the node is no longer reachable")
                .at(Reached::Discovery);
            self.fail(cx, link, error);
        }
    }

    /// Ends everything, telling the others.
    pub fn shut_down(&mut self, cx: &mut Context<'_>, code: Code) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.close_link(cx, link, ByeReason::Leaving, &Error::new(code));
        }
        let directs: Vec<ConnectionId> = self.directs.keys().copied().collect();
        for direct in directs {
            self.end_direct(cx, direct, Some(Error::new(code)));
        }
        // Nobody can prove anything to who is not there; the next run counts this one.
        self.guest = None;
        self.overlay.forget_all();
        self.timers = Timers::default();
        self.asks.clear();
        self.verdicts.clear();
        self.records.waiting.forget_asked();
        self.superseded.clear();
    }

    /// Gives up what a request was doing. The request was answered by its caller.
    pub fn abandon(&mut self, cx: &mut Context<'_>, request: RequestId) {
        let link = self
            .links
            .values()
            .find(|l| l.caller.is_some_and(|c| c.request == request))
            .map(|l| l.id);
        if let Some(link) = link {
            self.fail(cx, link, Code::Aborted.into());
        }
        let direct = self
            .directs
            .iter()
            .find(|(_, d)| d.request == Some(request));
        if let Some(direct) = direct.map(|(id, _)| *id) {
            self.close_direct_connection(cx, direct, Some(Code::Aborted.into()));
        }
        for link in self.links.values_mut() {
            link.flow.abandon(request);
        }
        for direct in self.directs.values_mut() {
            direct.flow.abandon(request);
        }
    }

    /// A snapshot of the connections.
    #[must_use]
    pub fn connections(&self, kind: Option<ConnectionKind>) -> Vec<ConnectionInfo> {
        let neighbors = self
            .links
            .values()
            .filter(|_| kind != Some(ConnectionKind::Direct))
            .filter(|link| link.is_neighbor())
            .filter_map(|link| link_info(link, ConnectionKind::Neighbor, link.connection?));
        let directs = self
            .directs
            .iter()
            .filter(|_| kind != Some(ConnectionKind::Neighbor))
            .filter_map(|(id, direct)| self.direct_info(*id, direct));
        neighbors.chain(directs).collect()
    }

    /// Arms the deadline of a link's next step, or its caller's if that is earlier.
    fn expect(&mut self, now: Now, id: LinkId, within: Millis) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        // The app's own limit counts for the first answer: the server may not be reached yet.
        let deadline = match link.caller {
            Some(caller) if matches!(link.stage, Stage::Asked(_)) => caller.deadline,
            Some(caller) => caller.deadline.min(now.monotonic + within),
            None => now.monotonic + within,
        };
        self.timers.arm(Timer::Link(id), deadline);
    }

    fn is_relayed(&self, id: LinkId) -> bool {
        let link = self.links.get(&id);
        link.is_some_and(|link| link.relayed.is_some())
    }

    /// A peer connection failed. On its way up the link goes another way, if there is one.
    fn link_failed(
        &mut self,
        cx: &mut Context<'_>,
        id: LinkId,
        stage: Reached,
        candidates: Vec<CandidateKind>,
    ) {
        if self.go_over_relay(cx, id) {
            return;
        }
        let evidence = Evidence {
            candidates,
            ..Evidence::at(stage)
        };
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let error = match stage {
            Reached::Ice if !link.is_open() => self.no_way(link, evidence),
            _ => Error::new(Code::ConnectionFailed).evidence(evidence),
        };
        self.fail(cx, id, error);
    }

    fn link_path(&mut self, id: LinkId, turn: bool) {
        if let Some(link) = self.links.get_mut(&id) {
            link.path = if turn {
                crate::engine::event::Path::Turn
            } else {
                crate::engine::event::Path::Direct
            };
        }
    }
}

fn link_info(link: &Link, kind: ConnectionKind, id: ConnectionId) -> Option<ConnectionInfo> {
    Some(ConnectionInfo {
        id,
        kind,
        peer: link.remote.peer()?,
        node_id: link.remote.node,
        address: link.remote.address.clone(),
        path: link.path,
        rtt_ms: link.rtt_ms,
        opened_at: link.opened_at,
        bytes_sent: link.flow.sent,
        bytes_received: link.flow.received,
    })
}

/// The answer to a call that opened a connection.
fn connected(info: ConnectionInfo) -> Result<Answer, Error> {
    Ok(Answer::Connected(Box::new(info)))
}

impl Graph {
    /// The best link to a node: an open one, else the newest.
    fn node_link(&self, node: NodeId) -> Option<&Link> {
        self.links
            .values()
            .filter(|l| l.remote.node == node)
            .max_by_key(|l| (l.is_open(), l.id))
    }
}
