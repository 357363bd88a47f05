//! Live events: what viewers see of a version, and the state that these events show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clips::status::ClipStatus;
use crate::projects::scene::SceneStatus;
use crate::projects::status::ProjectStatus;
use crate::{RenderId, SceneId, Status};

/// An event that viewers see; the state that it shows is in the version's [`LiveSnapshot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Live {
    /// A worker reported on a step.
    Step {
        /// 0 to 8.
        number: u8,
        /// The step's name.
        name: String,
        /// The step's status in the worker's words.
        status: String,
        /// The worker's key for the step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The report's sequence.
        sequence: i64,
        /// The stage of the workflow in the worker's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
        /// Whether the report had details.
        details: bool,
    },
    /// A render is under way: planned, waiting, transcribing, rendering.
    Render {
        /// The render's status in the service's words.
        #[serde(rename = "word")]
        status: String,
    },
    /// The video exists.
    RenderCompleted,
    /// The render failed.
    RenderFailed,
    /// Anything else of a job.
    Job,
    /// A scene of a project changed.
    Scene {
        /// The scene.
        id: SceneId,
    },
    /// The project as a whole changed.
    Project,
    /// A clip of a clip job is there.
    Clip {
        /// The clip.
        index: u32,
    },
    /// The clip job as a whole changed.
    Clips,
}

impl Live {
    /// Whether the aggregate ends with this event; `snapshot` is of the event's version.
    pub fn ends(&self, snapshot: &LiveSnapshot) -> bool {
        match self {
            Self::RenderCompleted | Self::RenderFailed => true,
            Self::Job | Self::Project | Self::Clips => snapshot.is_final(),
            Self::Step { .. } | Self::Render { .. } | Self::Scene { .. } | Self::Clip { .. } => false,
        }
    }
}

/// The state of an aggregate in one version, as far as the version's live events show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "StoredSnapshot")]
pub enum LiveSnapshot {
    /// Of a project.
    Project(ProjectSnapshot),
    /// Of a clip job.
    Clips(ClipsSnapshot),
    /// Of a job.
    Job(JobSnapshot),
}

/// The members of snapshots of all kinds. They are read in one go: an item has many.
#[derive(Deserialize)]
struct StoredSnapshot {
    project_status: Option<ProjectStatus>,
    project_progress: Option<u8>,
    #[serde(default)]
    scenes: BTreeMap<SceneId, SceneSnapshot>,
    clips_status: Option<ClipStatus>,
    clips_progress: Option<u8>,
    stage: Option<String>,
    completed: Option<u32>,
    total: Option<u32>,
    status: Option<Status>,
    progress: Option<u8>,
    current_step: Option<String>,
    video_url: Option<String>,
    render_id: Option<RenderId>,
    #[serde(default)]
    step_details: BTreeMap<u8, Value>,
    error: Option<String>,
}

impl TryFrom<StoredSnapshot> for LiveSnapshot {
    type Error = &'static str;

    /// The name of the status shows what it is of.
    fn try_from(stored: StoredSnapshot) -> Result<Self, Self::Error> {
        if let Some(project_status) = stored.project_status {
            return Ok(Self::Project(ProjectSnapshot {
                project_status,
                project_progress: stored.project_progress.ok_or("`project_progress` is missing")?,
                error: stored.error,
                scenes: stored.scenes,
            }));
        }
        if let Some(clips_status) = stored.clips_status {
            return Ok(Self::Clips(ClipsSnapshot {
                clips_status,
                clips_progress: stored.clips_progress.ok_or("`clips_progress` is missing")?,
                stage: stored.stage.ok_or("`stage` is missing")?,
                completed: stored.completed.ok_or("`completed` is missing")?,
                total: stored.total,
                error: stored.error,
            }));
        }
        Ok(Self::Job(JobSnapshot {
            status: stored.status.ok_or("`status` is missing")?,
            progress: stored.progress.ok_or("`progress` is missing")?,
            current_step: stored.current_step.ok_or("`current_step` is missing")?,
            video_url: stored.video_url,
            error: stored.error,
            render_id: stored.render_id,
            step_details: stored.step_details,
        }))
    }
}

impl LiveSnapshot {
    /// Whether the aggregate has ended in this version.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Project(project) => project.project_status.is_final(),
            Self::Clips(clips) => clips.clips_status.is_final(),
            Self::Job(job) => job.status.is_final(),
        }
    }

    /// The snapshot, if it is of a job.
    pub fn job(&self) -> Option<&JobSnapshot> {
        match self {
            Self::Job(job) => Some(job),
            Self::Project(_) | Self::Clips(_) => None,
        }
    }

    /// The snapshot, if it is of a project.
    pub fn project(&self) -> Option<&ProjectSnapshot> {
        match self {
            Self::Project(project) => Some(project),
            Self::Job(_) | Self::Clips(_) => None,
        }
    }

    /// The snapshot, if it is of a clip job.
    pub fn clips(&self) -> Option<&ClipsSnapshot> {
        match self {
            Self::Clips(clips) => Some(clips),
            Self::Job(_) | Self::Project(_) => None,
        }
    }
}

