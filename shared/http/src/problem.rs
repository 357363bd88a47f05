//! The errors of the API: status, stable code and sentence of each in one exhaustive match (docs/errors.md lists them).

use reelhook_app::change::ChangeError;
use reelhook_app::limits::Limited;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::endpoints::registrations::MOST_ENDPOINTS;
use reelhook_app::webhooks::endpoints::secrets::MOST_SECRETS;
use reelhook_domain::{Status, Timestamp};
use serde_json::{Value, json};

use crate::answer::ApiAnswer;

/// The maximum length of echoed input, in bytes.
const ECHO_LIMIT: usize = 1024;

/// An error of the API.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// Country, platform or genre is missing; the answer echoes the input.
    MissingParameters {
        /// The input.
        received: Value,
    },
    /// A member has the wrong type or a value out of range.
    BadField {
        /// The member.
        field: &'static str,
        /// What would be right.
        right: String,
    },
    /// A value in a film specification or an event's data is wrong.
    BadValue {
        /// Its path, such as `scenes[2].duration`.
        path: String,
        /// What would be right.
        right: String,
    },
    /// The video has no scenes; the answer echoes the input.
    NoScenes {
        /// The input.
        received: Value,
    },
    /// The callback URL is missing on a route that requires one.
    CallbackMissing,
    /// The callback URL is not a URL; the answer echoes the input.
    CallbackFormat {
        /// The input.
        received: Value,
    },
    /// The callback URL has a protocol that webhooks do not use; the answer echoes the input.
    CallbackProtocol {
        /// The input.
        received: Value,
        /// What would be right.
        right: &'static str,
    },
    /// The configuration in a form is not JSON; the text says why.
    BadConfig(String),
    /// The form can't be read; the text says why.
    BadForm(String),
    /// The form is too large.
    FormTooLarge,
    /// The video does not exist or is not ready.
    VideoNotFound,
    /// The video does not exist any more.
    VideoGone,
    /// The job of a video that the caller waited for failed.
    VideoFailed {
        /// The job's id.
        job_id: String,
        /// The job's error.
        error: String,
    },
    /// The job with this id does not exist; VidBuilder's answer repeats the id.
    NoJob(String),
    /// The music track does not exist.
    TrackNotFound,
    /// The body is not JSON; the text says why.
    BadJson(String),
    /// The body is JSON, but not an object.
    NoObject,
    /// The body is too large.
    BodyTooLarge,
    /// The content coding or the character set of the body is not supported; the text is the whole sentence.
    UnsupportedEncoding(String),
    /// The body is not in the content coding that its header names.
    BadEncoding(&'static str),
    /// The data of a triggered event is larger than a webhook may be.
    PayloadTooLarge,
    /// The Idempotency-Key is empty, too long, or not visible ASCII.
    BadIdempotencyKey,
    /// The Idempotency-Key was used with another body.
    KeyReused,
    /// The request has no valid credentials.
    Unauthorized,
    /// The user name and password, or the API key, are not valid.
    SignInFailed,
    /// A page of another origin may have sent the request.
    ForeignPage,
    /// The API needs no key, and the request names a host that is not the API's own.
    ForeignHost,
    /// The job does not exist, or it is not the caller's.
    JobNotFound,
    /// The delivery does not exist.
    DeliveryNotFound,
    /// An attempt of the delivery is under way.
    DeliveryUnderWay,
    /// The endpoint of the delivery is disabled.
    EndpointDisabled,
    /// The endpoint does not exist.
    EndpointNotFound,
    /// The request has an unknown field.
    UnknownField {
        /// The unknown field.
        name: String,
        /// The known fields.
        known: Vec<&'static str>,
    },
    /// The endpoint is configured in the settings and can only be changed there.
    EndpointConfigured,
    /// The maximum number of endpoints is registered.
    TooManyEndpoints,
    /// The maximum number of the endpoint's secrets is valid; the time is the next expiry.
    TooManySecrets(Option<Timestamp>),
    /// The endpoint has another version than the one that the caller saw.
    VersionMismatch,
    /// No key is configured that encrypts the secrets of endpoints.
    NoSecretsKey,
    /// The recovery does not exist.
    RecoveryNotFound,
    /// The render callback has no id.
    RenderIdMissing,
    /// The render callback has no status.
    RenderStatusMissing,
    /// No job has the render with this id.
    RenderUnknown(String),
    /// A job with this status can't be cancelled.
    CannotCancel(Status),
    /// A job with this status can't be retried: only failed jobs can.
    CannotRetry(Status),
    /// A job with this status accepts no video.
    CannotComplete(Status),
    /// A job with this status can't be deleted: only final jobs can.
    CannotDelete(Status),
    /// The request that completes a job has no video URL.
    VideoUrlMissing,
    /// The job has no render to monitor.
    NoRender,
    /// The job already has its video.
    VideoExists,
    /// The workflow of the job did not complete.
    WorkflowIncomplete,
    /// The render of a job with this status can't be monitored.
    CannotMonitor(Status),
    /// The render service did not answer with a render.
    RenderCheckFailed,
    /// The render service did not answer in time.
    RenderCheckTimeout,
    /// The preview request has no country, platforms or genre.
    PreviewParametersMissing,
    /// The URL is missing; the text is the sentence of the route.
    UrlMissing(&'static str),
    /// The name of the event to trigger is missing.
    EventMissing,
    /// The caller exceeded the rate limit.
    RateLimited {
        /// Seconds until the next calls are allowed.
        retry_after: u64,
    },
    /// The maximum number of live streams is connected.
    TooManyStreams,
    /// The route does not exist.
    UnknownRoute,
    /// The path does not support the method; the text lists the supported ones.
    MethodNotAllowed(String),
    /// A store is busy; the same request may succeed later.
    Busy,
    /// Reelhook itself has a fault.
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
                let right = "`data` must not be larger than 256 KiB; send a link to larger data";
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
                "This endpoint is configured in WEBHOOK_URLS: change it there; the API can only enable and disable it"
                    .to_owned(),
            ),
            Self::TooManyEndpoints => {
                (409, "too_many_endpoints", format!("At most {MOST_ENDPOINTS} endpoints can be registered"))
            }
            Self::TooManySecrets(ends) => {
                let ends = ends.map_or_else(String::new, |ends| format!("; the next one expires at {ends}"));
                (409, "too_many_secrets", format!("At most {MOST_SECRETS} secrets are valid at once{ends}"))
            }
            Self::VersionMismatch => {
                (412, "version_mismatch", "The endpoint has changed in the meantime; read it again".to_owned())
            }
            Self::NoSecretsKey => (
                503,
                "no_secrets_key",
                "ENDPOINT_SECRETS_KEY is not set; `cargo xtask secrets` generates one".to_owned(),
            ),
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
                (405, "method_not_allowed", format!("Method not allowed; this path supports {allow}"))
            }
            Self::Busy => (503, "busy", "The service is busy, please try again".to_owned()),
            Self::Internal => (500, "internal", "Something went wrong on our side".to_owned()),
        }
    }

    /// The error in StreamGank's format. The sentence is in `message` and in `error`, because clients read either.
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

    /// Adds the headers of the problem, which are the same in all formats.
    pub(crate) fn headers(&self, answer: ApiAnswer) -> ApiAnswer {
        if let Self::RateLimited { retry_after } = self {
            return answer.header("retry-after", retry_after.to_string());
        }
        if let Self::MethodNotAllowed(allow) = self {
            return answer.header("allow", allow.clone());
        }
        match self.parts().0 {
            503 if *self == Self::TooManyStreams => answer.header("retry-after", "15"),
            // Waiting does not help, so there is no `retry-after`.
            503 if *self == Self::NoSecretsKey => answer,
            // A lone Basic challenge makes browsers prompt for a password; other clients ignore it.
            401 => answer.header("www-authenticate", "Basic realm=\"reelhook\", charset=\"UTF-8\""),
            // RFC 9110, 15.5.16.
            415 => answer.header("accept-encoding", "gzip, deflate"),
            503 => answer.header("retry-after", "1"),
            _ => answer,
        }
    }

    /// Input for an answer, shortened if it is long.
    pub(crate) fn echo(value: &Value) -> Value {
        let text = value.to_string();
        if text.len() <= ECHO_LIMIT {
            return value.clone();
        }
        Value::String(format!("{}…", &text[..text.floor_char_boundary(ECHO_LIMIT)]))
    }
}

impl From<StoreError> for Problem {
    /// Logs the cause, because the error is handled here.
    fn from(error: StoreError) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        if error.is_busy() {
            tracing::warn!(%error, cause, "request failed, the store is busy");
            Self::Busy
        } else {
            tracing::error!(%error, cause, "request failed");
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
                tracing::warn!(%job_id, "request failed, other writers changed the job on every attempt");
                Self::Busy
            }
        }
    }
}

#[cfg(test)]
mod tests;
