//! Lays each kind of scene out: what it shows where, wide and tall.

pub(crate) mod cells;
pub(crate) mod column;
mod grid;
mod lists;
mod opening;
pub(crate) mod paint;

use reelhook_domain::videos::film::{Content, Item, Scene, SceneKind};

use crate::area::Area;
use crate::error::RenderError;
use crate::layout::column::{Column, Role};
use crate::stage::Stage;
use crate::text::Side;

/// Whether a kind is a card of few words, with larger shapes around it.
pub(crate) fn is_opening(kind: SceneKind) -> bool {
    match kind {
        SceneKind::HeroTitle | SceneKind::Cta | SceneKind::Testimonial | SceneKind::LessonTitle => true,
        SceneKind::ProductShowcase
        | SceneKind::FeatureList
        | SceneKind::Comparison
        | SceneKind::Stats
        | SceneKind::StepByStep
        | SceneKind::ProductMatrix
        | SceneKind::Quiz
        | SceneKind::KeyTakeaways => false,
    }
}

/// Draws a scene's parts onto the stage.
pub(crate) fn lay_out(stage: &mut Stage<'_>, scene: &Scene) -> Result<(), RenderError> {
    let content = &scene.content;
    match scene.kind {
        SceneKind::HeroTitle => opening::hero(stage, content),
        SceneKind::ProductShowcase => opening::product(stage, content),
        SceneKind::FeatureList => lists::features(stage, content),
        SceneKind::Cta => opening::call(stage, content),
        SceneKind::Testimonial => opening::quote(stage, content),
        SceneKind::Comparison => grid::comparison(stage, content),
        SceneKind::Stats => grid::stats(stage, content),
        SceneKind::StepByStep => lists::steps(stage, content),
        SceneKind::ProductMatrix => grid::products(stage, content),
        SceneKind::LessonTitle => opening::lesson(stage, content),
        SceneKind::Quiz => lists::quiz(stage, content),
        SceneKind::KeyTakeaways => lists::takeaways(stage, content),
    }
}

/// Whether there is something in it to show.
fn says(text: &str) -> bool {
    !crate::spans::clean(text).is_empty()
}

/// Whether an item has anything to show.
fn shows(item: &Item) -> bool {
    [&item.title, &item.text, &item.value].into_iter().any(|text| says(text))
        || item.image.is_some()
        || item.points.iter().any(|point| says(point))
}

/// The lines above the items of a card.
fn heading(stage: &mut Stage<'_>, content: &Content, width: f32, height: f32, side: Side) -> Column {
    let lines = [
        (Role::Kicker, content.kicker.as_str()),
        (Role::Title, content.title.as_str()),
        (Role::Lead, content.subtitle.as_str()),
        (Role::Body, content.body.as_str()),
    ];
    Column::fit(stage, &lines, width, height, side)
}

/// The lines below the items of a card.
fn footing(stage: &mut Stage<'_>, content: &Content, width: f32, height: f32, side: Side) -> Column {
    let lines = [(Role::Button, content.button.as_str()), (Role::Note, content.footnote.as_str())];
    Column::fit(stage, &lines, width, height, side)
}

/// A card's middle part between its heading and its footing: how high it may be, then where everything stands.
struct Stack {
    head: Column,
    foot: Column,
    area: Area,
    gap: f32,
}

impl Stack {
    fn new(stage: &mut Stage<'_>, content: &Content, area: Area, side: Side, middle: bool) -> Self {
        let part = if middle { 0.40 } else { 0.8 };
        let head = heading(stage, content, area.w, area.h * part, side);
        let foot = footing(stage, content, area.w, area.h * 0.2, side);
        Self { head, foot, area, gap: stage.pick(52.0, 60.0) }
    }

    /// How high the middle may be.
    fn room(&self) -> f32 {
        let used = |column: &Column| if column.is_empty() { 0.0 } else { column.height + self.gap };
        (self.area.h - used(&self.head) - used(&self.foot)).max(60.0)
    }

    /// Draws heading and footing around a middle of this height; returns where it stands. The whole stands in the middle.
    fn draw(self, stage: &mut Stage<'_>, height: f32) -> (Area, Footing) {
        let used = |column: &Column| if column.is_empty() { 0.0 } else { column.height + self.gap };
        let (above, below) = (used(&self.head), used(&self.foot));
        let free = (self.area.h - above - below - height).max(0.0);
        let top = self.area.y + free * 0.5;
        self.head.draw(stage, Area { y: top, ..self.area });
        let middle = Area::new(self.area.x, top + above, self.area.w, height);
        (middle, Footing(self.foot, Area { y: middle.bottom() + self.gap, ..self.area }))
    }
}

/// What comes in after the middle.
struct Footing(Column, Area);

impl Footing {
    fn draw(self, stage: &mut Stage<'_>) {
        self.0.draw(stage, self.1);
    }
}
