//! Which webhook a request calls, and what it sends.

use reelhook_app::projects::callbacks::{Inbound, Submission};
use reelhook_app::projects::services::webhook;
use reelhook_domain::projects::task::Stage;

use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::routes::unknown;

const STAGES: [Stage; 3] = [Stage::Video, Stage::Frame, Stage::Stitch];

/// A call of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A callback about a task of this stage.
    Receive(Stage),
    /// The question whether the webhook of this stage is there.
    Health(Stage),
}

impl Route {
    /// Reads method and path.
    ///
    /// # Errors
    /// An unknown route or method.
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        let stage = match &request.segments()[..] {
            ["api", "webhooks", name] => STAGES.into_iter().find(|stage| webhook(*stage) == *name),
            _ => None,
        };
        match (stage, request.method.as_str()) {
            (Some(stage), "POST") => Ok(Self::Receive(stage)),
            (Some(stage), "GET") => Ok(Self::Health(stage)),
            (Some(_) | None, _) => Err(unknown(request)),
        }
    }
}

/// Reads a callback whose sender is verified.
///
/// # Errors
/// [`Problem`] if the body is too large, not JSON, or not an object.
pub fn read(request: &ApiRequest, stage: Stage, token: Option<Submission>) -> Result<Inbound, Problem> {
    Ok(Inbound { stage, token, body: request.callback_json()?, request_id: request.request_id.clone() })
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, Request, RequestExt};

    use super::*;

    fn route(method: &str, path: &str) -> Result<Route, u16> {
        let mut request = Request::new(Body::Empty).with_raw_http_path(path);
        *request.method_mut() = method.parse().unwrap();
        Route::read(&ApiRequest::of(request)).map_err(|problem| problem.parts().0)
    }

    #[test]
    fn each_webhook_has_a_path_with_and_without_a_token() {
        for (name, stage) in [
            ("video-complete", Stage::Video),
            ("last-frame-complete", Stage::Frame),
            ("stitch-complete", Stage::Stitch),
        ] {
            for prefix in ["", "/w/a.token"] {
                let path = format!("{prefix}/api/webhooks/{name}");
                assert_eq!(route("POST", &path), Ok(Route::Receive(stage)));
                assert_eq!(route("GET", &path), Ok(Route::Health(stage)));
                assert_eq!(route("HEAD", &path), Ok(Route::Health(stage)));
                assert_eq!(route("PUT", &path), Err(405));
                assert_eq!(route("DELETE", &path), Err(405));
            }
        }
        assert_eq!(route("POST", "/api/webhooks/video-completed"), Err(404));
        assert_eq!(route("POST", "/api/webhooks/video-complete/more"), Err(404));
    }
}
