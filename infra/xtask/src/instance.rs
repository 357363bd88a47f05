//! Instances: everything of one local stack lives in `.local/<name>/`, and run.json there tells the others about it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::ports::Ports;
use crate::process::{self, ProcessId};
use crate::workspace::Workspace;

/// Directories of `.local` that are no instance.
const RESERVED: [&str; 4] = ["artifacts", "venv", "venv-lint", "verify"];
/// What `--keep-state` keeps of an instance's directory.
const STATE: [&str; 3] = ["state", "s3", "emulator-port"];
/// The emulator writes its state when it is asked to stop.
const PATIENCE: Duration = Duration::from_secs(15);

/// One local stack, running or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Where everything of it is.
    pub directory: PathBuf,
}

/// A running instance, as run.json has it. Tests read this file too (REELHOOK_RUN names it).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Run {
    /// The instance's name.
    pub instance: String,
    /// The stack's name.
    pub stack: String,
    /// Where its secrets and settings are in SSM.
    pub settings_path: String,
    /// The first API key.
    pub api_key: String,
    /// Where the API answers.
    pub api_url: String,
    /// Where every AWS service answers: AWS_ENDPOINT_URL.
    pub emulator_url: String,
    /// Where the stand-ins for outside services answer.
    pub studio_url: String,
    /// The ports of these.
    pub ports: Ports,
    /// The `cargo xtask` that stays with it; none after `up --detach`.
    pub supervisor: Option<ProcessId>,
    /// The emulator's process.
    pub emulator: Option<ProcessId>,
    /// The studio's process.
    pub studio: Option<ProcessId>,
    /// The template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Secrets and settings by name, as the functions read them from SSM.
    pub secrets: BTreeMap<String, String>,
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
    /// Deployed names of the functions by crate.
    pub functions: BTreeMap<String, String>,
    /// What functions print, one JSON object a line.
    pub function_log: PathBuf,
    /// The emulator's own log.
    pub emulator_log: PathBuf,
    /// The studio's log.
    pub studio_log: PathBuf,
}

impl Run {
    /// The processes to stop, in this order: work stops coming before its tables go.
    fn leaders(&self) -> Vec<ProcessId> {
        self.studio.into_iter().chain(self.emulator).collect()
    }
}

impl Instance {
    /// The instance of this name.
    pub fn new(workspace: &Workspace, name: &str) -> anyhow::Result<Self> {
        let fits = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        anyhow::ensure!(
            fits && !RESERVED.contains(&name),
            "`{name}` can't be an instance's name: lower-case letters, digits and dashes, and none of {}",
            RESERVED.join(", ")
        );
        Ok(Self { name: name.to_owned(), directory: workspace.local().join(name) })
    }

    /// Every instance that has left something.
    pub fn all(workspace: &Workspace) -> Vec<Self> {
        let entries = fs::read_dir(workspace.local()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let instances = names.filter_map(|name| Self::new(workspace, &name).ok());
        instances.filter(|instance| instance.run_file().is_file()).collect()
    }

    /// The running instance that listens on this port.
    pub fn on_port(workspace: &Workspace, port: u16) -> Option<Self> {
        let all = Self::all(workspace);
        all.into_iter().find(|instance| instance.running().is_some_and(|run| run.ports.contains(port)))
    }

    /// A path inside the instance's directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.join(name)
    }

    /// run.json.
    pub fn run_file(&self) -> PathBuf {
        self.path("run.json")
    }

    /// What run.json says, when its processes are the ones that still run.
    pub fn running(&self) -> Option<Run> {
        let run = self.left()?;
        let alive = |id: Option<ProcessId>| id.is_some_and(ProcessId::is_alive);
        (alive(run.emulator) && alive(run.studio)).then_some(run)
    }

    /// The running instance; a sentence where there is none.
    pub fn must_run(&self) -> anyhow::Result<Run> {
        let hint = if self.name == "dev" { String::new() } else { format!(" --instance {}", self.name) };
        self.running().with_context(|| {
            format!("the instance `{}` is not running: start it with `cargo xtask up{hint}`", self.name)
        })
    }

    /// What run.json says, whether or not anything of it still runs.
    fn left(&self) -> Option<Run> {
        serde_json::from_slice(&fs::read(self.run_file()).ok()?).ok()
    }

