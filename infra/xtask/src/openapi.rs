//! `cargo xtask openapi`: writes the API's description, which the pages function serves.

use crate::process;
use crate::workspace::Workspace;

/// The description, from the root of the workspace.
const FILE: &str = "functions/pages/openapi/openapi.json";

/// Writes the description, or compares it with the types.
pub fn run(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--package", "reelhook-openapi", "--", FILE]);
    if check {
        command.arg("--check");
    }
    process::run(&mut command, "reelhook-openapi")
}
