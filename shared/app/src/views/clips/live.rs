//! The live events of a clip job (docs/contract/clipping.md, Live updates). Both transports carry them: a stream sends the
//! cursor as the `id` of the event.

use reelhook_domain::{ClipsSnapshot, Live, Subject, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::names::{ClipJobIdText, ClipStatusText};
use crate::views::wire::Time;

/// What an event is about, and when it happened.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClipEventSource<'a> {
    /// The clip job.
    #[schemars(with = "ClipJobIdText")]
    job_id: &'a str,
    /// When it happened.
    timestamp: Time,
}

/// The state of the job after an event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClipEventState<'a> {
    /// The status.
    #[schemars(with = "ClipStatusText")]
    status: &'static str,
    /// Per cent, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    progress_percent: u8,
    /// What is done at present, for people.
    progress_stage: &'a str,
    /// Clips that are finished.
    clips_completed: u32,
    /// Clips that there will be, once that is known.
    total_clips: Option<u32>,
    /// Why it failed, or a note.
    error_message: Option<&'a str>,
}

/// The data of an event of a clip job; `type` names the kind of the event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ClipStreamEvent<'a> {
    /// The first event of a stream; it has no `id`.
    Connected {
        /// The kind of the event.
        #[schemars(extend("const" = "connected"))]
        r#type: &'static str,
        /// The job and the time.
        #[serde(flatten)]
        of: ClipEventSource<'a>,
        /// A sentence.
        message: &'static str,
    },
    /// A clip is there.
    Clip {
        /// The kind of the event.
        #[schemars(extend("const" = "clip_update"))]
        r#type: &'static str,
        /// The job and the time.
        #[serde(flatten)]
        of: ClipEventSource<'a>,
        /// The clip's number, from 0.
        index: u32,
        /// The state of the job.
        #[serde(flatten)]
        state: ClipEventState<'a>,
    },
    /// The job as a whole changed.
    Clips {
        /// The kind of the event.
        #[schemars(extend("const" = "clips_update"))]
        r#type: &'static str,
        /// The job and the time.
        #[serde(flatten)]
        of: ClipEventSource<'a>,
        /// The state of the job.
        #[serde(flatten)]
        state: ClipEventState<'a>,
    },
    /// Shows that the stream is alive; it has no `id`.
    Heartbeat {
        /// The kind of the event.
        #[schemars(extend("const" = "heartbeat"))]
        r#type: &'static str,
        /// The job and the time.
        #[serde(flatten)]
        of: ClipEventSource<'a>,
    },
}

impl<'a> ClipStreamEvent<'a> {
    /// The first event of a stream.
    pub fn connected(job: &'a Subject, now: Timestamp) -> Self {
        Self::Connected { r#type: "connected", of: source(job, now), message: "Connected to clip job updates" }
    }

    /// The event that shows that the stream is alive.
    pub fn heartbeat(job: &'a Subject, now: Timestamp) -> Self {
        Self::Heartbeat { r#type: "heartbeat", of: source(job, now) }
    }
}

fn source(job: &Subject, at: Timestamp) -> ClipEventSource<'_> {
    ClipEventSource { job_id: job.client_id(), timestamp: at.into() }
}

/// A live event as viewers get it.
pub(super) fn event<'a>(
    job: &'a Subject,
    at: Timestamp,
    clips: &'a ClipsSnapshot,
    event: &Live,
) -> ClipStreamEvent<'a> {
    let of = source(job, at);
    let state = ClipEventState {
        status: clips.clips_status.name(),
        progress_percent: clips.clips_progress,
        progress_stage: &clips.stage,
        clips_completed: clips.completed,
        total_clips: clips.total,
        error_message: clips.error.as_deref(),
    };
    match event {
        Live::Clip { index } => ClipStreamEvent::Clip { r#type: "clip_update", of, index: *index, state },
        // Only jobs have live events of steps and renders, and only projects those of scenes.
        Live::Clips
        | Live::Job
        | Live::Step { .. }
        | Live::Render { .. }
        | Live::RenderCompleted
        | Live::RenderFailed
        | Live::Scene { .. }
        | Live::Project => ClipStreamEvent::Clips { r#type: "clips_update", of, state },
    }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::ClipStatus;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_has_its_members_in_the_order_of_the_contract() {
        let of = Subject::parse("clip_550e8400-e29b-41d4-a716-446655440000").unwrap();
        let noon = Timestamp(1_704_110_400_000);
        let clips = ClipsSnapshot {
            clips_status: ClipStatus::Running,
            clips_progress: 60,
            stage: "Cutting".to_owned(),
            completed: 2,
            total: Some(5),
            error: None,
        };
        let head = r#""jobId":"550e8400-e29b-41d4-a716-446655440000","timestamp":"2024-01-01T12:00:00.000Z""#;
        let state = r#""status":"running","progressPercent":60,"progressStage":"Cutting","clipsCompleted":2,"totalClips":5,"errorMessage":null"#;
        let text = |live: &Live| json!(event(&of, noon, &clips, live)).to_string();
        assert_eq!(text(&Live::Clips), format!(r#"{{"type":"clips_update",{head},{state}}}"#));
        assert_eq!(text(&Live::Clip { index: 1 }), format!(r#"{{"type":"clip_update",{head},"index":1,{state}}}"#));
        assert_eq!(
            json!(ClipStreamEvent::connected(&of, noon)).to_string(),
            format!(r#"{{"type":"connected",{head},"message":"Connected to clip job updates"}}"#)
        );
        assert_eq!(
            json!(ClipStreamEvent::heartbeat(&of, noon)).to_string(),
            format!(r#"{{"type":"heartbeat",{head}}}"#)
        );
    }
}
