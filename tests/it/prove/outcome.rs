//! What must be true after the last fault: all work has ended, every webhook has arrived under one id, and slots,
//! counters and credits add up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reelhook_domain::Status;
use serde_json::{Value, json};
use tokio::time::interval;

use super::work::Work;
use crate::clips::job::{CREDITS, JOBS, PRICE};
use crate::clips::tokens::Owner;
use crate::kills::{assert_job_is_right, assert_video_is_right, sweep};
use crate::lost::{assert_counts_are_right, assert_delivered};
use crate::scenes::listener::Listener;
use crate::scenes::project::{project, scene_ids, text};
use crate::stack::Stack;
use crate::videos::HOOK;

/// The time after the last fault, or after the last command of a person, within which everything must end.
const RECOVERY: Duration = Duration::from_secs(300);
/// The interval of the sweeps.
const SWEEP: Duration = Duration::from_secs(2);
/// Commands that a person gives a project at most.
const MOST_COMMANDS: u64 = 5;

/// Waits until all work has ended and nothing waits. A project that failed gets the command that its error names, as a
/// person would give it; returns how many commands there were.
pub async fn until_all_ended(stack: &Stack, work: &Work) -> u64 {
    let (mut ticks, mut swept, mut since) = (interval(Duration::from_millis(500)), Instant::now(), Instant::now());
    let mut left = Left::of(work);
    let mut commands: BTreeMap<&String, u64> = BTreeMap::new();
    loop {
        ticks.tick().await;
        for id in left.look(stack).await {
            if command(stack, id).await {
                since = Instant::now();
                *commands.entry(id).or_default() += 1;
                assert!(commands[id] <= MOST_COMMANDS, "{id} fails again and again");
            }
        }
        let waiting: Vec<_> = stack.aws.depths().await.into_iter().filter(|(_, depth)| *depth > 0).collect();
        if left.is_empty() && waiting.is_empty() && !is_busy(stack).await {
            return commands.values().sum();
        }
        assert!(since.elapsed() < RECOVERY, "after {RECOVERY:?} there is still {left:#?} {waiting:?}");
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            sweep(stack).await;
        }
    }
}

/// Work that has not ended as far as is known.
#[derive(Debug)]
struct Left<'a> {
    jobs: BTreeSet<&'a String>,
    projects: BTreeSet<&'a String>,
    clips: BTreeSet<&'a String>,
}

impl<'a> Left<'a> {
    fn of(work: &'a Work) -> Self {
        Self {
            jobs: work.jobs.iter().chain(&work.videos).collect(),
            projects: work.projects.iter().collect(),
            clips: work.clips.iter().collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.projects.is_empty() && self.clips.is_empty()
    }

    /// Forgets what has ended, and returns the projects that have failed.
    async fn look(&mut self, stack: &Stack) -> Vec<&'a String> {
        for id in self.jobs.clone() {
            if stack.stored(id).await.status.is_final() {
                self.jobs.remove(id);
            }
        }
        for id in self.clips.clone() {
            let job = clip_job(stack, id).await;
            let has_ended = job["status"] == "succeeded" || job["status"] == "failed";
            if has_ended && job["creditsReserved"] == 0 {
                self.clips.remove(id);
            }
        }
        let mut failed = Vec::new();
        for id in self.projects.clone() {
            let project = project(stack, id).await;
            if project["status"] == "completed" {
                self.projects.remove(id);
            } else if project["status"] == "failed" {
                failed.push(id);
            }
        }
        failed
    }
}

async fn is_busy(stack: &Stack) -> bool {
    stack.aws.is_busy().await
        || stack.aws.has_rows("ProjectsTable", "by-due").await
        || stack.aws.has_rows("ClipsTable", "by-due").await
}

/// Makes the call that an active error about a project names, if there is one.
async fn command(stack: &Stack, project: &str) -> bool {
    let (status, answer) = stack.get("/api/v1/errors?limit=200").await;
    assert_eq!(status, 200, "{answer}");
    let mut errors = answer["errors"].as_array().expect("a list").iter();
    let about = |one: &&Value| one["context"]["project_id"] == project && one["action"]["method"] == "POST";
    let Some(error) = errors.find(about) else { return false };
    let path = text(&error["action"]["path"]);
    let body = error["action"].get("body").cloned().unwrap_or_else(|| json!({}));
    let (status, answer) = stack.post(&path, &body).await;
    assert!(status < 500, "{path}: {answer}");
    status < 300
}

/// A clip job as an operator sees it.
async fn clip_job(stack: &Stack, id: &str) -> Value {
    let (status, job) = stack.get(&format!("{JOBS}/{id}")).await;
    assert_eq!(status, 200, "{job}");
    job
}

