//! Work of every family: what is submitted, how often, and the ids of all of it.

use std::fmt;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval_at};

use super::calls::Caller;
use crate::clips::job::{JOBS, of_page, page};
use crate::clips::tokens::Owner;
use crate::scenes::project::{PROJECTS, scenes, text};
use crate::stack::JsonText;
use crate::videos::{HOOK, film};

/// Each report of the mock worker comes three times, so that one comes through.
pub const SCENARIO: &str = "step_ms=10&render_ms=50&repeat=3";
/// Scenes of a project.
pub const SCENES: usize = 3;
/// Clips of a clip job.
pub const CLIPS: usize = 2;
/// Milliseconds between two submissions of each family: two processors keep up with them while functions are killed.
const JOBS_MS: u64 = 4_000;
const VIDEOS_MS: u64 = 20_000;
const PROJECTS_MS: u64 = 15_000;
const CLIPS_MS: u64 = 8_000;

/// How much is submitted.
pub enum Plan {
    /// As much as the intervals say, until a time.
    Until(Instant),
    /// One of each family.
    Once,
}

impl Plan {
    fn goes_on(&self, submitted: usize) -> bool {
        match self {
            Self::Until(end) => submitted == 0 || Instant::now() < *end,
            Self::Once => submitted == 0,
        }
    }
}

/// What was submitted, each under a key of its own.
pub struct Work {
    /// Jobs of the external worker.
    pub jobs: Vec<String>,
    /// Videos of our own renderers.
    pub videos: Vec<String>,
    /// Projects that were started.
    pub projects: Vec<String>,
    /// Clip jobs of one owner.
    pub clips: Vec<ClipWork>,
    /// Other jobs of the external worker, which people have cancelled.
    pub cancelled: Vec<String>,
    /// Those of `jobs` that may fail by their scenario.
    pub failing: Vec<String>,
}

/// A clip job.
pub struct ClipWork {
    /// Its id.
    pub id: String,
    /// The page whose video it cuts, which no other job has.
    pub page: String,
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [jobs, videos, projects] = [&self.jobs, &self.videos, &self.projects].map(|all| all.len());
        let clips = self.clips.len();
        write!(formatter, "{jobs} jobs, {videos} videos, {projects} projects, {clips} clip jobs")
    }
}

/// Submits work of every family.
pub async fn submit(caller: &Caller<'_>, owner: &Owner, plan: &Plan) -> Work {
    let (jobs, videos, projects, clips) = tokio::join!(
        repeated(plan, JOBS_MS, async |number| job(caller, &caller.key("job", number), SCENARIO).await),
        repeated(plan, VIDEOS_MS, async |number| video(caller, number).await),
        repeated(plan, PROJECTS_MS, async |number| project(caller, number).await),
        repeated(plan, CLIPS_MS, async |number| clip_job(caller, owner, number).await),
    );
    Work { jobs, videos, projects, clips, cancelled: Vec::new(), failing: Vec::new() }
}

/// Does something again and again, at an interval.
pub async fn repeated<T>(plan: &Plan, every_ms: u64, act: impl AsyncFn(usize) -> T) -> Vec<T> {
    let every = Duration::from_millis(every_ms);
    let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut done = Vec::new();
    while plan.goes_on(done.len()) {
        done.push(act(done.len()).await);
        if plan.goes_on(done.len()) {
            ticks.tick().await;
        }
    }
    done
}

/// Posts a body under an idempotency key, as an operator.
async fn post(caller: &Caller<'_>, path: &str, key: &str, body: &Value) -> (u16, Value) {
    post_at(caller, &caller.stack.api, path, key, body).await
}

/// The same at an address other than the API's.
async fn post_at(caller: &Caller<'_>, base: &str, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let request = || {
        let request = caller.stack.http.post(format!("{base}{path}")).header("x-api-key", &caller.stack.key);
        request.header("idempotency-key", key).json_text(body)
    };
    caller.send(path, request).await
}

/// Submits a job whose worker follows a scenario (infra/studio/README.md).
pub async fn job(caller: &Caller<'_>, key: &str, scenario: &str) -> String {
    let (status, answer) = post(caller, "/api/generate", key, &request_of(scenario)).await;
    assert_eq!(status, 200, "{answer}");
    text(&answer["jobId"])
}

/// The request of a job whose worker follows a scenario.
pub fn request_of(scenario: &str) -> Value {
    json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": format!("studio:{scenario}") })
}

/// Submits a video. The clients of two of three wait for it: one at the API, and one at the Function URL.
async fn video(caller: &Caller<'_>, number: usize) -> String {
    let mut film = film(2, 1.0);
    film["webhookUrl"] = json!(format!("{}/hooks/{HOOK}", caller.stack.studio));
    let waits = !number.is_multiple_of(3);
    let path = if waits { "/api/generate-flexible-video" } else { "/api/generate-video-async" };
    let expected: &[u16] = if waits { &[200, 202, 422] } else { &[202] };
    let stack = caller.stack;
    let base = if number % 3 == 1 { stack.aws.function_url("VideosWaitUrl") } else { stack.api.clone() };
    let (status, answer) = post_at(caller, &base, path, &caller.key("video", number), &film).await;
    assert!(expected.contains(&status), "{path}: {status} {answer}");
    text(&answer["jobId"])
}

/// Creates and starts a project.
async fn project(caller: &Caller<'_>, number: usize) -> String {
    let body = json!({ "name": "A walk through the snow", "scenes": scenes(SCENES) });
    let (status, project) = post(caller, PROJECTS, &caller.key("project", number), &body).await;
    assert_eq!(status, 201, "{project}");
    let id = text(&project["id"]);
    let path = format!("{PROJECTS}/{id}/start");
    let (status, answer) = caller.post(&path, &json!({})).await;
    // A call whose answer was lost may have started it, and it may have ended since.
    assert!(status == 200 || answer["code"] == "project_ended", "{path}: {status} {answer}");
    id
}

async fn clip_job(caller: &Caller<'_>, owner: &Owner, number: usize) -> ClipWork {
    let (key, page) = (caller.key("clips", number), page());
    let body = of_page(&page);
    let request = || {
        let request = owner.request(caller.stack, Method::POST, JOBS).header("idempotency-key", &key);
        request.json_text(&body)
    };
    let (status, job) = caller.send(JOBS, request).await;
    assert_eq!(status, 201, "{job}");
    ClipWork { id: text(&job["id"]), page }
}
