//! TURN beside the rendezvous: where it listens, and what comes to it over the same port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use peer_group::random::Random;
use tokio::net::{TcpListener, UdpSocket};

use super::{Settings, StartError};
use crate::settings::Turn;
use crate::turn::{Offer, Secret, Servers, Sockets};

/// How often another free port is tried, as one may be free for TCP and not for UDP.
const TRIES: usize = 16;

/// What listens.
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) turn: Option<Arc<Sockets>>,
    /// For TURN alone, if that is somewhere else than the rendezvous.
    pub(super) extra: Option<TcpListener>,
}

/// Binds everything, and lets the rules know what TURN hands out.
pub(super) async fn bind(settings: &mut Settings, seed: [u8; 32]) -> Result<Bound, StartError> {
    let refused = |error| StartError::Listen(settings.listen, error);
    let mut listener = TcpListener::bind(settings.listen).await.map_err(refused)?;
    settings.rooms.turn = None;
    let (listen, host, limits) = match settings.turn.clone() {
        Turn::Off => return Ok(Bound::without(listener)),
        Turn::At { urls, secret } => {
            let servers = Servers::At(urls);
            settings.rooms.turn = Some(Offer { secret, servers });
            return Ok(Bound::without(listener));
        }
        Turn::Here { listen, host } => (listen, host, settings.turn_limits),
    };
    let own = listener.local_addr().map_err(refused)?;
    let (udp, extra) = match listen {
        Some(at) if at != own => {
            let (extra, udp) = both(at)
                .await
                .map_err(|error| StartError::Turn(at, error))?;
            (udp, Some(extra))
        }
        _ if settings.listen.port() == 0 => {
            let refused = |error| StartError::Turn(settings.listen, error);
            let both = both(settings.listen).await.map_err(refused)?;
            listener = both.0;
            (both.1, None)
        }
        _ => {
            let udp = UdpSocket::bind(own).await;
            (udp.map_err(|error| StartError::Turn(own, error))?, None)
        }
    };
    let port = udp.local_addr().map_err(refused)?.port();
    let own_port = listener.local_addr().map_err(refused)?.port();
    // Relayed addresses are seen by everybody, and say nothing about the secret.
    let mut random = Random::new(seed);
    let (secret, seed) = (Secret::new(random.bytes::<32>()), random.bytes());
    settings.rooms.turn = Some(Offer {
        secret: secret.clone(),
        servers: Servers::Here {
            host,
            port,
            // Where TLS is spoken, TURN is taken in it too.
            tls_port: settings.tls.is_some().then_some(own_port),
        },
    });
    let sockets = Sockets::new(udp, limits, secret, seed, settings.rooms.machine)
        .map_err(StartError::System)?;
    let turn = Some(Arc::new(sockets));
    Ok(Bound {
        listener,
        turn,
        extra,
    })
}

/// TCP and UDP on one port; where any will do, one that is free for both.
async fn both(at: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut tries = TRIES;
    loop {
        let tcp = TcpListener::bind(at).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error)
                if at.port() == 0 && tries > 0 && error.kind() == io::ErrorKind::AddrInUse =>
            {
                tries -= 1;
            }
            Err(error) => return Err(error),
        }
    }
}

impl Bound {
    fn without(listener: TcpListener) -> Self {
        Self {
            listener,
            turn: None,
            extra: None,
        }
    }
}
