//! The connection to a rendezvous server: one server at a time, the next one when it fails.

use std::collections::VecDeque;

use crate::crypto::tag_of;
use crate::engine::command::IceServer;
use crate::engine::context::Context;
use crate::engine::effect::Effect;
use crate::engine::input::Input;
use crate::error::{Code, Error, Stage};
use crate::limits;
use crate::names::{NodeAddress, SessionKey, SocketId, Tag, WorkId};
use crate::random::Random;
use crate::time::{Millis, Now, Timers, backoff};
use crate::wire::codec::Wire as _;
use crate::wire::numbers::RENDEZVOUS_VERSION;
use crate::wire::rendezvous::{ClientMessage, ErrorReason, PATH, ServerMessage, Url, work_puzzle};

mod server;

pub use server::ServerUrl;

/// What the mailbox has to tell its node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mail {
    /// A server has welcomed us.
    Ready,
    /// There are other STUN and TURN servers to use.
    IceServers,
    /// The server is lost; another try follows by itself.
    Lost,
    /// We are reachable under our tag.
    Listening,
    /// Anything else the server said.
    Message(ServerMessage),
}

enum State {
    Idle,
    Opening(SocketId),
    Greeting(SocketId),
    Ready(SocketId),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    /// Open the next socket.
    Retry,
    /// The server must have welcomed us by now.
    Welcome,
    /// Ask for TURN, as what was handed out ends soon.
    Turn,
}

/// What the server of a connection demands, and what is done for it.
#[derive(Default)]
struct Work {
    /// Zero bits; demanded before it welcomed us.
    bits: u8,
    /// Puzzles begun on.
    begun: u32,
    under_way: Option<WorkId>,
    /// No more before that.
    rests_until: Millis,
}

/// A node's connection to its rendezvous servers.
pub struct Mailbox {
    servers: Vec<(ServerUrl, [u8; 32])>,
    current: usize,
    state: State,
    tries: u32,
    /// Times that a server did not let us in since one did.
    refusals: usize,
    ready_at: Option<Millis>,
    challenge: [u8; 32],
    offset_ms: Option<i64>,
    away_ms: Option<Millis>,
    timers: Timers<Timer>,
    /// Nothing is reached but over TURN, so nothing is begun without it.
    pub relay_only: bool,
    /// The node is to hear that a server has welcomed us once TURN is handed out.
    waits_for_turn: bool,
    offers_turn: bool,
    work: Work,
    relay_bytes: u32,
    stun: Vec<IceServer>,
    turn: Option<IceServer>,
    /// For the node.
    pub mail: VecDeque<Mail>,
}

impl Mailbox {
    /// A mailbox that is not connected. Its tags are new.
    #[must_use]
    pub fn new(servers: Vec<ServerUrl>, random: &mut Random) -> Self {
        Self {
            servers: servers
                .into_iter()
                .map(|url| (url, random.bytes()))
                .collect(),
            current: 0,
            state: State::Idle,
            tries: 0,
            refusals: 0,
            ready_at: None,
            challenge: [0; 32],
            offset_ms: None,
            away_ms: None,
            timers: Timers::default(),
            relay_only: false,
            waits_for_turn: false,
            offers_turn: false,
            work: Work::default(),
            relay_bytes: 0,
            stun: Vec::new(),
            turn: None,
            mail: VecDeque::new(),
        }
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        self.timers.next()
    }

    /// Whether any server is named.
    #[must_use]
    pub fn has_servers(&self) -> bool {
        !self.servers.is_empty()
    }

