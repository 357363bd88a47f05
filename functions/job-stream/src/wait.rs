//! A wait that ends at the first event, after 25 s at the latest; and the tokens with which streams are opened from
//! elsewhere.

use std::convert::Infallible;
use std::time::Duration;

use lambda_http::{Body, Request, Response};
use reelhook_app::ambient::Ambient;
use reelhook_app::jobs::JobStore;
use reelhook_app::queue;
use reelhook_app::waiting::Slots as _;
use reelhook_app::watch::{Begun, Seen, Watch, begin, connected};
use reelhook_aws::start::System;
use reelhook_domain::{JobId, Timestamp};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::serve::serve;
use reelhook_http::sse::{self, Asked};
use reelhook_http::stream::{admit, read_token_request, token_answer};
use tokio::time::Instant;

use crate::{Deps, ticks};

/// The longest wait: the HTTP API gives up after 30 s.
const LONGEST: Duration = Duration::from_secs(25);
/// How often the tables are looked at.
const POLL: Duration = Duration::from_millis(500);
/// How soon a viewer comes back after an answer.
const RETRY_MS: u32 = 500;

/// Answers a request.
///
/// # Errors
/// Never: what goes wrong becomes an answer.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Infallible> {
    Ok(serve(request, async |request| respond(deps, request).await).await)
}

async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let now = System.now();
    if (request.method.as_str(), request.path.as_str()) == ("POST", "/api/stream-token") {
        let caller = deps.secrets.check(|secrets| secrets.access.caller(request)).await?;
        deps.limits.admit(&caller.fingerprint).await?;
        let job = read_token_request(request)?;
        if let Some(id) = &job {
            let found = deps.jobs.load(id).await?;
            found.filter(|job| job.deleted_at.is_none()).ok_or(Problem::JobNotFound)?;
        }
        return Ok(token_answer(job.as_ref(), &deps.secrets.get().await.tokens, now));
    }
    let asked = Asked::read(request)?.ok_or(Problem::UnknownRoute)?;
    deps.secrets.check(|secrets| admit(request, &asked, &secrets.access, &secrets.tokens, now)).await?;
    match asked {
        Asked::Job { id, last } => match begin(&deps.jobs, &deps.live, &id, last).await? {
            Begun::NotFound => Err(Problem::JobNotFound),
            Begun::Over => Ok(ApiAnswer::text(204, String::new())),
            Begun::Ended(seen) => Ok(events(sse::seen(&seen))),
            Begun::Watch(watch) => wait_for_job(deps, &id, watch, last.is_none(), request).await,
        },
        Asked::Queue { last } => wait_for_queue(deps, last.as_deref(), request).await,
    }
}

async fn wait_for_job(
    deps: &Deps,
    id: &JobId,
    mut watch: Watch,
    first: bool,
    request: &ApiRequest,
) -> Result<ApiAnswer, Problem> {
    // The position lets the viewer come back to here, should nothing happen now.
    let mut text = sse::position(&watch.position());
    if first {
        text.push_str(&sse::unnumbered(&connected(id, System.now())));
    }
    let found = watch.next(&deps.live, System.now()).await?;
    let found = if found.is_empty() {
        let slot = enter(deps, request).await?;
        let found = next_events(deps, &mut watch).await;
        deps.viewers.leave(&slot).await;
        found?
    } else {
        found
    };
    text.extend(found.iter().map(sse::seen));
    Ok(events(text))
}

async fn next_events(deps: &Deps, watch: &mut Watch) -> Result<Vec<Seen>, Problem> {
    let (end, mut poll) = (Instant::now() + LONGEST, ticks(POLL));
    while Instant::now() < end {
        poll.tick().await;
        let found = watch.next(&deps.live, System.now()).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

async fn wait_for_queue(deps: &Deps, last: Option<&str>, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let client = format!("{:032x}", System.random());
    let mut slot = None;
    let (end, mut poll) = (Instant::now() + LONGEST, ticks(POLL));
    let answer = loop {
        poll.tick().await;
        let now = System.now();
        let status = match queue::status(&deps.jobs, now).await {
            Ok(status) => status,
            Err(error) => break Err(Problem::from(error)),
        };
        let (id, data) = reelhook_http::queue::live_status(&status, deps.max_workers, now, &client);
        if last != Some(id.as_str()) {
            break Ok(events(sse::named("status", Some(&id), &data)));
        }
        if Instant::now() >= end {
            break Ok(events(sse::named("heartbeat", None, &serde_json::json!({}))));
        }
        if slot.is_none() {
            slot = Some(enter(deps, request).await?);
        }
    };
    if let Some(slot) = slot {
        deps.viewers.leave(&slot).await;
    }
    answer
}

/// A viewer's slot, for the time of one wait.
async fn enter(deps: &Deps, request: &ApiRequest) -> Result<String, Problem> {
    let now = System.now();
    let slot = format!("wait.{}.{:08x}", request.request_id, System.random() as u32);
    let until = Timestamp(now.0 + i64::try_from(LONGEST.as_millis()).unwrap_or_default() + 5_000);
    if deps.viewers.enter(&slot, now, until).await? { Ok(slot) } else { Err(Problem::TooManyStreams) }
}

fn events(text: String) -> ApiAnswer {
    ApiAnswer::text(200, sse::retry(RETRY_MS) + &text).header("content-type", "text/event-stream; charset=utf-8")
}
