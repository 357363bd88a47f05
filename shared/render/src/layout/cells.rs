//! Arranges items in a grid: finds the arrangement and the type size at which all items fit, else shows "+3 more".

use reelhook_domain::videos::film::ImageRef;

use crate::area::Area;
use crate::card_builder::CardBuilder;
use crate::text::{Alignment, Style, Typeset};

/// The mark at the head of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Badge<'t> {
    None,
    /// An emoji or a short text.
    Icon(&'t str),
    Number(usize),
    Letter(char),
    Check,
}

/// The content of an item in the form that its kind of scene shows.
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

/// How the parts of an item are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellLayout {
    /// Below each other.
    Stacked,
    /// Side by side, with the badge or image first.
    Row,
}

/// The grid options of a kind of scene.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GridOptions<'w> {
    /// Possible arrangements, the preferred one first: number of columns and layout of each cell.
    pub arrangements: &'w [(usize, CellLayout)],
    pub alignment: Alignment,
    /// Whether each item has a surface of its own.
    pub surfaces: bool,
    /// Whether the value is more important than the title.
    pub value_first: bool,
    /// The height of an image divided by its width; `None` if this kind shows no images.
    pub image_ratio: Option<f32>,
    /// The font weight of titles.
    pub weight: u16,
    /// The maximum factor for type sizes.
    pub max_factor: f32,
}

/// A typeset item.
pub(crate) struct TypesetCell {
    pub title: Option<Typeset>,
    pub text: Option<Typeset>,
    pub value: Option<Typeset>,
    pub points: Vec<Typeset>,
    pub height: f32,
    whole: bool,
}

/// The chosen arrangement, with typeset items and their sizes.
pub(crate) struct Plan {
    pub sets: Vec<TypesetCell>,
    pub columns: usize,
    pub layout: CellLayout,
    pub factor: f32,
    pub gap: f32,
    pub rows: Vec<f32>,
    pub width: f32,
    pub height: f32,
    /// The line that states how many items are left out.
    pub more: Option<Typeset>,
}

const STEPS: [f32; 10] = [1.6, 1.48, 1.35, 1.2, 1.1, 1.0, 0.92, 0.84, 0.76, SMALLEST];
/// Smaller text can't be read on a phone.
const SMALLEST: f32 = 0.69;

/// The maximum number of lines of a title, a text and a point.
type Limits = (usize, usize, usize);

