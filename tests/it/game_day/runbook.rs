//! The runbook's own commands, read from its pages and run on the local stack.

use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;

use crate::documents::{block, root};
use crate::stack::Stack;

/// How long a command of the runbook may take.
const TIMEOUT: Duration = Duration::from_secs(90);
/// `aws` and `cargo xtask`, on the local stack: with `--aws-stack NAME` a command would work on an account of AWS.
const LOCAL: &str = r#"
set -uo pipefail
aws() { "$PYTHON" infra/local/aws.py "$@"; }
cargo() {
  local words=()
  shift
  while (($#)); do
    case "$1" in
      --aws-stack) words+=(--instance "$INSTANCE"); shift ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  "$REELHOOK_XTASK" "${words[@]}"
}
"#;

/// Runs a block of a page with these variables, and returns what it printed. A shell in which people paste a block goes
/// on after a command that failed, so this one does too: the status of the last command is that of the block.
pub async fn run(stack: &Stack, document: &str, name: &str, variables: &[(&str, &str)]) -> String {
    shell(stack, &block(document, name).1, variables).await
}

/// Runs commands of a test, up to the first that fails.
pub async fn script(stack: &Stack, commands: &str, variables: &[(&str, &str)]) -> String {
    shell(stack, &format!("set -e\n{commands}"), variables).await
}

/// Runs commands in a shell that has the functions of the runbook's index.
async fn shell(stack: &Stack, commands: &str, variables: &[(&str, &str)]) -> String {
    let run = PathBuf::from(std::env::var_os("REELHOOK_RUN").expect("REELHOOK_RUN names a run.json"));
    let instance = run.parent().and_then(|folder| folder.file_name()).expect("a folder of the instance");
    let functions = block("docs/runbook/README.md", "shell").1;
    let mut command = Command::new("bash");
    command.arg("-c").arg(format!("{LOCAL}\n{functions}\n{commands}\n")).current_dir(root());
    command.env("PYTHON", stack.local.join("venv/bin/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("INSTANCE", instance).env("STACK", &stack.aws.stack);
    command.env("AWS_ENDPOINT_URL", &stack.aws.endpoint).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("no_proxy", "*").env("NO_PROXY", "*").envs(variables.iter().copied());
    assert!(std::env::var_os("REELHOOK_XTASK").is_some(), "REELHOOK_XTASK names the binary of `cargo xtask`");
    let output = tokio::time::timeout(TIMEOUT, command.kill_on_drop(true).output()).await;
    let output = output.unwrap_or_else(|_| panic!("still running: {commands}")).expect("bash runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{commands}\n{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}
