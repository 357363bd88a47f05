//! Sets text: shaped, wrapped, balanced, shrunk to fit and, when nothing helps, ended with an ellipsis.

use cosmic_text::{Align, Attrs, Buffer, Color, Family, FeatureTag, FontFeatures, Metrics, Shaping, Weight, Wrap};
use unicode_segmentation::UnicodeSegmentation;

use crate::fonts::{EMOJI, Fonts, JAPANESE, TEXT};
use crate::spans::{self, Kind, Span};
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
    pub(crate) buffer: Buffer,
    pub(crate) style: Style,
    pub(crate) scale: f32,
    pub(crate) rtl: bool,
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
    let text = spans::clean(text);
    if text.is_empty() {
        return None;
    }
    let most = most.max(1);
    // What cannot fit even in the narrowest letters need not be shaped: twice that is kept for marks without a width.
    let narrow = (style.size * 0.18).max(1.0);
    let room = ((width / narrow).max(1.0) * most.min(40) as f32) as usize * 2 + 32;
    let end = text.char_indices().nth(room).map(|(at, _)| at);
    if let Some(end) = end {
        return Some(shorten(fonts, &text[..end], style, width, most, scale));
    }
    let whole = lay(fonts, &text, style, width, scale);
    if whole.lines <= most {
        return Some(if style.balanced { balance(fonts, whole, width) } else { whole });
    }
    Some(shorten(fonts, &text, style, width, most, scale))
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

fn lay(fonts: &mut Fonts, text: &str, style: Style, width: f32, scale: f32) -> Typeset {
    let complex = spans::is_complex(text);
    let leading = if complex { style.leading.max(1.3) } else { style.leading };
    let size = (style.size * scale).max(2.0);
    let mut buffer = Buffer::new_empty(Metrics::new(size, (size * leading).round().max(2.0)));
    let parts = spans::spans(text);
    let attrs = |span: &Span| {
        let family = match span.kind {
            Kind::Plain => style.family,
            Kind::Emoji => EMOJI,
            Kind::Japanese => JAPANESE,
        };
        let (weight, colour) = if span.bold { (style.bold_weight, style.bold) } else { (style.weight, style.colour) };
        // A family is passed over when it lacks the weight that is asked for.
        let weight = match span.kind {
            Kind::Plain => weight,
            Kind::Emoji => 400,
            Kind::Japanese => {
                if weight > 500 {
                    700
                } else {
                    400
                }
            }
        };
        let mut attrs = Attrs::new()
            .family(Family::Name(family))
            .weight(Weight(weight))
            .color(Color::rgb(colour.0, colour.1, colour.2));
        if !complex && span.kind == Kind::Plain {
            attrs = attrs.letter_spacing(style.tracking);
        }
        if style.tabular {
            let mut features = FontFeatures::new();
            features.enable(FeatureTag::new(b"tnum")).enable(FeatureTag::new(b"lnum"));
            attrs = attrs.font_features(features);
        }
        attrs
    };
    buffer.set_size(Some((width * scale).max(1.0)), None);
    buffer.set_wrap(Wrap::Word);
    let default = Attrs::new().family(Family::Name(style.family)).weight(Weight(style.weight));
    buffer.set_rich_text(
        parts.iter().map(|span| (span.text.as_str(), attrs(span))),
        &default,
        Shaping::Advanced,
        Some(Align::Left),
    );
    buffer.shape_until_scroll(&mut fonts.system, false);
    let limit = (width * scale).max(1.0) + 0.5;
    let broken = buffer.layout_runs().any(|run| run.line_w > limit);
    if broken {
        buffer.set_wrap(Wrap::WordOrGlyph);
        buffer.shape_until_scroll(&mut fonts.system, false);
    }
    let rtl = spans::is_rtl(text).unwrap_or(false);
    let mut set = Typeset { buffer, style, scale, rtl, width: 0.0, height: 0.0, lines: 0, cut: false, broken };
    set.measure();
    set
}

impl Typeset {
    fn measure(&mut self) {
        let (mut width, mut lines) = (0.0_f32, 0);
        for run in self.buffer.layout_runs() {
            width = width.max(extent(run.glyphs).map_or(0.0, |(left, right)| right - left));
            lines += 1;
        }
        self.lines = lines.max(1);
        self.width = width.ceil() / self.scale;
        self.height = self.lines as f32 * self.buffer.metrics().line_height / self.scale;
    }
}

/// The left and right edge of the glyphs of a line.
pub(crate) fn extent(glyphs: &[cosmic_text::LayoutGlyph]) -> Option<(f32, f32)> {
    let left = glyphs.iter().map(|glyph| glyph.x).reduce(f32::min)?;
    let right = glyphs.iter().map(|glyph| glyph.x + glyph.w).reduce(f32::max)?;
    Some((left, right))
}

/// Lines of about the same length, as headings want them: the narrowest width that needs no further line.
fn balance(fonts: &mut Fonts, mut set: Typeset, width: f32) -> Typeset {
    if set.lines < 2 || set.lines > 5 || set.broken {
        return set;
    }
    let lines = set.lines;
    let (mut low, mut high) = (width * set.scale * 0.5, width * set.scale);
    while high - low > 4.0 * set.scale {
        let middle = (low + high) / 2.0;
        set.buffer.set_size(Some(middle), None);
        set.buffer.shape_until_scroll(&mut fonts.system, false);
        let fits =
            set.buffer.layout_runs().count() <= lines && set.buffer.layout_runs().all(|run| run.line_w <= middle + 0.5);
        if fits { high = middle } else { low = middle }
    }
    set.buffer.set_size(Some(high), None);
    set.buffer.shape_until_scroll(&mut fonts.system, false);
    set.measure();
    set
}

/// The longest beginning that, with an ellipsis, needs no more than `most` lines.
fn shorten(fonts: &mut Fonts, text: &str, style: Style, width: f32, most: usize, scale: f32) -> Typeset {
    let ends: Vec<usize> = text.grapheme_indices(true).map(|(at, grapheme)| at + grapheme.len()).collect();
    let (mut low, mut high) = (0, ends.len());
    let mut best = lay(fonts, "…", style, width, scale);
    while low < high {
        let middle = (low + high).div_ceil(2);
        let end = ends.get(middle - 1).copied().unwrap_or(0);
        let kept =
            text[..end].trim_end_matches(|character: char| character.is_whitespace() || ",.;:*–—-".contains(character));
        let open = kept.matches("**").count() % 2 == 1;
        let candidate = format!("{kept}…{}", if open { "**" } else { "" });
        let set = lay(fonts, &candidate, style, width, scale);
        if set.lines <= most {
            low = middle;
            best = set;
        } else {
            high = middle - 1;
        }
    }
    best.cut = true;
    best
}
