//! `cargo xtask package --client`: the client `reelhook` in an archive, for people without this repository.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::{Architecture, newest_glibc, reproducible, target, write_beside};
use crate::workspace::Workspace;
use crate::{process, ui};

/// The program, and the package that it belongs to.
const PROGRAM: &str = "reelhook";
/// The version of the workspace, which the client has too.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Shells, and the files with their completions.
const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "completions/reelhook.bash"), ("fish", "completions/reelhook.fish"), ("zsh", "completions/_reelhook")];
/// The licences of this repository.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Writes target/client/<archive>.zip with the client for this machine, its hash, completions and licences, and SHA256SUMS
/// beside it.
pub fn package(workspace: &Workspace) -> anyhow::Result<()> {
    let mut command = reproducible(workspace)?;
    // The release profile strips it.
    command.args(["build", "--release", "--workspace", "--bin", PROGRAM]);
    process::run(&mut command, "cargo build")?;
    let directory = workspace.root.join("target/client");
    // What another version left would be in the archive too.
    let _ = fs::remove_dir_all(&directory);
    let built = target(workspace).join("release").join(PROGRAM);
    lay_out(workspace, &built, &directory.join(PROGRAM))?;
    let architecture = Architecture::own();
    write_beside(workspace, "crate_notice.py", Some(architecture.target()), &directory, &[PROGRAM.to_owned()])?;
    let archive = archive(architecture);
    write_beside(workspace, "zips.py", None, &directory, &[format!("{PROGRAM}={archive}")])?;
    let path = directory.join(format!("{archive}.zip"));
    let size = fs::metadata(&path).with_context(|| format!("find {}", path.display()))?.len();
    println!("{:>10}  target/client/{archive}.zip", ui::bytes(size));
    println!("target/client/SHA256SUMS has its hash; docs/client.md says how to install it.");
    let program = fs::read(&built).with_context(|| format!("read {}", built.display()))?;
    if let Some((major, minor)) = newest_glibc(&program) {
        println!("The program runs on Linux with glibc {major}.{minor} or later.");
    }
    Ok(())
}

/// The archive's name without its extension.
fn archive(architecture: Architecture) -> String {
    format!("{PROGRAM}-{VERSION}-{}", architecture.target())
}

/// Writes what the archive has, but for the licences of crates, into a directory: the program, its hash, the completions
/// that it prints, and the licences of this repository.
fn lay_out(workspace: &Workspace, built: &Path, directory: &Path) -> anyhow::Result<()> {
    let completions = directory.join("completions");
    fs::create_dir_all(&completions).with_context(|| format!("create {}", completions.display()))?;
    fs::copy(built, directory.join(PROGRAM)).with_context(|| format!("copy {}", built.display()))?;
    for (shell, file) in COMPLETIONS {
        let mut command = workspace.command(built);
        let script = process::output(command.args(["completions", shell]), b"", "reelhook completions")?;
        let file = directory.join(file);
        fs::write(&file, script).with_context(|| format!("write {}", file.display()))?;
    }
    for licence in LICENCES {
        fs::copy(workspace.root.join(licence), directory.join(licence)).with_context(|| format!("copy {licence}"))?;
    }
    let mut command = workspace.command("sha256sum");
    let sums = process::output(command.arg(PROGRAM).current_dir(directory), b"", "sha256sum")?;
    fs::write(directory.join("SHA256SUMS"), sums).context("write the hash of the program")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_named_after_version_and_machine() {
        assert_eq!(archive(Architecture::X86_64), format!("reelhook-{VERSION}-x86_64-unknown-linux-gnu"));
        assert_eq!(archive(Architecture::Arm64), format!("reelhook-{VERSION}-aarch64-unknown-linux-gnu"));
    }

    #[test]
    fn an_archive_has_the_program_its_hash_completions_and_licences() {
        let directory = std::env::temp_dir().join(format!("xtask-client-{}", std::process::id()));
        // A program that prints its arguments.
        let echo = Path::new("/bin/echo");
        lay_out(&Workspace::find().unwrap(), echo, &directory).unwrap();
        let text = |file: &str| fs::read_to_string(directory.join(file)).unwrap();
        assert_eq!(fs::read(directory.join("reelhook")).unwrap(), fs::read(echo).unwrap());
        for (shell, file) in COMPLETIONS {
            assert_eq!(text(file), format!("completions {shell}\n"), "{file}");
        }
        let sums = text("SHA256SUMS");
        let (hash, name) = sums.split_once("  ").unwrap();
        assert_eq!((hash.len(), name), (64, "reelhook\n"));
        let mut names: Vec<String> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["LICENSE-APACHE", "LICENSE-MIT", "SHA256SUMS", "completions", "reelhook"]);
        fs::remove_dir_all(&directory).unwrap();
    }
}
