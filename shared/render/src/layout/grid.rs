//! Cards that compare items side by side: numbers, products, columns.

use reelhook_domain::videos::film::{Content, Item};

use crate::card_builder::CardBuilder;
use crate::error::RenderError;
use crate::layer::Sprite;
use crate::layout::cells::{Badge, Cell, CellLayout, GridOptions, Plan, metrics};
use crate::layout::content::{has_content, has_text};
use crate::layout::lists::{cell, more, stacked};
use crate::layout::paint::{self, Answer, Painted};
use crate::layout::stack::Stack;
use crate::number::Number;
use crate::text::{Alignment, Typeset};

/// The number of steps in which a number counts up.
const COUNTER_STEPS: usize = 26;

/// Columns with points; the marked column is highlighted.
pub(super) fn comparison(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| has_content(item)).collect();
    let has_images = items.iter().any(|item| item.image.is_some());
    let cells: Vec<Cell<'_>> = items
        .iter()
        .map(|item| {
            let badge = if has_text(&item.icon) { Badge::Icon(&item.icon) } else { Badge::None };
            Cell { image: item.image.as_ref(), ..cell(item, badge) }
        })
        .collect();
    let arrangements: &[(usize, CellLayout)] = match (card.tall, cells.len()) {
        (true, 0..=2) => &[(1, CellLayout::Stacked), (2, CellLayout::Stacked), (1, CellLayout::Row)],
        (true, _) => &[(1, CellLayout::Stacked), (2, CellLayout::Stacked), (1, CellLayout::Row)],
        (false, 0..=2) => &[(2, CellLayout::Stacked)],
        (false, 3) => &[(3, CellLayout::Stacked)],
        (false, 4) => &[(4, CellLayout::Stacked), (2, CellLayout::Row)],
        (false, _) => &[(5, CellLayout::Stacked), (3, CellLayout::Stacked), (3, CellLayout::Row)],
    };
    let image_ratio = has_images.then_some(0.5);
    let options = GridOptions {
        arrangements,
        alignment: Alignment::Start,
        surfaces: true,
        value_first: false,
        image_ratio,
        weight: 700,
        max_factor: 1.48,
    };
    stacked(card, content, &cells, &options)
}

/// Products in a grid.
pub(super) fn products(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| has_content(item)).collect();
    let has_images = items.iter().any(|item| item.image.is_some());
    let cells: Vec<Cell<'_>> = items
        .iter()
        .map(|item| {
            let badge = if has_text(&item.icon) { Badge::Icon(&item.icon) } else { Badge::None };
            Cell { image: item.image.as_ref(), ..cell(item, badge) }
        })
        .collect();
    let arrangements: &[(usize, CellLayout)] = match (card.tall, cells.len()) {
        (true, 0..=3) => &[(1, CellLayout::Row), (2, CellLayout::Stacked)],
        (true, _) => &[(2, CellLayout::Stacked), (1, CellLayout::Row)],
        (false, 0..=3) => &[(3, CellLayout::Stacked), (1, CellLayout::Row)],
        (false, 4) => &[(4, CellLayout::Stacked), (2, CellLayout::Row)],
        (false, 5..=6) => &[(3, CellLayout::Stacked), (3, CellLayout::Row), (2, CellLayout::Row)],
        (false, 7..=8) => &[(4, CellLayout::Stacked), (4, CellLayout::Row), (3, CellLayout::Row), (2, CellLayout::Row)],
        (false, _) => &[(3, CellLayout::Row), (4, CellLayout::Row), (2, CellLayout::Row)],
    };
    let image_ratio = has_images.then_some(card.pick(0.68, 0.62));
    let options = GridOptions {
        arrangements,
        alignment: Alignment::Start,
        surfaces: true,
        value_first: false,
        image_ratio,
        weight: 700,
        max_factor: 1.48,
    };
    stacked(card, content, &cells, &options)
}

/// Big numbers that count up, with labels.
pub(super) fn stats(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| has_content(item)).collect();
    let cells: Vec<Cell<'_>> = items.iter().map(|item| cell(item, Badge::None)).collect();
    let arrangements: &[(usize, CellLayout)] = match (card.tall, cells.len()) {
        (true, 0..=3) => &[(1, CellLayout::Stacked), (1, CellLayout::Row)],
        (true, _) => &[(2, CellLayout::Stacked), (1, CellLayout::Row)],
        (false, 0..=1) => &[(1, CellLayout::Stacked)],
        (false, 2) => &[(2, CellLayout::Stacked)],
        (false, 3) => &[(3, CellLayout::Stacked), (1, CellLayout::Row)],
        (false, 4) => &[(4, CellLayout::Stacked), (2, CellLayout::Stacked)],
        (false, 5..=6) => &[(3, CellLayout::Stacked), (2, CellLayout::Row)],
        (false, _) => &[(4, CellLayout::Stacked), (3, CellLayout::Row)],
    };
    let alignment = Alignment::Centre;
    let options = GridOptions {
        arrangements,
        alignment,
        surfaces: true,
        value_first: true,
        image_ratio: None,
        weight: 600,
        max_factor: 1.35,
    };
    let area = card.safe;
    let stack = Stack::new(card, content, area, Alignment::Start, !cells.is_empty());
    if cells.is_empty() {
        let (_, footer) = stack.draw(card, 1.0);
        footer.draw(card);
        return Ok(());
    }
    let plan = Plan::fit(card, &cells, &options, area.w, stack.room());
    let (middle, footer) = stack.draw(card, plan.height);
    for (cell, (set, place)) in cells.iter().zip(plan.sets.iter().zip(plan.places(middle, true))) {
        let order = card.step();
        let number = Number::find(cell.value).filter(|_| plan.layout == CellLayout::Stacked);
        let painted = Painted { place, set, badge: None, image: None, answer: Answer::Hidden, value: number.is_none() };
        paint::item(card, order, cell, &options, &plan, &painted);
        if let (Some(number), Some(value)) = (number, &set.value) {
            let metrics = metrics(card, &options, plan.layout, plan.factor);
            let top = place.y + metrics.pad_y;
            let (x, width) = (place.x + metrics.pad, place.w - 2.0 * metrics.pad);
            let at = crate::area::Area::new(x, top, width, value.height);
            // Intermediate digits may be wider than the final ones. A number that is truncated at the end must stay
            // within its card before, too.
            let limit = if value.truncated { width } else { width * 1.2 };
            // All are typeset, whatever is drawn of them: they share the scene's budget for shaping.
            let steps = (0..=COUNTER_STEPS).map(|step| number.fraction(step as f64 / COUNTER_STEPS as f64));
            let texts: Vec<Typeset> = steps.filter_map(|text| card.typeset(&text, value.style, limit, 1)).collect();
            let at_rest = card.at_rest;
            let draw =
                |text: &Typeset| card.sprite(at, 24.0, |canvas, fonts| canvas.draw_text(fonts, text, at.x, at.y, at.w));
            let sprites: Vec<Sprite> = match at_rest {
                true => texts.iter().rev().find_map(draw).into_iter().collect(),
                false => texts.iter().filter_map(draw).collect(),
            };
            card.counter(order, sprites);
        }
    }
    more(card, &plan, middle);
    footer.draw(card);
    Ok(())
}
