//! Calls infra/local/stack.py, which calls the emulator or AWS.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::instance::Run;
use crate::process;
use crate::workspace::Workspace;

/// The credentials of the emulator's root user.
const TEST_CREDENTIALS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
];

/// Environment variables of a program that calls the emulator.
pub fn emulator_environment(emulator_url: &str) -> Vec<(&'static str, String)> {
    let credentials = TEST_CREDENTIALS.iter().map(|(name, value)| (*name, (*value).to_owned()));
    credentials
        .chain([("AWS_ENDPOINT_URL", emulator_url.to_owned()), ("AWS_EC2_METADATA_DISABLED", "true".to_owned())])
        .collect()
}

/// A deployed stack, which stack.py works on.
#[derive(Clone, Debug)]
pub struct Stack {
    workspace: Workspace,
    python: PathBuf,
    name: String,
    /// URL of the emulator; none for the caller's AWS account.
    emulator_url: Option<String>,
}

impl Stack {
    /// The stack of a running instance.
    pub fn local(workspace: &Workspace, python: PathBuf, run: &Run) -> Self {
        let emulator_url = Some(run.emulator_url.clone());
        Self { workspace: workspace.clone(), python, name: run.stack.clone(), emulator_url }
    }

    /// A stack in the caller's AWS account.
    pub fn on_aws(workspace: &Workspace, python: PathBuf, name: &str) -> Self {
        Self { workspace: workspace.clone(), python, name: name.to_owned(), emulator_url: None }
    }

    /// Runs a command of stack.py and returns its result; `what` names it in errors.
    pub fn call(&self, what: &str, arguments: &[&str], input: &str) -> anyhow::Result<Value> {
        let mut command = self.command();
        command.args(arguments);
        let text = process::output(&mut command, input.as_bytes(), what)?;
        serde_json::from_str(&text).with_context(|| format!("{what}: the output of stack.py is not JSON"))
    }

    fn command(&self) -> Command {
        let mut command = self.workspace.command(&self.python);
        command.arg("infra/local/stack.py").args(["--stack", &self.name]);
        if let Some(url) = &self.emulator_url {
            command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
            command.envs(emulator_environment(url));
        } else {
            command.env_remove("AWS_ENDPOINT_URL");
        }
        command
    }

    /// Runs the smoke test of stack.py with an API key.
    pub fn smoke(&self, key: &str) -> anyhow::Result<Value> {
        let mut command = self.command();
        command.arg("smoke").env("REELHOOK_API_KEY", key);
        let text = process::output(&mut command, b"", "the smoke test")?;
        serde_json::from_str(&text).context("the smoke test: the output of stack.py is not JSON")
    }
}
