//! What shows that promises are kept besides tests: `cargo xtask prove`, `fuzz`, `soak`, `mutants`, `engines` and
//! `reproduce`, and the check of what comes from others.

use clap::Subcommand;

use crate::workspace::Workspace;

pub mod engines;
mod fuzz;
mod mutants;
pub mod prove;
mod reproduce;
pub mod soak;
pub mod supply;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Proof {
    /// Kill functions, inject faults of AWS, or both, while work of every family runs, and write what came of it into
    /// docs/proof.md
    #[command(after_help = prove::ABOUT)]
    Prove(prove::Options),
    /// Run each parser that reads what others write on inputs that are made for it, and print how many
    #[command(after_help = fuzz::ABOUT)]
    Fuzz(fuzz::Options),
    /// Make very many small jobs on a local stack, and watch memory, files, rows and times: all must stay flat
    #[command(after_help = soak::ABOUT)]
    Soak(soak::Soak),
    /// Change the code of domain, signing and outbound in many places, and check that a test notices each change
    #[command(after_help = mutants::ABOUT)]
    Mutants(mutants::Mutants),
    /// Replay the requests that a stack has made of DynamoDB against dynalite and moto, and compare the answers with the
    /// emulator's
    #[command(after_help = engines::ABOUT)]
    Engines(engines::Engines),
    /// Package functions in two directories, and check that both have the same bytes
    #[command(after_help = reproduce::ABOUT)]
    Reproduce(reproduce::Reproduce),
}

/// Runs a command.
pub fn run(workspace: &Workspace, command: &Proof) -> anyhow::Result<()> {
    match command {
        Proof::Prove(options) => prove::run(workspace, options),
        Proof::Fuzz(options) => fuzz::run(workspace, options),
        Proof::Soak(options) => soak::run(workspace, options),
        Proof::Mutants(options) => mutants::run(workspace, options),
        Proof::Engines(options) => engines::run(workspace, options),
        Proof::Reproduce(options) => reproduce::run(workspace, options),
    }
}
