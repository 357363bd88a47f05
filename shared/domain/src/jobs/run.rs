//! A run of a job: everything that belongs to one attempt. A new attempt is a new run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jobs::activity::Incomplete;
use crate::jobs::task::ExternalTask;
use crate::pieces::Pieces;
use crate::videos::render::{RenderPlan, RenderTask, Renderer, StoredVideo};
use crate::{Policy, Timestamp, WebUrl};

/// One attempt at a job. Tokens, leases and sequences belong to it; input of an older run changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Counts the runs of a job from 1.
    pub attempt: u32,
    /// What the run waits for before it starts, and its slot once it has started.
    pub start: Start,
    /// When it started and ended.
    pub times: RunTimes,
    /// When it starts by itself, if it is an automatic retry that still waits.
    pub retry_after: Option<Timestamp>,
    /// 0 to 100; never falls.
    pub progress: u8,
    /// The present activity, as a caption for people.
    pub caption: String,
    /// The video.
    pub video_url: Option<String>,
    /// Why it failed or was cancelled.
    pub error: Option<String>,
    /// Why a retry cannot help.
    pub no_retry: Option<NoRetry>,
    /// Why it completed without a video.
    pub incomplete: Option<Incomplete>,
    /// What does the work.
    pub engine: Engine,
}

/// When a run started and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunTimes {
    /// Work started.
    pub started_at: Option<Timestamp>,
    /// It completed.
    pub completed_at: Option<Timestamp>,
    /// It failed.
    pub failed_at: Option<Timestamp>,
    /// It was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// It exceeded its time limit.
    pub timed_out_at: Option<Timestamp>,
}

/// Why a retry cannot help, and what would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoRetry {
    /// Why, for people.
    pub reason: String,
    /// What would help, for people.
    pub solution: String,
}

/// The claim of a start: a slot, and the time by which the worker has to respond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The slot's key in the admission item.
    pub slot: String,
    /// After this, the job can be claimed again.
    pub lease_until: Timestamp,
}

/// What a pending run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Not before this time.
    pub ready_at: Timestamp,
    /// When this run began to wait; none for the first, which waits since the job was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When the due sweep sends another hint.
    pub hint_at: Timestamp,
    /// Starts of this run that the worker did not accept.
    pub failures: u32,
    /// Claims of all runs, so that each slot has a name of its own.
    pub claims: u32,
    /// The present claim of a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// What does a run's work.
#[derive(Debug, Clone, PartialEq)]
pub enum Engine {
    /// An external worker reports its steps; an outside service may render the video.
    External(ExternalRun),
    /// Renderers of our own claim pieces of work.
    Pieces(PiecesRun),
}

/// A run at an external worker.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExternalRun {
    /// The reported steps.
    pub steps: Steps,
    /// The worker.
    pub worker: Worker,
    /// The render at an outside service, once its id is known.
    pub render: Option<ExternalTask>,
}

/// What the external worker has reported about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Worker {
    /// Its own name.
    pub id: Option<String>,
    /// The URL that it wants cancellations sent to.
    pub cancel_url: Option<WebUrl>,
    /// Whether it reported the end of its work.
    pub done: bool,
}

/// The steps of a workflow as they were reported.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Steps {
    /// The highest step that was reported, 0 to 8.
    pub current: u8,
    /// The newest report's sequence.
    pub last_sequence: Option<i64>,
    /// What is kept of each step.
    pub records: BTreeMap<u8, StepRecord>,
    /// Identities of the last reports, which recognize repeats.
    pub seen: Vec<String>,
    /// What step 1 extracted.
    pub extracted: Option<String>,
}

/// What is kept of a step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StepRecord {
    /// Details that the worker reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
}

/// A run whose work is cut into pieces.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PiecesRun {
    /// The steps of the built-in workflow; none where the client specified the film.
    pub steps: Option<Steps>,
    /// What it takes to render the film; none before it was composed.
    pub plan: Option<RenderPlan>,
    /// What renders the film once it is composed.
    pub renderer: Renderer,
    /// The pieces of the present stage, while the run lasts.
    pub pieces: Option<Pieces<RenderTask>>,
    /// The renditions that are finished and stored.
    pub videos: Vec<StoredVideo>,
}

