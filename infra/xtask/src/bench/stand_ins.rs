//! The process with the stand-ins of what a measured function calls (infra/load), and the function that it hands events.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::http::Client;
use crate::interrupt;
use crate::process::Group;
use crate::stack::emulator_environment;
use crate::workspace::{Profile, Workspace};

/// The binary with the stand-ins and the bare loop: infra/load.
pub const LOAD: &str = "load";
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one event may take.
const EVENT_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Addresses of the stand-ins, as they print them.
#[derive(Debug, Deserialize)]
pub struct Addresses {
    /// Lambda's Runtime API.
    pub runtime_api: String,
    /// DynamoDB, SQS and SSM.
    pub aws_url: String,
    /// The receiver of webhooks.
    #[serde(default)]
    pub sink_url: String,
    /// Its host and port.
    #[serde(default)]
    pub sink: String,
}

/// What the function has handled, in every report.
#[derive(Debug, Deserialize)]
pub struct Handled {
    /// Events that it responded to.
    pub events: u64,
    /// Messages that it reported as failed.
    pub failed_messages: u64,
    /// Events that failed as a whole.
    pub errors: u64,
    /// The function's report of the first.
    pub first_error: Option<String>,
}

/// A report of the stand-ins.
pub trait Report: DeserializeOwned {
    /// What the function has handled.
    fn handled(&self) -> &Handled;
}

/// The stand-ins of a round; dropping them stops their process.
pub struct StandIns {
    group: Group,
    /// How they and the function were built.
    profile: Profile,
    /// Where they are.
    pub addresses: Addresses,
    client: Client,
    log: PathBuf,
}

impl StandIns {
    /// Starts `load` with these arguments.
    pub fn start(workspace: &Workspace, profile: Profile, arguments: &[&str]) -> anyhow::Result<Self> {
        let log = workspace.local().join("bench-stand-ins.log");
        let file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
        let mut command = workspace.command(workspace.binaries(profile).join(LOAD));
        command.args(arguments);
        let mut group = Group::spawn(logged(&mut command, file)?)?;
        let ready = interrupt::wait_for(START_TIMEOUT, POLL_INTERVAL, || {
            // Checked before the log is read: a process that has ended has written all of its output.
            let ended = group.ended()?;
            let text = fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))?;
            let line = text.split_inclusive('\n').find(|line| line.starts_with('{') && line.ends_with('\n'));
            ensure!(ended.is_none(), "the stand-ins ended: {}", text.trim());
            line.map(serde_json::from_str::<Addresses>).transpose().context("read the addresses of the stand-ins")
        })?;
        let addresses = ready.with_context(|| format!("the stand-ins did not start: see {}", log.display()))?;
        let client = Client::new(&format!("http://{}", addresses.runtime_api), "");
        Ok(Self { group, profile, addresses, client, log })
    }

    /// Starts a bootstrap that gets its events from the stand-ins.
    pub fn start_function(
        &self,
        workspace: &Workspace,
        function: &str,
        environment: &[(&str, String)],
        log: &Path,
    ) -> anyhow::Result<Group> {
        let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
        let mut command = workspace.command(workspace.binaries(self.profile).join(function));
        command
            .env_clear()
            .envs(emulator_environment(&self.addresses.aws_url))
            .env("AWS_LAMBDA_RUNTIME_API", &self.addresses.runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", function)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", "60")
            .envs(environment.iter().map(|(name, value)| (name, value)));
        Group::spawn(logged(&mut command, file)?)
    }

    /// What was counted so far.
    pub fn report<R: Report>(&self) -> anyhow::Result<R> {
        let response = self.client.get("/report", None)?;
        ensure!(response.status == 200, "the stand-ins answered {}: see {}", response.status, self.log.display());
        serde_json::from_value(response.body).context("read the stand-ins' report")
    }

    /// Ends the warm-up.
    pub fn go(&self) -> anyhow::Result<()> {
        let response = self.client.post("/go", &json!({}))?;
        ensure!(response.status == 204, "the stand-ins answered POST /go with {}", response.status);
        Ok(())
    }

    /// Waits until the function has handled this many events.
    pub fn wait_for<R: Report>(&mut self, function: &mut Group, events: u64, log: &Path) -> anyhow::Result<R> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let report: R = self.report()?;
            let Handled { events: done, errors, ref first_error, .. } = *report.handled();
            let error = first_error.as_deref().unwrap_or_default();
            ensure!(errors == 0, "the function failed: {error} (log: {})", log.display());
            if done >= events {
                return Ok(report);
            }
            if done > last {
                (last, since) = (done, Instant::now());
            }
            if let Some(status) = function.ended()? {
                bail!("the function ended ({status}): see {}", log.display());
            }
            ensure!(self.group.ended()?.is_none(), "the stand-ins ended: see {}", self.log.display());
            ensure!(
                since.elapsed() < EVENT_TIMEOUT,
                "the function stopped at event {done} of {events}: see {}",
                log.display()
            );
            interrupt::pause(POLL_INTERVAL)?;
        }
    }
}

/// Redirects the output of a command to a file.
fn logged(command: &mut Command, file: File) -> anyhow::Result<&mut Command> {
    let second = file.try_clone().context("open the log a second time")?;
    Ok(command.stdin(Stdio::null()).stdout(second).stderr(file))
}
