//! Cards with items that are read one after the other: points, steps, answers, what to remember.

use reelhook_domain::videos::film::{Content, Item};

use crate::area::Area;
use crate::error::RenderError;
use crate::layout::cells::{Badge, Cell, Form, Plan, Wish};
use crate::layout::paint::{self, Answer, Painted};
use crate::layout::{Stack, says, shows};
use crate::stage::Stage;
use crate::text::Side;

/// An item as a cell, without its number and picture.
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

/// A heading and points.
pub(super) fn features(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| shows(item)).collect();
    let pictured = items.iter().filter(|item| item.image.is_some()).count() * 2 > items.len();
    let cells: Vec<Cell<'_>> = items
        .iter()
        .map(|item| {
            let badge = if says(&item.icon) { Badge::Icon(&item.icon) } else { Badge::Check };
            Cell { image: item.image.as_ref(), ..cell(item, badge) }
        })
        .collect();
    let tries: &[(usize, Form)] = match (stage.tall, cells.len()) {
        (true, 0..=5) => &[(1, Form::Row)],
        (true, _) => &[(1, Form::Row), (2, Form::Tall)],
        (false, 0..=1) => &[(1, Form::Row)],
        (false, 2) => &[(2, Form::Tall), (1, Form::Row)],
        (false, 3) => &[(3, Form::Tall), (1, Form::Row)],
        (false, 4) => &[(4, Form::Tall), (2, Form::Row)],
        (false, 5..=6) => &[(3, Form::Tall), (2, Form::Row), (3, Form::Row)],
        (false, _) => &[(2, Form::Row), (3, Form::Row)],
    };
    let picture = pictured.then_some(0.56);
    let wish = Wish { tries, side: Side::Start, cards: true, big_value: false, picture, weight: 700, largest: 1.35 };
    stacked(stage, content, &cells, &wish)
}

/// What to remember, each with a check mark.
pub(super) fn takeaways(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| shows(item)).collect();
    let cells: Vec<Cell<'_>> = items
        .iter()
        .map(|item| cell(item, if says(&item.icon) { Badge::Icon(&item.icon) } else { Badge::Check }))
        .collect();
    let tries: &[(usize, Form)] = match (stage.tall, cells.len()) {
        (true, _) => &[(1, Form::Row)],
        (false, 0..=4) => &[(1, Form::Row), (2, Form::Row)],
        (false, _) => &[(2, Form::Row), (3, Form::Row)],
    };
    let wish =
        Wish { tries, side: Side::Start, cards: false, big_value: false, picture: None, weight: 600, largest: 1.6 };
    stacked(stage, content, &cells, &wish)
}

/// Numbered steps.
pub(super) fn steps(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| shows(item)).collect();
    let cells: Vec<Cell<'_>> =
        items.iter().enumerate().map(|(index, item)| cell(item, Badge::Number(index + 1))).collect();
    let tries: &[(usize, Form)] = match (stage.tall, cells.len()) {
        (true, _) => &[(1, Form::Row)],
        (false, 0..=1) => &[(1, Form::Row)],
        (false, 2) => &[(2, Form::Tall), (1, Form::Row)],
        (false, 3) => &[(3, Form::Tall), (1, Form::Row)],
        (false, 4) => &[(4, Form::Tall), (2, Form::Row)],
        (false, 5) => &[(5, Form::Tall), (2, Form::Row)],
        (false, 6) => &[(3, Form::Tall), (2, Form::Row), (3, Form::Row)],
        (false, _) => &[(2, Form::Row), (3, Form::Row), (4, Form::Row)],
    };
    let wish =
        Wish { tries, side: Side::Start, cards: true, big_value: false, picture: None, weight: 700, largest: 1.35 };
    stacked(stage, content, &cells, &wish)
}

