//! The command line: every command, its options and its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::instance::Instance;
use crate::operate::{self, Target, parse_duration};
use crate::package::{self, Architecture};
use crate::pair::Pair;
use crate::ports::Asked;
use crate::up::{self, Options};
use crate::workspace::{Profile, Workspace};
use crate::{bench, checks, demo, deployment, listen, logs, setup, upgrade};

/// Everything that a developer does with this checkout.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take one job from its submission to a finished video and a verified webhook
    Demo {
        /// Name of the instance; everything of it is in .local/NAME
        #[arg(long, default_value = "demo")]
        instance: String,
        /// Leave the stack running for your own requests
        #[arg(long)]
        keep: bool,
        #[command(flatten)]
        ports: Asked,
        /// How much faster than usual the studio works
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
    /// Show what the functions of a local stack print
    Logs {
        /// Only this function, for example `job-status`
        function: Option<String>,
        /// Name of the instance
        #[arg(long, default_value = "dev")]
        instance: String,
        /// Go on with what comes, until Ctrl-C
        #[arg(long, short)]
        follow: bool,
        /// Only lines with this text, for example a job's id
        #[arg(long, value_name = "TEXT")]
        grep: Option<String>,
    },
    /// Serve a local stack behind one address, as infra/edge.yaml does on AWS, until Ctrl-C
    #[command(after_help = operate::EDGE)]
    Edge {
        /// Name of the instance
        #[arg(long, default_value = "dev")]
        instance: String,
        /// Port to listen on; 0 for any free port
        #[arg(long, default_value_t = 3001)]
        port: u16,
    },
    /// Receive webhooks on this machine: print each, and whether its signature fits
    #[command(after_help = listen::EXAMPLE)]
    Listen(listen::Options),
    /// Send an event to a function and print its answer
    Invoke {
        /// The function's crate, for example `generate`
        function: String,
        /// A JSON file, for example one of events/generate/
        event: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Show how much waits in each queue
    Queues {
        #[command(flatten)]
        target: Target,
    },
    /// Move the messages of every dead-letter queue back to where they came from
    Redrive {
        #[command(flatten)]
        target: Target,
    },
    /// Make the deliveries that a lost stream never made; what is there already stays as it is
    Repair {
        /// How far to look back, for example 2h
        #[arg(long, value_parser = parse_duration, value_name = "TIME")]
        since: Duration,
        #[command(flatten)]
        target: Target,
    },
    /// Run every check, from format to end-to-end; what CI runs
    #[command(after_help = checks::listing())]
    Test {
        /// Only the check of this name; may be repeated
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// Go on after a check that failed
        #[arg(long)]
        keep_going: bool,
    },
    /// Measure cold starts, sizes and memory against a hello world with the same SDK clients
    #[command(args_conflicts_with_subcommands = true)]
    Bench {
        /// Starts of each function
        #[arg(long, default_value_t = 31)]
        runs: usize,
        /// Only this function; may be repeated
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        #[command(subcommand)]
        other: Option<Bench>,
    },
    /// Build the functions for AWS into target/lambda/<name>/bootstrap; `sam deploy` takes them from there
    Package {
        /// The processor, as in the template's parameter Architecture
        #[arg(long, value_enum, default_value_t = Architecture::Arm64)]
        arch: Architecture,
    },
    /// Load movies into the catalogue, which previews show; `up` and `demo` load infra/catalog/movies.json
    Catalog {
        #[command(subcommand)]
        command: Catalog,
    },
    /// Store the secrets of a stack on AWS in SSM; those that are not there are generated. Takes AWS credentials
    Secrets {
        /// The stack's name
        #[arg(long, value_name = "NAME")]
        stack: String,
        /// Where they go, as in the template's parameter SettingsPath: for example /reelhook/prod
        #[arg(long)]
        path: String,
        /// One that is given, for example WEBHOOK_URLS=https://…; may be repeated
        #[arg(long = "secret", value_name = "NAME=VALUE")]
        secrets: Vec<Pair>,
    },
    /// Record what this version stores of every kind of job, video, delivery and endpoint, for the upgrade tests of
    /// later versions
    Record {
        /// Directory for the recording, for example tests/upgrade/0.1.0
        #[arg(long, value_name = "DIRECTORY")]
        out: PathBuf,
    },
    /// Check whether a deployment to AWS would work: quotas, secrets, packages, the layer. Takes AWS credentials
    Preflight(deployment::Preflight),
    /// Build the layer with ffmpeg and fonts, which videos need, publish it in your account, and print its parameter
    Layer(deployment::Layer),
    /// Make a video and a job on a stack and verify their webhooks, or report what is missing. Takes AWS credentials
    Smoke {
        #[command(flatten)]
        place: deployment::Place,
        /// An API key of the stack
        #[arg(long, env = "REELHOOK_API_KEY", hide_env_values = true)]
        key: String,
    },
    /// Find the tables and the bucket that a deleted stack left behind, to import them into a new one. Takes AWS
    /// credentials
    Retained {
        #[command(flatten)]
        place: deployment::Place,
        /// A resource that is not found by itself, for example Jobs=reelhook-Jobs-1ABC; may be repeated
        #[arg(long = "resource", value_name = "NAME=ID")]
        resources: Vec<Pair>,
    },
    /// Install what the other commands need into .local; they do it themselves when it is missing
    Setup,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Measure deliveries per CPU-second and memory of the dispatcher against a bare loop that only signs and POSTs
    #[command(after_help = bench::dispatcher::ABOUT)]
    Dispatcher {
        /// Rounds, each with the dispatcher and the bare loop
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
        runs: u64,
        /// Deliveries that are measured in each; whole batches of ten
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..))]
        deliveries: u64,
    },
    /// Measure how much video a CPU-second draws and encodes, beside an ffmpeg that only encodes the same cards, and what
    /// one changed scene costs
    Render,
}

