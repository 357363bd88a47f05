//! `cargo xtask engines`: the requests of a stack, replayed against engines that other people wrote (infra/engines).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::checks::template::transform;
use crate::instance::Instance;
use crate::setup::EngineTools;
use crate::workspace::{Workspace, on_path};
use crate::{process, setup};

/// Additional help for `--help`.
pub const ABOUT: &str = "\
The requests are those that functions log with LogLevel=info,aws_calls=debug, as on the stack of `cargo xtask test --only
e2e`. Differences that are known are in infra/engines/differences.json, each with its reason.";

/// Requests of one form that CI replays.
pub const MOST_IN_CI: u32 = 50;

/// The options of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Engines {
    /// Log of functions; by default that of the last end-to-end tests
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Replay the first requests of each form, at most this many; 0 for all
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    most: u32,
}

/// Replays the requests of a log.
pub fn run(workspace: &Workspace, options: &Engines) -> anyhow::Result<()> {
    let log = match &options.log {
        Some(log) => std::path::absolute(log).context("find the log")?,
        None => Instance::new(workspace, "test")?.path("functions.log"),
    };
    replay(workspace, &log, options.most)
}

/// Replays the requests in a log; at most `most` of one form, if it is not 0.
pub fn replay(workspace: &Workspace, log: &Path, most: u32) -> anyhow::Result<()> {
    let EngineTools { ministack, moto, dynalite } = setup::engines(workspace)?;
    let template = transform(workspace)?;
    let directory = workspace.local().join("engines");
    let _ = fs::remove_dir_all(&directory);
    let mut command =
        workspace.command(on_path("python3").context("python3 is missing: install Python 3.10 or later")?);
    command.args(["-B", "infra/engines/replay.py", "--log"]).arg(log).arg("--template").arg(template);
    command.arg("--ministack").arg(ministack).arg("--moto").arg(moto).arg("--dynalite").arg(dynalite);
    command.arg("--directory").arg(directory).args(["--most", &most.to_string()]);
    process::run(&mut command, "infra/engines/replay.py")
}
