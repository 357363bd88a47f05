//! Items beside and below each other: the arrangement and the type size at which all of them fit, else "+3 more".

use reelhook_domain::videos::film::ImageRef;

use crate::area::Area;
use crate::stage::Stage;
use crate::text::{Side, Style, Typeset};

/// What stands at the head of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Badge<'t> {
    None,
    /// An emoji or a letter.
    Icon(&'t str),
    Number(usize),
    Letter(char),
    Check,
}

/// An item as its kind of scene wants it shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'t> {
    pub badge: Badge<'t>,
    pub title: &'t str,
    pub text: &'t str,
    pub value: &'t str,
    pub points: &'t [String],
    pub image: Option<&'t ImageRef>,
    pub marked: bool,
}

/// How the parts of an item stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Below each other.
    Tall,
    /// The badge or picture at the side.
    Row,
}

/// What a kind of scene asks of its items.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'w> {
    /// Arrangements, the one that is liked best first: columns and form.
    pub tries: &'w [(usize, Form)],
    pub side: Side,
    /// Whether items have a ground of their own.
    pub cards: bool,
    /// Whether the value is what counts, not the title.
    pub big_value: bool,
    /// Height of a picture by its width; nothing when the kind shows none.
    pub picture: Option<f32>,
    /// The weight of titles.
    pub weight: u16,
    /// Largest factor on the type's size.
    pub largest: f32,
}

/// A set item.
pub(crate) struct Set {
    pub title: Option<Typeset>,
    pub text: Option<Typeset>,
    pub value: Option<Typeset>,
    pub points: Vec<Typeset>,
    pub height: f32,
    whole: bool,
}

/// Items with their sizes.
pub(crate) struct Plan {
    pub sets: Vec<Set>,
    pub columns: usize,
    pub form: Form,
    pub k: f32,
    pub gap: f32,
    pub rows: Vec<f32>,
    pub width: f32,
    pub height: f32,
    /// How many items are left out, and the line that says so.
    pub more: Option<Typeset>,
}

const STEPS: [f32; 10] = [1.6, 1.48, 1.35, 1.2, 1.1, 1.0, 0.92, 0.84, 0.76, SMALLEST];
/// Below this a text cannot be read on a telephone.
const SMALLEST: f32 = 0.69;

/// Lines of a title, a text and a point.
type Limits = (usize, usize, usize);

