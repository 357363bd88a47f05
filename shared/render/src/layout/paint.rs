//! Draws set items: their ground, badge or picture, number, words and points.

use tiny_skia::Pixmap;

use crate::area::Area;
use crate::canvas::{Canvas, Fill};
use crate::error::RenderError;
use crate::fonts::Fonts;
use crate::layout::cells::{Badge, Cell, Form, Metrics, Plan, Set, Wish, metrics, side_picture};
use crate::pictures;
use crate::stage::{Stage, ground};
use crate::text::{Side, Style, Typeset};
use crate::theme::Look;

/// How an item is drawn at the end of a quiz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Not yet told, or no quiz.
    Open,
    Right,
    Wrong,
}

/// What of an item is drawn.
pub(crate) struct Painted<'p> {
    pub place: Area,
    pub set: &'p Set,
    pub badge: Option<Typeset>,
    pub picture: Option<Pixmap>,
    pub answer: Answer,
    /// Whether its number is drawn; a counter draws it itself.
    pub value: bool,
}

/// Sets what stands in an item's badge.
pub(crate) fn badge(stage: &mut Stage<'_>, badge: Badge<'_>, size: f32) -> Option<Typeset> {
    let palette = stage.look.palette;
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
            stage.set(shown, style(0.54), size * 1.4, 1)
        }
        Badge::Number(number) => {
            let style = Style { colour: palette.on_accent, tabular: true, ..style(0.46) };
            stage.set(&number.to_string(), style, size * 1.4, 1)
        }
        Badge::Letter(letter) => stage.set(&letter.to_string(), style(0.46), size * 1.4, 1),
    }
}

/// The picture of an item, or a tile with its first letter where the others have pictures.
pub(crate) fn picture(
    stage: &mut Stage<'_>,
    cell: &Cell<'_>,
    wish: &Wish<'_>,
    plan: &Plan,
) -> Result<Option<Pixmap>, RenderError> {
    let Some(area) = picture_area(stage, wish, plan, Area::new(0.0, 0.0, plan.width, 1.0)) else { return Ok(None) };
    let Some(image) = cell.image else { return Ok(None) };
    let image = stage.image(image)?;
    let pixels = |length: f32| (length * stage.scale).round().max(1.0) as u32;
    Ok(Some(pictures::cover(image, pixels(area.w), pixels(area.h))))
}

fn picture_area(stage: &Stage<'_>, wish: &Wish<'_>, plan: &Plan, place: Area) -> Option<Area> {
    let ratio = wish.picture?;
    let metrics = metrics(stage, wish, plan.form, plan.k);
    Some(match plan.form {
        Form::Tall => {
            let inner = place.w - 2.0 * metrics.pad;
            Area::new(place.x + metrics.pad, place.y + metrics.pad_y, inner, inner * ratio)
        }
        Form::Row => {
            let side = side_picture(&metrics);
            Area::new(place.x + metrics.pad, place.y + (place.h - side) / 2.0, side, side)
        }
    })
}

/// Adds an item as a part of the card.
pub(crate) fn item(
    stage: &mut Stage<'_>,
    order: usize,
    cell: &Cell<'_>,
    wish: &Wish<'_>,
    plan: &Plan,
    painted: &Painted<'_>,
) {
    let look = stage.look;
    let metrics = metrics(stage, wish, plan.form, plan.k);
    let picture = picture_area(stage, wish, plan, painted.place);
    let initial = if picture.is_some() && painted.picture.is_none() { initial(stage, cell, picture) } else { None };
    let draw = |canvas: &mut Canvas, fonts: &mut Fonts| {
        let place = painted.place;
        if wish.cards {
            surface(&look, canvas, place, cell, painted.answer);
        }
        if let Some(area) = picture {
            let radius = (look.radius * 0.7).min(area.w / 2.0);
            match &painted.picture {
                Some(image) => canvas.picture(image, area, radius),
                None => {
                    canvas.round(area, radius, Fill::Solid(look.palette.accent, 0.16));
                    if let Some(set) = &initial {
                        canvas.text(fonts, set, area.x, area.y + (area.h - set.height) / 2.0, area.w);
                    }
                }
            }
        }
        match plan.form {
            Form::Tall => tall(canvas, fonts, &look, cell, wish, &metrics, picture, painted),
            Form::Row => row(canvas, fonts, &look, cell, &metrics, picture, painted),
        }
        if painted.answer == Answer::Wrong {
            canvas.round(place, look.radius, Fill::Solid(look.palette.surface, 0.45));
        }
    };
    let show = match painted.answer {
        Answer::Open => crate::layer::Show::Part,
        Answer::Right | Answer::Wrong => crate::layer::Show::Answer,
    };
    stage.layer(Some(order), show, painted.place, if wish.cards { 70.0 } else { 30.0 }, draw);
}

fn initial(stage: &mut Stage<'_>, cell: &Cell<'_>, area: Option<Area>) -> Option<Typeset> {
    let area = area?;
    let first = crate::spans::first(cell.title).or_else(|| crate::spans::first(cell.text))?;
    let style = Style { colour: stage.look.palette.accent, ..stage.display(area.h.min(area.w) * 0.42) }.centred();
    stage.set(&first, style, area.w, 1)
}

