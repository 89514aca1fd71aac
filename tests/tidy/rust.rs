//! Rules for Rust: what must not be in the engine, in exports, or anywhere.

use crate::files::{Source, item_end, line_of, lines_with};
use crate::rules::Rule;
use peer_group::error::Code;
use regex_lite::Regex;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "a value is leaked",
        advice: "Keep the closure in a struct that detaches it when dropped",
        covers: is_rust,
        finds: |source| lines_with(source.code(), r"\.forget\(\)|mem::forget|Box::leak"),
        bad: (
            "crate/src/web.rs",
            "fn f(c: Closure<dyn Fn()>) { c.forget(); }",
        ),
        good: (
            "crate/src/web.rs",
            "// c.forget() leaks\nfn f(c: Closure<dyn Fn()>) { keep(c); }",
        ),
    },
    Rule {
        name: "an export takes &mut self or is async",
        advice: "A callback may come back in while it is borrowed: take &self, return a promise",
        covers: is_rust,
        finds: exclusive_exports,
        bad: (
            "crate/src/web.rs",
            "#[wasm_bindgen]\nimpl Group {\n    pub fn close(&mut self) {}\n}",
        ),
        good: (
            "crate/src/web.rs",
            "#[wasm_bindgen]\nimpl Group { pub fn close(&self) {} }\nimpl Group { fn x(&mut self) {} }",
        ),
    },
    Rule {
        name: "borrow_mut() lasts as long as the block behind it",
        advice: "Take the value out in a statement of its own",
        covers: is_rust,
        finds: |source| {
            lines_with(
                source.code(),
                r"\b(?:while\s+let|if\s+let|match)\b[^{};]*\.borrow_mut\(\)",
            )
        },
        bad: (
            "crate/src/web.rs",
            "while let Some(x) =\n    queue.borrow_mut().pop() { f(x) }",
        ),
        good: (
            "crate/src/web.rs",
            "let x = queue.borrow_mut().pop(); if let Some(x) = x { f(x) }",
        ),
    },
    Rule {
        name: "the engine reads a clock, takes randomness or iterates in random order",
        advice: "Time and randomness are handed in; use BTreeMap or BTreeSet",
        covers: is_pure,
        finds: |source| {
            let words = r"\b(?:Instant|SystemTime|thread_rng|OsRng|getrandom|HashMap|HashSet)\b";
            lines_with(&source.product_code(), words)
        },
        bad: ("crate/src/graph.rs", "use std::collections::HashMap;"),
        good: (
            "crate/src/graph.rs",
            "use std::collections::BTreeMap; // not a HashMap",
        ),
    },
    Rule {
        name: "a channel or queue has no bound",
        advice: "Give it one from limits.rs and say what happens when it is full",
        covers: is_rust,
        finds: |source| {
            lines_with(
                source.code(),
                r"\bunbounded(?:_channel)?\b|\bstd::sync::mpsc::channel\b",
            )
        },
        bad: (
            "signaling/src/main.rs",
            "let (a, b) = tokio::sync::mpsc::unbounded_channel();",
        ),
        good: (
            "signaling/src/main.rs",
            "let (a, b) = tokio::sync::mpsc::channel(QUEUE);",
        ),
    },
    Rule {
        name: "a library prints",
        advice: "Return it, make it an event, or log it through tracing",
        covers: |path| is_rust(path) && is_library(path),
        finds: |source| lines_with(&source.product_code(), r"\b(?:e?print(?:ln)?|dbg)!"),
        bad: ("crate/src/engine.rs", "fn f() { println!(\"here\"); }"),
        good: ("crate/src/engine.rs", "/// println!\nfn f() {}"),
    },
    Rule {
        name: "an error code is written as text",
        advice: "Name the row of the table in crate/src/error.rs",
        covers: |path| is_rust(path) && !path.starts_with("tests/") && path != "crate/src/error.rs",
        finds: code_literals,
        bad: (
            "signaling/src/lib.rs",
            "fn f() -> &'static str { \"invalid-group\" }",
        ),
        good: (
            "signaling/src/lib.rs",
            "// \"invalid-group\"\nfn f() -> Code { Code::InvalidGroup }",
        ),
    },
    Rule {
        name: "a number of the wire is defined outside wire/numbers.rs",
        advice: "Every number that peers agree on stands in that one file",
        covers: |path| path.starts_with("crate/src/wire/") && path != "crate/src/wire/numbers.rs",
        finds: |source| {
            let constant = r"\bconst\s+\w+\s*:\s*u(?:8|16|32|64)\s*=\s*[0-9]";
            lines_with(&source.product_code(), constant)
        },
        bad: ("crate/src/wire/link.rs", "const HELLO: u8 = 0x01;"),
        good: ("crate/src/wire/link.rs", "use crate::wire::numbers::HELLO;"),
    },
    Rule {
        name: "a test is switched off",
        advice: "Mend it or delete it",
        covers: is_rust,
        finds: |source| lines_with(source.code(), r"#\[ignore\b"),
        bad: ("tests/lib.rs", "#[test]\n#[ignore]\nfn t() {}"),
        good: ("tests/lib.rs", "#[test]\nfn ignored_frames() {}"),
    },
    Rule {
        name: "a lint of the workspace is not in force",
        advice: "Put `[lints]` and `workspace = true` into this Cargo.toml",
        // The one package with unsafe code, of its own lints: they say why.
        covers: |path| path.ends_with("/Cargo.toml") && path != "tests/fuzz/Cargo.toml",
        finds: |source| match lines_with(&source.text, r"(?m)^\[lints\]\s+workspace = true$").len()
        {
            1 => Vec::new(),
            _ => vec![1],
        },
        bad: ("crate/Cargo.toml", "[package]\nname = \"peer-group\""),
        good: (
            "crate/Cargo.toml",
            "[package]\n\n[lints]\nworkspace = true\n",
        ),
    },
];