impl Plan {
    /// Sets all items into a place of `width` by `height`.
    pub fn fit(stage: &mut Stage<'_>, cells: &[Cell<'_>], wish: &Wish<'_>, width: f32, height: f32) -> Self {
        let mut best: Option<(f32, Self)> = None;
        for (rank, &(columns, form)) in wish.tries.iter().enumerate() {
            let limits = match form {
                Form::Tall => (3, 6, 3),
                Form::Row => (2, 3, 2),
            };
            // What is too long at any size does not make the rest small.
            let smallest = Self::at(stage, cells, wish, columns, form, width, SMALLEST, limits);
            if smallest.height > height {
                continue;
            }
            let hopeless: Vec<bool> = smallest.sets.iter().map(|set| !set.whole).collect();
            let largest = if hopeless.contains(&true) { wish.largest.min(0.92) } else { wish.largest };
            for k in STEPS.into_iter().filter(|k| *k <= largest) {
                // A form that is liked less has to be clearly larger.
                let lost = hopeless.iter().filter(|hopeless| **hopeless).count() as f32 / cells.len().max(1) as f32;
                let score = k * (1.0 - 0.22 * rank as f32) * (1.0 - 0.6 * lost);
                if best.as_ref().is_some_and(|(other, _)| score <= *other) {
                    break;
                }
                let plan = Self::at(stage, cells, wish, columns, form, width, k, limits);
                let whole = plan.sets.iter().zip(&hopeless).all(|(set, hopeless)| set.whole || *hopeless);
                if plan.height <= height && whole {
                    best = Some((score, plan));
                    break;
                }
            }
        }
        match best {
            Some((_, plan)) => plan,
            None => Self::shortened(stage, cells, wish, width, height),
        }
    }

    /// Shorter texts at a small size, then fewer items.
    fn shortened(stage: &mut Stage<'_>, cells: &[Cell<'_>], wish: &Wish<'_>, width: f32, height: f32) -> Self {
        for limits in [(3, 5, 2), (2, 3, 2), (2, 2, 1), (1, 1, 1)] {
            for k in [0.76, SMALLEST] {
                for &(columns, form) in wish.tries {
                    let plan = Self::at(stage, cells, wish, columns, form, width, k, limits);
                    if plan.height <= height {
                        return plan;
                    }
                }
            }
        }
        let &(columns, form) = wish.tries.last().unwrap_or(&(1, Form::Row));
        let k = SMALLEST;
        for shown in (1..cells.len()).rev() {
            let text = format!("+{} more", cells.len() - shown);
            let style = Style::text(28.0, 700, stage.look.palette.accent).on(wish.side);
            let more = stage.set(&text, style, width, 1);
            let below = more.as_ref().map_or(0.0, |more| more.height + 20.0);
            let mut plan = Self::at(stage, &cells[..shown], wish, columns, form, width, k, (1, 1, 1));
            if plan.height + below <= height || shown == 1 {
                plan.more = more;
                plan.height += below;
                return plan;
            }
        }
        Self::at(stage, cells, wish, columns, form, width, k, (1, 1, 0))
    }

    #[expect(clippy::too_many_arguments, reason = "an arrangement is all of these, and only this module tries them")]
    fn at(
        stage: &mut Stage<'_>,
        cells: &[Cell<'_>],
        wish: &Wish<'_>,
        columns: usize,
        form: Form,
        width: f32,
        k: f32,
        limits: Limits,
    ) -> Self {
        let columns = columns.clamp(1, cells.len().max(1));
        let gap = if wish.cards { 30.0 * k.min(1.0) } else { 40.0 * k };
        let across = (width - gap * (columns - 1) as f32) / columns as f32;
        // Numbers beside each other are of one size: that of the longest.
        let inner = across - 2.0 * metrics(stage, wish, form, k).pad;
        let number = number_size(stage, cells, wish, form, inner, k);
        let sets: Vec<Set> =
            cells.iter().map(|cell| measure(stage, cell, wish, form, across, k, limits, number)).collect();
        let mut rows: Vec<f32> =
            sets.chunks(columns).map(|row| row.iter().map(|set| set.height).fold(0.0, f32::max)).collect();
        if form == Form::Tall || wish.cards {
            let highest = rows.iter().copied().fold(0.0, f32::max);
            let lowest = rows.iter().copied().fold(f32::MAX, f32::min);
            if highest < lowest * 1.35 {
                rows.fill(highest);
            }
        }
        let height = rows.iter().sum::<f32>() + gap * rows.len().saturating_sub(1) as f32;
        Self { sets, columns, form, k, gap, rows, width: across, height, more: None }
    }

    /// Where every item stands when the first stands at the upper left of `area`; a last row that is not full is centred.
    pub fn places(&self, area: Area, centred: bool) -> Vec<Area> {
        let mut places = Vec::with_capacity(self.sets.len());
        let mut y = area.y;
        for (row, &height) in self.rows.iter().enumerate() {
            let count = self.columns.min(self.sets.len() - row * self.columns);
            let used = self.width * count as f32 + self.gap * (count - 1) as f32;
            let start = if centred { area.x + (area.w - used) / 2.0 } else { area.x };
            for column in 0..count {
                places.push(Area::new(start + column as f32 * (self.width + self.gap), y, self.width, height));
            }
            y += height + self.gap;
        }
        places
    }
}

/// The measures of an item at a factor.
pub(crate) struct Metrics {
    pub pad: f32,
    pub pad_y: f32,
    pub badge: f32,
    pub gap: f32,
    pub small: f32,
}

pub(crate) fn metrics(stage: &Stage<'_>, wish: &Wish<'_>, form: Form, k: f32) -> Metrics {
    let big = if stage.tall { 1.25 } else { 1.0 };
    let (pad, pad_y) = match (wish.cards, form) {
        (false, _) => (0.0, 6.0),
        (true, Form::Tall) => (38.0 * k, 40.0 * k),
        (true, Form::Row) => (34.0 * k, 28.0 * k),
    };
    let badge = match form {
        Form::Tall => 88.0,
        Form::Row => 76.0,
    };
    Metrics { pad, pad_y, badge: badge * k * big, gap: 28.0 * k, small: 12.0 * k }
}

/// How wide a picture is at the side of a row.
pub(crate) fn side_picture(metrics: &Metrics) -> f32 {
    metrics.badge * 2.1
}

/// The style of values; their size may shrink to `least`.
fn valued(stage: &Stage<'_>, wish: &Wish<'_>, k: f32) -> (Style, f32) {
    let big = if stage.tall { 1.25 } else { 1.0 };
    let style = if wish.big_value {
        Style { leading: 1.1, ..stage.display(92.0 * k * big) }
    } else {
        Style { leading: 1.2, ..stage.display(42.0 * k * big) }
    };
    let least = style.size * if wish.big_value { 0.5 } else { 0.7 };
    (Style { colour: stage.look.palette.accent, balanced: false, tabular: true, ..style }.on(wish.side), least)
}

/// The size at which every value fits.
fn number_size(stage: &mut Stage<'_>, cells: &[Cell<'_>], wish: &Wish<'_>, form: Form, inner: f32, k: f32) -> f32 {
    let (style, least) = valued(stage, wish, k);
    let width = match form {
        Form::Tall => inner,
        Form::Row => inner * 0.42,
    };
    cells
        .iter()
        .filter_map(|cell| stage.fit(cell.value, style, least, width, style.size * 1.6, 1))
        .map(|set| set.style.size)
        .fold(style.size, f32::min)
}

