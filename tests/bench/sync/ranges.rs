//! Two ends of `negentropy`, and what they say.

use crate::sync::pair::Cost;
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use peer_group::names::RecordHash;

/// An end's records as it wants them.
pub(crate) fn stored(records: &[(u64, RecordHash)]) -> NegentropyStorageVector {
    let mut storage = NegentropyStorageVector::with_capacity(records.len());
    for (time, hash) in records {
        let id = Id::from_byte_array(hash.0);
        storage.insert(*time, id).expect("not sealed");
    }
    storage.seal().expect("sealed once");
    storage
}

/// What an end says first.
pub(crate) fn first(storage: &NegentropyStorageVector) -> Vec<u8> {
    let mut end = Negentropy::borrowed(storage, 0).expect("no limit of frames");
    end.initiate().expect("said once")
}

/// Compares until nothing is left to ask, and counts. The ids of the differences are in it.
pub(crate) fn compare(ends: &[Vec<(u64, RecordHash)>; 2], differences: usize) -> Cost {
    let storages = ends.each_ref().map(|end| stored(end));
    let [mut asker, mut answerer] = storages
        .each_ref()
        .map(|storage| Negentropy::borrowed(storage, 0).expect("no limit of frames"));
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let mut cost = Cost {
        bytes: 0,
        wanted: 0,
        trips: 0,
    };
    let mut asked = Some(asker.initiate().expect("said once"));
    while let Some(message) = asked {
        let answer = answerer.reconcile(&message).expect("a message of its own");
        cost.trips += 1;
        cost.bytes += message.len() + answer.len();
        asked = asker
            .reconcile_with_ids(&answer, &mut have, &mut need)
            .expect("a message of its own");
    }
    assert_eq!(have.len() + need.len(), differences);
    cost
}