fn surface(look: &Look, canvas: &mut Canvas, place: Area, cell: &Cell<'_>, answer: Answer) {
    let palette = look.palette;
    match answer {
        Answer::Open => ground(look, canvas, place, cell.marked),
        Answer::Right => {
            ground(look, canvas, place, false);
            canvas.round(place, look.radius, Fill::Solid(palette.good, 0.20));
            canvas.edge(place, look.radius, 5.0, palette.good, 1.0);
        }
        Answer::Wrong => {
            canvas.round(place, look.radius, Fill::Solid(palette.surface, 1.0));
            canvas.edge(place, look.radius, 1.5, palette.line, 0.9);
        }
    }
}

fn head(canvas: &mut Canvas, fonts: &mut Fonts, look: &Look, cell: &Cell<'_>, area: Area, painted: &Painted<'_>) {
    let palette = look.palette;
    let radius = (look.radius * 0.75).min(area.w / 2.0);
    let good = painted.answer == Answer::Right;
    match cell.badge {
        Badge::None => return,
        Badge::Number(_) => canvas.round(area, area.w / 2.0, Fill::Sweep(palette.accent, palette.accent_end)),
        Badge::Icon(_) => canvas.round(area, radius, Fill::Solid(palette.accent, 0.15)),
        Badge::Letter(_) if good => canvas.round(area, area.w / 2.0, Fill::Solid(palette.good, 1.0)),
        Badge::Letter(_) => {
            canvas.round(area, area.w / 2.0, Fill::Solid(palette.accent, 0.13));
            canvas.edge(area, area.w / 2.0, 2.5, palette.accent, 0.8);
        }
        Badge::Check => canvas.round(area, area.w / 2.0, Fill::Solid(palette.accent, 0.17)),
    }
    if good || cell.badge == Badge::Check {
        let colour = if good { palette.surface } else { palette.accent };
        canvas.check(area.centred(area.w * 0.44, area.w * 0.40), area.w * 0.075, colour);
    } else if let Some(set) = &painted.badge {
        canvas.text(fonts, set, area.x - area.w * 0.2, area.y + (area.h - set.height) / 2.0, area.w * 1.4);
    }
}

#[expect(clippy::too_many_arguments, reason = "the pieces of one item; a struct for them would be used here only")]
fn tall(
    canvas: &mut Canvas,
    fonts: &mut Fonts,
    look: &Look,
    cell: &Cell<'_>,
    wish: &Wish<'_>,
    metrics: &Metrics,
    picture: Option<Area>,
    painted: &Painted<'_>,
) {
    let (place, set) = (painted.place, painted.set);
    let (x, width) = (place.x + metrics.pad, place.w - 2.0 * metrics.pad);
    let mut y = place.y + metrics.pad_y;
    if let Some(area) = picture {
        y = area.bottom() + metrics.gap;
    } else if cell.badge != Badge::None {
        let left = match wish.side {
            Side::Start => x,
            Side::Centre => x + (width - metrics.badge) / 2.0,
        };
        head(canvas, fonts, look, cell, Area::new(left, y, metrics.badge, metrics.badge), painted);
        y += metrics.badge + metrics.gap;
    }
    let value_last = !wish.big_value;
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
            canvas.text(fonts, block, x, y, width);
        }
        y += block.height + metrics.small;
    }
    if !set.points.is_empty() {
        y += metrics.gap - metrics.small;
        list(canvas, fonts, look, set, x, y, width, metrics.small);
    }
}

fn row(
    canvas: &mut Canvas,
    fonts: &mut Fonts,
    look: &Look,
    cell: &Cell<'_>,
    metrics: &Metrics,
    picture: Option<Area>,
    painted: &Painted<'_>,
) {
    let (place, set) = (painted.place, painted.set);
    let (mut x, right) = (place.x + metrics.pad, place.right() - metrics.pad);
    if let Some(area) = picture {
        x = area.right() + metrics.gap;
    } else if cell.badge != Badge::None {
        let area = Area::new(x, place.y + (place.h - metrics.badge) / 2.0, metrics.badge, metrics.badge);
        head(canvas, fonts, look, cell, area, painted);
        x += metrics.badge + metrics.gap;
    }
    let mut width = right - x;
    if let Some(value) = &set.value {
        width -= value.width + metrics.gap;
        if painted.value {
            canvas.text(fonts, value, right - value.width, place.y + (place.h - value.height) / 2.0, value.width);
        }
    }
    let points: f32 = set.points.iter().map(|point| point.height + metrics.small).sum();
    let both = set.title.is_some() && set.text.is_some();
    let words = [&set.title, &set.text].into_iter().flatten().map(|set| set.height).sum::<f32>()
        + points
        + if both { metrics.small * 0.6 } else { 0.0 };
    let mut y = place.y + (place.h - words) / 2.0;
    for block in [&set.title, &set.text].into_iter().flatten() {
        canvas.text(fonts, block, x, y, width);
        y += block.height + if both { metrics.small * 0.6 } else { 0.0 };
    }
    list(canvas, fonts, look, set, x, y + if both { metrics.small * 0.4 } else { metrics.small }, width, metrics.small);
}

#[expect(clippy::too_many_arguments, reason = "a list is its points, its place and its gap")]
fn list(canvas: &mut Canvas, fonts: &mut Fonts, look: &Look, set: &Set, x: f32, mut y: f32, width: f32, gap: f32) {
    for point in &set.points {
        let size = point.style.size;
        let line = point.height / point.lines as f32;
        let mark = Area::new(x, y + (line - size * 0.62) / 2.0, size * 0.72, size * 0.62);
        canvas.check(mark, (size * 0.12).max(2.0), look.palette.accent);
        let indent = size * 1.35;
        canvas.text(fonts, point, x + indent, y, width - indent);
        y += point.height + gap;
    }
}