#[expect(clippy::too_many_arguments, reason = "an item at one size in one arrangement; only this module measures them")]
fn measure(
    stage: &mut Stage<'_>,
    cell: &Cell<'_>,
    wish: &Wish<'_>,
    form: Form,
    width: f32,
    k: f32,
    limits: Limits,
    number: f32,
) -> Set {
    let palette = stage.look.palette;
    let big = if stage.tall { 1.25 } else { 1.0 };
    let metrics = metrics(stage, wish, form, k);
    let inner = width - 2.0 * metrics.pad;
    let titled = Style { leading: 1.24, ..Style::text(37.0 * k * big, wish.weight, palette.ink) };
    let titled = Style { bold: palette.accent, balanced: form == Form::Tall, ..titled }.on(wish.side);
    let plain =
        Style { bold: palette.ink, balanced: form == Form::Tall, ..Style::text(28.0 * k * big, 400, palette.muted) }
            .on(wish.side);
    let (valued, _) = valued(stage, wish, k);
    let valued = valued.sized(number);
    let picture = wish.picture.is_some();
    match form {
        Form::Tall => {
            let head = match (wish.picture, cell.badge) {
                (Some(ratio), _) => (width - 2.0 * metrics.pad) * ratio + metrics.gap,
                (None, Badge::None) => 0.0,
                (None, Badge::Icon(_) | Badge::Number(_) | Badge::Letter(_) | Badge::Check) => {
                    metrics.badge + metrics.gap
                }
            };
            let value = stage.set(cell.value, valued, inner, 1);
            let title = stage.set(cell.title, titled, inner, limits.0);
            let text = stage.set(cell.text, plain, inner, limits.1);
            let points = points(stage, cell, plain, inner - 46.0 * k, limits.2);
            let blocks = [value.as_ref(), title.as_ref(), text.as_ref()];
            let mut height = 2.0 * metrics.pad_y + head;
            let mut count = 0;
            for set in blocks.into_iter().flatten() {
                height += set.height + if count > 0 { metrics.small } else { 0.0 };
                count += 1;
            }
            if !points.is_empty() {
                height += if count > 0 { metrics.gap } else { 0.0 } + list(&points, metrics.small);
            }
            finish(title, text, value, points, height)
        }
        Form::Row => {
            let side = match (picture, cell.badge) {
                (true, _) => side_picture(&metrics) + metrics.gap,
                (false, Badge::None) => 0.0,
                (false, Badge::Icon(_) | Badge::Number(_) | Badge::Letter(_) | Badge::Check) => {
                    metrics.badge + metrics.gap
                }
            };
            let value = stage.set(cell.value, valued.on(Side::Start), inner * 0.42, 1);
            let beside = value.as_ref().map_or(0.0, |value| value.width + metrics.gap);
            let room = (inner - side - beside).max(40.0);
            let title = stage.set(cell.title, titled.on(Side::Start), room, limits.0);
            let text = stage.set(cell.text, plain.on(Side::Start), room, limits.1);
            let points = points(stage, cell, plain.on(Side::Start), room - 46.0 * k, limits.2);
            let mut words = [&title, &text].into_iter().flatten().map(|set| set.height).sum::<f32>();
            if title.is_some() && text.is_some() {
                words += metrics.small * 0.6;
            }
            if !points.is_empty() {
                words += metrics.small + list(&points, metrics.small);
            }
            let beside = if picture {
                side_picture(&metrics)
            } else if cell.badge == Badge::None {
                0.0
            } else {
                metrics.badge
            };
            let valued = value.as_ref().map_or(0.0, |value| value.height);
            finish(title, text, value, points, words.max(beside).max(valued) + 2.0 * metrics.pad_y)
        }
    }
}

fn points(stage: &mut Stage<'_>, cell: &Cell<'_>, style: Style, width: f32, lines: usize) -> Vec<Typeset> {
    let style = Style { side: Side::Start, balanced: false, ..style };
    let most = if lines == 0 { 0 } else { 12 };
    cell.points.iter().take(most).filter_map(|point| stage.set(point, style, width.max(20.0), lines)).collect()
}

fn list(points: &[Typeset], gap: f32) -> f32 {
    points.iter().map(|point| point.height).sum::<f32>() + gap * points.len().saturating_sub(1) as f32
}

fn finish(
    title: Option<Typeset>,
    text: Option<Typeset>,
    value: Option<Typeset>,
    points: Vec<Typeset>,
    height: f32,
) -> Set {
    let all = [&title, &text, &value].into_iter().flatten().chain(&points);
    let whole = all.into_iter().all(|set| !set.cut && !set.broken);
    Set { title, text, value, points, height: height.max(24.0), whole }
}
