//! Shapes each text of a scene once, in units of an em: characters become clusters of glyphs that can be laid out at
//! any size, each with the kind of line break that may follow it.

pub(crate) mod cost;
mod features;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use cosmic_text::harfrust::{self, Direction, ShapePlan, UnicodeBuffer};
use cosmic_text::{FontSystem, fontdb};
use unicode_bidi::{Level, ParagraphBidiInfo};
use unicode_linebreak::{BreakClass, break_property, linebreaks};
use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::UnicodeSegmentation;

use crate::faces::{self, Faces};
use crate::shape::cost::LayoutCost;
use crate::shape::features::features;
use crate::spans::{self, Kind};

/// The maximum number of characters that are shaped in a scene: about ten times what fits on a full card at the
/// smallest size.
const SCENE_BUDGET: usize = 60_000;
/// The number of characters that are still shaped of each text when that budget is used up.
const MIN_CHARACTERS: usize = 32;

/// The properties that affect shaping. Size, colour and letter spacing do not change glyphs, so they are not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ShapingStyle {
    pub family: &'static str,
    pub weight: u16,
    pub bold_weight: u16,
    /// Whether all digits have the same width.
    pub tabular: bool,
}

/// A shaped text.
#[derive(Debug)]
pub(crate) struct ShapedText {
    pub paragraphs: Vec<Paragraph>,
    /// Whether the text reads from right to left.
    pub rtl: bool,
    /// Whether letters join or stack; such text gets no letter spacing and more line spacing.
    pub complex: bool,
    /// Whether the text continues after the shaped part.
    pub partial: bool,
    pub tails: Arc<Tails>,
    /// How many characters were shaped, and the limit that applied.
    characters: usize,
    limit: usize,
}

/// A text up to a line break by its author; a blank line has no clusters.
#[derive(Debug)]
pub(crate) struct Paragraph {
    pub level: Level,
    /// The clusters in reading order.
    pub clusters: Vec<Cluster>,
    pub glyphs: Vec<Glyph>,
}

/// Marks that can be added at the end of a line, in regular and bold.
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

/// Glyphs that belong together: those of one grapheme, or of several that were merged.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// The byte position of its characters in the text.
    pub at: usize,
    /// Its glyphs, from left to right.
    pub glyphs: Range<usize>,
    pub advance: f32,
    pub level: Level,
    pub face: Face,
    pub bold: bool,
    pub kind: ClusterKind,
    /// Whether letter spacing follows it.
    pub letter_spaced: bool,
    /// Whether it is dropped before an ellipsis.
    pub droppable: bool,
    pub break_after: BreakAfter,
}

/// The role of a cluster in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClusterKind {
    Ink,
    /// White space: it has a width within a line, but none at the end.
    Space,
    /// Not drawn.
    Nothing,
}

/// Whether a line may break after a cluster (UAX 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BreakAfter {
    Allowed,
    /// Allowed; a hyphen is shown if the line breaks here.
    Hyphenated,
    /// Allowed only if a word is wider than a line.
    WithinWord,
    /// Forbidden, unless there is no other position.
    Forbidden,
}

/// The face of a cluster, with its metrics in em.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Face {
    pub id: fontdb::ID,
    pub weight: fontdb::Weight,
    pub ascent: f32,
    pub descent: f32,
}

/// A glyph with lengths in em; `y` points upwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glyph {
    pub id: u16,
    pub advance: f32,
    pub x: f32,
    pub y: f32,
}

/// Shapes texts, and caches those of the current scene.
#[derive(Default)]
pub(crate) struct Shaper {
    pub cost: LayoutCost,
    /// The remaining budget of the scene in characters.
    remaining: usize,
    texts: HashMap<ShapingStyle, HashMap<String, Arc<ShapedText>>>,
    tails: HashMap<ShapingStyle, Arc<Tails>>,
    /// By face, whether the direction is right to left, script, and whether digits are tabular.
    plans: HashMap<(fontdb::ID, bool, Option<Script>, bool), ShapePlan>,
    buffer: Option<UnicodeBuffer>,
}

/// A grapheme with its properties, before it is shaped.
struct Item {
    range: Range<usize>,
    face: fontdb::ID,
    script: Option<Script>,
    bold: bool,
    /// Whether its face has letters that may be spaced.
    letter_spaced: bool,
    level: Level,
}

/// Adjacent graphemes that are shaped together.
struct Run {
    range: Range<usize>,
    face: fontdb::ID,
    script: Option<Script>,
    level: Level,
}

/// The properties that a paragraph inherits from its text.
#[derive(Clone, Copy)]
struct TextTraits {
    rtl: bool,
    complex: bool,
    japanese: bool,
}

