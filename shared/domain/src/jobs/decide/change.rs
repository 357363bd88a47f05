//! A job on its way to the next version: the moves that several events share, and what every change ends with.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Ignored, Rejected};
use crate::Decision;
use crate::jobs::job::{Dialect, Job, RenderWatch, Status, step_name};
use crate::jobs::shown;
use crate::videos::drawing::Drawing;
use crate::{
    Advice, Effect, Emitted, EventId, FailureClass, JobEffect, Live, LogLevel, LogTally, OutboundEvent, Policy,
    Recipients, RenderId, Timestamp, classify,
};

/// What a waiting job shows.
pub(super) const WAITING: &str = "Waiting in queue";
/// The share of the progress bar that the worker's seven steps fill.
const STEPS_SHARE: f64 = 85.0;
/// Reminders of events that stay on the item.
const EMITTED: usize = 16;

/// A job that is being changed.
pub(super) struct Change<'a> {
    pub job: Job,
    pub now: Timestamp,
    pub policy: &'a Policy,
    before: (Status, u32),
    /// The number and the name of the step whose failure is being reported; 0 for none.
    pub failing: Option<(u8, String)>,
    effects: Vec<Effect>,
    live: Vec<Live>,
}

impl<'a> Change<'a> {
    pub fn of(job: &Job, now: Timestamp, policy: &'a Policy) -> Self {
        let before = (job.status, job.attempt);
        Self { before, failing: None, job: job.clone(), now, policy, effects: Vec::new(), live: Vec::new() }
    }

    pub fn ignore(self, reason: Ignored) -> Decision {
        Decision::Ignore(reason)
    }

    pub fn reject(self, reason: Rejected) -> Decision {
        Decision::Reject(reason)
    }

    pub fn then(&mut self, effect: impl Into<Effect>) {
        self.effects.push(effect.into());
    }

    /// Lets viewers see something.
    pub fn live(&mut self, event: Live) {
        self.live.push(event);
    }

    /// Sends an event to its receivers; those of a video get fewer events, of their own kinds.
    pub fn notify(&mut self, event: OutboundEvent) {
        let (event, to) = match self.job.dialect {
            Dialect::StreamGank => (Some(event), Recipients::Subscribers),
            Dialect::VidBuilder => (event.of_video(), Recipients::SubscribersAndCallback),
        };
        if let Some(event) = event {
            self.then(Effect::Notify { event, to: Some(to) });
        }
    }

    pub fn log(&mut self, event_type: &str, level: LogLevel, message: impl Into<String>) {
        self.log_with(event_type, level, message, Value::Null);
    }

    pub fn log_with(&mut self, event_type: &str, level: LogLevel, message: impl Into<String>, details: Value) {
        self.then(Effect::Log { event_type: event_type.to_owned(), level, message: message.into(), details });
    }

    /// Raises the progress; within an attempt it never falls.
    pub fn progress(&mut self, percent: u8) {
        self.job.progress = self.job.progress.max(percent.min(100));
    }

    /// The progress that `done` of the seven steps stand for.
    pub fn steps_done(done: u8) -> u8 {
        (f64::from(done.min(7)) / 7.0 * STEPS_SHARE).round() as u8
    }

    pub fn show(&mut self, text: impl Into<String>) {
        self.job.current_step = text.into();
    }

    /// A run is under way: the first sign of life starts it.
    pub fn begin_run(&mut self) {
        if self.job.status == Status::Pending {
            self.job.status = Status::Processing;
            self.job.started_at = Some(self.now);
            self.job.retry_after = None;
            self.show("Processing");
            self.log("job_started", LogLevel::Info, "Job processing started");
        }
    }

    /// The worker has done its part: the watch over the render begins.
    pub fn begin_rendering(&mut self) {
        if self.job.status == Status::Rendering {
            return;
        }
        self.begin_run();
        self.show(shown::RENDERING);
        self.job.status = Status::Rendering;
        let first = self.now.after(self.policy.render_checks[0]);
        let confirming = self.job.render.as_ref().filter(|watch| watch.confirming > 0);
        self.job.render = Some(RenderWatch {
            since: Some(self.now),
            checks: 0,
            confirming: confirming.map_or(0, |watch| watch.confirming),
            next_at: confirming.map_or(first, |watch| watch.next_at.min(first)),
        });
    }

    /// Keeps the render's id; what was reported of another render does not count for it.
    pub fn set_render_id(&mut self, render: &RenderId) {
        if self.job.render_id.as_ref() != Some(render) {
            self.job.render_id = Some(render.clone());
            if let Some(watch) = &mut self.job.render {
                watch.confirming = 0;
            }
            // A watch that only confirmed an end of the other render has nothing left to do.
            if self.job.render.as_ref().is_some_and(|watch| watch.since.is_none()) {
                self.job.render = None;
            }
            self.then(JobEffect::ApplyParked { render: render.clone() });
        }
    }

