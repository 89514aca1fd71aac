//! Plain TCP balancing: each connection goes to the next server that takes it, whoever it comes from.

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
            let mut all = (0..servers.len()).cycle();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut server = loop {
                    let next = all.next().unwrap();
                    if let Ok(server) = TcpStream::connect(servers[next]).await {
                        counts[next].fetch_add(1, Ordering::Relaxed);
                        break server;
                    }
                };
                tokio::spawn(async move {
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
