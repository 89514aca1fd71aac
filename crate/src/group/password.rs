//! Coming in by a password, and letting in: what both ends of a run know, decide and remember.
//!
//! Who lets in holds the stretched password, sealed to it in a control item ([`verifier`]). What a guess
//! costs is in [`budget`]. Nothing that depends on the password leaves a node but the elements and proofs
//! of a run ([`crate::crypto::pake`]), and those only to one who proved that it is a member, or to one
//! guess each.

pub mod budget;
pub mod policy;
pub mod tending;
pub mod verifier;

#[cfg(test)]
mod tests;

use super::Group;
use super::credential::{Body, Credential, Credentials, How, Role};
use super::judge::Member;
use crate::crypto::pake::{Answerer, Doubt, Joiner, Party, Run};
use crate::crypto::stretch::Password;
use crate::crypto::{Crypto, head};
use crate::engine::context::Context;
use crate::error::{Code, Error};
use crate::graph::password::{Guesses, Passwords, RunId};
use crate::graph::session::Session;
use crate::limits;
use crate::names::{GroupId, PeerId, SessionKey};
use crate::time::Millis;
use crate::wire::codec::Wire as _;
use crate::wire::password::{Asking, Challenge, Worked};
use crate::wire::seconds::{Clock, Seconds};
use budget::Budget;

/// What the driver is to compute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Want {
    /// A password, stretched with that salt.
    Stretch(Password, [u8; 16]),
    /// The answer to a puzzle.
    Work([u8; 32], u8),
}

/// Work that somebody demanded.
struct Demand {
    by: SessionKey,
    bits: u8,
    at: u64,
    puzzle: [u8; 32],
    answer: Option<u64>,
}

/// What we have while we want in by a password: gone once we are in.
pub(super) struct Joining {
    password: Password,
    generation: u32,
    /// It, stretched for that generation.
    key: Option<[u8; 32]>,
    /// How often it was stretched again because somebody said that it had another generation.
    followed: u32,
    run: Option<Joiner>,
    doubt: Option<Doubt>,
    demand: Option<Demand>,
}

/// Somebody who is being asked to prove that it knows the password.
struct Running {
    answerer: Answerer,
    joiner: PeerId,
    sealing: [u8; 32],
    /// Its answer is due by then, on the monotonic clock.
    until: Millis,
}

/// What we have while we let others in.
#[derive(Default)]
pub(super) struct Gate {
    running: Option<Running>,
    pub(super) budget: Budget,
    pub(super) tending: tending::Tending,
}

/// The salt that a generation of a group's password is stretched with.
fn salt(crypto: Crypto, group: GroupId, generation: u32) -> [u8; 16] {
    let generation = generation.to_be_bytes();
    let context: [&[u8]; 1] = [&generation];
    let salt = crypto.derive(&group.0, "password-salt", &context);
    head(&salt)
}

fn malformed() -> Error {
    Error::new(Code::ConnectionNotAuthenticated)
        .detail("what was said of the password is malformed")
}

fn later(after_ms: u32) -> Error {
    let mut error = Error::new(Code::RateLimited)
        .detail("members answer only so many who come with a password");
    error.retry_after = Some(after_ms);
    error
}

impl Group {
    /// Whether we want in by a password, and have not been let in yet.
    #[must_use]
    pub fn joins_by_password(&self) -> bool {
        self.state.asks_for.is_some() && self.state.proof.is_empty()
    }

    /// Notes the password to come in with. One that was told wrong is forgotten, so this is also how to
    /// try another one.
    pub fn come_with(&mut self, password: Password) {
        let known = self.joining.as_ref();
        if known.is_some_and(|joining| joining.password == password) || !self.joins_by_password() {
            return;
        }
        self.joining = Some(Joining {
            password,
            generation: self.state.asks_for.unwrap_or_default(),
            key: None,
            followed: 0,
            run: None,
            doubt: None,
            demand: None,
        });
    }

