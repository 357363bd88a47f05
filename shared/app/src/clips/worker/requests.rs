//! The clipping worker as it is configured, and the requests to it.

use std::time::Duration;

use bytes::Bytes;
use reelhook_domain::clips::request::{ClipRequest, Source};
use reelhook_domain::{ClipJob, ClipJobId, Timestamp, TraceParent};
use reelhook_signing::{ClipClaims, SignedToken, SigningKeys};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::clips::reports::files::WorkerFiles;
use crate::files::links::FileLinks;
use crate::outbound::conceal::concealed;
use crate::outbound::json::{seconds, without_nulls};
use crate::outbound::{Method, OutboundRequest};

/// The time limit of one request. It is well below the lease of a submission.
const DEADLINE: Duration = Duration::from_secs(20);
/// The maximum size of an answer to a submission or a cancellation, in bytes.
const ANSWER_LIMIT: usize = 256 * 1024;
/// The maximum size of the state of a job with its clips, in bytes: that of a report.
const STATE_LIMIT: usize = 1024 * 1024;

/// The clipping worker, and what callbacks and links are made with.
#[derive(Debug, Clone)]
pub struct ClippingWorker {
    /// CLIPPING_WORKER_URL.
    pub url: Url,
    /// GENESIS_API_KEY.
    pub key: Option<SecretString>,
    /// PUBLIC_BASE_URL, the base of callbacks and links.
    pub base: Url,
    /// CALLBACK_TOKEN_SECRET.
    pub tokens: SigningKeys,
    /// What the names of files in its reports are read with.
    pub files: WorkerFiles,
}

impl ClippingWorker {
    /// The URL for the reports on a submission, with the submission's token.
    pub fn callback_url(&self, job: &ClipJobId, number: u32) -> String {
        let token = SignedToken::mint(&ClipClaims { job: job.to_string(), number }, &self.tokens);
        let base = self.base.as_str().trim_end_matches('/');
        format!("{base}/w/{}/api/webhooks/ai-clipping", token.expose())
    }

    /// A text of the worker without our key and without tokens of ours, which a worker may repeat in its errors.
    pub(super) fn concealed(&self, text: &str) -> String {
        concealed(text, self.key.as_ref())
    }

    /// The request that makes a submission of a job.
    pub(super) fn submission(&self, job: &ClipJob, number: u32, now: Timestamp) -> OutboundRequest {
        let mut request = self.request(Method::Post, None);
        request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
        request.headers.push(("traceparent".to_owned(), TraceParent::of_aggregate(job).into()));
        request.body = Bytes::from(self.body(job, number, now).to_string());
        request
    }

    /// The body of a submission. The worker takes one range; requests with more are refused.
    fn body(&self, job: &ClipJob, number: u32, now: Timestamp) -> Value {
        let ClipRequest { ranges, lengths, keywords, .. } = &job.request;
        let range = ranges.first();
        let lengths: Vec<String> = lengths.iter().map(|range| format!("{}-{}", range.min_s, range.max_s)).collect();
        without_nulls(json!({
            "video_url": self.video(&job.request.source, now),
            "callback_url": self.callback_url(&job.id, number),
            "external_job_id": job.id.external_id(number),
            "owner_user_id": job.account().user_id(),
            "max_clips": job.request.most_clips(),
            "auto_clip_count": false,
            "start_time_seconds": range.map(|range| seconds(range.start_ms)),
            "end_time_seconds": range.map(|range| seconds(range.end_ms)),
            "duration_ranges": (!lengths.is_empty()).then_some(lengths),
            "target_platform": job.request.platform,
            "include_captions": job.request.captions,
            "caption_preset": job.request.caption_preset,
            "keywords": (!keywords.is_empty()).then_some(keywords),
        }))
    }

    /// The URL of the source. That of an upload is a link of ours, since the worker may read it hours later, when a link of
    /// the bucket has expired.
    fn video(&self, source: &Source, now: Timestamp) -> String {
        match source {
            Source::Page(url) | Source::File(url) => url.as_written().to_owned(),
            Source::Upload(key) => FileLinks { base: &self.base, keys: &self.tokens }.of_key(key, now),
        }
    }

    /// The request for the state of the submission that the worker knows under this id.
    pub(super) fn state_of(&self, id: &str) -> OutboundRequest {
        OutboundRequest { response_limit: STATE_LIMIT, ..self.request(Method::Get, Some(id)) }
    }

    /// The request that cancels the submission that the worker knows under this id.
    pub(super) fn cancellation(&self, id: &str) -> OutboundRequest {
        self.request(Method::Delete, Some(id))
    }

    /// A request without a body to the worker's jobs, or to one of them.
    fn request(&self, method: Method, id: Option<&str>) -> OutboundRequest {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["ai-clipping", "jobs"]).extend(id);
        }
        let key = self.key.iter().map(|key| ("x-genesis-api-key".to_owned(), key.expose_secret().to_owned()));
        OutboundRequest {
            method,
            url,
            headers: key.collect(),
            body: Bytes::new(),
            deadline: DEADLINE,
            response_limit: ANSWER_LIMIT,
        }
    }
}
