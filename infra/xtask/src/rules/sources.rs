//! The Rust files of the checkout, and the libraries and programs that they make up.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

/// Directories without sources of ours.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "venv"];

/// The text of each Rust file, by its path in the checkout.
pub type Sources = BTreeMap<String, String>;

/// A library or a program: what `crate::` means in its files.
pub struct Target {
    /// As the code names it, such as `reelhook_domain`.
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

/// The libraries and programs of the workspace; its tests and examples are none.
pub fn targets(workspace: &Workspace) -> anyhow::Result<Vec<Target>> {
    let mut command = workspace.cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&process::output(&mut command, b"", "cargo metadata")?)
        .context("cargo metadata printed no JSON")?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut targets = Vec::new();
    for target in list(&metadata["packages"]).iter().flat_map(|package| list(&package["targets"])) {
        if list(&target["kind"]).iter().any(|kind| kind == "lib" || kind == "bin") {
            let (name, root) = (target["name"].as_str(), target["src_path"].as_str());
            let (name, root) = name.zip(root).context("cargo metadata has a target without name or path")?;
            targets.push(Target { name: name.to_owned(), root: relative(&workspace.root, Path::new(root))? });
        }
    }
    anyhow::ensure!(!targets.is_empty(), "cargo metadata has no library and no program");
    Ok(targets)
}

/// The path in the checkout.
fn relative(root: &Path, path: &Path) -> anyhow::Result<String> {
    let inside = path.strip_prefix(root).with_context(|| format!("{} is outside the checkout", path.display()))?;
    Ok(inside.to_string_lossy().into_owned())
}
