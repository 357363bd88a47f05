//! Typesets text: breaks it into lines, balances them, shrinks the text to fit, and truncates it with an ellipsis as
//! the last resort.

use std::borrow::Cow;
use std::sync::Arc;

use crate::faces::TEXT;
use crate::fonts::Fonts;
use crate::lines::{Flow, Line, Measure, Row, flow};
use crate::shape::{ShapedText, ShapingStyle};
use crate::spans;
use crate::theme::Rgb;

/// The alignment of lines in their box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// Aligned to where the text's own direction starts.
    Start,
    Centre,
}

/// The style of a text; sizes are in design pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub family: &'static str,
    pub weight: u16,
    pub bold_weight: u16,
    pub size: f32,
    pub leading: f32,
    pub tracking: f32,
    pub colour: Rgb,
    pub bold: Rgb,
    pub alignment: Alignment,
    pub tabular: bool,
    pub balanced: bool,
}

impl Style {
    /// The style of running text in this colour.
    pub fn text(size: f32, weight: u16, colour: Rgb) -> Self {
        Self {
            family: TEXT,
            weight,
            bold_weight: 700.max(weight),
            size,
            leading: 1.4,
            tracking: if size > 60.0 { -0.02 } else { -0.006 },
            colour,
            bold: colour,
            alignment: Alignment::Start,
            tabular: false,
            balanced: false,
        }
    }

    pub fn sized(self, size: f32) -> Self {
        Self { size, ..self }
    }

    pub fn centred(self) -> Self {
        Self { alignment: Alignment::Centre, ..self }
    }

    pub fn aligned(self, alignment: Alignment) -> Self {
        Self { alignment, ..self }
    }
}

/// A typeset text; width and height are in design pixels.
#[derive(Debug)]
pub(crate) struct Typeset {
    shaped: Arc<ShapedText>,
    rows: Vec<Row>,
    measure: Measure,
    /// The line height in device pixels.
    line_height: f32,
    pub style: Style,
    pub rtl: bool,
    pub width: f32,
    pub height: f32,
    pub lines: usize,
    /// Whether a part of the text is left out.
    pub truncated: bool,
    /// Whether a word is broken because it is wider than its line.
    pub broken: bool,
}

/// Typesets `text` in at most `max_lines` lines of at most `width`. Returns `None` if nothing would be visible.
pub(crate) fn typeset(
    fonts: &mut Fonts,
    text: &str,
    style: Style,
    width: f32,
    max_lines: usize,
    scale: f32,
) -> Option<Typeset> {
    let max_lines = max_lines.max(1);
    // Text that could not fit even in the narrowest letters need not be shaped. The estimate is doubled for zero-width
    // marks.
    let narrow = (style.size * 0.18).max(1.0);
    let room = ((width / narrow).max(1.0) * max_lines.min(40) as f32) as usize * 2 + 32;
    let Style { family, weight, bold_weight, tabular, .. } = style;
    let text = if max_lines == 1 { spans::in_one_line(text) } else { Cow::Borrowed(text) };
    let shaped = fonts.shape(&text, ShapingStyle { family, weight, bold_weight, tabular }, room)?;
    let (leading, tracking) =
        if shaped.complex { (style.leading.max(1.3), 0.0) } else { (style.leading, style.tracking) };
    let size = (style.size * scale).max(2.0);
    // Allow for rounding errors in sums of widths.
    let measure = Measure { size, tracking, limit: (width * scale).max(1.0) + 0.05 };
    let steps = &mut fonts.shaper.cost.steps;
    let mut lines = flow(&shaped, measure, max_lines, true, steps);
    if lines.overflows && shaped.paragraphs.iter().any(|paragraph| paragraph.clusters.is_empty()) {
        // Blank lines are dropped before words are.
        lines = flow(&shaped, measure, max_lines, false, steps);
    }
    let truncated = lines.overflows;
    if truncated {
        lines.truncate(&shaped, measure);
    } else if style.balanced {
        lines = balance(lines, &shaped, measure, scale, steps);
    }
    let Flow { rows, broken, .. } = lines;
    let width = rows.iter().map(Row::width).fold(0.0, f32::max).ceil() / scale;
    let line_height = (size * leading).round().max(2.0);
    let lines = rows.len().max(1);
    let height = lines as f32 * line_height / scale;
    let rtl = shaped.rtl;
    Some(Typeset { shaped, rows, measure, line_height, style, rtl, width, height, lines, truncated, broken })
}

/// Typesets `text` at the largest size between the style's size and `least` at which all of it fits; otherwise
/// truncates it at `least`.
pub(crate) fn fit(
    fonts: &mut Fonts,
    text: &str,
    style: Style,
    least: f32,
    area: (f32, f32),
    max_lines: usize,
    scale: f32,
) -> Option<Typeset> {
    let mut size = style.size;
    loop {
        let last = size <= least;
        let set = typeset(fonts, text, style.sized(size), area.0, max_lines, scale)?;
        if !set.truncated && !set.broken && set.height <= area.1 {
            return Some(set);
        }
        if last {
            let lines = ((area.1 / (set.height / set.lines as f32)) as usize).clamp(1, max_lines);
            return self::typeset(fonts, text, style.sized(size), area.0, lines, scale);
        }
        size = (size * 0.92).max(least);
    }
}

/// Balances the lines of a heading: finds the smallest width that does not need another line.
fn balance(lines: Flow, shaped: &ShapedText, measure: Measure, scale: f32, steps: &mut u64) -> Flow {
    let count = lines.rows.len();
    if !(2..=5).contains(&count) || lines.broken {
        return lines;
    }
    let blanks = lines.blanks();
    let mut best = lines;
    let (mut low, mut high) = (measure.limit * 0.5, measure.limit);
    while high - low > 4.0 * scale {
        let middle = (low + high) / 2.0;
        let narrower = flow(shaped, Measure { limit: middle, ..measure }, count, blanks, steps);
        if narrower.overflows || narrower.broken {
            low = middle;
        } else {
            high = middle;
            best = narrower;
        }
    }
    best
}

impl Typeset {
    /// The lines with positioned glyphs, each with its baseline below the top of the text in device pixels.
    pub fn placed_lines(&self) -> impl Iterator<Item = (f32, Line)> {
        let mut top = 0.0;
        self.rows.iter().map(move |row| {
            let line = row.place(&self.shaped, self.measure);
            let baseline = top + (self.line_height - line.ascent - line.descent) / 2.0 + line.ascent;
            top += self.line_height;
            (baseline, line)
        })
    }

    /// Device pixels per em.
    pub fn size(&self) -> f32 {
        self.measure.size
    }
}

#[cfg(test)]
mod tests;
