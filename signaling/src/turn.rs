//! STUN and TURN (RFC 8489 and 8656) without sockets or clocks: clients that cannot reach each
//! other directly meet at two relayed addresses of this server.
//!
//! A relayed address is a name and not a socket. Each allocation has an address of its own in a
//! part of 240.0.0.0/8 and above that is assigned to nobody and routed nowhere, and what is sent to
//! it is handed to that allocation's client. So there is no way from here to anywhere else, nothing
//! to set up about this machine's own addresses, and no port to open but the one.
//!
//! In a cluster a part of the address names the machine ([`away`]), and packets for allocations of
//! others go there: from one name to another, as before.
//!
//! Whoever drives it reports each packet ([`Turn::received`]) and sends what that has written to
//! whom it names; a packet never causes more than one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use peer_group::random::Random;
use peer_group::time::{Millis, Now};

use crate::rooms::Rate;
use crate::rooms::bucket::Bucket;

mod allocation;
mod away;
mod credentials;
mod nonce;
mod requests;
mod sockets;
mod stun;
#[cfg(test)]
mod tests;
mod udp;

use allocation::Allocation;
pub use away::Packet;
pub(crate) use away::{Part, part};
pub use credentials::{CREDENTIALS_S, Offer, Secret, Servers};
use nonce::Nonces;
pub(crate) use sockets::Sockets;
use stun::{CHANNEL_HEAD, Class, Message, Writer, attribute, method};

/// Bytes of the longest packet that is taken. What is relayed are packets of DTLS, below 1500.
pub const PACKET_BYTES: usize = 2048;

/// Whom a packet is from or for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Client {
    /// Its own address, or that of whatever translates it.
    pub address: SocketAddr,
    /// Which of this machine's addresses it writes to, where that is known; not over a stream.
    pub wrote_to: Option<IpAddr>,
    /// Its connection, never used twice; None over UDP.
    pub stream: Option<u64>,
}

/// What the server allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Allocations in all. Each costs less than 1 KiB.
    pub allocations: usize,
    /// Of one node: a browser makes one per link, way to the server and network it is on.
    pub per_user: usize,
    /// From one address (IPv6: one network of 64 bits), behind which many may be.
    pub per_address: usize,
    /// Others that one allocation may let in, and channels it may have to them.
    pub permissions: usize,
    /// Bytes that one allocation may send.
    pub bytes: Rate,
    /// Answers to one address that has shown no credentials, or wrong ones.
    pub strangers: Rate,
    /// Connections over TCP or TLS.
    pub streams: usize,
    /// The same from one address.
    pub streams_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations: 16_384,
            per_user: 128,
            per_address: 1024,
            permissions: 64,
            bytes: Rate {
                per_second: 2 * 1024 * 1024,
                burst: 2 * 1024 * 1024,
            },
            strangers: Rate {
                per_second: 200,
                burst: 1000,
            },
            streams: 1024,
            streams_per_address: 128,
        }
    }
}

/// What has happened so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Allocations there are now.
    pub allocations: usize,
    /// Packets that were relayed.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Requests to reach what is no allocation of this server.
    pub forbidden: u64,
}

/// The relayed addresses and their rules.
pub struct Turn {
    limits: Limits,
    secret: Secret,
    nonces: Nonces,
    random: Random,
    allocations: BTreeMap<Client, Allocation>,
    /// Whose a relayed address is.
    relayed: BTreeMap<Ipv4Addr, Client>,
    due: BTreeSet<(Millis, Client)>,
    /// By when something last went through them, roughly.
    quiet: BTreeSet<(Millis, Client)>,
    per_user: BTreeMap<u64, usize>,
    per_network: BTreeMap<u64, usize>,
    /// By a hash of the network: several may share one.
    strangers: Vec<Bucket>,
    counts: Counts,
    /// Of this machine, in a cluster.
    part: Option<Part>,
    /// What the last packet left for another machine.
    away: Option<Packet>,
}

/// How exactly it is known when something last went through an allocation.
const TOUCH_MS: Millis = 10_000;
/// How long nothing has gone through one that makes room for others. Browsers ask each end of a
/// link whether it still agrees every five seconds.
const QUIET_MS: Millis = 60_000;
/// How many buckets strangers are spread over.
const STRANGERS: usize = 4096;

impl Turn {
    /// Nothing allocated. The seed must be unpredictable: relayed addresses come from it.
    #[must_use]
    pub fn new(limits: Limits, secret: Secret, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        Self {
            limits,
            secret,
            nonces: Nonces::new(random.bytes::<32>()),
            random,
            allocations: BTreeMap::new(),
            relayed: BTreeMap::new(),
            due: BTreeSet::new(),
            quiet: BTreeSet::new(),
            per_user: BTreeMap::new(),
            per_network: BTreeMap::new(),
            strangers: (0..STRANGERS)
                .map(|_| Bucket::new(0, limits.strangers))
                .collect(),
            counts: Counts::default(),
            part: None,
            away: None,
        }
    }

