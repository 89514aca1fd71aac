//! Link set-up, asking: message 1 with our description, and what becomes of message 2.

use super::link::{Caller, Link, Remote, Stage};
use super::security::{Absorbed, Security};
use super::session::Session;
use super::{Graph, News};
use crate::crypto::node_of;
use crate::crypto::noise::{self, Terms};
use crate::engine::context::Context;
use crate::engine::effect::{Effect, Role};
use crate::error::{Code, Error, Evidence, Stage as Reached};
use crate::limits;
use crate::names::{Attempt, LinkId, NodeAddress};
use crate::wire::codec::{Bytes, Wire as _};
use crate::wire::description::Description;
use crate::wire::link::{Hello, Proof, Purpose, Reply, SessionBytes, Signal, SignalBody, Trickle};

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
        // Who asks with a password describes nothing: it has to be let in first.
        let knows = session.is_some() && purpose != Purpose::Password;
        let remote = Remote {
            address,
            node,
            session,
        };
        let mut link = Link::new(id, remote, purpose, Stage::Describing, cx.now.monotonic);
        link.relay_only = self.relay_only;
        link.has_turn = self.has_turn();
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

    pub(super) fn open_effect(&self, link: LinkId, role: Role) -> Effect {
        Effect::OpenLink {
            link,
            role,
            ice_servers: self.ice_servers.clone(),
            relay_only: self.relay_only,
        }
    }

    /// Whether there is a TURN server to use.
    #[must_use]
    pub fn has_turn(&self) -> bool {
        let mut urls = self.ice_servers.iter().flat_map(|server| &server.urls);
        urls.any(|url| url.starts_with("turn"))
    }

    pub(super) fn prologue(
        &self,
        purpose: Purpose,
        psk_id: &[u8; 8],
        session: &[u8; 64],
    ) -> Vec<u8> {
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
        let nonce = cx.random.bytes();
        let (holds, proof) = if link.purpose == Purpose::Password {
            let answerer = link.remote.key();
            let asked = self.password_asked(cx, security, answerer, &nonce);
            let Some(asked) = asked else {
                return self.fail(cx, id, Code::Aborted.into());
            };
            (None, asked)
        } else {
            let holds = self.tell_digests(cx, security, id, &psk.secret, &nonce);
            (holds, security.proof())
        };
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let hello = Hello {
            session: session_bytes(&self.own.session),
            proof: Proof::new(proof).unwrap_or_default(),
            time_ms: cx.now.wall,
            nonce,
            holds,
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
                self.await_channel(cx, id);
            }
            stage => link.stage = stage,
        }
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
        let purpose = link.purpose;
        match Reply::from_bytes(&payload) {
            Ok(Reply::Refuse {
                code,
                time_ms,
                alternatives,
                why,
            }) => {
                let why: Vec<&[u8]> = why.iter().map(|item| &**item).collect();
                if security.absorb(cx, &why) == Absorbed::Bad {
                    let error = Error::new(Code::ConnectionNotAuthenticated);
                    return self.fail(cx, id, error.detail("it told what nobody signed"));
                }
                let offset = i64::try_from(cx.now.wall)
                    .unwrap_or(0)
                    .saturating_sub(i64::try_from(time_ms).unwrap_or(0));
                self.refused(cx, security, id, code, offset, alternatives.into_vec());
            }
            Ok(Reply::Challenge {
                session,
                proof,
                said,
            }) => self.challenged(cx, security, id, &session, &proof, &said),
            Ok(Reply::Accept {
                session,
                proof,
                grant,
                compared,
                description,
            }) if purpose != Purpose::Password => {
                self.digests_answered(id, compared);
                let accepted = Session::from_bytes(&session)
                    .map_err(|_| Error::new(Code::ConnectionNotAuthenticated))
                    .and_then(|session| self.accepted(cx, security, id, session, &proof, &grant));
                match accepted {
                    Ok(()) => self.describe_remote(cx, security, id, &description),
                    Err(error) => self.fail(cx, id, error),
                }
            }
            _ => self.fail(cx, id, Code::UnsupportedVersion.into()),
        }
    }

    /// Somebody says that the secret of our message 1 is not known there.
    pub(super) fn unknown_there(&mut self, cx: &mut Context<'_>, id: LinkId) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        if !matches!(link.stage, Stage::Asked(_)) {
            return;
        }
        let (node, purpose) = (link.remote.node, link.purpose);
        // With the secret of the door first: what we show counts there. Where the door is another one
        // too, only those come in who are known.
        let next = match purpose {
            Purpose::Neighbor | Purpose::Direct => Some(Purpose::Join),
            Purpose::Join if !self.newcomer => Some(Purpose::Return),
            _ => None,
        };
        let error = match next {
            None if self.newcomer => Error::new(Code::InvitationRevoked)
                .detail("the group has voided the invitations that were out: ask for a new one"),
            _ => Error::new(Code::ConnectionFailed).detail("the other side has another secret"),
        };
        self.fail(cx, id, error.at(Reached::Handshake));
        if let Some(next) = next {
            self.overlay.returns(cx.now.monotonic, node, next);
            self.plan(cx);
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
        if purpose.is_at_door() {
            security.accept(cx, grant)?;
            self.news.push_back(News::Changed);
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.remote.session = Some(session);
        }
        Ok(())
    }

    /// Takes the description in message 2: the answer to our offer, or an offer.
    fn describe_remote(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        description: &Description,
    ) {
        let has_turn = self.has_turn();
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if description.offer == link.with_driver {
            return self.fail(cx, id, Code::ConnectionNotAuthenticated.into());
        }
        let remote = description.to_sdp();
        if description.offer {
            link.with_driver = true;
            link.has_turn = has_turn;
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
        self.expect(cx.now, id, limits::CHANNEL_TIMEOUT_MS);
        if !description.offer {
            self.flush_candidates(id);
            self.await_channel(cx, id);
        }
        for (counter, sealed) in early {
            self.sealed(cx, security, id, counter, &sealed);
        }
    }

    /// The other end will not have us; it may know others.
    pub(super) fn refused(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        code: u16,
        offset_ms: i64,
        alternatives: Vec<NodeAddress>,
    ) {
        // Nobody says that of a password without having asked for its proof.
        let code = Code::from_number(code).filter(|code| *code != Code::WrongPassword);
        let code = code.unwrap_or(Code::ConnectionRefused);
        let mut evidence = Evidence::at(Reached::Handshake);
        if code == Code::ClockSkew {
            evidence.clock_offset_ms = Some(security.clock(cx.now).offset_ms.unwrap_or(offset_ms));
        }
        let error = Error::new(code)
            .detail("the other side refused")
            .evidence(evidence);
        let caller = self.links.get(&id).and_then(|link| link.caller);
        let full = code == Code::ConnectionRefused;
        let entry = self.links.get(&id).map(|link| link.purpose);
        let passed_on = code == Code::NotAuthorized && entry == Some(Purpose::Password);
        if (full || passed_on) && caller.is_none() {
            for address in alternatives {
                self.learn(cx, address, None);
            }
            let link = self.links.get(&id);
            if link.is_some_and(|link| link.purpose == Purpose::Neighbor) {
                self.open_elsewhere(cx, security, id);
            }
            return self.fail(cx, id, error);
        }
        let next = caller.filter(|c| c.peer.is_none() && full);
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
        let (node, peer) = (link.remote.node, link.remote.peer());
        caller.failed(cx, node, peer, Some(next.connection), &error);
        self.fail(cx, id, error);
        self.dial(cx, security, address, None, Purpose::Neighbor, Some(next));
    }
}

pub(super) fn session_bytes(session: &Session) -> SessionBytes {
    SessionBytes::new(session.to_bytes()).unwrap_or_default()
}
