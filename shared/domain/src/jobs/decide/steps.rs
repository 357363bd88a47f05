//! A worker's reports of its steps (contract.md, Steps), checked in the contract's order.

use serde_json::json;

use super::Ignored;
use super::change::Change;
use super::starts::cut;
use crate::Decision;
use crate::jobs::job::{Dialect, Status, step_name};
use crate::jobs::shown;
use crate::{Live, LogLevel, OutboundEvent, StepStatus, StepUpdate};

/// Reports that are remembered to know repeats.
const SEEN: usize = 64;
/// Bytes of an error that stand in the log line of the step.
const LOGGED_ERROR: usize = 200;

pub(super) fn step(mut change: Change<'_>, attempt: Option<u32>, update: &StepUpdate) -> Decision {
    if attempt.is_some_and(|attempt| attempt != change.job.attempt) {
        return change.ignore(Ignored::StaleAttempt);
    }
    if change.job.dialect == Dialect::VidBuilder {
        // Its pieces are claimed and handed in; nobody else reports of them.
        return change.ignore(Ignored::NotStarted);
    }
    let identity = update.identity();
    if change.job.seen.contains(&identity) {
        return change.ignore(Ignored::Duplicate);
    }
    if change.job.status.is_final() {
        return change.ignore(Ignored::FinalJob);
    }
    if attempt.is_none() && change.job.status == Status::Pending && change.job.start.claim.is_none() {
        return change.ignore(Ignored::NotStarted);
    }
    if change.job.last_sequence.is_some_and(|last| update.sequence < last) {
        return change.ignore(Ignored::OutOfSequence);
    }
    if update.status == StepStatus::Started && update.number < change.job.current_step_number {
        return change.ignore(Ignored::BackwardStep);
    }
    let before = change.job.current_step_number;
    remember(&mut change, identity, update);
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

fn remember(change: &mut Change<'_>, identity: String, update: &StepUpdate) {
    change.begin_run();
    let job = &mut change.job;
    job.seen.push(identity);
    let extra = job.seen.len().saturating_sub(SEEN);
    job.seen.drain(..extra);
    job.last_sequence = Some(update.sequence);
    job.current_step_number = job.current_step_number.max(update.number);
    let record = job.steps.entry(update.number).or_default();
    if update.details.is_some() {
        record.details = update.details.clone();
    }
    if update.duration.is_some() {
        record.duration = update.duration;
    }
    if update.extracted.is_some() {
        job.extracted = update.extracted.clone();
    }
    let (word, level) = match update.status {
        _ if update.workflow_failed => ("failed", LogLevel::Error),
        StepStatus::Started => ("started", LogLevel::Info),
        StepStatus::Completed => ("completed", LogLevel::Success),
        StepStatus::Failed => ("failed", LogLevel::Error),
        StepStatus::RenderReady => ("creatomate_ready", LogLevel::Success),
    };
    change.live(Live::Step {
        number: update.number,
        name: update.name.clone(),
        status: word.to_owned(),
        key: update.key.clone(),
        sequence: update.sequence,
        stage: update.stage.clone(),
        details: update.details.is_some(),
    });
    let mut details = json!({
        "step_number": update.number,
        "step_name": update.name,
        "step_status": word,
        "webhook_time": change.now.to_string(),
    });
    if let Some(render) = &update.render_id {
        details["creatomate_id"] = json!(render.as_str());
    }
    if let Some(error) = update.error.as_deref().filter(|_| word == "failed") {
        details["error"] = json!(&error[..error.floor_char_boundary(LOGGED_ERROR)]);
    }
    let message = format!("Step {} {word}: {}", update.number, update.name);
    change.log_with("webhook_received", level, message, details);
    if let Some(render) = &update.render_id {
        change.set_render_id(render);
    }
}

/// Steps 0 to 7 that began or are done.
fn advance(change: &mut Change<'_>, update: &StepUpdate) {
    let number = update.number;
    let done = matches!(update.status, StepStatus::Completed | StepStatus::RenderReady);
    let percent = match (number, done) {
        (0, _) => 5,
        (_, true) => Change::steps_done(number),
        (_, false) => Change::steps_done(number - 1),
    };
    change.progress(percent);
    if number >= change.job.current_step_number && change.job.status != Status::Rendering {
        change.show(shown::of_step(number, &update.name, if done { "completed" } else { "started" }));
    }
    if update.status == StepStatus::RenderReady && change.job.render_id.is_some() {
        change.begin_rendering();
    }
    if number == 1 && done && change.job.pause_after_extraction {
        change.job.paused_after_extraction = true;
        change.complete(None, "Movie extraction completed, paused as asked", OutboundEvent::ExtractionCompleted);
    }
}

/// Step 8: the worker is done.
fn workflow_completed(change: &mut Change<'_>, update: &StepUpdate) {
    let known = std::mem::replace(&mut change.job.worker_done, true);
    if let Some(video_url) = update.video_url.clone().or_else(|| change.job.video_url.clone()) {
        change.complete(Some(video_url), "Video generation completed!", OutboundEvent::Completed);
    } else if change.job.render_id.is_some() {
        change.progress(95);
        change.begin_rendering();
        change.show(shown::RENDERING);
        if !known {
            change.notify(OutboundEvent::ScriptCompleted);
        }
    } else {
        change.complete(None, "No video URL or Creatomate ID returned", OutboundEvent::CompletedWithIssues);
    }
}

/// The step that a report of a failure is about; the end of the workflow is about the step that was under way before.
fn failing(update: &StepUpdate, before: u8) -> (u8, String) {
    match update.number {
        number @ 1..=7 if update.workflow_failed => (number, step_name(number).to_owned()),
        number @ 1..=7 => (number, update.name.clone()),
        _ => (before.min(7), step_name(before.min(7)).to_owned()),
    }
}
