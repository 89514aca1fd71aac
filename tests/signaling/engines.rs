//! Real engines over real sockets; only their links are made up, and open as real ones would.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use peer_group::crypto::REAL;
use peer_group::crypto::work::solve;
use peer_group::engine::command::{
    Command, IceServer, NewGroup, NewInvitation, OpenOptions, Store,
};
use peer_group::engine::effect::{Effect, Role};
use peer_group::engine::event::{Answer, Event, Path};
use peer_group::engine::input::Input;
use peer_group::engine::{Config, Engine};
use peer_group::error::Error;
use peer_group::names::{HandleId, LinkId, RequestId, SocketId};
use peer_group::time::{Millis, Now};
use peer_group::wire::rendezvous::{SUBPROTOCOL, TOKEN_PROTOCOL};
use peer_group_tests::sim::dice::Dice;
use peer_group_tests::sim::net::{Secrets, candidate, describe};
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{open, request};

/// What takes longer than this has gone wrong.
const LIMIT: Duration = Duration::from_secs(60);

/// Messages that wait between an engine and its socket; an engine that floods it ends the test.
const QUEUE: usize = 1024;

/// One end of a link.
struct End {
    secrets: Secrets,
    /// The user name in the description that the engine had for the other end.
    remote: Option<String>,
    other: Option<(usize, LinkId)>,
}

struct Node {
    engine: Engine,
    disk: BTreeMap<(Store, String), Vec<u8>>,
    sockets: BTreeMap<SocketId, Sender<Vec<u8>>>,
    links: BTreeMap<LinkId, End>,
    /// What each link was opened with, in turn.
    ways: Vec<Way>,
    answers: BTreeMap<RequestId, Result<Answer, Error>>,
    handle: Option<HandleId>,
}

/// How a link may go.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) servers: Vec<IceServer>,
    pub(crate) relay_only: bool,
}

/// What links of a node came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Links {
    /// That described themselves.
    pub(crate) described: usize,
    /// That were given a description of the other end.
    pub(crate) given: usize,
    /// That opened.
    pub(crate) opened: usize,
}

/// Engines that meet at one server.
pub(crate) struct Engines {
    host: String,
    nodes: Vec<Node>,
    inputs: Receiver<(usize, Input)>,
    later: Sender<(usize, Input)>,
    /// What engines' own effects brought about.
    soon: VecDeque<(usize, Input)>,
    start: Instant,
    dice: Dice,
    /// Whether who comes now wants to be seen by nobody.
    pub(crate) relay_only: bool,
    /// No packet gets from one to another: links open at neither end.
    pub(crate) blocked: bool,
    /// What those who come now write behind the server's address.
    pub(crate) query: String,
    /// Puzzles that were solved for the server.
    pub(crate) worked: usize,
}

impl Engines {
    pub(crate) fn new(host: &str) -> Self {
        let (later, inputs) = channel(QUEUE);
        Self {
            host: host.to_owned(),
            nodes: Vec::new(),
            inputs,
            later,
            soon: VecDeque::new(),
            start: Instant::now(),
            dice: Dice::new(1, "real sockets"),
            relay_only: false,
            blocked: false,
            query: String::new(),
            worked: 0,
        }
    }

    fn begin(&mut self) -> usize {
        self.nodes.push(Node {
            engine: Engine::new(Config::default(), self.dice.bytes()),
            disk: BTreeMap::new(),
            sockets: BTreeMap::new(),
            links: BTreeMap::new(),
            ways: Vec::new(),
            answers: BTreeMap::new(),
            handle: None,
        });
        self.nodes.len() - 1
    }

    fn options(&self) -> OpenOptions {
        OpenOptions {
            store: Store::Default,
            rendezvous: vec![format!("ws://{}{}", self.host, self.query)],
            ice_servers: Vec::new(),
            relay_only: self.relay_only,
            ..OpenOptions::default()
        }
    }

