//! What hostile clients do to a server, each until its time is over.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{ClientMessage, ServerMessage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep_until, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::{Client, request, signal, tag};

/// A connection from an address of this machine.
pub(crate) async fn dial_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(to).await.unwrap()
}

/// A WebSocket, if the server gives one in time.
async fn socket(from: [u8; 4], at: SocketAddr) -> Option<WebSocketStream<TcpStream>> {
    let tcp = dial_from(from, at).await;
    let request = request(&at.to_string());
    let opened = tokio::time::timeout(Duration::from_secs(5), client_async(request, tcp)).await;
    Some(opened.ok()?.ok()?.0)
}

/// Opens `count` connections from `addresses` addresses and says nothing; how many were open in
/// the end on this side.
pub(crate) async fn half_open(at: SocketAddr, count: usize, addresses: u8, end: Instant) -> String {
    let mut open = Vec::new();
    // However long that takes on a busy machine: the bound on memory is about all of them.
    while open.len() < count {
        let n = u8::try_from(open.len() % usize::from(addresses)).unwrap();
        open.push(dial_from([127, 0, 2, n], at).await);
    }
    let opened = open.len();
    // They stay until the end: that is what they are for.
    sleep_until(end.into()).await;
    format!("{opened} connections from {addresses} addresses")
}

/// A secret that no honest client has.
fn own(kind: u8, n: u8) -> [u8; 32] {
    let mut secret = [200 + kind; 32];
    secret[0] = n;
    secret
}

/// Sockets that never read, and one that signals to them as fast as it may.
pub(crate) async fn slow_readers(at: SocketAddr, count: u8, end: Instant) -> String {
    let mut readers = Vec::new();
    for n in 1..=count {
        let tcp = TcpSocket::new_v4().unwrap();
        tcp.set_recv_buffer_size(4096).unwrap();
        tcp.bind(SocketAddr::from(([127, 0, 3, 1], 0))).unwrap();
        let tcp = tcp.connect(at).await.unwrap();
        let mut reader = Client::connect_over(tcp, &at.to_string()).await;
        reader.listen(own(1, n)).await;
        readers.push(reader);
    }
    let mut writers = JoinSet::new();
    for n in 1..=count {
        let tcp = dial_from([127, 0, 3, 2], at).await;
        let mut writer = Client::connect_over(tcp, &at.to_string()).await;
        writer.listen(own(2, n)).await;
        let message = signal(tag(own(1, n)), &[7; 16_000]);
        writers.spawn(insist(writer, message, Duration::from_millis(5), end));
    }
    let (sent, answers) = sum(writers).await;
    drop(readers);
    format!("{sent} signals of 16 kB to {count} that do not read, {answers} refused")
}

/// Sends a message again and again, reading what comes; how many went and how many answers came.
async fn insist(
    client: Client,
    message: ClientMessage,
    every: Duration,
    end: Instant,
) -> (usize, usize) {
    let (mut write, mut read) = client.socket.split();
    let frame = Message::Binary(message.to_bytes().into());
    let mut pace = interval(every);
    let (mut sent, mut answers) = (0, 0);
    loop {
        tokio::select! {
            () = sleep_until(end.into()) => return (sent, answers),
            answer = read.next() => match answer {
                Some(Ok(Message::Binary(bytes))) => {
                    let answer = ServerMessage::from_bytes(&bytes).unwrap();
                    let refused = matches!(
                        answer,
                        ServerMessage::Error { .. }
                            | ServerMessage::Refused { .. }
                            | ServerMessage::Gone { .. }
                    );
                    assert!(refused, "granted: {answer:?}");
                    answers += 1;
                }
                Some(Ok(_)) => {}
                _ => return (sent, answers),
            },
            _ = pace.tick() => {
                let done = timeout_at(end.into(), write.send(frame.clone())).await;
                if !matches!(done, Ok(Ok(()))) {
                    return (sent, answers);
                }
                sent += 1;
            }
        }
    }
}

async fn sum(mut tasks: JoinSet<(usize, usize)>) -> (usize, usize) {
    let (mut sent, mut answers) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        let (more, others) = done.unwrap();
        (sent, answers) = (sent + more, answers + others);
    }
    (sent, answers)
}

/// Frames that are no messages, each on a socket of its own.
pub(crate) async fn frames(at: SocketAddr, frame: Message, end: Instant) -> String {
    let (mut sent, mut refused) = (0, 0);
    let mut pace = interval(Duration::from_millis(5));
    while Instant::now() < end {
        pace.tick().await;
        match socket([127, 0, 4, 1], at).await {
            Some(mut socket) => {
                // The server may end it before all is sent.
                let _ = timeout_at(end.into(), socket.send(frame.clone())).await;
                sent += 1;
            }
            None => refused += 1,
        }
    }
    format!("{sent} sent, {refused} sockets refused")
}

/// Requests that are no upgrades, or wrong ones.
pub(crate) async fn bad_upgrades(at: SocketAddr, end: Instant) -> String {
    let long = format!(
        "GET /peer-group/1 HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "y".repeat(40_000)
    );
    let requests: [&[u8]; 7] = [
        b"GET /peer-group/1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        b"GET /peer-group/1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\n\r\n",
        b"POST /peer-group/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
        b"GET /peer-group/1 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        long.as_bytes(),
    ];
    let mut sent = 0;
    let mut pace = interval(Duration::from_millis(3));
    while Instant::now() < end {
        pace.tick().await;
        let mut tcp = dial_from([127, 0, 5, 1], at).await;
        let _ = tcp.write_all(requests[sent % requests.len()]).await;
        let mut answer = [0; 64];
        let some = Instant::now() + Duration::from_millis(50);
        let _ = timeout_at(some.into(), tcp.read(&mut answer)).await;
        sent += 1;
    }
    format!("{sent} requests")
}

/// A message a hundred times a second from each of `count` sockets of one address; none may be
/// granted.
pub(crate) async fn flood(
    at: SocketAddr,
    count: usize,
    message: impl Fn(&Client) -> ClientMessage,
    end: Instant,
) -> String {
    let mut floods = JoinSet::new();
    for _ in 0..count {
        let tcp = dial_from([127, 0, 6, 1], at).await;
        let client = Client::connect_over(tcp, &at.to_string()).await;
        let message = message(&client);
        floods.spawn(insist(client, message, Duration::from_millis(10), end));
    }
    let (sent, answers) = sum(floods).await;
    assert!(answers > 0, "nothing was refused");
    format!("{sent} sent from {count} sockets, {answers} refused")
}

/// WebSockets of one address, one after the other, kept open; how many there are in the end.
pub(crate) async fn many_sockets(at: SocketAddr, tries: usize, end: Instant) -> String {
    let (mut open, mut tried) = (Vec::new(), 0);
    let hello = ClientMessage::Hello {
        version: 1,
        features: 0,
    };
    while tried < tries && Instant::now() < end {
        tried += 1;
        let Some(mut socket) = socket([127, 0, 7, 1], at).await else {
            continue;
        };
        let hello = Message::Binary(hello.to_bytes().into());
        let _ = socket.send(hello).await;
        let answer = timeout_at(end.into(), socket.next()).await;
        if let Ok(Some(Ok(Message::Binary(bytes)))) = answer
            && matches!(
                ServerMessage::from_bytes(&bytes),
                Ok(ServerMessage::Welcome { .. })
            )
        {
            open.push(socket);
        }
    }
    assert!(open.len() <= 256, "{} sockets of one address", open.len());
    format!("{} of {tried} let in", open.len())
}
