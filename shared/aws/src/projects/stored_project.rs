//! The stored form of a project. Its names stay, so that all versions can read each other's projects.

use reelhook_domain::pieces::Pieces;
use reelhook_domain::projects::project::{FinalVideo, Phase, Project, ProjectSpec};
use reelhook_domain::projects::scene::Scene;
use reelhook_domain::projects::stitch::Stitch;
use reelhook_domain::{Emitted, Metadata, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};

use super::stored_pieces::StoredPieces;
use super::stored_scene::StoredScene;
use super::stored_stitch::{StoredFinal, StoredStitch};
use crate::items::is_default;
use crate::items::origin::StoredOrigin;

/// The stored form of a project without its outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredProject {
    id: ProjectId,
    version: u64,
    spec: StoredSpec,
    #[serde(default, skip_serializing_if = "is_default")]
    origin: StoredOrigin,
    times: StoredTimes,
    phase: StoredPhase,
    scenes: Vec<StoredScene>,
    #[serde(default, skip_serializing_if = "is_default")]
    removed_attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stitch: Option<StoredStitch>,
    #[serde(default, skip_serializing_if = "is_default")]
    generations: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    video: Option<StoredFinal>,
    pieces: StoredPieces,
    #[serde(default, skip_serializing_if = "is_default")]
    spent: u64,
    #[serde(default)]
    live_version: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    emitted: Vec<Emitted>,
}

/// The stored form of what the client said about a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredSpec {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<u64>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
}

/// The stored form of a project's times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredTimes {
    created: Timestamp,
    updated: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<Timestamp>,
    served: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hinted: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
}

/// The stored form of where a project stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredPhase {
    Draft,
    Running,
    Completed,
    Failed(String),
    Cancelled,
}

impl From<&Project> for StoredProject {
    fn from(project: &Project) -> Self {
        let ProjectSpec { name, kind, user, budget, metadata } = project.spec.clone();
        Self {
            id: project.id.clone(),
            version: project.version,
            spec: StoredSpec { name, kind, user, budget, metadata },
            origin: StoredOrigin::from(&project.origin),
            times: StoredTimes {
                created: project.created_at,
                updated: project.updated_at,
                started: project.started_at,
                ended: project.ended_at,
                deleted: project.deleted_at,
                served: project.served_at,
                hinted: project.hinted_at,
                due: project.due_at,
            },
            phase: match project.phase.clone() {
                Phase::Draft => StoredPhase::Draft,
                Phase::Running => StoredPhase::Running,
                Phase::Completed => StoredPhase::Completed,
                Phase::Failed(error) => StoredPhase::Failed(error),
                Phase::Cancelled => StoredPhase::Cancelled,
            },
            scenes: project.scenes.iter().map(StoredScene::from).collect(),
            removed_attempts: project.removed_attempts,
            stitch: project.stitch.as_ref().map(StoredStitch::from),
            generations: project.generations,
            video: project.video.as_ref().map(StoredFinal::from),
            pieces: StoredPieces::from(&project.pieces),
            spent: project.spent,
            live_version: project.live_version,
            emitted: project.emitted.clone(),
        }
    }
}

impl From<StoredProject> for Project {
    fn from(stored: StoredProject) -> Self {
        let StoredSpec { name, kind, user, budget, metadata } = stored.spec;
        let times = stored.times;
        Self {
            id: stored.id,
            version: stored.version,
            spec: ProjectSpec { name, kind, user, budget, metadata },
            origin: stored.origin.into(),
            created_at: times.created,
            updated_at: times.updated,
            started_at: times.started,
            ended_at: times.ended,
            deleted_at: times.deleted,
            phase: match stored.phase {
                StoredPhase::Draft => Phase::Draft,
                StoredPhase::Running => Phase::Running,
                StoredPhase::Completed => Phase::Completed,
                StoredPhase::Failed(error) => Phase::Failed(error),
                StoredPhase::Cancelled => Phase::Cancelled,
            },
            scenes: stored.scenes.into_iter().map(Scene::from).collect(),
            removed_attempts: stored.removed_attempts,
            stitch: stored.stitch.map(Stitch::from),
            generations: stored.generations,
            video: stored.video.map(FinalVideo::from),
            pieces: Pieces::from(stored.pieces),
            spent: stored.spent,
            served_at: times.served,
            hinted_at: times.hinted,
            due_at: times.due,
            live_version: stored.live_version,
            emitted: stored.emitted,
            outbox: Vec::new(),
        }
    }
}
