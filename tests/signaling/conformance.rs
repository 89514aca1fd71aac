//! WebSocket by its standard: what a server must take, and what it must end a connection for.
//!
//! The cases are those of the known suites, as far as a server of this protocol can show them: it
//! echoes nothing but a signal to oneself, and takes no text. Frames are written by hand, byte by
//! byte where that matters.

mod cases;

use std::net::SocketAddr;

use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{ClientMessage, PATH, SUBPROTOCOL, ServerMessage};
use peer_group_signaling::server::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{signal, soon, tag};
use crate::served::Served;
use cases::{Case, Then, cases};

/// Connections from one address: less than it may open.
const PER_ADDRESS: usize = 100;
/// What everybody sends as: each is alone with its server while it does.
const OWN: [u8; 32] = [1; 32];

/// Kinds of frames.
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

/// A frame from the server.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    opcode: u8,
    payload: Vec<u8>,
}

struct Raw {
    tcp: BufReader<TcpStream>,
}

impl Raw {
    /// A socket that was welcomed and can be reached as [`OWN`].
    async fn open(server: SocketAddr, number: usize) -> Self {
        let from = u8::try_from(number / PER_ADDRESS).unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(SocketAddr::from(([127, 0, 6, from], 0)))
            .unwrap();
        let mut tcp = socket.connect(server).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let request = format!(
            "GET {PATH} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        );
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon("an answer", tcp.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        // The standard's own way to the answer, for the key above.
        assert!(
            head.contains("sec-websocket-accept: bz3qjytgdoe8gusplosedilkdrk="),
            "{head}"
        );
        // What was not agreed on must not be used.
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
        let mut raw = Self {
            tcp: BufReader::new(tcp),
        };
        let hello = ClientMessage::Hello {
            version: 1,
            features: 0,
        };
        raw.ask(&hello).await;
        let listening = raw.ask(&ClientMessage::Listen { r: OWN }).await;
        assert_eq!(listening, ServerMessage::Listening {});
        raw
    }

    async fn ask(&mut self, message: &ClientMessage) -> ServerMessage {
        let frame = cases::frame(true, 0, opcode::BINARY, &message.to_bytes());
        self.tcp.write_all(&frame).await.unwrap();
        let answer = self.frame().await.expect("an answer");
        assert_eq!(answer.opcode, opcode::BINARY);
        ServerMessage::from_bytes(&answer.payload).unwrap()
    }

    /// The next frame; None if the connection ended instead.
    async fn frame(&mut self) -> Option<Frame> {
        let heard = soon("a frame or the end", async {
            let mut head = [0; 2];
            self.tcp.read_exact(&mut head).await?;
            assert_eq!(head[0] & 0xf0, 0x80, "no whole frame without reserved bits");
            assert_eq!(head[1] & 0x80, 0, "a server masks nothing");
            let len = match head[1] {
                126 => u64::from(self.tcp.read_u16().await?),
                127 => self.tcp.read_u64().await?,
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(len).unwrap()];
            self.tcp.read_exact(&mut payload).await?;
            let opcode = head[0] & 15;
            Ok::<_, std::io::Error>(Frame { opcode, payload })
        });
        heard.await.ok()
    }
}

/// What is wrong, if anything is.
async fn run(server: SocketAddr, number: usize, case: &Case) -> Result<(), String> {
    let mut raw = Raw::open(server, number).await;
    for piece in &case.pieces {
        // A server that has closed already may refuse the rest.
        let _ = raw.tcp.write_all(piece).await;
    }
    let mut wanted: Vec<&Then> = case.then.iter().collect();
    while !wanted.is_empty() {
        let frame = raw
            .frame()
            .await
            .ok_or_else(|| format!("the end, and not {wanted:?}"))?;
        let code = frame
            .payload
            .first_chunk()
            .map(|code| u16::from_be_bytes(*code));
        let delivered = ServerMessage::from_bytes(&frame.payload);
        let of_kind = |then: &&&Then| {
            let opcode = match then {
                Then::Echo(_) => opcode::BINARY,
                Then::Pong(_) => opcode::PONG,
                Then::Close(_) => opcode::CLOSE,
            };
            frame.opcode == opcode
        };
        // Those of a kind keep their order; a ping and a message may be answered in any.
        let first = wanted.iter().position(|then| of_kind(&then));
        let first = first.ok_or_else(|| format!("{frame:?}, and not {wanted:?}"))?;
        let right = match (wanted.remove(first), &delivered) {
            (
                Then::Echo(payload),
                Ok(ServerMessage::Delivered {
                    from,
                    payload: heard,
                }),
            ) => *from == tag(OWN) && **heard == **payload,
            (Then::Pong(payload), _) => frame.payload == *payload,
            (Then::Close(wanted), _) => code == *wanted,
            _ => false,
        };
        if !right {
            return Err(format!("{frame:?} came, of {:?}", case.then));
        }
        // What ends a connection may be quicker than the answer to what came before it.
        if frame.opcode == opcode::CLOSE {
            wanted.retain(|then| !matches!(then, Then::Echo(_)));
        }
    }
    if matches!(case.then.last(), Some(Then::Close(_))) {
        // Nothing may follow, and it is the server that ends the connection.
        return match raw.frame().await {
            None => Ok(()),
            Some(frame) => Err(format!("{frame:?} after the close")),
        };
    }
    let ping = cases::frame(true, 0, opcode::PING, b"still there?");
    raw.tcp.write_all(&ping).await.unwrap();
    match raw.frame().await {
        Some(Frame { opcode, payload }) if opcode == opcode::PONG && payload == b"still there?" => {
            Ok(())
        }
        other => Err(format!("{other:?} at the end")),
    }
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "the cases are listed")]
async fn every_case_of_the_standard_is_kept() {
    let served = Served::start(Settings::default()).await;
    let cases = cases(|payload| signal(tag(OWN), payload).to_bytes());
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        if let Err(words) = run(served.address, number, case).await {
            wrong.push(format!("{}: {words}", case.name));
        }
    }
    println!(
        "{} cases of WebSocket, {} not kept",
        cases.len(),
        wrong.len()
    );
    for case in &cases {
        println!("  {}", case.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() > 200, "only {} cases", cases.len());
}
