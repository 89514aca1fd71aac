//! One WebSocket: frames in, frames out, pings, and a polite end.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use peer_group::limits::{RELAY_FRAME_BYTES, SIGNAL_BYTES};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::{ErrorReason, ServerMessage};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::SocketLimits;
use super::admission::Refusal;
use super::hall::{Hall, Seat};
use super::outbox::{End, Next};
use crate::rooms::Address;

/// Bytes of the largest message of a client: a signal or a frame to relay, whose head takes 20.
const MESSAGE_BYTES: usize = SIGNAL_BYTES + 64;
const _: () = assert!(RELAY_FRAME_BYTES <= SIGNAL_BYTES);
/// What a socket takes from the system at a time, and keeps while it is idle: the default of 128 KiB
/// is what makes idle sockets expensive. With 512 a signal of a kilobyte costs one more read, and no
/// time that can be measured.
const READ_BYTES: usize = 512;
/// How long the far side may take to hear why the socket ends.
const LINGER: Duration = Duration::from_secs(1);

/// Close codes for frames that are not messages, and for those who are not let in.
const PROTOCOL: u16 = 1002;
const NOT_BINARY: u16 = 1003;
const NOT_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;
const TRY_LATER: u16 = 1013;
const FORBIDDEN: u16 = 4003;
/// When to come back if a token could not be checked.
const TOKEN_RETRY_MS: u32 = 5_000;

/// The sizes that the protocol needs.
pub(super) fn sized<C>(upgrade: WebSocketUpgrade<C>) -> WebSocketUpgrade<C> {
    upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
}

/// Serves one socket until it ends.
pub(super) async fn serve(
    mut socket: WebSocket,
    hall: Arc<Hall>,
    limits: SocketLimits,
    origin: String,
    address: Address,
) {
    let seat = hall.enter(origin, address);
    let end = talk(&mut socket, &seat, limits).await;
    // Others hear that it is gone before it has taken its time to end.
    drop(seat);
    match end {
        Some(End::Close(code, words)) => say_why(&mut socket, code, words).await,
        // Reading on is what sends the answer; whether it arrives, nobody waits to hear.
        Some(End::Answer) => drop(timeout(LINGER, socket.recv()).await),
        Some(End::Cut) | None => {}
    }
}

/// Tells a client why it is not let in.
pub(super) async fn refuse(mut socket: WebSocket, refusal: Refusal) {
    let (reason, retry_after_ms, code, words) = match refusal {
        Refusal::Origin => (
            ErrorReason::Forbidden,
            0,
            FORBIDDEN,
            "pages of this origin are not let in here (--allow-origin)",
        ),
        Refusal::Token => (
            ErrorReason::Forbidden,
            0,
            FORBIDDEN,
            "the admission token is missing or wrong",
        ),
        Refusal::Unknown => (
            ErrorReason::Full,
            TOKEN_RETRY_MS,
            TRY_LATER,
            "the admission token could not be checked",
        ),
    };
    let error = ServerMessage::Error {
        reason,
        retry_after_ms,
    };
    let error = Message::Binary(error.to_bytes().into());
    if matches!(timeout(LINGER, socket.send(error)).await, Ok(Ok(()))) {
        say_why(&mut socket, code, words).await;
    }
}

/// Passes frames on both ways; the end to tell the far side, unless it is gone.
async fn talk(socket: &mut WebSocket, seat: &Seat, limits: SocketLimits) -> Option<End> {
    let mut pings = interval_at(Instant::now() + limits.ping_every, limits.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut paused = None;
    loop {
        let mut receipt = None;
        let message = tokio::select! {
            next = seat.outbox.next() => match next {
                Next::Frame(frame) => {
                    receipt = frame.receipt;
                    Message::Binary(frame.bytes.into())
                }
                Next::End(end) => return Some(end),
            },
            _ = pings.tick() => {
                if heard.elapsed() > limits.silent_for {
                    seat.was_silent();
                    return None;
                }
                Message::Ping(Bytes::new())
            }
            () = sleep_until(paused.unwrap_or(heard)), if paused.is_some() => {
                paused = None;
                continue;
            }
            incoming = socket.recv(), if paused.is_none() => {
                heard = Instant::now();
                match incoming? {
                    Ok(Message::Binary(bytes)) => {
                        let pause = seat.received(&bytes);
                        paused = (!pause.is_zero()).then(|| heard + pause);
                    }
                    Ok(Message::Ping(_) | Message::Pong(_)) => {}
                    Ok(Message::Text(_)) => {
                        return Some(End::Close(NOT_BINARY, "messages are binary, not text"));
                    }
                    Ok(Message::Close(_)) => return Some(End::Answer),
                    // On a socket that is broken nobody hears it.
                    Err(error) => {
                        let (code, words) = fault(error);
                        return Some(End::Close(code, words));
                    }
                }
                continue;
            }
        };
        let sent = tokio::select! {
            sent = timeout(limits.silent_for, socket.send(message)) => sent,
            () = seat.outbox.cut() => return Some(End::Cut),
        };
        if !matches!(sent, Ok(Ok(()))) {
            return None;
        }
        if let Some(receipt) = receipt {
            seat.taken(receipt);
        }
    }
}

/// What a frame that could not be read is answered with.
fn fault(error: axum::Error) -> (u16, &'static str) {
    match error.into_inner().downcast_ref() {
        Some(tungstenite::Error::Capacity(_)) => (TOO_BIG, "a frame too large"),
        Some(tungstenite::Error::Utf8(_)) => (NOT_UTF8, "text that is not UTF-8"),
        _ => (PROTOCOL, "not WebSocket"),
    }
}

/// Sends the close frame, and keeps the socket until the far side has had time to read it: closed
/// with unread bytes in it, the system would take back what was sent.
async fn say_why(socket: &mut WebSocket, code: u16, words: &'static str) {
    let close = Message::Close(Some(CloseFrame {
        code,
        reason: words.into(),
    }));
    let linger = Instant::now() + LINGER;
    let answered = tokio::time::timeout_at(linger, async {
        socket.send(close).await?;
        while let Some(rest) = socket.recv().await {
            rest?;
        }
        Ok::<_, axum::Error>(())
    })
    .await;
    if matches!(answered, Ok(Err(_))) {
        sleep_until(linger).await;
    }
}
