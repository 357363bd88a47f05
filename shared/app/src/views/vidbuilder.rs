//! VidBuilder's view: answers, status, and the notifications to `webhookUrl` (contract.md; seed 002).

use crate::views::dialect::Dialect;
use reelhook_domain::videos::film::Rendition;
use reelhook_domain::{Job, Live, OutboundEvent, Status, Subject, Timestamp};
use serde_json::{Value, json};
use strum::IntoStaticStr;

use super::streamgank::StreamGank;
use super::view::{View, WebhookView};
use crate::outbox::rows::{LiveRow, LogLine};

/// How long signed links are valid, in seconds and in words.
pub const LINK_LIFE: (i64, &str) = (7 * 24 * 3600, "7 days");

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
}

impl WebhookView<Job> for VidBuilder {
    fn webhook_data(&self, of: &Job, event: OutboundEvent, at: Timestamp) -> Value {
        notification(of, event, at)
    }
}

/// The answer to a request for a video.
pub fn accepted(job: &Job, estimate: &str) -> Value {
    json!({
        "success": true,
        "jobId": job.id.as_str(),
        "status": "queued",
        "message": "Video generation started. You will receive updates via webhook.",
        "webhookConfigured": job.request.callback.is_some(),
        "statusUrl": format!("/api/job-status/{}", job.id),
        "estimatedTime": estimate,
    })
}

/// The status of a job: with the whole notification once it is completed, with its error once it has failed.
pub fn status(job: &Job) -> Value {
    let mut view = match job.status {
        Status::Completed => completed(job),
        Status::Failed | Status::Cancelled => {
            let mut view = progress(job);
            view["error"] = json!(error(job));
            view
        }
        Status::Pending | Status::Processing | Status::Rendering => progress(job),
    };
    view["createdAt"] = json!(job.created_at.to_string());
    view["metadata"] = json!(job.request.metadata);
    view
}

fn progress(job: &Job) -> Value {
    json!({
        "jobId": job.id.as_str(),
        "status": word(job.status),
        "progress": job.run.progress,
        "message": job.run.caption,
    })
}

/// The name of a status.
pub fn word(status: Status) -> &'static str {
    match status {
        Status::Pending => "queued",
        Status::Processing | Status::Rendering => "processing",
        Status::Completed => "completed",
        Status::Failed | Status::Cancelled => "failed",
    }
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
    /// Clients get only the events of videos; any other event counts as a start, which ends nothing.
    fn of(event: OutboundEvent) -> Self {
        if event == OutboundEvent::VideoCompleted {
            Self::Completed
        } else if event == OutboundEvent::VideoFailed {
            Self::Failed
        } else {
            Self::Started
        }
    }

    fn name(&self) -> &'static str {
        self.into()
    }
}

/// The name of an event, in the body and in the header.
pub fn notified(event: OutboundEvent) -> &'static str {
    NotificationKind::of(event).name()
}

/// The body of a notification.
fn notification(job: &Job, event: OutboundEvent, at: Timestamp) -> Value {
    let kind = NotificationKind::of(event);
    let (id, word) = (job.id.as_str(), kind.name());
    let mut body = match kind {
        NotificationKind::Started => json!({ "jobId": id, "status": word, "message": "Video generation started" }),
        NotificationKind::Completed => completed(job),
        NotificationKind::Failed => json!({ "jobId": id, "status": word, "error": error(job) }),
    };
    body["timestamp"] = json!(at.to_string());
    if !job.request.metadata.is_empty() {
        body["metadata"] = json!(job.request.metadata);
    }
    body
}

fn error(job: &Job) -> &str {
    if job.status == Status::Cancelled {
        return "Cancelled";
    }
    job.run.error.as_deref().unwrap_or("Video generation failed")
}

fn completed(job: &Job) -> Value {
    let film = job.plan();
    let mut files = json!({ "enabled": true });
    for video in job.videos() {
        files[name(video.rendition)] =
            json!({ "s3Key": video.key, "signedUrl": video.link, "expiresIn": LINK_LIFE.1, "size": video.bytes });
    }
    let reels = job.videos().iter().any(|video| video.rendition == Rendition::Portrait);
    let mut view = json!({
        "jobId": job.id.as_str(),
        "status": "completed",
        "progress": 100,
        "message": if film.is_some() && job.videos().is_empty() { "Video deleted" } else { "Video generated successfully" },
        "videoUrl": download(job, Rendition::Landscape),
        "duration": film.map(|film| seconds(film.seconds())),
        "scenes": film.map(|film| film.scenes.len()),
        "reelsGenerated": reels,
        "s3Upload": files,
        "renderTime": job.duration_ms(job.updated_at).map(|ms| format!("{}s", (ms + 500) / 1000)),
    });
    if film.is_some() && job.videos().is_empty() {
        // The video was deleted.
        for gone in ["videoUrl", "s3Upload"] {
            view[gone] = Value::Null;
        }
    }
    if reels {
        view["reelsVideoUrl"] = json!(download(job, Rendition::Portrait));
    }
    view
}

/// The answer to a synchronous request.
pub fn finished(job: &Job) -> Value {
    let mut view = completed(job);
    let whole = json!({
        "success": true,
        "title": job.request.input["title"],
        "type": job.request.input["type"],
        "metadata": job.request.metadata,
    });
    for (name, value) in whole.as_object().into_iter().flatten() {
        view[name] = value.clone();
    }
    view
}

/// An entry of the list of videos; none if the job has no video.
pub fn listed(job: &Job) -> Option<Value> {
    let video = job.videos().iter().find(|video| video.rendition == Rendition::Landscape)?;
    Some(json!({
        "jobId": job.id.as_str(),
        "filename": format!("{}.mp4", job.id),
        "size": video.bytes,
        "createdAt": job.run.times.completed_at.unwrap_or(job.created_at).to_string(),
        "downloadUrl": download(job, Rendition::Landscape),
        "metadata": job.request.metadata,
    }))
}

/// The path of a download.
fn download(job: &Job, format: Rendition) -> String {
    format!("/api/download/{}", file_id(job.id.as_str(), format))
}

/// The id of a video in paths and links: the id of the job, with `_reels` for the portrait rendition.
pub fn file_id(job: &str, format: Rendition) -> String {
    match format {
        Rendition::Landscape => job.to_owned(),
        Rendition::Portrait => format!("{job}_reels"),
    }
}

/// The name of a rendition in keys and answers.
pub fn name(format: Rendition) -> &'static str {
    match format {
        Rendition::Landscape => "standard",
        Rendition::Portrait => "reels",
    }
}

/// Seconds; whole ones without a fraction, as in the seed.
fn seconds(seconds: f64) -> Value {
    let rounded = (seconds * 100.0).round() / 100.0;
    if rounded.fract() == 0.0 { json!(rounded as i64) } else { json!(rounded) }
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
