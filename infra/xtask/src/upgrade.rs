//! Recordings of stored state: how one is made, and the stacks that the upgrade tests restore an older version's into, and
//! the test of restoring a backup.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::instance::Instance;
use crate::json::{self, pairs};
use crate::ports::RequestedPorts;
use crate::ui;
use crate::up::{self, Options, Started};
use crate::workspace::{Profile, Workspace};

/// The recordings, one directory per version.
const RECORDINGS: &str = "tests/upgrade";
/// Parameters and settings of the recorded and the restored stack.
const PROFILE: &str = "infra/local/upgrade-profile.json";
/// A recording contains URLs (an endpoint's id is its URL's hash), so both stacks use the same ports.
const PORTS: RequestedPorts = RequestedPorts::fixed(23_400, 23_401, 23_402);

/// The version that is recorded.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts a stack, runs every kind of job on it, and writes what it stores at that moment to a directory.
pub fn record(workspace: &Workspace, directory: &Path) -> anyhow::Result<()> {
    let directory = std::path::absolute(directory).context("find the directory")?;
    let started = start(workspace, "record", "record", None)?;
    let sizes = fill(&started, &directory)?;
    for (table, items) in sizes.as_object().into_iter().flatten() {
        println!("{table}: {items} items");
    }
    ui::say(format!("Recorded version {VERSION} in {}.", directory.display()));
    Ok(())
}

/// Runs every kind of job on a stack, stops its functions, and writes what it stores to a directory.
fn fill(started: &Started, directory: &Path) -> anyhow::Result<Value> {
    let run_file = started.instance.run_file();
    let arguments = ["record", utf8(directory)?, "--version", VERSION, "--run-file", utf8(&run_file)?];
    started.stack.call("the recording", &arguments, "")
}

/// A backup of a stack that is no more, and a new stack with its settings.
pub struct Moved {
    /// The new stack, without data.
    pub started: Started,
    /// The recording of the first stack.
    pub recording: PathBuf,
    /// Its backup.
    pub backup: PathBuf,
}

/// Fills a stack with every kind of job, takes a backup, and starts a new stack in its place.
pub fn moved(workspace: &Workspace) -> anyhow::Result<Moved> {
    let mut first = start(workspace, "record", "record", None)?;
    let (recording, backup) = (first.instance.path("recording"), first.instance.path("backup"));
    fill(&first, &recording)?;
    first.stack.call("the backup", &["backup", utf8(&backup)?], "")?;
    first.check()?;
    drop(first);
    let started = stack_for(workspace, &recording)?;
    Ok(Moved { started, recording, backup })
}

fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the path is not UTF-8")
}

/// The existing recordings, oldest version first.
pub fn recordings(workspace: &Workspace) -> anyhow::Result<Vec<PathBuf>> {
    let directory = workspace.root.join(RECORDINGS);
    let entries = fs::read_dir(&directory).with_context(|| format!("list {}", directory.display()))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    anyhow::ensure!(!found.is_empty(), "no recordings in {}", directory.display());
    Ok(found)
}

/// Starts a stack of the current version with the settings of a recording and no data.
pub fn stack_for(workspace: &Workspace, recording: &Path) -> anyhow::Result<Started> {
    let settings = json::read(&recording.join("settings.json"))?;
    start(workspace, "upgrade", "restore", Some(&settings))
}

fn start(workspace: &Workspace, name: &str, parameters: &str, settings: Option<&Value>) -> anyhow::Result<Started> {
    let profile = json::read(&workspace.root.join(PROFILE))?;
    let settings = settings.unwrap_or(&profile["settings"]);
    let options = Options {
        ports: PORTS,
        auth: true,
        keep_state: false,
        profile: Profile::Debug,
        speed: 20.0,
        shared_video: true,
        metric_speed: 1,
        parameters: pairs(&profile[parameters]),
        secrets: pairs(settings),
        detach: false,
        hostile: false,
    };
    up::start(workspace, Instance::new(workspace, name)?, &options)
}
