//! A hostile server on a real socket: it edits, swaps, replays and redirects signals, and all it
//! gets is that nobody meets. The simulator does more of this, in virtual time.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use peer_group::error::{Code, Error, Stage};
use peer_group::names::Attempt;
use peer_group::time::Millis;
use peer_group::wire::codec::{Bytes, Wire as _};
use peer_group::wire::link::{Signal, SignalBody};
use peer_group::wire::rendezvous::{ClientMessage, Payload, ServerMessage};
use peer_group_signaling::server::Settings;
use peer_group_tests::sim::taint::{MARK, is_tainted};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, signal, tag};
use crate::engines::Engines;
use crate::proxy::Proxy;
use crate::served::Served;

/// Enough for one attempt to get no true answer.
const ONE_ATTEMPT: Millis = 7_000;
/// Enough for a second one.
const TWO_ATTEMPTS: Millis = 15_000;

struct Scene {
    served: Served,
    proxy: Proxy,
    engines: Engines,
    invitation: String,
}

/// A member that is online by way of a proxy, honest so far.
async fn scene() -> Scene {
    let served = Served::start(Settings::default()).await;
    let proxy = Proxy::start(served.address).await;
    let mut engines = Engines::new(&proxy.host);
    let invitation = engines.create().await;
    Scene {
        served,
        proxy,
        engines,
        invitation,
    }
}

impl Scene {
    /// No byte of a description was readable to the proxy, as it is or in hexadecimal.
    fn require_unreadable(&self) {
        let hex: Vec<String> = MARK.iter().map(|byte| format!("{byte:02X}")).collect();
        let hex = hex.join(":").into_bytes();
        for bytes in self.proxy.seen() {
            assert!(!is_tainted(&bytes), "{bytes:?}");
            assert!(
                !bytes.windows(hex.len()).any(|part| part == hex),
                "{bytes:?}"
            );
        }
    }

    /// Somebody new gets nowhere, and is told why.
    async fn require_kept_out(mut self, within: Millis, code: Code) -> Error {
        let (joiner, outcome) = self.engines.join(&self.invitation, within).await;
        let error = outcome.expect_err("nobody was reachable in truth");
        assert_eq!(error.code, code, "{error:?}");
        let stage = error.evidence.as_ref().map(|evidence| evidence.stage);
        assert_eq!(stage, Some(Stage::Handshake), "{error:?}");
        let links = self.engines.links(joiner);
        assert_eq!((links.given, links.opened), (0, 0), "{links:?}");
        self.require_unreadable();
        error
    }
}

fn body(payload: &Payload) -> Option<SignalBody> {
    Signal::from_bytes(payload).ok().map(|Signal(body)| body)
}

fn payload(body: SignalBody) -> Payload {
    Payload::new(Signal(body).to_bytes()).unwrap()
}

/// Which of the handshake's messages came by.
fn handshakes(proxy: &Proxy) -> (usize, usize) {
    let (mut first, mut second) = (0, 0);
    for bytes in proxy.seen() {
        if let Ok(ServerMessage::Delivered { payload, .. }) = ServerMessage::from_bytes(&bytes) {
            match body(&payload) {
                Some(SignalBody::Initiate { .. }) => first += 1,
                Some(SignalBody::Answer { .. }) => second += 1,
                _ => {}
            }
        }
    }
    (first, second)
}

/// Without this one, the others could not fail.
#[tokio::test]
async fn an_honest_proxy_lets_them_meet_and_reads_nothing() {
    let mut scene = scene().await;
    let (joiner, outcome) = scene.engines.join(&scene.invitation, 30_000).await;
    outcome.unwrap();
    for node in [0, joiner] {
        let links = scene.engines.links(node);
        let counts = (links.described, links.given, links.opened);
        assert_eq!(counts, (1, 1, 1));
    }
    assert_eq!(handshakes(&scene.proxy), (1, 1));
    scene.require_unreadable();
}

/// Instead of the answer come all that differ from it in one byte.
#[tokio::test]
async fn whatever_byte_of_the_answer_is_edited_it_is_none() {
    let scene = scene().await;
    let proxy = scene.proxy.clone();
    scene.proxy.edit_down(|message| match message {
        ServerMessage::Delivered { from, payload }
            if matches!(body(&payload), Some(SignalBody::Answer { .. })) =>
        {
            let edited = (0..payload.len()).map(|at| {
                let mut bytes = payload.to_vec();
                bytes[at] ^= 1 << (at % 8);
                let payload = Payload::new(bytes).unwrap();
                ServerMessage::Delivered { from, payload }
            });
            edited.collect()
        }
        other => vec![other],
    });
    let error = scene
        .require_kept_out(ONE_ATTEMPT, Code::ConnectionNotAuthenticated)
        .await;
    assert!(
        error.detail.contains("not written by the member"),
        "{error:?}"
    );
    assert!(handshakes(&proxy).1 > 0, "there was no answer to edit");
}

