//! The run of a clip job: at a worker, or in pieces of our own. A new attempt replaces it whole.

use crate::clips::clip::SourceFacts;
use crate::{RenderId, Timestamp};

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Counts attempts from 1: a retry begins a new one.
    pub attempt: u32,
    /// What makes the clips.
    pub engine: Engine,
    /// Its progress, 0 to 100: never falls within an attempt.
    pub progress: u8,
    /// What it does at present, for people.
    pub stage: String,
    /// Clips that are finished: never falls within an attempt.
    pub clips_completed: u32,
    /// Clips that it will have, once that is known.
    pub total_clips: Option<u32>,
    /// The length of the source in milliseconds, once it is known.
    pub source_ms: Option<u64>,
    /// The progress that viewers last saw.
    pub shown_progress: u8,
}

impl Run {
    /// The run of an attempt that has done nothing yet.
    pub fn new(attempt: u32, engine: Engine, stage: &str) -> Self {
        Self {
            attempt,
            engine,
            progress: 0,
            stage: stage.to_owned(),
            clips_completed: 0,
            total_clips: None,
            source_ms: None,
            shown_progress: 0,
        }
    }
}

/// What makes the clips.
#[derive(Debug, Clone, PartialEq)]
pub enum Engine {
    /// An outside worker.
    Worker(WorkerRun),
    /// Our renderers.
    Own(OwnRun),
}

impl Engine {
    /// The run at the worker.
    pub fn worker(&self) -> Option<&WorkerRun> {
        match self {
            Self::Worker(run) => Some(run),
            Self::Own(_) => None,
        }
    }

    /// The run at the worker, to change it.
    pub(super) fn worker_mut(&mut self) -> Option<&mut WorkerRun> {
        match self {
            Self::Worker(run) => Some(run),
            Self::Own(_) => None,
        }
    }

    /// The run of our renderers, to change it.
    pub(super) fn own_mut(&mut self) -> Option<&mut OwnRun> {
        match self {
            Self::Own(run) => Some(run),
            Self::Worker(_) => None,
        }
    }

    /// The run of our renderers.
    pub fn own(&self) -> Option<&OwnRun> {
        match self {
            Self::Own(run) => Some(run),
            Self::Worker(_) => None,
        }
    }
}

/// A run at an outside worker: its present submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRun {
    /// Counts the job's submissions from 1 over all attempts. It names the submission: its external id follows from it.
    pub number: u32,
    /// Submissions of this attempt that the worker has forgotten.
    pub lost: u32,
    /// Refusals of submissions of this attempt.
    pub refusals: u32,
    /// When the run has failed at the latest, unless the worker begins it before; none until it was first claimed.
    pub deadline: Option<Timestamp>,
    /// When the worker last said something about it; none before.
    pub heard_at: Option<Timestamp>,
    /// The submission's state.
    pub state: WorkerState,
}

impl WorkerRun {
    /// The worker's id for the present submission, once it is known.
    pub fn id(&self) -> Option<&RenderId> {
        match &self.state {
            WorkerState::Submitted { id, .. } => Some(id),
            WorkerState::Waiting { .. }
            | WorkerState::Submitting { .. }
            | WorkerState::Unclear { .. }
            | WorkerState::Ended => None,
        }
    }
}

/// The state of a submission to the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerState {
    /// It waits until this time: at first, after a refusal, or for the worker's circuit.
    Waiting {
        /// Not to be claimed before.
        ready_at: Timestamp,
    },
    /// The launcher has claimed it and sends it.
    Submitting {
        /// After this its answer counts as lost.
        lease_until: Timestamp,
    },
    /// Its answer was lost: the worker is asked for the external id before anything is sent again.
    Unclear {
        /// Look-ups so far that did not find it.
        lookups: u32,
        /// When it is looked up next.
        next_at: Timestamp,
    },
    /// The worker has it under this id.
    Submitted {
        /// The worker's id.
        id: RenderId,
        /// Polls since the worker last reported by itself.
        polls: u32,
        /// Polls in a row that the worker answered with 404.
        missing: u32,
        /// The next poll.
        next_at: Timestamp,
    },
    /// It has ended at the worker.
    Ended,
}

/// A run of our renderers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OwnRun {
    /// What the probe found.
    pub source: Option<SourceFacts>,
    /// Whether the plan is there: the clips follow from it.
    pub planned: bool,
    /// The highest number of a cut in earlier attempts: numbers go on from it, so that no file is written twice.
    pub cuts: u32,
    /// The number of the last submission to a worker in earlier attempts; 0 for none.
    pub submissions: u32,
}
