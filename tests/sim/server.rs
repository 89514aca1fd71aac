//! The rendezvous server: its real rooms behind sockets that take their time and break.

use std::collections::{BTreeMap, VecDeque};

use peer_group::engine::input::Input;
use peer_group::names::SocketId;
use peer_group::time::{Millis, Now};
use peer_group_signaling::rooms::{Address, Config, ConnId, Out, Rooms};

use super::dice::Dice;
use super::options::Options;
use super::world::{Happening, World};

/// After so long without a sign the server drops a socket.
const SOCKET_DEAD_MS: Millis = 90_000;

enum Parcel {
    Bytes(Vec<u8>),
    Close,
}

/// One socket between a machine and the server.
pub struct Conn {
    /// Whose.
    pub machine: usize,
    life: u32,
    socket: SocketId,
    origin: String,
    /// The server knows it.
    at_server: bool,
    /// The client's engine has it open or opening.
    at_client: bool,
    up: VecDeque<(Millis, Parcel)>,
    down: VecDeque<(Millis, Parcel)>,
}

/// Stands on the wire between clients and the real server: a server that is not honest.
pub trait Tamper {
    /// A client's message arrives: what the real server is given instead.
    fn up(&mut self, conn: u64, bytes: Vec<u8>) -> Vec<(u64, Vec<u8>)>;
    /// The real server sends: what goes to clients instead.
    fn down(&mut self, conn: u64, bytes: Vec<u8>) -> Vec<(u64, Vec<u8>)>;
}

/// The server.
pub struct Server {
    rooms: Rooms,
    /// It takes connections.
    pub up: bool,
    /// Sockets by number.
    pub conns: BTreeMap<u64, Conn>,
    /// Who stands on the wire.
    pub tamper: Option<Box<dyn Tamper + Send>>,
    count: u64,
    started: u64,
    tick: Option<Millis>,
}

fn new_rooms(options: &Options, started: u64) -> Rooms {
    let seed = Dice::new(options.seed, &format!("rooms {started}")).bytes();
    Rooms::new(Config::default(), seed, options.crypto)
}

impl Server {
    /// A server that nobody is connected to.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            rooms: new_rooms(options, 0),
            up: true,
            conns: BTreeMap::new(),
            tamper: None,
            count: 0,
            started: 0,
            tick: None,
        }
    }
}

/// `host:port` as a client dials it.
fn origin_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}

impl World {
    fn server_now(&self) -> Now {
        Now {
            monotonic: 1_000 + self.now,
            wall: self.wall(),
        }
    }

    fn server_delay(&mut self) -> Millis {
        let (low, high) = self.options.server_ms;
        let lost = if self.dice.per_mille(self.options.loss_per_mille) {
            300
        } else {
            0
        };
        self.dice.between(low, high) + lost
    }

    /// An engine opens a socket.
    pub fn open_socket(&mut self, machine: usize, socket: SocketId, url: &str) {
        self.server.count += 1;
        let conn = self.server.count;
        let life = self.machines[machine].life;
        let origin = origin_of(url);
        let of = Conn {
            machine,
            life,
            socket,
            origin,
            at_server: false,
            at_client: true,
            up: VecDeque::new(),
            down: VecDeque::new(),
        };
        self.server.conns.insert(conn, of);
        let delay = 2 * self.server_delay();
        self.later(delay, Happening::Accept { conn });
    }

    fn tell(&mut self, conn: u64, input: Input) {
        if let Some(Conn {
            machine,
            life,
            at_client: true,
            ..
        }) = self.server.conns.get(&conn)
        {
            let (machine, life) = (*machine, *life);
            self.later(
                0,
                Happening::Input {
                    machine,
                    life,
                    input,
                },
            );
        }
    }