    /// A member that made a group and is online, and its invitation.
    pub(crate) async fn create(&mut self) -> String {
        let creator = self.begin();
        let group = NewGroup {
            friendly_name: "A group".to_owned(),
            comment: String::new(),
            classifier: String::new(),
            ..NewGroup::default()
        };
        let options = self.options();
        let handle = self
            .open(creator, Command::CreateGroup { options, group })
            .await;
        let invitation = NewInvitation {
            max_uses: 9,
            ..NewInvitation::default()
        };
        let invite = Command::CreateInvitation { handle, invitation };
        let Ok(Answer::Invitation(text)) = self.ask(creator, invite).await else {
            panic!("no invitation")
        };
        self.connect(creator, handle, 10_000).await.unwrap();
        text
    }

    /// Somebody new takes the invitation and goes online, or not.
    pub(crate) async fn join(
        &mut self,
        invitation: &str,
        timeout_ms: Millis,
    ) -> (usize, Result<Answer, Error>) {
        let joiner = self.begin();
        let options = self.options();
        let invitation = invitation.to_owned();
        let handle = self
            .open(
                joiner,
                Command::JoinGroup {
                    options,
                    invitation,
                },
            )
            .await;
        (joiner, self.connect(joiner, handle, timeout_ms).await)
    }

    async fn open(&mut self, node: usize, command: Command) -> HandleId {
        match self.ask(node, command).await {
            Ok(Answer::Opened(opened)) => {
                self.nodes[node].handle = Some(opened.handle);
                opened.handle
            }
            other => panic!("not opened: {other:?}"),
        }
    }

    async fn connect(
        &mut self,
        node: usize,
        handle: HandleId,
        timeout_ms: Millis,
    ) -> Result<Answer, Error> {
        let connect = Command::Connect {
            handle,
            timeout_ms,
            addresses: Vec::new(),
        };
        self.ask(node, connect).await
    }

    /// Somebody makes a graph; all that is kept of it.
    pub(crate) async fn create_graph(&mut self) -> Vec<Vec<u8>> {
        let creator = self.begin();
        let (options, graph) = (self.options(), "g".to_owned());
        let create = Command::CreateGraph { options, graph };
        self.open(creator, create).await;
        self.nodes[creator].disk.values().cloned().collect()
    }

    /// How the links of a node may go, in the order in which they were opened.
    pub(crate) fn ways(&self, node: usize) -> &[Way] {
        &self.nodes[node].ways
    }

    /// How the connections of a node go.
    pub(crate) fn paths(&self, node: usize) -> Vec<Path> {
        let Node { engine, handle, .. } = &self.nodes[node];
        let infos = engine.connections(handle.unwrap(), None).unwrap();
        infos.iter().map(|info| info.path).collect()
    }

    /// What the links of a node came to.
    pub(crate) fn links(&self, node: usize) -> Links {
        let count = |has: fn(&End) -> bool| {
            self.nodes[node]
                .links
                .values()
                .filter(|end| has(end))
                .count()
        };
        Links {
            described: count(|_| true),
            given: count(|end| end.remote.is_some()),
            opened: count(|end| end.other.is_some()),
        }
    }

    fn now(&self) -> Now {
        let wall = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let millis = |time: Duration| Millis::try_from(time.as_millis()).unwrap();
        Now {
            monotonic: millis(self.start.elapsed()),
            wall: millis(wall),
        }
    }

    async fn ask(&mut self, node: usize, command: Command) -> Result<Answer, Error> {
        let end = Instant::now() + LIMIT;
        let now = self.now();
        let request = self.nodes[node].engine.command(now, command)?;
        self.drain(node);
        loop {
            while let Some((node, input)) = self.soon.pop_front() {
                self.hear(node, input);
            }
            if let Some(answer) = self.nodes[node].answers.remove(&request) {
                return answer;
            }
            assert!(Instant::now() < end, "no answer within {LIMIT:?}");
            let timeouts = self
                .nodes
                .iter()
                .filter_map(|node| node.engine.next_timeout());
            let next = timeouts
                .map(|at| self.start + Duration::from_millis(at))
                .min();
            match timeout_at(next.unwrap_or(end).min(end), self.inputs.recv()).await {
                Ok(input) => {
                    let (node, input) = input.unwrap();
                    self.hear(node, input);
                }
                Err(_) => (0..self.nodes.len()).for_each(|node| self.hear(node, Input::Tick)),
            }
        }
    }