    /// Whether a password is still to be given.
    #[must_use]
    pub fn lacks_password(&self) -> bool {
        self.joins_by_password() && self.joining.is_none()
    }

    /// Whether we could knock now.
    #[must_use]
    pub fn may_knock(&self) -> bool {
        let ready = |joining: &Joining| {
            let demand = joining.demand.as_ref();
            joining.key.is_some() && demand.is_none_or(|demand| demand.answer.is_some())
        };
        !self.joins_by_password() || self.joining.as_ref().is_some_and(ready)
    }

    /// What the driver must compute before we can knock.
    pub(super) fn joining_wants(&self) -> Option<Want> {
        let joining = self.joining.as_ref()?;
        if joining.key.is_none() {
            let salt = salt(self.crypto, self.state.group, joining.generation);
            return Some(Want::Stretch(joining.password.clone(), salt));
        }
        let demand = joining.demand.as_ref().filter(|d| d.answer.is_none())?;
        Some(Want::Work(demand.puzzle, demand.bits))
    }

    /// Takes the stretched password of a joiner, if that salt is the one that was asked for last.
    pub(super) fn joining_stretched(&mut self, with: [u8; 16], key: [u8; 32]) {
        let (crypto, group) = (self.crypto, self.state.group);
        if let Some(joining) = self.joining.as_mut()
            && salt(crypto, group, joining.generation) == with
        {
            joining.key = Some(key);
        }
    }

    /// Takes the answer to a puzzle; returns who had set it.
    pub fn worked(&mut self, of: [u8; 32], answer: u64) -> Option<SessionKey> {
        let demand = self.joining.as_mut()?.demand.as_mut()?;
        (demand.puzzle == of).then(|| {
            demand.answer = Some(answer);
            demand.by
        })
    }

    /// Our membership, if it allows to let somebody in by the password.
    fn may_let_in(&mut self, clock: &Clock) -> Result<Member, Error> {
        let role = self.rule().map(|rule| rule.role);
        let own = self.own_membership(clock)?;
        if role.is_none_or(|role| !own.role.may_issue(role)) {
            return Err(Code::NotAuthorized.into());
        }
        Ok(own)
    }

    /// The membership of somebody who knew the password, with all that it rests on.
    fn let_in(&mut self, cx: &mut Context<'_>, running: &Running) -> Result<Vec<u8>, Error> {
        let clock = Clock::new(cx.now, self.offset_ms);
        let own = self.may_let_in(&clock)?;
        let role = self.rule().map_or(Role::Member, |rule| rule.role);
        let body = Body::Membership {
            subject: running.joiner,
            sealing: running.sealing,
            role,
            from: self.not_before(&running.joiner, own.from.max(Seconds(clock.wall_s))),
            until: own.until,
            issuer: self.state.peer.0,
            serial: cx.random.bytes(),
        };
        let group = self.state.group;
        let credential = Credential::sign(self.crypto, group, &self.identity.seed, body);
        let mut chain = self.state.proof.clone().into_vec();
        chain.push(credential);
        let chain = Credentials::new(chain).ok_or(Code::ChainTooLong)?;
        Ok(chain.to_bytes())
    }

