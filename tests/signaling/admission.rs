//! Who may open a socket: pages, tokens, a hook, and those behind a proxy.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use peer_group::error::Code;
use peer_group::wire::rendezvous::{ClientMessage, ErrorReason, ServerMessage};
use peer_group::wire::text::{self, TextKind};
use peer_group_signaling::rooms::{Config, Limits};
use peer_group_signaling::server::Settings;
use peer_group_signaling::settings::{HookUrl, Network, PageOrigin};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::client::{Client, open, request, soon};
use crate::engines::Engines;
use crate::served::{Served, error};

const TOKEN: &str = "0123456789-abcdef";

/// A request with one header more.
fn with(served: &Served, name: &'static str, value: &str) -> Request {
    let mut request = request(&served.address.to_string());
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

fn with_token(served: &Served, token: &str) -> Request {
    let mut request = request(&served.address.to_string());
    let protocols = format!("peer-group.1, peer-group.token.{token}");
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
    request
}

async fn enter(served: &Served, request: Request) -> Client {
    let tcp = TcpStream::connect(served.address).await.unwrap();
    Client::greet(tcp, request, &served.address.to_string()).await
}

/// What somebody hears who is not let in, and the code of the close.
async fn refused(served: &Served, request: Request) -> (ServerMessage, u16) {
    let tcp = TcpStream::connect(served.address).await.unwrap();
    let mut client = Client {
        socket: open(tcp, request).await.unwrap(),
        origin: String::new(),
        welcome: ServerMessage::Pong {},
    };
    (client.hear().await, client.close_code().await)
}

fn forbidden() -> (ServerMessage, u16) {
    (error(ErrorReason::Forbidden), 4003)
}

#[tokio::test]
async fn pages_of_other_origins_are_told_that_they_may_not() {
    let served = Served::start(Settings {
        allowed_origins: vec![PageOrigin::parse("https://app.example").unwrap()],
        ..Settings::default()
    })
    .await;
    let own = format!("http://{}", served.address);
    enter(&served, with(&served, "origin", "https://app.example")).await;
    enter(&served, with(&served, "origin", &own)).await;
    enter(&served, request(&served.address.to_string())).await;
    let evil = with(&served, "origin", "https://evil.example");
    assert_eq!(refused(&served, evil).await, forbidden());
}

#[tokio::test]
async fn a_token_opens_the_door_until_it_is_taken_out_of_the_file() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tokens");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("tokens.txt");
    fs::write(&file, format!("{TOKEN}\n\nanother-token-of-us\n")).unwrap();
    let served = Served::start(Settings {
        token_file: Some(file.clone()),
        look_every: Duration::from_millis(20),
        ..Settings::default()
    })
    .await;
    let plain = || request(&served.address.to_string());
    assert_eq!(refused(&served, plain()).await, forbidden());
    let wrong = with_token(&served, "0123456789-abcdeg");
    assert_eq!(refused(&served, wrong).await, forbidden());
    let mut client = enter(&served, with_token(&served, TOKEN)).await;
    let bearer = with(&served, "authorization", "Bearer another-token-of-us");
    enter(&served, bearer).await;

    fs::write(&file, "a-new-token-instead").unwrap();
    let changed = async {
        loop {
            let tcp = TcpStream::connect(served.address).await.unwrap();
            let mut old = Client {
                socket: open(tcp, with_token(&served, TOKEN)).await.unwrap(),
                origin: String::new(),
                welcome: ServerMessage::Pong {},
            };
            let hello = ClientMessage::Hello {
                version: 1,
                features: 0,
            };
            match old.ask(&hello).await {
                ServerMessage::Welcome { .. } => {}
                other => return other,
            }
        }
    };
    assert_eq!(soon("the change", changed).await, forbidden().0);
    enter(&served, with_token(&served, "a-new-token-instead")).await;
    // Who is in stays in.
    assert_eq!(
        client.ask(&ClientMessage::Ping {}).await,
        ServerMessage::Pong {}
    );
    fs::remove_dir_all(&folder).unwrap();
}

/// Answers one question with `status`, and says what was asked.
async fn answer(listener: &TcpListener, status: &str) -> String {
    let (mut tcp, _) = soon("a question", listener.accept()).await.unwrap();
    let mut asked = Vec::new();
    while !asked.ends_with(b"}") {
        soon("the question", tcp.read_buf(&mut asked))
            .await
            .unwrap();
    }
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    tcp.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(asked).unwrap()
}

