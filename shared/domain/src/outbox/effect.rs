//! What a change causes outside of its item: descriptors in the outbox, never payloads.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clips::effect::ClipEffect;
use crate::credits::effect::CreditEffect;
use crate::errors::cause::{Raise, Resolve};
use crate::projects::effect::ProjectEffect;
use crate::{EventGroup, EventId, JobEffect, Live, LogEvent, LogLevel, LogTally, OutboundEvent, Status, Timestamp};

/// The number of the latest webhook events that an item keeps records of.
const KEPT: usize = 16;

/// The delay of a message in seconds: rounded up, at most the 900 s that SQS allows.
pub(crate) fn whole_seconds(delay: Duration) -> u32 {
    u32::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).min(900)
}

/// The receivers of a webhook event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipients {
    /// The endpoints that subscribe to the event.
    Subscribers,
    /// Those endpoints, and the URL that the aggregate's client named for its own events.
    SubscribersAndCallback,
}

impl Recipients {
    /// The recipients of an event that was stored without them (version 0.2 and older): a client's own URL gets the events
    /// of its videos.
    pub fn unstated(event: OutboundEvent) -> Self {
        if event.group() == EventGroup::Video { Self::SubscribersAndCallback } else { Self::Subscribers }
    }
}

/// One effect of a change. The stored `kind` names it and the version of its form.
///
/// The variants are shared by all kinds of aggregates; effects of one kind only are in an enum of that kind, which has one
/// variant here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Effect {
    /// Send a hint to start something.
    #[serde(rename = "start.v1")]
    Start {
        /// Not before so many seconds.
        delay_s: u32,
    },
    /// Free an admission slot, and send a hint to start something if jobs may wait for it.
    #[serde(rename = "free_slot.v1")]
    FreeSlot {
        /// The slot's key in the admission item.
        slot: String,
    },
    /// Send webhooks.
    #[serde(rename = "notify.v1")]
    Notify {
        /// The event.
        event: OutboundEvent,
        /// Its recipients; rows of version 0.2 and older name none ([`Recipients::unstated`]).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Recipients>,
        /// The id of the part of the aggregate that it is about, such as a scene; none for the whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<String>,
    },
    /// Raise an error.
    #[serde(rename = "raise_error.v1")]
    RaiseError(Raise),
    /// Resolve an error, since its cause has ended.
    #[serde(rename = "resolve_error.v1")]
    ResolveError(Resolve),
    /// Write a line of the aggregate's log.
    #[serde(rename = "log.v1")]
    Log {
        /// One of the log's event types.
        #[serde(rename = "event_type")]
        event: LogEvent,
        /// The line's importance.
        level: LogLevel,
        /// A sentence.
        message: String,
        /// Small facts.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        details: Value,
    },
    /// Count a job that enters or leaves a final status.
    #[serde(rename = "count.v1")]
    Count {
        /// The final status that was entered or left.
        status: Status,
        /// The day on which the job was created.
        day: String,
        /// Whether it was entered.
        entered: bool,
    },
    /// Count the lines of a job's log, once the job has ended.
    #[serde(rename = "count_log.v1")]
    CountLog {
        /// The day on which the job was created.
        day: String,
        /// What was added since the last count.
        log: LogTally,
    },
    /// Show events to viewers.
    #[serde(rename = "live.v1")]
    Live {
        /// The events in order.
        events: Vec<Live>,
        /// The previous version with live events, so that viewers notice a gap.
        after: u64,
    },
    /// Write what the aggregate keeps of its log and its live events as rows; its next version no longer has it.
    #[serde(rename = "pack_history.v1")]
    PackHistory,
    /// Send hints that pieces wait for renderers.
    #[serde(rename = "draw.v1")]
    Draw {
        /// The number of hints.
        hints: u32,
        /// Not before so many seconds.
        delay_s: u32,
    },
    /// Remove these files of the aggregate.
    #[serde(rename = "remove_files.v1")]
    RemoveFiles {
        /// Their keys in the bucket.
        keys: Vec<String>,
    },
    /// The aggregate was deleted: remove its log and its files.
    #[serde(rename = "purge.v1")]
    Purge,
    /// An effect of jobs only.
    #[serde(untagged)]
    Job(JobEffect),
    /// An effect of projects only.
    #[serde(untagged)]
    Project(ProjectEffect),
    /// An effect of clip jobs only.
    #[serde(untagged)]
    Clips(ClipEffect),
    /// An effect on the ledger of the owner.
    #[serde(untagged)]
    Credits(CreditEffect),
}

