//! Records that end by themselves, and when this node looks for them.

use super::arrival::tell;
use super::security::Security;
use super::{Graph, Timer};
use crate::engine::context::Context;
use crate::engine::event::RecordChange;
use crate::limits;
use crate::names::RecordId;
use crate::record::reserved::{PRESENCE, is_stored};
use crate::time::Millis;

impl Graph {
    /// Lets records end whose time has come.
    pub(super) fn sweep(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        if self.online {
            self.refresh_records(cx, security);
        }
        let now = self.records.clock.at(cx.now);
        // A member that is not connected may keep what it has until it is; but not who is present.
        if self.defers_expiration(security) {
            return self.sweep_presence(cx, now);
        }
        let swept = self.records.store.sweep(now);
        if !swept.is_empty() {
            // There may be room by now.
            self.records.refused.clear();
        }
        for gone in swept {
            if !gone.held && is_stored(&gone.kind) {
                self.records.unstored.went((gone.id, gone.hash));
            }
            self.records.touch(&gone.kind, gone.creator);
            self.records.refreshes(gone.id, None);
            if gone.shown {
                tell(cx, RecordChange::Expired, gone.id, gone.kind.into_string());
            }
        }
        self.weigh_again(cx, security);
    }

    /// Forgets the presence of nodes that did not refresh it.
    fn sweep_presence(&mut self, cx: &mut Context<'_>, now: Millis) {
        let held = self.records.store.all_of(PRESENCE);
        let over = held.filter(|entry| !entry.is_offered(now));
        let over: Vec<RecordId> = over.map(|entry| entry.record().body.id).collect();
        for id in over {
            self.drop_record(cx, id);
        }
    }

    pub(super) fn defers_expiration(&self, security: &dyn Security) -> bool {
        security.rules().defer_expiration && self.neighbors() == 0
    }

    /// Arms the timer of what ends, refreshes itself or is due next.
    pub fn plan_records(&mut self, cx: &mut Context<'_>, security: &dyn Security) {
        let store = &self.records.store;
        let ends = if self.defers_expiration(security) {
            let present = store.all_of(PRESENCE);
            present.map(|entry| entry.record().body.expires).min()
        } else {
            store.next_sweep()
        };
        let refresh = self.records.next_refresh.filter(|_| self.online);
        let dues = [ends, self.records.waiting.next_due(), refresh];
        let Some(due) = dues.into_iter().flatten().min() else {
            self.timers.disarm(&Timer::Sweep);
            return;
        };
        // Looked at once a minute in any case: clocks are set, and machines sleep.
        let ahead = due.saturating_sub(self.records.clock.at(cx.now));
        let ahead = ahead.clamp(limits::SWEEP_MIN_MS, limits::ANTI_ENTROPY_MS);
        self.timers.arm(Timer::Sweep, cx.now.monotonic + ahead);
    }
}
