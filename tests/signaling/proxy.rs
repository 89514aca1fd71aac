//! A WebSocket proxy between clients and the server that writes down all it sees, and tampers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{ClientMessage, SUBPROTOCOL, ServerMessage};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{open, request};

type Edit<M> = Box<dyn FnMut(M) -> Vec<M> + Send>;

/// What the proxy does, and what it knows.
struct Mind {
    up: Edit<ClientMessage>,
    down: Edit<ServerMessage>,
    seen: Vec<Vec<u8>>,
}

/// A proxy on a free port; honest until told otherwise.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// Host and port as clients dial them, which are what they sign.
    pub(crate) host: String,
    mind: Arc<Mutex<Mind>>,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            host: listener.local_addr().unwrap().to_string(),
            mind: Arc::new(Mutex::new(Mind {
                up: Box::new(|message| vec![message]),
                down: Box::new(|message| vec![message]),
                seen: Vec::new(),
            })),
        };
        let one = proxy.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let one = one.clone();
                tokio::spawn(async move { one.carry(tcp, server).await });
            }
        });
        proxy
    }

    /// What becomes of the clients' messages from now on.
    pub(crate) fn edit_up(
        &self,
        up: impl FnMut(ClientMessage) -> Vec<ClientMessage> + Send + 'static,
    ) {
        self.mind.lock().unwrap().up = Box::new(up);
    }

    /// What becomes of the server's messages from now on.
    pub(crate) fn edit_down(
        &self,
        down: impl FnMut(ServerMessage) -> Vec<ServerMessage> + Send + 'static,
    ) {
        self.mind.lock().unwrap().down = Box::new(down);
    }

    /// Every message that came by, as it came.
    pub(crate) fn seen(&self) -> Vec<Vec<u8>> {
        self.mind.lock().unwrap().seen.clone()
    }

    /// Writes down what was seen elsewhere.
    pub(crate) fn note(&self, bytes: &[u8]) {
        self.mind.lock().unwrap().seen.push(bytes.to_vec());
    }

    fn upward(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.note(bytes);
        let message = ClientMessage::from_bytes(bytes).unwrap();
        let out = (self.mind.lock().unwrap().up)(message);
        out.iter().map(ClientMessage::to_bytes).collect()
    }

    fn downward(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.note(bytes);
        let message = ServerMessage::from_bytes(bytes).unwrap();
        let out = (self.mind.lock().unwrap().down)(message);
        out.iter().map(ServerMessage::to_bytes).collect()
    }

    /// Carries one connection until either side ends it.
    async fn carry(&self, tcp: TcpStream, server: SocketAddr) -> Option<()> {
        let mut client = accept_hdr_async(tcp, with_subprotocol).await.ok()?;
        let tcp = TcpStream::connect(server).await.ok()?;
        // The host that the client dialled is passed on: its signatures are for that one.
        let mut server = open(tcp, request(&self.host)).await.ok()?;
        loop {
            tokio::select! {
                frame = client.next() => {
                    for bytes in self.upward(&binary(frame?)?) {
                        server.send(Message::Binary(bytes.into())).await.ok()?;
                    }
                }
                frame = server.next() => {
                    for bytes in self.downward(&binary(frame?)?) {
                        client.send(Message::Binary(bytes.into())).await.ok()?;
                    }
                }
            }
        }
    }
}

/// The message in a frame. The only others within a test's time end the connection.
fn binary(frame: Result<Message, Error>) -> Option<Vec<u8>> {
    match frame {
        Ok(Message::Binary(bytes)) => Some(bytes.to_vec()),
        _ => None,
    }
}

#[expect(
    clippy::unnecessary_wraps,
    clippy::result_large_err,
    reason = "the library wants it so"
)]
fn with_subprotocol(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let protocol = HeaderValue::from_static(SUBPROTOCOL);
    response
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    Ok(response)
}
