//! From a job's outbox to rows and messages: everything has an id that follows from the version, so a replay changes nothing.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use reelhook_domain::{Delivery, Effect, EventGroup, EventId, Job, JobId, LogTally, OutboundEvent, Status, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::ClockAndRandom;
use crate::jobs::admission::AdmissionStore;
use crate::outbox::messages::{Delayed, DeliveryMessage, Hints, PieceMessage, WorkMessage};
use crate::retry::Retry;
use crate::store::{Saved, StoreError};
use crate::views::{streamgank, webhook_data};
use crate::webhooks::endpoints::callback;
use crate::webhooks::notify::{EventStore, WRITES_AT_ONCE, delivery_of, hint};
use crate::webhooks::subscriptions::Subscriptions;

/// Attempts to release slots, before the batch is retried.
const ATTEMPTS: u32 = 20;

/// A row of a job's history: a line of its log, what viewers saw, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    /// Whose.
    pub job_id: JobId,
    /// In which version.
    pub version: u64,
    /// Its place in the outbox.
    pub index: usize,
    /// When.
    pub at: Timestamp,
    /// The line as the dialect shows it.
    pub line: Option<Value>,
    /// What viewers saw in this version.
    pub live: Option<LiveRow>,
}

/// What viewers of a job saw in one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveRow {
    /// The version before that they saw something of; 0 for none.
    pub after: u64,
    /// The events as the dialect shows them.
    pub events: Vec<Value>,
}

/// What happened, written once per event; deliveries point to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// `<job>.<version>.<n>`.
    pub id: EventId,
    /// Its kind.
    pub event: OutboundEvent,
    /// Whose.
    pub job_id: JobId,
    /// When.
    pub at: Timestamp,
    /// The `data` member.
    pub data: Value,
    /// A client's own URL that is told too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
}

/// A client's own URL that is told of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// http or https.
    pub url: String,
    /// The event before, which nobody needs to be told of any more once this one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<EventId>,
}

/// What a change does to the counters, counted once per id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountStep {
    /// The effect's id.
    pub id: EventId,
    /// The day that the job was made on.
    pub day: String,
    /// A final state that the job entered (true) or left.
    pub status: Option<(Status, bool)>,
    /// What came to the lines of logs.
    pub log: LogTally,
}

/// Where effects become rows.
#[async_trait]
pub trait FanoutStore: EventStore + AdmissionStore {
    /// Writes log rows, in as few calls as fit; one answer for each, in order. Writing one again writes the same.
    async fn put_logs(&self, rows: &[LogRow]) -> Vec<Result<(), StoreError>>;

    /// Removes a deleted job's history; nothing is left to remove the second time.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove_logs(&self, job: &JobId) -> Result<(), StoreError>;

    /// Counts a step unless it was counted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn count(&self, step: &CountStep) -> Result<(), StoreError>;
}

/// What one version of a job wants done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Rows of the job's history.
    pub logs: Vec<LogRow>,
    /// Events that some endpoint wants.
    pub events: Vec<EventRow>,
    /// Their deliveries.
    pub deliveries: Vec<Delivery>,
    /// Counter steps.
    pub counts: Vec<CountStep>,
    /// Slots to give back.
    pub slots: Vec<String>,
    /// Hints for the worker function.
    pub work: Vec<Delayed<WorkMessage>>,
    /// Hints for renderers.
    pub pieces: Vec<Delayed<PieceMessage>>,
    /// Files that go.
    pub removed: Vec<String>,
    /// A deleted job, whose log and files go.
    pub purge: Option<JobId>,
}

/// Whether somebody may have to be told of a version, so that its plan needs to know whom.
pub fn notifies(job: &Job) -> bool {
    job.outbox.iter().any(|effect| matches!(effect, Effect::Notify { .. }))
}

