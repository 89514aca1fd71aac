//! Two ends in memory: honest ones find every difference in few bytes and round trips, whatever
//! happens meanwhile; liars get nowhere.

mod collision;
mod honest;
mod liars;

use super::*;
use crate::random::Random;
use crate::wire::codec::Wire as _;
use std::collections::{BTreeSet, VecDeque};

type Hashes = BTreeSet<RecordHash>;

struct Items(Hashes);

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

/// One end and what is on its way from it.
struct End {
    reconciler: Reconciler,
    items: Items,
    /// What overtakes items.
    fast: VecDeque<Message>,
    /// Items, and what does not overtake them.
    slow: VecDeque<Thing>,
    finished: Vec<Finished>,
    streamed: usize,
    faults: Vec<&'static str>,
}

struct Pair {
    ends: [End; 2],
    /// Bytes said by both, `Want` left out.
    bytes: usize,
    /// Bytes of `Want`.
    wanted: usize,
    messages: usize,
    pushed: usize,
    /// Items that came to somebody who had them.
    twice: usize,
}

const FIRST_KEY: [u8; 16] = [1; 16];
const LATER_KEY: [u8; 16] = [2; 16];

fn hashes(random: &mut Random, count: usize) -> Hashes {
    (0..count).map(|_| RecordHash(random.bytes())).collect()
}

impl End {
    fn new(items: Hashes) -> Self {
        Self::keyed(items, FIRST_KEY)
    }

    fn keyed(items: Hashes, first: [u8; 16]) -> Self {
        Self {
            reconciler: Reconciler::new(Key::new(first), Key::new(LATER_KEY), First::default()),
            items: Items(items),
            fast: VecDeque::new(),
            slow: VecDeque::new(),
            finished: Vec::new(),
            streamed: 0,
            faults: Vec::new(),
        }
    }

    fn begin(&mut self) {
        let message = self.reconciler.begin(&self.items);
        self.slow.extend(message.map(Thing::Said));
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
                        self.begin();
                    }
                }
                Step::Fault(why) => self.faults.push(why),
            }
        }
    }

    /// What leaves next; what may overtake was sent at once, so nothing that waited comes before it.
    fn next(&mut self, slow: bool) -> Option<Thing> {
        if slow && self.fast.is_empty() {
            self.slow.pop_front()
        } else {
            self.fast.pop_front().map(Thing::Said)
        }
    }

    fn is_quiet(&self) -> bool {
        self.fast.is_empty() && self.slow.is_empty()
    }

    /// All that was said and not yet carried; items are left out.
    fn said(&mut self) -> Vec<Message> {
        let slow = self.slow.drain(..).filter_map(|thing| match thing {
            Thing::Said(message) => Some(message),
            Thing::Items(_) => None,
        });
        self.fast.drain(..).chain(slow).collect()
    }
}

impl Pair {
    fn new(ours: Hashes, theirs: Hashes) -> Self {
        Self::of([End::new(ours), End::new(theirs)])
    }

    fn of(ends: [End; 2]) -> Self {
        Self {
            ends,
            bytes: 0,
            wanted: 0,
            messages: 0,
            pushed: 0,
            twice: 0,
        }
    }

    /// As in a handshake: a digest, its answer, then both ends of the open link.
    fn shake_hands(&mut self) -> Answer {
        let key = self.ends[0].reconciler.first_key;
        let [a, b] = &mut self.ends;
        let digest = Reconciler::digest(&key, &a.items);
        let answer = Reconciler::answer(&key, &digest, &b.items, &First::default());
        self.bytes += digest.to_bytes().len() + answer.to_bytes().len();
        b.reconciler.expect(&digest, &answer, &b.items);
        let mut out = Vec::new();
        a.reconciler
            .begin_with_answer(answer.clone(), &a.items, &mut out);
        a.run(out);
        answer
    }

    fn arrive(&mut self, at: usize, thing: Thing) {
        match thing {
            Thing::Said(message) => {
                let bytes = message.to_bytes();
                assert!(bytes.len() <= crate::limits::FRAME_BYTES);
                assert!(bytes.len() <= message.weight() + 8);
                if matches!(message, Message::Want { .. }) {
                    self.wanted += bytes.len();
                } else {
                    self.bytes += bytes.len();
                }
                self.messages += 1;
                self.ends[at].take(message);
            }
            Thing::Items(items) => {
                self.pushed += items.len();
                for item in items {
                    self.twice += usize::from(!self.ends[at].items.0.insert(item));
                }
            }
        }
    }

    /// Carries all there is, in an order that `random` chooses among those that lanes allow.
    fn settle(&mut self, random: &mut Random) {
        while !self.ends.iter().all(End::is_quiet) {
            let which = random.below(4) as usize;
            if let Some(thing) = self.ends[which % 2].next(which > 1) {
                self.arrive(1 - which % 2, thing);
            }
        }
    }

    /// Carries what both said until now to the other: half a round trip.
    fn half_trip(&mut self) {
        let [from_a, from_b] = self.ends.each_mut().map(|end| {
            let count = end.fast.len() + end.slow.len();
            (0..count)
                .filter_map(|_| end.next(true))
                .collect::<Vec<_>>()
        });
        from_a.into_iter().for_each(|thing| self.arrive(1, thing));
        from_b.into_iter().for_each(|thing| self.arrive(0, thing));
    }
}
