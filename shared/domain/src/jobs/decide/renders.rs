//! What a render's callbacks and checks do (contract.md, Renders; the exception to "final absorbs" lives here).

use std::time::Duration;

use super::Ignored;
use super::change::{Change, awaits_video, whole_seconds};
use super::starts::cut;
use crate::Decision;
use crate::jobs::job::{RenderWatch, Status};
use crate::jobs::shown;
use crate::{JobEffect, Live, LogLevel, OutboundEvent, RenderId, RenderState, RenderStatus};

/// Tries to confirm a reported end before the schedule takes over again.
pub(super) const CONFIRMATIONS: u8 = 8;
/// How long a check may take before the sweep asks again.
pub(super) const CHECK_LEASE: Duration = Duration::from_secs(30);

pub(super) fn reported(mut change: Change<'_>, render: &RenderId, state: &RenderState, confirmable: bool) -> Decision {
    if change.job.render_id.as_ref() != Some(render) {
        return change.ignore(Ignored::OtherRender);
    }
    match (&state.status, change.job.status) {
        // The one exception: a success after a render timeout, once it is confirmed.
        (RenderStatus::Succeeded, Status::Completed) if awaits_video(&change.job) && confirmable => {
            if change.job.render.is_some() {
                return change.ignore(Ignored::Duplicate);
            }
            confirm(&mut change, render, 1, Duration::ZERO);
            change.apply()
        }
        (_, Status::Completed | Status::Failed | Status::Cancelled) => change.ignore(Ignored::FinalJob),
        (RenderStatus::Succeeded | RenderStatus::Failed, _) if confirmable => {
            if change.job.render.as_ref().is_some_and(|watch| watch.confirming > 0) {
                return change.ignore(Ignored::Duplicate);
            }
            confirm(&mut change, render, 1, Duration::ZERO);
            change.log("creatomate_monitoring", LogLevel::Info, "Render reported as ended, confirming");
            change.apply()
        }
        (_, Status::Pending | Status::Processing | Status::Rendering) => follow(change, state),
    }
}

pub(super) fn checked(mut change: Change<'_>, render: &RenderId, state: Option<&RenderState>, check: u8) -> Decision {
    if change.job.render_id.as_ref() != Some(render) {
        return change.ignore(Ignored::OtherRender);
    }
    let late = awaits_video(&change.job);
    // After a render timeout only a success counts.
    let ended = state.and_then(ending).filter(|ending| !late || matches!(ending, Ending::Video(_)));
    let watch = change.job.render.clone();
    match change.job.status {
        Status::Completed if late && (ended.is_some() || watch.is_some()) => {}
        Status::Completed | Status::Failed | Status::Cancelled => return change.ignore(Ignored::FinalJob),
        Status::Pending | Status::Processing | Status::Rendering => {}
    }
    if let Some(ending) = ended {
        end(&mut change, &ending);
        return change.apply();
    }
    let last = usize::from(check) >= change.policy.render_checks.len();
    let confirming = watch.as_ref().is_some_and(|watch| watch.confirming > 0);
    if last && !confirming && change.job.status == Status::Rendering {
        time_out(&mut change);
        return change.apply();
    }
    match watch {
        // Someone said that it ended, the service does not say so yet: ask again, later each time.
        Some(watch) if watch.confirming > 0 && watch.confirming < CONFIRMATIONS => {
            let delay = Duration::from_secs(2 << watch.confirming.min(5));
            confirm(&mut change, render, watch.confirming + 1, delay);
            change.apply()
        }
        Some(watch) if watch.confirming > 0 => {
            stop_confirming(&mut change);
            change.apply()
        }
        Some(_) | None => match state {
            Some(state) => follow(change, state),
            None => change.ignore(Ignored::AlreadySo),
        },
    }
}

