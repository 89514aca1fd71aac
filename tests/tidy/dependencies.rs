//! What we depend on: licences, sources, one copy of each part of the cryptography.
//!
//! Looked up in what cargo has at hand, without the network. Advisories are not: nothing here asks
//! a database of known faults.

use crate::files::root;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// Licences that ask for no more than their text to be kept.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What two copies of would be two implementations to trust.
const ONE_COPY: &[&str] = &[
    "aead",
    "argon2",
    "blake2",
    "chacha20",
    "chacha20poly1305",
    "curve25519-dalek",
    "digest",
    "ed25519-zebra",
    "hkdf",
    "hmac",
    "poly1305",
    "rand_chacha",
    "rand_core",
    "sha2",
    "snow",
    "subtle",
    "x25519-dalek",
    "zeroize",
];

/// What opens and masks WebSockets, as their standard has it, guards nothing of ours: what it takes
/// in does not count.
const WEBSOCKETS: &[&str] = &["sha1", "tungstenite"];

/// Build tools and benchmarks, in nothing that is shipped: their dependencies count for licences only.
const TOOLS: &[&str] = &[
    "peer-group-bench",
    "peer-group-bench-server",
    "peer-group-fuzz",
    "xtask",
];

struct Package {
    name: String,
    version: String,
    licence: String,
    source: Option<String>,
}

/// Every package that a build for this machine or for browsers takes in.
fn metadata(target: &str) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            target,
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn targets() -> [String; 2] {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let words = String::from_utf8(rustc.stdout).unwrap();
    let host = words
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    [host.to_owned(), "wasm32-unknown-unknown".to_owned()]
}

fn packages(metadata: &Value) -> Vec<Package> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let taken: Vec<&Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| &n["id"])
        .collect();
    let all = metadata["packages"].as_array().unwrap().iter();
    all.filter(|package| taken.contains(&&package["id"]))
        .map(|package| Package {
            name: text(&package["name"]),
            version: text(&package["version"]),
            licence: text(&package["license"]),
            source: package["source"].as_str().map(str::to_owned),
        })
        .collect()
}

/// SPDX: `A OR B` is fine with either, `A AND B` needs both. Old manifests write `A/B` for OR.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    expression.split(" AND ").all(|all| {
        all.split(" OR ")
            .any(|licence| LICENCES.contains(&licence.trim()))
    })
}

#[test]
fn every_licence_is_one_we_may_use() {
    for target in targets() {
        for Package {
            name,
            version,
            licence,
            ..
        } in packages(&metadata(&target))
        {
            assert!(
                is_allowed(&licence),
                "{name} {version} is under \"{licence}\""
            );
        }
    }
}

#[test]
fn licence_expressions_are_read_rightly() {
    for fine in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
    ] {
        assert!(is_allowed(fine), "{fine}");
    }
    for wrong in ["", "GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0", "MIT-like"] {
        assert!(!is_allowed(wrong), "{wrong}");
    }
}

#[test]
fn everything_comes_from_crates_io() {
    for target in targets() {
        for Package { name, source, .. } in packages(&metadata(&target)) {
            let registry = "registry+https://github.com/rust-lang/crates.io-index";
            let fine = source.as_deref().is_none_or(|source| source == registry);
            assert!(fine, "{name} comes from {source:?}");
        }
    }
}

/// The packages that a member of the workspace takes in, tests left out.
fn reach(metadata: &Value, is_start: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<String>> {
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let node_of = |id: &Value| nodes.iter().find(|node| node["id"] == *id);
    let of_id = |id: &Value| {
        metadata["packages"]
            .as_array()
            .unwrap()
            .iter()
            .find(|p| p["id"] == *id)
            .unwrap()
            .clone()
    };
    let members = metadata["workspace_members"].as_array().unwrap();
    let mut open: Vec<Value> = members
        .iter()
        .filter(|id| is_start(of_id(id)["name"].as_str().unwrap()))
        .cloned()
        .collect();
    let mut seen: Vec<Value> = Vec::new();
    while let Some(id) = open.pop() {
        if seen.contains(&id) {
            continue;
        }
        let edges = node_of(&id).map(|node| node["deps"].as_array().unwrap().clone());
        for edge in edges.unwrap_or_default() {
            let kinds = edge["dep_kinds"].as_array().unwrap();
            let package = of_id(&edge["pkg"]);
            let counts = !WEBSOCKETS.contains(&package["name"].as_str().unwrap());
            if counts && kinds.iter().any(|kind| kind["kind"].is_null()) {
                open.push(edge["pkg"].clone());
            }
        }
        seen.push(id);
    }
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in &seen {
        let package = of_id(id);
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        versions
            .entry(text("name"))
            .or_default()
            .push(text("version"));
    }
    versions
}

#[test]
fn the_product_has_one_copy_of_each_part_of_the_cryptography() {
    for target in targets() {
        let versions = reach(&metadata(&target), |name| !TOOLS.contains(&name));
        for name in ONE_COPY {
            let found = versions.get(*name).cloned().unwrap_or_default();
            assert!(
                found.len() <= 1,
                "{name} is there in versions {}",
                found.join(" and ")
            );
        }
    }
}

#[test]
fn the_engine_has_the_cryptography_that_the_list_names() {
    let versions = reach(&metadata("wasm32-unknown-unknown"), |name| {
        name == "peer-group"
    });
    for name in ["ed25519-zebra", "snow", "sha2"] {
        assert!(
            versions.contains_key(name),
            "{name} is gone: is ONE_COPY still right?"
        );
    }
}

#[test]
fn wasm_bindgen_and_its_tool_are_of_one_version() {
    let metadata = metadata("wasm32-unknown-unknown");
    let all = packages(&metadata);
    let version = |wanted: &str| {
        all.iter()
            .find(|p| p.name == wanted)
            .map(|p| p.version.as_str())
    };
    let tool = version("wasm-bindgen-cli");
    assert!(tool.is_some());
    for library in all.iter().filter(|package| package.name == "wasm-bindgen") {
        let library = Some(library.version.as_str());
        assert_eq!(
            library, tool,
            "crate/Cargo.toml and xtask/Cargo.toml differ"
        );
    }
}
