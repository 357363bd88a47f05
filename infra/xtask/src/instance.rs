//! Instances: the files of one local stack are in `.local/<name>/`, where run.json describes it to other programs.

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

/// Names that an instance can't have: other directories of `.local`.
const RESERVED: [&str; 15] = [
    "artifacts",
    "cargo-mutants",
    "dynalite",
    "engines",
    "first-deployment",
    "fonts",
    "fuzz",
    "mutants",
    "reproduce",
    "venv",
    "venv-clients",
    "venv-engines",
    "venv-lint",
    "venv-supply",
    "verify",
];
/// Entries of an instance's directory that `--keep-state` keeps.
const STATE: [&str; 3] = ["state", "s3", "emulator-port"];
/// How long a process may take to stop: the emulator writes its state on SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// One local stack, running or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Name of the instance.
    pub name: String,
    /// Directory of its files.
    pub directory: PathBuf,
}

/// A running instance, as stored in run.json. Tests read this file too (REELHOOK_RUN is its path).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Run {
    /// Name of the instance.
    pub instance: String,
    /// Name of the stack.
    pub stack: String,
    /// Path of its secrets and settings in SSM.
    pub settings_path: String,
    /// The first API key.
    pub api_key: String,
    /// URL of the API.
    pub api_url: String,
    /// URL of the AWS emulator: AWS_ENDPOINT_URL.
    pub emulator_url: String,
    /// URL of the mock services.
    pub studio_url: String,
    /// Ports of these URLs.
    pub ports: Ports,
    /// The `cargo xtask` process that stops with it; none after `up --detach`.
    pub supervisor: Option<ProcessId>,
    /// Process of the emulator.
    pub emulator: Option<ProcessId>,
    /// Process of the mock services.
    pub studio: Option<ProcessId>,
    /// The fault proxy; none on a usual stack.
    pub faults: Option<Faults>,
    /// Parameters of the template.
    pub parameters: BTreeMap<String, String>,
    /// Secrets and settings by name, as stored in SSM.
    pub secrets: BTreeMap<String, String>,
    /// Outputs of the stack.
    pub outputs: BTreeMap<String, String>,
    /// Deployed function names by crate.
    pub functions: BTreeMap<String, String>,
    /// Log of the functions, one JSON object per line.
    pub function_log: PathBuf,
    /// Log of the emulator.
    pub emulator_log: PathBuf,
    /// Log of the mock services.
    pub studio_log: PathBuf,
}

/// The fault proxy of a hostile stack, as stored in run.json.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Faults {
    /// URL at which functions call AWS.
    pub url: String,
    /// Port of this URL.
    pub port: u16,
    /// Port at which callers reach the API.
    pub gateway_port: u16,
    /// Its process.
    pub process: Option<ProcessId>,
}

impl Run {
    /// The processes to stop, in this order: callers stop before the emulator.
    fn leaders(&self) -> Vec<ProcessId> {
        let faults = self.faults.as_ref().and_then(|faults| faults.process);
        self.studio.into_iter().chain(faults).chain(self.emulator).collect()
    }
}

impl Instance {
    /// The instance of this name.
    pub fn new(workspace: &Workspace, name: &str) -> anyhow::Result<Self> {
        let fits = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        anyhow::ensure!(
            fits && !RESERVED.contains(&name),
            "invalid instance name `{name}`: use lower-case letters, digits and dashes, a letter first, and none of {}",
            RESERVED.join(", ")
        );
        Ok(Self { name: name.to_owned(), directory: workspace.local().join(name) })
    }

    /// Every instance that has a run.json.
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

    /// The path of run.json.
    pub fn run_file(&self) -> PathBuf {
        self.path("run.json")
    }

    /// The content of run.json, if its processes still run.
    pub fn running(&self) -> Option<Run> {
        let run = self.saved()?;
        let alive = |id: Option<ProcessId>| id.is_some_and(ProcessId::is_alive);
        (alive(run.emulator) && alive(run.studio)).then_some(run)
    }

    /// The running instance, or an error with the command that starts it.
    pub fn must_run(&self) -> anyhow::Result<Run> {
        let option = if self.name == "dev" { String::new() } else { format!(" --instance {}", self.name) };
        self.running().with_context(|| {
            format!("the instance `{}` is not running: start it with `cargo xtask up{option}`", self.name)
        })
    }

    /// The content of run.json, whether or not its processes still run.
    fn saved(&self) -> Option<Run> {
        serde_json::from_slice(&fs::read(self.run_file()).ok()?).ok()
    }

    /// Writes run.json, readable only by this user: it contains keys.
    pub fn save(&self, run: &Run) -> anyhow::Result<()> {
        let partial = self.path("run.json.new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&partial).with_context(|| format!("write {}", partial.display()))?;
        let text = serde_json::to_string_pretty(run).context("write run.json")?;
        file.write_all(text.as_bytes()).and_then(|()| fs::rename(&partial, self.run_file())).context("write run.json")
    }

    /// Empties the directory; `keep_state` keeps the emulator's state.
    pub fn clear(&self, keep_state: bool) -> anyhow::Result<()> {
        fs::create_dir_all(&self.directory).with_context(|| format!("create {}", self.directory.display()))?;
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

    /// The emulator's port when its state was written. Queue URLs contain it, so the state is usable only on that port.
    pub fn kept_port(&self) -> Option<u16> {
        fs::read_to_string(self.path("emulator-port")).ok()?.trim().parse().ok()
    }

    /// Stores the emulator's port beside its state.
    pub fn keep_port(&self, port: u16) -> anyhow::Result<()> {
        fs::write(self.path("emulator-port"), port.to_string()).context("write the emulator's port")
    }

    /// Stops every process of this instance, another `cargo xtask up` included. Returns whether any ran.
    pub fn stop(&self) -> bool {
        let own = ProcessId::own();
        let run = self.saved().unwrap_or_default();
        let supervisor = run.supervisor.filter(|id| Some(*id) != own && id.is_alive());
        let leaders: Vec<_> = run.leaders().into_iter().filter(|id| id.is_alive()).collect();
        let any = supervisor.is_some() || !leaders.is_empty() || !process::marked(&self.directory).is_empty();
        if let Some(supervisor) = supervisor {
            process::stop(&[supervisor], &self.directory, STOP_TIMEOUT * 2);
        }
        process::stop(&leaders, &self.directory, STOP_TIMEOUT);
        // Logs and the video stay, to be inspected.
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
    fn names_that_leave_their_directory_are_refused() {
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
        // The same process id, but another start time.
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
