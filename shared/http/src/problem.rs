//! What can be wrong with a request: status, stable code and sentence in one exhaustive match (docs/errors.md lists them).

use reelhook_app::jobs::change::ChangeError;
use reelhook_app::limits::Limited;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::endpoints::registrations::MOST_ENDPOINTS;
use reelhook_app::webhooks::endpoints::secrets::MOST_SECRETS;
use reelhook_domain::{Status, Timestamp};
use serde_json::{Value, json};

use crate::answer::ApiAnswer;

/// Bytes of echoed input.
const ECHO_LIMIT: usize = 1024;

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// Country, platform or genre is missing; what came is echoed.
    MissingParameters {
        /// What came.
        received: Value,
    },
    /// A member has the wrong type or a value out of its range.
    BadField {
        /// Its name.
        field: &'static str,
        /// What would be right.
        right: String,
    },
    /// A part of a video's configuration is wrong.
    BadValue {
        /// Where it stands, such as `scenes[2].duration`.
        path: String,
        /// What would be right.
        right: String,
    },
    /// A video without scenes; what came is echoed.
    NoScenes {
        /// What came.
        received: Value,
    },
    /// A video that nobody is told of, where somebody has to be.
    CallbackMissing,
    /// What is to be told is no URL; what came is echoed.
    CallbackFormat {
        /// What came.
        received: Value,
    },
    /// A URL of another protocol than webhooks go over; what came is echoed.
    CallbackProtocol {
        /// What came.
        received: Value,
        /// What would be right.
        right: &'static str,
    },
    /// The configuration in a form is no JSON.
    BadConfig(String),
    /// A form that can't be read.
    BadForm(String),
    /// A form that is too large.
    FormTooLarge,
    /// There is no such video, or it is not ready.
    VideoNotFound,
    /// There is no such video any more.
    VideoGone,
    /// A video that was waited for can't be made.
    VideoFailed {
        /// Whose.
        job_id: String,
        /// Why.
        error: String,
    },
    /// There is no such job; in VidBuilder's words.
    NoJob(String),
    /// There is no such track of music.
    TrackNotFound,
    /// The body is no JSON.
    BadJson(String),
    /// The body is JSON, but no object.
    NoObject,
    /// The body is too large.
    BodyTooLarge,
    /// A content coding or a character set that bodies can't have; in a sentence.
    UnsupportedEncoding(String),
    /// The body is not in the coding that it names.
    BadEncoding(&'static str),
    /// The data of an event by hand is larger than a webhook may be.
    PayloadTooLarge,
    /// The Idempotency-Key is empty, too long, or no visible ASCII.
    BadIdempotencyKey,
    /// The Idempotency-Key was used with another body.
    KeyReused,
    /// Nobody vouches for the caller.
    Unauthorized,
    /// No such user with this password, and no such API key.
    SignInFailed,
    /// A page of another origin may have sent the request.
    ForeignPage,
    /// No key is needed, and the request names another host than ours.
    ForeignHost,
    /// There is no such job, or it is not the caller's.
    JobNotFound,
    /// There is no such delivery.
    DeliveryNotFound,
    /// A delivery is being sent at this moment.
    DeliveryUnderWay,
    /// A delivery's endpoint is disabled.
    EndpointDisabled,
    /// There is no such endpoint.
    EndpointNotFound,
    /// A field that a request does not have.
    UnknownField {
        /// Its name.
        name: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// An endpoint stands in the settings, and is changed there.
    EndpointConfigured,
    /// As many endpoints are registered as may be.
    TooManyEndpoints,
    /// As many of an endpoint's secrets are valid as may be; when the next one ends.
    TooManySecrets(Option<Timestamp>),
    /// It has another version than the caller saw.
    VersionMismatch,
    /// Secrets of endpoints can't be kept, since there is no key for them.
    NoSecretsKey,
    /// There is no such recovery.
    RecoveryNotFound,
    /// A render callback without an id.
    RenderIdMissing,
    /// A render callback without a status.
    RenderStatusMissing,
    /// A render that no job knows.
    RenderUnknown(String),
    /// A job in this state can't be cancelled.
    CannotCancel(Status),
    /// Only failed jobs can be retried.
    CannotRetry(Status),
    /// A job in this state takes no video.
    CannotComplete(Status),
    /// Only final jobs can be deleted.
    CannotDelete(Status),
    /// A video is handed in without its URL.
    VideoUrlMissing,
    /// There is no render to watch.
    NoRender,
    /// The video is there.
    VideoExists,
    /// The workflow was not brought to its end.
    WorkflowIncomplete,
    /// The render of a job in this state can't be watched.
    CannotMonitor(Status),
    /// The render service answered nothing useful.
    RenderCheckFailed,
    /// The render service did not answer in time.
    RenderCheckTimeout,
    /// A preview without country, platforms or genre.
    PreviewParametersMissing,
    /// A call that needs a URL comes without one; in the words of its route.
    UrlMissing(&'static str),
    /// An event is triggered without its name.
    EventMissing,
    /// More calls than may come in a minute.
    RateLimited {
        /// Seconds until there are some again.
        retry_after: u64,
    },
    /// Too many viewers.
    TooManyStreams,
    /// There is no such route.
    UnknownRoute,
    /// The path has other methods: these.
    MethodNotAllowed(String),
    /// A store is busy; the same request may go through later.
    Busy,
    /// Something of ours is broken.
    Internal,
}

impl Problem {
    /// Status, code and sentence.
    pub fn parts(&self) -> (u16, &'static str, String) {
        match self {
            Self::MissingParameters { .. } => (400, "missing_parameters", "Missing required parameters".to_owned()),
            Self::BadField { field, right } => (400, "bad_field", format!("`{field}` must be {right}")),
            Self::BadValue { path, right } => (400, "bad_field", format!("`{path}` must be {right}")),
            Self::NoScenes { .. } => {
                (400, "no_scenes", "Invalid video configuration. Must include scenes array.".to_owned())
            }
            Self::CallbackMissing => {
                (400, "webhook_url_missing", "Webhook URL is required for async video generation.".to_owned())
            }
            Self::CallbackFormat { .. } => (400, "webhook_url_format", "Invalid webhook URL format.".to_owned()),
            Self::CallbackProtocol { .. } => (400, "webhook_url_protocol", "Invalid webhook URL protocol.".to_owned()),
            Self::BadConfig(_) => (400, "bad_config", "Invalid JSON configuration".to_owned()),
            Self::BadForm(why) => (400, "bad_form", format!("The form can't be read: {why}")),
            Self::FormTooLarge => (413, "form_too_large", "The form must not be larger than 4 MiB".to_owned()),
            Self::VideoNotFound => (404, "video_not_found", "Video not found".to_owned()),
            Self::VideoGone => (404, "video_gone", "Video not found or already deleted".to_owned()),
            Self::VideoFailed { .. } => (422, "video_failed", "Failed to generate video".to_owned()),
            Self::NoJob(_) => (404, "job_not_found", "Job not found".to_owned()),
            Self::TrackNotFound => (404, "track_not_found", "Music track not found".to_owned()),
            Self::BadJson(why) => (400, "bad_json", format!("The body is not valid JSON: {why}")),
            Self::NoObject => (400, "no_object", "The body must be a JSON object".to_owned()),
            Self::BodyTooLarge => (413, "body_too_large", "The body must not be larger than 1 MiB".to_owned()),
            Self::UnsupportedEncoding(sentence) => (415, "unsupported_encoding", sentence.clone()),
            Self::BadEncoding(coding) => {
                (400, "bad_encoding", format!("The body is not valid {coding}, which its `Content-Encoding` names"))
            }
            Self::PayloadTooLarge => {
                let right = "`data` must not be larger than 256 KiB; send a link to what is larger";
                (413, "payload_too_large", right.to_owned())
            }
            Self::BadIdempotencyKey => {
                (400, "bad_idempotency_key", "`Idempotency-Key` must have 1 to 255 visible ASCII characters".to_owned())
            }
            Self::KeyReused => (
                422,
                "idempotency_key_reused",
                "This `Idempotency-Key` was used with another body; use a new key for a new request".to_owned(),
            ),
            Self::Unauthorized => {
                (401, "unauthorized", "A valid API key, signature or callback token is required".to_owned())
            }
            Self::SignInFailed => {
                (401, "sign_in_failed", "The API key, or the user name and password, are not valid".to_owned())
            }
            Self::ForeignPage => {
                let right = "This may come from a page of another origin: send the key as `X-API-Key` or Bearer, send \
                             `Content-Type: application/json`, or call from a page of this server";
                (403, "foreign_page", right.to_owned())
            }
            Self::ForeignHost => {
                let right = "Without a key the API answers only at its own address: call it there, or send a key as \
                             `X-API-Key` or Bearer";
                (403, "foreign_host", right.to_owned())
            }
            Self::JobNotFound => (404, "job_not_found", "Job not found".to_owned()),
            Self::DeliveryNotFound => (404, "delivery_not_found", "Webhook delivery not found".to_owned()),
            Self::DeliveryUnderWay => {
                (409, "delivery_under_way", "This webhook is being sent at this moment".to_owned())
            }
            Self::EndpointDisabled => {
                (409, "endpoint_disabled", "The endpoint is disabled; enable it before you send again".to_owned())
            }
            Self::EndpointNotFound => (404, "endpoint_not_found", "Webhook endpoint not found".to_owned()),
            Self::UnknownField { name, known } => {
                let name: String = name.chars().take(64).collect();
                (400, "unknown_field", format!("Unknown field `{name}`; the fields are `{}`", known.join("`, `")))
            }
            Self::EndpointConfigured => (
                409,
                "endpoint_configured",
                "This endpoint stands in WEBHOOK_URLS and is changed there; here it can be enabled and disabled"
                    .to_owned(),
            ),
            Self::TooManyEndpoints => {
                (409, "too_many_endpoints", format!("At most {MOST_ENDPOINTS} endpoints can be registered"))
            }
            Self::TooManySecrets(ends) => {
                let ends = ends.map_or_else(String::new, |ends| format!("; the next one ends at {ends}"));
                (409, "too_many_secrets", format!("At most {MOST_SECRETS} secrets are valid at once{ends}"))
            }
            Self::VersionMismatch => {
                (412, "version_mismatch", "The endpoint was changed since; read it again".to_owned())
            }
            Self::NoSecretsKey => {
                (503, "no_secrets_key", "ENDPOINT_SECRETS_KEY is not set; `cargo xtask secrets` makes one".to_owned())
            }
            Self::RecoveryNotFound => (404, "recovery_not_found", "Webhook recovery not found".to_owned()),
            Self::RenderIdMissing => (400, "render_id_missing", "Invalid webhook: missing render_id".to_owned()),
            Self::RenderStatusMissing => (400, "render_status_missing", "Invalid webhook: missing status".to_owned()),
            Self::RenderUnknown(id) => (404, "render_unknown", format!("Job not found for render ID: {id}")),
            Self::CannotCancel(status) => {
                (409, "cannot_cancel", format!("Cannot cancel job with status: {}", status.name()))
            }
            Self::CannotRetry(status) => (
                400,
                "cannot_retry",
                format!("Cannot retry job with status: {}. Only failed jobs can be retried.", status.name()),
            ),
            Self::CannotComplete(status) => {
                (409, "cannot_complete", format!("Cannot complete job with status: {}", status.name()))
            }
            Self::CannotDelete(_) => (400, "cannot_delete", "Job cannot be deleted".to_owned()),
            Self::VideoUrlMissing => (400, "video_url_missing", "Video URL is required".to_owned()),
            Self::NoRender => (400, "no_render", "Job has no Creatomate ID".to_owned()),
            Self::VideoExists => (400, "video_exists", "Job already has video URL".to_owned()),
            Self::WorkflowIncomplete => (
                400,
                "workflow_incomplete",
                "Job workflow was incomplete - manual verification needed before monitoring".to_owned(),
            ),
            Self::CannotMonitor(status) => {
                (400, "cannot_monitor", format!("Cannot monitor job with status: {}", status.name()))
            }
            Self::RenderCheckFailed => (502, "render_check_failed", "Failed to check Creatomate status".to_owned()),
            Self::RenderCheckTimeout => (504, "render_check_timeout", "Failed to check Creatomate status".to_owned()),
            Self::PreviewParametersMissing => (
                400,
                "missing_parameters",
                "Missing required parameters: country, platforms, and genre are required".to_owned(),
            ),
            Self::UrlMissing(sentence) => (400, "url_missing", (*sentence).to_owned()),
            Self::EventMissing => (400, "event_missing", "Event name is required".to_owned()),
            Self::RateLimited { .. } => (429, "rate_limited", "Rate limit exceeded. Please slow down.".to_owned()),
            Self::TooManyStreams => {
                (503, "too_many_streams", "Too many live connections, please poll instead".to_owned())
            }
            Self::UnknownRoute => (404, "unknown_route", "API endpoint not found".to_owned()),
            Self::MethodNotAllowed(allow) => {
                (405, "method_not_allowed", format!("Method not allowed; this path takes {allow}"))
            }
            Self::Busy => (503, "busy", "The service is busy, please try again".to_owned()),
            Self::Internal => (500, "internal", "Something went wrong on our side".to_owned()),
        }
    }

    /// The answer in StreamGank's words: both sentences, since its pages read either.
    pub fn streamgank(&self, request_id: &str) -> ApiAnswer {
        let (status, code, sentence) = self.parts();
        let mut body = json!({
            "success": false,
            "message": sentence,
            "error": sentence,
            "code": code,
            "request_id": request_id,
        });
        if let Self::MissingParameters { received } = self {
            body["received"] = Self::echo(received);
        }
        if let Self::CannotDelete(status) = self {
            let name = status.name();
            body["error"] = json!(format!(
                "Cannot delete job with status: {name}. Only completed, failed, or cancelled jobs can be deleted."
            ));
        }
        if let Self::RateLimited { retry_after } = self {
            body["retryAfter"] = json!(retry_after);
        }
        self.headers(ApiAnswer::json(status, &body))
    }

    /// The headers that go with it, in any words.
    pub(crate) fn headers(&self, answer: ApiAnswer) -> ApiAnswer {
        if let Self::RateLimited { retry_after } = self {
            return answer.header("retry-after", retry_after.to_string());
        }
        if let Self::MethodNotAllowed(allow) = self {
            return answer.header("allow", allow.clone());
        }
        match self.parts().0 {
            503 if *self == Self::TooManyStreams => answer.header("retry-after", "15"),
            // Nobody is helped by waiting.
            503 if *self == Self::NoSecretsKey => answer,
            // Browsers ask for a password where this scheme stands alone; other clients know of theirs.
            401 => answer.header("www-authenticate", "Basic realm=\"reelhook\", charset=\"UTF-8\""),
            // RFC 9110, 15.5.16.
            415 => answer.header("accept-encoding", "gzip, deflate"),
            503 => answer.header("retry-after", "1"),
            _ => answer,
        }
    }

    /// Input as it may be shown again: cut where it is long.
    pub(crate) fn echo(value: &Value) -> Value {
        let text = value.to_string();
        if text.len() <= ECHO_LIMIT {
            return value.clone();
        }
        Value::String(format!("{}…", &text[..text.floor_char_boundary(ECHO_LIMIT)]))
    }
}

impl From<StoreError> for Problem {
    /// Logs the cause, once: this is where it is handled.
    fn from(error: StoreError) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        if error.is_busy() {
            tracing::warn!(%error, cause, "a request could not be answered for now");
            Self::Busy
        } else {
            tracing::error!(%error, cause, "a request could not be answered");
            Self::Internal
        }
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        Self::RateLimited { retry_after: limited.retry_after_s }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => error.into(),
            ChangeError::Contended(job_id) => {
                tracing::warn!(%job_id, "others changed the job each time");
                Self::Busy
            }
        }
    }
}

#[cfg(test)]
mod tests;
