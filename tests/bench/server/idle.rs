//! Memory of sockets that were welcomed and wait, and of what joining a room of two adds to it.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::task::JoinSet;

use crate::process::{Cores, Running, open_files};
use crate::socket::Way;
use crate::{Bench, figure, ours, progress};

/// How many wait when it is looked. The last fits under the usual limit of 20 000 files.
const SOCKETS: [usize; 3] = [2_000, 8_000, 18_000];
/// What an operator may want one server to hold.
const WANTED: f64 = 50_000.0;
/// Clients that connect at a time.
const AT_ONCE: usize = 64;

pub(crate) async fn run(bench: &Bench) {
    figure("open files that a process may have here", &open_files());
    let folder = bench.rivals.join("certificate");
    let (config, files) = certificate(&folder);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    for (what, tls, arguments) in [("plain", None, &[][..]), ("TLS", Some(config), &files[..])] {
        waiting(bench, what, tls, arguments).await;
    }
}

/// A certificate for clients to trust, and what to tell the server of it.
fn certificate(folder: &Path) -> (Arc<rustls::ClientConfig>, Vec<String>) {
    std::fs::create_dir_all(folder).unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        format!("--tls-{}={}", name.trim_end_matches(".pem"), path.display())
    };
    let arguments = vec![
        file("certificate.pem", cert.pem()),
        file("key.pem", signing_key.serialize_pem()),
    ];
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates([cert.der().clone()]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(config), arguments)
}

async fn waiting(
    bench: &Bench,
    what: &str,
    tls: Option<Arc<rustls::ClientConfig>>,
    arguments: &[&str],
) {
    let most = SOCKETS[SOCKETS.len() - 1];
    let connections = format!("--connections={most}");
    // Connections that are no sockets yet would take files from those that are.
    let plain = format!("--plain-connections={}", 4 * AT_ONCE);
    let mut all = vec![
        "--listen=127.0.0.1:0",
        "--turn=off",
        "--work=off",
        &connections,
        &plain,
    ];
    all.extend(arguments);
    let server = Running::start(&bench.server, Cores::All, &all);
    let way = ours::way(server.address, tls);
    // Whatever is set up once is not a socket's.
    drop(ours::Client::connect(&way, most).await);
    let empty = server.used();
    let mut seen = Vec::new();
    let mut clients: Vec<ours::Client> = Vec::new();
    for sockets in SOCKETS {
        progress(&format!("{sockets} sockets, {what}"));
        let (began, before) = (Instant::now(), server.used());
        let count = clients.len();
        clients = connect(&way, clients, sockets).await;
        let used = server.used();
        let each = (sockets - count) as f64;
        let cpu = (used.cpu - before.cpu).as_secs_f64() * 1e6 / each;
        let kib = (used.kib - empty.kib) / sockets as f64;
        figure(
            &format!("{what}, {sockets} idle sockets: KiB of the server for each"),
            &format!(
                "{kib:.2}   ({cpu:.0} us of a core to connect, {:.0} a second)",
                each / began.elapsed().as_secs_f64()
            ),
        );
        seen.push(used.kib);
    }
    progress("all of them join a room of two");
    let waiting = server.used();
    for (number, client) in clients.iter_mut().enumerate() {
        let join = client.join(number / 2, number);
        client.ask(join).await;
    }
    let joined = server.used();
    figure(
        &format!("{what}, standing in a room adds KiB to each"),
        &format!(
            "{:.2}   ({:.0} us of a core)",
            (joined.kib - waiting.kib) / most as f64,
            (joined.cpu - waiting.cpu).as_secs_f64() * 1e6 / most as f64
        ),
    );
    let slope = (seen[2] - seen[1]) / (SOCKETS[2] - SOCKETS[1]) as f64;
    figure(
        &format!(
            "{what}, KiB for each of the last {}",
            SOCKETS[2] - SOCKETS[1]
        ),
        &format!("{slope:.2}"),
    );
    let stood = (joined.kib - waiting.kib) / most as f64;
    figure(
        &format!("{what}, 50 000 would take, at that, each in a room"),
        &format!(
            "{:.0} MiB",
            (seen[2] + slope * (WANTED - most as f64) + stood * WANTED) / 1024.0
        ),
    );
}

/// Opens sockets until there are so many, all of which are welcomed.
async fn connect(way: &Way, mut open: Vec<ours::Client>, until: usize) -> Vec<ours::Client> {
    let mut coming = JoinSet::new();
    for number in open.len()..until {
        if coming.len() >= AT_ONCE {
            open.push(coming.join_next().await.unwrap().unwrap());
        }
        let way = way.clone();
        coming.spawn(async move { ours::Client::connect(&way, number).await });
    }
    open.extend(coming.join_all().await);
    open
}
