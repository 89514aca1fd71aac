//! Wrong passwords, written down for everybody who lets people in: records that last an hour and say
//! nothing but that there was one, and where.

use super::Graph;
use super::password::Guesses;
use super::security::Security;
use crate::engine::context::Context;
use crate::engine::event::Answer;
use crate::limits;
use crate::names::PeerId;
use crate::record::model::{Body, Change, TypeName};
use crate::record::reserved::{GUESS, random_id};
use crate::sorted::Map;
use crate::wire::attributes::Attributes;
use crate::wire::codec::Bytes;
use crate::wire::numbers::record;

impl Graph {
    /// What was written down in the last hour, by those who let people in: nobody else is asked.
    pub(super) fn guesses(&self, cx: &mut Context<'_>, security: &mut dyn Security) -> Guesses {
        let now = self.records.clock.at(cx.now);
        let mut by: Map<PeerId, usize> = Map::new();
        for entry in self.records.store.said(GUESS, None, now) {
            let body = &entry.record().body;
            // Where nothing ends while alone, what has ended is still there.
            if body.expires <= now {
                continue;
            }
            *by.or_default(body.creator) += 1;
        }
        let mut guesses = Guesses::default();
        let Some(passwords) = security.passwords() else {
            return guesses;
        };
        for (peer, count) in by {
            if peer == self.own.peer() {
                guesses.own = count;
            } else if passwords.lets_in(cx, peer) {
                guesses.others += count;
            }
        }
        guesses
    }

    /// Writes one down. Others hear of it once it is stored; here it counts at once in any case.
    pub(super) fn write_guess(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        let creator = self.own.peer();
        let created = self.records.next_stamp(cx.now);
        let body = Body {
            form: record::FORM,
            flags: 0,
            id: random_id(cx.crypto, GUESS, creator, cx.random),
            kind: TypeName::new(GUESS).unwrap_or_default(),
            creator,
            created,
            change: Change::Original {},
            expires: created.ms().saturating_add(limits::GUESS_LIFE_MS),
            attributes: Attributes::default(),
            data: Bytes::default(),
        };
        // Whose membership ends sooner tells nobody; it counts its own all the same.
        let _ = self.write(cx, security, None, Answer::Done, body);
    }
}