/// The state of a project in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSnapshot {
    /// Its status.
    pub project_status: ProjectStatus,
    /// Its progress, 0 to 100.
    pub project_progress: u8,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The scenes that changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scenes: BTreeMap<SceneId, SceneSnapshot>,
}

/// The state of a clip job in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipsSnapshot {
    /// Its status.
    pub clips_status: ClipStatus,
    /// Its progress, 0 to 100.
    pub clips_progress: u8,
    /// What it does at present.
    pub stage: String,
    /// Clips that are finished.
    pub completed: u32,
    /// Clips that there will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
    /// Why it failed, or a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The state of a scene in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SceneSnapshot {
    /// Its status.
    pub status: SceneStatus,
    /// Its attempt.
    pub attempt: u32,
    /// The progress of its task, 0 to 100.
    pub progress: u8,
}

/// The state of a job in one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSnapshot {
    /// Its status.
    pub status: Status,
    /// Its progress, 0 to 100.
    pub progress: u8,
    /// What it does at present.
    pub current_step: String,
    /// Its video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_url: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its render at the render service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render_id: Option<RenderId>,
    /// The details of steps, by the step's number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub step_details: BTreeMap<u8, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_render_s_end_and_a_final_status_end_a_job() {
        let render = Live::Render { status: "rendering".to_owned() };
        let step = Live::Step {
            number: 8,
            name: "Workflow Completed".to_owned(),
            status: "completed".to_owned(),
            key: None,
            sequence: 1,
            stage: None,
            details: false,
        };
        for &status in Status::ALL {
            let snapshot = LiveSnapshot::Job(JobSnapshot {
                status,
                progress: 90,
                current_step: "Rendering".to_owned(),
                video_url: None,
                error: None,
                render_id: None,
                step_details: BTreeMap::new(),
            });
            assert!(Live::RenderCompleted.ends(&snapshot) && Live::RenderFailed.ends(&snapshot), "{status:?}");
            assert_eq!(Live::Job.ends(&snapshot), status.is_final(), "{status:?}");
            assert!(!render.ends(&snapshot) && !step.ends(&snapshot), "{status:?}");
        }
    }

    #[test]
    fn the_stored_form_of_a_snapshot_of_each_kind_stays_as_it_is() {
        for (stored, kind) in [
            (r#"{"status":"processing","progress":5,"current_step":"Processing"}"#, "job"),
            (
                r#"{"status":"failed","progress":5,"current_step":"s","video_url":"https://v.example","error":"e","render_id":"r-1","step_details":{"1":{"movies_count":3},"7":null}}"#,
                "job",
            ),
            (r#"{"project_status":"draft","project_progress":0}"#, "project"),
            (
                r#"{"project_status":"failed","project_progress":50,"error":"e","scenes":{"scene_a":{"status":"verified","attempt":1,"progress":100}}}"#,
                "project",
            ),
            (
                r#"{"clips_status":"failed","clips_progress":9,"stage":"s","completed":1,"total":2,"error":"e"}"#,
                "clips",
            ),
        ] {
            let snapshot: LiveSnapshot = serde_json::from_str(stored).unwrap();
            assert_eq!(serde_json::to_string(&snapshot).unwrap(), stored);
            let found = (snapshot.job().is_some(), snapshot.project().is_some(), snapshot.clips().is_some());
            assert_eq!(found, (kind == "job", kind == "project", kind == "clips"), "{stored}");
            // As a viewer's row has it, among other values.
            let value: Value = serde_json::from_str(stored).unwrap();
            assert_eq!(serde_json::from_value::<LiveSnapshot>(value).unwrap(), snapshot);
        }
        for lacking in ["{}", r#"{"status":"failed"}"#, r#"{"project_status":"draft"}"#, r#"{"clips_status":"failed"}"#]
        {
            assert!(serde_json::from_str::<LiveSnapshot>(lacking).is_err(), "{lacking}");
        }
    }

    #[test]
    fn the_end_of_a_scene_does_not_end_its_project() {
        let id = SceneId::parse("scene_a").unwrap();
        for &project_status in ProjectStatus::ALL {
            let scene = SceneSnapshot { status: SceneStatus::Verified, attempt: 1, progress: 100 };
            let snapshot = ProjectSnapshot {
                project_status,
                project_progress: 50,
                error: None,
                scenes: [(id.clone(), scene)].into(),
            };
            let snapshot = LiveSnapshot::Project(snapshot);
            assert!(!Live::Scene { id: id.clone() }.ends(&snapshot), "{project_status:?}");
            assert_eq!(Live::Project.ends(&snapshot), project_status.is_final(), "{project_status:?}");
            let stored = serde_json::to_string(&snapshot).unwrap();
            assert_eq!(serde_json::from_str::<LiveSnapshot>(&stored).unwrap(), snapshot);
        }
    }
}
