//! The security of a graph without a group: whoever knows its id may be in it.

use crate::crypto::{Crypto, head};
use crate::engine::context::Context;
use crate::error::Error;
use crate::graph::security::{Absorbed, Psk, Rights, Rules, Security};
use crate::graph::session::Session;
use crate::limits;
use crate::names::{GroupId, PeerId};
use crate::time::Now;
use crate::wire::link::Purpose;
use crate::wire::seconds::{Clock, Seconds};

/// Lets everybody in: a graph has no secrets of its own.
pub struct OpenSecurity {
    /// The wall clock minus the rendezvous server's, once known.
    pub offset_ms: Option<i64>,
    /// The app decides about records: also who may change those of others.
    pub asks_app: bool,
    crypto: Crypto,
    graph: GroupId,
}

impl OpenSecurity {
    /// The security of the graph with that key.
    #[must_use]
    pub fn new(crypto: Crypto, graph: GroupId, asks_app: bool) -> Self {
        Self {
            offset_ms: None,
            asks_app,
            crypto,
            graph,
        }
    }

    /// A graph's id as a key: what its sessions and handshakes are bound to.
    #[must_use]
    pub fn scope(crypto: Crypto, graph: &str) -> GroupId {
        GroupId(crypto.derive(graph.as_bytes(), "graph", &[]))
    }
}

impl Security for OpenSecurity {
    fn psk(&self, purpose: Purpose) -> Option<Psk> {
        let id = self.crypto.hash(&[b"graph-link-id", &self.graph.0]);
        let secret = self.crypto.derive(&self.graph.0, "graph-link", &[]);
        (!purpose.is_at_door()).then_some(Psk {
            id: head(&id),
            secret,
        })
    }

    fn psk_named(&self, id: &[u8; 8], purpose: Purpose, _now: Now) -> Option<[u8; 32]> {
        self.psk(purpose)
            .filter(|psk| psk.id == *id)
            .map(|psk| psk.secret)
    }

    fn proof(&self) -> Vec<u8> {
        Vec::new()
    }

    fn clock(&self, now: Now) -> Clock {
        Clock::new(now, self.offset_ms)
    }

    fn judge(
        &mut self,
        _cx: &mut Context<'_>,
        _session: &Session,
        _proof: &[u8],
        _purpose: Purpose,
    ) -> Result<(), Error> {
        Ok(())
    }

    fn grant(
        &mut self,
        _cx: &mut Context<'_>,
        _session: &Session,
        _proof: &[u8],
    ) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }

    fn accept(&mut self, _cx: &mut Context<'_>, _grant: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn out(&mut self, _peer: PeerId, _now: Now) -> Option<Error> {
        None
    }

    fn farewell(&mut self, _peer: PeerId) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn rights(&mut self, _peer: PeerId) -> Vec<Rights> {
        vec![Rights {
            others: self.asks_app,
            from: Seconds(0),
            until: Seconds::NEVER,
            only: None,
        }]
    }

    fn revision(&self) -> u64 {
        0
    }

    fn rules(&self) -> Rules {
        Rules {
            max_record_size: limits::RECORD_BYTES_DEFAULT,
            defer_expiration: false,
            asks_app: self.asks_app,
            shown: None,
        }
    }

    fn control(&mut self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn absorb(&mut self, _cx: &mut Context<'_>, _items: &[&[u8]]) -> Absorbed {
        Absorbed::Good
    }
}
