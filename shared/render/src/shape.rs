//! Shapes each text of a scene once, in parts of an em: its characters become clusters of glyphs that any size is laid
//! out from, each with what may come after it: a line's end or not.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use cosmic_text::harfrust::{self, Direction, Feature, ShapePlan, Tag, UnicodeBuffer};
use cosmic_text::{FontSystem, fontdb};
use unicode_bidi::{Level, ParagraphBidiInfo};
use unicode_linebreak::{BreakClass, break_property, linebreaks};
use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::UnicodeSegmentation;

use crate::faces::{self, Faces};
use crate::fonts::Work;
use crate::spans::{self, Kind};

/// Characters of a scene that are shaped: some ten times what fits on a full card in its smallest type.
const MOST: usize = 60_000;
/// Characters of a text that are shaped when that is used up.
const LEAST: usize = 32;

/// How a text is shaped. Size, colour and letter spacing change no glyph, so they are no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub family: &'static str,
    pub weight: u16,
    pub bold_weight: u16,
    /// Digits of one width.
    pub tabular: bool,
}

/// A shaped text.
#[derive(Debug)]
pub(crate) struct Shaped {
    pub paragraphs: Vec<Paragraph>,
    /// Reads from right to left.
    pub rtl: bool,
    /// Letters join or stack, so that they are not spaced and lines stand further apart.
    pub complex: bool,
    /// The text goes on after what was shaped.
    pub partial: bool,
    pub tails: Arc<Tails>,
    /// Characters that were shaped, and how many could have been.
    characters: usize,
    most: usize,
}

/// A text up to a line break of its author; blank without clusters.
#[derive(Debug)]
pub(crate) struct Paragraph {
    pub level: Level,
    /// In the order in which they are read.
    pub clusters: Vec<Cluster>,
    pub glyphs: Vec<Glyph>,
}

/// What may be added to the end of a line, plain and bold.
#[derive(Debug)]
pub(crate) struct Tails {
    ellipsis: [Paragraph; 2],
    hyphen: [Paragraph; 2],
}

impl Tails {
    pub fn ellipsis(&self, bold: bool) -> &Paragraph {
        &self.ellipsis[usize::from(bold)]
    }

    pub fn hyphen(&self, bold: bool) -> &Paragraph {
        &self.hyphen[usize::from(bold)]
    }
}

/// Glyphs that belong together: those of a grapheme, or of several that became one.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// Where its characters begin.
    pub at: usize,
    /// Its glyphs, from left to right.
    pub glyphs: Range<usize>,
    pub advance: f32,
    pub level: Level,
    pub face: Face,
    pub bold: bool,
    pub role: Role,
    /// Whether letter spacing follows it.
    pub spaced: bool,
    /// Whether it is left out before an ellipsis.
    pub loose: bool,
    pub end: End,
}

/// What a cluster is to its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Ink,
    /// White space: counts within a line, and not at its end.
    Space,
    /// Not drawn.
    Nothing,
}

/// Whether a line may end after a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Yes,
    /// Yes, and a hyphen shows then.
    Hyphen,
    /// Only in a word that is wider than a line.
    Word,
    /// Not even then, as long as there is another place.
    Never,
}

/// The face of a cluster, with its measures in parts of an em.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Face {
    pub id: fontdb::ID,
    pub weight: fontdb::Weight,
    pub ascent: f32,
    pub descent: f32,
}

/// A glyph; measures in parts of an em, `y` upwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glyph {
    pub id: u16,
    pub advance: f32,
    pub x: f32,
    pub y: f32,
}

/// Shapes texts, and keeps those of a scene.
#[derive(Default)]
pub(crate) struct Shaper {
    pub work: Work,
    /// Characters of the scene that may still be shaped.
    left: usize,
    texts: HashMap<Form, HashMap<String, Arc<Shaped>>>,
    tails: HashMap<Form, Arc<Tails>>,
    /// By face, whether from right to left, script, and whether digits are of one width.
    plans: HashMap<(fontdb::ID, bool, Option<Script>, bool), ShapePlan>,
    buffer: Option<UnicodeBuffer>,
}

