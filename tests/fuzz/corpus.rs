//! The corpus: small files in a folder for each target, replayed by every run.

use std::ffi::OsString;
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

use peer_group::crypto::{Primitives as _, REAL, head};

use crate::decoders::Target;

/// Files that a run keeps for a target.
pub(crate) const FILES: usize = 24;
/// Bytes that a target's files may have together.
pub(crate) const ROOM: usize = 8 * 1024;

/// Where it lies.
pub(crate) struct Corpus {
    folder: PathBuf,
}

impl Corpus {
    /// In this package's folder; asked at run time, because projects are moved.
    pub(crate) fn find() -> Result<Self> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR");
        let here = here.unwrap_or_else(|| OsString::from("tests/fuzz"));
        let folder = fs::canonicalize(here)?;
        Ok(Self { folder })
    }

    /// Where findings go.
    pub(crate) fn found(&self) -> PathBuf {
        self.folder.join("found")
    }

    fn of(&self, target: &Target) -> PathBuf {
        self.folder.join("corpus").join(target.name)
    }

    /// The files of a target, in order of their names.
    pub(crate) fn read(&self, target: &Target) -> Result<Vec<Vec<u8>>> {
        let folder = self.of(target);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries: Result<Vec<_>> = fs::read_dir(folder)?.collect();
        let mut paths: Vec<PathBuf> = entries?.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        paths.iter().map(fs::read).collect()
    }

    /// Adds inputs to a target's files, as far as there is room.
    pub(crate) fn write(&self, target: &Target, inputs: &[Vec<u8>]) -> Result<()> {
        let folder = self.of(target);
        fs::create_dir_all(&folder)?;
        let mut room = ROOM.saturating_sub(self.read(target)?.iter().map(Vec::len).sum());
        for input in inputs {
            let path = folder.join(name_of(input));
            if input.len() <= room && !path.exists() {
                fs::write(path, input)?;
                room -= input.len();
            }
        }
        Ok(())
    }

    /// Writes a finding; the path as a shell in the project's folder takes it.
    pub(crate) fn write_finding(&self, target: &Target, input: &[u8]) -> Result<String> {
        let name = format!("{}-{}", target.name, name_of(input));
        fs::create_dir_all(self.found())?;
        fs::write(self.found().join(&name), input)?;
        Ok(Path::new("tests/fuzz/found")
            .join(name)
            .display()
            .to_string())
    }
}

fn name_of(input: &[u8]) -> String {
    let hash: [u8; 8] = head(&REAL.hash(&[input]));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
