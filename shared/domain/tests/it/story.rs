//! The shared story of the tests: a job that is changed by events, at a time that the test sets.

use std::time::Duration;

use reelhook_app::views::captions::{CAPTIONS, step_name};
use reelhook_domain::pieces::Pieces;
use reelhook_domain::videos::film::Rendition;
use reelhook_domain::videos::render::{RenderPlan, RenderTask, Renderer, StoredVideo};
use reelhook_domain::*;
use serde_json::json;

/// The time at which every story starts.
pub const NOON: Timestamp = Timestamp(1_704_110_400_000);
/// The video of a successful run.
pub const VIDEO: &str = "https://cdn.creatomate.com/renders/render_1.mp4";
/// The worker's URL for cancellations.
pub const CANCEL_URL: &str = "https://worker.example/cancel";

/// A URL.
pub fn web_url(text: &str) -> WebUrl {
    WebUrl::parse(text).expect("an http or https URL")
}

/// A job and the clock; each applied event moves the job one version on.
#[derive(Debug, Clone)]
pub struct Story {
    pub job: Job,
    pub now: Timestamp,
    pub policy: Policy,
    /// The last report that was applied.
    pub last_report: Option<Event>,
}

impl Story {
    /// A waiting job.
    pub fn waiting() -> Self {
        Self::with(policy(), false)
    }

    pub fn with(policy: Policy, pause_after_extraction: bool) -> Self {
        let new = NewJob {
            id: JobId::parse("job_1_a").unwrap(),
            kind: JobKind::Workflow,
            request: Request {
                input: json!({ "country": "US" }),
                pause_after_extraction,
                callback: None,
                metadata: Metadata::default(),
                priority: Default::default(),
            },
            plan: None,
            origin: Origin::default(),
            usage: false,
        };
        Self { job: create(new, NOON, &policy), now: NOON, policy, last_report: None }
    }

    /// A waiting video of two scenes.
    pub fn video() -> Self {
        let waiting = Self::waiting();
        let new = NewJob {
            id: waiting.job.id.clone(),
            kind: JobKind::Video,
            request: Request {
                input: json!({ "quality": "720p" }),
                pause_after_extraction: false,
                callback: Some(web_url("https://client.example/hook")),
                metadata: Metadata::default(),
                priority: Default::default(),
            },
            plan: Some(film()),
            origin: Origin::default(),
            usage: false,
        };
        Self { job: create(new, NOON, &waiting.policy), ..waiting }
    }

    /// A video whose first scene is being rendered.
    pub fn drawing() -> Self {
        Self::video().then(Event::Claim).then(run_here()).then(claim_piece())
    }

    /// A completed video.
    pub fn filmed() -> Self {
        let drawn = Self::drawing().then(done(1)).then(claim_piece()).then(done(2)).then(claim_piece());
        drawn.then(Event::PieceDone { attempt: 1, claim: 3, video: Some(stored()) })
    }

    /// A job without a worker, whose film is being composed.
    pub fn composing() -> Self {
        Self::claimed().then(run_here()).then(claim_piece())
    }

    /// A job that the launcher has claimed.
    pub fn claimed() -> Self {
        Self::waiting().then(Event::Claim)
    }

    /// A job whose worker has started step 3.
    pub fn processing() -> Self {
        Self::claimed().then(started(1)).then(step(0, StepStatus::Started, 100)).then(step(3, StepStatus::Started, 130))
    }

    /// A job whose worker has submitted `render_1` and still has step 8 to report.
    pub fn submitted() -> Self {
        Self::processing().then(Report::of(7, StepStatus::Completed, 175).render("render_1").by(1))
    }

    /// A job whose worker is done and whose `render_1` is under way.
    pub fn rendering() -> Self {
        Self::submitted().then(Report::of(8, StepStatus::Completed, 180).render("render_1").by(1))
    }

    /// A job that was completed without its video, because the render never ended.
    pub fn render_timed_out() -> Self {
        let mut story = Self::rendering();
        while !story.job.status.is_final() {
            story.sweep();
        }
        story
    }

    /// A job with its video.
    pub fn completed() -> Self {
        Self::rendering().then(checked(succeeded(), 0))
    }

    /// The story after `event`, which has to change the job.
    pub fn then(mut self, event: Event) -> Self {
        self.apply(event);
        self
    }

