//! What is held of a group's members, beside its bounds.

use super::Group;
use crate::gauge::{Held, See};
use crate::limits as most;

impl Group {
    /// Shows how much there is of everything that may grow.
    pub fn gauges(&self, see: &mut See<'_>) {
        see(Held::Credentials, self.known.len(), most::CONTROL_ITEMS);
        let pending = self.pending.len();
        see(Held::PendingCredentials, pending, most::PENDING_CREDENTIALS);
        let signatures = self.verified.len();
        see(Held::Signatures, signatures, most::VERIFIED_CREDENTIALS);
        let verifiers = self.state.verifiers.len();
        see(Held::Verifiers, verifiers, most::VERIFIERS);
        let pending = self.gate.tending.pending.len();
        see(Held::PendingVerifiers, pending, most::PENDING_VERIFIERS);
        let (guesses, spent) = self.gate.budget.held();
        see(Held::Guesses, guesses, most::GUESSES_KEPT);
        see(Held::SpentWork, spent, most::WORK_SPENT);
    }
}
