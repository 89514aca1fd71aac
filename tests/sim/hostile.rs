//! A member that lies: its engine is a real one, and what leaves it over links is rewritten, held
//! back, repeated and invented. Everything here is signed with its own key or not rightly at all.

use std::collections::BTreeMap;

use peer_group::engine::input::Channel;
use peer_group::names::{PeerId, RecordId};
use peer_group::record::model::Record;
use peer_group::time::Millis;
use peer_group::wire::codec::Wire as _;
use peer_group::wire::link::{Frame, Packet};

use super::dice::Dice;
use super::forger::{Forger, frame_of};
use super::net::Phase;
use super::world::{Happening, World};

/// Something that no honest member does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Trick {
    /// A record whose id is of another creator.
    ForgedId,
    /// A record with a byte too many.
    NotCanonical,
    /// A record with a changed signature.
    BadSignature,
    /// A record of somebody else with other data.
    ChangedData,
    /// A record in the name of somebody else.
    InOthersName,
    /// A record that begins deleted, or ends before it begins.
    BadForm,
    /// Pieces of a record that do not fit together.
    BadPieces,
    /// A change of somebody else's record.
    ChangeOfOthers,
    /// Two contents of one version, for different neighbors.
    Equivocation,
    /// A record from before the membership.
    Backdated,
    /// A record that has ended.
    Ended,
    /// A record that is two to ten minutes ahead, or more.
    Ahead,
    /// A version that ends earlier than the one before.
    Shrinks,
    /// A record of a type that is the engine's.
    Reserved,
    /// An old version of a record that was changed or deleted since.
    Resurrects,
    /// Many records at once.
    Floods,
    /// Records of people whom nobody knows.
    Strangers,
    /// A wrong time in every sign of life.
    DragsClocks,
    /// Comparisons that make no sense.
    PoisonsSync,
    /// It asks for everything again and again.
    AsksForAll,
    /// It does not pass records on.
    Withholds,
}

impl Trick {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::ForgedId,
        Self::NotCanonical,
        Self::BadSignature,
        Self::ChangedData,
        Self::InOthersName,
        Self::BadForm,
        Self::BadPieces,
        Self::ChangeOfOthers,
        Self::Equivocation,
        Self::Backdated,
        Self::Ended,
        Self::Ahead,
        Self::Shrinks,
        Self::Reserved,
        Self::Resurrects,
        Self::Floods,
        Self::Strangers,
        Self::DragsClocks,
        Self::PoisonsSync,
        Self::AsksForAll,
        Self::Withholds,
    ];

    /// No honest member can have sent that: whoever did is known for it.
    #[must_use]
    pub fn convicts(self) -> bool {
        matches!(
            self,
            Self::ForgedId
                | Self::NotCanonical
                | Self::BadSignature
                | Self::ChangedData
                | Self::InOthersName
                | Self::BadForm
                | Self::BadPieces
        )
    }
}

/// The member that lies.
pub struct Hostile {
    /// Where its engine is.
    pub machine: usize,
    /// What it does.
    pub tricks: Vec<Trick>,
    /// Until when.
    pub until: Option<Millis>,
    /// The far ends of links over which it sent what convicts it, and since when.
    pub convicted: BTreeMap<usize, Millis>,
    /// How often it did what.
    pub done: BTreeMap<Trick, u64>,
    /// Its choices.
    pub dice: Dice,
    /// Numbers of the next packets, by far end.
    next: BTreeMap<usize, u64>,
    /// Versions of records that it saw.
    pub seen: BTreeMap<RecordId, Vec<Record>>,
}

/// Versions of one record that it remembers.
const VERSIONS: usize = 4;
/// Records that it remembers.
const SEEN: usize = 200;

