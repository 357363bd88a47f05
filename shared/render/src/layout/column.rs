//! A column of lines with different roles, which are shrunk together until they fit.

use crate::area::Area;
use crate::canvas::Fill;
use crate::card_builder::CardBuilder;
use crate::layer::LayerKind;
use crate::text::{Alignment, Style, Typeset};
use crate::theme::Rgb;

/// The role of a line in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Kicker,
    /// The title of an opening card.
    Hero,
    /// The heading of a card with items.
    Title,
    Quote,
    Lead,
    Body,
    /// Items, one per line.
    Points,
    Button,
    Price,
    Note,
    Author,
    Position,
    /// A short bar in the accent colour; its text is not used.
    Rule,
}

struct RoleStyle {
    style: Style,
    least: f32,
    lines: usize,
    gap: f32,
}

struct Block {
    role: Role,
    set: Option<Typeset>,
    y: f32,
    height: f32,
    factor: f32,
}

/// A typeset column.
pub(crate) struct Column {
    blocks: Vec<Block>,
    alignment: Alignment,
    pub height: f32,
}

const STEPS: [f32; 12] = [1.0, 0.93, 0.87, 0.81, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4];

fn role_style(card: &CardBuilder<'_>, role: Role) -> RoleStyle {
    let palette = card.look.palette;
    let (ink, muted, accent) = (palette.ink, palette.muted, palette.accent);
    let tall = card.tall;
    let size = |wide: f32, high: f32| if tall { high } else { wide };
    let text = |size: f32, weight: u16, colour: Rgb| Style { balanced: true, ..Style::text(size, weight, colour) };
    let (style, least, lines, gap) = match role {
        Role::Kicker => {
            let style = Style { tracking: 0.14, leading: 1.3, ..text(size(28.0, 34.0), 700, accent) };
            (style, 20.0, 1, 0.0)
        }
        Role::Hero => (card.display(size(138.0, 134.0)), 40.0, if tall { 8 } else { 5 }, 30.0),
        Role::Title => (card.display(size(80.0, 90.0)), 36.0, if tall { 4 } else { 3 }, 22.0),
        Role::Quote => {
            let style = Style { leading: card.look.leading + 0.14, ..card.display(size(76.0, 80.0)) };
            (style, 30.0, if tall { 12 } else { 7 }, 28.0)
        }
        Role::Lead => (Style { bold: ink, ..text(size(43.0, 49.0), 400, muted) }, 24.0, if tall { 6 } else { 4 }, 28.0),
        Role::Body => {
            let style = Style { bold: ink, balanced: false, leading: 1.5, ..text(size(35.0, 41.0), 400, muted) };
            (style, 22.0, if tall { 10 } else { 7 }, 26.0)
        }
        Role::Points => {
            (Style { balanced: false, ..text(size(40.0, 46.0), 700, ink) }, 24.0, if tall { 10 } else { 7 }, 40.0)
        }
        Role::Button => (Style { leading: 1.25, ..text(size(40.0, 46.0), 700, palette.on_accent) }, 22.0, 1, 54.0),
        Role::Price => (Style { tabular: true, ..card.display(size(72.0, 84.0)) }, 30.0, 1, 30.0),
        Role::Note => (text(size(31.0, 37.0), 600, muted), 20.0, 2, 34.0),
        Role::Author => (text(size(40.0, 46.0), 700, ink), 24.0, 2, 40.0),
        Role::Position => (text(size(31.0, 37.0), 400, muted), 20.0, 2, 6.0),
        Role::Rule => (text(6.0, 400, accent), 6.0, 1, 36.0),
    };
    let style = match role {
        Role::Price => Style { colour: accent, ..style },
        Role::Kicker
        | Role::Hero
        | Role::Title
        | Role::Quote
        | Role::Lead
        | Role::Body
        | Role::Points
        | Role::Button
        | Role::Note
        | Role::Author
        | Role::Position
        | Role::Rule => style,
    };
    RoleStyle { style, least, lines, gap }
}

impl Column {
    /// Typesets lines in an area of `width` by `height`: in full if there is a size at which they fit, otherwise
    /// truncated.
    pub fn fit(
        card: &mut CardBuilder<'_>,
        lines: &[(Role, &str)],
        width: f32,
        height: f32,
        alignment: Alignment,
    ) -> Self {
        let mut max_lines = usize::MAX;
        let last = STEPS[STEPS.len() - 1];
        // A line that is too long at any size must not make the others small.
        let smallest = Self::at(card, lines, width, alignment, last, max_lines);
        let too_long: Vec<Role> =
            smallest.blocks.iter().filter(|block| !block.is_whole()).map(|block| block.role).collect();
        for factor in STEPS {
            let column = Self::at(card, lines, width, alignment, factor, max_lines);
            let whole = column.blocks.iter().all(|block| block.is_whole() || too_long.contains(&block.role));
            if column.height <= height && whole && (too_long.is_empty() || factor < 0.8) {
                return column;
            }
        }
        // Nothing fits in full: use a readable size with fewer lines each, then with fewer blocks.
        for factor in [0.62, 0.5, last] {
            max_lines = 8;
            while max_lines > 0 {
                let column = Self::at(card, lines, width, alignment, factor, max_lines);
                if column.height <= height {
                    return column;
                }
                max_lines -= 1;
            }
        }
        let mut column = Self::at(card, lines, width, alignment, last, 1);
        while column.height > height && column.blocks.len() > 1 {
            column.blocks.pop();
            column.height = column.blocks.last().map_or(0.0, |block| block.y + block.height);
        }
        column
    }

