//! `reelhook download`: the videos of what has ended.

use std::path::{Path, PathBuf};

use clap::Args;
use reelhook_terminal::ui;
use serde_json::json;

use crate::api::Api;
use crate::failure::Failure;
use crate::families;
use crate::families::family::{Remote, State};
use crate::files;
use crate::follow::verdict;
use crate::input::Id;
use crate::output::Output;

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook download 3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b
  reelhook download 3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b --only vertical --to reel.mp4
  reelhook download 550e8400-e29b-41d4-a716-446655440000 --only 0 --only 2 --to clips/

A file gets its name once all of it is there; until then it is NAME.part, which the same command continues.";

/// What is downloaded.
#[derive(Debug, Args)]
pub struct Options {
    /// Id of a job, video, project or clip job
    id: Id,
    #[command(flatten)]
    place: Place,
}

/// Which files are saved, and where.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// The file, or a directory (which exists, or ends with a slash); by default the current directory
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    /// Only this one: `video`, `vertical`, or the number of a clip; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

/// Downloads the files of one that has succeeded.
pub async fn run(api: &Api, output: &Output, options: &Options) -> Result<(), Failure> {
    let (_, state) = families::find(api, &options.id).await?;
    verdict(&state)?;
    save(api, output, &state, &options.place).await
}

/// Downloads files, one after the other, and prints where they are: as JSON, one value a line.
pub async fn save(api: &Api, output: &Output, state: &State, place: &Place) -> Result<(), Failure> {
    let id = &state.id;
    output.when_interrupted(format!("`reelhook download {id}` continues the download."));
    for (remote, path) in place.paths(state)? {
        let bytes = files::download(api, &remote.link, &path, place.force).await?;
        let file = path.display().to_string();
        let saved = json!({ "id": id, "kind": remote.kind, "file": file, "bytes": bytes });
        output.result(&saved, || vec![format!("{file}  {}", ui::bytes(bytes))])?;
    }
    Ok(())
}

impl Place {
    /// The files that are wanted, with their paths.
    fn paths<'a>(&self, state: &'a State) -> Result<Vec<(&'a Remote, PathBuf)>, Failure> {
        let is_wanted = |file: &&Remote| self.only.is_empty() || self.only.contains(&file.kind);
        let files: Vec<&Remote> = state.files.iter().filter(is_wanted).collect();
        let missing = self.only.iter().find(|kind| files.iter().all(|file| file.kind != **kind));
        if let Some(kind) = missing {
            let there = state.files.iter().map(|file| file.kind.as_str()).collect::<Vec<_>>();
            return Err(Failure::Usage(format!("{} has no file `{kind}`; it has: {}", state.id, there.join(", "))));
        }
        if files.is_empty() {
            return Err(Failure::Ended(format!("{} has no video", state.id)));
        }
        let to = self.to.as_deref().unwrap_or(Path::new("."));
        if to.is_dir() || to.as_os_str().to_string_lossy().ends_with('/') {
            std::fs::create_dir_all(to).map_err(|error| {
                Failure::Local(anyhow::Error::new(error).context(format!("create {}", to.display())))
            })?;
            // The name is made of the id and a word or number, so it stays in the directory.
            return Ok(files.into_iter().map(|file| (file, to.join(&file.name))).collect());
        }
        match files.as_slice() {
            [file] => Ok(vec![(*file, to.to_owned())]),
            _ => {
                let sentence =
                    format!("there are {} files: --to must be a directory, or choose with --only", files.len());
                Err(Failure::Usage(sentence))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(kinds: &[&str]) -> State {
        let remote = |kind: &&str| Remote {
            name: format!("x-{kind}.mp4"),
            kind: (*kind).to_owned(),
            link: "https://cdn.example/x".to_owned(),
        };
        State {
            id: "x".to_owned(),
            family: "clips",
            status: "succeeded".to_owned(),
            progress: 100,
            step: None,
            error: None,
            outcome: None,
            files: kinds.iter().map(remote).collect(),
        }
    }

    fn place(to: &Path, only: &[&str]) -> Place {
        Place { to: Some(to.to_owned()), only: only.iter().map(|&kind| kind.to_owned()).collect(), force: false }
    }

    #[test]
    fn files_go_to_a_directory_or_one_to_a_path() {
        let directory = tempfile::tempdir().unwrap();
        let (here, file) = (directory.path(), directory.path().join("film.mp4"));
        let names = |place: &Place, state: &State| {
            place.paths(state).map(|found| found.into_iter().map(|(_, path)| path).collect::<Vec<_>>())
        };
        let two = state(&["0", "1"]);
        assert_eq!(names(&place(here, &[]), &two).unwrap(), [here.join("x-0.mp4"), here.join("x-1.mp4")]);
        assert_eq!(names(&place(&file, &["1"]), &two).unwrap(), std::slice::from_ref(&file));
        assert_eq!(names(&place(&file, &[]), &two).unwrap_err().code(), 2);
        assert_eq!(names(&place(here, &["2"]), &two).unwrap_err().code(), 2);
        assert_eq!(names(&place(here, &[]), &state(&[])).unwrap_err().code(), 5);
    }
}
