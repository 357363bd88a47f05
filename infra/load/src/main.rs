//! What `cargo xtask bench dispatcher` runs beside the dispatcher: stand-ins for all that it talks to, and a bare loop.

mod aws;
mod bare;
mod runtime_api;
mod sink;
mod stand_ins;
mod usage;
mod webhooks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Stand-ins for the dispatcher, and the bare loop that it is held against.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the Lambda Runtime API, DynamoDB, SQS, SSM and a receiver, on free ports of loopback, until it is killed
    StandIns(stand_ins::Options),
    /// Sign and POST to a receiver, and print what that took of the processor and of memory
    Bare(bare::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::StandIns(options) => stand_ins::serve(options).await,
        Command::Bare(options) => bare::run(options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence, also where RUST_BACKTRACE is set.
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