    /// A socket reaches the server, or fails to.
    pub fn accept(&mut self, conn: u64) {
        let now = self.server_now();
        let Some(of) = self.server.conns.get_mut(&conn) else {
            return;
        };
        if !of.at_client {
            self.server.conns.remove(&conn);
            return;
        }
        let socket = of.socket;
        let elsewhere = !self.options.server.contains(&of.origin);
        if !self.server.up || elsewhere || self.net.server_cut[of.machine] {
            self.tell(conn, Input::SocketClosed { socket });
            self.server.conns.remove(&conn);
            return;
        }
        of.at_server = true;
        let origin = of.origin.clone();
        let [high, low] = (of.machine as u16).to_be_bytes();
        let address = Address::V4([10, 0, high, low]);
        self.server
            .rooms
            .connected(now, ConnId(conn), origin, address);
        self.tell(conn, Input::SocketOpened { socket });
        self.server_drain();
    }

    fn conn_of(&self, machine: usize, socket: SocketId) -> Option<u64> {
        let life = self.machines[machine].life;
        let mut all = self.server.conns.iter();
        all.find(|(_, of)| of.machine == machine && of.life == life && of.socket == socket)
            .map(|(conn, _)| *conn)
    }

    fn post(&mut self, conn: u64, up: bool, parcel: Parcel) {
        let delay = self.server_delay();
        let now = self.now;
        let Some(of) = self.server.conns.get_mut(&conn) else {
            return;
        };
        let queue = if up { &mut of.up } else { &mut of.down };
        // Never before what left earlier.
        let at = queue
            .back()
            .map_or(now + delay, |(at, _)| (*at).max(now + delay));
        queue.push_back((at, parcel));
        if queue.len() == 1 {
            let happening = if up {
                Happening::Up { conn }
            } else {
                Happening::Down { conn }
            };
            self.later(at - now, happening);
        }
    }

    /// An engine sends over a socket.
    pub fn send_socket(&mut self, machine: usize, socket: SocketId, bytes: Vec<u8>) {
        if let Some(conn) = self.conn_of(machine, socket) {
            self.post(conn, true, Parcel::Bytes(bytes));
        }
    }

    /// An engine closes a socket.
    pub fn close_socket(&mut self, machine: usize, socket: SocketId) {
        let Some(conn) = self.conn_of(machine, socket) else {
            return;
        };
        if let Some(of) = self.server.conns.get_mut(&conn) {
            of.at_client = false;
            if of.at_server {
                self.post(conn, true, Parcel::Close);
            }
        }
    }

    fn arrived(&mut self, conn: u64, up: bool) -> Option<Parcel> {
        let now = self.now;
        let of = self.server.conns.get_mut(&conn)?;
        let happening = || {
            if up {
                Happening::Up { conn }
            } else {
                Happening::Down { conn }
            }
        };
        let asleep = self.machines[of.machine].asleep;
        if self.net.server_cut[of.machine] || asleep {
            self.later(500, happening());
            return None;
        }
        let queue = if up { &mut of.up } else { &mut of.down };
        let (_, parcel) = queue.pop_front()?;
        if let Some((at, _)) = queue.front() {
            let delay = at.saturating_sub(now);
            self.later(delay, happening());
        }
        Some(parcel)
    }

    /// The first of what is under way to the server arrives.
    pub fn up(&mut self, conn: u64) {
        match self.arrived(conn, true) {
            Some(Parcel::Bytes(bytes)) => {
                let parcels = match &mut self.server.tamper {
                    Some(tamper) => tamper.up(conn, bytes),
                    None => vec![(conn, bytes)],
                };
                let now = self.server_now();
                for (conn, bytes) in parcels {
                    if self.server.conns.get(&conn).is_some_and(|of| of.at_server) {
                        self.server.rooms.received(now, ConnId(conn), &bytes);
                    }
                }
                self.server_drain();
            }
            Some(Parcel::Close) => self.lost(conn),
            None => {}
        }
    }

    /// The server hears that a client is gone.
    pub fn lost(&mut self, conn: u64) {
        let now = self.server_now();
        if let Some(of) = self.server.conns.remove(&conn)
            && of.at_server
        {
            self.server.rooms.disconnected(now, ConnId(conn));
            self.server_drain();
        }
    }

