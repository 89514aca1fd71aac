//! A server on a free port of this machine, for one test.

use std::net::SocketAddr;

use peer_group::wire::rendezvous::{ErrorReason, ServerMessage};
use peer_group_signaling::server::{Server, Settings};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::soon;

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(settings: Settings) -> Self {
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ..settings
        };
        let server = Server::bind(settings).await.unwrap();
        let (address, metrics) = (server.address(), server.metrics_address());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self {
            address,
            metrics,
            stop,
            running,
        }
    }

    /// Ends it as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        soon("the end of the server", self.running).await.unwrap();
    }
}

/// An error that waiting does not help.
pub(crate) fn error(reason: ErrorReason) -> ServerMessage {
    ServerMessage::Error {
        reason,
        retry_after_ms: 0,
    }
}
