//! The messages in the queues: tagged, versioned hints. Purging a queue loses nothing.

use async_trait::async_trait;
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{DeliveryId, EventId, JobId, ProjectId, RenderId, WebUrl};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// Hints for the launcher (function `worker`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum WorkMessage {
    /// Start waiting jobs, if slots are free.
    #[serde(rename = "start.v1")]
    Start,
    /// Read the state of a render from the render service.
    #[serde(rename = "check_render.v1")]
    CheckRender {
        /// The render's job.
        job_id: JobId,
        /// The render.
        render: RenderId,
        /// The number of the scheduled check; 0 for an unscheduled one.
        check: u8,
    },
    /// Apply a callback that came before its render's id was known.
    #[serde(rename = "apply_parked.v1")]
    ApplyParked {
        /// The render's job.
        job_id: JobId,
        /// The render.
        render: RenderId,
    },
    /// Cancel a run at the external worker.
    #[serde(rename = "cancel_worker.v1")]
    CancelWorker {
        /// The run's job.
        job_id: JobId,
        /// The run attempt.
        attempt: u32,
        /// The worker's URL for cancellations.
        url: WebUrl,
    },
    /// Give slots to scenes that wait for them, if slots are free.
    #[serde(rename = "start_scenes.v1")]
    StartScenes,
    /// Submit, look up and poll what is due of a project's tasks.
    #[serde(rename = "tasks.v1")]
    Tasks {
        /// The project.
        project_id: ProjectId,
    },
    /// Apply callbacks that came before a project knew their scene or task.
    #[serde(rename = "apply_early.v1")]
    ApplyEarly {
        /// The project.
        project_id: ProjectId,
    },
    /// Cancel a task at its service.
    #[serde(rename = "cancel_task.v1")]
    CancelTask {
        /// The task's project.
        project_id: ProjectId,
        /// The stage, which says which service.
        stage: Stage,
        /// The service's id.
        id: RenderId,
    },
}

/// Hints for renderers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum PieceMessage {
    /// Pieces of this job are open: claim one.
    #[serde(rename = "draw.v1")]
    Draw {
        /// The job.
        job_id: JobId,
        /// The run attempt.
        attempt: u32,
    },
    /// Pieces of this project are open: claim one.
    #[serde(rename = "project_piece.v1")]
    Project {
        /// The project.
        project_id: ProjectId,
    },
}

/// Hints for the dispatcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum DeliveryMessage {
    /// Send a delivery.
    #[serde(rename = "deliver.v1")]
    Deliver {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Its event, so that one call reads both rows.
        event_id: EventId,
    },
}

/// A message and its delay, at most 900 seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delayed<M> {
    /// The message.
    pub message: M,
    /// Its delay in seconds.
    pub delay_s: u32,
}

impl<M> Delayed<M> {
    /// A message without a delay.
    pub fn now(message: M) -> Self {
        Self { message, delay_s: 0 }
    }
}

/// A queue of hints.
#[async_trait]
pub trait Hints<M>: Send + Sync {
    /// Sends messages in as few calls as fit; the answer has one result for each, in order.
    async fn send(&self, messages: Vec<Delayed<M>>) -> Vec<Result<(), StoreError>>;
}

/// Sends messages, and fails if one of them could not be sent.
///
/// # Errors
/// The first [`StoreError`].
pub async fn send_all<M>(hints: &dyn Hints<M>, messages: Vec<Delayed<M>>) -> Result<(), StoreError> {
    if messages.is_empty() {
        return Ok(());
    }
    hints.send(messages).await.into_iter().collect()
}

/// Sends hints for deliveries. A failure is only logged, since the due sweep finds the deliveries by `due_at`.
pub(crate) async fn hint_at_deliveries(hints: &dyn Hints<DeliveryMessage>, messages: Vec<Delayed<DeliveryMessage>>) {
    if messages.is_empty() {
        return;
    }
    for error in hints.send(messages).await.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "failed to send a hint, the due sweep will send another");
    }
}
