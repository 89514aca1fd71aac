//! The program itself: its first line, its end, and what it says when it cannot start.

// What goes wrong in a test is to end it.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

use peer_group::wire::rendezvous::ServerMessage;

mod client;

use client::{Client, soon};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peer-group-signaling"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// The program while it runs; killed if a test fails before it ended.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = program(&["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line
            .strip_prefix("peer-group rendezvous server listening on http://")
            .and_then(|rest| rest.strip_suffix("/\n"))
            .unwrap_or_else(|| panic!("the first line is {line:?}"));
        Self {
            address: address.parse().unwrap(),
            child,
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end; whether it was a good one, and what it logged.
    async fn end(mut self) -> (bool, String) {
        let stderr = self.child.stderr.take().unwrap();
        let log = tokio::task::spawn_blocking(|| std::io::read_to_string(stderr).unwrap());
        let log = soon("the end of the program", log).await.unwrap();
        (self.child.wait().unwrap().success(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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

#[tokio::test]
async fn the_log_names_no_tag_and_no_client() {
    let mut command = program(&["--listen", "127.0.0.1:0"]);
    let mut child = command
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let address = line
        .split("http://")
        .nth(1)
        .unwrap()
        .trim_end_matches("/\n");
    let running = Running {
        address: address.parse().unwrap(),
        child,
    };
    let mut client = Client::connect(running.address).await;
    client.listen([1; 32]).await;
    let own = client.socket.get_ref().local_addr().unwrap().to_string();
    client
        .tell(&client::signal(client::tag([1; 32]), b"private words"))
        .await;
    client.hear().await;
    drop(client);
    running.signal("TERM");
    let (_, log) = running.end().await;
    assert!(log.contains("socket opened"), "{log}");
    let tag = client::tag([1; 32]).to_string();
    for private in [tag.as_str(), &own, "private words"] {
        assert!(!log.contains(private), "{private} is in the log:\n{log}");
    }
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