#[tokio::test]
async fn a_hook_is_asked_and_its_answer_counts() {
    let hook = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/enter?x=1", hook.local_addr().unwrap());
    let served = Served::start(Settings {
        token_hook: Some(HookUrl::parse(&url).unwrap()),
        ..Settings::default()
    })
    .await;
    let (asked, _) = tokio::join!(
        answer(&hook, "204 No Content"),
        enter(&served, with_token(&served, TOKEN))
    );
    assert!(asked.starts_with("POST /enter?x=1 HTTP/1.1\r\n"), "{asked}");
    let (_, body) = asked.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = serde_json::json!({
        "token": TOKEN, "address": "127.0.0.1", "origin": null, "host": served.address.to_string()
    });
    assert_eq!(body, expected);

    let plain = || request(&served.address.to_string());
    let (asked, told) = tokio::join!(answer(&hook, "403 Forbidden"), refused(&served, plain()));
    assert!(asked.contains("\"token\":null"), "{asked}");
    assert_eq!(told, forbidden());
    // One that does not know is asked again later.
    let (_, told) = tokio::join!(answer(&hook, "500 Oh"), refused(&served, plain()));
    let later = ServerMessage::Error {
        reason: ErrorReason::Full,
        retry_after_ms: 5_000,
    };
    assert_eq!(told, (later.clone(), 1013));
    drop(hook);
    assert_eq!(refused(&served, plain()).await, (later, 1013));
}

#[tokio::test]
async fn behind_a_trusted_proxy_clients_have_their_own_addresses_and_names() {
    let settings = |trusted: &str| Settings {
        trusted_proxies: vec![Network::parse(trusted).unwrap()],
        rooms: Config {
            limits: Limits {
                connections_per_address: 1,
                ..Limits::default()
            },
            ..Config::default()
        },
        ..Settings::default()
    };
    let served = Served::start(settings("127.0.0.0/8")).await;
    let from = |address: &str| with(&served, "x-forwarded-for", address);
    let mut all = Vec::new();
    for address in [
        "203.0.113.1",
        "203.0.113.2",
        "2001:db8::1",
        "2001:db8:0:1::1",
    ] {
        all.push(enter(&served, from(address)).await);
    }
    // The same address, and the same network of IPv6.
    for address in ["203.0.113.1", "2001:db8::2"] {
        let (told, code) = refused(&served, from(address)).await;
        assert!(
            matches!(
                told,
                ServerMessage::Error {
                    reason: ErrorReason::Rate,
                    ..
                }
            ),
            "{told:?}"
        );
        assert_eq!(code, 1013);
    }
    let mut named = from("203.0.113.3");
    let headers = named.headers_mut();
    headers.insert("x-forwarded-host", "us.example".parse().unwrap());
    let mut client = enter(&served, named).await;
    client.origin = "us.example".to_owned();
    let join = client.join(&[42; 32], [1; 32]);
    assert!(matches!(
        client.ask(&join).await,
        ServerMessage::Joined { .. }
    ));

    // Whoever is not trusted may write what it likes.
    let served = Served::start(settings("192.0.2.1")).await;
    let from = |address: &str| with(&served, "x-forwarded-for", address);
    let _first = enter(&served, from("203.0.113.1")).await;
    let (told, _) = refused(&served, from("203.0.113.2")).await;
    assert!(
        matches!(
            told,
            ServerMessage::Error {
                reason: ErrorReason::Rate,
                ..
            }
        ),
        "{told:?}"
    );
}

#[tokio::test]
async fn engines_show_their_token_to_the_server_and_tell_nobody_of_it() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("engine-tokens");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("tokens.txt");
    fs::write(&file, TOKEN).unwrap();
    let served = Served::start(Settings {
        token_file: Some(file),
        ..Settings::default()
    })
    .await;
    let mut engines = Engines::new(&served.address.to_string());
    engines.query = format!("/?token={TOKEN}");
    let invitation = engines.create().await;
    let (_, joined) = engines.join(&invitation, 10_000).await;
    joined.unwrap();
    let code = Code::InvalidArgument;
    let unpacked = text::decode(TextKind::Invitation, &invitation, code).unwrap();
    let names = |text: &str| {
        let mut parts = unpacked.windows(text.len());
        parts.any(|part| part == text.as_bytes())
    };
    assert!(names(&format!("ws://{}", served.address)) && !names(TOKEN));

    // Of a graph what is kept is not sealed.
    let kept = engines.create_graph().await.concat();
    let kept = String::from_utf8_lossy(&kept);
    let base = format!("ws://{}", served.address);
    assert!(kept.contains(&base) && !kept.contains(TOKEN), "{kept:?}");

    for wrong in ["", "/?token=0123456789-abcdeg"] {
        engines.query = wrong.to_owned();
        let began = std::time::Instant::now();
        let (_, joined) = engines.join(&invitation, 30_000).await;
        let refused = joined.unwrap_err();
        assert_eq!(refused.code, Code::AccessDenied, "{wrong:?}");
        assert!(refused.detail.contains("?token=..."), "{}", refused.detail);
        assert!(!refused.detail.contains("abcdeg"), "{}", refused.detail);
        assert!(began.elapsed() < Duration::from_secs(10), "not at once");
    }
}
