//! What each message of a client does and is answered with.

use peer_group::crypto::tag_of;
use peer_group::names::{Tag, Topic};
use peer_group::time::{Millis, Now};
use peer_group::wire::codec::List;
use peer_group::wire::numbers::RENDEZVOUS_VERSION;
use peer_group::wire::rendezvous::{
    Announcement, ClientMessage, Entry, ErrorReason, IceServer, Payload, RefusedReason,
    ServerLimits, ServerMessage, Url, join_signed_bytes, resolve_signed_bytes,
};

use super::tags::Undeliverable;
use super::work::has_its_price;
use super::{ConnId, Failure, Far, Rooms, Stage};
use crate::turn::CREDENTIALS_S;

/// What a message is answered with, if with anything.
type Answer = Result<Option<ServerMessage>, Failure>;

/// Whether a message counts among all requests.
fn is_request(message: &ClientMessage) -> bool {
    !matches!(
        message,
        ClientMessage::Relay { .. } | ClientMessage::Signal { .. } | ClientMessage::Ping {}
    )
}

/// Bytes of a signal for each token: most take one, and the longest five.
const TOKEN_BYTES: usize = 4096;

fn signal_tokens(payload: &Payload) -> u32 {
    u32::try_from(1 + payload.len() / TOKEN_BYTES).unwrap_or(u32::MAX)
}

impl Rooms {
    pub(super) fn answer(&mut self, now: Now, conn: ConnId, message: ClientMessage) -> Answer {
        let connection = self.connection(conn)?;
        let challenge = match (connection.stage, &message) {
            (Stage::Silent(due), ClientMessage::Hello { version, .. }) => {
                return self.hello(now, conn, due, *version);
            }
            (Stage::Welcomed(challenge), _) => challenge,
            (Stage::Silent(_), _) => return Err(ErrorReason::Malformed.into()),
        };
        self.charge(now, conn, &message)?;
        match message {
            ClientMessage::Hello { .. } => Err(ErrorReason::Malformed.into()),
            ClientMessage::Listen { r } => {
                let tag = tag_of(self.crypto, &r);
                self.claim(now, conn, tag)?;
                Ok(Some(ServerMessage::Listening {}))
            }
            ClientMessage::Join {
                topic,
                signature,
                tag,
                r,
                ttl_s,
                want,
                announcement,
            } => {
                let origin = &self.connection(conn)?.origin;
                let signed = join_signed_bytes(topic, origin, &challenge, tag, ttl_s);
                if tag != tag_of(self.crypto, &r) {
                    return Err(ErrorReason::Tag.into());
                }
                if !self.crypto.verify(&topic.0, &signed, &signature) {
                    return Err(ErrorReason::Signature.into());
                }
                self.claim(now, conn, tag)?;
                let ttl_s = ttl_s.clamp(1, self.config.limits.ttl_s);
                self.join(now, conn, topic, Entry { tag, announcement }, ttl_s)?;
                Ok(self.search(conn, topic, Some(tag), want, Some(ttl_s)))
            }
            ClientMessage::Resolve {
                topic,
                signature,
                want,
            } => {
                let connection = self.connection(conn)?;
                let signed = resolve_signed_bytes(topic, &connection.origin, &challenge);
                let own = connection.tag;
                if !self.crypto.verify(&topic.0, &signed, &signature) {
                    return Err(ErrorReason::Signature.into());
                }
                Ok(self.search(conn, topic, own, want, None))
            }
            ClientMessage::Refresh {
                topic,
                tag,
                announcement,
                want,
            } => self.refresh(now, conn, topic, tag, announcement, want),
            ClientMessage::Signal { to, payload } => self.signal(now, conn, to, payload),
            ClientMessage::Leave { tag } => {
                self.own_tag(conn, tag)?;
                self.release(conn);
                Ok(None)
            }
            ClientMessage::Ping {} => Ok(Some(ServerMessage::Pong {})),
            ClientMessage::Turn {} => self.turn(now, conn),
            ClientMessage::Relay { to, frame } => {
                self.relay(now, conn, to, frame)?;
                Ok(None)
            }
            ClientMessage::Work { answer } => {
                self.worked(conn, &challenge, answer)?;
                Ok(None)
            }
        }
    }