    /// Done, with a video or for a reason that the event names.
    pub fn complete(&mut self, video_url: Option<String>, shown: &str, event: OutboundEvent) {
        self.job.status = Status::Completed;
        self.job.completed_at = Some(self.now);
        self.job.failed_at = None;
        self.job.error = None;
        if video_url.is_some() {
            self.live(Live::RenderCompleted);
            self.job.video_url = video_url;
            self.job.render_timeout = false;
            self.job.workflow_incomplete = false;
            self.job.paused_after_extraction = false;
        }
        self.progress(100);
        self.show(shown);
        self.log("job_completed", LogLevel::Success, shown);
        self.notify(event);
    }

    /// Failed for good. Clients do not see the render of a failed job, so its log keeps the id.
    pub fn fail(&mut self, error: &str, event: OutboundEvent) {
        self.show_failure(error);
        self.job.status = Status::Failed;
        self.job.failed_at = Some(self.now);
        self.job.error = Some(error.to_owned());
        let render = self.job.render_id.as_ref();
        let details = render.map_or(Value::Null, |render| json!({ "creatomate_id": render.as_str() }));
        self.log_with("job_failed", LogLevel::Error, error, details);
        self.notify(event);
    }

    /// Shows at which step the run failed, and why.
    fn show_failure(&mut self, error: &str) {
        if self.job.dialect == Dialect::VidBuilder {
            return self.show("Failed");
        }
        let under_way = if self.job.status == Status::Rendering { 7 } else { self.job.current_step_number.min(7) };
        let (number, name) = self.failing.take().unwrap_or_else(|| (under_way, step_name(under_way).to_owned()));
        self.show(shown::failed((number > 0).then_some((number, name.as_str())), error));
    }

    /// A run has failed: try again if its class and the retries left say so, else end.
    pub fn fail_run(&mut self, error: &str) {
        self.fail_run_of(classify(error), error);
    }

    /// [`Self::fail_run`] where it is known what kind of failure it is.
    pub fn fail_run_of(&mut self, class: FailureClass, error: &str) {
        let retries = self.job.retry_count;
        match class.advice(retries) {
            Advice::Never { reason, solution } => {
                self.job.no_retry_reason = Some(reason.to_owned());
                self.job.suggested_solution = Some(solution.to_owned());
                self.fail(error, OutboundEvent::FailedNoRetry);
            }
            Advice::Retry { delay, limit } if retries < limit.min(self.job.max_retries) => {
                let delay = delay * self.policy.retry_delay_percent / 100;
                self.begin_attempt(delay);
                let seconds = delay.as_secs_f64();
                let (attempt, most) = (self.job.retry_count + 1, self.job.max_retries + 1);
                self.show(shown::retry(attempt, most, class.reason(), seconds));
                self.log_with(
                    "job_log",
                    LogLevel::Warning,
                    format!("Run failed, trying again in {seconds:.0} s: {error}"),
                    json!({ "error": error, "attempt": self.job.attempt - 1 }),
                );
            }
            Advice::Retry { .. } => self.fail(error, OutboundEvent::Failed),
        }
    }

    /// Puts the job back into the queue as a new attempt.
    pub fn begin_attempt(&mut self, delay: Duration) {
        self.release_slot();
        let ready_at = self.now.after(delay);
        let job = &mut self.job;
        job.attempt += 1;
        job.retry_count += 1;
        job.status = Status::Pending;
        job.progress = 0;
        job.current_step_number = 0;
        job.steps.clear();
        job.seen.clear();
        job.last_sequence = None;
        job.render_id = None;
        job.render = None;
        job.drawing = None;
        job.videos.clear();
        if job.dialect == Dialect::StreamGank {
            // What was composed is composed anew.
            job.film = None;
        }
        job.video_url = None;
        job.error = None;
        job.started_at = None;
        job.completed_at = None;
        job.failed_at = None;
        job.cancelled_at = None;
        job.timeout_at = None;
        job.worker_done = false;
        job.worker_id = None;
        job.cancel_url = None;
        job.paused_after_extraction = false;
        job.extracted = None;
        job.workflow_incomplete = false;
        job.render_timeout = false;
        job.no_retry_reason = None;
        job.suggested_solution = None;
        job.retry_after = (delay > Duration::ZERO).then_some(ready_at);
        job.start.ready_at = ready_at;
        job.start.since = Some(self.now);
        job.start.hint_at = ready_at.after(self.policy.hint_grace);
        job.start.failures = 0;
        self.show(WAITING);
        self.then(Effect::Start { delay_s: whole_seconds(delay) });
    }

    /// Gives the slot back, if the job holds one.
    pub fn release_slot(&mut self) {
        if let Some(claim) = self.job.start.claim.take() {
            self.then(Effect::FreeSlot { slot: claim.slot });
        }
    }

