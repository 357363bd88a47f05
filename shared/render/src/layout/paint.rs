//! Draws typeset items: their surface, badge or image, value, texts and points.

use tiny_skia::Pixmap;

use crate::area::Area;
use crate::canvas::{Canvas, Fill};
use crate::card_builder::{CardBuilder, card_surface};
use crate::error::RenderError;
use crate::fonts::Fonts;
use crate::images;
use crate::layout::cells::{Badge, Cell, CellLayout, GridOptions, Metrics, Plan, TypesetCell, metrics, side_image};
use crate::text::{Alignment, Style, Typeset};
use crate::theme::Look;

/// How an item of a quiz is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The answer is not revealed yet, or this is not a quiz.
    Hidden,
    Right,
    Wrong,
}

/// The parts of an item to be drawn.
pub(crate) struct Painted<'p> {
    pub place: Area,
    pub set: &'p TypesetCell,
    pub badge: Option<Typeset>,
    pub image: Option<Pixmap>,
    pub answer: Answer,
    /// Whether to draw the value; a counter draws it itself.
    pub value: bool,
}

/// Typesets the content of an item's badge.
pub(crate) fn badge(card: &mut CardBuilder<'_>, badge: Badge<'_>, size: f32) -> Option<Typeset> {
    let palette = card.look.palette;
    let style =
        |part: f32| Style { leading: 1.2, tracking: 0.0, ..Style::text(size * part, 700, palette.accent) }.centred();
    match badge {
        Badge::None | Badge::Check => None,
        Badge::Icon(icon) => {
            let short =
                unicode_segmentation::UnicodeSegmentation::graphemes(icon.trim(), true).take(2).collect::<String>();
            let first =
                unicode_segmentation::UnicodeSegmentation::graphemes(short.as_str(), true).next().unwrap_or_default();
            let shown = if crate::spans::is_emoji(first) { first } else { &short };
            card.typeset(shown, style(0.54), size * 1.4, 1)
        }
        Badge::Number(number) => {
            let style = Style { colour: palette.on_accent, tabular: true, ..style(0.46) };
            card.typeset(&number.to_string(), style, size * 1.4, 1)
        }
        Badge::Letter(letter) => card.typeset(&letter.to_string(), style(0.46), size * 1.4, 1),
    }
}

/// The image of an item. If other items have images and this one has none, a tile with its first letter is drawn
/// instead.
pub(crate) fn item_image(
    card: &mut CardBuilder<'_>,
    cell: &Cell<'_>,
    options: &GridOptions<'_>,
    plan: &Plan,
) -> Result<Option<Pixmap>, RenderError> {
    let Some(area) = image_area(card, options, plan, Area::new(0.0, 0.0, plan.width, 1.0)) else { return Ok(None) };
    let Some(image) = cell.image else { return Ok(None) };
    let image = card.image(image)?;
    let pixels = |length: f32| (length * card.scale).round().max(1.0) as u32;
    Ok(Some(images::cover(image, pixels(area.w), pixels(area.h))))
}

fn image_area(card: &CardBuilder<'_>, options: &GridOptions<'_>, plan: &Plan, place: Area) -> Option<Area> {
    let ratio = options.image_ratio?;
    let metrics = metrics(card, options, plan.layout, plan.factor);
    Some(match plan.layout {
        CellLayout::Stacked => {
            let inner = place.w - 2.0 * metrics.pad;
            Area::new(place.x + metrics.pad, place.y + metrics.pad_y, inner, inner * ratio)
        }
        CellLayout::Row => {
            let side = side_image(&metrics);
            Area::new(place.x + metrics.pad, place.y + (place.h - side) / 2.0, side, side)
        }
    })
}

