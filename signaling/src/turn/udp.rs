//! TURN's socket for UDP: hears many packets at a time, and answers from the address that was
//! written to, which on a machine with several is not always the one that the system would take.

use std::io::{self, IoSliceMut};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::Client;

/// Packets, or rows of packets of one client, that are heard at a time.
const ROWS: usize = 8;
/// Bytes of the longest row that the system makes.
const ROW_BYTES: usize = 64 * 1024;
/// What the system is asked to keep while we are busy, as far as its own bounds allow.
const KEPT_BYTES: usize = 2 * 1024 * 1024;

pub(super) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Where packets are heard into.
pub(super) struct Rows {
    bytes: Vec<u8>,
    told: [RecvMeta; ROWS],
    heard: usize,
}

impl Udp {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        // Less than asked for only means that more is lost under load.
        let _ = state.set_recv_buffer_size((&socket).into(), KEPT_BYTES);
        let _ = state.set_send_buffer_size((&socket).into(), KEPT_BYTES);
        Ok(Self { socket, state })
    }

    /// Waits for packets.
    pub(super) async fn hear(&self, rows: &mut Rows) -> io::Result<()> {
        let receive = || {
            let mut parts: Vec<IoSliceMut<'_>> = rows
                .bytes
                .chunks_mut(ROW_BYTES)
                .map(IoSliceMut::new)
                .collect();
            self.state
                .recv((&self.socket).into(), &mut parts, &mut rows.told)
        };
        rows.heard = 0;
        rows.heard = self.socket.async_io(Interest::READABLE, receive).await?;
        Ok(())
    }

    /// Sends a packet, if the system takes it: else it is lost, as packets may be.
    pub(super) fn send(&self, to: Client, packet: &[u8]) {
        let transmit = Transmit {
            destination: to.address,
            ecn: None,
            contents: packet,
            segment_size: None,
            src_ip: to.wrote_to,
        };
        let _ = self.state.try_send((&self.socket).into(), &transmit);
    }
}

impl Rows {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; ROWS * ROW_BYTES],
            told: [RecvMeta::default(); ROWS],
            heard: 0,
        }
    }

    /// The packets that were heard, and from whom.
    pub(super) fn packets(&self) -> impl Iterator<Item = (Client, &[u8])> {
        let rows = self
            .bytes
            .chunks(ROW_BYTES)
            .zip(&self.told)
            .take(self.heard);
        rows.flat_map(|(row, told)| {
            let from = Client {
                address: told.addr,
                wrote_to: told.dst_ip,
                stream: None,
            };
            let row = row.get(..told.len).unwrap_or_default();
            row.chunks(told.stride.max(1))
                .map(move |packet| (from, packet))
        })
    }
}
