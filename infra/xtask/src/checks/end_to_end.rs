//! The program of the end-to-end tests (tests/it), and how it runs on a stack.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use super::source::END_TO_END;
use crate::process;
use crate::up::Started;
use crate::workspace::Workspace;

/// Builds the whole workspace's tests, and returns the end-to-end test program.
pub fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let mut command = workspace.cargo();
    command.args(["test", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"]);
    let messages = process::output(&mut command, b"", "building the tests")?;
    let executables = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let wanted = executables.filter(|message| {
        message["reason"] == "compiler-artifact"
            && message["profile"]["test"] == true
            && message["manifest_path"].as_str().is_some_and(|path| path.ends_with("/tests/Cargo.toml"))
    });
    let path = wanted.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    path.with_context(|| format!("cargo reported no test program of the package {END_TO_END}"))
}

/// The command that runs those of the tests on a stack whose names match `filter`, one after the other: they share the
/// stack, and some purge its queues. Without backtraces: of a log whose end alone is kept, they would push out what failed.
pub fn tests(workspace: &Workspace, started: &Started, program: &Path, filter: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["--test-threads=1", "--show-output"]).args(filter);
    command.current_dir(workspace.root.join("tests")).env("REELHOOK_RUN", started.instance.run_file());
    command.env("RUST_BACKTRACE", "0");
    command
}
