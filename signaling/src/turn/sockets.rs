//! TURN's sockets: one for UDP, and connections over TCP that are handed over to it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;
use tracing::{debug, warn};

use super::allocation::ALLOCATION_MS;
use super::stun::framed;
use super::udp::{Rows, Udp};
use super::{Client, Counts, Limits, PACKET_BYTES, Packet, Secret, Turn, less, network};
use crate::clock::Clock;
use crate::rooms::Machine;

/// Packets that wait to be taken by a connection; more are lost, as packets may be.
const QUEUE: usize = 128;
/// From the opening of a connection to its allocation.
const IDLE: Duration = Duration::from_secs(30);
/// Silence of a connection with an allocation: its refresh is overdue.
const SILENT: Duration = Duration::from_millis(ALLOCATION_MS + 60_000);
/// How long a connection may take to take one packet.
const STUCK: Duration = Duration::from_secs(10);
/// After the system has refused something.
const PAUSE: Duration = Duration::from_millis(100);

/// Shared by everything that hears packets. The lock is held for one packet at a time.
pub(crate) struct Sockets {
    clock: Clock,
    udp: Udp,
    inner: Mutex<Inner>,
    streams: Arc<Semaphore>,
    per_address: usize,
    /// To other machines, if there are any.
    away: OnceLock<mpsc::Sender<Packet>>,
}

struct Inner {
    turn: Turn,
    streams: BTreeMap<u64, mpsc::Sender<Vec<u8>>>,
    per_network: BTreeMap<u64, usize>,
    last: u64,
}

/// A connection's place; given up when dropped.
struct Place {
    sockets: Arc<Sockets>,
    client: Client,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.sockets.lock();
        inner.streams.remove(&self.id);
        less(&mut inner.per_network, network(self.client.address.ip()));
        inner.turn.disconnected(self.client);
    }
}

impl Sockets {
    pub(crate) fn new(
        udp: UdpSocket,
        limits: Limits,
        secret: Secret,
        seed: [u8; 32],
        machine: Option<Machine>,
    ) -> io::Result<Self> {
        let turn = Turn::new(limits, secret, seed);
        let turn = match machine {
            Some(machine) => turn.among(machine),
            None => turn,
        };
        Ok(Self {
            clock: Clock::new(),
            udp: Udp::new(udp)?,
            inner: Mutex::new(Inner {
                turn,
                streams: BTreeMap::new(),
                per_network: BTreeMap::new(),
                last: 0,
            }),
            streams: Arc::new(Semaphore::new(limits.streams)),
            per_address: limits.streams_per_address,
            away: OnceLock::new(),
        })
    }

    /// Ends what is due.
    pub(crate) fn tick(&self) {
        self.lock().turn.tick(self.clock.now());
    }

    /// What has happened so far.
    pub(crate) fn counts(&self) -> Counts {
        self.lock().turn.counts()
    }