    /// The first of what is under way from the server arrives.
    pub fn down(&mut self, conn: u64) {
        let parcel = self.arrived(conn, false);
        let Some(of) = self.server.conns.get(&conn) else {
            return;
        };
        let socket = of.socket;
        match parcel {
            Some(Parcel::Bytes(bytes)) => self.tell(conn, Input::SocketReceived { socket, bytes }),
            Some(Parcel::Close) => {
                self.tell(conn, Input::SocketClosed { socket });
                self.server.conns.remove(&conn);
            }
            None => {}
        }
    }

    /// The server's deadline is here.
    pub fn server_tick(&mut self) {
        self.server.tick = None;
        let now = self.server_now();
        self.server.rooms.tick(now);
        self.server_drain();
    }

    fn server_drain(&mut self) {
        while let Some(out) = self.server.rooms.poll() {
            match out {
                Out::Send {
                    conn: ConnId(conn),
                    bytes,
                    receipt,
                } => {
                    // Sockets here take whatever they are given.
                    if let Some(receipt) = receipt {
                        let now = self.server_now();
                        self.server.rooms.taken(now, receipt);
                    }
                    let parcels = match &mut self.server.tamper {
                        Some(tamper) => tamper.down(conn, bytes),
                        None => vec![(conn, bytes)],
                    };
                    for (conn, bytes) in parcels {
                        self.post(conn, false, Parcel::Bytes(bytes));
                    }
                }
                Out::Close {
                    conn: ConnId(conn), ..
                } => {
                    if let Some(of) = self.server.conns.get_mut(&conn) {
                        of.at_server = false;
                        self.post(conn, false, Parcel::Close);
                    }
                }
            }
        }
        let now = self.server_now().monotonic;
        let next = self.server.rooms.next_timeout();
        if let Some(at) = next
            && self.server.tick.is_none_or(|armed| at < armed)
        {
            self.server.tick = Some(at);
            self.later(at.saturating_sub(now), Happening::ServerTick);
        }
    }

    /// A socket breaks: both sides hear it.
    pub fn break_socket(&mut self, conn: u64) {
        if let Some(of) = self.server.conns.get(&conn) {
            let socket = of.socket;
            self.tell(conn, Input::SocketClosed { socket });
            self.lost(conn);
        }
    }

    /// The server ends, and is back a little later, having forgotten everything.
    pub fn restart_server(&mut self, down: Millis) {
        self.trace
            .line(self.now, "srv", || format!("restarts, back in {down} ms"));
        self.server.up = false;
        for conn in self.server.conns.keys().copied().collect::<Vec<_>>() {
            if let Some(of) = self.server.conns.get(&conn)
                && of.at_server
            {
                let socket = of.socket;
                self.tell(conn, Input::SocketClosed { socket });
                self.server.conns.remove(&conn);
            }
        }
        self.server.started += 1;
        self.server.rooms = new_rooms(&self.options, self.server.started);
        self.server.tick = None;
        self.later(down, Happening::ServerUp);
    }

    /// The server is back.
    pub fn server_up(&mut self) {
        self.trace.line(self.now, "srv", || "is up".to_owned());
        self.server.up = true;
    }

    /// A machine's life ends: the server hears it at once, or only by its silence.
    pub fn drop_sockets(&mut self, machine: usize, silent: bool) {
        let life = self.machines[machine].life;
        let all = self.server.conns.iter_mut();
        let mine: Vec<u64> = all
            .filter(|(_, of)| of.machine == machine && of.life == life)
            .map(|(conn, of)| {
                of.at_client = false;
                *conn
            })
            .collect();
        for conn in mine {
            let delay = if silent {
                SOCKET_DEAD_MS
            } else {
                self.server_delay()
            };
            self.later(delay, Happening::Lost { conn });
        }
    }

    /// A machine wakes: sockets that were silent for too long are gone.
    pub fn sockets_after_sleep(&mut self, machine: usize) {
        let all = self.server.conns.iter();
        let mine: Vec<u64> = all
            .filter(|(_, of)| of.machine == machine)
            .map(|(conn, _)| *conn)
            .collect();
        for conn in mine {
            if self.dice.per_mille(500) {
                self.break_socket(conn);
            }
        }
    }
}
