//! `npm run bench -- sync`: what it costs two ends to find out how their records differ, beside
//! `negentropy`, which looks for differences range by range.
//!
//! Ours is counted with everything that both ends say: digest, answer, symbols, what ends it and the
//! look whether it helped; what the answerer says to ask for records stands beside it. Negentropy
//! orders records by time, so it is shown twice: with differences anywhere, and all at the end.
//! Every figure is the middle of several runs. Records themselves are not counted.

mod pair;
mod ranges;

use crate::stage::Stage;
use pair::{Cost, Records};
use peer_group::names::RecordHash;
use peer_group::random::Random;
use peer_group::record::sync::{Key, Reconciler};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::sync::{Answer, Answers, Digests, First};
use std::hint::black_box;

const RECORDS: [usize; 3] = [1_000, 10_000, 100_000];
const DIFFERENCES: [usize; 6] = [0, 1, 10, 32, 100, 1_000];
const RUNS: usize = 9;

/// Two ends' records in the order of their times, with the place of each in it.
type Ends = [Vec<(u64, RecordHash)>; 2];

pub(crate) fn run(stage: &mut Stage<'_>) {
    nothing(stage);
    for records in RECORDS {
        for differences in DIFFERENCES {
            costs(stage, records, differences);
        }
    }
    times(stage);
}

/// Both ends hold `records` in common; each of `differences` is held by one of them, by turns.
fn ends(random: &mut Random, records: usize, differences: usize, recent: bool) -> Ends {
    let mut differing = vec![false; records + differences];
    if recent {
        differing[records..].fill(true);
    } else {
        let mut left = differences;
        while left > 0 {
            let at = random.below(differing.len() as u64) as usize;
            left -= usize::from(!core::mem::replace(&mut differing[at], true));
        }
    }
    let mut ends = Ends::default();
    let mut turn = 0;
    for (time, differs) in differing.into_iter().enumerate() {
        let record = (time as u64, RecordHash(random.bytes()));
        if differs {
            ends[turn].push(record);
            turn = 1 - turn;
        } else {
            ends.iter_mut().for_each(|end| end.push(record));
        }
    }
    ends
}

fn ours(ends: &Ends) -> [Records; 2] {
    ends.each_ref()
        .map(|end| Records(end.iter().map(|(_, hash)| *hash).collect()))
}

/// Where nothing differs, all is said inside the handshake, for control items and records together.
fn nothing(stage: &mut Stage<'_>) {
    let mut random = Random::new([1; 32]);
    let [a, b] = ours(&ends(&mut random, 100_000, 0, false));
    let key = Key::new(random.bytes());
    let digest = Reconciler::digest(&key, &a);
    let answer = Reconciler::answer(&key, &digest, &b, &First::default());
    assert_eq!(answer, Answer::Same {});
    let asked = Some(Digests {
        control: digest.clone(),
        data: digest,
    });
    let answered = Some(Answers {
        control: answer.clone(),
        data: answer,
    });
    let bytes = asked.to_bytes().len() + answered.to_bytes().len();
    stage.figure(
        "100000 + 100000, none differs: ours, both scopes",
        bytes as f64,
        "bytes in the handshake",
    );
}

fn costs(stage: &mut Stage<'_>, records: usize, differences: usize) {
    let mut random = Random::new([2; 32]);
    let mut own = Vec::new();
    let mut anywhere = Vec::new();
    let mut recent = Vec::new();
    for _ in 0..RUNS {
        let ends = ends(&mut random, records, differences, false);
        own.push(pair::compare(ours(&ends), &mut random));
        anywhere.push(ranges::compare(&ends, differences));
        let ends = self::ends(&mut random, records, differences, true);
        recent.push(ranges::compare(&ends, differences));
    }
    let [own, anywhere, recent] = [own, anywhere, recent].map(middle);
    let what = format!("{records}, {differences} differ");
    let each = if differences > 0 {
        format!(
            ", {:.1} each, + {} to ask",
            own.bytes as f64 / differences as f64,
            own.wanted
        )
    } else {
        String::new()
    };
    stage.figure(
        &format!("{what}: ours"),
        own.bytes as f64,
        &format!("bytes in {} trips{each}", own.trips),
    );
    for (rival, cost) in [("anywhere", anywhere), ("at the end", recent)] {
        // It names records by 32 bytes and has asked for them with that, so ours asks as well.
        let times = cost.bytes as f64 / (own.bytes + own.wanted) as f64;
        stage.figure(
            &format!("{what}: negentropy, {rival}"),
            cost.bytes as f64,
            &format!("bytes in {} trips, {times:.1} x ours + asking", cost.trips),
        );
    }
}

/// The middle of each column.
fn middle(costs: Vec<Cost>) -> Cost {
    let of = |column: fn(&Cost) -> usize| {
        let mut values: Vec<usize> = costs.iter().map(column).collect();
        values.sort_unstable();
        values[RUNS / 2]
    };
    Cost {
        bytes: of(|cost| cost.bytes),
        wanted: of(|cost| cost.wanted),
        trips: of(|cost| cost.trips),
    }
}

fn times(stage: &mut Stage<'_>) {
    let mut random = Random::new([3; 32]);
    let key = Key::new(random.bytes());
    for records in RECORDS {
        let same = ends(&mut random, records, 0, false);
        let [own, _] = ours(&same);
        stage.millis(&format!("{records}, one end's digest: ours"), || {
            black_box(Reconciler::digest(&key, black_box(&own)));
        });
        let stored = ranges::stored(&same[0]);
        stage.millis(
            &format!("{records}, one end's first message: negentropy"),
            || {
                black_box(ranges::first(black_box(&stored)));
            },
        );
        let differ = ends(&mut random, records, 100, false);
        stage.millis(&format!("{records}, 100 differ, both ends: ours"), || {
            black_box(pair::compare(ours(&differ), &mut random));
        });
        stage.millis(
            &format!("{records}, 100 differ, both ends: negentropy"),
            || {
                black_box(ranges::compare(&differ, 100));
            },
        );
    }
}