    /// Lets all engines go on until something has come to be.
    pub(crate) async fn until<T>(&mut self, happens: impl Future<Output = T>) -> T {
        let mut happens = pin!(happens);
        loop {
            while let Some((node, input)) = self.soon.pop_front() {
                self.hear(node, input);
            }
            let nodes = self.nodes.iter();
            let due = nodes.filter_map(|node| node.engine.next_timeout()).min();
            let due = self.start + Duration::from_millis(due.unwrap_or(Millis::from(u32::MAX)));
            tokio::select! {
                done = &mut happens => return done,
                input = self.inputs.recv() => {
                    let (node, input) = input.unwrap();
                    self.hear(node, input);
                }
                () = sleep_until(due) => {
                    (0..self.nodes.len()).for_each(|node| self.hear(node, Input::Tick));
                }
            }
        }
    }

    fn hear(&mut self, node: usize, input: Input) {
        let now = self.now();
        self.nodes[node].engine.handle(now, input);
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        while let Some(effect) = self.nodes[node].engine.poll_effect() {
            self.effect(node, effect);
        }
        while let Some(event) = self.nodes[node].engine.poll_event() {
            if let Event::Answered { request, result } = event {
                self.nodes[node].answers.insert(request, result);
            }
        }
    }

    fn soon(&mut self, node: usize, input: Input) {
        self.soon.push_back((node, input));
    }

    fn effect(&mut self, at: usize, effect: Effect) {
        let node = &mut self.nodes[at];
        match effect {
            Effect::OpenSocket { socket, url, token } => {
                assert!(url.starts_with(&format!("ws://{}/", self.host)), "{url}");
                let (send, sent) = channel(QUEUE);
                node.sockets.insert(socket, send);
                let (host, later) = (self.host.clone(), self.later.clone());
                tokio::spawn(carry(at, socket, host, token, sent, later));
            }
            Effect::SendSocket { socket, bytes } => {
                // Its end may be on the way to the engine.
                let sent = node.sockets[&socket].try_send(bytes);
                assert!(!matches!(sent, Err(TrySendError::Full(_))), "a flood");
            }
            Effect::CloseSocket { socket } => {
                node.sockets.remove(&socket);
            }
            Effect::OpenLink {
                link,
                role,
                ice_servers: servers,
                relay_only,
            } => {
                node.ways.push(Way {
                    servers,
                    relay_only,
                });
                self.open_link(at, link, &role);
            }
            Effect::AnswerLink { link, remote } => self.give(at, link, &remote),
            Effect::Transmit {
                link,
                channel,
                bytes,
            } => {
                if let Some((other, link)) = node.links[&link].other {
                    self.soon(
                        other,
                        Input::FrameReceived {
                            link,
                            channel,
                            bytes,
                        },
                    );
                }
            }
            Effect::Load {
                storage,
                store,
                prefix,
            } => {
                let entries = node.disk.iter();
                let found =
                    entries.filter(|((of, key), _)| *of == store && key.starts_with(&prefix));
                let found = found.map(|((_, key), value)| (key.clone(), value.clone()));
                let result = Ok(found.collect());
                self.soon(at, Input::Loaded { storage, result });
            }
            Effect::Persist {
                storage,
                store,
                changes,
                ..
            } => {
                for (key, value) in changes {
                    match value {
                        Some(value) => node.disk.insert((store.clone(), key), value),
                        None => node.disk.remove(&(store.clone(), key)),
                    };
                }
                self.soon(
                    at,
                    Input::Persisted {
                        storage,
                        result: Ok(()),
                    },
                );
            }
            Effect::Lock { node, .. } => self.soon(
                at,
                Input::Locked {
                    node,
                    granted: true,
                },
            ),
            Effect::Work { work, puzzle, bits } => {
                self.worked += 1;
                let answer = solve(&REAL, &puzzle, bits, 0, u64::MAX).unwrap();
                self.soon(at, Input::Worked { work, answer });
            }
            Effect::AddCandidate { .. }
            | Effect::CloseLink { .. }
            | Effect::Stretch { .. }
            | Effect::Unlock { .. }
            | Effect::Ask { .. } => {}
        }
    }

