//! Everything that a stack has stored about one owner: its export and its deletion (docs/backup.md).

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::Target;
use crate::workspace::Workspace;
use crate::{ui, visible};

/// Additional help for `cargo xtask owner delete`.
pub const DELETE: &str = "\
Without --confirm nothing is changed. A deletion that was stopped goes on when it is called again.
docs/backup.md says what stays: the numbers of the ledger, without a name, and for how long copies and logs do.";

/// Writes everything of an owner into a zip.
pub fn export(workspace: &Workspace, target: &Target, owner: &str, to: &Path, files: bool) -> anyhow::Result<()> {
    let to = std::path::absolute(to).context("resolve the path of the export")?;
    let path = to.to_str().context("the path of the export is not UTF-8")?;
    let mut arguments = vec!["owner-export"];
    if files {
        arguments.push("--files");
    }
    // An owner's id may begin with a dash.
    arguments.extend(["--", owner, path]);
    let counts = target.stack(workspace)?.call("the export", &arguments, "")?;
    for (name, lines) in counts.as_object().into_iter().flatten() {
        println!("{}", visible::line(&format!("{name}: {lines}")));
    }
    Ok(())
}

/// Counts everything of an owner, and deletes it if their id is given as confirmation.
pub fn delete(
    workspace: &Workspace,
    target: &Target,
    owner: &str,
    confirm: Option<&str>,
    quiet_for: Duration,
) -> anyhow::Result<()> {
    let quiet = format!("--quiet-seconds={}", quiet_for.as_secs());
    let confirmed = confirm.map(|confirm| format!("--confirm={confirm}"));
    let mut arguments = vec!["owner-delete", quiet.as_str()];
    arguments.extend(confirmed.as_deref());
    arguments.extend(["--", owner]);
    let done = target.stack(workspace)?.call("the deletion", &arguments, "")?;
    for (name, count) in done["counts"].as_object().into_iter().flatten() {
        println!("{}", visible::line(&format!("{name}: {count}")));
    }
    for id in done["under_way"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        println!("{}", visible::line(&format!("under way, or changed a moment ago: {id}")));
    }
    if done["audit"].is_object() {
        println!("{}", visible::json(&done["audit"]));
    } else {
        ui::say("\nNothing was changed. To delete all of it, add --confirm with the owner's id.");
    }
    Ok(())
}
