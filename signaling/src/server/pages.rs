//! What is answered over HTTP: the WebSocket's door, static files, and a sign of life.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use peer_group::limits::URL_BYTES;
use peer_group::wire::rendezvous::{PATH, SUBPROTOCOL};
use tokio::sync::watch;
use tower_http::services::ServeDir;

use super::admission::Admission;
use super::hall::Hall;
use super::metrics::count;
use super::{Settings, proxy, socket};

/// Sent with every page and file. Only `wasm-unsafe-eval` lets browsers compile wasm; groups may
/// meet at any rendezvous server.
const HEADERS: [(HeaderName, &str); 7] = [
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
    (header::VARY, "Origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];
/// Who else may use what is served: nobody, or those that are named.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Browsers that came by TLS do so for a day: long enough to matter, short enough to undo.
const TRANSPORT_SECURITY: &str = "max-age=86400";

/// The other end of a request's connection: a client, or a proxy.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// What requests are answered by.
pub(super) struct House {
    pub(super) settings: Settings,
    pub(super) hall: Arc<Hall>,
    pub(super) admission: Arc<Admission>,
    /// Sockets hold it as long as they live.
    pub(super) stopped: watch::Receiver<bool>,
}

/// All that is served; each request must come with a [`Peer`].
pub(super) fn router(house: House) -> Router {
    let files = Router::new();
    let files = match &house.settings.www {
        Some(www) => files.fallback_service(ServeDir::new(www)),
        None => files.fallback(no_pages),
    };
    let house = Arc::new(house);
    files
        .route("/healthz", get(health))
        .route(PATH, get(door))
        .layer(from_fn_with_state(Arc::clone(&house), with_headers))
        .with_state(house)
}

async fn health(State(house): State<Arc<House>>) -> &'static str {
    house.hall.tally.between.health()
}

const NOT_A_PAGE: &str = "This is where peer-group clients connect by WebSocket.\n";
const NO_HOST: &str = "The request names no host: clients sign what they dial.\n";
const NO_SUBPROTOCOL: &str = "Ask for the WebSocket subprotocol peer-group.1.\n";

async fn door(
    State(house): State<Arc<House>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return (StatusCode::UPGRADE_REQUIRED, NOT_A_PAGE).into_response();
    };
    let House {
        settings,
        hall,
        admission,
        stopped,
    } = &*house;
    let client = proxy::client(peer, &settings.trusted_proxies, &headers);
    let public = settings.public_url.as_ref();
    let public = public.map(|url| url.origin().to_owned());
    let named = public.or_else(|| client.host.clone());
    let Some(origin) = named.or_else(|| dialled(&headers)) else {
        return (StatusCode::BAD_REQUEST, NO_HOST).into_response();
    };
    let upgrade = socket::sized(upgrade).protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return (StatusCode::BAD_REQUEST, NO_SUBPROTOCOL).into_response();
    }
    let admitted = admission.admit(&headers, &client, &origin).await;
    let (hall, admission) = (Arc::clone(hall), Arc::clone(admission));
    let (stopped, limits) = (stopped.clone(), settings.sockets);
    upgrade.on_upgrade(move |socket| async move {
        match admitted {
            Ok(()) => socket::serve(socket, hall, limits, origin, client.ip.into()).await,
            Err(refusal) => {
                count(&hall.tally.not_admitted);
                // Only what comes over the socket can be read by a page that was refused.
                if let Ok(_place) = admission.refused.try_acquire() {
                    socket::refuse(socket, refusal).await;
                }
            }
        }
        drop(stopped);
    })
}

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

async fn with_headers(State(house): State<Arc<House>>, request: Request, next: Next) -> Response {
    let admission = &house.admission;
    let reader = admission.may_read(request.headers());
    // A browser asks first for what a page could not do without asking.
    let asks = *request.method() == Method::OPTIONS;
    let mut response = match &reader {
        Some(_) if asks => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = if admission.has_origins() {
        "cross-origin"
    } else {
        "same-origin"
    };
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static(policy));
    if house.settings.tls.is_some() {
        let value = HeaderValue::from_static(TRANSPORT_SECURITY);
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    if let Some(origin) = reader {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if asks {
            let value = HeaderValue::from_static("GET, HEAD");
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, value);
        }
    }
    response
}