    fn open_link(&mut self, at: usize, link: LinkId, role: &Role) {
        let secrets = Secrets::new(self.dice.bytes());
        let sdp = describe(&secrets, *role == Role::Offer);
        let found = candidate(&secrets, at, 1);
        let end = End {
            secrets,
            remote: None,
            other: None,
        };
        self.nodes[at].links.insert(link, end);
        self.soon(at, Input::LinkDescribed { link, sdp });
        for candidate in [found, String::new()] {
            self.soon(at, Input::CandidateFound { link, candidate });
        }
        if let Role::Answer { remote } = role {
            self.give(at, link, remote);
        }
    }

    /// A description reaches an end. Two that have each other's are open.
    fn give(&mut self, at: usize, link: LinkId, remote: &str) {
        let ufrag = |line: &str| line.strip_prefix("a=ice-ufrag:").map(str::to_owned);
        let remote = remote.lines().find_map(ufrag).unwrap();
        let blocked = self.blocked;
        let end = self.nodes[at].links.get_mut(&link).unwrap();
        end.remote = Some(remote.clone());
        if blocked {
            return;
        }
        let own = end.secrets.ufrag.clone();
        let all = self.nodes.iter().enumerate();
        let mut all =
            all.flat_map(|(at, node)| node.links.iter().map(move |(id, end)| (at, *id, end)));
        let other =
            all.find(|(.., end)| end.secrets.ufrag == remote && end.remote.as_ref() == Some(&own));
        let Some((other, other_link, _)) = other else {
            return;
        };
        for (from, to) in [
            ((at, link), (other, other_link)),
            ((other, other_link), (at, link)),
        ] {
            self.nodes[from.0].links.get_mut(&from.1).unwrap().other = Some(to);
            self.soon(from.0, Input::LinkOpened { link: from.1 });
        }
    }
}

/// One socket of an engine, until either side ends it.
async fn carry(
    node: usize,
    socket: SocketId,
    host: String,
    token: String,
    sent: Receiver<Vec<u8>>,
    later: Sender<(usize, Input)>,
) {
    // However it ends, and if it never began.
    let _ = talk(node, socket, (host, token), sent, &later).await;
    let _ = later.send((node, Input::SocketClosed { socket })).await;
}

async fn talk(
    node: usize,
    socket: SocketId,
    dialled: (String, String),
    mut sent: Receiver<Vec<u8>>,
    later: &Sender<(usize, Input)>,
) -> Option<()> {
    let (host, token) = dialled;
    let tcp = TcpStream::connect(&host).await.ok()?;
    let mut request = request(&host);
    if !token.is_empty() {
        let protocols = format!("{SUBPROTOCOL}, {TOKEN_PROTOCOL}{token}");
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
    }
    let mut stream = open(tcp, request).await.ok()?;
    later
        .send((node, Input::SocketOpened { socket }))
        .await
        .ok()?;
    loop {
        tokio::select! {
            bytes = sent.recv() => stream.send(Message::Binary(bytes?.into())).await.ok()?,
            frame = stream.next() => match frame {
                Some(Ok(Message::Binary(bytes))) => {
                    let bytes = bytes.to_vec();
                    later.send((node, Input::SocketReceived { socket, bytes })).await.ok()?;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return None,
            },
        }
    }
}
