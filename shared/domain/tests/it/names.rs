//! The names of values in stores, on the wire and in logs: they stay as they are.

use std::fmt::Debug;

use reelhook_domain::videos::film::{SceneKind, Theme};
use reelhook_domain::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Checks that each value has this name, that it is stored under it, and that `parse` reads it.
fn check<T>(values: &[(T, &str)], name: impl Fn(T) -> &'static str, parse: impl Fn(&str) -> Option<T>)
where
    T: Copy + Debug + PartialEq + Serialize + DeserializeOwned,
{
    for (value, expected) in values {
        assert_eq!(name(*value), *expected);
        assert_eq!(parse(expected), Some(*value));
        check_stored(*value, expected);
    }
    for unknown in ["", "Unknown", &values[0].1.to_uppercase()] {
        assert_eq!(parse(unknown), None, "{unknown}");
        assert!(serde_json::from_value::<T>(unknown.into()).is_err(), "{unknown}");
    }
}

fn check_stored<T: Debug + PartialEq + Serialize + DeserializeOwned>(value: T, expected: &str) {
    assert_eq!(serde_json::to_value(&value).unwrap(), expected);
    assert_eq!(serde_json::from_value::<T>(expected.into()).unwrap(), value);
}

#[test]
fn statuses() {
    let names = [
        (Status::Pending, "pending"),
        (Status::Processing, "processing"),
        (Status::Rendering, "rendering"),
        (Status::Completed, "completed"),
        (Status::Failed, "failed"),
        (Status::Cancelled, "cancelled"),
    ];
    check(&names, Status::name, Status::parse);
    assert_eq!(Status::ALL, names.map(|(status, _)| status));
    let clips = [
        (ClipStatus::Queued, "queued"),
        (ClipStatus::Running, "running"),
        (ClipStatus::Succeeded, "succeeded"),
        (ClipStatus::Failed, "failed"),
        (ClipStatus::Canceled, "canceled"),
    ];
    check(&clips, ClipStatus::name, ClipStatus::parse);
    assert_eq!(ClipStatus::ALL, clips.map(|(status, _)| status));
    let deliveries = [
        (DeliveryStatus::Pending, "pending"),
        (DeliveryStatus::Delivered, "delivered"),
        (DeliveryStatus::Exhausted, "exhausted"),
        (DeliveryStatus::Stopped, "stopped"),
    ];
    check(&deliveries, DeliveryStatus::name, DeliveryStatus::parse);
    let steps = [StepStatus::Started, StepStatus::Completed, StepStatus::Failed, StepStatus::RenderReady];
    assert_eq!(steps.map(StepStatus::name), ["started", "completed", "failed", "render ready"]);
}

#[test]
fn log_lines() {
    for (event, name) in [
        (LogEvent::Queued, "job_queued"),
        (LogEvent::Started, "job_started"),
        (LogEvent::Reported, "webhook_received"),
        (LogEvent::Polled, "creatomate_monitoring"),
        (LogEvent::Completed, "job_completed"),
        (LogEvent::Failed, "job_failed"),
        (LogEvent::Note, "job_log"),
    ] {
        assert_eq!(event.name(), name);
        check_stored(event, name);
    }
    let levels = [
        (LogLevel::Info, "info"),
        (LogLevel::Success, "success"),
        (LogLevel::Warning, "warning"),
        (LogLevel::Error, "error"),
    ];
    check(&levels, LogLevel::name, LogLevel::parse);
}

#[test]
fn services() {
    assert_eq!(Service::Creatomate.name(), "creatomate");
    check_stored(Service::Creatomate, "creatomate");
}

#[test]
fn scenes_and_themes() {
    let kinds = [
        (SceneKind::HeroTitle, "hero-title"),
        (SceneKind::ProductShowcase, "product-showcase"),
        (SceneKind::FeatureList, "feature-list"),
        (SceneKind::Cta, "cta"),
        (SceneKind::Testimonial, "testimonial"),
        (SceneKind::Comparison, "comparison"),
        (SceneKind::Stats, "stats"),
        (SceneKind::StepByStep, "step-by-step"),
        (SceneKind::ProductMatrix, "product-matrix"),
        (SceneKind::LessonTitle, "lesson-title"),
        (SceneKind::Quiz, "quiz"),
        (SceneKind::KeyTakeaways, "key-takeaways"),
    ];
    check(&kinds, SceneKind::name, SceneKind::parse);
    assert_eq!(SceneKind::ALL, kinds.map(|(kind, _)| kind));
    let themes = ["corporate", "minimal", "vibrant", "dark", "nature", "sunset", "ocean", "luxury"];
    assert_eq!(Theme::ALL.len(), themes.len());
    for (theme, name) in Theme::ALL.iter().zip(themes) {
        check_stored(*theme, name);
    }
}

/// The names, groups and descriptions of webhook events, in the order in which the API shows them.
#[test]
fn webhook_events() {
    use OutboundEvent::*;
    let events = [
        (Completed, "job.completed", "The video is ready."),
        (Failed, "job.failed", "The job failed, and its retries are used up."),
        (Cancelled, "job.cancelled", "The job was cancelled."),
        (ExtractionCompleted, "job.extraction_completed", "The job paused after extraction, as requested."),
        (ScriptCompleted, "job.script_completed", "The worker is done; the video is still rendering."),
        (
            CompletedWithIssues,
            "job.completed_with_issues",
            "The worker is done, but reported neither a video nor a render.",
        ),
        (FailedNoRetry, "job.failed_no_retry", "The job failed in a way that a retry can't repair."),
        (Timeout, "job.timeout", "The run exceeded its time limit."),
        (
            WorkflowIncomplete,
            "job.workflow_incomplete",
            "The run exceeded its time limit while a render was in progress.",
        ),
        (RenderTimeout, "job.render_timeout", "The render did not end in time."),
        (Deleted, "job.deleted", "The job was deleted."),
        (VideoStarted, "video.started", "A video is being made."),
        (VideoCompleted, "video.completed", "A video is ready."),
        (VideoFailed, "video.failed", "A video can't be made, or was cancelled."),
        (ProjectStarted, "project.started", "A project was started."),
        (ProjectCompleted, "project.completed", "The video of a project is ready."),
        (ProjectFailed, "project.failed", "A project failed: a scene or the stitch failed for good."),
        (ProjectCancelled, "project.cancelled", "A project was cancelled."),
        (SceneGenerated, "scene.generated", "The video of a scene is there."),
        (SceneVerified, "scene.verified", "The last frame of a scene is there too."),
        (SceneRejected, "scene.rejected", "The video of a scene failed."),
        (ClipsStarted, "clips.started", "A clip job was accepted by the worker, or our renderers began."),
        (ClipReady, "clips.clip_ready", "A clip is there, before its job has ended."),
        (ClipsCompleted, "clips.completed", "A clip job succeeded; it may have no clips."),
        (ClipsFailed, "clips.failed", "A clip job failed."),
        (ClipsCanceled, "clips.canceled", "A clip job was canceled."),
        (ErrorRaised, "error.raised", "An error was raised, or raised again after it was resolved or dismissed."),
        (ErrorResolved, "error.resolved", "The cause of an error has ended."),
        (EndpointFailing, "endpoint.failing", "An endpoint fails, and will be disabled if it keeps failing."),
        (
            EndpointDisabled,
            "endpoint.disabled",
            "An endpoint was disabled: it failed for too long, or responded with 410 Gone.",
        ),
        (EndpointRecovered, "endpoint.recovered", "An endpoint that was failing accepts webhooks again."),
        (DeliveryExhausted, "delivery.exhausted", "Every attempt of a delivery failed; it can be recovered."),
        (Test, "webhook.test", "A test. New endpoints get one, whatever they subscribe to."),
    ];
    check(&events.map(|(event, name, _)| (event, name)), OutboundEvent::name, OutboundEvent::parse);
    assert_eq!(OutboundEvent::ALL, events.map(|(event, ..)| event));
    for (event, name, description) in events {
        assert_eq!(event.description(), description);
        assert_eq!(Some(event.group().name()), name.split('.').next());
        assert_eq!(
            EventPattern::parse(&format!("{}.*", event.group().name())),
            Some(EventPattern::Group(event.group()))
        );
    }
}
