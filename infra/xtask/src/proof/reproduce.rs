//! `cargo xtask reproduce`: packages functions twice, in two directories, and compares every byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::package::{self, Architecture};
use crate::workspace::Workspace;
use crate::{process, ui};

/// Additional help for `--help`.
pub const ABOUT: &str = "\
Both directories below .local/reproduce get the files of this checkout and build everything anew, so all functions take an
hour or two. Their paths have different lengths, since a path that is left in a binary moves what follows it.
By default the functions are built for the architecture of this machine. `cargo xtask package` and template.yaml have
another default, arm64: `--arch arm64` compares what is deployed.";

/// The two checkouts, below .local/reproduce.
const CHECKOUTS: [&str; 2] = ["one", "another/with/a/longer/path"];

/// The options of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Reproduce {
    /// Package only this function; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Processor architecture, as in the template parameter Architecture; by default this machine's, which needs no
    /// cargo-lambda, and not that of a deployment, `arm64`
    #[arg(long, value_enum)]
    arch: Option<Architecture>,
}

/// Packages the functions twice; fails if any file differs.
pub fn run(workspace: &Workspace, options: &Reproduce) -> anyhow::Result<()> {
    let mut functions = workspace.functions()?;
    if let Some(unknown) = options.only.iter().find(|name| !functions.contains(name)) {
        anyhow::bail!("unknown function `{unknown}`: template.yaml has {}", functions.join(", "));
    }
    functions.retain(|name| options.only.is_empty() || options.only.contains(name));
    let architecture = options.arch.unwrap_or_else(Architecture::own);
    let directory = workspace.local().join("reproduce");
    let _ = fs::remove_dir_all(&directory);
    let mut packaged = Vec::new();
    for name in CHECKOUTS {
        let copy = copy(workspace, &directory.join(name))?;
        ui::say(format!("Packaging for {} in {} ...", architecture.name(), copy.root.display()));
        let lambda = copy.root.join("target/lambda");
        package::build(&copy, &functions, architecture, &lambda)?;
        packaged.push((copy.root, lambda));
    }
    let [(one, first), (another, second)] = packaged.as_slice() else { unreachable!("there are two checkouts") };
    let differing = differing(&contents(first)?, &contents(second)?);
    print!("{}", fs::read_to_string(first.join("SHA256SUMS")).context("read SHA256SUMS")?);
    anyhow::ensure!(
        differing.is_empty(),
        "these files differ between {} and {}: {}",
        one.display(),
        another.display(),
        differing.join(", ")
    );
    ui::say(format!("Both directories have the same bytes, for {}.", architecture.name()));
    fs::remove_dir_all(&directory).context("remove .local/reproduce")
}

/// Copies the files of the checkout that git knows or would add.
fn copy(workspace: &Workspace, to: &Path) -> anyhow::Result<Workspace> {
    let mut list = workspace.command("git");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = process::output(&mut list, b"", "git ls-files")?;
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (workspace.root.join(name), to.join(name));
        // A file that was deleted is listed until that is committed.
        if from.is_file() {
            let parent = to.parent().context("a file has a directory")?;
            fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
            fs::copy(&from, &to).with_context(|| format!("copy {}", from.display()))?;
        }
    }
    Ok(Workspace { root: to.canonicalize().with_context(|| format!("find {}", to.display()))? })
}

/// The files below a directory, by their paths in it.
fn contents(directory: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let (mut found, mut left) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("list {}", next.display()))?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(directory).context("a file is below its directory")?.to_owned();
                found.insert(name, fs::read(&path).with_context(|| format!("read {}", path.display()))?);
            }
        }
    }
    Ok(found)
}

/// The files that only one has, or whose bytes differ.
fn differing(one: &BTreeMap<PathBuf, Vec<u8>>, another: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<String> {
    let mut names: Vec<&PathBuf> = one.keys().chain(another.keys()).collect();
    names.sort();
    names.dedup();
    let differ = names.into_iter().filter(|name| one.get(*name) != another.get(*name));
    differ.map(|name| name.display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> BTreeMap<PathBuf, Vec<u8>> {
        list.iter().map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn files_that_differ_or_are_missing_are_named() {
        let one = files(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let another = files(&[("a", "1"), ("b", "2"), ("d", "1")]);
        assert_eq!(differing(&one, &another), ["b", "c", "d"]);
        assert!(differing(&one, &one).is_empty());
    }

    #[test]
    fn files_are_found_at_any_depth() {
        let directory = std::env::temp_dir().join(format!("xtask-reproduce-{}", std::process::id()));
        fs::create_dir_all(directory.join("worker")).unwrap();
        fs::write(directory.join("worker/bootstrap"), "b").unwrap();
        fs::write(directory.join("worker.zip"), "z").unwrap();
        let found: Vec<PathBuf> = contents(&directory).unwrap().into_keys().collect();
        assert_eq!(found, [PathBuf::from("worker/bootstrap"), PathBuf::from("worker.zip")]);
        fs::remove_dir_all(&directory).unwrap();
    }
}