    /// The servers, as invitations name them.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().map(|(url, _)| url.base.as_str())
    }

    /// Whether a server has welcomed us.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    /// Why there is no server, if all of them refuse this page or its token.
    #[must_use]
    pub fn refused(&self) -> Option<Error> {
        (self.refusals >= self.servers.len().max(1)).then(|| {
            let base = self.base();
            Error::new(Code::AccessDenied)
                .detail(format!(
                    "{base} lets in only those whose token, or whose page's origin, it knows: \
                     write the right token behind its address ({base}/?token=...), or have the \
                     server's operator allow it (--token-file, --allow-origin)"
                ))
                .at(Stage::Rendezvous)
        })
    }

    /// Whether a socket is this mailbox's.
    #[must_use]
    pub fn owns(&self, socket: SocketId) -> bool {
        self.socket() == Some(socket)
    }

    /// The current server as invitations name it.
    #[must_use]
    pub fn base(&self) -> &str {
        self.servers
            .get(self.current)
            .map_or("", |(url, _)| url.base.as_str())
    }

    /// The current server's host and port.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.servers
            .get(self.current)
            .map_or("", |(url, _)| url.origin.as_str())
    }

    /// To be signed in Join and Resolve.
    #[must_use]
    pub fn challenge(&self) -> &[u8; 32] {
        &self.challenge
    }

    /// The secret of our tag at the current server.
    #[must_use]
    pub fn r(&self) -> [u8; 32] {
        self.servers.get(self.current).map_or([0; 32], |(_, r)| *r)
    }

    /// This machine's wall clock minus the server's, once known.
    #[must_use]
    pub fn offset_ms(&self) -> Option<i64> {
        self.offset_ms
    }

    /// The server's wall clock now.
    #[must_use]
    pub fn server_time(&self, now: Now) -> Millis {
        now.wall
            .saturating_add_signed(self.offset_ms.unwrap_or(0).saturating_neg())
    }

    /// Where we are reached, while a server has welcomed us.
    #[must_use]
    pub fn address(&self, cx: &Context<'_>, session: SessionKey) -> Option<NodeAddress> {
        self.is_ready().then(|| NodeAddress {
            rendezvous: vec![self.base().to_owned()],
            tags: vec![tag_of(cx.crypto, &self.r())],
            session,
        })
    }

    /// Our tag at the current server.
    #[must_use]
    pub fn tag(&self, cx: &Context<'_>) -> Tag {
        tag_of(cx.crypto, &self.r())
    }

    /// STUN and TURN servers of the current server.
    pub fn ice_servers(&self) -> impl Iterator<Item = &IceServer> {
        self.stun.iter().chain(&self.turn)
    }

    /// Bytes that the current server relays to one end before it gives credit; 0: nothing.
    #[must_use]
    pub fn relay_bytes(&self) -> u32 {
        self.relay_bytes
    }

    /// Begins to connect.
    pub fn start(&mut self, cx: &mut Context<'_>) {
        if matches!(self.state, State::Idle) && self.has_servers() {
            self.tries = 0;
            self.open(cx);
        }
    }

    /// Ends the connection, saying so.
    pub fn stop(&mut self, cx: &mut Context<'_>) {
        if self.is_ready() {
            let tag = self.tag(cx);
            self.send(cx, &ClientMessage::Leave { tag });
        }
        if let Some(socket) = self.socket() {
            cx.effect(Effect::CloseSocket { socket });
        }
        self.state = State::Idle;
        self.refusals = 0;
        self.work = Work::default();
        self.timers = Timers::default();
        self.mail.clear();
    }

    /// Sends a message, if a server has welcomed us.
    pub fn send(&self, cx: &mut Context<'_>, message: &ClientMessage) {
        if let State::Ready(socket) = self.state {
            cx.effect(Effect::SendSocket {
                socket,
                bytes: message.to_bytes(),
            });
        }
    }

    /// Runs every timer that is due.
    pub fn tick(&mut self, cx: &mut Context<'_>) {
        while let Some(timer) = self.timers.pop_due(cx.now.monotonic) {
            match timer {
                Timer::Retry => self.open(cx),
                Timer::Welcome => {
                    if let Some(socket) = self.socket() {
                        cx.effect(Effect::CloseSocket { socket });
                    }
                    self.lost(cx);
                }
                Timer::Turn => self.send(cx, &ClientMessage::Turn {}),
            }
        }
    }

    /// Takes what happened to our socket.
    pub fn input(&mut self, cx: &mut Context<'_>, input: Input) {
        match (input, &self.state) {
            (Input::SocketOpened { socket }, State::Opening(_)) => {
                self.state = State::Greeting(socket);
                let hello = ClientMessage::Hello {
                    version: RENDEZVOUS_VERSION,
                    features: 0,
                };
                cx.effect(Effect::SendSocket {
                    socket,
                    bytes: hello.to_bytes(),
                });
            }
            (Input::SocketReceived { socket, bytes }, _) => {
                // A server that says what no version of the protocol has is left.
                match ServerMessage::from_bytes(&bytes) {
                    Ok(message) => self.message(cx, socket, message),
                    Err(_) => {
                        cx.effect(Effect::CloseSocket { socket });
                        self.lost(cx);
                    }
                }
            }
            (Input::SocketClosed { .. }, _) => self.lost(cx),
            _ => {}
        }
    }

    fn socket(&self) -> Option<SocketId> {
        match self.state {
            State::Idle => None,
            State::Opening(socket) | State::Greeting(socket) | State::Ready(socket) => Some(socket),
        }
    }

    fn open(&mut self, cx: &mut Context<'_>) {
        // A call of the app may have come before the next try was due.
        self.timers.disarm(&Timer::Retry);
        let socket = cx.ids.socket();
        let url = format!("{}{PATH}", self.base());
        self.state = State::Opening(socket);
        self.timers
            .arm(Timer::Welcome, cx.now.monotonic + limits::SOCKET_TIMEOUT_MS);
        let token = self.servers.get(self.current);
        let token = token.map_or_else(String::new, |(url, _)| url.token.clone());
        cx.effect(Effect::OpenSocket { socket, url, token });
    }

    /// The server is gone: try the next one, at once while there are untried ones.
    fn lost(&mut self, cx: &mut Context<'_>) {
        let was_ready = self.is_ready();
        self.state = State::Idle;
        self.work = Work::default();
        self.timers.disarm(&Timer::Welcome);
        self.timers.disarm(&Timer::Turn);
        self.waits_for_turn = false;
        let lived = self
            .ready_at
            .take()
            .map(|at| cx.now.monotonic.saturating_sub(at));
        if lived.is_some_and(|lived| lived >= limits::RECONNECT_MAX_MS) {
            self.tries = 0;
        } else {
            self.tries += 1;
        }
        if was_ready {
            self.mail.push_back(Mail::Lost);
        } else {
            self.current = (self.current + 1) % self.servers.len().max(1);
        }
        let round = self.tries / u32::try_from(self.servers.len().max(1)).unwrap_or(1);
        let pause = match self.away_ms.take() {
            Some(asked) => asked,
            None if self.tries > 0 && self.current != 0 => 0,
            None => {
                let pause = backoff(limits::RECONNECT_MIN_MS, limits::RECONNECT_MAX_MS, round);
                cx.random.jitter(pause / 2, 90)
            }
        };
        self.timers.arm(Timer::Retry, cx.now.monotonic + pause);
    }

    fn message(&mut self, cx: &mut Context<'_>, socket: SocketId, message: ServerMessage) {
        match message {
            ServerMessage::Welcome {
                challenge,
                time_ms,
                limits: told,
                ice,
            } if matches!(self.state, State::Greeting(_)) && self.work.under_way.is_none() => {
                self.challenge = challenge;
                let server = i64::try_from(time_ms).unwrap_or(i64::MAX);
                let wall = i64::try_from(cx.now.wall).unwrap_or(i64::MAX);
                self.offset_ms = Some(wall.saturating_sub(server));
                self.stun = ice
                    .iter()
                    .map(|server| ice_server(&server.urls, &server.username, &server.credential))
                    .collect();
                self.turn = None;
                self.relay_bytes = told.relay_bytes;
                self.offers_turn = told.turn_s > 0;
                match self.work.bits {
                    0 => self.enter(cx, socket, None),
                    bits => self.work_for(cx, bits),
                }
            }
            ServerMessage::Work { bits } => match self.state {
                State::Greeting(_) if bits <= limits::WORK_BITS_MAX => self.work.bits = bits,
                State::Ready(_) if bits <= limits::WORK_BITS_MAX => {
                    let rests = cx.now.monotonic < self.work.rests_until;
                    if self.work.under_way.is_none() && !rests {
                        self.work_for(cx, bits);
                    }
                }
                _ => {
                    cx.effect(Effect::CloseSocket { socket });
                    self.lost(cx);
                }
            },
            ServerMessage::Turn {
                urls,
                user,
                password,
                seconds,
            } => {
                let mut server = ice_server(&urls, &user, &password);
                // Where UDP does not pass, others are reached over the server's own socket, if it
                // relays; besides, only those who may not be seen need the rest.
                let can_do_without = !self.relay_only && self.relay_bytes > 0;
                if can_do_without && server.urls.iter().any(|url| is_udp(url)) {
                    server.urls.retain(|url| is_udp(url));
                }
                self.turn = Some(server).filter(|server| !server.urls.is_empty());
                if seconds > 0 {
                    let lasts = Millis::from(seconds) * 1000;
                    let again = cx.random.jitter(lasts * 3 / 4, 10);
                    self.timers.arm(Timer::Turn, cx.now.monotonic + again);
                }
                self.mail.push_back(Mail::IceServers);
                self.ready();
            }
            ServerMessage::Listening {} => self.mail.push_back(Mail::Listening),
            ServerMessage::GoAway { delay_ms, .. } => {
                self.away_ms = Some(Millis::from(delay_ms).min(limits::RECONNECT_MAX_MS));
            }
            ServerMessage::Error {
                reason: ErrorReason::Full | ErrorReason::Rate,
                retry_after_ms,
            } if !self.is_ready() => {
                self.away_ms = Some(Millis::from(retry_after_ms).max(limits::RECONNECT_MIN_MS));
                cx.effect(Effect::CloseSocket { socket });
                self.lost(cx);
            }
            ServerMessage::Error {
                reason:
                    reason @ (ErrorReason::Malformed | ErrorReason::Version | ErrorReason::Forbidden),
                ..
            } => {
                if reason == ErrorReason::Forbidden {
                    self.refusals += 1;
                }
                cx.effect(Effect::CloseSocket { socket });
                self.lost(cx);
            }
            message => {
                if let ServerMessage::Error { retry_after_ms, .. } = message
                    && self.offers_turn
                    && self.turn.is_none()
                {
                    // It may have been for Turn.
                    let pause = Millis::from(retry_after_ms).max(limits::RECONNECT_MIN_MS);
                    self.timers.arm(Timer::Turn, cx.now.monotonic + pause);
                }
                self.mail.push_back(Mail::Message(message));
            }
        }
    }

    /// Asks for all that we need at once; behind the answer to a puzzle, if there was one.
    fn enter(&mut self, cx: &mut Context<'_>, socket: SocketId, answer: Option<u64>) {
        self.state = State::Ready(socket);
        self.refusals = 0;
        self.ready_at = Some(cx.now.monotonic);
        if let Some(answer) = answer {
            self.send(cx, &ClientMessage::Work { answer });
        }
        let listen = ClientMessage::Listen { r: self.r() };
        self.send(cx, &listen);
        if self.offers_turn {
            self.send(cx, &ClientMessage::Turn {});
        }
        self.waits_for_turn = true;
        if !(self.offers_turn && self.relay_only) {
            self.ready();
        }
    }

    fn work_for(&mut self, cx: &mut Context<'_>, bits: u8) {
        let work = cx.ids.work();
        let puzzle = work_puzzle(&self.challenge, self.work.begun);
        self.work.begun += 1;
        self.work.under_way = Some(work);
        self.work.rests_until = cx.now.monotonic + limits::SERVER_WORK_PAUSE_MS;
        cx.effect(Effect::Work { work, puzzle, bits });
    }

    /// Whether the driver is working on that for our server.
    #[must_use]
    pub fn works(&self, work: WorkId) -> bool {
        self.work.under_way == Some(work)
    }

    /// Work was done. What the server refused meanwhile, those who need it ask for again.
    pub fn worked(&mut self, cx: &mut Context<'_>, answer: u64) {
        self.work.under_way = None;
        if let State::Greeting(socket) = self.state {
            self.enter(cx, socket, Some(answer));
        } else {
            self.send(cx, &ClientMessage::Work { answer });
        }
    }

    fn ready(&mut self) {
        if core::mem::take(&mut self.waits_for_turn) {
            self.timers.disarm(&Timer::Welcome);
            self.mail.push_back(Mail::Ready);
        }
    }
}

