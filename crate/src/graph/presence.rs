//! What this node shows of itself, and of the member whose it is: written when it changes, refreshed
//! before it ends, withdrawn when it is over.

use std::cmp::Reverse;

use super::security::{Security, Shown};
use super::{Graph, Timer};
use crate::engine::context::Context;
use crate::limits;
use crate::names::{NodeAddress, NodeId, PeerId, RecordHash, RecordId};
use crate::record::model::{Body, Change, Data, Record, Stamp, TypeName};
use crate::record::reserved::{
    MEMBER, MemberData, PRESENCE, PresenceData, member_id, node_of_id, presence_id,
};
use crate::record::store::{Entry, Inserted};
use crate::sorted::Set;
use crate::time::Millis;
use crate::wire::attributes::Attributes;
use crate::wire::codec::{Text, Wire as _};
use crate::wire::numbers::record;

use super::records::Write;
use crate::engine::event::Answer;

/// A presence of ours as it was written.
struct Written {
    data: PresenceData,
    hash: RecordHash,
    at: Stamp,
    /// In peer time.
    refresh: Millis,
}

/// What this node shows of itself.
pub struct OwnPresence {
    /// What the app asked for: present in any case, or not; None: as the group has it.
    pub wanted: Option<bool>,
    /// Nobody looks at this node now.
    pub away: bool,
    /// Whatever the app wants to say.
    pub attributes: Text<{ limits::PRESENCE_ATTRIBUTES_BYTES }>,
    /// Earlier nodes of the same storage: what they left is withdrawn when it comes.
    pub earlier: Vec<NodeId>,
    id: RecordId,
    member: RecordId,
    written: Option<Written>,
    /// What was last said of our member by this node, and in which version.
    named: Option<(Vec<u8>, u32)>,
    /// From when on something may be written, on the monotonic clock.
    next: Millis,
    next_member: Millis,
}

impl OwnPresence {
    /// Shows nothing yet.
    #[must_use]
    pub fn new(crypto: crate::crypto::Crypto, peer: PeerId, node: NodeId) -> Self {
        Self {
            wanted: None,
            away: false,
            attributes: Text::default(),
            earlier: Vec::new(),
            id: presence_id(crypto, peer, node),
            member: member_id(crypto, peer),
            written: None,
            named: None,
            next: 0,
            next_member: 0,
        }
    }

    /// Nodes of this storage whose presence may stand, this one first.
    pub fn standing(&self) -> impl Iterator<Item = NodeId> {
        let own = self.written.as_ref().map(|_| node_of_id(&self.id));
        own.into_iter().chain(self.earlier.iter().copied())
    }
}

/// What a presence record says.
#[must_use]
pub fn presence_of(entry: &Entry) -> Option<PresenceData> {
    PresenceData::from_bytes(&entry.record().body.data).ok()
}

impl Graph {
    /// Writes what is to be shown and is not, and plans when to look again. `ready`: this node has
    /// what the group has. `name`: what our member is called. `active`: it has made members.
    pub fn show(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        ready: bool,
        name: &str,
        active: bool,
    ) {
        let Some(shown) = security.rules().shown else {
            return;
        };
        if !self.online || !ready {
            self.timers.disarm(&Timer::Presence);
            return;
        }
        self.withdraw_earlier(cx, security);
        let mut due = self.show_presence(cx, security, &shown);
        let is_seen = !shown.members_when_active || active || self.is_active();
        if is_seen {
            due = due.min(self.show_member(cx, security, &shown, name));
        }
        self.timers.arm(Timer::Presence, due);
    }

    /// Whether our member shows something that others see.
    fn is_active(&self) -> bool {
        let own = self.own.peer();
        self.presence.written.is_some() || !self.records.store.list(None, Some(own)).is_empty()
    }

    /// When to look again.
    fn show_presence(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        shown: &Shown,
    ) -> Millis {
        let (now, far) = (cx.now.monotonic, cx.now.monotonic + limits::ANTI_ENTROPY_MS);
        if !self.presence.wanted.unwrap_or(shown.presence) {
            self.withdraw(cx, security);
            return far;
        }
        let own = &self.presence;
        let before = own.written.as_ref();
        let Some(address) = self
            .address
            .as_ref()
            .or(before.map(|written| &written.data.address))
        else {
            return far;
        };
        let peer_time = self.records.clock.at(cx.now);
        let stands = before.is_some_and(|written| {
            let data = &written.data;
            let same = data.address == *address
                && data.away == own.away
                && data.attributes == own.attributes;
            let held = self.records.store.any(&own.id);
            same && held.is_some_and(|held| held.hash() == written.hash)
                && written.refresh > peer_time
                && written.at.ms() <= peer_time + limits::RECORD_AHEAD_MS
        });
        if let Some(written) = before.filter(|_| stands) {
            // Looked at once a minute in any case: clocks are set, and machines sleep.
            return far.min(now + (written.refresh - peer_time).max(limits::SWEEP_MIN_MS));
        }
        if now < own.next {
            return own.next;
        }
        let data = PresenceData {
            address: address.clone(),
            away: own.away,
            told: self.told_by_us(cx),
            attributes: own.attributes.clone(),
        };
        self.presence.next = now + limits::PRESENCE_PAUSE_MS;
        let life = shown.presence_ms;
        let body = self.own_body(
            cx,
            security,
            PRESENCE,
            self.presence.id,
            life,
            Some(data.to_bytes()),
        );
        let written = body.and_then(|body| {
            let (at, expires) = (body.modified(), body.expires);
            let hash = self.place_own(cx, security, body)?;
            let refresh = expires - (expires - at.ms()) / 3;
            Some(Written {
                data,
                hash,
                at,
                refresh,
            })
        });
        match written {
            Some(written) => self.presence.written = Some(written),
            // Our clock may be wrong.
            None => self.presence.next = now + limits::PRESENCE_AGAIN_MS,
        }
        self.presence.next
    }

