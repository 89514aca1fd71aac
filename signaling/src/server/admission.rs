//! Who may open a socket at all: pages of named origins, and those who have a token.

use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use peer_group::wire::rendezvous::{TOKEN_PROTOCOL, is_token};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tracing::{info, warn};

use super::proxy::Client;
use super::tls::stamp;
use crate::settings::{HookUrl, PageOrigin, Settings, quoted};

/// How long a hook may take.
const HOOK_WITHIN: Duration = Duration::from_secs(5);
/// Questions to a hook under way at once; who comes then is told to come back.
const HOOK_AT_ONCE: usize = 64;
/// Sockets at once that are told why they are not let in; more are just closed.
const REFUSED_AT_ONCE: usize = 256;

/// Why somebody is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// The page is of an origin that is not listed.
    Origin,
    /// The token is missing or wrong.
    Token,
    /// Whether the token is right could not be found out.
    Unknown,
}

/// The rules of it.
pub(super) struct Admission {
    origins: Vec<PageOrigin>,
    tokens: Option<RwLock<Vec<String>>>,
    hook: Option<Hook>,
    /// Places for those who are told why not.
    pub(super) refused: Semaphore,
}

struct Hook {
    url: HookUrl,
    tls: Option<TlsConnector>,
    at_once: Semaphore,
}

impl Admission {
    /// Reads the tokens, or says why they cannot be.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let tokens = match &settings.token_file {
            Some(path) => Some(RwLock::new(read_tokens(path)?)),
            None => None,
        };
        let hook = settings.token_hook.clone().map(Hook::new).transpose()?;
        Ok(Self {
            origins: settings.allowed_origins.clone(),
            tokens,
            hook,
            refused: Semaphore::new(REFUSED_AT_ONCE),
        })
    }

    /// Whether a client may open a socket; `host` is the server as it dialled it.
    pub(super) async fn admit(
        &self,
        headers: &HeaderMap,
        client: &Client,
        host: &str,
    ) -> Result<(), Refusal> {
        if !self.origin_fits(headers, host) {
            return Err(Refusal::Origin);
        }
        if self.tokens.is_none() && self.hook.is_none() {
            return Ok(());
        }
        let token = token(headers);
        if let (Some(tokens), Some(token)) = (&self.tokens, token) {
            let tokens = tokens.read().unwrap_or_else(PoisonError::into_inner);
            if tokens.iter().any(|right| is_same(right, token)) {
                return Ok(());
            }
        }
        match &self.hook {
            Some(hook) => hook.ask(token, headers, client, host).await,
            None => Err(Refusal::Token),
        }
    }

    /// What no browser sends is from no page, and pages of this server's own are always let in.
    fn origin_fits(&self, headers: &HeaderMap, host: &str) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        self.origins.is_empty()
            || origin.to_str().is_ok_and(|origin| {
                let own = origin.split_once("://").map(|(_, rest)| rest);
                own == Some(host) || self.origins.iter().any(|listed| listed.is(origin))
            })
    }

    /// The origin of a page elsewhere that may read what is served here.
    pub(super) fn may_read(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let listed = |text: &str| self.origins.iter().any(|listed| listed.is(text));
        origin.to_str().is_ok_and(listed).then(|| origin.clone())
    }

    /// Whether pages of other origins are named.
    pub(super) fn has_origins(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Looks for new tokens, for ever.
    pub(super) async fn watch(&self, settings: &Settings) {
        let (Some(path), Some(tokens)) = (&settings.token_file, &self.tokens) else {
            return std::future::pending().await;
        };
        let mut seen = stamp(path);
        loop {
            tokio::time::sleep(settings.look_every).await;
            let now = stamp(path);
            if now == seen {
                continue;
            }
            match read_tokens(path) {
                Ok(new) => {
                    *tokens.write().unwrap_or_else(PoisonError::into_inner) = new;
                    info!("tokens read again");
                }
                Err(words) => warn!(%words, "the new tokens are not used"),
            }
            seen = now;
        }
    }
}

/// One token a line.
fn read_tokens(path: &std::path::Path) -> Result<Vec<String>, String> {
    let name = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let lines = text.lines().map(str::trim);
    let tokens: Vec<String> = lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    if tokens.is_empty() {
        return Err(format!("{name} holds no token; write one a line"));
    }
    match tokens.iter().position(|token| !is_token(token)) {
        // The token itself is not shown.
        Some(at) => Err(format!(
            "token {} in {name} is none: write 16 to 1024 letters, digits and any of . _ ~ -",
            at + 1
        )),
        None => Ok(tokens),
    }
}

/// The token of a request: a native client's `Authorization: Bearer`, or a browser's subprotocol.
/// Not a part of the URL, which proxies write into their logs.
fn token(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let protocols = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut protocols = protocols
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let token =
        bearer.or_else(|| protocols.find_map(|one| one.trim().strip_prefix(TOKEN_PROTOCOL)));
    token.filter(|token| is_token(token))
}