    /// What an answerer says before any run, if that is how it ends.
    fn not_yet(
        &mut self,
        cx: &mut Context<'_>,
        own: SessionKey,
        joiner: SessionKey,
        asking: &Asking,
        guesses: Guesses,
    ) -> Option<Challenge> {
        let current = self.rule().map_or(0, |rule| rule.generation);
        if asking.generation < current {
            return Some(Challenge::Generation {
                generation: current,
            });
        }
        // We may be the one who does not know yet.
        if asking.generation > current {
            let after_ms = limits::GENERATION_WAIT_MS;
            return Some(Challenge::Later { after_ms });
        }
        let secret = self.crypto.derive(
            &self.identity.seed,
            "password-work",
            &[&self.state.group.0, &own.0],
        );
        let now = cx.now.monotonic;
        let is_over = |running: &Running| running.until <= now;
        if self.gate.running.as_ref().is_some_and(is_over) {
            // We went off the network, and nobody said that it came to nothing.
            self.unfinished(cx);
        }
        let (crypto, budget) = (self.crypto, &mut self.gate.budget);
        let work = asking.work.as_ref();
        let solved = work.and_then(|work| budget.solved(crypto, cx.now, &secret, joiner, work));
        if solved.is_none() && budget.demands_work(cx.now, guesses) {
            let at = cx.now.wall;
            return Some(Challenge::Work {
                bits: limits::WORK_BITS,
                at,
                puzzle: budget::puzzle(crypto, &secret, joiner, at),
            });
        }
        let wait = match &self.gate.running {
            // One at a time.
            Some(running) => u32::try_from(running.until - now).ok(),
            _ => budget.take(cx.now),
        };
        if wait.is_none()
            && let Some(solved) = solved
        {
            budget.spend(solved);
        }
        wait.map(|after_ms| Challenge::Later { after_ms })
    }
}

impl Passwords for Group {
    fn ask(
        &mut self,
        cx: &mut Context<'_>,
        run: &RunId,
        own: Party,
        answerer: SessionKey,
    ) -> Option<Vec<u8>> {
        if !self.may_knock() {
            return None;
        }
        let sealing = self.identity.sealing_key(self.crypto);
        let joining = self.joining.as_mut()?;
        let terms = Run {
            crypto: self.crypto,
            group: &self.state.group,
            password: joining.key.as_ref()?,
            id: run,
        };
        let (state, share) = Joiner::new(terms, cx.random, own);
        joining.run = Some(state);
        joining.doubt = None;
        let done = |demand: &Demand| {
            Some(Worked {
                at: demand.at,
                answer: demand.answer?,
            })
        };
        let demand = joining.demand.as_ref().filter(|of| of.by == answerer);
        let asking = Asking {
            generation: joining.generation,
            share,
            sealing,
            work: demand.and_then(done),
        };
        Some(asking.to_bytes())
    }

    fn prove(
        &mut self,
        cx: &mut Context<'_>,
        answerer: &Session,
        chain: &[u8],
        said: &[u8],
        handshake: &[u8; 64],
    ) -> Result<[u8; 32], Error> {
        let chain = Credentials::from_bytes(chain).map_err(|_| malformed())?;
        let party = Party {
            peer: answerer.body.peer,
            session: answerer.body.key,
        };
        let clock = Clock::new(cx.now, self.offset_ms);
        let (member, _) = self.judged(&clock, party.peer, &chain, false)?;
        if member.role < Role::InvitingMember {
            return Err(Error::new(Code::ConnectionNotAuthenticated)
                .detail("a member that may let nobody in asked for the password"));
        }
        let joining = self.joining.as_mut().ok_or_else(malformed)?;
        let run = joining.run.take().ok_or_else(malformed)?;
        match Challenge::from_bytes(said).map_err(|_| malformed())? {
            Challenge::Share { share } => {
                joining.demand = None;
                let proved = run.prove(party, &share, handshake);
                let (proof, doubt) = proved.ok_or_else(malformed)?;
                joining.doubt = Some(doubt);
                Ok(proof)
            }
            Challenge::Generation { generation } => {
                if generation <= joining.generation || joining.followed >= limits::GENERATIONS {
                    return Err(later(limits::GENERATION_WAIT_MS));
                }
                joining.generation = generation;
                joining.followed += 1;
                joining.key = None;
                Err(Code::Aborted.into())
            }
            Challenge::Work { bits, at, puzzle } => {
                if bits > limits::WORK_BITS_MAX {
                    return Err(malformed());
                }
                joining.demand = Some(Demand {
                    by: party.session,
                    bits,
                    at,
                    puzzle,
                    answer: None,
                });
                Err(Code::Aborted.into())
            }
            Challenge::Later { after_ms } => Err(later(after_ms)),
        }
    }

