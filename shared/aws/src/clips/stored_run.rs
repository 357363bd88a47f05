//! The stored form of a run of a clip job: at a worker, or of our renderers.

use reelhook_domain::clips::clip::SourceFacts;
use reelhook_domain::clips::run::{Engine, OwnRun, Run, WorkerRun, WorkerState};
use reelhook_domain::{RenderId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::items::is_default;

/// The stored form of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredRun {
    attempt: u32,
    engine: StoredEngine,
    #[serde(default, skip_serializing_if = "is_default")]
    progress: u8,
    #[serde(default, skip_serializing_if = "is_default")]
    stage: String,
    #[serde(default, skip_serializing_if = "is_default")]
    completed: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    shown: u8,
}

/// The stored form of what makes the clips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredEngine {
    Worker(StoredWorkerRun),
    Own(StoredOwnRun),
}

/// The stored form of a run at a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredWorkerRun {
    #[serde(rename = "no")]
    number: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    lost: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    refusals: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard_at: Option<Timestamp>,
    state: StoredState,
}

/// The stored form of a submission's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredState {
    Waiting {
        ready_at: Timestamp,
    },
    Submitting {
        lease_until: Timestamp,
    },
    Unclear {
        #[serde(default)]
        lookups: u32,
        next_at: Timestamp,
    },
    Submitted {
        id: RenderId,
        #[serde(default)]
        polls: u32,
        #[serde(default, skip_serializing_if = "is_default")]
        missing: u32,
        next_at: Timestamp,
    },
    Ended,
}

/// The stored form of a run of our renderers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredOwnRun {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourceFacts>,
    #[serde(default, skip_serializing_if = "is_default")]
    planned: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    cuts: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    submissions: u32,
}

impl From<&Run> for StoredRun {
    fn from(run: &Run) -> Self {
        Self {
            attempt: run.attempt,
            engine: match &run.engine {
                Engine::Worker(worker) => StoredEngine::Worker(worker.into()),
                Engine::Own(own) => {
                    let OwnRun { source, planned, cuts, submissions } = own.clone();
                    StoredEngine::Own(StoredOwnRun { source, planned, cuts, submissions })
                }
            },
            progress: run.progress,
            stage: run.stage.clone(),
            completed: run.clips_completed,
            total: run.total_clips,
            source_ms: run.source_ms,
            shown: run.shown_progress,
        }
    }
}

impl From<StoredRun> for Run {
    fn from(stored: StoredRun) -> Self {
        Self {
            attempt: stored.attempt,
            engine: match stored.engine {
                StoredEngine::Worker(worker) => Engine::Worker(worker.into()),
                StoredEngine::Own(StoredOwnRun { source, planned, cuts, submissions }) => {
                    Engine::Own(OwnRun { source, planned, cuts, submissions })
                }
            },
            progress: stored.progress,
            stage: stored.stage,
            clips_completed: stored.completed,
            total_clips: stored.total,
            source_ms: stored.source_ms,
            shown_progress: stored.shown,
        }
    }
}

impl From<&WorkerRun> for StoredWorkerRun {
    fn from(run: &WorkerRun) -> Self {
        let WorkerRun { number, lost, refusals, deadline, heard_at, state } = run.clone();
        let state = match state {
            WorkerState::Waiting { ready_at } => StoredState::Waiting { ready_at },
            WorkerState::Submitting { lease_until } => StoredState::Submitting { lease_until },
            WorkerState::Unclear { lookups, next_at } => StoredState::Unclear { lookups, next_at },
            WorkerState::Submitted { id, polls, missing, next_at } => {
                StoredState::Submitted { id, polls, missing, next_at }
            }
            WorkerState::Ended => StoredState::Ended,
        };
        Self { number, lost, refusals, deadline, heard_at, state }
    }
}

impl From<StoredWorkerRun> for WorkerRun {
    fn from(stored: StoredWorkerRun) -> Self {
        let StoredWorkerRun { number, lost, refusals, deadline, heard_at, state } = stored;
        let state = match state {
            StoredState::Waiting { ready_at } => WorkerState::Waiting { ready_at },
            StoredState::Submitting { lease_until } => WorkerState::Submitting { lease_until },
            StoredState::Unclear { lookups, next_at } => WorkerState::Unclear { lookups, next_at },
            StoredState::Submitted { id, polls, missing, next_at } => {
                WorkerState::Submitted { id, polls, missing, next_at }
            }
            StoredState::Ended => WorkerState::Ended,
        };
        Self { number, lost, refusals, deadline, heard_at, state }
    }
}