/// Plans a version's effects; pure, so that a replay plans the same.
pub fn plan(job: &Job, subscriptions: &Subscriptions, grace: Duration) -> Plan {
    let mut plan = Plan::default();
    let at = job.updated_at;
    for (index, effect) in job.outbox.iter().enumerate() {
        match effect {
            Effect::Start { delay_s } => {
                plan.work.push(Delayed { message: WorkMessage::Start, delay_s: *delay_s });
            }
            Effect::FreeSlot { slot } => {
                plan.slots.push(slot.clone());
                plan.work.push(Delayed::now(WorkMessage::Start));
            }
            Effect::Notify { event } => {
                let id = EventId::of(&job.id, job.version, index);
                plan_event(&mut plan, job, id, *event, at, subscriptions, grace);
            }
            Effect::Log { event_type, level, message, details } => plan.logs.push(LogRow {
                job_id: job.id.clone(),
                version: job.version,
                index,
                at,
                line: Some(streamgank::log_line(job, event_type, *level, message, details, at)),
                live: None,
            }),
            Effect::Live { events, after } => {
                let events = events.iter().map(|event| streamgank::live_event(job, event, at)).collect();
                show_live(&mut plan, job, index, LiveRow { after: *after, events });
            }
            Effect::Draw { hints, delay_s } => {
                let message = PieceMessage::Draw { job_id: job.id.clone(), attempt: job.attempt };
                let hint = Delayed { message, delay_s: *delay_s };
                plan.pieces.extend(std::iter::repeat_n(hint, usize::try_from(*hints).unwrap_or(1)));
            }
            Effect::RemoveFiles { keys } => plan.removed.extend(keys.iter().cloned()),
            Effect::Purge => plan.purge = Some(job.id.clone()),
            Effect::Count { status, day, entered } => plan.counts.push(CountStep {
                id: EventId::of(&job.id, job.version, index),
                day: day.clone(),
                status: Some((*status, *entered)),
                log: LogTally::default(),
            }),
            // With the job's own count, which costs nothing more.
            Effect::CountLog { day, log } => match plan.counts.last_mut() {
                Some(step) => step.log = *log,
                None => plan.counts.push(CountStep {
                    id: EventId::of(&job.id, job.version, index),
                    day: day.clone(),
                    status: None,
                    log: *log,
                }),
            },
            Effect::CheckRender { render, check, delay_s } => plan.work.push(Delayed {
                message: WorkMessage::CheckRender { job_id: job.id.clone(), render: render.clone(), check: *check },
                delay_s: *delay_s,
            }),
            Effect::ApplyParked { render } => plan
                .work
                .push(Delayed::now(WorkMessage::ApplyParked { job_id: job.id.clone(), render: render.clone() })),
            Effect::CancelWorker { attempt, url } => plan.work.push(Delayed::now(WorkMessage::CancelWorker {
                job_id: job.id.clone(),
                attempt: *attempt,
                url: url.clone(),
            })),
        }
    }
    plan
}

/// What viewers saw goes with the version's first log line, which costs nothing more, or has a row of its own.
fn show_live(plan: &mut Plan, job: &Job, index: usize, live: LiveRow) {
    match plan.logs.first_mut() {
        Some(row) => row.live = Some(live),
        None => plan.logs.push(LogRow {
            job_id: job.id.clone(),
            version: job.version,
            index,
            at: job.updated_at,
            line: None,
            live: Some(live),
        }),
    }
}

/// Plans one event for every endpoint that wants it.
pub(crate) fn plan_event(
    plan: &mut Plan,
    job: &Job,
    id: EventId,
    event: OutboundEvent,
    at: Timestamp,
    subscriptions: &Subscriptions,
    grace: Duration,
) {
    let callback = job.callback.as_deref().filter(|_| event.group() == EventGroup::Video);
    let own = callback.map(callback::subscriber);
    let mut wanted = subscriptions.of(event, at).chain(&own).peekable();
    if wanted.peek().is_none() {
        return;
    }
    let data = webhook_data(job, event, at);
    let callback = callback.map(|url| Callback { url: url.to_owned(), supersedes: superseded(job, event) });
    let row = EventRow { id, event, job_id: job.id.clone(), at, data, callback };
    plan.deliveries.extend(wanted.map(|to| delivery_of(&row, to, grace, job.traceparent.as_deref())));
    plan.events.push(row);
}

