//! Allocations of other machines of a cluster: a relayed address names its machine, and what is sent
//! to it goes there, to be taken or dropped as if it had come from here.

use std::net::{Ipv4Addr, SocketAddrV4};

use peer_group::random::Random;
use peer_group::time::Now;
use peer_group::wire::codec::Bytes;
use peer_group::wire_struct;

use super::{Client, PACKET_BYTES, Turn};
use crate::rooms::Machine;

/// The part of relayed addresses that is a machine's: 11 bits. Where two machines have the same, what
/// is for either goes to both, and the one drops it that has no such address.
pub(crate) type Part = u16;

wire_struct! {
    /// A relayed address.
    pub struct Relayed {
        ip: [u8; 4],
        port: u16,
    }

    /// What one allocation sends to another that is none of this machine.
    pub struct Packet {
        from: Relayed,
        to: Relayed,
        data: Bytes<PACKET_BYTES>,
    }
}

impl From<SocketAddrV4> for Relayed {
    fn from(address: SocketAddrV4) -> Self {
        Self {
            ip: address.ip().octets(),
            port: address.port(),
        }
    }
}

impl From<&Relayed> for SocketAddrV4 {
    fn from(relayed: &Relayed) -> Self {
        Self::new(relayed.ip.into(), relayed.port)
    }
}

impl Packet {
    /// Whom it is for.
    pub(crate) fn part(&self) -> Part {
        let [a, b, ..] = self.to.ip;
        u16::from_be_bytes([a & 7, b])
    }
}

/// The part of a machine.
pub(crate) fn part(machine: Machine) -> Part {
    let [a, b, ..] = machine;
    u16::from_be_bytes([a & 7, b])
}

/// An address that may be an allocation's, of a machine of that part or of one that is alone.
pub(super) fn address(random: &mut Random, part: Option<Part>) -> SocketAddrV4 {
    let [a, b, c, d, e, f] = random.bytes();
    let [a, b] = part.map_or([a & 7, b], u16::to_be_bytes);
    // The ports that a server may use for this.
    let port = 0xC000 | u16::from_be_bytes([e, f]);
    SocketAddrV4::new(Ipv4Addr::new(0xF0 | a, b, c, d), port)
}

impl Turn {
    /// The same as one machine of a cluster.
    #[must_use]
    pub fn among(mut self, machine: Machine) -> Self {
        self.part = Some(part(machine));
        self
    }

    /// What is for another machine since the last packet.
    pub fn poll_away(&mut self) -> Option<Packet> {
        self.away.take()
    }

    /// Whether an address can be an allocation of another machine: a name, and never a way out.
    pub(super) fn may_be_away(&self, ip: Ipv4Addr) -> bool {
        self.part.is_some() && ip.octets()[0] & 0xF8 == 0xF0
    }

    /// Leaves a packet for another machine.
    pub(super) fn send_away(
        &mut self,
        origin: SocketAddrV4,
        peer: SocketAddrV4,
        data: &[u8],
    ) -> bool {
        let data = Bytes::new(data.to_vec());
        self.away = data
            .filter(|_| self.may_be_away(*peer.ip()))
            .map(|data| Packet {
                from: origin.into(),
                to: peer.into(),
                data,
            });
        self.away.is_some()
    }

    /// A packet came from another machine. To whom `out` is to be sent, if to anybody.
    pub fn came(&mut self, now: Now, packet: &Packet, out: &mut Vec<u8>) -> Option<Client> {
        self.tick(now);
        let peer = SocketAddrV4::from(&packet.to);
        let to = *self.relayed.get(peer.ip())?;
        self.hand(now, to, peer, (&packet.from).into(), &packet.data, out)
    }
}

#[cfg(test)]
impl Packet {
    /// The same as another end would have sent it to another.
    pub(super) fn between(&self, from: std::net::SocketAddr, to: std::net::SocketAddr) -> Self {
        let [from, to] = [from, to].map(|address| match address {
            std::net::SocketAddr::V4(address) => address.into(),
            std::net::SocketAddr::V6(_) => unreachable!("no relayed address"),
        });
        let data = self.data.clone();
        Self { from, to, data }
    }
}
