//! What must be true after the last fault: all work has ended, what failed says why, every webhook has arrived under one
//! id, and slots, counters and credits add up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reelhook_domain::{OutboundEvent, Status};
use serde_json::{Value, json};
use tokio::time::interval;

use super::heard::{Emitter, assert_heard_once};
use super::once::{assert_cut_once, assert_submitted_once};
use super::work::{CLIPS, SCENES, Work};
use crate::clips::job::{CREDITS, JOBS, PRICE, clips};
use crate::clips::tokens::Owner;
use crate::kills::{assert_job_is_right, assert_video_is_right, sweep};
use crate::lost::{assert_counts_are_right, assert_delivered};
use crate::scenes::listener::Listener;
use crate::scenes::project::{project, scenes_of, text};
use crate::stack::Stack;
use crate::videos::HOOK;

/// The time after the last fault, or after the last command of a person, within which everything must end.
const RECOVERY: Duration = Duration::from_secs(300);
/// The interval of the sweeps.
const SWEEP: Duration = Duration::from_secs(2);
/// Commands that a person gives a project at most.
const MOST_COMMANDS: u64 = 5;
/// The events of which one says that a job has failed.
const FAILURES: [OutboundEvent; 3] = [OutboundEvent::Failed, OutboundEvent::FailedNoRetry, OutboundEvent::Timeout];
/// How many of a hundred may fail at most.
const MOST_FAILED_PERCENT: usize = 5;

/// What disturbed the work.
#[derive(Clone, Copy, Default)]
pub struct Disturbed {
    /// Calls of AWS met faults.
    pub by_faults: bool,
    /// Functions were killed.
    pub by_kills: bool,
}

impl Disturbed {
    /// How many of so many may fail. Faults may use up the attempts of anything.
    fn most_failed(self, of: usize) -> usize {
        if self.by_faults { of * MOST_FAILED_PERCENT / 100 + 1 } else { 0 }
    }

    /// How many of so many may fail that our renderers make: what has lost its renderer three times fails.
    fn most_failed_of_pieces(self, of: usize) -> usize {
        if self.by_kills { self.most_failed(of).max(of * MOST_FAILED_PERCENT / 100) } else { self.most_failed(of) }
    }
}

/// How often a person gave a command to a project, by its id.
pub type CommandCounts = BTreeMap<String, u64>;