impl Plan {
    /// Finds the plan for all items in an area of `width` by `height`.
    pub fn fit(
        card: &mut CardBuilder<'_>,
        cells: &[Cell<'_>],
        options: &GridOptions<'_>,
        width: f32,
        height: f32,
    ) -> Self {
        let mut best: Option<(f32, Self)> = None;
        for (rank, &(columns, layout)) in options.arrangements.iter().enumerate() {
            let limits = match layout {
                CellLayout::Stacked => (3, 6, 3),
                CellLayout::Row => (2, 3, 2),
            };
            // An item that is too long at any size must not make the others small.
            let smallest = Self::at(card, cells, options, columns, layout, width, SMALLEST, limits);
            if smallest.height > height {
                continue;
            }
            let too_long: Vec<bool> = smallest.sets.iter().map(|set| !set.whole).collect();
            let largest = if too_long.contains(&true) { options.max_factor.min(0.92) } else { options.max_factor };
            for factor in STEPS.into_iter().filter(|factor| *factor <= largest) {
                // A less preferred arrangement must allow a clearly larger size.
                let lost = too_long.iter().filter(|too_long| **too_long).count() as f32 / cells.len().max(1) as f32;
                let score = factor * (1.0 - 0.22 * rank as f32) * (1.0 - 0.6 * lost);
                if best.as_ref().is_some_and(|(other, _)| score <= *other) {
                    break;
                }
                let plan = Self::at(card, cells, options, columns, layout, width, factor, limits);
                let whole = plan.sets.iter().zip(&too_long).all(|(set, too_long)| set.whole || *too_long);
                if plan.height <= height && whole {
                    best = Some((score, plan));
                    break;
                }
            }
        }
        match best {
            Some((_, plan)) => plan,
            None => Self::shortened(card, cells, options, width, height),
        }
    }

    /// Truncates texts at a small size, then leaves out items.
    fn shortened(
        card: &mut CardBuilder<'_>,
        cells: &[Cell<'_>],
        options: &GridOptions<'_>,
        width: f32,
        height: f32,
    ) -> Self {
        for limits in [(3, 5, 2), (2, 3, 2), (2, 2, 1), (1, 1, 1)] {
            for factor in [0.76, SMALLEST] {
                for &(columns, layout) in options.arrangements {
                    let plan = Self::at(card, cells, options, columns, layout, width, factor, limits);
                    if plan.height <= height {
                        return plan;
                    }
                }
            }
        }
        let &(columns, layout) = options.arrangements.last().unwrap_or(&(1, CellLayout::Row));
        let factor = SMALLEST;
        for shown in (1..cells.len()).rev() {
            let text = format!("+{} more", cells.len() - shown);
            let style = Style::text(28.0, 700, card.look.palette.accent).aligned(options.alignment);
            let more = card.typeset(&text, style, width, 1);
            let below = more.as_ref().map_or(0.0, |more| more.height + 20.0);
            let mut plan = Self::at(card, &cells[..shown], options, columns, layout, width, factor, (1, 1, 1));
            if plan.height + below <= height || shown == 1 {
                plan.more = more;
                plan.height += below;
                return plan;
            }
        }
        Self::at(card, cells, options, columns, layout, width, factor, (1, 1, 0))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parameters of one arrangement; a struct for them would be used only here"
    )]
    fn at(
        card: &mut CardBuilder<'_>,
        cells: &[Cell<'_>],
        options: &GridOptions<'_>,
        columns: usize,
        layout: CellLayout,
        width: f32,
        factor: f32,
        limits: Limits,
    ) -> Self {
        let columns = columns.clamp(1, cells.len().max(1));
        let gap = if options.surfaces { 30.0 * factor.min(1.0) } else { 40.0 * factor };
        let across = (width - gap * (columns - 1) as f32) / columns as f32;
        // Numbers in one grid have the same size, which the longest one determines.
        let inner = across - 2.0 * metrics(card, options, layout, factor).pad;
        let number = number_size(card, cells, options, layout, inner, factor);
        let sets: Vec<TypesetCell> =
            cells.iter().map(|cell| measure(card, cell, options, layout, across, factor, limits, number)).collect();
        let mut rows: Vec<f32> =
            sets.chunks(columns).map(|row| row.iter().map(|set| set.height).fold(0.0, f32::max)).collect();
        if layout == CellLayout::Stacked || options.surfaces {
            let highest = rows.iter().copied().fold(0.0, f32::max);
            let lowest = rows.iter().copied().fold(f32::MAX, f32::min);
            if highest < lowest * 1.35 {
                rows.fill(highest);
            }
        }
        let height = rows.iter().sum::<f32>() + gap * rows.len().saturating_sub(1) as f32;
        Self { sets, columns, layout, factor, gap, rows, width: across, height, more: None }
    }

    /// The areas of the items, starting at the top left of `area`; an incomplete last row is centred if `centred` is
    /// true.
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

/// The dimensions of an item at a factor.
pub(crate) struct Metrics {
    pub pad: f32,
    pub pad_y: f32,
    pub badge: f32,
    pub gap: f32,
    pub small: f32,
}

pub(crate) fn metrics(card: &CardBuilder<'_>, options: &GridOptions<'_>, layout: CellLayout, factor: f32) -> Metrics {
    let big = if card.tall { 1.25 } else { 1.0 };
    let (pad, pad_y) = match (options.surfaces, layout) {
        (false, _) => (0.0, 6.0),
        (true, CellLayout::Stacked) => (38.0 * factor, 40.0 * factor),
        (true, CellLayout::Row) => (34.0 * factor, 28.0 * factor),
    };
    let badge = match layout {
        CellLayout::Stacked => 88.0,
        CellLayout::Row => 76.0,
    };
    Metrics { pad, pad_y, badge: badge * factor * big, gap: 28.0 * factor, small: 12.0 * factor }
}

/// The width of an image in a row.
pub(crate) fn side_image(metrics: &Metrics) -> f32 {
    metrics.badge * 2.1
}

/// The style of values, and the size to which they may shrink.
fn valued(card: &CardBuilder<'_>, options: &GridOptions<'_>, factor: f32) -> (Style, f32) {
    let big = if card.tall { 1.25 } else { 1.0 };
    let style = if options.value_first {
        Style { leading: 1.1, ..card.display(92.0 * factor * big) }
    } else {
        Style { leading: 1.2, ..card.display(42.0 * factor * big) }
    };
    let least = style.size * if options.value_first { 0.5 } else { 0.7 };
    (
        Style { colour: card.look.palette.accent, balanced: false, tabular: true, ..style }.aligned(options.alignment),
        least,
    )
}

/// The largest size at which every value fits.
fn number_size(
    card: &mut CardBuilder<'_>,
    cells: &[Cell<'_>],
    options: &GridOptions<'_>,
    layout: CellLayout,
    inner: f32,
    factor: f32,
) -> f32 {
    let (style, least) = valued(card, options, factor);
    let width = match layout {
        CellLayout::Stacked => inner,
        CellLayout::Row => inner * 0.42,
    };
    cells
        .iter()
        .filter_map(|cell| card.fit(cell.value, style, least, width, style.size * 1.6, 1))
        .map(|set| set.style.size)
        .fold(style.size, f32::min)
}

#[expect(
    clippy::too_many_arguments,
    reason = "an item with its size and arrangement; a struct for them would be used only here"
)]
fn measure(
    card: &mut CardBuilder<'_>,
    cell: &Cell<'_>,
    options: &GridOptions<'_>,
    layout: CellLayout,
    width: f32,
    factor: f32,
    limits: Limits,
    number: f32,
) -> TypesetCell {
    let palette = card.look.palette;
    let big = if card.tall { 1.25 } else { 1.0 };
    let metrics = metrics(card, options, layout, factor);
    let inner = width - 2.0 * metrics.pad;
    let titled = Style { leading: 1.24, ..Style::text(37.0 * factor * big, options.weight, palette.ink) };
    let titled =
        Style { bold: palette.accent, balanced: layout == CellLayout::Stacked, ..titled }.aligned(options.alignment);
    let plain = Style {
        bold: palette.ink,
        balanced: layout == CellLayout::Stacked,
        ..Style::text(28.0 * factor * big, 400, palette.muted)
    }
    .aligned(options.alignment);
    let (valued, _) = valued(card, options, factor);
    let valued = valued.sized(number);
    let has_image = options.image_ratio.is_some();
    match layout {
        CellLayout::Stacked => {
            let head = match (options.image_ratio, cell.badge) {
                (Some(ratio), _) => (width - 2.0 * metrics.pad) * ratio + metrics.gap,
                (None, Badge::None) => 0.0,
                (None, Badge::Icon(_) | Badge::Number(_) | Badge::Letter(_) | Badge::Check) => {
                    metrics.badge + metrics.gap
                }
            };
            let value = card.typeset(cell.value, valued, inner, 1);
            let title = card.typeset(cell.title, titled, inner, limits.0);
            let text = card.typeset(cell.text, plain, inner, limits.1);
            let points = points(card, cell, plain, inner - 46.0 * factor, limits.2);
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
        CellLayout::Row => {
            let side = match (has_image, cell.badge) {
                (true, _) => side_image(&metrics) + metrics.gap,
                (false, Badge::None) => 0.0,
                (false, Badge::Icon(_) | Badge::Number(_) | Badge::Letter(_) | Badge::Check) => {
                    metrics.badge + metrics.gap
                }
            };
            let value = card.typeset(cell.value, valued.aligned(Alignment::Start), inner * 0.42, 1);
            let beside = value.as_ref().map_or(0.0, |value| value.width + metrics.gap);
            let room = (inner - side - beside).max(40.0);
            let title = card.typeset(cell.title, titled.aligned(Alignment::Start), room, limits.0);
            let text = card.typeset(cell.text, plain.aligned(Alignment::Start), room, limits.1);
            let points = points(card, cell, plain.aligned(Alignment::Start), room - 46.0 * factor, limits.2);
            let mut words = [&title, &text].into_iter().flatten().map(|set| set.height).sum::<f32>();
            if title.is_some() && text.is_some() {
                words += metrics.small * 0.6;
            }
            if !points.is_empty() {
                words += metrics.small + list(&points, metrics.small);
            }
            let beside = if has_image {
                side_image(&metrics)
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

fn points(card: &mut CardBuilder<'_>, cell: &Cell<'_>, style: Style, width: f32, lines: usize) -> Vec<Typeset> {
    let style = Style { alignment: Alignment::Start, balanced: false, ..style };
    let max_points = if lines == 0 { 0 } else { 12 };
    cell.points.iter().take(max_points).filter_map(|point| card.typeset(point, style, width.max(20.0), lines)).collect()
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
) -> TypesetCell {
    let all = [&title, &text, &value].into_iter().flatten().chain(&points);
    let whole = all.into_iter().all(|set| !set.truncated && !set.broken);
    TypesetCell { title, text, value, points, height: height.max(24.0), whole }
}
