//! Targets about records: how they are signed, kept, exported and compared.

use std::collections::VecDeque;

use peer_group::crypto::{FAKE, Primitives as _, head};
use peer_group::limits::{CONTROL_ITEM_BYTES, CONTROL_ITEMS, RECORD_BYTES};
use peer_group::names::{GroupId, PeerId, RecordHash};
use peer_group::random::Random;
use peer_group::record::model::{Record, new_id};
use peer_group::record::store::Kept;
use peer_group::record::stored::Seal;
use peer_group::record::sync::{Holdings, Key, Reconciler, Step};
use peer_group::wire::attributes::Attributes;
use peer_group::wire::codec::{Bytes, List, Reader, Wire, put_varint};
use peer_group::wire::numbers::stored;
use peer_group::wire::sync::{Answer, First, Message};

use crate::attempt::bounded;
use crate::decoders::read;

const SCOPE: GroupId = GroupId([3; 32]);
const PEER: PeerId = PeerId([4; 32]);
const SEED: [u8; 32] = [5; 32];

/// What came over the wire is what the app may give, too.
pub(crate) fn attributes(bytes: &[u8]) -> bool {
    let read = read::<Attributes>(bytes);
    if let Some(attributes) = &read {
        let given = attributes
            .iter()
            .map(|(name, values)| (name.to_owned(), values.to_vec()))
            .collect();
        assert!(Attributes::new(given).as_ref() == Ok(attributes));
    }
    read.is_some()
}

/// The rules of form hold for any record, and for one whose id is its creator's.
pub(crate) fn record(bytes: &[u8]) -> bool {
    let Some(mut record) = read::<Record>(bytes) else {
        return false;
    };
    let _ = record.body.check_form(&FAKE, RECORD_BYTES);
    record.body.id = new_id(&FAKE, record.body.creator, &mut Random::new([1; 32]));
    if record.body.check_form(&FAKE, RECORD_BYTES).is_ok() {
        assert!(record.body.version() > 0);
        assert!(record.body.expires > record.body.modified().ms());
    }
    let order = record.order(record.hash(&FAKE, SCOPE));
    assert!(order.version == record.body.version());
    true
}

/// What seals of these begin with: the fake primitives keep no secrets.
fn sealed(what: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let key = FAKE.derive(&SEED, "stored records", &[&SCOPE.0]);
    let mut all: Vec<&[u8]> = vec![&key, what];
    all.extend_from_slice(parts);
    head(&FAKE.hash(&all))
}

/// As it lies in storage, and as it would if its seal were right: then it is read, and is the same.
pub(crate) fn stored_record(bytes: &[u8]) -> bool {
    let seal = Seal::new(&FAKE, SCOPE, PEER, &SEED);
    let at = bounded(bytes, || seal.read("record", bytes));
    assert!(at.is_none(), "read from a place where it does not lie");
    let mut input = Reader::new(bytes);
    let (Ok(kept), Ok(record)) = (Kept::decode(&mut input), Record::decode(&mut input)) else {
        return false;
    };
    let hash = record.hash(&FAKE, SCOPE);
    let parts: [&[u8]; 3] = [&hash.0, &record.signature, &kept.to_bytes()];
    let value = [&sealed(b"record", &parts), bytes].concat();
    let key = seal.key(&record.body.id, &hash);
    let read = bounded(&value, || seal.read(&key, &value));
    let is_whole = input.rest().is_empty();
    assert!(read.is_some() == is_whole);
    if let Some(read) = read {
        assert!(read.record == record && read.hash == hash && read.kept == kept);
    }
    is_whole
}

