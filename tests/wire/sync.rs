//! Golden bytes of comparisons: worked out by hand from the rules in `wire/codec.rs`.

// A value that does not fit its type is a fault of the test.
#![allow(clippy::expect_used)]

mod golden;

use golden::golden;
use peer_group::limits::{SYNC_IDS_PER_FRAME, SYNC_SYMBOLS_PER_FRAME};
use peer_group::wire::codec::{List, Text, Wire};
use peer_group::wire::link::{Frame, Packet, Scope};
use peer_group::wire::sync::{
    Answer, Answers, Digest, Digests, Message, Part, SYMBOL_BYTES, Sketch, Symbol,
};
use proptest::prelude::*;

fn digest(count: u32, byte: u8) -> Digest {
    Digest {
        count,
        fingerprint: [byte; 14],
    }
}

fn list<T, const MAX: usize>(values: Vec<T>) -> List<T, MAX> {
    List::new(values).expect("fits")
}

fn part(digits: &[usize]) -> Part {
    digits.iter().fold(Part::ALL, |part, digit| {
        part.split().expect("not too deep")[*digit]
    })
}

#[test]
fn handshakes() {
    let digests = Digests {
        control: digest(300, 1),
        data: digest(0, 2),
    };
    golden(&digests, "ac02 01*14 00 02*14");
    let answers = Answers {
        control: Answer::Same {},
        data: Answer::Differs {
            count: 128,
            sketch: Sketch { planes: [3; 64] },
        },
    };
    golden(&answers, "01 02 8001 03*64");
    let first = list(vec![Text::new("chat").expect("fits")]);
    golden(&Answer::Everything { first }, "03 01 04 63686174");
}

#[test]
fn no_difference_costs_at_most_forty_bytes() {
    let most = digest((1 << 28) - 1, 9);
    let digests = Some(Digests {
        control: most.clone(),
        data: most,
    });
    let answers = Some(Answers {
        control: Answer::Same {},
        data: Answer::Same {},
    });
    assert!(digests.to_bytes().len() + answers.to_bytes().len() <= 40);
}

#[test]
fn parts() {
    golden(&Part::ALL, "01");
    golden(&part(&[0]), "10");
    golden(&part(&[15]), "1f");
    // 0x15a, 0x1ffff.
    golden(&part(&[5, 10]), "da02");
    golden(&part(&[15, 15, 15, 15]), "ffff07");
    assert!(part(&[0, 0, 0, 0]).split().is_none());
    assert_eq!(part(&[5, 10]).lowest(), 0x5a00_0000_0000_0000);
    assert_eq!(part(&[5, 10]).highest(), 0x5aff_ffff_ffff_ffff);
    assert_eq!((Part::ALL.lowest(), Part::ALL.highest()), (0, u64::MAX));
    // Neither a digit cut in two nor a fifth one.
    for wrong in [&[0x00][..], &[0x02], &[0x0f], &[0x20], &[0x80, 0x80, 0x40]] {
        assert!(Part::from_bytes(wrong).is_err(), "{wrong:?}");
    }
}

fn message(message: Message, text: &str) {
    golden(&message, text);
    let frame = Frame::Sync {
        scope: Scope::Data,
        message,
    };
    golden(&Packet { sequence: 1, frame }, &format!("01 0d 02 {text}"));
}

#[test]
fn messages() {
    let round = 300;
    let digest = digest(5, 7);
    message(
        Message::Holds {
            round,
            digest: digest.clone(),
        },
        "01 ac02 05 07*14",
    );
    let answer = Answer::Same {};
    message(Message::Answer { round, answer }, "02 ac02 01");
    let digests = list(vec![digest]);
    let part = part(&[4]);
    message(
        Message::Split {
            round,
            part,
            digests,
        },
        "03 ac02 14 01 05 07*14",
    );
    let answers = list(vec![Answer::Same {}, Answer::Same {}]);
    message(
        Message::Parts {
            round,
            part,
            answers,
        },
        "04 ac02 14 02 01 01",
    );
    let symbol = Symbol {
        ids: 0x0102,
        checks: 0x0304,
        count: 255,
    };
    message(
        Message::Symbols {
            round,
            part,
            symbols: list(vec![symbol]),
            last: true,
        },
        "05 ac02 14 01 0201 00*6 0403 ff 01",
    );
    message(Message::More { round, part }, "06 ac02 14");
    let ids = list(vec![[6; 8]]);
    message(
        Message::Ids {
            round,
            part,
            ids: ids.clone(),
            last: false,
        },
        "07 ac02 14 01 06*8 00",
    );
    message(
        Message::Want {
            round,
            part,
            ids,
            last: true,
        },
        "08 ac02 14 01 06*8 01",
    );
    let kind = Text::new("chat").expect("fits");
    let first = list(vec![kind.clone()]);
    message(Message::SendAll { round, first }, "09 ac02 01 04 63686174");
    message(Message::TypeEnd { kind }, "0a 04 63686174");
    message(
        Message::End {
            round,
            asker: true,
            complete: false,
        },
        "0b ac02 01 00",
    );
    let frame = Frame::Sync {
        scope: Scope::Control,
        message: Message::More { round, part },
    };
    golden(&Packet { sequence: 1, frame }, "01 0d 01 06 ac02 14");
}

#[test]
fn the_longest_messages_fit_a_frame_and_not_more_is_read() {
    let (round, part) = (u16::MAX, part(&[9, 9, 9, 9]));
    let symbols = list(vec![Symbol::default(); SYNC_SYMBOLS_PER_FRAME]);
    let ids = list(vec![[0; 8]; SYNC_IDS_PER_FRAME]);
    let last = true;
    let symbols = Message::Symbols {
        round,
        part,
        symbols,
        last,
    };
    let ids = Message::Ids {
        round,
        part,
        ids,
        last,
    };
    for message in [symbols, ids] {
        let frame = Frame::Sync {
            scope: Scope::Data,
            message,
        };
        let packet = Packet {
            sequence: u64::MAX,
            frame,
        };
        assert!(packet.to_bytes().len() <= peer_group::limits::RECORDS_FRAME_BYTES);
    }
    // The same with one more of them.
    let mut more = vec![5, 1, 1];
    peer_group::wire::codec::put_varint(&mut more, SYNC_SYMBOLS_PER_FRAME as u64 + 1);
    more.extend(vec![0; SYMBOL_BYTES * (SYNC_SYMBOLS_PER_FRAME + 1)]);
    more.push(1);
    assert!(Message::from_bytes(&more).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn random_bytes_never_panic_and_have_one_spelling(
        mut input in proptest::collection::vec(any::<u8>(), 0..400),
        head in 0u8..13,
        short in 0u8..18,
    ) {
        fn one<T: Wire>(input: &[u8]) -> Result<(), TestCaseError> {
            if let Ok(value) = T::from_bytes(input) {
                prop_assert_eq!(value.to_bytes(), input);
            }
            Ok(())
        }
        // Half of them begin like a message with a short list, so that more is read than its head.
        if input.len() > 4 && input[0] & 1 == 0 {
            input[..4].copy_from_slice(&[head, 1, 0x10, short]);
        }
        if let Ok(message) = Message::from_bytes(&input) {
            prop_assert!(input.len() <= message.weight() + 8);
        }
        one::<Message>(&input)?;
        one::<Part>(&input)?;
        one::<Answers>(&input)?;
        one::<Digests>(&input)?;
    }
}
