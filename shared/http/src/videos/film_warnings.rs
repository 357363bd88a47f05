//! Warnings: what the video shows differently from the request. They name the path, and their number and length are
//! bounded.

use std::collections::BTreeSet;

use reelhook_domain::videos::coverage::missing;
use reelhook_domain::videos::render::Renderer;

/// The maximum number of texts with missing characters that get a warning each.
const MOST_TEXTS: usize = 20;
/// The maximum number of characters that such a warning names.
const MOST_CHARACTERS: usize = 5;

/// Collects warnings.
pub(crate) struct Warnings {
    renderer: Renderer,
    sentences: Vec<String>,
    /// The paths of texts with characters that no typeface can show.
    paths: BTreeSet<String>,
}

impl Warnings {
    /// No warnings yet.
    pub(crate) fn new(renderer: Renderer) -> Self {
        Self { renderer, sentences: Vec::new(), paths: BTreeSet::new() }
    }

    /// Adds a sentence.
    pub(crate) fn push(&mut self, sentence: String) {
        self.sentences.push(sentence);
    }

    /// Warns about characters that no built-in typeface has. Creatomate has typefaces of its own.
    pub(crate) fn check(&mut self, path: &str, text: &str) {
        let missing = match self.renderer {
            Renderer::Own => missing(text),
            Renderer::Creatomate => return,
        };
        if missing.is_empty() || !self.paths.insert(path.to_owned()) || self.paths.len() > MOST_TEXTS {
            return;
        }
        let name = |character: &char| format!("`{character}` (U+{:04X})", u32::from(*character));
        let names = missing.iter().take(MOST_CHARACTERS).map(name).collect::<Vec<_>>().join(", ");
        let more = match missing.len().saturating_sub(MOST_CHARACTERS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.sentences.push(format!("{path}: no typeface has {names}{more}; a box is drawn for each"));
    }

    /// The warnings.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let more = self.paths.len().saturating_sub(MOST_TEXTS);
        if more > 0 {
            self.sentences.push(format!("{more} more texts have characters that no typeface has"));
        }
        self.sentences
    }
}