    fn at(
        card: &mut CardBuilder<'_>,
        lines: &[(Role, &str)],
        width: f32,
        alignment: Alignment,
        factor: f32,
        max_lines: usize,
    ) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        let mut y = 0.0;
        for &(role, text) in lines {
            let role_style = role_style(card, role);
            let style =
                role_style.style.aligned(alignment).sized((role_style.style.size * factor).max(role_style.least));
            let pad = if role == Role::Button { 2.0 * 58.0 * factor } else { 0.0 };
            let set = match role {
                Role::Rule => None,
                Role::Kicker => {
                    // Capitals need more letter spacing. Text is never converted to capitals: the rules depend on its
                    // language (for an i, an accented Greek letter, a ß), which only its author knows.
                    let tracking = if text.chars().any(char::is_lowercase) { 0.05 } else { style.tracking };
                    let beside = if alignment == Alignment::Start { 76.0 } else { 0.0 };
                    card.typeset(text, Style { tracking, ..style }, width - beside, 1)
                }
                Role::Hero
                | Role::Title
                | Role::Quote
                | Role::Lead
                | Role::Body
                | Role::Points
                | Role::Button
                | Role::Price
                | Role::Note
                | Role::Author
                | Role::Position => card.typeset(text, style, width - pad, role_style.lines.min(max_lines)),
            };
            if set.is_none() && role != Role::Rule {
                continue;
            }
            let height = set.as_ref().map_or(6.0, |set| set.height)
                + if role == Role::Button { 2.0 * 27.0 * factor } else { 0.0 };
            if !blocks.is_empty() {
                y += role_style.gap * factor;
            }
            blocks.push(Block { role, set, y, height, factor });
            y += height;
        }
        Self { blocks, alignment, height: y }
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds the blocks as parts that enter one after another; the top of the column is at `area.y`.
    pub fn draw(self, card: &mut CardBuilder<'_>, area: Area) {
        for block in self.blocks {
            let order = card.step();
            let place = Area::new(area.x, area.y + block.y, area.w, block.height);
            match (block.role, block.set) {
                (Role::Rule, _) => rule(card, order, place, self.alignment),
                (Role::Button, Some(set)) => button(card, order, place, set, self.alignment, block.factor),
                (Role::Kicker, Some(set)) => kicker(card, order, place, &set, self.alignment),
                (_, Some(set)) => card.part(order, place, set.style.size * 0.4, |canvas, fonts| {
                    canvas.draw_text(fonts, &set, place.x, place.y, place.w);
                }),
                (_, None) => {}
            }
        }
    }
}

impl Block {
    fn is_whole(&self) -> bool {
        self.set.as_ref().is_none_or(|set| !set.truncated && !set.broken)
    }
}

fn rule(card: &mut CardBuilder<'_>, order: usize, place: Area, alignment: Alignment) {
    let look = card.look;
    let width = 120.0;
    let x = match alignment {
        Alignment::Start => place.x,
        Alignment::Centre => place.x + (place.w - width) / 2.0,
    };
    let bar = Area::new(x, place.y, width, 6.0);
    card.part(order, bar, 2.0, |canvas, _| {
        canvas.fill_rounded(bar, 3.0, Fill::Diagonal(look.palette.accent, look.palette.accent_end))
    });
    let spark = Area { w: 26.0, ..bar };
    let travel = (width - 26.0) * card.scale * if card.rtl { -1.0 } else { 1.0 };
    let bright = look.palette.accent.mix(Rgb(255, 255, 255), 0.8);
    card.layer(None, LayerKind::Glint { travel }, spark, 2.0, |canvas, _| {
        canvas.fill_rounded(spark, 3.0, Fill::Solid(bright, 0.9))
    });
}

fn kicker(card: &mut CardBuilder<'_>, order: usize, place: Area, set: &Typeset, alignment: Alignment) {
    let accent = card.look.palette.accent;
    // A text that reads against the direction of the card has no bar, because it would be at the end of the line.
    let bar = alignment == Alignment::Start && set.rtl == card.rtl;
    let text = if bar { Area::new(place.x + 76.0, place.y, place.w - 76.0, place.h) } else { place };
    card.part(order, place, set.style.size * 0.5, |canvas, fonts| {
        if bar {
            canvas.fill_rounded(
                Area::new(place.x, place.y + place.h / 2.0 - 2.5, 52.0, 5.0),
                2.5,
                Fill::Solid(accent, 1.0),
            );
        }
        canvas.draw_text(fonts, set, text.x, text.y, text.w);
    });
}

fn button(card: &mut CardBuilder<'_>, order: usize, place: Area, mut set: Typeset, alignment: Alignment, factor: f32) {
    let look = card.look;
    let width = (set.width + 2.0 * 58.0 * factor).min(place.w);
    let x = match alignment {
        Alignment::Start => place.x,
        Alignment::Centre => place.x + (place.w - width) / 2.0,
    };
    let pill = Area::new(x, place.y, width, place.h);
    let radius = if look.radius < 20.0 { look.radius } else { place.h / 2.0 };
    set.style.alignment = Alignment::Centre;
    card.layer(Some(order), LayerKind::Button, pill, 40.0, |canvas, fonts| {
        canvas.draw_shadow(pill, radius, 30.0, 12.0, look.shadow * 0.9);
        canvas.fill_rounded(pill, radius, Fill::Diagonal(look.palette.accent, look.palette.accent_end));
        let top = place.y + (place.h - set.height) / 2.0;
        canvas.draw_text(fonts, &set, pill.x, top, pill.w);
    });
}
