//! The fonts that we ship, with caches of drawn glyphs and shaped texts, and of what scenes have in common.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use cosmic_text::{FontSystem, SwashCache, fontdb};
use tiny_skia::Pixmap;

use crate::error::RenderError;
use crate::faces::{EMOJI, Faces, TEXT};
use crate::kept::Kept;
use crate::shape::cost::LayoutCost;
use crate::shape::{ShapedText, Shaper, ShapingStyle};

/// The loaded fonts with their caches. Each thread that lays scenes out needs its own.
pub struct Fonts {
    pub(crate) system: FontSystem,
    pub(crate) swash: SwashCache,
    pub(crate) faces: Faces,
    pub(crate) shaper: Shaper,
    pub(crate) emojis: HashMap<(u16, u32), Option<Pixmap>>,
    pub(crate) kept: Kept,
}

impl Fonts {
    /// Loads every TTF and OTF file below `directory`, as installed by `infra/fonts.sh`. System fonts are not used.
    ///
    /// # Errors
    ///
    /// `RenderError::Fonts` if the family of running text is missing.
    pub fn load(directory: &Path) -> Result<Self, RenderError> {
        let mut db = fontdb::Database::new();
        db.load_fonts_dir(directory);
        let faces = Faces::new(&db);
        if faces.of(TEXT, 400).is_none() {
            let reason = format!("none of the {} faces found belongs to the family `{TEXT}`", db.len());
            return Err(RenderError::Fonts { directory: directory.to_owned(), reason });
        }
        if faces.emoji().is_none() {
            tracing::warn!("colour emoji can't be shown, the family `{EMOJI}` is not installed");
        }
        db.set_sans_serif_family(TEXT);
        let system = FontSystem::new_with_locale_and_db("en-US".to_owned(), db);
        Ok(Self {
            system,
            swash: SwashCache::new(),
            faces,
            shaper: Shaper::default(),
            emojis: HashMap::new(),
            kept: Kept::default(),
        })
    }

    /// The cost of text layout since the fonts were loaded.
    pub fn cost(&self) -> LayoutCost {
        self.shaper.cost
    }

    /// Shapes a text as far as `room` characters of it could be visible. Returns `None` if nothing would be visible.
    pub(crate) fn shape(&mut self, text: &str, style: ShapingStyle, room: usize) -> Option<Arc<ShapedText>> {
        self.shaper.text(&mut self.system, &mut self.faces, text, style, room)
    }

    /// Starts a scene with a new shaping budget and drops the texts of the previous scene.
    pub(crate) fn begin_scene(&mut self) {
        self.shaper.begin();
        self.faces.forget();
    }

    /// Drops drawn glyphs, so that a long-lived process does not grow with every scene.
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

/// The fonts of tests, as installed by `infra/fonts.sh`.
#[cfg(test)]
pub(crate) fn installed() -> Fonts {
    let directory = std::env::var_os("REELHOOK_FONTS")
        .expect("REELHOOK_FONTS must name the directory into which infra/fonts.sh installed the fonts");
    Fonts::load(Path::new(&directory)).expect("the fonts of infra/fonts.sh")
}