/// A state on the way: shows it, and moves on where it is further.
fn follow(mut change: Change<'_>, state: &RenderState) -> Decision {
    if let Some(ending) = ending(state) {
        end(&mut change, &ending);
        return change.apply();
    }
    let percent = match &state.status {
        RenderStatus::Planned => 85,
        RenderStatus::Waiting => 87,
        RenderStatus::Transcribing => 88,
        RenderStatus::Rendering | RenderStatus::Succeeded => 90,
        RenderStatus::Failed | RenderStatus::Other(_) => 0,
    };
    let shown = shown::of_render(&state.status);
    let starts = state.status == RenderStatus::Rendering && change.job.status != Status::Rendering;
    if !starts && (change.job.current_step == shown || change.job.progress > percent && percent > 0) {
        return change.ignore(Ignored::Duplicate);
    }
    if starts {
        change.begin_rendering();
    }
    let status = match &state.status {
        RenderStatus::Planned => Some("planned"),
        RenderStatus::Waiting => Some("waiting"),
        RenderStatus::Transcribing => Some("transcribing"),
        RenderStatus::Rendering => Some("rendering"),
        RenderStatus::Succeeded | RenderStatus::Failed | RenderStatus::Other(_) => None,
    };
    change.live(status.map_or(Live::Job, |status| Live::Render { status: status.to_owned() }));
    change.progress(percent);
    change.log("creatomate_monitoring", LogLevel::Info, shown.clone());
    change.show(shown);
    change.apply()
}

/// How a render ended.
enum Ending<'a> {
    /// With this video.
    Video(&'a str),
    /// For this reason.
    Failure(&'a str),
}

/// The end that a state tells of: a success needs its URL.
fn ending(state: &RenderState) -> Option<Ending<'_>> {
    match state.status {
        RenderStatus::Succeeded => state.url.as_deref().map(Ending::Video),
        RenderStatus::Failed => Some(Ending::Failure(state.error.as_deref().unwrap_or("Creatomate render failed"))),
        RenderStatus::Planned
        | RenderStatus::Waiting
        | RenderStatus::Transcribing
        | RenderStatus::Rendering
        | RenderStatus::Other(_) => None,
    }
}

fn end(change: &mut Change<'_>, ending: &Ending<'_>) {
    match ending {
        // A worker that has not said that it is done goes on to say so; it is absorbed.
        Ending::Video(url) => {
            change.complete(Some((*url).to_owned()), "Video generation completed!", OutboundEvent::Completed);
        }
        Ending::Failure(error) => {
            if !change.job.worker_done {
                change.stop_worker();
            }
            change.live(Live::RenderFailed);
            change.fail(cut(error), OutboundEvent::Failed);
        }
    }
}

/// Asks the service now or after `delay`; the sweep asks again should that get lost.
fn confirm(change: &mut Change<'_>, render: &RenderId, confirming: u8, delay: Duration) {
    let next_at = change.now.after(delay + CHECK_LEASE);
    let (since, checks) = change.job.render.as_ref().map_or((None, 0), |watch| (watch.since, watch.checks));
    change.job.render = Some(RenderWatch { since, checks, confirming, next_at });
    change.then(JobEffect::CheckRender { render: render.clone(), check: 0, delay_s: whole_seconds(delay) });
}

/// Back to the schedule; without one (the worker still works) the watch ends.
pub(super) fn stop_confirming(change: &mut Change<'_>) {
    change.job.render = change.job.render.take().and_then(|watch| {
        let since = watch.since?;
        let checks = &change.policy.render_checks;
        let next = checks.get(usize::from(watch.checks)).unwrap_or(&checks[checks.len() - 1]);
        let next_at = since.after(*next).max(change.now.after(CHECK_LEASE));
        Some(RenderWatch { since: Some(since), checks: watch.checks, confirming: 0, next_at })
    });
    change.log("creatomate_monitoring", LogLevel::Warning, "The reported end of the render could not be confirmed");
}

/// The last check found no end.
pub(super) fn time_out(change: &mut Change<'_>) {
    change.job.render_timeout = true;
    change.complete(None, "Render did not finish in time", OutboundEvent::RenderTimeout);
}
