//! Sign-in and sign-out: a form that works without a script, and the session cookie (ADR 29).

use reelhook_api::{Api, WithAccess};
use reelhook_app::clock::ClockAndRandom;
use reelhook_aws::start::SystemClock;
use reelhook_http::access::session::{Session, SignIn, next, no_cookie, see_other, signed_out_answer};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::refusal::QUIET_CHALLENGE;
use reelhook_http::request::ApiRequest;

use crate::files::Files;

/// What the pages have in common with other functions behind the API, and the domain in front of it.
type PagesApi = Api<WithAccess<Edge>>;

/// Answers the routes for signing in and out, which need no key; none for other routes.
pub async fn answer(files: &Files, api: &PagesApi, request: &ApiRequest) -> Option<Result<ApiAnswer, Problem>> {
    match (request.method.as_str(), &request.segments()[..]) {
        ("GET" | "HEAD", ["login"]) => Some(Ok(show(files, api, request).await)),
        ("POST", ["login"]) => Some(sign_in(files, api, request).await),
        ("POST", ["logout"]) => Some(sign_out(api, request)),
        _ => None,
    }
}

async fn show(files: &Files, api: &PagesApi, request: &ApiRequest) -> ApiAnswer {
    let next = next(request);
    let signed_in = api.settings.get().await.access.caller(request, SystemClock.now()).is_ok();
    if signed_in { see_other(&next) } else { files.login(200, &next, None) }
}

async fn sign_in(files: &Files, api: &PagesApi, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    // Without this check a page of another site could sign a user in to an account of its own.
    api.site.check_sender(request)?;
    let settings = api.settings.get().await;
    let session = begin(api, request, &settings.own.network(request)).await;
    settings.own.audit(request, if session.is_ok() { "signed in" } else { "a sign-in was refused" });
    match session {
        Ok(session) => {
            let answer = if request.is_json() { session.answer() } else { see_other(&next(request)) };
            Ok(answer.header("set-cookie", session.cookie(api.site.is_secure(request))))
        }
        Err(problem) if request.is_json() => Err(problem),
        Err(problem) => Ok(refused(files, request, &problem)),
    }
}

async fn begin(api: &PagesApi, request: &ApiRequest, network: &str) -> Result<Session, Problem> {
    // Sign-ins have a rate limit of their own, so that guesses do not use up other calls from the same network.
    api.limits.admit(&format!("login {network}")).await?;
    let sign_in = SignIn::read(request)?;
    api.settings.check(|settings| settings.access.sign_in(&sign_in, SystemClock.now())).await
}

/// The sign-in page with the error.
fn refused(files: &Files, request: &ApiRequest, problem: &Problem) -> ApiAnswer {
    let (status, _, sentence) = problem.parts();
    let sentence = match problem {
        Problem::Request(RequestProblem::RateLimited(retry_after)) => {
            format!("Too many attempts. Try again in {retry_after} s.")
        }
        _ => format!("{sentence}."),
    };
    let page = files.login(status, &next(request), Some(&sentence));
    match problem {
        Problem::Request(RequestProblem::RateLimited(retry_after)) => {
            page.header("retry-after", retry_after.to_string())
        }
        _ if status == 401 => page.header("www-authenticate", QUIET_CHALLENGE),
        _ => page,
    }
}

fn sign_out(api: &PagesApi, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    api.site.check_sender(request)?;
    let answer = match request.is_json() {
        true => signed_out_answer(),
        false => see_other("/login"),
    };
    Ok(answer.header("set-cookie", no_cookie(api.site.is_secure(request))))
}
