//! The messages in the queues: tagged, versioned hints. Purging a queue loses nothing.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{
    ClipJobId, DeliveryId, EventId, JobId, OwnerId, ProjectId, RenderId, Subject, Timestamp, WebUrl,
};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// Hints for the launcher (function `worker`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum WorkMessage {
    /// Start waiting jobs, if slots are free.
    #[serde(rename = "start.v1")]
    Start {
        /// Jobs that the index of waiting jobs may not have yet. Versions up to 0.2 ignore them, and name none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        jobs: Vec<JobId>,
    },
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
    StartScenes {
        /// Projects that the index of waiting projects may not have yet.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        projects: Vec<ProjectId>,
    },
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
    /// Submit a clip job to the clipping worker, look it up or poll it, as is due.
    #[serde(rename = "clip.v1")]
    Clip {
        /// The clip job.
        job_id: ClipJobId,
    },
    /// Cancel a submission of a clip job at the clipping worker.
    #[serde(rename = "cancel_clip.v1")]
    CancelClip {
        /// The clip job.
        job_id: ClipJobId,
        /// The submission's number.
        number: u32,
    },
}

impl WorkMessage {
    /// A hint to start the jobs that wait.
    pub fn start() -> Self {
        Self::Start { jobs: Vec::new() }
    }

    /// A hint to give slots to the scenes that wait.
    pub fn start_scenes() -> Self {
        Self::StartScenes { projects: Vec::new() }
    }

    /// Whether it does all that another hint would: it is the same, or starts the same and the other one names nothing.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Start { .. }, Self::Start { jobs }) if jobs.is_empty() => true,
            (Self::StartScenes { .. }, Self::StartScenes { projects }) if projects.is_empty() => true,
            _ => self == other,
        }
    }

    /// The same hints, of which those that start the same are equal: each names what all of them name.
    pub(crate) fn with_all_names(hints: &[Self]) -> Vec<Self> {
        let (mut all_jobs, mut all_projects) = (Vec::new(), Vec::new());
        for hint in hints {
            if let Self::Start { jobs } = hint {
                all_jobs.extend_from_slice(jobs);
            }
            if let Self::StartScenes { projects } = hint {
                all_projects.extend_from_slice(projects);
            }
        }
        let mut merged = hints.to_vec();
        for hint in &mut merged {
            if let Self::Start { jobs } = hint {
                jobs.clone_from(&all_jobs);
            }
            if let Self::StartScenes { projects } = hint {
                projects.clone_from(&all_projects);
            }
        }
        merged
    }
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
    /// Pieces of this clip job are open: claim one.
    #[serde(rename = "clip_piece.v1")]
    Clip {
        /// The job.
        job_id: ClipJobId,
    },
}

/// Hints for the dispatcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum DeliveryMessage {
    /// Send a delivery, or several of one event.
    #[serde(rename = "deliver.v1")]
    Deliver {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Its event, so that one call reads both rows.
        event_id: EventId,
        /// Other deliveries of the event. Versions up to 0.2 ignore them, and the due sweep finds them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        others: Vec<DeliveryId>,
    },
}

/// Deliveries that one message names: as many as one batch has messages, so that a batch of them ends in time.
const DELIVERIES: usize = 10;

impl DeliveryMessage {
    /// A hint for one delivery.
    pub fn of(delivery_id: DeliveryId, event_id: EventId) -> Self {
        Self::Deliver { delivery_id, event_id, others: Vec::new() }
    }

    /// Adds a delivery of the same event; returns whether there was room for it.
    pub(crate) fn add(&mut self, delivery: DeliveryId, event: &EventId) -> bool {
        let Self::Deliver { event_id, others, .. } = self;
        let fits = event_id == event && others.len() + 1 < DELIVERIES;
        if fits {
            others.push(delivery);
        }
        fits
    }

    /// The deliveries that it names, with their event.
    pub fn deliveries(&self) -> impl Iterator<Item = (DeliveryId, EventId)> {
        let Self::Deliver { delivery_id, event_id, others } = self;
        std::iter::once(delivery_id).chain(others).map(|delivery| (*delivery, event_id.clone()))
    }
}

/// The results of messages, from those of the deliveries that they name, in order. A message comes again if one of its
/// deliveries failed; those that were sent are not due then.
pub fn of_messages(
    messages: &[DeliveryMessage],
    results: impl IntoIterator<Item = Result<(), StoreError>>,
) -> Vec<Result<(), StoreError>> {
    let mut results = results.into_iter();
    let of_message = |message: &DeliveryMessage| {
        // Each result is taken, so that the next message gets its own ones.
        let named: Vec<_> = results.by_ref().take(message.deliveries().count()).collect();
        named.into_iter().collect()
    };
    messages.iter().map(of_message).collect()
}

/// Hints for `live`, which sends live events over WebSocket connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum LiveMessage {
    /// Something happened that viewers follow.
    #[serde(rename = "push.v1")]
    Push(Push),
    /// A viewer may have missed events: read them after its position.
    #[serde(rename = "catch_up.v1")]
    CatchUp {
        /// The viewer's connection.
        connection: String,
        /// What it follows.
        subject: Subject,
        /// Whose that is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<OwnerId>,
    },
    /// Confirm to a viewer that it follows an owner: from now on every event is sent.
    #[serde(rename = "subscribed.v1")]
    Subscribed {
        /// The viewer's connection.
        connection: String,
        /// The owner.
        owner: OwnerId,
        /// Since when it follows. It may follow no longer by now, or anew.
        since: Timestamp,
    },
    /// Show a connection that it is alive.
    #[serde(rename = "beat.v1")]
    Beat {
        /// The connection.
        connection: String,
    },
}

