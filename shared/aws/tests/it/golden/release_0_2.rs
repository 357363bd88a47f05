//! What functions of version 0.2.0 read: its stored forms and messages, as its source had them. Nothing here changes: it is
//! the other side of a deployment from that version.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The kinds of effects that it knows; it waits a quarter of an hour for a newer function when it finds another one.
pub const EFFECTS: [&str; 13] = [
    "start.v1",
    "free_slot.v1",
    "notify.v1",
    "log.v1",
    "count.v1",
    "count_log.v1",
    "check_render.v1",
    "apply_parked.v1",
    "live.v1",
    "draw.v1",
    "remove_files.v1",
    "purge.v1",
    "cancel_worker.v1",
];

/// The webhook events that it knows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum OutboundEvent {
    #[serde(rename = "job.completed")]
    Completed,
    #[serde(rename = "job.failed")]
    Failed,
    #[serde(rename = "job.cancelled")]
    Cancelled,
    #[serde(rename = "job.extraction_completed")]
    ExtractionCompleted,
    #[serde(rename = "job.script_completed")]
    ScriptCompleted,
    #[serde(rename = "job.completed_with_issues")]
    CompletedWithIssues,
    #[serde(rename = "job.failed_no_retry")]
    FailedNoRetry,
    #[serde(rename = "job.timeout")]
    Timeout,
    #[serde(rename = "job.workflow_incomplete")]
    WorkflowIncomplete,
    #[serde(rename = "job.render_timeout")]
    RenderTimeout,
    #[serde(rename = "job.deleted")]
    Deleted,
    #[serde(rename = "video.started")]
    VideoStarted,
    #[serde(rename = "video.completed")]
    VideoCompleted,
    #[serde(rename = "video.failed")]
    VideoFailed,
    #[serde(rename = "endpoint.failing")]
    EndpointFailing,
    #[serde(rename = "endpoint.disabled")]
    EndpointDisabled,
    #[serde(rename = "endpoint.recovered")]
    EndpointRecovered,
    #[serde(rename = "delivery.exhausted")]
    DeliveryExhausted,
    #[serde(rename = "webhook.test")]
    Test,
}

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pending,
    Processing,
    Rendering,
    Completed,
    Failed,
    Cancelled,
}

/// What viewers of a job see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Live {
    Step { number: u8, name: String, status: String, sequence: i64, details: bool },
    Render { word: String },
    RenderCompleted,
    RenderFailed,
    Job,
}

/// The importance of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Info,
    Success,
    Warning,
    Error,
}

/// An effect in an outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Effect {
    #[serde(rename = "start.v1")]
    Start { delay_s: u32 },
    #[serde(rename = "free_slot.v1")]
    FreeSlot { slot: String },
    #[serde(rename = "notify.v1")]
    Notify { event: OutboundEvent },
    #[serde(rename = "log.v1")]
    Log { event_type: String, level: LogLevel, message: String },
    #[serde(rename = "count.v1")]
    Count { status: Status, day: String, entered: bool },
    #[serde(rename = "count_log.v1")]
    CountLog { day: String, log: [i64; 6] },
    #[serde(rename = "check_render.v1")]
    CheckRender { render: String, check: u8, delay_s: u32 },
    #[serde(rename = "apply_parked.v1")]
    ApplyParked { render: String },
    #[serde(rename = "live.v1")]
    Live { events: Vec<Live>, after: u64 },
    #[serde(rename = "draw.v1")]
    Draw { hints: u32, delay_s: u32 },
    #[serde(rename = "remove_files.v1")]
    RemoveFiles { keys: Vec<String> },
    #[serde(rename = "purge.v1")]
    Purge,
    #[serde(rename = "cancel_worker.v1")]
    CancelWorker { attempt: u32, url: String },
}

/// A start under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    pub slot: String,
    pub lease_until: i64,
}

/// What a pending job waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    pub ready_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    pub hint_at: i64,
    pub failures: u32,
    pub claims: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// The watch over a render.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenderWatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    pub checks: u8,
    pub confirming: u8,
    pub next_at: i64,
}

/// The stage of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Composing,
    Scenes,
    Joining,
    Remote,
}

