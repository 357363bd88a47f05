//! The events of a job's stream (docs/contract/live.md, Job stream).

use reelhook_domain::{JobSnapshot, Live, Subject, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::job::{JobStatus, shown_render};
use super::names::StepStatusName;
use crate::views::wire::{JobIdText, Time, Yes};

/// What an event is about, and when it happened.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventSource<'a> {
    /// The job.
    #[schemars(with = "JobIdText")]
    job_id: &'a str,
    /// When it happened.
    timestamp: Time,
}

/// What the job does after an event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventProgress<'a> {
    /// Per cent, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    /// The current step, as in a job.
    #[serde(rename = "currentStep")]
    current_step: &'a str,
}

/// The data of an event of a job's stream; `type` names the kind of the event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum JobStreamEvent<'a> {
    /// The first event of a stream; it has no `id`.
    Connected {
        /// The kind of the event.
        #[schemars(extend("const" = "connected"))]
        r#type: &'static str,
        /// The job and the time.
        #[serde(flatten)]
        of: EventSource<'a>,
        /// A sentence.
        message: &'static str,
    },
    /// A worker reported on a step.
    Step {
        /// The job and the time.
        #[serde(flatten)]
        of: EventSource<'a>,
        /// What happened to the step.
        #[schemars(with = "StepStatusName")]
        status: &'a str,
        /// What the job does.
        #[serde(flatten)]
        at: EventProgress<'a>,
        /// The number of the step, 0 to 8.
        #[schemars(range(min = 0, max = 8))]
        step_number: u8,
        /// The name of the step.
        step_name: &'a str,
        /// The worker's key for the step.
        step_key: Option<&'a str>,
        /// The sequence of the report.
        sequence: i64,
        /// The stage of the workflow in the worker's words.
        workflow_stage: Option<&'a str>,
        /// True.
        validated: Yes,
        /// As in `stepDetails`, or null.
        details: Option<&'a Value>,
        /// The id of the render.
        creatomate_id: Option<&'a str>,
        /// The kind of the event.
        #[schemars(extend("const" = "step_update"))]
        r#type: &'static str,
    },
    /// A render is under way.
    Render {
        /// The job and the time.
        #[serde(flatten)]
        of: EventSource<'a>,
        /// The status of the render in Creatomate's words.
        status: &'a str,
        /// What the job does.
        #[serde(flatten)]
        at: EventProgress<'a>,
        /// The kind of the event.
        #[schemars(extend("enum" = ["render_planned", "render_waiting", "render_transcribing", "render_rendering"]))]
        r#type: String,
    },
    /// The video is ready.
    RenderCompleted {
        /// The job and the time.
        #[serde(flatten)]
        of: EventSource<'a>,
        /// The status of the job.
        #[schemars(with = "String", extend("const" = "completed"))]
        status: JobStatus,
        /// What the job does.
        #[serde(flatten)]
        at: EventProgress<'a>,
        /// The URL of the video.
        #[serde(rename = "videoUrl")]
        #[schemars(with = "String", url)]
        video_url: Option<&'a str>,
        /// The kind of the event.
        #[schemars(extend("const" = "render_completed"))]
        r#type: &'static str,
    },
    /// The render failed.
    RenderFailed {
        /// The job and the time.
        #[serde(flatten)]
        of: EventSource<'a>,
        /// The status of the job.
        #[schemars(with = "String", extend("const" = "failed"))]
        status: JobStatus,
        /// What the job does.
        #[serde(flatten)]
        at: EventProgress<'a>,
        /// Why it failed.
        #[schemars(with = "String")]
        error: Option<&'a str>,
        /// The kind of the event.
        #[schemars(extend("const" = "render_failed"))]
        r#type: &'static str,
    },
    /// Any other change: the job started, failed, paused, timed out, was cancelled or retried, or completed without a
    /// video.
    Job {
        /// The job and the time.
        #[serde(flatten)]
        of: EventSource<'a>,
        /// The status of the job.
        status: JobStatus,
        /// What the job does.
        #[serde(flatten)]
        at: EventProgress<'a>,
        /// Why it failed, or that it was cancelled.
        error: Option<&'a str>,
        /// The kind of the event.
        #[schemars(extend("const" = "job_update"))]
        r#type: &'static str,
    },
    /// Shows that the stream is alive; it has no `id`.
    Heartbeat {
        /// The kind of the event.
        #[schemars(extend("const" = "heartbeat"))]
        r#type: &'static str,
        /// The job and the time.
        #[serde(flatten)]
        of: EventSource<'a>,
    },
}

