//! Numbers for Prometheus.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use peer_group::wire::rendezvous::{ClientMessage, ServerMessage};
use peer_group_signaling::server::Settings;

use crate::client::{Client, signal, tag};
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

async fn numbers(at: SocketAddr) -> BTreeMap<String, f64> {
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
