//! Clients that read while work runs: lists, which read indexes, jobs with their logs, pages, waits, streams, and viewers
//! over WebSocket connections.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::calls::{Caller, now_ms};
use super::work::{Plan, job, repeated};
use crate::clips::job::JOBS;
use crate::clips::tokens::Owner;
use crate::live_socket::follow;
use crate::scenes::project::{PROJECTS, text};
use crate::stack::{JsonText, Stack};

/// What is read in turn.
const LISTS: [&str; 20] = [
    "/api/queue/status",
    "/api/queue/jobs?limit=50",
    "/api/queue/jobs?status=pending&limit=50",
    "/api/queue/jobs?status=processing&limit=50",
    "/api/queue/jobs?status=completed&limit=50",
    "/api/videos?limit=50",
    "/api/queue-status",
    "/api/v1/projects?limit=20",
    "/ai-clipping-agent/jobs?limit=20",
    "/ai-clipping-agent/jobs?status=succeeded&limit=20",
    "/ai-clipping-agent/credits?limit=20",
    "/api/v1/errors?limit=50",
    "/api/v1/errors/stats",
    "/api/logs/search?limit=50",
    "/api/logs/stats",
    "/api/webhooks/deliveries?limit=50",
    "/api/webhooks/endpoints",
    "/api/templates",
    "/dashboard",
    "/queue",
];
/// The time between two reads of lists, and between two looks at jobs.
const PACE: Duration = Duration::from_millis(500);
const LOOKS: Duration = Duration::from_secs(2);
/// The time between two rounds of waits and streams, which last for some seconds themselves.
const WAITS: Duration = Duration::from_secs(1);
/// The time between two callbacks over the API.
const HINTS: Duration = Duration::from_secs(5);
/// Milliseconds between two jobs that are followed over a WebSocket connection.
const FOLLOWED_MS: u64 = 20_000;
/// A job whose steps are seen one by one.
const SLOW: &str = "step_ms=300&render_ms=300&repeat=3";
/// How often a viewer is cut off.
const CUTS: usize = 2;
/// Milliseconds within which viewers see the end of a job: a message about it that is lost with its function comes again
/// after 35 s (`Aws::shorten_visibility`), and may be lost a second time.
const SHOWN_MS: u64 = 90_000;

/// A job that a viewer followed, and what they saw of it.
pub struct Followed {
    /// The job.
    pub id: String,
    /// A list of positions and events.
    seen: Vec<Value>,
    /// Whether the end is among them.
    saw_end: bool,
    /// When the viewer stopped, in Unix milliseconds.
    until: u64,
}

impl Followed {
    /// Asserts that the viewer saw the events of the job from the first one on, in order and once, and the end if they
    /// waited for it long enough. Otherwise the last ones may be missing, since a viewer does not wait for ever.
    pub async fn assert_in_order(&self, stack: &Stack) {
        let Self { id, seen, .. } = self;
        let events = stack.aws.live_events(id).await.into_iter();
        let events: Vec<Value> = events.map(|(cursor, data)| json!([cursor, data])).collect();
        assert!(!seen.is_empty() && events.starts_with(seen), "{id}: {seen:#?} begins {events:#?}");
        let ended = stack.stored(id).await.ended_at().and_then(|at| u64::try_from(at.millis()).ok());
        let ended = ended.unwrap_or_else(|| panic!("{id} has not ended"));
        assert!(self.saw_end || self.until < ended + SHOWN_MS, "{id} ended at {ended}, {seen:#?} until {}", self.until);
    }
}

/// Reads until a time.
pub async fn read_until(caller: &Caller<'_>, owner: &Owner, end: Instant) -> Vec<Followed> {
    let plan = &Plan::Until(end);
    let ((), (), (), (), followed) = tokio::join!(
        lists(caller, end),
        jobs(caller, end),
        waits(caller, owner, end),
        hints(caller, end),
        repeated(plan, FOLLOWED_MS, async |number| view(caller, number).await),
    );
    followed
}

