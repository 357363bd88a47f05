//! What is drawn differently from the order: sentences that name the place, bounded in number and length.

use std::collections::BTreeSet;

use reelhook_domain::videos::coverage::missing;
use reelhook_domain::videos::render::Renderer;

/// Texts with characters that can't be shown, each of which has a sentence.
const MOST_TEXTS: usize = 20;
/// Characters that such a sentence names.
const MOST_CHARACTERS: usize = 5;

/// Collects warnings.
pub(crate) struct Warnings {
    renderer: Renderer,
    sentences: Vec<String>,
    /// The places of texts with characters that can't be shown.
    paths: BTreeSet<String>,
}

impl Warnings {
    /// None yet.
    pub(crate) fn new(renderer: Renderer) -> Self {
        Self { renderer, sentences: Vec::new(), paths: BTreeSet::new() }
    }

    /// Adds a sentence.
    pub(crate) fn push(&mut self, sentence: String) {
        self.sentences.push(sentence);
    }

    /// Warns of characters that no typeface of ours has. Creatomate has its own.
    pub(crate) fn look_at(&mut self, path: &str, text: &str) {
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

    /// The sentences.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let more = self.paths.len().saturating_sub(MOST_TEXTS);
        if more > 0 {
            self.sentences.push(format!("{more} more texts have characters that no typeface has"));
        }
        self.sentences
    }
}
