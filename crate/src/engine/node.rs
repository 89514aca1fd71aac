//! A node: one (storage, identity, group), with its links, its mailbox and its discovery.

use crate::sorted::Set;

use super::command::{IceServer, Store, Target};
use super::context::Context;
use super::event::{Event, State, Status};
use super::input::Input;
use super::keeping::Keeper;
use super::password::Computing;
use super::saving::Decisions;
use crate::error::{Code, Error, Stage};
use crate::graph::link::Caller;
use crate::graph::mailbox::{Mail, Mailbox, ServerUrl};
use crate::graph::overlay::is_final;
use crate::graph::security::Security;
use crate::graph::{Graph, News};
use crate::group::Group;
use crate::group::discovery::Discovery;
use crate::group::open::OpenSecurity;
use crate::group::roster::Roster;
use crate::limits;
use crate::names::{ConnectionId, HandleId, NodeAddress, PeerId, RequestId, StorageId};
use crate::time::{Millis, Timers};
use crate::wire::codec::{Bytes, Wire as _};
use crate::wire::link::Purpose;
use crate::wire::rendezvous::{ClientMessage, RefusedReason, ServerMessage};

/// Who decides who may be in a node's graph.
pub(super) enum Kind {
    /// Credentials.
    Group(Box<Group>),
    /// Nobody.
    Graph {
        /// The open door.
        security: OpenSecurity,
        /// It was made here, or synchronised once.
        synchronized: bool,
        /// The app has called `listen`.
        listen: bool,
    },
}

impl Kind {
    pub(super) fn security(&mut self) -> &mut dyn Security {
        match self {
            Self::Group(group) => group.as_mut(),
            Self::Graph { security, .. } => security,
        }
    }
}

/// The lock that keeps other pages from being the same node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lock {
    None,
    Asked,
    Held,
}

/// A call that waits for the group to be usable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// A call has waited for long enough.
    Connect(RequestId),
    /// Our own membership did not hold: look whether it does by now.
    Begin,
    /// Try again to store what others wrote.
    StoreAgain,
    /// Somebody new may need the group's password.
    Tend,
    /// A new epoch is due.
    Rotate,
    /// Whoever leaves has waited for long enough.
    Leave,
    /// A new member has not shown its name.
    Members,
}

/// A node.
pub(super) struct Node {
    /// Where it is kept.
    pub(super) store: Store,
    /// Its identity.
    pub(super) peer: PeerId,
    /// Who decides who may be in it.
    pub(super) kind: Kind,
    /// Its links.
    pub(super) graph: Graph,
    /// Its connection to the rendezvous server.
    pub(super) mailbox: Mailbox,
    /// Handles on it.
    pub(super) handles: Set<HandleId>,
    /// As the app was last told.
    pub(super) status: Status,
    pub(super) discovery: Discovery,
    pub(super) ice_servers: Vec<IceServer>,
    pub(super) online: bool,
    /// It has been usable since it went online.
    pub(super) was_usable: bool,
    pub(super) lock: Lock,
    pub(super) reachable: bool,
    pub(super) timers: Timers<Timer>,
    pub(super) listeners: Vec<RequestId>,
    pub(super) connects: Vec<RequestId>,
    pub(super) addresses: Vec<NodeAddress>,
    pub(super) keeper: Keeper,
    pub(super) saving: Option<StorageId>,
    pub(super) dirty: bool,
    /// The last save failed: tried again when the app connects again, or after a pause.
    pub(super) save_failed: bool,
    pub(super) decisions: Decisions,
    /// Our own membership was over when we went online.
    pub(super) lapsed: Option<Error>,
    /// When to look again whose membership is over.
    pub(super) next_look: Millis,
    /// The app has heard that a clock keeps others from us.
    pub(super) clock_told: bool,
    pub(super) trouble: Option<Error>,
    /// What the driver is computing for the group.
    pub(super) computing: Option<Computing>,
    /// What was known of members when it was looked at last.
    pub(super) looked_at: Option<u64>,
    /// The call that gives the membership up, and how long it may wait.
    pub(super) leaving: Option<(RequestId, Millis)>,
    /// Groups: who is in it, as the app was last told.
    pub(super) roster: Option<Roster>,
}

