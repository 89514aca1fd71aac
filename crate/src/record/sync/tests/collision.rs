//! Sets that were made to look the same under one key differ under any other.

use super::*;

/// Bits that each level of the search makes zero, and how many sums it goes on with.
const BITS: u32 = 14;
const WIDTH: usize = 1 << 15;
/// 128 lists, half of them for either set.
const LEVELS: u32 = 7;
/// The bits of a fingerprint.
const MODULUS: u128 = (1 << 112) - 1;

fn item(list: u32, at: u16) -> RecordHash {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&list.to_le_bytes());
    hash[4..6].copy_from_slice(&at.to_le_bytes());
    RecordHash(hash)
}

/// Sums of one item of each of `1 << level` lists whose lowest bits are zero, with the items' places:
/// the search for generalised birthdays (Wagner, CRYPTO 2002).
fn sums(key: &Key, level: u32, first: u32) -> Vec<(u128, Vec<u16>)> {
    if level == 0 {
        return (0..WIDTH as u16)
            .map(|at| {
                let whole = key.mark(&item(first, at)).whole;
                // The second half of the lists is the other set.
                let value = if first < 1 << (LEVELS - 1) {
                    whole
                } else {
                    whole.wrapping_neg()
                };
                (value & MODULUS, vec![at])
            })
            .collect();
    }
    let zero = if level == LEVELS {
        MODULUS
    } else {
        (1 << (BITS * level)) - 1
    };
    let left = sums(key, level - 1, first);
    let mut right = sums(key, level - 1, first + (1 << (level - 1)));
    right.sort_unstable_by_key(|(value, _)| value & zero);
    let mut found = Vec::new();
    for (value, places) in left {
        let needed = value.wrapping_neg() & zero;
        let from = right.partition_point(|(other, _)| other & zero < needed);
        let fitting = right[from..].iter();
        for (other, more) in fitting.take_while(|(other, _)| other & zero == needed) {
            found.push((
                value.wrapping_add(*other) & MODULUS,
                [places.as_slice(), more].concat(),
            ));
        }
        if found.len() >= WIDTH {
            break;
        }
    }
    found
}

#[test]
fn sets_that_collide_under_one_key_are_told_apart_under_another() {
    let known = Key::new([9; 16]);
    let (_, places) = sums(&known, LEVELS, 0).swap_remove(0);
    let items: Vec<RecordHash> = (0..).zip(places).map(|(list, at)| item(list, at)).collect();
    let (ours, theirs) = items.split_at(64);
    let common = hashes(&mut Random::new([1; 32]), 500);
    let [a, b] = [ours, theirs].map(|own| own.iter().chain(&common).copied().collect::<Hashes>());
    let all = &a | &b;
    assert_eq!(all.len(), 628);

    // Who knew the key beforehand makes two ends believe that they agree.
    let ends = [a.clone(), b.clone()].map(|items| End::keyed(items, [9; 16]));
    assert_eq!(Pair::of(ends).shake_hands(), Answer::Same {});
    // Nobody does: another key finds all of it.
    let mut pair = Pair::of([a, b].map(|items| End::keyed(items, [8; 16])));
    assert_ne!(pair.shake_hands(), Answer::Same {});
    pair.settle(&mut Random::new([2; 32]));
    assert!(pair.ends.iter().all(|end| end.items.0 == all));
}
