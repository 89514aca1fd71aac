//! Seeds that once failed, kept for ever, each with a word on what it showed.

/// Seed, whether with the real primitives, and what it showed.
pub(crate) const KEPT: &[(u64, bool, &str)] = &[
    (
        5,
        false,
        "announced nodes of before kept a mesh of eight from closing",
    ),
    (
        9,
        false,
        "a session signed with a clock ahead was refused for ever",
    ),
    (
        53,
        false,
        "a page frozen past its announcement's life never stood again",
    ),
    (
        55,
        false,
        "a link for direct connections kept its node from becoming a neighbor",
    ),
    (
        187,
        false,
        "a membership that did not hold at Welcome was never looked at again",
    ),
    (
        269,
        false,
        "the same as 55, when the far side had all the neighbors it wanted",
    ),
    (
        925,
        false,
        "a second connect() while a try was due opened a second socket",
    ),
    (
        22,
        false,
        "a proof doubled at every knock until the chain was too long",
    ),
    (
        2058,
        false,
        "a direct connection went to a node of before instead of the linked one",
    ),
    (
        2351,
        false,
        "one's own node of before kept a mesh of eight from closing",
    ),
    (
        2524,
        false,
        "somebody known to have come with two invitations could no longer admit by either",
    ),
    (
        9229,
        false,
        "a socket broke as everything was mended: called whole before the news of it came",
    ),
    (
        6054,
        false,
        "seven knocks of one node filled the room, so a direct connection kept it from being a neighbor",
    ),
    (
        6,
        false,
        "a newcomer took over the time that a liar told, and refused what all others wrote",
    ),
    (
        42,
        false,
        "stamps of a clock that was an hour ahead once hid all that was written later",
    ),
    (
        64,
        false,
        "a group's state was not stored again after a full disk, so records of unknown people fell",
    ),
    (
        92,
        false,
        "the creator had nine neighbors, and nobody else could let a newcomer in",
    ),
    (
        291,
        false,
        "a direct connection went to a node with nine neighbors, which refused the link",
    ),
    (
        268,
        false,
        "a membership whose invitation stood in one's own proof waited for ever, and its records with it",
    ),
    (
        814,
        false,
        "a direct connection was opened over a link that the other side had just dropped as unneeded",
    ),
    (
        5246,
        false,
        "what a clock changed that was far ahead was never said again when it was right",
    ),
    (
        2477,
        false,
        "a time that came between two steps of a clock that was set stayed wrong",
    ),
    (
        5253,
        false,
        "a record was stored before its author's credential: after a crash nobody knew who wrote it",
    ),
    (
        1268,
        false,
        "a change by the app met one by which the record was just refreshing itself",
    ),
    (
        1296,
        false,
        "a machine that woke with another time asked for the time over a link that had just failed",
    ),
    (
        5148,
        false,
        "knocks that had waited while a machine slept filled its places, so that it was deaf to live ones",
    ),
    (
        206,
        false,
        "after a sleep the server's time was forgotten, and a lone liar moved peer time by ten minutes",
    ),
    (
        2390,
        false,
        "a direct connection waited for a link that was begun long before and failed with it",
    ),
    (
        29,
        false,
        "a candidate came for a link that had just given up its peer connection for the relay",
    ),
    (
        128,
        false,
        "the end of a presence waited its time where two had just taken over each other's",
    ),
];
