//! A server as a process of its own, and what the system says it costs.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The processor that a server has for itself when what one does is to be measured, and that of its
/// clients.
const OWN_CORE: &str = "0";
const CLIENTS_CORE: &str = "1";

/// A server while it runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What a process has used.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    /// Of processors, since it began.
    pub(crate) cpu: Duration,
    /// Memory that it holds now.
    pub(crate) kib: f64,
}

/// Whether a program is bound to one processor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cores {
    One,
    All,
}

/// Keeps this process off the server's own processor, where there is another.
pub(crate) fn stand_aside() {
    let own = std::process::id().to_string();
    let moved = Command::new("taskset")
        .args(["-c", "-p", CLIENTS_CORE, &own])
        .stdout(Stdio::null())
        .status();
    if !moved.is_ok_and(|status| status.success()) {
        println!("  clients and server share one core: times by the clock are longer");
    }
}

/// A command for `program`.
pub(crate) fn command(program: &Path, cores: Cores) -> Command {
    let mut command = match cores {
        Cores::All => Command::new(program),
        Cores::One => {
            let mut bound = Command::new("taskset");
            bound.args(["-c", OWN_CORE]).arg(program);
            bound
        }
    };
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

impl Running {
    /// Our own server.
    pub(crate) fn start(program: &Path, cores: Cores, arguments: &[&str]) -> Self {
        let mut child = command(program, cores)
            .args(arguments)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts (taskset is of util-linux)");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let (_, at) = line
            .rsplit_once("://")
            .unwrap_or_else(|| panic!("the server said {line:?}"));
        Self {
            address: at.trim_end().trim_end_matches('/').parse().unwrap(),
            child,
        }
    }

    /// Another's, once its port answers.
    pub(crate) async fn start_other(mut command: Command, address: SocketAddr) -> Self {
        let child = command.stdout(Stdio::null()).spawn().expect("it starts");
        let running = Self { child, address };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return running;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{command:?} did not listen on {address}");
    }

    /// What it has used.
    pub(crate) fn used(&self) -> Used {
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
        };
        let stat = read("stat");
        // Behind the name, which may hold anything: fields 14 and 15 are hundredths of a second.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split(' ').collect();
        let ticks: u64 = fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap();
        let status = read("status");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = kib.unwrap().trim().trim_end_matches(" kB").trim();
        Used {
            cpu: Duration::from_millis(ticks * 10),
            kib: kib.parse().unwrap(),
        }
    }

    /// Sends it a signal, and waits for its end.
    pub(crate) async fn end(mut self, signal: &str) {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap();
        while self.child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many files a process may have open, as the system says it.
pub(crate) fn open_files() -> String {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers = line.unwrap().split_whitespace().skip(3).take(2);
    numbers.collect::<Vec<_>>().join(" (soft), ") + " (hard)"
}
