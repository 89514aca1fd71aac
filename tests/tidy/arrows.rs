//! Which part of the engine may know which: arrows point one way.

use crate::files::{Source, line_of};
use crate::rules::Rule;
use regex_lite::Regex;

/// From what everything may use to what uses everything. Parts of one row do not know each other,
/// but for the first row, the common vocabulary.
const LAYERS: &[&[&str]] = &[
    &["names", "error", "limits", "time", "random"],
    &["crypto", "wire"],
    &["record"],
    &["graph"],
    &["group"],
    &["engine"],
    &["web", "native"],
];

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
    let rest = path.strip_prefix("crate/src/")?;
    let part = rest
        .strip_suffix(".rs")
        .map(|rest| rest.split('/').next().unwrap_or(rest))?;
    rank(part).map(|_| part)
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

/// Every `crate::part`, and the parts in `crate::{part::x, part}`.
fn uses(code: &str) -> Vec<(usize, String)> {
    let path = Regex::new(r"\bcrate::(\w+)").unwrap();
    let mut found: Vec<(usize, String)> = path
        .captures_iter(code)
        .filter_map(|c| c.get(1))
        .map(|m| (m.start(), m.as_str().to_owned()))
        .collect();
    for (start, opening) in code.match_indices("crate::{") {
        let mut depth = 1_usize;
        let mut at_start_of_path = true;
        let inner = start + opening.len();
        for (offset, letter) in code[inner..].char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => at_start_of_path = depth == 1,
                _ if at_start_of_path && (letter.is_alphanumeric() || letter == '_') => {
                    let at = inner + offset;
                    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
                    found.push((at, code[at..].chars().take_while(|l| is_word(*l)).collect()));
                    at_start_of_path = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
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
