//! Sign-in and sign-out: a form that works without a script, and the session cookie (ADR 29).

use reelhook_app::clock::ClockAndRandom;
use reelhook_aws::start::SystemClock;
use reelhook_http::access::session::{Session, SignIn, next, no_cookie, see_other};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::QUIET_CHALLENGE;
use serde_json::json;

use crate::Deps;

/// Answers the routes for signing in and out, which need no key; none for other routes.
pub async fn answer(deps: &Deps, request: &ApiRequest) -> Option<Result<ApiAnswer, Problem>> {
    match (request.method.as_str(), &request.segments()[..]) {
        ("GET" | "HEAD", ["login"]) => Some(Ok(show(deps, request).await)),
        ("POST", ["login"]) => Some(sign_in(deps, request).await),
        ("POST", ["logout"]) => Some(sign_out(deps, request)),
        _ => None,
    }
}

async fn show(deps: &Deps, request: &ApiRequest) -> ApiAnswer {
    let next = next(request);
    let signed_in = deps.secrets.get().await.access.caller(request, SystemClock.now()).is_ok();
    if signed_in { see_other(&next) } else { deps.files.login(200, &next, None) }
}

async fn sign_in(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    // Without this check a page of another site could sign a user in to an account of its own.
    deps.site.check_sender(request)?;
    let secrets = deps.secrets.get().await;
    let (address, network) = (secrets.edge.address(request), secrets.edge.network(request));
    let session = begin(deps, request, &network).await;
    request.audit(&address, if session.is_ok() { "signed in" } else { "a sign-in was refused" });
    match session {
        Ok(session) => {
            let answer = if request.is_json() { session.answer() } else { see_other(&next(request)) };
            Ok(answer.header("set-cookie", session.cookie(deps.site.is_secure(request))))
        }
        Err(problem) if request.is_json() => Err(problem),
        Err(problem) => Ok(refused(deps, request, &problem)),
    }
}

async fn begin(deps: &Deps, request: &ApiRequest, network: &str) -> Result<Session, Problem> {
    // Sign-ins have a rate limit of their own, so that guesses do not use up other calls from the same network.
    deps.limits.admit(&format!("login {network}")).await?;
    let sign_in = SignIn::read(request)?;
    deps.secrets.check(|secrets| secrets.access.sign_in(&sign_in, SystemClock.now())).await
}

/// The sign-in page with the error.
fn refused(deps: &Deps, request: &ApiRequest, problem: &Problem) -> ApiAnswer {
    let (status, _, sentence) = problem.parts();
    let sentence = match problem {
        Problem::RateLimited { retry_after } => format!("Too many attempts. Try again in {retry_after} s."),
        _ => format!("{sentence}."),
    };
    let page = deps.files.login(status, &next(request), Some(&sentence));
    match problem {
        Problem::RateLimited { retry_after } => page.header("retry-after", retry_after.to_string()),
        _ if status == 401 => page.header("www-authenticate", QUIET_CHALLENGE),
        _ => page,
    }
}

fn sign_out(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    deps.site.check_sender(request)?;
    let answer = match request.is_json() {
        true => ApiAnswer::json(200, &json!({ "success": true, "message": "Signed out" })),
        false => see_other("/login"),
    };
    Ok(answer.header("set-cookie", no_cookie(deps.site.is_secure(request))))
}