    fn admitted(
        &mut self,
        cx: &mut Context<'_>,
        proof: &[u8; 32],
        grant: &[u8],
    ) -> Result<(), Error> {
        let broken = |why: &str| Error::new(Code::ConnectionNotAuthenticated).detail(why);
        let doubt = self.joining.as_mut().and_then(|j| j.doubt.take());
        if doubt.and_then(|doubt| doubt.check(proof)).is_none() {
            return Err(broken("the member that asked does not know the password"));
        }
        let shown = Credentials::from_bytes(grant).map_err(|_| malformed())?;
        let clock = Clock::new(cx.now, self.offset_ms);
        let (_, support) = self.judged(&clock, self.state.peer, &shown, false)?;
        let (peer, sealing) = (self.state.peer, self.identity.sealing_key(self.crypto));
        let is_ours = |credential: &Credential| {
            matches!(&credential.body, Body::Membership { subject, sealing: to, .. }
                if *subject == peer && *to == sealing)
        };
        if !support.iter().any(is_ours) {
            return Err(broken("the membership we got is sealed to somebody else"));
        }
        self.state.proof = Credentials::new(support).ok_or(Code::ChainTooLong)?;
        self.state.asks_for = None;
        self.joining = None;
        self.changed();
        Ok(())
    }

    fn refused(&mut self) {
        self.joining = None;
    }

    fn lets_in(&mut self, cx: &mut Context<'_>, peer: PeerId) -> bool {
        if peer != self.state.peer {
            return self.verifier_of(peer).is_some();
        }
        let clock = Clock::new(cx.now, self.offset_ms);
        self.password_key().is_some() && self.may_let_in(&clock).is_ok()
    }

    fn answer(
        &mut self,
        cx: &mut Context<'_>,
        run: &RunId,
        own: Party,
        joiner: &Session,
        asked: &[u8],
        guesses: Guesses,
    ) -> Result<(Vec<u8>, bool), Error> {
        let asking = Asking::from_bytes(asked).map_err(|_| malformed())?;
        let party = Party {
            peer: joiner.body.peer,
            session: joiner.body.key,
        };
        // The password lets strangers in, not whom an admin has removed.
        if let Some((How::Removed, why)) = self.ever().former.get(&party.peer) {
            return Err(why.clone());
        }
        if let Some(said) = self.not_yet(cx, own.session, party.session, &asking, guesses) {
            return Ok((said.to_bytes(), false));
        }
        let key = self.password_key().ok_or(Code::NotAuthorized)?;
        let terms = Run {
            crypto: self.crypto,
            group: &self.state.group,
            password: &key,
            id: run,
        };
        let begun = Answerer::new(terms, cx.random, own, party, &asking.share);
        let (answerer, share) = begun.ok_or_else(malformed)?;
        self.gate.running = Some(Running {
            answerer,
            joiner: party.peer,
            sealing: asking.sealing,
            until: cx.now.monotonic + limits::ANSWER_TIMEOUT_MS,
        });
        Ok((Challenge::Share { share }.to_bytes(), true))
    }

    fn check(
        &mut self,
        cx: &mut Context<'_>,
        proof: &[u8; 32],
        handshake: &[u8; 64],
    ) -> Result<([u8; 32], Vec<u8>), Error> {
        let running = self.gate.running.take().ok_or_else(malformed)?;
        // An admin may have changed our role since the run began.
        let issued = self.let_in(cx, &running);
        match running.answerer.check(proof, handshake) {
            Some((proof, _)) => Ok((proof, issued?)),
            None => {
                self.gate.budget.failed(cx.now);
                Err(Code::WrongPassword.into())
            }
        }
    }

    fn unfinished(&mut self, cx: &mut Context<'_>) {
        if self.gate.running.take().is_some() {
            self.gate.budget.failed(cx.now);
        }
    }
}

/// Names an item by its bytes.
fn id_of(crypto: Crypto, bytes: &[u8]) -> [u8; 32] {
    head(&crypto.hash(&[bytes]))
}
