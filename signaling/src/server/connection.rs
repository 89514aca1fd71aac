//! One connection from its first byte on: TLS, then TURN or HTTP.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::debug;

use super::doorstep::Place;
use super::metrics::{Tally, count};
use super::pages::Peer;
use super::tls::{Peeked, Tls};
use super::{SocketLimits, asked_to};
use crate::turn::Sockets;

/// Bytes of a request's head. Browsers send about 500.
const HEAD_BYTES: usize = 16 * 1024;
/// What begins a connection in TLS.
const TLS_HELLO: u8 = 22;
/// What begins one for TURN, and no text.
const TURN_BYTE: u8 = 0;
/// For those who speak HTTP where TLS is spoken.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 38\r\nConnection: close\r\n\r\nThis port speaks TLS: dial https://.\r\n";

/// What every connection needs.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) app: Router,
    pub(super) limits: SocketLimits,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) turn: Option<Arc<Sockets>>,
    pub(super) tally: Arc<Tally>,
    pub(super) stop: watch::Receiver<bool>,
}

impl Service {
    /// Serves one connection until it ends or becomes a WebSocket. It gives up its `place` once it
    /// is something else than a connection that has not said what it wants.
    pub(super) async fn serve(mut self, tcp: TcpStream, from: SocketAddr, place: Place) {
        let within = self.limits.request_within;
        if self.tls.is_none() && self.turn.is_none() {
            self.http(tcp, from).await;
            return drop(place);
        }
        let mut first = [0xff];
        let peeked = tokio::select! {
            peeked = timeout(within, tcp.peek(&mut first)) => peeked,
            () = asked_to(&mut self.stop) => return,
        };
        if !matches!(peeked, Ok(Ok(1))) {
            return;
        }
        match (first, self.tls.clone(), self.turn.clone()) {
            ([TURN_BYTE], _, Some(turn)) => {
                drop(place);
                turn.serve(tcp, from, self.stop).await;
            }
            ([TLS_HELLO], Some(tls), _) => self.secure(&tls, tcp, from, place).await,
            (_, Some(_), _) => refuse_plain(tcp, within).await,
            _ => {
                self.http(tcp, from).await;
                drop(place);
            }
        }
    }

    async fn secure(mut self, tls: &Tls, tcp: TcpStream, from: SocketAddr, place: Place) {
        let within = self.limits.request_within;
        let shaken = async {
            let stream = tls.acceptor().accept(tcp).await?;
            Peeked::new(stream).await
        };
        let stream = tokio::select! {
            shaken = timeout(within, shaken) => shaken,
            () = asked_to(&mut self.stop) => return,
        };
        let Ok(Ok(stream)) = stream else {
            // What exactly went wrong may name hosts; how often it does is counted.
            count(&self.tally.tls_failed);
            return debug!("a connection came to nothing in TLS");
        };
        match (stream.first(), self.turn.clone()) {
            (Some(TURN_BYTE), Some(turn)) => {
                drop(place);
                turn.serve(stream, from, self.stop).await;
            }
            _ => {
                self.http(stream, from).await;
                drop(place);
            }
        }
    }

    /// Answers requests.
    async fn http(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        from: SocketAddr,
    ) {
        let app = self.app.clone().layer(Extension(Peer(from.ip())));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.request_within)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = asked_to(&mut self.stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "a connection ended early");
        }
    }
}

async fn refuse_plain(mut tcp: TcpStream, within: Duration) {
    let told = async {
        tcp.write_all(SPEAK_TLS).await?;
        tcp.shutdown().await
    };
    // Nobody minds if it cannot be told.
    let _ = timeout(within, told).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(SPEAK_TLS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
    }
}
