//! What every machine gets with each call: the moment, chance, and where its output goes.

use crate::sorted::Map;
use std::collections::VecDeque;

use super::effect::Effect;
use super::event::{Answer, Event};
use crate::crypto::Crypto;
use crate::error::{Code, Error};
use crate::limits;
use crate::names::{
    AskId, ConnectionId, HandleId, LinkId, NodeIndex, RequestId, SocketId, StorageId, StretchId,
    WorkId,
};
use crate::random::Random;
use crate::time::Now;

/// Numbers that are never given twice.
#[derive(Default)]
pub struct Ids {
    last: u64,
}

impl Ids {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A new node.
    pub fn node(&mut self) -> NodeIndex {
        NodeIndex(self.next())
    }

    /// A new handle.
    pub fn handle(&mut self, is_graph: bool) -> HandleId {
        HandleId::new(self.next(), is_graph)
    }

    /// A new connection.
    pub fn connection(&mut self) -> ConnectionId {
        ConnectionId(self.next())
    }

    /// A new link.
    pub fn link(&mut self) -> LinkId {
        LinkId(self.next())
    }

    /// A new socket.
    pub fn socket(&mut self) -> SocketId {
        SocketId(self.next())
    }

    /// A new question.
    pub fn ask(&mut self) -> AskId {
        AskId(self.next())
    }

    /// A new storage operation.
    pub fn storage(&mut self) -> StorageId {
        StorageId(self.next())
    }

    /// A new stretching of a password.
    pub fn stretch(&mut self) -> StretchId {
        StretchId(self.next())
    }

    /// New work.
    pub fn work(&mut self) -> WorkId {
        WorkId(self.next())
    }

    fn request(&mut self) -> RequestId {
        RequestId(self.next())
    }
}

/// What a request under way is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pending {
    /// The node it works on, once known.
    pub node: Option<NodeIndex>,
    /// The handle it was made on.
    pub handle: Option<HandleId>,
    /// The connection it is opening.
    pub connection: Option<ConnectionId>,
}

/// Commands that are not answered yet.
#[derive(Default)]
pub struct Requests {
    pending: Map<RequestId, Pending>,
}

impl Requests {
    /// A new request. One that is answered at once is not bounded: it frees what others hold.
    pub fn open(&mut self, ids: &mut Ids, waits: bool) -> Result<RequestId, Error> {
        if waits && self.pending.len() >= limits::REQUESTS {
            return Err(Error::new(Code::OutOfMemory)
                .detail(format!("{} calls are under way", limits::REQUESTS)));
        }
        let request = ids.request();
        self.pending.insert(request, Pending::default());
        Ok(request)
    }

    /// What a request is about, while it is under way.
    #[must_use]
    pub fn get(&self, request: RequestId) -> Option<Pending> {
        self.pending.get(&request).copied()
    }

    /// Notes what a request is about.
    pub fn set(&mut self, request: RequestId, about: Pending) {
        if let Some(pending) = self.pending.get_mut(&request) {
            *pending = about;
        }
    }

    /// The requests that work on a node.
    #[must_use]
    pub fn of_node(&self, node: NodeIndex) -> Vec<RequestId> {
        self.pending
            .iter()
            .filter(|(_, p)| p.node == Some(node))
            .map(|(id, _)| *id)
            .collect()
    }

    /// The requests that were made on a handle.
    #[must_use]
    pub fn of_handle(&self, handle: HandleId) -> Vec<RequestId> {
        self.pending
            .iter()
            .filter(|(_, p)| p.handle == Some(handle))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Notes the connection that a request is opening.
    pub fn opens(&mut self, request: RequestId, connection: ConnectionId) {
        if let Some(pending) = self.pending.get_mut(&request) {
            pending.connection = Some(connection);
        }
    }

    /// Forgets a request whose command failed at once.
    pub fn cancel(&mut self, request: RequestId) {
        self.pending.remove(&request);
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether a request still waits for its answer.
    #[must_use]
    pub fn is_pending(&self, request: RequestId) -> bool {
        self.pending.contains_key(&request)
    }

    /// Every request under way.
    #[must_use]
    pub fn all(&self) -> Vec<RequestId> {
        self.pending.keys().copied().collect()
    }
}

/// What a machine works with during one call.
pub struct Context<'a> {
    /// The moment.
    pub now: Now,
    /// The primitives.
    pub crypto: Crypto,
    /// Chance.
    pub random: &'a mut Random,
    /// New numbers.
    pub ids: &'a mut Ids,
    /// Commands to answer.
    pub requests: &'a mut Requests,
    /// For the driver.
    pub effects: &'a mut VecDeque<Effect>,
    /// For the app.
    pub events: &'a mut VecDeque<Event>,
    /// The node that is being worked on.
    pub node: NodeIndex,
}

impl Context<'_> {
    /// Hands work to the driver.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// Tells the app.
    pub fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Answers a request, unless it was answered before.
    pub fn answer(&mut self, request: RequestId, result: Result<Answer, Error>) {
        if self.requests.pending.remove(&request).is_some() {
            self.events.push_back(Event::Answered { request, result });
        }
    }
}
