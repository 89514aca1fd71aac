//! The program while it runs.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::client::soon;

pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peer-group-signaling"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// The program while it runs; killed if a test fails before it ended.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, "info", Stdio::piped())
    }

    /// The same with a log that says more or less, and goes elsewhere.
    pub(crate) fn start_with(arguments: &[&str], log: &str, to: Stdio) -> Self {
        let mut child = program(&["--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("RUST_LOG", log)
            .stdout(Stdio::piped())
            .stderr(to)
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

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// A line of what the system says of the program, in KiB; None where it says nothing.
    pub(crate) fn kib(&self, line: &str) -> Option<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).ok()?;
        let value = status.lines().find_map(|all| all.strip_prefix(line))?;
        value.trim().strip_suffix("kB")?.trim().parse().ok()
    }

    /// Waits for its end; whether it was a good one, and what it logged.
    pub(crate) async fn end(mut self) -> (bool, String) {
        let stderr = self.child.stderr.take();
        let log = tokio::task::spawn_blocking(|| {
            stderr.map_or(String::new(), |log| std::io::read_to_string(log).unwrap())
        });
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