pub(crate) fn is_rust(path: &str) -> bool {
    path.ends_with(".rs") && !path.starts_with("tests/tidy")
}

/// The part of the engine that knows no browser, no runtime, no clock.
fn is_pure(path: &str) -> bool {
    let driver = |name: &str| {
        path == format!("crate/src/{name}.rs") || path.starts_with(&format!("crate/src/{name}/"))
    };
    path.starts_with("crate/src/") && path.ends_with(".rs") && !driver("web") && !driver("native")
}

fn is_library(path: &str) -> bool {
    let is_program = path.ends_with("/main.rs") || path.contains("/bin/");
    (path.starts_with("crate/") || path.starts_with("signaling/"))
        && path.contains("/src/")
        && !is_program
}

/// `&mut self` and `async fn` in what follows a `#[wasm_bindgen]` that is not an import block.
fn exclusive_exports(source: &Source) -> Vec<usize> {
    let code = source.code();
    let attribute = Regex::new(r"#\[wasm_bindgen\b[^\]]*\]").unwrap();
    let wrong = Regex::new(r"&\s*mut\s+self\b|\basync\s+fn\b").unwrap();
    let mut lines = Vec::new();
    for found in attribute.find_iter(code) {
        let item = &code[found.end()..item_end(code, found.end())];
        if item.trim_start().starts_with("extern") {
            continue;
        }
        lines.extend(
            wrong
                .find_iter(item)
                .map(|w| line_of(code, found.end() + w.start())),
        );
    }
    lines.dedup();
    lines
}

/// Codes of one word ("timeout") are ordinary words too; those with a hyphen are not.
fn code_literals(source: &Source) -> Vec<usize> {
    let is_code =
        |text: &str| text.contains('-') && Code::ALL.iter().any(|code| code.as_str() == text);
    let found = source.product_strings();
    found
        .iter()
        .filter(|(_, text)| is_code(text))
        .map(|(line, _)| *line)
        .collect()
}
