//! VidBuilder's view: answers, status, and the notifications to `webhookUrl` (docs/contract/videos.md; seed 002).

mod files;
mod notification;
mod status;

use reelhook_domain::{Job, Live, OutboundEvent, Subject, Timestamp};
use serde_json::Value;

pub use self::files::{LINK_LIFE, VideoJobIdText, file_id, name};
use self::notification::notification;
pub use self::notification::{VideoCompletedData, VideoFailedData, VideoStartedData, notified};
pub use self::status::{
    ListedVideo, VideoAccepted, VideoDone, VideoMade, VideoNotMade, VideoStatus, VideoUnderWay, accepted, error,
    finished, listed, status,
};
use super::streamgank::StreamGank;
use super::view::{View, WebhookView};
use crate::files::links::FileLinks;
use crate::outbox::rows::{LiveRow, LogLine};
use crate::views::dialect::Dialect;

/// VidBuilder's view.
#[derive(Debug, Clone, Copy)]
pub struct VidBuilder;

// Logs and live updates have one form for the jobs of all dialects: the same pages show them.
impl View for VidBuilder {
    fn dialect(&self) -> Dialect {
        Dialect::VidBuilder
    }

    fn log_line(&self, line: &LogLine) -> Value {
        StreamGank.log_line(line)
    }

    fn live_event(&self, of: &Subject, row: &LiveRow, event: &Live) -> Value {
        StreamGank.live_event(of, row, event)
    }

    fn connected(&self, of: &Subject, now: Timestamp) -> Value {
        StreamGank.connected(of, now)
    }

    fn heartbeat(&self, of: &Subject, now: Timestamp) -> Value {
        StreamGank.heartbeat(of, now)
    }
}

impl WebhookView<Job> for VidBuilder {
    fn webhook_data(
        &self,
        of: &Job,
        event: OutboundEvent,
        _about: Option<&str>,
        at: Timestamp,
        _links: FileLinks<'_>,
    ) -> Value {
        notification(of, event, at)
    }
}

/// An estimate in words of how long a video takes, from the expected seconds.
pub fn estimate(seconds: f64) -> String {
    let (least, most) = (seconds * 0.7, seconds * 1.5);
    if most < 90.0 {
        let ten = |seconds: f64| ((seconds / 10.0).ceil() as u64).max(1) * 10;
        return format!("{}-{} seconds", ten(least), ten(most).max(ten(least) + 10));
    }
    let minutes = |seconds: f64| ((seconds / 60.0).ceil() as u64).max(1);
    format!("{}-{} minutes", minutes(least), minutes(most).max(minutes(least) + 1))
}
