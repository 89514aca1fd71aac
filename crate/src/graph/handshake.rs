//! Link set-up: two Noise messages over signalling with the descriptions inside, then candidates
//! under the keys, until both ends have confirmed each other on the channel.

use super::link::{Answering, Caller, Link, Remote, Stage};
use super::security::Security;
use super::session::Session;
use super::{Graph, News, Timer};
use crate::crypto::node_of;
use crate::crypto::noise::{self, Keys, Terms};
use crate::engine::context::Context;
use crate::engine::effect::{Effect, Role};
use crate::engine::event::{ConnectionChange, ConnectionStatus, Event};
use crate::error::{Code, Error, Evidence, Stage as Reached};
use crate::limits;
use crate::names::{Attempt, LinkId, NodeAddress, NodeId, SessionKey, Tag};
use crate::wire::codec::{Bytes, List, Wire as _};
use crate::wire::description::{Description, Line};
use crate::wire::link::{
    ByeReason, Frame, Hello, Proof, Purpose, Reply, SessionBytes, Signal, SignalBody, Summary,
    Trickle,
};

/// Signals that came before message 2, at most.
const EARLY_SIGNALS: usize = 32;
/// Candidates of one link and direction, at most.
const CANDIDATES: usize = 64;

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

/// Seals something for beside the channel.
pub fn seal(keys: &mut Keys, attempt: Attempt, trickle: &Trickle) -> Option<Signal> {
    let (counter, sealed) = keys.seal(&trickle.to_bytes())?;
    Some(Signal(SignalBody::Sealed {
        attempt,
        counter,
        sealed: Bytes::new(sealed)?,
    }))
}

impl Graph {
    /// Begins a link. With a verified session the offer goes out in message 1; without, the other
    /// end proves itself first and offers.
    pub fn dial(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        address: NodeAddress,
        session: Option<Session>,
        purpose: Purpose,
        caller: Option<Caller>,
    ) -> LinkId {
        let id = cx.ids.link();
        let node = node_of(cx.crypto, address.session);
        let knows = session.is_some();
        let remote = Remote {
            address,
            node,
            session,
        };
        let mut link = Link::new(id, remote, purpose, Stage::Describing, cx.now.monotonic);
        link.caller = caller;
        link.connection = caller.map(|caller| caller.connection);
        if knows {
            link.with_driver = true;
            cx.effect(self.open_effect(id, Role::Offer));
        }
        self.links.insert(id, link);
        if !knows {
            self.ask(cx, security, id, None);
        }
        self.expect(cx.now, id, limits::ANSWER_TIMEOUT_MS);
        id
    }

    fn open_effect(&self, link: LinkId, role: Role) -> Effect {
        Effect::OpenLink {
            link,
            role,
            ice_servers: self.ice_servers.clone(),
            relay_only: self.relay_only,
        }
    }

    fn prologue(&self, purpose: Purpose, psk_id: &[u8; 8], session: &[u8; 64]) -> Vec<u8> {
        let mut out = b"peer-group/1/link\0".to_vec();
        self.scope.encode(&mut out);
        purpose.encode(&mut out);
        psk_id.encode(&mut out);
        session.encode(&mut out);
        out
    }