/// That a video was started is no news any more once it has ended.
fn superseded(job: &Job, event: OutboundEvent) -> Option<EventId> {
    let ended = matches!(event, OutboundEvent::VideoCompleted | OutboundEvent::VideoFailed);
    let started = job.emitted.iter().find(|emitted| emitted.event == OutboundEvent::VideoStarted);
    started.filter(|_| ended).map(|emitted| emitted.id.clone())
}

/// Files that belong to jobs.
#[async_trait]
pub trait FileStore: Send + Sync {
    /// Removes everything below these prefixes.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove(&self, prefixes: &[String]) -> Result<(), StoreError>;
}

/// Where the files of a job are.
pub fn files_of(job: &JobId) -> [String; 3] {
    [format!("details/{job}/"), format!("logs/{job}/"), format!("films/{job}/")]
}

/// What fanout needs.
pub struct FanoutPorts<'a> {
    /// Jobs' files.
    pub files: &'a dyn FileStore,
    /// Rows and counters.
    pub store: &'a dyn FanoutStore,
    /// The Work queue.
    pub work: &'a dyn Hints<WorkMessage>,
    /// The Render queue.
    pub pieces: &'a dyn Hints<PieceMessage>,
    /// The Deliveries queue.
    pub deliveries: &'a dyn Hints<DeliveryMessage>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
}

/// The first plan that could not be worked off, and why; those before it are done.
#[derive(Debug, thiserror::Error)]
#[error("effects of record {index} could not be worked off")]
pub struct FanoutError {
    /// Its place.
    pub index: usize,
    /// The cause.
    #[source]
    pub source: StoreError,
}

/// Works plans off, rows before messages, and stops before the first that fails.
///
/// # Errors
/// [`Stopped`]: that plan and all after it have to run again, which does no harm.
pub async fn apply_plans(ports: &FanoutPorts<'_>, plans: &[Plan]) -> Result<(), FanoutError> {
    let mut progress = Progress { until: plans.len(), failure: None };
    let logs = owned(&plans[..progress.until], |plan| plan.logs.clone());
    if !logs.1.is_empty() {
        progress.note(&logs.0, ports.store.put_logs(&logs.1).await);
    }

    let events = each(&plans[..progress.until], |plan| &plan.events);
    let writes = events.map(|(index, event)| async move { (index, ports.store.put_event(event).await) });
    progress.note_each(futures_util::stream::iter(writes).buffered(WRITES_AT_ONCE).collect().await);

    let deliveries = each(&plans[..progress.until], |plan| &plan.deliveries);
    let writes = deliveries.map(|(index, delivery)| async move { (index, ports.store.put_delivery(delivery).await) });
    progress.note_each(futures_util::stream::iter(writes).buffered(WRITES_AT_ONCE).collect().await);
    log_events(&plans[..progress.until]);

    for (index, step) in each(&plans[..progress.until], |plan| &plan.counts) {
        progress.note(&[index], vec![ports.store.count(step).await]);
    }

    let slots: Vec<&str> = plans[..progress.until].iter().flat_map(|plan| &plan.slots).map(String::as_str).collect();
    if let Some(first) = plans[..progress.until].iter().position(|plan| !plan.slots.is_empty()) {
        progress.note(&[first], vec![free_slots(ports, &slots).await]);
    }

    for (index, plan) in plans[..progress.until].iter().enumerate() {
        if !plan.removed.is_empty() {
            progress.note(&[index], vec![ports.files.remove(&plan.removed).await]);
        }
        if let Some(job) = &plan.purge {
            progress.note(&[index], vec![purge(ports, job).await]);
        }
    }

    let work = owned(&plans[..progress.until], |plan| merged(&plan.work));
    if !work.1.is_empty() {
        progress.note(&work.0, ports.work.send(work.1).await);
    }
    let pieces = owned(&plans[..progress.until], |plan| plan.pieces.clone());
    if !pieces.1.is_empty() {
        progress.note(&pieces.0, ports.pieces.send(pieces.1).await);
    }
    let hints = owned(&plans[..progress.until], |plan| plan.deliveries.iter().map(hint).collect());
    if !hints.1.is_empty() {
        progress.note(&hints.0, ports.deliveries.send(hints.1).await);
    }
    progress.end()
}

