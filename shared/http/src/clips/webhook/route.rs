//! Which call of the webhook a request is, and what it reports.

use reelhook_app::clips::reports::{Inbound, Submission, is_report};

use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::routes::unknown;

/// A call of the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A report.
    Receive,
    /// The question whether the webhook is there.
    Health,
}

impl Route {
    /// Reads method and path.
    ///
    /// # Errors
    /// An unknown route or method.
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        match (&request.segments()[..], request.method.as_str()) {
            (["api", "webhooks", "ai-clipping" | "clipping"], "POST") => Ok(Self::Receive),
            (["api", "webhooks", "ai-clipping" | "clipping"], "GET") => Ok(Self::Health),
            _ => Err(unknown(request)),
        }
    }
}

/// Reads a report whose sender is verified.
///
/// # Errors
/// [`Problem`] if the body is too large, not JSON, not an object, or has neither an event nor the id of a job.
pub fn read(request: &ApiRequest, token: Option<Submission>) -> Result<Inbound, Problem> {
    let body = request.callback_json()?;
    if !is_report(&body) {
        return Err(bad("event", "a text, unless `external_job_id` or `job_id` is given"));
    }
    Ok(Inbound { token, body, request_id: request.request_id.clone() })
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, Request, RequestExt};

    use super::*;

    fn request(method: &str, path: &str, body: &str) -> ApiRequest {
        let mut request = Request::new(Body::Text(body.to_owned())).with_raw_http_path(path);
        *request.method_mut() = method.parse().unwrap();
        ApiRequest::of(request)
    }

    #[test]
    fn both_paths_are_valid_with_and_without_a_token() {
        let route =
            |method: &str, path: &str| Route::read(&request(method, path, "")).map_err(|problem| problem.parts().0);
        for name in ["ai-clipping", "clipping"] {
            for prefix in ["", "/w/a.token"] {
                let path = format!("{prefix}/api/webhooks/{name}");
                assert_eq!(route("POST", &path), Ok(Route::Receive));
                assert_eq!(route("GET", &path), Ok(Route::Health));
                assert_eq!(route("HEAD", &path), Ok(Route::Health));
                assert_eq!(route("PUT", &path), Err(405));
                assert_eq!(route("DELETE", &path), Err(405));
            }
        }
        assert_eq!(route("POST", "/api/webhooks/ai-clip"), Err(404));
        assert_eq!(route("POST", "/api/webhooks/ai-clipping/more"), Err(404));
        assert_eq!(route("POST", "/webhooks/ai-clipping"), Err(404));
    }

    #[test]
    fn a_report_has_an_event_or_an_id() {
        let status = |body: &str| {
            read(&request("POST", "/api/webhooks/clipping", body), None).map_err(|problem| problem.parts().0).err()
        };
        for report in [
            r#"{"event":"job.started"}"#,
            r#"{"event":"job.unheard_of","status":null}"#,
            r#"{"job_id":"abc-123"}"#,
            r#"{"job_id":17,"event":null}"#,
            r#"{"external_job_id":"a b/c","more":[{}]}"#,
        ] {
            assert_eq!(status(report), None, "{report}");
        }
        for other in [
            "",
            "[]",
            "null",
            "7",
            "{",
            "{}",
            r#"{"status":"completed"}"#,
            r#"{"event":null,"job_id":null}"#,
            r#"{"event":"","job_id":" "}"#,
            r#"{"event":7,"external_job_id":[]}"#,
        ] {
            assert_eq!(status(other), Some(400), "{other}");
        }
        let sentence = read(&request("POST", "/", "{}"), None).unwrap_err().parts().2;
        assert_eq!(sentence, "`event` must be a text, unless `external_job_id` or `job_id` is given");
    }
}
