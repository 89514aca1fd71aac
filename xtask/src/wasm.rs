//! The engine as browsers download it: cargo, then wasm-bindgen, then wasm-opt.

use crate::imports::imports;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "wasm";

/// What to build and where to put it.
pub(crate) struct Order {
    /// Its files are called by it: `peer_group.js`, `peer_group.d.ts`, `peer_group_bg.wasm`.
    package: String,
    out: PathBuf,
    features: Option<String>,
}

impl Order {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut order = Self {
            package: "peer-group".to_owned(),
            out: root()?.join("js/src/generated"),
            features: None,
        };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--out" => order.out = PathBuf::from(value),
                "--features" => order.features = Some(value.clone()),
                "--package" => order.package = value.clone(),
                _ => {
                    return Err(format!(
                        "unknown option {name} (there are --out, --features and --package)"
                    ));
                }
            }
        }
        Ok(order)
    }

    pub(crate) fn build(&self) -> Result<(), String> {
        let module = self.compile()?;
        refuse_foreign_imports(&module)?;
        std::fs::create_dir_all(&self.out)
            .map_err(|e| format!("cannot make {}: {e}", self.out.display()))?;
        self.bind(&module)?;
        self.optimise()
    }

    fn compile(&self) -> Result<PathBuf, String> {
        let root = root()?;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&root)
            .args(["build", "--locked", "--lib", "--package", &self.package]);
        cargo.args(["--target", TARGET, "--profile", PROFILE]);
        if let Some(features) = &self.features {
            cargo.args(["--features", features]);
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(&root));
        run(&mut cargo, "cargo build")?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(target
            .join(TARGET)
            .join(PROFILE)
            .join(self.name())
            .with_extension("wasm"))
    }

    fn bind(&self, module: &Path) -> Result<(), String> {
        let arguments: [OsString; 9] = [
            "wasm-bindgen".into(),
            module.into(),
            "--target".into(),
            "web".into(),
            "--out-dir".into(),
            self.out.clone().into(),
            "--out-name".into(),
            self.name().into(),
            "--remove-producers-section".into(),
        ];
        wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(arguments)
            .map_err(|error| format!("wasm-bindgen: {error:#}"))
    }

    /// What the files of the module are called by.
    fn name(&self) -> String {
        self.package.replace('-', "_")
    }

    /// Makes the bound module small, and keeps the larger one for the size report.
    fn optimise(&self) -> Result<(), String> {
        let name = self.name();
        let small = self.out.join(format!("{name}_bg.wasm"));
        let large = self.out.join(format!("{name}_before_opt.wasm"));
        std::fs::rename(&small, &large).map_err(|e| format!("{}: {e}", small.display()))?;
        let tool = root()?.join("node_modules/binaryen/bin/wasm-opt");
        let mut node = Command::new("node");
        node.arg(tool).arg("-Oz").arg(&large).arg("-o").arg(&small);
        run(&mut node, "wasm-opt (npm package binaryen)")
    }
}

/// The folder of the workspace: this package lies directly inside it. Cargo names it at run time; what
/// it was at compile time is wrong once the project has been moved.
fn root() -> Result<PathBuf, String> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    here.as_deref()
        .and_then(Path::parent)
        .map(Path::to_path_buf)
        .ok_or_else(|| "start it with `cargo run --package xtask`".to_owned())
}

/// Compiler flags that keep this machine's folders out of the published file: panic messages name
/// source files.
fn flags(root: &Path) -> OsString {
    let mut flags = OsString::new();
    let mut remap = |from: &Path, to: &str| {
        if !flags.is_empty() {
            flags.push("\x1f");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    };
    remap(root, "peer-group");
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    if let Some(sources) = home.map(|home| home.join("registry/src")) {
        remap(&sources, "crates");
        // The folder of one registry has a hash in its name; the last flag that fits wins.
        let mut registries: Vec<PathBuf> = std::fs::read_dir(&sources)
            .map(|all| all.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        registries.sort();
        for registry in &registries {
            remap(registry, "crates");
        }
    }
    flags
}

/// A module that imports from `env` would need symbols that no browser has: something was linked
/// that belongs to a C library.
fn refuse_foreign_imports(module: &Path) -> Result<(), String> {
    let bytes = std::fs::read(module).map_err(|e| format!("{}: {e}", module.display()))?;
    let foreign: Vec<String> = imports(&bytes)?
        .into_iter()
        .filter(|(from, _)| from == "env")
        .map(|(_, name)| name)
        .collect();
    if foreign.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the module imports from \"env\", which browsers do not have: {}. \
         A dependency needs a C library or a missing feature (getrandom: wasm_js)",
        foreign.join(", ")
    ))
}

fn run(command: &mut Command, what: &str) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("cannot start {what}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{what} failed ({status})"))
    }
}
