//! One run of a job: its steps over time, their callbacks, and how the scenario changes them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::job::JobRequest;
use super::steps::{self, Callback, Step, Timing};
use crate::bounded_log::now_ms;
use crate::calls::{CallOutcome, Caller};
use crate::creatomate::Creatomate;
use crate::scenario::{Scenario, Shuffle, Vanish};

/// What all runs share.
#[derive(Clone)]
pub(crate) struct RunContext {
    pub caller: Caller,
    pub creatomate: Arc<Creatomate>,
    pub creatomate_url: String,
    pub creatomate_key: Arc<str>,
    /// Default duration of a step.
    pub step_ms: u64,
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Running,
    Completed,
    Failed,
    /// Ended after the extraction, as requested.
    Paused,
    /// Stopped sending callbacks before the end.
    Stalled,
    /// Never sent a callback.
    Vanished,
    Cancelled,
}

/// A callback that was sent, and its outcome.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SentCallback {
    at_ms: u64,
    step_number: u8,
    status: &'static str,
    sequence: u64,
    kind: CallbackKind,
    #[serde(flatten)]
    outcome: CallOutcome,
}

/// Why a callback was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum CallbackKind {
    Step,
    Repeat,
    Late,
    Garbage,
}

#[derive(Debug)]
struct Progress {
    phase: Phase,
    creatomate_id: Option<String>,
    callbacks: Vec<SentCallback>,
    cancels: Vec<Value>,
}

/// The run of a job that was accepted with one Idempotency-Key.
pub(crate) struct Run {
    pub job: JobRequest,
    pub scenario: Scenario,
    pub worker_id: String,
    pub cancel_url: String,
    progress: Mutex<Progress>,
    cancelled: watch::Sender<bool>,
}

impl Run {
    pub(crate) fn new(job: JobRequest, scenario: Scenario, worker_id: String, cancel_url: String) -> Self {
        Self {
            job,
            scenario,
            worker_id,
            cancel_url,
            progress: Mutex::new(Progress {
                phase: Phase::Running,
                creatomate_id: None,
                callbacks: Vec::new(),
                cancels: Vec::new(),
            }),
            cancelled: watch::Sender::new(false),
        }
    }

    /// Records the request, and ends the run if it has not ended.
    pub(crate) fn cancel(&self, body: Value) {
        let mut progress = self.progress();
        progress.cancels.push(json!({ "at_ms": now_ms(), "body": body }));
        match progress.phase {
            Phase::Running | Phase::Stalled | Phase::Vanished => {
                progress.phase = Phase::Cancelled;
                self.cancelled.send_replace(true);
            }
            Phase::Completed | Phase::Failed | Phase::Paused | Phase::Cancelled => {}
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let progress = self.progress();
        json!({
            "key": format!("{}.{}", self.job.job_id, self.job.attempt),
            "job_id": self.job.job_id,
            "attempt": self.job.attempt,
            "parameters": self.job.parameters,
            "worker_id": self.worker_id,
            "phase": progress.phase,
            "creatomate_id": progress.creatomate_id,
            "callbacks": progress.callbacks,
            "cancels": progress.cancels,
        })
    }

    /// Phase, number of callbacks, and how many of them got a 200.
    pub(crate) fn summary(&self) -> (Phase, usize, usize) {
        let progress = self.progress();
        let is_accepted = |sent: &&SentCallback| sent.outcome.http_status == Some(200);
        let accepted = progress.callbacks.iter().filter(is_accepted).count();
        (progress.phase, progress.callbacks.len(), accepted)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, phase: Phase) {
        let mut progress = self.progress();
        if progress.phase == Phase::Running {
            progress.phase = phase;
        }
    }

    fn title(&self) -> String {
        let or = |name, default: &'static str| match self.job.parameter(name) {
            "" => default.to_owned(),
            text => text.to_owned(),
        };
        format!("{} on {}\nTop 3 in {}", or("genre", "Movies"), or("platform", "screen"), or("country", "the world"))
    }
}

