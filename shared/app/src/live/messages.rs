//! What is sent over a WebSocket connection, as text.

use std::time::Duration;

use reelhook_domain::{LiveSnapshot, OwnerId, Subject, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::protocol::Refusal;
use super::subjects::state_path;
use super::topic::Topic;
use crate::outbox::rows::StoredLive;
use crate::views::Dialect;
use crate::views::wire::Time;
use crate::watch::{Cursor, LiveEvent, Unseen};

/// Bytes of a message at most: a frame of the gateway.
const LONGEST: usize = 32 * 1024;

/// Names what a message is about, by the id that clients know.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Named<'a> {
    /// The job, video or clip job.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a str>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'a str>,
    /// The owner whose everything is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn subject(subject: &'a Subject) -> Self {
        let id = Some(subject.client_id());
        match subject {
            Subject::Project(_) => Self { project_id: id, ..Self::default() },
            Subject::Job(_) | Subject::Clips(_) | Subject::Endpoint(_) | Subject::Error(_) | Subject::Trigger(_) => {
                Self { job_id: id, ..Self::default() }
            }
        }
    }

    fn owner(owner: &'a OwnerId) -> Self {
        Self { owner: Some(owner.as_str()), ..Self::default() }
    }

    fn topic(topic: &'a Topic) -> Self {
        match topic {
            Topic::Subject(subject) => Self::subject(subject),
            Topic::Owner(owner) => Self::owner(owner),
        }
    }
}

/// A message about the connection itself.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
#[schemars(rename = "LiveControl")]
pub enum Control<'a> {
    /// The answer to a ping.
    Pong {
        /// When it was sent.
        timestamp: Time,
    },
    /// The connection is alive; every 8 minutes.
    Heartbeat {
        /// When it was sent.
        timestamp: Time,
    },
    /// The gateway will close the connection: the client opens another one.
    Reconnect {
        /// When to open it, in milliseconds.
        after_ms: u64,
        /// When it was sent.
        timestamp: Time,
    },
    /// The connection follows this now.
    Subscribed {
        /// What it follows.
        #[serde(flatten)]
        of: Named<'a>,
        /// The position from which events follow; absent for an owner.
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
        /// When it was sent.
        timestamp: Time,
    },
    /// The connection follows this no longer.
    Unsubscribed {
        /// What it followed.
        #[serde(flatten)]
        of: Named<'a>,
        /// When it was sent.
        timestamp: Time,
    },
    /// The events after the client's position are not there any more: it requests the state, and events follow from now on.
    Reset {
        /// What it follows.
        #[serde(flatten)]
        of: Named<'a>,
        /// When it was sent.
        timestamp: Time,
    },
    /// A message of the client was refused.
    Error {
        /// A stable word.
        code: &'static str,
        /// A sentence: what would be right.
        message: String,
        /// When it was sent.
        timestamp: Time,
    },
}

impl Control<'_> {
    fn text(&self) -> String {
        serde_json::to_string(self).expect("our own messages are JSON")
    }
}

/// The answer to a ping.
pub fn pong(now: Timestamp) -> String {
    Control::Pong { timestamp: now.into() }.text()
}

/// Shows that the connection is alive.
pub fn heartbeat(now: Timestamp) -> String {
    Control::Heartbeat { timestamp: now.into() }.text()
}

/// Asks the client to open another connection after this time, since the gateway will close this one.
pub fn reconnect(after: Duration, now: Timestamp) -> String {
    let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    Control::Reconnect { after_ms, timestamp: now.into() }.text()
}

/// The connection follows this now, from the position on.
pub fn subscribed(topic: &Topic, cursor: Option<Cursor>, now: Timestamp) -> String {
    let cursor = cursor.map(|cursor| cursor.to_string());
    Control::Subscribed { of: Named::topic(topic), cursor, timestamp: now.into() }.text()
}

/// The connection follows this no longer.
pub fn unsubscribed(topic: &Topic, now: Timestamp) -> String {
    Control::Unsubscribed { of: Named::topic(topic), timestamp: now.into() }.text()
}

