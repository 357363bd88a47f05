//! Cards with few words: titles, calls to action, testimonials, lessons, and a product with its image.

use reelhook_domain::videos::film::{Content, ImageRef};

use crate::area::Area;
use crate::canvas::Fill;
use crate::card_builder::{CardBuilder, card_surface};
use crate::error::RenderError;
use crate::images::{contain, cover, is_opaque};
use crate::layout::column::{Column, Role};
use crate::layout::content::has_text;
use crate::text::{Alignment, Style};

/// A title with an image beside or above it.
pub(super) fn hero(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Hero, content.title.as_str()),
        (Role::Rule, ""),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Body, content.body.as_str()),
        (Role::Button, content.button.as_str()),
        (Role::Note, content.footnote.as_str()),
    ];
    text_and_image(card, content, &lines, false)
}

/// A lesson with a large number behind its title.
pub(super) fn lesson(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Hero, content.title.as_str()),
        (Role::Rule, ""),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Body, content.body.as_str()),
        (Role::Author, content.author.as_str()),
        (Role::Position, content.role.as_str()),
        (Role::Note, content.footnote.as_str()),
    ];
    let number: String = content.kicker.chars().filter(char::is_ascii_digit).take(3).collect();
    if !number.is_empty() && content.images.is_empty() && has_text(&content.title) {
        let safe = card.safe;
        let size = card.pick(620.0, 560.0);
        let style = Style { colour: card.look.palette.accent, leading: 1.0, balanced: false, ..card.display(size) };
        if let Some(set) = card.typeset(&number, style, safe.w, 1) {
            let order = card.step();
            let y = card.pick(safe.y + (safe.h - set.height) / 2.0, safe.y);
            let place = Area::new(safe.right() - set.width, y, set.width, set.height);
            let ghost =
                card.sprite(place, 10.0, |canvas, fonts| canvas.draw_text(fonts, &set, place.x, place.y, place.w));
            if let Some(mut sprite) = ghost {
                // Make it as faint as a watermark, because the title is on top of it.
                for byte in sprite.pixmap.data_mut() {
                    *byte = (u32::from(*byte) * 13 / 100) as u8;
                }
                card.counter(order, vec![sprite]);
            }
        }
    }
    text_and_image(card, content, &lines, false)
}

/// A product: image, name, description, price.
pub(super) fn product(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let points: String = content
        .items
        .iter()
        .map(|item| {
            [item.icon.as_str(), item.title.as_str(), item.value.as_str()].map(str::trim).join(" ").trim().to_owned()
        })
        .filter(|line| !line.is_empty())
        .take(5)
        .collect::<Vec<_>>()
        .join("\n");
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Title, content.title.as_str()),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Body, content.body.as_str()),
        (Role::Points, points.as_str()),
        (Role::Price, content.footnote.as_str()),
        (Role::Button, content.button.as_str()),
    ];
    let own = content.images.is_empty().then(|| content.items.iter().find_map(|item| item.image.as_ref())).flatten();
    let anything = lines.iter().any(|(_, text)| has_text(text));
    if content.images.is_empty() && own.is_none() && anything && !card.tall {
        return placeholder(card, content, &lines);
    }
    text_and_image(card, content, &lines, true)
}

/// A call to action in the centre of its card.
pub(super) fn call_to_action(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Hero, content.title.as_str()),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Body, content.body.as_str()),
        (Role::Button, content.button.as_str()),
        (Role::Note, content.footnote.as_str()),
    ];
    if !content.images.is_empty() {
        return text_and_image(card, content, &lines, false);
    }
    let safe = card.safe;
    let area = safe.centred(safe.w * card.pick(0.84, 1.0), safe.h);
    let column = Column::fit(card, &lines, area.w, area.h, Alignment::Centre);
    let top = area.y + (area.h - column.height) / 2.0;
    column.draw(card, Area { y: top, ..area });
    Ok(())
}

