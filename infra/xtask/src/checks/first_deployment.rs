//! A first deployment as in the README: the real SAM CLI, against the unmodified emulator.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::context::Context;
use crate::http::Client;
use crate::package::Architecture;
use crate::process::{self, Group};
use crate::stack::emulator_environment;
use crate::workspace::{Profile, Workspace};
use crate::{interrupt, package, ports, setup, ui};

/// How long the emulator may take until it answers its first request.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// SAM's output if a deployment would change nothing.
const UNCHANGED: &str = "No changes to deploy";
/// The saved queries: the emulator's CloudFormation does not know `AWS::Logs::QueryDefinition`.
const UNKNOWN: &str = "  Fn::ForEach::SavedQueries:";

/// Packages the functions and deploys them twice, each time from a directory of its own, as two people would: the second
/// deployment must change nothing.
pub fn deploy(context: &mut Context) -> anyhow::Result<()> {
    let workspace = context.workspace;
    let (python, sam) = (setup::python(workspace)?.python, sam(context)?);
    let directory = workspace.local().join("first-deployment");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).context("create a directory for the deployment")?;
    workspace.build(&workspace.functions()?, Profile::Debug)?;
    let (one, another) = (directory.join("one"), directory.join("another"));
    let emulator = Emulator::start(workspace, &python, &directory)?;
    packaged(workspace, &one)?;
    check_packages(workspace, &one.join("target/lambda"))?;
    let first = emulator.sam_deploy(&sam, &one)?;
    anyhow::ensure!(!first.contains(UNCHANGED), "the first deployment changed nothing:\n{first}");
    packaged(workspace, &another)?;
    let second = emulator.sam_deploy(&sam, &another)?;
    anyhow::ensure!(second.contains(UNCHANGED), "the second deployment changed something:\n{second}");
    ui::say("The second `sam deploy` had no changes to deploy.");
    fs::remove_dir_all(&directory).context("remove the deployment's directory")
}

/// Packages the functions beside a copy of the template, so that packages for AWS are not overwritten. What describes
/// them is written as for AWS.
fn packaged(workspace: &Workspace, directory: &Path) -> anyhow::Result<()> {
    ui::step("Packaging the functions", || {
        let lambda = directory.join("target/lambda");
        package::stage(workspace, Profile::Debug, &lambda)?;
        package::describe(workspace, &workspace.functions()?, Architecture::own(), &lambda)
    })?;
    fs::copy(workspace.root.join("samconfig.toml"), directory.join("samconfig.toml")).context("copy samconfig.toml")?;
    let template = fs::read_to_string(workspace.root.join("template.yaml")).context("read template.yaml")?;
    fs::write(directory.join("template.yaml"), without(&template, UNKNOWN)?).context("write template.yaml")
}

/// Each function has the bill of materials of its crates, and a notice with each of them. One is packed into a zip, whose
/// hashes are those of its bill: debug builds are large, and all zips would take most of a minute.
fn check_packages(workspace: &Workspace, lambda: &Path) -> anyhow::Result<()> {
    let read = |name: String| fs::read_to_string(lambda.join(&name)).with_context(|| format!("read {name}"));
    let functions = workspace.functions()?;
    let packed = &functions[..1];
    package::zip(workspace, packed, lambda)?;
    let sums = read("SHA256SUMS".to_owned())?;
    for function in &functions {
        let notice = read(format!("{function}/THIRD-PARTY.txt"))?;
        let of_function = notice.starts_with(&format!("The program `{function}` of Reelhook "));
        anyhow::ensure!(of_function, "{function}/THIRD-PARTY.txt is of another function");
        let bill: Value = serde_json::from_str(&read(format!("{function}.cdx.json"))?)
            .with_context(|| format!("{function}.cdx.json is no JSON"))?;
        let described = &bill["metadata"]["component"];
        anyhow::ensure!(described["name"] == function.as_str(), "{function}.cdx.json is of another function");
        let components = bill["components"].as_array().map(Vec::as_slice).unwrap_or_default();
        let crates = components.iter().filter(|one| one["purl"].is_string());
        anyhow::ensure!(crates.clone().count() > 10, "{function}.cdx.json lists hardly any crate");
        for one in crates {
            let named = format!("{} {}", text(&one["name"]), text(&one["version"]));
            anyhow::ensure!(
                notice.contains(&format!("\n  {named}  ")),
                "{function}/THIRD-PARTY.txt lacks {named}, which {function}.cdx.json has"
            );
        }
        if packed.contains(function) {
            let digest = text(&described["hashes"][0]["content"]);
            let has_both = sums.contains(&format!("{digest}  {function}/bootstrap\n"))
                && sums.contains(&format!("  {function}.zip\n"))
                && lambda.join(format!("{function}.zip")).is_file();
            anyhow::ensure!(has_both, "SHA256SUMS has not the hashes of {function} and its zip:\n{sums}");
        }
    }
    ui::say(format!("{} functions have a notice and a bill of materials.", functions.len()));
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A template without the resource that begins with this line.
fn without(template: &str, resource: &str) -> anyhow::Result<String> {
    let begin = template.find(resource).with_context(|| format!("template.yaml has no line `{resource}`"))?;
    let rest = &template[begin..];
    // Resources are apart by an empty line.
    let end = rest.find("\n\n").map_or(rest.len(), |at| at + 1);
    Ok([&template[..begin], &rest[end..]].concat())
}

fn sam(context: &Context) -> anyhow::Result<PathBuf> {
    let python = setup::lint(context.workspace)?.python;
    Ok(python.parent().context("find the programs of the virtual environment")?.join("sam"))
}

/// The emulator as its package contains it.
struct Emulator {
    url: String,
    _group: Group,
}

impl Emulator {
    fn start(workspace: &Workspace, python: &Path, directory: &Path) -> anyhow::Result<Self> {
        let [port, _] = ports::two_free()?;
        let url = format!("http://127.0.0.1:{port}");
        let log = directory.join("emulator.log");
        let file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
        let mut command = workspace.command(python.with_file_name("ministack"));
        command.envs(emulator_environment(&url)).env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1");
        command.env("IOT_MTLS_ENABLED", "0").env("SFTP_ENABLED", "0").env("TMPDIR", directory);
        command.env("STATE_DIR", directory.join("state")).env("S3_DATA_DIR", directory.join("s3"));
        command.stdin(Stdio::null()).stdout(file.try_clone().context("open the log a second time")?).stderr(file);
        let mut group = Group::spawn(&mut command)?;
        let client = Client::new(&url, "");
        let up = interrupt::wait_for(START_TIMEOUT, Duration::from_millis(50), || {
            let ended = group.ended()?;
            anyhow::ensure!(ended.is_none(), "the emulator ended; see {}", log.display());
            Ok(client.is_up("/_ministack/health").then_some(()))
        })?;
        up.with_context(|| format!("no answer from the emulator at {url}; see {}", log.display()))?;
        Ok(Self { url, _group: group })
    }

    /// Runs `sam deploy` and returns its output.
    fn sam_deploy(&self, sam: &Path, directory: &Path) -> anyhow::Result<String> {
        let mut command = Command::new(sam);
        command.current_dir(directory).args(["deploy", "--no-confirm-changeset", "--no-progressbar"]);
        let architecture = std::env::consts::ARCH.replace("aarch64", "arm64");
        command.args(["--parameter-overrides", &format!("Architecture={architecture}")]);
        command.envs(emulator_environment(&self.url)).env("SAM_CLI_TELEMETRY", "0").env_remove("AWS_PROFILE");
        process::output(&mut command, b"", "sam deploy")
    }
}
