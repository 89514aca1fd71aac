//! Who stands in which topic, until when, and fair samples of them.

use std::collections::{BTreeMap, BTreeSet};

use peer_group::limits::SAMPLE;
use peer_group::names::{Tag, Topic};
use peer_group::random::Random;
use peer_group::time::Millis;
use peer_group::wire::codec::List;
use peer_group::wire::rendezvous::{Announcement, Entry};

use super::config::Limits;

/// All topics that somebody stands in.
#[derive(Default)]
pub(super) struct Topics {
    crowds: BTreeMap<Topic, Crowd>,
    deadlines: BTreeSet<(Millis, Topic, Tag)>,
}

/// Those who stand in one topic, in an order that means nothing.
#[derive(Default)]
struct Crowd {
    standing: Vec<Standing>,
    places: BTreeMap<Tag, usize>,
}

struct Standing {
    entry: Entry,
    ttl_s: u16,
    until: Millis,
}

/// There is no room for one more.
#[derive(Debug)]
pub(super) struct Full;

impl Topics {
    /// Puts `entry` into `topic`, in place of an older one of the same tag.
    pub(super) fn announce(
        &mut self,
        now: Millis,
        limits: &Limits,
        topic: Topic,
        entry: Entry,
        ttl_s: u16,
    ) -> Result<(), Full> {
        let tag = entry.tag;
        match self.crowds.get(&topic) {
            Some(crowd) if crowd.places.contains_key(&tag) => self.withdraw(topic, tag),
            Some(crowd) if crowd.standing.len() >= limits.entries_per_topic => return Err(Full),
            None if self.crowds.len() >= limits.topics => return Err(Full),
            _ => {}
        }
        let until = deadline(now, ttl_s);
        let crowd = self.crowds.entry(topic).or_default();
        crowd.places.insert(tag, crowd.standing.len());
        crowd.standing.push(Standing {
            entry,
            ttl_s,
            until,
        });
        self.deadlines.insert((until, topic, tag));
        Ok(())
    }

    /// Lets `tag` stand in `topic` for its time again; false if it does not stand there.
    pub(super) fn refresh(
        &mut self,
        now: Millis,
        topic: Topic,
        tag: Tag,
        announcement: Option<Announcement>,
    ) -> bool {
        let standing = self.crowds.get_mut(&topic).and_then(|crowd| {
            let place = *crowd.places.get(&tag)?;
            crowd.standing.get_mut(place)
        });
        let Some(standing) = standing else {
            return false;
        };
        if let Some(announcement) = announcement {
            standing.entry.announcement = announcement;
        }
        self.deadlines.remove(&(standing.until, topic, tag));
        standing.until = deadline(now, standing.ttl_s);
        self.deadlines.insert((standing.until, topic, tag));
        true
    }

    /// Takes `tag` out of `topic`.
    pub(super) fn withdraw(&mut self, topic: Topic, tag: Tag) {
        let Some(crowd) = self.crowds.get_mut(&topic) else {
            return;
        };
        let Some(place) = crowd.places.remove(&tag) else {
            return;
        };
        let left = crowd.standing.swap_remove(place);
        if let Some(moved) = crowd.standing.get(place) {
            crowd.places.insert(moved.entry.tag, place);
        }
        if crowd.standing.is_empty() {
            self.crowds.remove(&topic);
        }
        self.deadlines.remove(&(left.until, topic, tag));
    }

    /// Takes out whose time is over, one at a time.
    pub(super) fn expire(&mut self, now: Millis) -> Option<(Topic, Tag)> {
        let (until, topic, tag) = *self.deadlines.first()?;
        (until <= now).then(|| {
            self.withdraw(topic, tag);
            (topic, tag)
        })
    }

    /// When the first one's time is over.
    pub(super) fn next_timeout(&self) -> Option<Millis> {
        self.deadlines.first().map(|(until, ..)| *until)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.crowds.len()
    }

    /// How many stand in all of them together.
    pub(super) fn announcements(&self) -> usize {
        self.deadlines.len()
    }

    /// How many stand in `topic`.
    pub(super) fn size(&self, topic: Topic) -> usize {
        self.crowds.get(&topic).map_or(0, |c| c.standing.len())
    }

    /// The same without `asker`.
    pub(super) fn others(&self, topic: Topic, asker: Option<Tag>) -> usize {
        let crowd = self.crowds.get(&topic);
        let own = crowd
            .zip(asker)
            .is_some_and(|(c, tag)| c.places.contains_key(&tag));
        self.size(topic) - usize::from(own)
    }