/// A testimonial: a quotation mark, the quotation and its author.
pub(super) fn testimonial(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let look = card.look;
    let safe = card.safe;
    let texts = [&content.title, &content.author, &content.role, &content.body, &content.subtitle];
    if !texts.into_iter().any(|text| has_text(text)) && content.images.is_empty() {
        return Ok(());
    }
    let face = card.pick(116.0, 132.0);
    let mark = card.pick(118.0, 132.0);
    let image = match content.images.first() {
        Some(image) => Some(card.image(image)?),
        None => None,
    };
    let attribution = [(Role::Author, content.author.as_str()), (Role::Position, content.role.as_str())];
    let beside = if image.is_some() { face + 32.0 } else { 0.0 };
    let attribution = Column::fit(card, &attribution, safe.w * 0.9 - beside, 170.0, Alignment::Start);
    let foot = if attribution.is_empty() && image.is_none() {
        0.0
    } else {
        attribution.height.max(if image.is_some() { face } else { 0.0 }) + 56.0
    };
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Quote, content.title.as_str()),
        (Role::Body, content.body.as_str()),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Note, content.footnote.as_str()),
    ];
    let words = Column::fit(card, &lines, safe.w * card.pick(0.88, 1.0), safe.h - mark - foot - 30.0, Alignment::Start);
    let height = mark + 30.0 + words.height + foot;
    let top = safe.y + (safe.h - height) / 2.0;
    let order = card.step();
    let quote_mark = Area::new(safe.x, top, mark * 1.26, mark);
    card.part(order, quote_mark, 4.0, |canvas, _| {
        for x in [0.0, mark * 0.68] {
            canvas.fill_quotation_mark(
                Area::new(quote_mark.x + x, quote_mark.y, mark * 0.58, mark),
                Fill::Diagonal(look.palette.accent, look.palette.accent_end),
            );
        }
    });
    let below = top + mark + 30.0 + words.height + 56.0;
    words.draw(card, Area { y: top + mark + 30.0, w: safe.w * card.pick(0.88, 1.0), ..safe });
    if let Some(image) = image {
        let order = card.step();
        let area = Area::new(safe.x, below, face, face);
        let pixels = (face * card.scale).round() as u32;
        let cropped = cover(image, pixels, pixels);
        card.part(order, area, 12.0, |canvas, _| {
            canvas.fill_circle(
                area.x + face / 2.0,
                area.y + face / 2.0,
                face / 2.0 + 5.0,
                Fill::Diagonal(look.palette.accent, look.palette.accent_end),
            );
            canvas.draw_image(&cropped, area, face / 2.0);
        });
    }
    let tall = if image.is_some() { face } else { attribution.height };
    let y = below + (tall - attribution.height) / 2.0;
    attribution.draw(card, Area::new(safe.x + beside, y, safe.w - beside, safe.h));
    Ok(())
}

/// Text with the first image beside it (wide) or above it (tall), or without an image.
fn text_and_image(
    card: &mut CardBuilder<'_>,
    content: &Content,
    lines: &[(Role, &str)],
    product: bool,
) -> Result<(), RenderError> {
    let safe = card.safe;
    let has_words = lines.iter().any(|(_, text)| has_text(text));
    let first = content.images.first().or_else(|| content.items.iter().find_map(|item| item.image.as_ref()));
    let Some(image) = first else {
        if !has_words {
            return Ok(());
        }
        let lines: Vec<_> =
            lines.iter().copied().filter(|(role, _)| *role != Role::Rule || has_text(&content.title)).collect();
        let width = safe.w * card.pick(0.8, 1.0);
        let column = Column::fit(card, &lines, width, safe.h, Alignment::Start);
        let top = safe.y + (safe.h - column.height) / 2.0;
        column.draw(card, Area { y: top, w: width, ..safe });
        return Ok(());
    };
    if !has_words {
        return framed(card, image, safe, product);
    }
    if card.tall {
        let column = Column::fit(card, lines, safe.w, safe.h * 0.52, Alignment::Start);
        let height = (safe.h - column.height - 64.0).min(safe.w * 1.05);
        let top = safe.y + (safe.h - height - 64.0 - column.height) / 2.0;
        framed(card, image, Area::new(safe.x, top, safe.w, height), product)?;
        column.draw(card, Area { y: top + height + 64.0, ..safe });
        return Ok(());
    }
    let (words, place) = safe.split_left(safe.w * 0.52, 88.0);
    let column = Column::fit(card, lines, words.w, words.h, Alignment::Start);
    let top = words.y + (words.h - column.height) / 2.0;
    column.draw(card, Area { y: top, ..words });
    framed(card, image, place.inset(0.0, (place.h - place.h.min(place.w * 1.08)) / 2.0), product)
}

