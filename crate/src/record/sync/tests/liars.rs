//! Ends that say anything: nothing panics, and nothing costs more than its bound.

use super::*;
use crate::limits::{
    SYNC_BYTES, SYNC_BYTES_PER_ITEM, SYNC_ITEMS, SYNC_MESSAGES, SYNC_SYMBOLS, SYNC_SYMBOLS_KEPT,
};
use crate::wire::codec::List;
use crate::wire::sync::{Ids, Part, SKETCH_PLANES, Sketch, Symbol};
use proptest::prelude::*;

const OWN: usize = 600;

fn honest() -> End {
    End::new(hashes(&mut Random::new([1; 32]), OWN))
}

fn digest(count: u32) -> Digest {
    Digest {
        count,
        fingerprint: [7; 14],
    }
}

fn differs(count: u32, random: &mut Random) -> Answer {
    let mut planes = [0; SKETCH_PLANES * 8];
    random.fill(&mut planes);
    Answer::Differs {
        count,
        sketch: Sketch { planes },
    }
}

fn garbage(random: &mut Random) -> Symbol {
    Symbol {
        ids: random.below(u64::MAX),
        checks: random.below(65_536) as u16,
        count: random.below(256) as u8,
    }
}

/// What one comparison may make an end say when the other one claims to have `claimed` items.
fn bound(claimed: u32) -> usize {
    SYNC_BYTES + (OWN + claimed.min(SYNC_ITEMS) as usize) * SYNC_BYTES_PER_ITEM
}

/// Hands what an honest end says to a liar, and what that says back, until both are silent: how many
/// bytes and messages the honest end said.
fn talk(end: &mut End, mut lie: impl FnMut(Message) -> Vec<Message>) -> (usize, usize) {
    let (mut bytes, mut messages) = (0, 0);
    loop {
        let said = end.said();
        if said.is_empty() {
            return (bytes, messages);
        }
        for message in said {
            bytes += message.to_bytes().len();
            messages += 1;
            assert!(messages < 100_000, "it never ends");
            lie(message)
                .into_iter()
                .for_each(|message| end.take(message));
        }
    }
}

#[test]
fn symbols_that_never_tell_anything_end_in_a_fault() {
    let mut random = Random::new([2; 32]);
    let mut end = honest();
    end.take(Message::Holds {
        round: 1,
        digest: digest(1000),
    });
    let mut sent = 0;
    let (bytes, _) = talk(&mut end, |message| {
        let more = match message {
            Message::Answer { .. } => 20,
            Message::More { .. } => symbols::growth(sent),
            other => panic!("{other:?}"),
        };
        sent += more;
        let symbols: Vec<Symbol> = (0..more).map(|_| garbage(&mut random)).collect();
        let chunks: Vec<&[Symbol]> = symbols.chunks(1000).collect();
        let last = chunks.len() - 1;
        let say = |(at, chunk): (usize, &&[Symbol])| Message::Symbols {
            round: 1,
            part: Part::ALL,
            symbols: List::first(chunk.to_vec()),
            last: at == last,
        };
        chunks.iter().enumerate().map(say).collect()
    });
    assert_eq!(end.faults, ["too many symbols, or none"]);
    assert!(sent <= SYNC_SYMBOLS * 5 / 4 && bytes < 1000);
    assert!(end.reconciler.answerer.is_none());
}

#[test]
fn symbols_of_many_parts_that_are_never_ended_do_not_fill_the_memory() {
    let mut random = Random::new([3; 32]);
    let mut end = honest();
    // So that it compares, although the liar claims to have so much more.
    end.reconciler.asked_all = true;
    let most = 300_000;
    end.take(Message::Holds {
        round: 1,
        digest: digest(most),
    });
    let digests: List<Digest, 16> = List::first(vec![digest(most); 16]);
    end.take(Message::Split {
        round: 1,
        part: Part::ALL,
        digests: digests.clone(),
    });
    let parts = Part::ALL.split().unwrap();
    end.take(Message::Split {
        round: 1,
        part: parts[0],
        digests,
    });
    let mut kept = 0;
    for part in parts[0].split().unwrap().iter().chain(&parts[1..]) {
        for _ in 0..7 {
            let symbols: Vec<Symbol> = (0..1170).map(|_| garbage(&mut random)).collect();
            end.take(Message::Symbols {
                round: 1,
                part: *part,
                symbols: List::first(symbols),
                last: false,
            });
            kept = kept.max(end.reconciler.answerer.as_ref().map_or(0, |one| one.kept()));
        }
    }
    assert!(kept > SYNC_SYMBOLS_KEPT - 1200 && kept <= SYNC_SYMBOLS_KEPT);
    assert!(end.finished.iter().any(|finished| !finished.complete));
    assert!(end.faults.is_empty());
}

