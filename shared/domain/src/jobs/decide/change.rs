//! A job on the way to its next version: the changes that several events share, and the end of every change.

use std::time::Duration;

use serde_json::{Value, json};

use crate::jobs::activity::{Activity, Incomplete};
use crate::jobs::job::Job;
use crate::jobs::reasons::{Ignored, Rejected};
use crate::jobs::run::{Engine, ExternalRun, NoRetry};
use crate::jobs::status::Status;
use crate::jobs::task::ExternalTask;
pub(super) use crate::outbox::effect::whole_seconds;
use crate::pieces::Pieces;
use crate::{
    Advice, Decision, Effect, Emitted, FailureClass, JobEffect, Live, LogEvent, LogLevel, LogTally, OutboundEvent,
    Policy, RenderId, Timestamp, classify,
};

/// The progress after all seven steps of the worker, in percent.
const STEPS_SHARE: f64 = 85.0;

/// A job that is being changed.
pub(super) struct Change<'a> {
    pub job: Job,
    pub now: Timestamp,
    pub policy: &'a Policy,
    before: (Status, u32),
    /// The reported failed step and the worker's name for it; 0 for none.
    pub failing: Option<(u8, Option<String>)>,
    effects: Vec<Effect>,
    live: Vec<Live>,
}

impl<'a> Change<'a> {
    pub fn of(job: &Job, now: Timestamp, policy: &'a Policy) -> Self {
        let before = (job.status, job.run.attempt);
        let mut job = job.clone();
        job.advance_history();
        Self { before, failing: None, job, now, policy, effects: Vec::new(), live: Vec::new() }
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

    /// Sends viewers a live event.
    pub fn live(&mut self, event: Live) {
        self.live.push(event);
    }

    /// Notifies subscribers, by the webhook event of this kind of job.
    pub fn notify(&mut self, event: OutboundEvent) {
        if let Some(event) = self.job.kind.webhook_event(event) {
            self.then(Effect::Notify { event, to: Some(self.job.kind.recipients()), about: None });
        }
    }

    pub fn log(&mut self, event: LogEvent, level: LogLevel, message: impl Into<String>) {
        self.log_with(event, level, message, Value::Null);
    }

    pub fn log_with(&mut self, event: LogEvent, level: LogLevel, message: impl Into<String>, details: Value) {
        self.then(Effect::Log { event, level, message: message.into(), details });
    }

    /// Raises the progress; within a run it never falls.
    pub fn progress(&mut self, percent: u8) {
        self.job.run.progress = self.job.run.progress.max(percent.min(100));
    }

    /// The progress that `done` of the seven steps stand for.
    pub fn steps_done(done: u8) -> u8 {
        (f64::from(done.min(7)) / 7.0 * STEPS_SHARE).round() as u8
    }

    /// The caption of an activity for this kind of job.
    pub fn caption(&self, activity: &Activity<'_>) -> String {
        (self.policy.captions.caption)(self.job.kind, activity)
    }

    /// Shows an activity as the caption of the run.
    pub fn show(&mut self, activity: &Activity<'_>) {
        self.job.run.caption = self.caption(activity);
        // What the service last said is no longer what people see.
        if let Some(task) = self.render_mut() {
            task.status = None;
        }
    }

    /// Starts the run, unless it has started.
    pub fn begin_run(&mut self) {
        if self.job.status == Status::Pending {
            self.job.status = Status::Processing;
            self.job.run.times.started_at = Some(self.now);
            self.job.run.retry_after = None;
            self.show(&Activity::Processing);
            self.log(LogEvent::Started, LogLevel::Info, "Job processing started");
        }
    }

    /// The worker has done its part: the render is polled from now on.
    pub fn begin_rendering(&mut self) {
        if self.job.status == Status::Rendering {
            return;
        }
        self.begin_run();
        self.show(&Activity::AwaitingRender);
        self.job.status = Status::Rendering;
        let (now, policy) = (self.now, self.policy);
        if let Some(render) = self.render_mut() {
            render.begin_polls(now, &policy.render_checks);
        }
    }

    /// The external run, if there is one.
    pub fn external_mut(&mut self) -> Option<&mut ExternalRun> {
        self.job.run.engine.external_mut()
    }

    /// The render at an outside service, if there is one.
    pub fn render_mut(&mut self) -> Option<&mut ExternalTask> {
        self.external_mut()?.render.as_mut()
    }

    /// Records the id of the render. A reported end of another render does not count for this one.
    pub fn set_render_id(&mut self, render: &RenderId) {
        let Some(external) = self.external_mut() else { return };
        match &mut external.render {
            None => external.render = Some(ExternalTask::new(Default::default(), render.clone())),
            Some(task) if task.id != *render => {
                task.id = render.clone();
                task.forget_confirmation();
            }
            Some(_) => {}
        }
    }

    /// Whether the external worker still works on the run.
    pub fn worker_is_busy(&self) -> bool {
        self.job.run.engine.external().is_some_and(|external| !external.worker.done)
    }

    /// Completes the run with this video.
    pub fn complete(&mut self, video_url: String) {
        self.live(Live::RenderCompleted);
        self.job.run.video_url = Some(video_url);
        self.job.run.incomplete = None;
        self.end_completed(&Activity::Completed, OutboundEvent::Completed);
    }

    /// Completes the run without a video, for this reason.
    pub fn complete_without_video(&mut self, why: Incomplete, event: OutboundEvent) {
        self.job.run.incomplete = Some(why);
        self.end_completed(&Activity::Incomplete(why), event);
    }

    /// Completes the run: the part that all completions share.
    pub fn end_completed(&mut self, activity: &Activity<'_>, event: OutboundEvent) {
        self.job.status = Status::Completed;
        self.job.run.times.completed_at = Some(self.now);
        self.job.run.times.failed_at = None;
        self.job.run.error = None;
        self.progress(100);
        self.show(activity);
        let caption = self.job.run.caption.clone();
        self.log(LogEvent::Completed, LogLevel::Success, caption);
        self.notify(event);
    }

    /// Fails the job for good. Its log keeps the id of its render, which clients do not see otherwise.
    pub fn fail(&mut self, error: &str, event: OutboundEvent) {
        self.show_failure(error);
        self.job.status = Status::Failed;
        self.job.run.times.failed_at = Some(self.now);
        self.job.run.error = Some(error.to_owned());
        let render = self.job.render_id();
        let details = render.map_or(Value::Null, |render| json!({ "render_id": render.as_str() }));
        self.log_with(LogEvent::Failed, LogLevel::Error, error, details);
        self.notify(event);
    }

    /// Shows the step at which the run failed, and the reason.
    fn show_failure(&mut self, error: &str) {
        let under_way = match self.job.status {
            Status::Rendering => 7,
            Status::Pending | Status::Processing | Status::Completed | Status::Failed | Status::Cancelled => {
                self.job.run.engine.steps().map_or(0, |steps| steps.current.min(7))
            }
        };
        let (number, name) = self.failing.take().unwrap_or((under_way, None));
        let step = (number > 0).then_some((number, name.as_deref()));
        self.show(&Activity::Failed { step, error });
    }

    /// Retries a failed run if its class of failure and the remaining retries allow it; otherwise fails the job.
    pub fn fail_run(&mut self, error: &str) {
        self.fail_run_of(classify(error), error);
    }

    /// Like [`Self::fail_run`], for a known class of failure.
    pub fn fail_run_of(&mut self, class: FailureClass, error: &str) {
        let retries = self.job.retries;
        match class.advice(retries.used) {
            Advice::Never { reason, solution } => {
                self.job.run.no_retry = Some(NoRetry { reason: reason.to_owned(), solution: solution.to_owned() });
                self.fail(error, OutboundEvent::FailedNoRetry);
            }
            Advice::Retry { delay, limit } if retries.used < limit.min(retries.max) => {
                let delay = delay * self.policy.retry_delay_percent / 100;
                self.begin_next_run(delay);
                let (attempt, of) = (self.job.retries.used + 1, retries.max + 1);
                self.show(&Activity::RetryScheduled { attempt, of, reason: class.reason(), delay });
                self.log_with(
                    LogEvent::Note,
                    LogLevel::Warning,
                    format!("Run failed, trying again in {:.0} s: {error}", delay.as_secs_f64()),
                    json!({ "error": error, "attempt": self.job.run.attempt - 1 }),
                );
            }
            Advice::Retry { .. } => self.fail(error, OutboundEvent::Failed),
        }
    }

    /// Queues the job again with a new run.
    pub fn begin_next_run(&mut self, delay: Duration) {
        self.release_slot();
        let caption = self.caption(&Activity::Waiting);
        self.job.run = self.job.run.next(delay, caption, self.now, self.policy);
        self.job.status = Status::Pending;
        self.job.retries.used += 1;
        self.then(Effect::Start { delay_s: whole_seconds(delay) });
    }

    /// Releases the slot, if the job holds one.
    pub fn release_slot(&mut self) {
        if let Some(claim) = self.job.run.start.claim.take() {
            self.then(Effect::FreeSlot { slot: claim.slot });
        }
    }

    /// Cancels the run at the external worker, if the worker named a URL for that.
    pub fn stop_worker(&mut self) {
        let attempt = self.job.run.attempt;
        if let Some(url) = self.external_mut().and_then(|external| external.worker.cancel_url.take()) {
            self.then(JobEffect::CancelWorker { attempt, url });
        }
    }

    /// Ends the change: version, counters, slot, due time and outbox follow from the new state of the job.
    pub fn apply(mut self) -> Decision {
        match self.job.status {
            Status::Pending | Status::Processing => {}
            Status::Rendering => self.release_slot(),
            Status::Completed | Status::Failed | Status::Cancelled => {
                self.release_slot();
                self.stop_timers();
            }
        }
        self.count();
        self.count_log();
        self.job.version += 1;
        self.show_live();
        self.job.updated_at = self.now;
        self.job.due_at = due_at(&self.job, self.policy);
        let (id, version) = (&self.job.id, self.job.version);
        Emitted::record(&mut self.job.emitted, &self.effects, id, version, self.now);
        self.job.outbox = self.effects;
        if self.job.packs() {
            self.job.outbox.push(Effect::PackHistory);
        }
        Decision::Apply(Box::new(self.job))
    }

    /// Removes what would make an ended run due, except for the confirmation of a late success.
    fn stop_timers(&mut self) {
        let confirming = self.job.awaits_video() && self.job.deleted_at.is_none();
        self.job.run.retry_after = None;
        match &mut self.job.run.engine {
            Engine::External(external) => {
                if let Some(task) = external.render.as_mut().filter(|task| !confirming || !task.is_confirming()) {
                    task.polls = None;
                }
            }
            Engine::Pieces(run) => run.pieces = None,
        }
    }

    /// Sends viewers each change of the status, unless the live event of a render's end already shows it.
    fn show_live(&mut self) {
        if self.job.deleted_at.is_some() {
            return;
        }
        let already_shown = self.live.iter().any(|event| matches!(event, Live::RenderCompleted | Live::RenderFailed));
        if self.before != (self.job.status, self.job.run.attempt) && !already_shown {
            self.live.push(Live::Job);
        }
        if !self.live.is_empty() {
            let after = std::mem::replace(&mut self.job.ledger.live_version, self.job.version);
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

    /// Counts log lines when the job ends, so that no line needs a write of its own.
    fn count_log(&mut self) {
        for effect in &self.effects {
            if let Effect::Log { level, message, details, .. } = effect {
                let facts = if details.is_null() { 0 } else { details.to_string().len() };
                self.job.ledger.log.add(*level, message.len() + facts);
            }
        }
        if !self.job.status.is_final() {
            return;
        }
        let present = if self.job.deleted_at.is_some() { LogTally::default() } else { self.job.ledger.log };
        let log = present - std::mem::replace(&mut self.job.ledger.counted, present);
        if !log.is_empty() {
            self.then(Effect::CountLog { day: self.job.created_at.day(), log });
        }
    }
}

/// The time at which the job is due; none if it has no timer. It may be early, and never late: a claim leaves it where it
/// was, so that the claim moves no entry of an index.
fn due_at(job: &Job, policy: &Policy) -> Option<Timestamp> {
    let run = &job.run;
    let timeout = run.times.started_at.unwrap_or(job.updated_at).after(policy.processing_timeout);
    let polled = run.engine.render().and_then(|task| task.polls.as_ref()).map(|polls| polls.next_at);
    match job.status {
        Status::Pending => {
            run.start.claim.as_ref().map(|claim| claim.lease_until).into_iter().chain([run.start.hint_at]).min()
        }
        Status::Processing | Status::Rendering => match &run.engine {
            Engine::Pieces(pieces) => {
                pieces.pieces.as_ref().and_then(Pieces::due_at).into_iter().chain([timeout]).min()
            }
            Engine::External(_) if job.status == Status::Processing => polled.into_iter().chain([timeout]).min(),
            Engine::External(_) => Some(polled.unwrap_or(job.updated_at)),
        },
        // Only while a success that was reported after a render timeout is being confirmed.
        Status::Completed | Status::Failed | Status::Cancelled => polled,
    }
}
