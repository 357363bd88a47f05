//! Cards of few words: titles, calls, quotes, lessons, and a product beside its picture.

use reelhook_domain::videos::film::{Content, ImageRef};

use crate::area::Area;
use crate::canvas::Fill;
use crate::error::RenderError;
use crate::layout::column::{Column, Role};
use crate::layout::says;
use crate::pictures::{contained, cover, is_opaque};
use crate::stage::{Stage, ground};
use crate::text::{Side, Style};

/// A title, with its picture beside or above it.
pub(super) fn hero(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Hero, content.title.as_str()),
        (Role::Rule, ""),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Body, content.body.as_str()),
        (Role::Button, content.button.as_str()),
        (Role::Note, content.footnote.as_str()),
    ];
    beside(stage, content, &lines, false)
}

/// A lesson: its number large behind its title.
pub(super) fn lesson(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
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
    if !number.is_empty() && content.images.is_empty() && says(&content.title) {
        let safe = stage.safe;
        let size = stage.pick(620.0, 560.0);
        let style = Style { colour: stage.look.palette.accent, leading: 1.0, balanced: false, ..stage.display(size) };
        if let Some(set) = stage.set(&number, style, safe.w, 1) {
            let order = stage.step();
            let y = stage.pick(safe.y + (safe.h - set.height) / 2.0, safe.y);
            let place = Area::new(safe.right() - set.width, y, set.width, set.height);
            let ghost = stage.sprite(place, 10.0, |canvas, fonts| canvas.text(fonts, &set, place.x, place.y, place.w));
            if let Some(mut sprite) = ghost {
                // As faint as a watermark: titles stand on it.
                for byte in sprite.pixmap.data_mut() {
                    *byte = (u32::from(*byte) * 13 / 100) as u8;
                }
                stage.counter(order, vec![sprite]);
            }
        }
    }
    beside(stage, content, &lines, false)
}

/// A product: picture, name, what it does, price.
pub(super) fn product(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
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
    let anything = lines.iter().any(|(_, text)| says(text));
    if content.images.is_empty() && own.is_none() && anything && !stage.tall {
        return placeholder(stage, content, &lines);
    }
    beside(stage, content, &lines, true)
}

/// A call to act, in the middle of its card.
pub(super) fn call(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Hero, content.title.as_str()),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Body, content.body.as_str()),
        (Role::Button, content.button.as_str()),
        (Role::Note, content.footnote.as_str()),
    ];
    if !content.images.is_empty() {
        return beside(stage, content, &lines, false);
    }
    let safe = stage.safe;
    let area = safe.centred(safe.w * stage.pick(0.84, 1.0), safe.h);
    let column = Column::fit(stage, &lines, area.w, area.h, Side::Centre);
    let top = area.y + (area.h - column.height) / 2.0;
    column.draw(stage, Area { y: top, ..area });
    Ok(())
}

/// What somebody says, with a quote mark, and who.
pub(super) fn quote(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let look = stage.look;
    let safe = stage.safe;
    let texts = [&content.title, &content.author, &content.role, &content.body, &content.subtitle];
    if !texts.into_iter().any(|text| says(text)) && content.images.is_empty() {
        return Ok(());
    }
    let face = stage.pick(116.0, 132.0);
    let mark = stage.pick(118.0, 132.0);
    let image = match content.images.first() {
        Some(image) => Some(stage.image(image)?),
        None => None,
    };
    let who = [(Role::Author, content.author.as_str()), (Role::Position, content.role.as_str())];
    let beside = if image.is_some() { face + 32.0 } else { 0.0 };
    let who = Column::fit(stage, &who, safe.w * 0.9 - beside, 170.0, Side::Start);
    let foot = if who.is_empty() && image.is_none() {
        0.0
    } else {
        who.height.max(if image.is_some() { face } else { 0.0 }) + 56.0
    };
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Quote, content.title.as_str()),
        (Role::Body, content.body.as_str()),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Note, content.footnote.as_str()),
    ];
    let words = Column::fit(stage, &lines, safe.w * stage.pick(0.88, 1.0), safe.h - mark - foot - 30.0, Side::Start);
    let height = mark + 30.0 + words.height + foot;
    let top = safe.y + (safe.h - height) / 2.0;
    let order = stage.step();
    let sign = Area::new(safe.x, top, mark * 1.26, mark);
    stage.part(order, sign, 4.0, |canvas, _| {
        for x in [0.0, mark * 0.68] {
            canvas.quote(
                Area::new(sign.x + x, sign.y, mark * 0.58, mark),
                Fill::Sweep(look.palette.accent, look.palette.accent_end),
            );
        }
    });
    let below = top + mark + 30.0 + words.height + 56.0;
    words.draw(stage, Area { y: top + mark + 30.0, w: safe.w * stage.pick(0.88, 1.0), ..safe });
    if let Some(image) = image {
        let order = stage.step();
        let area = Area::new(safe.x, below, face, face);
        let pixels = (face * stage.scale).round() as u32;
        let cut = cover(image, pixels, pixels);
        stage.part(order, area, 12.0, |canvas, _| {
            canvas.disc(
                area.x + face / 2.0,
                area.y + face / 2.0,
                face / 2.0 + 5.0,
                Fill::Sweep(look.palette.accent, look.palette.accent_end),
            );
            canvas.picture(&cut, area, face / 2.0);
        });
    }
    let tall = if image.is_some() { face } else { who.height };
    let y = below + (tall - who.height) / 2.0;
    who.draw(stage, Area::new(safe.x + beside, y, safe.w - beside, safe.h));
    Ok(())
}