#[derive(Debug, Subcommand)]
enum Catalog {
    /// Put the movies of a file into the table; one with the same country and id is replaced
    Import {
        /// JSON or CSV, as infra/catalog/README.md says
        file: PathBuf,
        #[command(flatten)]
        target: operate::Target,
    },
}

#[derive(Debug, Args)]
struct Up {
    /// Name of the instance; everything of it is in .local/NAME
    #[arg(long, default_value = "dev")]
    instance: String,
    #[command(flatten)]
    ports: Asked,
    /// Have the API ask for a key
    #[arg(long)]
    auth: bool,
    /// Keep the tables, queues and files of the last time
    #[arg(long)]
    keep_state: bool,
    /// Return once it is up; `cargo xtask down` stops it
    #[arg(long)]
    detach: bool,
    /// Build the functions for speed, as for AWS
    #[arg(long)]
    release: bool,
    /// How much faster than usual the studio works
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// A parameter of template.yaml; may be repeated
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<Pair>,
    /// A secret or setting that the functions read from SSM, in which {studio} is the studio's URL; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Pair>,
}

/// Does what the command line asks for.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let workspace = &Workspace::find()?;
    match cli.command {
        Command::Demo { instance, keep, ports, speed } => {
            let options = Options {
                ports: ports.or_free(),
                auth: false,
                keep_state: false,
                profile: Profile::Debug,
                speed,
                shared_video: false,
                // Without an external worker, as on a bare deployment: the video is ours.
                parameters: vec![Pair("WorkerUrl".to_owned(), String::new())],
                secrets: Vec::new(),
                detach: false,
            };
            demo::run(workspace, Instance::new(workspace, &instance)?, &options, keep)
        }
        Command::Up(Up { instance, ports, auth, keep_state, detach, release, speed, parameters, secrets }) => {
            let profile = if release { Profile::Release } else { Profile::Debug };
            let options =
                Options { ports, auth, keep_state, profile, speed, shared_video: false, parameters, secrets, detach };
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
        Command::Listen(options) => listen::run(workspace, &options),
        Command::Invoke { function, event, target } => operate::invoke(workspace, &target, &function, &event),
        Command::Queues { target } => operate::queues(workspace, &target),
        Command::Redrive { target } => operate::redrive(workspace, &target),
        Command::Repair { since, target } => operate::repair(workspace, &target, since),
        Command::Test { only, keep_going } => checks::run(workspace, &only, keep_going),
        Command::Bench { other: Some(Bench::Dispatcher { runs, deliveries }), .. } => {
            bench::dispatcher::run(workspace, runs, deliveries)
        }
        Command::Bench { other: Some(Bench::Render), .. } => bench::render(workspace),
        Command::Bench { runs, only, other: None } => bench::init(workspace, runs, &only),
        Command::Package { arch } => package::package(workspace, arch),
        Command::Catalog { command: Catalog::Import { file, target } } => operate::import(workspace, &target, &file),
        Command::Secrets { stack, path, secrets } => operate::secrets(workspace, &stack, &path, &secrets),
        Command::Record { out } => upgrade::record(workspace, &out),
        Command::Preflight(options) => deployment::preflight(workspace, &options),
        Command::Layer(options) => deployment::layer(workspace, &options),
        Command::Smoke { place, key } => deployment::smoke(workspace, &place, &key),
        Command::Retained { place, resources } => deployment::retained(workspace, &place, &resources),
        Command::Setup => setup::stack(workspace).and(setup::lint(workspace)).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_says_what_it_does() {
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
