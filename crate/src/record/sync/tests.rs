//! Two ends in memory: honest ones find every difference within the bounds, liars get nowhere.

use super::*;
use crate::random::Random;
use crate::wire::codec::Wire as _;
use proptest::prelude::*;
use std::collections::{BTreeSet, VecDeque};

struct Items(BTreeSet<RecordHash>);

impl Holdings for Items {
    fn each(&self, visit: &mut dyn FnMut(&RecordHash)) {
        self.0.iter().for_each(visit);
    }
}

/// What travels between two ends.
enum Thing {
    Said(Message),
    Items(Vec<RecordHash>),
}

struct End {
    reconciler: Reconciler,
    items: Items,
    /// From this end: what overtakes items, and what does not.
    fast: VecDeque<Message>,
    slow: VecDeque<Thing>,
    finished: Vec<Finished>,
    streamed: usize,
}

struct Pair {
    ends: [End; 2],
    /// Bytes said by both, `Want` left out.
    bytes: usize,
    wanted: usize,
    messages: usize,
    pushed: usize,
    /// Items that came to somebody who had them.
    twice: usize,
}

const FIRST_KEY: [u8; 16] = [1; 16];
const LATER_KEY: [u8; 16] = [2; 16];

fn hashes(random: &mut Random, count: usize) -> BTreeSet<RecordHash> {
    (0..count).map(|_| RecordHash(random.bytes())).collect()
}

impl End {
    fn new(items: BTreeSet<RecordHash>) -> Self {
        Self {
            reconciler: Reconciler::new(Key::new(FIRST_KEY), Key::new(LATER_KEY), First::default()),
            items: Items(items),
            fast: VecDeque::new(),
            slow: VecDeque::new(),
            finished: Vec::new(),
            streamed: 0,
        }
    }

    fn take(&mut self, message: Message) {
        let mut out = Vec::new();
        self.reconciler.receive(message, &self.items, &mut out);
        self.run(out);
    }

    fn run(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Say(message) if message.follows_items() => {
                    self.slow.push_back(Thing::Said(message));
                }
                Step::Say(message) => self.fast.push_back(message),
                Step::Push(items) => self.slow.push_back(Thing::Items(items)),
                Step::PushAll { .. } => {
                    self.streamed += 1;
                    let all = self.items.0.iter().copied().collect();
                    self.slow.push_back(Thing::Items(all));
                }
                Step::Finished(finished) => {
                    self.finished.push(finished);
                    if finished.again {
                        let message = self.reconciler.begin(&self.items);
                        self.slow.extend(message.map(Thing::Said));
                    }
                }
                Step::Fault(why) => panic!("an honest end was blamed: {why}"),
            }
        }
    }
}

impl Pair {
    fn new(ours: BTreeSet<RecordHash>, theirs: BTreeSet<RecordHash>) -> Self {
        Self {
            ends: [End::new(ours), End::new(theirs)],
            bytes: 0,
            wanted: 0,
            messages: 0,
            pushed: 0,
            twice: 0,
        }
    }

    /// As in a handshake: a digest, its answer, then both ends of the open link.
    fn shake_hands(&mut self) {
        let key = Key::new(FIRST_KEY);
        let [a, b] = &mut self.ends;
        let digest = Reconciler::digest(&key, &a.items);
        let answer = Reconciler::answer(&key, &digest, &b.items, &First::default());
        self.bytes += digest.to_bytes().len() + answer.to_bytes().len();
        b.reconciler.expect(&digest, &answer, &b.items);
        let mut out = Vec::new();
        a.reconciler.begin_with_answer(answer, &a.items, &mut out);
        a.run(out);
    }

    fn begin(&mut self, end: usize) {
        let end = &mut self.ends[end];
        let message = end.reconciler.begin(&end.items);
        end.slow.extend(message.map(Thing::Said));
    }

    /// Carries one thing from an end to the other; false if there is none.
    fn carry(&mut self, from: usize, slow: bool) -> bool {
        let end = &mut self.ends[from];
        // What may overtake was sent at once: nothing that waited comes before it.
        let thing = if slow && end.fast.is_empty() {
            end.slow.pop_front()
        } else {
            end.fast.pop_front().map(Thing::Said)
        };
        let other = &mut self.ends[1 - from];
        match thing {
            None => return false,
            Some(Thing::Said(message)) => {
                let bytes = message.to_bytes();
                assert!(bytes.len() <= crate::limits::FRAME_BYTES);
                assert!(bytes.len() <= message.weight() + 8);
                assert_eq!(Message::from_bytes(&bytes).as_ref(), Ok(&message));
                if matches!(message, Message::Want { .. }) {
                    self.wanted += bytes.len();
                } else {
                    self.bytes += bytes.len();
                }
                self.messages += 1;
                other.take(message);
            }
            Some(Thing::Items(items)) => {
                for item in items {
                    self.pushed += 1;
                    self.twice += usize::from(!other.items.0.insert(item));
                }
            }
        }
        true
    }

    /// Carries all there is, in an order that `random` chooses among those that lanes allow.
    fn settle(&mut self, random: &mut Random) {
        let is_open = |end: &End| !(end.fast.is_empty() && end.slow.is_empty());
        while self.ends.iter().any(is_open) {
            let which = random.below(4);
            self.carry(which as usize % 2, which > 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn both_end_with_everything(
        seed: [u8; 32],
        common in 0usize..3000,
        ours in 0usize..300,
        theirs in 0usize..300,
        shake: bool,
    ) {
        let mut random = Random::new(seed);
        let common = hashes(&mut random, common);
        let (mut a, mut b) = (hashes(&mut random, ours), hashes(&mut random, theirs));
        a.extend(&common);
        b.extend(&common);
        let all = &a | &b;
        let mut pair = Pair::new(a, b);
        if shake {
            pair.shake_hands();
        } else {
            pair.begin(0);
        }
        pair.settle(&mut random);
        for end in &pair.ends {
            prop_assert_eq!(&end.items.0, &all);
            prop_assert!(end.finished.iter().all(|finished| finished.complete));
        }
    }
}
