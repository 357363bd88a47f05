//! Breaks a shaped text into lines, and puts the glyphs of each line into visual order.

use std::ops::Range;

use unicode_bidi::{BidiInfo, Level};

use crate::shape::{BreakAfter, Cluster, ClusterKind, Face, Glyph, Paragraph, ShapedText};

/// The size at which lines are broken, and their maximum width.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    /// Device pixels per em.
    pub size: f32,
    /// Extra space between letters in em.
    pub tracking: f32,
    /// The maximum width in device pixels.
    pub limit: f32,
}

impl Measure {
    fn advance(self, cluster: &Cluster) -> f32 {
        self.size * (cluster.advance + if cluster.letter_spaced { self.tracking } else { 0.0 })
    }

    fn width(self, clusters: &[Cluster]) -> f32 {
        clusters.iter().map(|cluster| self.advance(cluster)).sum()
    }
}

/// A line of a text; it is blank if it has no clusters and no tail.
#[derive(Debug)]
pub(crate) struct Row {
    paragraph: usize,
    clusters: Range<usize>,
    tail: Option<Tail>,
    /// The width in device pixels without trailing white space.
    width: f32,
}

/// A mark that is added at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    Ellipsis,
    Hyphen,
}

/// A text broken into lines.
#[derive(Debug)]
pub(crate) struct Flow {
    pub rows: Vec<Row>,
    /// Whether a word is broken because it is wider than its line.
    pub broken: bool,
    /// Whether the text continues after the last line.
    pub overflows: bool,
}

/// Breaks a text into at most `max_rows` lines; blank lines are omitted if `blanks` is false.
pub(crate) fn flow(shaped: &ShapedText, measure: Measure, max_rows: usize, blanks: bool, steps: &mut u64) -> Flow {
    let mut flow = Flow { rows: Vec::new(), broken: false, overflows: shaped.partial };
    for (index, paragraph) in shaped.paragraphs.iter().enumerate() {
        let mut start = 0;
        // A blank line has no clusters, but still is a row.
        let mut blank = paragraph.clusters.is_empty() && blanks;
        while blank || start < paragraph.clusters.len() {
            if flow.rows.len() == max_rows {
                flow.overflows = true;
                return flow;
            }
            let (clusters, tail, width, broken) = line(paragraph, start, shaped, measure);
            *steps += clusters.len() as u64 + 1;
            start = clusters.end;
            blank = false;
            flow.broken |= broken;
            flow.rows.push(Row { paragraph: index, clusters, tail, width });
        }
    }
    flow
}

/// The longest line from a position in a paragraph: its clusters, its tail, its width, and whether it ends within a
/// word.
fn line(
    paragraph: &Paragraph,
    start: usize,
    shaped: &ShapedText,
    measure: Measure,
) -> (Range<usize>, Option<Tail>, f32, bool) {
    let clusters = &paragraph.clusters;
    let (mut width, mut inked) = (0.0, 0.0);
    let mut best = None;
    for (at, cluster) in clusters.iter().enumerate().skip(start) {
        width += measure.advance(cluster);
        if cluster.kind == ClusterKind::Ink {
            inked = width;
        }
        if inked > measure.limit {
            return best.unwrap_or_else(|| within_word(clusters, start, at, measure));
        }
        match cluster.break_after {
            BreakAfter::Allowed => best = Some((start..at + 1, None, inked, false)),
            BreakAfter::Hyphenated => {
                let whole = inked + measure.width(&shaped.tails.hyphen(cluster.bold).clusters);
                if whole <= measure.limit {
                    best = Some((start..at + 1, Some(Tail::Hyphen), whole, false));
                }
            }
            BreakAfter::WithinWord | BreakAfter::Forbidden => {}
        }
    }
    (start..clusters.len(), None, inked, false)
}

/// A line that ends within a word; `first_over` is the first cluster that does not fit.
fn within_word(
    clusters: &[Cluster],
    start: usize,
    first_over: usize,
    measure: Measure,
) -> (Range<usize>, Option<Tail>, f32, bool) {
    let may_end = |end: &usize| clusters[end - 1].break_after != BreakAfter::Forbidden;
    let end = (start + 1..=first_over).rev().find(may_end).unwrap_or(first_over.max(start + 1));
    (start..end, None, measure.width(&clusters[start..end]), true)
}

impl Flow {
    /// Whether any line is blank.
    pub fn blanks(&self) -> bool {
        self.rows.iter().any(|row| row.clusters.is_empty())
    }

