//! Seeds that once failed, kept for ever, each with a word on what it showed.

/// Seed, whether with the real primitives, and what it showed.
pub(crate) const KEPT: &[(u64, bool, &str)] = &[];