    /// Writes run.json, for this user's eyes only: it holds keys.
    pub fn save(&self, run: &Run) -> anyhow::Result<()> {
        let partial = self.path("run.json.new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&partial).with_context(|| format!("write {}", partial.display()))?;
        let text = serde_json::to_string_pretty(run).context("write run.json")?;
        file.write_all(text.as_bytes()).and_then(|()| fs::rename(&partial, self.run_file())).context("write run.json")
    }

    /// Empties the directory; with `keep_state` the emulator's state stays.
    pub fn clear(&self, keep_state: bool) -> anyhow::Result<()> {
        fs::create_dir_all(&self.directory).with_context(|| format!("make {}", self.directory.display()))?;
        for entry in fs::read_dir(&self.directory).context("list the instance's directory")?.flatten() {
            let path = entry.path();
            if keep_state && STATE.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("remove {}", path.display()))?;
        }
        Ok(())
    }

    /// The emulator's port when its state was written: the names of queues hold it, so the state is of no use at another.
    pub fn kept_port(&self) -> Option<u16> {
        fs::read_to_string(self.path("emulator-port")).ok()?.trim().parse().ok()
    }

    /// Notes the emulator's port beside its state.
    pub fn keep_port(&self, port: u16) -> anyhow::Result<()> {
        fs::write(self.path("emulator-port"), port.to_string()).context("note the emulator's port")
    }

    /// Stops whatever runs of this instance; whether anything did. Another `cargo xtask up` that stays with it ends too.
    pub fn stop(&self) -> bool {
        let own = ProcessId::own();
        let run = self.left().unwrap_or_default();
        let supervisor = run.supervisor.filter(|id| Some(*id) != own && id.is_alive());
        let leaders: Vec<_> = run.leaders().into_iter().filter(|id| id.is_alive()).collect();
        let any = supervisor.is_some() || !leaders.is_empty() || !process::marked(&self.directory).is_empty();
        if let Some(supervisor) = supervisor {
            process::stop(&[supervisor], &self.directory, PATIENCE * 2);
        }
        process::stop(&leaders, &self.directory, PATIENCE);
        // Logs and video stay for whoever wants to look.
        let _ = fs::remove_file(self.run_file());
        any
    }

    /// The last lines of a file in this instance's directory.
    pub fn tail(&self, name: &str, lines: usize) -> String {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        let skipped = text.lines().count().saturating_sub(lines);
        text.lines().skip(skipped).map(|line| format!("  {line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str) -> Instance {
        let directory = std::env::temp_dir().join(format!("xtask-instance-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Instance { name: name.to_owned(), directory }
    }

    #[test]
    fn names_keep_inside_their_directory() {
        let workspace = Workspace::find().unwrap();
        assert!(Instance::new(&workspace, "test-2").is_ok());
        for name in ["", "..", "a/b", "venv", "Dev", "2"] {
            assert!(Instance::new(&workspace, name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_stale_run_file_is_no_running_instance() {
        let instance = instance("stale");
        let own = ProcessId::own();
        let run = Run { emulator: own, studio: own, ..Run::default() };
        instance.save(&run).unwrap();
        assert!(instance.running().is_some());
        // The same number, but started at another time.
        let text = fs::read_to_string(instance.run_file()).unwrap();
        let started = text.split("\"started\": ").nth(1).unwrap().split(|c: char| !c.is_ascii_digit()).next().unwrap();
        fs::write(instance.run_file(), text.replace(started, "1")).unwrap();
        assert!(instance.running().is_none());
        assert!(!instance.stop());
        fs::write(instance.run_file(), "{").unwrap();
        assert!(instance.running().is_none());
        fs::remove_dir_all(&instance.directory).unwrap();
    }

    #[test]
    fn clearing_can_keep_the_state() {
        let instance = instance("clear");
        for name in ["state", "s3", "tmp"] {
            fs::create_dir_all(instance.path(name)).unwrap();
        }
        instance.keep_port(4566).unwrap();
        instance.clear(true).unwrap();
        assert!(instance.path("state").exists() && instance.path("s3").exists() && !instance.path("tmp").exists());
        assert_eq!(instance.kept_port(), Some(4566));
        instance.clear(false).unwrap();
        assert!(!instance.path("state").exists() && instance.kept_port().is_none());
        fs::remove_dir_all(&instance.directory).unwrap();
    }
}