    /// At most `want` of those who stand in `topic`, each set of them as likely as any other and
    /// in random order, never `asker` itself.
    pub(super) fn sample(
        &self,
        random: &mut Random,
        topic: Topic,
        asker: Option<Tag>,
        want: u8,
    ) -> List<Entry, SAMPLE> {
        let Some(crowd) = self.crowds.get(&topic) else {
            return List::default();
        };
        let own = asker.and_then(|tag| crowd.places.get(&tag).copied());
        let others = crowd.standing.len() - usize::from(own.is_some());
        let count = usize::from(want).min(SAMPLE).min(others);
        let entries = pick(random, others, count)
            .into_iter()
            // The asker's own place is skipped over.
            .map(|i| i + usize::from(own.is_some_and(|own| i >= own)))
            .filter_map(|i| crowd.standing.get(i))
            .map(|standing| standing.entry.clone())
            .collect();
        List::first(entries)
    }
}

fn deadline(now: Millis, ttl_s: u16) -> Millis {
    now.saturating_add(u64::from(ttl_s) * 1000)
}

/// `count` different numbers below `bound`, by a shuffle that touches only what it takes.
fn pick(random: &mut Random, bound: usize, count: usize) -> Vec<usize> {
    let mut moved: BTreeMap<usize, usize> = BTreeMap::new();
    let at = |moved: &BTreeMap<usize, usize>, i: usize| moved.get(&i).copied().unwrap_or(i);
    (0..count)
        .map(|i| {
            let j = i + random.below((bound - i) as u64) as usize;
            let taken = at(&moved, j);
            let displaced = at(&moved, i);
            moved.insert(j, displaced);
            taken
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u8) -> Entry {
        Entry {
            tag: Tag([n; 16]),
            announcement: Announcement::default(),
        }
    }

    #[test]
    fn every_ordered_pair_of_others_is_sampled_equally_often() {
        let (mut topics, mut random) = (Topics::default(), Random::new([9; 32]));
        let topic = Topic([1; 32]);
        for n in 0..6 {
            topics
                .announce(0, &Limits::default(), topic, entry(n), 60)
                .unwrap();
        }
        let rounds = 20_000;
        let mut seen: BTreeMap<(u8, u8), f64> = BTreeMap::new();
        for _ in 0..rounds {
            let sample = topics.sample(&mut random, topic, Some(Tag([2; 16])), 2);
            let names: Vec<u8> = sample.iter().map(|e| e.tag.0[0]).collect();
            let [a, b] = names[..] else {
                panic!("asked for two, got {names:?}")
            };
            *seen.entry((a, b)).or_default() += 1.0;
        }
        assert!(seen.keys().all(|(a, b)| a != b && *a != 2 && *b != 2));
        assert_eq!(seen.len(), 5 * 4);
        let expected = f64::from(rounds) / 20.0;
        let chi: f64 = seen
            .values()
            .map(|n| (n - expected).powi(2) / expected)
            .sum();
        // 19 degrees of freedom: 43.8 is passed once in a thousand times.
        assert!(chi < 43.8, "chi-squared {chi}");
    }

    #[test]
    fn empty_topics_leave_nothing_behind() {
        let mut topics = Topics::default();
        for n in 1..=3 {
            topics
                .announce(0, &Limits::default(), Topic([n; 32]), entry(n), 60)
                .unwrap();
        }
        topics.withdraw(Topic([1; 32]), Tag([1; 16]));
        while topics.expire(60_000).is_some() {}
        assert!(topics.crowds.is_empty() && topics.deadlines.is_empty());
    }

    #[test]
    fn full_topics_still_take_those_who_stand_there_already() {
        let limits = Limits {
            topics: 1,
            entries_per_topic: 2,
            ..Limits::default()
        };
        let mut topics = Topics::default();
        let topic = Topic([1; 32]);
        topics.announce(0, &limits, topic, entry(1), 60).unwrap();
        topics.announce(0, &limits, topic, entry(2), 60).unwrap();
        assert!(topics.announce(0, &limits, topic, entry(3), 60).is_err());
        assert!(topics.announce(5, &limits, topic, entry(1), 60).is_ok());
        let elsewhere = Topic([2; 32]);
        assert!(
            topics
                .announce(0, &limits, elsewhere, entry(1), 60)
                .is_err()
        );
    }
}
