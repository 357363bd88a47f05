//! What a deployment to AWS needs besides `sam deploy`: preflight checks, the layer, and a smoke test of the deployed
//! stack.

use std::fs;

use anyhow::Context as _;
use reelhook_terminal::arguments::Pair;
use serde_json::Value;

use crate::instance::Instance;
use crate::package::Architecture;
use crate::stack::Stack;
use crate::workspace::Workspace;
use crate::{process, setup, ui};

/// The stack that a command works on: one on AWS, unless a local instance is named.
#[derive(Clone, Debug, clap::Args)]
pub struct AwsTarget {
    /// Name of the stack in your AWS account
    #[arg(long, value_name = "NAME", default_value = "reelhook")]
    stack: String,
    /// Use a local instance instead of your AWS account, as a rehearsal
    #[arg(long, value_name = "NAME", conflicts_with = "stack")]
    instance: Option<String>,
}

impl AwsTarget {
    fn stack(&self, workspace: &Workspace) -> anyhow::Result<Stack> {
        let python = setup::python(workspace)?.python;
        match &self.instance {
            None => Ok(Stack::on_aws(workspace, python, &self.stack)),
            Some(name) => {
                let run = Instance::new(workspace, name)?.must_run()?;
                Ok(Stack::local(workspace, python, &run))
            }
        }
    }
}

/// A deployment that is to come, as `sam deploy` names it.
#[derive(Clone, Debug, clap::Args)]
pub struct Deployment {
    /// Environment of samconfig.toml that you deploy with, for example `small`
    #[arg(long, value_name = "NAME", default_value = "default")]
    config_env: String,
    /// A parameter of template.yaml that you deploy with; may be repeated
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<Pair>,
    #[command(flatten)]
    target: AwsTarget,
}

impl Deployment {
    /// Runs a command of stack.py about it.
    fn call(&self, workspace: &Workspace, what: &str, command: &[&str]) -> anyhow::Result<Value> {
        let parameters: Vec<String> =
            self.parameters.iter().map(|Pair(name, value)| format!("{name}={value}")).collect();
        let mut arguments = command.to_vec();
        arguments.extend(["--config-env", self.config_env.as_str()]);
        for parameter in &parameters {
            arguments.extend(["--parameter", parameter.as_str()]);
        }
        self.target.stack(workspace)?.call(what, &arguments, "")
    }
}

/// Checks whether a deployment would succeed.
pub fn preflight(workspace: &Workspace, deployment: &Deployment) -> anyhow::Result<()> {
    let found = deployment.call(workspace, "the preflight", &["preflight"])?;
    println!("Deploy with: {}", found["deploy"].as_str().unwrap_or("sam deploy"));
    Ok(())
}

/// How traffic moves from the deployed version of each function to the new one, as CodeDeploy names it.
const SHIFTS: [&str; 8] = [
    "Canary10Percent5Minutes",
    "Canary10Percent10Minutes",
    "Canary10Percent15Minutes",
    "Canary10Percent30Minutes",
    "Linear10PercentEvery1Minute",
    "Linear10PercentEvery2Minutes",
    "Linear10PercentEvery3Minutes",
    "Linear10PercentEvery10Minutes",
];

/// Additional help for `cargo xtask release`.
pub const RELEASE: &str = "\
Example, for a stack that exists and has alarms; docs/deployment.md says what shifts and what does not:
  cargo xtask package
  cargo xtask release --shift Linear10PercentEvery1Minute
  sam deploy --template-file release.json";

/// A release whose traffic shifts gradually.
#[derive(Clone, Debug, clap::Args)]
pub struct Release {
    /// How traffic moves to the new version: a tenth first and the rest after some minutes, or a tenth at a time
    #[arg(long, value_name = "NAME", default_value = SHIFTS[0], value_parser = SHIFTS)]
    shift: String,
    #[command(flatten)]
    deployment: Deployment,
}

