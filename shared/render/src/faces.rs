//! Font fallback: selects the face that shows a grapheme, the theme's face if possible, else one that is made for the
//! script.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use cosmic_text::{Font, FontSystem, fontdb};
use icu_normalizer::properties::{CanonicalDecompositionBorrowed, Decomposed};
use unicode_script::{Script, UnicodeScript};

use crate::spans::{self, Kind};

/// The family of running text.
pub(crate) const TEXT: &str = "Inter";
/// The family of colour emoji.
pub(crate) const EMOJI: &str = "Noto Color Emoji";
/// The family of Japanese text, whose Han characters differ in shape from the Chinese ones.
pub(crate) const JAPANESE: &str = "Noto Sans JP";

/// Fallback families in order, for characters that neither the theme's family nor the script's family has.
const COMMON: [&str; 7] =
    [TEXT, "Noto Sans", EMOJI, "Noto Sans Symbols", "Noto Sans Symbols 2", "Noto Sans Math", "Noto Sans SC"];

/// The loaded faces and their character coverage.
pub(crate) struct Faces {
    /// The families, sorted by name, with their faces.
    families: Vec<(String, Vec<Weighted>)>,
    emoji: Option<fontdb::ID>,
    /// Results of earlier lookups.
    coverage: HashMap<(fontdb::ID, char), bool>,
}

/// A weight and the face that has it.
type Weighted = (u16, fontdb::ID);

impl Faces {
    pub fn new(db: &fontdb::Database) -> Self {
        let mut families: Vec<(String, Vec<Weighted>)> = Vec::new();
        for face in db.faces() {
            let weighted = (face.weight.0, face.id);
            for (name, _) in &face.families {
                match families.iter_mut().find(|(family, _)| family == name) {
                    Some((_, faces)) => faces.push(weighted),
                    None => families.push((name.clone(), vec![weighted])),
                }
            }
        }
        // Files are loaded in any order.
        families.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut faces = Self { families, emoji: None, coverage: HashMap::new() };
        faces.emoji = faces.of(EMOJI, 400);
        faces
    }

    /// The face of a family with the nearest weight. If two weights are equally near, the heavier one is taken.
    pub fn of(&self, family: &str, weight: u16) -> Option<fontdb::ID> {
        let at = self.families.binary_search_by(|(name, _)| name.as_str().cmp(family)).ok()?;
        nearest(&self.families[at].1, weight)
    }

    /// The face of colour emoji.
    pub fn emoji(&self) -> Option<fontdb::ID> {
        self.emoji
    }

    /// Selects the face for a grapheme in a text of this family and weight; `previous` is the face of the grapheme
    /// before it. Returns `None` if nothing of the grapheme is drawn, so that any face will do.
    pub fn choose(
        &mut self,
        system: &mut FontSystem,
        grapheme: &str,
        kind: Kind,
        (family, weight): (&str, u16),
        previous: Option<fontdb::ID>,
    ) -> Option<fontdb::ID> {
        let first = grapheme.chars().find(|character| !spans::is_ignorable(*character))?;
        let own = self.of(family, weight).or_else(|| self.of(TEXT, weight));
        let previous = previous.filter(|previous| Some(*previous) != self.emoji);
        // White space is shaped with the word before it.
        if let Some(previous) = previous.filter(|_| first.is_whitespace())
            && self.has(system, previous, first)
        {
            return Some(previous);
        }
        let (preferred, last_resort) = match kind {
            Kind::Plain => (None, None),
            Kind::Symbol => (None, self.emoji),
            Kind::Emoji => (self.emoji, None),
            Kind::Japanese => (self.of(JAPANESE, weight), None),
        };
        if let Some(own) = own.filter(|_| preferred.is_none())
            && self.has_all(system, own, grapheme)
        {
            return Some(own);
        }
        let listed = families_of(first.script()).iter().chain(&COMMON).filter_map(|family| self.of(family, weight));
        let all = self.families.iter().filter_map(|(_, faces)| nearest(faces, weight));
        let mut order: Vec<fontdb::ID> =
            preferred.into_iter().chain(own).chain(previous).chain(listed).chain(all).collect();
        if last_resort.is_some() {
            order.retain(|face| Some(*face) != last_resort);
            order.extend(last_resort);
        }
        let whole = order.iter().copied().find(|face| self.has_all(system, *face, grapheme));
        // If no face has the whole grapheme, take one that has its base character, else show the theme's missing-glyph
        // box.
        whole.or_else(|| order.iter().copied().find(|face| self.has(system, *face, first))).or(own)
    }

    /// The character to shape instead of this one: few faces have the hyphens U+2010 and U+2011.
    pub fn substitute(&mut self, system: &mut FontSystem, face: fontdb::ID, character: char) -> char {
        if matches!(character, '\u{2010}' | '\u{2011}')
            && !self.maps(system, face, character)
            && (character == '\u{2010}' || !self.maps(system, face, '\u{2010}'))
        {
            return '-';
        }
        character
    }

    fn has_all(&mut self, system: &mut FontSystem, face: fontdb::ID, grapheme: &str) -> bool {
        let mut drawn = grapheme.chars().filter(|character| !spans::is_ignorable(*character));
        drawn.all(|character| self.has(system, face, character))
    }

    /// Whether a face can show a character, or the character that the shaper substitutes for it.
    fn has(&mut self, system: &mut FontSystem, face: fontdb::ID, character: char) -> bool {
        let other = || shaper_substitute(character).or_else(|| equivalent(character));
        self.maps(system, face, character) || other().is_some_and(|other| self.maps(system, face, other))
    }

    fn maps(&mut self, system: &mut FontSystem, face: fontdb::ID, character: char) -> bool {
        *self
            .coverage
            .entry((face, character))
            .or_insert_with(|| font(system, face).is_some_and(|font| font.as_swash().charmap().map(character) != 0))
    }

    /// Clears the lookup results, so that a long-lived process does not grow.
    pub fn forget(&mut self) {
        self.coverage.clear();
    }
}

/// Loads a face.
pub(crate) fn font(system: &mut FontSystem, face: fontdb::ID) -> Option<Arc<Font>> {
    let weight = system.db().face(face)?.weight;
    system.get_font(face, weight)
}

fn nearest(faces: &[Weighted], weight: u16) -> Option<fontdb::ID> {
    faces.iter().min_by_key(|(has, face)| (has.abs_diff(weight), Reverse(*has), *face)).map(|(_, face)| *face)
}

/// The character that the shaper falls back to: it gives spaces their width and replaces hyphens, whether a face has
/// them or not.
fn shaper_substitute(character: char) -> Option<char> {
    match character {
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => Some(' '),
        '\u{2010}' | '\u{2011}' => Some('-'),
        _ => None,
    }
}

/// The canonical equivalent that the shaper uses for a duplicate code point, such as a compatibility ideograph.
fn equivalent(character: char) -> Option<char> {
    match CanonicalDecompositionBorrowed::new().decompose(character) {
        Decomposed::Singleton(other) => Some(other),
        Decomposed::Default | Decomposed::Expansion(..) => None,
    }
}

/// The families that are made for a script.
fn families_of(script: Script) -> &'static [&'static str] {
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
        // `Script` is non-exhaustive and belongs to another crate. Other scripts are covered by Inter or Noto Sans, or
        // show the missing-glyph box.
        _ => &[TEXT, "Noto Sans"],
    }
}
