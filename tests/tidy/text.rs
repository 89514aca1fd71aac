//! Rules for every kind of file: length, first line, words, TypeScript's ways out.

use crate::files::{Source, lines_with};
use crate::rules::Rule;

/// Lines that are not tests.
const LONGEST_FILE: usize = 600;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "the file has more than 600 lines without its tests",
        advice: "Split it: foo.rs and foo/",
        covers: is_source,
        finds: too_long,
        bad: ("js/src/index.ts", TOO_MANY_LINES),
        good: ("js/src/index.ts", "// A short one.\n"),
    },
    Rule {
        name: "the first line does not say why the file exists",
        advice: "Begin with one line of comment: its one reason",
        covers: is_source,
        finds: no_reason,
        bad: ("crate/src/graph.rs", "use core::fmt;"),
        good: (
            "xtask/run.mjs",
            "#!/usr/bin/env node\n// What the npm scripts call.",
        ),
    },
    Rule {
        name: "a type is switched off",
        advice: "Use the right type, or `unknown` and a check",
        covers: is_script,
        finds: |source| {
            let ways_out = r"\bas any\b|: any\b|<any>|@ts-(?:ignore|nocheck|expect-error)";
            lines_with(&source.text, ways_out)
        },
        bad: ("js/src/index.ts", "const x = (y as any).z;"),
        good: ("js/src/index.ts", "const x = as(anything);"),
    },
    Rule {
        name: "the package speaks to the console",
        advice: "Reject, throw or make an event; the page decides what is shown",
        covers: |path| path.starts_with("js/src/"),
        finds: |source| lines_with(&source.text, r"\bconsole\.\w+\("),
        bad: ("js/src/index.ts", "console.log('here');"),
        good: ("js/src/index.ts", "// the console of the page\n"),
    },
    Rule {
        name: "a test is switched off",
        advice: "Mend it or delete it",
        covers: |path| is_script(path) && path.starts_with("tests/"),
        finds: |source| {
            let off = r"\b(?:test|it|describe)\.(?:only|skip|todo)\b|\b(?:skip|todo): true";
            lines_with(&source.text, off)
        },
        bad: ("tests/package/a.test.mjs", "test.skip('x', () => {});"),
        good: (
            "tests/package/a.test.mjs",
            "test('skips what is missing', () => {});",
        ),
    },
    Rule {
        name: "a note to self is left",
        advice: "Do it, or open an issue",
        covers: |path| is_source(path) && !path.starts_with("tests/tidy"),
        finds: |source| lines_with(&source.text, r"\b(?:FIXME|TODO|XXX|HACK)\b"),
        bad: ("crate/src/lib.rs", "//! The engine.\n// FIXME: later"),
        good: ("crate/src/lib.rs", "//! The engine.\n"),
    },
    Rule {
        name: "a name says nothing (Manager, Helper, Util)",
        advice: "Name what it is or does",
        covers: |path| is_source(path) && !path.starts_with("tests/tidy"),
        finds: |source| {
            let empty = r"\b(?:struct|enum|trait|class|interface|type|mod)\s+\w*(?:[Mm]anager|[Hh]elper|[Uu]til)";
            lines_with(&source.text, empty)
        },
        bad: ("crate/src/graph.rs", "//! Links.\npub struct LinkManager;"),
        good: ("crate/src/graph.rs", "//! Links.\npub struct Links;"),
    },
    Rule {
        name: "two spellings of one word",
        advice: "It is `neighbor` everywhere, as in the API",
        covers: |path| !path.starts_with("tests/tidy"),
        finds: |source| lines_with(&source.text, "(?i)neighbour"),
        bad: ("README.md", "its neighbours"),
        good: ("README.md", "its neighbors"),
    },
    Rule {
        name: "a folder of one machine is named",
        advice: "Work it out at run time, or name it in an environment variable",
        covers: |path| !path.starts_with("tests/tidy"),
        finds: |source| lines_with(&source.text, r#"(?:^|[\s"'=(`])/(?:work|root|home)/"#),
        bad: ("xtask/run.mjs", "// x\nconst A = '/home/me/x';"),
        good: ("xtask/run.mjs", "// x\nconst A = 'www/home/x';"),
    },
    Rule {
        name: "a lock file names a machine, a folder or a foreign registry",
        advice: "Write it again with the project's own .npmrc, and crates from crates.io only",
        covers: |path| path == "package-lock.json" || path == "Cargo.lock",
        finds: foreign_sources,
        bad: (
            "package-lock.json",
            "\"resolved\": \"https://mirror.example/x.tgz\"",
        ),
        good: (
            "package-lock.json",
            "\"resolved\": \"https://registry.npmjs.org/x.tgz\"",
        ),
    },
];

/// The same text ten times.
macro_rules! ten {
    ($($t:tt)*) => { concat!($($t)*, $($t)*, $($t)*, $($t)*, $($t)*, $($t)*, $($t)*, $($t)*, $($t)*, $($t)*) };
}

const TOO_MANY_LINES: &str = ten!(ten!(ten!("// a line\n")));

fn is_script(path: &str) -> bool {
    [".ts", ".mts", ".tsx", ".js", ".mjs"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn is_source(path: &str) -> bool {
    is_script(path)
        || [".rs", ".css", ".sh"].iter().any(|end| path.ends_with(end))
        || path == ".ci/run"
}

fn too_long(source: &Source) -> Vec<usize> {
    if source.lines_without_tests() > LONGEST_FILE {
        vec![LONGEST_FILE]
    } else {
        Vec::new()
    }
}

fn no_reason(source: &Source) -> Vec<usize> {
    let mut lines = source
        .text
        .lines()
        .skip_while(|line| line.is_empty() || line.starts_with("#!"));
    let first = lines.next().unwrap_or_default();
    let openings: &[&str] = match source.path.rsplit('.').next() {
        Some("rs") => &["//! "],
        Some("css") => &["/* "],
        Some("sh" | "ci/run") => &["# "],
        _ => &["// ", "/** ", "/* "],
    };
    if openings.iter().any(|opening| first.starts_with(opening)) {
        Vec::new()
    } else {
        vec![1]
    }
}

fn foreign_sources(source: &Source) -> Vec<usize> {
    let allowed = [
        "https://registry.npmjs.org/",
        "registry+https://github.com/rust-lang/crates.io-index",
    ];
    let is_foreign = |line: &str| {
        let names_source = ["\"resolved\":", "source = "]
            .iter()
            .any(|key| line.contains(key));
        names_source && !allowed.iter().any(|host| line.contains(host))
    };
    let lines = source.text.lines().enumerate();
    lines
        .filter(|(_, line)| is_foreign(line))
        .map(|(index, _)| index + 1)
        .collect()
}
