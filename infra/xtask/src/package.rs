//! `cargo xtask package`: builds each function's bootstrap for AWS, at the path that template.yaml expects.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::workspace::{Profile, Workspace, on_path};
use crate::{process, ui};

/// The glibc version of Amazon Linux 2023, which provided.al2023 is based on.
const AMAZON_LINUX_GLIBC: (u32, u32) = (2, 34);

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
    /// AWS's name of the architecture.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

/// Writes target/lambda/<name>/bootstrap for each function of template.yaml, and THIRD-PARTY.txt beside it.
pub fn package(workspace: &Workspace, architecture: Architecture) -> anyhow::Result<()> {
    let functions = workspace.functions()?;
    let directory = workspace.root.join("target/lambda");
    if on_path("cargo-lambda").is_some() {
        with_cargo_lambda(workspace, &functions, architecture, &directory)?;
    } else {
        on_this_machine(workspace, &functions, architecture, &directory)?;
    }
    write_notices(workspace, &functions, architecture, &directory)?;
    for function in functions {
        let bootstrap = directory.join(&function).join("bootstrap");
        let size = fs::metadata(&bootstrap).with_context(|| format!("find {}", bootstrap.display()))?.len();
        println!("{:>10}  target/lambda/{function}/bootstrap", ui::bytes(size));
    }
    println!("Before the first deployment, run `cargo xtask preflight`. Deploy with `sam deploy`.");
    Ok(())
}

fn with_cargo_lambda(
    workspace: &Workspace,
    functions: &[String],
    architecture: Architecture,
    directory: &Path,
) -> anyhow::Result<()> {
    let mut command = workspace.cargo();
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
    let own = match std::env::consts::ARCH {
        "x86_64" => Architecture::X86_64,
        _ => Architecture::Arm64,
    };
    if architecture != own {
        bail!(
            "building for {} on this machine requires cargo-lambda: install it with `pip install cargo-lambda` or \
             `cargo install cargo-lambda`, or pass `--arch {}`",
            architecture.name(),
            own.name()
        );
    }
    workspace.build(functions, Profile::Release)?;
    for function in functions {
        let binary = workspace.binaries(Profile::Release).join(function);
        let content = fs::read(&binary).with_context(|| format!("read {}", binary.display()))?;
        if let Some((major, minor)) = newest_glibc(&content).filter(|needed| *needed > AMAZON_LINUX_GLIBC) {
            let (has_major, has_minor) = AMAZON_LINUX_GLIBC;
            bail!(
                "{function} built on this machine requires glibc {major}.{minor}, but Lambda's provided.al2023 has \
                 {has_major}.{has_minor}: install cargo-lambda (`pip install cargo-lambda`), which links against that"
            );
        }
        let target = directory.join(function);
        fs::create_dir_all(&target).with_context(|| format!("create {}", target.display()))?;
        fs::copy(&binary, target.join("bootstrap")).with_context(|| format!("copy {}", binary.display()))?;
    }
    Ok(())
}

/// Writes the licences of the crates in each bootstrap beside it, so that the function's zip contains them.
fn write_notices(
    workspace: &Workspace,
    functions: &[String],
    architecture: Architecture,
    directory: &Path,
) -> anyhow::Result<()> {
    let python = on_path("python3").context("python3 is missing: install Python 3.10 or later")?;
    let mut command = workspace.command(python);
    command.args(["-B", "infra/local/crate_notice.py"]);
    command.arg(match architecture {
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
    });
    process::run(command.arg(directory).args(functions), "infra/local/crate_notice.py")
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
