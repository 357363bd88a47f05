//! Checks of the source code, which need no stack.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;

use super::context::Context;
use crate::workspace::{Workspace, on_path};
use crate::{process, proof, rules, setup};

/// The package whose tests need a deployed stack.
pub const END_TO_END: &str = "reelhook-tests";
/// Directories with Python code.
const PYTHON: [&str; 6] =
    ["infra/clients", "infra/engines", "infra/local", "infra/verify", "docs/receivers", "examples"];

pub fn fmt(context: &mut Context) -> anyhow::Result<()> {
    process::run(context.workspace.cargo().args(["fmt", "--all", "--check"]), "cargo fmt")
}

/// Checks sizes and imports, and prints the five largest of each kind.
pub fn rules(context: &mut Context) -> anyhow::Result<()> {
    rules::run(context.workspace, 5)
}

/// Checks what comes from others: crates, by deny.toml.
pub fn supply(context: &mut Context) -> anyhow::Result<()> {
    proof::supply::check(context.workspace)
}

pub fn clippy(context: &mut Context) -> anyhow::Result<()> {
    let mut command = context.workspace.cargo();
    process::run(command.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]), "cargo clippy")
}

pub fn unit(context: &mut Context) -> anyhow::Result<()> {
    let tools = setup::stack(context.workspace)?;
    let mut command = context.workspace.cargo();
    // Tests of the mock services and of the renderer make videos.
    command
        .env("STUDIO_FFMPEG", &tools.ffmpeg)
        .env("REELHOOK_FFMPEG", &tools.ffmpeg)
        .env("REELHOOK_FONTS", &tools.fonts);
    if on_path("cargo-nextest").is_some() {
        // A filter selects the tests: excluding the package would build dependencies with other features.
        let filter = format!("not package({END_TO_END})");
        command.args(["nextest", "run", "--workspace", "--no-fail-fast", "-E", &filter]);
    } else {
        command.args(["test", "--workspace", "--no-fail-fast", "--exclude", END_TO_END]);
    }
    process::run(&mut command, "unit tests")
}

/// Checks the scripts' syntax and the types of the pages' scripts, and runs the tests of infra/local. Other checks execute
/// the scripts.
pub fn scripts(context: &mut Context) -> anyhow::Result<()> {
    let workspace = context.workspace;
    process::run(workspace.command("bash").args(["-n", ".ci/run"]), "bash -n .ci/run")?;
    let python = setup::python(workspace)?.python;
    let mut command = workspace.command(&python);
    // Parsed in memory, so that no files are written to the checkout.
    command.args(["-c", "import ast, sys\nfor p in sys.argv[1:]: ast.parse(open(p, encoding='utf-8').read(), p)"]);
    process::run(command.args(files(workspace, &PYTHON, "py")?), "parsing the Python files")?;
    for directory in ["infra/local", "infra/engines"] {
        let mut command = workspace.command(&python);
        command.args(["-m", "unittest", "discover", "--start-directory", directory, "--pattern", "test_*.py"]);
        process::run(command.env("PYTHONDONTWRITEBYTECODE", "1"), &format!("tests of {directory}"))?;
    }
    let node = on_path("node").context("node is missing: install Node.js 20 or later")?;
    for script in files(workspace, &["infra/clients", "infra/verify", "docs/receivers", "examples"], "mjs")? {
        process::run(workspace.command(&node).arg("--check").arg(script), "node --check")?;
    }
    setup::clients(workspace)?;
    let mut command = workspace.command(&node);
    command.args(["infra/clients/asyncapi.mjs", "docs/contract/asyncapi.json"]);
    process::run(&mut command, "the description of messages")?;
    let (npm, browser) = setup::browser(workspace)?;
    let mut command = workspace.command(npm);
    process::run(command.args(["run", "--silent", "types"]).current_dir(browser), "types of the pages' scripts")
}

/// Checks that the programs of infra/verify start and refuse an unsigned delivery, that the code of docs/receivers
/// verifies its test vectors as the official libraries do, and that its servers respond correctly.
pub fn receivers(context: &mut Context) -> anyhow::Result<()> {
    let tools = setup::stack(context.workspace)?;
    let delivery = r#"{"headers": {"x-streamgank-signature": "sha256=00"}, "body_base64": "e30=", "secret": "s"}"#;
    for (program, script) in [(&tools.node, "verify.mjs"), (&tools.python, "verify.py")] {
        let mut command = context.workspace.command(program);
        command.arg(tools.verify.join(script));
        let line = process::output(&mut command, format!("{delivery}\n").as_bytes(), script)?;
        let result: Value =
            serde_json::from_str(&line).with_context(|| format!("the output of {script} is not JSON: {line}"))?;
        anyhow::ensure!(result["ok"] == false, "{script} accepted a wrong signature: {line}");
    }
    let (node, python, verify) = (tools.node.as_os_str(), tools.python.as_os_str(), tools.verify.as_os_str());
    let snippets: [(&OsStr, &str, &[&OsStr]); 5] = [
        (python, "vectors.py", &["--check".as_ref()]),
        (python, "check.py", &["--official".as_ref()]),
        (node, "check.mjs", &[verify]),
        (python, "check_server.py", &[node, "server.mjs".as_ref()]),
        (python, "check_server.py", &[python, "server.py".as_ref()]),
    ];
    for (program, script, arguments) in snippets {
        let script = format!("docs/receivers/{script}");
        process::run(context.workspace.command(program).arg(&script).args(arguments), &script)?;
    }
    Ok(())
}

/// The files with this extension below these directories, without those of installed packages.
fn files(workspace: &Workspace, directories: &[&str], extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = directories.iter().map(|name| workspace.root.join(name)).collect();
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).with_context(|| format!("list {}", directory.display()))?.flatten() {
            let path = entry.path();
            if path.ends_with("node_modules") {
                continue;
            }
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