impl Effect {
    /// The stored kinds of the shared effects.
    const KINDS: [&str; 13] = [
        "start.v1",
        "free_slot.v1",
        "notify.v1",
        "raise_error.v1",
        "resolve_error.v1",
        "log.v1",
        "count.v1",
        "count_log.v1",
        "live.v1",
        "pack_history.v1",
        "draw.v1",
        "remove_files.v1",
        "purge.v1",
    ];

    /// Whether this version knows a stored kind; a newer version may know more.
    pub fn is_known(kind: &str) -> bool {
        let families = [&JobEffect::KINDS[..], &ProjectEffect::KINDS, &ClipEffect::KINDS, &CreditEffect::KINDS];
        Self::KINDS.contains(&kind) || families.iter().any(|kinds| kinds.contains(&kind))
    }
}

impl From<JobEffect> for Effect {
    fn from(effect: JobEffect) -> Self {
        Self::Job(effect)
    }
}

impl From<ProjectEffect> for Effect {
    fn from(effect: ProjectEffect) -> Self {
        Self::Project(effect)
    }
}

impl From<ClipEffect> for Effect {
    fn from(effect: ClipEffect) -> Self {
        Self::Clips(effect)
    }
}

impl From<CreditEffect> for Effect {
    fn from(effect: CreditEffect) -> Self {
        Self::Credits(effect)
    }
}

/// A record on the item of a webhook event that the item caused, for repairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emitted {
    /// The event's id.
    pub id: EventId,
    /// Its kind.
    pub event: OutboundEvent,
    /// The id of the part of the aggregate that it is about; none for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The version that caused it.
    pub version: u64,
    /// When it happened.
    pub at: Timestamp,
}

