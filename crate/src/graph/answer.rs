//! Link set-up, answering: who knocks, whether it may, and message 2.

use super::handshake::session_bytes;
use super::link::{Answering, Caller, Link, Remote, Stage};
use super::password::Arrival;
use super::security::Security;
use super::session::Session;
use super::{Graph, News};
use crate::crypto::noise::{self, Keys, Terms};
use crate::engine::context::Context;
use crate::engine::effect::{Effect, Role};
use crate::error::{Code, Error};
use crate::limits;
use crate::names::{Attempt, LinkId, NodeAddress, NodeId, PeerId, SessionKey, Tag};
use crate::wire::codec::{Bytes, List, Wire as _};
use crate::wire::description::Description;
use crate::wire::link::{Hello, Proof, Purpose, Reply, Signal, SignalBody};

/// Somebody's message 1.
pub struct Knock<'a> {
    /// What for.
    pub purpose: Purpose,
    /// It was written knowing our session.
    pub knows_session: bool,
    /// Which secret it is keyed with.
    pub psk_id: [u8; 8],
    /// Noise message 1.
    pub noise: &'a [u8],
}

/// Why somebody is not let in.
pub(super) struct Refusal {
    pub(super) error: Error,
    /// Others to try.
    pub(super) alternatives: Vec<NodeAddress>,
    /// Control items that prove it.
    pub(super) why: Vec<Vec<u8>>,
}

impl Graph {
    /// Somebody knocks.
    pub(super) fn initiated(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        from: Tag,
        url: &str,
        knock: &Knock<'_>,
    ) {
        let half_open = self
            .links
            .values()
            .filter(|l| !l.initiator && !l.is_open())
            .count();
        if half_open >= limits::HALF_OPEN_LINKS {
            return;
        }
        let Some(attempt) = knock.noise.first_chunk::<8>().copied() else {
            return;
        };
        if self.seen_set.contains(&attempt) {
            return;
        }
        let Some(secret) = security.psk_named(&knock.psk_id, knock.purpose, cx.now) else {
            self.remember(attempt);
            return self.hint(from, url, Attempt(attempt));
        };
        let session_hash = if knock.knows_session {
            self.own.session.hash(cx.crypto)
        } else {
            [0; 64]
        };
        let prologue = self.prologue(knock.purpose, &knock.psk_id, &session_hash);
        let terms = Terms {
            prologue: &prologue,
            psk: &secret,
        };
        let read = noise::respond(cx.crypto, cx.random, &self.own.secret, &terms, knock.noise);
        let Some((payload, responder)) = read else {
            return;
        };
        self.remember(attempt);
        let Ok(hello) = Hello::from_bytes(&payload) else {
            return;
        };
        let Ok(session) = Session::from_bytes(&hello.session) else {
            return;
        };
        let address = NodeAddress {
            rendezvous: vec![url.to_owned()],
            tags: vec![from],
            session: SessionKey(responder.remote),
        };
        let attempt = Attempt(attempt);
        if knock.purpose == Purpose::Password {
            let arrival = Arrival {
                address,
                attempt,
                responder,
                hello,
                session,
            };
            return self.guest_came(cx, security, arrival);
        }
        let judged = self.admit(cx, security, knock.purpose, &hello, &session, &address);
        let grant = match judged {
            Ok(grant) => grant,
            Err(error) => {
                let refusal = self.refusal(security, session.body.peer, error);
                return self.refuse(cx, address, attempt, responder, refusal);
            }
        };
        let answering = Answering {
            responder,
            grant,
            psk: secret,
            nonce: hello.nonce,
            holds: hello.holds,
        };
        let remote = Remote {
            address,
            node: session.node(cx.crypto),
            session: Some(session),
        };
        self.open_answer(cx, remote, knock.purpose, attempt, answering, hello.offer);
    }

    /// Says that a secret is not known here: who knocks may have slept, and should come by the door.
    fn hint(&mut self, from: Tag, url: &str, attempt: Attempt) {
        if self.newcomer {
            return;
        }
        let address = NodeAddress {
            rendezvous: vec![url.to_owned()],
            tags: vec![from],
            session: SessionKey([0; 32]),
        };
        let signal = Signal(SignalBody::Unknown { attempt });
        self.signals.push_back((address, signal));
    }

    /// Decides about somebody who knocks: what it gets, or why not.
    fn admit(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        purpose: Purpose,
        hello: &Hello,
        session: &Session,
        address: &NodeAddress,
    ) -> Result<Vec<u8>, Error> {
        self.is_itself(cx, security, session, address)?;
        let node = session.node(cx.crypto);
        security.judge(cx, session, &hello.proof, purpose)?;
        self.make_room(cx, node, session.body.peer, purpose)?;
        if purpose.is_at_door() {
            let grant = security.grant(cx, session, &hello.proof)?;
            self.news.push_back(News::Changed);
            return Ok(grant);
        }
        Ok(Vec::new())
    }

