//! Lines of text below each other, of different weight, shrunk together until they fit their place.

use crate::area::Area;
use crate::canvas::Fill;
use crate::layer::Show;
use crate::stage::Stage;
use crate::text::{Side, Style, Typeset};
use crate::theme::Rgb;

/// What a line is in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Kicker,
    /// The title of an opening card.
    Hero,
    /// The heading of a card with more below.
    Title,
    Quote,
    Lead,
    Body,
    /// Items as lines.
    Points,
    Button,
    Price,
    Note,
    Author,
    Position,
    /// A short bar in the accent's colour; its text is not used.
    Rule,
}

struct Form {
    style: Style,
    least: f32,
    lines: usize,
    gap: f32,
}

struct Piece {
    role: Role,
    set: Option<Typeset>,
    y: f32,
    height: f32,
    k: f32,
}

/// A set column.
pub(crate) struct Column {
    pieces: Vec<Piece>,
    side: Side,
    pub height: f32,
}

const STEPS: [f32; 12] = [1.0, 0.93, 0.87, 0.81, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4];

fn form(stage: &Stage<'_>, role: Role) -> Form {
    let palette = stage.look.palette;
    let (ink, muted, accent) = (palette.ink, palette.muted, palette.accent);
    let tall = stage.tall;
    let size = |wide: f32, high: f32| if tall { high } else { wide };
    let text = |size: f32, weight: u16, colour: Rgb| Style { balanced: true, ..Style::text(size, weight, colour) };
    let (style, least, lines, gap) = match role {
        Role::Kicker => {
            let style = Style { tracking: 0.14, leading: 1.3, ..text(size(28.0, 34.0), 700, accent) };
            (style, 20.0, 1, 0.0)
        }
        Role::Hero => (stage.display(size(138.0, 134.0)), 40.0, if tall { 8 } else { 5 }, 30.0),
        Role::Title => (stage.display(size(80.0, 90.0)), 36.0, if tall { 4 } else { 3 }, 22.0),
        Role::Quote => {
            let style = Style { leading: stage.look.leading + 0.14, ..stage.display(size(76.0, 80.0)) };
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
        Role::Price => (Style { tabular: true, ..stage.display(size(72.0, 84.0)) }, 30.0, 1, 30.0),
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
    Form { style, least, lines, gap }
}

impl Column {
    /// Sets lines into a place of `width` by `height`: whole if some size allows it, else shortened.
    pub fn fit(stage: &mut Stage<'_>, lines: &[(Role, &str)], width: f32, height: f32, side: Side) -> Self {
        let mut most = usize::MAX;
        let last = STEPS[STEPS.len() - 1];
        // What is too long at any size does not make the rest small.
        let smallest = Self::at(stage, lines, width, side, last, most);
        let hopeless: Vec<Role> =
            smallest.pieces.iter().filter(|piece| !piece.is_whole()).map(|piece| piece.role).collect();
        for k in STEPS {
            let column = Self::at(stage, lines, width, side, k, most);
            let whole = column.pieces.iter().all(|piece| piece.is_whole() || hopeless.contains(&piece.role));
            if column.height <= height && whole && (hopeless.is_empty() || k < 0.8) {
                return column;
            }
        }
        // Nothing holds everything: a size that can still be read, fewer lines each, then fewer pieces.
        for k in [0.62, 0.5, last] {
            most = 8;
            while most > 0 {
                let column = Self::at(stage, lines, width, side, k, most);
                if column.height <= height {
                    return column;
                }
                most -= 1;
            }
        }
        let mut column = Self::at(stage, lines, width, side, last, 1);
        while column.height > height && column.pieces.len() > 1 {
            column.pieces.pop();
            column.height = column.pieces.last().map_or(0.0, |piece| piece.y + piece.height);
        }
        column
    }

    fn at(stage: &mut Stage<'_>, lines: &[(Role, &str)], width: f32, side: Side, k: f32, most: usize) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut y = 0.0;
        for &(role, text) in lines {
            let form = form(stage, role);
            let style = form.style.on(side).sized((form.style.size * k).max(form.least));
            let pad = if role == Role::Button { 2.0 * 58.0 * k } else { 0.0 };
            let set = match role {
                Role::Rule => None,
                Role::Kicker => {
                    // Capitals stand further apart. They are never made here: which ones a language wants (for an i, an
                    // accented Greek letter, a ß) only its writer knows.
                    let tracking = if text.chars().any(char::is_lowercase) { 0.05 } else { style.tracking };
                    let beside = if side == Side::Start { 76.0 } else { 0.0 };
                    stage.set(text, Style { tracking, ..style }, width - beside, 1)
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
                | Role::Position => stage.set(text, style, width - pad, form.lines.min(most)),
            };
            if set.is_none() && role != Role::Rule {
                continue;
            }
            let height =
                set.as_ref().map_or(6.0, |set| set.height) + if role == Role::Button { 2.0 * 27.0 * k } else { 0.0 };
            if !pieces.is_empty() {
                y += form.gap * k;
            }
            pieces.push(Piece { role, set, y, height, k });
            y += height;
        }
        Self { pieces, side, height: y }
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Adds the pieces as parts that come in one after the other; the column's top is at `area.y`.
    pub fn draw(self, stage: &mut Stage<'_>, area: Area) {
        for piece in self.pieces {
            let order = stage.step();
            let place = Area::new(area.x, area.y + piece.y, area.w, piece.height);
            match (piece.role, piece.set) {
                (Role::Rule, _) => rule(stage, order, place, self.side),
                (Role::Button, Some(set)) => button(stage, order, place, set, self.side, piece.k),
                (Role::Kicker, Some(set)) => kicker(stage, order, place, &set, self.side),
                (_, Some(set)) => stage.part(order, place, set.style.size * 0.4, |canvas, fonts| {
                    canvas.text(fonts, &set, place.x, place.y, place.w);
                }),
                (_, None) => {}
            }
        }
    }
}

impl Piece {
    fn is_whole(&self) -> bool {
        self.set.as_ref().is_none_or(|set| !set.cut && !set.broken)
    }
}

fn rule(stage: &mut Stage<'_>, order: usize, place: Area, side: Side) {
    let look = stage.look;
    let width = 120.0;
    let x = match side {
        Side::Start => place.x,
        Side::Centre => place.x + (place.w - width) / 2.0,
    };
    let bar = Area::new(x, place.y, width, 6.0);
    stage.part(order, bar, 2.0, |canvas, _| {
        canvas.round(bar, 3.0, Fill::Sweep(look.palette.accent, look.palette.accent_end))
    });
    let spark = Area { w: 26.0, ..bar };
    let travel = (width - 26.0) * stage.scale * if stage.rtl { -1.0 } else { 1.0 };
    let bright = look.palette.accent.mix(Rgb(255, 255, 255), 0.8);
    stage.layer(None, Show::Glint { travel }, spark, 2.0, |canvas, _| {
        canvas.round(spark, 3.0, Fill::Solid(bright, 0.9))
    });
}

fn kicker(stage: &mut Stage<'_>, order: usize, place: Area, set: &Typeset, side: Side) {
    let accent = stage.look.palette.accent;
    // A text that reads against the card's direction has no bar: it would stand at its end.
    let bar = side == Side::Start && set.rtl == stage.rtl;
    let text = if bar { Area::new(place.x + 76.0, place.y, place.w - 76.0, place.h) } else { place };
    stage.part(order, place, set.style.size * 0.5, |canvas, fonts| {
        if bar {
            canvas.round(Area::new(place.x, place.y + place.h / 2.0 - 2.5, 52.0, 5.0), 2.5, Fill::Solid(accent, 1.0));
        }
        canvas.text(fonts, set, text.x, text.y, text.w);
    });
}

fn button(stage: &mut Stage<'_>, order: usize, place: Area, mut set: Typeset, side: Side, k: f32) {
    let look = stage.look;
    let width = (set.width + 2.0 * 58.0 * k).min(place.w);
    let x = match side {
        Side::Start => place.x,
        Side::Centre => place.x + (place.w - width) / 2.0,
    };
    let pill = Area::new(x, place.y, width, place.h);
    let radius = if look.radius < 20.0 { look.radius } else { place.h / 2.0 };
    set.style.side = Side::Centre;
    stage.layer(Some(order), Show::Button, pill, 40.0, |canvas, fonts| {
        canvas.shadow(pill, radius, 30.0, 12.0, look.shadow * 0.9);
        canvas.round(pill, radius, Fill::Sweep(look.palette.accent, look.palette.accent_end));
        let top = place.y + (place.h - set.height) / 2.0;
        canvas.text(fonts, &set, pill.x, top, pill.w);
    });
}
