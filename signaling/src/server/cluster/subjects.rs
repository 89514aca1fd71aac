//! What NATS knows tags, topics and questions by.

use std::fmt::Write as _;

use peer_group::names::{Tag, Topic};

use crate::rooms::Machine;
use crate::turn::Part;

/// The version is in it: machines of another one are not heard.
const PREFIX: &str = "peer-group.1";

pub(super) struct Subjects {
    own: String,
}

impl Subjects {
    pub(super) fn new(machine: Machine) -> Self {
        Self { own: hex(&machine) }
    }

    pub(super) fn tag(&self, tag: Tag) -> String {
        format!("{PREFIX}.tag.{}", hex(&tag.0))
    }

    pub(super) fn topic(&self, topic: Topic) -> String {
        format!("{PREFIX}.topic.{}", hex(&topic.0))
    }

    /// Where packets go that are for allocations of TURN whose addresses have that part.
    pub(super) fn turn(&self, part: Part) -> String {
        format!("{PREFIX}.turn.{part:x}")
    }

    /// Where machines say that they are there.
    pub(super) fn alive(&self) -> String {
        format!("{PREFIX}.alive")
    }

    /// Where the question of that number is answered.
    pub(super) fn answer(&self, id: u64) -> String {
        format!("{PREFIX}.answer.{}.{id}", self.own)
    }

    /// Where all are.
    pub(super) fn answers(&self) -> String {
        format!("{PREFIX}.answer.{}.*", self.own)
    }

    /// Where it is said that nobody hears what a pair carries.
    pub(super) fn silence(&self, pair: u64) -> String {
        format!("{PREFIX}.answer.{}.p{pair}", self.own)
    }

    /// The pair of which it is said there.
    pub(super) fn pair(&self, subject: &str) -> Option<u64> {
        let (_, last) = subject.rsplit_once('.')?;
        last.strip_prefix('p')?.parse().ok()
    }

    /// The number of the question that is answered there.
    pub(super) fn id(&self, subject: &str) -> Option<u64> {
        subject.rsplit_once('.')?.1.parse().ok()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_their_questions() {
        let subjects = Subjects::new([0xa5; 16]);
        let prefix = subjects.answers();
        let answer = subjects.answer(u64::MAX);
        assert!(answer.starts_with(prefix.strip_suffix('*').unwrap()));
        assert_eq!(subjects.id(&answer), Some(u64::MAX));
        assert_eq!(subjects.id("peer-group.1.answer.x"), None);
        let silence = subjects.silence(7);
        assert!(silence.starts_with(prefix.strip_suffix('*').unwrap()));
        assert_eq!(
            (subjects.id(&silence), subjects.pair(&silence)),
            (None, Some(7))
        );
        assert_eq!(subjects.pair(&answer), None);
        assert_eq!(
            subjects.tag(Tag([1; 16])),
            "peer-group.1.tag.01010101010101010101010101010101"
        );
        // Dots and stars mean something to NATS.
        let topic = subjects.topic(Topic([0xfe; 32]));
        assert!(
            !topic[PREFIX.len() + 1..]
                .replacen('.', "", 1)
                .contains(['.', '*', '>'])
        );
    }
}
