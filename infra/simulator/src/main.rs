//! The command line of the simulator: `cargo xtask simulate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use reelhook_simulator::report::{Report, save};
use reelhook_simulator::scenario::Extent;

/// Simulates how many jobs a second a stack takes.
#[derive(Debug, Parser)]
#[command(name = "simulator")]
struct Cli {
    /// Folder with scale.md, whose tables and picture are written; without it they are only printed
    #[arg(long)]
    docs: Option<PathBuf>,
    /// Simulate few jobs of short runs, and write nothing
    #[arg(long)]
    quick: bool,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let extent = if cli.quick { Extent::Quick } else { Extent::Full };
    let report = Report::measure(extent, cli.seed, |part| eprintln!("simulating {part} ..."))?;
    println!("{}", report.text());
    match &cli.docs {
        Some(docs) if !cli.quick => save(&report, docs),
        Some(_) | None => Ok(()),
    }
}
