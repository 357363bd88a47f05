//! The waiting transport: a request that ends at the first event, after 25 s at the latest; and the route for stream
//! tokens.

use std::time::Duration;

use reelhook_app::change::AggregateStore;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue;
use reelhook_app::jobs::waiting::Slots as _;
use reelhook_app::watch::{Cursor, LiveEvent, Watch, WatchStart, Watched, begin};
use reelhook_aws::start::SystemClock;
use reelhook_domain::Subject;
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::clips::problem::ClipProblem;
use reelhook_http::errors::stream::{self as errors_stream, ErrorStreamRoute};
use reelhook_http::jobs::problem::JobProblem;
use reelhook_http::jobs::stream::{read_token_request, token_answer, token_for, wants_errors, wants_live};
use reelhook_http::jobs::viewers;
use reelhook_http::live::LIVE_SUBJECT;
use reelhook_http::live::sse::{self, Received, Route, SHORT_COOKIE_LIFE};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::projects::problem::ProjectProblem;
use reelhook_http::request::ApiRequest;
use tokio::time::Instant;

use crate::owned::{admitted, check_operator, exists_for};
use crate::{Deps, SLOT_MARGIN, errors, ticks};

/// The longest wait: the HTTP API times out after 30 s.
const LONGEST: Duration = Duration::from_secs(25);
/// How often the tables are read.
const POLL: Duration = Duration::from_millis(500);
/// How often they are read for a job or a project that has ended.
const IDLE_POLL: Duration = Duration::from_secs(2);
/// The time after which a viewer reconnects, in milliseconds.
const RETRY_MS: u32 = 500;
/// `retry` after a held request: together with the wait, one request a minute.
const IDLE_RETRY_MS: u32 = 35_000;

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let now = SystemClock.now();
    if (request.method.as_str(), request.path.as_str()) == ("POST", "/api/stream-token") {
        let caller = deps.api.admit(request).await?;
        if wants_live(request)? {
            let keys = deps.api.settings.get().await;
            return Ok(token_for(LIVE_SUBJECT, caller.owner.as_ref(), &keys.own, now));
        }
        if wants_errors(request)? {
            check_operator(&caller)?;
            return Ok(token_for(errors_stream::SUBJECT, None, &deps.api.settings.get().await.own, now));
        }
        let of = read_token_request(request)?;
        check_exists(deps, &caller, of.as_ref()).await?;
        return Ok(token_answer(of.as_ref(), &caller, &deps.api.settings.get().await.own, now));
    }
    if let Some(route) = ErrorStreamRoute::read(request) {
        let admit = errors_stream::admit;
        deps.api.check(request, |settings| admit(request, &settings.access, &settings.own, now)).await?;
        return wait_for_errors(deps, request, &route).await;
    }
    let (route, exists) = admitted(deps, request, now).await?;
    if !exists {
        return Ok(viewers::not_found(request, &route, route.has_received_not_found()));
    }
    match &route {
        // A HEAD request waits for no event.
        Route::Queue { .. } if request.is_head() => Ok(viewers::events(RETRY_MS, "")),
        Route::Job { id, last, received } => {
            let seen = Seen { last: *last, received: *received };
            follow(deps, &deps.jobs, id, seen, request, &route).await
        }
        Route::Project { id, last, received } => {
            let seen = Seen { last: *last, received: *received };
            follow(deps, &deps.projects, id, seen, request, &route).await
        }
        Route::Clips { id, last, received, .. } => {
            let seen = Seen { last: *last, received: *received };
            follow(deps, &deps.clips, id, seen, request, &route).await
        }
        Route::Queue { last, received } => {
            wait_for_queue(deps, last.as_deref(), received.as_deref(), request, &route).await
        }
    }
}