    /// Hears packets over UDP until the server stops.
    pub(crate) async fn hear(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut rows = Rows::new();
        let mut out = Vec::with_capacity(PACKET_BYTES);
        loop {
            let heard = tokio::select! {
                heard = self.udp.hear(&mut rows) => heard,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            if let Err(error) = heard {
                warn!(%error, "cannot hear UDP");
                tokio::time::sleep(PAUSE).await;
            }
            for (from, packet) in rows.packets() {
                if packet.len() <= PACKET_BYTES {
                    self.take(from, packet, &mut out);
                }
            }
        }
    }

    /// Accepts connections that can be nothing but TURN, until the server stops.
    pub(crate) async fn accept(self: Arc<Self>, at: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = at.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    // What is relayed is small and wanted at once.
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(Arc::clone(&self).serve(stream, address, stop.clone()));
                }
                Err(error) => {
                    debug!(%error, "cannot accept for TURN");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Serves one connection until it ends; where there are too many, that is at once.
    pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        self: Arc<Self>,
        mut stream: S,
        address: SocketAddr,
        mut stop: watch::Receiver<bool>,
    ) {
        let Ok(_permit) = Arc::clone(&self.streams).try_acquire_owned() else {
            debug!("no room for one more connection to TURN");
            return;
        };
        let Some((place, mut waiting)) = self.enter(address) else {
            debug!("no room for one more connection to TURN from there");
            return;
        };
        let talk = self.talk(&mut stream, place.client, &mut waiting);
        tokio::select! {
            ended = talk => debug!(?ended, "a connection to TURN ended"),
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    fn enter(self: &Arc<Self>, address: SocketAddr) -> Option<(Place, mpsc::Receiver<Vec<u8>>)> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let mut inner = self.lock();
        let held = inner.per_network.entry(network(address.ip())).or_default();
        if *held >= self.per_address {
            return None;
        }
        *held += 1;
        inner.last += 1;
        let id = inner.last;
        inner.streams.insert(id, queue);
        drop(inner);
        let client = Client {
            address,
            wrote_to: None,
            stream: Some(id),
        };
        let sockets = Arc::clone(self);
        let place = Place {
            sockets,
            client,
            id,
        };
        Some((place, waiting))
    }

    /// Passes packets on both ways. Returns when the connection ends or breaks the rules.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        client: Client,
        waiting: &mut mpsc::Receiver<Vec<u8>>,
    ) -> io::Result<()> {
        let mut heard = Vec::with_capacity(PACKET_BYTES);
        let mut out = Vec::with_capacity(PACKET_BYTES);
        let mut limit = IDLE;
        let mut since = Instant::now();
        loop {
            while let Some(len) = framed(&heard).map_err(|_| io::ErrorKind::InvalidData)? {
                if len > PACKET_BYTES {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let Some(packet) = heard.get(..len) else {
                    break;
                };
                self.take(client, packet, &mut out);
                heard.drain(..len);
                if self.lock().turn.has(client) {
                    limit = SILENT;
                    since = Instant::now();
                }
            }
            let left = limit.saturating_sub(since.elapsed());
            tokio::select! {
                packet = waiting.recv() => {
                    let packet = packet.unwrap_or_default();
                    let written = async {
                        stream.write_all(&packet).await?;
                        stream.flush().await
                    };
                    timeout(STUCK, written).await??;
                }
                read = stream.read_buf(&mut heard) => {
                    if read? == 0 {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep(left) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    /// Takes one packet, and sends what follows from it.
    fn take(&self, from: Client, packet: &[u8], out: &mut Vec<u8>) {
        let mut inner = self.lock();
        let to = inner.turn.received(self.clock.now(), from, packet, out);
        if let (Some(packet), Some(away)) = (inner.turn.poll_away(), self.away.get()) {
            // What does not fit is lost, as packets may be.
            let _ = away.try_send(packet);
        }
        self.send(inner, to, out);
    }

    /// From now on, what is for allocations of other machines goes there.
    pub(crate) fn reach_out(&self, away: mpsc::Sender<Packet>) {
        // There is one cluster, and it is joined once.
        let _ = self.away.set(away);
    }

    /// Takes what comes from another machine, and sends what follows from it.
    pub(crate) fn came(&self, packet: &Packet, out: &mut Vec<u8>) {
        let mut inner = self.lock();
        let to = inner.turn.came(self.clock.now(), packet, out);
        self.send(inner, to, out);
    }

    fn send(&self, inner: MutexGuard<'_, Inner>, to: Option<Client>, out: &[u8]) {
        match to {
            Some(Client {
                stream: Some(id), ..
            }) => {
                if let Some(queue) = inner.streams.get(&id) {
                    // What does not fit is lost, as over UDP.
                    let _ = queue.try_send(out.to_vec());
                }
            }
            Some(to) => {
                drop(inner);
                self.udp.send(to, out);
            }
            None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // If one packet made the rules panic, the others go on.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
