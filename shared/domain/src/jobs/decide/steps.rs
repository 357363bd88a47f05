//! A worker's reports of its steps (docs/contract/workers.md, Checks and answers), checked in the contract's order.

use serde_json::json;

use super::change::Change;
use super::starts::cut;
use crate::Decision;
use crate::jobs::activity::{Activity, Incomplete};
use crate::jobs::reasons::Ignored;
use crate::jobs::status::Status;
use crate::{Live, LogEvent, LogLevel, OutboundEvent, StepStatus, StepUpdate};

/// The number of the latest reports that a run keeps to detect duplicates.
const SEEN: usize = 64;
/// The maximum size of an error in the log line of a step, in bytes.
const LOGGED_ERROR: usize = 200;

pub(super) fn step(mut change: Change<'_>, attempt: Option<u32>, update: &StepUpdate) -> Decision {
    let run = &change.job.run;
    if attempt.is_some_and(|attempt| attempt != run.attempt) {
        return change.ignore(Ignored::StaleAttempt);
    }
    // The run of a video has pieces and no steps.
    let Some(steps) = run.engine.steps() else { return change.ignore(Ignored::NotStarted) };
    let identity = update.identity();
    if steps.seen.contains(&identity) {
        return change.ignore(Ignored::Duplicate);
    }
    if change.job.status.is_final() {
        return change.ignore(Ignored::FinalJob);
    }
    if attempt.is_none() && change.job.status == Status::Pending && run.start.claim.is_none() {
        return change.ignore(Ignored::NotStarted);
    }
    if steps.last_sequence.is_some_and(|last| update.sequence < last) {
        return change.ignore(Ignored::OutOfSequence);
    }
    let before = steps.current;
    if update.status == StepStatus::Started && update.number < before {
        return change.ignore(Ignored::BackwardStep);
    }
    record(&mut change, identity, update);
    if update.status == StepStatus::Failed || update.workflow_failed {
        change.failing = Some(failing(update, before));
        let error = update.error.clone().unwrap_or_else(|| format!("Step {} failed: {}", update.number, update.name));
        change.fail_run(cut(&error));
    } else if update.number == 8 && update.status != StepStatus::Started {
        workflow_completed(&mut change, update);
    } else {
        advance(&mut change, update);
    }
    change.apply()
}

/// Records a report, with its line of the log and its live event.
fn record(change: &mut Change<'_>, identity: String, update: &StepUpdate) {
    change.begin_run();
    let Some(steps) = change.job.run.engine.steps_mut() else { return };
    steps.seen.push(identity);
    let extra = steps.seen.len().saturating_sub(SEEN);
    steps.seen.drain(..extra);
    steps.last_sequence = Some(update.sequence);
    steps.current = steps.current.max(update.number);
    let record = steps.records.entry(update.number).or_default();
    if update.details.is_some() {
        record.details = update.details.clone();
    }
    if update.duration.is_some() {
        record.duration = update.duration;
    }
    if update.extracted.is_some() {
        steps.extracted = update.extracted.clone();
    }
    let status = if update.workflow_failed { StepStatus::Failed } else { update.status };
    let level = match status {
        StepStatus::Started => LogLevel::Info,
        StepStatus::Completed | StepStatus::RenderReady => LogLevel::Success,
        StepStatus::Failed => LogLevel::Error,
    };
    let failed = status == StepStatus::Failed;
    let status = (change.policy.captions.step_status)(status);
    change.live(Live::Step {
        number: update.number,
        name: update.name.clone(),
        status: status.to_owned(),
        key: update.key.clone(),
        sequence: update.sequence,
        stage: update.stage.clone(),
        details: update.details.is_some(),
    });
    let mut details = json!({
        "step_number": update.number,
        "step_name": update.name,
        "step_status": status,
        "webhook_time": change.now.to_string(),
    });
    if let Some(render) = &update.render_id {
        details["render_id"] = json!(render.as_str());
    }
    if let Some(error) = update.error.as_deref().filter(|_| failed) {
        details["error"] = json!(&error[..error.floor_char_boundary(LOGGED_ERROR)]);
    }
    let message = format!("Step {} {status}: {}", update.number, update.name);
    change.log_with(LogEvent::Reported, level, message, details);
    if let Some(render) = &update.render_id {
        change.set_render_id(render);
    }
}

/// A report that one of the steps 0 to 7 started or is done.
fn advance(change: &mut Change<'_>, update: &StepUpdate) {
    let number = update.number;
    let done = matches!(update.status, StepStatus::Completed | StepStatus::RenderReady);
    let percent = match (number, done) {
        (0, _) => 5,
        (_, true) => Change::steps_done(number),
        (_, false) => Change::steps_done(number - 1),
    };
    change.progress(percent);
    let current = change.job.run.engine.steps().map_or(0, |steps| steps.current);
    if number >= current && change.job.status != Status::Rendering {
        change.show(&Activity::Step { number, name: &update.name, done });
    }
    if update.status == StepStatus::RenderReady && change.job.render_id().is_some() {
        change.begin_rendering();
    }
    if number == 1 && done && change.job.request.pause_after_extraction {
        change.complete_without_video(Incomplete::PausedAfterExtraction, OutboundEvent::ExtractionCompleted);
    }
}

/// Step 8: the worker is done, and the render that it named is polled. Our own renderers go on with a run of theirs.
fn workflow_completed(change: &mut Change<'_>, update: &StepUpdate) {
    let known = match change.external_mut() {
        Some(external) => std::mem::replace(&mut external.worker.done, true),
        None => change.job.was_notified(OutboundEvent::ScriptCompleted),
    };
    if let Some(video_url) = update.video_url.clone().map(String::from).or_else(|| change.job.run.video_url.clone()) {
        change.complete(video_url);
    } else if change.job.render_id().or(update.render_id.as_ref()).is_some() {
        change.progress(95);
        change.begin_rendering();
        change.show(&Activity::AwaitingRender);
        if !known {
            change.notify(OutboundEvent::ScriptCompleted);
        }
    } else {
        change.end_completed(&Activity::NothingToRender, OutboundEvent::CompletedWithIssues);
    }
}

/// The failed step and the worker's name for it. A failure of the whole workflow belongs to the step that was under way
/// `before`.
fn failing(update: &StepUpdate, before: u8) -> (u8, Option<String>) {
    match update.number {
        number @ 1..=7 if update.workflow_failed => (number, None),
        number @ 1..=7 => (number, Some(update.name.clone())),
        _ => (before.min(7), None),
    }
}
