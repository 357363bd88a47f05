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

/// Millionths of a dollar as people write them, with two to six decimals.
pub(super) fn dollars(millionths: u64) -> String {
    let decimals = format!("{:06}", millionths % 1_000_000);
    let kept = decimals.trim_end_matches('0').len().max(2);
    format!("${}.{}", millionths / 1_000_000, &decimals[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_two_decimals_unless_they_need_more() {
        for (millionths, text) in
            [(0, "$0.00"), (500_000, "$0.50"), (12_000_000, "$12.00"), (1_250_001, "$1.250001"), (500, "$0.0005")]
        {
            assert_eq!(dollars(millionths), text);
        }
    }
}
