//! The README's commands exist, and the files that Rust writes are fresh.

use crate::files::root;
use regex_lite::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn scripts() -> BTreeSet<String> {
    let package: Value = serde_json::from_str(&read("package.json")).unwrap();
    package["scripts"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// The npm scripts that a text tells its readers to run.
fn commands(text: &str) -> BTreeSet<String> {
    let call = Regex::new(r"npm (?:run (\w+)|(start|test))\b").unwrap();
    call.captures_iter(text)
        .filter_map(|found| found.get(1).or(found.get(2)))
        .map(|name| name.as_str().to_owned())
        .collect()
}

#[test]
fn the_readme_names_every_npm_script_and_no_other() {
    assert_eq!(commands(&read("README.md")), scripts());
}

#[test]
fn every_command_of_the_readme_is_an_npm_script_or_fetches_the_project() {
    let readme = read("README.md");
    let blocks = Regex::new(r"(?s)```sh\n(.*?)```").unwrap();
    let known = scripts();
    let mut count = 0;
    for block in blocks.captures_iter(&readme) {
        for line in block[1].lines().filter(|line| !line.trim().is_empty()) {
            count += 1;
            let named = commands(line);
            let is_script =
                line.starts_with("npm ") && !named.is_empty() && named.is_subset(&known);
            assert!(
                is_script,
                "README.md tells to run `{line}`, which is no npm script"
            );
        }
    }
    assert!(count > 0, "README.md tells nothing to run");
}

#[test]
fn the_readmes_table_of_suites_is_that_of_the_program() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("| suite | what it shows |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let names = |pattern: &str, text: &str| -> Vec<String> {
        let pattern = Regex::new(pattern).unwrap();
        pattern
            .captures_iter(text)
            .map(|found| found[1].to_owned())
            .collect()
    };
    let told = names(r"(?m)^\| `(\w+)`", table);
    assert_eq!(told, names(r"name: '(\w+)'", &read("xtask/run/suites.mjs")));
}

#[test]
fn suites_and_environment_variables_of_the_readme_exist() {
    let readme = read("README.md");
    let programs: String = ["setup", "suites", "start", "bench"]
        .map(|name| read(&format!("xtask/run/{name}.mjs")))
        .concat();
    let suite = Regex::new(r"npm test -- (\w+)").unwrap();
    for found in suite.captures_iter(&readme) {
        assert!(
            programs.contains(&format!("name: '{}'", &found[1])),
            "no suite {}",
            &found[1]
        );
    }
    let variable = Regex::new(r"\bPEER_GROUP_[A-Z_]+\b").unwrap();
    for found in variable.find_iter(&readme) {
        let name = found.as_str();
        assert!(
            programs.contains(name) || read(".ci/run").contains(name),
            "nothing reads {name}"
        );
    }
}

/// `npm run generate` runs this test with `PEER_GROUP_GENERATE` set: then it writes.
#[test]
fn generated_typescript_is_fresh() {
    let path = root().join("js/src/generated/errors.ts");
    let fresh = peer_group::error::typescript();
    if std::env::var_os("PEER_GROUP_GENERATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        kept, fresh,
        "js/src/generated/errors.ts is stale: run `npm run generate`"
    );
}
