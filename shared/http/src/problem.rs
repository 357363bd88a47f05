//! The errors of the API, by family, and their answers in StreamGank's format (docs/errors.md lists all).

mod request;
mod table;

use reelhook_app::change::ChangeError;
use reelhook_app::limits::{DayIsFull, Limited};
use reelhook_app::store::StoreError;
use reelhook_app::views::wire::No;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub use self::request::RequestProblem;
pub(crate) use self::table::problems;
use crate::answer::ApiAnswer;
use crate::clips::problem::ClipProblem;
use crate::errors::problem::ErrorProblem;
use crate::jobs::problem::JobProblem;
use crate::projects::problem::ProjectProblem;
use crate::videos::problem::VideoProblem;
use crate::webhooks::problem::WebhookProblem;

/// The maximum length of echoed input, in bytes.
const ECHO_LIMIT: usize = 1024;

/// An error of the API.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// Of any request.
    Request(RequestProblem),
    /// Of a job.
    Job(JobProblem),
    /// Of a webhook.
    Webhook(WebhookProblem),
    /// Of a video from scenes.
    Video(VideoProblem),
    /// Of a project of scenes.
    Project(ProjectProblem),
    /// Of a clip job.
    Clip(ClipProblem),
    /// Of an error of the errors API.
    Error(ErrorProblem),
}

/// An error in StreamGank's form.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Error")]
pub struct ErrorBody<'a> {
    /// False.
    success: No,
    /// A sentence; it may change.
    message: String,
    /// The same sentence, or a more precise one.
    error: String,
    /// A stable word; docs/errors.md lists them all.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]*$"))]
    code: &'static str,
    /// The gateway's id of the request.
    #[serde(rename = "request_id")]
    request_id: &'a str,
    /// Only with `missing_parameters`: the input; a text, cut at 1 KiB, if it is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<Value>,
    /// Only with `rate_limited` and `daily_limit`: seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// A field that has the wrong type or a value out of range: its path, and what would be right after "must be".
pub fn bad(path: impl Into<String>, right: impl Into<String>) -> Problem {
    Problem::Request(RequestProblem::BadField(path.into(), right.into()))
}

impl Problem {
    /// The codes of each family with their statuses.
    pub const CODES: [&[(&str, u16)]; 7] = [
        RequestProblem::CODES,
        JobProblem::CODES,
        WebhookProblem::CODES,
        VideoProblem::CODES,
        ProjectProblem::CODES,
        ClipProblem::CODES,
        ErrorProblem::CODES,
    ];

    /// Status, code and sentence.
    pub fn parts(&self) -> (u16, &'static str, String) {
        match self {
            Self::Request(problem) => problem.parts(),
            Self::Job(problem) => problem.parts(),
            Self::Webhook(problem) => problem.parts(),
            Self::Video(problem) => problem.parts(),
            Self::Project(problem) => problem.parts(),
            Self::Clip(problem) => problem.parts(),
            Self::Error(problem) => problem.parts(),
        }
    }

    /// The path of the field that is wrong or unknown.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Request(RequestProblem::BadField(path, _) | RequestProblem::UnknownField(path, _)) => Some(path),
            Self::Request(_)
            | Self::Job(_)
            | Self::Webhook(_)
            | Self::Video(_)
            | Self::Project(_)
            | Self::Clip(_)
            | Self::Error(_) => None,
        }
    }

    /// The error in StreamGank's format. The sentence is in `message` and in `error`, because clients read either.
    pub fn streamgank(&self, request_id: &str) -> ApiAnswer {
        let (status, code, message) = self.parts();
        let error = message.clone();
        let mut body = ErrorBody { success: No, message, error, code, request_id, received: None, retry_after: None };
        match self {
            Self::Job(JobProblem::MissingParameters(received)) => body.received = Some(Self::echo(received)),
            Self::Job(JobProblem::CannotDelete(status)) => {
                let name = status.name();
                body.error = format!(
                    "Cannot delete job with status: {name}. Only completed, failed, or cancelled jobs can be deleted."
                );
            }
            Self::Request(RequestProblem::RateLimited(retry_after) | RequestProblem::DailyLimit(_, retry_after)) => {
                body.retry_after = Some(*retry_after);
            }
            Self::Request(_)
            | Self::Job(_)
            | Self::Webhook(_)
            | Self::Video(_)
            | Self::Project(_)
            | Self::Clip(_)
            | Self::Error(_) => {}
        }
        self.headers(ApiAnswer::json(status, &body))
    }

    /// Adds the headers of the problem, which are the same in all formats.
    pub(crate) fn headers(&self, answer: ApiAnswer) -> ApiAnswer {
        let status = match self {
            Self::Request(RequestProblem::RateLimited(retry_after) | RequestProblem::DailyLimit(_, retry_after)) => {
                return answer.header("retry-after", retry_after.to_string());
            }
            Self::Request(RequestProblem::MethodNotAllowed(allow)) => return answer.header("allow", allow.clone()),
            Self::Request(RequestProblem::TooManyStreams) => return answer.header("retry-after", "15"),
            // Waiting does not help, so there is no `retry-after`.
            Self::Webhook(WebhookProblem::NoSecretsKey) => return answer,
            Self::Request(_)
            | Self::Job(_)
            | Self::Webhook(_)
            | Self::Video(_)
            | Self::Project(_)
            | Self::Clip(_)
            | Self::Error(_) => self.parts().0,
        };
        match status {
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
            Self::Request(RequestProblem::Busy)
        } else {
            tracing::error!(%error, cause, "request failed");
            Self::Request(RequestProblem::Internal)
        }
    }
}

impl From<DayIsFull> for Problem {
    fn from(full: DayIsFull) -> Self {
        Self::Request(RequestProblem::DailyLimit(full.most, full.retry_after_s))
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        Self::Request(RequestProblem::RateLimited(limited.retry_after_s))
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => error.into(),
            ChangeError::Contended(job_id) => {
                tracing::warn!(%job_id, "request failed, other writers changed the job on every attempt");
                Self::Request(RequestProblem::Busy)
            }
        }
    }
}

#[cfg(test)]
mod tests;
