//! The command line: every command, its options, its help with examples, and its exit code.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use reelhook_terminal::{ui, visible};
use tokio::signal::ctrl_c;

use crate::api::Api;
use crate::commands::{cancel, deliveries, download, endpoints, replay, show, submit, upload, watch};
use crate::config;
use crate::failure::{EXIT_CODES, Failure};
use crate::listen;
use crate::output::Output;

/// Submit videos to Reelhook, follow them, download them, and look after their webhooks.
///
/// Set REELHOOK_URL and REELHOOK_KEY, or write a profile into ~/.config/reelhook/config.toml. There is no option for
/// the key, since other users of a machine can see command lines.
#[derive(Debug, Parser)]
#[command(name = "reelhook", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    #[command(flatten)]
    connection: config::ApiOptions,
    /// Print results as JSON: one value, or one value a line. Messages are on standard error
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Submit a job, a video from scenes, a project of scenes, or a job that cuts clips
    #[command(after_help = submit::EXAMPLES)]
    Submit(submit::Options),
    /// Follow a job, video, project or clip job until it ends
    #[command(after_help = watch::EXAMPLES)]
    Watch(watch::Options),
    /// Show how a job, video, project or clip job stands
    #[command(after_help = show::EXAMPLES)]
    Show(show::Options),
    /// Cancel a job, video, project or clip job
    #[command(after_help = cancel::EXAMPLES)]
    Cancel(cancel::Options),
    /// Download the videos of what has ended; a download that broke off continues
    #[command(after_help = download::EXAMPLES)]
    Download(download::Options),
    /// Upload an image or a video, and print its key for film specifications and clip jobs
    #[command(after_help = upload::EXAMPLES)]
    Upload(upload::Options),
    /// List, add, change, test and remove webhook endpoints, and rotate their secrets
    #[command(subcommand, after_help = endpoints::EXAMPLES)]
    Endpoints(endpoints::Command),
    /// List webhook deliveries, or show one with its attempts
    #[command(subcommand, after_help = deliveries::EXAMPLES)]
    Deliveries(deliveries::Command),
    /// Send one delivery again, or all of a time range
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Options),
    /// Receive webhooks on this machine, print them, verify their signatures, and pass them on
    #[command(after_help = listen::EXAMPLES)]
    Listen(listen::Options),
    /// Print the completions of a shell
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

const COMPLETIONS: &str = "\
Examples:
  reelhook completions bash > ~/.local/share/bash-completion/completions/reelhook
  reelhook completions fish > ~/.config/fish/completions/reelhook.fish";

/// Runs the command that was parsed, until its end or Ctrl-C.
pub async fn run(cli: Cli) -> ExitCode {
    let output = Output::new(cli.global.json);
    let outcome = match cli.command {
        // It ends by Ctrl-C, and has to put things away.
        Command::Listen(_) => execute(cli, &output).await,
        _ => tokio::select! {
            // The command first: as long as it only reads standard input, Ctrl-C ends the program at once.
            biased;
            outcome = execute(cli, &output) => outcome,
            _ = ctrl_c() => Err(Failure::Interrupted),
        },
    };
    let Err(failure) = outcome else {
        return ExitCode::SUCCESS;
    };
    match &failure {
        Failure::OutputClosed => {}
        Failure::Interrupted => {
            let farewell = output.farewell().unwrap_or_else(|| "Interrupted.".to_owned());
            ui::say(format!("\n{farewell}"));
        }
        other => ui::say(format!("error: {}", visible::lines(&other.to_string()))),
    }
    ExitCode::from(failure.code())
}

