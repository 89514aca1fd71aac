//! The program itself: its first line, its end, and what it says when it cannot start.

// What goes wrong in a test is to end it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::{Output, Stdio};

use peer_group::crypto::{Primitives as _, REAL};
use peer_group::wire::rendezvous::{ClientMessage, RelayFrame, ServerMessage};

mod client;
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod nats;
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod running;

use client::Client;
use nats::Nats;
use running::{Running, program};

fn failing(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = program(arguments).output().unwrap();
    assert_eq!(status.code(), Some(1));
    String::from_utf8(stderr).unwrap()
}

#[tokio::test]
async fn asked_to_end_it_sends_everybody_away_and_ends_well() {
    for name in ["TERM", "INT"] {
        let running = Running::start(&[]);
        let mut clients = Vec::new();
        for r in 1..=3 {
            let mut client = Client::connect(running.address).await;
            let join = client.join(&[42; 32], [r; 32]);
            let joined = client.ask(&join).await;
            assert!(matches!(joined, ServerMessage::Joined { .. }));
            clients.push(client);
        }
        running.signal(name);
        for client in &mut clients {
            match client.hear().await {
                ServerMessage::GoAway { delay_ms, .. } => assert!(delay_ms < 2_000),
                other => panic!("no go-away but {other:?}"),
            }
            assert_eq!(client.close_code().await, 1012);
        }
        let address = running.address;
        let (well, log) = running.end().await;
        assert!(well, "{log}");
        assert!(
            log.contains("listening") && log.contains("stopping"),
            "{log}"
        );
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}

/// What may not be in a log: as text, and as programs write bytes.
fn spellings(secret: &[u8]) -> [String; 4] {
    let hex = |upper: bool| {
        let digits = secret.iter().map(|byte| match upper {
            true => format!("{byte:02X}"),
            false => format!("{byte:02x}"),
        });
        digits.collect::<String>()
    };
    let numbers: Vec<String> = secret.iter().take(6).map(u8::to_string).collect();
    let text = String::from_utf8_lossy(secret).into_owned();
    [text, hex(false), hex(true), numbers.join(", ")]
}

/// Everything that a log could tell of somebody happens, and all of the log is read.
#[tokio::test]
async fn the_log_of_a_busy_run_names_nobody_and_nothing_that_was_said() {
    const FORWARDED: &str = "203.0.113.77";
    const TOKEN: &str = "a-token-that-nobody-sees";
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("log");
    std::fs::create_dir_all(&folder).unwrap();
    let tokens = folder.join("tokens.txt");
    std::fs::write(&tokens, TOKEN).unwrap();
    let nats = Nats::start();
    for format in ["text", "json"] {
        let running = Running::start_with(
            &[
                "--trusted-proxy=127.0.0.1",
                "--requests=1/8",
                "--signals=1/4",
                "--log",
                format,
            ]
            .into_iter()
            .chain(["--token-file", tokens.to_str().unwrap()])
            .chain(["--cluster", &nats.url()])
            .collect::<Vec<_>>(),
            "trace",
            Stdio::piped(),
        );
        let address = running.address;
        let mut ports = Vec::new();
        let mut clients = Vec::new();
        for r in [[201; 32], [202; 32], [203; 32]] {
            let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
            ports.push(tcp.local_addr().unwrap().to_string());
            let mut request = client::request(&address.to_string());
            let headers = request.headers_mut();
            headers.insert("x-forwarded-for", FORWARDED.parse().unwrap());
            headers.insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
            let mut client = Client::greet(tcp, request, &address.to_string()).await;
            let join = client.join(&[42; 32], r);
            let joined = client.ask(&join).await;
            assert!(matches!(joined, ServerMessage::Joined { .. }));
            clients.push(client);
        }
        let [mut a, mut b, mut c] = <[Client; 3]>::try_from(clients).ok().unwrap();
        // Signals, frames, a replayed Join, too many requests, and what is no message.
        let words = b"private words";
        a.tell(&client::signal(client::tag([202; 32]), words)).await;
        b.hear().await;
        let frame = ClientMessage::Relay {
            to: client::tag([201; 32]),
            frame: RelayFrame::new(b"private frame".to_vec()).unwrap(),
        };
        b.tell(&frame).await;
        a.hear().await;
        a.listen([201; 32]).await;
        let replayed = a.join(&[42; 32], [201; 32]);
        b.ask(&replayed).await;
        for _ in 0..5 {
            a.ask(&ClientMessage::Ping {}).await;
        }
        a.ask(&ClientMessage::Turn {}).await;
        c.tell(&ClientMessage::Hello {
            version: 1,
            features: 0,
        })
        .await;
        c.hear().await;
        assert_eq!(c.close_code().await, 1002);
        drop((a, b, c));
        running.signal("TERM");
        let (well, log) = running.end().await;
        assert!(well, "{log}");
        for part in [
            "socket opened",
            "203.0.113.0/24",
            "socket refused",
            "stopping",
        ] {
            assert!(log.contains(part), "{part:?} is missing in:\n{log}");
        }
        let topic = REAL.public_key(&[42; 32]);
        let mut secrets: Vec<&[u8]> = vec![words, b"private frame", &topic, TOKEN.as_bytes()];
        let tags = [201, 202, 203].map(|r| client::tag([r; 32]));
        secrets.extend(tags.iter().map(|tag| &tag.0[..]));
        let mut forbidden: Vec<String> = secrets.iter().flat_map(|s| spellings(s)).collect();
        forbidden.extend(tags.iter().map(ToString::to_string));
        // The announcement, and the secret of a tag.
        forbidden.extend([201, 202, 203].map(|r| format!("{r}, {r}, {r}")));
        forbidden.push(FORWARDED.to_owned());
        forbidden.extend(ports);
        for private in &forbidden {
            assert!(
                !log.contains(private.as_str()),
                "{private:?} is in the log:\n{log}"
            );
        }
        if format == "json" {
            let first = log.lines().next().unwrap();
            assert!(first.starts_with('{') && first.ends_with('}'), "{first}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_keeps_it_from_starting_comes_with_what_to_change() {
    let running = Running::start(&[]);
    let taken = running.address.to_string();
    let words = failing(&["--listen", &taken]);
    for part in [taken.as_str(), "in use", "--listen 127.0.0.1:0"] {
        assert!(words.contains(part), "{part:?} is missing in: {words}");
    }
    let words = failing(&["--listen", "127.0.0.1:0", "--www", "/no/such/folder"]);
    for part in ["/no/such/folder", "--www"] {
        assert!(words.contains(part), "{part:?} is missing in: {words}");
    }
}

#[test]
fn a_printed_configuration_is_one_to_start_with_and_flags_win() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("configuration");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("server.toml");
    let file = path.to_str().unwrap();
    let print = |arguments: &[&str]| {
        let output = program(arguments).arg("--print-config").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let ours = print(&["--connections=77", "--ice-server=stun:a:1", "--relay=off"]);
    assert!(ours.contains("\nconnections = 77\n"), "{ours}");
    std::fs::write(&path, &ours).unwrap();
    assert_eq!(print(&["--config", file]), ours);
    let flags = print(&["--config", file, "--connections=78"]);
    assert_eq!(flags, ours.replace("connections = 77", "connections = 78"));

    std::fs::write(&path, "connections = 3\nrelay-pair = 2\n").unwrap();
    let output = program(&["--config", file]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    for part in [file, "line 2", "relay-pair", "did you mean relay-per-pair?"] {
        assert!(words.contains(part), "{part:?} is missing in: {words}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn clients_are_told_the_ice_servers_it_was_given() {
    let running = Running::start(&["--ice-server", "stun:a:1", "--ice-server=stun:b:2"]);
    let client = Client::connect(running.address).await;
    let ServerMessage::Welcome { ice, .. } = &client.welcome else {
        panic!("no welcome")
    };
    let urls: Vec<&str> = ice.iter().map(|server| &*server.urls[0]).collect();
    let own = format!("stun:{}", running.address);
    assert_eq!(urls, [&own, "stun:a:1", "stun:b:2"]);
}