/// The events after the client's position are not there any more: it reads the state, and gets events from now on.
pub fn reset(subject: &Subject, now: Timestamp) -> String {
    Control::Reset { of: Named::subject(subject), timestamp: now.into() }.text()
}

/// A message of the client is refused.
pub fn error(refusal: Refusal, now: Timestamp) -> String {
    Control::Error { code: refusal.code(), message: refusal.to_string(), timestamp: now.into() }.text()
}

/// A live event, with the state after it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LiveUpdate")]
pub struct Update<'a> {
    /// The type of the event, such as `job_update` or `scene_update`.
    r#type: &'a str,
    #[serde(flatten)]
    of: Named<'a>,
    /// The status of the job or the project; null for what version 0.2 stored.
    status: Option<&'static str>,
    /// Per cent, 0 to 100.
    progress_percent: Option<u8>,
    /// What goes on; null for projects.
    progress_stage: Option<&'a str>,
    /// The position after the event.
    cursor: &'a str,
    /// When it happened.
    timestamp: Time,
    /// The event as in the stream of the job or the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    /// Where the rest is, if the message has no room for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// A live event as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The position after it.
    pub cursor: Cursor,
    /// The message.
    pub text: String,
    /// Whether the job or the project ends with it.
    pub ends: bool,
}

/// The events of a version that a viewer has not seen, as they are sent.
pub fn events(subject: &Subject, dialect: Dialect, unseen: &Unseen, now: Timestamp) -> Vec<Event> {
    let snapshot = match &unseen.row {
        StoredLive::Events(row) => Some(&row.snapshot),
        // Version 0.2 stored events without the state.
        StoredLive::Rendered { .. } => None,
    };
    let at = unseen.row.at().unwrap_or(now);
    let event = |event: &LiveEvent| Event {
        cursor: Cursor::parse(&event.id).unwrap_or(Cursor { version: unseen.version, events: None }),
        text: update(subject, snapshot, event, at),
        ends: event.ends,
    };
    unseen.events(subject, dialect).iter().map(event).collect()
}

