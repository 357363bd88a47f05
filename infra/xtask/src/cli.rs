//! The command line: every command, its options and its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use reelhook_terminal::arguments::{Pair, parse_duration};

use crate::instance::Instance;
use crate::operate::{self, Target};
use crate::ports::RequestedPorts;
use crate::up::{self, Options};
use crate::workspace::{Profile, Workspace};
use crate::{bench, checks, demo, deployment, logs, openapi, package, proof, rules, setup, simulate, upgrade};

/// Build, test, run and deploy Reelhook from this checkout.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one job, a project of scenes, or a job of clips, from the request to finished videos and a verified webhook
    Demo {
        /// Make a video of three scenes, each of which starts from the last frame of the one before, instead of a job
        #[arg(long, conflicts_with = "clips")]
        scenes: bool,
        /// Cut vertical clips out of a film that is made for it, instead of a job
        #[arg(long)]
        clips: bool,
        /// Name of the instance; its files are in .local/NAME
        #[arg(long, default_value = "demo")]
        instance: String,
        /// Keep the stack running afterwards, for your own requests
        #[arg(long)]
        keep: bool,
        #[command(flatten)]
        ports: RequestedPorts,
        /// Speed of the mock services, as a multiple of their usual speed
        #[arg(long, default_value_t = 1.0)]
        speed: f64,
    },
    /// Start a local stack, deploy template.yaml to it, and follow its log until Ctrl-C
    Up(Up),
    /// Stop a local stack
    Down {
        /// Name of the instance
        #[arg(long, default_value = "dev")]
        instance: String,
    },
    /// Show the function logs of a local stack
    Logs {
        /// Show only this function, for example `job-status`
        function: Option<String>,
        /// Name of the instance
        #[arg(long, default_value = "dev")]
        instance: String,
        /// Keep printing new lines until Ctrl-C
        #[arg(long, short)]
        follow: bool,
        /// Show only lines that contain this text, for example a job id
        #[arg(long, value_name = "TEXT")]
        grep: Option<String>,
    },
    /// Serve a local stack at one address, as infra/edge.yaml does on AWS, until Ctrl-C
    #[command(after_help = operate::EDGE)]
    Edge {
        /// Name of the instance
        #[arg(long, default_value = "dev")]
        instance: String,
        /// Port to listen on; 0 for any free port
        #[arg(long, default_value_t = 3001)]
        port: u16,
    },
    /// Invoke a function with an event and print its response
    Invoke {
        /// The function's crate, for example `generate`
        function: String,
        /// JSON file with the event, for example one of events/generate/
        event: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Print any item of any table, readable: stored forms are expanded, secrets are hidden
    #[command(after_help = operate::SHOW)]
    Show {
        /// An id, for example of a job, a project, a clip job or a delivery; or TABLE/PARTITION or TABLE/PARTITION/SORT
        key: String,
        #[command(flatten)]
        target: Target,
    },
    /// Print what happened to a job, a project, a clip job or a delivery: its log, live events, webhooks with their
    /// attempts, and the functions' lines, as one timeline
    #[command(after_help = operate::story::ABOUT)]
    Story(operate::story::Options),
    /// Draw the numbers of the dashboard as a picture
    #[command(after_help = operate::DASHBOARD)]
    Dashboard {
        /// How many hours to look back
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=168))]
        hours: u32,
        /// The picture
        #[arg(long, default_value = "docs/dashboard.svg", value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Show the depth of each queue
    Queues {
        #[command(flatten)]
        target: Target,
    },
    /// Move the messages of every dead-letter queue back to its source queue
    Redrive {
        /// Send what the job inbox refused to it again, instead: after a change of what refused it
        #[arg(long)]
        refused: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Examine a stack and say what to do: quotas, secrets, layer, catalogue, address, alarms and their topic, queues,
    /// drift. It changes nothing
    Doctor {
        /// Environment of samconfig.toml that the stack was deployed with, for example `small`
        #[arg(long, value_name = "NAME", default_value = "default")]
        config_env: String,
        #[command(flatten)]
        target: Target,
    },
    /// Create the deliveries that are missing because stream records were lost; existing ones stay unchanged
    Repair {
        /// How far back to look, for example 2h
        #[arg(long, value_parser = parse_duration, value_name = "TIME")]
        since: Duration,
        #[command(flatten)]
        target: Target,
    },
    /// Copy what a stack has stored, without its secrets, into a new directory
    #[command(after_help = operate::backup::ABOUT)]
    Backup {
        /// New directory for the backup, which contains what clients sent
        #[arg(long, value_name = "DIRECTORY")]
        to: PathBuf,
        /// Copy tables and files as they were at this time, for example 2026-01-31T12:00:00Z; by default as they are
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Leave out the files in the bucket
        #[arg(long)]
        without_files: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Copy a backup into a new stack, where what was under way goes on
    Restore {
        /// Directory of the backup
        directory: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Export or delete everything that a stack has stored about one owner
    Owner {
        #[command(subcommand)]
        command: Owner,
    },
    /// Run every check that CI runs, from formatting to end-to-end tests
    #[command(after_help = checks::listing())]
    Test {
        /// Run only this check; may be repeated
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// Continue after a check fails
        #[arg(long)]
        keep_going: bool,
    },
    /// Report the sizes of types, ports, folders and files, and the imports of files and rooms; fail above a limit
    Rules {
        /// Print this many of each kind
        #[arg(long, default_value_t = 10, value_name = "NUMBER")]
        top: usize,
    },
    /// Write the API's description (OpenAPI) from the types of its requests and answers
    Openapi {
        /// Compare the written description instead, and fail if it is not up to date
        #[arg(long)]
        check: bool,
    },
    /// Measure cold starts, sizes and memory, compared with a hello world that has the same SDK clients
    #[command(args_conflicts_with_subcommands = true)]
    Bench {
        /// Cold starts per function
        #[arg(long, default_value_t = 31)]
        runs: usize,
        /// Measure only this function; may be repeated
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        #[command(subcommand)]
        other: Option<Bench>,
    },
    /// Simulate how many jobs a second a stack takes and how long they wait, and write docs/scale.md
    #[command(after_help = simulate::ABOUT)]
    Simulate {
        /// Simulate few jobs of short runs, and write nothing
        #[arg(long)]
        quick: bool,
        /// Seed of all random numbers
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    #[command(flatten)]
    Proof(proof::Proof),
    /// Build the functions for AWS into target/lambda/<name>/bootstrap, where `sam deploy` finds them
    Package(package::Options),
    /// Import movies into the catalogue, which previews show; `up` and `demo` import infra/catalog/movies.json
    Catalog {
        #[command(subcommand)]
        command: Catalog,
    },
    /// Store the secrets of a stack on AWS in SSM and generate the missing ones. Requires AWS credentials
    Secrets {
        /// Name of the stack
        #[arg(long, value_name = "NAME")]
        stack: String,
        /// Path in SSM, as in the template parameter SettingsPath, for example /reelhook/prod
        #[arg(long)]
        path: String,
        /// A secret with a value of yours, for example WEBHOOK_URLS=https://…; may be repeated
        #[arg(long = "secret", value_name = "NAME=VALUE")]
        secrets: Vec<Pair>,
    },
    /// Record what this version stores for every kind of job, video, delivery and endpoint, for the upgrade tests of
    /// later versions
    Record {
        /// Directory for the recording, for example tests/upgrade/0.1.0
        #[arg(long, value_name = "DIRECTORY")]
        out: PathBuf,
    },
    /// Check whether a deployment to AWS would succeed: quotas, secrets, packages, layer. Requires AWS credentials
    Preflight(deployment::Deployment),
    /// Write a template for a release that shifts gradually to the new version of each function, and back if an alarm
    /// rings. Requires AWS credentials
    #[command(after_help = deployment::RELEASE)]
    Release(deployment::Release),
    /// Build the layer with ffmpeg and fonts for videos, publish it in your account, and print its template parameter
    Layer(deployment::Layer),
    /// Make a video and a job on a stack and verify their webhooks, or report what is missing. Requires AWS credentials
    Smoke {
        #[command(flatten)]
        target: deployment::AwsTarget,
        /// An API key of the stack
        #[arg(long, env = "REELHOOK_API_KEY", hide_env_values = true)]
        key: String,
    },
    /// Find the tables and the bucket that a deleted stack left behind, to import them into a new one. Requires AWS
    /// credentials
    Retained {
        #[command(flatten)]
        target: deployment::AwsTarget,
        /// A resource that is not found automatically, for example Jobs=reelhook-Jobs-1ABC; may be repeated
        #[arg(long = "resource", value_name = "NAME=ID")]
        resources: Vec<Pair>,
    },
    /// Install the tools that the other commands need into .local; the commands do so themselves if any is missing
    Setup,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Measure the dispatcher's deliveries per CPU-second and memory, compared with a loop that only signs and POSTs
    #[command(after_help = bench::dispatcher::ABOUT)]
    Dispatcher {
        /// Rounds; each measures the dispatcher and the bare loop
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
        runs: u64,
        /// Deliveries per round, in whole batches of ten
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..))]
        deliveries: u64,
        /// Instead of measuring, draw where the processor time of one round goes, as an SVG. Requires `perf`
        #[arg(long, value_name = "FILE")]
        flame: Option<PathBuf>,
    },
    /// Measure processor time and allocations of a request to `generate`, `job-status` and `step-webhook`, compared with
    /// a bare handler that makes the same calls, and write docs/warm-requests.md
    #[command(after_help = bench::warm::ABOUT)]
    Warm {
        /// Rounds; each measures every function and its baseline
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
        runs: u64,
        /// Requests per round
        #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(500..))]
        requests: u64,
    },
    /// Measure how much video is drawn and encoded per CPU-second, compared with an ffmpeg that only encodes the same
    /// cards, and what one changed scene costs
    Render,
}

