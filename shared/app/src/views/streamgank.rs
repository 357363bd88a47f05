//! StreamGank's view: jobs in the API, log lines, live events and webhook data (contract.md; seeds 000, 001).

mod job;

use reelhook_domain::{Job, Live, OutboundEvent, RenderId, Status, Subject, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

pub use self::job::{JobDetails, JobParameters, JobStatus, JobView, job, job_details, job_summary};
use super::view::{View, WebhookView};
use crate::outbox::rows::{LiveRow, LogLine};
use crate::views::dialect::Dialect;

/// The numbers of jobs by status, for answers about the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounts {
    /// Jobs that wait for a start.
    pub pending: u64,
    /// Jobs that a worker runs.
    pub processing: u64,
    /// Jobs whose video renders.
    pub rendering: u64,
    /// Completed jobs.
    pub completed: u64,
    /// Failed jobs.
    pub failed: u64,
    /// Cancelled jobs.
    pub cancelled: u64,
}

impl QueueCounts {
    /// The number of jobs with one status.
    pub fn of(&self, status: Status) -> u64 {
        match status {
            Status::Pending => self.pending,
            Status::Processing => self.processing,
            Status::Rendering => self.rendering,
            Status::Completed => self.completed,
            Status::Failed => self.failed,
            Status::Cancelled => self.cancelled,
        }
    }

    /// The number of all jobs.
    pub fn total(&self) -> u64 {
        self.pending + self.processing + self.rendering + self.completed + self.failed + self.cancelled
    }
}

/// StreamGank's view.
#[derive(Debug, Clone, Copy)]
pub struct StreamGank;

impl View for StreamGank {
    fn dialect(&self) -> Dialect {
        Dialect::StreamGank
    }

    fn log_line(&self, line: &LogLine) -> Value {
        let entry = &line.entry;
        json!({
            "timestamp": line.at.to_string(),
            "job_id": line.subject.as_str(),
            "event_type": entry.event_type,
            "level": entry.level,
            "type": entry.level,
            "message": entry.message,
            "details": details(&entry.details),
            "source": "reelhook",
        })
    }

    // contract.md, Live updates.
    fn live_event(&self, of: &Subject, row: &LiveRow, event: &Live) -> Value {
        let state = &row.snapshot;
        let mut view = json!({
            "job_id": of.as_str(),
            "timestamp": row.at.to_string(),
            "status": state.status.name(),
            "progress": state.progress,
            "currentStep": state.current_step,
        });
        view["type"] = match event {
            Live::Step { number, name, status, key, sequence, stage, details } => {
                view["status"] = json!(status);
                view["step_number"] = json!(number);
                view["step_name"] = json!(name);
                view["step_key"] = json!(key);
                view["sequence"] = json!(sequence);
                view["workflow_stage"] = json!(stage);
                view["validated"] = json!(true);
                view["details"] = json!(state.step_details.get(number).filter(|_| *details));
                view["creatomate_id"] = json!(shown_render(state.render_id.as_ref(), state.status));
                json!("step_update")
            }
            Live::Render { status } => {
                view["status"] = json!(status);
                json!(format!("render_{status}"))
            }
            Live::RenderCompleted => {
                view["videoUrl"] = json!(state.video_url);
                json!("render_completed")
            }
            Live::RenderFailed => {
                view["error"] = json!(state.error);
                json!("render_failed")
            }
            Live::Job => {
                view["error"] = json!(state.error);
                json!("job_update")
            }
        };
        view
    }
}

/// The facts of a log line in the words of this dialect.
fn details(facts: &Value) -> Value {
    let Value::Object(facts) = facts else { return facts.clone() };
    let name = |name: &str| if name == "render_id" { "creatomate_id".to_owned() } else { name.to_owned() };
    facts.iter().map(|(known, value)| (name(known), value.clone())).collect()
}

impl WebhookView<Job> for StreamGank {
    fn webhook_data(&self, of: &Job, event: OutboundEvent, at: Timestamp) -> Value {
        webhook_data(of, event, at)
    }
}