#[test]
fn an_asker_that_splits_all_there_is_to_split_is_left() {
    const CLAIMED: u32 = 500;
    let (round, last) = (1, true);
    let mut end = honest();
    end.take(Message::Holds {
        round,
        digest: digest(CLAIMED),
    });
    let (mut bytes, mut splits) = (0, 0);
    let mut open = vec![Part::ALL];
    while let Some(part) = open.pop() {
        end.take(match part.split() {
            Some(parts) => {
                open.extend(parts);
                splits += 1;
                Message::Split {
                    round,
                    part,
                    digests: List::first(vec![digest(40); 16]),
                }
            }
            None => Message::Ids {
                round,
                part,
                ids: Ids::default(),
                last,
            },
        });
        let said = end.said();
        bytes += said.iter().map(|said| said.to_bytes().len()).sum::<usize>();
    }
    assert_eq!(splits, 1 + 16 + 256 + 4096);
    assert!(bytes <= bound(CLAIMED), "{bytes} bytes");
    assert_eq!(end.faults, Vec::<&str>::new());
    assert!(end.reconciler.answerer.is_none() && !end.finished[0].complete);
}

#[test]
fn somebody_to_whom_nothing_is_enough_gets_every_item_once_at_most() {
    for claimed in [0, 50, 5000, u32::MAX] {
        let mut random = Random::new([4; 32]);
        let mut end = honest();
        end.begin();
        let (bytes, messages) = talk(&mut end, |message| match message {
            Message::Holds { round, .. } => vec![Message::Answer {
                round,
                answer: differs(claimed, &mut random),
            }],
            Message::Split { round, part, .. } => vec![Message::Parts {
                round,
                part,
                answers: List::first((0..16).map(|_| differs(claimed, &mut random)).collect()),
            }],
            Message::Symbols {
                round,
                part,
                last: true,
                ..
            } => vec![Message::More { round, part }],
            Message::Ids {
                round,
                part,
                ids,
                last,
            } => vec![Message::Want {
                round,
                part,
                ids,
                last,
            }],
            _ => Vec::new(),
        });
        assert!(
            bytes <= bound(claimed),
            "{bytes} bytes when it claims {claimed}"
        );
        assert!(messages <= SYNC_MESSAGES + (OWN + claimed.min(SYNC_ITEMS) as usize) / 8);
        assert_eq!(end.faults, Vec::<&str>::new());
    }
}

#[test]
fn nothing_is_begun_or_sent_as_a_whole_more_often_than_allowed() {
    let mut end = honest();
    for round in 0..SYNC_BEGUN as u16 {
        end.take(Message::Holds {
            round,
            digest: digest(500),
        });
    }
    assert!(end.faults.is_empty());
    let mut out = Vec::new();
    end.reconciler.refill(&mut out);
    for round in 0..=SYNC_BEGUN as u16 {
        end.take(Message::Holds {
            round,
            digest: digest(500),
        });
    }
    assert_eq!(end.faults, ["it begins again and again"]);

    let all = Message::SendAll {
        round: 1,
        first: First::default(),
    };
    let mut end = honest();
    end.take(all.clone());
    end.take(all);
    assert_eq!((end.streamed, end.faults), (1, vec![TWICE]));
    // By the answer as well.
    let mut end = honest();
    for round in 1..=2 {
        end.begin();
        let first = First::default();
        let answer = Answer::Everything { first };
        end.take(Message::Answer { round, answer });
    }
    assert_eq!((end.streamed, end.faults), (1, vec![TWICE]));
}

fn ids(ids: &[u64]) -> Ids {
    List::first(ids.iter().map(|id| id.to_be_bytes()).collect())
}

/// Each lie in the middle of an honest comparison, with what it is called.
#[test]
fn what_no_honest_answerer_says_is_a_fault() {
    let (round, part, last) = (1, Part::ALL, true);
    let deep = part.split().unwrap()[3];
    let more_of = |part| Message::More { round, part };
    let want = |part, ids| Message::Want {
        round,
        part,
        ids,
        last,
    };
    let to_asker = [
        (more_of(deep), "it wants more of nothing"),
        (want(deep, ids(&[])), "it wants what was not offered"),
        (
            want(part, ids(&[5, 5])),
            "it wants something twice, or out of order",
        ),
        (
            Message::Answer {
                round,
                answer: Answer::Same {},
            },
            "it answered what was not asked",
        ),
        (
            Message::Parts {
                round,
                part,
                answers: List::default(),
            },
            "it told parts of nothing",
        ),
        (
            Message::End {
                round,
                asker: false,
                complete: true,
            },
            "it ended before all was said",
        ),
    ];
    for (lie, why) in to_asker {
        let mut end = honest();
        end.begin();
        let mut random = Random::new([5; 32]);
        let answer = Reconciler::answer(
            &Key::new(LATER_KEY),
            &digest(0),
            &Items(hashes(&mut random, OWN)),
            &First::default(),
        );
        end.take(Message::Answer { round, answer });
        end.take(lie);
        assert_eq!(end.faults, [why]);
    }
}

