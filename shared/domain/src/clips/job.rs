//! A clip job: one aggregate, from the request to its clips.

use serde::{Deserialize, Serialize};

use crate::clips::clip::Clip;
use crate::clips::request::ClipRequest;
use crate::clips::run::Run;
use crate::clips::status::ClipStatus;
use crate::credits::price::Basis;
use crate::pieces::Pieces;
use crate::projects::media::File;
use crate::{ClipJobId, Effect, Emitted, Origin, Timestamp};

/// A unit of work for our renderers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipPiece {
    /// Copy the source into the bucket and probe it.
    Probe,
    /// Look for scene changes, silences and pauses, and choose the clips.
    Plan,
    /// Cut the clip of this index: `cut` is [`Clip::cuts`] of it.
    Cut {
        /// The clip.
        index: u32,
        /// Which cut of it.
        cut: u32,
    },
    /// Copy the worker's file of this clip into the bucket.
    CopyClip {
        /// The clip.
        index: u32,
    },
    /// Copy the worker's transcript into the bucket.
    CopyTranscript,
    /// Copy the worker's plan into the bucket.
    CopyPlan,
    /// Find the length of the source, for the credits.
    Measure,
}

impl ClipPiece {
    /// Whether the job has its result without it. Neither its end nor its status waits for such a piece.
    pub fn is_aftermath(&self) -> bool {
        match self {
            Self::CopyClip { .. } | Self::CopyTranscript | Self::CopyPlan | Self::Measure => true,
            Self::Probe | Self::Plan | Self::Cut { .. } => false,
        }
    }
}

/// The credits of a job: those of its last attempt, and what it was charged in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobCredits {
    /// Credits that are reserved for the present attempt; 0 once it has ended.
    pub reserved: u64,
    /// Credits that were charged for all attempts.
    pub charged: u64,
    /// The last attempt whose reservation has ended, with a charge or without; 0 for none.
    pub settled_attempt: u32,
    /// What the charge is based on; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// A clip job: an aggregate, changed in one place.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipJob {
    /// Its id.
    pub id: ClipJobId,
    /// Rises by one with each change.
    pub version: u64,
    /// What the client asked for.
    pub request: ClipRequest,
    /// Where it came from, and whose it is.
    pub origin: Origin,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its present attempt was started; none before.
    pub started_at: Option<Timestamp>,
    /// When its present attempt ended; none while it has not.
    pub ended_at: Option<Timestamp>,
    /// When it was deleted; readers no longer see it.
    pub deleted_at: Option<Timestamp>,
    /// Its status.
    pub status: ClipStatus,
    /// Why it failed, or a note such as that there are no clips.
    pub error: Option<String>,
    /// The present run.
    pub run: Run,
    /// Its clips, in the order of their indexes.
    pub clips: Vec<Clip>,
    /// The transcript, if the worker made one.
    pub transcript: Option<File>,
    /// The plan by which the clips were chosen: our own, or that of the worker if it made one.
    pub plan: Option<File>,
    /// The work of our renderers.
    pub pieces: Pieces<ClipPiece>,
    /// Its credits.
    pub credits: JobCredits,
    /// The time for which the launcher has a hint; none if nothing is to be done.
    pub hinted_at: Option<Timestamp>,
    /// The time at which the due sweep acts on it; none if it has no timer.
    pub due_at: Option<Timestamp>,
    /// The newest version of which viewers see something; 0 for none.
    pub live_version: u64,
    /// The last webhook events that it caused.
    pub emitted: Vec<Emitted>,
    /// The effects of this version.
    pub outbox: Vec<Effect>,
}

impl ClipJob {
    /// The clip of this index.
    pub fn clip(&self, index: u32) -> Option<&Clip> {
        self.clips.iter().find(|clip| clip.index == index)
    }

    /// The id of its reservation in the ledger: it names the job and the attempt.
    pub fn reservation(&self) -> String {
        self.reservation_of(self.run.attempt)
    }

    /// The id of the reservation of one of its attempts.
    pub(super) fn reservation_of(&self, attempt: u32) -> String {
        format!("{}.{attempt}", self.id)
    }

    /// The id under which the worker knows the present submission; none if our renderers run it.
    pub fn external_id(&self) -> Option<String> {
        self.run.engine.worker().map(|run| self.id.external_id(run.number))
    }
}
