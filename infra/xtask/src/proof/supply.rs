//! The check of what comes from others: deny.toml, by cargo-deny.

use std::process::Stdio;

use crate::workspace::Workspace;
use crate::{process, setup, ui};

/// Checks licences, versions and sources of crates, and advisories where RustSec's database can be reached.
pub fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let program = setup::deny(workspace)?;
    // An exception that nothing needs any more is a failure.
    let stale = ["-D", "unmatched-skip", "-D", "license-exception-not-encountered"];
    let arguments = ["--locked", "check", "--hide-inclusion-graph"];
    let mut command = workspace.command(&program);
    command.args(arguments).args(stale).args(["bans", "licenses", "sources"]);
    process::run(&mut command, "cargo-deny")?;
    let mut fetch = workspace.command(&program);
    let (fetched, _) = process::captured(fetch.args(["fetch", "db"]).stderr(Stdio::null()), b"")?;
    if !fetched.success() {
        ui::say(
            "Advisories were NOT checked: RustSec's database, a git repository, can't be fetched from this machine. Where \
             it can be reached, the same command checks them.",
        );
        return Ok(());
    }
    let mut command = workspace.command(&program);
    process::run(command.args(arguments).arg("advisories"), "cargo-deny check advisories")
}
