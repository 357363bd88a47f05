//! The streaming transport: an answer that carries each event as it happens.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lambda_http::{Request, Response};
use lambda_runtime::streaming::{Body, Sender, channel};
use reelhook_app::change::AggregateStore;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue;
use reelhook_app::jobs::waiting::Slots as _;
use reelhook_app::watch::{Cursor, Watch, WatchStart, Watched, begin};
use reelhook_aws::metrics::measured;
use reelhook_aws::start::SystemClock;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::errors::stream::{self as errors_stream, ErrorStreamRoute};
use reelhook_http::jobs::viewers;
use reelhook_http::live::sse::{self, IDLE_COOKIE_LIFE, Received, Route};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use tokio::time::Instant;

use crate::errors::ErrorFollower;
use crate::owned::admitted;
use crate::{Deps, SLOT_MARGIN, ticks};

/// How often live events are read.
const POLL: Duration = Duration::from_millis(500);
/// How often the queue's numbers are read.
const POLL_QUEUE: Duration = Duration::from_secs(1);
/// How often a stream without events sends a heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The time after which a viewer reconnects when the stream has ended, in milliseconds.
const RETRY_MS: u32 = 1000;
/// `retry` after a held stream of a job or a project that a command may continue.
const IDLE_RETRY_MS: u32 = 60_000;
/// How often the live events of a job or a project that has ended are read.
const IDLE_POLL: Duration = Duration::from_secs(2);
/// How long a stream of a job that no command can continue is held.
const LONGEST_SETTLED: Duration = Duration::from_secs(60);

/// An answer: whole, or a head with a streamed body.
enum Answer {
    Whole(ApiAnswer),
    Stream(ApiAnswer, Body),
}

/// Answers a request. What is measured while the body streams is written with the values of the next request.
///
/// # Errors
/// Never: errors become answers.
pub async fn handle(deps: &Arc<Deps>, request: Request) -> Result<Response<Body>, Infallible> {
    measured(answer(deps, request)).await
}

async fn answer(deps: &Arc<Deps>, request: Request) -> Result<Response<Body>, Infallible> {
    let request = ApiRequest::of(request);
    let answer = match respond(deps, &request).await {
        Ok(Answer::Stream(head, body)) => return Ok(with_body(head, body)),
        Ok(Answer::Whole(answer)) => answer,
        Err(problem) => deps.api.refusal(&problem, &request),
    };
    let answer = request.finish(answer);
    let body = Body::from(answer.body.clone());
    Ok(with_body(answer, body))
}

/// The head of a stream.
fn head() -> ApiAnswer {
    let head = ApiAnswer::text(200, String::new()).header("content-type", "text/event-stream; charset=utf-8");
    head.header("x-accel-buffering", "no")
}

fn with_body(head: ApiAnswer, body: Body) -> Response<Body> {
    let (parts, _) = head.into_response().into_parts();
    Response::from_parts(parts, body)
}

async fn respond(deps: &Arc<Deps>, request: &ApiRequest) -> Result<Answer, Problem> {
    if request.method == "OPTIONS" {
        return Ok(Answer::Whole(deps.api.site.preflight(request)));
    }
    let now = SystemClock.now();
    if let Some(route) = ErrorStreamRoute::read(request) {
        let admit = errors_stream::admit;
        deps.api.check(request, |settings| admit(request, &settings.access, &settings.own, now)).await?;
        // A HEAD request waits for no event.
        if request.is_head() {
            return Ok(Answer::Stream(head(), Body::empty()));
        }
        let viewer = acquire(deps, request).await?;
        let body = stream(viewer, async move |viewer, sender| show_errors(viewer, sender, route).await);
        return Ok(Answer::Stream(head(), body));
    }
    let (route, exists) = admitted(deps, request, now).await?;
    if !exists {
        return Ok(Answer::Whole(viewers::not_found(request, &route, route.has_received_not_found())));
    }
    match &route {
        // A HEAD request waits for no event.
        Route::Queue { .. } if request.is_head() => Ok(Answer::Stream(head(), Body::empty())),
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
        Route::Queue { last, .. } => {
            let (viewer, last) = (acquire(deps, request).await?, last.clone());
            let body = stream(viewer, async move |viewer, sender| show_queue(viewer, sender, last).await);
            Ok(Answer::Stream(head(), body))
        }
    }
}

/// What a viewer has seen, and what its browser has received.
#[derive(Clone, Copy)]
struct Seen {
    last: Option<Cursor>,
    received: Option<Received>,
}

/// Follows a job, a project or a clip job.
async fn follow<A: Watched>(
    deps: &Arc<Deps>,
    store: &impl AggregateStore<A>,
    id: &A::Id,
    Seen { last, received }: Seen,
    request: &ApiRequest,
    route: &Route,
) -> Result<Answer, Problem> {
    match begin(store, &deps.live, id, last, received.and_then(Received::cursor)).await? {
        WatchStart::NotFound => {
            Ok(Answer::Whole(viewers::not_found(request, route, received == Some(Received::NotFound))))
        }
        WatchStart::AlreadyFinished(last) => Ok(Answer::Whole(viewers::over(request, route, &last))),
        WatchStart::Ended { last, settled } => Ok(Answer::Whole(viewers::ended(request, route, &last, settled))),
        WatchStart::Watch(_) | WatchStart::AwaitRetry { .. } if request.is_head() => {
            Ok(Answer::Stream(head(), Body::empty()))
        }
        WatchStart::AwaitRetry { watch, last, settled } => {
            let viewer = match acquire(deps, request).await {
                Ok(viewer) if settled => viewer.at_most(LONGEST_SETTLED),
                Ok(viewer) => viewer,
                Err(Problem::Request(RequestProblem::TooManyStreams)) => {
                    return Ok(Answer::Whole(viewers::full(request, route, &last)));
                }
                Err(problem) => return Err(problem),
            };
            let head = route.note(request, head(), &last.id, deps.longest + IDLE_COOKIE_LIFE);
            let retry = if settled { viewers::SETTLED_MS } else { IDLE_RETRY_MS };
            let first = sse::retry(retry) + &sse::unnumbered(&last.data);
            Ok(Answer::Stream(head, show(viewer, watch, first, IDLE_POLL)))
        }
        WatchStart::Watch(watch) => {
            let viewer = acquire(deps, request).await?;
            let mut first = sse::retry(RETRY_MS) + &sse::cursor(&watch.cursor());
            if last.is_none() {
                first.push_str(&sse::unnumbered(&watch.connected(SystemClock.now())));
            }
            Ok(Answer::Stream(head(), show(viewer, watch, first, POLL)))
        }
    }
}

