//! `cargo xtask fuzz`: runs the targets of infra/fuzz, by inputs that follow from a seed or under libFuzzer.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::bench::warm::build_counter;
use crate::package::Architecture;
use crate::process;
use crate::workspace::{Profile, Workspace};

/// Additional help for `--help`.
pub const ABOUT: &str = "\
The same seed makes the same inputs. A target fails when a parser panics, allocates more than its bound, or breaks a
property, such as that what was read is written so that it is read as the same; the input is kept in .local/fuzz, and
`--replay FILE` checks it again. The corpus is in infra/fuzz/corpus. `--guided` builds the targets with instrumentation and
lets libFuzzer follow the code that an input reaches: new inputs come to .local/fuzz/guided, and faults to .local/fuzz.";

/// The binary of the fuzzer.
const BINARY: &str = "reelhook-fuzz";
/// The crate of the guided fuzzer, which is no member of the workspace.
const GUIDED: &str = "infra/fuzz/guided";
/// The versions of all crates.
const LOCK: &str = "Cargo.lock";
/// What cargo-fuzz passes without a sanitizer, which works with a stable toolchain: libFuzzer needs the counters, the table of
/// places, the operands of comparisons and the depth of the stack.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-sanitizer-coverage-stack-depth \
    -Ccodegen-units=1 --cfg fuzzing";

/// What is run.
#[derive(Debug, Args)]
pub struct Options {
    /// Targets; all without one
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Inputs of each target, besides those of the corpus
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// Seed of all inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the targets and what they read
    #[arg(long)]
    list: bool,
    /// Check this one input of the target instead
    #[arg(long, value_name = "FILE", requires = "targets", conflicts_with = "guided")]
    replay: Option<PathBuf>,
    /// Run one target under libFuzzer
    #[arg(long, requires = "targets")]
    guided: bool,
}

/// Runs the targets.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    if options.guided {
        return guided(workspace, options);
    }
    workspace.build(&[BINARY.to_owned()], Profile::Checked)?;
    let library = build_counter(workspace)?;
    let counts = workspace.local().join("fuzz-allocations");
    fs::write(&counts, b"").with_context(|| format!("write {}", counts.display()))?;
    let mut command = workspace.command(workspace.binaries(Profile::Checked).join(BINARY));
    command.env("LD_PRELOAD", library).env("ALLOCATIONS_FILE", counts);
    command.args(["--inputs", &options.inputs.to_string(), "--seed", &options.seed.to_string()]);
    command.arg("--faults").arg(faults(workspace));
    if options.list {
        command.arg("--list");
    }
    if let Some(file) = &options.replay {
        // The fuzzer runs in the root of the checkout.
        command.arg("--replay").arg(std::path::absolute(file).context("find the input")?);
    }
    command.args(&options.targets);
    process::run(&mut command, "the fuzzer")
}

/// The folder for inputs that break a property, in a folder for each target.
fn faults(workspace: &Workspace) -> PathBuf {
    workspace.local().join("fuzz")
}

/// Builds the targets with instrumentation, and runs one of them under libFuzzer.
fn guided(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let [target] = options.targets.as_slice() else { anyhow::bail!("`--guided` runs one target at a time") };
    let local = faults(workspace);
    let (found, faults) = (local.join("guided").join(target), local.join(target));
    for folder in [&found, &faults] {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    let (corpus, guided) = (workspace.root.join("infra/fuzz/corpus").join(target), workspace.root.join(GUIDED));
    // The parsers have the versions of the workspace; cargo adds those of the engine.
    fs::copy(workspace.root.join(LOCK), guided.join(LOCK)).with_context(|| format!("copy {LOCK}"))?;
    let mut command = workspace.cargo();
    command.env("RUSTFLAGS", INSTRUMENTED).env("CARGO_TARGET_DIR", local.join("target"));
    command.env("REELHOOK_FUZZ_TARGET", target);
    // With the name of the machine, what runs while it is built is not instrumented.
    command.args(["run", "--release", "--target", Architecture::own().target(), "--manifest-path"]);
    command.arg(guided.join("Cargo.toml")).arg("--");
    command.arg(format!("-runs={}", options.inputs)).arg(format!("-seed={}", options.seed));
    command.args(["-max_len=65536", "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1"]);
    command.arg(format!("-artifact_prefix={}/", faults.display())).arg(&found);
    if corpus.is_dir() {
        command.arg(corpus);
    }
    process::run(&mut command, "libFuzzer")
}