    fn hello(&mut self, now: Now, conn: ConnId, due: Millis, version: u8) -> Answer {
        // The path names the version too, so a client that speaks newer ones speaks this one here.
        if version < RENDEZVOUS_VERSION {
            return Err(ErrorReason::Version.into());
        }
        match self.work_bits(now) {
            0 => {}
            bits => self.ask_for_work(conn, bits),
        }
        let challenge = self.random.bytes();
        self.hellos_due.remove(&(due, conn));
        let connection = self.connection(conn)?;
        connection.stage = Stage::Welcomed(challenge);
        let origin = connection.origin.clone();
        let offer = self.config.turn.as_ref();
        let own = offer.and_then(|offer| offer.stun(&origin));
        let own = own.map(|url| IceServer {
            urls: List::first(vec![url]),
            username: Url::default(),
            credential: Url::default(),
        });
        Ok(Some(ServerMessage::Welcome {
            challenge,
            time_ms: now.wall,
            limits: ServerLimits {
                turn_s: offer.map_or(0, |_| CREDENTIALS_S),
                ..self.config.limits.told()
            },
            ice: List::first(
                own.into_iter()
                    .chain(self.config.ice.iter().cloned())
                    .collect(),
            ),
        }))
    }

    /// Credentials for TURN, to who can be told apart from others: one user for each tag.
    fn turn(&mut self, now: Now, conn: ConnId) -> Answer {
        let connection = self.connection(conn)?;
        let tag = connection.tag.ok_or(ErrorReason::Tag)?;
        let origin = connection.origin.clone();
        let answer = self
            .config
            .turn
            .as_ref()
            .map(|offer| offer.answer(&origin, tag, now.wall));
        Ok(answer.or_else(|| {
            Some(ServerMessage::Turn {
                urls: List::default(),
                user: Url::default(),
                password: Url::default(),
                seconds: 0,
            })
        }))
    }

    /// Takes a token for `message`, and what it costs besides.
    fn charge(&mut self, now: Now, conn: ConnId, message: &ClientMessage) -> Result<(), Failure> {
        let Err(retry_after_ms) = self.take_token(now.monotonic, conn, message) else {
            return self.charge_in_all(now, conn, message);
        };
        // The error says how long to wait; which signal was lost is said before it.
        if let ClientMessage::Signal { to, .. } = message {
            self.counts.signals_refused += 1;
            let refused = ServerMessage::Refused {
                to: *to,
                reason: RefusedReason::Quota,
            };
            self.send(conn, &refused);
        }
        Err(Failure {
            reason: ErrorReason::Rate,
            retry_after_ms,
        })
    }

    /// Takes a token of everybody's for a request, once it is worked for, if it must be: those who do
    /// not work take nothing from those who do.
    fn charge_in_all(
        &mut self,
        now: Now,
        conn: ConnId,
        message: &ClientMessage,
    ) -> Result<(), Failure> {
        if !is_request(message) {
            return Ok(());
        }
        let has_its_price = has_its_price(message);
        if has_its_price {
            self.weigh(now);
        }
        match self.work_bits(now) {
            0 => {}
            bits if has_its_price => self.pay(conn, bits)?,
            _ => return Ok(()),
        }
        let rate = self.config.limits.requests_in_all;
        let taken = self.requests.take(now.monotonic, rate);
        taken.map_err(|retry_after_ms| Failure {
            reason: ErrorReason::Rate,
            retry_after_ms,
        })
    }

    /// Takes a token of the connection and of its address, or says when there will be one.
    fn take_token(
        &mut self,
        now: Millis,
        conn: ConnId,
        message: &ClientMessage,
    ) -> Result<(), u32> {
        match message {
            // Frames are paid for by their bytes.
            ClientMessage::Relay { .. } => Ok(()),
            ClientMessage::Signal { payload, .. } => {
                self.take_signals(now, conn, signal_tokens(payload))
            }
            ClientMessage::Ping {} => self.take_signals(now, conn, 1),
            _ => {
                let limits = self.config.limits;
                let Some(connection) = self.connections.get_mut(&conn) else {
                    return Ok(());
                };
                connection.requests.take(now, limits.requests)?;
                let caller = self.callers.of(connection.address);
                caller.map_or(Ok(()), |caller| {
                    caller.requests.take(now, limits.requests_per_address)
                })
            }
        }
    }