/// A grapheme before it is shaped.
struct Item {
    range: Range<usize>,
    face: fontdb::ID,
    script: Option<Script>,
    bold: bool,
    /// Whether its typeface is one for letters that may be spaced.
    spaced: bool,
    level: Level,
}

/// Graphemes that are shaped together.
struct Run {
    range: Range<usize>,
    face: fontdb::ID,
    script: Option<Script>,
    level: Level,
}

/// What a paragraph takes from its text.
#[derive(Clone, Copy)]
struct Base {
    rtl: bool,
    complex: bool,
    japanese: bool,
}

impl Shaper {
    /// Begins a scene.
    pub fn begin(&mut self) {
        self.texts.clear();
        self.left = MOST;
    }

    /// A text of which `room` characters could be shown. None where nothing would be seen.
    pub fn text(
        &mut self,
        system: &mut FontSystem,
        faces: &mut Faces,
        text: &str,
        form: Form,
        room: usize,
    ) -> Option<Arc<Shaped>> {
        let known = self.texts.get(&form).and_then(|texts| texts.get(text));
        if let Some(shaped) = known
            && (!shaped.partial || shaped.most >= room || self.left == 0)
        {
            return Some(Arc::clone(shaped));
        }
        let clean = spans::clean(text);
        if clean.is_empty() {
            return None;
        }
        // Twice as much each time: narrow and wide places ask for little and much of a text, which is shaped once or twice.
        let most = room.next_power_of_two().min(self.left.max(LEAST));
        let shaped = Arc::new(self.whole(system, faces, &clean, form, most));
        self.left = self.left.saturating_sub(shaped.characters);
        self.texts.entry(form).or_default().insert(text.to_owned(), Arc::clone(&shaped));
        Some(shaped)
    }

    fn whole(&mut self, system: &mut FontSystem, faces: &mut Faces, text: &str, form: Form, most: usize) -> Shaped {
        let base = Base {
            rtl: spans::is_rtl(text).unwrap_or(false),
            complex: spans::is_complex(text),
            japanese: spans::is_japanese(text),
        };
        let tails = self.tails(system, faces, form);
        let mut paragraphs = Vec::new();
        let (mut characters, mut partial) = (0, false);
        for mut source in spans::paragraphs(text) {
            let (kept, count) = beginning(&source.text, most - characters);
            characters += count;
            partial = kept < source.text.len();
            // A paragraph of which nothing is left is not a blank line.
            if !partial || kept > 0 || paragraphs.is_empty() {
                source.text.truncate(kept);
                paragraphs.push(self.paragraph(system, faces, &source, form, base));
            }
            if partial {
                break;
            }
        }
        Shaped { paragraphs, rtl: base.rtl, complex: base.complex, partial, tails, characters, most }
    }

    fn tails(&mut self, system: &mut FontSystem, faces: &mut Faces, form: Form) -> Arc<Tails> {
        if let Some(tails) = self.tails.get(&form) {
            return Arc::clone(tails);
        }
        let mut tail = |text: &str, bold: bool| {
            let bold = bold.then_some(0..text.len()).into_iter().collect();
            let base = Base { rtl: false, complex: false, japanese: false };
            self.paragraph(system, faces, &spans::Paragraph { text: text.to_owned(), bold }, form, base)
        };
        let tails = Arc::new(Tails {
            ellipsis: [tail("…", false), tail("…", true)],
            hyphen: [tail("\u{2010}", false), tail("\u{2010}", true)],
        });
        self.tails.insert(form, Arc::clone(&tails));
        tails
    }

    fn paragraph(
        &mut self,
        system: &mut FontSystem,
        faces: &mut Faces,
        source: &spans::Paragraph,
        form: Form,
        base: Base,
    ) -> Paragraph {
        let rtl = spans::is_rtl(&source.text).unwrap_or(base.rtl);
        let level = if rtl { Level::rtl() } else { Level::ltr() };
        let mut out = Paragraph { level, clusters: Vec::new(), glyphs: Vec::new() };
        if source.text.is_empty() {
            return out;
        }
        let items = items(system, faces, source, form, base.japanese, level);
        for run in runs(&items) {
            self.run(system, faces, &source.text, &run, form.tabular, &mut out);
        }
        describe(&mut out.clusters, &source.text, &items, base.complex);
        out
    }

