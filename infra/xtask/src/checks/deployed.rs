//! Checks on a deployed stack.

use anyhow::Context as _;

use super::context::Context;
use super::end_to_end;
use crate::proof;
use crate::rie::{Configuration, Environment, sample_events};
use crate::workspace::Profile;
use crate::{json, process, setup, ui, upgrade};

/// Runs the end-to-end tests; REELHOOK_RUN is the path of the stack's run.json.
pub fn e2e(context: &mut Context) -> anyhow::Result<()> {
    // Has the compiler of the example in TypeScript.
    setup::browser(context.workspace)?;
    setup::clients(context.workspace)?;
    let program = end_to_end::build(context.workspace)?;
    let (workspace, started) = (context.workspace, context.stack()?);
    // These have stacks of their own.
    let others = ["--skip", "upgrade::", "--skip", "restored::", "--skip", "prove::"];
    let mut command = end_to_end::tests(workspace, started, &program, &others);
    // Runs the commands of documents.
    command.env("REELHOOK_XTASK", std::env::current_exe().context("the path of this program")?);
    // Parts of test names, to run only these tests.
    let names = std::env::var("REELHOOK_E2E").unwrap_or_default();
    command.args(names.split_whitespace());
    process::run(&mut command, "the end-to-end tests")
        .with_context(|| format!("see the logs in {}", started.instance.directory.display()))?;
    started.check()
}

/// Replays the requests of the end-to-end tests against other engines of DynamoDB.
pub fn engines(context: &mut Context) -> anyhow::Result<()> {
    let workspace = context.workspace;
    let log = context.stack()?.run.function_log.clone();
    proof::engines::replay(workspace, &log, proof::engines::MOST_IN_CI)
        .context("the requests are those of the end-to-end tests: `--only e2e --only engines`")
}

/// Makes a few jobs, and checks what they leave behind.
pub fn soak(context: &mut Context) -> anyhow::Result<()> {
    proof::soak::check(context.stack()?)
}

/// Restores each recording of an older version into a stack of this version, and runs the upgrade test on it.
pub fn upgrade(context: &mut Context) -> anyhow::Result<()> {
    let program = end_to_end::build(context.workspace)?;
    for recording in upgrade::recordings(context.workspace)? {
        let mut started = upgrade::stack_for(context.workspace, &recording)?;
        let mut command = end_to_end::tests(context.workspace, &started, &program, &["upgrade::"]);
        command.env("REELHOOK_RECORDING", &recording);
        process::run(&mut command, "the upgrade test")
            .with_context(|| format!("see the logs in {}", started.instance.directory.display()))?;
        started.check()?;
    }
    Ok(())
}

/// Restores a backup of a stack with every kind of job into a new stack, and checks that everything goes on there.
pub fn restore(context: &mut Context) -> anyhow::Result<()> {
    let program = end_to_end::build(context.workspace)?;
    let upgrade::Moved { mut started, recording, backup } = upgrade::moved(context.workspace)?;
    let mut command = end_to_end::tests(context.workspace, &started, &program, &["restored::"]);
    command.env("REELHOOK_RECORDING", &recording).env("REELHOOK_BACKUP", &backup);
    process::run(&mut command, "the test of the restored stack")
        .with_context(|| format!("see the logs in {}", started.instance.directory.display()))?;
    started.check()
}

/// Runs short campaigns of kills and faults on a hostile stack.
pub fn prove(context: &mut Context) -> anyhow::Result<()> {
    proof::prove::shortly(context.workspace)
}

/// Starts each bootstrap under Lambda's Runtime Interface Emulator and sends it its sample events.
pub fn rie(context: &mut Context) -> anyhow::Result<()> {
    let tools = setup::lint(context.workspace)?;
    let workspace = context.workspace;
    let functions = workspace.functions()?;
    let started = context.stack()?;
    let configurations = started.stack.call("reading the functions' configuration", &["env"], "")?;
    let answers = json::read(&workspace.root.join("events/answers.json"))?;
    for function in functions {
        let configuration = Configuration::parse(&configurations[&function]);
        let events = sample_events(workspace, &function)?;
        let log = started.instance.path(format!("rie-{function}.log"));
        let bootstrap = workspace.binaries(Profile::Debug).join(&function);
        let url = &started.run.emulator_url;
        let environment = Environment::start(workspace, &tools, &bootstrap, &configuration, url, &log)?;
        for (name, event) in &events {
            let case = format!("{function}/{}", name.trim_end_matches(".json"));
            let response = environment.invoke(event).with_context(|| format!("events/{case}"))?;
            let (found, expected) = (&response["statusCode"], &answers[&case]);
            // The end-to-end tests check which messages of an SQS event are retried.
            let matches = found == expected || expected == "given again" || expected == "streamed";
            anyhow::ensure!(matches, "events/{case}: the status is {found}, expected {expected}: {response}");
        }
        let start = environment.measured()?;
        ui::say(format!("{function:<20} {} events, INIT {:.0} ms", events.len(), start.init_ms));
    }
    Ok(())
}