    /// Whether somebody who knocks is who its session says, and nobody whom we keep away.
    pub(super) fn is_itself(
        &self,
        cx: &Context<'_>,
        security: &dyn Security,
        session: &Session,
        address: &NodeAddress,
    ) -> Result<(), Error> {
        if session.body.key != address.session {
            return Err(Error::new(Code::ConnectionNotAuthenticated)
                .detail("the session is of another key"));
        }
        let node = session.node(cx.crypto);
        if node == self.own.node {
            return Err(Code::ConnectSelf.into());
        }
        if self
            .overlay
            .is_banned(cx.now.monotonic, node, Some(session.body.peer))
        {
            return Err(Error::new(Code::ConnectionRefused).detail("the node broke a rule"));
        }
        let clock = security.clock(cx.now);
        session.verify(cx.crypto, self.scope, &clock)
    }

    /// Makes room for a link to `node`, or says why there is none. When both ends dial at once the
    /// attempt of the lower node wins: node ids are proved by the handshake, tags are only the
    /// server's word. A link that is open stays until the new one has proved itself too: message 1
    /// may be an old one that a server has kept.
    fn make_room(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeId,
        peer: PeerId,
        purpose: Purpose,
    ) -> Result<(), Error> {
        let linked = self.links.values().any(|link| link.is_like(node, purpose));
        // Our own dials, and older knocks: whoever knocks again has given those up.
        let under_way: Vec<LinkId> = self
            .links
            .values()
            .filter(|link| link.is_like(node, purpose) && !link.is_open())
            .map(|link| link.id)
            .collect();
        // An attempt whose message 1 has not left yet yields to one that has arrived.
        let glare = self
            .links
            .values()
            .any(|link| link.is_like(node, purpose) && matches!(link.stage, Stage::Asked(_)));
        if glare && self.own.node < node {
            return Err(Error::new(Code::AlreadyExists).detail("both sides dialed at once"));
        }
        if !linked {
            let (neighbors, _) = self.room();
            let full = match purpose {
                Purpose::Direct => self.links.len() >= limits::PEER_CONNECTIONS,
                Purpose::Neighbor => neighbors >= limits::NEIGHBORS,
                // Perhaps nobody else can let it in: there is a place for a while, one for each.
                Purpose::Join | Purpose::Return | Purpose::Password => {
                    let links = &mut self.links.values();
                    let full = neighbors >= limits::NEIGHBORS;
                    neighbors >= limits::NEIGHBORS + limits::NEWCOMERS
                        || (full && links.any(|link| link.remote.peer() == Some(peer)))
                }
            };
            if full {
                return Err(Error::new(Code::ConnectionRefused).detail("the node is full"));
            }
        }
        for id in under_way {
            let caller = self.links.get(&id).and_then(|link| link.caller);
            self.superseded
                .retain(|(_, caller)| cx.requests.is_pending(caller.request));
            self.superseded.extend(caller.map(|caller| (node, caller)));
            self.drop_quietly(cx, id);
        }
        Ok(())
    }

    /// Forgets a link on its way up in favor of another one to the same node.
    pub(super) fn drop_quietly(&mut self, cx: &mut Context<'_>, id: LinkId) {
        if let Some(link) = self.remove(id).filter(|link| link.with_driver) {
            cx.effect(Effect::CloseLink { link: link.id });
        }
    }

    pub(super) fn refuse(
        &mut self,
        cx: &Context<'_>,
        address: NodeAddress,
        attempt: Attempt,
        responder: noise::Responder,
        refusal: Refusal,
    ) {
        let reply = Reply::Refuse {
            code: refusal.error.code.number(),
            time_ms: cx.now.wall,
            alternatives: List::first(refusal.alternatives),
            why: fitting(refusal.why),
        };
        self.answer_with(address, attempt, responder, &reply);
    }

    /// What somebody is told whom we do not let in: others who may, or why nobody does.
    pub(super) fn refusal(
        &self,
        security: &mut dyn Security,
        peer: PeerId,
        error: Error,
    ) -> Refusal {
        let neighbors = self.links.values().filter(|link| link.is_neighbor());
        let alternatives = match error.code {
            Code::ConnectionRefused => neighbors.map(|link| link.remote.address.clone()).collect(),
            _ => Vec::new(),
        };
        let is_out = matches!(
            error.code,
            Code::CredentialRevoked | Code::InvitationRevoked | Code::InvitationUsedUp
        );
        let why = if is_out {
            security.farewell(peer)
        } else {
            Vec::new()
        };
        Refusal {
            error,
            alternatives,
            why,
        }
    }

