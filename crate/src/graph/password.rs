//! Coming in by a password: what travels, when, and between whom. What it means is its security's
//! business ([`Passwords`]).
//!
//! ```text
//! joiner                                                 answerer
//!   Initiate{Password}: session, its share ───────────────▶  one run at a time
//!   ◀───────────── Challenge: session, chain, its share
//!   who answers is a member, by its chain
//!   Proof ────────────────────────────────────────────────▶  wrong: counted, then refused
//!   ◀──────────────── Admitted: its proof, a membership
//!   knocks at the door like every member
//! ```

use super::link::{Link, Stage};
use super::opening::seal;
use super::security::Security;
use super::session::Session;
use super::{Graph, News, Timer};
use crate::crypto::noise::{Keys, Responder};
use crate::crypto::pake::Party;
use crate::engine::context::Context;
use crate::error::{Code, Error};
use crate::limits;
use crate::names::{Attempt, LinkId, NodeAddress, PeerId, SessionKey};
use crate::wire::codec::{Bytes, Wire as _};
use crate::wire::link::{Hello, Proof, Purpose, Reply, Trickle};

/// Names a run of the exchange among all others.
pub type RunId = [u8; 64];

/// Wrong passwords of the last hour that were written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Guesses {
    /// At this member.
    pub own: usize,
    /// At the others.
    pub others: usize,
}

