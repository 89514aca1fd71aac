//! What is asked of the server, by whom, and what it answers.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use peer_group::time::{Millis, Now};

use super::allocation::{ALLOCATION_MS, Allocation, NotAdded};
use super::away;
use super::credentials::User;
use super::stun::{Class, Key, Message, Writer, attribute, method};
use super::{Client, STRANGERS, Turn, network};
use crate::rooms::bucket::Bucket;

/// Part of every key, so it never changes.
const REALM: &str = "peer-group";
const ALLOCATION_S: u32 = (ALLOCATION_MS / 1000) as u32;
/// The protocol that relayed packets are of, as IP numbers it.
const UDP: u32 = 17;
const IPV4: u32 = 1;
/// Numbers of channels.
const CHANNELS: std::ops::RangeInclusive<u32> = 0x4000..=0x4FFF;

/// Why a request fails: the code and, for people who look at traces, words.
struct Refusal(u16, &'static str);

const BAD_REQUEST: Refusal = Refusal(400, "Bad Request");
const UNAUTHORIZED: Refusal = Refusal(401, "Unauthorized");
const FORBIDDEN: Refusal = Refusal(403, "Not an allocation of this server");
const NO_ALLOCATION: Refusal = Refusal(437, "Allocation Mismatch");
const STALE_NONCE: Refusal = Refusal(438, "Stale Nonce");
const OTHER_FAMILY: Refusal = Refusal(440, "Relayed addresses are IPv4");
const OTHER_USER: Refusal = Refusal(441, "Another user's allocation");
const UDP_ONLY: Refusal = Refusal(442, "Only UDP is relayed");
const PEER_FAMILY: Refusal = Refusal(443, "Relayed addresses are IPv4");
const QUOTA: Refusal = Refusal(486, "Too many allocations from here");
const FULL: Refusal = Refusal(508, "The server is full");
const TOO_MANY_PEERS: Refusal = Refusal(508, "Too many peers of one allocation");

/// A fact for the answer to a request that succeeds.
enum Fact {
    Relayed(SocketAddr),
    Mapped(SocketAddr),
    Lifetime(u32),
}

impl Turn {
    pub(super) fn answer(
        &mut self,
        now: Now,
        from: Client,
        message: &Message<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        if message.method == method::BINDING {
            self.charge(now.monotonic, from)?;
            let mut writer = respond(out, Class::Success, message);
            writer.address(attribute::XOR_MAPPED_ADDRESS, canonical(from.address));
            return Some(from);
        }
        let (user, key) = match self.user(now, from, message) {
            Ok(known) => known,
            Err(refusal) => {
                self.charge(now.monotonic, from)?;
                let mut writer = respond(out, Class::Error, message);
                writer.error(refusal.0, refusal.1);
                if matches!(refusal.0, 401 | 438) {
                    let nonce = self.nonces.make(now.monotonic, from.address);
                    writer.attribute(attribute::REALM, REALM.as_bytes());
                    writer.attribute(attribute::NONCE, nonce.as_bytes());
                }
                return Some(from);
            }
        };
        let unknown = message.unknown();
        let done = if unknown.is_empty() {
            self.serve(now, from, user, message)
        } else {
            Err(Refusal(420, "Unknown Attribute"))
        };
        match done {
            Ok(facts) => {
                let mut writer = respond(out, Class::Success, message);
                for fact in facts {
                    match fact {
                        Fact::Relayed(address) => {
                            writer.address(attribute::XOR_RELAYED_ADDRESS, address);
                        }
                        Fact::Mapped(address) => {
                            writer.address(attribute::XOR_MAPPED_ADDRESS, address);
                        }
                        Fact::Lifetime(seconds) => writer.number(attribute::LIFETIME, seconds),
                    }
                }
                writer.sign(&key);
            }
            Err(Refusal(code, words)) => {
                let mut writer = respond(out, Class::Error, message);
                writer.error(code, words);
                if !unknown.is_empty() {
                    let kinds: Vec<u8> =
                        unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
                    writer.attribute(attribute::UNKNOWN_ATTRIBUTES, &kinds);
                }
                writer.sign(&key);
            }
        }
        Some(from)
    }

    /// Takes a token from strangers of that network; without one they are not answered.
    fn charge(&mut self, now: Millis, from: Client) -> Option<()> {
        let slot = self.nonces.spread(network(from.address.ip())) % STRANGERS as u64;
        let bucket = self.strangers.get_mut(usize::try_from(slot).ok()?)?;
        bucket.take(now, self.limits.strangers).ok()
    }

    /// Whose request it is.
    fn user(&self, now: Now, from: Client, message: &Message<'_>) -> Result<(User, Key), Refusal> {
        if !message.is_signed() {
            return Err(UNAUTHORIZED);
        }
        let [name, realm, nonce] = [attribute::USERNAME, attribute::REALM, attribute::NONCE]
            .map(|kind| message.value(kind));
        let (Some(name), Some(realm), Some(nonce)) = (name, realm, nonce) else {
            return Err(BAD_REQUEST);
        };
        if !self.nonces.is_fresh(now.monotonic, from.address, nonce) {
            return Err(STALE_NONCE);
        }
        let user = User::parse(name).ok_or(UNAUTHORIZED)?;
        let key = Key::new(name, REALM, &self.secret.password(name));
        if realm != REALM.as_bytes() || !message.is_signed_by(&key) {
            return Err(UNAUTHORIZED);
        }
        // Who is in stays in: browsers refresh with what they came with.
        let is_in = self
            .allocations
            .get(&from)
            .is_some_and(|own| own.user == user.id);
        if user.until_s < now.wall / 1000 && !is_in {
            return Err(UNAUTHORIZED);
        }
        Ok((user, key))
    }

    fn serve(
        &mut self,
        now: Now,
        from: Client,
        user: User,
        message: &Message<'_>,
    ) -> Result<Vec<Fact>, Refusal> {
        if message.method == method::ALLOCATE {
            return self.allocate(now, from, user, message);
        }
        let own = self.allocations.get(&from).ok_or(NO_ALLOCATION)?;
        if own.user != user.id {
            return Err(OTHER_USER);
        }
        match message.method {
            method::REFRESH => self.refresh(now, from, message),
            method::CREATE_PERMISSION => self.permit(now, from, message),
            method::CHANNEL_BIND => self.bind(now, from, message),
            _ => Err(BAD_REQUEST),
        }
    }

    fn allocate(
        &mut self,
        now: Now,
        from: Client,
        user: User,
        message: &Message<'_>,
    ) -> Result<Vec<Fact>, Refusal> {
        let facts = |relayed: SocketAddrV4| {
            vec![
                Fact::Relayed(relayed.into()),
                Fact::Lifetime(ALLOCATION_S),
                Fact::Mapped(canonical(from.address)),
            ]
        };
        if let Some(own) = self.allocations.get(&from) {
            // The answer may have been lost.
            let again = own.transaction == message.transaction && own.user == user.id;
            return if again {
                Ok(facts(own.relayed))
            } else {
                Err(NO_ALLOCATION)
            };
        }
        let transport = message
            .number(attribute::REQUESTED_TRANSPORT)
            .ok_or(BAD_REQUEST)?;
        if transport >> 24 != UDP {
            return Err(UDP_ONLY);
        }
        let family = message.number(attribute::REQUESTED_ADDRESS_FAMILY);
        if family.is_some_and(|family| family >> 24 != IPV4) {
            return Err(OTHER_FAMILY);
        }
        let network = network(from.address.ip());
        let held = |counts: &std::collections::BTreeMap<u64, usize>, key| counts.get(&key).copied();
        if held(&self.per_user, user.id).unwrap_or(0) >= self.limits.per_user
            || held(&self.per_network, network).unwrap_or(0) >= self.limits.per_address
        {
            return Err(QUOTA);
        }
        let is_full = self.allocations.len() >= self.limits.allocations;
        if is_full && !self.make_room(now.monotonic) {
            return Err(FULL);
        }
        let relayed = self.new_address().ok_or(FULL)?;
        let bucket = Bucket::new(now.monotonic, self.limits.bytes);
        let own = Allocation::new(now.monotonic, relayed, user.id, message.transaction, bucket);
        self.due.insert((own.until, from));
        self.quiet.insert((own.heard, from));
        self.relayed.insert(*relayed.ip(), from);
        *self.per_user.entry(user.id).or_default() += 1;
        *self.per_network.entry(network).or_default() += 1;
        self.allocations.insert(from, own);
        Ok(facts(relayed))
    }

    /// An address that no allocation has: one of 2^27, or of 2^16 in a cluster.
    fn new_address(&mut self) -> Option<SocketAddrV4> {
        (0..64).find_map(|_| {
            let address = away::address(&mut self.random, self.part);
            (!self.relayed.contains_key(address.ip())).then_some(address)
        })
    }

    fn refresh(
        &mut self,
        now: Now,
        from: Client,
        message: &Message<'_>,
    ) -> Result<Vec<Fact>, Refusal> {
        if message.number(attribute::LIFETIME) == Some(0) {
            self.free(from);
            return Ok(vec![Fact::Lifetime(0)]);
        }
        let own = self.allocations.get_mut(&from).ok_or(NO_ALLOCATION)?;
        self.due.remove(&(own.until, from));
        own.until = now.monotonic.saturating_add(ALLOCATION_MS);
        self.due.insert((own.until, from));
        Ok(vec![Fact::Lifetime(ALLOCATION_S)])
    }

    fn permit(
        &mut self,
        now: Now,
        from: Client,
        message: &Message<'_>,
    ) -> Result<Vec<Fact>, Refusal> {
        let peers: Vec<SocketAddrV4> = message
            .values(attribute::XOR_PEER_ADDRESS)
            .map(|value| self.peer(message, value))
            .collect::<Result<_, _>>()?;
        if peers.is_empty() {
            return Err(BAD_REQUEST);
        }
        let most = self.limits.permissions;
        let own = self.allocations.get_mut(&from).ok_or(NO_ALLOCATION)?;
        for peer in peers {
            own.permit(now.monotonic, *peer.ip(), most)
                .map_err(|_| TOO_MANY_PEERS)?;
        }
        Ok(Vec::new())
    }

    fn bind(
        &mut self,
        now: Now,
        from: Client,
        message: &Message<'_>,
    ) -> Result<Vec<Fact>, Refusal> {
        let number = message
            .number(attribute::CHANNEL_NUMBER)
            .ok_or(BAD_REQUEST)?
            >> 16;
        let value = message
            .value(attribute::XOR_PEER_ADDRESS)
            .ok_or(BAD_REQUEST)?;
        let peer = self.peer(message, value)?;
        let number = u16::try_from(number)
            .ok()
            .filter(|_| CHANNELS.contains(&number));
        let number = number.ok_or(BAD_REQUEST)?;
        let most = self.limits.permissions;
        let own = self.allocations.get_mut(&from).ok_or(NO_ALLOCATION)?;
        own.bind(now.monotonic, number, peer, most)
            .map_err(|why| match why {
                NotAdded::Full => TOO_MANY_PEERS,
                NotAdded::Taken => BAD_REQUEST,
            })?;
        Ok(Vec::new())
    }

    /// A peer that may be reached: an allocation of this server, or what can only be one of another
    /// machine, and nothing else.
    fn peer(&mut self, message: &Message<'_>, value: &[u8]) -> Result<SocketAddrV4, Refusal> {
        let peer = match message.unmasked(value) {
            Some(SocketAddr::V4(peer)) => Ok(peer),
            Some(SocketAddr::V6(_)) => Err(PEER_FAMILY),
            None => return Err(BAD_REQUEST),
        };
        let peer = peer.and_then(|peer| {
            let is_ours = self.relayed.contains_key(peer.ip());
            if is_ours || self.may_be_away(*peer.ip()) {
                Ok(peer)
            } else {
                Err(FORBIDDEN)
            }
        });
        self.counts.forbidden += u64::from(peer.is_err());
        peer
    }
}

fn respond<'a>(out: &'a mut Vec<u8>, class: Class, to: &Message<'_>) -> Writer<'a> {
    Writer::new(out, class, to.method, to.transaction)
}

/// The address as its client knows it: a socket for both families shows IPv4 ones as IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = address.ip().to_canonical();
    SocketAddr::new(ip, address.port())
}
