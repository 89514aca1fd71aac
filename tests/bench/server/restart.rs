//! A server is restarted under 5 000 real engines: when they are back, and how fast they came.
//!
//! The engines' own rules of coming back are what is measured, so nothing here decides when to dial.

mod fleet;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Cores, Running};
use crate::{Bench, figure, progress};
use fleet::Fleet;

const CLIENTS: usize = 5_000;
/// How each server ends, what that is, and how long it takes until the next one is there.
const ENDS: [(&str, &str, u64); 3] = [
    ("TERM", "SIGTERM", 0),
    ("KILL", "kill -9", 0),
    ("KILL", "kill -9", 3),
];
/// The engines forget that they had to try when a server has lived this long, and then come back
/// sooner: the harder case, so it is waited for.
const SETTLED: Duration = Duration::from_millis(peer_group::limits::RECONNECT_MAX_MS + 1_000);
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) async fn run(bench: &Bench) {
    let mut server = start(&bench.server, None);
    let address = server.address;
    progress(&format!(
        "{CLIENTS} engines make a group each and go online"
    ));
    let mut fleet = Fleet::new(address, CLIENTS);
    fleet.begin().await;
    fleet.all_online(LIMIT).await;
    for (signal, what, down) in ENDS {
        progress(&format!("{what}, {down} s down; all settle first"));
        fleet.run_for(SETTLED).await;
        fleet.count_anew();
        let ended = Instant::now();
        let program = bench.server.clone();
        let next = tokio::spawn(async move {
            server.end(signal).await;
            tokio::time::sleep(Duration::from_secs(down)).await;
            start(&program, Some(address))
        });
        fleet.all_online(LIMIT).await;
        server = next.await.unwrap();
        let back = fleet.arrivals(ended);
        figure(
            &format!("{what}, {down} s down: half, 99 %, all of 5 000 back after"),
            &format!(
                "{:.1} / {:.1} / {:.1} s",
                back.half.as_secs_f64(),
                back.most.as_secs_f64(),
                back.all.as_secs_f64()
            ),
        );
        figure(
            "    in the busiest second: joins granted / connections dialled",
            &format!("{} / {}", back.peak_joins, back.peak_dials),
        );
    }
}

fn start(program: &Path, at: Option<SocketAddr>) -> Running {
    let listen = at.map_or("--listen=127.0.0.1:0".to_owned(), |at| {
        format!("--listen={at}")
    });
    // 5 000 puzzles, each some 0.3 s of a core, would measure this machine and not how clients come back.
    Running::start(program, Cores::All, &[&listen, "--work=off"])
}
