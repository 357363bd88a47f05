//! Cards with items in reading order: features, steps, answers, takeaways.

use reelhook_domain::videos::film::{Content, Item};

use crate::area::Area;
use crate::card_builder::CardBuilder;
use crate::error::RenderError;
use crate::layout::cells::{Badge, Cell, CellLayout, GridOptions, Plan};
use crate::layout::content::{has_content, has_text};
use crate::layout::paint::{self, Answer, Painted};
use crate::layout::stack::Stack;
use crate::text::Alignment;

/// Converts an item to a cell without an image.
pub(super) fn cell<'t>(item: &'t Item, badge: Badge<'t>) -> Cell<'t> {
    Cell {
        badge,
        title: &item.title,
        text: &item.text,
        value: &item.value,
        points: &item.points,
        image: None,
        marked: item.marked,
    }
}

/// A heading with features.
pub(super) fn features(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| has_content(item)).collect();
    let has_images = items.iter().filter(|item| item.image.is_some()).count() * 2 > items.len();
    let cells: Vec<Cell<'_>> = items
        .iter()
        .map(|item| {
            let badge = if has_text(&item.icon) { Badge::Icon(&item.icon) } else { Badge::Check };
            Cell { image: item.image.as_ref(), ..cell(item, badge) }
        })
        .collect();
    let arrangements: &[(usize, CellLayout)] = match (card.tall, cells.len()) {
        (true, 0..=5) => &[(1, CellLayout::Row)],
        (true, _) => &[(1, CellLayout::Row), (2, CellLayout::Stacked)],
        (false, 0..=1) => &[(1, CellLayout::Row)],
        (false, 2) => &[(2, CellLayout::Stacked), (1, CellLayout::Row)],
        (false, 3) => &[(3, CellLayout::Stacked), (1, CellLayout::Row)],
        (false, 4) => &[(4, CellLayout::Stacked), (2, CellLayout::Row)],
        (false, 5..=6) => &[(3, CellLayout::Stacked), (2, CellLayout::Row), (3, CellLayout::Row)],
        (false, _) => &[(2, CellLayout::Row), (3, CellLayout::Row)],
    };
    let image_ratio = has_images.then_some(0.56);
    let options = GridOptions {
        arrangements,
        alignment: Alignment::Start,
        surfaces: true,
        value_first: false,
        image_ratio,
        weight: 700,
        max_factor: 1.35,
    };
    stacked(card, content, &cells, &options)
}

/// Key takeaways, each with a check mark.
pub(super) fn takeaways(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| has_content(item)).collect();
    let cells: Vec<Cell<'_>> = items
        .iter()
        .map(|item| cell(item, if has_text(&item.icon) { Badge::Icon(&item.icon) } else { Badge::Check }))
        .collect();
    let arrangements: &[(usize, CellLayout)] = match (card.tall, cells.len()) {
        (true, _) => &[(1, CellLayout::Row)],
        (false, 0..=4) => &[(1, CellLayout::Row), (2, CellLayout::Row)],
        (false, _) => &[(2, CellLayout::Row), (3, CellLayout::Row)],
    };
    let options = GridOptions {
        arrangements,
        alignment: Alignment::Start,
        surfaces: false,
        value_first: false,
        image_ratio: None,
        weight: 600,
        max_factor: 1.6,
    };
    stacked(card, content, &cells, &options)
}

/// Numbered steps.
pub(super) fn steps(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| has_content(item)).collect();
    let cells: Vec<Cell<'_>> =
        items.iter().enumerate().map(|(index, item)| cell(item, Badge::Number(index + 1))).collect();
    let arrangements: &[(usize, CellLayout)] = match (card.tall, cells.len()) {
        (true, _) => &[(1, CellLayout::Row)],
        (false, 0..=1) => &[(1, CellLayout::Row)],
        (false, 2) => &[(2, CellLayout::Stacked), (1, CellLayout::Row)],
        (false, 3) => &[(3, CellLayout::Stacked), (1, CellLayout::Row)],
        (false, 4) => &[(4, CellLayout::Stacked), (2, CellLayout::Row)],
        (false, 5) => &[(5, CellLayout::Stacked), (2, CellLayout::Row)],
        (false, 6) => &[(3, CellLayout::Stacked), (2, CellLayout::Row), (3, CellLayout::Row)],
        (false, _) => &[(2, CellLayout::Row), (3, CellLayout::Row), (4, CellLayout::Row)],
    };
    let options = GridOptions {
        arrangements,
        alignment: Alignment::Start,
        surfaces: true,
        value_first: false,
        image_ratio: None,
        weight: 700,
        max_factor: 1.35,
    };
    stacked(card, content, &cells, &options)
}

