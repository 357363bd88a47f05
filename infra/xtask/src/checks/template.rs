//! Checks of template.yaml and infra/edge.yaml: the linters' and our own.

use std::env;
use std::path::PathBuf;

use super::context::Context;
use crate::{process, setup};

/// `sam validate --lint`, and cfn-lint on both templates and on what CloudFormation is given: a cycle shows only there.
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
    let transformed = transform(context)?;
    let mut lint = workspace.command(bin.join("cfn-lint"));
    process::run(lint.args(["template.yaml", "infra/edge.yaml"]), "cfn-lint template.yaml infra/edge.yaml")?;
    let mut lint = workspace.command(bin.join("cfn-lint"));
    // W2001, a parameter that is not used: the transform puts some parameters' values in; in the source all are checked.
    lint.args(["--ignore-checks", "W2001", "--"]).arg(&transformed);
    process::run(&mut lint, "cfn-lint on the transformed template")
}

/// What the architecture promises and no linter knows.
pub fn policy(context: &mut Context) -> anyhow::Result<()> {
    let transformed = transform(context)?;
    let tools = setup::lint(context.workspace)?;
    let mut check = context.workspace.command(&tools.python);
    process::run(check.arg("infra/local/check_template.py").arg(transformed), "the policy check")
}

fn transform(context: &Context) -> anyhow::Result<PathBuf> {
    let tools = setup::lint(context.workspace)?;
    let output = context.workspace.local().join("transformed.json");
    let mut transform = context.workspace.command(&tools.python);
    transform.args(["infra/local/transform_template.py", "template.yaml"]).arg(&output);
    process::run(&mut transform, "the SAM transform")?;
    Ok(output)
}