/// Writes a template whose functions have aliases, and prints the command that deploys it.
pub fn release(workspace: &Workspace, options: &Release) -> anyhow::Result<()> {
    let written = options.deployment.call(workspace, "the release", &["release", "--shift", &options.shift])?;
    println!("Deploy with: {}", written["deploy"].as_str().unwrap_or("sam deploy --template-file release.json"));
    Ok(())
}

/// How the layer is built and where it is published.
#[derive(Clone, Debug, clap::Args)]
pub struct Layer {
    /// Processor architecture, as in the template parameter Architecture
    #[arg(long, value_enum, default_value_t = Architecture::Arm64)]
    arch: Architecture,
    /// Your S3 bucket for the upload; by default SAM's bucket, or a temporary one
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
    /// Name of the layer
    #[arg(long, value_name = "NAME", default_value = "reelhook-render")]
    name: String,
    #[command(flatten)]
    target: AwsTarget,
}

/// Builds the layer with ffmpeg and the fonts, publishes it through S3, and prints the template parameter for it.
pub fn layer(workspace: &Workspace, options: &Layer) -> anyhow::Result<()> {
    let python = setup::python(workspace)?.python;
    let stack = options.target.stack(workspace)?;
    let architecture = options.arch.name();
    let file = workspace.local().join(format!("layer-{architecture}.zip"));
    let path = file.to_str().context("the checkout's path is not UTF-8")?;
    fs::create_dir_all(workspace.local()).context("create .local")?;
    ui::say(format!("Building the layer with ffmpeg and the fonts for {architecture} (a minute or two) ..."));
    let mut build = workspace.command(workspace.root.join("infra/layer.sh"));
    // The system's Python often lacks pip; the virtual environment's has it.
    process::run(build.args([architecture, path]).env("PYTHON", python), "infra/layer.sh")?;
    let mut arguments = vec!["layer", path, "--arch", architecture, "--name", options.name.as_str()];
    if let Some(bucket) = &options.bucket {
        arguments.extend(["--bucket", bucket.as_str()]);
    }
    let published = stack.call("publishing the layer", &arguments, "")?;
    let parameter = published["parameter"].as_str().context("publishing the layer: stack.py returned no parameter")?;
    println!("{parameter}");
    ui::say(format!(
        "\nDeploy with it once; the stack keeps the parameter:\n  sam deploy --parameter-overrides {parameter}"
    ));
    Ok(())
}

/// Finds the resources that a deleted stack retained, and prints how to import them into a new one.
pub fn retained(workspace: &Workspace, target: &AwsTarget, resources: &[Pair]) -> anyhow::Result<()> {
    let named: Vec<String> = resources.iter().map(|Pair(name, id)| format!("{name}={id}")).collect();
    let mut arguments = vec!["retained"];
    for resource in &named {
        arguments.extend(["--resource", resource.as_str()]);
    }
    let found = target.stack(workspace)?.call("the search for retained resources", &arguments, "")?;
    for (name, id) in found["found"].as_object().into_iter().flatten() {
        println!("{name:<12} {}", id.as_str().unwrap_or_default());
    }
    let file = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    let (template, listed) = (file("template"), file("resources"));
    let change = format!("--stack-name {} --change-set-name retained", target.stack);
    println!(
        "
Import them into a new stack, then deploy the rest with the old stack's parameters:
  aws cloudformation create-change-set {change} --change-set-type IMPORT \\
    --template-body file://{template} --resources-to-import file://{listed}
  aws cloudformation wait change-set-create-complete {change}
  aws cloudformation execute-change-set {change}
  aws cloudformation wait stack-import-complete --stack-name {}
  sam deploy --stack-name {}",
        target.stack, target.stack
    );
    Ok(())
}

/// Makes a video and a job on the stack, and verifies their webhooks.
pub fn smoke(workspace: &Workspace, target: &AwsTarget, key: &str) -> anyhow::Result<()> {
    print(&target.stack(workspace)?.smoke(key)?)
}

fn print(value: &Value) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value).context("print the result")?);
    Ok(())
}
