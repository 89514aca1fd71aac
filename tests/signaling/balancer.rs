//! Plain TCP balancing: each connection goes to the next server, whoever it comes from.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    used: Arc<Vec<AtomicUsize>>,
    task: JoinHandle<()>,
}

impl Balancer {
    pub(crate) async fn start(servers: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let used: Arc<Vec<AtomicUsize>> = Arc::new(servers.iter().map(|_| 0.into()).collect());
        let counts = Arc::clone(&used);
        let task = tokio::spawn(async move {
            for next in (0..servers.len()).cycle() {
                let (mut client, _) = listener.accept().await.unwrap();
                counts[next].fetch_add(1, Ordering::Relaxed);
                let server = servers[next];
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    for tcp in [&client, &server] {
                        tcp.set_nodelay(true).unwrap();
                    }
                    // Either side may break it off.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self {
            address,
            used,
            task,
        }
    }

    /// How many connections each server was given.
    pub(crate) fn used(&self) -> Vec<usize> {
        self.used
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
