//! The server's sockets: accepts them, serves pages, and ends in good order.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use peer_group::wire::rendezvous::PATH;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::rooms::Machine;
pub use crate::settings::{PublicUrl, Settings, SocketLimits, Turn};

mod admission;
mod cluster;
mod connection;
mod doorstep;
mod files;
mod hall;
mod metrics;
mod outbox;
mod pages;
pub mod proxy;
mod socket;
mod tls;
mod turn;

use admission::Admission;
use cluster::Cluster;
use connection::Service;
use doorstep::Doorstep;
use hall::Hall;
use metrics::Sources;
use pages::House;
use tls::Tls;

/// Why the server cannot start, with what to change.
#[derive(Debug)]
pub enum StartError {
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// The address cannot be listened on for TURN.
    Turn(SocketAddr, io::Error),
    /// The address cannot be listened on for metrics.
    Metrics(SocketAddr, io::Error),
    /// The files of TLS cannot be used, in words.
    Tls(String),
    /// Tokens cannot be checked, in words.
    Tokens(String),
    /// The other machines cannot be looked for, in words.
    Cluster(String),
    /// The folder of static files cannot be read.
    Www(PathBuf, io::Error),
    /// The system refuses what every program needs.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => {
                writeln!(f, "cannot listen on {address}: {error}.")?;
                let port = address.port();
                match error.kind() {
                    io::ErrorKind::AddrInUse => write!(
                        f,
                        "Another program uses port {port}: end it, or choose another port with \
                         --listen {}, or a free one with --listen {}.",
                        SocketAddr::new(address.ip(), port.wrapping_add(1).max(1024)),
                        SocketAddr::new(address.ip(), 0)
                    ),
                    io::ErrorKind::PermissionDenied => write!(
                        f,
                        "Ports below 1024 need rights: choose a port from 1024 on with --listen."
                    ),
                    io::ErrorKind::AddrNotAvailable => write!(
                        f,
                        "This machine has no such address: --listen 0.0.0.0:{port} is every \
                         IPv4 address it has, [::]:{port} every address."
                    ),
                    _ => write!(f, "Choose another address with --listen."),
                }
            }
            Self::Turn(address, error) => write!(
                f,
                "cannot listen on {address} for STUN and TURN: {error}.\n\
                 Choose another address for them with --turn {}, or leave them out with --turn off.",
                SocketAddr::new(address.ip(), address.port().wrapping_add(1).max(1024))
            ),
            Self::Metrics(address, error) => write!(
                f,
                "cannot listen on {address} for metrics: {error}.\nChoose another address with \
                 --metrics, or leave it out."
            ),
            Self::Tls(words) => write!(
                f,
                "cannot speak TLS: {words}.\nName PEM files that go together with \
                 --tls-certificate and --tls-key."
            ),
            Self::Tokens(words) => write!(
                f,
                "cannot check tokens: {words}.\nSee --token-file and --token-hook."
            ),
            Self::Cluster(words) => write!(
                f,
                "cannot join the cluster: {words}.\nName its NATS servers with --cluster, for \
                 example --cluster nats://nats.internal:4222."
            ),
            Self::Www(folder, error) => write!(
                f,
                "cannot serve {}: {error}.\nName a folder that exists with --www, or leave it out.",
                folder.display()
            ),
            Self::System(error) => write!(f, "the system refuses: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// How long sockets may take to end in good order.
const DRAIN: Duration = Duration::from_secs(2);
/// Before the system is asked again for a connection that it could not give.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// A server that listens and does not serve yet.
pub struct Server {
    bound: turn::Bound,
    metrics: Option<TcpListener>,
    tls: Option<Arc<Tls>>,
    admission: Arc<Admission>,
    address: SocketAddr,
    settings: Settings,
    hall: Arc<Hall>,
    cluster: Option<Cluster>,
}

impl Server {
    /// Starts to listen.
    pub async fn bind(mut settings: Settings) -> Result<Self, StartError> {
        if let Some(www) = &settings.www {
            std::fs::read_dir(www).map_err(|error| StartError::Www(www.clone(), error))?;
        }
        files::fit(&mut settings);
        let tls = settings.tls.clone().map(Tls::new).transpose();
        let tls = tls.map_err(StartError::Tls)?.map(Arc::new);
        let admission = Admission::new(&settings).map_err(StartError::Tokens)?;
        let metrics = match settings.metrics {
            Some(at) => Some(
                TcpListener::bind(at)
                    .await
                    .map_err(|error| StartError::Metrics(at, error))?,
            ),
            None => None,
        };
        if settings.cluster.is_some() {
            let mut machine = Machine::default();
            machine.copy_from_slice(&random()?[..size_of::<Machine>()]);
            settings.rooms.machine = Some(machine);
        }
        let bound = turn::bind(&mut settings, random()?).await?;
        let refused = |error| StartError::Listen(settings.listen, error);
        let address = bound.listener.local_addr().map_err(refused)?;
        let (hall, cluster) = hall(&settings, bound.turn.as_ref()).await?;
        Ok(Self {
            bound,
            metrics,
            tls,
            admission: Arc::new(admission),
            address,
            settings,
            hall,
            cluster,
        })
    }

    /// Where it listens, with the port that was picked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are, with the port that was picked.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
    }

    /// Serves until `stop`, then sends every client away and waits for them, but not for long.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self {
            bound,
            metrics,
            tls,
            admission,
            address,
            settings,
            hall,
            cluster,
        } = self;
        info!(
            %address,
            path = PATH,
            tls = tls.is_some(),
            www = %settings.www.as_deref().map_or_else(|| "-".into(), |www| www.display().to_string()),
            ice_servers = settings.rooms.ice.len(),
            cluster = cluster.is_some(),
            "listening"
        );
        let others = cluster.map(|cluster| tokio::spawn(cluster.run()));
        // Every task holds a receiver: it says when to stop, and is counted until it has.
        let (stopping, stopped) = watch::channel(false);
        let turn::Bound {
            listener,
            turn,
            extra,
        } = bound;
        if let Some(turn) = &turn {
            tokio::spawn(Arc::clone(turn).hear(stopped.clone()));
            if let Some(extra) = extra {
                tokio::spawn(Arc::clone(turn).accept(extra, stopped.clone()));
            }
        }
        let doorstep = Arc::new(Doorstep::new(settings.sockets));
        let service = Service {
            app: pages::router(House {
                settings: settings.clone(),
                hall: Arc::clone(&hall),
                admission: Arc::clone(&admission),
                stopped: stopped.clone(),
            }),
            limits: settings.sockets,
            tls: tls.clone(),
            turn: turn.clone(),
            tally: Arc::clone(&hall.tally),
            stop: stopped,
        };
        let beside = beside(
            Sources {
                hall: Arc::clone(&hall),
                doorstep: Arc::clone(&doorstep),
                turn: turn.clone(),
            },
            metrics,
            tls,
            &admission,
            &settings,
        );
        let mut beside = pin!(beside);
        let mut due = Instant::now();
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = &mut beside => {}
                () = tokio::time::sleep_until(due) => {
                    turn.iter().for_each(|turn| turn.tick());
                    due = Instant::now() + hall.tick();
                }
                () = hall.sooner.notified() => due = Instant::now() + hall.tick(),
                (tcp, from) = accept(&listener) => {
                    let trusted = &settings.trusted_proxies;
                    let is_proxy = trusted.iter().any(|network| network.holds(from.ip()));
                    let address = (!is_proxy).then(|| from.ip().into());
                    let place = doorstep.reserve();
                    let number = place.number();
                    let task = tokio::spawn(service.clone().serve(tcp, from, place));
                    doorstep.take(number, address, task.abort_handle());
                }
            }
        }
        drop((listener, service));
        let relayed = turn.as_ref().map(|turn| turn.counts()).unwrap_or_default();
        end(&hall, &doorstep, relayed, &stopping).await;
        // Not before all sockets have ended: others hear who is gone.
        others.iter().for_each(JoinHandle::abort);
    }
}