/// An exported database without its seal.
pub(crate) fn database(bytes: &[u8]) -> bool {
    let seal = Seal::new(&FAKE, SCOPE, PEER, &SEED);
    let _ = bounded(bytes, || seal.import(bytes).ok());
    let file = [bytes, &sealed(b"database", &[bytes])].concat();
    let Some(database) = bounded(&file, || seal.import(&file).ok()) else {
        return false;
    };
    let control = database
        .control
        .into_iter()
        .filter_map(Bytes::<CONTROL_ITEM_BYTES>::new);
    let mut again = vec![stored::DATABASE];
    SCOPE.encode(&mut again);
    PEER.encode(&mut again);
    database.offset.encode(&mut again);
    List::<_, CONTROL_ITEMS>::first(control.collect()).encode(&mut again);
    put_varint(&mut again, database.records.len() as u64);
    for one in &database.records {
        one.kept.encode(&mut again);
        one.record.encode(&mut again);
    }
    assert!(again == bytes, "two encodings of one database");
    true
}

/// A stored record and a database that holds it twice, each without its seal.
pub(crate) fn kept(record: &Record) -> [Vec<u8>; 2] {
    let kept = Kept {
        expires: record.body.expires,
        bytes: record.to_bytes().len() as u64,
    };
    let one = [kept.to_bytes(), record.to_bytes()].concat();
    let mut all = vec![stored::DATABASE];
    SCOPE.encode(&mut all);
    PEER.encode(&mut all);
    (-5i64).encode(&mut all);
    List::<_, CONTROL_ITEMS>::first(vec![Bytes::<CONTROL_ITEM_BYTES>::default()]).encode(&mut all);
    put_varint(&mut all, 2);
    all.extend_from_slice(&one);
    all.extend_from_slice(&one);
    [one, all]
}

struct Items(Vec<RecordHash>);

impl Holdings for Items {
    fn each(&self, visit: &mut dyn FnMut(&RecordHash)) {
        self.0.iter().for_each(visit);
    }
}

fn end(from: u64, to: u64) -> (Reconciler, Items) {
    let items = (from..to).map(|n| RecordHash(head(&FAKE.hash(&[&n.to_le_bytes()]))));
    let (first, later) = (Key::new([1; 16]), Key::new([2; 16]));
    let reconciler = Reconciler::new(first, later, First::default());
    (reconciler, Items(items.collect()))
}

/// One end of a comparison is told any messages, one after the other. The first byte says who began.
pub(crate) fn comparison(bytes: &[u8]) -> bool {
    let (mut reconciler, items) = end(0, 60);
    let mut input = Reader::new(bytes);
    let mut out = Vec::new();
    let begins = input.array().unwrap_or([0])[0];
    if begins & 1 == 1 {
        let _ = reconciler.begin(&items);
    }
    if let (2.., Ok(answer)) = (begins, Answer::decode(&mut input)) {
        reconciler.begin_with_answer(answer, &items, &mut out);
    }
    let mut count = 0;
    while let Ok(message) = Message::decode(&mut input) {
        reconciler.receive(message, &items, &mut out);
        count += 1;
    }
    reconciler.refill(&mut out);
    reconciler.give_up(&mut out);
    for step in &out {
        if let Step::Push(pushed) = step {
            assert!(pushed.len() <= items.0.len(), "pushes more than it holds");
        }
    }
    count > 0 && input.rest().is_empty()
}

/// What two honest ends say, and all that each was told.
pub(crate) fn conversations() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (ours, theirs) in [
        ((0, 60), (5, 90)),
        ((0, 60), (0, 60)),
        ((0, 60), (900, 4000)),
    ] {
        let mut ends = [end(ours.0, ours.1), end(theirs.0, theirs.1)];
        for asker in 0..2 {
            let mut told = [vec![u8::from(asker == 0)], vec![u8::from(asker == 1)]];
            let (reconciler, items) = &mut ends[asker];
            let begun = reconciler.begin(items);
            let mut on_way: VecDeque<(usize, Message)> = begun
                .map(|message| (1 - asker, message))
                .into_iter()
                .collect();
            while let Some((to, message)) = on_way.pop_front() {
                let mut out = Vec::new();
                message.encode(&mut told[to]);
                all.push(message.to_bytes());
                let (reconciler, items) = &mut ends[to];
                reconciler.receive(message, items, &mut out);
                on_way.extend(out.into_iter().filter_map(|step| match step {
                    Step::Say(message) => Some((1 - to, message)),
                    _ => None,
                }));
            }
            all.extend(told);
        }
    }
    all
}
