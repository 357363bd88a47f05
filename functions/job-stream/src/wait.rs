//! The waiting transport: a request that ends at the first event, after 25 s at the latest; and the route for stream
//! tokens.

use std::convert::Infallible;
use std::time::Duration;

use lambda_http::{Body, Request, Response};
use reelhook_app::change::AggregateStore;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue;
use reelhook_app::jobs::waiting::Slots as _;
use reelhook_app::watch::{LiveEvent, Watch, WatchStart, begin, connected};
use reelhook_aws::start::SystemClock;
use reelhook_domain::JobId;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::problem::JobProblem;
use reelhook_http::jobs::stream::{admit, read_token_request, token_answer};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::routes;
use reelhook_http::serve::serve;
use reelhook_http::sse::{self, IDLE_COOKIE_LIFE, Received, Route, SHORT_COOKIE_LIFE};
use tokio::time::Instant;

use crate::{Deps, SLOT_MARGIN, idle, ticks};

/// The longest wait: the HTTP API times out after 30 s.
const LONGEST: Duration = Duration::from_secs(25);
/// How often the tables are read.
const POLL: Duration = Duration::from_millis(500);
/// How often they are read for a job that has ended.
const IDLE_POLL: Duration = Duration::from_secs(2);
/// The time after which a viewer reconnects, in milliseconds.
const RETRY_MS: u32 = 500;
/// `retry` after a held request: together with the wait, one request a minute.
const IDLE_RETRY_MS: u32 = 35_000;

/// Answers a request.
///
/// # Errors
/// Never: errors become answers.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Infallible> {
    Ok(serve(&deps.site, request, async |request| respond(deps, request).await).await)
}

async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let now = SystemClock.now();
    if (request.method.as_str(), request.path.as_str()) == ("POST", "/api/stream-token") {
        let caller = deps.secrets.check(|secrets| secrets.access.caller(request, now)).await?;
        deps.limits.admit(&caller.fingerprint).await?;
        let job = read_token_request(request)?;
        if let Some(id) = &job {
            let found = deps.jobs.load(id).await?;
            found.filter(|job| job.deleted_at.is_none()).ok_or(Problem::Job(JobProblem::NotFound))?;
        }
        return Ok(token_answer(job.as_ref(), &deps.secrets.get().await.tokens, now));
    }
    let route = Route::read(request)?.ok_or_else(|| routes::unknown(request))?;
    deps.secrets.check(|secrets| admit(request, &route, &secrets.access, &secrets.tokens, now)).await?;
    match &route {
        // A HEAD request waits for no event.
        Route::Queue { .. } if request.is_head() => Ok(idle::events(RETRY_MS, "")),
        Route::Job { id, last, received } => {
            match begin(&deps.jobs, &deps.live, id, *last, received.and_then(Received::cursor)).await? {
                WatchStart::NotFound => Ok(idle::not_found(request, &route, *received == Some(Received::NotFound))),
                WatchStart::AlreadyFinished(last) => Ok(idle::over(request, &route, &last)),
                WatchStart::Ended { last, settled } => Ok(idle::ended(request, &route, &last, settled)),
                WatchStart::Watch(_) | WatchStart::AwaitRetry { .. } if request.is_head() => {
                    Ok(idle::events(RETRY_MS, ""))
                }
                WatchStart::AwaitRetry { watch, last, settled } => {
                    wait_for_idle_job(deps, watch, &last, settled, request, &route).await
                }
                WatchStart::Watch(watch) => wait_for_job(deps, id, watch, last.is_none(), request, &route).await,
            }
        }
        Route::Queue { last, received } => {
            wait_for_queue(deps, last.as_deref(), received.as_deref(), request, &route).await
        }
    }
}

async fn wait_for_job(
    deps: &Deps,
    id: &JobId,
    mut watch: Watch,
    first: bool,
    request: &ApiRequest,
    route: &Route,
) -> Result<ApiAnswer, Problem> {
    // With the cursor the viewer reconnects at this position, even if nothing happens now.
    let mut text = sse::cursor(&watch.cursor());
    if first {
        text.push_str(&sse::unnumbered(&connected(id, SystemClock.now())));
    }
    let found = watch.next(&deps.live, SystemClock.now()).await?;
    let found = if found.is_empty() {
        let slot = acquire(deps, request).await?;
        let found = next_events(deps, &mut watch, POLL).await;
        deps.viewers.release(&slot).await;
        found?
    } else {
        found
    };
    Ok(events_answer(request, route, &watch, text, &found))
}