    /// A packet came in. To whom `out` is to be sent, if to anybody.
    pub fn received(
        &mut self,
        now: Now,
        from: Client,
        packet: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        self.tick(now);
        match packet.first()? >> 6 {
            0 => {
                let message = Message::read(packet)?;
                match (message.class, message.method) {
                    (Class::Request, _) => self.answer(now, from, &message, out),
                    (Class::Indication, method::SEND) => self.sent(now, from, &message, out),
                    _ => None,
                }
            }
            1 => self.sent_in_channel(now, from, packet, out),
            _ => None,
        }
    }

    /// A client's connection has ended.
    pub fn disconnected(&mut self, client: Client) {
        self.free(client);
    }

    /// Ends what was not refreshed.
    pub fn tick(&mut self, now: Now) {
        while let Some((due, client)) = self.due.first().copied() {
            if due > now.monotonic {
                break;
            }
            self.free(client);
        }
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            allocations: self.allocations.len(),
            ..self.counts
        }
    }

    /// Whether a client has an allocation.
    pub(crate) fn has(&self, client: Client) -> bool {
        self.allocations.contains_key(&client)
    }

    fn free(&mut self, client: Client) {
        let Some(gone) = self.allocations.remove(&client) else {
            return;
        };
        self.due.remove(&(gone.until, client));
        self.quiet.remove(&(gone.heard, client));
        self.relayed.remove(gone.relayed.ip());
        less(&mut self.per_user, gone.user);
        less(&mut self.per_network, network(client.address.ip()));
    }

    /// Something went through an allocation.
    fn touch(&mut self, now: Millis, client: Client) {
        if let Some(own) = self.allocations.get_mut(&client)
            && now.saturating_sub(own.heard) >= TOUCH_MS
        {
            self.quiet.remove(&(own.heard, client));
            own.heard = now;
            self.quiet.insert((now, client));
        }
    }

    /// Takes an allocation that nothing goes through from who keeps it in reserve. Links that go
    /// over one are never quiet for that long.
    fn make_room(&mut self, now: Millis) -> bool {
        let first = self.quiet.first().copied();
        let quiet = first.filter(|(heard, _)| now.saturating_sub(*heard) >= QUIET_MS);
        if let Some((_, client)) = quiet {
            self.free(client);
        }
        quiet.is_some()
    }

    /// A packet that names its peer itself.
    fn sent(
        &mut self,
        now: Now,
        from: Client,
        message: &Message<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let peer = message.unmasked(message.value(attribute::XOR_PEER_ADDRESS)?)?;
        let data = message.value(attribute::DATA)?;
        self.pass_on(now, from, peer, data, out)
    }

    fn sent_in_channel(
        &mut self,
        now: Now,
        from: Client,
        packet: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let (head, rest) = packet.split_first_chunk::<CHANNEL_HEAD>()?;
        let number = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        // Over UDP there may or may not be padding behind it.
        let data = rest.get(..length)?;
        let peer = self
            .allocations
            .get(&from)?
            .channel(now.monotonic, number)?;
        self.pass_on(now, from, peer.into(), data, out)
    }

    /// From one allocation to another, if each lets the other in.
    fn pass_on(
        &mut self,
        now: Now,
        from: Client,
        peer: SocketAddr,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let SocketAddr::V4(peer) = peer else {
            return None;
        };
        let sender = self.allocations.get_mut(&from)?;
        if !sender.lets_in(now.monotonic, *peer.ip()) {
            return None;
        }
        let origin = sender.relayed;
        let rate = self.limits.bytes;
        let bytes = u32::try_from(data.len()).ok()?;
        sender.bucket.wait(now.monotonic, rate, bytes).ok()?;
        sender.bucket.charge(now.monotonic, rate, bytes);
        let to = self.relayed.get(peer.ip()).copied();
        let sent = match to {
            Some(to) => self.hand(now, to, peer, origin, data, out),
            None if self.send_away(origin, peer, data) => None,
            None => return None,
        };
        if to.is_none() || sent.is_some() {
            self.counts.packets += 1;
            self.counts.bytes += u64::from(bytes);
            self.touch(now.monotonic, from);
        }
        sent
    }

    /// Hands what comes from `origin` to the client of a relayed address, if it lets that in.
    fn hand(
        &mut self,
        now: Now,
        to: Client,
        peer: SocketAddrV4,
        origin: SocketAddrV4,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let target = self.allocations.get(&to)?;
        if target.relayed != peer || !target.lets_in(now.monotonic, *origin.ip()) {
            return None;
        }
        match target.channel_to(now.monotonic, origin) {
            Some(number) => {
                out.clear();
                out.extend(number.to_be_bytes());
                out.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
                out.extend(data);
                if to.stream.is_some() {
                    out.resize(out.len().next_multiple_of(4), 0);
                }
            }
            None => {
                let transaction = self.random.bytes();
                let mut writer = Writer::new(out, Class::Indication, method::DATA, transaction);
                writer.address(attribute::XOR_PEER_ADDRESS, origin.into());
                writer.attribute(attribute::DATA, data);
            }
        }
        self.touch(now.monotonic, to);
        Some(to)
    }
}

/// What an address counts as: itself, or the network that a customer has of IPv6.
fn network(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => (u128::from(ip) >> 64) as u64,
    }
}

fn less(counts: &mut BTreeMap<u64, usize>, key: u64) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}
