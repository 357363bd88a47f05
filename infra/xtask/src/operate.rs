//! Commands on a running stack, local or on AWS (`--aws-stack`): sample events, items, stories, queues, dead letters,
//! repair.

pub mod backup;
pub mod owner;
pub mod story;

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use reelhook_terminal::arguments::Pair;
use serde_json::Value;

use crate::instance::Instance;
use crate::process::{self, MARKER};
use crate::stack::Stack;
use crate::visible;
use crate::workspace::Workspace;
use crate::{interrupt, setup, ui, up};

/// Additional help for `cargo xtask edge`.
pub const EDGE: &str = "\
Pages and links contain the address that the stack was deployed with. To use them through this one:
  cargo xtask up --detach --parameter PublicBaseUrl=http://127.0.0.1:3001
  cargo xtask edge";

/// Additional help for `cargo xtask show`.
pub const SHOW: &str = "\
Examples:
  cargo xtask show job_1795900134477_3d6bc8b9fb08e0c164172e4b181d2b9c
  cargo xtask show Counters/admission
  cargo xtask show JobEvents/job_1795900134477_3d6bc8b9fb08e0c164172e4b181d2b9c --aws-stack reelhook";

/// Additional help for `cargo xtask dashboard`.
pub const DASHBOARD: &str = "\
The picture in docs is of the stack of the end-to-end tests, near the end of `cargo xtask test --only e2e`:
  cargo xtask dashboard --instance test --hours 1
On AWS it reads CloudWatch, for $0.01 per thousand series.";

/// The stack that a command works on.
#[derive(Clone, Debug, clap::Args)]
pub struct Target {
    /// Name of the local instance
    #[arg(long, default_value = "dev")]
    instance: String,
    /// Use the stack of this name in your AWS account instead of a local instance
    #[arg(long, value_name = "NAME", conflicts_with = "instance")]
    aws_stack: Option<String>,
}

impl Target {
    fn stack(&self, workspace: &Workspace) -> anyhow::Result<Stack> {
        let python = setup::python(workspace)?.python;
        match &self.aws_stack {
            Some(name) => Ok(Stack::on_aws(workspace, python, name)),
            None => {
                let run = Instance::new(workspace, &self.instance)?.must_run()?;
                Ok(Stack::local(workspace, python, &run))
            }
        }
    }
}

/// Invokes a function with an event and prints its response.
pub fn invoke(workspace: &Workspace, target: &Target, function: &str, event: &Path) -> anyhow::Result<()> {
    // Relative to the caller's directory, not to the one that stack.py runs in.
    let event = std::path::absolute(event).context("resolve the path of the event")?;
    let event = event.to_str().context("the event's path is not UTF-8")?;
    let response = target.stack(workspace)?.call("the invocation", &["invoke", function, event], "")?;
    print(&response);
    Ok(())
}

/// Serves a local instance at one address, as infra/edge.yaml does on AWS.
pub fn edge(workspace: &Workspace, name: &str, port: u16) -> anyhow::Result<()> {
    let instance = Instance::new(workspace, name)?;
    instance.must_run()?;
    let python = setup::python(workspace)?.python;
    let mut command = workspace.command(python);
    command.arg("infra/local/edge.py").arg("--run").arg(instance.run_file()).args(["--port", &port.to_string()]);
    ui::say("Serving API, pages and live updates at one address until Ctrl-C; the instance keeps running:");
    // The marker makes it stop together with the instance.
    match process::run(command.env(MARKER, &instance.directory), "infra/local/edge.py") {
        Err(error) if error.is::<interrupt::Interrupted>() => Ok(()),
        other => other,
    }
}

/// Imports movies into the catalogue.
pub fn import(workspace: &Workspace, target: &Target, file: &Path) -> anyhow::Result<()> {
    let file = std::path::absolute(file).context("resolve the path of the file")?;
    let file = file.to_str().context("the file's path is not UTF-8")?;
    let done = target.stack(workspace)?.call("the import", &["catalog", file], "")?;
    println!("{} movies imported into {} rows", done["movies"], done["rows"]);
    Ok(())
}

