//! The data of webhooks about clip jobs (docs/contract/clipping.md, Webhook events).

use reelhook_domain::clips::clip::Clip;
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJob, Metadata, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::job::{ClipJobState, ClipOrder, ClipView, Shown, clip, owner, state};
use super::names::{ClipJobIdText, ClipStatusText};
use crate::files::links::FileLinks;
use crate::views::wire::{MetadataText, Time};

/// A clip job at the time of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClipJobData<'a> {
    /// The job.
    #[schemars(with = "ClipJobIdText")]
    job_id: &'a str,
    /// What is there of it.
    #[serde(flatten)]
    state: ClipJobState<'a>,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// When it happened.
    timestamp: Time,
}

/// A clip that is there.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClipData<'a> {
    /// The job.
    #[schemars(with = "ClipJobIdText")]
    job_id: &'a str,
    /// The status of the job.
    #[schemars(with = "ClipStatusText")]
    status: &'static str,
    /// The clip.
    clip: ClipView<'a>,
    /// Clips that are finished.
    clips_completed: u32,
    /// Clips that there will be, once that is known.
    total_clips: Option<u32>,
    /// The owner; null for a job of an operator.
    owner: Option<&'a str>,
    /// The caller's own data of the job.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// When it happened.
    timestamp: Time,
}

/// The data of a webhook about a job as a whole.
pub(super) fn of_job<'a>(of: &'a ClipJob, at: Timestamp, links: FileLinks<'_>) -> ClipJobData<'a> {
    let url = |file: &File| links.of(file, at);
    ClipJobData {
        job_id: of.id.uuid(),
        state: state(of, Shown { url: &url, order: ClipOrder::Index }),
        metadata: &of.request.metadata,
        timestamp: at.into(),
    }
}

/// The data of a webhook about a clip.
pub(super) fn of_clip<'a>(of: &'a ClipJob, one: &'a Clip, at: Timestamp, links: FileLinks<'_>) -> ClipData<'a> {
    ClipData {
        job_id: of.id.uuid(),
        status: of.status.name(),
        clip: clip(one, one.file.as_ref().and_then(|file| links.of(file, at))),
        clips_completed: of.run.clips_completed,
        total_clips: of.run.total_clips,
        owner: owner(of),
        metadata: &of.request.metadata,
        timestamp: at.into(),
    }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::OutboundEvent::{ClipReady, ClipsCompleted};
    use reelhook_signing::{SigningKeys, SubjectClaims};
    use serde_json::{Value, json};
    use url::Url;

    use super::*;
    use crate::clips::examples;
    use crate::files::links::subject;
    use crate::views::clips::Clips;
    use crate::views::view::WebhookView;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn data(of: &ClipJob, about: Option<&str>) -> Value {
        let (base, keys) = (Url::parse("https://api.example").unwrap(), SigningKeys::parse("secret").unwrap());
        Clips.webhook_data(of, ClipsCompleted, about, NOON, FileLinks { base: &base, keys: &keys })
    }

    #[test]
    fn a_clip_has_a_link_that_opens_its_file() {
        let job = examples::job(ClipReady, NOON);
        let data = data(&job, Some("0"));
        let url = Url::parse(data["clip"]["url"].as_str().unwrap()).unwrap();
        let key = format!("clips/{}/0-0.mp4", job.id);
        assert_eq!(url.path(), format!("/api/v1/files/{key}"));
        let token = url.query_pairs().find(|(name, _)| name == "token").unwrap().1.into_owned();
        let keys = SigningKeys::parse("secret").unwrap();
        assert!(SubjectClaims::verify(&token, &subject(&key), NOON.seconds(), &keys).is_ok());
        assert_eq!((&data["clipsCompleted"], &data["totalClips"]), (&json!(1), &json!(2)));
    }

    #[test]
    fn an_event_about_the_job_has_its_clips() {
        let job = examples::job(ClipsCompleted, NOON);
        let data = data(&job, None);
        assert_eq!((&data["jobId"], &data["status"]), (&json!(job.id.uuid()), &json!("succeeded")));
        assert_eq!(data["output"]["clips"].as_array().map(Vec::len), Some(2));
        assert_eq!((&data["metadata"], &data["timestamp"]), (&json!({}), &json!("2024-01-01T12:00:00.000Z")));
    }
}
