//! One scenario with five servers: connect, meet in a room of two, one signal each way, wait.
//!
//! Each does what it can of that in its own words, so what each did is told beside the figures.

mod dialects;

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use peer_group::wire::rendezvous::ServerMessage;
use tokio::task::JoinSet;

use crate::process::{Cores, Running, command};
use crate::socket::{Socket, Way};
use crate::{Bench, figure, ours, progress};
use dialects::{Dialect, MATCHBOX, PEERJS, TRACKER, Y_WEBRTC};

/// Rooms of two.
const ROOMS: usize = 1_000;
/// Rooms in which something happens at a time.
const AT_ONCE: usize = 32;
/// Servers tidy up after work; their memory is looked at when they had time for that.
const REST: Duration = Duration::from_secs(5);
/// Below those that the system gives to clients.
const PORTS: std::ops::Range<u16> = 21_000..21_100;
/// Bytes of a signal.
const SIGNAL: usize = 1_000;

pub(crate) async fn run(bench: &Bench) {
    // None of the others asks its clients for work when there are many.
    let arguments = ["--listen=127.0.0.1:0", "--turn=off", "--work=off"];
    let server = Running::start(&bench.server, Cores::All, &arguments);
    let name = "peer-group-signaling";
    progress(name);
    let way = ours::way(server.address, None);
    let before = server.used();
    let began = Instant::now();
    let mut rooms = Rooms::default();
    for room in 0..ROOMS {
        let way = way.clone();
        rooms.add(async move { own_room(&way, room).await }).await;
    }
    let open = rooms.filled().await;
    told(name, OURS, &server, before, began).await;
    drop((open, server));

    for dialect in [PEERJS, Y_WEBRTC, TRACKER, MATCHBOX] {
        progress(dialect.name);
        let (server, way) = start(bench, &dialect).await;
        let before = server.used();
        let began = Instant::now();
        let mut rooms = Rooms::default();
        for room in 0..ROOMS {
            let way = way.clone();
            rooms
                .add(async move { other_room(&dialect, &way, room).await })
                .await;
        }
        let open = rooms.filled().await;
        told(dialect.name, dialect.did, &server, before, began).await;
        drop(open);
    }
}

const OURS: &str = "signed Join of a topic, verified; sample of others; sender stamped; binary";

/// Rooms, of which some are being filled and others wait.
#[derive(Default)]
struct Rooms {
    coming: JoinSet<[Socket; 2]>,
    waiting: JoinSet<()>,
}

impl Rooms {
    async fn add(&mut self, room: impl Future<Output = [Socket; 2]> + Send + 'static) {
        if self.coming.len() >= AT_ONCE {
            self.one_is_filled().await;
        }
        self.coming.spawn(room);
    }

    async fn one_is_filled(&mut self) -> bool {
        let Some(room) = self.coming.join_next().await else {
            return false;
        };
        for socket in room.unwrap() {
            self.waiting.spawn(socket.idle());
        }
        true
    }

    /// Those who wait, once nobody comes any more.
    async fn filled(mut self) -> JoinSet<()> {
        while self.one_is_filled().await {}
        assert!(
            self.waiting.try_join_next().is_none(),
            "a socket was closed"
        );
        self.waiting
    }
}

async fn told(
    name: &str,
    did: &str,
    server: &Running,
    before: crate::process::Used,
    began: Instant,
) {
    let wall = began.elapsed();
    tokio::time::sleep(REST).await;
    let used = server.used();
    let clients = (2 * ROOMS) as f64;
    figure(
        name,
        &format!(
            "{:>5.0} us of a core, {:>5.1} KiB for each client after {:>3.0} MiB, {:>5.0} clients/s",
            (used.cpu - before.cpu).as_secs_f64() * 1e6 / clients,
            (used.kib - before.kib) / clients,
            before.kib / 1024.0,
            clients / wall.as_secs_f64()
        ),
    );
    println!("      {did}");
}

async fn own_room(way: &Way, room: usize) -> [Socket; 2] {
    let mut pair = [
        ours::Client::connect(way, 2 * room).await,
        ours::Client::connect(way, 2 * room + 1).await,
    ];
    for (client, number) in pair.iter_mut().zip(2 * room..) {
        let join = client.join(room, number);
        client.ask(join).await;
    }
    let [a, b] = &mut pair;
    pass(b, a, 2 * room).await;
    pass(a, b, 2 * room + 1).await;
    pair.map(|client| client.socket)
}

async fn pass(from: &mut ours::Client, to: &mut ours::Client, name: usize) {
    let signal = ours::signal(ours::tag(name), vec![7; SIGNAL]);
    from.socket.send(signal).await;
    let heard = ours::read(&to.socket.hear().await);
    assert!(
        matches!(heard, ServerMessage::Delivered { .. }),
        "{heard:?}"
    );
}

async fn other_room(dialect: &Dialect, way: &Way, room: usize) -> [Socket; 2] {
    let mut pair = Vec::new();
    for number in [2 * room, 2 * room + 1] {
        let way = Way {
            path: (dialect.path)(room, number),
            ..way.clone()
        };
        pair.push(Socket::open(&way, number).await);
    }
    let [mut a, mut b] = <[Socket; 2]>::try_from(pair).ok().unwrap();
    (dialect.meet)(&mut a, &mut b, room).await;
    [a, b]
}

async fn start(bench: &Bench, dialect: &Dialect) -> (Running, Way) {
    // Some listen at every address, where a port of any client's would be in their way.
    let port = PORTS
        .clone()
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok());
    let address = SocketAddr::from(([127, 0, 0, 1], port.expect("a free port")));
    let port = address.port().to_string();
    let program = bench.rivals.join(dialect.program);
    let mut started: Command = if dialect.program.contains("npm/") {
        let mut node = command("node".as_ref(), Cores::All);
        node.arg(program);
        node
    } else {
        command(&program, Cores::All)
    };
    started.env("PORT", &port).env("RUST_LOG", "off");
    started.args((dialect.arguments)(&port));
    let way = Way {
        to: address,
        host: address.to_string(),
        path: String::new(),
        protocol: None,
        tls: None,
    };
    (Running::start_other(started, address).await, way)
}
