//! The dialects: views of a job in the words of its clients. The domain knows none of these names.

pub mod streamgank;
pub mod vidbuilder;

use reelhook_domain::{Dialect, Job, OutboundEvent, Timestamp};
use serde_json::Value;

/// What a webhook tells of an event of a job, in the words of that job's clients.
pub(crate) fn webhook_data(job: &Job, event: OutboundEvent, at: Timestamp) -> Value {
    match job.dialect {
        Dialect::StreamGank => streamgank::webhook_data(job, event, at),
        Dialect::VidBuilder => vidbuilder::notification(job, event, at),
    }
}
