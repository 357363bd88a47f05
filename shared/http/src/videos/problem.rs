//! Problems of videos that are made from scenes, and of their music; and all problems in VidBuilder's format.

use serde_json::{Value, json};

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

impl VideoProblem {
    /// Adds what VidBuilder's answers say beside the sentence.
    fn describe(&self, body: &mut Value) {
        match self {
            Self::NoScenes(received) => body["receivedConfig"] = Problem::echo(received),
            Self::CallbackMissing => {
                body["message"] = json!("Please provide a webhookUrl in your request body to receive status updates.");
                body["hint"] = json!("Use /api/generate-flexible-video for synchronous generation without webhooks.");
            }
            Self::CallbackFormat(received) => {
                body["message"] = json!("Please provide a valid HTTP/HTTPS URL.");
                body["receivedUrl"] = Problem::echo(received);
            }
            Self::CallbackProtocol(received, right) => {
                body["message"] = json!(format!("Please provide {right}."));
                body["receivedUrl"] = Problem::echo(received);
            }
            Self::BadConfig(why) => body["message"] = json!(why),
            Self::FormTooLarge => {
                body["hint"] = json!("Upload large images by POST /api/uploads, and name their keys.");
            }
            Self::NoJob(id) => body["jobId"] = json!(id),
            Self::Failed(job_id, error) => {
                body["jobId"] = json!(job_id);
                body["message"] = json!(error);
            }
            Self::BadForm(_) | Self::NotFound | Self::Gone | Self::TrackNotFound => {}
        }
    }
}

impl Problem {
    /// The error in VidBuilder's format.
    pub fn vidbuilder(&self, request_id: &str) -> ApiAnswer {
        let (status, code, sentence) = self.parts();
        let mut body = json!({ "error": sentence, "code": code, "request_id": request_id });
        match self {
            Self::Video(problem) => problem.describe(&mut body),
            Self::Request(RequestProblem::RateLimited(retry_after)) => body["retryAfter"] = json!(retry_after),
            Self::Request(_) | Self::Job(_) | Self::Webhook(_) => {}
        }
        self.headers(ApiAnswer::json(status, &body))
    }
}