/// A viewer with its slot and the end of its stream.
struct Viewer {
    deps: Arc<Deps>,
    slot: String,
    until: Instant,
}

impl Viewer {
    /// Limits the length of the stream.
    fn at_most(self, longest: Duration) -> Self {
        Self { until: self.until.min(Instant::now() + longest), ..self }
    }
}

async fn acquire(deps: &Arc<Deps>, request: &ApiRequest) -> Result<Viewer, Problem> {
    let now = SystemClock.now();
    let slot = format!("stream.{}.{:08x}", request.request_id, SystemClock.random() as u32);
    if !deps.viewers.acquire(&slot, now, now.after(deps.longest + SLOT_MARGIN)).await? {
        return Err(Problem::Request(RequestProblem::TooManyStreams));
    }
    Ok(Viewer { deps: Arc::clone(deps), slot, until: Instant::now() + deps.longest })
}

/// Runs `show` beside the answer. It ends when the viewer disconnects, or with an error, after which the viewer
/// reconnects.
fn stream<F>(viewer: Viewer, show: impl FnOnce(Arc<Viewer>, Sender) -> F + Send + 'static) -> Body
where
    F: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let (sender, body) = channel();
    let viewer = Arc::new(viewer);
    tokio::spawn(async move {
        if show(Arc::clone(&viewer), sender).await.is_err() {
            tracing::info!(slot = viewer.slot, "a viewer disconnected, or its stream failed");
        }
        viewer.deps.viewers.release(&viewer.slot).await;
    });
    body
}

/// The viewer has disconnected, or nothing more can be sent.
struct Gone;

impl<E: std::error::Error> From<E> for Gone {
    fn from(error: E) -> Self {
        tracing::warn!(%error, "a stream failed");
        Self
    }
}

async fn send(sender: &mut Sender, text: String) -> Result<(), Gone> {
    // It fails once the viewer has disconnected.
    sender.send_data(Bytes::from(text)).await.map_err(|_| Gone)
}

/// Sends `first`, and then the live events.
fn show(viewer: Viewer, watch: Watch, first: String, every: Duration) -> Body {
    stream(viewer, async move |viewer, sender| show_events(viewer, sender, watch, first, every).await)
}

async fn show_events(
    viewer: Arc<Viewer>,
    mut sender: Sender,
    mut watch: Watch,
    first: String,
    every: Duration,
) -> Result<(), Gone> {
    send(&mut sender, first).await?;
    let (mut poll, mut last_sent, mut idle) = (ticks(every), Instant::now(), every > POLL);
    while Instant::now() < viewer.until {
        poll.tick().await;
        let found = watch.next(&viewer.deps.live, SystemClock.now()).await?;
        if !found.is_empty() {
            last_sent = Instant::now();
            let mut text: String = found.iter().map(sse::seen).collect();
            if std::mem::take(&mut idle) {
                poll = ticks(POLL);
                text.insert_str(0, &sse::retry(RETRY_MS));
            }
            send(&mut sender, text).await?;
        }
        if found.iter().any(|seen| seen.ends) {
            return Ok(());
        }
        if last_sent.elapsed() >= HEARTBEAT {
            last_sent = Instant::now();
            send(&mut sender, sse::unnumbered(&watch.heartbeat(SystemClock.now()))).await?;
        }
    }
    Ok(())
}

async fn show_queue(viewer: Arc<Viewer>, mut sender: Sender, mut last: Option<String>) -> Result<(), Gone> {
    send(&mut sender, sse::retry(RETRY_MS)).await?;
    let client = format!("{:032x}", SystemClock.random());
    let (mut poll, mut last_sent) = (ticks(POLL_QUEUE), Instant::now());
    while Instant::now() < viewer.until {
        poll.tick().await;
        let now = SystemClock.now();
        let status = queue::status(&viewer.deps.jobs, now).await?;
        let (id, data) = reelhook_http::jobs::queue::live_status(&status, viewer.deps.max_workers, now, &client);
        if last.as_ref() != Some(&id) {
            last_sent = Instant::now();
            send(&mut sender, sse::named("status", Some(&id), &data)).await?;
            last = Some(id);
        } else if last_sent.elapsed() >= HEARTBEAT {
            last_sent = Instant::now();
            send(&mut sender, sse::named("heartbeat", None, &serde_json::json!({}))).await?;
        }
    }
    Ok(())
}

async fn show_errors(viewer: Arc<Viewer>, mut sender: Sender, route: ErrorStreamRoute) -> Result<(), Gone> {
    let (mut follower, first) = ErrorFollower::begin(&route);
    send(&mut sender, sse::retry(RETRY_MS) + &first).await?;
    while Instant::now() < viewer.until {
        if let Some(text) = follower.next(&viewer.deps.errors).await? {
            send(&mut sender, text).await?;
        }
    }
    Ok(())
}
