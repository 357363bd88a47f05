//! The stored form of a clip job. Its names stay, so that all versions can read each other's jobs.

use reelhook_domain::clips::clip::Clip;
use reelhook_domain::clips::job::{ClipPiece, JobCredits};
use reelhook_domain::clips::request::ClipRequest;
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJob, ClipJobId, ClipStatus, Emitted, Timestamp};
use serde::{Deserialize, Serialize};

use super::stored_run::StoredRun;
use crate::items::is_default;
use crate::items::origin::StoredOrigin;
use crate::items::pieces::StoredPieces;

/// The stored form of a clip job without its outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredClipJob {
    id: ClipJobId,
    version: u64,
    request: ClipRequest,
    #[serde(default, skip_serializing_if = "is_default")]
    origin: StoredOrigin,
    times: StoredTimes,
    status: ClipStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    run: StoredRun,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    clips: Vec<Clip>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transcript: Option<File>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<File>,
    pieces: StoredPieces<ClipPiece>,
    #[serde(default, skip_serializing_if = "is_default")]
    credits: JobCredits,
    #[serde(default)]
    live_version: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    emitted: Vec<Emitted>,
}

/// The stored form of a job's times.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hinted: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
}

impl From<&ClipJob> for StoredClipJob {
    fn from(job: &ClipJob) -> Self {
        Self {
            id: job.id.clone(),
            version: job.version,
            request: job.request.clone(),
            origin: StoredOrigin::from(&job.origin),
            times: StoredTimes {
                created: job.created_at,
                updated: job.updated_at,
                started: job.started_at,
                ended: job.ended_at,
                deleted: job.deleted_at,
                hinted: job.hinted_at,
                due: job.due_at,
            },
            status: job.status,
            error: job.error.clone(),
            run: StoredRun::from(&job.run),
            clips: job.clips.clone(),
            transcript: job.transcript.clone(),
            plan: job.plan.clone(),
            pieces: StoredPieces::of(&job.pieces, ClipPiece::clone),
            credits: job.credits,
            live_version: job.live_version,
            emitted: job.emitted.clone(),
        }
    }
}

impl From<StoredClipJob> for ClipJob {
    fn from(stored: StoredClipJob) -> Self {
        let times = stored.times;
        Self {
            id: stored.id,
            version: stored.version,
            request: stored.request,
            origin: stored.origin.into(),
            created_at: times.created,
            updated_at: times.updated,
            started_at: times.started,
            ended_at: times.ended,
            deleted_at: times.deleted,
            status: stored.status,
            error: stored.error,
            run: stored.run.into(),
            clips: stored.clips,
            transcript: stored.transcript,
            plan: stored.plan,
            pieces: stored.pieces.into_pieces(|piece| piece),
            credits: stored.credits,
            hinted_at: times.hinted,
            due_at: times.due,
            live_version: stored.live_version,
            emitted: stored.emitted,
            outbox: Vec::new(),
        }
    }
}