/// Lines with the first picture beside them (wide) or above them (tall); alone without one.
fn beside(stage: &mut Stage<'_>, content: &Content, lines: &[(Role, &str)], product: bool) -> Result<(), RenderError> {
    let safe = stage.safe;
    let has_words = lines.iter().any(|(_, text)| says(text));
    let first = content.images.first().or_else(|| content.items.iter().find_map(|item| item.image.as_ref()));
    let Some(image) = first else {
        if !has_words {
            return Ok(());
        }
        let lines: Vec<_> =
            lines.iter().copied().filter(|(role, _)| *role != Role::Rule || says(&content.title)).collect();
        let width = safe.w * stage.pick(0.8, 1.0);
        let column = Column::fit(stage, &lines, width, safe.h, Side::Start);
        let top = safe.y + (safe.h - column.height) / 2.0;
        column.draw(stage, Area { y: top, w: width, ..safe });
        return Ok(());
    };
    if !has_words {
        return framed(stage, image, safe, product);
    }
    if stage.tall {
        let column = Column::fit(stage, lines, safe.w, safe.h * 0.52, Side::Start);
        let height = (safe.h - column.height - 64.0).min(safe.w * 1.05);
        let top = safe.y + (safe.h - height - 64.0 - column.height) / 2.0;
        framed(stage, image, Area::new(safe.x, top, safe.w, height), product)?;
        column.draw(stage, Area { y: top + height + 64.0, ..safe });
        return Ok(());
    }
    let (words, place) = safe.cut_left(safe.w * 0.52, 88.0);
    let column = Column::fit(stage, lines, words.w, words.h, Side::Start);
    let top = words.y + (words.h - column.height) / 2.0;
    column.draw(stage, Area { y: top, ..words });
    framed(stage, image, place.inset(0.0, (place.h - place.h.min(place.w * 1.08)) / 2.0), product)
}

/// A picture with round corners and a shadow: a product whole on a card, others filling their place.
fn framed(stage: &mut Stage<'_>, image: &ImageRef, area: Area, product: bool) -> Result<(), RenderError> {
    let picture = stage.image(image)?;
    let look = stage.look;
    let order = stage.step();
    let narrow = picture.width() as f32 / picture.height() as f32;
    let whole = product && !(0.66..1.5).contains(&(narrow * area.h / area.w));
    if whole {
        let inner = area.inset(area.w * 0.06, area.h * 0.06);
        let (w, h) = contained(picture, inner.w, inner.h);
        let place = area.centred(w, h);
        let pixels = |length: f32| (length * stage.scale).round().max(1.0) as u32;
        let cut = cover(picture, pixels(w), pixels(h));
        stage.part(order, area, 70.0, |canvas, _| {
            ground(&look, canvas, area, false);
            canvas.picture(&cut, place, look.radius * 0.5);
        });
        return Ok(());
    }
    let pixels = |length: f32| (length * stage.scale).round().max(1.0) as u32;
    let cut = cover(picture, pixels(area.w), pixels(area.h));
    let solid = is_opaque(&cut);
    stage.part(order, area, 70.0, |canvas, _| {
        if solid {
            canvas.shadow(area, look.radius, 44.0, 18.0, look.shadow);
        } else {
            canvas.cast(&cut, area, look.radius, 44.0, 18.0, look.shadow);
        }
        canvas.picture(&cut, area, look.radius);
        // What is cut out has an edge of its own.
        if solid {
            canvas.edge(area, look.radius, 1.5, look.palette.line, 0.5);
        }
    });
    Ok(())
}

/// A product without a picture: a tile with its first letter takes the picture's place.
fn placeholder(stage: &mut Stage<'_>, content: &Content, lines: &[(Role, &str)]) -> Result<(), RenderError> {
    let safe = stage.safe;
    let look = stage.look;
    let (words, place) = safe.cut_left(safe.w * 0.56, 96.0);
    let column = Column::fit(stage, lines, words.w, words.h, Side::Start);
    let top = words.y + (words.h - column.height) / 2.0;
    column.draw(stage, Area { y: top, ..words });
    let side = place.w.min(place.h);
    let tile = place.centred(side, side);
    let letter = crate::spans::first(&content.title).unwrap_or_else(|| "•".to_owned());
    let style = Style { colour: look.palette.accent, leading: 1.1, ..stage.display(side * 0.46) }.centred();
    let set = stage.set(&letter, style, side, 1);
    let order = stage.step();
    stage.part(order, tile, 70.0, |canvas, fonts| {
        ground(&look, canvas, tile, false);
        canvas.disc(tile.x + side / 2.0, tile.y + side / 2.0, side * 0.36, Fill::Solid(look.palette.accent, 0.10));
        if let Some(set) = &set {
            canvas.text(fonts, set, tile.x, tile.y + (side - set.height) / 2.0, side);
        }
    });
    Ok(())
}
