//! What an engine holds, beside its bounds: so that a simulator can look after every step.

use super::Engine;
use super::identities::Desk;
use super::node::{Kind, Node};
use crate::gauge::{Held, See};
use crate::graph::security::Security as _;
use crate::limits as most;

impl Engine {
    /// Shows how much there is of everything that may grow, without looking at each of it.
    pub fn gauges(&self, see: &mut See<'_>) {
        see(Held::Nodes, self.nodes.len(), most::NODES);
        see(Held::Handles, self.handles.len(), most::HANDLES);
        see(Held::Requests, self.core.requests.len(), most::REQUESTS);
        let operations = most::REQUESTS + 1;
        see(Held::Operations, self.operations.len(), operations);
        let wishes = self.identities.values().map(Desk::len).sum();
        see(Held::Wishes, wishes, most::REQUESTS);
        see(Held::Stretchings, self.stretchings.len(), most::REQUESTS);
        see(Held::Deleted, self.deleted.len(), most::IDENTITIES);
        for node in self.nodes.values() {
            node.gauges(see);
        }
    }
}

impl Node {
    fn gauges(&self, see: &mut See<'_>) {
        let rules = match &self.kind {
            Kind::Group(group) => {
                group.gauges(see);
                group.rules()
            }
            Kind::Graph { security, .. } => security.rules(),
        };
        if let Some(roster) = &self.roster {
            roster.gauges(see);
        }
        self.discovery.gauges(see);
        self.graph.gauges(rules.max_record_size, see);
    }
}
