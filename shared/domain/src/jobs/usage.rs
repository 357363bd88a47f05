//! What a job has used, counted with each of its versions, so that counting takes no write of its own (ADR 57).
//!
//! What writes and reads its item use is counted where it is stored; here is what follows from its events and effects. Its
//! webhooks are not in it: each costs what docs/cost.md says, and there are as many as endpoints.

use std::ops::Add;

use serde::{Deserialize, Serialize};

use crate::jobs::job::Job;
use crate::videos::render::RenderTask;
use crate::{Effect, Event, JobEffect};

/// Indexes that a table has at most here.
pub const INDEXES: usize = 8;

/// What a job has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "[u64; 6]", from = "Vec<u64>")]
pub struct Usage {
    /// Runs of functions.
    pub runs: u64,
    /// Requests to the HTTP API.
    pub requests: u64,
    /// Hints in queues: each is sent, received and deleted, and makes a function run.
    pub hints: u64,
    /// Write units of DynamoDB.
    pub writes: u64,
    /// Halves of read units of DynamoDB.
    pub half_reads: u64,
    /// Frames that renderers have finished.
    pub frames: u64,
    /// How the version is stored that was read: what the next write is billed by. The store alone sets and reads it.
    pub footprint: Footprint,
}

/// The stored form of a version, as far as a later write is billed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Bytes of the item; 0 if there is none yet.
    pub bytes: u64,
    /// A hash of its key in each index; 0 where it has no entry.
    pub entries: [u64; INDEXES],
}

impl Usage {
    /// The request that creates a job: it leases a call of its caller's limit, and counts jobs by two reads of 0.5 units.
    const CREATED: Self = Self { runs: 1, requests: 1, writes: 1, half_reads: 2, ..Self::NOTHING };
    /// A report or a callback. The first ten a minute lease no call.
    const REPORTED: Self = Self { runs: 1, requests: 1, ..Self::NOTHING };
    /// A command of a person.
    const COMMANDED: Self = Self { runs: 1, requests: 1, writes: 1, ..Self::NOTHING };
    /// A claim writes the admission item too, in one transaction.
    const CLAIMED: Self = Self { writes: 2, ..Self::NOTHING };
    /// A hint and the run that it causes.
    const HINTED: Self = Self { runs: 1, hints: 1, ..Self::NOTHING };
    /// A hint to start something: the admission item and the waiting jobs are read until nothing more can start.
    const START: Self = Self { half_reads: 3, ..Self::HINTED };
    /// The start of a job looks for another one.
    const STARTED: Self = Self { half_reads: 3, ..Self::NOTHING };
    /// A slot is freed in the admission item, which is read before.
    const FREED: Self = Self { writes: 1, half_reads: 2, ..Self::NOTHING };
    /// A hint after which a parked callback, or the job before it is changed, is read.
    const LOOKED_UP: Self = Self { half_reads: 2, ..Self::HINTED };
    /// The row of packed lines and live events, and its entry in an index.
    const PACKED: Self = Self { writes: 2, ..Self::NOTHING };
    /// Two counters in one transaction.
    const COUNTED: Self = Self { writes: 4, ..Self::NOTHING };
    /// The run of fanout for a version with effects.
    const FANNED_OUT: Self = Self { runs: 1, ..Self::NOTHING };
    const NOTHING: Self = Self {
        runs: 0,
        requests: 0,
        hints: 0,
        writes: 0,
        half_reads: 0,
        frames: 0,
        footprint: Footprint { bytes: 0, entries: [0; INDEXES] },
    };

    /// What the first version of a job uses.
    pub(crate) fn of_new(outbox: &[Effect]) -> Self {
        Self::CREATED + Self::of_effects(outbox)
    }

    /// What an event uses that changes a job, with the effects of the version that it leads to.
    pub(crate) fn of_change(before: &Job, event: &Event, outbox: &[Effect]) -> Self {
        Self::of_event(before, event) + Self::of_effects(outbox)
    }

