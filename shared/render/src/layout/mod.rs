//! Lays out each kind of scene, wide and tall.

pub(crate) mod cells;
pub(crate) mod column;
mod content;
mod grid;
mod lists;
mod opening;
pub(crate) mod paint;
mod stack;

use reelhook_domain::videos::film::{Scene, SceneKind};

use crate::card_builder::CardBuilder;
use crate::error::RenderError;

/// Whether a kind of scene has few words, and thus larger background shapes.
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

/// Adds the parts of a scene to the card.
pub(crate) fn lay_out(card: &mut CardBuilder<'_>, scene: &Scene) -> Result<(), RenderError> {
    let content = &scene.content;
    match scene.kind {
        SceneKind::HeroTitle => opening::hero(card, content),
        SceneKind::ProductShowcase => opening::product(card, content),
        SceneKind::FeatureList => lists::features(card, content),
        SceneKind::Cta => opening::call_to_action(card, content),
        SceneKind::Testimonial => opening::testimonial(card, content),
        SceneKind::Comparison => grid::comparison(card, content),
        SceneKind::Stats => grid::stats(card, content),
        SceneKind::StepByStep => lists::steps(card, content),
        SceneKind::ProductMatrix => grid::products(card, content),
        SceneKind::LessonTitle => opening::lesson(card, content),
        SceneKind::Quiz => lists::quiz(card, content),
        SceneKind::KeyTakeaways => lists::takeaways(card, content),
    }
}
