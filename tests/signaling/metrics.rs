//! Numbers for Prometheus.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use peer_group::wire::rendezvous::{ClientMessage, RelayFrame, ServerMessage};
use peer_group_signaling::server::Settings;

use crate::away::servers;
use crate::client::{Client, signal, soon, tag};
use crate::nats::Nats;
use crate::pages::get;
use crate::served::Served;

/// Reads the text format as strictly as Prometheus does: help and type come before each number.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    let mut family: Option<(&str, &str)> = None;
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(!words.is_empty(), "{line}");
            family = Some((name, ""));
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(family, Some((name, "")), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            family = Some((name, kind));
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let (of, kind) = family.unwrap();
            let rest = name
                .strip_prefix(of)
                .unwrap_or_else(|| panic!("{line} follows {of}"));
            match kind {
                "histogram" => assert!(rest.starts_with('_'), "{line}"),
                _ => assert_eq!(rest, "", "{line}"),
            }
            let before = numbers.insert(name.to_owned(), value.parse().unwrap());
            assert_eq!(before, None, "{line} is there twice");
        }
    }
    numbers
}

pub(crate) async fn numbers(at: SocketAddr) -> BTreeMap<String, f64> {
    let (status, head, body) = get(at, "/metrics", "").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    parse(&body)
}

#[tokio::test]
async fn what_clients_do_is_counted_beside_and_not_where_they_are() {
    let served = Served::start(Settings {
        metrics: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ..Settings::default()
    })
    .await;
    let at = served.metrics.unwrap();
    assert_eq!(get(served.address, "/metrics", "").await.0, 404);
    assert_eq!(get(at, "/healthz", "").await.2, "ok\n");
    let before = numbers(at).await;
    assert_eq!(before["peer_group_sockets"], 0.0);
    assert_eq!(before["peer_group_messages_total"], 0.0);
    assert!(before["peer_group_resident_bytes"] > 1e6);

    let mut a = Client::connect(served.address).await;
    let join = a.join(&[42; 32], [1; 32]);
    assert!(matches!(a.ask(&join).await, ServerMessage::Joined { .. }));
    let mut b = Client::connect(served.address).await;
    b.listen([2; 32]).await;
    b.tell(&signal(tag([1; 32]), b"hi")).await;
    a.hear().await;
    let stolen = a.join(&[42; 32], [1; 32]);
    b.ask(&stolen).await;
    b.ask(&signal(tag([9; 32]), b"nobody")).await;
    b.ask(&ClientMessage::Ping {}).await;

    let now = numbers(at).await;
    for (name, value) in [
        ("sockets", 2.0),
        ("addresses", 1.0),
        ("tags", 2.0),
        ("topics", 1.0),
        ("announcements", 1.0),
        ("sockets_opened_total", 2.0),
        ("messages_total", 8.0),
        ("joins_total", 1.0),
        ("bad_signatures_total", 1.0),
        ("signals_total", 1.0),
        ("signals_refused_total", 1.0),
        ("message_seconds_count", 8.0),
    ] {
        assert_eq!(now[&format!("peer_group_{name}")], value, "{name}");
    }
    assert!(now["peer_group_message_seconds_sum"] > 0.0);
    // Nothing is told that names anybody.
    let (_, _, text) = get(at, "/metrics", "").await;
    assert!(!text.contains("127.0.0.1") && !text.contains(&tag([1; 32]).to_string()));
}

/// Waits until all of these are as they are to be.
async fn become_so(at: SocketAddr, expected: &[(&str, f64)]) {
    soon("what is counted", async {
        loop {
            let now = numbers(at).await;
            let is = |(name, value): &(&str, f64)| {
                now[&format!("peer_group_cluster_{name}")]
                    .total_cmp(value)
                    .is_eq()
            };
            if expected.iter().all(is) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_goes_on_between_machines_is_counted_and_a_machine_without_others_is_well() {
    let mut nats = Nats::start();
    let [near, far] = servers(&nats).await;
    let at = near.metrics.unwrap();
    let there = [("wanted", 1.0), ("connected", 1.0), ("machines", 1.0)];
    become_so(at, &there).await;
    become_so(far.metrics.unwrap(), &there).await;
    assert_eq!(get(near.address, "/healthz", "").await.2, "ok\n");
    let mut a = Client::connect(near.address).await;
    let mut b = Client::connect(far.address).await;
    for (client, r) in [(&mut a, [1; 32]), (&mut b, [2; 32])] {
        let join = client.join(&[42; 32], r);
        assert!(matches!(
            client.ask(&join).await,
            ServerMessage::Joined { .. }
        ));
    }
    a.tell(&signal(tag([2; 32]), b"hi")).await;
    b.hear().await;
    b.tell(&ClientMessage::Relay {
        to: tag([1; 32]),
        frame: RelayFrame::new(vec![5; 100]).unwrap(),
    })
    .await;
    a.hear().await;
    // Its tag, its topic; one question for the sample and one with the signal; of these and a claim,
    // and what was taken of a pair that began, it told the other.
    become_so(
        at,
        &[
            ("subscriptions", 2.0),
            ("questions_total", 2.0),
            ("claims_told_total", 1.0),
            ("notes_out_total", 4.0),
            // The other's claim was for nobody here; it asked for its sample, and sent a frame.
            ("notes_in_total", 2.0),
            ("lost_total", 0.0),
            ("waiting_bytes", 0.0),
        ],
    )
    .await;
    // The tag goes to the other machine.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut moved = Client::connect(far.address).await;
    moved.listen([1; 32]).await;
    become_so(at, &[("claims_yielded_total", 1.0)]).await;

    nats.kill();
    become_so(
        at,
        &[
            ("connected", 0.0),
            ("machines", 0.0),
            ("outages_total", 1.0),
        ],
    )
    .await;
    for address in [near.address, at] {
        let (status, _, body) = get(address, "/healthz", "").await;
        assert_eq!(
            (status, &body[..]),
            (200, "ok, but alone: the cluster cannot be reached\n")
        );
    }
    nats.start_again();
    become_so(at, &there).await;
    assert_eq!(get(near.address, "/healthz", "").await.2, "ok\n");
}