/// What a security does that lets people in by a password.
pub trait Passwords {
    /// Joining: what message 1 shows to whoever holds that session, if there is anything to ask with.
    fn ask(
        &mut self,
        cx: &mut Context<'_>,
        run: &RunId,
        own: Party,
        answerer: SessionKey,
    ) -> Option<Vec<u8>>;
    /// Joining: the proof to send to a member who answered, or why there is none.
    fn prove(
        &mut self,
        cx: &mut Context<'_>,
        answerer: &Session,
        chain: &[u8],
        said: &[u8],
        handshake: &[u8; 64],
    ) -> Result<[u8; 32], Error>;
    /// Joining: takes the answerer's proof, and what we got with it.
    fn admitted(
        &mut self,
        cx: &mut Context<'_>,
        proof: &[u8; 32],
        grant: &[u8],
    ) -> Result<(), Error>;
    /// Joining: a member that was shown the proof says that the password is wrong.
    fn refused(&mut self);
    /// Whether somebody lets others in by the password.
    fn lets_in(&mut self, cx: &mut Context<'_>, peer: PeerId) -> bool;
    /// Answering: what message 2 says, and whether a run goes on.
    fn answer(
        &mut self,
        cx: &mut Context<'_>,
        run: &RunId,
        own: Party,
        joiner: &Session,
        asked: &[u8],
        guesses: Guesses,
    ) -> Result<(Vec<u8>, bool), Error>;
    /// Answering: our proof and what the joiner gets, if its proof is right. The run is over.
    fn check(
        &mut self,
        cx: &mut Context<'_>,
        proof: &[u8; 32],
        handshake: &[u8; 64],
    ) -> Result<([u8; 32], Vec<u8>), Error>;
    /// Answering: nothing came of the run.
    fn unfinished(&mut self, cx: &mut Context<'_>);
}

/// Somebody who knocks with a password.
pub(super) struct Arrival {
    pub(super) address: NodeAddress,
    pub(super) attempt: Attempt,
    pub(super) responder: Responder,
    pub(super) hello: Hello,
    pub(super) session: Session,
}

/// Somebody who was asked to prove that it knows the password.
pub(super) struct Guest {
    address: NodeAddress,
    attempt: Attempt,
    keys: Keys,
}

impl Graph {
    fn party(&self) -> Party {
        let own = &self.own.session.body;
        Party {
            peer: own.peer,
            session: own.key,
        }
    }

    /// The nonce is the joiner's, new for every message 1; a replayed one is not answered.
    fn run_id(
        &self,
        cx: &Context<'_>,
        joiner: SessionKey,
        answerer: SessionKey,
        nonce: &[u8; 16],
    ) -> RunId {
        let parts: [&[u8]; 5] = [
            b"peer-group/1/password-run\0",
            &self.scope.0,
            &joiner.0,
            &answerer.0,
            nonce,
        ];
        cx.crypto.hash(&parts)
    }

    /// What we show in message 1 when we come with a password.
    pub(super) fn password_asked(
        &self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        answerer: SessionKey,
        nonce: &[u8; 16],
    ) -> Option<Vec<u8>> {
        let own = self.party();
        let run = self.run_id(cx, own.session, answerer, nonce);
        security.passwords()?.ask(cx, &run, own, answerer)
    }

    /// Somebody answered that it lets people in by the password: first of all it must be a member.
    pub(super) fn challenged(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        session: &[u8],
        chain: &[u8],
        said: &[u8],
    ) {
        let proof = Session::from_bytes(session)
            .map_err(|_| Error::new(Code::ConnectionNotAuthenticated))
            .and_then(|session| self.proof_for(cx, security, id, session, chain, said));
        match proof {
            Ok(proof) => {
                self.trickle(id, &Trickle::Proof { proof });
                self.expect(cx.now, id, limits::ANSWER_TIMEOUT_MS);
            }
            Err(error) => self.fail(cx, id, error),
        }
    }

    fn proof_for(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        session: Session,
        chain: &[u8],
        said: &[u8],
    ) -> Result<[u8; 32], Error> {
        let unasked = || Error::new(Code::ConnectionNotAuthenticated);
        let link = self.links.get_mut(&id).ok_or_else(unasked)?;
        if link.purpose != Purpose::Password || session.body.key != link.remote.key() {
            return Err(unasked().detail("somebody else answered"));
        }
        let hash = link.keys.as_ref().map(|keys| keys.hash);
        let hash = hash.ok_or_else(unasked)?;
        session.verify(cx.crypto, self.scope, &security.clock(cx.now))?;
        security.judge(cx, &session, chain, Purpose::Neighbor)?;
        let passwords = security.passwords().ok_or_else(unasked)?;
        let proof = passwords.prove(cx, &session, chain, said, &hash)?;
        link.remote.session = Some(session);
        link.stage = Stage::Proving;
        Ok(proof)
    }

    /// We are let in: from here on we knock like everybody who has a membership.
    pub(super) fn admitted(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        proof: &[u8; 32],
        grant: &[u8],
    ) {
        let taken = match security.passwords() {
            Some(passwords) => passwords.admitted(cx, proof, grant),
            None => Err(Code::ConnectionNotAuthenticated.into()),
        };
        match taken {
            Ok(()) => {
                self.drop_quietly(cx, id);
                self.news.push_back(News::Changed);
                self.dial_anew(cx);
            }
            Err(error) => self.fail(cx, id, error),
        }
    }

    /// Somebody knocks with a password.
    pub(super) fn guest_came(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        arrival: Arrival,
    ) {
        let Arrival {
            address,
            attempt,
            responder,
            hello,
            session,
        } = arrival;
        if let Err(error) = self.is_itself(cx, security, &session, &address) {
            let refusal = self.refusal(security, session.body.peer, error);
            return self.refuse(cx, address, attempt, responder, refusal);
        }
        let own = self.party();
        let run = self.run_id(cx, session.body.key, own.session, &hello.nonce);
        let guesses = self.guesses(cx, security);
        let mut answered = Err(Error::new(Code::NotAuthorized)
            .detail("only admins and inviting members let others in by the password"));
        if let Some(passwords) = security.passwords()
            && passwords.lets_in(cx, own.peer)
        {
            answered = passwords.answer(cx, &run, own, &session, &hello.proof, guesses);
        }
        let (said, goes_on) = match answered {
            Ok(answered) => answered,
            Err(error) => {
                let others = self.who_lets_in(cx, security, &error);
                let mut refusal = self.refusal(security, session.body.peer, error);
                refusal.alternatives = others;
                return self.refuse(cx, address, attempt, responder, refusal);
            }
        };
        let reply = Reply::Challenge {
            session: super::handshake::session_bytes(&self.own.session),
            proof: Proof::new(security.proof()).unwrap_or_default(),
            said: Bytes::new(said).unwrap_or_default(),
        };
        let keys = self.answer_with(address.clone(), attempt, responder, &reply);
        if goes_on {
            self.guest = keys.map(|keys| Guest {
                address,
                attempt,
                keys,
            });
            let until = cx.now.monotonic + limits::ANSWER_TIMEOUT_MS;
            self.timers.arm(Timer::Guest, until);
        }
    }

    /// Neighbors that let others in by the password: who does not itself passes a joiner on to them.
    fn who_lets_in(
        &self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        error: &Error,
    ) -> Vec<NodeAddress> {
        let mut found = Vec::new();
        if error.code == Code::NotAuthorized
            && let Some(passwords) = security.passwords()
        {
            for link in self.links.values().filter(|link| link.is_neighbor()) {
                if link
                    .remote
                    .peer()
                    .is_some_and(|peer| passwords.lets_in(cx, peer))
                {
                    found.push(link.remote.address.clone());
                }
            }
        }
        found
    }

    /// Whether a signal is for the guest.
    pub(super) fn is_guests(&self, attempt: Attempt) -> bool {
        let guest = self.guest.as_ref();
        guest.is_some_and(|guest| guest.attempt == attempt)
    }

    /// The guest says something: its proof, or that it gives up.
    pub(super) fn guest_said(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        counter: u64,
        sealed: &[u8],
    ) {
        let Some(guest) = self.guest.as_mut() else {
            return;
        };
        let Some(plain) = guest.keys.open(counter, sealed) else {
            return;
        };
        let proof = match Trickle::from_bytes(&plain) {
            Ok(Trickle::Proof { proof }) => proof,
            Ok(Trickle::Abandon { .. }) => return self.guest_left(cx, security),
            _ => return,
        };
        let (Some(mut guest), Some(passwords)) = (self.guest.take(), security.passwords()) else {
            return;
        };
        self.timers.disarm(&Timer::Guest);
        let answer = match passwords.check(cx, &proof, &guest.keys.hash) {
            Ok((proof, grant)) => Trickle::Admitted {
                proof,
                grant: Bytes::new(grant).unwrap_or_default(),
            },
            Err(error) => {
                if error.code == Code::WrongPassword {
                    self.write_guess(cx, security);
                }
                let code = error.code.number();
                Trickle::Abandon { code }
            }
        };
        let signal = seal(&mut guest.keys, guest.attempt, &answer);
        self.signals
            .extend(signal.map(|signal| (guest.address, signal)));
    }

    /// The guest gave up, or was not heard of again. It counts as one that came with a wrong password,
    /// though it learned nothing: our share is a random element whatever the password, and it was shown
    /// nothing else. But who guesses may always leave before it is told no, so leaving is not cheaper.
    pub(super) fn guest_left(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        self.timers.disarm(&Timer::Guest);
        if self.guest.take().is_some()
            && let Some(passwords) = security.passwords()
        {
            passwords.unfinished(cx);
            self.write_guess(cx, security);
        }
    }

    /// Whether a link is on its way to somebody who is asked to let us in by the password.
    pub(super) fn is_proving(link: &Link) -> bool {
        link.purpose == Purpose::Password && matches!(link.stage, Stage::Proving)
    }
}
