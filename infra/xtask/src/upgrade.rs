//! Recordings of stored state: how one is made, and the stack that the upgrade tests restore an older version's into.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::instance::Instance;
use crate::pair::pairs;
use crate::ports::RequestedPorts;
use crate::up::{self, Options, Started};
use crate::workspace::{Profile, Workspace};
use crate::{json, ui};

/// The recordings, one directory per version.
const RECORDINGS: &str = "tests/upgrade";
/// Parameters and settings of the recorded and the restored stack.
const PROFILE: &str = "infra/local/upgrade-profile.json";
/// A recording contains URLs (an endpoint's id is its URL's hash), so both stacks use the same ports.
const PORTS: RequestedPorts = RequestedPorts::fixed(23_400, 23_401, 23_402);

/// Starts a stack, runs every kind of job on it, and writes what it stores at that moment to a directory.
pub fn record(workspace: &Workspace, directory: &Path) -> anyhow::Result<()> {
    let directory = std::path::absolute(directory).context("find the directory")?;
    let directory = directory.to_str().context("the directory's path is not UTF-8")?;
    let started = start(workspace, "record", "record", None)?;
    let run_file = started.instance.run_file();
    let run_file = run_file.to_str().context("the checkout's path is not UTF-8")?;
    let version = env!("CARGO_PKG_VERSION");
    let sizes = started.stack.call(
        "the recording",
        &["record", directory, "--version", version, "--run-file", run_file],
        "",
    )?;
    for (table, items) in sizes.as_object().into_iter().flatten() {
        println!("{table}: {items} items");
    }
    ui::say(format!("Recorded version {version} in {directory}."));
    Ok(())
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
    };
    up::start(workspace, Instance::new(workspace, name)?, &options)
}