    /// Tells the worker that its run is not wanted any more, if it wants to hear.
    pub fn stop_worker(&mut self) {
        if let Some(url) = self.job.cancel_url.take() {
            self.then(JobEffect::CancelWorker { attempt: self.job.attempt, url });
        }
    }

    /// The next version: counts, slot, due time and outbox follow from what the job has become.
    pub fn apply(mut self) -> Decision {
        match self.job.status {
            Status::Pending | Status::Processing => {}
            Status::Rendering => self.release_slot(),
            Status::Completed | Status::Failed | Status::Cancelled => {
                self.release_slot();
                let confirming = awaits_video(&self.job) && self.job.deleted_at.is_none();
                self.job.render = self.job.render.take().filter(|watch| confirming && watch.confirming > 0);
                self.job.retry_after = None;
                self.job.drawing = None;
            }
        }
        self.count();
        self.count_log();
        self.job.version += 1;
        self.show_live();
        self.job.updated_at = self.now;
        self.job.due_at = due_at(&self.job, self.policy);
        for (index, effect) in self.effects.iter().enumerate() {
            if let Effect::Notify { event, .. } = effect {
                let id = EventId::of(&self.job.id, self.job.version, index);
                self.job.emitted.push(Emitted { id, event: *event, version: self.job.version, at: self.now });
            }
        }
        let extra = self.job.emitted.len().saturating_sub(EMITTED);
        self.job.emitted.drain(..extra);
        self.job.outbox = self.effects;
        Decision::Apply(Box::new(self.job))
    }

    /// Viewers see each change of status; one that a render's end tells already is not told again.
    fn show_live(&mut self) {
        if self.job.deleted_at.is_some() {
            return;
        }
        let already_shown = self.live.iter().any(|event| matches!(event, Live::RenderCompleted | Live::RenderFailed));
        if self.before != (self.job.status, self.job.attempt) && !already_shown {
            self.live.push(Live::Job);
        }
        if !self.live.is_empty() {
            let after = std::mem::replace(&mut self.job.live_version, self.job.version);
            let events = std::mem::take(&mut self.live);
            self.then(Effect::Live { events, after });
        }
    }

    fn count(&mut self) {
        let (before, after) = (self.before.0, self.job.status);
        let day = self.job.created_at.day();
        let deleted = self.job.deleted_at.is_some();
        if before.is_final() && (before != after || deleted) {
            self.then(Effect::Count { status: before, day: day.clone(), entered: false });
        }
        if after.is_final() && before != after && !deleted {
            self.then(Effect::Count { status: after, day, entered: true });
        }
    }

    /// Lines are counted together with the job's end, so that no line costs a write of its own.
    fn count_log(&mut self) {
        for effect in &self.effects {
            if let Effect::Log { level, message, details, .. } = effect {
                let facts = if details.is_null() { 0 } else { details.to_string().len() };
                self.job.log.add(*level, message.len() + facts);
            }
        }
        if !self.job.status.is_final() {
            return;
        }
        let there = if self.job.deleted_at.is_some() { LogTally::default() } else { self.job.log };
        let log = there - std::mem::replace(&mut self.job.log_counted, there);
        if !log.is_empty() {
            self.then(Effect::CountLog { day: self.job.created_at.day(), log });
        }
    }
}

/// The time by which something has to happen; none when nothing has to.
fn due_at(job: &Job, policy: &Policy) -> Option<Timestamp> {
    let watched = job.render.as_ref().map(|watch| watch.next_at);
    let drawing = job.drawing.as_ref().and_then(Drawing::due_at);
    match job.status {
        Status::Pending => Some(job.start.claim.as_ref().map_or(job.start.hint_at, |claim| claim.lease_until)),
        Status::Processing => {
            let timeout = job.started_at.unwrap_or(job.updated_at).after(policy.processing_timeout);
            // Who draws here watches no render.
            drawing.or(watched).into_iter().chain([timeout]).min()
        }
        Status::Rendering if job.drawing.is_some() => {
            let timeout = job.started_at.unwrap_or(job.updated_at).after(policy.processing_timeout);
            Some(drawing.map_or(timeout, |drawing| drawing.min(timeout)))
        }
        Status::Rendering => Some(watched.unwrap_or(job.updated_at)),
        // Only while a success that was reported after a render timeout is being confirmed.
        Status::Completed | Status::Failed | Status::Cancelled => watched,
    }
}

/// Completed by a render timeout, still without its video.
pub(super) fn awaits_video(job: &Job) -> bool {
    job.status == Status::Completed && job.render_timeout && job.video_url.is_none()
}

/// Seconds for a delayed message: rounded up, at most what SQS takes.
pub(super) fn whole_seconds(delay: Duration) -> u32 {
    u32::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).min(900)
}
