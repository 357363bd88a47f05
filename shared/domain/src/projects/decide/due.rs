//! When a project needs the launcher and the due sweep again: a pure function of its state.

use std::time::Duration;

use crate::Timestamp;
use crate::outbox::effect::whole_seconds;
use crate::projects::policy::ProjectPolicy;
use crate::projects::project::{Phase, Project};
use crate::projects::task::TaskState;

/// A hint that arrives so soon is not overtaken by another one.
const SOON: Duration = Duration::from_secs(1);
/// The longest time between two hints about videos that wait for slots.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// The next hint for the launcher, and its delay in seconds, when it next has work at `next`; none if the hint on its way,
/// for `hinted`, is early enough.
pub(super) fn next_hint(next: Timestamp, hinted: Option<Timestamp>, now: Timestamp) -> Option<(Timestamp, u32)> {
    let soon = now.after(SOON);
    let at = match hinted {
        // The launcher works on this hint: it does more than one thing with it, and the next hint is for what is left.
        Some(hinted) if hinted <= now => next.max(soon),
        Some(hinted) if hinted <= soon || hinted <= next => return None,
        Some(_) | None => next.max(now),
    };
    let delay_s = whole_seconds(at.wait_from(now));
    Some((now.after(Duration::from_secs(delay_s.into())), delay_s))
}

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
    fn a_hint_is_sent_unless_an_early_one_is_on_its_way() {
        let check = |next: i64, hinted: Option<i64>, expected: Option<u32>| {
            let hint = next_hint(at(next), hinted.map(at), NOW);
            assert_eq!(hint.map(|(_, delay)| delay), expected, "{next} {hinted:?}");
            assert_eq!(hint.map(|(at, _)| at), expected.map(|delay| at(delay.into())));
        };
        check(0, None, Some(0));
        check(-5, None, Some(0));
        check(20, None, Some(20));
        check(20, Some(30), Some(20));
        check(0, Some(30), Some(0));
        check(20, Some(20), None);
        check(20, Some(10), None);
        check(0, Some(1), None);
        check(0, Some(0), Some(1));
        check(0, Some(-100), Some(1));
        check(20, Some(-1), Some(20));
        check(5000, None, Some(900));
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