impl<'a> JobStreamEvent<'a> {
    /// The first event of a stream.
    pub fn connected(job: &'a Subject, now: Timestamp) -> Self {
        let of = EventSource { job_id: job.as_str(), timestamp: now.into() };
        Self::Connected { r#type: "connected", of, message: "Connected to job updates" }
    }

    /// The event that shows that the stream is alive.
    pub fn heartbeat(job: &'a Subject, now: Timestamp) -> Self {
        let of = EventSource { job_id: job.as_str(), timestamp: now.into() };
        Self::Heartbeat { r#type: "heartbeat", of }
    }
}

/// A live event as viewers get it.
pub(super) fn event<'a>(of: &'a Subject, at: Timestamp, state: &'a JobSnapshot, event: &'a Live) -> JobStreamEvent<'a> {
    let of = EventSource { job_id: of.as_str(), timestamp: at.into() };
    let at = EventProgress { progress: state.progress, current_step: &state.current_step };
    let (job_status, error) = (JobStatus::from(state.status), state.error.as_deref());
    match event {
        Live::Step { number, name, status, key, sequence, stage, details } => JobStreamEvent::Step {
            of,
            status,
            at,
            step_number: *number,
            step_name: name,
            step_key: key.as_deref(),
            sequence: *sequence,
            workflow_stage: stage.as_deref(),
            validated: Yes,
            details: state.step_details.get(number).filter(|_| *details),
            creatomate_id: shown_render(state.render_id.as_ref(), state.status),
            r#type: "step_update",
        },
        Live::Render { status } => JobStreamEvent::Render { of, status, at, r#type: format!("render_{status}") },
        Live::RenderCompleted => JobStreamEvent::RenderCompleted {
            of,
            status: job_status,
            at,
            video_url: state.video_url.as_deref(),
            r#type: "render_completed",
        },
        Live::RenderFailed => {
            JobStreamEvent::RenderFailed { of, status: job_status, at, error, r#type: "render_failed" }
        }
        // Only projects have live events of scenes, and only clip jobs those of clips.
        Live::Job | Live::Scene { .. } | Live::Project | Live::Clip { .. } | Live::Clips => {
            JobStreamEvent::Job { of, status: job_status, at, error, r#type: "job_update" }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use reelhook_domain::{RenderId, Status};
    use serde_json::json;

    use super::*;

    /// The state of job `job_1`.
    fn snapshot(status: Status) -> JobSnapshot {
        JobSnapshot {
            status,
            progress: 90,
            current_step: "Rendering video".to_owned(),
            video_url: Some("https://cdn.example/v.mp4".to_owned()),
            error: Some("no".to_owned()),
            render_id: RenderId::parse("render_1").ok(),
            step_details: BTreeMap::from([(7, json!({ "size": 1.50 }))]),
        }
    }

    fn text(status: Status, live: &Live) -> String {
        let noon = Timestamp(1_704_110_400_000);
        json!(event(&Subject::parse("job_1").unwrap(), noon, &snapshot(status), live)).to_string()
    }

    #[test]
    fn each_event_has_its_members_in_the_order_of_the_contract() {
        let head = r#"{"job_id":"job_1","timestamp":"2024-01-01T12:00:00.000Z","status":"#;
        let state = r#""progress":90,"currentStep":"Rendering video""#;
        let step = |key: Option<&str>, details| Live::Step {
            number: 7,
            name: "Creatomate Assembly".to_owned(),
            status: "creatomate_ready".to_owned(),
            key: key.map(str::to_owned),
            sequence: 12,
            stage: None,
            details,
        };
        let of_step = r#""step_number":7,"step_name":"Creatomate Assembly""#;
        for (status, live, expected) in [
            (
                Status::Rendering,
                step(Some("assembly"), true),
                format!(
                    r#"{head}"creatomate_ready",{state},{of_step},"step_key":"assembly","sequence":12,"workflow_stage":null,"validated":true,"details":{{"size":1.5}},"creatomate_id":"render_1","type":"step_update"}}"#
                ),
            ),
            (
                Status::Failed,
                step(None, false),
                format!(
                    r#"{head}"creatomate_ready",{state},{of_step},"step_key":null,"sequence":12,"workflow_stage":null,"validated":true,"details":null,"creatomate_id":null,"type":"step_update"}}"#
                ),
            ),
            (
                Status::Rendering,
                Live::Render { status: "planned".to_owned() },
                format!(r#"{head}"planned",{state},"type":"render_planned"}}"#),
            ),
            (
                Status::Completed,
                Live::RenderCompleted,
                format!(
                    r#"{head}"completed",{state},"videoUrl":"https://cdn.example/v.mp4","type":"render_completed"}}"#
                ),
            ),
            (
                Status::Failed,
                Live::RenderFailed,
                format!(r#"{head}"failed",{state},"error":"no","type":"render_failed"}}"#),
            ),
            (Status::Pending, Live::Job, format!(r#"{head}"pending",{state},"error":"no","type":"job_update"}}"#)),
        ] {
            assert_eq!(text(status, &live), expected);
        }
    }

    #[test]
    fn the_events_of_the_stream_itself_begin_with_their_type() {
        let (id, noon) = (Subject::parse("job_1").unwrap(), Timestamp(1_704_110_400_000));
        let connected = r#"{"type":"connected","job_id":"job_1","timestamp":"2024-01-01T12:00:00.000Z","message":"Connected to job updates"}"#;
        assert_eq!(json!(JobStreamEvent::connected(&id, noon)).to_string(), connected);
        let heartbeat = r#"{"type":"heartbeat","job_id":"job_1","timestamp":"2024-01-01T12:00:00.000Z"}"#;
        assert_eq!(json!(JobStreamEvent::heartbeat(&id, noon)).to_string(), heartbeat);
    }
}
