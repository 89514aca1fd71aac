//! Two honest ends: every difference is found, in as few bytes and round trips as promised.

use super::*;
use proptest::prelude::*;

/// Two sets that have `common` items in common, and `differences` of which either has about half.
fn sets(random: &mut Random, common: usize, differences: usize) -> (Hashes, Hashes) {
    let common = hashes(random, common);
    let (mut a, mut b) = (common.clone(), common);
    for _ in 0..differences {
        let one = if random.below(2) == 0 { &mut a } else { &mut b };
        one.insert(RecordHash(random.bytes()));
    }
    (a, b)
}

fn check(pair: &Pair, all: &Hashes) {
    for end in &pair.ends {
        assert_eq!(end.items.0, *all);
        assert_eq!(end.faults, Vec::<&str>::new());
        assert!(end.finished.iter().all(|finished| finished.complete));
        assert!(end.reconciler.asker.is_none() && end.reconciler.answerer.is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn both_end_with_everything_and_nothing_comes_twice(
        seed: [u8; 32],
        count in 0usize..5000,
        differ in 0usize..=100,
        ours in 0u64..=10,
        shake: bool,
    ) {
        let mut random = Random::new(seed);
        let differences = count * differ / 100;
        let common = hashes(&mut random, count - differences);
        let (mut a, mut b) = (common.clone(), common);
        for _ in 0..differences {
            let one = if random.below(10) < ours { &mut a } else { &mut b };
            one.insert(RecordHash(random.bytes()));
        }
        let (all, few) = (&a | &b, a.len().min(b.len()));
        let mut pair = Pair::new(a, b);
        if shake {
            pair.shake_hands();
        } else {
            pair.ends[0].begin();
        }
        pair.settle(&mut random);
        check(&pair, &all);
        if pair.ends.iter().all(|end| end.streamed == 0) {
            prop_assert_eq!((pair.pushed, pair.twice), (differences, 0));
        } else {
            // Everything was asked for by an end that had next to nothing.
            prop_assert!(pair.twice <= few && few <= all.len() / SYNC_FEW as usize);
        }
        // Three times as many symbols as differences are the worst that honest ends come to.
        let bound = 600 + 3 * crate::wire::sync::SYMBOL_BYTES * differences;
        prop_assert!(pair.bytes <= bound, "{} bytes for {differences}", pair.bytes);
    }

    #[test]
    fn both_may_begin_at_once_while_items_come_and_go(seed: [u8; 32], shake: bool) {
        let mut random = Random::new(seed);
        let (a, b) = sets(&mut random, 500, 60);
        let mut pair = Pair::new(a, b);
        if shake {
            pair.shake_hands();
        }
        pair.ends[0].begin();
        pair.ends[1].begin();
        for _ in 0..40 {
            let which = random.below(4) as usize;
            if let Some(thing) = pair.ends[which % 2].next(which > 1) {
                pair.arrive(1 - which % 2, thing);
            }
            let items = &mut pair.ends[which % 2].items.0;
            items.insert(RecordHash(random.bytes()));
            if which == 0 {
                items.pop_first();
            }
        }
        pair.settle(&mut random);
        // What came meanwhile may be left: the next time finds it.
        pair.ends[0].begin();
        pair.settle(&mut random);
        let all = &pair.ends[0].items.0 | &pair.ends[1].items.0;
        check(&pair, &all);
    }
}

#[test]
fn no_difference_is_known_when_hands_are_shaken() {
    let mut random = Random::new([1; 32]);
    for count in [0, 1, 10_000] {
        let (a, b) = sets(&mut random, count, 0);
        let mut pair = Pair::new(a, b);
        assert_eq!(pair.shake_hands(), Answer::Same {});
        assert!(pair.ends.iter().all(End::is_quiet));
        assert!(pair.bytes <= 18, "for one of two scopes");
    }
}

/// Bytes of all that both say, and round trips until the answerer knows what differs.
fn measure(random: &mut Random, differences: usize) -> (usize, usize) {
    let (a, b) = sets(random, 2 * differences + 1000, differences);
    let all = &a | &b;
    let mut pair = Pair::new(a, b);
    pair.shake_hands();
    let mut trips = 0;
    while pair.ends[1]
        .reconciler
        .answerer
        .as_ref()
        .is_some_and(|one| !one.knows_all())
    {
        pair.half_trip();
        pair.half_trip();
        trips += 1;
    }
    pair.settle(random);
    check(&pair, &all);
    (pair.bytes, trips)
}

#[test]
fn few_bytes_and_mostly_one_round_trip_tell_what_differs() {
    const RUNS: usize = 100;
    for (differences, most) in [
        (1, 250),
        (4, 300),
        (12, 450),
        (32, 28 * 32),
        (100, 2600),
        (1000, 28_000),
    ] {
        let mut random = Random::new([2; 32]);
        let runs: Vec<_> = (0..RUNS)
            .map(|_| measure(&mut random, differences))
            .collect();
        let bytes = runs.iter().map(|(bytes, _)| bytes).sum::<usize>() / RUNS;
        assert!(bytes <= most, "{bytes} bytes for {differences} differences");
        let once = runs.iter().filter(|(_, trips)| *trips == 1).count();
        assert!(
            once * 10 >= RUNS * 7,
            "{once} of {RUNS} at once for {differences}"
        );
        assert!(runs.iter().all(|(_, trips)| *trips <= 4));
    }
}

#[test]
fn more_than_symbols_are_for_is_found_in_parts() {
    let mut random = Random::new([3; 32]);
    let (a, b) = sets(&mut random, 40_000, 20_000);
    let all = &a | &b;
    let mut pair = Pair::new(a, b);
    pair.shake_hands();
    pair.settle(&mut random);
    check(&pair, &all);
    assert_eq!((pair.pushed, pair.twice), (20_000, 0));
    assert!(pair.bytes <= 28 * 20_000, "{}", pair.bytes);
}

#[test]
fn who_has_nothing_gets_everything_in_the_order_it_asks_for() {
    let mut random = Random::new([4; 32]);
    let items = hashes(&mut random, 300);
    for newcomer in [0, 1] {
        for few in [0, 10] {
            let mut sets = [items.clone(), items.clone()];
            sets[newcomer] = hashes(&mut random, few);
            let all = &sets[0] | &sets[1];
            let [a, b] = sets;
            let mut pair = Pair::new(a, b);
            pair.shake_hands();
            pair.settle(&mut random);
            check(&pair, &all);
            assert_eq!(pair.ends[1 - newcomer].streamed, 1);
            // Then the few that the newcomer had are found in the usual way.
            let most = 150 + 60 * few;
            assert!(pair.bytes <= most, "{} bytes", pair.bytes);
        }
    }
    let first = First::first(vec![crate::wire::codec::Text::new("chat").unwrap()]);
    let key = Key::new(FIRST_KEY);
    let mut newcomer = Reconciler::new(key, Key::new(LATER_KEY), first.clone());
    let message = newcomer.begin(&Items(Hashes::new()));
    assert_eq!(
        message,
        Some(Message::SendAll {
            round: 1,
            first: first.clone()
        })
    );
    let items = Items(items);
    let mut out = Vec::new();
    Reconciler::new(key, Key::new(LATER_KEY), First::default()).receive(
        message.unwrap(),
        &items,
        &mut out,
    );
    assert_eq!(out.first(), Some(&Step::PushAll { first }));
}

#[test]
fn what_the_other_end_does_not_take_is_not_pushed_again_and_again() {
    let mut random = Random::new([5; 32]);
    let (a, b) = sets(&mut random, 100, 40);
    let mut pair = Pair::new(a, b);
    let refused = pair.ends[1].items.0.clone();
    pair.shake_hands();
    while !pair.ends.iter().all(End::is_quiet) {
        pair.half_trip();
        pair.ends[1].items.0 = refused.clone();
    }
    // Once to see whether all came. It did not, so that is left to the next time.
    assert_eq!(
        pair.ends[0].finished.iter().filter(|one| one.again).count(),
        1
    );
}

#[test]
fn a_comparison_that_nobody_goes_on_with_is_given_up() {
    let mut random = Random::new([6; 32]);
    let (a, b) = sets(&mut random, 100, 40);
    let mut pair = Pair::new(a, b);
    pair.ends[0].begin();
    pair.half_trip();
    pair.half_trip();
    // The asker's symbols are lost with it.
    pair.ends[0].fast.clear();
    let answerer = &mut pair.ends[1];
    for is_over in [false, true] {
        let mut out = Vec::new();
        answerer.reconciler.refill(&mut out);
        assert_eq!(answerer.reconciler.answerer.is_none(), is_over);
        answerer.run(out);
    }
    assert!(!answerer.finished[0].complete);
    // The asker hears of it, and may begin anew.
    pair.settle(&mut random);
    assert!(!pair.ends[0].finished[0].complete);
    pair.ends[0].begin();
    pair.settle(&mut random);
    assert_eq!(pair.ends[0].items.0, pair.ends[1].items.0);
}
