//! Problems of videos that are made from scenes, and of their music; and all problems in VidBuilder's format.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::answer::ApiAnswer;
use crate::problem::{Problem, RequestProblem, problems};

problems! {
    /// A problem of a video.
    pub enum VideoProblem {
        /// The video has no scenes; the answer echoes the input.
        NoScenes(_received: Value) = 400 "no_scenes" "Invalid video configuration. Must include scenes array.";
        /// The callback URL is missing on a route that requires one.
        CallbackMissing = 400 "webhook_url_missing" "Webhook URL is required for async video generation.";
        /// The callback URL is not a URL; the answer echoes the input.
        CallbackFormat(_received: Value) = 400 "webhook_url_format" "Invalid webhook URL format.";
        /// The callback URL has a protocol that webhooks do not use; the answer echoes the input and says what would
        /// be right.
        CallbackProtocol(_received: Value, _right: &'static str) = 400 "webhook_url_protocol"
            "Invalid webhook URL protocol.";
        /// The configuration in a form is not JSON; the text says why.
        BadConfig(_why: String) = 400 "bad_config" "Invalid JSON configuration";
        /// The form can't be read; the text says why.
        BadForm(why: String) = 400 "bad_form" format!("The form can't be read: {why}");
        /// The form is too large.
        FormTooLarge = 413 "form_too_large" "The form must not be larger than 4 MiB";
        /// The video does not exist or is not ready.
        NotFound = 404 "video_not_found" "Video not found";
        /// The video does not exist any more.
        Gone = 404 "video_gone" "Video not found or already deleted";
        /// The job of a video that the caller waited for failed: its id and its error.
        Failed(_job_id: String, _error: String) = 422 "video_failed" "Failed to generate video";
        /// The job with this id does not exist; the answer repeats the id.
        NoJob(_id: String) = 404 "job_not_found" "Job not found";
        /// The music track does not exist.
        TrackNotFound = 404 "track_not_found" "Music track not found";
    }
}

/// An error in VidBuilder's form.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "VideoError")]
pub struct VideoErrorBody<'a> {
    /// A sentence; it may change.
    error: String,
    /// A stable word; docs/errors.md lists them all.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]*$"))]
    code: &'static str,
    /// The gateway's id of the request.
    #[serde(rename = "request_id")]
    request_id: &'a str,
    /// Only with `job_not_found` and `video_failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a str>,
    /// What exactly is wrong, or what would be right: with `webhook_url_missing`, `webhook_url_format`,
    /// `webhook_url_protocol` and `bad_config`; with `video_failed` the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    message: Option<Cow<'a, str>>,
    /// Another way: with `webhook_url_missing` and `form_too_large`.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
    /// Only with `no_scenes`: the input; a text, cut at 1 KiB, if it is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_config: Option<Value>,
    /// Only with `webhook_url_format` and `webhook_url_protocol`: the input; a text, cut at 1 KiB, if it is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_url: Option<Value>,
    /// Only with `rate_limited` and `daily_limit`: seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl VideoProblem {
    /// Adds what VidBuilder's answers say beside the sentence.
    fn describe<'a>(&'a self, body: &mut VideoErrorBody<'a>) {
        match self {
            Self::NoScenes(received) => body.received_config = Some(Problem::echo(received)),
            Self::CallbackMissing => {
                body.message =
                    Some("Please provide a webhookUrl in your request body to receive status updates.".into());
                body.hint = Some("Use /api/generate-flexible-video for synchronous generation without webhooks.");
            }
            Self::CallbackFormat(received) => {
                body.message = Some("Please provide a valid HTTP/HTTPS URL.".into());
                body.received_url = Some(Problem::echo(received));
            }
            Self::CallbackProtocol(received, right) => {
                body.message = Some(format!("Please provide {right}.").into());
                body.received_url = Some(Problem::echo(received));
            }
            Self::BadConfig(why) => body.message = Some(why.into()),
            Self::FormTooLarge => {
                body.hint = Some("Upload large images by POST /api/uploads, and name their keys.");
            }
            Self::NoJob(id) => body.job_id = Some(id),
            Self::Failed(job_id, error) => {
                body.job_id = Some(job_id);
                body.message = Some(error.into());
            }
            Self::BadForm(_) | Self::NotFound | Self::Gone | Self::TrackNotFound => {}
        }
    }
}

impl Problem {
    /// The error in VidBuilder's format.
    pub fn vidbuilder(&self, request_id: &str) -> ApiAnswer {
        let (status, code, error) = self.parts();
        let mut body = VideoErrorBody {
            error,
            code,
            request_id,
            job_id: None,
            message: None,
            hint: None,
            received_config: None,
            received_url: None,
            retry_after: None,
        };
        match self {
            Self::Video(problem) => problem.describe(&mut body),
            Self::Request(RequestProblem::RateLimited(retry_after) | RequestProblem::DailyLimit(_, retry_after)) => {
                body.retry_after = Some(*retry_after);
            }
            Self::Request(_) | Self::Job(_) | Self::Webhook(_) | Self::Project(_) | Self::Clip(_) | Self::Error(_) => {}
        }
        self.headers(ApiAnswer::json(status, &body))
    }
}