    pub fn wait(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_secs(seconds));
        self
    }

    pub fn decide(&self, event: &Event) -> Decision {
        decide(&self.job, event, self.now, &self.policy)
    }

    /// Applies an event that has to change the job.
    #[track_caller]
    pub fn apply(&mut self, event: Event) -> &Job {
        match self.decide(&event) {
            Decision::Apply(job) => self.job = *job,
            other => panic!("{event:?} should change this job, but: {other:?}"),
        }
        if let Event::Step { .. } = event {
            self.last_report = Some(event);
        }
        &self.job
    }

    /// The reason why an event changes nothing.
    #[track_caller]
    pub fn ignored(&self, event: Event) -> Ignored {
        match self.decide(&event) {
            Decision::Ignore(reason) => reason,
            other => panic!("{event:?} should change nothing, but: {other:?}"),
        }
    }

    /// The reason why a command is refused.
    #[track_caller]
    pub fn rejected(&self, event: Event) -> Rejected {
        match self.decide(&event) {
            Decision::Reject(reason) => reason,
            other => panic!("{event:?} should be refused, but: {other:?}"),
        }
    }

    /// Advances to the time at which the job is due, and sweeps.
    #[track_caller]
    pub fn sweep(&mut self) -> &Job {
        self.now = self.now.max(self.job.due_at.expect("a job that is not final is due some time"));
        self.apply(Event::Tick)
    }

    /// Seconds from now until the job is due.
    pub fn due_in(&self) -> Option<i64> {
        self.job.due_at.map(|due| due.millis_since(self.now) / 1000)
    }

    /// The webhook events of the last change.
    pub fn notified(&self) -> Vec<OutboundEvent> {
        notified(&self.job)
    }

    /// The slots that the last change releases, without the job's id.
    pub fn freed(&self) -> Vec<String> {
        let slots = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::FreeSlot { slot } => Some(slot.trim_start_matches("job_1_a.").to_owned()),
            _ => None,
        });
        slots.collect()
    }

    /// The render checks that the last change requests, as (check, delay in seconds).
    pub fn checks(&self) -> Vec<(u8, u32)> {
        let checks = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::Job(JobEffect::CheckRender { check, delay_s, .. }) => Some((*check, *delay_s)),
            _ => None,
        });
        checks.collect()
    }

    /// Delays of the start hints that the last change sends, in seconds.
    pub fn hints(&self) -> Vec<u32> {
        let hints = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::Start { delay_s } => Some(*delay_s),
            _ => None,
        });
        hints.collect()
    }
}

/// The webhook events of a version.
pub fn notified(job: &Job) -> Vec<OutboundEvent> {
    let events = job.outbox.iter().filter_map(|effect| match effect {
        Effect::Notify { event, .. } => Some(*event),
        _ => None,
    });
    events.collect()
}

/// A worker's report with the parts that a test names.
#[derive(Debug, Clone)]
pub struct Report(pub StepUpdate);

impl Report {
    pub fn of(number: u8, status: StepStatus, sequence: i64) -> Self {
        Self(plain(number, status, sequence))
    }

    pub fn render(mut self, id: &str) -> Self {
        self.0.render_id = Some(render(id));
        self
    }

    pub fn video(mut self) -> Self {
        self.0.video_url = Some(web_url(VIDEO));
        self
    }

    pub fn key(mut self, key: &str) -> Self {
        self.0.key = Some(key.to_owned());
        self
    }

    pub fn error(mut self, error: &str) -> Self {
        self.0.error = Some(error.to_owned());
        self
    }

    pub fn workflow_failed(mut self) -> Self {
        self.0.name = "Workflow Failed".to_owned();
        self.0.workflow_failed = true;
        self
    }

    /// The report with the token of a run.
    pub fn by(self, attempt: u32) -> Event {
        Event::Step { attempt: Some(attempt), update: self.0 }
    }

    /// The report without a token, authenticated by a signature.
    pub fn unbound(self) -> Event {
        Event::Step { attempt: None, update: self.0 }
    }
}

/// A report of the first run with nothing special.
pub fn step(number: u8, status: StepStatus, sequence: i64) -> Event {
    Report::of(number, status, sequence).by(1)
}

pub fn started(attempt: u32) -> Event {
    Event::Started { attempt, worker_id: Some("worker_1".to_owned()), cancel_url: Some(web_url(CANCEL_URL)) }
}

