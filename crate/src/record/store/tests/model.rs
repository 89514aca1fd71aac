//! The store against a list that looks at everything.

use super::order::versions;
use super::*;
use proptest::prelude::*;

struct Known {
    body: Body,
    hash: RecordHash,
    latest: Millis,
    bytes: u64,
    shown: bool,
    insertion: u64,
}

impl Known {
    fn until(&self) -> Millis {
        let margin = if self.body.is_deleted() {
            TOMBSTONE_MARGIN_MS
        } else {
            0
        };
        self.latest + margin
    }
}

#[derive(Default)]
struct Naive {
    known: Vec<Known>,
    insertions: u64,
}

impl Naive {
    fn insert(&mut self, body: &Body, now: Millis) {
        let (record, hash) = signed(body.clone());
        let mut new = Known {
            body: body.clone(),
            hash,
            latest: body.expires,
            bytes: record.to_bytes().len() as u64,
            shown: !body.is_deleted() && body.expires > now,
            insertion: 0,
        };
        let ended = new.until() <= now;
        let rank = |known: &Known| (known.body.version(), known.body.modified(), known.hash);
        let at = self.known.iter().position(|known| known.body.id == body.id);
        match at.and_then(|at| self.known.get_mut(at)) {
            None if ended => return,
            None => {}
            Some(old) => {
                let (latest, bytes) = match ended {
                    true => (old.latest, old.bytes),
                    false => (old.latest.max(new.latest), old.bytes.max(new.bytes)),
                };
                if rank(&new) <= rank(old) {
                    (old.latest, old.bytes) = (latest, bytes);
                    return;
                }
                (new.latest, new.bytes) = (latest, bytes);
                self.known.retain(|known| known.body.id != body.id);
            }
        }
        self.insertions += 1;
        new.insertion = self.insertions;
        self.known.push(new);
    }

    fn sweep(&mut self, now: Millis) {
        self.known.retain_mut(|known| {
            known.shown &= known.body.expires > now;
            known.shown || known.until() > now
        });
    }

    /// Ids of those that `which` picks, the oldest first.
    fn ids(&self, which: impl Fn(&Known) -> bool) -> Vec<RecordId> {
        let mut found: Vec<_> = self.known.iter().filter(|known| which(known)).collect();
        found.sort_by_key(|known| (known.body.created, known.body.id));
        found.iter().map(|known| known.body.id).collect()
    }
}

fn sorted(mut ids: Vec<RecordId>) -> Vec<RecordId> {
    ids.sort_unstable();
    ids
}

fn compare(store: &Store, naive: &Naive, now: Millis) -> Result<(), TestCaseError> {
    prop_assert_eq!(store.len(), naive.known.len());
    prop_assert_eq!(store.insertions(), naive.insertions);
    for known in &naive.known {
        let entry = store.any(&known.body.id).expect("held");
        prop_assert_eq!(&entry.record().body, &known.body);
        prop_assert_eq!(entry.is_shown(), known.shown);
        prop_assert_eq!(store.get(&known.body.id).is_some(), known.shown);
        prop_assert_eq!(entry.kept_until(), known.until());
        prop_assert_eq!(entry.insertion(), known.insertion);
        let by_hash = store.by_hash(&known.hash).map(|e| e.record().body.id);
        prop_assert_eq!(by_hash, Some(known.body.id));
    }
    for creator in [None, Some(peer(1)), Some(peer(4))] {
        for kind in [None, Some("a"), Some("c")] {
            let expected = naive.ids(|known| {
                known.shown
                    && creator.is_none_or(|creator| known.body.creator == creator)
                    && kind.is_none_or(|kind| &*known.body.kind == kind)
            });
            prop_assert_eq!(ids(&store.list(kind, creator)), expected);
        }
    }
    for number in 0..5 {
        let expected = naive.ids(|known| known.body.author() == peer(number));
        prop_assert_eq!(sorted(store.by_author(peer(number))), sorted(expected));
    }
    let offered = |known: &Known| known.body.expires > now;
    let ours: Vec<_> = store.offered(now).map(|e| e.record().body.id).collect();
    prop_assert_eq!(ours, sorted(naive.ids(offered)));
    let first = TypeName::new("b").expect("short");
    let by_type = store.ids_by_precedence(core::slice::from_ref(&first), now);
    let begin = naive.ids(|known| offered(known) && known.body.kind == first);
    prop_assert_eq!(
        by_type.get(..begin.len()).map(<[_]>::to_vec).map(sorted),
        Some(sorted(begin))
    );
    prop_assert_eq!(sorted(by_type), sorted(naive.ids(offered)));
    let half = naive.insertions / 2;
    let since: Vec<_> = store.since(half).map(|e| e.record().body.id).collect();
    let expected = naive.ids(|known| known.insertion > half);
    prop_assert_eq!(sorted(since), sorted(expected));
    let due = |known: &Known| match known.shown {
        true => known.body.expires,
        false => known.until(),
    };
    prop_assert_eq!(store.next_sweep(), naive.known.iter().map(due).min());
    let latest = naive.known.iter().map(|known| known.body.modified()).max();
    prop_assert_eq!(store.latest_stamp(), latest.unwrap_or_default());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_store_does_what_a_list_does(
        seed: [u8; 32],
        steps in proptest::collection::vec((any::<u16>(), 0u8..12, 0u64..200), 1..120),
    ) {
        let mut random = Random::new(seed);
        let all = versions(&mut random, 20, &["a", "b", "c"]);
        let (mut store, mut naive) = (Store::new(), Naive::default());
        let mut now = 0;
        for (which, step, pause) in steps {
            let body = &all[usize::from(which) % all.len()];
            match step {
                0 => {
                    now += pause * 5;
                    let due: usize = naive.known.len();
                    let gone = store.sweep(START + now);
                    naive.sweep(START + now);
                    let left = gone.iter().filter(|gone| !gone.held).count();
                    prop_assert_eq!(due - left, naive.known.len());
                }
                1 => {
                    let gone = store.remove(&body.id);
                    let before = naive.known.len();
                    naive.known.retain(|known| known.body.id != body.id);
                    prop_assert_eq!(gone.is_some(), naive.known.len() < before);
                }
                _ => {
                    offer(&mut store, body, now);
                    naive.insert(body, START + now);
                }
            }
            compare(&store, &naive, START + now)?;
        }
    }
}