    /// Shapes a run; its clusters are without what only their text tells.
    fn run(
        &mut self,
        system: &mut FontSystem,
        faces: &mut Faces,
        text: &str,
        run: &Run,
        tabular: bool,
        out: &mut Paragraph,
    ) {
        let Some(font) = faces::font(system, run.face) else { return };
        let direction = if run.level.is_rtl() { Direction::RightToLeft } else { Direction::LeftToRight };
        let named = run.script.and_then(|script| script.short_name().parse::<harfrust::Script>().ok());
        let script = named.unwrap_or(harfrust::script::COMMON);
        let mut buffer = self.buffer.take().unwrap_or_default();
        buffer.set_direction(direction);
        buffer.set_script(script);
        // Letters join across runs, as where a word is bold in part.
        buffer.set_pre_context(&text[..run.range.start]);
        for (at, character) in text[run.range.clone()].char_indices() {
            buffer.add(faces.written(system, run.face, character), (run.range.start + at) as u32);
        }
        buffer.set_post_context(&text[run.range.end..]);
        self.work.runs += 1;
        self.work.characters += buffer.len() as u64;
        let features = features(run.script, tabular);
        let key = (run.face, run.level.is_rtl(), run.script, tabular);
        let plan = self
            .plans
            .entry(key)
            .or_insert_with(|| ShapePlan::new(font.shaper(), direction, Some(script), None, &features));
        let shaped = font.shaper().shape_with_plan(plan, buffer, &features);
        let (infos, positions) = (shaped.glyph_infos(), shaped.glyph_positions());
        let metrics = font.metrics();
        let em = f32::from(metrics.units_per_em.max(1));
        let weight = system.db().face(run.face).map_or(fontdb::Weight::NORMAL, |face| face.weight);
        let face = Face { id: run.face, weight, ascent: metrics.ascent / em, descent: -metrics.descent / em };
        let first = out.clusters.len();
        let mut at = 0;
        while at < infos.len() {
            let same = infos[at..].iter().take_while(|info| info.cluster == infos[at].cluster).count();
            let from = out.glyphs.len();
            for (info, position) in infos[at..at + same].iter().zip(&positions[at..at + same]) {
                out.glyphs.push(Glyph {
                    id: info.glyph_id as u16,
                    advance: position.x_advance as f32 / em,
                    x: position.x_offset as f32 / em,
                    y: position.y_offset as f32 / em,
                });
            }
            out.clusters.push(Cluster {
                at: infos[at].cluster as usize,
                glyphs: from..out.glyphs.len(),
                advance: out.glyphs[from..].iter().map(|glyph| glyph.advance).sum(),
                level: run.level,
                face,
                bold: false,
                role: Role::Ink,
                spaced: false,
                loose: false,
                end: End::Word,
            });
            at += same;
        }
        if run.level.is_rtl() {
            out.clusters[first..].reverse();
        }
        self.buffer = Some(shaped.clear());
    }
}

/// Where the longest beginning of at most `most` characters ends, and how many it has; graphemes stay whole.
fn beginning(text: &str, most: usize) -> (usize, usize) {
    let mut count = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let more = grapheme.chars().count();
        if count + more > most {
            return (at, count);
        }
        count += more;
    }
    (text.len(), count)
}

/// The graphemes of a paragraph with their faces.
fn items(
    system: &mut FontSystem,
    faces: &mut Faces,
    source: &spans::Paragraph,
    form: Form,
    japanese: bool,
    level: Level,
) -> Vec<Item> {
    let levels = ParagraphBidiInfo::new(&source.text, Some(level)).levels;
    let mut items: Vec<Item> = Vec::new();
    let mut before = None;
    for (at, grapheme) in source.text.grapheme_indices(true) {
        let bold = source.is_bold(at);
        let weight = if bold { form.bold_weight } else { form.weight };
        let kind = spans::kind(grapheme, japanese);
        let like = before.filter(|_| items.last().is_some_and(|item| item.bold == bold));
        let chosen = faces.choose(system, grapheme, kind, (form.family, weight), like);
        // What is not drawn does not end a run.
        let Some(face) = chosen.or(before).or_else(|| faces.of(form.family, weight)) else { continue };
        before = Some(face);
        let drawn = grapheme.chars().filter(|character| !spans::is_ignorable(*character));
        let script = drawn.map(|character| character.script()).find(|script| {
            // Scripts are a foreign, open list.
            !matches!(script, Script::Common | Script::Inherited | Script::Unknown)
        });
        let spaced = kind != Kind::Japanese && Some(face) != faces.emoji();
        items.push(Item { range: at..at + grapheme.len(), face, script, bold, spaced, level: levels[at] });
    }
    items
}