pub fn deferred(attempt: u32, wait_s: Option<u64>) -> Event {
    Event::StartDeferred { attempt, wait: wait_s.map(Duration::from_secs), reason: "status 503".to_owned() }
}

pub fn run_failed(attempt: u32, error: &str) -> Event {
    Event::RunFailed { attempt, error: error.to_owned() }
}

pub fn complete() -> Event {
    Event::Complete { video_url: web_url("https://example.com/handed-in.mp4") }
}

pub fn render(id: &str) -> RenderId {
    RenderId::parse(id).unwrap()
}

pub fn with_status(status: RenderStatus) -> RenderState {
    RenderState { status, url: None, error: None }
}

pub fn succeeded() -> RenderState {
    RenderState { url: Some(web_url(VIDEO)), ..with_status(RenderStatus::Succeeded) }
}

pub fn failed() -> RenderState {
    RenderState { error: Some("source image is gone".to_owned()), ..with_status(RenderStatus::Failed) }
}

/// A callback about `render_1`.
pub fn reported(state: RenderState, confirmable: bool) -> Event {
    Event::RenderReported { render: render("render_1"), state, confirmable }
}

/// The render service's own state of `render_1`.
pub fn checked(state: RenderState, check: u8) -> Event {
    Event::RenderChecked { render: render("render_1"), state: Some(state), check }
}

/// The check of `render_1` failed.
pub fn unanswered(check: u8) -> Event {
    Event::RenderChecked { render: render("render_1"), state: None, check }
}

/// Two scenes of two and one seconds, in one rendition.
pub fn film() -> RenderPlan {
    RenderPlan { renderer: Renderer::Own, renditions: vec![Rendition::Landscape], scenes: vec![60, 30] }
}

pub fn run_here() -> Event {
    Event::RunHere { attempt: 1, renderer: Renderer::Own }
}

pub fn claim_piece() -> Event {
    Event::ClaimPiece { attempt: 1 }
}

pub fn composed(claim: u32) -> Event {
    Event::Composed { attempt: 1, claim, plan: film() }
}

pub fn done(claim: u32) -> Event {
    Event::PieceDone { attempt: 1, claim, video: None }
}

pub fn piece_failed(claim: u32, permanent: bool) -> Event {
    Event::PieceFailed { attempt: 1, claim, error: "Scene 1: boom".to_owned(), permanent }
}

pub fn stored() -> StoredVideo {
    StoredVideo {
        rendition: Rendition::Landscape,
        key: "videos/2024-01-01/standard/job_1_a.mp4".to_owned(),
        bytes: 1000,
        link: VIDEO.to_owned(),
    }
}

/// The contract's policy, with the captions that clients see.
pub fn policy() -> Policy {
    Policy { captions: CAPTIONS, ..Policy::default() }
}

/// A report with nothing but its number, status and sequence.
pub fn plain(number: u8, status: StepStatus, sequence: i64) -> StepUpdate {
    StepUpdate::plain(number, step_name(number), status, sequence)
}

/// The reported steps of a job; none of a job that takes no reports.
pub fn steps_of(job: &Job) -> Steps {
    job.run.engine.steps().cloned().unwrap_or_default()
}

/// What is known of a job's worker.
pub fn worker_of(job: &Job) -> Worker {
    job.run.engine.external().map(|external| external.worker.clone()).unwrap_or_default()
}

/// The polls of a job's render.
pub fn polls_of(job: &Job) -> Option<Polls> {
    job.run.engine.render().and_then(|task| task.polls.clone())
}

/// The pieces of a job, while its run lasts.
pub fn pieces_of(job: &Job) -> Option<Pieces<RenderTask>> {
    job.run.engine.pieces().and_then(|run| run.pieces.clone())
}

/// Why a retry cannot help.
pub fn no_retry(job: &Job) -> Option<NoRetry> {
    job.run.no_retry.clone()
}

pub fn workflow_incomplete(job: &Job) -> bool {
    job.run.incomplete == Some(Incomplete::WorkflowIncomplete)
}

pub fn paused_after_extraction(job: &Job) -> bool {
    job.run.incomplete == Some(Incomplete::PausedAfterExtraction)
}

/// The pieces of a job whose run is under way.
pub fn pieces_in(job: &Job) -> &Pieces<RenderTask> {
    job.run.engine.pieces().and_then(|run| run.pieces.as_ref()).expect("a run in pieces")
}
