//! What is answered over HTTP: the WebSocket's door, static files, and a sign of life.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use peer_group::limits::URL_BYTES;
use peer_group::wire::rendezvous::{PATH, SUBPROTOCOL};
use tokio::sync::watch;
use tower_http::services::ServeDir;

use super::hall::Hall;
use super::{Settings, socket};
use crate::rooms::Address;

/// Sent with every page and file. Only `wasm-unsafe-eval` lets browsers compile wasm; groups may
/// meet at any rendezvous server.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; \
         img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    // Kept, but asked for again each time: a new build is seen at the next load.
    (header::CACHE_CONTROL, "no-cache"),
];

/// Who sends the request.
#[derive(Clone, Copy)]
pub(super) struct Caller(pub(super) Address);

/// All that is served; each request must come with a [`Caller`]. Sockets hold `stopped` as long as they live.
pub(super) fn router(
    settings: &Settings,
    hall: &Arc<Hall>,
    stopped: &watch::Receiver<bool>,
) -> Router {
    let files = Router::new();
    let files = match &settings.www {
        Some(www) => files.fallback_service(ServeDir::new(www)),
        None => files.fallback(no_pages),
    };
    let (hall, stopped, limits) = (Arc::clone(hall), stopped.clone(), settings.sockets);
    let public = settings.public_url.as_ref();
    let public = public.map(|url| url.origin().to_owned());
    let door = move |Extension(Caller(address)): Extension<Caller>,
                     headers: HeaderMap,
                     upgrade: Result<_, WebSocketUpgradeRejection>| async move {
        let upgrade: WebSocketUpgrade = match upgrade {
            Ok(upgrade) => upgrade,
            Err(_) => return (StatusCode::UPGRADE_REQUIRED, NOT_A_PAGE).into_response(),
        };
        let Some(origin) = public.or_else(|| dialled(&headers)) else {
            return (StatusCode::BAD_REQUEST, NO_HOST).into_response();
        };
        let upgrade = socket::sized(upgrade).protocols([SUBPROTOCOL]);
        if upgrade.selected_protocol().is_none() {
            return (StatusCode::BAD_REQUEST, NO_SUBPROTOCOL).into_response();
        }
        upgrade.on_upgrade(move |socket| async move {
            socket::serve(socket, hall, limits, origin, address).await;
            drop(stopped);
        })
    };
    files
        .route("/healthz", get(async || "ok\n"))
        .route(PATH, get(door))
        .layer(map_response(with_headers))
}

const NOT_A_PAGE: &str = "This is where peer-group clients connect by WebSocket.\n";
const NO_HOST: &str = "The request names no host: clients sign what they dial.\n";
const NO_SUBPROTOCOL: &str = "Ask for the WebSocket subprotocol peer-group.1.\n";

async fn no_pages(uri: Uri) -> Response {
    if uri.path() == "/" {
        let words = "This is a peer-group rendezvous server; it serves no pages (see --www).\n";
        words.into_response()
    } else {
        (StatusCode::NOT_FOUND, "Nothing is here.\n").into_response()
    }
}

/// The server's host and port as the client dialled them.
fn dialled(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    (!host.is_empty() && host.len() <= URL_BYTES).then(|| host.to_ascii_lowercase())
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