/// The sentence of seed 001, with the ids that lead from the job to its deliveries.
fn log_events(plans: &[Plan]) {
    for plan in plans {
        for event in &plan.events {
            let of_event = plan.deliveries.iter().filter(|delivery| delivery.event_id == event.id);
            let deliveries: Vec<String> = of_event.map(|delivery| delivery.id.to_string()).collect();
            tracing::info!(job_id = %event.job_id, event_id = %event.id, delivery_ids = deliveries.join(" "),
                "Sending webhook notifications for event: {} to {} endpoints", event.event.name(), deliveries.len());
        }
    }
}

/// The parts of all plans with the place of the plan that each belongs to.
fn each<'a, T: 'a>(plans: &'a [Plan], part: impl Fn(&'a Plan) -> &'a Vec<T>) -> impl Iterator<Item = (usize, &'a T)> {
    plans.iter().enumerate().flat_map(move |(index, plan)| part(plan).iter().map(move |item| (index, item)))
}

/// Like [`each`], as two lists for a call that takes all parts at once.
fn owned<T>(plans: &[Plan], part: impl Fn(&Plan) -> Vec<T>) -> (Vec<usize>, Vec<T>) {
    plans.iter().enumerate().flat_map(|(index, plan)| part(plan).into_iter().map(move |item| (index, item))).unzip()
}

/// Hints of one plan, without saying the same thing twice.
fn merged(work: &[Delayed<WorkMessage>]) -> Vec<Delayed<WorkMessage>> {
    let mut merged: Vec<Delayed<WorkMessage>> = Vec::with_capacity(work.len());
    for message in work {
        if !merged.contains(message) {
            merged.push(message.clone());
        }
    }
    merged
}

async fn purge(ports: &FanoutPorts<'_>, job: &JobId) -> Result<(), StoreError> {
    ports.store.remove_logs(job).await?;
    ports.files.remove(&files_of(job)).await
}

/// Gives slots back; those that are not held any more are passed over.
async fn free_slots(ports: &FanoutPorts<'_>, slots: &[&str]) -> Result<(), StoreError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let admission = ports.store.admission().await?;
        let Some(next) = admission.free(slots) else { return Ok(()) };
        if ports.store.save_admission(&next).await? == Saved::Done {
            return Ok(());
        }
    }
    Err(StoreError::Busy { operation: "free slots", source: "others changed the admission item each time".into() })
}

/// How far a batch has come.
struct Progress {
    until: usize,
    failure: Option<StoreError>,
}

impl Progress {
    fn note(&mut self, owners: &[usize], results: Vec<Result<(), StoreError>>) {
        for (owner, result) in owners.iter().zip(results) {
            if let Err(error) = result
                && *owner < self.until
            {
                self.until = *owner;
                self.failure = Some(error);
            }
        }
    }

    fn note_each(&mut self, results: Vec<(usize, Result<(), StoreError>)>) {
        for (owner, result) in results {
            self.note(&[owner], vec![result]);
        }
    }

    fn end(self) -> Result<(), FanoutError> {
        match self.failure {
            Some(source) => Err(FanoutError { index: self.until, source }),
            None => Ok(()),
        }
    }
}