fn ice_server(urls: &[Url], username: &Url, credential: &Url) -> IceServer {
    IceServer {
        urls: urls.iter().map(|url| url.to_string()).collect(),
        username: username.to_string(),
        credential: credential.to_string(),
    }
}

/// Whether a TURN server is asked over UDP.
fn is_udp(url: &str) -> bool {
    !url.starts_with("turns:") && !url.ends_with("transport=tcp")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::FAKE;
    use crate::engine::context::{Ids, Requests};
    use crate::engine::event::Event;
    use crate::names::NodeIndex;
    use crate::wire::codec::List;
    use crate::wire::rendezvous::ServerLimits;

    /// A mailbox with a clock and what it did.
    struct Desk {
        mailbox: Mailbox,
        now: Now,
        random: Random,
        ids: Ids,
        requests: Requests,
        effects: VecDeque<Effect>,
        events: VecDeque<Event>,
        /// What the server relays at a time.
        relay_bytes: u32,
    }

    impl Desk {
        fn new(relay_only: bool) -> Self {
            let mut random = Random::new([1; 32]);
            let servers = ServerUrl::parse_all(&["ws://a:1".to_owned()]).unwrap();
            let mut mailbox = Mailbox::new(servers, &mut random);
            mailbox.relay_only = relay_only;
            Self {
                mailbox,
                now: Now {
                    monotonic: 0,
                    wall: 1_790_000_000_000,
                },
                random,
                ids: Ids::default(),
                requests: Requests::default(),
                effects: VecDeque::new(),
                events: VecDeque::new(),
                relay_bytes: 65_536,
            }
        }

        fn run(&mut self, work: impl FnOnce(&mut Mailbox, &mut Context<'_>)) {
            let mut cx = Context {
                now: self.now,
                crypto: &FAKE,
                random: &mut self.random,
                ids: &mut self.ids,
                requests: &mut self.requests,
                effects: &mut self.effects,
                events: &mut self.events,
                node: NodeIndex(1),
            };
            work(&mut self.mailbox, &mut cx);
        }

        /// What it has said to the server since it was last asked.
        fn said(&mut self) -> Vec<ClientMessage> {
            let sent = self.effects.drain(..).filter_map(|effect| match effect {
                Effect::SendSocket { bytes, .. } => Some(bytes),
                _ => None,
            });
            sent.map(|bytes| ClientMessage::from_bytes(&bytes).unwrap())
                .collect()
        }

        fn hear(&mut self, message: &ServerMessage) {
            let socket = self.mailbox.socket().unwrap();
            let bytes = message.to_bytes();
            self.run(|mailbox, cx| mailbox.input(cx, Input::SocketReceived { socket, bytes }));
        }

        /// Begins to connect.
        fn dial(&mut self) {
            self.run(|mailbox, cx| mailbox.start(cx));
            let socket = self.mailbox.socket().unwrap();
            self.run(|mailbox, cx| mailbox.input(cx, Input::SocketOpened { socket }));
        }

        /// Connects to a server whose TURN lasts that long.
        fn welcome(&mut self, turn_s: u16) {
            self.dial();
            self.is_welcomed(turn_s);
        }

        fn is_welcomed(&mut self, turn_s: u16) {
            self.hear(&ServerMessage::Welcome {
                challenge: [0; 32],
                time_ms: 0,
                limits: ServerLimits {
                    announcement_bytes: 0,
                    signal_bytes: 0,
                    ttl_s: 0,
                    topics: 0,
                    relay_bytes: self.relay_bytes,
                    turn_s,
                },
                ice: List::default(),
            });
        }

        /// The work that is to be done now, by its bits.
        fn works(&mut self) -> Vec<(WorkId, [u8; 32], u8)> {
            let works = self.effects.drain(..).filter_map(|effect| match effect {
                Effect::Work { work, puzzle, bits } => Some((work, puzzle, bits)),
                _ => None,
            });
            works.collect()
        }

        /// Moves the clock to the next timer, and says by how much.
        fn wait(&mut self) -> Millis {
            let at = self.mailbox.next_timeout().unwrap();
            let waited = at - self.now.monotonic;
            self.now.monotonic = at;
            self.run(|mailbox, cx| mailbox.tick(cx));
            waited
        }

        fn is_ready(&mut self) -> bool {
            self.mailbox.mail.drain(..).any(|mail| mail == Mail::Ready)
        }

        fn urls(&self) -> Vec<&str> {
            let urls = self.mailbox.ice_servers().flat_map(|server| &server.urls);
            urls.map(String::as_str).collect()
        }
    }

    fn turn(urls: &[&str]) -> ServerMessage {
        ServerMessage::Turn {
            urls: List::first(urls.iter().map(|url| Url::new(*url).unwrap()).collect()),
            user: Url::new("u").unwrap(),
            password: Url::new("p").unwrap(),
            seconds: 600,
        }
    }

    #[test]
    fn work_that_a_server_asks_for_comes_before_everything_else() {
        let mut desk = Desk::new(false);
        desk.dial();
        desk.hear(&ServerMessage::Work { bits: 7 });
        desk.is_welcomed(0);
        let [(work, puzzle, 7)] = desk.works()[..] else {
            panic!("no work");
        };
        assert_eq!(puzzle, work_puzzle(&[0; 32], 0));
        assert!(!desk.is_ready() && desk.mailbox.works(work));
        // What it says meanwhile begins nothing anew.
        desk.is_welcomed(0);
        assert_eq!(desk.works(), []);
        desk.run(|mailbox, cx| mailbox.worked(cx, 5));
        let listen = ClientMessage::Listen {
            r: desk.mailbox.r(),
        };
        assert_eq!(desk.said(), [ClientMessage::Work { answer: 5 }, listen]);
        assert!(desk.is_ready() && !desk.mailbox.works(work));

        // Later it is asked for again: another puzzle, and not before the first has been rested from.
        desk.hear(&ServerMessage::Work { bits: 7 });
        assert_eq!(desk.works(), []);
        desk.now.monotonic += limits::SERVER_WORK_PAUSE_MS;
        for _ in 0..2 {
            desk.hear(&ServerMessage::Work { bits: 7 });
        }
        let [(_, puzzle, 7)] = desk.works()[..] else {
            panic!("not once");
        };
        assert_eq!(puzzle, work_puzzle(&[0; 32], 1));
        desk.run(|mailbox, cx| mailbox.worked(cx, 6));
        assert_eq!(desk.said(), [ClientMessage::Work { answer: 6 }]);
    }

    #[test]
    fn a_server_that_asks_for_too_much_work_is_left() {
        for ready in [false, true] {
            let mut desk = Desk::new(false);
            desk.dial();
            if ready {
                desk.is_welcomed(0);
            }
            desk.hear(&ServerMessage::Work {
                bits: limits::WORK_BITS_MAX + 1,
            });
            assert!(desk.mailbox.socket().is_none());
            assert_eq!(desk.works(), []);
        }
        // What was begun for one connection is nothing to the next.
        let mut desk = Desk::new(false);
        desk.dial();
        desk.hear(&ServerMessage::Work { bits: 7 });
        desk.is_welcomed(0);
        let [(work, ..)] = desk.works()[..] else {
            panic!("no work");
        };
        let socket = desk.mailbox.socket().unwrap();
        desk.run(|mailbox, cx| mailbox.input(cx, Input::SocketClosed { socket }));
        assert!(!desk.mailbox.works(work));
        desk.wait();
        desk.welcome(0);
        assert!(desk.is_ready());
    }

    const WAYS: [&str; 3] = [
        "turn:a:1?transport=udp",
        "turn:a:1?transport=tcp",
        "turns:a:2",
    ];

    #[test]
    fn turn_is_asked_for_again_well_before_it_ends() {
        let mut desk = Desk::new(false);
        desk.welcome(600);
        assert_eq!(desk.said().last(), Some(&ClientMessage::Turn {}));
        assert!(desk.is_ready(), "nobody need wait for it");
        for _ in 0..3 {
            desk.hear(&turn(&WAYS));
            assert_eq!(desk.urls(), WAYS[..1]);
            let waited = desk.wait();
            assert!((300_000..=540_000).contains(&waited), "{waited} ms");
            assert_eq!(desk.said(), [ClientMessage::Turn {}]);
        }
        // Lost with its server, and there are others elsewhere.
        let socket = desk.mailbox.socket().unwrap();
        desk.run(|mailbox, cx| mailbox.input(cx, Input::SocketClosed { socket }));
        desk.wait();
        desk.welcome(0);
        assert!(!desk.said().contains(&ClientMessage::Turn {}));
        assert_eq!(desk.urls(), [""; 0]);
        assert_eq!(desk.mailbox.next_timeout(), None);
    }

    #[test]
    fn over_turn_only_nothing_begins_before_it_is_there() {
        let mut desk = Desk::new(true);
        desk.welcome(600);
        assert!(!desk.is_ready());
        // Refused, as too much was asked: later, then.
        desk.hear(&ServerMessage::Error {
            reason: ErrorReason::Rate,
            retry_after_ms: 2_000,
        });
        assert!(!desk.is_ready());
        desk.said();
        assert_eq!(desk.wait(), 2_000);
        assert_eq!(desk.said(), [ClientMessage::Turn {}]);
        desk.hear(&turn(&WAYS));
        assert!(desk.is_ready());
        assert_eq!(desk.urls(), WAYS);

        // One that never answers is left for another try.
        let mut desk = Desk::new(true);
        desk.welcome(600);
        assert_eq!(desk.wait(), limits::SOCKET_TIMEOUT_MS);
        assert!(!desk.mailbox.is_ready());
        // One that has none says so, and whoever waits is told by the node.
        let mut desk = Desk::new(true);
        desk.welcome(0);
        assert!(desk.is_ready());
        // Nothing but TLS, and the app may be seen: better than nothing.
        let mut desk = Desk::new(false);
        desk.welcome(600);
        desk.hear(&turn(&WAYS[1..]));
        assert_eq!(desk.urls(), WAYS[1..]);
        // The server relays nothing: where UDP does not pass, TURN over TCP is all there is.
        let mut desk = Desk::new(false);
        desk.relay_bytes = 0;
        desk.welcome(600);
        desk.hear(&turn(&WAYS));
        assert_eq!(desk.urls(), WAYS);
    }
}
