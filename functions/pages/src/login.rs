//! Sign-in and sign-out: a form that works without a script, and the session cookie (ADR 29).

use reelhook_app::clock::ClockAndRandom;
use reelhook_aws::limits::Limits;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::SystemClock;
use reelhook_http::access::session::{Session, SignIn, next, no_cookie, see_other};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::QUIET_CHALLENGE;
use reelhook_http::site::Site;
use serde_json::json;

use crate::files::Files;
use crate::secrets::Secrets;

/// What signing in and out needs.
pub struct LoginHandler<'a> {
    /// The sign-in page.
    pub files: &'a Files,
    /// The addresses and the mode of the API.
    pub site: &'a Site,
    /// The credentials of callers.
    pub secrets: &'a Settings<Secrets>,
    /// The rate limit of sign-ins.
    pub limits: &'a Limits,
}

/// Answers the routes for signing in and out, which need no key; none for other routes.
pub async fn answer(handler: &LoginHandler<'_>, request: &ApiRequest) -> Option<Result<ApiAnswer, Problem>> {
    match (request.method.as_str(), &request.segments()[..]) {
        ("GET" | "HEAD", ["login"]) => Some(Ok(show(handler, request).await)),
        ("POST", ["login"]) => Some(sign_in(handler, request).await),
        ("POST", ["logout"]) => Some(sign_out(handler, request)),
        _ => None,
    }
}

async fn show(handler: &LoginHandler<'_>, request: &ApiRequest) -> ApiAnswer {
    let next = next(request);
    let signed_in = handler.secrets.get().await.access.caller(request, SystemClock.now()).is_ok();
    if signed_in { see_other(&next) } else { handler.files.login(200, &next, None) }
}

async fn sign_in(handler: &LoginHandler<'_>, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    // Without this check a page of another site could sign a user in to an account of its own.
    handler.site.check_sender(request)?;
    let secrets = handler.secrets.get().await;
    let (address, network) = (secrets.edge.address(request), secrets.edge.network(request));
    let session = begin(handler, request, &network).await;
    request.audit(&address, if session.is_ok() { "signed in" } else { "a sign-in was refused" });
    match session {
        Ok(session) => {
            let answer = if request.is_json() { session.answer() } else { see_other(&next(request)) };
            Ok(answer.header("set-cookie", session.cookie(handler.site.is_secure(request))))
        }
        Err(problem) if request.is_json() => Err(problem),
        Err(problem) => Ok(refused(handler, request, &problem)),
    }
}

async fn begin(handler: &LoginHandler<'_>, request: &ApiRequest, network: &str) -> Result<Session, Problem> {
    // Sign-ins have a rate limit of their own, so that guesses do not use up other calls from the same network.
    handler.limits.admit(&format!("login {network}")).await?;
    let sign_in = SignIn::read(request)?;
    handler.secrets.check(|secrets| secrets.access.sign_in(&sign_in, SystemClock.now())).await
}

/// The sign-in page with the error.
fn refused(handler: &LoginHandler<'_>, request: &ApiRequest, problem: &Problem) -> ApiAnswer {
    let (status, _, sentence) = problem.parts();
    let sentence = match problem {
        Problem::Request(RequestProblem::RateLimited(retry_after)) => {
            format!("Too many attempts. Try again in {retry_after} s.")
        }
        _ => format!("{sentence}."),
    };
    let page = handler.files.login(status, &next(request), Some(&sentence));
    match problem {
        Problem::Request(RequestProblem::RateLimited(retry_after)) => {
            page.header("retry-after", retry_after.to_string())
        }
        _ if status == 401 => page.header("www-authenticate", QUIET_CHALLENGE),
        _ => page,
    }
}

fn sign_out(handler: &LoginHandler<'_>, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    handler.site.check_sender(request)?;
    let answer = match request.is_json() {
        true => ApiAnswer::json(200, &json!({ "success": true, "message": "Signed out" })),
        false => see_other("/login"),
    };
    Ok(answer.header("set-cookie", no_cookie(handler.site.is_secure(request))))
}
