//! Tables of measurements in documents, between markers that name the command.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Replaces what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
///
/// # Errors
/// When the document can't be read or written, or has no such markers.
pub fn write(document: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let old = fs::read_to_string(document).with_context(|| format!("read {}", document.display()))?;
    let new = replaced(&old, name, text).with_context(|| format!("{} has no markers `{name}`", document.display()))?;
    fs::write(document, new).with_context(|| format!("write {}", document.display()))
}

/// What stands between the markers.
pub fn section<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&begin(name))?;
    Some(rest.split_once(&end(name))?.0)
}

fn replaced(old: &str, name: &str, text: &str) -> Option<String> {
    let section = section(old, name)?;
    let (begin, end) = (begin(name), end(name));
    Some(old.replacen(&format!("{begin}{section}{end}"), &format!("{begin}{text}{end}"), 1))
}

fn begin(name: &str) -> String {
    format!("<!-- {name}:begin -->\n")
}

fn end(name: &str) -> String {
    format!("<!-- {name}:end -->")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = "before\n<!-- warm:begin -->\nold\n<!-- warm:end -->\nafter\n";
        let new = replaced(page, "warm", "new\n");
        assert_eq!(new.as_deref(), Some("before\n<!-- warm:begin -->\nnew\n<!-- warm:end -->\nafter\n"));
        assert_eq!((section(page, "warm"), section(page, "cold")), (Some("old\n"), None));
    }
}
