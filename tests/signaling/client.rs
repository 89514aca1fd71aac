//! A client of the rendezvous server that does as it is told, and no more.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use peer_group::crypto::{Primitives as _, REAL, tag_of};
use peer_group::names::{Tag, Topic};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{
    Announcement, ClientMessage, PATH, Payload, SUBPROTOCOL, ServerMessage, join_signed_bytes,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// What should happen at once has this long, on a busy machine too.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Waits for what should happen at once.
pub(crate) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match timeout(AT_ONCE, happens).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {AT_ONCE:?}"),
    }
}

/// The request that opens a socket, for `host` as dialled.
pub(crate) fn request(host: &str) -> Request {
    let mut request = format!("ws://{host}{PATH}").into_client_request().unwrap();
    let protocol = HeaderValue::from_static(SUBPROTOCOL);
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    request
}

/// What a socket goes over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Opens a socket over `tcp`.
pub(crate) async fn open<S: Stream>(tcp: S, request: Request) -> Result<WebSocketStream<S>, Error> {
    let (socket, response) = soon("the opening of a socket", client_async(request, tcp)).await?;
    let protocol = response.headers().get("Sec-WebSocket-Protocol");
    assert_eq!(
        protocol.map(HeaderValue::as_bytes),
        Some(SUBPROTOCOL.as_bytes())
    );
    Ok(socket)
}

pub(crate) struct Client<S = TcpStream> {
    pub(crate) socket: WebSocketStream<S>,
    /// What it signs as the server's host and port.
    pub(crate) origin: String,
    pub(crate) welcome: ServerMessage,
}

impl Client {
    /// Dials the server and says Hello.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_as(address, &address.to_string()).await
    }

    /// The same under another name of the server.
    pub(crate) async fn connect_as(address: SocketAddr, host: &str) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        Self::connect_over(tcp, host).await
    }

    pub(crate) async fn connect_over(tcp: TcpStream, host: &str) -> Self {
        // A small frame behind a large one is not to wait for an acknowledgement.
        tcp.set_nodelay(true).unwrap();
        Self::greet(tcp, request(host), host).await
    }
}

impl<S: Stream> Client<S> {
    /// Opens a socket by `request` and says Hello.
    pub(crate) async fn greet(stream: S, request: Request, host: &str) -> Self {
        let mut client = Self {
            socket: open(stream, request).await.unwrap(),
            origin: host.to_owned(),
            welcome: ServerMessage::Pong {},
        };
        let hello = ClientMessage::Hello {
            version: 1,
            features: 0,
        };
        client.welcome = client.ask(&hello).await;
        client
    }

    pub(crate) fn challenge(&self) -> [u8; 32] {
        match self.welcome {
            ServerMessage::Welcome { challenge, .. } => challenge,
            ref other => panic!("no welcome but {other:?}"),
        }
    }

    pub(crate) async fn tell(&mut self, message: &ClientMessage) {
        let frame = Message::Binary(message.to_bytes().into());
        soon("sending", self.socket.send(frame)).await.unwrap();
    }

    /// The next message. Pings are answered on the way.
    pub(crate) async fn hear(&mut self) -> ServerMessage {
        loop {
            match soon("an answer", self.socket.next()).await {
                Some(Ok(Message::Binary(bytes))) => {
                    return ServerMessage::from_bytes(&bytes).unwrap();
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no message but {other:?}"),
            }
        }
    }

    pub(crate) async fn ask(&mut self, message: &ClientMessage) -> ServerMessage {
        self.tell(message).await;
        self.hear().await
    }

    /// The code of the close frame that comes next.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match soon("the close", self.socket.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no close frame but {other:?}"),
            }
        }
    }

    pub(crate) async fn listen(&mut self, r: [u8; 32]) {
        let answer = self.ask(&ClientMessage::Listen { r }).await;
        assert_eq!(answer, ServerMessage::Listening {});
    }

    /// A Join for the topic of `key` under the tag of `r`, signed for this connection.
    pub(crate) fn join(&self, key: &[u8; 32], r: [u8; 32]) -> ClientMessage {
        let topic = Topic(REAL.public_key(key));
        let signed = join_signed_bytes(topic, &self.origin, &self.challenge(), tag(r), 60);
        ClientMessage::Join {
            topic,
            signature: REAL.sign(key, &signed),
            tag: tag(r),
            r,
            ttl_s: 60,
            want: 16,
            announcement: Announcement::new(r.to_vec()).unwrap(),
        }
    }
}

pub(crate) fn tag(r: [u8; 32]) -> Tag {
    tag_of(&REAL, &r)
}

pub(crate) fn signal(to: Tag, payload: &[u8]) -> ClientMessage {
    ClientMessage::Signal {
        to,
        payload: Payload::new(payload.to_vec()).unwrap(),
    }
}