impl Shaper {
    /// Starts a scene: resets the cache and the budget.
    pub fn begin(&mut self) {
        self.texts.clear();
        self.remaining = SCENE_BUDGET;
    }

    /// Shapes a text of which at most `room` characters could be visible. Returns `None` if nothing would be visible.
    pub fn text(
        &mut self,
        system: &mut FontSystem,
        faces: &mut Faces,
        text: &str,
        style: ShapingStyle,
        room: usize,
    ) -> Option<Arc<ShapedText>> {
        let known = self.texts.get(&style).and_then(|texts| texts.get(text));
        if let Some(shaped) = known
            && (!shaped.partial || shaped.limit >= room || self.remaining == 0)
        {
            return Some(Arc::clone(shaped));
        }
        let clean = spans::clean(text);
        if clean.is_empty() {
            return None;
        }
        // The limit grows by powers of two: narrow and wide areas need different amounts of a text, which is thus
        // shaped once or twice.
        let limit = room.next_power_of_two().min(self.remaining.max(MIN_CHARACTERS));
        let shaped = Arc::new(self.shape_text(system, faces, &clean, style, limit));
        self.remaining = self.remaining.saturating_sub(shaped.characters);
        self.texts.entry(style).or_default().insert(text.to_owned(), Arc::clone(&shaped));
        Some(shaped)
    }

    fn shape_text(
        &mut self,
        system: &mut FontSystem,
        faces: &mut Faces,
        text: &str,
        style: ShapingStyle,
        limit: usize,
    ) -> ShapedText {
        let traits = TextTraits {
            rtl: spans::is_rtl(text).unwrap_or(false),
            complex: spans::is_complex(text),
            japanese: spans::is_japanese(text),
        };
        let tails = self.tails(system, faces, style);
        let mut paragraphs = Vec::new();
        let (mut characters, mut partial) = (0, false);
        for mut source in spans::paragraphs(text) {
            let (kept, count) = prefix(&source.text, limit - characters);
            characters += count;
            partial = kept < source.text.len();
            // An empty rest of a truncated paragraph is not a blank line.
            if !partial || kept > 0 || paragraphs.is_empty() {
                source.text.truncate(kept);
                paragraphs.push(self.shape_paragraph(system, faces, &source, style, traits));
            }
            if partial {
                break;
            }
        }
        ShapedText { paragraphs, rtl: traits.rtl, complex: traits.complex, partial, tails, characters, limit }
    }

    fn tails(&mut self, system: &mut FontSystem, faces: &mut Faces, style: ShapingStyle) -> Arc<Tails> {
        if let Some(tails) = self.tails.get(&style) {
            return Arc::clone(tails);
        }
        let mut tail = |text: &str, bold: bool| {
            let bold = bold.then_some(0..text.len()).into_iter().collect();
            let traits = TextTraits { rtl: false, complex: false, japanese: false };
            self.shape_paragraph(system, faces, &spans::Paragraph { text: text.to_owned(), bold }, style, traits)
        };
        let tails = Arc::new(Tails {
            ellipsis: [tail("…", false), tail("…", true)],
            hyphen: [tail("\u{2010}", false), tail("\u{2010}", true)],
        });
        self.tails.insert(style, Arc::clone(&tails));
        tails
    }

    fn shape_paragraph(
        &mut self,
        system: &mut FontSystem,
        faces: &mut Faces,
        source: &spans::Paragraph,
        style: ShapingStyle,
        traits: TextTraits,
    ) -> Paragraph {
        let rtl = spans::is_rtl(&source.text).unwrap_or(traits.rtl);
        let level = if rtl { Level::rtl() } else { Level::ltr() };
        let mut out = Paragraph { level, clusters: Vec::new(), glyphs: Vec::new() };
        if source.text.is_empty() {
            return out;
        }
        let items = items(system, faces, source, style, traits.japanese, level);
        for run in runs(&items) {
            self.shape_run(system, faces, &source.text, &run, style.tabular, &mut out);
        }
        classify(&mut out.clusters, &source.text, &items, traits.complex);
        out
    }

    /// Shapes a run. The properties that depend only on the text are filled in by `classify`.
    fn shape_run(
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
        // Letters join across runs, for example where a part of a word is bold.
        buffer.set_pre_context(&text[..run.range.start]);
        for (at, character) in text[run.range.clone()].char_indices() {
            buffer.add(faces.substitute(system, run.face, character), (run.range.start + at) as u32);
        }
        buffer.set_post_context(&text[run.range.end..]);
        self.cost.runs += 1;
        self.cost.characters += buffer.len() as u64;
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
                kind: ClusterKind::Ink,
                letter_spaced: false,
                droppable: false,
                break_after: BreakAfter::WithinWord,
            });
            at += same;
        }
        if run.level.is_rtl() {
            out.clusters[first..].reverse();
        }
        self.buffer = Some(shaped.clear());
    }
}

