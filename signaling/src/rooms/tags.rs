//! Which connection is reached under which tag, and who should hear when that ends.

use std::collections::{BTreeMap, VecDeque};

use peer_group::names::Tag;
use peer_group::time::Millis;

use super::ConnId;
use super::bucket::Bucket;
use super::config::Limits;

/// All reachable tags.
#[derive(Default)]
pub(super) struct Tags {
    reachable: BTreeMap<Tag, Reachable>,
}

struct Reachable {
    conn: ConnId,
    /// Since when it is that connection.
    since: Millis,
    /// Most recent last.
    correspondents: VecDeque<Correspondent>,
    inbox: Bucket,
}

struct Correspondent {
    tag: Tag,
    /// It was written to from here, and so may have frames relayed to here.
    asked: bool,
}

/// Why a signal cannot be passed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undeliverable {
    Gone,
    Quota,
}

impl Tags {
    /// Lets `tag` be reached through `conn`; names the connection that had it before, if another.
    /// Whoever calls this has seen the tag's secret.
    pub(super) fn claim(
        &mut self,
        now: Millis,
        limits: &Limits,
        tag: Tag,
        conn: ConnId,
    ) -> Option<ConnId> {
        let reachable = self.reachable.entry(tag).or_insert_with(|| Reachable {
            conn,
            since: now,
            correspondents: VecDeque::new(),
            inbox: Bucket::new(now, limits.inbox),
        });
        let before = std::mem::replace(&mut reachable.conn, conn);
        if before == conn {
            return None;
        }
        reachable.since = now;
        Some(before)
    }

    /// All tags, and since when each is reached as it is now.
    pub(super) fn claims(&self) -> impl Iterator<Item = (Tag, Millis)> {
        self.reachable
            .iter()
            .map(|(tag, reachable)| (*tag, reachable.since))
    }

    /// The connection that `tag` is reached through, and since when.
    pub(super) fn claim_of(&self, tag: Tag) -> Option<(ConnId, Millis)> {
        self.reachable
            .get(&tag)
            .map(|reachable| (reachable.conn, reachable.since))
    }

    /// Ends that `tag` is reached through `conn`, and names who should hear of it. Does nothing if
    /// another connection has taken the tag over since.
    pub(super) fn release(&mut self, tag: Tag, conn: ConnId) -> Vec<Tag> {
        if self.conn(tag) != Some(conn) {
            return Vec::new();
        }
        let correspondents = self
            .reachable
            .remove(&tag)
            .map(|reachable| reachable.correspondents);
        let correspondents = correspondents.unwrap_or_default();
        correspondents.iter().map(|other| other.tag).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.reachable.len()
    }

    /// Whether `tag` lately wrote to `other`.
    pub(super) fn asked(&self, tag: Tag, other: Tag) -> bool {
        self.reachable.get(&tag).is_some_and(|reachable| {
            let mut all = reachable.correspondents.iter();
            all.any(|one| one.tag == other && one.asked)
        })
    }

    /// `tag` has to write to `other` again before it counts as having done so.
    pub(super) fn unask(&mut self, tag: Tag, other: Tag) {
        if let Some(reachable) = self.reachable.get_mut(&tag) {
            for one in &mut reachable.correspondents {
                one.asked &= one.tag != other;
            }
        }
    }

    /// The connection that `tag` is reached through.
    pub(super) fn conn(&self, tag: Tag) -> Option<ConnId> {
        self.reachable.get(&tag).map(|reachable| reachable.conn)
    }

    /// The connection to pass a signal of `from` on to, which makes the two correspondents.
    pub(super) fn deliver(
        &mut self,
        now: Millis,
        limits: &Limits,
        from: Tag,
        to: Tag,
    ) -> Result<ConnId, Undeliverable> {
        let target = self.reachable.get_mut(&to).ok_or(Undeliverable::Gone)?;
        target
            .inbox
            .take(now, limits.inbox)
            .map_err(|_| Undeliverable::Quota)?;
        let conn = target.conn;
        self.note(limits, to, from, false);
        self.note(limits, from, to, true);
        Ok(conn)
    }

    /// A signal of `from` is on its way to `to`, which is not reached through here.
    pub(super) fn wrote(&mut self, limits: &Limits, from: Tag, to: Tag) {
        self.note(limits, from, to, true);
    }

    /// Ends that two are correspondents, at the end of `tag`; whether they were.
    pub(super) fn part(&mut self, tag: Tag, other: Tag) -> bool {
        self.reachable.get_mut(&tag).is_some_and(|reachable| {
            let before = reachable.correspondents.len();
            reachable.correspondents.retain(|known| known.tag != other);
            reachable.correspondents.len() < before
        })
    }

    /// Notes at `tag`, if it is reached through here, that it had to do with `other` just now.
    fn note(&mut self, limits: &Limits, tag: Tag, other: Tag, asked: bool) {
        if let Some(reachable) = self.reachable.get_mut(&tag) {
            let list = &mut reachable.correspondents;
            let known = list.iter().position(|known| known.tag == other);
            let known = known.and_then(|at| list.remove(at));
            list.push_back(Correspondent {
                tag: other,
                asked: asked || known.is_some_and(|known| known.asked),
            });
            if list.len() > limits.correspondents {
                list.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tag(n: u8) -> Tag {
        Tag([n; 16])
    }

    #[test]
    fn only_the_connection_that_has_a_tag_can_release_it() {
        let (mut tags, limits) = (Tags::default(), Limits::default());
        assert_eq!(tags.claim(0, &limits, tag(1), ConnId(1)), None);
        assert_eq!(tags.claim(0, &limits, tag(1), ConnId(1)), None);
        assert_eq!(tags.claim(0, &limits, tag(1), ConnId(2)), Some(ConnId(1)));
        tags.release(tag(1), ConnId(1));
        assert_eq!(tags.conn(tag(1)), Some(ConnId(2)));
        tags.release(tag(1), ConnId(2));
        assert_eq!(tags.conn(tag(1)), None);
    }

    #[test]
    fn the_latest_correspondents_hear_and_earlier_ones_make_room() {
        let limits = Limits {
            correspondents: 2,
            ..Limits::default()
        };
        let mut tags = Tags::default();
        for n in 1..=4 {
            tags.claim(0, &limits, tag(n), ConnId(u64::from(n)));
        }
        for from in [2, 3, 2, 4] {
            assert_eq!(tags.deliver(0, &limits, tag(from), tag(1)), Ok(ConnId(1)));
        }
        assert_eq!(tags.release(tag(1), ConnId(1)), [tag(2), tag(4)]);
        assert_eq!(
            tags.deliver(0, &limits, tag(2), tag(1)),
            Err(Undeliverable::Gone)
        );
        assert!(tags.asked(tag(3), tag(1)), "it wrote");
        assert!(!tags.asked(tag(3), tag(2)), "it did not");
        tags.unask(tag(3), tag(1));
        assert!(!tags.asked(tag(3), tag(1)));
        // It works the other way as well: who wrote hears when who was written to goes.
        assert_eq!(tags.release(tag(3), ConnId(3)), [tag(1)]);
    }
}