impl Emitted {
    /// Adds records of the webhook events among the effects of a version of `subject`; the latest ones stay.
    pub(crate) fn record(
        kept: &mut Vec<Self>,
        effects: &[Effect],
        subject: &impl fmt::Display,
        version: u64,
        at: Timestamp,
    ) {
        for (index, effect) in effects.iter().enumerate() {
            if let Effect::Notify { event, about, .. } = effect {
                let id = EventId::of(subject, version, index);
                kept.push(Self { id, event: *event, about: about.clone(), version, at });
            }
        }
        let extra = kept.len().saturating_sub(KEPT);
        kept.drain(..extra);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::credits::price::Basis;
    use crate::errors::cause::Cause;
    use crate::projects::task::Stage;
    use crate::{RenderId, SceneId, WebUrl};

    #[test]
    fn the_stored_form_of_each_kind_stays_as_it_is() {
        let render = RenderId::parse("r-1").unwrap();
        let day = || "2024-01-01".to_owned();
        let live = vec![
            Live::Step {
                number: 1,
                name: "Database Extraction".to_owned(),
                status: "completed".to_owned(),
                key: Some("step_1".to_owned()),
                sequence: 7,
                stage: Some("processing".to_owned()),
                details: true,
            },
            Live::Render { status: "planned".to_owned() },
            Live::RenderCompleted,
            Live::RenderFailed,
            Live::Job,
            Live::Scene { id: SceneId::parse("scene_a").unwrap() },
            Live::Project,
            Live::Clip { index: 1 },
            Live::Clips,
        ];
        let golden = [
            (Effect::Start { delay_s: 3 }, json!({ "kind": "start.v1", "delay_s": 3 })),
            (Effect::FreeSlot { slot: "a.1.1".to_owned() }, json!({ "kind": "free_slot.v1", "slot": "a.1.1" })),
            (
                Effect::Notify { event: OutboundEvent::Completed, to: None, about: None },
                json!({ "kind": "notify.v1", "event": "job.completed" }),
            ),
            (
                Effect::Notify { event: OutboundEvent::Completed, to: Some(Recipients::Subscribers), about: None },
                json!({ "kind": "notify.v1", "event": "job.completed", "to": "subscribers" }),
            ),
            (
                Effect::Notify {
                    event: OutboundEvent::VideoFailed,
                    to: Some(Recipients::SubscribersAndCallback),
                    about: None,
                },
                json!({ "kind": "notify.v1", "event": "video.failed", "to": "subscribers_and_callback" }),
            ),
            (
                Effect::Log {
                    event: LogEvent::Note,
                    level: LogLevel::Warning,
                    message: "m".to_owned(),
                    details: json!({ "attempt": 1 }),
                },
                json!({
                    "kind": "log.v1", "event_type": "job_log", "level": "warning", "message": "m",
                    "details": { "attempt": 1 },
                }),
            ),
            (
                Effect::Log {
                    event: LogEvent::Note,
                    level: LogLevel::Info,
                    message: "m".to_owned(),
                    details: Value::Null,
                },
                json!({ "kind": "log.v1", "event_type": "job_log", "level": "info", "message": "m" }),
            ),
            (
                Effect::Count { status: Status::Failed, day: day(), entered: true },
                json!({ "kind": "count.v1", "status": "failed", "day": "2024-01-01", "entered": true }),
            ),
            (
                Effect::CountLog { day: day(), log: LogTally { info: 1, bytes: 21, ..LogTally::default() } },
                json!({ "kind": "count_log.v1", "day": "2024-01-01", "log": [1, 0, 0, 0, 21, 0] }),
            ),
            (
                Effect::Live { events: live, after: 2 },
                json!({
                    "kind": "live.v1",
                    "events": [
                        {
                            "type": "step", "number": 1, "name": "Database Extraction", "status": "completed",
                            "key": "step_1", "sequence": 7, "stage": "processing", "details": true,
                        },
                        { "type": "render", "word": "planned" },
                        { "type": "render_completed" },
                        { "type": "render_failed" },
                        { "type": "job" },
                        { "type": "scene", "id": "scene_a" },
                        { "type": "project" },
                        { "type": "clip", "index": 1 },
                        { "type": "clips" },
                    ],
                    "after": 2,
                }),
            ),
            (Effect::PackHistory, json!({ "kind": "pack_history.v1" })),
            (Effect::Draw { hints: 2, delay_s: 0 }, json!({ "kind": "draw.v1", "hints": 2, "delay_s": 0 })),
            (
                Effect::RemoveFiles { keys: vec!["videos/a.mp4".to_owned()] },
                json!({ "kind": "remove_files.v1", "keys": ["videos/a.mp4"] }),
            ),
            (Effect::Purge, json!({ "kind": "purge.v1" })),
            (
                Effect::Notify {
                    event: OutboundEvent::SceneVerified,
                    to: Some(Recipients::Subscribers),
                    about: Some("scene_a".to_owned()),
                },
                json!({ "kind": "notify.v1", "event": "scene.verified", "to": "subscribers", "about": "scene_a" }),
            ),
            (
                Effect::RaiseError(Raise {
                    cause: Cause::VideoFailed,
                    about: "proj_1/scene_a".to_owned(),
                    message: "m".to_owned(),
                    context: [("error".to_owned(), json!("boom"))].into_iter().collect(),
                }),
                json!({
                    "kind": "raise_error.v1", "cause": "video_failed", "about": "proj_1/scene_a", "message": "m",
                    "context": { "error": "boom" },
                }),
            ),
            (
                Effect::ResolveError(Resolve { cause: Cause::StitchFailed, about: "proj_1".to_owned() }),
                json!({ "kind": "resolve_error.v1", "cause": "stitch_failed", "about": "proj_1" }),
            ),
            (ClipEffect::Work { delay_s: 3 }.into(), json!({ "kind": "clip_work.v1", "delay_s": 3 })),
            (
                ClipEffect::Index { number: 2, worker_id: None }.into(),
                json!({ "kind": "index_clip_job.v1", "number": 2 }),
            ),
            (
                ClipEffect::Index { number: 1, worker_id: Some(render.clone()) }.into(),
                json!({ "kind": "index_clip_job.v1", "number": 1, "worker_id": "r-1" }),
            ),
            (ClipEffect::CancelWork { number: 1 }.into(), json!({ "kind": "cancel_clip_work.v1", "number": 1 })),
            (
                CreditEffect::Settle { reservation: "clip_x.1".to_owned(), credits: 10, basis: Basis::Ranges }.into(),
                json!({ "kind": "settle_credits.v1", "reservation": "clip_x.1", "credits": 10, "basis": "ranges" }),
            ),
            (
                CreditEffect::Release { reservation: "clip_x.1".to_owned() }.into(),
                json!({ "kind": "release_credits.v1", "reservation": "clip_x.1" }),
            ),
            (ProjectEffect::Tasks { delay_s: 3 }.into(), json!({ "kind": "tasks.v1", "delay_s": 3 })),
            (ProjectEffect::StartScenes { delay_s: 0 }.into(), json!({ "kind": "start_scenes.v1", "delay_s": 0 })),
            (
                ProjectEffect::FreeSlot { slot: "proj_1.video.1.1.scene_a".to_owned() }.into(),
                json!({ "kind": "free_scene_slot.v1", "slot": "proj_1.video.1.1.scene_a" }),
            ),
            (
                ProjectEffect::IndexScenes { scenes: vec!["scene_a".to_owned()] }.into(),
                json!({ "kind": "index_scenes.v1", "scenes": ["scene_a"] }),
            ),
            (
                ProjectEffect::IndexTask {
                    stage: Stage::Frame,
                    id: render.clone(),
                    task: "frame.1.2.scene_a".to_owned(),
                }
                .into(),
                json!({ "kind": "index_task.v1", "stage": "frame", "id": "r-1", "task": "frame.1.2.scene_a" }),
            ),
            (
                ProjectEffect::CancelTask { stage: Stage::Video, id: render.clone() }.into(),
                json!({ "kind": "cancel_task.v1", "stage": "video", "id": "r-1" }),
            ),
            (
                JobEffect::CheckRender { render: render.clone(), check: 1, delay_s: 2 }.into(),
                json!({ "kind": "check_render.v1", "render": "r-1", "check": 1, "delay_s": 2 }),
            ),
            (JobEffect::ApplyParked { render }.into(), json!({ "kind": "apply_parked.v1", "render": "r-1" })),
            (
                JobEffect::CancelWorker { attempt: 1, url: WebUrl::parse("https://x.example").unwrap() }.into(),
                json!({ "kind": "cancel_worker.v1", "attempt": 1, "url": "https://x.example" }),
            ),
        ];
        for (effect, stored) in &golden {
            assert_eq!(serde_json::to_string(effect).unwrap(), stored.to_string());
            assert_eq!(serde_json::from_str::<Effect>(&stored.to_string()).unwrap(), *effect);
            assert!(Effect::is_known(stored["kind"].as_str().unwrap()), "{stored}");
        }
        let families = JobEffect::KINDS.iter().chain(&ProjectEffect::KINDS).chain(&ClipEffect::KINDS);
        for kind in Effect::KINDS.iter().chain(families).chain(&CreditEffect::KINDS) {
            assert!(golden.iter().any(|(_, stored)| stored["kind"] == **kind), "{kind} has no golden form");
        }
        assert!(!Effect::is_known("teleport.v2"));
    }

    #[test]
    fn an_event_without_recipients_goes_to_the_client_if_it_is_about_a_video() {
        for &event in OutboundEvent::ALL {
            let to_client = event.name().starts_with("video.");
            let expected = if to_client { Recipients::SubscribersAndCallback } else { Recipients::Subscribers };
            assert_eq!(Recipients::unstated(event), expected, "{event:?}");
        }
    }
}
