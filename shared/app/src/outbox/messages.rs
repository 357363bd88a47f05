//! What stands in the queues: tagged, versioned hints. Purging a queue loses nothing.

use async_trait::async_trait;
use reelhook_domain::{DeliveryId, EventId, JobId, RenderId};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// Hints for the worker function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum WorkMessage {
    /// Try to start something.
    #[serde(rename = "start.v1")]
    Start,
    /// Ask the render service how a render stands.
    #[serde(rename = "check_render.v1")]
    CheckRender {
        /// Whose.
        job_id: JobId,
        /// Which.
        render: RenderId,
        /// Which scheduled check; 0 for one out of turn.
        check: u8,
    },
    /// Apply a callback that came before its render was known.
    #[serde(rename = "apply_parked.v1")]
    ApplyParked {
        /// Whose.
        job_id: JobId,
        /// Which.
        render: RenderId,
    },
    /// Tell an external worker that its run is not wanted any more.
    #[serde(rename = "cancel_worker.v1")]
    CancelWorker {
        /// Whose.
        job_id: JobId,
        /// The run.
        attempt: u32,
        /// Where.
        url: String,
    },
}

/// Hints for renderers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum PieceMessage {
    /// A piece of this job's drawing is open: claim one.
    #[serde(rename = "draw.v1")]
    Draw {
        /// Whose.
        job_id: JobId,
        /// The run.
        attempt: u32,
    },
}

/// Hints for the dispatcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum DeliveryMessage {
    /// Send this one.
    #[serde(rename = "deliver.v1")]
    Deliver {
        /// Which.
        delivery_id: DeliveryId,
        /// What it tells of, so that both rows are read in one call.
        event_id: EventId,
    },
}

/// A message and how many seconds it waits, at most 900.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delayed<M> {
    /// What.
    pub message: M,
    /// Not before.
    pub delay_s: u32,
}

impl<M> Delayed<M> {
    /// A message for at once.
    pub fn now(message: M) -> Self {
        Self { message, delay_s: 0 }
    }
}

/// A queue of hints.
#[async_trait]
pub trait Hints<M>: Send + Sync {
    /// Sends all of them, in as few calls as fit; the answer has one entry for each, in order.
    async fn send(&self, messages: Vec<Delayed<M>>) -> Vec<Result<(), StoreError>>;
}

/// Sends all of them, or says what went wrong first.
///
/// # Errors
/// The first [`StoreError`].
pub async fn send_all<M>(hints: &dyn Hints<M>, messages: Vec<Delayed<M>>) -> Result<(), StoreError> {
    if messages.is_empty() {
        return Ok(());
    }
    hints.send(messages).await.into_iter().collect()
}

/// Sends hints at deliveries. The sweep finds deliveries by `due_at` all the same: one that can't be sent is only logged.
pub(crate) async fn hint_at_deliveries(hints: &dyn Hints<DeliveryMessage>, messages: Vec<Delayed<DeliveryMessage>>) {
    if messages.is_empty() {
        return;
    }
    for error in hints.send(messages).await.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "a hint was not sent, the sweep will act");
    }
}
