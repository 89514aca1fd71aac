//! A session: an identity's signed word that a handshake key is its own, for one open of one group.

use crate::crypto::{Crypto, node_of, signed_bytes};
use crate::error::{Code, Error};
use crate::limits;
use crate::names::{GroupId, NodeId, PeerId, SessionKey};
use crate::random::Random;
use crate::record::model::{Body, Record};
use crate::time::Now;
use crate::wire::codec::Wire as _;
use crate::wire::seconds::{Clock, Seconds};
use crate::wire_struct;

wire_struct! {
    /// What the identity signs.
    pub struct SessionBody {
        /// The identity.
        pub peer: PeerId,
        /// The key that handshakes with the node prove.
        pub key: SessionKey,
        /// Tells two sessions of the same second apart.
        pub nonce: [u8; 8],
        /// When it was opened.
        pub from: Seconds,
        /// When it ends.
        pub until: Seconds,
    }

    /// A session as others see it.
    pub struct Session {
        /// What is signed.
        pub body: SessionBody,
        /// By the identity.
        pub signature: [u8; 64],
    }
}

impl Session {
    /// The node it names.
    #[must_use]
    pub fn node(&self, crypto: Crypto) -> NodeId {
        node_of(crypto, self.body.key)
    }

    /// What a handshake's prologue holds of it.
    #[must_use]
    pub fn hash(&self, crypto: Crypto) -> [u8; 64] {
        crypto.hash(&[&self.to_bytes()])
    }

    /// Whether the identity signed it for this group and it is valid now.
    pub fn verify(&self, crypto: Crypto, group: GroupId, clock: &Clock) -> Result<(), Error> {
        let peer = &self.body.peer.0;
        let body = signed_bytes("session", &group.0, &self.body.to_bytes());
        if !crypto.is_public_key(peer) || !crypto.verify(peer, &body, &self.signature) {
            return Err(Error::new(Code::ConnectionNotAuthenticated)
                .detail("the session is not signed by its identity"));
        }
        clock.check(self.body.from, self.body.until)
    }
}

/// A session with its secret: this node's own.
pub struct OwnSession {
    /// As others see it.
    pub session: Session,
    /// The secret half of its key.
    pub secret: [u8; 32],
    /// The node it names.
    pub node: NodeId,
    identity: [u8; 32],
}

fn sign(
    crypto: Crypto,
    random: &mut Random,
    seed: &[u8; 32],
    group: GroupId,
    key: SessionKey,
    now: Now,
) -> Session {
    let body = SessionBody {
        peer: PeerId(crypto.public_key(seed)),
        key,
        nonce: random.bytes(),
        from: Seconds(now.wall_seconds()),
        until: Seconds(now.wall_seconds() + limits::SESSION_S),
    };
    let signature = crypto.sign(seed, &signed_bytes("session", &group.0, &body.to_bytes()));
    Session { body, signature }
}

impl OwnSession {
    /// A record signed by our identity.
    #[must_use]
    pub fn sign_record(&self, crypto: Crypto, scope: GroupId, body: Body) -> Record {
        Record::sign(crypto, scope, &self.identity, body)
    }

    /// A new session of the identity with that seed.
    #[must_use]
    pub fn new(
        crypto: Crypto,
        random: &mut Random,
        seed: &[u8; 32],
        group: GroupId,
        now: Now,
    ) -> Self {
        let secret = random.bytes();
        let key = SessionKey(crypto.exchange_public(&secret));
        Self {
            session: sign(crypto, random, seed, group, key, now),
            secret,
            node: node_of(crypto, key),
            identity: *seed,
        }
    }

    /// Signs it anew, with the same key, if it does not hold now. True if it did not.
    pub fn renew(&mut self, crypto: Crypto, random: &mut Random, group: GroupId, now: Now) -> bool {
        let (body, wall) = (&self.session.body, now.wall_seconds());
        if body.from.0 <= wall && wall < body.until.0 {
            return false;
        }
        self.session = sign(crypto, random, &self.identity, group, body.key, now);
        true
    }

    /// The identity it belongs to.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.session.body.peer
    }
}