/// The byte length of the longest prefix with at most `limit` characters, and its number of characters. Graphemes are
/// not split.
fn prefix(text: &str, limit: usize) -> (usize, usize) {
    let mut count = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let more = grapheme.chars().count();
        if count + more > limit {
            return (at, count);
        }
        count += more;
    }
    (text.len(), count)
}

/// Splits a paragraph into graphemes and selects their faces.
fn items(
    system: &mut FontSystem,
    faces: &mut Faces,
    source: &spans::Paragraph,
    style: ShapingStyle,
    japanese: bool,
    level: Level,
) -> Vec<Item> {
    let levels = ParagraphBidiInfo::new(&source.text, Some(level)).levels;
    let mut items: Vec<Item> = Vec::new();
    let mut previous = None;
    for (at, grapheme) in source.text.grapheme_indices(true) {
        let bold = source.is_bold(at);
        let weight = if bold { style.bold_weight } else { style.weight };
        let kind = spans::kind(grapheme, japanese);
        let like = previous.filter(|_| items.last().is_some_and(|item| item.bold == bold));
        let chosen = faces.choose(system, grapheme, kind, (style.family, weight), like);
        // An invisible grapheme does not end a run.
        let Some(face) = chosen.or(previous).or_else(|| faces.of(style.family, weight)) else { continue };
        previous = Some(face);
        let drawn = grapheme.chars().filter(|character| !spans::is_ignorable(*character));
        let script = drawn.map(|character| character.script()).find(|script| {
            // `Script` is non-exhaustive and belongs to another crate.
            !matches!(script, Script::Common | Script::Inherited | Script::Unknown)
        });
        let letter_spaced = kind != Kind::Japanese && Some(face) != faces.emoji();
        items.push(Item { range: at..at + grapheme.len(), face, script, bold, letter_spaced, level: levels[at] });
    }
    items
}

/// Groups adjacent graphemes of one face, script and direction; marks that are common to all scripts belong to the
/// preceding run.
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

/// Fills in the properties of clusters that depend on their text.
fn classify(clusters: &mut [Cluster], text: &str, items: &[Item], complex: bool) {
    let mut may_end = vec![false; text.len() + 1];
    for (at, _) in linebreaks(text) {
        may_end[at] = true;
    }
    let ends: Vec<usize> = clusters.iter().skip(1).map(|next| next.at).chain([text.len()]).collect();
    for (cluster, end) in clusters.iter_mut().zip(ends) {
        let part = text.get(cluster.at..end).unwrap_or_default();
        let item = &items[items.partition_point(|item| item.range.start <= cluster.at).saturating_sub(1)];
        cluster.bold = item.bold;
        cluster.kind = if part.chars().all(spans::is_breaking_space) {
            ClusterKind::Space
        } else if part.chars().all(spans::is_ignorable) {
            ClusterKind::Nothing
        } else {
            ClusterKind::Ink
        };
        if cluster.kind == ClusterKind::Nothing {
            cluster.advance = 0.0;
        }
        cluster.letter_spaced = item.letter_spaced && !complex && cluster.kind != ClusterKind::Nothing;
        cluster.droppable =
            cluster.kind != ClusterKind::Ink || part.chars().all(|character| ",.;:*–—-".contains(character));
        // Unicode allows a break between a dash and a no-break space, but the no-break space is meant to prevent it.
        let after_space = part.ends_with(|character: char| character.is_whitespace() || character == '\u{200B}');
        let glued = starts_with_glue(text[end..].chars()) && !after_space;
        cluster.break_after = if part.ends_with('\u{AD}') && !glued {
            BreakAfter::Hyphenated
        } else if may_end[end] && !glued {
            BreakAfter::Allowed
        } else if glued || starts_with_glue(text[..end].chars().rev()) {
            BreakAfter::Forbidden
        } else {
            BreakAfter::WithinWord
        };
    }
}

/// Whether a sequence starts with a character that prohibits a break; combining marks are skipped.
fn starts_with_glue(characters: impl Iterator<Item = char>) -> bool {
    let mut classes = characters.take(8).map(|character| break_property(u32::from(character)));
    matches!(
        classes.find(|class| *class != BreakClass::CombiningMark),
        Some(BreakClass::NonBreakingGlue | BreakClass::WordJoiner | BreakClass::ZeroWidthJoiner)
    )
}
