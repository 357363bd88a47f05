//! Callbacks and checks of renders (docs/contract/renders.md), with the one exception to the rule that final states
//! stay.

use std::time::Duration;

use super::change::{Change, whole_seconds};
use super::starts::cut;
use crate::Decision;
use crate::jobs::activity::{Activity, Incomplete};
use crate::jobs::reasons::Ignored;
use crate::jobs::status::Status;
use crate::jobs::task::ExternalTask;
use crate::{JobEffect, Live, LogEvent, LogLevel, OutboundEvent, RenderId, RenderState, RenderStatus};

pub(super) fn reported(mut change: Change<'_>, render: &RenderId, state: &RenderState, confirmable: bool) -> Decision {
    if change.job.render_id() != Some(render) {
        return change.ignore(Ignored::OtherRender);
    }
    match (&state.status, change.job.status) {
        // The one exception: a success after a render timeout, once it is confirmed.
        (RenderStatus::Succeeded, Status::Completed) if change.job.awaits_video() && confirmable => {
            if change.job.run.engine.render().is_some_and(|task| task.polls.is_some()) {
                return change.ignore(Ignored::Duplicate);
            }
            confirm(&mut change, render, 1, Duration::ZERO);
            change.apply()
        }
        (_, Status::Completed | Status::Failed | Status::Cancelled) => change.ignore(Ignored::FinalJob),
        (RenderStatus::Succeeded | RenderStatus::Failed, _) if confirmable => {
            if change.job.run.engine.render().is_some_and(ExternalTask::is_confirming) {
                return change.ignore(Ignored::Duplicate);
            }
            confirm(&mut change, render, 1, Duration::ZERO);
            change.log(LogEvent::Polled, LogLevel::Info, "Render reported as ended, confirming");
            change.apply()
        }
        (_, Status::Pending | Status::Processing | Status::Rendering) => follow(change, state),
    }
}

pub(super) fn checked(mut change: Change<'_>, render: &RenderId, state: Option<&RenderState>, check: u8) -> Decision {
    if change.job.render_id() != Some(render) {
        return change.ignore(Ignored::OtherRender);
    }
    let late = change.job.awaits_video();
    // After a render timeout only a success counts.
    let ended = state.and_then(ending).filter(|ending| !late || matches!(ending, Ending::Video(_)));
    let task = change.job.run.engine.render().cloned();
    let polled = task.as_ref().is_some_and(|task| task.polls.is_some());
    let confirming = task.as_ref().is_some_and(ExternalTask::is_confirming);
    match change.job.status {
        Status::Completed if late && (ended.is_some() || polled) => {}
        Status::Completed | Status::Failed | Status::Cancelled => return change.ignore(Ignored::FinalJob),
        Status::Pending | Status::Processing | Status::Rendering => {}
    }
    if let Some(ending) = ended {
        end(&mut change, &ending);
        return change.apply();
    }
    let last = usize::from(check) >= change.policy.render_checks.len();
    if last && !confirming && change.job.status == Status::Rendering {
        time_out(&mut change);
        return change.apply();
    }
    match task.as_ref().and_then(ExternalTask::next_confirmation) {
        // The end was reported, and the service does not confirm it yet: check again after a longer delay each time.
        Some(number) => {
            let delay = Duration::from_secs(2 << (number - 1).min(5));
            confirm(&mut change, render, number, delay);
            change.apply()
        }
        None if confirming => {
            let (now, policy) = (change.now, change.policy);
            if let Some(task) = change.render_mut() {
                task.stop_confirming(now, &policy.render_checks);
            }
            change.log_unconfirmed();
            change.apply()
        }
        None => match state {
            Some(state) => follow(change, state),
            None => change.ignore(Ignored::AlreadySo),
        },
    }
}

/// Shows the state of a render, and starts rendering or ends the job if the state says so.
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
    let starts = state.status == RenderStatus::Rendering && change.job.status != Status::Rendering;
    let shown = change.job.run.engine.render().is_some_and(|task| task.status.as_ref() == Some(&state.status));
    if !starts && (shown || change.job.run.progress > percent && percent > 0) {
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
    change.show(&Activity::Render(&state.status));
    if let Some(task) = change.render_mut() {
        task.status = Some(state.status.clone());
    }
    let caption = change.job.run.caption.clone();
    change.log(LogEvent::Polled, LogLevel::Info, caption);
    change.apply()
}

/// The end of a render.
enum Ending<'a> {
    /// With this video.
    Video(&'a str),
    /// For this reason.
    Failure(&'a str),
}

/// The end that a state reports, if it reports one. A success without a URL does not count.
fn ending(state: &RenderState) -> Option<Ending<'_>> {
    match state.status {
        RenderStatus::Succeeded => state.url.as_ref().map(|url| Ending::Video(url.as_written())),
        RenderStatus::Failed => Some(Ending::Failure(state.error.as_deref().unwrap_or("the render failed"))),
        RenderStatus::Planned
        | RenderStatus::Waiting
        | RenderStatus::Transcribing
        | RenderStatus::Rendering
        | RenderStatus::Other(_) => None,
    }
}

fn end(change: &mut Change<'_>, ending: &Ending<'_>) {
    match ending {
        // Later reports of a worker that is still busy are ignored.
        Ending::Video(url) => {
            change.complete((*url).to_owned());
        }
        Ending::Failure(error) => {
            if change.worker_is_busy() {
                change.stop_worker();
            }
            change.live(Live::RenderFailed);
            change.fail(cut(error), OutboundEvent::Failed);
        }
    }
}

/// Checks the render now or after `delay`; the due sweep repeats the check if its message is lost.
fn confirm(change: &mut Change<'_>, render: &RenderId, number: u8, delay: Duration) {
    let now = change.now;
    if let Some(task) = change.render_mut() {
        task.confirm(number, delay, now);
    }
    change.then(JobEffect::CheckRender { render: render.clone(), check: 0, delay_s: whole_seconds(delay) });
}

impl Change<'_> {
    /// Logs that the reported end was not confirmed.
    pub(super) fn log_unconfirmed(&mut self) {
        self.log(LogEvent::Polled, LogLevel::Warning, "The reported end of the render could not be confirmed");
    }
}

/// Completes the job without its video: the last poll found no end of the render.
pub(super) fn time_out(change: &mut Change<'_>) {
    change.complete_without_video(Incomplete::RenderTimeout, OutboundEvent::RenderTimeout);
}
