//! What a graph asks of whoever decides about membership: it knows no certificates itself.

use super::password::Passwords;
use super::session::Session;
use crate::engine::context::Context;
use crate::error::Error;
use crate::limits::CLOCK_GRACE_S;
use crate::names::{PeerId, RecordHash};
use crate::record::model::Body;
use crate::sorted::Set;
use crate::time::{Millis, Now};
use crate::wire::link::Purpose;
use crate::wire::seconds::{Clock, Seconds};
use std::sync::Arc;

/// A secret that handshakes are keyed with, and its name on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Psk {
    /// Its name.
    pub id: [u8; 8],
    /// The secret.
    pub secret: [u8; 32],
}

/// What became of control items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absorbed {
    /// They were news, or known, or not needed.
    Good,
    /// No honest neighbor would have sent one of them.
    Bad,
}

/// What somebody may do with records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rights {
    /// Change and delete those of others too.
    pub others: bool,
    /// Not before.
    pub from: Seconds,
    /// Nothing of theirs outlives this.
    pub until: Seconds,
    /// Only versions whose hashes begin with one of these: what stays of somebody who was removed.
    pub only: Option<Arc<Set<[u8; 16]>>>,
}

impl Rights {
    /// Whether they allow what a record says, whoever looks at it and when.
    #[must_use]
    pub fn allow(&self, body: &Body, hash: &RecordHash) -> bool {
        let own = body.author() == body.creator;
        let modified = body.modified().ms() / 1000;
        let listed = |only: &Arc<Set<[u8; 16]>>| {
            let head = hash.0.first_chunk();
            head.is_some_and(|head| only.contains(head))
        };
        (own || self.others)
            && self.only.as_ref().is_none_or(listed)
            && self.from.0 <= modified.saturating_add(CLOCK_GRACE_S)
            && (self.until == Seconds::NEVER || body.expires <= self.until.0.saturating_mul(1000))
    }
}

/// The rules of a graph about records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Bytes of data and attributes of one record.
    pub max_record_size: usize,
    /// Nothing expires while there are no neighbors.
    pub defer_expiration: bool,
    /// The app decides about each record of others.
    pub asks_app: bool,
    /// What members show of themselves; None: nothing.
    pub shown: Option<Shown>,
}

/// What members show of themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Nodes show that they are present, unless their app says otherwise.
    pub presence: bool,
    /// How long a presence lives.
    pub presence_ms: Millis,
    /// A member shows who it is only once it has done something.
    pub members_when_active: bool,
    /// How long that lives.
    pub member_ms: Millis,
}

/// Decides who may be here.
pub trait Security {
    /// The secret to knock with.
    fn psk(&self, purpose: Purpose) -> Option<Psk>;
    /// The secret of that name, if knocking with it for that purpose is allowed.
    fn psk_named(&self, id: &[u8; 8], purpose: Purpose, now: Now) -> Option<[u8; 32]>;
    /// What we show to prove that we may be here.
    fn proof(&self) -> Vec<u8>;
    /// The wall clock and what is known about its error.
    fn clock(&self, now: Now) -> Clock;
    /// Whether the holder of a session, verified before, may be here.
    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        session: &Session,
        proof: &[u8],
        purpose: Purpose,
    ) -> Result<(), Error>;
    /// What somebody at the door gets who was judged well.
    fn grant(
        &mut self,
        cx: &mut Context<'_>,
        session: &Session,
        proof: &[u8],
    ) -> Result<Vec<u8>, Error>;
    /// Takes what we got at the door.
    fn accept(&mut self, cx: &mut Context<'_>, grant: &[u8]) -> Result<(), Error>;
    /// What lets people in by a password, where that is possible.
    fn passwords(&mut self) -> Option<&mut dyn Passwords> {
        None
    }
    /// What somebody may do with records, by all that is known; nothing of somebody who is not known.
    /// It does not depend on the time: a record says itself when it was made.
    fn rights(&mut self, peer: PeerId) -> Vec<Rights>;
    /// Changes whenever anybody's rights may have.
    fn revision(&self) -> u64;
    /// The rules about records.
    fn rules(&self) -> Rules;
    /// Everything a new neighbor should know.
    fn control(&mut self) -> Vec<Vec<u8>>;
    /// Why somebody who was here may not be any more.
    fn out(&mut self, peer: PeerId, now: Now) -> Option<Error>;
    /// The control items that tell it.
    fn farewell(&mut self, peer: PeerId) -> Vec<Vec<u8>>;
    /// Takes what a neighbor knows. What is news goes to the other neighbors by the node's hand.
    fn absorb(&mut self, cx: &mut Context<'_>, items: &[&[u8]]) -> Absorbed;
}
