//! `cargo xtask package`: builds each function's bootstrap for AWS, at the path that template.yaml expects.

pub mod client;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::workspace::{Profile, Workspace, on_path};
use crate::{process, ui};

/// The glibc version of Amazon Linux 2023, which provided.al2023 is based on.
const AMAZON_LINUX_GLIBC: (u32, u32) = (2, 34);

/// What installs cargo-lambda.
const INSTALL: &str = "pip install -r infra/local/requirements-package.txt";

/// The processor architecture that functions are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Architecture {
    /// Graviton, which costs less
    Arm64,
    /// Intel and AMD
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    /// That of this machine.
    pub fn own() -> Self {
        match env::consts::ARCH {
            "x86_64" => Self::X86_64,
            _ => Self::Arm64,
        }
    }

    /// AWS's name of the architecture.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// Rust's name of a machine with Linux and this architecture.
    pub fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }
}

/// The options of `cargo xtask package`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// Processor architecture, as in the template parameter Architecture
    #[arg(long, value_enum, default_value_t = Architecture::Arm64)]
    pub arch: Architecture,
    /// Build the client `reelhook` for this machine instead, into an archive in target/client that can be passed on
    #[arg(long, conflicts_with = "arch")]
    pub client: bool,
}

/// Writes target/lambda/<name>/bootstrap for each function of template.yaml with THIRD-PARTY.txt beside it, its bill of
/// materials and its zip.
pub fn package(workspace: &Workspace, architecture: Architecture) -> anyhow::Result<()> {
    let functions = workspace.functions()?;
    let directory = workspace.root.join("target/lambda");
    build(workspace, &functions, architecture, &directory)?;
    for function in functions {
        let bootstrap = directory.join(&function).join("bootstrap");
        let size = fs::metadata(&bootstrap).with_context(|| format!("find {}", bootstrap.display()))?.len();
        println!("{:>10}  target/lambda/{function}/bootstrap", ui::bytes(size));
    }
    println!("target/lambda/SHA256SUMS has the hashes; target/lambda/NAME.cdx.json says what each bootstrap contains.");
    println!("Before the first deployment, run `cargo xtask preflight`. Deploy with `sam deploy`.");
    Ok(())
}

/// Writes `<directory>/<function>/bootstrap` with its notices, `<function>.cdx.json`, `<function>.zip` and SHA256SUMS for
/// these functions. The same sources, compiler and architecture give the same bytes in any directory.
pub fn build(
    workspace: &Workspace,
    functions: &[String],
    architecture: Architecture,
    directory: &Path,
) -> anyhow::Result<()> {
    if on_path("cargo-lambda").is_some() {
        with_cargo_lambda(workspace, functions, architecture, directory)?;
    } else {
        on_this_machine(workspace, functions, architecture, directory)?;
    }
    describe(workspace, functions, architecture, directory)?;
    zip(workspace, functions, directory)
}

/// Writes `<directory>/<function>/THIRD-PARTY.txt` with the licences of the crates in each bootstrap, and
/// `<directory>/<function>.cdx.json`, its bill of materials.
pub fn describe(
    workspace: &Workspace,
    functions: &[String],
    architecture: Architecture,
    directory: &Path,
) -> anyhow::Result<()> {
    for program in ["crate_notice.py", "sbom.py"] {
        write_beside(workspace, program, Some(architecture.target()), directory, functions)?;
    }
    Ok(())
}

/// Writes `<directory>/<function>.zip` and SHA256SUMS.
pub fn zip(workspace: &Workspace, functions: &[String], directory: &Path) -> anyhow::Result<()> {
    write_beside(workspace, "zips.py", None, directory, functions)
}

/// A cargo command that leaves no path of this machine in what it builds, and builds apart from other commands, whose
/// artifacts have such paths.
fn reproducible(workspace: &Workspace) -> anyhow::Result<Command> {
    let target = target(workspace);
    let mut command = workspace.cargo();
    command.env("RUSTC_WRAPPER", workspace.root.join("infra/rustc.sh"));
    command.env("REELHOOK_ROOT", &workspace.root).env("REELHOOK_TARGET", &target).env("REELHOOK_CARGO", cargo_home()?);
    command.env("CARGO_TARGET_DIR", target);
    if env::var_os("SOURCE_DATE_EPOCH").is_none() {
        // The earliest time of a zip: some build scripts read it.
        command.env("SOURCE_DATE_EPOCH", "315532800");
    }
    Ok(command)
}