/// An image with rounded corners and a shadow. A product image that would lose much by cropping is shown whole on a
/// surface; other images fill their area.
fn framed(card: &mut CardBuilder<'_>, image: &ImageRef, area: Area, product: bool) -> Result<(), RenderError> {
    let source = card.image(image)?;
    let look = card.look;
    let order = card.step();
    let narrow = source.width() as f32 / source.height() as f32;
    let whole = product && !(0.66..1.5).contains(&(narrow * area.h / area.w));
    if whole {
        let inner = area.inset(area.w * 0.06, area.h * 0.06);
        let (w, h) = contain(source, inner.w, inner.h);
        let place = area.centred(w, h);
        let pixels = |length: f32| (length * card.scale).round().max(1.0) as u32;
        let cropped = cover(source, pixels(w), pixels(h));
        card.part(order, area, 70.0, |canvas, _| {
            card_surface(&look, canvas, area, false);
            canvas.draw_image(&cropped, place, look.radius * 0.5);
        });
        return Ok(());
    }
    let pixels = |length: f32| (length * card.scale).round().max(1.0) as u32;
    let cropped = cover(source, pixels(area.w), pixels(area.h));
    let solid = is_opaque(&cropped);
    card.part(order, area, 70.0, |canvas, _| {
        if solid {
            canvas.draw_shadow(area, look.radius, 44.0, 18.0, look.shadow);
        } else {
            canvas.draw_image_shadow(&cropped, area, look.radius, 44.0, 18.0, look.shadow);
        }
        canvas.draw_image(&cropped, area, look.radius);
        // A cut-out needs no border.
        if solid {
            canvas.stroke_border(area, look.radius, 1.5, look.palette.line, 0.5);
        }
    });
    Ok(())
}

/// A product without an image: a tile with its first letter replaces the image.
fn placeholder(card: &mut CardBuilder<'_>, content: &Content, lines: &[(Role, &str)]) -> Result<(), RenderError> {
    let safe = card.safe;
    let look = card.look;
    let (words, place) = safe.split_left(safe.w * 0.56, 96.0);
    let column = Column::fit(card, lines, words.w, words.h, Alignment::Start);
    let top = words.y + (words.h - column.height) / 2.0;
    column.draw(card, Area { y: top, ..words });
    let side = place.w.min(place.h);
    let tile = place.centred(side, side);
    let letter = crate::spans::first(&content.title).unwrap_or_else(|| "•".to_owned());
    let style = Style { colour: look.palette.accent, leading: 1.1, ..card.display(side * 0.46) }.centred();
    let set = card.typeset(&letter, style, side, 1);
    let order = card.step();
    card.part(order, tile, 70.0, |canvas, fonts| {
        card_surface(&look, canvas, tile, false);
        canvas.fill_circle(
            tile.x + side / 2.0,
            tile.y + side / 2.0,
            side * 0.36,
            Fill::Solid(look.palette.accent, 0.10),
        );
        if let Some(set) = &set {
            canvas.draw_text(fonts, set, tile.x, tile.y + (side - set.height) / 2.0, side);
        }
    });
    Ok(())
}