fn webhook_data(of: &Job, event: OutboundEvent, at: Timestamp) -> Value {
    let duration = of.duration_ms(at);
    let mut data = json!({
        "job_id": of.id.as_str(),
        "status": of.status.name(),
        "created_at": of.created_at.to_string(),
        "started_at": time(of.run.times.started_at),
        "completed_at": time(of.run.times.completed_at),
        "failed_at": time(of.run.times.failed_at),
        "parameters": of.request.input,
        "progress": of.run.progress,
        "current_step": of.run.caption,
        "video_url": of.run.video_url,
        "creatomate_id": render(of),
        "error": of.run.error,
        "retry_count": of.retries.used,
        "processing_duration_ms": duration,
        "duration": duration.map(duration_text),
        "metadata": metadata(of),
    });
    match event {
        OutboundEvent::FailedNoRetry => {
            data["no_retry_reason"] = json!(of.run.no_retry.as_ref().map(|no_retry| &no_retry.reason));
            data["suggested_solution"] = json!(of.run.no_retry.as_ref().map(|no_retry| &no_retry.solution));
        }
        OutboundEvent::Deleted => data["deleted_at"] = json!(time(of.deleted_at)),
        OutboundEvent::Cancelled => data["cancelled_at"] = json!(time(of.run.times.cancelled_at)),
        OutboundEvent::ExtractionCompleted => {
            data["extracted_movies"] = json!(of.run.engine.steps().and_then(|steps| steps.extracted.as_ref()))
        }
        _ => {}
    }
    data
}

/// The country and the platform of a job (seed 001), and beside them the caller's metadata.
fn metadata(of: &Job) -> Value {
    let mut metadata = json!({ "country": of.request.input["country"], "platform": of.request.input["platform"] });
    for (name, value) in of.request.metadata.iter() {
        if metadata.get(name).is_none() {
            metadata[name] = json!(value);
        }
    }
    metadata
}

/// The envelope of seed 001; each attempt sends the same.
pub fn envelope(event: &str, data: Value, at: Timestamp, endpoint_name: &str) -> Value {
    json!({
        "event": event,
        "data": data,
        "timestamp": at.to_string(),
        "webhook_id": endpoint_name,
        "source": "streamgank",
    })
}

/// A duration as `2m 34s`, `45s` or `1h 2m 3s`.
fn duration_text(ms: i64) -> String {
    let seconds = ms / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s}s"),
        (h, m, s) => format!("{h}h {m}m {s}s"),
    }
}

/// The number of jobs, in the answer to a new job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct QueueStatusShort {
    pending: u64,
    processing: u64,
    completed: u64,
    failed: u64,
    total: u64,
}

/// The member `queueStatus` of the answer to a new job.
pub fn queue_status(counts: &QueueCounts) -> QueueStatusShort {
    QueueStatusShort {
        pending: counts.pending,
        processing: counts.processing,
        completed: counts.completed,
        failed: counts.failed,
        total: counts.total(),
    }
}

/// The render of a job as clients see it.
fn render(of: &Job) -> Option<&str> {
    shown_render(of.render_id(), of.status)
}

/// A failed job shows no render: pages read the render's status, and would show the job as completed.
fn shown_render(render: Option<&RenderId>, status: Status) -> Option<&str> {
    render.filter(|_| status != Status::Failed).map(RenderId::as_str)
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_a_log_line_call_a_render_by_the_name_that_pages_know() {
        let facts = json!({ "step_number": 7, "render_id": "render_1" });
        assert_eq!(details(&facts), json!({ "step_number": 7, "creatomate_id": "render_1" }));
        let stored_before = json!({ "creatomate_id": "render_1" });
        assert_eq!(details(&stored_before), stored_before);
        assert_eq!(details(&Value::Null), Value::Null);
    }

    #[test]
    fn durations_read_as_in_the_seed() {
        assert_eq!(duration_text(154_000), "2m 34s");
        assert_eq!(duration_text(330_000), "5m 30s");
        assert_eq!(duration_text(900), "0s");
        assert_eq!(duration_text(3_723_000), "1h 2m 3s");
    }
}