#[derive(Debug, Subcommand)]
enum Catalog {
    /// Import the movies of a file; a movie with the same country and id is replaced
    Import {
        /// JSON or CSV file, as described in infra/catalog/README.md
        file: PathBuf,
        #[command(flatten)]
        target: operate::Target,
    },
}

#[derive(Debug, Subcommand)]
enum Owner {
    /// Write everything of an owner into a zip of JSON Lines
    Export {
        /// The owner's id, the `sub` of their tokens
        owner: String,
        /// New file
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Include the files, instead of links to them that are valid for a day
        #[arg(long)]
        files: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Count everything of an owner, and with --confirm delete it
    #[command(after_help = operate::owner::DELETE)]
    Delete {
        /// The owner's id, the `sub` of their tokens
        owner: String,
        /// The owner's id again: deletes what is counted
        #[arg(long, value_name = "OWNER")]
        confirm: Option<String>,
        /// How long nothing of the owner may have changed
        #[arg(long, value_parser = parse_duration, value_name = "TIME", default_value = "60s")]
        quiet_for: Duration,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Args)]
struct Up {
    /// Name of the instance; its files are in .local/NAME
    #[arg(long, default_value = "dev")]
    instance: String,
    #[command(flatten)]
    ports: RequestedPorts,
    /// Require an API key for the API
    #[arg(long)]
    auth: bool,
    /// Keep the tables, queues and files of the previous run
    #[arg(long)]
    keep_state: bool,
    /// Return once the stack is up; `cargo xtask down` stops it
    #[arg(long)]
    detach: bool,
    /// Build the functions optimised, as for AWS
    #[arg(long)]
    release: bool,
    /// Speed of the mock services, as a multiple of their usual speed
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Put the fault proxy between the functions and the emulator, without faults until one is set (infra/faults)
    #[arg(long)]
    hostile: bool,
    /// A parameter of template.yaml, in which {studio} stands for the URL of the mock services; may be repeated
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<Pair>,
    /// A secret or setting in SSM, in which {studio} stands for the URL of the mock services; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Pair>,
}

/// Runs the command that was parsed.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let workspace = &Workspace::find()?;
    match cli.command {
        Command::Demo { scenes, clips, instance, keep, ports, speed } => {
            let subject = match (scenes, clips) {
                (true, _) => demo::Subject::Scenes,
                (false, true) => demo::Subject::Clips,
                (false, false) => demo::Subject::Job,
            };
            let options = Options {
                ports: ports.or_free(),
                auth: false,
                keep_state: false,
                profile: Profile::Debug,
                speed,
                shared_video: false,
                metric_speed: 1,
                // As on a bare deployment, there is no external worker or service: Reelhook draws the video itself.
                parameters: vec![Pair("WorkerUrl".to_owned(), String::new())],
                secrets: subject.settings(),
                detach: false,
                hostile: false,
            };
            demo::run(workspace, Instance::new(workspace, &instance)?, &options, keep, subject)
        }
        Command::Up(Up { instance, ports, auth, keep_state, detach, release, speed, hostile, parameters, secrets }) => {
            let profile = if release { Profile::Release } else { Profile::Debug };
            let options = Options {
                ports,
                auth,
                keep_state,
                profile,
                speed,
                shared_video: false,
                metric_speed: 1,
                parameters,
                secrets,
                detach,
                hostile,
            };
            up::up(workspace, Instance::new(workspace, &instance)?, &options)
        }
        Command::Down { instance } => {
            up::down(&Instance::new(workspace, &instance)?);
            Ok(())
        }
        Command::Logs { function, instance, follow, grep } => {
            let instance = Instance::new(workspace, &instance)?;
            let (path, filter) = (instance.path("functions.log"), logs::Filter { function, text: grep });
            match follow {
                true => logs::follow(&path, &filter, || Ok(())),
                false => logs::show(&path, &filter),
            }
        }
        Command::Edge { instance, port } => operate::edge(workspace, &instance, port),
        Command::Invoke { function, event, target } => operate::invoke(workspace, &target, &function, &event),
        Command::Show { key, target } => operate::show(workspace, &target, &key),
        Command::Story(options) => operate::story::run(workspace, &options),
        Command::Dashboard { hours, out, target } => operate::dashboard(workspace, &target, hours, &out),
        Command::Queues { target } => operate::queues(workspace, &target),
        Command::Redrive { refused, target } => operate::redrive(workspace, &target, refused),
        Command::Doctor { config_env, target } => operate::doctor(workspace, &target, &config_env),
        Command::Repair { since, target } => operate::repair(workspace, &target, since),
        Command::Backup { to, at, without_files, target } => {
            operate::backup::backup(workspace, &target, &to, at.as_deref(), without_files)
        }
        Command::Restore { directory, target } => operate::backup::restore(workspace, &target, &directory),
        Command::Owner { command: Owner::Export { owner, to, files, target } } => {
            operate::owner::export(workspace, &target, &owner, &to, files)
        }
        Command::Owner { command: Owner::Delete { owner, confirm, quiet_for, target } } => {
            operate::owner::delete(workspace, &target, &owner, confirm.as_deref(), quiet_for)
        }
        Command::Test { only, keep_going } => checks::run(workspace, &only, keep_going),
        Command::Openapi { check } => openapi::run(workspace, check),
        Command::Rules { top } => rules::run(workspace, top),
        Command::Bench { other: Some(Bench::Dispatcher { runs, deliveries, flame }), .. } => match flame {
            Some(file) => bench::dispatcher::draw(workspace, deliveries, &file),
            None => bench::dispatcher::run(workspace, runs, deliveries),
        },
        Command::Bench { other: Some(Bench::Warm { runs, requests }), .. } => {
            bench::warm::run(workspace, runs, requests)
        }
        Command::Bench { other: Some(Bench::Render), .. } => bench::render(workspace),
        Command::Bench { runs, only, other: None } => bench::init(workspace, runs, &only),
        Command::Simulate { quick, seed } => simulate::run(workspace, quick, seed),
        Command::Proof(command) => proof::run(workspace, &command),
        Command::Package(options) if options.client => package::client::package(workspace),
        Command::Package(options) => package::package(workspace, options.arch),
        Command::Catalog { command: Catalog::Import { file, target } } => operate::import(workspace, &target, &file),
        Command::Secrets { stack, path, secrets } => operate::secrets(workspace, &stack, &path, &secrets),
        Command::Record { out } => upgrade::record(workspace, &out),
        Command::Preflight(deployment) => deployment::preflight(workspace, &deployment),
        Command::Release(options) => deployment::release(workspace, &options),
        Command::Layer(options) => deployment::layer(workspace, &options),
        Command::Smoke { target, key } => deployment::smoke(workspace, &target, &key),
        Command::Retained { target, resources } => deployment::retained(workspace, &target, &resources),
        Command::Setup => setup::stack(workspace).and(setup::lint(workspace)).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_everything_has_help() {
        let command = Cli::command();
        command.clone().debug_assert();
        for sub in command.get_subcommands() {
            assert!(sub.get_about().is_some(), "{}", sub.get_name());
            for argument in sub.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", sub.get_name(), argument.get_id());
            }
        }
    }
}
