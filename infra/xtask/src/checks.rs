//! `cargo xtask test`: runs the checks that CI runs, and prints their times and a summary.

use std::time::{Duration, Instant};

use crate::workspace::Workspace;
use crate::{interrupt, ui};

use context::Context;

mod context;
mod deployed;
pub mod end_to_end;
mod first_deployment;
mod source;
pub mod template;

/// One check.
struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&mut Context) -> anyhow::Result<()>,
}

/// The checks in order: the quick ones first.
const CHECKS: [Check; 17] = [
    Check { name: "fmt", about: "Rust is formatted", run: source::fmt },
    Check {
        name: "scripts",
        about: "scripts parse, the types of the pages' scripts fit the API, and AsyncAPI accepts the messages",
        run: source::scripts,
    },
    Check {
        name: "rules",
        about: "types, ports, folders and files keep their limits, and imports make no circle",
        run: source::rules,
    },
    Check {
        name: "supply",
        about: "crates have the licences, versions and sources that deny.toml allows, and no advisory",
        run: source::supply,
    },
    Check { name: "clippy", about: "clippy reports no warning", run: source::clippy },
    Check { name: "unit", about: "tests without a stack pass", run: source::unit },
    Check { name: "receivers", about: "the receivers' example programs verify signatures", run: source::receivers },
    Check { name: "template", about: "the templates pass SAM and CloudFormation linters", run: template::lint },
    Check {
        name: "policy",
        about: "roles, queues, tables and alarms keep the architecture's rules",
        run: template::policy,
    },
    Check {
        name: "deploy",
        about: "the SAM CLI deploys the stack, and a second deployment changes nothing",
        run: first_deployment::deploy,
    },
    Check { name: "e2e", about: "tests against the deployed stack with enforced roles pass", run: deployed::e2e },
    Check {
        name: "engines",
        about: "dynalite and moto answer the requests of the end-to-end tests (e2e) as the emulator does",
        run: deployed::engines,
    },
    Check {
        name: "upgrade",
        about: "this version finishes the work that older versions stored",
        run: deployed::upgrade,
    },
    Check {
        name: "restore",
        about: "a backup of a stack is restored into a new one, where everything reads the same and goes on",
        run: deployed::restore,
    },
    Check {
        name: "prove",
        about: "short campaigns of kills and of faults of AWS lose nothing and double nothing",
        run: deployed::prove,
    },
    Check { name: "rie", about: "each bootstrap handles its sample events", run: deployed::rie },
    // Deletes rows before their time, so it comes last.
    Check { name: "soak", about: "jobs leave neither rows nor open files behind", run: deployed::soak },
];

/// The list of checks, for --help.
pub fn listing() -> String {
    let lines = CHECKS.iter().map(|check| format!("  {:<10} {}\n", check.name, check.about));
    format!("Checks, in this order:\n{}", lines.collect::<String>())
}

/// Runs the checks; stops at the first that fails, unless `keep_going`.
pub fn run(workspace: &Workspace, only: &[String], keep_going: bool) -> anyhow::Result<()> {
    if let Some(unknown) = only.iter().find(|name| CHECKS.iter().all(|check| check.name != name.as_str())) {
        anyhow::bail!("unknown check `{unknown}`\n{}", listing());
    }
    let mut context = Context::new(workspace);
    let mut outcomes: Vec<(&str, Duration, Option<anyhow::Error>)> = Vec::new();
    for check in CHECKS.iter().filter(|check| only.is_empty() || only.iter().any(|name| name == check.name)) {
        ui::say(format!("\n==> {}: {}", check.name, check.about));
        let began = Instant::now();
        let problem = (check.run)(&mut context).err();
        if problem.as_ref().is_some_and(|problem| problem.is::<interrupt::Interrupted>()) {
            return Err(interrupt::Interrupted.into());
        }
        if let Some(problem) = &problem {
            ui::say(format!("{} failed: {problem:#}", check.name));
        }
        let failed = problem.is_some();
        outcomes.push((check.name, began.elapsed(), problem));
        if failed && !keep_going {
            break;
        }
    }
    // Stops the stack before the summary, so that the summary is printed last.
    drop(context);
    summarize(&outcomes)
}

fn summarize(outcomes: &[(&str, Duration, Option<anyhow::Error>)]) -> anyhow::Result<()> {
    let failed = outcomes.iter().filter(|(_, _, problem)| problem.is_some()).count();
    println!();
    for (name, took, problem) in outcomes {
        let mark = if problem.is_some() { "FAILED" } else { "ok" };
        println!("{mark:<7} {name:<10} {:>12}", ui::seconds(*took));
    }
    for check in
        CHECKS.iter().filter(|check| outcomes.len() > 1 && outcomes.iter().all(|(name, ..)| *name != check.name))
    {
        println!("{:<7} {}", "not run", check.name);
    }
    println!("{} passed, {failed} failed", outcomes.len() - failed);
    if failed > 0 {
        // Exits here, so that the summary stays the last line.
        std::process::exit(1);
    }
    Ok(())
}