/// The answer that another newcomer got, which had been let in, is shown for one's own.
#[tokio::test]
async fn the_answer_to_somebody_else_is_none() {
    let mut scene = scene().await;
    let old: Arc<Mutex<Option<Payload>>> = Arc::default();
    let keep = Arc::clone(&old);
    scene.proxy.edit_down(move |message| {
        if let ServerMessage::Delivered { payload, .. } = &message
            && matches!(body(payload), Some(SignalBody::Answer { .. }))
        {
            *keep.lock().unwrap() = Some(payload.clone());
        }
        vec![message]
    });
    let (_, outcome) = scene.engines.join(&scene.invitation, 30_000).await;
    outcome.unwrap();
    let old = old.lock().unwrap().take().unwrap();
    let Some(SignalBody::Answer { noise, .. }) = body(&old) else {
        panic!("no answer was kept")
    };
    scene.proxy.edit_down(move |message| match message {
        ServerMessage::Delivered { from, payload: new } => match body(&new) {
            Some(SignalBody::Answer { attempt, .. }) => {
                let noise = noise.clone();
                let renamed = payload(SignalBody::Answer { attempt, noise });
                let both = [old.clone(), renamed].into_iter();
                both.map(|payload| ServerMessage::Delivered { from, payload })
                    .collect()
            }
            _ => vec![ServerMessage::Delivered { from, payload: new }],
        },
        other => vec![other],
    });
    scene
        .require_kept_out(ONE_ATTEMPT, Code::ConnectionNotAuthenticated)
        .await;
}

/// The first message 1 is kept back, and comes twice for every later one.
#[tokio::test]
async fn an_old_message_1_comes_to_nothing() {
    let scene = scene().await;
    let proxy = scene.proxy.clone();
    let mut old: Option<ClientMessage> = None;
    scene.proxy.edit_up(move |message| match &message {
        ClientMessage::Signal { payload, .. }
            if matches!(body(payload), Some(SignalBody::Initiate { .. })) =>
        {
            match &old {
                Some(old) => vec![old.clone(); 2],
                None => {
                    old = Some(message);
                    Vec::new()
                }
            }
        }
        _ => vec![message],
    });
    scene
        .require_kept_out(TWO_ATTEMPTS, Code::NoMemberConnections)
        .await;
    let (first, second) = handshakes(&proxy);
    assert!(first >= 2, "message 1 was not shown again");
    assert!(second >= 1, "the member did not answer what was new to it");
}

/// Every signal goes to a client of the server's own, which answers as well as it can.
#[tokio::test]
async fn signals_are_of_no_use_to_another_client() {
    let scene = scene().await;
    let (proxy, own) = (scene.proxy.clone(), [7; 32]);
    let mut client = Client::connect(scene.served.address).await;
    client.listen(own).await;
    let sender = Arc::new(Mutex::new(None));
    let heard = Arc::clone(&sender);
    let notes = proxy.clone();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = client.socket.next().await {
            let Message::Binary(bytes) = frame else {
                continue;
            };
            notes.note(&bytes);
            let Ok(ServerMessage::Delivered {
                from,
                payload: sent,
            }) = ServerMessage::from_bytes(&bytes)
            else {
                continue;
            };
            *heard.lock().unwrap() = Some(from);
            if let Some(SignalBody::Initiate { noise, .. }) = body(&sent) {
                let attempt = Attempt(*noise.first_chunk().unwrap());
                let noise = Bytes::new(vec![9; noise.len()]).unwrap();
                let answer = payload(SignalBody::Answer { attempt, noise });
                client.tell(&signal(from, &answer)).await;
            }
        }
    });
    scene.proxy.edit_up(move |message| match message {
        ClientMessage::Signal { payload, .. } => vec![ClientMessage::Signal {
            to: tag(own),
            payload,
        }],
        other => vec![other],
    });
    scene
        .require_kept_out(ONE_ATTEMPT, Code::ConnectionNotAuthenticated)
        .await;
    assert!(sender.lock().unwrap().is_some(), "nothing was redirected");
}
