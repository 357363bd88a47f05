//! Writes the API's description and that of messages from the types, or compares them: `reelhook-openapi OPENAPI ASYNCAPI
//! [--check]`. `cargo xtask openapi` runs it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let mut file = |what: &'static str| arguments.next().map(PathBuf::from).context(what);
    let api = file("the path of the API's description is missing")?;
    let messages = file("the path of the description of messages is missing")?;
    let is_check = arguments.next().is_some_and(|argument| argument == "--check");
    for (file, written) in [(api, reelhook_openapi::text()?), (messages, reelhook_openapi::messages_text()?)] {
        if is_check {
            compare(&file, &written)?;
        } else {
            std::fs::write(&file, written).with_context(|| format!("failed to write {}", file.display()))?;
        }
    }
    Ok(())
}

/// Fails if a file is not as it would be written.
fn compare(file: &Path, written: &str) -> anyhow::Result<()> {
    let known = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
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