    /// How many of the nodes that we know to be present are our neighbors: they hear it from us.
    fn told_by_us(&self, cx: &Context<'_>) -> u8 {
        let now = self.records.clock.at(cx.now);
        let neighbors: Set<NodeId> = self
            .links
            .values()
            .filter(|link| link.is_neighbor())
            .map(|link| link.remote.node)
            .collect();
        let present = self.records.store.said(PRESENCE, None, now);
        let told = present.filter(|entry| neighbors.contains(&node_of_id(&entry.record().body.id)));
        u8::try_from(told.count()).unwrap_or(u8::MAX)
    }

    /// Whether whoever wrote a presence has told it to everybody itself: then it is not passed on, or
    /// each refresh would go over every link of a full mesh.
    pub(super) fn reaches_all(&self, record: &Record, from: NodeId, now: Millis) -> bool {
        if record.body.change == (Change::Original {}) || node_of_id(&record.body.id) != from {
            return false;
        }
        let Ok(data) = PresenceData::from_bytes(&record.body.data) else {
            return false;
        };
        let present = self.records.store.said(PRESENCE, None, now);
        // Itself is present too.
        present.take(usize::from(data.told) + 2).count() <= usize::from(data.told) + 1
    }

    /// When to look again.
    fn show_member(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        shown: &Shown,
        name: &str,
    ) -> Millis {
        let (now, far) = (cx.now.monotonic, cx.now.monotonic + limits::ANTI_ENTROPY_MS);
        let id = self.presence.member;
        let mut writes = self.records.writes.iter().chain(&self.records.writing);
        if now < self.presence.next_member || writes.any(|write| write.record.body.id == id) {
            return far.min(self.presence.next_member.max(now + limits::SWEEP_MIN_MS));
        }
        let peer_time = self.records.clock.at(cx.now);
        let life = shown.member_ms.min(limits::RECORD_LIFE_MS);
        let held = self.records.store.any(&id).map(|held| &held.record().body);
        let version = held.map_or(0, Body::version);
        if self
            .presence
            .named
            .as_ref()
            .is_some_and(|named| named.1 > version)
        {
            // Storage did not take it.
            self.presence.named = None;
            self.presence.next_member = now + limits::PRESENCE_AGAIN_MS;
            return far.min(self.presence.next_member);
        }
        let data = MemberData {
            name: Text::new(name).unwrap_or_default(),
        }
        .to_bytes();
        // Another node of ours may call us differently: that was said before, and is said once.
        let was_said = self
            .presence
            .named
            .as_ref()
            .is_some_and(|named| named.0 == data);
        let stands = held.is_some_and(|body| {
            let ends = body.expires.saturating_sub(body.modified().ms());
            !body.is_deleted()
                && (was_said || *body.data == *data)
                && body.expires.saturating_sub(ends / 3) > peer_time
                && body.modified().ms() <= peer_time + limits::RECORD_AHEAD_MS
        });
        if stands {
            self.presence.named = Some((data, version));
            return far;
        }
        self.presence.next_member = now + limits::PRESENCE_PAUSE_MS;
        let body = self.own_body(cx, security, MEMBER, id, life, Some(data.clone()));
        let record = body.map(|body| self.own.sign_record(cx.crypto, self.scope, body));
        let hashed = record.map(|record| (record.hash(cx.crypto, self.scope), record));
        let Some((hash, record)) =
            hashed.filter(|(hash, record)| is_allowed(security, record, hash))
        else {
            self.presence.next_member = now + limits::PRESENCE_AGAIN_MS;
            return far.min(self.presence.next_member);
        };
        self.presence.named = Some((data, record.body.version()));
        self.records.writes.push_back(Write {
            request: None,
            answer: Answer::Done,
            record,
            hash,
        });
        self.presence.next_member
    }