impl Hostile {
    /// A liar on that machine.
    #[must_use]
    pub fn new(seed: u64, machine: usize, tricks: Vec<Trick>) -> Self {
        Self {
            machine,
            tricks,
            until: None,
            convicted: BTreeMap::new(),
            done: BTreeMap::new(),
            dice: Dice::new(seed, "hostile"),
            next: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    fn does(&self, trick: Trick) -> bool {
        self.tricks.contains(&trick)
    }

    /// Remembers what records say.
    fn study(&mut self, frame: &Frame) {
        let Frame::Records { records } = frame else {
            return;
        };
        for bytes in records.iter() {
            let Ok(record) = Record::from_bytes(bytes) else {
                continue;
            };
            let room = self.seen.len() < SEEN;
            let known = self.seen.get_mut(&record.body.id);
            let versions = match known {
                Some(versions) => versions,
                None if room => self.seen.entry(record.body.id).or_default(),
                None => continue,
            };
            if !versions.contains(&record) && versions.len() < VERSIONS {
                versions.push(record);
            }
        }
    }

    /// What goes out in place of a frame.
    fn rewrite(&mut self, frame: Frame) -> Vec<Frame> {
        match frame {
            Frame::Pong { token, .. } if self.does(Trick::DragsClocks) => {
                *self.done.entry(Trick::DragsClocks).or_default() += 1;
                let time_ms = self.dice.pick(&[0, 1, u64::MAX, 1 << 41, 1 << 53]);
                vec![Frame::Pong { token, time_ms }]
            }
            Frame::Records { .. } | Frame::RecordPart { .. }
                if self.does(Trick::Withholds) && self.dice.per_mille(700) =>
            {
                *self.done.entry(Trick::Withholds).or_default() += 1;
                Vec::new()
            }
            frame => vec![frame],
        }
    }
}

impl World {
    /// Whether a machine's member lies.
    #[must_use]
    pub fn lies(&self, machine: usize) -> bool {
        self.hostile
            .as_ref()
            .is_some_and(|hostile| hostile.machine == machine)
    }

    /// A frame leaves the liar's engine for a far end: what goes there instead.
    pub fn lie(&mut self, to: usize, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let stops = self.lying_is_over();
        let Some(hostile) = &mut self.hostile else {
            return vec![bytes];
        };
        let Ok(Packet { sequence, frame }) = Packet::from_bytes(&bytes) else {
            return vec![bytes];
        };
        hostile.study(&frame);
        if sequence == 0 {
            hostile.next.entry(to).or_insert(1);
            return vec![bytes];
        }
        let frames = if stops {
            vec![frame]
        } else {
            hostile.rewrite(frame)
        };
        frames
            .into_iter()
            .filter_map(|frame| hostile.number(to, frame))
            .collect()
    }

    /// The liar hears something.
    pub fn overhear(&mut self, bytes: &[u8]) {
        if let Some(hostile) = &mut self.hostile
            && let Ok(packet) = Packet::from_bytes(bytes)
        {
            hostile.study(&packet.frame);
        }
    }

    fn lying_is_over(&self) -> bool {
        let until = self.hostile.as_ref().and_then(|hostile| hostile.until);
        until.is_some_and(|until| self.now >= until)
    }

    /// The liar does something of its own accord, and will again.
    pub fn mischief(&mut self) {
        if self.lying_is_over() {
            return;
        }
        let calmness = self.calmness();
        let Some(hostile) = &mut self.hostile else {
            return;
        };
        let pause = hostile.dice.between(200, 6_000) * calmness;
        let machine = hostile.machine;
        let trick = hostile.dice.pick(&hostile.tricks);
        self.later(pause, Happening::Mischief);
        let open: Vec<(usize, usize)> = self
            .net
            .ends
            .iter()
            .enumerate()
            .filter(|(_, end)| end.machine == machine && end.phase == Phase::Open)
            .filter_map(|(at, end)| Some((at, end.other?)))
            .filter(|(_, to)| self.net.ends[*to].phase == Phase::Open)
            .collect();
        if open.is_empty() || self.machines[machine].engine.is_none() {
            return;
        }
        self.play(trick, &open);
    }

    /// Plays a trick over open links: own and far ends.
    pub fn play(&mut self, trick: Trick, open: &[(usize, usize)]) {
        let wall = self.wall();
        let Some(me) = self.hostile.as_ref().map(|hostile| hostile.machine) else {
            return;
        };
        let Some(forger) = self.forger(me) else {
            return;
        };
        let Some(mut hostile) = self.hostile.take() else {
            return;
        };
        self.trace.machine(self.now, me, || format!("{trick:?}"));
        let (_, one) = hostile.dice.pick(open);
        if trick == Trick::Equivocation {
            let pair = forger.two_contents(&mut hostile.dice, wall);
            for (n, (_, to)) in open.iter().enumerate() {
                let frame = frame_of([pair[n % 2].to_bytes()]);
                self.slip(&mut hostile, *to, frame);
            }
        } else {
            let frames = forger.frames(trick, &mut hostile, wall);
            let said = !frames.is_empty() && hostile.next.contains_key(&one);
            for frame in frames {
                self.slip(&mut hostile, one, frame);
            }
            if trick.convicts() && said {
                hostile.convicted.entry(one).or_insert(self.now);
            }
        }
        *hostile.done.entry(trick).or_default() += 1;
        self.hostile = Some(hostile);
    }

    /// The liar says something of its own to a machine; false if no link leads there.
    pub fn say_as_liar(&mut self, machine: usize, frame: Frame) -> bool {
        let Some((to, mut hostile)) = self.liars_link(machine).zip(self.hostile.take()) else {
            return false;
        };
        self.slip(&mut hostile, to, frame);
        self.hostile = Some(hostile);
        true
    }

    /// The next frame that the liar's link to a machine would carry is lost.
    pub fn liar_skips(&mut self, machine: usize) {
        let link = self.liars_link(machine);
        if let Some((hostile, to)) = self.hostile.as_mut().zip(link)
            && let Some(next) = hostile.next.get_mut(&to)
        {
            *next += 1;
        }
    }

    /// The far end, at a machine, of an open link with the liar.
    fn liars_link(&self, machine: usize) -> Option<usize> {
        let ends = self.net.ends.iter().enumerate();
        let open = ends.filter(|(_, end)| end.machine == machine && end.phase == Phase::Open);
        let mut theirs = open.filter(|(_, end)| {
            let other = end.other.and_then(|other| self.net.ends.get(other));
            other.is_some_and(|other| self.lies(other.machine) && other.phase == Phase::Open)
        });
        theirs.next().map(|(at, _)| at)
    }

    /// Sends a frame that no engine wrote.
    fn slip(&mut self, hostile: &mut Hostile, to: usize, frame: Frame) {
        if let Some(bytes) = hostile.number(to, frame) {
            self.slip_in(to, Channel::Reliable, bytes);
        }
    }

    /// Writes what the liar says, once it is a member.
    #[must_use]
    pub fn forger(&self, me: usize) -> Option<Forger> {
        let seed = self.identity(me)?.seed;
        let group = self.machines[me].app.group?;
        let peer = self.machines[me].app.peer?;
        let others: Vec<PeerId> = self
            .members
            .iter()
            .copied()
            .filter(|of| *of != peer)
            .collect();
        (!others.is_empty()).then_some(Forger {
            crypto: self.options.crypto,
            group,
            peer,
            seed,
            others,
        })
    }

    /// Whoever was sent what no honest member sends has nothing to do with the liar any more.
    pub fn check_convictions(&mut self, since: Millis) {
        let Some(hostile) = &self.hostile else { return };
        let free = hostile.convicted.iter().find(|(end, at)| {
            let open = self.net.ends[**end].phase == Phase::Open;
            **at < since && open
        });
        if let Some((end, at)) = free {
            let machine = self.net.ends[*end].machine;
            let text = format!("machine {machine} is linked with who lied to it at {at} ms");
            self.fail(text);
        }
    }
}

impl Hostile {
    fn number(&mut self, to: usize, frame: Frame) -> Option<Vec<u8>> {
        let next = self.next.get_mut(&to)?;
        let sequence = *next;
        *next += 1;
        Some(Packet { sequence, frame }.to_bytes())
    }
}