impl Node {
    /// A node that is not on the network.
    #[must_use]
    pub(super) fn new(
        store: Store,
        peer: PeerId,
        kind: Kind,
        graph: Graph,
        mailbox: Mailbox,
        ice_servers: Vec<IceServer>,
        keeper: Keeper,
    ) -> Self {
        let roster = matches!(kind, Kind::Group(_)).then(Roster::default);
        let mut node = Self {
            store,
            peer,
            kind,
            graph,
            mailbox,
            handles: Set::new(),
            status: Status {
                state: State::Disconnected,
                listening: false,
                has_connections: false,
                synchronized: false,
            },
            discovery: Discovery::default(),
            ice_servers,
            online: false,
            was_usable: false,
            lock: Lock::None,
            reachable: false,
            timers: Timers::default(),
            listeners: Vec::new(),
            connects: Vec::new(),
            addresses: Vec::new(),
            keeper,
            saving: None,
            dirty: false,
            save_failed: false,
            decisions: Decisions::default(),
            lapsed: None,
            next_look: 0,
            clock_told: false,
            trouble: None,
            computing: None,
            looked_at: None,
            leaving: None,
            roster,
        };
        node.status = node.current_status();
        node
    }

    /// When something is due.
    #[must_use]
    pub(super) fn next_timeout(&self) -> Option<Millis> {
        [
            self.timers.next(),
            self.graph.next_timeout(),
            self.mailbox.next_timeout(),
            self.discovery.next_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether it has been synchronised once.
    #[must_use]
    pub(super) fn synchronized(&self) -> bool {
        match &self.kind {
            Kind::Group(group) => group.state.synchronized,
            Kind::Graph { synchronized, .. } => *synchronized,
        }
    }

    /// Goes online so that a node at `address` can be asked.
    pub(super) fn reach(
        &mut self,
        cx: &mut Context<'_>,
        address: &NodeAddress,
    ) -> Result<(), Error> {
        let node = crate::crypto::node_of(cx.crypto, address.session);
        if node == self.graph.own.node {
            return Err(Code::ConnectSelf.into());
        }
        if self.graph.is_neighbor(node) {
            return Err(Error::new(Code::AlreadyExists).detail("that node is a neighbor"));
        }
        if !self.mailbox.has_servers() {
            self.mailbox = Mailbox::new(ServerUrl::parse_all(&address.rendezvous)?, cx.random);
            self.mailbox.relay_only = self.graph.relay_only;
        }
        if !self
            .mailbox
            .urls()
            .any(|url| address.rendezvous.iter().any(|other| other == url))
        {
            return Err(Error::new(Code::InvalidArgument)
                .detail("the address is at a rendezvous server that this graph does not use"));
        }
        self.go_online(cx);
        Ok(())
    }

    /// Begins a link for a call of the app.
    pub(super) fn dial(
        &mut self,
        cx: &mut Context<'_>,
        address: NodeAddress,
        purpose: Purpose,
        caller: Caller,
    ) {
        self.graph.dial(
            cx,
            self.kind.security(),
            address,
            None,
            purpose,
            Some(caller),
        );
    }

    /// Opens a direct connection for a call of the app.
    pub(super) fn open_direct(
        &mut self,
        cx: &mut Context<'_>,
        to: &Target,
        label: String,
        request: RequestId,
        timeout_ms: Millis,
    ) -> Result<ConnectionId, Error> {
        self.graph
            .open_direct(cx, self.kind.security(), to, label, request, timeout_ms)
    }

    /// Lets what a command has changed take its course.
    pub(super) fn after(&mut self, cx: &mut Context<'_>) {
        self.settle(cx);
    }

    /// Everything ends: the last handle is closed.
    pub(super) fn close(&mut self, cx: &mut Context<'_>, code: Code) {
        self.go_offline(cx, code);
        self.decisions = Decisions::default();
        self.save_the_rest(cx);
        for request in cx.requests.of_node(cx.node) {
            cx.answer(request, Err(code.into()));
        }
        self.connects.clear();
        self.listeners.clear();
    }

    /// Runs every timer that is due.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>) {
        self.graph.look_at_clock(cx);
        while let Some(timer) = self.timers.pop_due(cx.now.monotonic) {
            let request = match timer {
                Timer::Connect(request) => request,
                Timer::Begin => {
                    self.begin(cx);
                    continue;
                }
                Timer::StoreAgain => {
                    self.store_again();
                    continue;
                }
                // It is looked at whenever anything has settled.
                Timer::Tend => continue,
                Timer::Rotate => {
                    self.rotate(cx);
                    continue;
                }
                Timer::Leave => continue,
                // They are looked at when all settles.
                Timer::Members => continue,
            };
            if self.listeners.contains(&request) {
                self.listeners.retain(|r| *r != request);
                if let Kind::Graph { listen, .. } = &mut self.kind {
                    *listen = false;
                }
                let error = self
                    .mailbox
                    .refused()
                    .unwrap_or_else(|| Error::new(Code::ServiceNotAvailable).at(Stage::Rendezvous));
                cx.answer(request, Err(error));
            } else {
                let error = self.why_not();
                self.fail_connect(cx, request, error);
            }
        }
        if self.online {
            self.keep_session(cx);
        }
        self.mailbox.tick(cx);
        if let Kind::Group(group) = &self.kind {
            self.discovery.tick(cx, group, &self.graph, &self.mailbox);
        }
        self.graph.tick(cx, self.kind.security());
        self.look_at_time(cx);
        self.settle(cx);
    }

    /// A session that was signed with a clock ahead, or that has ended, is signed anew: nobody would
    /// take it otherwise, long after the clock was set right.
    pub(super) fn keep_session(&mut self, cx: &mut Context<'_>) {
        let scope = self.graph.scope;
        if self.graph.own.renew(cx.crypto, cx.random, scope, cx.now) {
            self.discovery.stand_again(cx.now.monotonic);
        }
    }

    /// Gives up what a request was doing; it was answered by its caller.
    pub(super) fn abandon(&mut self, cx: &mut Context<'_>, request: RequestId) {
        self.graph.abandon(cx, request);
        self.leaving.take_if(|(leave, _)| *leave == request);
        self.forget_decision(request);
        let was_listening = self.listeners.contains(&request);
        self.listeners.retain(|r| *r != request);
        if let Kind::Graph { listen, .. } = &mut self.kind
            && was_listening
            && self.listeners.is_empty()
        {
            *listen = false;
        }
        if self.connects.contains(&request) {
            self.forget_connect(cx, request);
        }
        self.settle(cx);
    }

    /// Takes what happened in the world.
    pub(super) fn input(&mut self, cx: &mut Context<'_>, input: Input) {
        self.graph.look_at_clock(cx);
        match input {
            Input::SocketOpened { .. }
            | Input::SocketReceived { .. }
            | Input::SocketClosed { .. } => {
                self.mailbox.input(cx, input);
            }
            Input::Stretched { key, .. } => self.stretched(cx, key),
            Input::Worked { work, answer } if self.mailbox.works(work) => {
                self.mailbox.worked(cx, answer);
            }
            Input::Worked { answer, .. } => self.worked(cx, answer),
            Input::Locked { granted, .. } => self.locked(cx, granted),
            Input::Answered { ask, verdict } => self.graph.answered(cx, ask, verdict),
            Input::Persisted { storage, result } if self.keeper.owns(storage) => {
                self.records_saved(cx, result);
            }
            Input::Persisted { result, .. } => self.saved(cx, result),
            Input::Loaded { result, .. } => self.records_reloaded(cx, result),
            input => self.graph.link_input(cx, self.kind.security(), input),
        }
        self.settle(cx);
    }

    /// Whether a storage operation is this node's.
    #[must_use]
    pub(super) fn stores(&self, storage: StorageId) -> bool {
        self.saving == Some(storage) || self.keeper.owns(storage)
    }

    /// Lets everything that has news for something else have its say, until nothing has.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        loop {
            if let Some(mail) = self.mailbox.mail.pop_front() {
                self.mail(cx, mail);
            } else if let Some(news) = self.graph.news.pop_front() {
                self.news(cx, news);
            } else {
                self.tend(cx);
                self.spread();
                self.look_at_members(cx);
                self.graph.weigh_again(cx, self.kind.security());
                self.tell_members(cx);
                self.graph.plan_records(cx, self.kind.security());
                self.graph.pump_lanes(cx);
                self.graph.pump_relays(cx);
                self.flush_signals(cx);
                self.save(cx);
                self.save_records(cx);
                self.tell_status(cx);
                self.settle_calls(cx);
                let shown = self.show(cx);
                if !shown && self.current_status() == self.status && self.graph.news.is_empty() {
                    return;
                }
            }
        }
    }

    pub(super) fn tell_status(&mut self, cx: &mut Context<'_>) {
        let status = self.current_status();
        if status != self.status {
            self.status = status;
            cx.event(Event::StatusChanged {
                node: cx.node,
                status,
            });
        }
        if let Kind::Group(group) = &mut self.kind
            && group.state.synchronized
            && core::mem::take(&mut group.properties_are_new)
        {
            cx.event(Event::PropertiesChanged { node: cx.node });
        }
    }

    pub(super) fn mail(&mut self, cx: &mut Context<'_>, mail: Mail) {
        match mail {
            Mail::Ready => {
                let window = self.mailbox.relay_bytes();
                self.graph.relays.begin(self.mailbox.base(), window);
                let address = self.mailbox.address(cx, self.graph.own.session.body.key);
                self.graph.reached_at(cx, address);
                self.use_ice_servers();
                let offset = self.mailbox.offset_ms();
                self.graph.server_time.tell(offset.map(i64::wrapping_neg));
                match &mut self.kind {
                    Kind::Group(group) => group.offset_ms = offset,
                    Kind::Graph { security, .. } => security.offset_ms = offset,
                }
                for address in core::mem::take(&mut self.addresses) {
                    self.graph.learn(cx, address, None);
                }
                self.begin(cx);
            }
            Mail::IceServers => self.use_ice_servers(),
            Mail::Lost => {
                self.graph.relay_lost(cx);
                self.graph.reached_at(cx, None);
                self.reachable = false;
                self.discovery.lost();
            }
            Mail::Listening => self.reachable = true,
            Mail::Message(ServerMessage::Delivered { from, payload }) => {
                let url = self.mailbox.base().to_owned();
                self.graph
                    .signal(cx, self.kind.security(), from, &url, &payload);
            }
            Mail::Message(ServerMessage::Refused {
                to,
                reason: RefusedReason::Gone,
            }) => {
                self.graph.unreachable(cx, to);
            }
            Mail::Message(ServerMessage::Relay { frame, .. }) => {
                self.graph.relayed(cx, self.kind.security(), &frame);
            }
            Mail::Message(ServerMessage::RelayCredit { to, bytes }) => {
                self.graph.relays.credit(to, bytes);
            }
            Mail::Message(ServerMessage::RelayClosed { to, reason }) => {
                self.graph.relay_closed(cx, to, reason);
            }
            Mail::Message(message) => {
                if let Kind::Group(group) = &mut self.kind {
                    let graph = &mut self.graph;
                    self.discovery
                        .message(cx, group, graph, &self.mailbox, message);
                }
            }
        }
    }

    pub(super) fn news(&mut self, cx: &mut Context<'_>, news: News) {
        match news {
            News::Linked | News::Unlinked => {}
            News::Changed => {
                self.dirty = true;
                self.look_for_renewal(cx);
            }
            News::DialFailed(error) if error.code == Code::WrongPassword => {
                self.was_wrong(cx, &error);
            }
            News::DialFailed(error) => {
                // A member's no says more than somebody else's silence.
                let silence_after_no = !is_final(error.code)
                    && self.trouble.as_ref().is_some_and(|t| is_final(t.code));
                let of_use = !matches!(error.code, Code::Aborted | Code::AlreadyExists);
                if of_use && !silence_after_no {
                    self.trouble = Some(error);
                }
            }
            News::Synchronized => {
                if self.synchronized() {
                    return;
                }
                self.dirty = true;
                // One member's word alone could be a lie: the server's stands beside it.
                let mut votes = self.graph.time_votes();
                votes.extend(self.graph.server_time.vote(&votes));
                self.graph.records.clock.adopt(&votes);
                match &mut self.kind {
                    Kind::Group(group) => group.state.synchronized = true,
                    Kind::Graph { synchronized, .. } => *synchronized = true,
                }
                self.begin_discovery(cx);
                self.graph.dial_anew(cx);
            }
        }
    }

    pub(super) fn spread(&mut self) {
        let Kind::Group(group) = &mut self.kind else {
            return;
        };
        let items: Vec<_> = group.news.drain(..).filter_map(Bytes::new).collect();
        if !items.is_empty() {
            self.dirty = true;
            self.graph.spread(&items);
        }
    }

    /// Sends what waits to be signaled, once a server has welcomed us.
    pub(super) fn flush_signals(&mut self, cx: &mut Context<'_>) {
        if !self.mailbox.is_ready() {
            let waiting = &mut self.graph.signals;
            // The oldest are of attempts that have long ended.
            waiting.drain(..waiting.len().saturating_sub(limits::WAITING_SIGNALS));
            return;
        }
        while let Some((address, signal)) = self.graph.signals.pop_front() {
            let to = address.tag_at(self.mailbox.base());
            if let (Some(to), Some(payload)) = (to, Bytes::new(signal.to_bytes())) {
                self.mailbox
                    .send(cx, &ClientMessage::Signal { to, payload });
            }
        }
        // Behind the signals, without which the server carries nothing.
        for (to, frame) in self.graph.relays.take_frames() {
            self.mailbox.send(cx, &ClientMessage::Relay { to, frame });
        }
    }

    pub(super) fn current_status(&self) -> Status {
        let synchronized = self.synchronized();
        let has_connections = self.graph.neighbors() > 0;
        let listening = match &self.kind {
            Kind::Group(_) => self.discovery.listening && synchronized,
            Kind::Graph { listen, .. } => *listen && self.reachable,
        };
        let state = if !self.online {
            State::Disconnected
        } else if has_connections && synchronized {
            State::Online
        } else if has_connections {
            State::Synchronizing
        } else if listening {
            State::Listening
        } else {
            State::Connecting
        };
        Status {
            state,
            listening,
            has_connections,
            synchronized,
        }
    }
}
