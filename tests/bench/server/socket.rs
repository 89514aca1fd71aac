//! A WebSocket from an address of this machine, with or without TLS, that takes little memory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Sockets of one address: less than our server allows.
const PER_ADDRESS: usize = 100;
/// What takes longer has gone wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a socket goes over.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Io for S {}

/// How a server is dialled.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) to: SocketAddr,
    /// Host and port as they are said to the server.
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) protocol: Option<&'static str>,
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
}

/// An open socket.
pub(crate) struct Socket(WebSocketStream<Box<dyn Io>>);

/// Waits for what should happen soon.
pub(crate) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, happens).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

/// A connection of the client with that number.
pub(crate) async fn dial(to: SocketAddr, number: usize) -> std::io::Result<TcpStream> {
    let group = u8::try_from(number / PER_ADDRESS).unwrap_or(u8::MAX);
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 9, group, 1], 0)))?;
    let tcp = socket.connect(to).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

impl Socket {
    /// Opens the socket of the client with that number.
    pub(crate) async fn open(way: &Way, number: usize) -> Self {
        let opened = soon("a socket", async {
            let tcp = dial(way.to, number).await.expect("a connection");
            let stream: Box<dyn Io> = match &way.tls {
                None => Box::new(tcp),
                Some(config) => {
                    let name = "localhost".try_into().unwrap();
                    let connector = TlsConnector::from(Arc::clone(config));
                    Box::new(connector.connect(name, tcp).await.expect("TLS"))
                }
            };
            let mut request = format!("ws://{}{}", way.host, way.path)
                .into_client_request()
                .unwrap();
            if let Some(protocol) = way.protocol {
                let headers = request.headers_mut();
                headers.insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
            }
            let config = WebSocketConfig::default()
                .read_buffer_size(2048)
                .write_buffer_size(0);
            client_async_with_config(request, stream, Some(config)).await
        });
        Self(opened.await.expect("a WebSocket").0)
    }

    pub(crate) async fn send(&mut self, message: Message) {
        soon("sending", self.0.send(message)).await.expect("sent");
    }

    /// The next message that is text or binary.
    pub(crate) async fn hear(&mut self) -> Message {
        loop {
            match soon("an answer", self.0.next()).await {
                Some(Ok(message @ (Message::Binary(_) | Message::Text(_)))) => return message,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no message but {other:?}"),
            }
        }
    }

    /// Lets it wait, answering pings, until it is dropped with its task.
    pub(crate) async fn idle(mut self) {
        while let Some(Ok(_)) = self.0.next().await {}
    }

    /// The ways in and out, apart.
    pub(crate) fn split(
        self,
    ) -> (
        impl futures_util::Sink<Message, Error = Error> + Unpin + Send,
        impl futures_util::Stream<Item = Result<Message, Error>> + Unpin + Send,
    ) {
        self.0.split()
    }
}
