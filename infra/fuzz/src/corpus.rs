//! The corpus: inputs that are kept in the repository, a folder for each target. Every run begins with them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The folder of the corpus in this checkout.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of a target, in the order of their names; none without a folder.
///
/// # Errors
/// If a file can't be read.
pub fn of(folder: &Path, target: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let folder = folder.join(target);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let read = |path: &PathBuf| fs::read(path).with_context(|| format!("read {}", path.display()));
    paths.iter().filter(|path| path.is_file()).map(read).collect()
}

/// Keeps an input in a folder; returns its path.
///
/// # Errors
/// If it can't be written.
pub fn keep(folder: &Path, target: &str, name: &str, input: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let path = folder.join(name);
    fs::write(&path, input).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}