/// Prints the items with a key.
pub fn show(workspace: &Workspace, target: &Target, key: &str) -> anyhow::Result<()> {
    let found = target.stack(workspace)?.call("reading the item", &["show", key], "")?;
    for one in found.as_array().into_iter().flatten() {
        println!("{}", visible::line(one["table"].as_str().unwrap_or_default()));
        print(&one["item"]);
    }
    Ok(())
}

/// Examines a stack; the messages say what is wrong with it and what to do.
pub fn doctor(workspace: &Workspace, target: &Target, config_env: &str) -> anyhow::Result<()> {
    let counts = target.stack(workspace)?.call("the examination", &["doctor", "--config-env", config_env], "")?;
    println!("{} checks are well, {} have a note", counts["ok"], counts["note"]);
    Ok(())
}

/// Moves dead letters back to their source queues, or what the job inbox refused back to it.
pub fn redrive(workspace: &Workspace, target: &Target, refused: bool) -> anyhow::Result<()> {
    let arguments: &[&str] = if refused { &["redrive", "--refused"] } else { &["redrive"] };
    let moved = target.stack(workspace)?.call("the redrive", arguments, "")?;
    for (queue, count) in moved.as_object().into_iter().flatten() {
        println!("{}", visible::line(&format!("{queue}: {count} moved back")));
    }
    Ok(())
}

/// Makes `fanout` create the deliveries of lost stream records.
pub fn repair(workspace: &Workspace, target: &Target, since: Duration) -> anyhow::Result<()> {
    let since = SystemTime::now().checked_sub(since).context("--since is too long ago")?;
    let since_ms = since.duration_since(SystemTime::UNIX_EPOCH).context("--since is before 1970")?.as_millis();
    let arguments = ["repair", "--since-ms", &since_ms.to_string()];
    let sums = target.stack(workspace)?.call("the repair", &arguments, "")?;
    for (name, count) in sums.as_object().into_iter().flatten() {
        println!("{}", visible::line(&format!("{name}: {count}")));
    }
    Ok(())
}

/// Draws the dashboard's numbers.
pub fn dashboard(workspace: &Workspace, target: &Target, hours: u32, out: &Path) -> anyhow::Result<()> {
    let file = std::path::absolute(out).context("resolve the path of the picture")?;
    let file = file.to_str().context("the picture's path is not UTF-8")?;
    let arguments = ["dashboard", file, "--hours", &hours.to_string()];
    let drawn = target.stack(workspace)?.call("drawing the dashboard", &arguments, "")?;
    println!("{}: {} of {} series have values", out.display(), drawn["with_values"], drawn["series"]);
    Ok(())
}

/// Prints the depth of each queue.
pub fn queues(workspace: &Workspace, target: &Target) -> anyhow::Result<()> {
    let depths = target.stack(workspace)?.call("reading the queue depths", &["queues"], "")?;
    println!("{:<28} {:>8} {:>8} {:>10}", "queue", "waiting", "delayed", "in flight");
    for (queue, counts) in depths.as_object().into_iter().flatten() {
        let count = |name: &str| counts[name].as_u64().unwrap_or_default();
        println!("{queue:<28} {:>8} {:>8} {:>10}", count("waiting"), count("delayed"), count("in_flight"));
    }
    Ok(())
}

/// Stores secrets of a stack on AWS and generates the missing ones.
pub fn secrets(workspace: &Workspace, name: &str, path: &str, given: &[Pair]) -> anyhow::Result<()> {
    let python = setup::python(workspace)?.python;
    let mut secrets = up::generated_secrets();
    // This key comes from Creatomate.
    secrets.remove("CREATOMATE_API_KEY");
    secrets.extend(given.iter().map(|Pair(name, value)| (name.clone(), Value::from(value.as_str()))));
    let input = Value::from_iter(secrets).to_string();
    let done =
        Stack::on_aws(workspace, python, name).call("storing the secrets", &["secrets", "--path", path], &input)?;
    for (name, outcome) in done.as_object().into_iter().flatten() {
        println!("{path}/{name}: {}", outcome["action"].as_str().unwrap_or_default());
    }
    println!("Read one with: aws ssm get-parameter --with-decryption --name {path}/API_KEYS");
    Ok(())
}

/// Prints a response of a function, which may contain text from callers.
fn print(value: &Value) {
    println!("{}", visible::json(value));
}