/// Asserts that nothing is lost and nothing doubled. Returns how many videos and clip jobs have failed, each with its
/// reason.
pub async fn assert_adds_up(stack: &Stack, work: &Work, owner: &Owner, listener: &Listener) -> u64 {
    for id in &work.jobs {
        assert_job_is_right(stack, id).await;
    }
    let mut failed = 0;
    for id in &work.videos {
        failed += u64::from(video_has_failed(stack, id).await);
    }
    let (mut charged, mut expected) = (BTreeSet::new(), Vec::new());
    for id in &work.projects {
        let project = project(stack, id).await;
        assert_eq!(project["status"], "completed", "{project:#}");
        expected.push((id.clone(), String::new(), "project.completed"));
        expected.extend(scene_ids(&project).into_iter().map(|scene| (id.clone(), scene, "scene.verified")));
    }
    for id in &work.clips {
        let job = clip_job(stack, id).await;
        let has_failed = job["status"] == "failed";
        assert!(!has_failed || job["errorMessage"].is_string(), "{job:#}");
        failed += u64::from(has_failed);
        if !has_failed {
            charged.insert(id.clone());
        }
        expected.push((id.clone(), String::new(), if has_failed { "clips.failed" } else { "clips.completed" }));
    }
    assert_heard_once(stack, listener, &expected).await;
    assert_account_is_right(stack, owner, &charged).await;
    assert_delivered(stack, &work.jobs).await;
    assert_counts_are_right(stack).await;
    assert_eq!(stack.aws.admission().await.used(), 0, "every slot is free");
    assert!(stack.aws.slots("scene-admission").await.active.is_empty(), "every slot of scenes is free");
    stack.assert_queues_empty().await;
    failed
}

/// Whether a video has failed: then its client was notified of the reason. Otherwise it is whole.
async fn video_has_failed(stack: &Stack, id: &str) -> bool {
    let job = stack.stored(id).await;
    if job.status == Status::Completed {
        assert_video_is_right(stack, id).await;
        return false;
    }
    assert!(job.run.error.is_some(), "{id} is {:?} without a reason", job.status);
    stack
        .eventually(&format!("the client is notified of the failed {id}"), || async {
            let webhooks = stack.webhooks(HOOK, id).await;
            webhooks.iter().any(|webhook| webhook["body"]["status"] == "failed").then_some(())
        })
        .await;
    true
}

/// Each of these events arrived under one id: a project or a clip job, a scene or nothing, and the event's type.
async fn assert_heard_once(stack: &Stack, listener: &Listener, expected: &[(String, String, &str)]) {
    let heard = stack
        .eventually("every webhook about projects and clip jobs", || async {
            let mut heard: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
            for one in listener.all(stack).await {
                let (data, id) = (&one["body"]["data"], text(&one["webhook_id"]));
                let member = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
                let subject = data["project_id"].as_str().map_or_else(|| member("jobId"), str::to_owned);
                let event = (subject, member("scene_id"), text(&one["body"]["type"]));
                heard.entry(event).or_default().insert(id);
            }
            let is_there = |(id, scene, event): &(String, String, &str)| heard.contains_key(&key(id, scene, event));
            expected.iter().all(is_there).then_some(heard)
        })
        .await;
    for (id, scene, event) in expected {
        let ids = &heard[&key(id, scene, event)];
        assert_eq!(ids.len(), 1, "{event} about {id} {scene} has one id: {ids:?}");
    }
}

fn key(id: &str, scene: &str, event: &str) -> (String, String, String) {
    (id.to_owned(), scene.to_owned(), event.to_owned())
}

/// The entries of the owner's account add up to its balance, and exactly the jobs that have clips are charged, each
/// once.
async fn assert_account_is_right(stack: &Stack, owner: &Owner, expected: &BTreeSet<String>) {
    let (mut charged, mut sum, mut cursor) = (Vec::new(), 0, String::new());
    let balance = loop {
        let (status, page) = owner.get(stack, &format!("{CREDITS}?limit=200{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        for entry in page["transactions"].as_array().expect("a list") {
            sum += entry["amount"].as_i64().expect("a whole number");
            if entry["type"] == "usage" {
                assert_eq!(entry["amount"].as_i64(), i64::try_from(PRICE).ok().map(|price| -price), "{entry}");
                charged.push(text(&entry["relatedJobId"]));
            }
        }
        assert_eq!(page["reserved"], 0, "no credits are reserved: {page}");
        match &page["nextCursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break page["balance"].as_i64(),
        }
    };
    assert_eq!(balance, Some(sum), "the entries add up to the balance");
    let once: BTreeSet<String> = charged.iter().cloned().collect();
    assert_eq!(once.len(), charged.len(), "no job is charged twice: {charged:?}");
    assert_eq!(&once, expected, "the jobs that have clips are charged");
}
