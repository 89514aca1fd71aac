//! What a liar says: records that are forged, out of time or too many, and comparisons that make no
//! sense.

use std::collections::BTreeSet;

use peer_group::limits;
use peer_group::names::{PeerId, RecordId};
use peer_group::record::model::{Body, Change, Record, Stamp, TypeName};
use peer_group::time::Millis;
use peer_group::wire::codec::{Bytes, List, Wire as _};
use peer_group::wire::link::{Frame, Scope};
use peer_group::wire::numbers::record;
use peer_group::wire::sync::{Answer, Digest, Message, Part, Sketch, Symbol};

use super::dice::Dice;
use super::hostile::{Hostile, Trick};

/// Writes what the liar says.
pub struct Forger {
    /// The primitives.
    pub crypto: peer_group::crypto::Crypto,
    /// The group.
    pub group: peer_group::names::GroupId,
    /// The liar.
    pub peer: PeerId,
    /// Its key.
    pub seed: [u8; 32],
    /// Other members.
    pub others: Vec<PeerId>,
}

/// Records in one frame.
#[must_use]
pub fn frame_of(records: impl IntoIterator<Item = Vec<u8>>) -> Frame {
    let records = records.into_iter().filter_map(Bytes::new).collect();
    Frame::Records {
        records: List::first(records),
    }
}

impl Forger {
    /// A record of somebody's, not signed.
    pub fn body(&self, dice: &mut Dice, creator: PeerId, wall: Millis) -> Body {
        let half = self.crypto.hash(&[b"record", &creator.0]);
        let mut id: [u8; 16] = dice.bytes();
        id[..8].copy_from_slice(&half[..8]);
        let life = dice.pick(&[5_000, 60_000, 3_600_000, 86_400_000]);
        Body {
            form: record::FORM,
            flags: 0,
            id: RecordId(id),
            kind: TypeName::new("chat").unwrap_or_default(),
            creator,
            created: Stamp(Stamp::at(wall).0 + dice.between(0, 99)),
            change: Change::Original {},
            expires: wall + life,
            attributes: peer_group::wire::attributes::Attributes::default(),
            data: Bytes::new(dice.bytes::<24>().to_vec()).unwrap_or_default(),
        }
    }

    /// A record of its own.
    pub fn own(&self, dice: &mut Dice, wall: Millis) -> Body {
        self.body(dice, self.peer, wall)
    }

    /// Signs with its own key.
    #[must_use]
    pub fn sign(&self, body: Body) -> Record {
        Record::sign(self.crypto, self.group, &self.seed, body)
    }

    /// Two contents of one version.
    pub fn two_contents(&self, dice: &mut Dice, wall: Millis) -> [Record; 2] {
        let body = self.own(dice, wall);
        let mut other = body.clone();
        other.data = Bytes::new(dice.bytes::<24>().to_vec()).unwrap_or_default();
        if dice.per_mille(300) {
            other.expires += 1_000;
        }
        [self.sign(body), self.sign(other)]
    }