    fn of_event(before: &Job, event: &Event) -> Self {
        match event {
            Event::Claim => Self::CLAIMED,
            Event::Started { .. } | Event::RunHere { .. } => Self::STARTED,
            Event::Step { .. } | Event::RenderReported { .. } => Self::REPORTED,
            Event::PieceDone { claim, .. } => Self { frames: frames(before, *claim), ..Self::NOTHING },
            // They come with hints, which are counted where they are sent, or from the due sweep, which runs anyway.
            Event::StartDeferred { .. }
            | Event::RunFailed { .. }
            | Event::RenderChecked { .. }
            | Event::ClaimPiece { .. }
            | Event::Composed { .. }
            | Event::PieceProgressed { .. }
            | Event::PieceDeferred { .. }
            | Event::PieceFailed { .. }
            | Event::Tick => Self::NOTHING,
            Event::Cancel
            | Event::Clear { .. }
            | Event::Retry
            | Event::Complete { .. }
            | Event::Monitor
            | Event::LogArchived
            | Event::DeleteVideo
            | Event::Delete => Self::COMMANDED,
        }
    }

    fn of_effects(outbox: &[Effect]) -> Self {
        let has_count = outbox.iter().any(|effect| matches!(effect, Effect::Count { .. }));
        let of = |effect: &Effect| match effect {
            Effect::Start { .. } => Self::START,
            // A hint follows if other jobs wait, and is theirs.
            Effect::FreeSlot { .. } => Self::FREED,
            Effect::PackHistory => Self::PACKED,
            Effect::Count { .. } => Self::COUNTED,
            Effect::CountLog { .. } if !has_count => Self::COUNTED,
            Effect::Draw { hints, .. } => Self { runs: u64::from(*hints), hints: u64::from(*hints), ..Self::NOTHING },
            Effect::Job(JobEffect::CheckRender { .. } | JobEffect::ApplyParked { .. }) => Self::LOOKED_UP,
            Effect::Job(JobEffect::CancelWorker { .. }) => Self::HINTED,
            // The item keeps lines and live events. Webhooks are counted for themselves, and jobs raise no errors and reserve
            // no credits.
            Effect::Log { .. }
            | Effect::Live { .. }
            | Effect::CountLog { .. }
            | Effect::Notify { .. }
            | Effect::RaiseError(_)
            | Effect::ResolveError(_)
            | Effect::RemoveFiles { .. }
            | Effect::Purge
            | Effect::Project(_)
            | Effect::Clips(_)
            | Effect::Credits(_) => Self::NOTHING,
        };
        // A version that only logs and shows needs no run.
        let kept = |effect: &Effect| matches!(effect, Effect::Log { .. } | Effect::Live { .. });
        let run = if outbox.iter().all(kept) { Self::NOTHING } else { Self::FANNED_OUT };
        outbox.iter().map(of).fold(run, Self::add)
    }
}

/// The frames of the piece with this claim, if it draws or has drawn.
fn frames(job: &Job, claim: u32) -> u64 {
    let Some(run) = job.run.engine.pieces() else { return 0 };
    let pieces = run.pieces.iter().flat_map(|pieces| &pieces.list);
    let held = |claimed: u32| claimed == claim;
    let piece = pieces.into_iter().find(|piece| piece.claim.as_ref().is_some_and(|claim| held(claim.number)));
    match piece.map(|piece| (&piece.task, piece.size)) {
        Some((RenderTask::Draw { .. } | RenderTask::Remote { .. }, size)) => u64::from(size),
        Some((RenderTask::Compose | RenderTask::Join { .. }, _)) | None => 0,
    }
}

impl Add for Usage {
    type Output = Self;

    /// The sum, with the footprint of the first.
    fn add(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            requests: self.requests + other.requests,
            hints: self.hints + other.hints,
            writes: self.writes + other.writes,
            half_reads: self.half_reads + other.half_reads,
            frames: self.frames + other.frames,
            footprint: self.footprint,
        }
    }
}

impl From<Usage> for [u64; 6] {
    fn from(usage: Usage) -> Self {
        [usage.runs, usage.requests, usage.hints, usage.writes, usage.half_reads, usage.frames]
    }
}

impl From<Vec<u64>> for Usage {
    /// Numbers that a later version added are left out, and those that an earlier one did not know are 0.
    fn from(numbers: Vec<u64>) -> Self {
        let at = |index: usize| numbers.get(index).copied().unwrap_or_default();
        Self {
            runs: at(0),
            requests: at(1),
            hints: at(2),
            writes: at(3),
            half_reads: at(4),
            frames: at(5),
            ..Self::NOTHING
        }
    }
}