    /// The next version of a record of the engine's own, by us; without data its end.
    fn own_body(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        kind: &str,
        id: RecordId,
        life: Millis,
        data: Option<Vec<u8>>,
    ) -> Option<Body> {
        let creator = self.own.peer();
        let old = self
            .records
            .store
            .any(&id)
            .map(|entry| &entry.record().body);
        let old = old.map(|body| (body.version(), body.created, body.modified(), body.expires));
        let now = self.records.clock.at(cx.now);
        let created = self.records.next_stamp(cx.now);
        let (created, change, end) = match old {
            None => (created, Change::Original {}, now),
            Some((version, first, last, end)) => {
                // A clock that was far ahead when it was first written does not count for ever.
                let created = if first.ms() > now + limits::RECORD_AHEAD_MS {
                    created
                } else {
                    first
                };
                let at = self.records.next_stamp(cx.now).max(created.next(0));
                let version = version.checked_add(1)?;
                (
                    created,
                    Change::ByCreator { version, at },
                    end.max(last.ms() + 1),
                )
            }
        };
        let mut body = Body {
            form: record::FORM,
            flags: if data.is_none() { record::DELETED } else { 0 },
            id,
            kind: TypeName::new(kind)?,
            creator,
            created,
            change,
            expires: 0,
            attributes: Attributes::default(),
            data: Data::new(data.unwrap_or_default())?,
        };
        let at = body.modified().ms();
        body.expires = if body.is_deleted() {
            end.clamp(at + 1, at + life)
        } else {
            at + life
        };
        // Nothing of ours outlives our membership.
        let rights = security.rights(creator);
        let until = rights.iter().map(|rights| rights.until).max()?;
        if until != crate::wire::seconds::Seconds::NEVER {
            body.expires = body.expires.min(until.0.saturating_mul(1000));
        }
        (body.expires > at).then_some(body)
    }

    /// Signs what storage does not keep, and holds it; None: it has no place.
    fn place_own(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        body: Body,
    ) -> Option<RecordHash> {
        body.check_form(cx.crypto, usize::MAX).ok()?;
        let record = self.own.sign_record(cx.crypto, self.scope, body);
        let hash = record.hash(cx.crypto, self.scope);
        if !is_allowed(security, &record, &hash) {
            return None;
        }
        let placed = self.place(cx, record, hash, None, false);
        (placed == Inserted::Hidden).then_some(hash)
    }

    /// This node is not present any more; its neighbors hear so when lanes are pumped next.
    pub fn withdraw(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        // What could not be written anew lately may stand all the same.
        self.presence.written = None;
        self.withdraw_node(cx, security, self.presence.id);
    }

    fn withdraw_node(&mut self, cx: &mut Context<'_>, security: &mut dyn Security, id: RecordId) {
        let now = self.records.clock.at(cx.now);
        let held = self
            .records
            .store
            .any(&id)
            .map(|entry| &entry.record().body);
        let Some(end) = held
            .filter(|body| !body.is_deleted())
            .map(|body| body.expires)
        else {
            return;
        };
        let life = end.saturating_sub(now).max(1);
        if let Some(body) = self.own_body(cx, security, PRESENCE, id, life, None) {
            self.place_own(cx, security, body);
        }
    }

    /// A node of this storage that ended without a word is not there any more: once its presence comes
    /// back from others it is withdrawn, once.
    fn withdraw_earlier(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        let peer = self.own.peer();
        for node in self.presence.earlier.clone() {
            let id = presence_id(cx.crypto, peer, node);
            let held = self.records.store.any(&id);
            if held.is_none() || node == self.own.node {
                continue;
            }
            self.presence.earlier.retain(|other| *other != node);
            self.withdraw_node(cx, security, id);
        }
    }

    /// The nodes by which a member is present, those that somebody looks at first, of these the newest.
    #[must_use]
    pub fn present_nodes(&self, peer: PeerId, now: Millis) -> Vec<(NodeId, PresenceData)> {
        let said = self.records.store.said(PRESENCE, Some(peer), now);
        let said = said.take(limits::PRESENCES_SEEN);
        let mut nodes: Vec<_> = said
            .filter_map(|entry| {
                let data = presence_of(entry)?;
                let body = &entry.record().body;
                let rank = (!data.away, body.created, node_of_id(&body.id));
                Some((Reverse(rank), data))
            })
            .collect();
        nodes.sort_by_key(|(rank, _)| *rank);
        nodes
            .into_iter()
            .map(|(Reverse((_, _, node)), data)| (node, data))
            .collect()
    }

    /// Where a node is reached that is present.
    pub(super) fn present_at(&self, node: NodeId, now: Millis) -> Option<NodeAddress> {
        let mut said = self.records.store.said(PRESENCE, None, now);
        let entry = said.find(|entry| node_of_id(&entry.record().body.id) == node)?;
        presence_of(entry).map(|data| data.address)
    }
}

fn is_allowed(security: &mut dyn Security, record: &Record, hash: &RecordHash) -> bool {
    let rights = security.rights(record.body.creator);
    rights.iter().any(|rights| rights.allow(&record.body, hash))
}
