//! `cargo xtask demo`: makes one video or some clips on a stack, from the request to the files and a verified webhook, and
//! shows them.

mod clips;
mod film;
mod job;
mod outcome;
mod player;
mod scenes;

use reelhook_terminal::arguments::Pair;

use crate::instance::{Instance, Run};
use crate::up::Options;
use crate::workspace::Workspace;
use crate::{interrupt, logs, up};

/// What a demo makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The video of a job.
    Job,
    /// The video of a project of scenes.
    Scenes,
    /// The clips of a film.
    Clips,
}

impl Subject {
    /// The settings of the stack, in addition to the defaults.
    pub fn settings(self) -> Vec<Pair> {
        match self {
            Self::Job => Vec::new(),
            Self::Scenes => vec![Pair("WEBHOOK_EVENTS".to_owned(), scenes::EVENTS.to_owned())],
            Self::Clips => vec![Pair("WEBHOOK_EVENTS".to_owned(), clips::EVENTS.to_owned())],
        }
    }
}

/// Runs a demo; `keep` keeps the stack running.
pub fn run(
    workspace: &Workspace,
    instance: Instance,
    options: &Options,
    keep: bool,
    subject: Subject,
) -> anyhow::Result<()> {
    let mut started = up::start(workspace, instance, options)?;
    let keeps_running = keep || !started.is_ours();
    let outcome = match subject {
        Subject::Job => job::watch(&mut started).map(|finished| job::show(&started, &finished, keeps_running)),
        Subject::Scenes => scenes::watch(&mut started).map(|finished| scenes::show(&started, &finished, keeps_running)),
        Subject::Clips => clips::watch(&mut started).map(|finished| clips::show(&started, &finished, keeps_running)),
    };
    let is_interrupted = outcome.as_ref().is_err_and(|error| error.is::<interrupt::Interrupted>());
    if outcome.is_err() && !is_interrupted {
        show_failure(&started.run);
    }
    if keep && !is_interrupted {
        started.detach()?;
    }
    outcome
}

fn show_failure(run: &Run) {
    let warnings = logs::last_warnings(&run.function_log, 10);
    if !warnings.is_empty() {
        eprintln!("\nLast warnings in the function logs:");
        warnings.iter().for_each(|line| eprintln!("  {line}"));
    }
    let paths = [&run.function_log, &run.emulator_log, &run.studio_log].map(|path| path.display().to_string());
    eprintln!("\nLogs: {}", paths.join("\n      "));
}
