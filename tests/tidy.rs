//! The rules of the house, checked over every file of the project.
//!
//! Each rule is one row of a table and brings a sample that breaks it: a rule that cannot fail
//! fails here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where something is wrong"
)]

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/text.rs"]
mod text;

use files::{Source, tracked};
use rules::Rule;

fn all_rules() -> Vec<Rule> {
    [rust::RULES, text::RULES, arrows::RULES].concat()
}

#[test]
fn the_house_is_tidy() {
    let sources = tracked();
    let findings: Vec<String> = all_rules()
        .iter()
        .flat_map(|rule| sources.iter().flat_map(|source| rule.findings(source)))
        .collect();
    assert!(
        findings.is_empty(),
        "{} breaches of the house rules:\n{}",
        findings.len(),
        findings.join("\n")
    );
}

#[test]
fn every_rule_finds_its_bad_sample_and_only_that() {
    for rule in all_rules() {
        let (path, text) = rule.bad;
        let found = rule.findings(&Source::new(path, text));
        assert!(
            !found.is_empty(),
            "the rule \"{}\" does not find its bad sample",
            rule.name
        );
        let (path, text) = rule.good;
        let found = rule.findings(&Source::new(path, text));
        assert!(
            found.is_empty(),
            "the rule \"{}\" finds its good sample: {found:?}",
            rule.name
        );
    }
}

#[test]
fn every_rule_covers_a_file_of_the_project() {
    let sources = tracked();
    for rule in all_rules() {
        assert!(
            sources.iter().any(|source| (rule.covers)(&source.path)),
            "the rule \"{}\" covers nothing",
            rule.name
        );
    }
}
