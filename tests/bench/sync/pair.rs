//! Two ends of ours, and what they say.

use peer_group::names::RecordHash;
use peer_group::random::Random;
use peer_group::record::sync::{Holdings, Key, Reconciler, Step};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::sync::{First, Message};

/// What a comparison cost.
pub(crate) struct Cost {
    /// Said by both, but for what is said to ask for records.
    pub(crate) bytes: usize,
    /// Said to ask for records.
    pub(crate) wanted: usize,
    /// Round trips until one end knows all differences; those of the handshake, in which it begins,
    /// do not count.
    pub(crate) trips: usize,
}

/// The records of an end.
pub(crate) struct Records(pub(crate) Vec<RecordHash>);

impl Holdings for Records {
    fn each(&self, visit: &mut dyn FnMut(&RecordHash)) {
        self.0.iter().for_each(visit);
    }
}

/// Shakes hands, compares until nothing differs, and counts.
pub(crate) fn compare(mut records: [Records; 2], random: &mut Random) -> Cost {
    let [key, later] = [0; 2].map(|_| Key::new(random.bytes()));
    let mut ends = [0; 2].map(|_| Reconciler::new(key, later, First::default()));
    let mut cost = Cost {
        bytes: 0,
        wanted: 0,
        trips: 0,
    };
    let digest = Reconciler::digest(&key, &records[0]);
    let answer = Reconciler::answer(&key, &digest, &records[1], &First::default());
    cost.bytes += digest.to_bytes().len() + answer.to_bytes().len();
    ends[1].expect(&digest, &answer, &records[1]);
    let mut steps = [Vec::new(), Vec::new()];
    ends[0].begin_with_answer(answer, &records[0], &mut steps[0]);

    let mut passed = 0;
    while steps.iter().any(|steps| !steps.is_empty()) {
        passed += 1;
        let mut next = [Vec::new(), Vec::new()];
        for (from, steps) in steps.into_iter().enumerate() {
            for step in steps {
                match step {
                    Step::Say(message) => {
                        count(&mut cost, &message, passed);
                        ends[1 - from].receive(message, &records[1 - from], &mut next[1 - from]);
                    }
                    Step::Push(hashes) => records[1 - from].0.extend(hashes),
                    Step::PushAll { .. } => {
                        let all = records[from].0.clone();
                        records[1 - from].0.extend(all);
                    }
                    Step::Finished(finished) => {
                        assert!(finished.complete);
                        if finished.again {
                            next[from].extend(ends[from].begin(&records[from]).map(Step::Say));
                        }
                    }
                    Step::Fault(why) => panic!("{why}"),
                }
            }
        }
        steps = next;
    }
    let digests = records.map(|records| Reconciler::digest(&key, &records));
    assert_eq!(digests[0], digests[1], "a difference is left");
    cost
}

fn count(cost: &mut Cost, message: &Message, passed: usize) {
    let bytes = message.to_bytes().len();
    match message {
        Message::Want { .. } => cost.wanted += bytes,
        _ => cost.bytes += bytes,
    }
    // The answerer of the first comparison knows all.
    if let Message::End {
        round: 0,
        asker: false,
        ..
    } = message
    {
        cost.trips = passed / 2;
    }
}
