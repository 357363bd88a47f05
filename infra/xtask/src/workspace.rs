//! The checkout: its paths, the functions of template.yaml, and how cargo builds them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::process;

/// How the binaries are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build: used for local runs and tests.
    Debug,
    /// Optimised: deployed to AWS.
    Release,
    /// As released, with symbols.
    Profiling,
    /// Optimised, with the checks of a debug build: runs the fuzzer.
    Checked,
}

impl Profile {
    fn directory(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
            Self::Profiling => "profiling",
            Self::Checked => "checked",
        }
    }
}

/// This checkout.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The directory of the workspace's Cargo.toml.
    pub root: PathBuf,
}

impl Workspace {
    /// The checkout that this program was built from.
    pub fn find() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().context("find the checkout that xtask was built from")?;
        Ok(Self { root })
    }

    /// The directory for what the commands create, apart from cargo's target directory.
    pub fn local(&self) -> PathBuf {
        self.root.join(".local")
    }

    /// The SAM template.
    pub fn template(&self) -> PathBuf {
        self.root.join("template.yaml")
    }

    /// The functions of template.yaml; each is a crate, a binary and a Lambda function.
    pub fn functions(&self) -> anyhow::Result<Vec<String>> {
        let path = self.template();
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let functions = functions_of(&text);
        anyhow::ensure!(!functions.is_empty(), "template.yaml has no function with `CodeUri: target/lambda/<name>/`");
        Ok(functions)
    }

    /// The directory that cargo builds binaries into.
    pub fn binaries(&self, profile: Profile) -> PathBuf {
        self.target().join(profile.directory())
    }

    fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), |named| self.root.join(named))
    }

    /// A command that runs in the checkout.
    pub fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root);
        command
    }

    /// A cargo command without the variables that `cargo run` sets: they would make build scripts run again.
    pub fn cargo(&self) -> Command {
        let mut command = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        for (name, _) in env::vars_os() {
            if is_of_one_crate(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command
    }

    /// Builds these binaries, always with the whole workspace selected: another selection has other features, and
    /// would build the SDKs a second time.
    pub fn build(&self, binaries: &[String], profile: Profile) -> anyhow::Result<()> {
        let mut command = self.cargo();
        command.args(["build", "--workspace"]);
        if profile != Profile::Debug {
            command.args(["--profile", profile.directory()]);
        }
        for binary in binaries {
            command.args(["--bin", binary]);
        }
        process::run(&mut command, "cargo build")
    }
}

fn is_of_one_crate(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_")
        || variable.starts_with("CARGO_MANIFEST_")
        || matches!(variable, "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE")
}

fn functions_of(template: &str) -> Vec<String> {
    let mut functions: Vec<String> = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("CodeUri:"))
        .filter_map(|uri| uri.trim().trim_matches(['\'', '"']).strip_prefix("target/lambda/"))
        .map(|name| name.trim_end_matches('/').to_owned())
        .collect();
    functions.sort();
    functions.dedup();
    functions
}

/// The path of a program on PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories).map(|directory| directory.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_read_from_the_template() {
        let template = "
  A:
    Properties:
      CodeUri: target/lambda/worker/
  B:
      CodeUri: 'target/lambda/generate'
      # CodeUri: target/lambda/none/
";
        assert_eq!(functions_of(template), ["generate", "worker"]);
    }

    #[test]
    fn variables_of_one_crate_are_recognised() {
        assert!(is_of_one_crate("CARGO_PKG_NAME") && is_of_one_crate("CARGO_MANIFEST_DIR"));
        assert!(!is_of_one_crate("CARGO_HOME") && !is_of_one_crate("CARGO_TARGET_DIR"));
    }
}