impl Engine {
    /// The engine of a run whose film is known from the start, or else of one that an external worker may do.
    pub fn of(plan: Option<RenderPlan>) -> Self {
        match plan {
            Some(plan) => Self::Pieces(PiecesRun { plan: Some(plan), ..PiecesRun::default() }),
            None => Self::External(ExternalRun::default()),
        }
    }

    /// The engine with which the next run begins: a film that the client specified stays, one that was composed does not.
    fn renewed(&self) -> Self {
        match self {
            Self::Pieces(PiecesRun { steps: None, plan, .. }) => Self::of(plan.clone()),
            Self::Pieces(PiecesRun { steps: Some(_), .. }) | Self::External(_) => Self::of(None),
        }
    }

    /// The reported steps, if the engine takes reports of steps.
    pub fn steps(&self) -> Option<&Steps> {
        match self {
            Self::External(run) => Some(&run.steps),
            Self::Pieces(run) => run.steps.as_ref(),
        }
    }

    /// [`Self::steps`], to be changed.
    pub(crate) fn steps_mut(&mut self) -> Option<&mut Steps> {
        match self {
            Self::External(run) => Some(&mut run.steps),
            Self::Pieces(run) => run.steps.as_mut(),
        }
    }

    /// The external run, if an external worker does the work.
    pub fn external(&self) -> Option<&ExternalRun> {
        match self {
            Self::External(run) => Some(run),
            Self::Pieces(_) => None,
        }
    }

    /// [`Self::external`], to be changed.
    pub(crate) fn external_mut(&mut self) -> Option<&mut ExternalRun> {
        match self {
            Self::External(run) => Some(run),
            Self::Pieces(_) => None,
        }
    }

    /// The run in pieces, if renderers of our own do the work.
    pub fn pieces(&self) -> Option<&PiecesRun> {
        match self {
            Self::External(_) => None,
            Self::Pieces(run) => Some(run),
        }
    }

    /// [`Self::pieces`], to be changed.
    pub(crate) fn pieces_mut(&mut self) -> Option<&mut PiecesRun> {
        match self {
            Self::External(_) => None,
            Self::Pieces(run) => Some(run),
        }
    }

    /// The render at an outside service that the run waits for.
    pub fn render(&self) -> Option<&ExternalTask> {
        self.external()?.render.as_ref()
    }
}

impl Run {
    /// The first run of a job, ready at once.
    pub(crate) fn first(engine: Engine, caption: String, now: Timestamp, policy: &Policy) -> Self {
        let hint_at = now.after(policy.hint_grace);
        let start = Start { ready_at: now, since: None, hint_at, failures: 0, claims: 0, claim: None };
        Self::new(1, start, None, caption, engine)
    }

    /// The run after this one, ready after `delay`.
    pub(crate) fn next(&self, delay: Duration, caption: String, now: Timestamp, policy: &Policy) -> Self {
        let ready_at = now.after(delay);
        let hint_at = ready_at.after(policy.hint_grace);
        let start = Start { ready_at, since: Some(now), hint_at, failures: 0, claims: self.start.claims, claim: None };
        let retry_after = (delay > Duration::ZERO).then_some(ready_at);
        Self::new(self.attempt + 1, start, retry_after, caption, self.engine.renewed())
    }

    fn new(attempt: u32, start: Start, retry_after: Option<Timestamp>, caption: String, engine: Engine) -> Self {
        Self {
            attempt,
            start,
            times: RunTimes::default(),
            retry_after,
            progress: 0,
            caption,
            video_url: None,
            error: None,
            no_retry: None,
            incomplete: None,
            engine,
        }
    }

    /// Whether the run completed without the video of a render that did not end in time.
    pub fn render_timed_out(&self) -> bool {
        self.incomplete == Some(Incomplete::RenderTimeout)
    }
}
