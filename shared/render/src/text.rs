//! Sets text: in lines, balanced, shrunk to fit and, when nothing helps, ended with an ellipsis.

use std::borrow::Cow;
use std::sync::Arc;

use crate::fonts::{Fonts, TEXT};
use crate::lines::{Flow, Line, Measure, Row, flow};
use crate::shape::{Form, Shaped};
use crate::spans;
use crate::theme::Rgb;

/// Where lines stand in their box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Where the text's own direction starts.
    Start,
    Centre,
}

/// How a text looks; sizes are in design pixels.
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
    pub side: Side,
    pub tabular: bool,
    pub balanced: bool,
}

impl Style {
    /// Running text in a colour.
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
            side: Side::Start,
            tabular: false,
            balanced: false,
        }
    }

    pub fn sized(self, size: f32) -> Self {
        Self { size, ..self }
    }

    pub fn centred(self) -> Self {
        Self { side: Side::Centre, ..self }
    }

    pub fn on(self, side: Side) -> Self {
        Self { side, ..self }
    }
}

/// A text that has been set; widths and heights are in design pixels.
#[derive(Debug)]
pub(crate) struct Typeset {
    shaped: Arc<Shaped>,
    rows: Vec<Row>,
    measure: Measure,
    /// Device pixels from line to line.
    line_height: f32,
    pub style: Style,
    pub rtl: bool,
    pub width: f32,
    pub height: f32,
    pub lines: usize,
    /// A part is left out.
    pub cut: bool,
    /// A word is broken because it is wider than its line.
    pub broken: bool,
}

/// Sets `text` into lines of at most `width`, at most `most` of them. None without anything to show.
pub(crate) fn set(fonts: &mut Fonts, text: &str, style: Style, width: f32, most: usize, scale: f32) -> Option<Typeset> {
    let most = most.max(1);
    // What cannot fit even in the narrowest letters need not be shaped: twice that is kept for marks without a width.
    let narrow = (style.size * 0.18).max(1.0);
    let room = ((width / narrow).max(1.0) * most.min(40) as f32) as usize * 2 + 32;
    let Style { family, weight, bold_weight, tabular, .. } = style;
    let text = if most == 1 { spans::in_one_line(text) } else { Cow::Borrowed(text) };
    let shaped = fonts.shape(&text, Form { family, weight, bold_weight, tabular }, room)?;
    let (leading, tracking) =
        if shaped.complex { (style.leading.max(1.3), 0.0) } else { (style.leading, style.tracking) };
    let size = (style.size * scale).max(2.0);
    // Sums of widths are not exact.
    let measure = Measure { size, tracking, limit: (width * scale).max(1.0) + 0.05 };
    let steps = &mut fonts.shaper.work.steps;
    let mut lines = flow(&shaped, measure, most, true, steps);
    if lines.over && shaped.paragraphs.iter().any(|paragraph| paragraph.clusters.is_empty()) {
        // Blank lines give way before words do.
        lines = flow(&shaped, measure, most, false, steps);
    }
    let cut = lines.over;
    if cut {
        lines.cut(&shaped, measure);
    } else if style.balanced {
        lines = balance(lines, &shaped, measure, scale, steps);
    }
    let Flow { rows, broken, .. } = lines;
    let width = rows.iter().map(Row::width).fold(0.0, f32::max).ceil() / scale;
    let line_height = (size * leading).round().max(2.0);
    let lines = rows.len().max(1);
    let height = lines as f32 * line_height / scale;
    let rtl = shaped.rtl;
    Some(Typeset { shaped, rows, measure, line_height, style, rtl, width, height, lines, cut, broken })
}

/// Sets `text` at the largest size from the style's down to `least` at which it fits whole; else cut at `least`.
pub(crate) fn fit(
    fonts: &mut Fonts,
    text: &str,
    style: Style,
    least: f32,
    area: (f32, f32),
    most: usize,
    scale: f32,
) -> Option<Typeset> {
    let mut size = style.size;
    loop {
        let last = size <= least;
        let set = set(fonts, text, style.sized(size), area.0, most, scale)?;
        if !set.cut && !set.broken && set.height <= area.1 {
            return Some(set);
        }
        if last {
            let lines = ((area.1 / (set.height / set.lines as f32)) as usize).clamp(1, most);
            return self::set(fonts, text, style.sized(size), area.0, lines, scale);
        }
        size = (size * 0.92).max(least);
    }
}

/// Lines of about the same length, as headings want them: the narrowest width that needs no further line.
fn balance(lines: Flow, shaped: &Shaped, measure: Measure, scale: f32, steps: &mut u64) -> Flow {
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
        if narrower.over || narrower.broken {
            low = middle;
        } else {
            high = middle;
            best = narrower;
        }
    }
    best
}

impl Typeset {
    /// Its lines as they are drawn, each with its baseline below the top of the text, in device pixels.
    pub fn drawn(&self) -> impl Iterator<Item = (f32, Line)> {
        let mut top = 0.0;
        self.rows.iter().map(move |row| {
            let line = row.place(&self.shaped, self.measure);
            let baseline = top + (self.line_height - line.ascent - line.descent) / 2.0 + line.ascent;
            top += self.line_height;
            (baseline, line)
        })
    }

    /// Device pixels of an em.
    pub fn size(&self) -> f32 {
        self.measure.size
    }
}

#[cfg(test)]
mod tests;
