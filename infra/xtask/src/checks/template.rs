//! Checks of template.yaml and the other templates by linters and by our own rules.

use std::env;
use std::path::PathBuf;

use super::context::Context;
use crate::workspace::Workspace;
use crate::{process, setup};

/// The templates that people deploy.
const TEMPLATES: [&str; 3] = ["template.yaml", "infra/edge.yaml", "examples/job-inbox.yaml"];

/// Runs `sam validate --lint`, and cfn-lint on all templates and on the transformed one: only that one shows cycles.
pub fn lint(context: &mut Context) -> anyhow::Result<()> {
    let tools = setup::lint(context.workspace)?;
    let workspace = context.workspace;
    let bin = tools.python.parent().map(PathBuf::from).unwrap_or_default();
    let mut sam = workspace.command(bin.join("sam"));
    sam.args(["validate", "--lint", "--template-file", "template.yaml"]);
    sam.env("SAM_CLI_TELEMETRY", "0").env_remove("AWS_ENDPOINT_URL");
    if env::var_os("AWS_REGION").or_else(|| env::var_os("AWS_DEFAULT_REGION")).is_none() {
        sam.env("AWS_DEFAULT_REGION", "us-east-1");
    }
    process::run(&mut sam, "sam validate --lint")?;
    let transformed = transform(workspace)?;
    let mut lint = workspace.command(bin.join("cfn-lint"));
    process::run(lint.args(TEMPLATES), "cfn-lint on the templates")?;
    let mut lint = workspace.command(bin.join("cfn-lint"));
    // W2001, W7001 (unused parameter, unused mapping): the transforms replace some by their values; the source is checked
    // for both.
    lint.args(["--ignore-checks", "W2001", "W7001", "--"]).arg(&transformed);
    process::run(&mut lint, "cfn-lint on the transformed template")
}

/// Checks the architecture's rules, which no linter knows.
pub fn policy(context: &mut Context) -> anyhow::Result<()> {
    let transformed = transform(context.workspace)?;
    let tools = setup::lint(context.workspace)?;
    let mut check = context.workspace.command(&tools.python);
    process::run(check.arg("infra/local/check_template.py").arg(transformed), "the policy check")
}

/// Applies both transforms of template.yaml, and returns the path of the result.
pub fn transform(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let tools = setup::lint(workspace)?;
    let output = workspace.local().join("transformed.json");
    let mut transform = workspace.command(&tools.python);
    transform.args(["infra/local/transform_template.py", "template.yaml"]).arg(&output);
    process::run(&mut transform, "the transforms of template.yaml")?;
    Ok(output)
}
