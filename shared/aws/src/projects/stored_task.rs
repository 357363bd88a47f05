//! The stored form of a task: its present submission.

use reelhook_domain::projects::task::{Task, TaskState};
use reelhook_domain::{RenderId, Timestamp, WebUrl};
use serde::{Deserialize, Serialize};

use crate::items::is_default;

/// The stored form of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredTask {
    #[serde(rename = "no")]
    number: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    claims: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    progress: u8,
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_at: Option<Timestamp>,
    },
    Submitted {
        id: RenderId,
        #[serde(default)]
        polls: u32,
        next_at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status_url: Option<WebUrl>,
    },
    Own,
}

impl From<&Task> for StoredTask {
    fn from(task: &Task) -> Self {
        let state = match task.state.clone() {
            TaskState::Waiting { ready_at } => StoredState::Waiting { ready_at },
            TaskState::Submitting { lease_until } => StoredState::Submitting { lease_until },
            TaskState::Unclear { lookups, next_at } => StoredState::Unclear { lookups, next_at },
            TaskState::Submitted { id, polls, next_at, status_url } => {
                StoredState::Submitted { id, polls, next_at, status_url }
            }
            TaskState::Own => StoredState::Own,
        };
        Self { number: task.number, claims: task.claims, deadline: task.deadline, progress: task.progress, state }
    }
}

impl From<StoredTask> for Task {
    fn from(stored: StoredTask) -> Self {
        let state = match stored.state {
            StoredState::Waiting { ready_at } => TaskState::Waiting { ready_at },
            StoredState::Submitting { lease_until } => TaskState::Submitting { lease_until },
            StoredState::Unclear { lookups, next_at } => TaskState::Unclear { lookups, next_at },
            StoredState::Submitted { id, polls, next_at, status_url } => {
                TaskState::Submitted { id, polls, next_at, status_url }
            }
            StoredState::Own => TaskState::Own,
        };
        Self {
            number: stored.number,
            claims: stored.claims,
            deadline: stored.deadline,
            progress: stored.progress,
            state,
        }
    }
}
