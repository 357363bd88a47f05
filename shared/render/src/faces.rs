//! Which typeface shows a character: the theme's own where it can, else the one that is made for the script.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use cosmic_text::{Font, FontSystem, fontdb};
use icu_normalizer::properties::{CanonicalDecompositionBorrowed, Decomposed};
use unicode_script::{Script, UnicodeScript};

use crate::fonts::{EMOJI, JAPANESE, TEXT};
use crate::spans::{self, Kind};

/// Families that are tried in this order for characters that neither the theme's family nor the script's has.
const COMMON: [&str; 7] =
    [TEXT, "Noto Sans", EMOJI, "Noto Sans Symbols", "Noto Sans Symbols 2", "Noto Sans Math", "Noto Sans SC"];

/// The typefaces that are loaded, and what they have.
pub(crate) struct Faces {
    /// By name, each with its weights.
    families: Vec<(String, Vec<Weighted>)>,
    emoji: Option<fontdb::ID>,
    /// What was looked up before.
    known: HashMap<(fontdb::ID, char), bool>,
}

/// A face and its weight.
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
        // Files come in any order.
        families.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut faces = Self { families, emoji: None, known: HashMap::new() };
        faces.emoji = faces.of(EMOJI, 400);
        faces
    }

    /// The face of a family whose weight is nearest; of two that are as near the heavier one.
    pub fn of(&self, family: &str, weight: u16) -> Option<fontdb::ID> {
        let at = self.families.binary_search_by(|(name, _)| name.as_str().cmp(family)).ok()?;
        nearest(&self.families[at].1, weight)
    }

    /// The face of colour emoji.
    pub fn emoji(&self) -> Option<fontdb::ID> {
        self.emoji
    }

    /// The face for a grapheme of a text in this family and weight that comes after one in `before`. None where nothing
    /// of it is drawn, so that any face will do.
    pub fn choose(
        &mut self,
        system: &mut FontSystem,
        grapheme: &str,
        kind: Kind,
        (family, weight): (&str, u16),
        before: Option<fontdb::ID>,
    ) -> Option<fontdb::ID> {
        let first = grapheme.chars().find(|character| !spans::is_ignorable(*character))?;
        let own = self.of(family, weight).or_else(|| self.of(TEXT, weight));
        let before = before.filter(|before| Some(*before) != self.emoji);
        // A space is shaped with the word before it.
        if let Some(before) = before.filter(|_| first.is_whitespace())
            && self.has(system, before, first)
        {
            return Some(before);
        }
        let (early, late) = match kind {
            Kind::Plain => (None, None),
            Kind::Symbol => (None, self.emoji),
            Kind::Emoji => (self.emoji, None),
            Kind::Japanese => (self.of(JAPANESE, weight), None),
        };
        if let Some(own) = own.filter(|_| early.is_none())
            && self.has_all(system, own, grapheme)
        {
            return Some(own);
        }
        let listed = of_script(first.script()).iter().chain(&COMMON).filter_map(|family| self.of(family, weight));
        let all = self.families.iter().filter_map(|(_, faces)| nearest(faces, weight));
        let mut order: Vec<fontdb::ID> = early.into_iter().chain(own).chain(before).chain(listed).chain(all).collect();
        if late.is_some() {
            order.retain(|face| Some(*face) != late);
            order.extend(late);
        }
        let whole = order.iter().copied().find(|face| self.has_all(system, *face, grapheme));
        // Without its marks, then as the box of the theme's face.
        whole.or_else(|| order.iter().copied().find(|face| self.has(system, *face, first))).or(own)
    }

    /// The character that a face shows for another: hyphens are in few of them.
    pub fn written(&mut self, system: &mut FontSystem, face: fontdb::ID, character: char) -> char {
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

    /// Whether a face shows a character, or what stands in for it.
    fn has(&mut self, system: &mut FontSystem, face: fontdb::ID, character: char) -> bool {
        let other = || stand_in(character).or_else(|| equivalent(character));
        self.maps(system, face, character) || other().is_some_and(|other| self.maps(system, face, other))
    }

    fn maps(&mut self, system: &mut FontSystem, face: fontdb::ID, character: char) -> bool {
        *self
            .known
            .entry((face, character))
            .or_insert_with(|| font(system, face).is_some_and(|font| font.as_swash().charmap().map(character) != 0))
    }

    /// Forgets what was looked up, so that a long-lived process does not grow.
    pub fn forget(&mut self) {
        self.known.clear();
    }
}

/// A face, loaded.
pub(crate) fn font(system: &mut FontSystem, face: fontdb::ID) -> Option<Arc<Font>> {
    let weight = system.db().face(face)?.weight;
    system.get_font(face, weight)
}

fn nearest(faces: &[Weighted], weight: u16) -> Option<fontdb::ID> {
    faces.iter().min_by_key(|(has, face)| (has.abs_diff(weight), Reverse(*has), *face)).map(|(_, face)| *face)
}

/// The shaper gives spaces their width, and shows the hyphens as one, whether a face has them or not.
fn stand_in(character: char) -> Option<char> {
    match character {
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => Some(' '),
        '\u{2010}' | '\u{2011}' => Some('-'),
        _ => None,
    }
}

/// The character that the shaper shows for one that is only another code for it, such as a compatibility ideograph.
fn equivalent(character: char) -> Option<char> {
    match CanonicalDecompositionBorrowed::new().decompose(character) {
        Decomposed::Singleton(other) => Some(other),
        Decomposed::Default | Decomposed::Expansion(..) => None,
    }
}

/// The families that are made for a script.
fn of_script(script: Script) -> &'static [&'static str] {
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