    /// Truncates the last line and adds an ellipsis.
    pub fn truncate(&mut self, shaped: &ShapedText, measure: Measure) {
        let Some(row) = self.rows.last_mut() else { return };
        let paragraph = &shaped.paragraphs[row.paragraph];
        let start = row.clusters.start;
        let (mut end, mut width) = (start, 0.0);
        for (at, cluster) in paragraph.clusters.iter().enumerate().skip(start) {
            width += measure.advance(cluster);
            if width + measure.width(&shaped.tails.ellipsis(cluster.bold).clusters) > measure.limit {
                break;
            }
            end = at + 1;
        }
        let droppable = |cluster: &&Cluster| cluster.droppable;
        end -= paragraph.clusters[start..end].iter().rev().take_while(droppable).count();
        let bold = paragraph.clusters[start..end].last().is_some_and(|cluster| cluster.bold);
        let dots = measure.width(&shaped.tails.ellipsis(bold).clusters);
        row.width = measure.width(&paragraph.clusters[start..end]) + dots;
        row.clusters = start..end;
        row.tail = Some(Tail::Ellipsis);
    }
}

/// A glyph positioned in its line; lengths are in device pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacedGlyph {
    pub face: Face,
    pub glyph: u16,
    /// The distance from the left end of the line.
    pub x: f32,
    /// The distance upwards from the baseline.
    pub y: f32,
    pub bold: bool,
}

/// A line, ready to be drawn; lengths are in device pixels.
#[derive(Debug)]
pub(crate) struct Line {
    pub glyphs: Vec<PlacedGlyph>,
    pub width: f32,
    pub ascent: f32,
    pub descent: f32,
}

/// A cluster with its glyphs and its bidi level in the line.
type Part<'a> = (&'a Cluster, &'a [Glyph], Level);

impl Row {
    /// The width in device pixels.
    pub fn width(&self) -> f32 {
        self.width
    }

    /// The glyphs of this line, from left to right.
    pub fn place(&self, shaped: &ShapedText, measure: Measure) -> Line {
        let paragraph = &shaped.paragraphs[self.paragraph];
        let clusters = &paragraph.clusters[self.clusters.clone()];
        // In a right-to-left line, trailing white space would appear at its left end.
        let seen = clusters.iter().rposition(|cluster| cluster.kind == ClusterKind::Ink).map_or(0, |last| last + 1);
        let clusters = &clusters[..seen];
        let drawn = clusters.iter().filter(|cluster| cluster.kind != ClusterKind::Nothing);
        let mut parts: Vec<Part<'_>> = drawn.map(|cluster| part(cluster, paragraph, cluster.level)).collect();
        let last = clusters.last();
        let bold = last.is_some_and(|cluster| cluster.bold);
        let tail = match self.tail {
            Some(Tail::Ellipsis) => Some((shaped.tails.ellipsis(bold), paragraph.level)),
            // A hyphen has the direction of its word.
            Some(Tail::Hyphen) => {
                Some((shaped.tails.hyphen(bold), last.map_or(paragraph.level, |cluster| cluster.level)))
            }
            None => None,
        };
        if let Some((tail, level)) = tail {
            parts.extend(tail.clusters.iter().map(|cluster| part(cluster, tail, level)));
        }
        let levels: Vec<Level> = parts.iter().map(|(_, _, level)| *level).collect();
        let mut line = Line { glyphs: Vec::new(), width: self.width, ascent: 0.0, descent: 0.0 };
        let mut x = 0.0;
        for at in BidiInfo::reorder_visual(&levels) {
            let (cluster, glyphs, _) = parts[at];
            let mut pen = x;
            for glyph in glyphs {
                let (x, y) = (pen + glyph.x * measure.size, glyph.y * measure.size);
                line.glyphs.push(PlacedGlyph { face: cluster.face, glyph: glyph.id, x, y, bold: cluster.bold });
                pen += glyph.advance * measure.size;
            }
            x += measure.advance(cluster);
            line.ascent = line.ascent.max(cluster.face.ascent * measure.size);
            line.descent = line.descent.max(cluster.face.descent * measure.size);
        }
        line
    }
}

fn part<'a>(cluster: &'a Cluster, paragraph: &'a Paragraph, level: Level) -> Part<'a> {
    (cluster, &paragraph.glyphs[cluster.glyphs.clone()], level)
}

#[cfg(test)]
impl Row {
    /// The text of this line, in reading order.
    pub fn read(&self, shaped: &ShapedText, paragraphs: &[String]) -> String {
        let text = &paragraphs[self.paragraph];
        let place = |cluster| {
            let clusters = &shaped.paragraphs[self.paragraph].clusters;
            clusters.get(cluster).map_or(text.len(), |cluster: &Cluster| cluster.at)
        };
        let tail = match self.tail {
            Some(Tail::Ellipsis) => "…",
            Some(Tail::Hyphen) => "-",
            None => "",
        };
        format!("{}{tail}", &text[place(self.clusters.start)..place(self.clusters.end)])
    }
}
