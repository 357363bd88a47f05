//! Commands on a running stack: sample events, dead letters, repair, queues. Local, or on AWS with `--aws-stack`.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use serde_json::Value;

use crate::instance::Instance;
use crate::pair::Pair;
use crate::process::{self, MARKER};
use crate::stack::Stack;
use crate::visible;
use crate::workspace::Workspace;
use crate::{interrupt, setup, ui, up};

/// Options of `cargo xtask edge`.
pub const EDGE: &str = "\
Pages and links name the address that the stack was deployed for. To use them through this one:
  cargo xtask up --detach --parameter PublicBaseUrl=http://127.0.0.1:3001
  cargo xtask edge";

/// Which stack a command is for.
#[derive(Clone, Debug, clap::Args)]
pub struct Target {
    /// The local instance
    #[arg(long, default_value = "dev")]
    instance: String,
    /// The stack of this name in your AWS account, in place of a local instance
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

/// Sends a sample event to a function and prints its answer.
pub fn invoke(workspace: &Workspace, target: &Target, function: &str, event: &Path) -> anyhow::Result<()> {
    // From where the person is, not from where stack.py runs.
    let event = std::path::absolute(event).context("find the event's file")?;
    let event = event.to_str().context("the event's path is no UTF-8")?;
    let answer = target.stack(workspace)?.call("the invocation", &["invoke", function, event], "")?;
    print(&answer);
    Ok(())
}

/// Serves a local instance behind one address: the stand-in for infra/edge.yaml.
pub fn edge(workspace: &Workspace, name: &str, port: u16) -> anyhow::Result<()> {
    let instance = Instance::new(workspace, name)?;
    instance.must_run()?;
    let python = setup::python(workspace)?.python;
    let mut command = workspace.command(python);
    command.arg("infra/local/edge.py").arg("--run").arg(instance.run_file()).args(["--port", &port.to_string()]);
    ui::say("API, pages and live updates at one address; Ctrl-C ends it, the instance runs on:");
    // Marked as the instance's, so that it does not outlive it.
    match process::run(command.env(MARKER, &instance.directory), "the edge") {
        Err(error) if error.is::<interrupt::Interrupted>() => Ok(()),
        other => other,
    }
}

/// Loads movies into the catalogue.
pub fn import(workspace: &Workspace, target: &Target, file: &Path) -> anyhow::Result<()> {
    let file = std::path::absolute(file).context("find the file")?;
    let file = file.to_str().context("the file's path is no UTF-8")?;
    let done = target.stack(workspace)?.call("the import", &["catalog", file], "")?;
    println!("{} movies on {} shelves", done["movies"], done["rows"]);
    Ok(())
}

/// Moves dead letters back to their queues.
pub fn redrive(workspace: &Workspace, target: &Target) -> anyhow::Result<()> {
    let moved = target.stack(workspace)?.call("the redrive", &["redrive"], "")?;
    for (queue, count) in moved.as_object().into_iter().flatten() {
        println!("{}", visible::line(&format!("{queue}: {count} moved back")));
    }
    Ok(())
}

/// Has fanout make what a lost stream never made.
pub fn repair(workspace: &Workspace, target: &Target, since: Duration) -> anyhow::Result<()> {
    let since = SystemTime::now().checked_sub(since).context("that is before all time")?;
    let since_ms = since.duration_since(SystemTime::UNIX_EPOCH).context("that is before 1970")?.as_millis();
    let arguments = ["repair", "--since-ms", &since_ms.to_string()];
    let sums = target.stack(workspace)?.call("the repair", &arguments, "")?;
    for (name, count) in sums.as_object().into_iter().flatten() {
        println!("{}", visible::line(&format!("{name}: {count}")));
    }
    Ok(())
}

/// How much waits in each queue.
pub fn queues(workspace: &Workspace, target: &Target) -> anyhow::Result<()> {
    let depths = target.stack(workspace)?.call("asking the queues", &["queues"], "")?;
    println!("{:<28} {:>8} {:>8} {:>10}", "queue", "waiting", "delayed", "in flight");
    for (queue, counts) in depths.as_object().into_iter().flatten() {
        let count = |name: &str| counts[name].as_u64().unwrap_or_default();
        println!("{queue:<28} {:>8} {:>8} {:>10}", count("waiting"), count("delayed"), count("in_flight"));
    }
    Ok(())
}

/// Stores settings of a stack on AWS; secrets that are not there are generated.
pub fn secrets(workspace: &Workspace, name: &str, path: &str, given: &[Pair]) -> anyhow::Result<()> {
    let python = setup::python(workspace)?.python;
    let mut wanted = up::generated_secrets();
    // Creatomate gives that one.
    wanted.remove("CREATOMATE_API_KEY");
    wanted.extend(given.iter().map(|Pair(name, value)| (name.clone(), Value::from(value.as_str()))));
    let input = Value::from_iter(wanted).to_string();
    let done = Stack::on_aws(workspace, python, name).call("storing secrets", &["secrets", "--path", path], &input)?;
    for (name, what) in done.as_object().into_iter().flatten() {
        println!("{path}/{name}: {}", what["action"].as_str().unwrap_or_default());
    }
    println!("Read one with: aws ssm get-parameter --with-decryption --name {path}/API_KEYS");
    Ok(())
}

/// An answer of a function or the API, which may contain text from callers.
fn print(value: &Value) {
    println!("{}", visible::json(value));
}

/// `90s`, `30m`, `2h`, `1d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)) {
        Some(total) if total > 0 => Ok(Duration::from_secs(total)),
        _ => Err("expected a time such as 90s, 30m, 2h or 1d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse_duration(text).ok(), expected.map(Duration::from_secs), "{text}");
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        check("90s", Some(90));
        check("30m", Some(1_800));
        check("2h", Some(7_200));
        check("1d", Some(86_400));
        for wrong in ["", "2", "h", "0h", "-1h", "2w", "99999999999999999999d", "18446744073709551615d"] {
            check(wrong, None);
        }
    }
}
