//! The files of the project, and Rust text with comments, strings and tests taken out.

use regex_lite::Regex;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One file of the project.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    /// Rust only: comments and string contents are blank, lines stay where they are.
    code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") {
            blank(text).code
        } else {
            String::new()
        };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
        }
    }

    /// Rust code without comments and strings.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The same without what only tests compile.
    pub(crate) fn product_code(&self) -> String {
        without_tests(&self.code)
    }

    /// How long the file is without what only tests compile.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let all = self.text.lines().count();
        all - test_items(&self.code)
            .iter()
            .map(|item| lines_in(&self.code[item.clone()]))
            .sum::<usize>()
    }

    /// String literals outside tests, each with the line it starts in.
    pub(crate) fn product_strings(&self) -> Vec<(usize, String)> {
        let kept = without_tests(&self.code);
        let all = blank(&self.text).strings;
        all.into_iter()
            .filter(|(at, _)| kept.as_bytes().get(*at) == Some(&b'"'))
            .map(|(at, string)| (line_of(&self.text, at), string))
            .collect()
    }
}

/// The project's folder: this package lies directly inside it. Asked at run time, because what it was
/// at compile time is wrong once the project has been moved.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
    Path::new(&here).parent().unwrap().to_path_buf()
}

/// Every text file that is in git, or would be.
pub(crate) fn tracked() -> Vec<Source> {
    let output = Command::new("git")
        .args([
            "-c",
            "safe.directory=*",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .expect("git is needed to list the project's files");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout).unwrap();
    names
        .lines()
        .filter_map(|name| {
            Some(Source::new(
                name,
                &std::fs::read_to_string(root().join(name)).ok()?,
            ))
        })
        .collect()
}

pub(crate) fn line_of(text: &str, at: usize) -> usize {
    lines_in(&text[..at]) + 1
}

/// The lines of `text` where `pattern` is found.
pub(crate) fn lines_with(text: &str, pattern: &str) -> Vec<usize> {
    let pattern = Regex::new(pattern).unwrap();
    pattern
        .find_iter(text)
        .map(|found| line_of(text, found.start()))
        .collect()
}

struct Blanked {
    code: String,
    /// Offset of the opening quote, and the contents.
    strings: Vec<(usize, String)>,
}

/// Replaces comments and the contents of literals by spaces of the same length.
fn blank(text: &str) -> Blanked {
    // One alternative for each thing that may hide another. A quote that starts a lifetime is no
    // literal and stays.
    let literal = Regex::new(concat!(
        r#"//[^\n]*|/\*(?s:.*?)\*/"#,
        r##"|b?r#"(?s:.*?)"#|b?r"[^"]*""##,
        r#"|b?"(?s:\\.|[^"\\])*""#,
        r"|b?'(?:\\[^\n']*(?:\\')?|[^\\'\n])'",
    ))
    .unwrap();
    let mut code = String::with_capacity(text.len());
    let mut strings = Vec::new();
    let mut end = 0;
    for found in literal.find_iter(text) {
        code.push_str(&text[end..found.start()]);
        let piece = found.as_str();
        let is_string = !piece.starts_with('/') && piece.contains('"') && !piece.ends_with('\'');
        if let (true, Some(open), Some(close)) = (is_string, piece.find('"'), piece.rfind('"')) {
            strings.push((found.start() + open, piece[open + 1..close].to_owned()));
            code.push_str(&piece[..=open]);
            spaces(&mut code, &piece[open + 1..close]);
            code.push_str(&piece[close..]);
        } else {
            spaces(&mut code, piece);
        }
        end = found.end();
    }
    code.push_str(&text[end..]);
    Blanked { code, strings }
}

fn spaces(code: &mut String, piece: &str) {
    code.extend(
        piece
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
    );
}

/// Blanks the items behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    for item in test_items(code) {
        kept.push_str(&code[kept.len()..item.start]);
        spaces(&mut kept, &code[item]);
    }
    kept.push_str(&code[kept.len()..]);
    kept
}

/// The items behind `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(test)]") {
        if items.last().is_none_or(|item| item.end <= start) {
            items.push(start..item_end(code, start));
        }
    }
    items
}

fn lines_in(text: &str) -> usize {
    text.matches('\n').count()
}

/// Where the item that starts at `start` ends: behind its block, or at its semicolon.
pub(crate) fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return offset + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blank_and_lines_stay() {
        let source = Source::new(
            "a.rs",
            "a(\"x{\"); // y\n/* z\n{ */ b('\"', '\\'', b'{'); r#\"q\"#; c::<'s>",
        );
        let code = source.code();
        assert_eq!(code.len(), source.text.len());
        assert_eq!(code.lines().count(), 3);
        for gone in ['x', 'y', 'z', 'q', '{'] {
            assert!(!code.contains(gone), "{gone} in {code}");
        }
        for kept in ["a(", "b(", "c::<'s>"] {
            assert!(code.contains(kept), "no {kept} in {code}");
        }
    }

    #[test]
    fn strings_of_tests_are_not_the_products() {
        let text = "fn f() { g(\"in\") }\n#[cfg(test)]\nmod tests { fn t() { g(\"out\") } }\nconst C: &str = \"end\";";
        let source = Source::new("a.rs", text);
        let found: Vec<_> = source.product_strings();
        assert_eq!(found, [(1, "in".to_owned()), (4, "end".to_owned())]);
    }
}
