//! Writes the API's description from the types of its requests and answers, or compares it: `reelhook-openapi FILE
//! [--check]`. `cargo xtask openapi` runs it.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let file = PathBuf::from(arguments.next().context("the path of the description is missing")?);
    let is_check = arguments.next().is_some_and(|argument| argument == "--check");
    let written = reelhook_openapi::text()?;
    if !is_check {
        return std::fs::write(&file, written).with_context(|| format!("failed to write {}", file.display()));
    }
    let known = std::fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
    if let Some((line, (old, new))) = known.lines().zip(written.lines()).enumerate().find(|(_, (old, new))| old != new)
    {
        bail!(
            "{} is not up to date from line {}:\n- {old}\n+ {new}\nrun `cargo xtask openapi`",
            file.display(),
            line + 1
        );
    }
    if known != written {
        bail!("{} is not up to date: run `cargo xtask openapi`", file.display());
    }
    Ok(())
}
