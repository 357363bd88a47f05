//! The notifications about a video: the body of a webhook to `webhookUrl`, and the data of an event `video.*`.

use reelhook_domain::{Job, Metadata, OutboundEvent, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use strum::IntoStaticStr;

use super::files::VideoJobIdText;
use super::status::{CompletedVideo, FAILED, error};
use crate::views::usage::UsageView;
use crate::views::wire::{MetadataText, Time};

const STARTED: &str = "started";
const STARTED_MESSAGE: &str = "Video generation started";

/// A video starts to render.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoStartedData<'a> {
    /// The id of the video.
    #[schemars(with = "VideoJobIdText")]
    job_id: &'a str,
    /// `started`.
    #[schemars(extend("const" = STARTED))]
    status: &'static str,
    /// That the video starts to render.
    #[schemars(extend("const" = STARTED_MESSAGE))]
    message: &'static str,
    /// When it started.
    timestamp: Time,
    /// The caller's own data; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MetadataText")]
    metadata: Option<&'a Metadata>,
}

/// A video is finished.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoCompletedData<'a> {
    #[serde(flatten)]
    video: CompletedVideo<'a>,
    /// When it was completed.
    timestamp: Time,
    /// The caller's own data; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MetadataText")]
    metadata: Option<&'a Metadata>,
    /// Only if its request has `usage`: what the job of the video has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UsageView")]
    usage: Option<UsageView>,
}

/// A video failed or was cancelled.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoFailedData<'a> {
    /// The id of the video.
    #[schemars(with = "VideoJobIdText")]
    job_id: &'a str,
    /// `failed`.
    #[schemars(extend("const" = FAILED))]
    status: &'static str,
    /// Why it failed; `Cancelled` if it was cancelled.
    error: &'a str,
    /// When it ended.
    timestamp: Time,
    /// The caller's own data; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MetadataText")]
    metadata: Option<&'a Metadata>,
    /// Only if its request has `usage`: what the job of the video has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UsageView")]
    usage: Option<UsageView>,
}

/// The kinds of notifications about a video.
#[derive(IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
enum NotificationKind {
    Started,
    Completed,
    Failed,
}

impl NotificationKind {
    /// Clients get only the events of videos and clips; any other event counts as a start, which ends nothing.
    fn of(event: OutboundEvent) -> Self {
        match event {
            OutboundEvent::VideoCompleted | OutboundEvent::ClipsCompleted => Self::Completed,
            OutboundEvent::VideoFailed | OutboundEvent::ClipsFailed | OutboundEvent::ClipsCanceled => Self::Failed,
            _ => Self::Started,
        }
    }
}

/// The name of an event, in the body and in the header.
pub fn notified(event: OutboundEvent) -> &'static str {
    NotificationKind::of(event).into()
}

/// The body of a notification.
pub(super) fn notification(job: &Job, event: OutboundEvent, at: Timestamp) -> Value {
    let (job_id, timestamp) = (job.id.as_str(), Time(at));
    let metadata = Some(&job.request.metadata).filter(|metadata| !metadata.is_empty());
    match NotificationKind::of(event) {
        NotificationKind::Started => {
            json!(VideoStartedData { job_id, status: STARTED, message: STARTED_MESSAGE, timestamp, metadata })
        }
        NotificationKind::Completed => {
            json!(VideoCompletedData { video: CompletedVideo::of(job), timestamp, metadata, usage: UsageView::of(job) })
        }
        NotificationKind::Failed => {
            json!(VideoFailedData {
                job_id,
                status: FAILED,
                error: error(job),
                timestamp,
                metadata,
                usage: UsageView::of(job),
            })
        }
    }
}
