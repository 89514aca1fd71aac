//! Many engines over real sockets, each the only member of a group of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use peer_group::engine::command::{Command, NewGroup, OpenOptions, Store};
use peer_group::engine::effect::Effect;
use peer_group::engine::event::{Answer, Event};
use peer_group::engine::input::Input;
use peer_group::engine::{Config, Engine};
use peer_group::names::SocketId;
use peer_group::time::{Millis, Now};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{PATH, SUBPROTOCOL, ServerMessage};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout_at;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::socket::dial;

/// Messages between an engine and its socket, and from all sockets to here.
const QUEUE: usize = 256;
const QUEUE_IN_ALL: usize = 65_536;
/// What an engine is given to go online for the first time.
const CONNECT_MS: Millis = 60_000;

struct Node {
    engine: Engine,
    sockets: BTreeMap<SocketId, Sender<Vec<u8>>>,
    due: Option<Millis>,
    /// Topics that it stands in when it is online.
    stood: usize,
    /// Joins that were granted since [`Fleet::forget`], and when the last one that was missing was.
    joins: usize,
    back: Option<Instant>,
}

/// The engines.
pub(crate) struct Fleet {
    server: SocketAddr,
    nodes: Vec<Node>,
    inputs: Receiver<(usize, Input)>,
    later: Sender<(usize, Input)>,
    soon: VecDeque<(usize, Input)>,
    due: BTreeSet<(Millis, usize)>,
    start: Instant,
    online: usize,
    joins: Vec<Instant>,
    dials: Vec<Instant>,
}

/// How the engines came back.
pub(crate) struct Arrivals {
    pub(crate) half: Duration,
    /// 99 of 100.
    pub(crate) most: Duration,
    pub(crate) all: Duration,
    pub(crate) peak_joins: usize,
    pub(crate) peak_dials: usize,
}

impl Fleet {
    pub(crate) fn new(server: SocketAddr, count: usize) -> Self {
        let (later, inputs) = channel(QUEUE_IN_ALL);
        let node = |number: usize| {
            let mut seed = [9; 32];
            seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
            Node {
                engine: Engine::new(Config::default(), seed),
                sockets: BTreeMap::new(),
                due: None,
                stood: 0,
                joins: 0,
                back: None,
            }
        };
        Self {
            server,
            nodes: (0..count).map(node).collect(),
            inputs,
            later,
            soon: VecDeque::new(),
            due: BTreeSet::new(),
            start: Instant::now(),
            online: 0,
            joins: Vec::new(),
            dials: Vec::new(),
        }
    }