/// Runs the job to its end.
pub(crate) async fn work(run: Arc<Run>, context: RunContext) {
    if run.scenario.vanish == Some(Vanish::After) {
        return run.end(Phase::Vanished);
    }
    let mut sender = CallbackSender {
        url: format!("{}/api/webhooks/step-update", run.job.webhook_base_url),
        shuffle: Shuffle(run.scenario.seed.unwrap_or(1)),
        window: Vec::new(),
        emitted: Vec::new(),
        garbage: 0,
        last_sequence: 0,
        run: run.clone(),
        context,
    };
    let ended = match sender.run_steps().await {
        Ok(()) => Phase::Completed,
        Err(ended) => ended,
    };
    let ended = match sender.finish(ended).await {
        Ok(()) => ended,
        Err(cancelled) => cancelled,
    };
    run.end(ended);
}

/// Sends the callbacks of a run. A method whose run ends early returns the final phase as its error.
struct CallbackSender {
    run: Arc<Run>,
    context: RunContext,
    url: String,
    shuffle: Shuffle,
    window: Vec<Callback>,
    emitted: Vec<Callback>,
    garbage: usize,
    last_sequence: u64,
}

impl CallbackSender {
    async fn run_steps(&mut self) -> Result<(), Phase> {
        let run = self.run.clone();
        let start = Instant::now();
        self.emit(steps::STARTED, "started", None, json!({})).await?;
        self.fail_at(steps::STARTED, start).await?;
        self.stall_at(0)?;
        let mut creatomate_id = None;
        for step in steps::WORK {
            let begun = Instant::now();
            self.emit(step, "started", None, json!({})).await?;
            self.wait_for_step().await?;
            self.fail_at(step, begun).await?;
            if step.number == 7 && !run.scenario.no_render {
                creatomate_id = Some(self.submit_render(step, begun).await?);
            }
            let details = steps::details(step.number, &run.job.job_id, creatomate_id.as_deref());
            self.emit(step, "completed", Some(begun), details).await?;
            self.stall_at(step.number)?;
            if step.number == 1 && self.ends_after_extraction() {
                return Err(Phase::Paused);
            }
        }
        self.fail_at(steps::FAILED, start).await?;
        let details = steps::details(8, &run.job.job_id, creatomate_id.as_deref());
        self.emit(steps::COMPLETED, "completed", Some(start), details).await
    }

    /// Sends the callbacks that remain in the window, and then those that the scenario sends late.
    async fn finish(&mut self, ended: Phase) -> Result<(), Phase> {
        if ended == Phase::Cancelled {
            return Ok(());
        }
        self.flush().await?;
        if ended == Phase::Stalled {
            return Ok(());
        }
        let emitted = std::mem::take(&mut self.emitted);
        for step in self.run.scenario.late.clone() {
            for callback in emitted.iter().filter(|callback| callback.step == step) {
                self.send(callback, CallbackKind::Late).await?;
            }
        }
        Ok(())
    }

    fn ends_after_extraction(&self) -> bool {
        let requested = self.run.job.parameters.get("pauseAfterExtraction");
        let requested = requested.is_some_and(|value| value == true || value == "true");
        self.run.scenario.extraction_only.unwrap_or(requested)
    }

    fn stall_at(&self, step: u8) -> Result<(), Phase> {
        match self.run.scenario.stall {
            Some(last) if last == step => Err(Phase::Stalled),
            _ => Ok(()),
        }
    }

    async fn fail_at(&mut self, step: Step, begun: Instant) -> Result<(), Phase> {
        if self.run.scenario.fail != Some(step.number) {
            return Ok(());
        }
        let default = match step.number {
            8 => "workflow failed".to_owned(),
            _ => format!("{} failed", step.name),
        };
        let error = self.run.scenario.error_or(&default);
        self.emit(step, "failed", Some(begun), json!({ "error": error })).await?;
        Err(Phase::Failed)
    }