/// A question with its answers; the right answer is revealed in the last third.
pub(super) fn quiz(card: &mut CardBuilder<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| has_content(item)).collect();
    let cells: Vec<Cell<'_>> = items
        .iter()
        .zip('A'..='Z')
        // The right answer must not be highlighted before it is revealed.
        .map(|(item, letter)| Cell { marked: false, ..cell(item, Badge::Letter(letter)) })
        .collect();
    let arrangements: &[(usize, CellLayout)] = match (card.tall, cells.len()) {
        (true, _) => &[(1, CellLayout::Row)],
        (false, 0..=1) => &[(1, CellLayout::Row)],
        (false, 2..=6) => &[(2, CellLayout::Row), (1, CellLayout::Row)],
        (false, _) => &[(2, CellLayout::Row), (3, CellLayout::Row)],
    };
    let options = GridOptions {
        arrangements,
        alignment: Alignment::Start,
        surfaces: true,
        value_first: false,
        image_ratio: None,
        weight: 600,
        max_factor: 1.6,
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
    let has_right_answer = items.iter().any(|item| item.marked);
    let places = plan.places(middle, false);
    let mut orders = Vec::new();
    for pass in 0..2 {
        for (index, (cell, (set, &place))) in cells.iter().zip(plan.sets.iter().zip(&places)).enumerate() {
            let answer = match (pass, items.get(index).is_some_and(|item| item.marked)) {
                (0, _) => Answer::Hidden,
                (_, true) => Answer::Right,
                (_, false) => Answer::Wrong,
            };
            if pass == 1 && !has_right_answer {
                continue;
            }
            if pass == 0 {
                orders.push(card.step());
            }
            let order = orders.get(index).copied().unwrap_or_default();
            let size = crate::layout::cells::metrics(card, &options, plan.layout, plan.factor).badge;
            let badge = paint::badge(card, cell.badge, size);
            let painted = Painted { place, set, badge, image: None, answer, value: true };
            paint::item(card, order, cell, &options, &plan, &painted);
        }
    }
    more(card, &plan, middle);
    footer.draw(card);
    Ok(())
}

/// A heading, items below it, and a footer.
pub(super) fn stacked(
    card: &mut CardBuilder<'_>,
    content: &Content,
    cells: &[Cell<'_>],
    options: &GridOptions<'_>,
) -> Result<(), RenderError> {
    let area = card.safe;
    let stack = Stack::new(card, content, area, options.alignment, !cells.is_empty());
    if cells.is_empty() {
        let (_, footer) = stack.draw(card, 1.0);
        footer.draw(card);
        return Ok(());
    }
    let plan = Plan::fit(card, cells, options, area.w, stack.room());
    let (middle, footer) = stack.draw(card, plan.height);
    let places = plan.places(middle, options.alignment == Alignment::Centre);
    for (cell, (set, &place)) in cells.iter().zip(plan.sets.iter().zip(&places)) {
        let order = card.step();
        let size = crate::layout::cells::metrics(card, options, plan.layout, plan.factor).badge;
        let badge = paint::badge(card, cell.badge, size);
        let image = paint::item_image(card, cell, options, &plan)?;
        let painted = Painted { place, set, badge, image, answer: Answer::Hidden, value: true };
        paint::item(card, order, cell, options, &plan, &painted);
    }
    more(card, &plan, middle);
    footer.draw(card);
    Ok(())
}

/// Adds the line that states how many items are left out.
pub(super) fn more(card: &mut CardBuilder<'_>, plan: &Plan, middle: Area) {
    if let Some(set) = &plan.more {
        let order = card.step();
        let place = Area::new(middle.x, middle.bottom() - set.height, middle.w, set.height);
        card.part(order, place, 12.0, |canvas, fonts| canvas.draw_text(fonts, set, place.x, place.y, place.w));
    }
}
