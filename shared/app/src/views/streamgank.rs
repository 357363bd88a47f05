//! StreamGank's view: jobs in the API, log lines, live events and webhook data (docs/contract/jobs.md; seeds 000, 001).

mod job;
mod live;
mod log;
mod names;
mod queue;
mod webhook;

use reelhook_domain::{Job, Live, OutboundEvent, Subject, Timestamp};
use serde_json::{Value, json};

pub use self::job::{
    BySteps, JobDetails, JobParameters, JobStatus, JobView, VideoParameters, WorkflowParameters, job, job_details,
    job_summary,
};
pub use self::live::{EventProgress, EventSource, JobStreamEvent};
pub use self::log::LogEntryView;
pub use self::names::{LogLevelName, StepStatusName};
pub use self::queue::{QueueCounts, QueueStatusShort, queue_status};
pub use self::webhook::WebhookData;
use super::view::{View, WebhookView};
use crate::files::links::FileLinks;
use crate::outbox::rows::{LiveRow, LogLine};
use crate::views::dialect::Dialect;

/// StreamGank's view.
#[derive(Debug, Clone, Copy)]
pub struct StreamGank;

impl View for StreamGank {
    fn dialect(&self) -> Dialect {
        Dialect::StreamGank
    }

    fn log_line(&self, line: &LogLine) -> Value {
        json!(log::entry(line))
    }

    fn live_event(&self, of: &Subject, row: &LiveRow, event: &Live) -> Value {
        row.snapshot.job().map_or(Value::Null, |job| json!(live::event(of, row.at, job, event)))
    }

    fn connected(&self, of: &Subject, now: Timestamp) -> Value {
        json!(JobStreamEvent::connected(of, now))
    }

    fn heartbeat(&self, of: &Subject, now: Timestamp) -> Value {
        json!(JobStreamEvent::heartbeat(of, now))
    }
}

impl WebhookView<Job> for StreamGank {
    fn webhook_data(
        &self,
        of: &Job,
        event: OutboundEvent,
        _about: Option<&str>,
        at: Timestamp,
        _links: FileLinks<'_>,
    ) -> Value {
        json!(webhook::data(of, event, at))
    }
}
