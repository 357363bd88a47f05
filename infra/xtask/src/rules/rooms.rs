//! Rooms: the folders of a crate, and the imports between them.

use std::collections::BTreeMap;

use super::imports::Imports;
use super::modules::Crate;

/// The room of files outside folders.
const BESIDE: &str = "(beside the rooms)";

/// The rooms of a crate.
pub struct Rooms {
    /// The number of files in each.
    pub files: BTreeMap<String, usize>,
    /// The imports of one room from another, counted in pairs of files.
    pub edges: BTreeMap<(String, String), usize>,
}

/// The rooms of a crate; none if it has no folders.
pub fn of(parsed: &Crate, imports: &Imports) -> Option<Rooms> {
    let inside = |file: &str| file.strip_prefix(&format!("{}/", parsed.directory)).unwrap_or(file).to_owned();
    let paths: Vec<String> = parsed.files().into_iter().map(inside).collect();
    // A file `jobs.rs` beside the folder `jobs` belongs to that room.
    let room = |path: &str| match path.split_once('/') {
        Some((folder, _)) => folder.to_owned(),
        None => {
            let name = path.trim_end_matches(".rs");
            let has_folder = paths.iter().any(|other| other.starts_with(&format!("{name}/")));
            (if has_folder { name } else { BESIDE }).to_owned()
        }
    };
    let mut files = BTreeMap::new();
    for path in &paths {
        *files.entry(room(path)).or_insert(0) += 1;
    }
    if files.keys().all(|room| room == BESIDE) {
        return None;
    }
    let mut edges = BTreeMap::new();
    for (from, to) in imports.keys() {
        let (from, to) = (room(&inside(from)), room(&inside(to)));
        if from != to {
            *edges.entry((from, to)).or_insert(0) += 1;
        }
    }
    Some(Rooms { files, edges })
}
