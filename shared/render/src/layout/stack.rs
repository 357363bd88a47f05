//! A card with a header, a middle part and a footer.

use reelhook_domain::videos::film::Content;

use crate::area::Area;
use crate::card_builder::CardBuilder;
use crate::layout::column::{Column, Role};
use crate::text::Alignment;

/// The lines above the items of a card.
fn heading(card: &mut CardBuilder<'_>, content: &Content, width: f32, height: f32, alignment: Alignment) -> Column {
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Title, content.title.as_str()),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Body, content.body.as_str()),
    ];
    Column::fit(card, &lines, width, height, alignment)
}

/// The lines below the items of a card.
fn footer(card: &mut CardBuilder<'_>, content: &Content, width: f32, height: f32, alignment: Alignment) -> Column {
    let lines = [(Role::Button, content.button.as_str()), (Role::Note, content.footnote.as_str())];
    Column::fit(card, &lines, width, height, alignment)
}

/// A card with a header, a middle part and a footer. It first limits the height of the middle part, and then determines
/// all positions.
pub(super) struct Stack {
    header: Column,
    footer: Column,
    area: Area,
    gap: f32,
}

impl Stack {
    /// Fits the header and the footer; the header may be higher if there is no middle part.
    pub fn new(card: &mut CardBuilder<'_>, content: &Content, area: Area, alignment: Alignment, middle: bool) -> Self {
        let part = if middle { 0.40 } else { 0.8 };
        let header = heading(card, content, area.w, area.h * part, alignment);
        let footer = footer(card, content, area.w, area.h * 0.2, alignment);
        Self { header, footer, area, gap: card.pick(52.0, 60.0) }
    }

    /// The maximum height of the middle part.
    pub fn room(&self) -> f32 {
        let used = |column: &Column| if column.is_empty() { 0.0 } else { column.height + self.gap };
        (self.area.h - used(&self.header) - used(&self.footer)).max(60.0)
    }

    /// Draws the header above a middle part of this height, all vertically centred. Returns the area of the middle part
    /// and the footer.
    pub fn draw(self, card: &mut CardBuilder<'_>, height: f32) -> (Area, Footer) {
        let used = |column: &Column| if column.is_empty() { 0.0 } else { column.height + self.gap };
        let (above, below) = (used(&self.header), used(&self.footer));
        let free = (self.area.h - above - below - height).max(0.0);
        let top = self.area.y + free * 0.5;
        self.header.draw(card, Area { y: top, ..self.area });
        let middle = Area::new(self.area.x, top + above, self.area.w, height);
        (middle, Footer(self.footer, Area { y: middle.bottom() + self.gap, ..self.area }))
    }
}

/// The footer, to be drawn after the middle part.
pub(super) struct Footer(Column, Area);

impl Footer {
    pub fn draw(self, card: &mut CardBuilder<'_>) {
        self.0.draw(card, self.1);
    }
}