    pub(super) fn answer_with(
        &mut self,
        address: NodeAddress,
        attempt: Attempt,
        responder: noise::Responder,
        reply: &Reply,
    ) -> Option<Keys> {
        let (message, keys) = responder.answer(&reply.to_bytes())?;
        let body = SignalBody::Answer {
            attempt,
            noise: Bytes::new(message)?,
        };
        self.signals.push_back((address, Signal(body)));
        Some(keys)
    }

    fn open_answer(
        &mut self,
        cx: &mut Context<'_>,
        remote: Remote,
        purpose: Purpose,
        attempt: Attempt,
        answering: Answering,
        offer: Option<Description>,
    ) {
        let id = cx.ids.link();
        let node = remote.node;
        let stage = Stage::Answering(Box::new(answering));
        let mut link = Link::new(id, remote, purpose, stage, cx.now.monotonic);
        link.initiator = false;
        link.with_driver = true;
        link.relay_only = self.relay_only;
        link.has_turn = self.has_turn();
        link.attempt = attempt;
        if let Some(caller) = self.superseded_caller(cx, node, link.remote.peer()) {
            link.connection = Some(caller.connection);
            link.caller = Some(caller);
        }
        let role = match offer {
            Some(offer) => {
                link.remote_fingerprint = Some(offer.fingerprint);
                Role::Answer {
                    remote: offer.to_sdp(),
                }
            }
            None => Role::Offer,
        };
        cx.effect(self.open_effect(id, role));
        self.links.insert(id, link);
        self.attempts.insert(attempt, id);
        self.expect(cx.now, id, limits::ANSWER_TIMEOUT_MS);
    }

    /// The call whose own attempt gave way to this one, if this is whom it asked for.
    fn superseded_caller(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeId,
        peer: Option<PeerId>,
    ) -> Option<Caller> {
        self.superseded
            .retain(|(_, caller)| cx.requests.is_pending(caller.request));
        let at = self.superseded.iter().position(|(of, _)| *of == node)?;
        let (_, caller) = self.superseded.remove(at);
        if caller.peer.is_none_or(|wanted| Some(wanted) == peer) {
            return Some(caller);
        }
        let error = Error::new(Code::ConnectionNotAuthenticated).detail("somebody else answered");
        caller.failed(cx, node, peer, None, &error);
        cx.answer(caller.request, Err(error));
        None
    }

    /// Sends message 2 with our description.
    pub(super) fn accept(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        answering: Answering,
        description: Description,
    ) {
        let offered = description.offer;
        let Some((address, attempt)) = self
            .links
            .get(&id)
            .map(|link| (link.remote.address.clone(), link.attempt))
        else {
            return;
        };
        let Answering {
            responder,
            grant,
            psk,
            nonce,
            holds,
        } = answering;
        let compared = self.answer_digests(cx, security, id, &psk, &nonce, holds);
        let reply = Reply::Accept {
            session: session_bytes(&self.own.session),
            proof: Proof::new(security.proof()).unwrap_or_default(),
            grant: Bytes::new(grant).unwrap_or_default(),
            compared,
            description,
        };
        let keys = self.answer_with(address, attempt, responder, &reply);
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.keys = keys;
        link.stage = if offered {
            Stage::Offered
        } else {
            Stage::Opening
        };
        self.flush_candidates(id);
        self.expect(cx.now, id, limits::CHANNEL_TIMEOUT_MS);
        if !offered {
            self.await_channel(cx, id);
        }
    }

    /// Remembers the first bytes of a message 1, so that it is read once.
    fn remember(&mut self, attempt: [u8; 8]) {
        self.seen.push_back(attempt);
        self.seen_set.insert(attempt);
        if self.seen.len() > limits::REMEMBERED_ATTEMPTS
            && let Some(old) = self.seen.pop_front()
        {
            self.seen_set.remove(&old);
        }
    }
}

/// As much as a signal has room for.
fn fitting<const MAX: usize>(
    items: Vec<Vec<u8>>,
) -> List<Bytes<{ limits::CONTROL_ITEM_BYTES }>, MAX> {
    let mut room = limits::SIGNAL_BYTES / 2;
    let items = items.into_iter().take_while(|item| {
        let fits = item.len() <= room;
        room = room.saturating_sub(item.len());
        fits
    });
    List::first(items.filter_map(Bytes::new).collect())
}