/// Sends every client away, and waits for them, but not for long.
async fn end(
    hall: &Hall,
    doorstep: &Doorstep,
    relayed: crate::turn::Counts,
    stopping: &watch::Sender<bool>,
) {
    let sockets = hall.send_away();
    let (plain, turned_away) = doorstep.counts();
    info!(
        sockets,
        plain,
        turned_away,
        waiting_bytes = hall.waiting(),
        ?relayed,
        "stopping"
    );
    stopping.send_replace(true);
    if tokio::time::timeout(DRAIN, stopping.closed())
        .await
        .is_err()
    {
        warn!(
            left = stopping.receiver_count(),
            "stopped before all were gone"
        );
    }
}

/// What goes on beside the clients, for ever: metrics, and files that change.
async fn beside(
    sources: Sources,
    metrics: Option<TcpListener>,
    tls: Option<Arc<Tls>>,
    admission: &Admission,
    settings: &Settings,
) {
    let metrics = async {
        let Some(listener) = metrics else {
            return std::future::pending().await;
        };
        let served = axum::serve(listener, metrics::router(sources)).await;
        warn!(?served, "metrics are served no more");
        std::future::pending().await
    };
    let certificates = async {
        match &tls {
            Some(tls) => tls.watch(settings.look_every).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = metrics => {}
        () = certificates => {}
        () = admission.watch(settings) => {}
    }
}

/// The rules, and the other machines if there are any.
async fn hall(
    settings: &Settings,
    turn: Option<&Arc<crate::turn::Sockets>>,
) -> Result<(Arc<Hall>, Option<Cluster>), StartError> {
    let hall = Arc::new(Hall::new(settings, random()?));
    let (Some(urls), Some(machine)) = (&settings.cluster, settings.rooms.machine) else {
        return Ok((hall, None));
    };
    let cluster = Cluster::new(urls, &hall, turn, machine).await;
    Ok((hall, Some(cluster.map_err(StartError::Cluster)?)))
}

/// Bytes that nobody can guess.
fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StartError::System(error.into()))?;
    Ok(bytes)
}

/// The next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((tcp, from)) => {
                // Signals are small and wanted at once.
                if let Err(error) = tcp.set_nodelay(true) {
                    debug!(%error, "no TCP_NODELAY");
                }
                return (tcp, from);
            }
            // The other side was faster in leaving than we in accepting.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => {
                warn!(%error, "cannot accept; if files are too many, raise the limit (ulimit -n)");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Waits until the server is to stop.
async fn asked_to(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which comes to the same.
    let _ = stop.wait_for(|stop| *stop).await;
}