    /// Sends message 1.
    fn ask(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        offer: Option<Description>,
    ) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let Some(psk) = security.psk(link.purpose) else {
            return self.fail(cx, id, Code::GroupNotReady.into());
        };
        let known = link.remote.session.as_ref();
        let session_hash = known.map_or([0; 64], |session| session.hash(cx.crypto));
        let prologue = self.prologue(link.purpose, &psk.id, &session_hash);
        let hello = Hello {
            session: session_bytes(&self.own.session),
            proof: Proof::new(security.proof()).unwrap_or_default(),
            time_ms: cx.now.wall,
            nonce: cx.random.bytes(),
            summary: Summary::default(),
            offer,
        };
        let terms = Terms {
            prologue: &prologue,
            psk: &psk.secret,
        };
        let remote = link.remote.key().0;
        let first = noise::initiate(
            cx.crypto,
            cx.random,
            &self.own.secret,
            &remote,
            &terms,
            &hello.to_bytes(),
        );
        let signal = first.and_then(|(initiator, message)| {
            let attempt = Attempt(*message.first_chunk()?);
            Some((initiator, attempt, Bytes::new(message)?))
        });
        let Some((initiator, attempt, noise)) = signal else {
            return self.fail(cx, id, Code::ConnectionNotAuthenticated.into());
        };
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let body = SignalBody::Initiate {
            purpose: link.purpose,
            knows_session: link.remote.session.is_some(),
            psk_id: psk.id,
            noise,
        };
        self.signals
            .push_back((link.remote.address.clone(), Signal(body)));
        link.attempt = attempt;
        link.stage = Stage::Asked(Box::new(initiator));
        self.attempts.insert(attempt, id);
    }

    /// The driver has written our description of a link.
    pub(super) fn link_described(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        sdp: &str,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let offer = match &link.stage {
            Stage::Describing => true,
            Stage::Answering(_) => link.remote_fingerprint.is_none(),
            Stage::Replying => false,
            _ => return,
        };
        let Some(description) = Description::parse(offer, sdp) else {
            let error = Error::new(Code::UnsupportedPlatform)
                .detail("the browser's session description has no data channel section");
            return self.fail(cx, id, error);
        };
        link.local_fingerprint = Some(description.fingerprint);
        match core::mem::replace(&mut link.stage, Stage::Opening) {
            Stage::Describing => {
                link.stage = Stage::Describing;
                self.ask(cx, security, id, Some(description));
            }
            Stage::Answering(answering) => self.accept(cx, security, id, *answering, description),
            Stage::Replying => {
                self.trickle(id, &Trickle::Answer { description });
                self.flush_candidates(id);
                self.expect(cx.now, id, limits::CHANNEL_TIMEOUT_MS);
            }
            stage => link.stage = stage,
        }
    }

    /// Somebody knocks.
    pub(super) fn initiated(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        from: Tag,
        url: &str,
        knock: &Knock<'_>,
    ) {
        let Some(attempt) = knock.noise.first_chunk::<8>().copied() else {
            return;
        };
        if self.seen_set.contains(&attempt) {
            return;
        }
        let Some(secret) = security.psk_named(&knock.psk_id, knock.purpose) else {
            return;
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
        let judged = self.admit(cx, security, knock.purpose, &hello, &session, &address);
        let grant = match judged {
            Ok(grant) => grant,
            Err(error) => return self.refuse(cx, address, attempt, responder, &error),
        };
        self.open_answer(
            cx,
            address,
            session,
            knock.purpose,
            attempt,
            responder,
            grant,
            hello.offer,
        );
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
        if session.body.key != address.session {
            return Err(Error::new(Code::ConnectionNotAuthenticated)
                .detail("the session is of another key"));
        }
        let node = session.node(cx.crypto);
        if node == self.own.node {
            return Err(Code::ConnectSelf.into());
        }
        let clock = security.clock(cx.now);
        session.verify(cx.crypto, self.scope, &clock)?;
        security.judge(cx, session, &hello.proof, purpose)?;
        self.make_room(cx, node, purpose)?;
        if purpose == Purpose::Join {
            let grant = security.grant(cx, session, &hello.proof)?;
            self.news.push_back(News::Changed);
            return Ok(grant);
        }
        Ok(Vec::new())
    }

    /// Makes room for a link to `node`, or says why there is none. When both ends dial at once the
    /// attempt of the lower node wins: node ids are proved by the handshake, tags are only the
    /// server's word.
    fn make_room(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeId,
        purpose: Purpose,
    ) -> Result<(), Error> {
        let ours: Vec<(LinkId, bool)> = self
            .links
            .values()
            .filter(|link| link.remote.node == node)
            .map(|link| (link.id, link.is_open()))
            .collect();
        // An attempt whose message 1 has not left yet yields to one that has arrived.
        let glare = self
            .links
            .values()
            .any(|link| link.remote.node == node && matches!(link.stage, Stage::Asked(_)));
        if glare && self.own.node < node {
            return Err(Error::new(Code::AlreadyExists).detail("both sides dialed at once"));
        }
        if ours.is_empty() {
            let half_open = self
                .links
                .values()
                .filter(|l| !l.initiator && !l.is_open())
                .count();
            let neighbors = self
                .links
                .values()
                .filter(|l| l.purpose != Purpose::Direct)
                .count();
            let full = match purpose {
                Purpose::Direct => self.links.len() >= limits::PEER_CONNECTIONS,
                _ => neighbors >= limits::NEIGHBORS,
            };
            if half_open >= limits::HALF_OPEN_LINKS || full {
                return Err(Error::new(Code::ConnectionRefused).detail("the node is full"));
            }
        }
        for (id, open) in ours {
            if open {
                let error = Error::new(Code::ConnectionFailed).detail("a newer link replaced it");
                self.close_link(cx, id, ByeReason::Replaced, &error);
            } else {
                self.superseded.extend(
                    self.links
                        .get(&id)
                        .and_then(|link| link.caller.map(|caller| (node, caller))),
                );
                self.drop_quietly(cx, id);
            }
        }
        Ok(())
    }

    /// Forgets a link on its way up in favor of another one to the same node.
    fn drop_quietly(&mut self, cx: &mut Context<'_>, id: LinkId) {
        if let Some(link) = self.remove(id).filter(|link| link.with_driver) {
            cx.effect(Effect::CloseLink { link: link.id });
        }
    }

    fn refuse(
        &mut self,
        cx: &mut Context<'_>,
        address: NodeAddress,
        attempt: Attempt,
        responder: noise::Responder,
        error: &Error,
    ) {
        let alternatives = match error.code {
            Code::ConnectionRefused => self
                .links
                .values()
                .filter(|link| link.is_neighbor())
                .map(|link| link.remote.address.clone())
                .collect(),
            _ => Vec::new(),
        };
        let reply = Reply::Refuse {
            code: error.code.number(),
            time_ms: cx.now.wall,
            alternatives: List::first(alternatives),
        };
        self.answer_with(address, attempt, responder, &reply);
    }

    fn answer_with(
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

    #[allow(clippy::too_many_arguments)] // The parts of one message 1, each used once.
    fn open_answer(
        &mut self,
        cx: &mut Context<'_>,
        address: NodeAddress,
        session: Session,
        purpose: Purpose,
        attempt: Attempt,
        responder: noise::Responder,
        grant: Vec<u8>,
        offer: Option<Description>,
    ) {
        let id = cx.ids.link();
        let node = session.node(cx.crypto);
        let remote = Remote {
            address,
            node,
            session: Some(session),
        };
        let answering = Answering {
            responder,
            grant,
            attempt,
        };
        let stage = Stage::Answering(Box::new(answering));
        let mut link = Link::new(id, remote, purpose, stage, cx.now.monotonic);
        link.initiator = false;
        link.with_driver = true;
        link.attempt = attempt;
        if let Some(at) = self.superseded.iter().position(|(of, _)| *of == node) {
            let (_, caller) = self.superseded.remove(at);
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

    /// Sends message 2 with our description.
    fn accept(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        answering: Answering,
        description: Description,
    ) {
        let offered = description.offer;
        let Some(address) = self.links.get(&id).map(|link| link.remote.address.clone()) else {
            return;
        };
        let reply = Reply::Accept {
            session: session_bytes(&self.own.session),
            proof: Proof::new(security.proof()).unwrap_or_default(),
            grant: Bytes::new(answering.grant).unwrap_or_default(),
            summary: Summary::default(),
            description,
        };
        let keys = self.answer_with(address, answering.attempt, answering.responder, &reply);
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
    }

    /// Message 2 came.
    pub(super) fn handshake_answered(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        noise: &[u8],
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Stage::Asked(initiator) = &mut link.stage else {
            return;
        };
        let Some((payload, keys)) = initiator.finish(noise) else {
            // Somebody on the way may have made it up: the true answer may still come.
            link.tampered = true;
            return;
        };
        link.keys = Some(keys);
        link.stage = Stage::Opening;
        match Reply::from_bytes(&payload) {
            Ok(Reply::Refuse {
                code,
                time_ms,
                alternatives,
            }) => {
                let offset = i64::try_from(cx.now.wall)
                    .unwrap_or(0)
                    .saturating_sub(i64::try_from(time_ms).unwrap_or(0));
                self.refused(cx, security, id, code, offset, alternatives.into_vec());
            }
            Ok(Reply::Accept {
                session,
                proof,
                grant,
                description,
                ..
            }) => {
                let accepted = Session::from_bytes(&session)
                    .map_err(|_| Error::new(Code::ConnectionNotAuthenticated))
                    .and_then(|session| self.accepted(cx, security, id, session, &proof, &grant));
                match accepted {
                    Ok(()) => self.describe_remote(cx, id, &description),
                    Err(error) => self.fail(cx, id, error),
                }
            }
            Err(_) => self.fail(cx, id, Code::UnsupportedVersion.into()),
        }
    }

    /// Verifies whoever answered, and takes what we got.
    fn accepted(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        session: Session,
        proof: &[u8],
        grant: &[u8],
    ) -> Result<(), Error> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let wanted = link.caller.and_then(|caller| caller.peer);
        if session.body.key != link.remote.key()
            || wanted.is_some_and(|peer| peer != session.body.peer)
        {
            return Err(
                Error::new(Code::ConnectionNotAuthenticated).detail("somebody else answered")
            );
        }
        let purpose = link.purpose;
        let clock = security.clock(cx.now);
        session.verify(cx.crypto, self.scope, &clock)?;
        // The one who answers must be a member, also when we stand at the door.
        security.judge(cx, &session, proof, Purpose::Neighbor)?;
        if purpose == Purpose::Join {
            security.accept(cx, grant)?;
            self.news.push_back(News::Changed);
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.remote.session = Some(session);
        }
        Ok(())
    }

    /// Takes the description in message 2: the answer to our offer, or an offer.
    fn describe_remote(&mut self, cx: &mut Context<'_>, id: LinkId, description: &Description) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if description.offer == link.with_driver {
            return self.fail(cx, id, Code::ConnectionNotAuthenticated.into());
        }
        let remote = description.to_sdp();
        if description.offer {
            link.with_driver = true;
            link.stage = Stage::Replying;
            let effect = self.open_effect(id, Role::Answer { remote });
            cx.effect(effect);
        } else {
            cx.effect(Effect::AnswerLink { link: id, remote });
        }
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.described(cx, description);
        let early = core::mem::take(&mut link.early);
        if !description.offer {
            self.flush_candidates(id);
        }
        self.expect(cx.now, id, limits::CHANNEL_TIMEOUT_MS);
        for (counter, sealed) in early {
            self.sealed(cx, id, counter, &sealed);
        }
    }

    /// The other end will not have us; it may know others.
    fn refused(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        code: u16,
        offset_ms: i64,
        alternatives: Vec<NodeAddress>,
    ) {
        let code = Code::from_number(code).unwrap_or(Code::ConnectionRefused);
        let mut evidence = Evidence::at(Reached::Handshake);
        if code == Code::ClockSkew {
            evidence.clock_offset_ms = Some(security.clock(cx.now).offset_ms.unwrap_or(offset_ms));
        }
        let error = Error::new(code)
            .detail("the other side refused")
            .evidence(evidence);
        let caller = self.links.get(&id).and_then(|link| link.caller);
        let next = caller.filter(|c| c.peer.is_none() && code == Code::ConnectionRefused);
        let other = alternatives.into_iter().find(|address| {
            let node = node_of(cx.crypto, address.session);
            node != self.own.node && !self.links.values().any(|l| l.remote.node == node)
        });
        let (Some(caller), Some(address)) = (next, other) else {
            return self.fail(cx, id, error);
        };
        // A referral: the app sees the hop, its call goes on with the next attempt.
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.caller = None;
        link.connection = None;
        let next = Caller {
            connection: cx.ids.connection(),
            ..caller
        };
        let change = ConnectionChange {
            status: ConnectionStatus::Failed,
            connection: caller.connection,
            node_id: Some(link.remote.node),
            peer: link.remote.peer(),
            next: Some(next.connection),
            reason: Some(error.clone()),
            incoming: false,
            label: String::new(),
        };
        cx.event(Event::NeighborConnection {
            node: cx.node,
            change: Box::new(change),
        });
        self.fail(cx, id, error);
        self.dial(cx, security, address, None, Purpose::Neighbor, Some(next));
    }

    /// The driver found a candidate.
    pub(super) fn candidate(&mut self, _cx: &mut Context<'_>, id: LinkId, candidate: &str) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(line) = Line::new(candidate) else {
            return;
        };
        if link.candidates_out.len() < CANDIDATES {
            link.candidates_out.push(line);
        }
        self.flush_candidates(id);
    }

    /// Sends candidates, once there are keys and the other end has our description.
    fn flush_candidates(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.keys.is_none() || matches!(link.stage, Stage::Replying) {
            return;
        }
        for candidate in core::mem::take(&mut link.candidates_out) {
            self.trickle(id, &Trickle::Candidate { candidate });
        }
    }

    fn trickle(&mut self, id: LinkId, trickle: &Trickle) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let attempt = link.attempt;
        let signal = link
            .keys
            .as_mut()
            .and_then(|keys| seal(keys, attempt, trickle));
        self.signals
            .extend(signal.map(|signal| (link.remote.address.clone(), signal)));
    }

    /// Something sealed came beside the channel.
    pub(super) fn sealed(&mut self, cx: &mut Context<'_>, id: LinkId, counter: u64, sealed: &[u8]) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(keys) = link.keys.as_mut() else {
            if link.early.len() < EARLY_SIGNALS {
                link.early.push((counter, sealed.to_vec()));
            }
            return;
        };
        let Some(plain) = keys.open(counter, sealed) else {
            return;
        };
        match Trickle::from_bytes(&plain) {
            Ok(Trickle::Candidate { candidate }) => {
                let waits = link.remote_fingerprint.is_none();
                if !waits {
                    let candidate = candidate.as_str().to_owned();
                    cx.effect(Effect::AddCandidate {
                        link: id,
                        candidate,
                    });
                } else if link.candidates_in.len() < CANDIDATES {
                    link.candidates_in.push(candidate);
                }
            }
            Ok(Trickle::Answer { description }) if matches!(link.stage, Stage::Offered) => {
                link.stage = Stage::Opening;
                cx.effect(Effect::AnswerLink {
                    link: id,
                    remote: description.to_sdp(),
                });
                link.described(cx, &description);
            }
            Ok(Trickle::Abandon { code }) => {
                let code = Code::from_number(code).unwrap_or(Code::ConnectionFailed);
                let code = if code == Code::Aborted {
                    Code::ConnectionFailed
                } else {
                    code
                };
                let error = Error::new(code)
                    .detail("the other side gave up")
                    .at(link.reached());
                self.fail(cx, id, error);
            }
            _ => {}
        }
    }

    /// The channels are open: say who we are.
    pub(super) fn link_opened(&mut self, cx: &mut Context<'_>, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if !matches!(link.stage, Stage::Opening) {
            return;
        }
        link.stage = Stage::Confirming;
        link.send_confirm(cx);
        self.timers.arm(
            Timer::Confirm(id),
            cx.now.monotonic + limits::CONFIRM_REPEAT_MS,
        );
    }

    /// The first frame came.
    pub(super) fn confirmed(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        counter: u64,
        sealed: &[u8],
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if !matches!(link.stage, Stage::Opening | Stage::Confirming) {
            return;
        }
        if !link.confirms(counter, sealed) {
            let error = Error::new(Code::ConnectionNotAuthenticated)
                .detail("the channel leads to somebody else")
                .at(Reached::Channel);
            return self.fail(cx, id, error);
        }
        // Ours may not have left yet when theirs is first.
        link.send_confirm(cx);
        link.stage = Stage::Open;
        link.opened_at = cx.now.wall;
        self.timers.disarm(&Timer::Link(id));
        self.timers.arm(
            Timer::Confirm(id),
            cx.now.monotonic + limits::CONFIRM_REPEAT_MS,
        );
        self.link_is_open(cx, security, id);
    }

    /// Everything that waited for a link goes on.
    fn link_is_open(&mut self, cx: &mut Context<'_>, security: &mut dyn Security, id: LinkId) {
        self.probe(cx, id);
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let node = link.remote.node;
        let neighbor = link.purpose != Purpose::Direct;
        if neighbor {
            let connection = *link.connection.get_or_insert_with(|| cx.ids.connection());
            let change = ConnectionChange {
                status: ConnectionStatus::Connected,
                connection,
                node_id: Some(node),
                peer: link.remote.peer(),
                next: None,
                reason: None,
                incoming: !link.initiator,
                label: String::new(),
            };
            cx.event(Event::NeighborConnection {
                node: cx.node,
                change: Box::new(change),
            });
            let mut items = security
                .control()
                .into_iter()
                .filter_map(Bytes::new)
                .peekable();
            while items.peek().is_some() {
                let some: Vec<_> = items
                    .by_ref()
                    .take(limits::CONTROL_ITEMS_PER_FRAME)
                    .collect();
                link.send(
                    cx,
                    Frame::Control {
                        items: List::first(some),
                    },
                );
            }
            link.send(cx, Frame::ControlEnd {});
            self.news.push_back(News::Linked);
        }
        if let Some(caller) = link.caller.take() {
            let kind = crate::names::ConnectionKind::Neighbor;
            if let Some(info) = super::link_info(link, kind, caller.connection) {
                cx.answer(caller.request, super::connected(info));
            }
        }
        self.overlay.linked(node);
        self.open_waiting_directs(cx, id);
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

fn session_bytes(session: &Session) -> SessionBytes {
    SessionBytes::new(session.to_bytes()).unwrap_or_default()
}
