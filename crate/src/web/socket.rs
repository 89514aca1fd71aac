//! WebSockets to rendezvous servers.

use crate::sorted::Map;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast as _;
use web_sys::{BinaryType, Event, MessageEvent, WebSocket};

use super::count::{Count, Counted};
use super::listener::Listener;
use super::pump::Reporter;
use crate::engine::input::Input;
use crate::names::SocketId;
use crate::wire::rendezvous::{SUBPROTOCOL, TOKEN_PROTOCOL};

/// The sockets of one engine.
pub(super) struct Sockets {
    reporter: Reporter,
    open: RefCell<Map<SocketId, Socket>>,
}

impl Sockets {
    pub(super) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            open: RefCell::default(),
        }
    }

    /// Dials; what comes of it is reported.
    pub(super) fn open(&self, id: SocketId, url: &str, token: &str) {
        let protocols = Array::of1(&SUBPROTOCOL.into());
        if !token.is_empty() {
            protocols.push(&[TOKEN_PROTOCOL, token].concat().into());
        }
        match WebSocket::new_with_str_sequence(url, &protocols) {
            Ok(socket) => {
                let socket = Socket::new(id, socket, &self.reporter);
                self.open.borrow_mut().insert(id, socket);
            }
            // No WebSocket here, an unusable address, or an insecure one from a secure page.
            Err(_) => self.reporter.report(Input::SocketClosed { socket: id }),
        }
    }

    /// Sends, if it is open; one that is not reports its end by itself.
    pub(super) fn send(&self, id: SocketId, bytes: &[u8]) {
        if let Some(socket) = self.open.borrow().get(&id) {
            let _ = socket.socket.send_with_u8_array(bytes);
        }
    }

    /// Closes after what was sent before.
    pub(super) fn close(&self, id: SocketId) {
        let closed = self.open.borrow_mut().remove(&id);
        drop(closed);
    }
}

/// Dropped: listeners first, then the socket is closed.
struct Socket {
    listeners: Vec<Listener>,
    socket: WebSocket,
    _count: Count,
}

impl Socket {
    fn new(id: SocketId, socket: WebSocket, reporter: &Reporter) -> Self {
        socket.set_binary_type(BinaryType::Arraybuffer);
        let opened = {
            let reporter = reporter.clone();
            move |_: &Event| reporter.report(Input::SocketOpened { socket: id })
        };
        let received = {
            let reporter = reporter.clone();
            move |event: &Event| {
                if let Some(bytes) = message(event) {
                    reporter.report(Input::SocketReceived { socket: id, bytes });
                }
            }
        };
        let closed = {
            let reporter = reporter.clone();
            let is_closed = Rc::new(Cell::new(false));
            move |_: &Event| {
                if !is_closed.replace(true) {
                    reporter.report(Input::SocketClosed { socket: id });
                }
            }
        };
        let listeners = vec![
            Listener::new(&socket, "open", opened),
            Listener::new(&socket, "message", received),
            Listener::new(&socket, "close", closed),
        ];
        Self {
            listeners,
            socket,
            _count: Count::new(Counted::Sockets),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.listeners.clear();
        let _ = self.socket.close();
    }
}

/// The bytes of a binary message; we send and expect no other kind.
pub(super) fn message(event: &Event) -> Option<Vec<u8>> {
    let data = event.dyn_ref::<MessageEvent>()?.data();
    let buffer = data.dyn_ref::<ArrayBuffer>()?;
    Some(Uint8Array::new(buffer).to_vec())
}