/// A question with its answers; the right one shows in the last third.
pub(super) fn quiz(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| shows(item)).collect();
    let cells: Vec<Cell<'_>> = items
        .iter()
        .zip('A'..='Z')
        // An answer that is marked must not look so before its time.
        .map(|(item, letter)| Cell { marked: false, ..cell(item, Badge::Letter(letter)) })
        .collect();
    let tries: &[(usize, Form)] = match (stage.tall, cells.len()) {
        (true, _) => &[(1, Form::Row)],
        (false, 0..=1) => &[(1, Form::Row)],
        (false, 2..=6) => &[(2, Form::Row), (1, Form::Row)],
        (false, _) => &[(2, Form::Row), (3, Form::Row)],
    };
    let wish =
        Wish { tries, side: Side::Start, cards: true, big_value: false, picture: None, weight: 600, largest: 1.6 };
    let area = stage.safe;
    let stack = Stack::new(stage, content, area, Side::Start, !cells.is_empty());
    if cells.is_empty() {
        let (_, foot) = stack.draw(stage, 1.0);
        foot.draw(stage);
        return Ok(());
    }
    let plan = Plan::fit(stage, &cells, &wish, area.w, stack.room());
    let (middle, foot) = stack.draw(stage, plan.height);
    let told = items.iter().any(|item| item.marked);
    let places = plan.places(middle, false);
    let mut orders = Vec::new();
    for pass in 0..2 {
        for (index, (cell, (set, &place))) in cells.iter().zip(plan.sets.iter().zip(&places)).enumerate() {
            let answer = match (pass, items.get(index).is_some_and(|item| item.marked)) {
                (0, _) => Answer::Open,
                (_, true) => Answer::Right,
                (_, false) => Answer::Wrong,
            };
            if pass == 1 && !told {
                continue;
            }
            if pass == 0 {
                orders.push(stage.step());
            }
            let order = orders.get(index).copied().unwrap_or_default();
            let size = crate::layout::cells::metrics(stage, &wish, plan.form, plan.k).badge;
            let badge = paint::badge(stage, cell.badge, size);
            let painted = Painted { place, set, badge, picture: None, answer, value: true };
            paint::item(stage, order, cell, &wish, &plan, &painted);
        }
    }
    more(stage, &plan, middle);
    foot.draw(stage);
    Ok(())
}

/// A heading, items below it, and a line at the end.
pub(super) fn stacked(
    stage: &mut Stage<'_>,
    content: &Content,
    cells: &[Cell<'_>],
    wish: &Wish<'_>,
) -> Result<(), RenderError> {
    let area = stage.safe;
    let stack = Stack::new(stage, content, area, wish.side, !cells.is_empty());
    if cells.is_empty() {
        let (_, foot) = stack.draw(stage, 1.0);
        foot.draw(stage);
        return Ok(());
    }
    let plan = Plan::fit(stage, cells, wish, area.w, stack.room());
    let (middle, foot) = stack.draw(stage, plan.height);
    let places = plan.places(middle, wish.side == Side::Centre);
    for (cell, (set, &place)) in cells.iter().zip(plan.sets.iter().zip(&places)) {
        let order = stage.step();
        let size = crate::layout::cells::metrics(stage, wish, plan.form, plan.k).badge;
        let badge = paint::badge(stage, cell.badge, size);
        let picture = paint::picture(stage, cell, wish, &plan)?;
        let painted = Painted { place, set, badge, picture, answer: Answer::Open, value: true };
        paint::item(stage, order, cell, wish, &plan, &painted);
    }
    more(stage, &plan, middle);
    foot.draw(stage);
    Ok(())
}

/// The line that says how many items are left out.
pub(super) fn more(stage: &mut Stage<'_>, plan: &Plan, middle: Area) {
    if let Some(set) = &plan.more {
        let order = stage.step();
        let place = Area::new(middle.x, middle.bottom() - set.height, middle.w, set.height);
        stage.part(order, place, 12.0, |canvas, fonts| canvas.text(fonts, set, place.x, place.y, place.w));
    }
}
