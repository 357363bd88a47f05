//! The OpenType features of each script.

use cosmic_text::harfrust::{Feature, Tag};
use unicode_script::Script;

/// The OpenType features to request. For scripts with separate letters, features are disabled that replace characters
/// (`1x1` by `1×1`, `->` by an arrow) or join letters (`fi` would lose the dot of a Turkish i).
pub(super) fn features(script: Option<Script>, tabular: bool) -> Vec<Feature> {
    let mut features = Vec::new();
    if !joins(script) {
        features.extend([b"calt", b"clig", b"liga"].map(|tag| Feature::new(Tag::new(tag), 0, ..)));
    }
    if tabular {
        features.extend([b"tnum", b"lnum"].map(|tag| Feature::new(Tag::new(tag), 1, ..)));
    }
    features
}

/// Whether a script depends on features to be readable, because its letters join, stack or change places.
fn joins(script: Option<Script>) -> bool {
    let Some(script) = script else { return false };
    !matches!(
        script,
        Script::Latin
            | Script::Greek
            | Script::Cyrillic
            | Script::Armenian
            | Script::Georgian
            | Script::Han
            | Script::Hiragana
            | Script::Katakana
            | Script::Bopomofo
            | Script::Hangul
    )
}
