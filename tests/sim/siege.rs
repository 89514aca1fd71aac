//! A member who does nothing but fill another's memory, with everything that no rule convicts it for:
//! each bound is reached, and held. (That none is broken is looked at after every step.)

use peer_group::crypto::{Crypto, FAKE};
use peer_group::engine::command::{Command, Expiry, NewRecord};
use peer_group::engine::event::Answer;
use peer_group::gauge::Held;
use peer_group::group::credential::{Body as Claim, Credential, Role};
use peer_group::limits;
use peer_group::names::{GroupId, PeerId};
use peer_group::record::model::{Body, Change, Data, Record, Stamp, TypeName};
use peer_group::wire::codec::{Bytes, List, Text, Wire as _};
use peer_group::wire::link::Frame;
use peer_group::wire::numbers::control;
use peer_group::wire::seconds::Seconds;
use peer_group_tests::sim::dice::Dice;
use peer_group_tests::sim::forger::{Forger, frame_of};
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

const CRYPTO: Crypto = &FAKE;
/// The one that lies, and the one that it besieges; another one looks on.
const LIAR: usize = 2;
const VICTIM: usize = 0;
const HOUR_MS: u64 = 3_600_000;

struct Siege {
    world: World,
    forger: Forger,
    dice: Dice,
}

impl Siege {
    fn new() -> Self {
        let mut options = Options::plain(7, CRYPTO, 3);
        options.hostile = Some((LIAR, Vec::new()));
        let mut world = World::new(options);
        world.group_of(3);
        // Everybody has synchronised, and knows the time.
        world.run_for(10_000);
        let forger = world.forger(LIAR).expect("it is a member");
        let dice = Dice::new(7, "siege");
        Self {
            world,
            forger,
            dice,
        }
    }

    fn group(&self) -> GroupId {
        self.forger.group
    }

    /// Says it all, as fast as it is taken.
    fn say(&mut self, frames: impl IntoIterator<Item = Frame>) {
        for (n, frame) in frames.into_iter().enumerate() {
            assert!(self.world.say_as_liar(VICTIM, frame), "it is not linked");
            if n % 16 == 15 {
                self.world.run_for(5);
            }
        }
        self.world.run_for(1_000);
        self.world.require_sound();
    }

    fn records(&mut self, records: impl IntoIterator<Item = Record>) {
        let all: Vec<Vec<u8>> = records.into_iter().map(|of| of.to_bytes()).collect();
        let first = all.first().map_or(1, Vec::len);
        let per_frame = limits::RECORDS_FRAME_BYTES / first;
        if per_frame == 0 {
            return self.say(all.iter().flat_map(|record| pieces(record, record.len())));
        }
        let chunks = all.chunks(per_frame.min(limits::RECORDS_PER_FRAME));
        self.say(chunks.map(|chunk| frame_of(chunk.to_vec())));
    }

    fn own(&mut self, kind: &str, data: usize) -> Body {
        let wall = self.world.wall();
        let mut body = self.forger.own(&mut self.dice, wall);
        body.kind = TypeName::new(kind).expect("short");
        body.data = Data::new(vec![7; data]).expect("short");
        body.expires = wall + HOUR_MS;
        body
    }

    fn stranger(&mut self, data: usize) -> Record {
        let seed = self.dice.bytes();
        let peer = PeerId(CRYPTO.public_key(&seed));
        let wall = self.world.wall();
        let mut body = self.forger.body(&mut self.dice, peer, wall);
        body.data = Data::new(vec![7; data]).expect("short");
        Record::sign(CRYPTO, self.group(), &seed, body)
    }

    /// The most that the victim, or the one who looks on, held.
    fn most(&self, what: Held) -> usize {
        self.world.peaks.most_of(what)
    }
}

/// What comes of a large record, up to there.
fn pieces(record: &[u8], end: usize) -> Vec<Frame> {
    let mut rest = record.len();
    let pieces = record[..end].chunks(limits::RECORDS_FRAME_BYTES);
    pieces
        .map(|piece| {
            rest -= piece.len();
            Frame::RecordPart {
                rest: u32::try_from(rest).expect("short"),
                piece: Bytes::new(piece.to_vec()).expect("short"),
            }
        })
        .collect()
}

fn second(of: &Body) -> Body {
    Body {
        change: Change::ByCreator {
            version: 2,
            at: Stamp(of.created.0 + 1),
        },
        ..of.clone()
    }
}

#[test]
fn records_of_people_whom_nobody_knows_wait_in_a_bounded_room() {
    let mut siege = Siege::new();
    let small: Vec<Record> = (0..2_000).map(|_| siege.stranger(0)).collect();
    siege.records(small);
    assert_eq!(siege.most(Held::WaitingRecords), limits::WAITING_RECORDS);
    let large: Vec<Record> = (0..300).map(|_| siege.stranger(60_000)).collect();
    siege.records(large);
    let most = siege.most(Held::WaitingBytes);
    assert!(most > limits::WAITING_BYTES - 70_000, "{most}");
    let claims: Vec<_> = (0..2_000).map(|_| claim(&mut siege)).collect();
    let frames = claims.chunks(limits::CONTROL_ITEMS_PER_FRAME);
    siege.say(frames.map(|items| Frame::Control {
        items: List::first(items.to_vec()),
    }));
    assert_eq!(
        siege.most(Held::PendingCredentials),
        limits::PENDING_CREDENTIALS
    );
    assert!(siege.most(Held::Signatures) >= 2_000);
}

