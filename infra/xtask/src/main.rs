//! Runs the command line; `cargo xtask help` lists the commands.

use std::process::ExitCode;

use clap::Parser as _;
use reelhook_terminal::{ui, visible};

mod bench;
mod checks;
mod cli;
mod demo;
mod deployment;
mod http;
mod instance;
mod interrupt;
mod json;
mod logs;
mod mp4;
mod openapi;
mod operate;
mod package;
mod ports;
mod process;
mod profile;
mod proof;
mod rie;
mod rules;
mod screen;
mod setup;
mod simulate;
mod stack;
mod up;
mod upgrade;
mod workspace;

fn main() -> ExitCode {
    let outcome = interrupt::watch().and_then(|()| cli::run(cli::Cli::parse()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<interrupt::Interrupted>() => {
            eprintln!("\nInterrupted; everything that this command started is stopped.");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {}", visible::lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
