//! The typefaces that we ship, with what has been made of them: drawn glyphs and shaped texts.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use cosmic_text::{FontSystem, SwashCache, fontdb};
use tiny_skia::Pixmap;

use crate::error::RenderError;
use crate::faces::Faces;
use crate::shape::{Form, Shaped, Shaper};

/// The family of text.
pub(crate) const TEXT: &str = "Inter";
/// The family of colour emoji.
pub(crate) const EMOJI: &str = "Noto Color Emoji";
/// The family of Japanese text, whose Han characters look different from the Chinese ones.
pub(crate) const JAPANESE: &str = "Noto Sans JP";

/// Loaded typefaces with their caches; one per thread that lays scenes out.
pub struct Fonts {
    pub(crate) system: FontSystem,
    pub(crate) swash: SwashCache,
    pub(crate) faces: Faces,
    pub(crate) shaper: Shaper,
    pub(crate) emojis: HashMap<(u16, u32), Option<Pixmap>>,
}

/// What setting texts has cost; counted, and the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Runs of text that were shaped.
    pub runs: u64,
    /// Characters that were shaped.
    pub characters: u64,
    /// Clusters of glyphs that were looked at to break lines.
    pub steps: u64,
}

impl Fonts {
    /// Loads every TTF and OTF below `directory` (what `infra/fonts.sh` installs); nothing of the system is used.
    ///
    /// # Errors
    ///
    /// `RenderError::Fonts` without the family of text.
    pub fn load(directory: &Path) -> Result<Self, RenderError> {
        let mut db = fontdb::Database::new();
        db.load_fonts_dir(directory);
        let faces = Faces::new(&db);
        if faces.of(TEXT, 400).is_none() {
            let reason = format!("{} faces, none of them `{TEXT}`", db.len());
            return Err(RenderError::Fonts { directory: directory.to_owned(), reason });
        }
        if faces.emoji().is_none() {
            tracing::warn!("no colour emoji: `{EMOJI}` is not among the fonts");
        }
        db.set_sans_serif_family(TEXT);
        let system = FontSystem::new_with_locale_and_db("en-US".to_owned(), db);
        Ok(Self { system, swash: SwashCache::new(), faces, shaper: Shaper::default(), emojis: HashMap::new() })
    }

    /// What setting texts has cost since the fonts were loaded.
    pub fn work(&self) -> Work {
        self.shaper.work
    }

    /// A text, shaped as far as `room` characters of it could be shown. None where nothing would be seen.
    pub(crate) fn shape(&mut self, text: &str, form: Form, room: usize) -> Option<Arc<Shaped>> {
        self.shaper.text(&mut self.system, &mut self.faces, text, form, room)
    }

    /// Begins a scene, with a budget of its own: forgets the texts of the one before.
    pub(crate) fn begin_scene(&mut self) {
        self.shaper.begin();
        self.faces.forget();
    }

    /// Forgets drawn glyphs, so that a long-lived process does not grow with every scene.
    pub(crate) fn forget_glyphs(&mut self) {
        self.swash = SwashCache::new();
        self.emojis.clear();
    }
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fonts").field("faces", &self.system.db().len()).finish()
    }
}

/// The typefaces of tests: those that `infra/fonts.sh` installed.
#[cfg(test)]
pub(crate) fn installed() -> Fonts {
    let directory = std::env::var_os("REELHOOK_FONTS")
        .expect("REELHOOK_FONTS must name the directory that infra/fonts.sh has installed the typefaces to");
    Fonts::load(Path::new(&directory)).expect("the typefaces of infra/fonts.sh")
}
