//! Which records the app looks for. Types only.

use crate::wire::attributes::Value;

/// How an attribute's value must stand to that of a clause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// The same.
    Equal,
    /// Another one.
    NotEqual,
    /// Text that fits a pattern: `*` any run, `?` one character, `\\` before one of these three.
    Like,
    /// Less.
    Below,
    /// Less or the same.
    AtMost,
    /// Greater.
    Above,
    /// Greater or the same.
    AtLeast,
}

/// Which records are looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Search {
    /// Those that all of these find; at least one.
    And(Vec<Search>),
    /// Those that any of these finds; at least one.
    Or(Vec<Search>),
    /// Those with a value that fits.
    Clause {
        /// An attribute's name, or one of [`crate::wire::attributes::BUILT_IN`].
        attribute: String,
        /// How it must stand.
        compare: Compare,
        /// To what.
        value: Value,
    },
}
