//! Work of every family: what is submitted, how often, and the ids of all of it.

use std::fmt;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::calls::Caller;
use crate::clips::job::{JOBS, of_page, page};
use crate::clips::tokens::Owner;
use crate::scenes::project::{PROJECTS, scenes, text};
use crate::stack::JsonText;
use crate::videos::{HOOK, film};

/// Each report of the mock worker comes three times, so that one comes through.
const SCENARIO: &str = "step_ms=10&render_ms=50&repeat=3";
/// Scenes of a project.
const SCENES: usize = 3;
/// Milliseconds between two submissions of each family. A video of our own renderers takes the most time of all.
const JOBS_MS: u64 = 800;
const VIDEOS_MS: u64 = 10_000;
const PROJECTS_MS: u64 = 6_000;
const CLIPS_MS: u64 = 2_500;

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

/// What was submitted.
pub struct Work {
    /// Jobs of the external worker.
    pub jobs: Vec<String>,
    /// Videos of our own renderers.
    pub videos: Vec<String>,
    /// Projects that were started.
    pub projects: Vec<String>,
    /// Clip jobs of one owner.
    pub clips: Vec<String>,
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [jobs, videos, projects, clips] =
            [&self.jobs, &self.videos, &self.projects, &self.clips].map(|all| all.len());
        write!(formatter, "{jobs} jobs, {videos} videos, {projects} projects, {clips} clip jobs")
    }
}

/// Submits work of every family.
pub async fn submit(caller: &Caller<'_>, owner: &Owner, plan: &Plan) -> Work {
    let (jobs, videos, projects, clips) = tokio::join!(
        repeated(plan, JOBS_MS, async |number| job(caller, number).await),
        repeated(plan, VIDEOS_MS, async |number| video(caller, number).await),
        repeated(plan, PROJECTS_MS, async |number| project(caller, number).await),
        repeated(plan, CLIPS_MS, async |number| clip_job(caller, owner, number).await),
    );
    Work { jobs, videos, projects, clips }
}

/// Submits one after the other at an interval.
async fn repeated(plan: &Plan, every_ms: u64, submit: impl AsyncFn(usize) -> String) -> Vec<String> {
    let mut ticks = interval(Duration::from_millis(every_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ids = Vec::new();
    while plan.goes_on(ids.len()) {
        ids.push(submit(ids.len()).await);
        ticks.tick().await;
    }
    ids
}

/// Posts a body under an idempotency key, as an operator, and returns the answer if it has this status.
async fn post(caller: &Caller<'_>, path: &str, key: &str, body: &Value, expected: u16) -> Value {
    let request = || {
        let request = caller.stack.request(Method::POST, path).header("idempotency-key", key);
        request.json_text(body)
    };
    let (status, answer) = caller.send(path, request).await;
    assert_eq!(status, expected, "{path}: {answer}");
    answer
}

async fn job(caller: &Caller<'_>, number: usize) -> String {
    let body = json!({
        "country": "US", "platform": "netflix", "genre": "Horror", "template": format!("studio:{SCENARIO}"),
    });
    let answer = post(caller, "/api/generate", &caller.key("job", number), &body, 200).await;
    text(&answer["jobId"])
}

async fn video(caller: &Caller<'_>, number: usize) -> String {
    let mut film = film(2, 1.0);
    film["webhookUrl"] = json!(format!("{}/hooks/{HOOK}", caller.stack.studio));
    let answer = post(caller, "/api/generate-video-async", &caller.key("video", number), &film, 202).await;
    text(&answer["jobId"])
}

/// Creates and starts a project.
async fn project(caller: &Caller<'_>, number: usize) -> String {
    let body = json!({ "name": "A walk through the snow", "scenes": scenes(SCENES) });
    let project = post(caller, PROJECTS, &caller.key("project", number), &body, 201).await;
    let id = text(&project["id"]);
    let path = format!("{PROJECTS}/{id}/start");
    let request = || caller.stack.request(Method::POST, &path).json_text(&json!({}));
    let (status, answer) = caller.send(&path, request).await;
    // A call whose answer was lost may have started it, and it may have ended since.
    assert!(status == 200 || answer["code"] == "project_ended", "{path}: {status} {answer}");
    id
}

async fn clip_job(caller: &Caller<'_>, owner: &Owner, number: usize) -> String {
    let (key, body) = (caller.key("clips", number), of_page(&page()));
    let request = || {
        let request = owner.request(caller.stack, Method::POST, JOBS).header("idempotency-key", &key);
        request.json_text(&body)
    };
    let (status, job) = caller.send(JOBS, request).await;
    assert_eq!(status, 201, "{job}");
    text(&job["id"])
}
