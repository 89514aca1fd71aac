//! Whether records are rightly there, worked out slowly and by other code than the engine's: from the
//! group key down to whoever signed.

use std::collections::BTreeSet;

use peer_group::crypto::{Crypto, signed_bytes};
use peer_group::group::credential::{Body, Credential, Role};
use peer_group::limits::CLOCK_GRACE_S;
use peer_group::names::{GroupId, PeerId};
use peer_group::record::model::{Change, Record};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::numbers::{control, record};

/// A standing that somebody has.
#[derive(Clone, Debug)]
struct Standing {
    role: Role,
    from: u64,
    until: u64,
    /// Keys of the invitations that it rests on.
    invitations: BTreeSet<[u8; 32]>,
}

impl Standing {
    /// The narrower of two.
    fn within(&self, role: Role, from: u64, until: u64) -> Option<Self> {
        let fits = role <= self.role && from >= self.from && until <= self.until;
        fits.then(|| Self {
            role,
            from,
            until,
            invitations: self.invitations.clone(),
        })
    }
}

/// Everything that members said about one another.
pub struct Verifier {
    crypto: Crypto,
    group: GroupId,
    credentials: Vec<Credential>,
}

impl Verifier {
    /// Knows these control items, of whatever kind.
    #[must_use]
    pub fn new(crypto: Crypto, group: GroupId, items: &BTreeSet<Vec<u8>>) -> Self {
        let read = |item: &Vec<u8>| match item.split_first() {
            Some((&control::CREDENTIAL, rest)) => Credential::from_bytes(rest).ok(),
            _ => None,
        };
        let signed = |credential: &Credential| {
            let body = signed_bytes("credential", &group.0, &credential.body.to_bytes());
            crypto.verify(credential.issuer(), &body, &credential.signature)
        };
        Self {
            crypto,
            group,
            credentials: items.iter().filter_map(read).filter(signed).collect(),
        }
    }

    /// Every standing that a key has; `path` are the keys that it must not rest on.
    fn standings(&self, key: [u8; 32], path: &BTreeSet<[u8; 32]>) -> Vec<Standing> {
        if key == self.group.0 {
            return vec![Standing {
                role: Role::Admin,
                from: 0,
                until: u64::MAX,
                invitations: BTreeSet::new(),
            }];
        }
        if path.contains(&key) {
            return Vec::new();
        }
        let mut path = path.clone();
        path.insert(key);
        let mut found = Vec::new();
        for credential in &self.credentials {
            let Body::Membership {
                subject,
                role,
                from,
                until,
                issuer,
                ..
            } = credential.body
            else {
                continue;
            };
            if subject.0 != key {
                continue;
            }
            let name = credential.hash(self.crypto, self.group);
            let by_members = self.standings(issuer, &path);
            let by_members = by_members.iter().filter(|of| of.role.may_issue(role));
            let by_invitation = self.invited(issuer, name, &path);
            let parents: Vec<&Standing> = by_members.chain(&by_invitation).collect();
            found.extend(
                parents
                    .iter()
                    .filter_map(|of| of.within(role, from.0, until.0)),
            );
        }
        found
    }

    /// What an invitation's key may give to the membership of that name.
    fn invited(
        &self,
        key: [u8; 32],
        membership: [u8; 32],
        path: &BTreeSet<[u8; 32]>,
    ) -> Vec<Standing> {
        let mut found = Vec::new();
        for credential in &self.credentials {
            let Body::Delegation {
                key: own,
                role,
                from,
                until,
                issuer,
                usable_until,
                ..
            } = credential.body
            else {
                continue;
            };
            let in_time = |at: u64| at >= from.0 && at <= usable_until.0;
            if own != key || !self.is_admitted(key, membership, path, in_time) {
                continue;
            }
            for parent in self.standings(issuer, path) {
                let given = parent.within(role, from.0, until.0);
                found.extend(given.filter(|_| parent.role.may_issue(role)).map(|mut of| {
                    of.invitations.insert(key);
                    of
                }));
            }
        }
        found
    }

    fn is_admitted(
        &self,
        invitation: [u8; 32],
        name: [u8; 32],
        path: &BTreeSet<[u8; 32]>,
        in_time: impl Fn(u64) -> bool,
    ) -> bool {
        self.credentials.iter().any(|credential| {
            let Body::Admission {
                membership,
                at,
                issuer,
            } = credential.body
            else {
                return false;
            };
            membership == name
                && in_time(at.0)
                && self
                    .standings(issuer, path)
                    .iter()
                    .any(|of| !of.invitations.contains(&invitation))
        })
    }

    /// Why a record may not be there, if so.
    pub fn check(&self, of: &Record) -> Result<(), String> {
        let body = &of.body;
        let author = match body.change {
            Change::ByOther { peer, .. } => peer,
            Change::Original {} | Change::ByCreator { .. } => body.creator,
        };
        let signed = signed_bytes("record", &self.group.0, &body.to_bytes());
        if !self.crypto.verify(&author.0, &signed, &of.signature) {
            return Err("it is not signed by its author".to_owned());
        }
        let own = body.kind.starts_with("peer-group/");
        let label = if own { &*body.kind } else { "record" };
        let half = self.crypto.hash(&[label.as_bytes(), &body.creator.0]);
        if body.id.0[..8] != half[..8] {
            return Err("its id is not of its creator".to_owned());
        }
        if body.form != record::FORM {
            return Err("it is of no form that there is".to_owned());
        }
        if own && author != body.creator {
            return Err("somebody else wrote what a member shows of itself".to_owned());
        }
        let says_more = body.flags != 0
            || body.change != Change::Original {}
            || body.size() > 0
            || body.expires - body.created.ms() > 3_600_000;
        if &*body.kind == "peer-group/guess" && says_more {
            return Err("it says more than that a password was wrong".to_owned());
        }
        let at = body.modified().ms() / 1000;
        let may = |of: &Standing| {
            let in_time = at + CLOCK_GRACE_S >= of.from;
            let ends = of.until == u64::MAX || of.until >= FAR || body.expires / 1000 <= of.until;
            let right = author == body.creator || of.role == Role::Admin;
            in_time && ends && right
        };
        if self.of(author).iter().any(may) {
            Ok(())
        } else {
            Err(format!("{author:?} had no right to it"))
        }
    }

    fn of(&self, peer: PeerId) -> Vec<Standing> {
        self.standings(peer.0, &BTreeSet::new())
    }
}

/// Seconds that mean no end.
const FAR: u64 = peer_group::wire::seconds::Seconds::NEVER.0;