/// Waits until all work has ended and nothing waits. A project that failed gets the command that its error names, as a
/// person would give it; returns these commands.
pub async fn until_all_ended(stack: &Stack, work: &Work) -> CommandCounts {
    let (mut ticks, mut swept, mut since) = (interval(Duration::from_millis(500)), Instant::now(), Instant::now());
    let mut left = Left::of(work);
    let mut commands = CommandCounts::new();
    loop {
        ticks.tick().await;
        for id in left.look(stack).await {
            if command(stack, id).await {
                since = Instant::now();
                let count = commands.entry(id.clone()).or_default();
                *count += 1;
                assert!(*count <= MOST_COMMANDS, "{id} fails again and again");
            }
        }
        let waiting: Vec<_> = stack.aws.depths().await.into_iter().filter(|(_, depth)| *depth > 0).collect();
        if left.is_empty() && waiting.is_empty() && !is_busy(stack).await {
            return commands;
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
            clips: work.clips.iter().map(|clip| &clip.id).collect(),
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

/// Asserts that nothing is lost and nothing doubled. Returns how many jobs, videos and clip jobs have failed, each with its
/// reason.
pub async fn assert_adds_up(
    stack: &Stack,
    (work, commands): (&Work, &CommandCounts),
    owner: &Owner,
    listener: &Listener,
    disturbed: Disturbed,
) -> usize {
    let ended = Ended::of(stack, work, commands, disturbed).await;
    ended.assert_few(work, disturbed);
    ended.assert_heard(stack, work, listener).await;
    assert_account_is_right(stack, owner, &ended.succeeded).await;
    assert_delivered(stack, &[work.jobs.as_slice(), &work.cancelled].concat()).await;
    assert_counts_are_right(stack).await;
    assert_eq!(stack.aws.admission().await.used(), 0, "every slot is free");
    assert!(stack.aws.slots("scene-admission").await.active.is_empty(), "every slot of scenes is free");
    stack.assert_queues_empty().await;
    ended.failed()
}

/// How work has ended.
#[derive(Debug, Default)]
pub struct Ended {
    failed_jobs: usize,
    failed_videos: usize,
    failed_clips: usize,
    /// Files of projects and clip jobs that are only where the services put them, and all of them.
    not_copied: usize,
    files: usize,
    /// The clip jobs that succeeded.
    succeeded: BTreeSet<String>,
}

impl Ended {
    /// Looks at all work, and asserts that each piece of it is as its status says.
    pub async fn of(stack: &Stack, work: &Work, commands: &CommandCounts, disturbed: Disturbed) -> Self {
        let mut ended = Self::default();
        for id in &work.jobs {
            ended.failed_jobs += usize::from(job_has_failed(stack, id).await && !work.failing.contains(id));
        }
        for id in &work.videos {
            ended.failed_videos += usize::from(video_has_failed(stack, id).await);
        }
        for id in &work.projects {
            let project = project(stack, id).await;
            assert_eq!(project["status"], "completed", "{project:#}");
            let scenes = scenes_of(&project);
            assert_eq!(scenes.len(), SCENES, "{project:#}");
            let files = scenes.iter().map(|scene| &scene["videoUrl"]).chain([&project["finalVideoUrl"]]);
            ended.count(files, "/api/v1/files/");
            let commands = commands.get(id).copied().unwrap_or_default();
            assert_submitted_once(stack, &project, commands, disturbed.by_faults).await;
        }
        for clip in &work.clips {
            let job = clip_job(stack, &clip.id).await;
            let has_succeeded = job["status"] == "succeeded";
            if has_succeeded {
                assert_eq!(clips(&job).len(), CLIPS, "{job:#}");
                ended.count(clips(&job).iter().map(|clip| &clip["url"]), "/api/v1/files/clips/");
                ended.succeeded.insert(clip.id.clone());
            } else {
                assert!(job["errorMessage"].is_string(), "{job:#}");
                ended.failed_clips += 1;
            }
            assert_cut_once(stack, clip, has_succeeded).await;
        }
        ended
    }

    /// Counts files, and those that are not copied to links with this path.
    fn count<'a>(&mut self, urls: impl Iterator<Item = &'a Value>, path: &str) {
        for url in urls {
            let url = url.as_str().unwrap_or_else(|| panic!("a file without a URL: {url}"));
            self.files += 1;
            self.not_copied += usize::from(!url.contains(path));
        }
    }

    /// How many jobs, videos and clip jobs have failed.
    pub fn failed(&self) -> usize {
        self.failed_jobs + self.failed_videos + self.failed_clips
    }

    /// Asserts that each event of projects and clip jobs was heard once, and that none is missing of those that each sends.
    pub async fn assert_heard(&self, stack: &Stack, work: &Work, listener: &Listener) {
        let mut emitters = Vec::new();
        for id in &work.projects {
            emitters.push(Emitter::project(stack, id).await);
        }
        for clip in &work.clips {
            emitters.push(Emitter::clip_job(stack, &clip.id).await);
        }
        let heard = assert_heard_once(stack, listener, &emitters).await;
        let (projects, clip_jobs) = emitters.split_at(work.projects.len());
        for project in projects {
            let count = |event| heard.count(project, event);
            assert_eq!(count(OutboundEvent::ProjectCompleted), 1, "{} is completed once", project.id);
            assert!(count(OutboundEvent::ProjectStarted) > 0, "{} is started", project.id);
            assert!(count(OutboundEvent::SceneGenerated) >= SCENES, "each scene of {} is there", project.id);
            assert!(count(OutboundEvent::SceneVerified) >= SCENES, "each scene of {} is verified", project.id);
        }
        let mut announced = 0;
        for job in clip_jobs {
            let count = |event| heard.count(job, event);
            let has_succeeded = self.succeeded.contains(&job.id);
            let ends = (count(OutboundEvent::ClipsCompleted), count(OutboundEvent::ClipsFailed));
            assert_eq!(ends, if has_succeeded { (1, 0) } else { (0, 1) }, "{} ends once", job.id);
            assert!(!has_succeeded || count(OutboundEvent::ClipsStarted) > 0, "{} is started", job.id);
            announced += usize::from(has_succeeded && count(OutboundEvent::ClipReady) > 0);
        }
        // A clip has no event of its own if the report about it comes with the end, or is lost.
        let succeeded = self.succeeded.len();
        assert!(announced * 2 >= succeeded, "{announced} of {succeeded} clip jobs had a clip before their end");
    }

    /// Asserts that no more has failed than what disturbed the work explains.
    pub fn assert_few(&self, work: &Work, disturbed: Disturbed) {
        let [jobs, clips] = [work.jobs.len(), work.clips.len()].map(|count| disturbed.most_failed(count));
        let [videos, files] = [work.videos.len(), self.files].map(|count| disturbed.most_failed_of_pieces(count));
        let is_few = self.failed_jobs <= jobs && self.failed_clips <= clips;
        assert!(is_few && self.failed_videos <= videos && self.not_copied <= files, "too much has failed: {self:#?}");
    }
}

/// Whether a job has failed: then it ran, none of its worker's last reports got through, it says why, and its failure was
/// sent. Otherwise its end was sent.
async fn job_has_failed(stack: &Stack, id: &str) -> bool {
    assert_job_is_right(stack, id).await;
    let job = stack.stored(id).await;
    if job.status == Status::Completed && job.run.video_url.is_some() {
        assert!(job.was_notified(OutboundEvent::Completed), "{id}: {:#?}", job.emitted);
        return false;
    }
    assert!(job.run.error.is_some(), "{id} is {:?} without a reason", job.status);
    // A job that was retried has had another failure before.
    let last = job.emitted.iter().rfind(|emitted| emitted.event != OutboundEvent::Deleted);
    assert!(last.is_some_and(|emitted| FAILURES.contains(&emitted.event)), "{id}: {:#?}", job.emitted);
    let seen = stack.studio(&format!("/worker/jobs?job_id={id}")).await;
    assert!(
        seen["runs"].as_array().is_some_and(|runs| !runs.is_empty()),
        "{id} was never started: {:?}",
        job.run.error
    );
    true
}

/// Whether a video has failed: then its client was notified of the reason, under one id. Otherwise it is whole.
async fn video_has_failed(stack: &Stack, id: &str) -> bool {
    let job = stack.stored(id).await;
    let has_failed = job.status != Status::Completed;
    if has_failed {
        assert!(job.run.error.is_some(), "{id} is {:?} without a reason", job.status);
    } else {
        assert_video_is_right(stack, id).await;
    }
    let (end, other) = if has_failed { ("failed", "completed") } else { ("completed", "failed") };
    let heard = stack
        .eventually(&format!("the client is notified of the {end} {id}"), || async {
            let mut heard: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for webhook in stack.webhooks(HOOK, id).await {
                let ids = heard.entry(text(&webhook["body"]["status"])).or_default();
                ids.insert(text(&webhook["webhook_id"]));
            }
            heard.contains_key(end).then_some(heard)
        })
        .await;
    assert!(heard[end].len() == 1 && !heard.contains_key(other), "{id} ends once: {heard:#?}");
    has_failed
}

/// The entries of the owner's account add up to its balance, and are the charges of exactly the jobs that have clips, each
/// once.
async fn assert_account_is_right(stack: &Stack, owner: &Owner, expected: &BTreeSet<String>) {
    let (mut charged, mut sum, mut cursor) = (Vec::new(), 0, String::new());
    let balance = loop {
        let (status, page) = owner.get(stack, &format!("{CREDITS}?limit=200{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        for entry in page["transactions"].as_array().expect("a list") {
            sum += entry["amount"].as_i64().expect("a whole number");
            assert_eq!(entry["type"], "usage", "nobody has given the owner credits: {entry}");
            assert_eq!(entry["amount"].as_i64(), i64::try_from(PRICE).ok().map(|price| -price), "{entry}");
            charged.push(text(&entry["relatedJobId"]));
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
