//! The program `peer-group-signaling`.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use peer_group_signaling::options::{self, Asked};
use peer_group_signaling::server::{Server, Settings, StartError};
use peer_group_signaling::settings::LogFormat;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> ExitCode {
    let settings = match options::read(std::env::args_os()) {
        Ok(Asked::Serve(settings)) => *settings,
        Ok(Asked::Print(text)) => {
            let written = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::from(u8::from(written.is_err()));
        }
        Err(error) => error.exit(),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Whatever is asked for: NATS' client names subjects, which are tags and topics.
    let discreet = filter_fn(|of| !of.target().starts_with("async_nats"));
    match settings.log {
        LogFormat::Text => log.finish().with(discreet).init(),
        LogFormat::Json => log.json().finish().with(discreet).init(),
    }
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done if standard error is closed.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: Settings) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(StartError::System)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(StartError::System)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::System)?;
        let scheme = if settings.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let server = Server::bind(settings).await?;
        // Whoever starts the server reads from this line where it is.
        let _ = writeln!(
            std::io::stdout(),
            "peer-group rendezvous server listening on {scheme}://{}/",
            server.address()
        );
        if let Some(address) = server.metrics_address() {
            let _ = writeln!(std::io::stdout(), "metrics on http://{address}/metrics");
        }
        server
            .run(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            })
            .await;
        Ok(())
    })
}
