//! The Rust files of the checkout, and the libraries and programs in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

/// Directories that contain no sources of this repository.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "venv"];

/// The text of each Rust file, by its path in the checkout.
pub type Sources = BTreeMap<String, String>;

/// A library or a program: the scope of `crate::`.
pub struct Target {
    /// Its name in code, such as `reelhook_domain`.
    pub name: String,
    /// The path of its lib.rs or main.rs.
    pub root: String,
}

/// Reads every Rust file of the checkout.
pub fn read(root: &Path) -> anyhow::Result<Sources> {
    let (mut sources, mut left) = (Sources::new(), vec![root.to_owned()]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).with_context(|| format!("list {}", directory.display()))?.flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() {
                if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                    left.push(path);
                }
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
                sources.insert(relative(root, &path)?, text);
            }
        }
    }
    Ok(sources)
}

/// The libraries and programs of the workspace, without tests and examples.
pub fn targets(workspace: &Workspace) -> anyhow::Result<Vec<Target>> {
    let mut command = workspace.cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&process::output(&mut command, b"", "cargo metadata")?)
        .context("the output of cargo metadata is not JSON")?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut targets = Vec::new();
    for target in list(&metadata["packages"]).iter().flat_map(|package| list(&package["targets"])) {
        if list(&target["kind"]).iter().any(|kind| kind == "lib" || kind == "bin") {
            let (name, root) = (target["name"].as_str(), target["src_path"].as_str());
            let (name, root) = name.zip(root).context("cargo metadata lists a target without a name or path")?;
            targets.push(Target { name: name.to_owned(), root: relative(&workspace.root, Path::new(root))? });
        }
    }
    anyhow::ensure!(!targets.is_empty(), "cargo metadata lists no library or program");
    Ok(targets)
}

/// The path in the checkout.
fn relative(root: &Path, path: &Path) -> anyhow::Result<String> {
    let inside = path.strip_prefix(root).with_context(|| format!("{} is outside the checkout", path.display()))?;
    Ok(inside.to_string_lossy().into_owned())
}