/// Adds an item as a layer of the card.
pub(crate) fn item(
    card: &mut CardBuilder<'_>,
    order: usize,
    cell: &Cell<'_>,
    options: &GridOptions<'_>,
    plan: &Plan,
    painted: &Painted<'_>,
) {
    let look = card.look;
    let metrics = metrics(card, options, plan.layout, plan.factor);
    let image_place = image_area(card, options, plan, painted.place);
    let initial =
        if image_place.is_some() && painted.image.is_none() { initial(card, cell, image_place) } else { None };
    let draw = |canvas: &mut Canvas, fonts: &mut Fonts| {
        let place = painted.place;
        if options.surfaces {
            draw_surface(&look, canvas, place, cell, painted.answer);
        }
        if let Some(area) = image_place {
            let radius = (look.radius * 0.7).min(area.w / 2.0);
            match &painted.image {
                Some(image) => canvas.draw_image(image, area, radius),
                None => {
                    canvas.fill_rounded(area, radius, Fill::Solid(look.palette.accent, 0.16));
                    if let Some(set) = &initial {
                        canvas.draw_text(fonts, set, area.x, area.y + (area.h - set.height) / 2.0, area.w);
                    }
                }
            }
        }
        match plan.layout {
            CellLayout::Stacked => draw_stacked(canvas, fonts, &look, cell, options, &metrics, image_place, painted),
            CellLayout::Row => draw_row(canvas, fonts, &look, cell, &metrics, image_place, painted),
        }
        if painted.answer == Answer::Wrong {
            canvas.fill_rounded(place, look.radius, Fill::Solid(look.palette.surface, 0.45));
        }
    };
    let kind = match painted.answer {
        Answer::Hidden => crate::layer::LayerKind::Plain,
        Answer::Right | Answer::Wrong => crate::layer::LayerKind::Answer,
    };
    card.layer(Some(order), kind, painted.place, if options.surfaces { 70.0 } else { 30.0 }, draw);
}

fn initial(card: &mut CardBuilder<'_>, cell: &Cell<'_>, area: Option<Area>) -> Option<Typeset> {
    let area = area?;
    let first = crate::spans::first(cell.title).or_else(|| crate::spans::first(cell.text))?;
    let style = Style { colour: card.look.palette.accent, ..card.display(area.h.min(area.w) * 0.42) }.centred();
    card.typeset(&first, style, area.w, 1)
}

fn draw_surface(look: &Look, canvas: &mut Canvas, place: Area, cell: &Cell<'_>, answer: Answer) {
    let palette = look.palette;
    match answer {
        Answer::Hidden => card_surface(look, canvas, place, cell.marked),
        Answer::Right => {
            card_surface(look, canvas, place, false);
            canvas.fill_rounded(place, look.radius, Fill::Solid(palette.good, 0.20));
            canvas.stroke_border(place, look.radius, 5.0, palette.good, 1.0);
        }
        Answer::Wrong => {
            canvas.fill_rounded(place, look.radius, Fill::Solid(palette.surface, 1.0));
            canvas.stroke_border(place, look.radius, 1.5, palette.line, 0.9);
        }
    }
}

