//! What a rule is, and how its breaches are told.

use crate::files::Source;

/// One row: what is not allowed, where, how it is found, and samples of both.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// What to do instead.
    pub(crate) advice: &'static str,
    pub(crate) covers: fn(&str) -> bool,
    /// The lines (from 1) that break the rule.
    pub(crate) finds: fn(&Source) -> Vec<usize>,
    pub(crate) bad: (&'static str, &'static str),
    pub(crate) good: (&'static str, &'static str),
}

impl Rule {
    pub(crate) fn findings(&self, source: &Source) -> Vec<String> {
        if !(self.covers)(&source.path) {
            return Vec::new();
        }
        (self.finds)(source)
            .iter()
            .map(|line| format!("{}:{line}: {}. {}", source.path, self.name, self.advice))
            .collect()
    }
}
