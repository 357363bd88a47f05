//! The programs that `cargo xtask bench` runs beside a function: stand-ins of what it calls, and the bare loop.

mod aws;
mod bare;
mod items;
mod requests;
mod rows;
mod runtime_api;
mod sink;
mod stand_ins;
mod usage;
mod webhooks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Stand-ins of the services that functions call, and the bare loop that the dispatcher is compared with.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the Lambda Runtime API, DynamoDB, SQS, SSM and a receiver on free ports of loopback, until killed
    StandIns(stand_ins::Options),
    /// Serve the Lambda Runtime API with requests to a function behind the API, DynamoDB and SSM, until killed
    Requests(requests::Options),
    /// Sign and POST webhooks to a receiver, and print the processor time and peak memory
    Bare(bare::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::StandIns(options) => stand_ins::serve(options).await,
        Command::Requests(options) => requests::serve(options).await,
        Command::Bare(options) => bare::run(options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Printed here, so that it is one line even with RUST_BACKTRACE.
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