fn draw_badge(canvas: &mut Canvas, fonts: &mut Fonts, look: &Look, cell: &Cell<'_>, area: Area, painted: &Painted<'_>) {
    let palette = look.palette;
    let radius = (look.radius * 0.75).min(area.w / 2.0);
    let good = painted.answer == Answer::Right;
    match cell.badge {
        Badge::None => return,
        Badge::Number(_) => canvas.fill_rounded(area, area.w / 2.0, Fill::Diagonal(palette.accent, palette.accent_end)),
        Badge::Icon(_) => canvas.fill_rounded(area, radius, Fill::Solid(palette.accent, 0.15)),
        Badge::Letter(_) if good => canvas.fill_rounded(area, area.w / 2.0, Fill::Solid(palette.good, 1.0)),
        Badge::Letter(_) => {
            canvas.fill_rounded(area, area.w / 2.0, Fill::Solid(palette.accent, 0.13));
            canvas.stroke_border(area, area.w / 2.0, 2.5, palette.accent, 0.8);
        }
        Badge::Check => canvas.fill_rounded(area, area.w / 2.0, Fill::Solid(palette.accent, 0.17)),
    }
    if good || cell.badge == Badge::Check {
        let colour = if good { palette.surface } else { palette.accent };
        canvas.stroke_check_mark(area.centred(area.w * 0.44, area.w * 0.40), area.w * 0.075, colour);
    } else if let Some(set) = &painted.badge {
        canvas.draw_text(fonts, set, area.x - area.w * 0.2, area.y + (area.h - set.height) / 2.0, area.w * 1.4);
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one item; a struct for them would be used only here")]
fn draw_stacked(
    canvas: &mut Canvas,
    fonts: &mut Fonts,
    look: &Look,
    cell: &Cell<'_>,
    options: &GridOptions<'_>,
    metrics: &Metrics,
    image_place: Option<Area>,
    painted: &Painted<'_>,
) {
    let (place, set) = (painted.place, painted.set);
    let (x, width) = (place.x + metrics.pad, place.w - 2.0 * metrics.pad);
    let mut y = place.y + metrics.pad_y;
    if let Some(area) = image_place {
        y = area.bottom() + metrics.gap;
    } else if cell.badge != Badge::None {
        let left = match options.alignment {
            Alignment::Start => x,
            Alignment::Centre => x + (width - metrics.badge) / 2.0,
        };
        draw_badge(canvas, fonts, look, cell, Area::new(left, y, metrics.badge, metrics.badge), painted);
        y += metrics.badge + metrics.gap;
    }
    let value_last = !options.value_first;
    let value = set.value.as_ref();
    let blocks = if value_last {
        [set.title.as_ref(), set.text.as_ref(), value]
    } else {
        [value, set.title.as_ref(), set.text.as_ref()]
    };
    for (index, block) in blocks.into_iter().enumerate() {
        let Some(block) = block else { continue };
        let is_value = index == if value_last { 2 } else { 0 };
        if !is_value || painted.value {
            canvas.draw_text(fonts, block, x, y, width);
        }
        y += block.height + metrics.small;
    }
    if !set.points.is_empty() {
        y += metrics.gap - metrics.small;
        draw_points(canvas, fonts, look, set, x, y, width, metrics.small);
    }
}

fn draw_row(
    canvas: &mut Canvas,
    fonts: &mut Fonts,
    look: &Look,
    cell: &Cell<'_>,
    metrics: &Metrics,
    image_place: Option<Area>,
    painted: &Painted<'_>,
) {
    let (place, set) = (painted.place, painted.set);
    let (mut x, right) = (place.x + metrics.pad, place.right() - metrics.pad);
    if let Some(area) = image_place {
        x = area.right() + metrics.gap;
    } else if cell.badge != Badge::None {
        let area = Area::new(x, place.y + (place.h - metrics.badge) / 2.0, metrics.badge, metrics.badge);
        draw_badge(canvas, fonts, look, cell, area, painted);
        x += metrics.badge + metrics.gap;
    }
    let mut width = right - x;
    if let Some(value) = &set.value {
        width -= value.width + metrics.gap;
        if painted.value {
            canvas.draw_text(fonts, value, right - value.width, place.y + (place.h - value.height) / 2.0, value.width);
        }
    }
    let points: f32 = set.points.iter().map(|point| point.height + metrics.small).sum();
    let both = set.title.is_some() && set.text.is_some();
    let words = [&set.title, &set.text].into_iter().flatten().map(|set| set.height).sum::<f32>()
        + points
        + if both { metrics.small * 0.6 } else { 0.0 };
    let mut y = place.y + (place.h - words) / 2.0;
    for block in [&set.title, &set.text].into_iter().flatten() {
        canvas.draw_text(fonts, block, x, y, width);
        y += block.height + if both { metrics.small * 0.6 } else { 0.0 };
    }
    draw_points(
        canvas,
        fonts,
        look,
        set,
        x,
        y + if both { metrics.small * 0.4 } else { metrics.small },
        width,
        metrics.small,
    );
}

#[expect(
    clippy::too_many_arguments,
    reason = "points with their position and spacing; a struct for them would be used only here"
)]
fn draw_points(
    canvas: &mut Canvas,
    fonts: &mut Fonts,
    look: &Look,
    set: &TypesetCell,
    x: f32,
    mut y: f32,
    width: f32,
    gap: f32,
) {
    for point in &set.points {
        let size = point.style.size;
        let line = point.height / point.lines as f32;
        let mark = Area::new(x, y + (line - size * 0.62) / 2.0, size * 0.72, size * 0.62);
        canvas.stroke_check_mark(mark, (size * 0.12).max(2.0), look.palette.accent);
        let indent = size * 1.35;
        canvas.draw_text(fonts, point, x + indent, y, width - indent);
        y += point.height + gap;
    }
}
