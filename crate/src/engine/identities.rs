//! The identities of a store: read anew for each call, because other pages change them too, and changed
//! by one call after the other.

use std::collections::VecDeque;

use super::Engine;
use super::command::{IdentityCall, Store};
use super::effect::Change;
use super::event::Answer;
use super::input::{Entry, StorageFault};
use super::keeping::save_error;
use super::node::Kind;
use super::opening::{Operation, Plan, What, load_error};
use super::stretching::Stretching;
use crate::crypto::stretch::{Cost, Password};
use crate::error::{Code, Error};
use crate::group::identity::{ALONE, Identity, Name, name, stored_key};
use crate::group::sealed::Sealed;
use crate::limits;
use crate::names::{PeerId, RequestId};
use crate::time::Now;
use crate::wire::codec::Wire as _;
use crate::wire::text::TextKind;

/// What waits for the identities of a store.
pub(super) enum Wish {
    /// To open, make or delete something with one of them.
    Plan(Plan),
    /// To work with them.
    Call(RequestId, Call),
}

/// A call, checked and with everything it needs.
pub(super) enum Call {
    /// Adds one that was made or imported.
    Add(Box<Identity>),
    /// Shows one; None: the default.
    Show(Option<PeerId>),
    List,
    Export(PeerId, Password),
    Rename(PeerId, Name),
    Delete(PeerId),
    /// What was asked is done.
    Finish,
}

impl Wish {
    fn request(&self) -> RequestId {
        match self {
            Self::Plan(plan) => plan.request,
            Self::Call(request, _) => *request,
        }
    }
}

/// The identities of a store while somebody works with them.
#[derive(Default)]
pub(super) struct Desk {
    /// As they are stored, the default one first.
    known: Vec<(PeerId, Identity)>,
    /// Something is stored that cannot be read.
    damaged: bool,
    waiting: VecDeque<Wish>,
}

/// A change that is being stored.
pub(super) struct Saving {
    store: Store,
    change: Saved,
    /// What goes on when that is done.
    wish: Option<Wish>,
}

enum Saved {
    /// The first form was written anew in the present one.
    Moved,
    /// It is new, or called differently.
    Put(PeerId, Box<Identity>),
    Gone(PeerId),
}

impl Engine {
    /// Begins a call: what is wrong with it is said at once.
    pub(super) fn identity_call(
        &mut self,
        now: Now,
        store: Store,
        call: IdentityCall,
    ) -> Result<RequestId, Error> {
        let call = match call {
            IdentityCall::Create(new) => {
                let identity = Identity::new(&mut self.core.random, now.wall);
                Call::Add(Box::new(identity.called(&new)?))
            }
            IdentityCall::Default => Call::Show(None),
            IdentityCall::List => Call::List,
            IdentityCall::Import { text, password } => {
                let sealed = Sealed::parse(TextKind::Identity, &text)?;
                let request = self.core.requests.open(&mut self.core.ids, true)?;
                let (salt, cost) = (sealed.salt(), sealed.cost());
                let then = Stretching::Import(request, store, sealed);
                self.stretch(then, password, salt, cost);
                return Ok(request);
            }
            IdentityCall::Export { peer, password } => Call::Export(peer, password),
            IdentityCall::Rename { peer, name: text } => Call::Rename(peer, name(&text)?),
            IdentityCall::Delete { peer } => Call::Delete(peer),
        };
        let request = self.core.requests.open(&mut self.core.ids, true)?;
        self.wish(store, Wish::Call(request, call));
        Ok(request)
    }

    /// Puts a wish behind those that wait already.
    pub(super) fn wish(&mut self, store: Store, wish: Wish) {
        if let Some(desk) = self.identities.get_mut(&store) {
            // What was given up meanwhile does not wait with the others.
            let requests = &self.core.requests;
            desk.waiting
                .retain(|wish| requests.is_pending(wish.request()));
            desk.waiting.push_back(wish);
            return;
        }
        let mut desk = Desk::default();
        desk.waiting.push_back(wish);
        self.identities.insert(store.clone(), desk);
        self.load(
            Operation::LoadIdentities(store.clone()),
            store,
            ALONE.to_owned(),
        );
    }

