//! What a store holds, beside its bounds.

use super::Store;
use crate::gauge::{Held, See};
use crate::limits::RECORD_CUTS;

impl Store {
    /// Shows how much there is of everything that may grow.
    pub fn gauges(&self, see: &mut See<'_>) {
        let bytes = usize::try_from(self.quotas.bytes).unwrap_or(usize::MAX);
        see(Held::StoreBytes, self.bytes as usize, bytes);
        // One more comes before one goes.
        let records = bytes / (self.quotas.beside.max(1) as usize) + 1;
        see(Held::StoreSlots, self.slots.len(), records);
        let cuts = self.cut_pairs.len() + self.cut_creators.len();
        let names = self.peers.len() + self.kinds.len();
        see(Held::StoreNames, names, 3 * self.len + 2 * cuts);
        // Those behind which something is left count as their records.
        see(
            Held::StoreCutTypes,
            self.cut_pairs.len(),
            RECORD_CUTS + self.len,
        );
        see(
            Held::StoreCutCreators,
            self.cut_creators.len(),
            RECORD_CUTS + self.len,
        );
    }
}