/// A job, a project or a clip job has new live events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// What it is.
    pub subject: Subject,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerId>,
    /// Whether it ended with one of them.
    pub terminal: bool,
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

    /// A message after a time of whole seconds.
    pub fn after(message: M, time: Duration) -> Self {
        Self { message, delay_s: u32::try_from(time.as_secs()).unwrap_or(u32::MAX) }
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

#[cfg(test)]
mod tests {
    use reelhook_domain::EndpointId;
    use serde_json::json;

    use super::*;

    /// Messages of one version are read by the next one, while queues have some.
    #[test]
    fn the_stored_forms_of_hints_stay_as_they_are() {
        let (job_id, render) = (JobId::parse("job_1").unwrap(), RenderId::parse("r-1").unwrap());
        let project_id = ProjectId::parse("proj_1").unwrap();
        let clip = ClipJobId::parse("clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11").unwrap();
        let url = WebUrl::parse("https://worker.example/cancel").unwrap();
        let cancel_worker =
            json!({ "kind": "cancel_worker.v1", "job_id": "job_1", "attempt": 2, "url": url.as_written() });
        let golden = [
            (WorkMessage::start(), json!({ "kind": "start.v1" })),
            (WorkMessage::Start { jobs: vec![job_id.clone()] }, json!({ "kind": "start.v1", "jobs": ["job_1"] })),
            (
                WorkMessage::CheckRender { job_id: job_id.clone(), render: render.clone(), check: 3 },
                json!({ "kind": "check_render.v1", "job_id": "job_1", "render": "r-1", "check": 3 }),
            ),
            (
                WorkMessage::ApplyParked { job_id: job_id.clone(), render: render.clone() },
                json!({ "kind": "apply_parked.v1", "job_id": "job_1", "render": "r-1" }),
            ),
            (WorkMessage::CancelWorker { job_id, attempt: 2, url }, cancel_worker),
            (WorkMessage::start_scenes(), json!({ "kind": "start_scenes.v1" })),
            (
                WorkMessage::StartScenes { projects: vec![project_id.clone()] },
                json!({ "kind": "start_scenes.v1", "projects": ["proj_1"] }),
            ),
            (
                WorkMessage::Tasks { project_id: project_id.clone() },
                json!({ "kind": "tasks.v1", "project_id": "proj_1" }),
            ),
            (
                WorkMessage::ApplyEarly { project_id: project_id.clone() },
                json!({ "kind": "apply_early.v1", "project_id": "proj_1" }),
            ),
            (
                WorkMessage::CancelTask { project_id, stage: Stage::Video, id: render },
                json!({ "kind": "cancel_task.v1", "project_id": "proj_1", "stage": "video", "id": "r-1" }),
            ),
            (
                WorkMessage::Clip { job_id: clip.clone() },
                json!({ "kind": "clip.v1", "job_id": "clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11" }),
            ),
            (
                WorkMessage::CancelClip { job_id: clip, number: 2 },
                json!({
                    "kind": "cancel_clip.v1", "job_id": "clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11", "number": 2,
                }),
            ),
        ];
        for (message, stored) in golden {
            assert_eq!(json!(message), stored);
            assert_eq!(serde_json::from_value::<WorkMessage>(stored).unwrap(), message);
        }
    }

    fn event(version: u64) -> EventId {
        EventId::parse(&format!("job_1.{version}.0")).unwrap()
    }

    fn delivery(number: usize) -> DeliveryId {
        DeliveryId::of(&event(7), &EndpointId::parse(&format!("ep_{number:016x}")).unwrap())
    }

    #[test]
    fn a_hint_for_deliveries_is_read_by_older_versions_as_one_for_the_first() {
        let mut message = DeliveryMessage::of(delivery(0), event(7));
        let one = json!({ "kind": "deliver.v1", "delivery_id": delivery(0).to_string(), "event_id": "job_1.7.0" });
        assert_eq!(json!(message), one);
        assert!(message.add(delivery(1), &event(7)));
        let mut both = one;
        both["others"] = json!([delivery(1).to_string()]);
        assert_eq!(json!(message), both);
        assert_eq!(serde_json::from_value::<DeliveryMessage>(both).unwrap(), message);
        let named: Vec<_> = message.deliveries().collect();
        assert_eq!(named, [(delivery(0), event(7)), (delivery(1), event(7))]);
    }

    #[test]
    fn a_hint_names_ten_deliveries_of_one_event_at_most() {
        let mut message = DeliveryMessage::of(delivery(0), event(7));
        assert!(!message.add(delivery(1), &event(8)), "of another event");
        assert_eq!((1..20).filter(|number| message.add(delivery(*number), &event(7))).count(), 9);
        assert_eq!(message.deliveries().count(), 10);
    }

    #[test]
    fn a_message_fails_if_one_of_its_deliveries_does() {
        let mut two = DeliveryMessage::of(delivery(0), event(7));
        assert!(two.add(delivery(1), &event(7)));
        let one = DeliveryMessage::of(delivery(2), event(8));
        let busy = || StoreError::Busy { operation: "test", source: "later".into() };
        let results = of_messages(
            &[two.clone(), one.clone(), two, one],
            [Ok(()), Ok(()), Err(busy()), Err(busy()), Ok(()), Ok(())],
        );
        assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true]);
    }
}
