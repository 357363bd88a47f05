//! What the videos of a project cost, against its budget.

use super::change::{Change, Outcome};
use crate::projects::reasons::Rejected;
use crate::projects::scene::{Scene, SceneState};
use crate::projects::task::Stage;

/// Refuses a command after which the project's videos would exceed its budget: those that wait, and those that follow.
pub(super) fn check(change: &Change<'_>) -> Outcome {
    let follows = |scene: &&Scene| matches!(scene.state, SceneState::Ready | SceneState::Revision);
    let cost = sum(change, follows).saturating_add(reserved(change));
    if change.project.can_pay(cost) {
        return Ok(());
    }
    Err(Rejected::OverBudget { cost, left: left(change) }.into())
}

/// The cost of the videos that wait to be submitted for the first time.
pub(super) fn reserved(change: &Change<'_>) -> u64 {
    sum(change, |scene| {
        scene.task(Stage::Video).is_some_and(|task| task.deadline.is_none() && task.ready_at().is_some())
    })
}

/// What is left of the budget.
pub(super) fn left(change: &Change<'_>) -> u64 {
    change.project.spec.budget.unwrap_or(u64::MAX).saturating_sub(change.project.spent)
}

fn sum(change: &Change<'_>, is_meant: impl FnMut(&&Scene) -> bool) -> u64 {
    let scenes = change.project.scenes.iter().filter(is_meant);
    scenes.map(|scene| change.policy.video_cost(&scene.spec)).fold(0, u64::saturating_add)
}