/// Whether the job, the project or the clip job that a token is for exists, and the caller sees it. A token without one is
/// for the queue.
async fn check_exists(deps: &Deps, caller: &Caller, of: Option<&Subject>) -> Result<(), Problem> {
    let Some(subject) = of else { return check_operator(caller) };
    if exists_for(deps, caller, subject).await? {
        return Ok(());
    }
    Err(match subject {
        Subject::Project(_) => Problem::Project(ProjectProblem::NotFound),
        Subject::Clips(_) => Problem::Clip(ClipProblem::NotFound),
        Subject::Job(_) | Subject::Endpoint(_) | Subject::Error(_) | Subject::Trigger(_) => {
            Problem::Job(JobProblem::NotFound)
        }
    })
}

/// What a viewer has seen, and what its browser has received.
#[derive(Clone, Copy)]
struct Seen {
    last: Option<Cursor>,
    received: Option<Received>,
}

/// Follows a job, a project or a clip job.
async fn follow<A: Watched>(
    deps: &Deps,
    store: &impl AggregateStore<A>,
    id: &A::Id,
    Seen { last, received }: Seen,
    request: &ApiRequest,
    route: &Route,
) -> Result<ApiAnswer, Problem> {
    match begin(store, &deps.live, id, last, received.and_then(Received::cursor)).await? {
        WatchStart::NotFound => Ok(viewers::not_found(request, route, received == Some(Received::NotFound))),
        WatchStart::AlreadyFinished(last) => Ok(viewers::over(request, route, &last)),
        WatchStart::Ended { last, settled } => Ok(viewers::ended(request, route, &last, settled)),
        WatchStart::Watch(_) | WatchStart::AwaitRetry { .. } if request.is_head() => Ok(viewers::events(RETRY_MS, "")),
        WatchStart::AwaitRetry { watch, last, settled } => {
            wait_for_idle(deps, watch, &last, settled, request, route).await
        }
        WatchStart::Watch(watch) => wait_for_events(deps, watch, last.is_none(), request, route).await,
    }
}

async fn wait_for_events(
    deps: &Deps,
    mut watch: Watch,
    first: bool,
    request: &ApiRequest,
    route: &Route,
) -> Result<ApiAnswer, Problem> {
    // With the cursor the viewer reconnects at this position, even if nothing happens now.
    let mut text = sse::cursor(&watch.cursor());
    if first {
        text.push_str(&sse::unnumbered(&watch.connected(SystemClock.now())));
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
    Ok(viewers::found(request, route, RETRY_MS, &watch, text, &found))
}

/// Waits for a command that continues what has ended.
async fn wait_for_idle(
    deps: &Deps,
    mut watch: Watch,
    last: &LiveEvent,
    settled: bool,
    request: &ApiRequest,
    route: &Route,
) -> Result<ApiAnswer, Problem> {
    let slot = match acquire(deps, request).await {
        Ok(slot) => slot,
        Err(Problem::Request(RequestProblem::TooManyStreams)) => return Ok(viewers::full(request, route, last)),
        Err(problem) => return Err(problem),
    };
    let found = next_events(deps, &mut watch, IDLE_POLL).await;
    deps.viewers.release(&slot).await;
    let found = found?;
    if found.is_empty() {
        let retry = if settled { viewers::SETTLED_MS } else { IDLE_RETRY_MS };
        return Ok(viewers::idle(request, route, last, retry));
    }
    Ok(viewers::found(request, route, RETRY_MS, &watch, String::new(), &found))
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
        if let Some(text) = viewers::queue_text(last, received, (id.as_str(), &data), Instant::now() >= end) {
            break Ok(route.note(request, viewers::events(RETRY_MS, &text), &id, SHORT_COOKIE_LIFE));
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

async fn wait_for_errors(deps: &Deps, request: &ApiRequest, route: &ErrorStreamRoute) -> Result<ApiAnswer, Problem> {
    // A HEAD request waits for no event.
    if request.is_head() {
        return Ok(viewers::events(RETRY_MS, ""));
    }
    let slot = acquire(deps, request).await?;
    let text = errors::wait(&deps.errors, route, LONGEST).await;
    deps.viewers.release(&slot).await;
    Ok(viewers::events(RETRY_MS, &text?))
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