/// Somebody unknown says that somebody unknown is a member.
fn claim(siege: &mut Siege) -> Bytes<{ limits::CONTROL_ITEM_BYTES }> {
    let seed = siege.dice.bytes();
    let body = Claim::Membership {
        subject: PeerId(siege.dice.bytes()),
        sealing: siege.dice.bytes(),
        role: Role::Member,
        from: Seconds(0),
        until: Seconds::NEVER,
        issuer: CRYPTO.public_key(&seed),
        serial: siege.dice.bytes(),
    };
    let credential = Credential::sign(CRYPTO, siege.group(), &seed, body);
    let mut item = vec![control::CREDENTIAL];
    credential.encode(&mut item);
    Bytes::new(item).expect("short")
}

#[test]
fn a_flood_fills_no_more_than_its_quota_and_its_turn() {
    let mut siege = Siege::new();
    let count = 2 * limits::RECORDS_PER_AUTHOR + 5_000;
    let mut bodies: Vec<Body> = (0..count).map(|_| siege.own("flood", 0)).collect();
    // Whoever comes last has no place.
    bodies.sort_by_key(|body| (body.created, body.id));
    let newer: Vec<Record> = bodies
        .iter()
        .map(|of| siege.forger.sign(second(of)))
        .collect();
    siege.records(newer);
    // Some went at once.
    assert!(siege.most(Held::PacedRecords) >= limits::RECORDS_PER_AUTHOR * 9 / 10);
    assert_eq!(siege.most(Held::Refused), limits::REFUSED_RECORDS);
    assert!(siege.most(Held::StoreSlots) >= limits::RECORDS_PER_AUTHOR);
    // What is older is answered with what is newer, once a minute.
    let older: Vec<Record> = bodies.into_iter().map(|of| siege.forger.sign(of)).collect();
    siege.records(older);
    assert!(siege.most(Held::LaneAnswered) >= limits::RECORDS_PER_AUTHOR / 2);
    assert!(siege.most(Held::LaneFresh) >= limits::RECORDS_PER_AUTHOR / 2);
    siege.world.run_for(120_000);
    siege.world.require_sound();
}

#[test]
fn whoever_fills_the_database_leaves_room_for_others() {
    let mut siege = Siege::new();
    for kind in 0..6 {
        // A type may have 16 MiB: with more it would count as much as it may ever have.
        let bodies: Vec<Body> = (0..265)
            .map(|_| siege.own(&kind.to_string(), 60_000))
            .collect();
        let records: Vec<Record> = bodies.into_iter().map(|of| siege.forger.sign(of)).collect();
        siege.records(records);
    }
    let most = siege.most(Held::StoreBytes);
    assert!(most > limits::DATABASE_BYTES - 70_000, "{most}");
    assert_eq!(siege.most(Held::StoreCutCreators), 1);
    for machine in [VICTIM, 1] {
        let record = NewRecord {
            kind: "chat".to_owned(),
            data: vec![1; 1_000],
            attributes: Vec::new(),
            expires: Expiry::In(HOUR_MS),
            auto_refresh: false,
        };
        let handle = siege.world.machines[machine].app.handle();
        let added = siege
            .world
            .ask(machine, Command::AddRecord { handle, record });
        assert!(matches!(added, Ok(Answer::RecordAdded(_))), "{added:?}");
    }
}

#[test]
fn what_is_begun_and_never_ended_is_bounded() {
    let mut siege = Siege::new();
    let label = || Text::new("a").expect("short");
    siege.say((1..=200).map(|id| Frame::DirectOpen { id, label: label() }));
    let directs = siege.most(Held::Directs);
    assert_eq!(directs, limits::DIRECT_PER_LINK);
    // A record of a megabyte of which the last piece never comes.
    let whole = limits::RECORD_BYTES_DEFAULT;
    siege.say(pieces(&vec![1; whole], whole - limits::RECORDS_FRAME_BYTES));
    let arriving = siege.most(Held::LaneArriving);
    assert!(
        arriving >= whole - limits::RECORDS_FRAME_BYTES,
        "{arriving}"
    );
    // Frames of which the first never comes.
    siege.world.liar_skips(VICTIM);
    siege.say((0..64).map(|token| Frame::Ping { token }));
    assert_eq!(siege.most(Held::HeldFrames), 64);
    assert_eq!(siege.world.neighbor_count(VICTIM), 2);
    siege.say([Frame::Ping { token: 0 }]);
    assert_eq!(siege.world.neighbor_count(VICTIM), 1);
}
