//! Runs the fault proxy until Ctrl-C or SIGTERM.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use reelhook_faults::{Config, serve};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Config::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Printed here, so that it is one line even with RUST_BACKTRACE.
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("watch for SIGTERM")?;
    tokio::select! {
        ended = serve(config) => ended,
        interrupted = tokio::signal::ctrl_c() => interrupted.context("watch for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}