/// Ticks of a reader that is in no hurry.
fn paced(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn lists(caller: &Caller<'_>, end: Instant) {
    let mut ticks = paced(PACE);
    for path in LISTS.iter().cycle() {
        ticks.tick().await;
        if Instant::now() >= end {
            return;
        }
        let (status, answer) = caller.get(path).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
}

/// The id of the first entry of a list; none if it is empty.
fn first(list: &Value, name: &str) -> Option<String> {
    list[name].as_array().unwrap_or_else(|| panic!("no list `{name}`: {list}")).first().map(|one| text(&one["id"]))
}

/// The newest job that the list has. It may be deleted by now.
async fn newest_job(caller: &Caller<'_>, filter: &str) -> Option<String> {
    let (status, list) = caller.get(&format!("/api/queue/jobs?limit=1{filter}")).await;
    assert_eq!(status, 200, "{list}");
    first(&list, "jobs")
}

async fn jobs(caller: &Caller<'_>, end: Instant) {
    let mut ticks = paced(LOOKS);
    while Instant::now() < end {
        ticks.tick().await;
        let Some(id) = newest_job(caller, "").await else { continue };
        for path in [
            format!("/api/job/{id}"),
            format!("/api/job/{id}/details"),
            format!("/api/job/{id}/deliveries"),
            format!("/api/queue/job/{id}/logs"),
            format!("/api/queue/job/{id}/logs/persistent"),
            format!("/job/{id}"),
        ] {
            let (status, answer) = caller.get(&path).await;
            assert!(matches!(status, 200 | 404), "{path}: {status} {answer}");
        }
    }
}

/// Waits over the API and streams of the Function URL, of what is newest. One that breaks off is not repeated: a viewer
/// comes back with the next one.
async fn waits(caller: &Caller<'_>, owner: &Owner, end: Instant) {
    let (stack, mut ticks) = (caller.stack, paced(WAITS));
    while Instant::now() < end {
        ticks.tick().await;
        let job = newest_job(caller, "").await;
        let (_, projects) = caller.get(&format!("{PROJECTS}?limit=1")).await;
        let list = format!("{JOBS}?limit=1");
        let (_, clips) = caller.send(&list, || owner.request(stack, Method::GET, &list)).await;
        let paths = [
            job.map(|id| format!("/api/job/{id}/stream")),
            first(&projects, "projects").map(|id| format!("{PROJECTS}/{id}/stream")),
            first(&clips, "jobs").map(|id| format!("{JOBS}/{id}/stream")),
        ];
        for path in paths.into_iter().flatten().chain(["/api/queue/status/stream".to_owned()]) {
            if Instant::now() >= end {
                return;
            }
            let url = format!("{}{path}", stack.aws.stream_url());
            let stream = stack.http.get(url).header("x-api-key", &stack.key);
            tokio::join!(look(caller, &path, stack.request(Method::GET, &path)), look(caller, &path, stream));
        }
    }
}

/// Waits for a stream once.
async fn look(caller: &Caller<'_>, path: &str, request: RequestBuilder) {
    if let Ok((status, answer)) = caller.once(path, request).await {
        assert!(matches!(status, 200 | 204 | 404), "{path}: {status} {answer}");
    }
}

/// Callbacks over the API that change nothing: a hint about an unknown render, and a report that comes too late.
async fn hints(caller: &Caller<'_>, end: Instant) {
    let mut ticks = paced(HINTS);
    while Instant::now() < end {
        ticks.tick().await;
        let path = "/api/webhooks/creatomate";
        let hint = json!({ "id": "prove-unknown", "status": "succeeded", "url": "https://cdn.example/video.mp4" });
        let request = || caller.stack.http.post(format!("{}{path}", caller.stack.api)).json_text(&hint);
        let (status, answer) = caller.send(path, request).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let Some(id) = newest_job(caller, "&status=completed").await else { continue };
        let report = json!({ "job_id": id, "step_number": 1, "status": "started" });
        let (status, answer) = caller.post("/api/webhooks/step-update", &report).await;
        // The job may be deleted by now.
        assert!(matches!(status, 200 | 404), "{status} {answer}");
    }
}

/// Follows a job of its own over a WebSocket connection that is cut off now and then.
async fn view(caller: &Caller<'_>, number: usize) -> Followed {
    let id = job(caller, &caller.key("followed", number), SLOW).await;
    let (status, answer) = caller.post("/api/stream-token", &json!({ "live": true })).await;
    assert_eq!(status, 200, "{answer}");
    let viewer = follow(caller.stack, &text(&answer["token"]), &id, CUTS).await;
    let (seen, saw_end) = (viewer["seen"].as_array().cloned(), viewer["ended"].as_bool());
    let (Some(seen), Some(saw_end)) = (seen, saw_end) else { panic!("what a viewer of {id} saw: {viewer}") };
    Followed { id, seen, saw_end, until: now_ms() }
}