#[test]
fn what_no_honest_asker_says_is_a_fault() {
    let (round, part, last) = (1, Part::ALL, true);
    let deep = part.split().unwrap()[3];
    let list = |part, list| Message::Ids {
        round,
        part,
        ids: list,
        last,
    };
    let symbols = |symbols| Message::Symbols {
        round,
        part,
        symbols,
        last,
    };
    let to_answerer = [
        (list(deep, ids(&[])), "ids of what does not differ"),
        (list(part, ids(&[6, 5])), "ids twice, or out of order"),
        (symbols(List::default()), "too many symbols, or none"),
        (
            Message::Split {
                round,
                part,
                digests: List::default(),
            },
            "it splits no further",
        ),
        (
            Message::Split {
                round,
                part: deep,
                digests: List::default(),
            },
            "it splits what does not differ",
        ),
        (
            Message::End {
                round,
                asker: true,
                complete: true,
            },
            "it ended before all was said",
        ),
    ];
    for (lie, why) in to_answerer {
        let mut end = honest();
        end.take(Message::Holds {
            round,
            digest: digest(OWN as u32),
        });
        end.take(lie);
        assert_eq!(end.faults, [why]);
    }
}

/// Any message about a few rounds and parts, with lists that are mostly short.
fn any_message(random: &mut Random) -> Message {
    let round = random.below(3) as u16;
    let last = random.below(2) == 0;
    let mut part = Part::ALL;
    while let Some(parts) = part.split()
        && random.below(3) == 0
    {
        part = parts[random.below(2) as usize];
    }
    let count = random.below(2000) as u32;
    let mut len = random.below(if last { 30 } else { 1000 }) as usize;
    let mut ids: Vec<[u8; 8]> = (0..len).map(|_| random.bytes()).collect();
    ids.sort_unstable();
    let ids = List::first(ids);
    if random.below(2) == 0 {
        len = 16;
    }
    match random.below(11) {
        0 => Message::Holds {
            round,
            digest: digest(count),
        },
        1 => Message::Answer {
            round,
            answer: differs(count, random),
        },
        2 => Message::Split {
            round,
            part,
            digests: List::first(vec![digest(count); len]),
        },
        3 => {
            let answers = (0..len).map(|_| differs(count, random)).collect();
            Message::Parts {
                round,
                part,
                answers: List::first(answers),
            }
        }
        4 => Message::Symbols {
            round,
            part,
            symbols: List::first((0..len).map(|_| garbage(random)).collect()),
            last,
        },
        5 => Message::More { round, part },
        6 => Message::Ids {
            round,
            part,
            ids,
            last,
        },
        7 => Message::Want {
            round,
            part,
            ids,
            last,
        },
        8 => Message::SendAll {
            round,
            first: First::default(),
        },
        9 => Message::TypeEnd {
            kind: crate::wire::codec::Text::default(),
        },
        _ => Message::End {
            round,
            asker: last,
            complete: random.below(2) == 0,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn whatever_is_said_neither_panics_nor_costs_much(seed: [u8; 32]) {
        let mut random = Random::new(seed);
        let mut end = honest();
        let (mut bytes, mut comparisons) = (0, 1);
        for _ in 0..200 {
            if random.below(4) == 0 {
                end.begin();
                comparisons += 1;
            }
            let message = any_message(&mut random);
            comparisons += usize::from(matches!(message, Message::Holds { .. }));
            end.take(message);
            bytes += end.said().iter().map(|said| said.to_bytes().len()).sum::<usize>();
        }
        prop_assert!(bytes <= comparisons * bound(2000));
    }

    /// Messages of an honest end that come twice, late or not at all.
    #[test]
    fn replayed_messages_bring_nobody_anything(seed: [u8; 32]) {
        let mut random = Random::new(seed);
        let mut pair = Pair::new(hashes(&mut random, 300), hashes(&mut random, 300));
        let common = hashes(&mut random, 500);
        pair.ends.iter_mut().for_each(|end| end.items.0.extend(&common));
        pair.ends[0].begin();
        let mut old: Vec<(usize, Message)> = Vec::new();
        let mut begun = 0;
        for _ in 0..100 {
            let to = random.below(2) as usize;
            if let Some(thing) = pair.ends[1 - to].next(true) {
                if let Thing::Said(message) = &thing {
                    begun += usize::from(matches!(message, Message::Holds { .. }));
                    old.push((to, message.clone()));
                }
                if random.below(10) > 0 {
                    pair.arrive(to, thing);
                }
            }
            if random.below(5) == 0 && !old.is_empty() {
                let (to, message) = old[random.below(old.len() as u64) as usize].clone();
                begun += usize::from(matches!(message, Message::Holds { .. }));
                pair.ends[to].take(message);
            }
        }
        // A comparison brings each end what it lacks, once; then there is less that it lacks.
        prop_assert!(pair.pushed <= 600 * begun, "{} items in {begun}", pair.pushed);
    }
}
