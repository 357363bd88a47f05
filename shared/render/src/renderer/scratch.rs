//! Temporary directories of renderers, and what is left of those whose renderers crashed.

use std::path::{Path, PathBuf};

use reelhook_app::videos::draw_error::DrawError;
use reelhook_app::videos::ports::ScratchDir;
use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};
use tempfile::TempDir;

use super::disk::{disk_error, write};

/// The beginning of their names, before the id of the renderer's process and a hyphen.
const PREFIX: &str = "film-";

struct TemporaryDirectory(TempDir);

impl ScratchDir for TemporaryDirectory {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, DrawError> {
        let path = self.path().join(name);
        write(&path, bytes)?;
        Ok(path)
    }
}

/// Makes an empty directory below this one.
pub(super) fn create(below: &Path) -> Result<Box<dyn ScratchDir>, DrawError> {
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let directory = tempfile::Builder::new().prefix(&prefix).tempdir_in(below).map_err(disk_error)?;
    Ok(Box::new(TemporaryDirectory(directory)))
}

/// Removes the directories below this one whose renderers crashed.
pub(super) fn remove_remains(below: &Path) {
    let entries = match std::fs::read_dir(below) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, "failed to look for what renderers that crashed have left");
            return;
        }
    };
    for entry in entries.filter_map(Result::ok) {
        let directory = entry.file_name();
        if !directory.to_str().is_some_and(is_remains) {
            continue;
        }
        match std::fs::remove_dir_all(entry.path()) {
            Ok(()) => tracing::info!(?directory, "removed what a renderer that crashed has left"),
            Err(error) => tracing::warn!(?directory, %error, "failed to remove what a renderer that crashed has left"),
        }
    }
}

/// Whether a name is that of a directory whose process is not there any more, or had the id of this one.
fn is_remains(name: &str) -> bool {
    let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')?.0.parse::<i32>().ok());
    let process = process.filter(|process| *process > 0).and_then(Pid::from_raw);
    process.is_some_and(|process| process == getpid() || test_kill_process(process) == Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_processes_that_are_gone_are_removed() {
        let below = tempfile::tempdir().expect("a directory");
        let (own, parent) = (std::process::id(), std::os::unix::process::parent_id());
        // Process ids are at most 2^22.
        let left = ["film-4194999-a".to_owned(), "film-4194999-b".to_owned(), format!("film-{own}-c")];
        let mut others =
            ["film-4194999", "film--a", "film-x-a", "film-0-a", "take-4194999-a"].map(str::to_owned).to_vec();
        others.push(format!("film-{parent}-b"));
        for name in left.iter().chain(&others) {
            let directory = below.path().join(name);
            std::fs::create_dir(&directory).expect("a directory");
            std::fs::write(directory.join("source"), "video").expect("a file");
        }
        remove_remains(below.path());
        let names = std::fs::read_dir(below.path()).expect("a directory");
        let names = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        let mut names: Vec<String> = names.collect();
        names.sort();
        others.sort();
        assert_eq!(names, others);
    }

    #[test]
    fn a_directory_has_the_id_of_its_process_and_goes_when_it_is_dropped() {
        let below = tempfile::tempdir().expect("a directory");
        let made = create(below.path()).expect("a directory");
        let path = made.path().to_owned();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name.starts_with(&format!("film-{}-", std::process::id())) && is_remains(name), "{name}");
        assert!(path.is_dir());
        drop(made);
        assert!(!path.exists());
    }
}
