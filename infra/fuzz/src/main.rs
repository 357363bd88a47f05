//! The program behind `cargo xtask fuzz`, which passes all options, and has their defaults and their help.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use reelhook_fuzz::memory::Meter;
use reelhook_fuzz::run::{Plan, check, run};
use reelhook_fuzz::target::Target;
use reelhook_fuzz::targets::{ALL, named};
use reelhook_fuzz::{corpus, report};

/// Runs parsers on inputs that are made for them.
#[derive(Debug, Parser)]
#[command(name = "fuzz")]
struct Cli {
    targets: Vec<String>,
    #[arg(long)]
    inputs: u64,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    list: bool,
    #[arg(long)]
    replay: Option<PathBuf>,
    /// Folder for inputs that break a property
    #[arg(long)]
    faults: PathBuf,
}

fn main() -> ExitCode {
    match start(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: &Cli) -> anyhow::Result<()> {
    if cli.list {
        for target in &ALL {
            println!("{:<20} {}", target.name, target.about);
        }
        return Ok(());
    }
    let targets: Vec<&Target> = match cli.targets.as_slice() {
        [] => ALL.iter().collect(),
        names => names.iter().map(|name| named(name)).collect::<anyhow::Result<_>>()?,
    };
    let meter = Meter::of_process().context("open the file with the counts of allocations")?;
    if let Some(path) = &cli.replay {
        let input = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        for target in targets {
            let (verdict, ..) = check(target, &input, &meter).map_err(anyhow::Error::msg).context(target.name)?;
            println!("{}: {verdict:?}", target.name);
        }
        return Ok(());
    }
    // A fault is reported once, with the input for which it was found.
    std::panic::set_hook(Box::new(|_| {}));
    println!("seed {}\n{}", cli.seed, report::heading());
    let mut faults = 0;
    for target in targets {
        let plan = Plan { inputs: cli.inputs, seed: cli.seed };
        match run(target, corpus::of(&corpus::folder(), target.name)?, plan, &meter) {
            Ok(tally) => println!("{}", report::line(target.name, &tally, meter.is_on())),
            Err(fault) => {
                faults += 1;
                let path = corpus::keep(&cli.faults, target.name, &format!("fault-seed-{}", cli.seed), &fault.input)?;
                println!("{:<20} {fault}\n{:<20} kept in {}", target.name, "", path.display());
            }
        }
    }
    anyhow::ensure!(faults == 0, "{faults} targets have faults");
    Ok(())
}