/// Waits for a command that continues a job that has ended.
async fn wait_for_idle_job(
    deps: &Deps,
    mut watch: Watch,
    last: &LiveEvent,
    settled: bool,
    request: &ApiRequest,
    route: &Route,
) -> Result<ApiAnswer, Problem> {
    let slot = match acquire(deps, request).await {
        Ok(slot) => slot,
        Err(Problem::Request(RequestProblem::TooManyStreams)) => return Ok(idle::full(request, route, last)),
        Err(problem) => return Err(problem),
    };
    let found = next_events(deps, &mut watch, IDLE_POLL).await;
    deps.viewers.release(&slot).await;
    let found = found?;
    if found.is_empty() {
        let retry = if settled { idle::SETTLED_MS } else { IDLE_RETRY_MS };
        return Ok(idle::idle(request, route, last, retry));
    }
    Ok(events_answer(request, route, &watch, String::new(), &found))
}

/// An answer with events, after which the viewer reconnects immediately.
fn events_answer(
    request: &ApiRequest,
    route: &Route,
    watch: &Watch,
    mut text: String,
    found: &[LiveEvent],
) -> ApiAnswer {
    text.extend(found.iter().map(sse::seen));
    let lasts = if found.iter().any(|seen| seen.ends) { IDLE_COOKIE_LIFE } else { SHORT_COOKIE_LIFE };
    route.note(request, idle::events(RETRY_MS, &text), &watch.cursor().to_string(), lasts)
}

async fn next_events(deps: &Deps, watch: &mut Watch, every: Duration) -> Result<Vec<LiveEvent>, Problem> {
    let (end, mut poll) = (Instant::now() + LONGEST, ticks(every));
    while Instant::now() < end {
        poll.tick().await;
        let found = watch.next(&deps.live, SystemClock.now()).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

async fn wait_for_queue(
    deps: &Deps,
    last: Option<&str>,
    received: Option<&str>,
    request: &ApiRequest,
    route: &Route,
) -> Result<ApiAnswer, Problem> {
    let client = format!("{:032x}", SystemClock.random());
    let known = last.or(received);
    let mut slot = None;
    let (end, mut poll) = (Instant::now() + LONGEST, ticks(POLL));
    let answer = loop {
        poll.tick().await;
        let now = SystemClock.now();
        let status = match queue::status(&deps.jobs, now).await {
            Ok(status) => status,
            Err(error) => break Err(Problem::from(error)),
        };
        let (id, data) = reelhook_http::jobs::queue::live_status(&status, deps.max_workers, now, &client);
        let over = Instant::now() >= end;
        if known != Some(id.as_str()) || over {
            // The cookie may be from another page of the same browser, and this page has not seen these numbers.
            let text = if over && last == Some(id.as_str()) {
                sse::named("heartbeat", None, &serde_json::json!({}))
            } else {
                sse::named("status", Some(&id), &data)
            };
            break Ok(route.note(request, idle::events(RETRY_MS, &text), &id, SHORT_COOKIE_LIFE));
        }
        if slot.is_none() {
            slot = Some(acquire(deps, request).await?);
        }
    };
    if let Some(slot) = slot {
        deps.viewers.release(&slot).await;
    }
    answer
}

/// Acquires a viewer's slot for one wait.
async fn acquire(deps: &Deps, request: &ApiRequest) -> Result<String, Problem> {
    let now = SystemClock.now();
    let slot = format!("wait.{}.{:08x}", request.request_id, SystemClock.random() as u32);
    let until = now.after(LONGEST + SLOT_MARGIN);
    if deps.viewers.acquire(&slot, now, until).await? {
        Ok(slot)
    } else {
        Err(Problem::Request(RequestProblem::TooManyStreams))
    }
}
