//! Runs the mock services until Ctrl-C or SIGTERM.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use reelhook_studio::{Config, Studio};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Config::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Printed here, so that it is one line even with RUST_BACKTRACE.
            eprintln!("studio: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    let studio = Studio::start(config).await?;
    println!("mock services listen on {}", studio.url());

    let mut terminate = signal(SignalKind::terminate()).context("watch for SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("watch for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}
