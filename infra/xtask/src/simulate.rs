//! `cargo xtask simulate`: simulates how many jobs a second a stack takes, and writes docs/scale.md and its picture.

use crate::process;
use crate::workspace::Workspace;

/// Additional help for `--help`.
pub const ABOUT: &str = "\
The simulator (infra/simulator) runs in virtual time and needs no stack. The same seed gives the same numbers. It fails
if a rule is broken at any event: more runs than MaxWorkers, a job that is lost or started twice, an order that differs
by more than its bound.";

/// Simulates everything and writes the document; `quick` simulates few jobs and writes nothing.
pub fn run(workspace: &Workspace, quick: bool, seed: u64) -> anyhow::Result<()> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--package", "reelhook-simulator", "--", "--docs", "docs"]);
    command.args(["--seed", &seed.to_string()]);
    if quick {
        command.arg("--quick");
    }
    process::run(&mut command, "the simulator")
}
