//! Which part of the engine may know which: arrows point one way.

use crate::files::{Source, line_of};
use crate::rules::Rule;
use regex_lite::Regex;

/// From what everything may use to what uses everything. Parts of one row do not know each other,
/// but for the first row, the common vocabulary.
const LAYERS: &[&[&str]] = &[
    &["names", "error", "limits", "time", "random"],
    &["crypto", "wire"],
    &[CONTRACT],
    &["record"],
    &["graph"],
    &["group"],
    &["engine"],
    &["web", "native"],
];

/// The engine's five words and what carries them, which every layer speaks: types only, so they know
/// no layer themselves. They lie in engine/ beside the facade that the driver calls.
const CONTRACT: &str = "engine's contract";
const CONTRACT_FILES: &[&str] = &["command", "context", "effect", "event", "input", "timer"];

pub(crate) const RULES: &[Rule] = &[Rule {
    name: "an import against the arrow",
    advice: "web|native -> engine -> group -> graph -> record -> crypto, wire -> names, error, limits",
    covers: |path| part_of(path).is_some(),
    finds: against_the_arrow,
    bad: (
        "crate/src/graph/link.rs",
        "//! Links.\nuse crate::group::Credential;",
    ),
    good: (
        "crate/src/group/identity.rs",
        "//! Who one is.\nuse crate::{error::Error, graph::Link};\nuse crate::group::credential;",
    ),
}];

/// The part of the engine that a file belongs to: `crate/src/graph/link.rs` is of `graph`.
fn part_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("crate/src/")?.strip_suffix(".rs")?;
    let part = part_named(rest.split('/'));
    rank(part).map(|_| part)
}

/// The part that a path of modules leads into.
fn part_named<'a>(mut path: impl Iterator<Item = &'a str>) -> &'a str {
    match (path.next(), path.next()) {
        (Some("engine"), Some(file)) if CONTRACT_FILES.contains(&file) => CONTRACT,
        (first, _) => first.unwrap_or_default(),
    }
}

fn rank(part: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&part))
}

fn against_the_arrow(source: &Source) -> Vec<usize> {
    let Some((own, height)) = part_of(&source.path).and_then(|p| Some((p, rank(p)?))) else {
        return Vec::new();
    };
    let may_use = |other: &str| match rank(other) {
        _ if other == own => true,
        Some(0) => true,
        Some(other) => other < height,
        None => true,
    };
    let code = source.product_code();
    let parts = uses(&code);
    let wrong = parts.iter().filter(|(_, part)| !may_use(part));
    wrong.map(|(at, _)| line_of(&code, *at)).collect()
}

/// The part behind every `crate::a::b`, and behind each path in `crate::{a::b, c}`.
fn uses(code: &str) -> Vec<(usize, String)> {
    let path = Regex::new(r"\bcrate::(\w+(?:::\w+)?)").unwrap();
    let mut found: Vec<(usize, &str)> = path
        .captures_iter(code)
        .filter_map(|c| c.get(1))
        .map(|m| (m.start(), m.as_str()))
        .collect();
    for (start, opening) in code.match_indices("crate::{") {
        found.extend(paths_in_braces(code, start + opening.len()));
    }
    found
        .into_iter()
        .map(|(at, path)| (at, part_named(path.split("::")).to_owned()))
        .collect()
}

/// The paths between the brace before `start` and its match.
fn paths_in_braces(code: &str, start: usize) -> Vec<(usize, &str)> {
    let mut depth = 1_usize;
    let mut at = start;
    let mut found = Vec::new();
    for (offset, letter) in code[start..].char_indices() {
        let here = start + offset;
        let ends = matches!((letter, depth), (',' | '}', 1));
        if ends {
            let piece = &code[at..here];
            let path = piece.trim_start();
            found.push((here - path.len(), path.trim_end()));
            at = here + 1;
        }
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_in_braces_are_seen() {
        let text = "//! x\nuse crate::{\n    error::{Code, Error},\n    group::Role,\n};";
        let source = Source::new("crate/src/graph.rs", text);
        assert_eq!(against_the_arrow(&source), [4]);
    }

    #[test]
    fn the_contract_is_everybodys_and_the_facade_is_not() {
        let of = |path, text| against_the_arrow(&Source::new(path, text)).len();
        let graph = "crate/src/graph.rs";
        assert_eq!(of(graph, "//! x\nuse crate::engine::effect::Effect;"), 0);
        assert_eq!(
            of(
                graph,
                "//! x\nuse crate::{engine::input::Input, error::Code};"
            ),
            0
        );
        assert_eq!(of(graph, "//! x\nuse crate::engine::node::Node;"), 1);
        assert_eq!(of(graph, "//! x\nuse crate::engine::Engine;"), 1);
        assert_eq!(
            of(
                "crate/src/engine/effect.rs",
                "//! x\nuse crate::graph::Link;"
            ),
            1
        );
        assert_eq!(
            of("crate/src/engine/node.rs", "//! x\nuse crate::graph::Link;"),
            0
        );
    }

    #[test]
    fn tests_may_use_anything() {
        let text = "//! x\n#[cfg(test)]\nmod tests { use crate::engine::Engine; }";
        assert!(against_the_arrow(&Source::new("crate/src/graph.rs", text)).is_empty());
    }

    #[test]
    fn parts_of_one_row_do_not_know_each_other() {
        let of = |path, text| against_the_arrow(&Source::new(path, text)).len();
        assert_eq!(
            of("crate/src/wire/link.rs", "//! x\nuse crate::crypto::Key;"),
            1
        );
        assert_eq!(
            of("crate/src/names.rs", "//! x\nuse crate::error::Code;"),
            0
        );
    }
}
