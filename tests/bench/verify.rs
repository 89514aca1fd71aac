//! `npm run bench -- verify`: how many records a second one core verifies, singly and in batches.
//!
//! What is timed is all that stands between a record as it was read and the verdict: the bytes its
//! signature covers are put together anew, as the store does it. A record carries 300 bytes.

use crate::stage::Stage;
use peer_group::crypto::{Crypto, REAL, Signed, verify_all};
use peer_group::limits::RECORDS_PER_FRAME;
use peer_group::names::GroupId;
use peer_group::names::PeerId;
use peer_group::random::Random;
use peer_group::record::model::{Body, Change, Data, Record, Stamp, TypeName, new_id};
use peer_group::wire::attributes::Attributes;
use peer_group::wire::codec::Wire as _;
use peer_group::wire::numbers::record;

const CRYPTO: Crypto = &REAL;
const SCOPE: GroupId = GroupId([3; 32]);
const DATA_BYTES: usize = 300;
const MADE_MS: u64 = 1_800_000_000_000;

pub(crate) fn run(stage: &mut Stage<'_>) {
    let mut random = Random::new([7; 32]);
    let authors: Vec<Record> = (0..RECORDS_PER_FRAME)
        .map(|_| made(&random.bytes(), &mut random))
        .collect();
    let seed = random.bytes();
    let author: Vec<Record> = (0..RECORDS_PER_FRAME)
        .map(|_| made(&seed, &mut random))
        .collect();

    let bytes = authors.iter().map(|record| record.to_bytes().len()).max();
    stage.figure("a record", bytes.unwrap_or_default() as f64, "bytes");
    stage.per_second("records, singly", 1, || {
        let record = &authors[0];
        let author = record.body.author();
        assert!(CRYPTO.verify(&author.0, &record.signed(SCOPE), &record.signature));
    });
    for size in [8, 32, 64] {
        let what = format!("records of {size} authors, in batches of {size}");
        stage.per_second(&what, size as u32, || {
            assert!(verified(&authors[..size], &mut random) == size);
        });
    }
    stage.per_second("records of one author, in batches of 32", 32, || {
        assert!(verified(&author[..32], &mut random) == 32);
    });

    // What a hostile neighbor can cost: the batch fails, and every record is looked at alone.
    let mut spoilt = authors[..32].to_vec();
    if let Some(last) = spoilt.last_mut() {
        last.signature[0] ^= 1;
    }
    stage.per_second("records in batches of 32, one forged", 32, || {
        assert!(verified(&spoilt, &mut random) == 31);
    });
}

fn made(seed: &[u8; 32], random: &mut Random) -> Record {
    let creator = PeerId(CRYPTO.public_key(seed));
    let mut data = vec![0; DATA_BYTES];
    random.fill(&mut data);
    let body = Body {
        form: record::FORM,
        flags: 0,
        id: new_id(CRYPTO, creator, random),
        kind: TypeName::new("chat").expect("short"),
        creator,
        created: Stamp::at(MADE_MS),
        change: Change::Original {},
        expires: MADE_MS + 86_400_000,
        attributes: Attributes::default(),
        data: Data::new(data).expect("small"),
    };
    Record::sign(CRYPTO, SCOPE, seed, body)
}

/// How many of them are good.
fn verified(records: &[Record], random: &mut Random) -> usize {
    let parts: Vec<([u8; 32], Vec<u8>)> = records
        .iter()
        .map(|record| (record.body.author().0, record.signed(SCOPE)))
        .collect();
    let items: Vec<Signed<'_>> = parts
        .iter()
        .zip(records)
        .map(|((key, message), record)| Signed {
            key,
            message,
            signature: &record.signature,
        })
        .collect();
    let verdicts = verify_all(CRYPTO, &items, random);
    verdicts.iter().filter(|good| **good).count()
}