    /// Takes tokens for signals, of the connection and of its address.
    pub(super) fn take_signals(
        &mut self,
        now: Millis,
        conn: ConnId,
        tokens: u32,
    ) -> Result<(), u32> {
        let limits = self.config.limits;
        let Some(connection) = self.connections.get_mut(&conn) else {
            return Ok(());
        };
        connection.signals.take_all(now, limits.signals, tokens)?;
        let caller = self.callers.of(connection.address);
        caller.map_or(Ok(()), |caller| {
            caller
                .signals
                .take_all(now, limits.signals_per_address, tokens)
        })
    }

    /// Makes `tag`, whose secret was shown, reachable through `conn`.
    fn claim(&mut self, now: Now, conn: ConnId, tag: Tag) -> Result<(), Failure> {
        let connection = self.connection(conn)?;
        if connection.tag.is_some_and(|own| own != tag) {
            return Err(ErrorReason::Tag.into());
        }
        connection.tag = Some(tag);
        let known = self.tags.conn(tag);
        let before = self
            .tags
            .claim(now.monotonic, &self.config.limits, tag, conn);
        if known.is_none() {
            self.afar.push(Far::Hear(tag));
        }
        if known != Some(conn) {
            self.tell_claim(now, tag, now.monotonic);
        }
        if let Some(before) = before {
            // The tag is the new connection's by now, so nobody hears that it is gone.
            self.hang_up(now, before, &ErrorReason::Superseded.into());
        }
        Ok(())
    }

    fn join(
        &mut self,
        now: Now,
        conn: ConnId,
        topic: Topic,
        entry: Entry,
        ttl_s: u16,
    ) -> Result<(), Failure> {
        let limits = self.config.limits;
        let topics = &self.connection(conn)?.topics;
        if !topics.contains(&topic) && topics.len() >= usize::from(limits.topics_per_connection) {
            return Err(ErrorReason::Full.into());
        }
        let is_first = self.topics.size(topic) == 0;
        self.topics
            .announce(now.monotonic, &limits, topic, entry, ttl_s)
            .map_err(|_| ErrorReason::Full)?;
        if is_first {
            self.afar.push(Far::Stand(topic));
        }
        self.counts.joins += 1;
        self.connection(conn)?.topics.insert(topic);
        Ok(())
    }

    fn refresh(
        &mut self,
        now: Now,
        conn: ConnId,
        topic: Topic,
        tag: Tag,
        announcement: Option<Announcement>,
        want: u8,
    ) -> Answer {
        self.own_tag(conn, tag)?;
        if !self.topics.refresh(now.monotonic, topic, tag, announcement) {
            return Err(ErrorReason::Tag.into());
        }
        Ok(self.search(conn, topic, Some(tag), want, None))
    }

    fn signal(&mut self, now: Now, conn: ConnId, to: Tag, payload: Payload) -> Answer {
        let from = self.connection(conn)?.tag.ok_or(ErrorReason::Tag)?;
        let delivered = self
            .tags
            .deliver(now.monotonic, &self.config.limits, from, to);
        let reason = match delivered {
            Ok(target) => {
                self.counts.signals += 1;
                self.send(target, &ServerMessage::Delivered { from, payload });
                return Ok(None);
            }
            Err(Undeliverable::Gone) if self.signal_afar(conn, from, to, &payload) => {
                return Ok(None);
            }
            Err(Undeliverable::Gone) => RefusedReason::Gone,
            Err(Undeliverable::Quota) => RefusedReason::Quota,
        };
        self.counts.signals_refused += 1;
        Ok(Some(ServerMessage::Refused { to, reason }))
    }
}