/// Compares all bytes, so that the time it takes tells nothing about how many are right.
fn is_same(right: &str, given: &str) -> bool {
    let pairs = right.bytes().zip(given.bytes());
    let differences = pairs.fold(0, |all, (a, b)| all | (a ^ b));
    right.len() == given.len() && std::hint::black_box(differences) == 0
}

impl Hook {
    fn new(url: HookUrl) -> Result<Self, String> {
        let tls = if url.tls { Some(trusting()?) } else { None };
        Ok(Self {
            url,
            tls,
            at_once: Semaphore::new(HOOK_AT_ONCE),
        })
    }

    async fn ask(
        &self,
        token: Option<&str>,
        headers: &HeaderMap,
        client: &Client,
        host: &str,
    ) -> Result<(), Refusal> {
        let Ok(_one) = self.at_once.try_acquire() else {
            return Err(Refusal::Unknown);
        };
        let text = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), quoted);
        let page = headers
            .get(header::ORIGIN)
            .and_then(|page| page.to_str().ok());
        let question = format!(
            "{{\"token\":{},\"address\":{},\"origin\":{},\"host\":{}}}",
            text(token),
            text(Some(&client.ip.to_string())),
            text(page),
            text(Some(host))
        );
        match timeout(HOOK_WITHIN, self.post(question)).await {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => Err(Refusal::Token),
            Ok(Ok(status)) => {
                warn!(%status, "the token hook gave no answer");
                Err(Refusal::Unknown)
            }
            Ok(Err(words)) => {
                warn!(%words, "the token hook cannot be asked");
                Err(Refusal::Unknown)
            }
            Err(_) => {
                warn!("the token hook took too long");
                Err(Refusal::Unknown)
            }
        }
    }

    async fn post(&self, question: String) -> Result<StatusCode, String> {
        let HookUrl {
            host, port, path, ..
        } = &self.url;
        let tcp = TcpStream::connect((host.trim_matches(['[', ']']), *port))
            .await
            .map_err(|error| error.to_string())?;
        let Some(tls) = &self.tls else {
            return send(tcp, &self.url.authority(), path, question).await;
        };
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| error.to_string())?;
        let stream = tls
            .connect(name, tcp)
            .await
            .map_err(|error| error.to_string())?;
        send(stream, &self.url.authority(), path, question).await
    }
}

/// Trusts whom this machine trusts.
fn trusting() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(
            "this machine trusts no certificates (see ca-certificates), so an https hook \
                    cannot be asked"
                .to_owned(),
        );
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
    path: &str,
    question: String,
) -> Result<StatusCode, String> {
    let request = Request::post(path)
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Body::from(question))
        .map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let mut ask = pin!(sender.send_request(request));
    // The connection does its work while the answer is waited for. It may end with the answer read
    // and not yet taken.
    let answer = tokio::select! {
        answer = &mut ask => answer,
        _ = connection => ask.await,
    };
    answer
        .map(|answer| answer.status())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in all {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    fn admission(origins: &[&str]) -> Admission {
        let settings = Settings {
            allowed_origins: origins
                .iter()
                .map(|o| PageOrigin::parse(o).unwrap())
                .collect(),
            ..Settings::default()
        };
        Admission::new(&settings).unwrap()
    }

    #[test]
    fn listed_pages_own_pages_and_programs_are_let_in() {
        let listed = admission(&["https://app.example"]);
        let fits = |origin: &str| listed.origin_fits(&headers(&[("origin", origin)]), "us.example");
        assert!(fits("https://app.example") && fits("https://us.example"));
        for other in [
            "https://evil.example",
            "http://app.example",
            "null",
            "https://app.example.evil",
        ] {
            assert!(!fits(other), "{other}");
        }
        assert!(listed.origin_fits(&headers(&[]), "us.example"));
        let open = admission(&[]);
        assert!(open.origin_fits(&headers(&[("origin", "null")]), "us.example"));
        // Reading pages from elsewhere is for those who are listed only.
        let may = |origin| listed.may_read(&headers(&[("origin", origin)])).is_some();
        assert!(may("https://app.example") && !may("https://us.example"));
        assert!(
            open.may_read(&headers(&[("origin", "https://a")]))
                .is_none()
        );
    }

    #[test]
    fn a_token_comes_as_a_header_or_a_subprotocol() {
        let right = "0123456789abcdef";
        let protocols = format!("peer-group.1, peer-group.token.{right}");
        for one in [
            [("sec-websocket-protocol", protocols.as_str())],
            [("authorization", "Bearer 0123456789abcdef")],
        ] {
            assert_eq!(token(&headers(&one)), Some(right));
        }
        for none in [
            [("sec-websocket-protocol", "peer-group.1")],
            [("sec-websocket-protocol", "peer-group.token.short")],
            [("authorization", "Basic 0123456789abcdef")],
        ] {
            assert_eq!(token(&headers(&none)), None);
        }
        assert!(is_same(right, right) && !is_same(right, "0123456789abcdeF"));
        assert!(!is_same(right, "0123456789abcde") && !is_same(right, ""));
    }
}