fn target(workspace: &Workspace) -> PathBuf {
    workspace.root.join("target/package")
}

/// The directory of cargo, with the sources of crates.
fn cargo_home() -> anyhow::Result<PathBuf> {
    let named = env::var_os("CARGO_HOME").map(PathBuf::from);
    named
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .context("neither CARGO_HOME nor HOME is set, so the sources of crates are not found")
}

fn with_cargo_lambda(
    workspace: &Workspace,
    functions: &[String],
    architecture: Architecture,
    directory: &Path,
) -> anyhow::Result<()> {
    let mut command = reproducible(workspace)?;
    command.args(["lambda", "build", "--release", "--workspace", "--lambda-dir"]).arg(directory);
    command.arg(match architecture {
        Architecture::Arm64 => "--arm64",
        Architecture::X86_64 => "--x86-64",
    });
    for function in functions {
        command.args(["--bin", function]);
    }
    process::run(&mut command, "cargo lambda build")
}

fn on_this_machine(
    workspace: &Workspace,
    functions: &[String],
    architecture: Architecture,
    directory: &Path,
) -> anyhow::Result<()> {
    let own = Architecture::own();
    if architecture != own {
        bail!(
            "building for {} on this machine requires cargo-lambda: install it with `{INSTALL}`, or pass `--arch {}`",
            architecture.name(),
            own.name()
        );
    }
    let mut command = reproducible(workspace)?;
    command.args(["build", "--release", "--workspace"]);
    for function in functions {
        command.args(["--bin", function]);
    }
    process::run(&mut command, "cargo build")?;
    for function in functions {
        let binary = target(workspace).join("release").join(function);
        let content = fs::read(&binary).with_context(|| format!("read {}", binary.display()))?;
        if let Some((major, minor)) = newest_glibc(&content).filter(|needed| *needed > AMAZON_LINUX_GLIBC) {
            let (has_major, has_minor) = AMAZON_LINUX_GLIBC;
            bail!(
                "{function} built on this machine requires glibc {major}.{minor}, but Lambda's provided.al2023 has \
                 {has_major}.{has_minor}: install cargo-lambda (`{INSTALL}`), which links against that"
            );
        }
        let target = directory.join(function);
        fs::create_dir_all(&target).with_context(|| format!("create {}", target.display()))?;
        fs::copy(&binary, target.join("bootstrap")).with_context(|| format!("copy {}", binary.display()))?;
    }
    Ok(())
}

/// Runs a program of infra/local that writes what belongs to built programs: the licences of their crates, bills of
/// materials, zips.
fn write_beside(
    workspace: &Workspace,
    program: &str,
    target: Option<&str>,
    directory: &Path,
    functions: &[String],
) -> anyhow::Result<()> {
    let python = on_path("python3").context("python3 is missing: install Python 3.10 or later")?;
    let mut command = workspace.command(python);
    command.arg("-B").arg(format!("infra/local/{program}")).args(target).arg(directory).args(functions);
    process::run(&mut command, program)
}

/// Copies built binaries to the paths that a template expects, `<directory>/<function>/bootstrap`, without symbols.
pub fn stage(workspace: &Workspace, profile: Profile, directory: &Path) -> anyhow::Result<()> {
    for function in workspace.functions()? {
        let target = directory.join(&function);
        fs::create_dir_all(&target).with_context(|| format!("create {}", target.display()))?;
        let (binary, bootstrap) = (workspace.binaries(profile).join(&function), target.join("bootstrap"));
        if on_path("strip").is_some() {
            let mut strip = workspace.command("strip");
            process::run(strip.arg("-s").arg("-o").arg(&bootstrap).arg(&binary), "strip")?;
        } else {
            fs::copy(&binary, &bootstrap).with_context(|| format!("copy {}", binary.display()))?;
        }
    }
    Ok(())
}

/// The newest version of glibc that a binary requires: its version requirements are strings such as `GLIBC_2.34`.
fn newest_glibc(binary: &[u8]) -> Option<(u32, u32)> {
    const PREFIX: &[u8] = b"GLIBC_";
    let starts = binary.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX);
    let versions = starts.filter_map(|(at, _)| {
        let rest = &binary[at + PREFIX.len()..];
        let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
        let mut numbers = std::str::from_utf8(&rest[..end]).ok()?.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_needed_glibc_is_found() {
        assert_eq!(newest_glibc(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0"), Some((2, 34)));
        assert_eq!(newest_glibc(b"static"), None);
    }
}