/// A run that Reelhook does itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    pub stage: Stage,
    pub renderer: String,
    pub pieces: Vec<Map<String, Value>>,
    pub claims: u32,
    pub moved_at: i64,
    pub hint_at: i64,
    pub shown_at: i64,
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// The members of a job without which it is unreadable, and those whose form it reads; it takes the others as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: String,
    pub dialect: String,
    pub version: u64,
    pub attempt: u32,
    pub status: Status,
    pub input: Value,
    pub created_at: i64,
    pub updated_at: i64,
    pub retry_count: u32,
    pub max_retries: u32,
    pub progress: u8,
    pub current_step: String,
    pub current_step_number: u8,
    pub start: Start,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render: Option<RenderWatch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing: Option<Drawing>,
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// The members of a job that it knows beside those of [`Job`]: it drops all others when it changes a job.
pub const OTHERS: [&str; 34] = [
    "pause_after_extraction",
    "started_at",
    "completed_at",
    "failed_at",
    "cancelled_at",
    "deleted_at",
    "render_id",
    "video_url",
    "error",
    "last_sequence",
    "steps",
    "seen",
    "worker_done",
    "worker_id",
    "cancel_url",
    "film",
    "videos",
    "callback",
    "paused_after_extraction",
    "extracted",
    "workflow_incomplete",
    "render_timeout",
    "timeout_at",
    "no_retry_reason",
    "suggested_solution",
    "retry_after",
    "retried_at",
    "due_at",
    "caller",
    "traceparent",
    "live_version",
    "log",
    "log_counted",
    "emitted",
];

/// What a stream record with an item's image is to its `fanout`.
#[derive(Debug, PartialEq)]
pub enum Record {
    /// A version with its outbox.
    Version(Box<(Job, Vec<Effect>)>),
    /// Nothing to act on.
    Nothing,
    /// It holds an effect that a newer function may know: it is tried again for a quarter of an hour.
    TooNew(String),
}

/// Reads an item as its functions did.
///
/// # Errors
/// When the item is unreadable: its functions answered 500, or processed the message again.
pub fn job(item: &Value) -> Result<Job, String> {
    let body = item["body"]["S"].as_str().ok_or("attribute `body` is missing")?;
    serde_json::from_str(body).map_err(|error| error.to_string())
}

/// Reads a record of the stream as its `fanout` did.
///
/// # Errors
/// When the record is poison.
pub fn record(item: &Value) -> Result<Record, String> {
    item["version"]["N"].as_str().ok_or("the item has no version")?;
    let Some(outbox) = item["outbox"]["S"].as_str() else { return Ok(Record::Nothing) };
    let kinds: Vec<Value> = serde_json::from_str(outbox).map_err(|error| error.to_string())?;
    let unknown = kinds.iter().filter_map(|effect| effect["kind"].as_str()).find(|kind| !EFFECTS.contains(kind));
    if let Some(kind) = unknown {
        return Ok(Record::TooNew(kind.to_owned()));
    }
    let effects = serde_json::from_str(outbox).map_err(|error| error.to_string())?;
    Ok(Record::Version(Box::new((job(item)?, effects))))
}

/// The next version of a job, as its functions wrote it: with the members that they know, and an empty outbox.
pub fn written(job: &Job) -> Value {
    let mut job = Job { version: job.version + 1, ..job.clone() };
    job.others.retain(|name, _| OTHERS.contains(&name.as_str()));
    let text = serde_json::to_string(&job).expect("JSON");
    serde_json::json!({
        "id": { "S": job.id }, "version": { "N": job.version.to_string() }, "write_id": { "S": "older" },
        "schema": { "N": "1" }, "body": { "S": text },
    })
}

/// Messages of the Work queue.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind")]
pub enum WorkMessage {
    #[serde(rename = "start.v1")]
    Start,
    #[serde(rename = "check_render.v1")]
    CheckRender { job_id: String, render: String, check: u8 },
    #[serde(rename = "apply_parked.v1")]
    ApplyParked { job_id: String, render: String },
    #[serde(rename = "cancel_worker.v1")]
    CancelWorker { job_id: String, attempt: u32, url: String },
}

/// Messages of the Render queue.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind")]
pub enum DrawMessage {
    #[serde(rename = "draw.v1")]
    Draw { job_id: String, attempt: u32 },
}

/// Messages of the Deliveries queue.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind")]
pub enum DeliveryMessage {
    #[serde(rename = "deliver.v1")]
    Deliver { delivery_id: String, event_id: String },
}

/// An event of a webhook.
#[derive(Debug, PartialEq, Deserialize)]
pub struct EventRow {
    pub id: String,
    pub event: OutboundEvent,
    pub job_id: String,
    pub at: i64,
    pub data: Value,
}

/// What a delivery waits for.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Held {
    Rate,
    Line,
    Circuit,
    Pause,
    Settings,
}

/// A webhook to one endpoint.
#[derive(Debug, PartialEq, Deserialize)]
pub struct Delivery {
    pub id: String,
    pub event_id: String,
    pub event: OutboundEvent,
    pub job_id: String,
    pub endpoint_id: String,
    pub endpoint_name: String,
    pub status: String,
    pub version: u64,
    pub created_at: i64,
    pub attempts: u32,
    pub next_attempt_at: i64,
    #[serde(default)]
    pub held: Option<Held>,
}