/// Neighbours of one face, script and direction; marks that all scripts share go with what is before them.
fn runs(items: &[Item]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for item in items {
        match runs.last_mut() {
            Some(run)
                if run.face == item.face
                    && run.level == item.level
                    && (run.script.is_none() || item.script.is_none() || run.script == item.script) =>
            {
                run.range.end = item.range.end;
                run.script = run.script.or(item.script);
            }
            Some(_) | None => {
                let Item { face, script, level, .. } = *item;
                runs.push(Run { range: item.range.clone(), face, script, level });
            }
        }
    }
    runs
}

/// Adds to clusters what their text tells.
fn describe(clusters: &mut [Cluster], text: &str, items: &[Item], complex: bool) {
    let mut may_end = vec![false; text.len() + 1];
    for (at, _) in linebreaks(text) {
        may_end[at] = true;
    }
    let ends: Vec<usize> = clusters.iter().skip(1).map(|next| next.at).chain([text.len()]).collect();
    for (cluster, end) in clusters.iter_mut().zip(ends) {
        let part = text.get(cluster.at..end).unwrap_or_default();
        let item = &items[items.partition_point(|item| item.range.start <= cluster.at).saturating_sub(1)];
        cluster.bold = item.bold;
        cluster.role = if part.chars().all(spans::is_breaking_space) {
            Role::Space
        } else if part.chars().all(spans::is_ignorable) {
            Role::Nothing
        } else {
            Role::Ink
        };
        if cluster.role == Role::Nothing {
            cluster.advance = 0.0;
        }
        cluster.spaced = item.spaced && !complex && cluster.role != Role::Nothing;
        cluster.loose = cluster.role != Role::Ink || part.chars().all(|character| ",.;:*–—-".contains(character));
        // Unicode lets a line end between a dash and a no-break space; the no-break space is meant to prevent that.
        let after_space = part.ends_with(|character: char| character.is_whitespace() || character == '\u{200B}');
        let glued = sticks(text[end..].chars()) && !after_space;
        cluster.end = if part.ends_with('\u{AD}') && !glued {
            End::Hyphen
        } else if may_end[end] && !glued {
            End::Yes
        } else if glued || sticks(text[..end].chars().rev()) {
            End::Never
        } else {
            End::Word
        };
    }
}

/// Whether the first character of a side keeps to the other side; controls and marks go with their neighbour.
fn sticks(side: impl Iterator<Item = char>) -> bool {
    let mut classes = side.take(8).map(|character| break_property(u32::from(character)));
    matches!(
        classes.find(|class| *class != BreakClass::CombiningMark),
        Some(BreakClass::NonBreakingGlue | BreakClass::WordJoiner | BreakClass::ZeroWidthJoiner)
    )
}

/// The features that are requested of a face. Where letters stand alone, features that put other characters in the
/// place of those that were written (`1x1` as `1×1`, `->` as an arrow), or that join letters (`fi` without the dot of a
/// Turkish i), are off.
fn features(script: Option<Script>, tabular: bool) -> Vec<Feature> {
    let mut features = Vec::new();
    if !joins(script) {
        features.extend([b"calt", b"clig", b"liga"].map(|tag| Feature::new(Tag::new(tag), 0, ..)));
    }
    if tabular {
        features.extend([b"tnum", b"lnum"].map(|tag| Feature::new(Tag::new(tag), 1, ..)));
    }
    features
}

/// Whether a script needs features to be read: its letters join, stack or change places.
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
