//! `cargo xtask openapi`: writes the API's description, which the pages function serves, and that of messages.

use crate::process;
use crate::workspace::Workspace;

/// The descriptions, from the root of the workspace.
const FILES: [&str; 2] = ["functions/pages/openapi/openapi.json", "docs/contract/asyncapi.json"];

/// Writes the descriptions, or compares them with the types.
pub fn run(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--package", "reelhook-openapi", "--"]).args(FILES);
    if check {
        command.arg("--check");
    }
    process::run(&mut command, "reelhook-openapi")
}