fn update(subject: &Subject, snapshot: Option<&LiveSnapshot>, event: &LiveEvent, at: Timestamp) -> String {
    let (status, progress_percent, progress_stage) = match snapshot {
        Some(LiveSnapshot::Job(job)) => (Some(job.status.name()), Some(job.progress), Some(job.current_step.as_str())),
        Some(LiveSnapshot::Project(project)) => {
            (Some(project.project_status.name()), Some(project.project_progress), None)
        }
        Some(LiveSnapshot::Clips(clips)) => {
            (Some(clips.clips_status.name()), Some(clips.clips_progress), Some(clips.stage.as_str()))
        }
        None => (None, None, None),
    };
    let mut update = Update {
        r#type: event.data["type"].as_str().unwrap_or("update"),
        of: Named::subject(subject),
        status,
        progress_percent,
        progress_stage,
        cursor: &event.id,
        timestamp: at.into(),
        data: Some(&event.data),
        url: None,
    };
    let text = serde_json::to_string(&update).expect("our own messages are JSON");
    if text.len() <= LONGEST {
        return text;
    }
    (update.data, update.url) = (None, Some(state_path(subject)));
    serde_json::to_string(&update).expect("our own messages are JSON")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use reelhook_domain::{ClipStatus, ClipsSnapshot, JobSnapshot, ProjectSnapshot, ProjectStatus, Status};
    use serde_json::json;

    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn snapshot() -> LiveSnapshot {
        LiveSnapshot::Job(JobSnapshot {
            status: Status::Processing,
            progress: 40,
            current_step: "Rendering".to_owned(),
            video_url: None,
            error: None,
            render_id: None,
            step_details: BTreeMap::new(),
        })
    }

    #[test]
    fn an_event_has_the_members_of_all_families_and_its_own_data() {
        let job = Subject::parse("job_1").unwrap();
        let data = json!({ "type": "job_update", "job_id": "job_1" });
        let event = LiveEvent { id: "4.0".to_owned(), data, ends: false };
        assert_eq!(
            update(&job, Some(&snapshot()), &event, NOON),
            r#"{"type":"job_update","jobId":"job_1","status":"processing","progressPercent":40,"progressStage":"Rendering","cursor":"4.0","timestamp":"2024-01-01T12:00:00.000Z","data":{"type":"job_update","job_id":"job_1"}}"#
        );
        let clips = Subject::parse("clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11").unwrap();
        let text = update(&clips, None, &event, NOON);
        let head = r#"{"type":"job_update","jobId":"0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11","status":null,"#;
        assert!(text.starts_with(head), "{text}");
    }

    #[test]
    fn projects_and_clip_jobs_have_their_status_and_progress_too() {
        let check = |of: &str, snapshot: LiveSnapshot, named: Value| {
            let data = json!({ "type": "update" });
            let event = LiveEvent { id: "4.0".to_owned(), data, ends: false };
            let text = update(&Subject::parse(of).unwrap(), Some(&snapshot), &event, NOON);
            let mut expected = named;
            let same = json!({
                "type": "update", "cursor": "4.0", "timestamp": "2024-01-01T12:00:00.000Z", "data": { "type": "update" },
            });
            expected.as_object_mut().unwrap().extend(same.as_object().unwrap().clone());
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{of}");
        };
        let project = ProjectSnapshot {
            project_status: ProjectStatus::Stitching,
            project_progress: 90,
            error: None,
            scenes: BTreeMap::new(),
        };
        let named =
            json!({ "projectId": "proj_1", "status": "stitching", "progressPercent": 90, "progressStage": null });
        check("proj_1", LiveSnapshot::Project(project), named);
        let clips = ClipsSnapshot {
            clips_status: ClipStatus::Running,
            clips_progress: 60,
            stage: "Cutting the clips".to_owned(),
            completed: 2,
            total: Some(5),
            error: None,
        };
        let uuid = "0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11";
        let named = json!({
            "jobId": uuid, "status": "running", "progressPercent": 60, "progressStage": "Cutting the clips",
        });
        check(&format!("clip_{uuid}"), LiveSnapshot::Clips(clips), named);
    }

    #[test]
    fn what_has_no_room_is_left_out_for_a_link() {
        let job = Subject::parse("job_1").unwrap();
        let data = json!({ "type": "step_update", "details": "x".repeat(LONGEST) });
        let event = LiveEvent { id: "4.0".to_owned(), data, ends: false };
        let text = update(&job, Some(&snapshot()), &event, NOON);
        assert!(text.ends_with(r#","url":"/api/job/job_1"}"#) && !text.contains("xxx"), "{text}");
    }

    #[test]
    fn messages_about_the_connection_name_their_kind_and_time() {
        let end = r#""timestamp":"2024-01-01T12:00:00.000Z"}"#;
        let owner = Topic::Owner(OwnerId::parse("ann").unwrap());
        let project = Topic::parse("proj_1").unwrap();
        for (text, head) in [
            (pong(NOON), r#"{"type":"pong","#),
            (heartbeat(NOON), r#"{"type":"heartbeat","#),
            (reconnect(Duration::from_secs(2), NOON), r#"{"type":"reconnect","afterMs":2000,"#),
            (subscribed(&owner, None, NOON), r#"{"type":"subscribed","owner":"ann","#),
            (
                subscribed(&project, Cursor::parse("7"), NOON),
                r#"{"type":"subscribed","projectId":"proj_1","cursor":"7","#,
            ),
            (unsubscribed(&owner, NOON), r#"{"type":"unsubscribed","owner":"ann","#),
            (reset(&Subject::parse("job_1").unwrap(), NOON), r#"{"type":"reset","jobId":"job_1","#),
            (
                error(Refusal::UnknownAction, NOON),
                r#"{"type":"error","code":"unknown_action","message":"`action` must be `subscribe`, `unsubscribe` or `ping`","#,
            ),
        ] {
            assert_eq!(text, format!("{head}{end}"));
        }
    }
}
