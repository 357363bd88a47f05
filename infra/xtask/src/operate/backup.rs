//! Copies of what a stack has stored: into a directory, and from there into a new stack (docs/backup.md).

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::Target;
use crate::workspace::Workspace;
use crate::{ui, visible};

/// Additional help for `cargo xtask backup`.
pub const ABOUT: &str = "\
Secrets are not part of a backup: keep the parameters below SettingsPath, above all ENDPOINT_SECRETS_KEY.
--at needs point-in-time recovery (RecoveryDays), and for files that have been replaced or deleted OldVersionDays.";

/// Copies what a stack has stored into a directory.
pub fn backup(
    workspace: &Workspace,
    target: &Target,
    directory: &Path,
    at: Option<&str>,
    without_files: bool,
) -> anyhow::Result<()> {
    let directory = std::path::absolute(directory).context("resolve the path of the backup")?;
    let path = directory.to_str().context("the path of the backup is not UTF-8")?;
    let mut arguments = vec!["backup", path];
    if let Some(at) = at {
        arguments.extend(["--at", at]);
    }
    if without_files {
        arguments.push("--without-files");
    }
    let done = target.stack(workspace)?.call("the backup", &arguments, "")?;
    for (table, counts) in done["tables"].as_object().into_iter().flatten() {
        println!("{}", visible::line(&format!("{table}: {} items", counts["items"])));
    }
    println!("{} files, {} bytes", done["objects"]["count"], done["objects"]["bytes"]);
    let settings: Vec<&str> = done["settings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ui::say(format!("\nNot in it are the values of {}: keep them.", settings.join(", ")));
    Ok(())
}

/// Copies a backup into a new stack.
pub fn restore(workspace: &Workspace, target: &Target, directory: &Path) -> anyhow::Result<()> {
    let directory = std::path::absolute(directory).context("resolve the path of the backup")?;
    let path = directory.to_str().context("the path of the backup is not UTF-8")?;
    let done = target.stack(workspace)?.call("the restore", &["restore", path], "")?;
    for (table, items) in done["tables"].as_object().into_iter().flatten() {
        println!("{}", visible::line(&format!("{table}: {items} items")));
    }
    println!("{} files", done["objects"]);
    let taken = done["taken_at"].as_str().unwrap_or_default();
    ui::say(format!(
        "\nThe backup is as of {}. If the stack was in use then, `cargo xtask repair --since` an hour before that creates \
         the deliveries that it lacks.",
        visible::line(taken)
    ));
    Ok(())
}
