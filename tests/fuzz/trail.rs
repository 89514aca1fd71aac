//! The input under way, on disk: what is left when the process itself dies or never ends.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

/// What the names of these files end in.
const LAST: &str = "-last";

/// A file that holds the input under way.
pub(crate) struct Trail {
    path: PathBuf,
    file: File,
    line: Vec<u8>,
}

impl Trail {
    /// In that folder, named by the target.
    pub(crate) fn new(folder: &Path, name: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{name}{LAST}"));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        Ok(Self {
            path,
            file,
            line: Vec::new(),
        })
    }

    /// Notes the input. A disk that refuses it refuses nothing else.
    pub(crate) fn note(&mut self, input: &[u8]) {
        // Its length first: to cut the file for each input would take longer than most executions.
        self.line.clear();
        self.line
            .extend_from_slice(&(input.len() as u32).to_le_bytes());
        self.line.extend_from_slice(input);
        let _ = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(&self.line));
    }

    /// All went well: nothing is left.
    pub(crate) fn end(self) {
        drop(self.file);
        let _ = std::fs::remove_file(self.path);
    }
}

/// The input of a file: as it is, unless a process that died left it.
pub(crate) fn input_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let bytes = std::fs::read(path)?;
    let is_left = path.to_string_lossy().ends_with(LAST);
    Ok(match bytes.split_first_chunk() {
        Some((len, rest)) if is_left => {
            let len = u32::from_le_bytes(*len) as usize;
            rest[..len.min(rest.len())].to_vec()
        }
        _ => bytes,
    })
}
