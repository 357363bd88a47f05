//! The data of webhooks about a job in StreamGank's format (docs/contract/webhooks.md, Data of a job).

use std::collections::BTreeMap;

use reelhook_domain::{Job, OutboundEvent, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::job::{JobParameters, JobStatus, render};
use crate::views::usage::UsageData;
use crate::views::wire::{JobIdText, Time};

/// The job at the time of the event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WebhookData<'a> {
    /// The job's id.
    #[schemars(with = "JobIdText")]
    job_id: &'a str,
    /// The job's status.
    status: JobStatus,
    /// When it was submitted.
    created_at: Time,
    /// When its run started.
    started_at: Option<Time>,
    /// When it completed.
    completed_at: Option<Time>,
    /// When it failed.
    failed_at: Option<Time>,
    /// The request, with its defaults.
    #[schemars(with = "JobParameters")]
    parameters: &'a Value,
    /// Per cent, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    /// The current step.
    current_step: &'a str,
    /// The URL of the video, once there is one.
    #[schemars(url)]
    video_url: Option<&'a str>,
    /// The id of the render; null once the job has failed.
    creatomate_id: Option<&'a str>,
    /// Why it failed, or that it was cancelled.
    error: Option<&'a str>,
    /// Retries so far.
    retry_count: u32,
    /// Milliseconds from the start to the end, or to now; null before the start.
    #[schemars(range(min = 0))]
    processing_duration_ms: Option<i64>,
    /// The same duration as text.
    #[schemars(extend("examples" = ["2m 34s"]))]
    duration: Option<String>,
    /// The country and the platform, and the caller's own data.
    metadata: WebhookMetadata<'a>,
    /// Only with `job.failed_no_retry`: why a retry can't help.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    no_retry_reason: Option<Option<&'a str>>,
    /// Only with `job.failed_no_retry`: what would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    suggested_solution: Option<Option<&'a str>>,
    /// Only with `job.deleted`: when it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    deleted_at: Option<Option<Time>>,
    /// Only with `job.cancelled`: when it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    cancelled_at: Option<Option<Time>>,
    /// Only with `job.extraction_completed`: the movies that step 1 extracted, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Value", extend("oneOf" = [{ "type": "string" }, { "type": "null" }]))]
    extracted_movies: Option<Option<&'a str>>,
    /// Only after the job's end, and if its request has `usage`: what it has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UsageData")]
    usage: Option<UsageData>,
}

/// The country and the platform of a job (seed 001), and beside them the caller's metadata.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct WebhookMetadata<'a> {
    /// The country of the request.
    #[schemars(with = "String")]
    country: &'a Value,
    /// The platform of the request.
    #[schemars(with = "String")]
    platform: &'a Value,
    #[serde(flatten)]
    own: BTreeMap<&'a str, &'a str>,
}

/// The data of a webhook about an event of a job.
pub(super) fn data(of: &Job, event: OutboundEvent, at: Timestamp) -> WebhookData<'_> {
    let is = |other: OutboundEvent| event == other;
    let (times, duration, no_retry) = (&of.run.times, of.duration_ms(at), of.run.no_retry.as_ref());
    let extracted = || of.run.engine.steps().and_then(|steps| steps.extracted.as_deref());
    WebhookData {
        job_id: of.id.as_str(),
        status: of.status.into(),
        created_at: of.created_at.into(),
        started_at: times.started_at.map(Time),
        completed_at: times.completed_at.map(Time),
        failed_at: times.failed_at.map(Time),
        parameters: &of.request.input,
        progress: of.run.progress,
        current_step: &of.run.caption,
        video_url: of.run.video_url.as_deref(),
        creatomate_id: render(of),
        error: of.run.error.as_deref(),
        retry_count: of.retries.used,
        processing_duration_ms: duration,
        duration: duration.map(duration_text),
        metadata: metadata(of),
        no_retry_reason: is(OutboundEvent::FailedNoRetry).then(|| no_retry.map(|no_retry| no_retry.reason.as_str())),
        suggested_solution: is(OutboundEvent::FailedNoRetry)
            .then(|| no_retry.map(|no_retry| no_retry.solution.as_str())),
        deleted_at: is(OutboundEvent::Deleted).then(|| of.deleted_at.map(Time)),
        cancelled_at: is(OutboundEvent::Cancelled).then(|| times.cancelled_at.map(Time)),
        extracted_movies: is(OutboundEvent::ExtractionCompleted).then(extracted),
        usage: UsageData::of(of),
    }
}

