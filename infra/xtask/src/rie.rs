//! Runs one bootstrap under Lambda's Runtime Interface Emulator, which the SAM CLI contains; Docker is not needed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::http::Client;
use crate::process::{self, Group};
use crate::setup::LintTools;
use crate::stack::emulator_environment;
use crate::workspace::Workspace;
use crate::{interrupt, json, ports};

const INVOCATIONS: &str = "/2015-03-31/functions/function/invocations";
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The configuration of a deployed function.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    name: String,
    timeout: u64,
    memory: u64,
    environment: BTreeMap<String, String>,
}

impl Configuration {
    /// The same configuration with one more environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: String) -> Self {
        self.environment.insert(name.to_owned(), value);
        self
    }

    /// Parses the configuration that `stack.py env` prints.
    pub fn parse(value: &Value) -> Self {
        Self {
            name: value["name"].as_str().unwrap_or("function").to_owned(),
            timeout: value["timeout"].as_u64().unwrap_or(30),
            memory: value["memory"].as_u64().unwrap_or(256),
            environment: json::string_members(&value["environment"]),
        }
    }
}

/// One bootstrap in its own Lambda environment; dropping it stops the environment.
pub struct Environment {
    group: Group,
    client: Client,
    log: PathBuf,
}

/// The measurements of a cold start.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Time from exec to the first request for an event, in milliseconds.
    pub init_ms: f64,
    /// Peak memory of the bootstrap so far, in bytes.
    pub peak_memory: u64,
}

impl Environment {
    /// Starts the emulator for this bootstrap; the first event starts the bootstrap.
    pub fn start(
        workspace: &Workspace,
        tools: &LintTools,
        bootstrap: &Path,
        configuration: &Configuration,
        emulator_url: &str,
        log: &Path,
    ) -> anyhow::Result<Self> {
        // The default port of the Runtime API, 9001, may be in use.
        let [port, runtime_port] = ports::two_free()?;
        let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
        let mut command = workspace.command(&tools.emulator);
        command
            .args(["--log-level", "info"])
            .args(["--runtime-interface-emulator-address", &format!("127.0.0.1:{port}")])
            .args(["--runtime-api-address", &format!("127.0.0.1:{runtime_port}")])
            .arg(bootstrap)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(emulator_environment(emulator_url))
            .envs(&configuration.environment)
            .env("AWS_LAMBDA_FUNCTION_NAME", &configuration.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", configuration.memory.to_string())
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", configuration.timeout.to_string())
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("open the log a second time")?)
            .stderr(file);
        let mut group = Group::spawn(&mut command)?;
        let listening = interrupt::wait_for(START_TIMEOUT, Duration::from_millis(10), || {
            if let Some(status) = group.ended()? {
                anyhow::bail!("the Runtime Interface Emulator ended ({status}): see {}", log.display());
            }
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(()))
        })?;
        listening.with_context(|| format!("the Runtime Interface Emulator does not listen on port {port}"))?;
        Ok(Self { group, client: Client::new(&format!("http://127.0.0.1:{port}"), ""), log: log.to_owned() })
    }

    /// Sends an event and returns the bootstrap's response.
    pub fn invoke(&self, event: &Value) -> anyhow::Result<Value> {
        let response = self.client.post(INVOCATIONS, event)?;
        let log = self.log.display();
        anyhow::ensure!(
            response.status == 200,
            "the bootstrap answered {}: {} (log: {log})",
            response.status,
            response.body
        );
        let error = response.body.get("errorType").and_then(Value::as_str);
        anyhow::ensure!(
            error.is_none(),
            "the bootstrap failed with {}: {} (log: {log})",
            error.unwrap_or_default(),
            response.body["errorMessage"]
        );
        Ok(response.body)
    }

    /// The measurements of the start; available after the first event.
    pub fn measured(&self) -> anyhow::Result<Start> {
        let text = fs::read_to_string(&self.log).context("read the emulator's log")?;
        let init_ms = init_duration(&text)
            .with_context(|| format!("the emulator reported no INIT: see {}", self.log.display()))?;
        let bootstrap = process::children_of(self.group.pid());
        let peak = bootstrap.first().and_then(|id| id.peak_memory());
        Ok(Start { init_ms, peak_memory: peak.context("read the bootstrap's peak memory")? })
    }
}

/// Reads `INIT REPORT(durationMs: 94.498000)` in the emulator's log; `Init Duration` in its REPORT line differs.
fn init_duration(log: &str) -> Option<f64> {
    let (_, rest) = log.split_once("INIT REPORT(durationMs: ")?;
    rest.split_once(')')?.0.parse().ok()
}

/// The sample events of a function, by file name.
pub fn sample_events(workspace: &Workspace, function: &str) -> anyhow::Result<BTreeMap<String, Value>> {
    let directory = workspace.root.join("events").join(function);
    let mut events = BTreeMap::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("list {}", directory.display()))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            events.insert(entry.file_name().to_string_lossy().into_owned(), json::read(&path)?);
        }
    }
    anyhow::ensure!(!events.is_empty(), "events/{function}/ contains no sample event");
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_init_duration_is_the_emulators_own() {
        let log = "22 Nov [INFO] (rapid) INIT REPORT(durationMs: 94.498000)\nREPORT Init Duration: 0.30 ms";
        assert_eq!(init_duration(log), Some(94.498));
        assert_eq!(init_duration("REPORT Init Duration: 0.30 ms"), None);
    }
}