    /// A record that it saw of somebody else, in its newest version or any.
    fn seen<'a>(&self, hostile: &'a mut Hostile, newest: bool) -> Option<&'a Record> {
        let ids: Vec<RecordId> = hostile.seen.keys().copied().collect();
        if ids.is_empty() {
            return None;
        }
        let id = hostile.dice.pick(&ids);
        let versions = hostile.seen.get(&id)?;
        let version = |record: &&Record| record.body.version();
        if newest {
            versions.iter().max_by_key(version)
        } else {
            versions.iter().min_by_key(version)
        }
    }

    /// What a trick sends.
    pub fn frames(&self, trick: Trick, hostile: &mut Hostile, wall: Millis) -> Vec<Frame> {
        if let Some(record) = self.one(trick, hostile, wall) {
            return vec![frame_of([record])];
        }
        let dice = &mut hostile.dice;
        match trick {
            Trick::BadPieces => {
                let piece = |rest, len| Frame::RecordPart {
                    rest,
                    piece: Bytes::new(vec![1; len]).unwrap_or_default(),
                };
                match dice.between(0, 2) {
                    0 => vec![piece(u32::MAX, 100)],
                    1 => vec![piece(1_000, 100), piece(1_000, 100)],
                    _ => vec![piece(50, 100), piece(0, 50)],
                }
            }
            Trick::Shrinks => {
                let mut body = self.own(dice, wall);
                body.expires = wall + 3_600_000;
                let first = self.sign(body.clone());
                body.change = Change::ByCreator {
                    version: 2,
                    at: Stamp(body.created.0 + 1),
                };
                body.expires = wall + 2_000;
                let records = [first.to_bytes(), self.sign(body).to_bytes()];
                vec![frame_of(records)]
            }
            Trick::Floods => {
                let frames = dice.between(1, 6);
                let record = |dice: &mut Dice| {
                    let mut body = self.own(dice, wall);
                    body.expires = wall + 30_000;
                    self.sign(body).to_bytes()
                };
                (0..frames)
                    .map(|_| {
                        frame_of(
                            (0..limits::RECORDS_PER_FRAME)
                                .map(|_| record(dice))
                                .collect::<Vec<_>>(),
                        )
                    })
                    .collect()
            }
            Trick::Strangers => {
                let record = |dice: &mut Dice| {
                    let seed = dice.bytes();
                    let peer = PeerId(self.crypto.public_key(&seed));
                    let body = self.body(dice, peer, wall);
                    Record::sign(self.crypto, self.group, &seed, body).to_bytes()
                };
                let many = (0..limits::RECORDS_PER_FRAME).map(|_| record(dice));
                vec![frame_of(many.collect::<Vec<_>>())]
            }
            Trick::PoisonsSync => (0..dice.between(1, 8)).map(|_| poison(dice)).collect(),
            Trick::AsksForAll => (0..dice.between(1, 40))
                .map(|_| Frame::Sync {
                    scope: dice.pick(&[Scope::Control, Scope::Data]),
                    message: Message::SendAll {
                        round: dice.pick(&[0, 1, 2]),
                        first: List::default(),
                    },
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The one record of a trick that needs no more.
    fn one(&self, trick: Trick, hostile: &mut Hostile, wall: Millis) -> Option<Vec<u8>> {
        let other = hostile.dice.pick(&self.others);
        let dice = &mut hostile.dice;
        match trick {
            Trick::ForgedId => {
                let mut body = self.own(dice, wall);
                body.id = self.body(dice, other, wall).id;
                Some(self.sign(body).to_bytes())
            }
            Trick::NotCanonical => {
                let mut bytes = self.sign(self.own(dice, wall)).to_bytes();
                match dice.between(0, 2) {
                    0 => bytes.push(0),
                    1 => {
                        bytes.pop();
                    }
                    _ => bytes = dice.bytes::<40>().to_vec(),
                }
                Some(bytes)
            }
            Trick::BadSignature => {
                let mut record = self.sign(self.own(dice, wall));
                record.signature[dice.index(64)] ^= 1 << dice.between(0, 6);
                Some(record.to_bytes())
            }
            Trick::InOthersName => Some(self.sign(self.body(dice, other, wall)).to_bytes()),
            Trick::BadForm => {
                let mut body = self.own(dice, wall);
                match dice.between(0, 3) {
                    0 => {
                        body.flags = record::DELETED;
                        body.data = Bytes::default();
                    }
                    1 => body.expires = wall.saturating_sub(1),
                    2 => body.expires = wall + limits::RECORD_LIFE_MS + 60_000,
                    _ => {
                        body.change = Change::ByCreator {
                            version: 1,
                            at: Stamp(body.created.0 + 1),
                        };
                    }
                }
                Some(self.sign(body).to_bytes())
            }
            Trick::Backdated => {
                let mut body = self.own(dice, wall);
                let ago = dice.pick(&[2 * 86_400_000, 400 * 86_400_000]);
                body.created = Stamp::at(wall - ago);
                body.expires = body.created.ms() + limits::RECORD_LIFE_MS;
                Some(self.sign(body).to_bytes())
            }
            Trick::Ended => {
                let mut body = self.own(dice, wall);
                body.created = Stamp::at(wall - 60_000);
                body.expires = wall - 30_000;
                Some(self.sign(body).to_bytes())
            }
            Trick::Ahead => {
                let ahead = dice.pick(&[60_000, 180_000, 540_000, 660_000, 86_400_000, 1 << 40]);
                let mut body = self.own(dice, wall);
                body.created = Stamp::at(wall + ahead);
                body.expires = body.created.ms() + 3_600_000;
                Some(self.sign(body).to_bytes())
            }
            Trick::Reserved => {
                let mut body = self.own(dice, wall);
                body.kind = TypeName::new("peer-group/presence").unwrap_or_default();
                Some(self.sign(body).to_bytes())
            }
            _ => self.of_others(trick, hostile, wall),
        }
    }

    /// The record of a trick with what it saw of others.
    fn of_others(&self, trick: Trick, hostile: &mut Hostile, wall: Millis) -> Option<Vec<u8>> {
        match trick {
            Trick::ChangedData => {
                let mut record = self.seen(hostile, true)?.clone();
                // Of a version that is older than what they hold nobody looks at the signature.
                let (version, at) = (record.body.version(), record.body.modified());
                record.body.change = Change::ByCreator {
                    version: version + 1_000,
                    at: Stamp(at.0 + 1),
                };
                record.body.expires = record.body.expires.max(at.ms() + 1_000);
                Some(record.to_bytes())
            }
            Trick::ChangeOfOthers => {
                let old = self.seen(hostile, true)?.body.clone();
                let mut body = old;
                let version = body.version() + 1;
                let at = body.modified().next(wall);
                let peer = self.peer;
                body.change = if body.creator == peer {
                    Change::ByCreator { version, at }
                } else {
                    Change::ByOther { version, at, peer }
                };
                if hostile.dice.per_mille(500) {
                    body.flags = record::DELETED;
                    body.data = Bytes::default();
                    body.attributes = peer_group::wire::attributes::Attributes::default();
                }
                body.expires = body.expires.max(at.ms() + 1_000);
                Some(self.sign(body).to_bytes())
            }
            Trick::Resurrects => self
                .seen(hostile, false)
                .map(peer_group::wire::codec::Wire::to_bytes),
            _ => None,
        }
    }
}

/// A message of a comparison that makes no sense.
fn poison(dice: &mut Dice) -> Frame {
    let round = dice.pick(&[0, 1, 2, 3, u16::MAX]);
    let digest = |dice: &mut Dice| Digest {
        count: dice.pick(&[0, 1, 100, u32::MAX]),
        fingerprint: dice.bytes(),
    };
    let answer = |dice: &mut Dice| match dice.between(0, 2) {
        0 => Answer::Same {},
        1 => Answer::Everything {
            first: List::default(),
        },
        _ => Answer::Differs {
            count: dice.pick(&[0, 1, 1_000, u32::MAX]),
            sketch: Sketch {
                planes: core::array::from_fn(|_| dice.bytes::<1>()[0]),
            },
        },
    };
    let part = Part::ALL;
    let ids = |dice: &mut Dice| {
        let count = dice.between(0, 100);
        let all: BTreeSet<[u8; 8]> = (0..count).map(|_| dice.bytes()).collect();
        List::first(all.into_iter().collect())
    };
    let message = match dice.between(0, 8) {
        0 => Message::Holds {
            round,
            digest: digest(dice),
        },
        1 => Message::Answer {
            round,
            answer: answer(dice),
        },
        2 => Message::Split {
            round,
            part,
            digests: List::first((0..16).map(|_| digest(dice)).collect()),
        },
        3 => Message::Parts {
            round,
            part,
            answers: List::first((0..16).map(|_| answer(dice)).collect()),
        },
        4 => Message::Symbols {
            round,
            part,
            symbols: List::first(
                (0..dice.between(1, 200))
                    .map(|_| Symbol {
                        ids: u64::from_le_bytes(dice.bytes()),
                        checks: u16::from_le_bytes(dice.bytes()),
                        count: dice.bytes::<1>()[0],
                    })
                    .collect(),
            ),
            last: dice.per_mille(500),
        },
        5 => Message::More { round, part },
        6 => Message::Ids {
            round,
            part,
            ids: ids(dice),
            last: true,
        },
        7 => Message::Want {
            round,
            part,
            ids: ids(dice),
            last: true,
        },
        _ => Message::End {
            round,
            asker: dice.per_mille(500),
            complete: dice.per_mille(500),
        },
    };
    Frame::Sync {
        scope: dice.pick(&[Scope::Control, Scope::Data]),
        message,
    }
}
