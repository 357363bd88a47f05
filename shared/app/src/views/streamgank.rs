//! A job in StreamGank's words: the API's job, the log's lines and the webhooks' data (contract.md; seeds 000, 001).

use reelhook_domain::{Incomplete, Job, Live, LogLevel, OutboundEvent, Status, Timestamp};
use serde_json::{Map, Value, json};

/// Jobs by status, for queue answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounts {
    /// Waiting.
    pub pending: u64,
    /// At a worker.
    pub processing: u64,
    /// Rendering.
    pub rendering: u64,
    /// Done.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
}

impl QueueCounts {
    /// Those of one status.
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

    /// All of them.
    pub fn total(&self) -> u64 {
        self.pending + self.processing + self.rendering + self.completed + self.failed + self.cancelled
    }
}

/// The job as the API shows it.
pub fn job(job: &Job) -> Value {
    let (steps, worker) = (job.run.engine.steps(), job.run.engine.external().map(|external| &external.worker));
    let is = |why: Incomplete| job.run.incomplete == Some(why);
    let no_retry = job.run.no_retry.as_ref();
    let mut view = json!({
        "id": job.id.as_str(),
        "status": job.status.name(),
        "parameters": job.request.input,
        "createdAt": job.created_at.to_string(),
        "startedAt": time(job.run.times.started_at),
        "completedAt": time(job.run.times.completed_at),
        "failedAt": time(job.run.times.failed_at),
        "cancelledAt": time(job.run.times.cancelled_at),
        "creatomateId": render(job),
        "videoUrl": job.run.video_url,
        "retryCount": job.retries.used,
        "maxRetries": job.retries.max,
        "error": job.run.error,
        "progress": job.run.progress,
        "currentStep": job.run.caption,
        "currentStepNumber": steps.map_or(0, |steps| steps.current),
        "lastStepSequence": steps.and_then(|steps| steps.last_sequence),
        "lastUpdate": job.updated_at.to_string(),
        "stepDetails": by_step(job, |step| step.details.clone()),
        "stepDuration": by_step(job, |step| step.duration.map(|seconds| json!(seconds))),
        "workerId": worker.and_then(|worker| worker.id.as_ref()),
        "pausedAfterExtraction": is(Incomplete::PausedAfterExtraction),
        "extractedMovies": steps.and_then(|steps| steps.extracted.as_ref()),
    });
    let extra = [
        ("workflowIncomplete", is(Incomplete::WorkflowIncomplete).then_some(json!(true))),
        ("renderTimeout", is(Incomplete::RenderTimeout).then_some(json!(true))),
        ("timeoutAt", job.run.times.timed_out_at.map(|at| json!(at.to_string()))),
        ("noRetryReason", no_retry.map(|no_retry| json!(no_retry.reason))),
        ("suggestedSolution", no_retry.map(|no_retry| json!(no_retry.solution))),
        ("retryAfter", job.run.retry_after.map(|at| json!(at.to_string()))),
    ];
    for (name, value) in extra {
        if let Some(value) = value {
            view[name] = value;
        }
    }
    view
}

/// The job with what the details page adds.
pub fn job_details(of: &Job, now: Timestamp) -> Value {
    let mut view = job(of);
    view["duration"] = json!(of.duration_ms(now));
    view["detailsUrl"] = json!(format!("/job/{}", of.id));
    view["isActive"] = json!(!of.status.is_final());
    view
}

/// One line of a job's log.
pub fn log_line(of: &Job, event_type: &str, level: LogLevel, message: &str, details: &Value, at: Timestamp) -> Value {
    json!({
        "timestamp": at.to_string(),
        "job_id": of.id.as_str(),
        "event_type": event_type,
        "level": level,
        "type": level,
        "message": message,
        "details": details,
        "source": "reelhook",
    })
}

/// One event of a job's stream (contract.md, Live updates).
pub fn live_event(of: &Job, event: &Live, at: Timestamp) -> Value {
    let mut view = json!({
        "job_id": of.id.as_str(),
        "timestamp": at.to_string(),
        "status": of.status.name(),
        "progress": of.run.progress,
        "currentStep": of.run.caption,
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
            let told = of
                .run
                .engine
                .steps()
                .and_then(|steps| steps.records.get(number))
                .filter(|_| *details)
                .and_then(|step| step.details.clone());
            view["details"] = json!(told);
            view["creatomate_id"] = json!(render(of));
            json!("step_update")
        }
        Live::Render { status } => {
            view["status"] = json!(status);
            json!(format!("render_{status}"))
        }
        Live::RenderCompleted => {
            view["videoUrl"] = json!(of.run.video_url);
            json!("render_completed")
        }
        Live::RenderFailed => {
            view["error"] = json!(of.run.error);
            json!("render_failed")
        }
        Live::Job => {
            view["error"] = json!(of.run.error);
            json!("job_update")
        }
    };
    view
}

/// The `data` member of a webhook about this job.
pub fn webhook_data(of: &Job, event: OutboundEvent, at: Timestamp) -> Value {
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
        "duration": duration.map(spoken_duration),
        "metadata": { "country": of.request.input["country"], "platform": of.request.input["platform"] },
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
        OutboundEvent::Completed
        | OutboundEvent::Failed
        | OutboundEvent::ScriptCompleted
        | OutboundEvent::CompletedWithIssues
        | OutboundEvent::Timeout
        | OutboundEvent::WorkflowIncomplete
        | OutboundEvent::RenderTimeout
        | OutboundEvent::VideoStarted
        | OutboundEvent::VideoCompleted
        | OutboundEvent::VideoFailed
        | OutboundEvent::EndpointFailing
        | OutboundEvent::EndpointDisabled
        | OutboundEvent::EndpointRecovered
        | OutboundEvent::DeliveryExhausted
        | OutboundEvent::Test => {}
    }
    data
}

/// The envelope of seed 001; the same at every try.
pub fn envelope(event: &str, data: Value, at: Timestamp, endpoint_name: &str) -> Value {
    json!({
        "event": event,
        "data": data,
        "timestamp": at.to_string(),
        "webhook_id": endpoint_name,
        "source": "streamgank",
    })
}

/// `2m 34s`, `45s`, `1h 2m 3s`.
fn spoken_duration(ms: i64) -> String {
    let seconds = ms / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s}s"),
        (h, m, s) => format!("{h}h {m}m {s}s"),
    }
}

/// `queueStatus` of a submit's answer.
pub fn queue_status(counts: &QueueCounts) -> Value {
    json!({
        "pending": counts.pending,
        "processing": counts.processing,
        "completed": counts.completed,
        "failed": counts.failed,
        "total": counts.total(),
    })
}

/// The render, but of a failed job: pages ask how it stands, and show a job whose render is done as completed.
fn render(of: &Job) -> Option<&str> {
    of.render_id().filter(|_| of.status != Status::Failed).map(|id| id.as_str())
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn by_step(of: &Job, pick: impl Fn(&reelhook_domain::StepRecord) -> Option<Value>) -> Map<String, Value> {
    let steps = of.run.engine.steps();
    steps
        .into_iter()
        .flat_map(|steps| &steps.records)
        .filter_map(|(number, step)| Some((format!("step_{number}"), pick(step)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spoken_like_the_originals() {
        assert_eq!(spoken_duration(154_000), "2m 34s");
        assert_eq!(spoken_duration(330_000), "5m 30s");
        assert_eq!(spoken_duration(900), "0s");
        assert_eq!(spoken_duration(3_723_000), "1h 2m 3s");
    }
}