/// The caller's names do not replace the country and the platform.
fn metadata(of: &Job) -> WebhookMetadata<'_> {
    let own = of.request.metadata.iter().filter(|(name, _)| !matches!(*name, "country" | "platform"));
    WebhookMetadata {
        country: &of.request.input["country"],
        platform: &of.request.input["platform"],
        own: own.collect(),
    }
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

#[cfg(test)]
mod tests {
    use reelhook_domain::Metadata;
    use serde_json::json;

    use super::*;
    use crate::jobs::examples;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn text(event: OutboundEvent) -> String {
        let mut job = examples::job(event, NOON);
        job.request.metadata = Metadata::parse(&json!({ "order": "42", "country": "ours" })).unwrap();
        json!(data(&job, event, job.updated_at)).to_string()
    }

    #[test]
    fn durations_read_as_in_the_seed() {
        assert_eq!(duration_text(154_000), "2m 34s");
        assert_eq!(duration_text(330_000), "5m 30s");
        assert_eq!(duration_text(900), "0s");
        assert_eq!(duration_text(3_723_000), "1h 2m 3s");
    }

    #[test]
    fn the_data_has_its_members_in_the_order_of_the_contract() {
        let expected = r#""status":"completed","created_at":"2024-01-01T12:00:00.000Z","started_at":"2024-01-01T12:00:00.000Z","completed_at":"2024-01-01T12:03:00.000Z","failed_at":null,"parameters":{"country":"FR","platform":"Netflix","genre":"Comédie","contentType":"Série","template":"auto","pauseAfterExtraction":false},"progress":100,"current_step":"Video generation completed!","video_url":"https://cdn.example.com/videos/video.mp4","creatomate_id":null,"error":null,"retry_count":0,"processing_duration_ms":180000,"duration":"3m 0s","metadata":{"country":"FR","platform":"Netflix","order":"42"}}"#;
        let found = text(OutboundEvent::Completed);
        assert!(found.starts_with(r#"{"job_id":"job_1704110400000_"#), "{found}");
        assert_eq!(found.split_once(',').map(|(_, rest)| rest), Some(expected));
    }

    #[test]
    fn a_member_of_one_event_is_left_out_of_the_others() {
        for (event, members) in [
            (OutboundEvent::Failed, &[][..]),
            (OutboundEvent::FailedNoRetry, &["no_retry_reason", "suggested_solution"][..]),
            (OutboundEvent::Deleted, &["deleted_at"][..]),
            (OutboundEvent::Cancelled, &["cancelled_at"][..]),
            (OutboundEvent::ExtractionCompleted, &["extracted_movies"][..]),
        ] {
            let data: Value = serde_json::from_str(&text(event)).unwrap();
            let names: Vec<&str> =
                data.as_object().unwrap().keys().map(String::as_str).skip_while(|name| *name != "metadata").collect();
            assert_eq!(names[1..], *members, "{event:?}");
            assert!(members.iter().all(|name| data[*name].is_string()), "{data}");
        }
    }

    #[test]
    fn movies_that_no_step_extracted_are_null() {
        let job = examples::job(OutboundEvent::Completed, NOON);
        let data = json!(data(&job, OutboundEvent::ExtractionCompleted, NOON));
        assert_eq!(data.get("extracted_movies"), Some(&Value::Null));
    }
}
