//! `cargo xtask rules`: the sizes of types, ports, folders and files, import circles and edges between rooms.

use crate::workspace::Workspace;

mod circles;
mod findings;
mod imports;
mod limits;
mod modules;
mod names;
mod report;
mod rooms;
mod sizes;
mod sources;
#[cfg(test)]
mod tests;

/// Prints the report with the `top` largest of each kind, and fails when a limit is exceeded.
pub fn run(workspace: &Workspace, top: usize) -> anyhow::Result<()> {
    let sources = sources::read(&workspace.root)?;
    let findings = findings::Findings::of(&sources, &sources::targets(workspace)?)?;
    println!("{}", report::text(&findings, top));
    let problems = findings.problems();
    anyhow::ensure!(problems.is_empty(), "problems: {}\n{}", problems.len(), problems.join("\n"));
    Ok(())
}
