//! Callbacks at the Function URL that workers get as their base: the routes of reports and renders, and nothing without the
//! token of a run (docs/contract/workers.md, Tokens).

use reelhook_domain::JobId;
use reelhook_signing::SigningKeys;
use secrecy::ExposeSecret;

use crate::jobs::step::{Reporter, run_of};
use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;
use crate::routes;

/// The callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// POST /api/webhooks/step-update
    Step,
    /// POST /api/webhooks/creatomate
    Render,
}

impl Route {
    /// Reads the route.
    ///
    /// # Errors
    /// [`routes::unknown`] for another method; [`RequestProblem::UnknownRoute`] for any other path, also one of the API.
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        let route = match request.path.as_str() {
            "/api/webhooks/step-update" => Self::Step,
            "/api/webhooks/creatomate" => Self::Render,
            _ => return Err(Problem::Request(RequestProblem::UnknownRoute)),
        };
        if request.method == "POST" { Ok(route) } else { Err(routes::unknown(request)) }
    }

    /// What the audit log says about a request, as at the API.
    pub fn received(self) -> &'static str {
        match self {
            Self::Step => "received a step update",
            Self::Render => "received a render callback",
        }
    }
}

/// The run that the token in the path is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunToken {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
}

impl RunToken {
    /// Authenticates a callback by its token, without reading anything else.
    ///
    /// # Errors
    /// [`RequestProblem::Unauthorized`] without a token, and for one that is not valid.
    pub fn of(request: &ApiRequest, tokens: &SigningKeys) -> Result<Self, Problem> {
        match request.token.as_ref().and_then(|given| run_of(given.expose_secret(), tokens)) {
            Some(Reporter::Run(job_id, attempt)) => Ok(Self { job_id, attempt }),
            Some(Reporter::Trusted) | None => Err(Problem::Request(RequestProblem::Unauthorized)),
        }
    }
}

#[cfg(test)]
mod tests {
    use reelhook_signing::{ClipClaims, RunClaims, SignedToken};
    use serde_json::json;

    use super::*;
    use crate::request::{get_request, posting};

    const JOB: &str = "job_1704110400000_0001";
    const PATHS: [(&str, Route); 2] =
        [("/api/webhooks/step-update", Route::Step), ("/api/webhooks/creatomate", Route::Render)];

    fn keys(secret: &str) -> SigningKeys {
        SigningKeys::parse(secret).unwrap()
    }

    #[test]
    fn only_the_two_callbacks_are_served() {
        for (path, route) in PATHS {
            for prefix in ["", "/w/a.token"] {
                assert_eq!(Route::read(&posting(&format!("{prefix}{path}"), &json!({}))).unwrap(), route);
            }
            let Problem::Request(RequestProblem::MethodNotAllowed(allow)) =
                Route::read(&get_request(path, &[])).unwrap_err()
            else {
                panic!("GET is refused")
            };
            assert_eq!(allow, "POST, OPTIONS");
        }
        for path in ["/", "/api/generate", "/api/webhooks/step-update/", "/api/webhooks/video-complete", "/health"] {
            let problem = Route::read(&posting(&format!("/w/a.token{path}"), &json!({}))).unwrap_err();
            assert_eq!(problem, Problem::Request(RequestProblem::UnknownRoute), "{path}");
        }
    }

    #[test]
    fn only_the_token_of_a_run_authenticates() {
        let claims = RunClaims::of_run(JOB, 2);
        let of = |token: &str, path: &str| {
            RunToken::of(&posting(&format!("/w/{token}{path}"), &json!({})), &keys("newest,older"))
        };
        for (path, _) in PATHS {
            for secret in ["newest", "older"] {
                let token = SignedToken::mint(&claims, &keys(secret));
                let expected = RunToken { job_id: JobId::parse(JOB).unwrap(), attempt: 2 };
                assert_eq!(of(token.expose(), path).unwrap(), expected);
            }
            let foreign = SignedToken::mint(&claims, &keys("another"));
            let clip = SignedToken::mint(&ClipClaims { job: JOB.to_owned(), number: 1 }, &keys("newest"));
            for token in [foreign.expose(), clip.expose(), "guessed", ""] {
                assert_eq!(of(token, path), Err(Problem::Request(RequestProblem::Unauthorized)), "{token}");
            }
            let bare = RunToken::of(&posting(path, &json!({})), &keys("newest"));
            assert_eq!(bare, Err(Problem::Request(RequestProblem::Unauthorized)));
        }
    }
}
