//! The typefaces that we ship, and which one stands in for a script that a theme's own face does not have.

use std::collections::HashMap;
use std::path::Path;

use cosmic_text::{Fallback, FontSystem, SwashCache, fontdb};
use tiny_skia::Pixmap;
use unicode_script::Script;

use crate::error::RenderError;

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
    pub(crate) emoji: Option<fontdb::ID>,
    pub(crate) emojis: HashMap<(u16, u32), Option<Pixmap>>,
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
        let has = |family: &str| db.faces().any(|face| face.families.iter().any(|(name, _)| name == family));
        if !has(TEXT) {
            let reason = format!("{} faces, none of them `{TEXT}`", db.len());
            return Err(RenderError::Fonts { directory: directory.to_owned(), reason });
        }
        let emoji = db.faces().find(|face| face.families.iter().any(|(name, _)| name == EMOJI)).map(|face| face.id);
        if emoji.is_none() {
            tracing::warn!("no colour emoji: `{EMOJI}` is not among the fonts");
        }
        db.set_sans_serif_family(TEXT);
        let system = FontSystem::new_with_locale_and_db_and_fallback("en-US".to_owned(), db, Shipped);
        Ok(Self { system, swash: SwashCache::new(), emoji, emojis: HashMap::new() })
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

struct Shipped;

impl Fallback for Shipped {
    fn common_fallback(&self) -> &[&'static str] {
        &[TEXT, "Noto Sans", EMOJI, "Noto Sans Symbols", "Noto Sans Symbols 2", "Noto Sans Math", "Noto Sans SC"]
    }

    fn forbidden_fallback(&self) -> &[&'static str] {
        &[]
    }

    fn script_fallback(&self, script: Script, _locale: &str) -> &[&'static str] {
        match script {
            Script::Arabic => &["Noto Sans Arabic"],
            Script::Armenian => &["Noto Sans Armenian"],
            Script::Bengali => &["Noto Sans Bengali"],
            Script::Bopomofo | Script::Han => &["Noto Sans SC", JAPANESE, "Noto Sans KR"],
            Script::Devanagari => &["Noto Sans Devanagari"],
            Script::Ethiopic => &["Noto Sans Ethiopic"],
            Script::Georgian => &["Noto Sans Georgian"],
            Script::Gujarati => &["Noto Sans Gujarati"],
            Script::Gurmukhi => &["Noto Sans Gurmukhi"],
            Script::Hangul => &["Noto Sans KR"],
            Script::Hebrew => &["Noto Sans Hebrew"],
            Script::Hiragana | Script::Katakana => &[JAPANESE],
            Script::Kannada => &["Noto Sans Kannada"],
            Script::Khmer => &["Noto Sans Khmer"],
            Script::Lao => &["Noto Sans Lao"],
            Script::Malayalam => &["Noto Sans Malayalam"],
            Script::Myanmar => &["Noto Sans Myanmar"],
            Script::Sinhala => &["Noto Sans Sinhala"],
            Script::Tamil => &["Noto Sans Tamil"],
            Script::Telugu => &["Noto Sans Telugu"],
            Script::Thai => &["Noto Sans Thai"],
            // Scripts are a foreign, open list: the rest is in Inter or Noto Sans, or shows as a box.
            _ => &[TEXT, "Noto Sans"],
        }
    }
}
