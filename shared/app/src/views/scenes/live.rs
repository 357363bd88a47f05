//! The events of a project's stream (docs/contract/scenes.md, Live updates).

use reelhook_domain::{Live, ProjectSnapshot, Subject, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::names::{ProjectIdText, ProjectStatusText, SceneIdText, SceneStatusText};
use crate::views::wire::Time;

/// What an event is about, and when it happened.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProjectEventSource<'a> {
    /// The project.
    #[schemars(with = "ProjectIdText")]
    project_id: &'a str,
    /// When it happened.
    timestamp: Time,
}

/// The data of an event of a project's stream; `type` names the kind of the event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ProjectStreamEvent<'a> {
    /// The first event of a stream; it has no `id`.
    Connected {
        /// The kind of the event.
        #[schemars(extend("const" = "connected"))]
        r#type: &'static str,
        /// The project and the time.
        #[serde(flatten)]
        of: ProjectEventSource<'a>,
        /// A sentence.
        message: &'static str,
    },
    /// A scene changed.
    Scene {
        /// The kind of the event.
        #[schemars(extend("const" = "scene_update"))]
        r#type: &'static str,
        /// The project and the time.
        #[serde(flatten)]
        of: ProjectEventSource<'a>,
        /// The scene.
        #[schemars(with = "SceneIdText")]
        scene_id: &'a str,
        /// Its status; null if the scene was removed.
        #[schemars(with = "Option<SceneStatusText>")]
        status: Option<&'static str>,
        /// Its attempt.
        attempt: Option<u32>,
        /// Per cent, 0 to 100.
        #[schemars(range(min = 0, max = 100))]
        progress: Option<u8>,
        /// The status of the project.
        #[schemars(with = "ProjectStatusText")]
        project_status: &'static str,
        /// Per cent, 0 to 100.
        #[schemars(range(min = 0, max = 100))]
        project_progress: u8,
    },
    /// The project as a whole changed.
    Project {
        /// The kind of the event.
        #[schemars(extend("const" = "project_update"))]
        r#type: &'static str,
        /// The project and the time.
        #[serde(flatten)]
        of: ProjectEventSource<'a>,
        /// The status of the project.
        #[schemars(with = "ProjectStatusText")]
        status: &'static str,
        /// Per cent, 0 to 100.
        #[schemars(range(min = 0, max = 100))]
        progress: u8,
        /// Why it failed.
        error: Option<&'a str>,
    },
    /// Shows that the stream is alive; it has no `id`.
    Heartbeat {
        /// The kind of the event.
        #[schemars(extend("const" = "heartbeat"))]
        r#type: &'static str,
        /// The project and the time.
        #[serde(flatten)]
        of: ProjectEventSource<'a>,
    },
}

impl<'a> ProjectStreamEvent<'a> {
    /// The first event of a stream.
    pub fn connected(project: &'a Subject, now: Timestamp) -> Self {
        Self::Connected { r#type: "connected", of: source(project, now), message: "Connected to project updates" }
    }

    /// The event that shows that the stream is alive.
    pub fn heartbeat(project: &'a Subject, now: Timestamp) -> Self {
        Self::Heartbeat { r#type: "heartbeat", of: source(project, now) }
    }
}

fn source(project: &Subject, at: Timestamp) -> ProjectEventSource<'_> {
    ProjectEventSource { project_id: project.as_str(), timestamp: at.into() }
}

/// A live event as viewers get it.
pub(super) fn event<'a>(
    project: &'a Subject,
    at: Timestamp,
    state: &'a ProjectSnapshot,
    event: &'a Live,
) -> ProjectStreamEvent<'a> {
    let (of, status, progress) = (source(project, at), state.project_status.name(), state.project_progress);
    match event {
        Live::Scene { id } => {
            let scene = state.scenes.get(id);
            ProjectStreamEvent::Scene {
                r#type: "scene_update",
                of,
                scene_id: id.as_str(),
                status: scene.map(|scene| scene.status.name()),
                attempt: scene.map(|scene| scene.attempt),
                progress: scene.map(|scene| scene.progress),
                project_status: status,
                project_progress: progress,
            }
        }
        // Only jobs have live events of steps and renders, and only clip jobs those of clips.
        Live::Project
        | Live::Job
        | Live::Step { .. }
        | Live::Render { .. }
        | Live::RenderCompleted
        | Live::RenderFailed
        | Live::Clip { .. }
        | Live::Clips => ProjectStreamEvent::Project {
            r#type: "project_update",
            of,
            status,
            progress,
            error: state.error.as_deref(),
        },
    }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::projects::project::ProjectStatus;
    use reelhook_domain::projects::scene::SceneStatus;
    use reelhook_domain::{SceneId, SceneSnapshot};
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_has_its_members_in_the_order_of_the_contract() {
        let (of, noon) = (Subject::parse("proj_1").unwrap(), Timestamp(1_704_110_400_000));
        let id = SceneId::parse("scene_a").unwrap();
        let scene = SceneSnapshot { status: SceneStatus::Generating, attempt: 2, progress: 45 };
        let state = ProjectSnapshot {
            project_status: ProjectStatus::Generating,
            project_progress: 20,
            error: None,
            scenes: [(id.clone(), scene)].into(),
        };
        let text = |live: &Live| json!(event(&of, noon, &state, live)).to_string();
        let head = r#""project_id":"proj_1","timestamp":"2024-01-01T12:00:00.000Z""#;
        assert_eq!(
            text(&Live::Scene { id }),
            format!(
                r#"{{"type":"scene_update",{head},"scene_id":"scene_a","status":"generating","attempt":2,"progress":45,"project_status":"generating","project_progress":20}}"#
            )
        );
        let removed = SceneId::parse("scene_b").unwrap();
        assert!(text(&Live::Scene { id: removed }).contains(r#""status":null,"attempt":null,"progress":null"#));
        assert_eq!(
            text(&Live::Project),
            format!(r#"{{"type":"project_update",{head},"status":"generating","progress":20,"error":null}}"#)
        );
        assert_eq!(
            json!(ProjectStreamEvent::connected(&of, noon)).to_string(),
            format!(r#"{{"type":"connected",{head},"message":"Connected to project updates"}}"#)
        );
        assert_eq!(
            json!(ProjectStreamEvent::heartbeat(&of, noon)).to_string(),
            format!(r#"{{"type":"heartbeat",{head}}}"#)
        );
    }
}
