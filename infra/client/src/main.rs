//! `reelhook`: the command line for people who use the API. `reelhook help` lists the commands.

use std::process::ExitCode;

use clap::Parser as _;

mod api;
mod cli;
mod commands;
mod config;
mod failure;
mod families;
mod files;
mod follow;
mod input;
mod listen;
mod output;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(cli::Cli::parse()).await
}
