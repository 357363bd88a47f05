//! A stream that shows each event as it happens.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lambda_http::{Request, Response};
use lambda_runtime::streaming::{Body, Sender, channel};
use reelhook_app::ambient::Ambient;
use reelhook_app::queue;
use reelhook_app::waiting::Slots as _;
use reelhook_app::watch::{Begun, Watch, begin, connected, heartbeat};
use reelhook_aws::start::System;
use reelhook_domain::{JobId, Timestamp};
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::sse::{self, Asked};
use reelhook_http::stream::admit;
use tokio::time::Instant;

use crate::{Deps, ticks};

/// How often a job's history is looked at.
const POLL_JOB: Duration = Duration::from_millis(500);
/// The queue's numbers show at most once in so long.
const POLL_QUEUE: Duration = Duration::from_secs(1);
/// How often a silent stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon a viewer comes back after the stream's end.
const RETRY_MS: u32 = 1000;

/// What is streamed, or answered at once.
enum Answer {
    Whole(ApiAnswer),
    Stream(Body),
}

/// Answers a request.
///
/// # Errors
/// Never: what goes wrong becomes an answer.
pub async fn handle(deps: &Arc<Deps>, request: Request) -> Result<Response<Body>, Infallible> {
    let request = ApiRequest::of(request);
    let answer = match respond(deps, &request).await {
        Ok(Answer::Stream(body)) => {
            let head =
                ApiAnswer::text(200, String::new()).header("content-type", EVENTS).header("x-accel-buffering", "no");
            return Ok(with_body(head, body));
        }
        Ok(Answer::Whole(answer)) => answer,
        Err(problem) => problem.streamgank(&request.request_id),
    };
    let body = Body::from(answer.body.clone());
    Ok(with_body(answer, body))
}

const EVENTS: &str = "text/event-stream; charset=utf-8";

fn with_body(head: ApiAnswer, body: Body) -> Response<Body> {
    let (parts, _) = head.into_response().into_parts();
    Response::from_parts(parts, body)
}

async fn respond(deps: &Arc<Deps>, request: &ApiRequest) -> Result<Answer, Problem> {
    let now = System.now();
    let asked = Asked::read(request)?.ok_or(Problem::UnknownRoute)?;
    deps.secrets.check(|secrets| admit(request, &asked, &secrets.access, &secrets.tokens, now)).await?;
    match asked {
        Asked::Job { id, last } => match begin(&deps.jobs, &deps.live, &id, last).await? {
            Begun::NotFound => Err(Problem::JobNotFound),
            Begun::Over => Ok(Answer::Whole(ApiAnswer::text(204, String::new()))),
            Begun::Ended(seen) => {
                Ok(Answer::Whole(ApiAnswer::text(200, sse::seen(&seen)).header("content-type", EVENTS)))
            }
            Begun::Watch(watch) => {
                let viewer = enter(deps, request).await?;
                Ok(Answer::Stream(stream(viewer, async move |viewer, sender| {
                    show_job(viewer, sender, &id, watch, last.is_none()).await
                })))
            }
        },
        Asked::Queue { last } => {
            let viewer = enter(deps, request).await?;
            Ok(Answer::Stream(stream(viewer, async move |viewer, sender| show_queue(viewer, sender, last).await)))
        }
    }
}

/// One viewer: its slot and how long it may stay.
struct Viewer {
    deps: Arc<Deps>,
    slot: String,
    until: Instant,
}

async fn enter(deps: &Arc<Deps>, request: &ApiRequest) -> Result<Viewer, Problem> {
    let now = System.now();
    let slot = format!("stream.{}.{:08x}", request.request_id, System.random() as u32);
    let longest = i64::try_from(deps.longest.as_millis()).unwrap_or(i64::MAX / 2);
    if !deps.viewers.enter(&slot, now, Timestamp(now.0 + longest + 5_000)).await? {
        return Err(Problem::TooManyStreams);
    }
    Ok(Viewer { deps: Arc::clone(deps), slot, until: Instant::now() + deps.longest })
}

/// Runs `show` beside the answer; whoever leaves ends it, and so does a fault, after which the viewer comes back.
fn stream<F>(viewer: Viewer, show: impl FnOnce(Arc<Viewer>, Sender) -> F + Send + 'static) -> Body
where
    F: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let (sender, body) = channel();
    let viewer = Arc::new(viewer);
    tokio::spawn(async move {
        if show(Arc::clone(&viewer), sender).await.is_err() {
            tracing::info!(slot = viewer.slot, "a viewer left, or could not be shown more");
        }
        viewer.deps.viewers.leave(&viewer.slot).await;
    });
    body
}

/// Nobody listens any more, or nothing more can be told.
struct Gone;

impl<E: std::error::Error> From<E> for Gone {
    fn from(error: E) -> Self {
        tracing::warn!(%error, "a stream ends early");
        Self
    }
}

async fn send(sender: &mut Sender, text: String) -> Result<(), Gone> {
    // The receiver is gone.
    sender.send_data(Bytes::from(text)).await.map_err(|_| Gone)
}

async fn show_job(
    viewer: Arc<Viewer>,
    mut sender: Sender,
    id: &JobId,
    mut watch: Watch,
    first: bool,
) -> Result<(), Gone> {
    send(&mut sender, sse::retry(RETRY_MS) + &sse::position(&watch.position())).await?;
    if first {
        send(&mut sender, sse::unnumbered(&connected(id, System.now()))).await?;
    }
    let (mut poll, mut told) = (ticks(POLL_JOB), Instant::now());
    while Instant::now() < viewer.until {
        poll.tick().await;
        let found = watch.next(&viewer.deps.live, System.now()).await?;
        if !found.is_empty() {
            told = Instant::now();
            send(&mut sender, found.iter().map(sse::seen).collect()).await?;
        }
        if found.iter().any(|seen| seen.ends) {
            return Ok(());
        }
        if told.elapsed() >= HEARTBEAT {
            told = Instant::now();
            send(&mut sender, sse::unnumbered(&heartbeat(id, System.now()))).await?;
        }
    }
    Ok(())
}

async fn show_queue(viewer: Arc<Viewer>, mut sender: Sender, mut last: Option<String>) -> Result<(), Gone> {
    send(&mut sender, sse::retry(RETRY_MS)).await?;
    let client = format!("{:032x}", System.random());
    let (mut poll, mut told) = (ticks(POLL_QUEUE), Instant::now());
    while Instant::now() < viewer.until {
        poll.tick().await;
        let now = System.now();
        let status = queue::status(&viewer.deps.jobs, now).await?;
        let (id, data) = reelhook_http::queue::live_status(&status, viewer.deps.max_workers, now, &client);
        if last.as_ref() != Some(&id) {
            told = Instant::now();
            send(&mut sender, sse::named("status", Some(&id), &data)).await?;
            last = Some(id);
        } else if told.elapsed() >= HEARTBEAT {
            told = Instant::now();
            send(&mut sender, sse::named("heartbeat", None, &serde_json::json!({}))).await?;
        }
    }
    Ok(())
}