    /// The identities of a store were read.
    pub(super) fn identities_loaded(
        &mut self,
        now: Now,
        store: &Store,
        result: Result<Vec<Entry>, StorageFault>,
    ) {
        let entries = match result {
            Ok(entries) => entries,
            Err(fault) => {
                let desk = self.identities.remove(store).unwrap_or_default();
                for wish in desk.waiting {
                    self.answer(wish.request(), Err(load_error(fault)));
                }
                return;
            }
        };
        let crypto = self.core.config.crypto;
        let Some(desk) = self.identities.get_mut(store) else {
            return;
        };
        let mut moved = Vec::new();
        for (key, bytes) in &entries {
            let read = Identity::from_stored(key, bytes).map(|i| (i.peer(crypto), i));
            match read.filter(|(peer, _)| key == ALONE || *key == stored_key(*peer)) {
                Some((peer, identity)) => {
                    if key == ALONE {
                        moved.push((key.clone(), None));
                        moved.push((stored_key(peer), Some(identity.to_bytes())));
                    }
                    desk.put(peer, identity);
                }
                None => desk.damaged = true,
            }
        }
        if moved.is_empty() {
            self.serve(now, store);
        } else {
            self.save(store, moved, Saved::Moved, None);
        }
    }

    /// Grants what waits, until storage is at work for one of them or nothing waits any more.
    fn serve(&mut self, now: Now, store: &Store) {
        while let Some(desk) = self.identities.get_mut(store) {
            let Some(wish) = desk.waiting.pop_front() else {
                self.identities.remove(store);
                return;
            };
            let request = wish.request();
            if !self.core.requests.is_pending(request) {
                // Given up meanwhile.
                continue;
            }
            match self.grant(now, store, wish) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => self.answer(request, Err(error)),
            }
        }
    }

    /// Grants one wish. False: storage is at work for it.
    fn grant(&mut self, now: Now, store: &Store, wish: Wish) -> Result<bool, Error> {
        let crypto = self.core.config.crypto;
        let (request, call) = match wish {
            Wish::Plan(plan) => {
                let Some(identity) = self.identity_of(store, plan.options.identity)? else {
                    // Nobody has no groups: for that nobody is made.
                    let answer = match plan.what {
                        What::ListGroups => Answer::Groups(Vec::new()),
                        What::DeleteGroup(_) => Answer::Done,
                        _ => return self.make_default(now, store, Wish::Plan(plan)),
                    };
                    self.answer(plan.request, Ok(answer));
                    return Ok(true);
                };
                self.with_identity(now, plan, identity);
                return Ok(true);
            }
            Wish::Call(request, call) => (request, call),
        };
        let answer = match call {
            Call::Add(identity) => return self.add(store, request, identity),
            Call::Show(peer) => match self.identity_of(store, peer)? {
                Some(identity) => Answer::Identity(Box::new(identity.info(crypto))),
                None => {
                    let again = Wish::Call(request, Call::Show(None));
                    return self.make_default(now, store, again);
                }
            },
            Call::List => {
                let desk = self.identities.get(store);
                let known = desk.into_iter().flat_map(|desk| &desk.known);
                Answer::Identities(known.map(|(_, identity)| identity.info(crypto)).collect())
            }
            Call::Export(peer, password) => {
                let identity = Box::new(self.required(store, peer)?);
                let salt = self.core.random.bytes();
                let then = Stretching::Export(request, identity, salt);
                self.stretch(then, password, salt, Cost::OURS);
                return Ok(true);
            }
            Call::Rename(peer, name) => {
                let mut identity = self.required(store, peer)?;
                identity.name = name;
                let show = Wish::Call(request, Call::Show(Some(peer)));
                self.put(store, peer, Box::new(identity), show);
                return Ok(false);
            }
            Call::Delete(peer) => {
                self.required(store, peer)?;
                self.begin_deletion(store, request, peer)?;
                return Ok(false);
            }
            Call::Finish => Answer::Done,
        };
        self.answer(request, Ok(answer));
        Ok(true)
    }

    /// The identity that is meant. None: there is no default one yet.
    fn identity_of(&self, store: &Store, peer: Option<PeerId>) -> Result<Option<Identity>, Error> {
        if let Some(peer) = peer {
            return self.required(store, peer).map(Some);
        }
        let desk = self.identities.get(store);
        let first = desk.and_then(|desk| desk.known.first());
        match first.filter(|(_, identity)| identity.is_default) {
            Some((_, identity)) => Ok(Some(identity.clone())),
            None if desk.is_some_and(|desk| desk.damaged) => {
                Err(Error::new(Code::InvalidDatabase).detail("a stored identity cannot be read"))
            }
            None => Ok(None),
        }
    }

    fn required(&self, store: &Store, peer: PeerId) -> Result<Identity, Error> {
        let desk = self.identities.get(store);
        let mut known = desk.into_iter().flat_map(|desk| &desk.known);
        let found = known.find(|(known, _)| *known == peer);
        found.map(|(_, identity)| identity.clone()).ok_or_else(|| {
            let was_here = self.deleted.iter().any(|(s, p)| s == store && *p == peer);
            let code = if was_here {
                Code::IdentityDeleted
            } else {
                Code::IdentityNotFound
            };
            Error::new(code).detail(format!("{peer}"))
        })
    }

    fn make_default(&mut self, now: Now, store: &Store, wish: Wish) -> Result<bool, Error> {
        self.check_room(store)?;
        let mut identity = Identity::new(&mut self.core.random, now.wall);
        identity.is_default = true;
        let peer = identity.peer(self.core.config.crypto);
        self.put(store, peer, Box::new(identity), wish);
        Ok(false)
    }

    fn add(
        &mut self,
        store: &Store,
        request: RequestId,
        mut identity: Box<Identity>,
    ) -> Result<bool, Error> {
        let peer = identity.peer(self.core.config.crypto);
        if self.required(store, peer).is_ok() {
            return Err(Error::new(Code::AlreadyExists).detail(format!("{peer}")));
        }
        self.check_room(store)?;
        // The first one that a store gets is its default.
        let desk = self.identities.get(store);
        identity.is_default = desk.is_some_and(|desk| desk.known.is_empty() && !desk.damaged);
        let show = Wish::Call(request, Call::Show(Some(peer)));
        self.put(store, peer, identity, show);
        Ok(false)
    }

    fn check_room(&self, store: &Store) -> Result<(), Error> {
        let desk = self.identities.get(store);
        if desk.is_some_and(|desk| desk.known.len() >= limits::IDENTITIES) {
            return Err(Error::new(Code::TooManyIdentities)
                .detail(format!("a store keeps {}", limits::IDENTITIES)));
        }
        Ok(())
    }

    fn put(&mut self, store: &Store, peer: PeerId, identity: Box<Identity>, then: Wish) {
        let changes = vec![(stored_key(peer), Some(identity.to_bytes()))];
        self.save(store, changes, Saved::Put(peer, identity), Some(then));
    }

    /// Stores that an identity is gone, and what goes with it.
    pub(super) fn save_gone(
        &mut self,
        store: &Store,
        mut changes: Vec<Change>,
        peer: PeerId,
        request: RequestId,
    ) {
        changes.push((stored_key(peer), None));
        let finish = Wish::Call(request, Call::Finish);
        self.save(store, changes, Saved::Gone(peer), Some(finish));
    }

    fn save(&mut self, store: &Store, changes: Vec<Change>, change: Saved, wish: Option<Wish>) {
        let saving = Saving {
            store: store.clone(),
            change,
            wish,
        };
        self.persist(Operation::SaveIdentities(saving), store.clone(), changes);
    }

    /// A change was stored, or was not.
    pub(super) fn identities_saved(
        &mut self,
        now: Now,
        saving: Saving,
        result: Result<(), StorageFault>,
    ) {
        let Saving {
            store,
            change,
            wish,
        } = saving;
        match result {
            Ok(()) => {
                self.take_over(&store, change);
                if let (Some(desk), Some(wish)) = (self.identities.get_mut(&store), wish) {
                    desk.waiting.push_front(wish);
                }
            }
            // What could not be moved is read as it is, and moved another time.
            Err(fault) => {
                if let Some(wish) = wish {
                    self.answer(wish.request(), Err(save_error(fault)));
                }
            }
        }
        self.serve(now, &store);
    }

    fn take_over(&mut self, store: &Store, change: Saved) {
        let Some(desk) = self.identities.get_mut(store) else {
            return;
        };
        match change {
            Saved::Moved => {}
            Saved::Put(peer, identity) => {
                let now = self.last;
                for (index, node) in self.nodes.iter_mut() {
                    if let Kind::Group(group) = &mut node.kind
                        && node.peer == peer
                        && node.store == *store
                    {
                        group.rename(identity.name.clone());
                        node.graph.records.touched.insert(peer);
                        node.after(&mut self.core.context(now, *index));
                    }
                }
                desk.put(peer, *identity);
            }
            Saved::Gone(peer) => {
                desk.known.retain(|(known, _)| *known != peer);
                if self.deleted.len() >= limits::IDENTITIES {
                    self.deleted.pop_front();
                }
                self.deleted.push_back((store.clone(), peer));
            }
        }
    }

    /// One call of the identities is over without a change: the next may begin.
    pub(super) fn identities_free(&mut self, now: Now, store: &Store) {
        self.serve(now, store);
    }
}

impl Desk {
    /// How many calls wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds one, or takes it for what was known of it.
    fn put(&mut self, peer: PeerId, identity: Identity) {
        self.known.retain(|(known, _)| *known != peer);
        self.known.push((peer, identity));
        let order = |(peer, of): &(PeerId, Identity)| (!of.is_default, of.since, *peer);
        self.known.sort_by_key(order);
    }
}