    /// Lets every engine make its group and go online, a few at a time.
    pub(crate) async fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            let options = OpenOptions {
                store: Store::Memory,
                rendezvous: vec![format!("ws://{}", self.server)],
                ..OpenOptions::default()
            };
            let group = NewGroup {
                friendly_name: format!("group {node}"),
                ..NewGroup::default()
            };
            self.command(node, Command::CreateGroup { options, group });
            self.step(Instant::now()).await;
        }
    }

    /// Goes on until every engine stands in its topics.
    pub(crate) async fn all_online(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        while self.online < self.nodes.len() {
            assert!(
                Instant::now() < end,
                "{} of {} within {limit:?}",
                self.online,
                self.nodes.len()
            );
            self.step(end).await;
        }
    }

    /// Goes on for that long.
    pub(crate) async fn run_for(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.step(end).await;
        }
    }

    /// From here on is counted who comes back.
    pub(crate) fn count_anew(&mut self) {
        for node in &mut self.nodes {
            node.stood = node.joins.max(1);
            node.joins = 0;
            node.back = None;
        }
        self.online = 0;
        self.joins.clear();
        self.dials.clear();
    }

    /// How they came back since `ended`.
    pub(crate) fn arrivals(&self, ended: Instant) -> Arrivals {
        let mut times: Vec<Duration> = self
            .nodes
            .iter()
            .filter_map(|node| Some(node.back?.duration_since(ended)))
            .collect();
        times.sort_unstable();
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        Arrivals {
            half: at(50),
            most: at(99),
            all: at(100),
            peak_joins: busiest(&self.joins),
            peak_dials: busiest(&self.dials),
        }
    }

    fn now(&self) -> Now {
        let millis = |time: Duration| Millis::try_from(time.as_millis()).unwrap();
        Now {
            monotonic: millis(self.start.elapsed()),
            wall: millis(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap()),
        }
    }

    fn command(&mut self, node: usize, command: Command) {
        let now = self.now();
        self.nodes[node].engine.command(now, command).unwrap();
        self.drain(node);
    }

    /// Takes what has happened, waiting for it until `end`.
    async fn step(&mut self, end: Instant) {
        while let Some((node, input)) = self.soon.pop_front() {
            self.hear(node, input);
        }
        let now = self.now().monotonic;
        while let Some((at, node)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, node));
            self.nodes[node].due = None;
            self.hear(node, Input::Tick);
        }
        if !self.soon.is_empty() {
            return;
        }
        let next = self
            .due
            .first()
            .map(|(at, _)| self.start + Duration::from_millis(*at));
        let until = next.unwrap_or(end).min(end);
        if let Ok(input) = timeout_at(until.into(), self.inputs.recv()).await {
            let (node, input) = input.unwrap();
            self.hear(node, input);
            // What else is there is taken in one go; the sockets get their turn after it.
            for _ in 0..QUEUE {
                let Ok((node, input)) = self.inputs.try_recv() else {
                    break;
                };
                self.hear(node, input);
            }
            tokio::task::yield_now().await;
        }
    }

    fn hear(&mut self, at: usize, input: Input) {
        if let Input::SocketReceived { bytes, .. } = &input
            && matches!(
                ServerMessage::from_bytes(bytes),
                Ok(ServerMessage::Joined { .. })
            )
        {
            let (node, now) = (&mut self.nodes[at], Instant::now());
            node.joins += 1;
            self.joins.push(now);
            if node.back.is_none() && node.joins >= node.stood {
                node.back = Some(now);
                self.online += 1;
            }
        }
        let now = self.now();
        self.nodes[at].engine.handle(now, input);
        self.drain(at);
    }

    fn drain(&mut self, at: usize) {
        loop {
            if let Some(effect) = self.nodes[at].engine.poll_effect() {
                self.effect(at, effect);
            } else if let Some(event) = self.nodes[at].engine.poll_event() {
                if let Event::Answered { result, .. } = event
                    && let Answer::Opened(opened) = result.unwrap()
                {
                    let connect = Command::Connect {
                        handle: opened.handle,
                        timeout_ms: CONNECT_MS,
                        addresses: Vec::new(),
                    };
                    let now = self.now();
                    self.nodes[at].engine.command(now, connect).unwrap();
                }
            } else {
                break;
            }
        }
        let node = &mut self.nodes[at];
        let due = node.engine.next_timeout();
        if due != node.due {
            node.due.take().map(|old| self.due.remove(&(old, at)));
            node.due = due;
            due.map(|new| self.due.insert((new, at)));
        }
    }

    fn effect(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::OpenSocket { socket, .. } => {
                self.dials.push(Instant::now());
                let (send, sent) = channel(QUEUE);
                self.nodes[at].sockets.insert(socket, send);
                tokio::spawn(carry(at, socket, self.server, sent, self.later.clone()));
            }
            Effect::SendSocket { socket, bytes } => {
                if let Some(sent) = self.nodes[at].sockets.get(&socket) {
                    // A socket that is gone will say so.
                    let _ = sent.try_send(bytes);
                }
            }
            Effect::CloseSocket { socket } => {
                self.nodes[at].sockets.remove(&socket);
            }
            Effect::Load { storage, .. } => {
                let result = Ok(Vec::new());
                self.soon.push_back((at, Input::Loaded { storage, result }));
            }
            Effect::Persist { storage, .. } => {
                let result = Ok(());
                self.soon
                    .push_back((at, Input::Persisted { storage, result }));
            }
            Effect::Lock { node, .. } => {
                let granted = true;
                self.soon.push_back((at, Input::Locked { node, granted }));
            }
            Effect::Unlock { .. } => {}
            other => panic!("alone in a group, and {other:?}"),
        }
    }
}

/// The most of these moments within one second.
fn busiest(moments: &[Instant]) -> usize {
    let mut first = 0;
    let within = moments.iter().enumerate().map(|(last, moment)| {
        while moment.duration_since(moments[first]) >= Duration::from_secs(1) {
            first += 1;
        }
        last + 1 - first
    });
    within.max().unwrap_or(0)
}

/// One socket of an engine, until either side ends it.
async fn carry(
    node: usize,
    socket: SocketId,
    server: SocketAddr,
    mut sent: Receiver<Vec<u8>>,
    later: Sender<(usize, Input)>,
) {
    // Whoever is gone before it has said anything was lost like any other.
    let _ = talk(node, socket, server, &mut sent, &later).await;
    let _ = later.send((node, Input::SocketClosed { socket })).await;
}

async fn talk(
    node: usize,
    socket: SocketId,
    server: SocketAddr,
    sent: &mut Receiver<Vec<u8>>,
    later: &Sender<(usize, Input)>,
) -> Option<()> {
    let tcp = dial(server, node).await.ok()?;
    let mut request = format!("ws://{server}{PATH}").into_client_request().ok()?;
    let protocol = SUBPROTOCOL.parse().ok()?;
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    let config = WebSocketConfig::default().read_buffer_size(2048);
    let opened = tokio_tungstenite::client_async_with_config(request, tcp, Some(config));
    let (mut stream, _) = opened.await.ok()?;
    later
        .send((node, Input::SocketOpened { socket }))
        .await
        .ok()?;
    loop {
        tokio::select! {
            bytes = sent.recv() => stream.send(Message::Binary(bytes?.into())).await.ok()?,
            frame = stream.next() => match frame?.ok()? {
                Message::Binary(bytes) => {
                    let bytes = bytes.to_vec();
                    later.send((node, Input::SocketReceived { socket, bytes })).await.ok()?;
                }
                Message::Close(_) => return None,
                _ => {}
            },
        }
    }
}
