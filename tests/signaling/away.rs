//! TURN of two servers of a cluster, over real sockets: clients of both reach each other, and nothing
//! else.

use std::net::SocketAddr;
use std::time::Duration;

use peer_group_signaling::server::Settings;
use peer_group_signaling::settings::ClusterUrls;
use tokio::time::timeout;

use crate::client::soon;
use crate::metrics::numbers;
use crate::nats::Nats;
use crate::served::Served;
use crate::stun::{Relay, Wire, node};

/// Two of a cluster, with metrics.
pub(crate) async fn servers(nats: &Nats) -> [Served; 2] {
    let settings = Settings {
        cluster: Some(ClusterUrls::parse(&nats.url()).unwrap()),
        metrics: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ..Settings::default()
    };
    [
        Served::start(settings.clone()).await,
        Served::start(settings).await,
    ]
}

#[tokio::test]
async fn clients_of_two_servers_relay_to_each_other() {
    let mut nats = Nats::start();
    let [near, far] = servers(&nats).await;
    let (metrics, near, far) = (near.metrics.unwrap(), near.address, far.address);
    let mut a = Relay::start(near, Wire::tcp(near).await, node(1)).await;
    let mut b = Relay::start(far, Wire::udp(far).await, node(2)).await;
    assert_eq!(a.permit("192.168.0.1:80".parse().unwrap()).await, Err(403));
    a.permit(b.relayed).await.unwrap();
    a.send(b.relayed, b"not let in").await;
    b.permit(a.relayed).await.unwrap();
    // Until the servers have found each other, packets are lost.
    let (from, payload) = soon("a packet from server to server", async {
        loop {
            a.send(b.relayed, b"over a message").await;
            if let Ok(heard) = timeout(Duration::from_millis(200), b.hear()).await {
                return heard;
            }
        }
    })
    .await;
    assert_eq!((from, &payload[..]), (a.relayed, &b"over a message"[..]));
    b.send(a.relayed, b"and back").await;
    assert_eq!(a.hear().await, (b.relayed, b"and back".to_vec()));

    // As many as a link sends at a time, each of the size of its packets.
    a.bind(0x4001, b.relayed).await.unwrap();
    b.bind(0x4002, a.relayed).await.unwrap();
    for n in 0..64u8 {
        let packet = [&[0x40, 2, 4, 176][..], &[n; 1200]].concat();
        b.wire.send(&packet).await;
    }
    for n in 0..64u8 {
        let packet = a.wire.hear().await;
        assert_eq!((&packet[..4], packet[4]), (&[0x40, 1, 4, 176][..], n));
    }
    let counted = numbers(metrics).await["peer_group_cluster_packets_in_total"];
    assert!(counted >= 65.0, "{counted} packets");
    nats.kill();
    // Each goes on alone.
    let mut c = Relay::start(near, Wire::udp(near).await, node(3)).await;
    a.permit(c.relayed).await.unwrap();
    c.permit(a.relayed).await.unwrap();
    c.send(a.relayed, b"here").await;
    assert_eq!(a.hear().await, (c.relayed, b"here".to_vec()));
}
