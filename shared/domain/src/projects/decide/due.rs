//! When a project needs the launcher and the due sweep again: a pure function of its state.

use std::time::Duration;

use crate::Timestamp;
use crate::projects::policy::ProjectPolicy;
use crate::projects::project::{Phase, Project};
use crate::projects::task::TaskState;

/// The longest time between two hints about videos that wait for slots.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// The time at which the due sweep acts on a project; none if nothing of it is under way.
pub(super) fn due_at(project: &Project, now: Timestamp, policy: &ProjectPolicy) -> Option<Timestamp> {
    let pieces = project.pieces.due_at();
    if project.phase != Phase::Running {
        // Tasks that the end of the project had no room to cancel.
        let left = project.tasks().next().map(|_| now);
        return pieces.into_iter().chain(left).min();
    }
    let hint = project.hinted_at.map(|at| at.after(policy.hint_grace));
    let slots = project.videos_ready_at().map(|ready_at| next_start(ready_at, now, policy.hint_grace));
    let tasks = project.tasks().flat_map(|(_, task)| {
        let lease = match task.state {
            TaskState::Submitting { lease_until } => Some(lease_until),
            TaskState::Waiting { .. } | TaskState::Unclear { .. } | TaskState::Submitted { .. } | TaskState::Own => {
                None
            }
        };
        task.deadline.into_iter().chain(lease)
    });
    let tasks = tasks.min();
    pieces.into_iter().chain(hint).chain(slots).chain(tasks).min()
}

/// When the due sweep sends the next hint about a video that waits for a slot since `ready_at`: after the grace, and then
/// after twice the time each, so that other changes in between do not put it off.
fn next_start(ready_at: Timestamp, now: Timestamp, grace: Duration) -> Timestamp {
    let mut wait = grace.max(Duration::from_secs(1));
    while ready_at.after(wait) <= now {
        wait += wait.min(LONGEST_WAIT);
    }
    ready_at.after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn at(seconds: i64) -> Timestamp {
        Timestamp(NOW.0 + seconds * 1000)
    }

    #[test]
    fn hints_about_waiting_videos_become_rarer() {
        let grace = Duration::from_secs(60);
        let check = |waited: i64, expected: i64| assert_eq!(next_start(at(-waited), NOW, grace), at(expected - waited));
        check(0, 60);
        check(59, 60);
        check(60, 120);
        check(130, 240);
        check(1000, 1860);
        check(1861, 2760);
        assert_eq!(next_start(at(0), NOW, Duration::ZERO), at(1));
    }
}