    async fn wait_for_step(&self) -> Result<(), Phase> {
        let step_ms = self.run.scenario.step_ms.unwrap_or(self.context.step_ms);
        let mut cancelled = self.run.cancelled.subscribe();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(step_ms)) => Ok(()),
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Phase::Cancelled),
        }
    }

    /// Submits the render; if it is refused, the step fails, as in a real worker.
    async fn submit_render(&mut self, step: Step, begun: Instant) -> Result<String, Phase> {
        let run = self.run.clone();
        let base = &run.job.webhook_base_url;
        let template = run.job.parameter("template");
        let body = json!({
            "template_id": run.scenario.render_template(template),
            "modifications": { "Title": run.title() },
            "webhook_url": format!("{base}/api/webhooks/creatomate"),
            "metadata": run.job.job_id,
        });
        let mut headers = HeaderMap::new();
        let key = format!("Bearer {}", self.context.creatomate_key);
        headers.extend(HeaderValue::from_str(&key).ok().map(|key| (axum::http::header::AUTHORIZATION, key)));
        let url = &self.context.creatomate_url;
        let body = body.to_string().into_bytes();
        let outcome = self.context.caller.post(url, headers, body).await;
        let Some(id) = render_id(&outcome) else {
            let reason = outcome.error.unwrap_or(outcome.answer);
            let error = format!("Creatomate refused the render: {reason}");
            self.emit(step, "failed", Some(begun), json!({ "error": error })).await?;
            return Err(Phase::Failed);
        };
        run.progress().creatomate_id = Some(id.clone());
        if run.scenario.before_id {
            self.context.creatomate.wait_for_webhook(&id).await;
        }
        Ok(id)
    }

    async fn emit(
        &mut self,
        step: Step,
        status: &'static str,
        begun: Option<Instant>,
        details: Value,
    ) -> Result<(), Phase> {
        let now_ms = now_ms();
        self.last_sequence = now_ms.max(self.last_sequence + 1);
        let timing =
            Timing { now_ms, sequence: self.last_sequence, duration: begun.map(|begun| begun.elapsed().as_secs_f64()) };
        let callback = steps::callback(&self.run.job.job_id, step, status, details, &timing);
        self.emitted.push(callback.clone());
        self.window.push(callback);
        if self.window.len() >= self.run.scenario.reorder.unwrap_or(1) {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Phase> {
        let mut window = std::mem::take(&mut self.window);
        self.shuffle.shuffle(&mut window);
        for callback in &window {
            self.send(callback, CallbackKind::Step).await?;
            for _ in 1..self.run.scenario.repeat.unwrap_or(1) {
                self.send(callback, CallbackKind::Repeat).await?;
            }
            if self.run.scenario.garbage {
                let garbage = Callback { body: steps::garbage(self.garbage, &self.run.job.job_id), ..callback.clone() };
                self.garbage += 1;
                self.send(&garbage, CallbackKind::Garbage).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, callback: &Callback, kind: CallbackKind) -> Result<(), Phase> {
        if *self.run.cancelled.borrow() {
            return Err(Phase::Cancelled);
        }
        let at_ms = now_ms();
        let body = callback.body.clone();
        let outcome = self.context.caller.post(&self.url, HeaderMap::new(), body).await;
        self.run.progress().callbacks.push(SentCallback {
            at_ms,
            step_number: callback.step,
            status: callback.status,
            sequence: callback.sequence,
            kind,
            outcome,
        });
        Ok(())
    }
}

fn render_id(outcome: &CallOutcome) -> Option<String> {
    if !outcome.is_success() {
        return None;
    }
    let renders: Value = serde_json::from_str(&outcome.answer).ok()?;
    Some(renders.get(0)?.get("id")?.as_str()?.to_owned())
}
