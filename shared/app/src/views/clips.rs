//! The clips' view: clip jobs with their clips, live events and webhook data (docs/contract/clipping.md; seed 004).

mod job;
mod live;
mod names;
mod webhook;

use reelhook_domain::{ClipJob, Live, OutboundEvent, Subject, Timestamp};
use serde_json::{Value, json};

pub use self::job::{ClipJobView, ClipOrder, ClipView, OutputView, Shown, job};
pub use self::live::{ClipEventSource, ClipEventState, ClipStreamEvent};
pub use self::names::{ClipJobIdText, ClipStatusText};
pub use self::webhook::{ClipData, ClipJobData};
use super::streamgank::StreamGank;
use super::view::{View, WebhookView};
use crate::files::links::FileLinks;
use crate::outbox::rows::{LiveRow, LogLine};
use crate::views::dialect::Dialect;

/// The clips' view.
#[derive(Debug, Clone, Copy)]
pub struct Clips;

impl View for Clips {
    fn dialect(&self) -> Dialect {
        Dialect::Clips
    }

    fn log_line(&self, line: &LogLine) -> Value {
        StreamGank.log_line(line)
    }

    fn live_event(&self, of: &Subject, row: &LiveRow, event: &Live) -> Value {
        row.snapshot.clips().map_or(Value::Null, |clips| json!(live::event(of, row.at, clips, event)))
    }

    fn connected(&self, of: &Subject, now: Timestamp) -> Value {
        json!(ClipStreamEvent::connected(of, now))
    }

    fn heartbeat(&self, of: &Subject, now: Timestamp) -> Value {
        json!(ClipStreamEvent::heartbeat(of, now))
    }
}

impl WebhookView<ClipJob> for Clips {
    fn webhook_data(
        &self,
        of: &ClipJob,
        _event: OutboundEvent,
        about: Option<&str>,
        at: Timestamp,
        links: FileLinks<'_>,
    ) -> Value {
        match about.and_then(|index| of.clip(index.parse().ok()?)) {
            Some(clip) => json!(webhook::of_clip(of, clip, at, links)),
            None => json!(webhook::of_job(of, at, links)),
        }
    }
}