async fn execute(cli: Cli, output: &Output) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let api = || Api::new(config::connection(&global.connection)?);
    match command {
        Command::Submit(options) => submit::run(&api()?, output, &options).await,
        Command::Watch(options) => watch::run(&api()?, output, &options).await,
        Command::Show(options) => show::run(&api()?, output, &options).await,
        Command::Cancel(options) => cancel::run(&api()?, output, &options).await,
        Command::Download(options) => download::run(&api()?, output, &options).await,
        Command::Upload(options) => upload::run(&api()?, output, &options).await,
        Command::Endpoints(command) => endpoints::run(&api()?, output, &command).await,
        Command::Deliveries(command) => deliveries::run(&api()?, output, &command).await,
        Command::Replay(options) => replay::run(&api()?, output, &options).await,
        // Without `--register` a receiver needs no API.
        Command::Listen(options) => listen::run(api, output, &options).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "reelhook", &mut script);
            crate::output::print(String::from_utf8_lossy(&script).trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command below one, itself first.
    fn all(command: &clap::Command) -> Vec<clap::Command> {
        let below = command.get_subcommands().flat_map(all);
        std::iter::once(command.clone()).chain(below).collect()
    }

    /// The lines of a text that call `reelhook`, without pipes, comments and the shell's own words.
    fn calls(text: &str) -> Vec<Vec<String>> {
        let joined = text.replace("\\\n", " ").replace('…', "x");
        let lines = joined.lines().map(|line| line.trim().trim_start_matches("$ "));
        let calls = lines.filter(|line| line.starts_with("reelhook "));
        let words = |line: &str| {
            let mut words = vec![String::new()];
            let mut quote = None;
            for c in line.chars() {
                match (quote, c) {
                    (None, '\'' | '"') => quote = Some(c),
                    (Some(open), _) if open == c => quote = None,
                    (None, ' ') => words.push(String::new()),
                    (None, '|' | '#' | '<' | '>' | '&' | ';') => break,
                    (_, _) => words.last_mut().expect("one word").push(c),
                }
            }
            let words = words.into_iter().filter(|word| !word.is_empty());
            words.map(|word| if word.starts_with('$') { "x".to_owned() } else { word }).collect()
        };
        calls.map(words).collect()
    }

    fn check_calls(text: &str, least: usize) {
        let calls = calls(text);
        assert!(calls.len() >= least, "{calls:?}");
        for call in calls {
            if let Err(error) = Cli::try_parse_from(&call) {
                assert!(!error.use_stderr(), "{call:?}: {error}");
            }
            let keys = call.iter().filter(|word| word.contains("rk_") || word.contains("whsec_"));
            assert_eq!(keys.count(), 0, "{call:?} has a key where other users can see it");
        }
    }

    #[test]
    fn the_command_line_is_consistent_and_everything_has_help() {
        Cli::command().debug_assert();
        for command in all(&Cli::command()) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
        }
    }

    /// A value of an argument goes to all arguments with its id, the global ones among them.
    fn check_ids(command: &clap::Command, global: &[clap::Id]) {
        let own: Vec<&clap::Arg> = command.get_arguments().collect();
        for argument in &own {
            assert!(!global.contains(argument.get_id()), "{} {}", command.get_name(), argument.get_id());
        }
        let added = own.iter().filter(|argument| argument.is_global_set()).map(|argument| argument.get_id());
        let global: Vec<clap::Id> = global.iter().chain(added).cloned().collect();
        command.get_subcommands().for_each(|below| check_ids(below, &global));
    }

    #[test]
    fn no_command_has_an_argument_with_the_id_of_a_global_one() {
        check_ids(&Cli::command(), &[]);
    }

    #[test]
    fn the_examples_of_the_help_are_commands() {
        for command in all(&Cli::command()).into_iter().skip(1) {
            if let Some(help) = command.get_after_help() {
                check_calls(&help.to_string(), 1);
            }
        }
        for command in Cli::command().get_subcommands() {
            assert!(command.get_after_help().is_some(), "{} has no example", command.get_name());
        }
    }

    #[test]
    fn the_commands_of_the_documents_exist() {
        check_calls(include_str!("../../../docs/client.md"), 30);
        check_calls(include_str!("../../../docs/endpoints.md"), 1);
        check_calls(include_str!("../../../README.md"), 1);
    }

    #[test]
    fn each_shell_has_completions() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "reelhook", &mut script);
            assert!(String::from_utf8(script).unwrap().contains("rotate-secret"), "{shell}");
        }
    }
}
