//! Cards whose items stand beside each other to be compared: numbers, products, columns.

use reelhook_domain::videos::film::{Content, Item};

use crate::error::RenderError;
use crate::layer::Sprite;
use crate::layout::cells::{Badge, Cell, Form, Plan, Wish, metrics};
use crate::layout::lists::{cell, more, stacked};
use crate::layout::paint::{self, Answer, Painted};
use crate::layout::{Stack, says, shows};
use crate::number::Number;
use crate::stage::Stage;
use crate::text::Side;

/// Faces of a number that counts up.
const FACES: usize = 26;

/// Columns with points; the marked one is put forward.
pub(super) fn comparison(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| shows(item)).collect();
    let pictured = items.iter().any(|item| item.image.is_some());
    let cells: Vec<Cell<'_>> = items
        .iter()
        .map(|item| {
            let badge = if says(&item.icon) { Badge::Icon(&item.icon) } else { Badge::None };
            Cell { image: item.image.as_ref(), ..cell(item, badge) }
        })
        .collect();
    let tries: &[(usize, Form)] = match (stage.tall, cells.len()) {
        (true, 0..=2) => &[(1, Form::Tall), (2, Form::Tall), (1, Form::Row)],
        (true, _) => &[(1, Form::Tall), (2, Form::Tall), (1, Form::Row)],
        (false, 0..=2) => &[(2, Form::Tall)],
        (false, 3) => &[(3, Form::Tall)],
        (false, 4) => &[(4, Form::Tall), (2, Form::Row)],
        (false, _) => &[(5, Form::Tall), (3, Form::Tall), (3, Form::Row)],
    };
    let picture = pictured.then_some(0.5);
    let wish = Wish { tries, side: Side::Start, cards: true, big_value: false, picture, weight: 700, largest: 1.48 };
    stacked(stage, content, &cells, &wish)
}

/// Products in a grid.
pub(super) fn products(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| shows(item)).collect();
    let pictured = items.iter().any(|item| item.image.is_some());
    let cells: Vec<Cell<'_>> = items
        .iter()
        .map(|item| {
            let badge = if says(&item.icon) { Badge::Icon(&item.icon) } else { Badge::None };
            Cell { image: item.image.as_ref(), ..cell(item, badge) }
        })
        .collect();
    let tries: &[(usize, Form)] = match (stage.tall, cells.len()) {
        (true, 0..=3) => &[(1, Form::Row), (2, Form::Tall)],
        (true, _) => &[(2, Form::Tall), (1, Form::Row)],
        (false, 0..=3) => &[(3, Form::Tall), (1, Form::Row)],
        (false, 4) => &[(4, Form::Tall), (2, Form::Row)],
        (false, 5..=6) => &[(3, Form::Tall), (3, Form::Row), (2, Form::Row)],
        (false, 7..=8) => &[(4, Form::Tall), (4, Form::Row), (3, Form::Row), (2, Form::Row)],
        (false, _) => &[(3, Form::Row), (4, Form::Row), (2, Form::Row)],
    };
    let picture = pictured.then_some(stage.pick(0.68, 0.62));
    let wish = Wish { tries, side: Side::Start, cards: true, big_value: false, picture, weight: 700, largest: 1.48 };
    stacked(stage, content, &cells, &wish)
}

/// Big numbers that count up, with labels.
pub(super) fn stats(stage: &mut Stage<'_>, content: &Content) -> Result<(), RenderError> {
    let items: Vec<&Item> = content.items.iter().filter(|item| shows(item)).collect();
    let cells: Vec<Cell<'_>> = items.iter().map(|item| cell(item, Badge::None)).collect();
    let tries: &[(usize, Form)] = match (stage.tall, cells.len()) {
        (true, 0..=3) => &[(1, Form::Tall), (1, Form::Row)],
        (true, _) => &[(2, Form::Tall), (1, Form::Row)],
        (false, 0..=1) => &[(1, Form::Tall)],
        (false, 2) => &[(2, Form::Tall)],
        (false, 3) => &[(3, Form::Tall), (1, Form::Row)],
        (false, 4) => &[(4, Form::Tall), (2, Form::Tall)],
        (false, 5..=6) => &[(3, Form::Tall), (2, Form::Row)],
        (false, _) => &[(4, Form::Tall), (3, Form::Row)],
    };
    let side = Side::Centre;
    let wish = Wish { tries, side, cards: true, big_value: true, picture: None, weight: 600, largest: 1.35 };
    let area = stage.safe;
    let stack = Stack::new(stage, content, area, Side::Start, !cells.is_empty());
    if cells.is_empty() {
        let (_, foot) = stack.draw(stage, 1.0);
        foot.draw(stage);
        return Ok(());
    }
    let plan = Plan::fit(stage, &cells, &wish, area.w, stack.room());
    let (middle, foot) = stack.draw(stage, plan.height);
    for (cell, (set, place)) in cells.iter().zip(plan.sets.iter().zip(plan.places(middle, true))) {
        let order = stage.step();
        let number = Number::find(cell.value).filter(|_| plan.form == Form::Tall);
        let painted = Painted { place, set, badge: None, picture: None, answer: Answer::Open, value: number.is_none() };
        paint::item(stage, order, cell, &wish, &plan, &painted);
        if let (Some(number), Some(value)) = (number, &set.value) {
            let metrics = metrics(stage, &wish, plan.form, plan.k);
            let top = place.y + metrics.pad_y;
            let (x, width) = (place.x + metrics.pad, place.w - 2.0 * metrics.pad);
            let at = crate::area::Area::new(x, top, width, value.height);
            // Digits on the way may be wider than the last ones. What is cut at the end stays within its card before, too.
            let limit = if value.cut { width } else { width * 1.2 };
            let mut faces: Vec<Sprite> = Vec::with_capacity(FACES + 1);
            for step in 0..=FACES {
                let text = number.at(step as f64 / FACES as f64);
                let Some(face) = stage.set(&text, value.style, limit, 1) else { continue };
                faces.extend(stage.sprite(at, 24.0, |canvas, fonts| canvas.text(fonts, &face, at.x, at.y, at.w)));
            }
            stage.counter(order, faces);
        }
    }
    more(stage, &plan, middle);
    foot.draw(stage);
    Ok(())
}
